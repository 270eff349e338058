// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_load(): the rows of config_rows.h, then good files field by field, and conf/gateway.ini
 * (run from the repository's top). Limits, line lengths and files that cannot be read are in
 * config_limits_test.c.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_fixture.h"
#include "config_rows.h"

#define TEST_ROWS(rows)                                                                            \
	static void test_##rows(void **state)                                                      \
	{                                                                                          \
		size_t i;                                                                          \
                                                                                                   \
		(void)state;                                                                       \
		for (i = 0; i < ARRAY_LEN(rows); i++)                                              \
			expect_problem(rows[i].text, rows[i].expected);                            \
	}
TEST_ROWS(syntax_rows)
TEST_ROWS(gateway_rows)
TEST_ROWS(backend_rows)
TEST_ROWS(route_rows)
TEST_ROWS(component_rows)

static void assert_endpoint(const struct endpoint *endpoint, const char *expected)
{
	char text[ENDPOINT_TEXT_BYTES];

	assert_string_equal(endpoint_text(endpoint, text), expected);
}

static void test_defaults(void **state)
{
	struct config *config = load_good(GWNP "[pool q]\nbackends = n1\ndefault = no\n" FILE_C);

	(void)state;
	assert_string_equal(config->path, ini);
	assert_int_equal(config->gateway.line, 1);
	assert_int_equal(config->gateway.n_uplinks, 1);
	assert_int_equal(config->gateway.n_vips, 1);
	assert_int_equal(config->gateway.flows, 262144);
	assert_int_equal(config->gateway.source_flows, 65536);
	assert_int_equal(config->gateway.header_timeout_ms, 60000);
	assert_int_equal(config->gateway.n_trusted, 0);
	assert_false(config->gateway.forwarded_pass);
	assert_int_equal(config->gateway.mark_base, 0x5c000000);
	assert_int_equal(config->gateway.mark_mask, 0xff000000);
	assert_int_equal(config->gateway.table, 5200);
	assert_int_equal(config->gateway.priority, 5200);
	assert_string_equal(config->gateway.admin, "/run/sluice/admin.sock");
	assert_false(config->gateway.has_metrics);
	assert_null(config->gateway.instance);
	assert_int_equal(config->backends[0].weight, 1);
	assert_int_equal(config->backends[0].address6.port, 0);
	assert_false(config->backends[0].health.enabled);
	assert_int_equal(config->pools[0].policy, CONFIG_ROUND_ROBIN);
	assert_false(config->pools[0].is_default);
	assert_int_equal(config->default_pool, SIZE_MAX);
	assert_null(config->components[0].host);
	assert_null(config->components[0].cache_control);
	assert_int_equal(config->components[0].pool, SIZE_MAX);
	assert_string_equal(config->components[0].type, "text/html; charset=utf-8");
	config_free(config);
}

static void test_gateway_fields(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# \303\274\r\n"
		"  [gateway] ; not indented\r\n"
		"uplink : gw0, ; first\r\n"
		"\r\n"
		"    gw1 ; second\r\n"
		"vip=10.80.9.9:80,\r\n"
		"# between\r\n"
		"\t[fd80:9::9]:8080\r\n"
		"source-flows = 0x20\r\n"
		"flows = 100\r\n"
		"trusted = 10.0.0.0/8, fd00::/8, 192.0.2.1, 2001:db8::1, 0.0.0.0/0\r\n"
		"forwarded = pass\r\n"
		"fwmark = 0x100/65280\r\n"
		"table = 0x100\r\n"
		"priority = 7\r\n"
		"admin = /tmp/a;b.sock ;c\r\n"
		"metrics = [::]:9464\r\n"
		"instance = shop-1";
	struct config *config = load_good(text);
	struct config_gateway *gateway = &config->gateway;

	(void)state;
	assert_int_equal(gateway->line, 2);
	assert_int_equal(gateway->n_uplinks, 2);
	assert_string_equal(gateway->uplinks[0], "gw0");
	assert_string_equal(gateway->uplinks[1], "gw1");
	assert_int_equal(gateway->n_vips, 2);
	assert_endpoint(&gateway->vips[0], "10.80.9.9:80");
	assert_true(IN6_IS_ADDR_V4MAPPED(&gateway->vips[0].addr));
	assert_endpoint(&gateway->vips[1], "[fd80:9::9]:8080");
	assert_int_equal(gateway->flows, 128);
	assert_int_equal(gateway->source_flows, 32);
	assert_int_equal(gateway->n_trusted, 5);
	assert_int_equal(gateway->trusted[0].prefixlen, 104);
	assert_true(IN6_IS_ADDR_V4MAPPED(&gateway->trusted[0].addr));
	assert_int_equal(gateway->trusted[0].addr.s6_addr[12], 10);
	assert_int_equal(gateway->trusted[1].prefixlen, 8);
	assert_int_equal(gateway->trusted[1].addr.s6_addr[0], 0xfd);
	assert_int_equal(gateway->trusted[2].prefixlen, 128);
	assert_int_equal(gateway->trusted[3].prefixlen, 128);
	assert_int_equal(gateway->trusted[4].prefixlen, 96);
	assert_true(gateway->forwarded_pass);
	assert_int_equal(gateway->mark_base, 0x100);
	assert_int_equal(gateway->mark_mask, 0xff00);
	assert_int_equal(gateway->table, 256);
	assert_int_equal(gateway->priority, 7);
	assert_string_equal(gateway->admin, "/tmp/a;b.sock");
	assert_true(gateway->has_metrics);
	assert_endpoint(&gateway->metrics, "[::]:9464");
	assert_string_equal(gateway->instance, "shop-1");
	config_free(config);
}

static void test_source_flows(void **state)
{
	struct config *config = load_good(GW "flows = 1000\n");

	(void)state;
	assert_int_equal(config->gateway.source_flows, 256); /* of 1024 */
	config_free(config);
	config = load_good(GW "source-flows = 0\n");
	assert_int_equal(config->gateway.source_flows, 0);
	config_free(config);
}

static void test_header_timeout(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} rows[] = {
		{ "100ms", 100 },      { "1s", 1000 },	   { "90s", 90000 },
		{ "2m", 120000 },      { "60m", 3600000 }, { "1h", 3600000 },
		{ "3600s", 3600000 },  { "0250ms", 250 },  { "3600000ms", 3600000 },
		{ "5s ; five", 5000 },
	};
	struct config *config;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		text = config_format("%sheader-timeout = %s\n", GW, rows[i].text);
		config = load_good(text);
		assert_int_equal(config->gateway.header_timeout_ms, rows[i].ms);
		config_free(config);
		free(text);
	}
}

