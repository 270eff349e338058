/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of the fields that decide about framing and persistence: Content-Length,
 * Transfer-Encoding, Connection. Shared by the request and the response parser.
 */
#ifndef SLUICE_HTTP_VALUE_H
#define SLUICE_HTTP_VALUE_H

#include "http_message.h"
#include "http_name.h"

#define HTTP_LENGTH_DIGITS 16 /* bodies are shorter than ten thousand terabytes */

/* A field value without the white space around it: buf[start, end). */
struct http_value {
	__u64 start;
	__u64 end;
};

static __always_inline bool http_is_space(__u8 byte)
{
	return byte == ' ' || byte == '\t';
}

/* Strips optional white space (RFC 9110, 5.6.3). end <= HTTP_BUF_BYTES. */
static __always_inline struct http_value http_value_strip(const struct http_scratch *s, __u64 start,
							  __u64 end)
{
	struct http_value v = { start + (http_byte(s, start) == ' '), end };
	__u64 last = end - 1;

	if (v.start < end && !http_is_space(http_byte(s, v.start)) &&
	    !http_is_space(http_byte(s, last)))
		return v;

	while (http_before(&v.start, v.end) && HTTP_CAN_LOOP) {
		if (!http_is_space(s->buf[v.start]))
			break;
		v.start++;
	}
	while (v.start < v.end && HTTP_CAN_LOOP) {
		last = http_masked(v.end - 1);
		if (!http_is_space(s->buf[last]))
			break;
		v.end = last;
	}
	return v;
}

/* Is there HTAB in the white space [pos, end) behind a value? To llhttp it is part of that. */
static __always_inline bool http_has_tab(const struct http_scratch *s, __u64 pos, __u64 end)
{
	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		if (s->buf[pos] == '\t')
			return true;
		pos++;
	}
	return false;
}

/* One to sixteen digits without leading zeros. Stores the number; false when it is none. */
static __always_inline bool http_length_parse(const struct http_scratch *s, struct http_value v,
					      __u64 *length)
{
	__u64 count = v.end - v.start;
	__u64 start = http_masked(v.start);
	int high = 0;
	int low;

	if (v.start >= v.end || count > HTTP_LENGTH_DIGITS)
		return false;
	if (http_byte(s, start) == '0' && count > 1)
		return false;
	if (count > 8) {
		high = http_digits(http_word(s, start), count - 8);
		start = http_masked(start + count - 8);
		count = 8;
	}
	low = http_digits(http_word(s, start), count);
	if (low < 0 || high < 0)
		return false;
	*length = high * 100000000ULL + low;
	return true;
}

/* Exactly `chunked`, in any case. */
static __always_inline bool http_is_chunked(const struct http_scratch *s, struct http_value v)
{
	__u64 word = http_word(s, v.start) | HTTP_REP(0x20);

	return v.start + 7 == v.end && word << 8 == HTTP_WORD(0, 'c', 'h', 'u', 'n', 'k', 'e', 'd');
}

enum http_option {
	HTTP_OPTION_CLOSE = 1,
	HTTP_OPTION_KEEP_ALIVE = 2,
	HTTP_OPTION_UPGRADE = 4,
};

/* The option that is [start, end), in any case; 0 for others. */
static __always_inline __u32 http_option(const struct http_scratch *s, __u64 start, __u64 end)
{
	__u64 word = http_word(s, start) | HTTP_REP(0x20);
	__u16 rest = http_half(s, start + 8) | 0x2020;

	if (start + 10 == end && word == HTTP_WORD('k', 'e', 'e', 'p', '-', 'a', 'l', 'i') &&
	    rest == ('v' | 'e' << 8))
		return HTTP_OPTION_KEEP_ALIVE;
	if (start + 5 == end && word << 24 == HTTP_WORD(0, 0, 0, 'c', 'l', 'o', 's', 'e'))
		return HTTP_OPTION_CLOSE;
	if (start + 7 == end && word << 8 == HTTP_WORD(0, 'u', 'p', 'g', 'r', 'a', 'd', 'e'))
		return HTTP_OPTION_UPGRADE;
	return 0;
}

/*
 * Options of a Connection field, a comma-separated list (RFC 9110, 7.6.1). Returns a set of enum
 * http_option; others are nobody's business here.
 */
HTTP_FUNC __u32 http_option_list(const struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	__u64 options = http_unknown(s, 0);
	__u64 first = start;
	__u64 last = start; /* behind the option's last byte */
	__u64 pos = start;
	__u8 byte;

	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		byte = http_byte(s, pos);
		pos++;
		if (byte == ',') {
			options |= http_option(s, first, last);
			first = pos;
			last = pos;
		} else if (!http_is_space(byte)) {
			last = pos;
		} else if (first + 1 == pos) {
			first = pos;
			last = pos;
		}
	}
	return options | http_option(s, first, last);
}

#endif
