// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: the response parser. Checks on each input: no access outside the buffer, nothing
 * depends on bytes behind the end, no prefix is complete early, and the framing is one of RFC 9112,
 * 6.3 that the fields allow.
 * build: clang-19 -g -O1 -fsanitize=fuzzer,address,undefined -I datapath tests/fuzz/fuzz_response.c
 */
#include <stdlib.h>

#include "http_native.h"

static struct http_scratch scratch;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int parse(const __u8 *data, size_t len, int fill)
{
	http_native_put(&scratch, data, len, fill);
	return http_response_run(&scratch);
}

static void check_framing(const struct http_response *r)
{
	enum response_framing framing = http_response_framing(r, false);

	check(r->status >= 100 && r->status <= 999 && r->minor <= 1);
	check((framing == RESPONSE_FRAMING_UPGRADED) == (r->status == 101));
	if (framing == RESPONSE_FRAMING_INTERIM)
		check(r->status < 200 && r->status != 101);
	if (r->status == 204 || r->status == 304 || (r->status < 200 && r->status != 101))
		check(framing == RESPONSE_FRAMING_INTERIM || framing == RESPONSE_FRAMING_NONE ||
		      framing == RESPONSE_FRAMING_UNKNOWN);
	if (framing == RESPONSE_FRAMING_LENGTH)
		check(r->flags & HTTP_RESPONSE_HAS_CL && !(r->flags & HTTP_RESPONSE_CHUNKED));
	if (framing == RESPONSE_FRAMING_CHUNKED)
		check(r->flags & HTTP_RESPONSE_CHUNKED && !(r->flags & HTTP_RESPONSE_HAS_CL));
	if (framing == RESPONSE_FRAMING_CLOSE)
		check(!(r->flags & (HTTP_RESPONSE_CHUNKED | HTTP_RESPONSE_HAS_CL)));
	if (r->status >= 200)
		check(http_response_framing(r, true) == RESPONSE_FRAMING_NONE);
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t len)
{
	struct http_response first;
	size_t n, step;
	int result, again;

	if (len > HTTP_BUF_BYTES)
		len = HTTP_BUF_BYTES;
	result = parse(data, len, 'a');
	first = scratch.resp;
	if (result == HTTP_COMPLETE) {
		check(first.head_len <= len && !memcmp(data + first.head_len - 4, "\r\n\r\n", 4));
		check_framing(&first);
	}
	check(parse(data, len, '\r') == result && !memcmp(&first, &scratch.resp, sizeof(first)));
	step = 1 + len / 64;
	for (n = len % step; n < len; n += step) {
		again = parse(data, n, 'x');
		if (result == HTTP_COMPLETE)
			check(again == (n < first.head_len ? HTTP_INCOMPLETE : HTTP_COMPLETE));
		else
			check(again != HTTP_COMPLETE);
		check(again != HTTP_BAD ||
		      (result == HTTP_BAD && scratch.resp.reason == first.reason));
	}
	return 0;
}