static void test_backend_and_pool_fields(void **state)
{
	struct config *config = load_good(
		GW
		"[pool all]\nbackends = two,\n one\npolicy = least-latency\ndefault = yes\n"
		"[pool hash]\nbackends = one\npolicy = client-hash\n"
		"[backend one]\naddress = [fd80:1::2]:3000, 10.80.1.2:3000\nnetns = pid:4194304\n"
		"interface = eth0\nweight = 255\n"
		"health = GET /h?x=1 interval=500ms\n fall=4\n"
		"[backend two]\naddress = 127.0.0.1:3001\nhealth = GET / timeout=3s interval=1m "
		"rise=5\n"
		"[backend three]\naddress = 127.0.0.1:3002\nhealth = GET /\n");
	struct config_backend *one = &config->backends[0], *two = &config->backends[1];

	(void)state;
	assert_int_equal(config->n_backends, 3);
	assert_int_equal(one->line, 12);
	assert_string_equal(one->name, "one");
	assert_endpoint(&one->address, "[fd80:1::2]:3000");
	assert_endpoint(&one->address6, "10.80.1.2:3000");
	assert_string_equal(one->netns, "pid:4194304");
	assert_string_equal(one->interface, "eth0");
	assert_int_equal(one->weight, 255);
	assert_true(one->health.enabled);
	assert_string_equal(one->health.path, "/h?x=1");
	assert_int_equal(one->health.interval_ms, 500);
	assert_int_equal(one->health.timeout_ms, 500);
	assert_int_equal(one->health.fall, 4);
	assert_int_equal(one->health.rise, 2);
	assert_null(two->netns);
	assert_null(two->interface);
	assert_int_equal(two->health.interval_ms, 60000);
	assert_int_equal(two->health.timeout_ms, 3000);
	assert_int_equal(two->health.fall, 3);
	assert_int_equal(two->health.rise, 5);
	assert_int_equal(config->backends[2].health.interval_ms, 2000);
	assert_int_equal(config->backends[2].health.timeout_ms, 1000);
	assert_int_equal(config->n_pools, 2);
	assert_int_equal(config->default_pool, 0);
	assert_true(config->pools[0].is_default);
	assert_int_equal(config->pools[0].line, 4);
	assert_string_equal(config->pools[0].name, "all");
	assert_int_equal(config->pools[0].policy, CONFIG_LEAST_LATENCY);
	assert_int_equal(config->pools[0].n_backends, 2);
	assert_int_equal(config->pools[0].backends[0], 1);
	assert_int_equal(config->pools[0].backends[1], 0);
	assert_int_equal(config->pools[1].policy, CONFIG_CLIENT_HASH);
	config_free(config);
}

