// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Responses: heads whole and cut at every byte, and how RFC 9112, 6.3 says that their body ends.
 */
#include "http_rows.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define END "\r\n"
#define CL HTTP_RESPONSE_HAS_CL
#define CHUNKED HTTP_RESPONSE_CHUNKED

struct row {
	const char *text;
	__u16 status;
	__u16 flags;
	__u8 framing;	   /* of a response to GET */
	__u8 head_framing; /* to HEAD */
};

#define FRAMING(a, b) RESPONSE_FRAMING_##a, RESPONSE_FRAMING_##b

static const struct row rows[] = {
	{ OK END, 200, 0, FRAMING(CLOSE, NONE) },
	{ OK "Content-Length: 5\r\n" END, 200, CL, FRAMING(LENGTH, NONE) },
	{ OK "content-length:0\r\n" END, 200, CL, FRAMING(LENGTH, NONE) },
	{ OK "Transfer-Encoding: chunked\r\n" END, 200, CHUNKED, FRAMING(CHUNKED, NONE) },
	{ OK "transfer-encoding: Chunked \r\n" END, 200, CHUNKED, FRAMING(CHUNKED, NONE) },
	/* two readings */
	{ OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END, 200, CHUNKED | CL,
	  FRAMING(UNKNOWN, NONE) },
	{ OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END, 200, CHUNKED | CL,
	  FRAMING(UNKNOWN, NONE) },
	{ OK "Transfer-Encoding: gzip, chunked\r\n" END, 200, CHUNKED | HTTP_RESPONSE_CODED,
	  FRAMING(UNKNOWN, NONE) },
	{ OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END, 200,
	  CHUNKED | HTTP_RESPONSE_CODED, FRAMING(UNKNOWN, NONE) },
	{ OK "Transfer-Encoding: chunked\t\r\n" END, 200, CHUNKED | HTTP_RESPONSE_CODED,
	  FRAMING(UNKNOWN, NONE) },
	{ "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" END, 200,
	  CHUNKED | HTTP_RESPONSE_CLOSE, FRAMING(UNKNOWN, NONE) },
	/* status codes without a body */
	{ "HTTP/1.1 204 No Content\r\n" END, 204, 0, FRAMING(NONE, NONE) },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n" END, 304, CL, FRAMING(NONE, NONE) },
	{ "HTTP/1.1 204 x\r\nContent-Length: 0\r\n" END, 204, CL, FRAMING(NONE, NONE) },
	/* with a body for llhttp 6 and 8 */
	{ "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n" END, 204, CHUNKED,
	  FRAMING(UNKNOWN, NONE) },
	{ "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n" END, 304, CHUNKED,
	  FRAMING(UNKNOWN, NONE) },
	{ "HTTP/1.1 204 x\r\nContent-Length: 1\r\n" END, 204, CL, FRAMING(UNKNOWN, NONE) },
	{ "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n" END, 205, CL, FRAMING(LENGTH, NONE) },
	{ "HTTP/1.1 100 Continue\r\n" END, 100, 0, FRAMING(INTERIM, INTERIM) },
	{ "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n" END, 103, 0, FRAMING(INTERIM, INTERIM) },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" END,
	  101, HTTP_RESPONSE_UPGRADE, FRAMING(UPGRADED, UPGRADED) },
	{ "HTTP/1.1 100 x\r\nContent-Length: 0\r\n" END, 100, CL, FRAMING(INTERIM, INTERIM) },
	{ "HTTP/1.1 103 x\r\nContent-Length: 1\r\n" END, 103, CL, FRAMING(UNKNOWN, UNKNOWN) },
	{ "HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n" END, 103, CHUNKED,
	  FRAMING(UNKNOWN, UNKNOWN) },
	/* persistence */
	{ OK "Connection: close\r\nContent-Length: 1\r\n" END, 200, CL | HTTP_RESPONSE_CLOSE,
	  FRAMING(LENGTH, NONE) },
	{ OK "Connection: keep-alive, close\r\n" END, 200, HTTP_RESPONSE_KEEP | HTTP_RESPONSE_CLOSE,
	  FRAMING(CLOSE, NONE) },
	{ OK "Connection: keep-alive\r\n" END, 200, HTTP_RESPONSE_KEEP, FRAMING(CLOSE, NONE) },
	{ "HTTP/1.0 200 OK\r\n" END, 200, HTTP_RESPONSE_CLOSE, FRAMING(CLOSE, NONE) },
	{ "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n" END, 200,
	  CL | HTTP_RESPONSE_KEEP, FRAMING(LENGTH, NONE) },
	{ OK "Proxy-Connection: close\r\nContent-Length: 1\r\n" END, 200, CL | HTTP_RESPONSE_CLOSE,
	  FRAMING(LENGTH, NONE) },
	{ "HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\nContent-Length: 1\r\n" END, 200,
	  CL | HTTP_RESPONSE_CLOSE, FRAMING(LENGTH, NONE) },
	/* reason phrases and values */
	{ "HTTP/1.1 200 \r\n" END, 200, 0, FRAMING(CLOSE, NONE) },
	{ "HTTP/1.1 200\r\n" END, 200, 0, FRAMING(CLOSE, NONE) },
	{ "HTTP/1.1 404 N\xc3\xb6t\tf\r\nX-1_a: \xc3\xa9\t\r\nServer:x\r\n" END, 404, 0,
	  FRAMING(CLOSE, NONE) },
	{ "HTTP/1.1 999 x\r\n" END, 999, 0, FRAMING(CLOSE, NONE) },
};

