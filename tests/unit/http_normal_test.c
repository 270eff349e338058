// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a path may stand for: the normal form and the stops on the way to it. Then paths made at
 * random in many writings of one form, and which plain paths are in normal form already.
 */
#include <ctype.h>

#include "http_rows.h"

#include "http_normal.h"

#define BUF_BYTES (HTTP_NORMAL_BYTES + 2048)

static struct http_normal normal;

/* "END /path; CUT /path;" ... of a target. */
static void read_stops(const char *target, char *out, size_t size)
{
	static const char *const names[] = { "MORE", "END", "CUT", "UP", "BAD" };
	static char text[BUF_BYTES * 4];
	int step = HTTP_NORMAL_MORE;
	size_t used = 0;

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
	http_native_put(&scratch, text, strlen(text), 'x');
	if (http_request_run(&scratch) != HTTP_COMPLETE)
		fail_msg("%s is refused by the parser", target);
	memset(normal.buf, '.', sizeof(normal.buf));
	http_normal_begin(&normal, &scratch.req);
	*out = '\0';
	while (step != HTTP_NORMAL_END && step != HTTP_NORMAL_BAD) {
		step = http_normal_next(&scratch, &normal);
		used += (size_t)snprintf(out + used, size - used, "%s%s %.*s;", used ? " " : "",
					 names[step],
					 step == HTTP_NORMAL_BAD ? 0 :
					 normal.seen		 ? (int)normal.seen :
								   1,
					 (char *)normal.buf);
	}
}

struct row {
	const char *target;
	const char *stops;
	bool is_odd;
};

