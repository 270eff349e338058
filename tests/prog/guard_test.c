// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Denials, and the writings of a target that stand for a denied path: refused as well. Each row
 * says what its target comes to with these routes:
 *
 *   any host       deny: /internal/, = /secret, /files/private/
 *                  pool 2: /internal/public/, /ADMIN/area/, 3: /files/, 4: = /Secret, 5: /Internal/
 *   shop.example   deny: /admin/; pool 3: /files/private/
 *   all.example    deny: /
 *   wide.example   pool 2: /
 */
#include <stdio.h>
#include <string.h>

#include "prog_node.h"

#define SCOPE_SHOP 0x400002
#define SCOPE_ALL 0x400003
#define SCOPE_WIDE 0x400004
#define DENIED 0
#define BAD -1 /* 400 */

static struct target denial(size_t len)
{
	struct target target = room_to_canned(SLOT_ERRORS + CANNED_403);

	target.kind = TARGET_DENY;
	target.len = len;
	return target;
}

static struct target pool(uint16_t id, size_t len)
{
	struct target target = room_to_pool(id);

	target.len = len;
	return target;
}

static void deny_prefix(uint32_t scope, const char *path)
{
	room_prefix(scope, path, denial(strlen(path)));
	room_prefix(scope | SCOPE_DENY, path, denial(strlen(path)));
}

static void deny_exact(uint32_t scope, const char *path)
{
	room_exact(scope, path, denial(TARGET_EXACT));
	room_exact(scope | SCOPE_DENY, path, denial(TARGET_EXACT));
}

static void set_denials(bool are_there)
{
	struct settings settings = room_settings();

	settings.flags = (settings.flags & ~SETTINGS_DENY) | (are_there ? SETTINGS_DENY : 0);
	room_set_settings(&settings);
}

static void make_routes(void)
{
	deny_prefix(ROOM_ANY, "/internal/");
	deny_exact(ROOM_ANY, "/secret");
	deny_prefix(ROOM_ANY, "/files/private/");
	room_prefix(ROOM_ANY, "/internal/public/", pool(POOL_2, 17));
	room_prefix(ROOM_ANY, "/files/", pool(POOL_3, 7));
	room_exact(ROOM_ANY, "/Secret", pool(POOL_4, TARGET_EXACT));
	room_prefix(ROOM_ANY, "/Internal/", pool(POOL_5, 10));
	room_host("shop.example", SCOPE_SHOP);
	deny_prefix(SCOPE_SHOP, "/admin/");
	room_prefix(SCOPE_SHOP, "/files/private/", pool(POOL_3, 15));
	room_host("all.example", SCOPE_ALL);
	deny_prefix(SCOPE_ALL, "/");
	room_prefix(ROOM_ANY, "/ADMIN/area/", pool(POOL_2, 12));
	room_host("wide.example", SCOPE_WIDE);
	room_prefix(SCOPE_WIDE, "/", pool(POOL_2, 1));
	set_denials(true);
}

struct guard_row {
	const char *target;
	int to;		  /* backend, DENIED or BAD */
	const char *host; /* NULL: "a" */
	const char *method;
};