static const struct {
	__u8 reason;
	const char *text;
} bad[] = {
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.2 200 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/2.0 200 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "http/1.1 200 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.1  200 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.1 20 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.1 2000 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.1 099 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.1 2x0 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "HTTP/1.1 200\tOK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "\r\nHTTP/1.1 200 OK\r\n" END },
	{ HTTP_REJECT_STATUS_LINE, "hello" },
	{ HTTP_REJECT_BARE_LF, "HTTP/1.1 200 OK\n" END },
	{ HTTP_REJECT_BARE_CR, "HTTP/1.1 200 OK\rX" },
	{ HTTP_REJECT_VALUE_BYTE, "HTTP/1.1 200 O\x01K\r\n" END },
	{ HTTP_REJECT_LENGTH_INVALID, OK "Content-Length: 5x\r\n" END },
	{ HTTP_REJECT_LENGTH_INVALID, OK "Content-Length: -1\r\n" END },
	{ HTTP_REJECT_LENGTH_TWICE, OK "Content-Length: 5\r\nContent-Length: 5\r\n" END },
	{ HTTP_REJECT_FOLD, OK "X: a\r\n b\r\n" END },
	{ HTTP_REJECT_NAME_SPACE, OK "Content-Length : 5\r\n" END },
	{ HTTP_REJECT_NO_COLON, OK "X\r\n" END },
	{ HTTP_REJECT_VALUE_BYTE, OK "X: \x7f\r\n" END },
};

static void test_rows(void **state)
{
	const struct http_response *r = &scratch.resp;
	char more[512];
	size_t i, head;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		head = strlen(rows[i].text);
		rows_feed(http_response_run, rows[i].text, head, HTTP_COMPLETE, head, &r->reason);
		snprintf(more, sizeof(more), "%s" OK "Content-Length: 7\r\n\r\n", rows[i].text);
		rows_feed(http_response_run, more, strlen(more), HTTP_COMPLETE, head, &r->reason);
		assert_int_equal(r->head_len, head);
		assert_int_equal(r->status, rows[i].status);
		if (r->flags != rows[i].flags)
			fail_msg("flags %x, not %x: \"%s\"", r->flags, rows[i].flags, rows[i].text);
		assert_int_equal(r->minor, strncmp(rows[i].text, "HTTP/1.1", 8) == 0);
		assert_int_equal(http_response_framing(r, false), rows[i].framing);
		assert_int_equal(http_response_framing(r, true), rows[i].head_framing);
	}
}

static void test_bad(void **state)
{
	const struct http_response *r = &scratch.resp;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(bad); i++) {
		rows_feed(http_response_run, bad[i].text, strlen(bad[i].text), HTTP_BAD, 0,
			  &r->reason);
		if (r->reason != bad[i].reason)
			fail_msg("%s: \"%s\"", http_reject_text(r->reason), bad[i].text);
	}
}

static void test_length(void **state)
{
	static const char text[] = OK "Content-Length: 9007199254740993 \r\n" END;

	(void)state;
	rows_feed(http_response_run, text, strlen(text), HTTP_COMPLETE, strlen(text),
		  &scratch.resp.reason);
	assert_true(scratch.resp.content_length == 9007199254740993ULL);
}

static void test_too_long(void **state)
{
	static char text[HTTP_BUF_BYTES];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, OK "X:", strlen(OK "X:"));
	assert_int_equal(rows_parse(http_response_run, text, sizeof(text) - 1, sizeof(text)),
			 HTTP_INCOMPLETE);
	assert_int_equal(rows_parse(http_response_run, text, sizeof(text), sizeof(text)), HTTP_BAD);
	assert_int_equal(scratch.resp.reason, HTTP_REJECT_HEAD_LONG);
	scratch.len = HTTP_BUF_BYTES + 1;
	assert_int_equal(http_response_run(&scratch), HTTP_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