static const struct row rows[] = {
	{ "/", "END /;", false },
	{ "/a", "END /a;", false },
	{ "/a/", "END /a;", false },
	{ "/a/b?c/../d", "END /a/b;", false },
	{ "/AZaz/@Z[`", "END /azaz/@z[`;", false },
	/* escapes, once and again */
	{ "/%61", "END /a;", true },
	{ "/%4a%4B%6c%6D", "END /jklm;", true },
	{ "/%2561", "END /a;", true },
	{ "/%252561%25252562", "END /ab;", true },
	{ "/%2%35%36%31", "BAD ;", true },
	{ "/%25%36%31", "END /a;", true },
	{ "/%%36%31", "BAD ;", false },
	{ "/%25%32%35%36%31", "END /a;", true },
	{ "/a%25", "END /a%;", true },
	{ "/a%25zz%256", "END /a%zz%6;", true },
	{ "/%253", "END /%3;", true },
	{ "/%25/61", "END /%/61;", true },
	{ "/%25;61", "CUT /%; END /%;", true },
	{ "/a%20b%c3%a9", "END /a b\303\251;", true },
	/* escapes that are none */
	{ "/%", "BAD ;", false },
	{ "/%6", "BAD ;", false },
	{ "/%6?1", "BAD ;", false },
	{ "/%zz", "BAD ;", false },
	{ "/%6g", "BAD ;", false },
	{ "/%u0061", "BAD ;", false },
	/* control bytes */
	{ "/a%00", "BAD ;", true },
	{ "/a%2500", "BAD ;", true },
	{ "/a%0ab", "BAD ;", true },
	{ "/a%1f", "BAD ;", true },
	{ "/a%7f", "BAD ;", true },
	{ "/a%80", "END /a\200;", true },
	/* overlong UTF-8 */
	{ "/%c0%af", "BAD ;", true },
	{ "/%c1%9c", "BAD ;", true },
	{ "/%e0%80%af", "BAD ;", true },
	{ "/%f0%80%80%af", "BAD ;", true },
	{ "/%f8%80%80%80%af", "BAD ;", true },
	{ "/%fc%80%80%80%80%af", "BAD ;", true },
	{ "/%25c0%25af", "BAD ;", true },
	{ "/%c0a", "END /\300a;", true },
	{ "/%c2%a0", "END /\302\240;", true },
	{ "/%e0%a0%80", "END /\340\240\200;", true },
	{ "/%f0%90%80%80", "END /\360\220\200\200;", true },
	{ "/%c0/%af", "END /\300/\257;", true },
	/* slashes */
	{ "//", "END /;", true },
	{ "//a///b//", "END /a/b;", true },
	{ "/a\\b\\", "END /a/b;", true },
	{ "/a%2fb%5Cc", "END /a/b/c;", true },
	{ "/a%252fb", "END /a/b;", true },
	{ "/%2f%5c\\", "END /;", true },
	/* dot segments */
	{ "/.", "END /;", true },
	{ "/./a/././b/.", "END /a/b;", true },
	{ "/a/..", "UP /a; END /;", false },
	{ "/a/../b", "UP /a; END /b;", false },
	{ "/abc/de/../f", "UP /abc/de; END /abc/f;", false },
	{ "/a/b/../../c/", "UP /a/b; UP /a; END /c;", false },
	{ "/..", "UP /; END /;", false },
	{ "/../../a", "UP /; UP /; END /a;", false },
	{ "/A/../b", "UP /a; END /b;", false },
	{ "/a/./../b", "UP /a; END /b;", true },
	{ "/a//../b", "UP /a; END /b;", true },
	{ "/a/%2e%2E/b", "UP /a; END /b;", true },
	{ "/a/.%2e/b", "UP /a; END /b;", true },
	{ "/a/%252e./b", "UP /a; END /b;", true },
	{ "/a%2f../b", "UP /a; END /b;", true },
	{ "/a\\..\\b", "UP /a; END /b;", true },
	{ "/a/..;x/b", "CUT /a/..; UP /a; END /b;", true },
	{ "/a/.;x/b", "CUT /a/.; END /a/b;", true },
	{ "/.../..a/a../.a", "END /.../..a/a../.a;", false },
	/* parameters, and what may end a path */
	{ "/a;b", "CUT /a; END /a;", true },
	{ "/a;b;c/d;/e", "CUT /a; CUT /a/d; END /a/d/e;", true },
	{ "/a;b%2fc", "CUT /a; END /a/c;", true },
	{ "/a%3bb/c", "CUT /a; END /a/c;", true },
	{ "/a/;b/c", "CUT /a; END /a/c;", true },
	{ "/;/a", "CUT /; END /a;", true },
	{ "/a%3fb/c", "CUT /a; END /a?b/c;", true },
	{ "/a%23b", "CUT /a; END /a#b;", true },
	{ "/a/%253f", "CUT /a; END /a/?;", true },
	{ "/a;b%3fc/d", "CUT /a; CUT /a; END /a/d;", true },
	/* as many stops as are judged, and one more */
	{ "/a/../../../../../../../..", "UP /a; UP /; UP /; UP /; UP /; UP /; UP /; UP /; END /;",
	  false },
	{ "/a/../../../../../../../../..", "UP /a; UP /; UP /; UP /; UP /; UP /; UP /; UP /; BAD ;",
	  false },
	{ "/a;/b;/c;/d;/e;/f;/g;/h;/i;",
	  "CUT /a; CUT /a/b; CUT /a/b/c; CUT /a/b/c/d; CUT /a/b/c/d/e; CUT /a/b/c/d/e/f; "
	  "CUT /a/b/c/d/e/f/g; CUT /a/b/c/d/e/f/g/h; BAD ;",
	  true },
	/* other forms of targets */
	{ "http://a/B/", "END /b;", false },
	{ "http://a", "END /;", false },
	{ "http://a?b", "END /;", false },
};

static void test_rows(void **state)
{
	char stops[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		read_stops(rows[i].target, stops, sizeof(stops));
		if (strcmp(stops, rows[i].stops))
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].target, stops, rows[i].stops);
		if (!strstr(stops, "BAD") && normal.is_odd != rows[i].is_odd)
			fail_msg("%s: %sodd", rows[i].target, rows[i].is_odd ? "not " : "");
	}
}

static void test_length(void **state)
{
	static char target[BUF_BYTES], stops[BUF_BYTES + 64];
	size_t n = HTTP_NORMAL_BYTES - 1; /* the '/' behind the last segment is one byte of it */

	(void)state;
	memset(target, 'x', sizeof(target));
	target[0] = '/';
	target[n] = '\0';
	read_stops(target, stops, sizeof(stops));
	assert_memory_equal(stops, "END /", 5);
	assert_int_equal(strlen(stops), n + 5);
	target[n] = 'x';
	target[n + 1] = '\0';
	read_stops(target, stops, sizeof(stops));
	assert_string_equal(stops, "BAD ;");
	memcpy(target + n - 5, "/../y", 6);
	read_stops(target, stops, sizeof(stops));
	assert_non_null(strstr(stops, " END /y;"));
}

/* --- random writings -------------------------------------------------------------------------- */

static unsigned int random_state = 1;

static unsigned int random_below(unsigned int n)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 16) % n;
}