static const struct guard_row guard_rows[] = {
	/* as it is written */
	{ "/internal/x", DENIED, NULL, NULL },
	{ "/internal", DENIED, NULL, NULL },
	{ "/secret", DENIED, NULL, NULL },
	{ "/internalx", 1, NULL, NULL },
	{ "/secret/x", 1, NULL, NULL },
	{ "/internal/%zz", DENIED, NULL, NULL },
	{ "/internal/x//../y", DENIED, NULL, NULL },
	{ "/internal/public/x", 2, NULL, NULL },
	/* escapes */
	{ "/%69nternal/x", DENIED, NULL, NULL },
	{ "/inter%6E%61l", DENIED, NULL, NULL },
	{ "/%2569nternal/x", DENIED, NULL, NULL },
	{ "/%25%36%39nternal/x", DENIED, NULL, NULL },
	{ "/internal%2fx", DENIED, NULL, NULL },
	{ "/internal%252fx", DENIED, NULL, NULL },
	{ "/s%65cret", DENIED, NULL, NULL },
	{ "/%69nternalx", 1, NULL, NULL },
	{ "/x%20y", 1, NULL, NULL },
	{ "/x/%69nternal", 1, NULL, NULL },
	{ "/x%2finternal", 1, NULL, NULL },
	{ "/100%25", 1, NULL, NULL },
	/* what cannot be judged */
	{ "/%zz", BAD, NULL, NULL },
	{ "/internal%", BAD, NULL, NULL },
	{ "/%u0069nternal/x", BAD, NULL, NULL },
	{ "/x%00", BAD, NULL, NULL },
	{ "/secret%00.html", BAD, NULL, NULL },
	{ "/%c0%af", BAD, NULL, NULL },
	{ "/internal%c0%afx", BAD, NULL, NULL },
	/* slashes */
	{ "//internal/x", DENIED, NULL, NULL },
	{ "/\\internal/x", DENIED, NULL, NULL },
	{ "/internal\\x", DENIED, NULL, NULL },
	{ "/internal%5cx", DENIED, NULL, NULL },
	{ "/files//private/x", DENIED, NULL, NULL },
	{ "//secret", DENIED, NULL, NULL },
	{ "/x//y", 1, NULL, NULL },
	{ "/files//public", 3, NULL, NULL },
	/* dot segments */
	{ "/./internal/x", DENIED, NULL, NULL },
	{ "/x/../internal/x", DENIED, NULL, NULL },
	{ "/x/%2e%2e/internal/x", DENIED, NULL, NULL },
	{ "/x/..%2finternal", DENIED, NULL, NULL },
	{ "/x/..;/internal/x", DENIED, NULL, NULL },
	{ "/x\\..\\internal", DENIED, NULL, NULL },
	{ "/a/b/../../internal/x", DENIED, NULL, NULL },
	{ "/internal/../x", DENIED, NULL, NULL },
	{ "/%69nternal/../x", DENIED, NULL, NULL },
	{ "/files/../internal/x", DENIED, NULL, NULL },
	{ "/internal/public/../x", DENIED, NULL, NULL },
	{ "/internal/public/../../x", DENIED, NULL, NULL },
	{ "/x/../secret", DENIED, NULL, NULL },
	{ "/x/./y", 1, NULL, NULL },
	{ "/x/../y", 1, NULL, NULL },
	{ "/x/%2e%2e/y", BAD, NULL, NULL },
	{ "/x//../y", BAD, NULL, NULL },
	{ "/x/..;/y", BAD, NULL, NULL },
	{ "/x/./../y", BAD, NULL, NULL },
	/* parameters */
	{ "/internal;x/y", DENIED, NULL, NULL },
	{ "/secret;x", DENIED, NULL, NULL },
	{ "/secret;x/y/z", DENIED, NULL, NULL },
	{ "/secret%3bx/y/z", DENIED, NULL, NULL },
	{ "/secret%3fx/y/z", DENIED, NULL, NULL },
	{ "/secret%23x/y/z", DENIED, NULL, NULL },
	{ "/files;a/private;b/x", DENIED, NULL, NULL },
	{ "/x;y/secret", 1, NULL, NULL },
	/* case */
	{ "/INTERNAL/x", DENIED, NULL, NULL },
	{ "/iNternal", DENIED, NULL, NULL },
	{ "/SECRET", DENIED, NULL, NULL },
	{ "/%49NTERNAL/x", DENIED, NULL, NULL },
	{ "/X/Internal", 1, NULL, NULL },
	/* a slash at the end */
	{ "/SECRET/", DENIED, NULL, NULL },
	{ "/s%65cret/", DENIED, NULL, NULL },
	/* routes that match as it is written, and are as long */
	{ "/Secret", 4, NULL, NULL },
	{ "/Internal/x", 5, NULL, NULL },
	{ "/internal/public/x%20y", 2, NULL, NULL },
	{ "/internal/public/X", 2, NULL, NULL },
	{ "/internal/%70ublic/x", DENIED, NULL, NULL },
	{ "/%69nternal/public/x", DENIED, NULL, NULL },
	{ "/files/x%20y", 3, NULL, NULL },
	{ "/files/Private/x", DENIED, NULL, NULL },
	{ "/files/%70rivate/x", DENIED, NULL, NULL },
	/* hosts */
	{ "/admin/x", DENIED, "shop.example", NULL },
	{ "/ADMIN/x", DENIED, "shop.example", NULL },
	{ "/ADMIN/x", 1, "a", NULL },
	{ "/%61dmin", DENIED, "SHOP.example", NULL },
	{ "/admin", DENIED, "shop.example.", NULL },
	{ "/admin", DENIED, "shop.example:80", NULL },
	{ "/%61dmin", DENIED, "shop.example.:80", NULL },
	{ "/admin", BAD, "sho%70.example", NULL },
	{ "/x", BAD, "sho%70.example", NULL },
	{ "/x", 1, "shop.example.", NULL },
	{ "/x", 1, "sh+p.example", NULL },
	{ "/INTERNAL/x", DENIED, "shop.example", NULL },
	{ "/ADMIN/area/x", 2, "a", NULL },
	{ "/ADMIN/area/x", DENIED, "shop.example", NULL },
	{ "/internal/x", 2, "wide.example", NULL },
	{ "/INTERNAL/x", 2, "wide.example", NULL },
	{ "/files/private/%78", 3, "shop.example", NULL },
	{ "/files/%70rivate/x", DENIED, "shop.example", NULL },
	/* the root of a host */
	{ "/x", DENIED, "all.example", NULL },
	{ "/", DENIED, "all.example", NULL },
	{ "/%78", DENIED, "all.example", NULL },
	{ "*", DENIED, "all.example", "OPTIONS" },
	{ "all.example:80", DENIED, "all.example", "CONNECT" },
	{ "http://all.example", DENIED, "all.example", NULL },
	{ "http://all.example?x", DENIED, "all.example", NULL },
	/* absolute form */
	{ "http://a/internal/x", DENIED, NULL, NULL },
	{ "HTTP://A/INTERNAL/x", DENIED, NULL, NULL },
	{ "http://shop.example/admin/x", DENIED, "shop.example", NULL },
	{ "https://shop.example/%61dmin/x", DENIED, "shop.example:443", NULL },
	{ "http://a/x", 1, NULL, NULL },
	/* a query is no path */
	{ "/x?/internal/../%zz", 1, NULL, NULL },
	{ "/x?/../..//%00;", 1, NULL, NULL },
	{ "/INTERNAL?x", DENIED, NULL, NULL },
};

