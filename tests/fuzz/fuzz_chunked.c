// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: the framing of chunked bodies. The first two bytes of an input choose where the rest
 * is cut. Whole, in two pieces and in single bytes the result and the end must be the same, and
 * what is done must pass a second reader of RFC 9112, 7.1 that shares no code with the first.
 * build: clang-19 -g -O1 -fsanitize=fuzzer,address,undefined -I datapath tests/fuzz/fuzz_chunked.c
 */
#include <stdlib.h>

#include "http_native.h"

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Advances piece by piece; 0: all at once. Stores the bytes that belong to the body. */
static int advance(const __u8 *data, size_t len, size_t first, size_t piece, size_t *end)
{
	struct __sk_buff skb = { data, len };
	struct http_chunks c = {};
	int result = HTTP_BODY_MORE;
	size_t at = 0, n = first;
	__u32 used;

	while (result == HTTP_BODY_MORE || result == HTTP_BODY_TOO_MANY) {
		n = n < len - at ? n : len - at;
		result = http_body_advance(&skb, at, n, &c, true, &used);
		check(used <= n && (result != HTTP_BODY_MORE || used == n));
		at += used;
		if (at == len)
			break;
		n = piece;
	}
	*end = at;
	return result;
}

/* Value of a hex digit, -1. */
static int hex(__u8 byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = byte ? strchr(digits, byte >= 'A' && byte <= 'F' ? byte + 32 : byte) :
				NULL;

	return at ? at - digits : -1;
}

/* A line that ends with CRLF at `at`. Returns the position behind it. */
static size_t read_line(const __u8 *data, size_t len, size_t at)
{
	for (; at < len && data[at] != '\r'; at++)
		check(data[at] == '\t' || (data[at] >= 0x20 && data[at] != 0x7f));
	check(at + 1 < len && data[at + 1] == '\n');
	return at + 2;
}

/* End of a body that is well-formed. */
static size_t read_body(const __u8 *data, size_t len)
{
	unsigned long long size;
	size_t at = 0;

	do {
		check(at < len && hex(data[at]) >= 0);
		for (size = 0; at < len && hex(data[at]) >= 0; at++)
			size = size * 16 + hex(data[at]);
		check(at < len && (data[at] == ';' || data[at] == '\r'));
		at = read_line(data, len, at);
		if (size) {
			check(size <= len - at);
			at += size;
			check(at + 1 < len && data[at] == '\r' && data[at + 1] == '\n');
			at += 2;
		}
	} while (size);
	while (at < len && data[at] != '\r')
		at = read_line(data, len, at);
	return read_line(data, len, at);
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t len)
{
	size_t first, end, again;
	int result;

	if (len < 2)
		return 0;
	first = data[0] | data[1] << 8;
	data += 2;
	len -= 2;
	result = advance(data, len, len, len, &end);
	check(advance(data, len, first % (len + 1), len, &again) == result && again == end);
	check(advance(data, len, 1, 1, &again) == result && again == end);
	check(advance(data, len, first % 97, 1 + first % 131, &again) == result && again == end);
	if (result == HTTP_BODY_DONE)
		check(read_body(data, end) == end);
	return 0;
}
