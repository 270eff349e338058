// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readers of the keys of [gateway], [backend] and [pool]: text into the struct, one key each. What
 * several keys or sections must agree on is in config_check.c.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "abi.h"
#include "config_parse.h"

static void add_uplink(const struct value *item, void *object)
{
	struct config_gateway *gateway = object;
	char *name;

	if (value_interface(item, &name))
		return;
	report_once(item->parser, item->line, "uplink %s", name);
	gateway->uplinks =
		config_grow(gateway->uplinks, gateway->n_uplinks, sizeof(*gateway->uplinks));
	gateway->uplinks[gateway->n_uplinks++] = name;
}

static void read_uplink(const struct value *value, void *object)
{
	value_list(value, MAX_UPLINKS, add_uplink, object);
}

static void add_vip(const struct value *item, void *object)
{
	struct config_gateway *gateway = object;
	char text[ENDPOINT_TEXT_BYTES];
	struct endpoint vip;

	if (value_endpoint(item, false, &vip))
		return;
	report_once(item->parser, item->line, "vip %s", endpoint_text(&vip, text));
	gateway->vips = config_grow(gateway->vips, gateway->n_vips, sizeof(*gateway->vips));
	gateway->vips[gateway->n_vips++] = vip;
}

static void read_vip(const struct value *value, void *object)
{
	value_list(value, MAX_VIPS, add_vip, object);
}

/* A power of two, as the flow table wants it. */
static void read_flows(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;
	uint32_t flows;

	if (value_number(value, FLOWS_MIN, FLOWS_MAX, &flows))
		return;
	for (gateway->flows = FLOWS_MIN; gateway->flows < flows;)
		gateway->flows *= 2;
}

static void read_source_flows(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	value_number(value, 0, FLOWS_MAX, &gateway->source_flows);
}

static void add_trusted(const struct value *item, void *object)
{
	struct config_gateway *gateway = object;
	struct cidr cidr;

	if (value_cidr(item, &cidr))
		return;
	report_once(item->parser, item->line, "trusted %s", item->text);
	gateway->trusted =
		config_grow(gateway->trusted, gateway->n_trusted, sizeof(*gateway->trusted));
	gateway->trusted[gateway->n_trusted++] = cidr;
}

static void read_trusted(const struct value *value, void *object)
{
	value_list(value, MAX_TRUSTED, add_trusted, object);
}

static void read_forwarded(const struct value *value, void *object)
{
	static const char *const words[] = { "refuse", "pass" };
	struct config_gateway *gateway = object;
	size_t word;

	if (!value_choice(value, words, ARRAY_LEN(words), &word))
		gateway->forwarded_pass = word;
}

static void read_fwmark(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	value_mark(value, &gateway->mark_base, &gateway->mark_mask);
}

static void read_table(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	value_number(value, 1, UINT32_MAX, &gateway->table);
}

static void read_priority(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	value_number(value, 1, PRIORITY_MAX, &gateway->priority);
}

static void read_admin(const struct value *value, void *object)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	struct config_gateway *gateway = object;

	if (*value->text != '/')
		value_error(value, "'%s' is not an absolute path (allowed: begins with '/')",
			    value->text);
	else if (strlen(value->text) > max)
		value_error(value, "the socket's path has %zu bytes (allowed: %zu)",
			    strlen(value->text), max);
	else
		gateway->admin = config_strdup(value->text);
}

static void read_metrics(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	gateway->has_metrics = !value_endpoint(value, true, &gateway->metrics);
}

static void read_header_timeout(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	value_duration(value, HEADER_TIMEOUT_MIN_MS, HEADER_TIMEOUT_MAX_MS,
		       &gateway->header_timeout_ms);
}

static void read_instance(const struct value *value, void *object)
{
	struct config_gateway *gateway = object;

	value_name(value, &gateway->instance);
}

const struct schema_key gateway_keys[] = {
	{ "uplink", read_uplink, true },
	{ "vip", read_vip, true },
	{ "flows", read_flows, false },
	{ "source-flows", read_source_flows, false },
	{ "trusted", read_trusted, true },
	{ "forwarded", read_forwarded, false },
	{ "fwmark", read_fwmark, false },
	{ "table", read_table, false },
	{ "priority", read_priority, false },
	{ "admin", read_admin, false },
	{ "metrics", read_metrics, false },
	{ "instance", read_instance, false },
	{ "header-timeout", read_header_timeout, false },
	{ 0 },
};

