// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Field names: the tables of http_name_table.h hold what http_name_table.py wrote, and nothing but
 * the exact names is found; lines of every length are cut where they end.
 */
#include <ctype.h>
#include <strings.h>

#include "http_rows.h"

static const char *const commons[] = {
	"accept-language",
	"accept-ranges",
	"access-control-allow-origin",
	"cache-control",
	"cf-connecting-ip",
	"content-encoding",
	"content-type",
	"if-none-match",
	"if-modified-since",
	"keep-alive",
	"last-modified",
	"referrer-policy",
	"save-data",
	"sec-ch-ua",
	"sec-ch-ua-mobile",
	"sec-ch-ua-platform",
	"sec-fetch-dest",
	"sec-fetch-mode",
	"sec-fetch-site",
	"sec-fetch-user",
	"sec-purpose",
	"set-cookie",
	"strict-transport-security",
	"traceparent",
	"true-client-ip",
	"upgrade-insecure-requests",
	"user-agent",
	"x-amzn-trace-id",
	"x-frame-options",
	"x-powered-by",
	"x-request-id",
	"x-requested-with",
	"connection",
	"accept-encoding",
	"content-length",
	"transfer-encoding",
	"authorization",
	"forwarded",
	"x-real-ip",
};

static const struct {
	const char *name;
	__u32 id;
} names[] = {
	{ "host", HTTP_FIELD_HOST },
	{ "connection", HTTP_FIELD_CONNECTION },
	{ "proxy-connection", HTTP_FIELD_PROXY_CONNECTION },
	{ "cookie", HTTP_FIELD_COOKIE },
	{ "accept-encoding", HTTP_FIELD_ACCEPT_ENCODING },
	{ "content-length", HTTP_FIELD_CONTENT_LENGTH },
	{ "content_length", HTTP_FIELD_LOOKALIKE },
	{ "transfer-encoding", HTTP_FIELD_TRANSFER_ENCODING },
	{ "transfer_encoding", HTTP_FIELD_LOOKALIKE },
	{ "upgrade", HTTP_FIELD_UPGRADE },
	{ "expect", HTTP_FIELD_EXPECT },
	{ "authorization", HTTP_FIELD_AUTHORIZATION },
	{ "range", HTTP_FIELD_RANGE },
	{ "if-none-match", HTTP_FIELD_CONDITION },
	{ "if-modified-since", HTTP_FIELD_CONDITION },
	{ "if-match", HTTP_FIELD_PRECONDITION },
	{ "if-unmodified-since", HTTP_FIELD_PRECONDITION },
	{ "if-range", HTTP_FIELD_PRECONDITION },
	{ "forwarded", HTTP_FIELD_FORWARDED },
	{ "x-forwarded-for", HTTP_FIELD_FORWARDED },
	{ "x-forwarded-proto", HTTP_FIELD_FORWARDED },
	{ "x-forwarded-x", HTTP_FIELD_FORWARDED },
	{ "x-real-ip", HTTP_FIELD_FORWARDED },
	{ "rsc", HTTP_FIELD_RSC },
	{ "next-router-state-tree", HTTP_FIELD_RSC },
	{ "next-router-prefetch", HTTP_FIELD_RSC },
};

/* Puts a line into the scratch, at a place that is not aligned, and cuts it. */
static int cut(const char *line, struct http_field *f)
{
	http_native_put(&scratch, "#######", 7, '\r');
	memcpy(scratch.buf + 7, line, strlen(line));
	scratch.len = 7 + strlen(line);
	memset(f, 0xff, sizeof(*f));
	return http_field_next(&scratch, 7, scratch.len, f);
}

/* Is `name` one of the list, in any case? Prefixes are those of names[]. */
static __u32 listed_id(const char *name)
{
	size_t i;

	for (i = 0; i < ROWS(names); i++)
		if (!strcasecmp(name, names[i].name))
			return names[i].id;
	if (!strncasecmp(name, "x-forwarded-", 12) || !strncasecmp(name, "next-router-", 12))
		return name[0] == 'x' || name[0] == 'X' ? HTTP_FIELD_FORWARDED : HTTP_FIELD_RSC;
	return HTTP_FIELD_OTHER;
}

static void expect_id(const char *name)
{
	struct http_field f;
	char line[96];

	snprintf(line, sizeof(line), "%s: value\r\n", name);
	assert_int_equal(cut(line, &f), 0);
	if (f.id != listed_id(name))
		fail_msg("%s is taken for %u", name, f.id);
	assert_int_equal(f.next, 7 + strlen(line));
	if (f.id && f.id != HTTP_FIELD_FORWARDED && f.id != HTTP_FIELD_RSC)
		assert_int_equal(f.len, strlen(name));
}

/* The name, in capitals, with each byte changed, doubled or left out. */
static void expect_exact(const char *name)
{
	static const char others[] = "aZ-_0m";
	size_t len = strlen(name);
	char other[64];
	size_t i, j;

	expect_id(name);
	for (i = 0; i <= len; i++)
		other[i] = toupper(name[i]);
	expect_id(other);
	for (i = 0; i < len; i++) {
		for (j = 0; j < sizeof(others) - 1; j++) {
			strcpy(other, name);
			other[i] = others[j];
			expect_id(other);
			snprintf(other, sizeof(other), "%.*s%c%s", (int)i, name, others[j],
				 name + i);
			expect_id(other);
		}
		snprintf(other, sizeof(other), "%.*s%s", (int)i, name, name + i + 1);
		if (*other)
			expect_id(other);
	}
	snprintf(other, sizeof(other), "%sx", name);
	expect_id(other);
}

static void test_names(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(names); i++)
		expect_exact(names[i].name);
	for (i = 0; i < ROWS(commons); i++)
		expect_exact(commons[i]);
}

/* Common names are found at a glance, whatever their case. */
static void test_commons(void **state)
{
	const struct http_common *common;
	char line[96];
	size_t i, j, used = 0;

	(void)state;
	for (i = 0; i < ROWS(commons) * 2; i++) {
		snprintf(line, sizeof(line), "%s: value\r\n", commons[i / 2]);
		for (j = 0; i & 1 && line[j] != ':'; j++)
			line[j] = toupper(line[j]);
		http_native_put(&scratch, line, strlen(line), 0);
		common = http_common_find(&scratch, 0, http_load8(scratch.buf, 0) | HTTP_REP(0x20));
		if (!common)
			fail_msg("%s is not found", commons[i / 2]);
		assert_int_equal(common->len, strlen(commons[i / 2]));
	}
	for (i = 0; i < HTTP_COMMON_SLOTS; i++)
		used += http_commons[i].len > 0;
	assert_int_equal(used, ROWS(commons));
}

/* Names and values of every length around the scanners' steps, of each kind of byte. */
static void test_lengths(void **state)
{
	static const char kinds[] = "a0-_";
	size_t name, value, kind, n;
	struct http_field f;
	char line[512];

	(void)state;
	for (name = 1; name <= 40; name++) {
		for (value = 0; value <= 140; value++) {
			for (kind = 0; kind < 4; kind++) {
				n = name;
				memset(line, kinds[kind], n);
				line[n++] = ':';
				memset(line + n, "x \t\xe9"[kind], value);
				n += value;
				strcpy(line + n, "\r\n");
				assert_int_equal(cut(line, &f), 0);
				assert_int_equal(f.id, HTTP_FIELD_OTHER);
				assert_int_equal(f.next, 7 + n + 2);
				line[n + 1] = 0; /* the LF is missing */
				assert_int_equal(cut(line, &f), HTTP_LINE_MORE);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_commons),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
