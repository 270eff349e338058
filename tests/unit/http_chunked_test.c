// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunked bodies through http_body_advance(), as BPF programs run it: whole, cut at every byte, in
 * single bytes, and with other bytes behind the end. Sources: RFC 9112, 7.1.
 */
#include <stdlib.h>

#include "http_rows.h"

#define MORE HTTP_BODY_MORE
#define DONE HTTP_BODY_DONE
#define BAD HTTP_BODY_BAD
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

struct row {
	int result;
	const char *text;
};

static const struct row rows[] = {
	{ DONE, "0\r\n\r\n" },
	{ DONE, "5\r\nhello\r\n0\r\n\r\n" },
	{ DONE, "1\r\na\r\n2\r\nbb\r\n3\r\nccc\r\n0\r\n\r\n" },
	{ DONE, "a\r\n" TEN "\r\nA\r\n" TEN "\r\n00\r\n\r\n" },
	{ DONE, "3c\r\n" SIXTY "\r\n0\r\n\r\n" },
	{ DONE,
	  "3F\r\n" SIXTY "abc\r\n40\r\n" SIXTY "abcd\r\n41\r\n" SIXTY "abcde\r\n000\r\n\r\n" },
	{ DONE, "0000000000000005\r\nhello\r\n0\r\n\r\n" },
	{ DONE, "5\r\n\r\n0\r\n\r\n0\r\n\r\n" },
	{ DONE, "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n" },
	/* extensions (7.1.1): any bytes of a field value */
	{ DONE, "5;a=b\r\nhello\r\n0;c=\"d;e\";f\r\n\r\n" },
	{ DONE, "5;a=\"\t \\\" \x80\";b\r\nhello\r\n0;c=d\r\n\r\n" },
	{ DONE, "0;" SIXTY SIXTY "\r\n\r\n" },
	/* trailers (7.1.2) */
	{ DONE, "0\r\nA: b\r\n\r\n" },
	{ DONE, "0\r\nA:\r\nX-1_z: \t\xc3\xa9\r\n\r\n" },
	{ DONE, "5\r\nhello\r\n0\r\nA: " SIXTY SIXTY "\r\nB: c\r\n\r\n" },
	/* unfinished */
	{ MORE, "" },
	{ MORE, "5" },
	{ MORE, "5\r\nhel" },
	{ MORE, "5\r\nhello\r" },
	{ MORE, "7fffffffff\r\n" TEN },
	{ MORE, "3ffffffffffffff\r\n" TEN },
	{ MORE, "0\r\n\r" },
	{ MORE, "0\r\nA: b\r\n" },
	/* sizes */
	{ BAD, "\r\n" },
	{ BAD, ";a\r\n" },
	{ BAD, "x" },
	{ BAD, " 5\r\n" },
	{ BAD, "5 \r\n" },
	{ BAD, "5\t;a\r\n" },
	{ BAD, "0x5\r\n" },
	{ BAD, "-5\r\n" },
	{ BAD, "+5\r\n" },
	{ BAD, "5g\r\n" },
	{ BAD, "5_0\r\n" },
	{ BAD, "00000000000000005" },
	{ BAD, "ffffffffffffffff" },
	{ BAD, "4000000000000000" },
	/* line ends */
	{ BAD, "5\nhello" },
	{ BAD, "5\rhello" },
	{ BAD, "5\r\r\nhello" },
	{ BAD, "5\r\nhello0\r\n\r\n" },
	{ BAD, "5\r\nhello\n0\r\n\r\n" },
	{ BAD, "5\r\nhello\r0\r\n\r\n" },
	{ BAD, "5\r\nhello\r\n\r\n0\r\n\r\n" },
	{ BAD, "5;\r" },
	{ BAD, "5;a=\r" },
	{ BAD, "5;a=;" },
	{ BAD, "5;a;;" },
	{ BAD, "5;=" },
	{ BAD, "5; a" },
	{ BAD, "5;a\tb" },
	{ BAD, "5;a=b=" },
	{ BAD, "5;a=b\"" },
	{ BAD, "5;\"a" },
	{ BAD, "5;a=\"b\"c" },
	{ BAD, "5;a=\"b\r" },
	{ BAD, "5;a=\"\\\r" },
	{ BAD, "5;a\x80" },
	{ BAD, "5;a\n" },
	{ BAD, "5;a\rb" },
	{ BAD, "5;a\x01" },
	{ BAD, "5;\x7f" },
	{ BAD, "0\r\n\n" },
	{ BAD, "0\r\n\r\r" },
	{ BAD, "0\n" },
	/* trailers */
	{ BAD, "0\r\n A: b\r\n" },
	{ BAD, "0\r\n\tA: b\r\n" },
	{ BAD, "0\r\nA\r\n" },
	{ BAD, "0\r\nA : b\r\n" },
	{ BAD, "0\r\n: b\r\n" },
	{ BAD, "0\r\nA(: b\r\n" },
	{ BAD, "0\r\nA: b\n" },
	{ BAD, "0\r\nA: b\rC: d\r\n" },
	{ BAD, "0\r\nA: \x02\r\n" },
	{ BAD, "0\r\nA: b\r\n c\r\n" },
	/* framing fields in trailers (RFC 9110, 6.5.1) */
	{ BAD, "0\r\nContent-Length: 3\r\n\r\n" },
	{ BAD, "0\r\ncontent-length:0\r\n\r\n" },
	{ BAD, "0\r\nA: b\r\nTRANSFER-Encoding: chunked\r\n\r\n" },
	{ DONE, "0\r\nContent-Lengths: 3\r\nContent-Lengt: 3\r\nTransfer-Encodin: x\r\n\r\n" },
};