/* The same path may stand once as a prefix and once alone, and once for each host. */
static void test_route_fields(void **state)
{
	struct config *config = load_good(
		GWNP "[route api]\nhost = *.Shop.Example\npath = /api\npool = p\n"
		     "[route any]\npath = /api/\ndeny = 404\n"
		     "[route one]\npath = = /api/\nredirect = 308 https://x.example/a?b=c#d\n"
		     "[route all]\npath == /\ndeny = 403\nhost = 10.0.0.1\n"
		     "[route top]\npath = /\nredirect = 302 http://[::1]/\n"
		     "[route odd]\npath = /_next/[id];a=b/~x@y:z,&'()*!$+|\ndeny = 403\n");
	struct config_route *routes = config->routes;

	(void)state;
	assert_int_equal(config->n_routes, 6);
	assert_int_equal(routes[0].line, 10);
	assert_string_equal(routes[0].name, "api");
	assert_string_equal(routes[0].host, ".shop.example");
	assert_string_equal(routes[0].path, "/api/");
	assert_false(routes[0].is_exact);
	assert_int_equal(routes[0].action, ROUTE_POOL);
	assert_int_equal(routes[0].pool, 0);
	assert_null(routes[1].host);
	assert_int_equal(routes[1].action, ROUTE_DENY);
	assert_int_equal(routes[1].status, 404);
	assert_true(routes[2].is_exact);
	assert_string_equal(routes[2].path, "/api/");
	assert_int_equal(routes[2].action, ROUTE_REDIRECT);
	assert_int_equal(routes[2].status, 308);
	assert_string_equal(routes[2].location, "https://x.example/a?b=c#d");
	assert_true(routes[3].is_exact);
	assert_string_equal(routes[3].path, "/");
	assert_string_equal(routes[3].host, "10.0.0.1");
	assert_false(routes[4].is_exact);
	assert_string_equal(routes[4].path, "/");
	assert_string_equal(routes[4].location, "http://[::1]/");
	assert_string_equal(routes[5].path, "/_next/[id];a=b/~x@y:z,&'()*!$+|/");
	config_free(config);
}

static void test_route_conditions(void **state)
{
	struct config *config = load_good(
		GWNP
		"[route a]\npath = /a\npool = p\nfrom = 10.0.0.0/8, ; ours\n fd00::/8,192.0.2.1\n"
		"method = GET, HEAD,\n TRACE\n"
		"[route b]\npath = /a\npool = p\nfrom = 10.0.0.0/9\n"
		"[route c]\npath = /a\npool = p\nmethod = POST\n"
		"[route d]\npath = /a\npool = p\nmethod = CONNECT\nfrom = 10.0.0.0/8\n"
		"[route e]\npath = /a\npool = p\n" FILE_C
		"[route f]\npath = = /c\ndeny = 403\nfrom = 0.0.0.0/0\n");
	struct config_route *routes = config->routes;

	(void)state;
	assert_int_equal(routes[0].n_from, 3);
	assert_int_equal(routes[0].from[0].prefixlen, 104);
	assert_int_equal(routes[0].from[1].prefixlen, 8);
	assert_int_equal(routes[0].from[2].prefixlen, 128);
	assert_int_equal(routes[0].methods, RULE_GET | RULE_HEAD | RULE_TRACE);
	assert_int_equal(routes[1].methods, 0);
	assert_int_equal(routes[2].n_from, 0);
	assert_int_equal(routes[2].methods, RULE_POST);
	assert_int_equal(routes[3].methods, RULE_CONNECT);
	assert_int_equal(routes[5].from[0].prefixlen, 96);
	config_free(config);
	config_free(load_good(GW "[route a]\npath = " S16
				 "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/\ndeny = 403\n"
				 "[route b]\npath = = " S16 S16 S16 "\ndeny = 403\n"));
}