static void put(char **at, const char *text)
{
	*at = stpcpy(*at, text);
}

/* A byte as it is, in capitals, or as an escape whose bytes are written in the same ways. */
static void put_byte(char **at, unsigned char byte, int depth)
{
	char hex[3];
	int i;

	if (depth && !random_below(3)) {
		put_byte(at, '%', 0);
		snprintf(hex, sizeof(hex), random_below(2) ? "%02x" : "%02X", byte);
		/* of a '%' that is itself escaped, so that each pass over the path finds escapes */
		if (depth > 1 && !random_below(3))
			put(at, "25");
		for (i = 0; i < 2; i++)
			*(*at)++ = hex[i];
		return;
	}
	*(*at)++ = (char)(random_below(2) ? toupper(byte) : byte);
}

static void put_slash(char **at)
{
	do {
		if (!random_below(6))
			put(at, random_below(2) ? "/." : "/%2E");
		put(at, random_below(5) ? "/" :
			random_below(2) ? "\\" :
			random_below(2) ? "%2f" :
					  "%255C");
	} while (!random_below(5));
}

static void test_random(void **state)
{
	char plain[256], target[4096], stops[4096], want[300], *p, *t;
	int round, segments, params, i, len;

	(void)state;
	for (round = 0; round < 200000; round++) {
		p = plain;
		t = target;
		params = 0;
		segments = 1 + (int)random_below(4);
		for (i = 0; i < segments; i++) {
			*p++ = '/';
			if (i)
				put_slash(&t);
			else
				*t++ = '/';
			for (len = 1 + (int)random_below(5); len; len--) {
				*p = "abcxyz019-_~"[random_below(12)];
				put_byte(&t, (unsigned char)*p++, 2);
			}
			if (!random_below(6) && params++ < 6)
				put(&t, random_below(2) ? ";p=%41" : "%3B");
		}
		if (!random_below(4))
			*t++ = '/';
		*p = '\0';
		*t = '\0';
		read_stops(target, stops, sizeof(stops));
		snprintf(want, sizeof(want), "END %s;", plain);
		p = strstr(stops, "END ");
		if (!p || strcmp(p, want))
			fail_msg("round %d: %s: \"%s\", not \"%s\"", round, target, stops, want);
	}
}

/* --- plain paths ------------------------------------------------------------------------------ */

static void test_is_normal(void **state)
{
	static const struct {
		const char *target;
		bool is_normal;
	} targets[] = {
		{ "/", true },
		{ "/a", true },
		{ "/a/", true },
		{ "/abc/def-ghi_jkl.mno/012", true },
		{ "/_next/static/x.js", true },
		{ "/a?B", true },
		{ "/A", false },
		{ "/aaaaaaaaZ", false },
		{ "/aaaaaaa/bbbbbbbbbbb/ccZcc", false },
		{ "/a@b", false },
		{ "/a%20b", false },
		{ "/a//b", false },
		{ "/.a", false },
		{ "/a;b", false },
		{ "http://a/b", false },
		{ "http://a", false },
	};
	char text[128], path[40];
	size_t i, n;
	int byte;

	(void)state;
	for (i = 0; i < ROWS(targets); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
			 targets[i].target);
		http_native_put(&scratch, text, strlen(text), 'Z');
		assert_int_equal(http_request_run(&scratch), HTTP_COMPLETE);
		if (scratch.req.is_normal != targets[i].is_normal)
			fail_msg("%s: is_normal %d", targets[i].target, scratch.req.is_normal);
	}
	/* every byte at every place of a word */
	for (n = 1; n < 20; n++) {
		for (byte = 0x21; byte < 0x7f; byte++) {
			if (strchr("?#%", byte))
				continue;
			memset(path, 'b', sizeof(path));
			path[0] = '/';
			path[n] = (char)byte;
			path[20] = '\0';
			snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
			http_native_put(&scratch, text, strlen(text), 'Z');
			assert_int_equal(http_request_run(&scratch), HTTP_COMPLETE);
			if (scratch.req.is_normal &&
			    !strchr("abcdefghijklmnopqrstuvwxyz0123456789-._/", byte))
				fail_msg("%s: normal", path);
			if (!scratch.req.is_normal && strchr("abcxyz019-_", byte))
				fail_msg("%s: not normal", path);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_is_normal),
	};

	return cmocka_run_group_tests_name("http_normal", tests, NULL, NULL);
}
