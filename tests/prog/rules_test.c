// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes with conditions: chains of rules by source and method, and what is asked when none of them
 * takes the request. The clients are 10.80.0.2 and fd80::2.
 */
#include <stdio.h>
#include <string.h>

#include "prog_node.h"

#define SCOPE_SHOP 0x400002
#define METHOD_OTHER 9 /* HTTP_OTHER */
#define V4(len) (96 + (len))
#define GONE -1	   /* SLOT_MOVED */
#define REFUSED -2 /* 403 */

static struct result *ask(struct client *c, const char *method, const char *path, const char *host)
{
	char text[512];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, path, host);
	return client_say(c, text);
}

static void expect_to(struct client *c, struct result *r, int to)
{
	if (to == REFUSED)
		client_expect_object(c, r, SLOT_ERRORS + CANNED_403, false, false);
	else if (to == GONE)
		client_expect_object(c, r, SLOT_MOVED, false, false);
	else
		expect_out(r, to);
}

/* --- sources ---------------------------------------------------------------------------------- */

struct source_row {
	const char *name;
	const char *from;
	unsigned int len;
	bool v6, is_taken;
};

static const struct source_row source_rows[] = {
	{ "the address itself", "10.80.0.2", V4(32), false, true },
	{ "the next address", "10.80.0.3", V4(32), false, false },
	{ "/31", "10.80.0.2", V4(31), false, true },
	{ "/31, the next", "10.80.0.0", V4(31), false, false },
	{ "/8", "10.0.0.0", V4(8), false, true },
	{ "/9, the other half", "10.0.0.0", V4(9), false, true },
	{ "/10, another quarter", "10.0.0.0", V4(10), false, false },
	{ "/0", "0.0.0.0", V4(0), false, true },
	{ "::/0", "::", 0, false, true },
	{ "IPv6 network, IPv4 client", "fd80::", 16, false, false },
	{ "IPv6 address itself", "fd80::2", 128, true, true },
	{ "the next IPv6 address", "fd80::3", 128, true, false },
	{ "/127", "fd80::2", 127, true, true },
	{ "/64", "fd80::", 64, true, true },
	{ "another /64", "fd80:0:0:1::", 64, true, false },
	{ "/33", "fd80::", 33, true, true },
	{ "/8, another", "fc00::", 8, true, false },
	{ "IPv4 /0, IPv6 client", "0.0.0.0", V4(0), true, false },
	{ "::/0, IPv6", "::", 0, true, true },
};

TEST_ROWS(sources, "from", source_rows)
{
	const struct source_row *row = row_;
	struct client c;

	room_rule(1, row->from, row->len, 0, 0, room_to_pool(POOL_2));
	room_prefix(ROOM_ANY, "/x/", room_to_rules(1));
	client_open(&c, row->v6);
	expect_out(ask(&c, "GET", "/x/y", "a"), row->is_taken ? 2 : 1);
}

/* --- methods ---------------------------------------------------------------------------------- */

struct method_row {
	const char *name;
	uint16_t bit;
};

static const struct method_row method_rows[] = {
	{ "GET", RULE_GET },	   { "HEAD", RULE_HEAD },
	{ "POST", RULE_POST },	   { "PUT", RULE_PUT },
	{ "DELETE", RULE_DELETE }, { "OPTIONS", RULE_OPTIONS },
	{ "PATCH", RULE_PATCH },   { "TRACE", RULE_TRACE },
	{ "PROPFIND", 0 },	   { "get", 0 },
};

TEST_ROWS(method_only, "method, alone", method_rows)
{
	const struct method_row *row = row_;
	struct client c;

	room_rule(1, "::", 0, row->bit ? row->bit : 0xffff & ~(1 << METHOD_OTHER), 0,
		  room_to_pool(POOL_2));
	room_exact(ROOM_ANY, "/x", room_to_rules(1));
	client_open(&c, false);
	expect_out(ask(&c, row->name, "/x", "a"), row->bit ? 2 : 1);
}

