// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that are valid: what the parser says about each, and whether the kernel may answer it.
 * Each row is fed whole, cut at every byte, and with a pipelined request behind it. What must be
 * refused is in http_reject_test.c.
 */
#include "http_rows.h"

#define HOST "Host: gw.test\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define END "\r\n"
#define K HTTP_KEEP_ALIVE
#define H HTTP_HOST_SEEN
#define O HTTP_ORIGIN_FORM
#define P HTTP_PLAIN_PATH
#define KHOP (K | H | O | P)

struct row {
	const char *text;
	__u32 flags; /* exactly */
	bool answerable;
	__u8 method;
	const char *path; /* NULL: "/" */
	const char *host; /* name; NULL: "gw.test" */
};

static const struct row rows[] = {
	/* methods and targets */
	{ GET HOST END, KHOP, true, HTTP_GET, NULL, NULL },
	{ "HEAD / HTTP/1.1\r\n" HOST END, KHOP, true, HTTP_HEAD, NULL, NULL },
	{ "POST / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_POST, NULL, NULL },
	{ "PUT / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_PUT, NULL, NULL },
	{ "DELETE / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_DELETE, NULL, NULL },
	{ "OPTIONS / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OPTIONS, NULL, NULL },
	{ "PATCH / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_PATCH, NULL, NULL },
	{ "TRACE / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_TRACE, NULL, NULL },
	{ "PROPFIND / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "M-SEARCH / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "get / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "GETS / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "G / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "CONNECTS / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1\r\n" HOST END, KHOP, false, HTTP_OTHER, NULL, NULL },
	{ "CONNECT gw.test:443 HTTP/1.1\r\n" HOST END, K | H | HTTP_AUTHORITY_FORM, false,
	  HTTP_CONNECT, "", NULL },
	{ "CONNECT a:1 HTTP/1.0\r\n" END, HTTP_AUTHORITY_FORM, false, HTTP_CONNECT, "", "a" },
	{ "OPTIONS * HTTP/1.1\r\n" HOST END, K | H | HTTP_ASTERISK_FORM, false, HTTP_OPTIONS, "",
	  NULL },
	{ "GET http://gw.test/a HTTP/1.1\r\n" HOST END, K | H | HTTP_ABSOLUTE_FORM, false, HTTP_GET,
	  "/a", NULL },
	{ "GET HTTP://GW.test HTTP/1.1\r\n" HOST END, K | H | HTTP_ABSOLUTE_FORM, false, HTTP_GET,
	  "", NULL },
	{ "GET http://gw.test?a HTTP/1.1\r\n" HOST END, K | H | HTTP_ABSOLUTE_FORM | HTTP_QUERY,
	  false, HTTP_GET, "", NULL },
	{ "GET http://gw.test:80/ HTTP/1.1\r\n" HOST END, K | H | HTTP_ABSOLUTE_FORM, false,
	  HTTP_GET, NULL, NULL },
	{ "GET http://gw.test:/ HTTP/1.1\r\n" HOST END, K | H | HTTP_ABSOLUTE_FORM, false, HTTP_GET,
	  NULL, NULL },
	{ "GET https://gw.test/ HTTP/1.1\r\nHost: gw.test:443\r\n" END, K | H | HTTP_ABSOLUTE_FORM,
	  false, HTTP_GET, NULL, NULL },
	{ "GET http://[::1]:8080/ HTTP/1.1\r\nHost: [::1]:8080\r\n" END, K | H | HTTP_ABSOLUTE_FORM,
	  false, HTTP_GET, NULL, "[::1]" },
	{ "GET http://other/x HTTP/1.0\r\n" END, HTTP_ABSOLUTE_FORM, false, HTTP_GET, "/x",
	  "other" },
	/* query: the path ends before it, and stays comparable whatever it holds */
	{ "GET /a?b HTTP/1.1\r\n" HOST END, KHOP | HTTP_QUERY, true, HTTP_GET, "/a", NULL },
	{ "GET /? HTTP/1.1\r\n" HOST END, KHOP | HTTP_QUERY, true, HTTP_GET, NULL, NULL },
	{ "GET /a?b=%2F//../;\\?{}|\"<>^` HTTP/1.1\r\n" HOST END, KHOP | HTTP_QUERY, true, HTTP_GET,
	  "/a", NULL },
	{ "GET /~a?b HTTP/1.1\r\n" HOST END, KHOP | HTTP_QUERY, true, HTTP_GET, "/~a", NULL },
	/* empty lines before a request */
	{ "\r\n" GET HOST END, KHOP | HTTP_EMPTY_LINES, true, HTTP_GET, NULL, NULL },
	{ "\r\n\r\n" GET HOST END, KHOP | HTTP_EMPTY_LINES, true, HTTP_GET, NULL, NULL },
	/* persistence (RFC 9112, 9.3) */
	{ GET HOST "Connection: close\r\n" END, H | O | P | HTTP_CONN_CLOSE, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "connection:CLOSE\r\n" END, H | O | P | HTTP_CONN_CLOSE, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "Connection: keep-alive\r\n" END, KHOP | HTTP_CONN_KEEP, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "Connection: x, close\t,y\r\n" END, H | O | P | HTTP_CONN_CLOSE, true, HTTP_GET,
	  NULL, NULL },
	{ GET HOST "Connection: ,, Keep-Alive ,close\r\n" END,
	  H | O | P | HTTP_CONN_CLOSE | HTTP_CONN_KEEP, true, HTTP_GET, NULL, NULL },
	{ GET HOST "Connection: closed, xclose, clos, keep-alivex\r\n" END, KHOP, true, HTTP_GET,
	  NULL, NULL },
	{ GET HOST "Connection: close x, keep -alive\r\n" END, KHOP, true, HTTP_GET, NULL, NULL },
	{ GET HOST "Connection: x\r\nConnection: close\r\n" END, H | O | P | HTTP_CONN_CLOSE, true,
	  HTTP_GET, NULL, NULL },
	{ GET HOST "Proxy-Connection: close\r\n" END, H | O | P | HTTP_CONN_CLOSE, true, HTTP_GET,
	  NULL, NULL },
	{ "GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n" HOST END, H | O | P, true, HTTP_GET,
	  NULL, NULL },
	{ GET HOST "Proxy-Connection: upgrade\r\n" END, KHOP | HTTP_CONN_UPGRADE, false, HTTP_GET,
	  NULL, NULL },
	{ "GET / HTTP/1.0\r\n" HOST END, H | O | P, true, HTTP_GET, NULL, NULL },
	{ "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n" END, KHOP | HTTP_CONN_KEEP, true,
	  HTTP_GET, NULL, NULL },
	{ "GET / HTTP/1.0\r\n" HOST "Connection: x, Keep-Alive\t,y\r\n" END, H | O | P, true,
	  HTTP_GET, NULL, NULL },
	{ "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\t\r\n" END, H | O | P, true, HTTP_GET,
	  NULL, NULL },
	{ "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive, close\r\n" END,
	  H | O | P | HTTP_CONN_KEEP | HTTP_CONN_CLOSE, true, HTTP_GET, NULL, NULL },
	/* HTTP/1.0 needs no Host, but the kernel does */
	{ "GET / HTTP/1.0\r\n" END, O | P, false, HTTP_GET, NULL, "" },
	/* what the kernel leaves to Node */
	{ GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n" END,
	  KHOP | HTTP_CONN_UPGRADE | HTTP_UPGRADE, false, HTTP_GET, NULL, NULL },
	{ GET HOST "Connection: keep-alive, Upgrade\r\n" END,
	  KHOP | HTTP_CONN_UPGRADE | HTTP_CONN_KEEP, false, HTTP_GET, NULL, NULL },
	{ GET HOST "Upgrade: h2c\r\n" END, KHOP | HTTP_UPGRADE, false, HTTP_GET, NULL, NULL },
	{ GET HOST "Expect: 100-continue\r\n" END, KHOP | HTTP_EXPECT, false, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "Authorization: Basic eDp5\r\n" END, KHOP | HTTP_AUTHORIZATION, false, HTTP_GET,
	  NULL, NULL },
	{ GET HOST "Range: bytes=0-1\r\n" END, KHOP | HTTP_RANGE, false, HTTP_GET, NULL, NULL },
	{ GET HOST "If-Match: *\r\n" END, KHOP | HTTP_PRECONDITION, false, HTTP_GET, NULL, NULL },
	{ GET HOST "If-Unmodified-Since: x\r\n" END, KHOP | HTTP_PRECONDITION, false, HTTP_GET,
	  NULL, NULL },
	{ GET HOST "if-range: x\r\n" END, KHOP | HTTP_PRECONDITION, false, HTTP_GET, NULL, NULL },
	{ GET HOST "RSC: 1\r\n" END, KHOP | HTTP_RSC, false, HTTP_GET, NULL, NULL },
	{ GET HOST "Next-Router-State-Tree: x\r\n" END, KHOP | HTTP_RSC, false, HTTP_GET, NULL,
	  NULL },
	/* what it may answer all the same */
	{ GET HOST "If-None-Match: \"x\"\r\n" END, KHOP | HTTP_CONDITIONAL, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "IF-MODIFIED-SINCE: x\r\n" END, KHOP | HTTP_CONDITIONAL, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "Cookie: a=b\r\n" END, KHOP | HTTP_COOKIE, true, HTTP_GET, NULL, NULL },
	{ GET HOST "Cookie: a\r\ncookie: b\r\n" END, KHOP | HTTP_COOKIE | HTTP_COOKIES, true,
	  HTTP_GET, NULL, NULL },
	{ GET HOST "Accept-Encoding: gzip\r\n" END, KHOP | HTTP_ACCEPT_ENCODING, true, HTTP_GET,
	  NULL, NULL },
	{ GET HOST "Accept-Encoding: gzip\r\naccept-encoding: br\r\n" END,
	  KHOP | HTTP_ACCEPT_ENCODING | HTTP_ACCEPT_ENCODINGS, true, HTTP_GET, NULL, NULL },
	{ GET HOST "Forwarded: for=1.2.3.4\r\n" END, KHOP | HTTP_FORWARDED, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "X-Forwarded-For: 1.2.3.4\r\n" END, KHOP | HTTP_FORWARDED, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "x-forwarded-anything: 1\r\n" END, KHOP | HTTP_FORWARDED, true, HTTP_GET, NULL,
	  NULL },
	{ GET HOST "X-Real-IP:1.2.3.4\r\n" END, KHOP | HTTP_FORWARDED, true, HTTP_GET, NULL, NULL },
	/* bodies */
	{ GET HOST "Content-Length: 0\r\n" END, KHOP | HTTP_HAS_CL, true, HTTP_GET, NULL, NULL },
	{ GET HOST "Content-Length: 5\r\n" END, KHOP | HTTP_HAS_CL | HTTP_BODY, false, HTTP_GET,
	  NULL, NULL },
	{ POST "Content-Length: \t 5 \r\n" END, KHOP | HTTP_HAS_CL | HTTP_BODY, false, HTTP_POST,
	  NULL, NULL },
	{ POST "Transfer-Encoding: chunked\r\n" END, KHOP | HTTP_CHUNKED | HTTP_BODY, false,
	  HTTP_POST, NULL, NULL },
	{ POST "TRANSFER-encoding:\tChunkeD \r\n" END, KHOP | HTTP_CHUNKED | HTTP_BODY, false,
	  HTTP_POST, NULL, NULL },
	/* names that only look like the ones above */
	{ GET HOST
	  "Hosts: a\r\nX-Host: b\r\nRang: c\r\nRanges: d\r\nContent-Type: e\r\n"
	  "Content-Lengthy: 1\r\nTransfer-Encodings: chunked\r\nTransfer-Coding: f\r\n"
	  "Authorizations: g\r\nX-Real-IPs: h\r\nX-Forwarded: i\r\nForwardeds: j\r\n"
	  "If-None-Matches: k\r\nExpects: l\r\nUpgrades: m\r\nAccept-Encodin: n\r\nRscs: o\r\n"
	  "Transfer-EncodingX: chunked\r\nIf-Unmodified-Sinc: p\r\nCookie2: q\r\n" END,
	  KHOP, true, HTTP_GET, NULL, NULL },
	/* values */
	{ GET HOST "A:\r\nB: \r\nC: \t \r\nD:\tx\ty\t\r\nE: \xc3\xa9\xff\x80\r\nF:x\r\n" END, KHOP,
	  true, HTTP_GET, NULL, NULL },
	{ GET HOST "!#$%&'*+-.^_`|~09: x\r\nX1234567890: y\r\n1: z\r\n" END, KHOP, true, HTTP_GET,
	  NULL, NULL },
	/* hosts */
	{ GET "Host:GW.TEST:8080 \r\n" END, KHOP, true, HTTP_GET, NULL, "GW.TEST" },
	{ GET "Host:\t gw.test:\r\n" END, KHOP, true, HTTP_GET, NULL, NULL },
	{ GET "Host: a_b-c.1\r\n" END, KHOP, true, HTTP_GET, NULL, "a_b-c.1" },
	{ GET "Host: 127.0.0.1:65535\r\n" END, KHOP, true, HTTP_GET, NULL, "127.0.0.1" },
	{ GET "Host: [::1]:80\r\n" END, KHOP, true, HTTP_GET, NULL, "[::1]" },
	{ GET "Host: [1:2:3:4:5:6:7:8]\r\n" END, KHOP, true, HTTP_GET, NULL, "[1:2:3:4:5:6:7:8]" },
	{ GET "Host: [::ffff:1.2.3.4]\r\n" END, KHOP, true, HTTP_GET, NULL, "[::ffff:1.2.3.4]" },
	{ GET "Host: [1:2:3:4:5:6:7.8.9.255]\r\n" END, KHOP, true, HTTP_GET, NULL,
	  "[1:2:3:4:5:6:7.8.9.255]" },
	{ GET "Host: [1:2::]\r\n" END, KHOP, true, HTTP_GET, NULL, "[1:2::]" },
	{ GET "Host: [::]\r\n" END, KHOP, true, HTTP_GET, NULL, "[::]" },
	{ GET "Host: gw.test.\r\n" END, KHOP | HTTP_HOST_UNUSUAL, false, HTTP_GET, NULL, NULL },
	{ GET "Host: gw.test.:80\r\n" END, KHOP | HTTP_HOST_UNUSUAL, false, HTTP_GET, NULL, NULL },
	{ GET "Host: a%41\r\n" END, KHOP | HTTP_HOST_UNUSUAL, false, HTTP_GET, NULL, "a%41" },
	{ GET "Host: a!~b\r\n" END, KHOP | HTTP_HOST_UNUSUAL, false, HTTP_GET, NULL, "a!~b" },
};

static __u32 flags_seen;

static void expect_text(const char *what, const char *text, __u16 off, __u16 len, const char *want)
{
	if (len != strlen(want) || memcmp(scratch.buf + off, want, len))
		fail_msg("%s is \"%.*s\", not \"%s\": \"%s\"", what, len,
			 (const char *)scratch.buf + off, want, text);
}

static void expect_row(const struct row *row)
{
	const struct http_request *r = &scratch.req;
	size_t head = strlen(row->text);
	char more[2048];

	rows_feed(http_request_run, row->text, head, HTTP_COMPLETE, head, &scratch.req.reason);
	snprintf(more, sizeof(more), "%sPOST /%%2f HTTP/1.0\r\nHost: other\r\n\r\n", row->text);
	rows_feed(http_request_run, more, strlen(more), HTTP_COMPLETE, head, &scratch.req.reason);
	assert_int_equal(r->head_len, head);
	if (r->flags != row->flags)
		fail_msg("flags %x, not %x: \"%s\"", r->flags, row->flags, row->text);
	if (http_request_answerable(r) != row->answerable)
		fail_msg("answerable: %d: \"%s\"", !row->answerable, row->text);
	assert_int_equal(r->method, row->method);
	assert_int_equal(r->minor, strstr(row->text, "HTTP/1.1\r\n") != NULL);
	expect_text("path", row->text, r->path_off, r->path_len, row->path ? row->path : "/");
	expect_text("host", row->text, r->host_off, r->host_name_len,
		    row->host ? row->host : "gw.test");
	flags_seen |= r->flags;
}

static void test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		expect_row(&rows[i]);
}

static void test_every_flag_has_a_row(void **state)
{
	(void)state;
	assert_int_equal(flags_seen, (HTTP_EMPTY_LINES << 1) - 1);
}

/* Which paths may be compared byte by byte with a configured one. */
static void test_plain_paths(void **state)
{
	static const char *const plain[] = {
		"/",
		"/a",
		"/a/",
		"/a/b.c",
		"/A-Z_0.9~",
		"/.a",
		"/..a",
		"/a.",
		"/a..",
		"/...",
		"/.a/b",
		"/.well-known/acme",
		"/a:b@c!$&'()*+,=d",
		"/abcdefg/hijklmn/opqrstu/",
		"/a./b",
		"/a../b",
		"/abcdefgh.ijklmnop/.x",
	};
	static const char *const not_plain[] = {
		"//",	      "//a",	     "/a//",	     "/a//b",	    "/.",      "/./",
		"/a/.",	      "/a/./b",	     "/..",	     "/../",	    "/a/..",   "/a/../b",
		"/a%20",      "/%2e",	     "/a;b",	     "/a\\b",	    "/a\"",    "/<a>",
		"/a^",	      "/a`",	     "/{a}",	     "/a|b",	    "/[a]",    "/abcdef//",
		"/abcdefg//", "/abcdefgh//", "/abcdefghi/.", "/abcdefg/..", "/!/../a",
	};
	char text[256];
	size_t i, j;

	(void)state;
	for (j = 0; j < 2; j++) {
		for (i = 0; i < (j ? ROWS(not_plain) : ROWS(plain)); i++) {
			snprintf(text, sizeof(text), "GET %s%s HTTP/1.1\r\n" HOST END,
				 j ? not_plain[i] : plain[i], i & 1 ? "?/../" : "");
			rows_feed(http_request_run, text, strlen(text), HTTP_COMPLETE, strlen(text),
				  &scratch.req.reason);
			if (!!(scratch.req.flags & HTTP_PLAIN_PATH) == j)
				fail_msg("%splain: \"%s\"", j ? "" : "not ", text);
			assert_int_equal(http_request_answerable(&scratch.req), !j);
			expect_text("path", text, scratch.req.path_off, scratch.req.path_len,
				    j ? not_plain[i] : plain[i]);
		}
	}
}

static void test_values(void **state)
{
	static const char text[] = GET
		"Cookie: \t a=b; c=d \t\r\nAccept-Encoding:gzip, br\r\n"
		"Host: gw.test:80\r\ncookie: e\r\nContent-Length: 1234567890123456\r\n" END;
	const struct http_request *r = &scratch.req;

	(void)state;
	rows_feed(http_request_run, text, strlen(text), HTTP_COMPLETE, strlen(text), &r->reason);
	expect_text("cookie", text, r->cookie_off, r->cookie_len, "a=b; c=d");
	expect_text("encoding", text, r->accept_encoding_off, r->accept_encoding_len, "gzip, br");
	expect_text("host", text, r->host_off, r->host_len, "gw.test:80");
	expect_text("target", text, r->target_off, r->target_len, "/");
	assert_true(r->content_length == 1234567890123456ULL);
	rows_feed(http_request_run, rows[0].text, strlen(rows[0].text), HTTP_COMPLETE,
		  strlen(rows[0].text), &r->reason);
	assert_true(r->content_length == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_flag_has_a_row),
		cmocka_unit_test(test_plain_paths),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