/* Advances over text[at, end) as one packet with `before` other bytes in front of it. */
static int advance(struct http_chunks *c, const char *text, size_t at, size_t end, size_t *used)
{
	static __u8 packet[300000];
	struct __sk_buff skb = { packet, 0 };
	size_t before = (at * 7) % 60;
	__u32 n = ~0;
	int result;

	memset(packet, '7', before);
	memcpy(packet + before, text + at, end - at);
	skb.len = before + (end - at);
	result = http_body_advance(&skb, before, end - at, c, true, &n);
	assert_true(n <= end - at);
	*used = n;
	return result;
}

/* The body cut at `first` and `second`. Stores how many bytes belong to it. */
static int run_cut(const char *text, size_t len, size_t first, size_t second, size_t *total)
{
	const size_t ends[] = { first, second, len };
	struct http_chunks c = {};
	int result = MORE;
	size_t i, used;

	*total = 0;
	for (i = 0; i < ROWS(ends) && result == MORE; i++) {
		if (*total > ends[i])
			continue;
		result = advance(&c, text, *total, ends[i], &used);
		*total += used;
		if (result == MORE)
			assert_int_equal(*total, ends[i]);
	}
	return result;
}

static void expect_cuts(const struct row *row, const char *text, size_t len)
{
	size_t first, second, total, want;

	assert_int_equal(run_cut(text, len, len, len, &want), row->result);
	if (row->result == DONE)
		assert_int_equal(want, strlen(row->text));
	for (first = 0; first <= len; first++) {
		for (second = first; second <= len; second += 1 + (second - first) / 4) {
			if (run_cut(text, len, first, second, &total) != row->result)
				fail_msg("cut at %zu and %zu: \"%s\"", first, second, text);
			assert_int_equal(total, want);
		}
	}
}

static void test_rows(void **state)
{
	char more[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		expect_cuts(&rows[i], rows[i].text, strlen(rows[i].text));
		if (rows[i].result == MORE)
			continue;
		snprintf(more, sizeof(more), "%sGET / HTTP/1.1\r\n\r\n", rows[i].text);
		expect_cuts(&rows[i], more, strlen(more));
	}
}