static void add_address(const struct value *item, void *object)
{
	struct config_backend *backend = object;
	char text[ENDPOINT_TEXT_BYTES];
	struct endpoint address;

	if (value_endpoint(item, false, &address))
		return;
	if (backend->address.port && address.is_ipv4 == backend->address.is_ipv4)
		value_error(item,
			    "'%s' is a second address of one family (allowed: one of IPv4 "
			    "and one of IPv6)",
			    item->text);
	else if (backend->address.port && address.port != backend->address.port)
		value_error(item, "'%s' has another port than the first address (allowed: %u)",
			    item->text, backend->address.port);
	else
		report_once(item->parser, item->line, "the address %s of a backend",
			    endpoint_text(&address, text));
	*(backend->address.port ? &backend->address6 : &backend->address) = address;
}

static void read_address(const struct value *value, void *object)
{
	value_list(value, 2, add_address, object);
}

static void read_netns(const struct value *value, void *object)
{
	struct config_backend *backend = object;

	value_netns(value, &backend->netns);
}

static void read_interface(const struct value *value, void *object)
{
	struct config_backend *backend = object;

	value_interface(value, &backend->interface);
}

static void read_weight(const struct value *value, void *object)
{
	struct config_backend *backend = object;

	value_number(value, 1, WEIGHT_MAX, &backend->weight);
}

static void read_health(const struct value *value, void *object)
{
	struct config_backend *backend = object;

	value_health(value, &backend->health);
}

const struct schema_key backend_keys[] = {
	{ "address", read_address, true },	{ "netns", read_netns, false },
	{ "interface", read_interface, false }, { "weight", read_weight, false },
	{ "health", read_health, false },	{ 0 },
};

static void add_member(const struct value *item, void *object)
{
	struct config *config = item->parser->config;
	struct config_pool *pool = object;
	size_t i;

	for (i = 0; i < config->n_backends; i++)
		if (!strcmp(config->backends[i].name, item->text))
			break;
	if (i == config->n_backends) {
		value_error(item, "there is no [backend %s] (allowed: names of backends)",
			    item->text);
		return;
	}
	report_once(item->parser, item->line, "backend %s in [pool %s]", item->text, pool->name);
	pool->backends = config_grow(pool->backends, pool->n_backends, sizeof(*pool->backends));
	pool->backends[pool->n_backends++] = i;
}

static void read_backends(const struct value *value, void *object)
{
	value_list(value, POOL_MEMBERS, add_member, object);
}

static void read_policy(const struct value *value, void *object)
{
	static const char *const words[] = {
		[CONFIG_ROUND_ROBIN] = "round-robin",
		[CONFIG_CLIENT_HASH] = "client-hash",
		[CONFIG_LEAST_LATENCY] = "least-latency",
	};
	struct config_pool *pool = object;
	size_t word;

	if (!value_choice(value, words, ARRAY_LEN(words), &word))
		pool->policy = (enum config_policy)word;
}

/* sticky = cookie:NAME; a name is a token (RFC 6265, 4.1.1). */
static void read_sticky(const struct value *value, void *object)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char prefix[] = "cookie:";
	const char *name = value->text + strlen(prefix);
	struct config_pool *pool = object;

	if (strncmp(value->text, prefix, strlen(prefix)) || !*name || name[strspn(name, token)] ||
	    strlen(name) >= POOL_COOKIE) {
		value_error(value,
			    "'%s' names no cookie (allowed: cookie:NAME, 1 to %d letters, digits "
			    "and !#$%%&'*+-.^_`|~)",
			    value->text, POOL_COOKIE - 1);
		return;
	}
	pool->cookie = config_strdup(name);
}

static void add_default_of(const struct value *item, void *object)
{
	struct config_pool *pool = object;
	char text[ENDPOINT_TEXT_BYTES];
	struct endpoint vip;

	if (value_endpoint(item, false, &vip))
		return;
	report_once(item->parser, item->line, "the default pool of vip %s",
		    endpoint_text(&vip, text));
	pool->default_of =
		config_grow(pool->default_of, pool->n_default_of, sizeof(*pool->default_of));
	pool->default_of[pool->n_default_of++] = vip;
}

/* default = yes | no | VIP, ... */
static void read_default(const struct value *value, void *object)
{
	static const char *const words[] = { "no", "yes" };
	struct config *config = value->parser->config;
	struct config_pool *pool = object;
	size_t word;

	if (strchr(value->text, ':')) {
		value_list(value, MAX_VIPS, add_default_of, object);
		return;
	}
	if (value_choice(value, words, ARRAY_LEN(words), &word) || !word)
		return;
	report_once(value->parser, value->line, "the default pool");
	pool->is_default = true;
	config->default_pool = (size_t)(pool - config->pools);
}

const struct schema_key pool_keys[] = {
	{ "backends", read_backends, true },
	{ "policy", read_policy, false },
	{ "sticky", read_sticky, false },
	{ "default", read_default, false },
	{ 0 },
};