TEST_ROWS(method_others, "method, all others", method_rows)
{
	const struct method_row *row = row_;
	struct client c;

	room_rule(1, "::", 0, row->bit ? ~row->bit : 1 << METHOD_OTHER, 0, room_to_pool(POOL_2));
	room_exact(ROOM_ANY, "/x", room_to_rules(1));
	client_open(&c, true);
	expect_out(ask(&c, row->name, "/x", "a"), row->bit ? 1 : 2);
}

/* --- order ------------------------------------------------------------------------------------ */

/*
 * any host: `= /o/c`: POST to 5, then the component; `= /o/p/e`: IPv6 denied
 *           `/o/p/`: 10.80.0.0/24 POST to 4; 10/8 denied; IPv6 PUT to 3; then `/o/`'s
 *           `/o/`: DELETE to 2
 * shop: `= /o/p/e`: PATCH to 5; `/o/`: OPTIONS to 3
 */
static void make_chains(void)
{
	room_rule(1, "::", 0, RULE_POST, 2, room_to_pool(POOL_5));
	room_rule(2, "::", 0, 0, 0, room_to_object(SLOT_SMALL, TARGET_POOL_ROUTE));
	room_exact(ROOM_ANY, "/o/c", room_to_rules(1));
	room_rule(3, "fd80::", 16, 0, 0, room_to_canned(SLOT_ERRORS + CANNED_403));
	room_exact(ROOM_ANY, "/o/p/e", room_to_rules(3));
	room_rule(4, "10.80.0.0", V4(24), RULE_POST, 5, room_to_pool(POOL_4));
	room_rule(5, "10.0.0.0", V4(8), 0, 6, room_to_canned(SLOT_ERRORS + CANNED_403));
	room_rule(6, "fd80::", 8, RULE_PUT, 7, room_to_pool(POOL_3));
	room_rule(7, "::", 0, RULE_DELETE, 0, room_to_pool(POOL_2));
	room_prefix(ROOM_ANY, "/o/p/", room_to_rules(4));
	room_prefix(ROOM_ANY, "/o/", room_to_rules(7));
	room_host("shop.example", SCOPE_SHOP);
	room_rule(8, "::", 0, RULE_PATCH, 0, room_to_pool(POOL_5));
	room_exact(SCOPE_SHOP, "/o/p/e", room_to_rules(8));
	room_rule(9, "::", 0, RULE_OPTIONS, 0, room_to_pool(POOL_3));
	room_prefix(SCOPE_SHOP, "/o/", room_to_rules(9));
}

struct order_row {
	const char *name;
	const char *method, *path;
	const char *host;
	bool v6;
	int to;
};

static const struct order_row order_rows[] = {
	{ "first rule", "POST", "/o/p/x", "a", false, 4 },
	{ "second rule: the method differs", "GET", "/o/p/x", "a", false, REFUSED },
	{ "third rule: the source differs", "PUT", "/o/p/x", "a", true, 3 },
	{ "shorter prefix's rule", "DELETE", "/o/p/x", "a", true, 2 },
	{ "no rule: default pool", "GET", "/o/p/x", "a", true, 1 },
	{ "shorter prefix alone", "DELETE", "/o/x", "a", false, 2 },
	{ "exact, then prefix: taken", "GET", "/o/p/e", "a", true, REFUSED },
	{ "exact, then prefix: passed over", "POST", "/o/p/e", "a", false, 4 },
	{ "host's exact first", "PATCH", "/o/p/e", "shop.example", true, 5 },
	{ "host's prefix before any host's exact", "OPTIONS", "/o/p/e", "shop.example", true, 3 },
	{ "any host's exact behind the host's", "GET", "/o/p/e", "shop.example", true, REFUSED },
	{ "any host's prefix last", "POST", "/o/p/e", "shop.example", false, 4 },
	{ "host's rules on other hosts", "PATCH", "/o/p/e", "a", false, REFUSED },
};

TEST_ROWS(order, "order", order_rows)
{
	const struct order_row *row = row_;
	struct client c;

	make_chains();
	client_open(&c, row->v6);
	expect_to(&c, ask(&c, row->method, row->path, row->host), row->to);
}

TEST(component, "a component behind rules of its path")
{
	struct client c;

	make_chains();
	client_open(&c, false);
	client_expect_object(&c, ask(&c, "GET", "/o/c", "a"), SLOT_SMALL, false, false);
	client_ack(&c);
	expect_out(ask(&c, "POST", "/o/c", "a"), 5);
}

