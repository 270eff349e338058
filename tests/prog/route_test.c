// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From host and path to a destination, and from a pool to a backend. Each row names the device that
 * the request must leave by, or the kernel's answer.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define SCOPE_SHOP 0x400002
#define SCOPE_WILD 0x400003
#define SCOPE_DEEP 0x400004

struct route_row {
	const char *name;
	const char *path;
	const char *host;
	int to; /* backend */
};

static const struct route_row route_rows[] = {
	{ "exact", "/exact", "a", 2 },
	{ "exact before prefix", "/a/exact", "a", 3 },
	{ "exact is exact: slash", "/exact/", "a", 1 },
	{ "exact is exact: longer", "/exactly", "a", 1 },
	{ "prefix", "/a/b", "a", 2 },
	{ "prefix itself", "/a/", "a", 2 },
	{ "prefix without slash", "/a", "a", 2 },
	{ "whole segments only", "/ab", "a", 1 },
	{ "longer prefix", "/a/b/c/d", "a", 4 },
	{ "longer prefix, whole segments", "/a/b/cd", "a", 2 },
	{ "longer prefix without slash", "/a/b/c", "a", 4 },
	{ "no decoding", "/%61/b", "a", 1 },
	{ "no normalising", "//a/b", "a", 1 },
	{ "dot segments stay", "/x/../a/b", "a", 1 },
	{ "case matters in a path", "/A/b", "a", 1 },
	{ "query is not path", "/a/b?/a/b/c/d", "a", 2 },
	{ "query of an exact path", "/exact?x=1", "a", 2 },
	{ "a component with a query goes to its pool", "/small?x", "a", 1 },
	{ "default pool", "/nowhere", "a", 1 },
	{ "root", "/", "a", 1 },
	{ "host", "/h/x", "shop.example", 3 },
	{ "host, in capitals", "/h/x", "SHOP.Example", 3 },
	{ "host with port", "/h/x", "shop.example:80", 3 },
	{ "host's route on another host", "/h/x", "other.example", 1 },
	{ "host's exact path", "/exact", "shop.example", 5 },
	{ "host falls back to routes without host", "/a/b", "shop.example", 2 },
	{ "prefix of the host before exact of any host", "/h/any", "shop.example", 3 },
	{ "exact of any host on another host", "/h/any", "other.example", 2 },
	{ "wildcard", "/w/x", "a.wild.example", 4 },
	{ "wildcard, two labels", "/w/x", "b.a.wild.example", 4 },
	{ "wildcard is not its own domain", "/w/x", "wild.example", 1 },
	{ "wildcard needs a whole label", "/w/x", "awild.example", 1 },
	{ "longer wildcard wins", "/w/x", "a.deep.wild.example", 5 },
	{ "absolute form", "http://shop.example/h/x", "shop.example", 3 },
};

static void make_routes(void)
{
	room_exact(ROOM_ANY, "/exact", room_to_pool(POOL_2));
	room_exact(ROOM_ANY, "/a/exact", room_to_pool(POOL_3));
	room_exact(ROOM_ANY, "/h/any", room_to_pool(POOL_2));
	room_prefix(ROOM_ANY, "/a/", room_to_pool(POOL_2));
	room_prefix(ROOM_ANY, "/a/b/c/", room_to_pool(POOL_4));
	room_host("shop.example", SCOPE_SHOP);
	room_prefix(SCOPE_SHOP, "/h/", room_to_pool(POOL_3));
	room_exact(SCOPE_SHOP, "/exact", room_to_pool(POOL_5));
	room_host(".wild.example", SCOPE_WILD);
	room_prefix(SCOPE_WILD, "/w/", room_to_pool(POOL_4));
	room_host(".deep.wild.example", SCOPE_DEEP);
	room_prefix(SCOPE_DEEP, "/w/", room_to_pool(POOL_5));
}

static struct result *ask(struct client *c, const char *path, const char *host)
{
	char text[2048];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
	return client_say(c, text);
}

TEST_ROWS(route, "route", route_rows)
{
	const struct route_row *row = row_;
	struct result *r;
	struct client c;

	make_routes();
	client_open(&c, false);
	r = ask(&c, row->path, row->host);
	expect_out(r, row->to);
	EXPECT(r->mark, NET_MARK_BASE + row->to);
}

struct reason_row {
	const char *name;
	const char *request;
	const char *counts;
};

