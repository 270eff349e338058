// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads cases from stdin, each a 32-bit little-endian length and that many bytes of one connection,
 * and prints a line for each case, with a group of numbers for each message in it. Requests:
 *   result reason method minor flags head target_off target_len host_off host_len body answerable
 * With --responses, where the case's first byte says which of the requests were HEAD, a bit each:
 *   result reason status minor flags head body
 * `head` and `body` are where the head and the body end in the case; result is enum http_result of
 * the head or enum case_result. The last group is the first that is not complete, if any.
 * Each message is also parsed in pieces, cut at random: the result must be the same, else abort().
 * With --reasons the texts of the reasons, a line each. For differential.mjs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "http_native.h"

enum case_result {
	CASE_BODY_MORE = 3,
	CASE_BODY_BAD = 4,
	CASE_TUNNEL = 5,
	CASE_UNTIL_CLOSE = 6,
	CASE_NOT_FOLLOWED = 7,
};

#define CASE_MAX (1 << 20)
#define CUTS 3 /* prefixes of a head that are tried */

static struct http_scratch scratch, piece;
static __u32 dice = 1;

static __u32 random_below(__u32 n)
{
	dice = dice * 1664525 + 1013904223;
	return (__u32)(((__u64)dice * n) >> 32);
}

static void same(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "a cut changes the result: %s\n", what);
	abort();
}

static int run_head(struct http_scratch *s, const __u8 *data, __u32 len, int fill, bool response)
{
	http_native_put(s, data, len, fill);
	return response ? http_response_run(s) : http_request_run(s);
}

/* Prefixes of a head are incomplete, or bad as the whole is. */
static void cut_head(const __u8 *data, __u32 len, __u32 head, int result, bool response)
{
	__u32 limit = result == HTTP_COMPLETE ? head : len;
	int i, again;

	for (i = 0; i < CUTS && limit; i++) {
		again = run_head(&piece, data, random_below(limit), 'z', response);
		same(again == HTTP_INCOMPLETE || (again == HTTP_BAD && result == HTTP_BAD), "head");
	}
	if (result == HTTP_COMPLETE)
		same(run_head(&piece, data, head, '\r', response) == HTTP_COMPLETE, "head's end");
}

/* Follows `left` bytes or chunks from `at` on, `cut` into pieces. Returns enum http_body_result. */
static int walk_body(const __u8 *data, __u32 len, __u32 *at, __u64 left, bool chunked, bool cut)
{
	struct __sk_buff skb = { data, len };
	struct http_chunks c = { .left = left };
	__u32 used, n;
	int result;

	do {
		n = len - *at;
		if (cut && n)
			n = 1 + random_below(n < 40 ? n : 40);
		result = http_body_advance(&skb, *at, n, &c, chunked, &used);
		*at += used;
	} while (result == HTTP_BODY_TOO_MANY || (result == HTTP_BODY_MORE && *at < len));
	return result;
}

/* The body behind the head at `at`. Returns enum http_result or enum case_result. */
static int frame_body(const __u8 *data, __u32 len, __u32 *at, __u64 left, bool chunked)
{
	__u32 other = *at;
	int result = walk_body(data, len, at, left, chunked, false);

	same(walk_body(data, len, &other, left, chunked, true) == result, "body");
	same(result == HTTP_BODY_BAD || other == *at, "body's end");
	if (result == HTTP_BODY_BAD)
		return CASE_BODY_BAD;
	return result == HTTP_BODY_DONE ? HTTP_COMPLETE : CASE_BODY_MORE;
}

static __u32 head_bytes(__u32 left)
{
	return left < HTTP_BUF_BYTES ? left : HTTP_BUF_BYTES;
}

/* One request at `at`. Returns its result; `at` is moved behind it. */
static int run_request(const __u8 *data, __u32 len, __u32 *at)
{
	const struct http_request *r = &scratch.req;
	__u32 start = *at, n = head_bytes(len - start);
	int result = run_head(&scratch, data + start, n, 'A', false);

	cut_head(data + start, n, r->head_len, result, false);
	if (result == HTTP_COMPLETE) {
		*at += r->head_len;
		if (r->flags & HTTP_BODY)
			result = frame_body(data, len, at, r->content_length,
					    r->flags & HTTP_CHUNKED);
		if (r->method == HTTP_CONNECT && result == HTTP_COMPLETE)
			result = CASE_TUNNEL;
	}
	printf("%d %u %u %u %u %u %u %u %u %u %u %d ", result, r->reason, r->method, r->minor,
	       r->flags, start + r->head_len, start + r->target_off, r->target_len,
	       start + r->host_off, r->host_len, *at, http_request_answerable(r));
	return result;
}

/* One response at `at`; `heads` loses a bit for each final one. Returns its result. */
static int run_response(const __u8 *data, __u32 len, __u32 *at, __u32 *heads)
{
	const struct http_response *r = &scratch.resp;
	__u32 start = *at, n = head_bytes(len - start);
	int result = run_head(&scratch, data + start, n, 'A', true);
	enum response_framing framing = RESPONSE_FRAMING_INTERIM;

	cut_head(data + start, n, r->head_len, result, true);
	if (result == HTTP_COMPLETE) {
		*at += r->head_len;
		framing = http_response_framing(r, *heads & 1);
	}
	if (framing != RESPONSE_FRAMING_INTERIM)
		*heads >>= 1;
	if (framing == RESPONSE_FRAMING_UPGRADED)
		result = CASE_TUNNEL;
	else if (framing == RESPONSE_FRAMING_UNKNOWN)
		result = CASE_NOT_FOLLOWED;
	else if (framing == RESPONSE_FRAMING_CLOSE)
		result = CASE_UNTIL_CLOSE;
	else if (framing == RESPONSE_FRAMING_LENGTH || framing == RESPONSE_FRAMING_CHUNKED)
		result = frame_body(data, len, at, r->content_length,
				    framing == RESPONSE_FRAMING_CHUNKED);
	printf("%d %u %u %u %u %u %u ", result, r->reason, r->status, r->minor, r->flags,
	       start + r->head_len, *at);
	return result;
}

static void run_case(const __u8 *data, __u32 len, bool responses)
{
	__u32 at = responses, heads = responses ? data[0] : 0;
	int result = HTTP_COMPLETE;

	dice = len * 2654435761u + data[len / 2];
	while (at < len && result == HTTP_COMPLETE)
		result = responses ? run_response(data, len, &at, &heads) :
				     run_request(data, len, &at);
	putchar('\n');
}

int main(int argc, char **argv)
{
	bool responses = argc > 1 && !strcmp(argv[1], "--responses");
	__u8 *data = calloc(1, CASE_MAX);
	__u32 len;

	if (!data)
		return 1;
	if (argc > 1 && !strcmp(argv[1], "--reasons")) {
		for (len = 0; len < HTTP_REJECT_COUNT; len++)
			puts(http_reject_text(len));
		free(data);
		return 0;
	}
	while (fread(&len, sizeof(len), 1, stdin) == 1) {
		if (len > CASE_MAX || fread(data, 1, len, stdin) != len)
			return 1;
		run_case(data, len, responses);
	}
	free(data);
	return 0;
}