/* What the kernel must not answer goes where the path's other routes say. */
struct rest_row {
	const char *name;
	const char *request;
	bool v6;
	int to;
	const char *counts;
};

#define LINES(host, more) " HTTP/1.1\r\nHost: " host "\r\n" more "\r\n"

static const struct rest_row rest_rows[] = {
	{ "the prefix's rule", "DELETE /o/c" LINES("a", ""), false, 2,
	  "REQUESTS MISS_METHOD LEG_NEW" },
	{ "no rule: default pool", "PUT /o/c" LINES("a", ""), false, 1,
	  "REQUESTS MISS_METHOD LEG_NEW" },
	{ "a header", "GET /o/c" LINES("a", "Range: bytes=0-1\r\n"), false, 1,
	  "REQUESTS MISS_HEADERS LEG_NEW" },
	{ "denied", "PUT /deny/c" LINES("a", ""), false, REFUSED, "REQUESTS CANNED" },
	{ "the component itself", "GET /deny/c" LINES("a", ""), false, 0, "REQUESTS HIT" },
	{ "any host's exact", "PUT /o/p/e" LINES("shop.example", ""), true, REFUSED,
	  "REQUESTS CANNED" },
	{ "a component behind a component", "PUT /two" LINES("shop.example", ""), false, 3,
	  "REQUESTS MISS_METHOD LEG_NEW" },
};

TEST_ROWS(rest, "behind a component", rest_rows)
{
	const struct rest_row *row = row_;
	struct target own = room_to_object(SLOT_SMALL, TARGET_POOL_ROUTE);
	struct result *r;
	struct client c;

	make_chains();
	room_exact(ROOM_ANY, "/deny/c", own);
	room_prefix(ROOM_ANY, "/deny/", room_to_canned(SLOT_ERRORS + CANNED_403));
	room_exact(SCOPE_SHOP, "/o/p/e", own);
	room_exact(SCOPE_SHOP, "/two", own);
	room_exact(ROOM_ANY, "/two", own);
	room_prefix(ROOM_ANY, "/two/", room_to_pool(POOL_3));
	client_open(&c, row->v6);
	r = client_say(&c, row->request);
	expect_counts(r, row->counts);
	if (row->to)
		expect_to(&c, r, row->to);
}

TEST(body, "a deny behind a component ends a connection with a body")
{
	struct client c;

	room_exact(ROOM_ANY, "/deny/c", room_to_object(SLOT_SMALL, TARGET_POOL_ROUTE));
	room_prefix(ROOM_ANY, "/deny/", room_to_canned(SLOT_ERRORS + CANNED_403));
	client_open(&c, false);
	client_expect_object(&c,
			     client_say(&c, "PUT /deny/c HTTP/1.1\r\nHost: a\r\n"
					    "Content-Length: 9\r\n\r\n"),
			     SLOT_ERRORS + CANNED_403, true, false);
}

TEST(nowhere, "neither rule nor default pool: 404")
{
	struct client c;

	room_default_pool(POOL_NONE);
	room_rule(1, "192.0.2.0", V4(24), 0, 0, room_to_pool(POOL_2));
	room_prefix(ROOM_ANY, "/x/", room_to_rules(1));
	client_open(&c, false);
	expect_counts(ask(&c, "GET", "/x/y", "a"), "ERROR_404");
}

TEST(bounded, "at most RULES_PER_PATH rules are looked at")
{
	struct client c;
	uint32_t i;

	for (i = 1; i <= RULES_PER_PATH; i++)
		room_rule(i, "192.0.2.0", V4(24), 0, i + 1, room_to_pool(POOL_2));
	room_rule(i, "::", 0, 0, 0, room_to_pool(POOL_3));
	room_prefix(ROOM_ANY, "/x/", room_to_rules(1));
	client_open(&c, false);
	expect_out(ask(&c, "GET", "/x/y", "a"), 1);
	room_rule(RULES_PER_PATH, "::", 0, 0, 0, room_to_pool(POOL_4));
	client_open(&c, false);
	expect_out(ask(&c, "GET", "/x/y", "a"), 4);
}

