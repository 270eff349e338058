// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that must be refused, with the rule that refuses them: at least one row a rule, each fed
 * whole and cut at every byte. Sources: RFC 9112 and RFC 9110 as named, and what llhttp does.
 */
#include "http_rows.h"

#define HOST "Host: gw.test\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define END "\r\n"

struct row {
	__u8 reason;
	const char *text;
	__u16 len; /* 0: up to the first NUL */
};

#define BAD(reason, text) { HTTP_REJECT_##reason, text, 0 }
#define BAD_NUL(reason, text) { HTTP_REJECT_##reason, text, sizeof(text) - 1 }

static const struct row rows[] = {
	/* RFC 9112, 2.2: at least one empty line should be ignored; more are no accident */
	BAD(EMPTY_LINES, "\r\n\r\n\r\n" GET HOST END),
	BAD(BARE_LF, "\n" GET HOST END),
	BAD(BARE_CR, "\r" GET HOST END),
	BAD(BARE_LF, "\r\n\n" GET HOST END),
	/* RFC 9112, 3.1 */
	BAD(METHOD, " " GET HOST END),
	BAD(METHOD, "G(T / HTTP/1.1\r\n" HOST END),
	BAD(METHOD, "GET\t/ HTTP/1.1\r\n" HOST END),
	BAD(METHOD, "GET\r\n" HOST END),
	BAD(METHOD, "ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1\r\n" HOST END),
	BAD(METHOD, "\x16\x03\x01\x02"),
	BAD(METHOD, "\x80\x80"),
	BAD_NUL(METHOD, "\0GET / HTTP/1.1\r\n" HOST END),
	BAD(PREFACE, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	BAD(PREFACE, "PRI / HTTP/1.1\r\n" HOST END),
	BAD(REQUEST_LINE, "GET  / HTTP/1.1\r\n" HOST END),
	BAD(REQUEST_LINE, "GET /  HTTP/1.1\r\n" HOST END),
	BAD(REQUEST_LINE, "GET /\r\n" HOST END),
	BAD(REQUEST_LINE, "GET /a?b\n" HOST END),
	/* RFC 9112, 3.2; RFC 3986 */
	BAD(TARGET_BYTE, "GET /a\tb HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "GET /\x02 HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "GET /a\x7f HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "GET /a?b\x7f HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "GET /?q=\xc3\xa9 HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "GET http://gw.test/\x01 HTTP/1.1\r\n" HOST END),
	BAD_NUL(TARGET_BYTE, "GET /a\0b HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FRAGMENT, "GET /a#b HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FRAGMENT, "GET /a?b#c HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FRAGMENT, "GET http://gw.test/#c HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET gw.test HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET * HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET ?a HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET \\a HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET host:80 HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET ftp://gw.test/ HTTP/1.1\r\n" HOST END),
	BAD(TARGET_FORM, "GET http:/gw.test/ HTTP/1.1\r\n" HOST END),
	BAD(REQUEST_LINE, "OPTIONS *\r\n" HOST END),
	BAD(TARGET_BYTE, "OPTIONS ** HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http:///a HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http://u@gw.test/ HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http://u:p@gw.test/ HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http://gw.test:x/ HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http://gw.test:65536/ HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http://:80/ HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "GET http://[::1/ HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "CONNECT / HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "CONNECT gw.test HTTP/1.1\r\n" HOST END),
	BAD(AUTHORITY, "CONNECT gw.test: HTTP/1.1\r\n" HOST END),
	BAD(TARGET_BYTE, "CONNECT gw.test:80/ HTTP/1.1\r\n" HOST END),
	BAD(HOST_DIFFERS, "GET http://other/ HTTP/1.1\r\n" HOST END),
	BAD(HOST_DIFFERS, "GET http://gw.tess/ HTTP/1.1\r\n" HOST END),
	BAD(HOST_DIFFERS, "GET http://gw.test:81/ HTTP/1.1\r\n" HOST END),
	BAD(HOST_DIFFERS, "GET https://gw.test:80/ HTTP/1.1\r\n" HOST END),
	BAD(HOST_DIFFERS, "GET http://bar/ HTTP/1.0\r\nHost: foo\r\n" END),
	BAD(HOST_DIFFERS, "CONNECT other:80 HTTP/1.1\r\n" HOST END),
	/* RFC 9112, 2.3 */
	BAD(VERSION, "GET / HTTP/1.2\r\n" HOST END),
	BAD(VERSION, "GET / HTTP/2.0\r\n" HOST END),
	BAD(VERSION, "GET / HTTP/0.9\r\n" HOST END),
	BAD(VERSION, "GET / HTTP/9.9\r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / http/1.1\r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / HTTP/1.11\r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / HTTP/1.1 \r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / HTTP/11\r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / x HTTP/1.1\r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / RTSP/1.0\r\n" HOST END),
	BAD(VERSION_SYNTAX, "GET / \r\n" HOST END),
	/* RFC 9112, 2.2: line ends */
	BAD(BARE_LF, "GET / HTTP/1.1\n" HOST END),
	BAD(BARE_CR, "GET / HTTP/1.1\r" HOST END),
	BAD(BARE_LF, GET "Host: gw.test\n" END),
	BAD(BARE_CR, GET "Host: gw.test\rX: y\r\n" END),
	BAD(BARE_LF, GET HOST "X: a\tb\n" END),
	BAD(BARE_CR, GET HOST "X: \xc3\xa9\rz\r\n" END),
	BAD(BARE_LF, GET HOST "\n"),
	BAD(BARE_CR, GET HOST "\r\r\n"),
	BAD(BARE_LF, GET "X\n" HOST END),
	BAD(BARE_CR, GET "X\rY: z\r\n" HOST END),
	/* RFC 9112, 5.2 */
	BAD(FOLD, GET HOST "X: a\r\n b\r\n" END),
	BAD(FOLD, GET HOST "X: a\r\n\tb\r\n" END),
	BAD(FOLD, GET " X: a\r\n" HOST END),
	BAD(FOLD, GET HOST " \r\n" END),
	/* RFC 9112, 5.1; RFC 9110, 5.1 and 5.6.2 */
	BAD(NAME_EMPTY, GET HOST ": x\r\n" END),
	BAD(NAME_BYTE, GET HOST "X(y: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "X@y: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "[x]: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "Abcdefgh/y: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "Abcdefghijklmnopq;y: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "Na\x01me: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "Na\xc3\xa9: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "N\x7f: z\r\n" END),
	BAD(NAME_BYTE, GET HOST "User-Ageot\x1a x\r\n" END),
	BAD_NUL(NAME_BYTE, GET HOST "N\0: z\r\n" END),
	BAD(NAME_SPACE, GET HOST "X : z\r\n" END),
	BAD(NAME_SPACE, GET HOST "X\t: z\r\n" END),
	BAD(NAME_SPACE, GET HOST "X y: z\r\n" END),
	BAD(NAME_SPACE, GET "Host : gw.test\r\n" END),
	BAD(NAME_SPACE, POST "Transfer-Encoding : chunked\r\n" END),
	BAD(NAME_SPACE, POST "Content-Length : 5\r\n" END),
	BAD(NAME_SPACE, POST "Transfer Encoding: chunked\r\n" END),
	BAD(NO_COLON, GET HOST "X\r\n" END),
	BAD(NO_COLON, GET HOST "Accept-Language\r\n" END),
	BAD(NO_COLON, GET HOST "X1\r\n" END),
	/* RFC 9110, 5.5 */
	BAD(VALUE_BYTE, GET HOST "X: a\x01\r\n" END),
	BAD(VALUE_BYTE, GET HOST "X: a\x1f\r\n" END),
	BAD(VALUE_BYTE, GET HOST "X: a\x7f\r\n" END),
	BAD(VALUE_BYTE, GET HOST "X: a\tb\x0b\r\n" END),
	BAD(VALUE_BYTE, GET HOST "X: a\tb\x7f\r\n" END),
	BAD(VALUE_BYTE, GET HOST "Accept-Language: \x08\r\n" END),
	BAD_NUL(VALUE_BYTE, GET HOST "X: a\0b\r\n" END),
	BAD_NUL(VALUE_BYTE, GET "Host: gw.test\0\r\n" END),
	/* names that a CGI gateway takes for framing fields */
	BAD(LOOKALIKE, POST "Content_Length: 5\r\n" END),
	BAD(LOOKALIKE, POST "Transfer_Encoding: chunked\r\n" END),
	BAD(LOOKALIKE, POST "TRANSFER_ENCODING: x\r\n" END),
	/* RFC 9112, 3.2; RFC 9110, 7.2 */
	BAD(HOST_MISSING, GET END),
	BAD(HOST_MISSING, GET "X-Host: gw.test\r\nHos: a\r\nHosts: b\r\n" END),
	BAD(HOST_TWICE, GET HOST HOST END),
	BAD(HOST_TWICE, GET HOST "X: y\r\nhOST: gw.test\r\n" END),
	BAD(HOST_TWICE, "GET / HTTP/1.0\r\n" HOST HOST END),
	/* RFC 9112, 6.2; RFC 9110, 8.6 */
	BAD(LENGTH_INVALID, POST "Content-Length:\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: \r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: +5\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: -5\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 5 5\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 5, 5\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 0x5\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 05\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 00\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 5a\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 1234567:9\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 12345678/9\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 5\t\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 10000000000000000\r\n" END),
	BAD(LENGTH_INVALID, POST "Content-Length: 18446744073709551617\r\n" END),
	BAD(LENGTH_TWICE, POST "Content-Length: 5\r\nContent-Length: 5\r\n" END),
	BAD(LENGTH_TWICE, POST "Content-Length: 0\r\nCONTENT-LENGTH: 6\r\n" END),
	/* RFC 9112, 6.1 and 6.3 */
	BAD(LENGTH_AND_CODING, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
	BAD(LENGTH_AND_CODING, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: gzip, chunked\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: chunked, gzip\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: identity\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: xchunked\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: chunke\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: chunked,\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: \"chunked\"\r\n" END),
	BAD(CODING, POST "Transfer-Encoding:\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: chunked\t\r\n" END),
	BAD(CODING, POST "Transfer-Encoding: chunked \t \r\n" END),
	BAD(CODING_TWICE, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
	BAD(CODING_VERSION, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END),
};

/* Values that are no host and port; each in Host and, where it can be, in a target. */
static const char *const bad_hosts[] = {
	"",
	" ",
	"a b",
	"a,b",
	"a, b",
	"a/b",
	"a\\b",
	"u@a",
	"a?b",
	"a#b",
	"<a>",
	"a\"",
	"{a}",
	"a|b",
	"a^",
	"`",
	"\xc3\xa9",
	".",
	".a",
	"a..b",
	"a..",
	":",
	":80",
	"a:b",
	"a:80:80",
	"a:-1",
	"a:65536",
	"a:000080",
	"a:8 0",
	"[]",
	"[:]",
	"[::1",
	"[::1]x",
	"[::1]:x",
	"[::1].",
	"x[::1]",
	"[:::]",
	"[1::2::3]",
	"[1:2:3]",
	"[12345::]",
	"[::g]",
	"[1:2:3:4:5:6:7:8:9]",
	"[:1::2]",
	"[1::2:]",
	"[1.2.3.4]",
	"[::1.2.3]",
	"[::1.2.3.4.5]",
	"[::1.2.3.256]",
	"[::a.2.3.4]",
	"[::1.2.3.4:1]",
	"[::1.2..4]",
	"[::1%eth0]",
	"[v1.a]",
	"[1:2:3:4:5:6:7:1.2.3.4]",
	"[::.1.2.3]",
	"[::1.2.3.]",
};

static bool seen[HTTP_REJECT_COUNT];

static void feed(const char *text, size_t len, __u8 reason)
{
	rows_feed(http_request_run, text, len, HTTP_BAD, 0, &scratch.req.reason);
	if (scratch.req.reason != reason)
		fail_msg("%s, not %s: \"%s\"", http_reject_text(scratch.req.reason),
			 http_reject_text(reason), text);
	assert_int_equal(scratch.req.status, http_reject_status(reason));
	seen[reason] = true;
}

static void test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		feed(rows[i].text, rows[i].len ? rows[i].len : strlen(rows[i].text),
		     rows[i].reason);
}

static void test_hosts(void **state)
{
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(bad_hosts); i++) {
		snprintf(text, sizeof(text), GET "Host: %s\r\n" END, bad_hosts[i]);
		feed(text, strlen(text), HTTP_REJECT_HOST_INVALID);
		snprintf(text, sizeof(text), "GET / HTTP/1.0\r\nhost:%s \r\n" END, bad_hosts[i]);
		feed(text, strlen(text), HTTP_REJECT_HOST_INVALID);
	}
}

/* Heads that do not fit into the buffer: one byte less is incomplete. */
static void test_too_long(void **state)
{
	static char text[HTTP_BUF_BYTES + 64];
	static const struct {
		const char *begin;
		char fill;
		__u8 reason;
	} longs[] = {
		{ "GET /", 'a', HTTP_REJECT_TARGET_LONG },
		{ "GET /?", 'a', HTTP_REJECT_TARGET_LONG },
		{ "GET /%", 'a', HTTP_REJECT_TARGET_LONG },
		{ "GET http://", 'a', HTTP_REJECT_TARGET_LONG },
		{ GET HOST "X: ", 'a', HTTP_REJECT_HEAD_LONG },
		{ GET HOST "X: ", '\t', HTTP_REJECT_HEAD_LONG },
		{ GET HOST, 'a', HTTP_REJECT_HEAD_LONG },
		{ GET HOST "X", '_', HTTP_REJECT_HEAD_LONG },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(longs); i++) {
		memset(text, longs[i].fill, sizeof(text));
		memcpy(text, longs[i].begin, strlen(longs[i].begin));
		assert_int_equal(rows_parse(http_request_run, text, HTTP_BUF_BYTES - 1,
					    HTTP_BUF_BYTES),
				 HTTP_INCOMPLETE);
		assert_int_equal(rows_parse(http_request_run, text, HTTP_BUF_BYTES, HTTP_BUF_BYTES),
				 HTTP_BAD);
		assert_int_equal(scratch.req.reason, longs[i].reason);
		assert_int_equal(scratch.req.status, http_reject_status(longs[i].reason));
		seen[longs[i].reason] = true;
	}
	http_native_put(&scratch, GET, strlen(GET), 0);
	scratch.len = HTTP_BUF_BYTES + 1;
	assert_int_equal(http_request_run(&scratch), HTTP_BAD);
}

static void test_every_rule_has_a_row(void **state)
{
	int i;

	(void)state;
	for (i = 1; i < HTTP_REJECT_COUNT; i++)
		if (!seen[i] && i != HTTP_REJECT_STATUS_LINE)
			fail_msg("no row for: %s", http_reject_text(i));
	assert_string_equal(http_reject_text(HTTP_REJECT_COUNT), "unknown");
	assert_int_equal(http_reject_status(HTTP_REJECT_TARGET_LONG), 414);
	assert_int_equal(http_reject_status(HTTP_REJECT_HEAD_LONG), 431);
	assert_int_equal(http_reject_status(HTTP_REJECT_VERSION), 505);
	assert_int_equal(http_reject_status(HTTP_REJECT_FOLD), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_every_rule_has_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