static void test_component_fields(void **state)
{
	char *text = config_format("%s[component c]\npath = /c/\nhost = A.b\npool = p\n"
				   "file = %s/page.html\ntype = text/x-y;q=1\n"
				   "cache-control = public,\n max-age=60 ; a minute\n",
				   GWNP, dir);
	struct config *config = load_good(text);
	struct config_component *component = config->components;
	char *messages, *cwd = getcwd(NULL, 0);

	(void)state;
	assert_int_equal(config->n_components, 1);
	assert_int_equal(component->line, 10);
	assert_string_equal(component->name, "c");
	assert_string_equal(component->host, "a.b");
	assert_string_equal(component->path, "/c/");
	assert_int_equal(component->file[0], '/');
	assert_string_equal(component->type, "text/x-y;q=1");
	assert_string_equal(component->cache_control, "public, max-age=60");
	assert_int_equal(component->pool, 0);
	config_free(config);
	free(text);

	config_free(load_good(GW FILE_C));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(load_file("t.ini", &config, &messages), 0);
	assert_string_equal(config->components[0].file, "page.html");
	assert_int_equal(chdir(cwd), 0);
	config_free(config);
	free(messages);
	free(cwd);
}

static void test_media_types(void **state)
{
	static const char *const pairs[][2] = {
		{ "a.html", "text/html; charset=utf-8" },
		{ "a.CSS", "text/css; charset=utf-8" },
		{ "a.min.js", "text/javascript; charset=utf-8" },
		{ "a.mjs", "text/javascript; charset=utf-8" },
		{ "a.txt", "text/plain; charset=utf-8" },
		{ "a.json", "application/json" },
		{ "a.svg", "image/svg+xml" },
		{ "a.xml", "application/xml" },
		{ "a.png", "image/png" },
		{ "a.jpg", "image/jpeg" },
		{ "a.webp", "image/webp" },
		{ "a.ico", "image/vnd.microsoft.icon" },
		{ "a.woff2", "font/woff2" },
		{ "a.unknown", "application/octet-stream" },
		{ "dir.html/a", "application/octet-stream" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(pairs); i++)
		assert_string_equal(media_type_of(pairs[i][0]), pairs[i][1]);
}

static void test_shipped_file(void **state)
{
	struct config *config;
	char *messages;

	(void)state;
	if (load_file("conf/gateway.ini", &config, &messages))
		fail_msg("%s", messages);
	assert_string_equal(config->gateway.uplinks[0], "gw0");
	assert_endpoint(&config->gateway.vips[0], "10.80.9.9:80");
	assert_endpoint(&config->gateway.vips[1], "[fd80:9::9]:80");
	assert_int_equal(config->n_backends, 2);
	assert_string_equal(config->backends[0].netns, "sl-node1");
	assert_endpoint(&config->backends[1].address, "10.80.2.2:3000");
	assert_int_equal(config->n_pools, 3);
	assert_int_equal(config->default_pool, 0);
	assert_int_equal(config->n_routes, 4);
	assert_int_equal(config->n_components, 2);
	assert_string_equal(config->components[0].file, "conf/components/header.html");
	config_free(config);
	free(messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax_rows),
		cmocka_unit_test(test_gateway_rows),
		cmocka_unit_test(test_backend_rows),
		cmocka_unit_test(test_route_rows),
		cmocka_unit_test(test_component_rows),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_gateway_fields),
		cmocka_unit_test(test_source_flows),
		cmocka_unit_test(test_header_timeout),
		cmocka_unit_test(test_backend_and_pool_fields),
		cmocka_unit_test(test_route_fields),
		cmocka_unit_test(test_route_conditions),
		cmocka_unit_test(test_component_fields),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_shipped_file),
	};

	return cmocka_run_group_tests_name("config", tests, make_dir, remove_dir);
}