/* --- depths of prefixes ----------------------------------------------------------------------- */

#define S8 "/s/s/s/s/s/s/s/s"
#define S31 S8 S8 S8 "/s/s/s/s/s/s/s"
#define X50 "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

struct depth_row {
	const char *name;
	const char *prefix, *path;
	bool is_found;
};

static const struct depth_row depth_rows[] = {
	{ "root", "/", "/x", true },
	{ "root itself", "/", "/", true },
	{ "eight bytes", "/abcdef/", "/abcdef/x", true },
	{ "nine bytes", "/abcdefg/", "/abcdefg/x", true },
	{ "its path alone", "/abcdefg/", "/abcdefg", true },
	{ "with a slash", "/abcdefg/", "/abcdefg/", true },
	{ "a slash in every second byte", S8 "/", S8 "/s/s", true },
	{ "and one less", S8 "/", "/s/s/s/s/s/s/s", false },
	{ "31 segments", S31 "/", S31 "/s", true },
	{ "31 segments, no more", S31 "/", S31, true },
	{ "31 segments, 60 asked", S31 "/", S31 S31, true },
	{ "60 bytes", X50 "/ab/efgh/", X50 "/ab/efgh/x", true },
	{ "61 bytes", X50 "/ab/efghi/", X50 "/ab/efghi/x", true },
	{ "61 bytes, itself", X50 "/ab/efghi/", X50 "/ab/efghi", true },
	{ "60 bytes asked of 61", X50 "/ab/efghi/", X50 "/ab/efgh/x", false },
	{ "251 bytes", X50 X50 X50 X50 X50 "/", X50 X50 X50 X50 X50 "/x", true },
	{ "251 bytes, more asked", X50 X50 X50 X50 X50 "/", X50 X50 X50 X50 X50 X50, true },
	{ "200 of 250 asked", X50 X50 X50 X50 X50 "/", X50 X50 X50 X50, false },
};

TEST_ROWS(depth, "prefix", depth_rows)
{
	const struct depth_row *row = row_;
	struct client c;

	room_prefix(ROOM_ANY, row->prefix, room_to_pool(POOL_2));
	client_open(&c, false);
	expect_out(ask(&c, "GET", row->path, "a"), row->is_found ? 2 : 1);
}

TEST(depths, "the longest of many depths")
{
	static const char path[] = "/p/q/r/"
				   "tttttttttttttttttttttttttttttttttttttttttttttttttttt"
				   "/u/v/w";
	static const uint16_t pools[] = { POOL_2, POOL_3, POOL_4, POOL_5 };
	char prefix[sizeof(path)] = "";
	struct client c;
	size_t i, n = 0;

	for (i = 0; i < strlen(path); i++) {
		prefix[i] = path[i];
		if (path[i] != '/')
			continue;
		room_prefix(ROOM_ANY, prefix, room_to_pool(pools[n % 4]));
		client_open(&c, false);
		expect_out(ask(&c, "GET", path, "a"), pools[n++ % 4]);
	}
}

/* --- targets without a path ------------------------------------------------------------------- */

struct bare_row {
	const char *name;
	const char *line;
	int to;
};

static const struct bare_row bare_rows[] = {
	{ "OPTIONS *: the host's /", "OPTIONS *", 3 },
	{ "CONNECT: the host's /", "CONNECT shop.example:443", 3 },
	{ "absolute form: exact /", "GET http://shop.example", 2 },
	{ "absolute form with a query: exact /", "GET http://shop.example?/x", 2 },
	{ "absolute form, https", "GET https://shop.example", 2 },
	{ "origin form", "GET /", 2 },
	{ "below", "GET /x", 3 },
};

TEST_ROWS(bare, "no path", bare_rows)
{
	const struct bare_row *row = row_;
	struct client c;
	char text[256];

	room_host("shop.example", SCOPE_SHOP);
	room_prefix(SCOPE_SHOP, "/", room_to_pool(POOL_3));
	room_exact(SCOPE_SHOP, "/", room_to_pool(POOL_2));
	client_open(&c, false);
	snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: shop.example%s\r\n\r\n", row->line,
		 strstr(row->line, "https") ? ":443" : "");
	expect_out(client_say(&c, text), row->to);
}
