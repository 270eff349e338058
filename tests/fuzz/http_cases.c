// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads cases from stdin, each a 32-bit little-endian length and that many bytes of requests on one
 * connection, and prints a line for each case, with a group of numbers for each message in it:
 *   result reason method minor flags head target_off target_len host_off host_len body answerable
 * `head` and `body` are where the head and the body end in the case; result is enum http_result of
 * the head, 3 for a body that goes on, 4 for a malformed body, 5 for a tunnel. The last group is
 * the first that is not complete, if any. With --reasons the texts of the reasons, a line each.
 * For differential.mjs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "http_native.h"

enum case_result {
	CASE_BODY_MORE = 3,
	CASE_BODY_BAD = 4,
	CASE_TUNNEL = 5,
};

#define CASE_MAX (1 << 20)

/* Follows the body behind the head at `at`. Returns enum http_result or enum case_result. */
static int frame_body(const struct http_request *r, const __u8 *data, __u32 len, __u32 *at)
{
	struct __sk_buff skb = { data, len };
	struct http_chunks c = { .left = r->content_length };
	bool chunked = r->flags & HTTP_CHUNKED;
	__u32 used;
	int result;

	if (!(r->flags & HTTP_BODY))
		return HTTP_COMPLETE;
	do {
		result = http_body_advance(&skb, *at, len - *at, &c, chunked, &used);
		*at += used;
	} while (result == HTTP_BODY_TOO_MANY);
	if (result == HTTP_BODY_BAD)
		return CASE_BODY_BAD;
	return result == HTTP_BODY_DONE ? HTTP_COMPLETE : CASE_BODY_MORE;
}

/* One message at `at`. Returns its result; `at` is moved behind it. */
static int run_message(struct http_scratch *s, const __u8 *data, __u32 len, __u32 *at)
{
	__u32 n = len - *at < HTTP_BUF_BYTES ? len - *at : HTTP_BUF_BYTES;
	const struct http_request *r = &s->req;
	__u32 start = *at;
	int result;

	http_native_put(s, data + start, n, 'A');
	result = http_request_run(s);
	if (result == HTTP_COMPLETE) {
		*at += r->head_len;
		result = frame_body(r, data, len, at);
		if (r->method == HTTP_CONNECT && result == HTTP_COMPLETE)
			result = CASE_TUNNEL;
	}
	printf("%d %u %u %u %u %u %u %u %u %u %u %d ", result, r->reason, r->method, r->minor,
	       r->flags, start + r->head_len, start + r->target_off, r->target_len,
	       start + r->host_off, r->host_len, *at, http_request_answerable(r));
	return result;
}

int main(int argc, char **argv)
{
	static struct http_scratch scratch;
	__u8 *data = malloc(CASE_MAX);
	__u32 len, at;

	if (!data)
		return 1;
	if (argc > 1 && !strcmp(argv[1], "--reasons")) {
		for (at = 0; at < HTTP_REJECT_COUNT; at++)
			puts(http_reject_text(at));
		free(data);
		return 0;
	}
	while (fread(&len, sizeof(len), 1, stdin) == 1) {
		if (len > CASE_MAX || fread(data, 1, len, stdin) != len)
			return 1;
		at = 0;
		while (at < len && run_message(&scratch, data, len, &at) == HTTP_COMPLETE)
			;
		putchar('\n');
	}
	free(data);
	return 0;
}