static struct result *ask(struct client *c, const struct guard_row *row)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n",
		 row->method ? row->method : "GET", row->target, row->host ? row->host : "a");
	return client_say(c, text);
}

static void expect_row(struct client *c, struct result *r, int to)
{
	if (to == DENIED)
		client_expect_object(c, r, SLOT_ERRORS + CANNED_403, false, false);
	else if (to == BAD)
		client_expect_object(c, r, SLOT_ERRORS + CANNED_400, true, false);
	else
		expect_out(r, to);
}

static void run_row(const struct guard_row *row)
{
	struct client c;

	client_open(&c, false);
	expect_row(&c, ask(&c, row), row->to);
}

TEST_ROWS(rows, "target", guard_rows)
{
	make_routes();
	run_row(row_);
}

struct count_row {
	const char *name;
	const char *target;
	const char *counts;
};

static const struct count_row count_rows[] = {
	{ "as it is written", "/internal/x", "REQUESTS CANNED" },
	{ "another writing", "/INTERNAL/x", "REQUESTS CANNED DENIED_FORM" },
	{ "cannot be judged", "/x%00", "ERROR_FORM" },
	{ "harmless", "/x%20y", "REQUESTS MISS_DEFAULT LEG_NEW" },
};

TEST_ROWS(counts, "counted", count_rows)
{
	const struct count_row *row = row_;
	const struct guard_row as = { row->target, 1, NULL, NULL };
	struct client c;

	make_routes();
	client_open(&c, true);
	expect_counts(ask(&c, &as), row->counts);
}