static void test_single_bytes(void **state)
{
	struct http_chunks c;
	size_t i, at, used;
	int result;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		memset(&c, 0, sizeof(c));
		result = MORE;
		for (at = 0; at < strlen(rows[i].text) && result == MORE; at++)
			result = advance(&c, rows[i].text, at, at + 1, &used);
		assert_int_equal(result, rows[i].result);
		if (result != BAD)
			assert_int_equal(at, strlen(rows[i].text));
	}
}

/* Extensions and trailers are limited over the whole body, however they are spread. */
static void test_extra_is_limited(void **state)
{
	char *text = malloc(3 * HTTP_CHUNK_EXTRA);
	struct http_chunks c = {};
	size_t n, used;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 3 * HTTP_CHUNK_EXTRA);
	memcpy(text, "5;", 2);
	assert_int_equal(advance(&c, text, 0, HTTP_CHUNK_EXTRA + 2, &used), MORE);
	assert_int_equal(advance(&c, text, 2, 3, &used), BAD);
	memset(&c, 0, sizeof(c));
	for (n = 0; n < HTTP_CHUNK_EXTRA / 4; n++)
		assert_int_equal(advance(&c, "1;abc\r\nx\r\n", 0, 10, &used), MORE);
	assert_int_equal(advance(&c, "1;abc\r\nx\r\n", 0, 10, &used), BAD);
	memset(&c, 0, sizeof(c));
	memcpy(text, "0\r\nA:", 5);
	assert_int_equal(advance(&c, text, 0, HTTP_CHUNK_EXTRA + 3, &used), MORE);
	assert_int_equal(advance(&c, "a", 0, 1, &used), BAD);
	free(text);
}

/* 64 KB of the smallest chunks are one run, more are several; nothing is lost in between. */
static void test_many_chunks(void **state)
{
	static const char chunk[] = "1\r\nx\r\n";
	static char text[200000];
	struct http_chunks c = {};
	size_t n, at, used, runs;
	int result;

	(void)state;
	for (n = 0; n + 12 < sizeof(text); n += 6)
		memcpy(text + n, chunk, 6);
	memcpy(text + n, "0\r\n\r\n", 5);
	n += 5;
	assert_int_equal(advance(&c, text, 0, HTTP_BODY_BYTES, &used), MORE);
	assert_int_equal(used, HTTP_BODY_BYTES);
	memset(&c, 0, sizeof(c));
	for (at = 0, runs = 0, result = HTTP_BODY_TOO_MANY; result == HTTP_BODY_TOO_MANY; runs++) {
		result = advance(&c, text, at, n, &used);
		at += used;
	}
	assert_int_equal(result, DONE);
	assert_int_equal(at, n);
	assert_int_equal(runs, 4);
}

static void test_content_length(void **state)
{
	struct http_chunks c = { .left = 10 };
	struct __sk_buff skb = { (const __u8 *)TEN TEN, 20 };
	__u32 used;

	(void)state;
	assert_int_equal(http_body_advance(&skb, 3, 4, &c, false, &used), MORE);
	assert_int_equal(used, 4);
	assert_true(c.left == 6);
	assert_int_equal(http_body_advance(&skb, 7, 13, &c, false, &used), DONE);
	assert_int_equal(used, 6);
	assert_int_equal(http_body_advance(&skb, 0, 20, &c, false, &used), DONE);
	assert_int_equal(used, 0);
}

static void test_load_fails(void **state)
{
	struct http_chunks c = {};
	struct __sk_buff skb = { (const __u8 *)"5\r\n", 3 };
	__u32 used;

	(void)state;
	assert_int_equal(http_body_advance(&skb, 0, 4, &c, true, &used), BAD);
	assert_int_equal(used, 0);
	memset(&c, 0, sizeof(c));
	c.phase = CHUNK_DONE;
	assert_int_equal(http_body_advance(&skb, 0, 3, &c, true, &used), BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_single_bytes),
		cmocka_unit_test(test_extra_is_limited),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_content_length),
		cmocka_unit_test(test_load_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