static const struct reason_row reason_rows[] = {
	{ "route", "GET /1/a HTTP/1.1\r\nHost: a\r\n\r\n", "REQUESTS MISS_ROUTE LEG_NEW" },
	{ "default", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "REQUESTS MISS_DEFAULT LEG_NEW" },
	{ "OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "REQUESTS MISS_DEFAULT LEG_NEW" },
	{ "POST to a component", "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	  "REQUESTS MISS_METHOD LEG_NEW" },
	{ "DELETE of a component", "DELETE /small HTTP/1.1\r\nHost: a\r\n\r\n",
	  "REQUESTS MISS_METHOD LEG_NEW" },
	{ "Range", "GET /small HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
	  "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "Authorization", "GET /small HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n",
	  "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "Expect", "GET /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	  "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "body", "GET /small HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
	  "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "Upgrade", "GET /small HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	  "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "query", "GET /small?x HTTP/1.1\r\nHost: a\r\n\r\n", "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "a claim of another address",
	  "GET /1/a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: b\r\n\r\n", "FORWARDED" },
};

TEST_ROWS(reason, "reason", reason_rows)
{
	const struct reason_row *row = row_;
	struct client c;

	client_open(&c, true);
	expect_counts(client_say(&c, row->request), row->counts);
}

#define CLAIM "GET /1/a HTTP/1.1\r\nHost: a\r\nForwarded: for=b\r\n\r\n"

TEST(forwarded, "X-Forwarded-*: 400, but of trusted peers or where it may pass")
{
	struct cidr_key {
		uint32_t prefixlen;
		struct ip_addr addr;
	} key = { 96 + 8, packet_addr("10.0.0.0") };
	struct settings settings = room_settings();
	uint32_t one = 1;
	struct client c;

	client_open(&c, false);
	client_expect_object(&c, client_say(&c, CLAIM), SLOT_ERRORS + CANNED_400, true, false);
	room_map_update("trusted", &key, &one);
	client_open(&c, false);
	EXPECT(peek_flow(&c).flags & FLOW_TRUSTED, FLOW_TRUSTED);
	expect_out(client_say(&c, CLAIM), NET_NODE1);
	client_open(&c, true);
	EXPECT(peek_flow(&c).flags & FLOW_TRUSTED, 0);
	expect_counts(client_say(&c, CLAIM), "FORWARDED");
	settings.flags |= SETTINGS_FORWARDED_PASS;
	room_set_settings(&settings);
	client_open(&c, true);
	expect_out(client_say(&c, CLAIM), NET_NODE1);
}

TEST(none, "no route and no default pool: 404")
{
	struct result *r;
	struct client c;

	room_default_pool(POOL_NONE);
	client_open(&c, false);
	r = ask(&c, "/nowhere", "a");
	expect_counts(r, "ERROR_404");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_404, true, false);
	client_open(&c, false);
	expect_out(ask(&c, "/1/a", "a"), NET_NODE1);
}

TEST(no_pool, "a component's POST without a pool: 404")
{
	struct client c;

	room_exact(ROOM_ANY, "/alone", room_to_object(SLOT_SMALL, TARGET_POOL_NONE));
	client_open(&c, false);
	client_expect_object(&c, ask(&c, "/alone", "a"), SLOT_SMALL, false, false);
	expect_counts(client_say(&c, "DELETE /alone HTTP/1.1\r\nHost: a\r\n\r\n"), "ERROR_404");
}

/* "/" and `n` - 1 more bytes. */
static const char *long_path(char *buf, size_t n, char fill)
{
	memset(buf, fill, n);
	buf[0] = '/';
	buf[n] = '\0';
	return buf;
}

struct long_row {
	const char *name;
	size_t conf, asked; /* bytes of the configured path, of the request's */
	bool is_found;
};

static const struct long_row long_rows[] = {
	{ "59 bytes", 59, 59, true },	       { "60 bytes", 60, 60, true },
	{ "61 bytes", 61, 61, true },	       { "250 bytes", 250, 250, true },
	{ "251 bytes", 251, 251, true },       { "252 bytes", 252, 252, true },
	{ "60, 61 asked", 60, 61, false },     { "61, 60 asked", 61, 60, false },
	{ "252, 253 asked", 252, 253, false }, { "252, 1000 asked", 252, 1000, false },
};

TEST_ROWS(long_exact, "long exact path", long_rows)
{
	const struct long_row *row = row_;
	struct client c;
	char buf[1100];

	room_exact(ROOM_ANY, long_path(buf, row->conf, 'x'), room_to_pool(POOL_2));
	client_open(&c, false);
	expect_out(ask(&c, long_path(buf, row->asked, 'x'), "a"), row->is_found ? 2 : 1);
}

/* A prefix of `conf` bytes with its final slash; the request goes on behind it. */
static const struct long_row prefix_rows[] = {
	{ "100 bytes", 100, 150, true },
	{ "250 bytes", 250, 300, true },
	{ "251 bytes", 251, 251, true },
	{ "251 bytes, more asked", 251, 800, true },
	{ "251 bytes, asked without slash", 251, 250, true },
};

TEST_ROWS(long_prefix, "long prefix", prefix_rows)
{
	const struct long_row *row = row_;
	char conf[300], asked[1100];
	struct client c;

	long_path(conf, row->conf, 'x');
	conf[row->conf - 1] = '/';
	room_prefix(ROOM_ANY, conf, room_to_pool(POOL_2));
	long_path(asked, row->asked, 'x');
	if (row->asked >= row->conf)
		asked[row->conf - 1] = '/';
	client_open(&c, false);
	expect_out(ask(&c, asked, "a"), 2);
	client_open(&c, false);
	if (row->asked >= row->conf) {
		asked[row->conf - 1] = 'y';
		expect_out(ask(&c, asked, "a"), 1);
	}
}

TEST(long_host, "a host name longer than any configured one")
{
	char host[300];
	struct client c;

	make_routes();
	memset(host, 'x', 200);
	strcpy(host + 200, ".wild.example");
	client_open(&c, false);
	expect_out(ask(&c, "/w/x", host), 4);
	memset(host, 'x', sizeof(host));
	host[250] = '\0';
	client_open(&c, false);
	expect_out(ask(&c, "/h/x", host), 1);
}

TEST(epoch, "hosts of another epoch are not found")
{
	struct settings settings;
	struct client c;

	make_routes();
	settings = room_settings();
	settings.epoch++;
	room_set_settings(&settings);
	client_open(&c, false);
	expect_out(ask(&c, "/h/x", "shop.example"), 1);
}

/* Which backend a fresh connection gets. */
static int pick(struct client *c)
{
	struct result *r = ask(c, "/both/a", "a");
	enum net_dev dev;

	expect_verdict(r, REDIRECT);
	expect_no_clones(r);
	run_leaving(r, 0, &dev);
	return dev;
}

TEST(round_robin, "round robin over connections")
{
	static const int wanted[] = { 1, 2, 1, 2, 1, 2 };
	struct client c;
	int i;

	for (i = 0; i < 6; i++) {
		client_open(&c, i & 1);
		EXPECT(pick(&c), wanted[i]);
	}
}

TEST(weights, "the sequence of a pool is its weights")
{
	struct pool pool = { .slots = 3, .members = 2, .seq = { 0, 1, 0 }, .backend = { 4, 5 } };
	static const int wanted[] = { 4, 5, 4, 4, 5, 4 };
	uint32_t id = POOL_BOTH;
	struct client c;
	int i;

	room_map_update("pools", &id, &pool);
	for (i = 0; i < 6; i++) {
		client_open(&c, false);
		EXPECT(pick(&c), wanted[i]);
	}
}

TEST(down_skipped, "a member that is down is passed over")
{
	struct backend b = room_backend(1);
	struct client c;
	int i;

	b.flags &= ~BACKEND_UP;
	room_set_backend(1, &b);
	for (i = 0; i < 4; i++) {
		client_open(&c, false);
		EXPECT(pick(&c), 2);
	}
}

TEST(down_left, "the open leg of a backend that went down is left for another backend")
{
	struct backend b = room_backend(1);
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, "GET /both/a HTTP/1.1\r\nHost: a\r\n\r\n");
	node_reply(&n, &c, "HTTP/1.1 204 No\r\n\r\n");
	b.flags &= ~BACKEND_UP;
	room_set_backend(1, &b);
	node_open(&n, 2, &c, "GET /both/b HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(same_leg, "a pool's open leg is used again, whatever the round robin says")
{
	struct client c;
	struct node n;
	int i;

	client_open(&c, false);
	node_open(&n, 1, &c, "GET /both/a HTTP/1.1\r\nHost: a\r\n\r\n");
	node_reply(&n, &c, "HTTP/1.1 204 No\r\n\r\n");
	for (i = 0; i < 3; i++) {
		node_expect_text(&n, client_say(&c, "GET /both/a HTTP/1.1\r\nHost: a\r\n\r\n"),
				 "GET /both/a HTTP/1.1\r\nHost: a\r\n\r\n");
		node_reply(&n, &c, "HTTP/1.1 204 No\r\n\r\n");
	}
}

TEST(client_hash, "client hash: one address, one backend; addresses spread")
{
	uint16_t both[] = { 1, 2 };
	int i, first, counts[NET_DEVS] = {};
	struct client c;

	room_pool(POOL_BOTH, POLICY_CLIENT_HASH, both, 2);
	client_open(&c, false);
	first = pick(&c);
	for (i = 0; i < 4; i++) {
		client_open(&c, false);
		EXPECT(pick(&c), first);
	}
	for (i = 0; i < 32; i++) {
		client_init(&c, false);
		c.addr.w[3] = htonl(0x0a500002 + i * 7);
		client_connect(&c);
		counts[pick(&c)]++;
	}
	check_step("%d of 32 addresses to backend 1", counts[1]);
	EXPECT_TRUE(counts[1] > 4 && counts[2] > 4);
}