TEST(off, "without a denial in force, every target goes on as it is")
{
	static const struct guard_row targets[] = {
		{ "/INTERNAL/x", 1, NULL, NULL },    { "/%zz", 1, NULL, NULL },
		{ "/x/%2e%2e/y", 1, NULL, NULL },    { "/x%00", 1, NULL, NULL },
		{ "/x", 1, "sho%70.example", NULL },
	};
	size_t i;

	make_routes();
	set_denials(false);
	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		run_row(&targets[i]);
}

/* Denials with conditions, shorter ones behind them. */
TEST(conditions, "denials by source and method")
{
	static const struct guard_row v4[] = {
		{ "/D/e/x", 1, NULL, "GET" },
		{ "/D/e/x", DENIED, NULL, "POST" },
		{ "/D/x", DENIED, NULL, "POST" },
		{ "/D/x", 1, NULL, "GET" },
	};
	struct client c;
	size_t i;

	room_rule(1, "fd80::", 16, 0, 2, denial(5));
	room_rule(2, "::", 0, RULE_POST, 0, denial(3));
	room_prefix(ROOM_ANY | SCOPE_DENY, "/d/e/", room_to_rules(1));
	room_prefix(ROOM_ANY | SCOPE_DENY, "/d/", room_to_rules(2));
	set_denials(true);
	for (i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
		run_row(&v4[i]);
	client_open(&c, true);
	expect_row(&c, ask(&c, &v4[0]), DENIED);
	room_prefix(ROOM_ANY, "/D/", pool(POOL_3, 3)); /* as long as the second one */
	client_open(&c, false);
	expect_out(ask(&c, &v4[1]), 3);
	client_open(&c, true);
	expect_row(&c, ask(&c, &v4[1]), DENIED);
}

/* Far behind in the header block, where nothing else is. */
TEST(far_host, "a Host field behind 8 KB of others")
{
	static char text[16000];
	struct client c;
	struct result *r;
	size_t n, cut = 1400, i;

	make_routes();
	n = sprintf(text, "GET /admin/x HTTP/1.1\r\nX: ");
	memset(text + n, 'x', 9000);
	n += 9000;
	n += sprintf(text + n, "\r\nHost: shop.example\r\n\r\n");
	client_open(&c, false);
	for (i = 0; i + cut < n; i += cut)
		client_expect_ack(&c, client_send(&c, TCP_PSH | TCP_ACK, text + i, cut));
	r = client_send(&c, TCP_PSH | TCP_ACK, text + i, n - i);
	expect_row(&c, r, DENIED);
}

TEST(far_path, "a path behind 8 KB of authority")
{
	static char text[16384];
	struct client c;
	size_t n, cut = 1400, i;

	make_routes();
	n = sprintf(text, "GET http://");
	memset(text + n, 'x', 8300);
	n += 8300;
	n += sprintf(text + n, ":80/internal/x HTTP/1.0\r\n\r\n");
	client_open(&c, false);
	for (i = 0; i + cut < n; i += cut)
		client_expect_ack(&c, client_send(&c, TCP_PSH | TCP_ACK, text + i, cut));
	client_expect_object(&c, client_send(&c, TCP_PSH | TCP_ACK, text + i, n - i),
			     SLOT_ERRORS + CANNED_403, true, false);
}
