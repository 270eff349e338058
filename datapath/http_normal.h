/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path that a target may stand for, whatever software behind reads it: percent-decoded until
 * nothing is left to decode, in lower case, '\' as '/', without empty and dot segments, parameters
 * and trailing slash. http_normal_begin(), then http_normal_next() until it returns the end: on the
 * way it stops at every other path that some software may see. Plain C like the parsers.
 *
 * The order in which escapes are decoded does not matter: "%HH" holds no '%' but its first byte, so
 * two of them never overlap, and each decoding makes the path shorter.
 */
#ifndef SLUICE_HTTP_NORMAL_H
#define SLUICE_HTTP_NORMAL_H

#include "http_message.h"

#define HTTP_NORMAL_STEPS 8    /* stops before the end */
#define HTTP_NORMAL_BYTES 4096 /* longest form that is judged */

/* buf[0, seen), without trailing slash, is ... */
enum http_normal_step {
	HTTP_NORMAL_MORE, /* not returned */
	HTTP_NORMAL_END,  /* ... the normal form */
	HTTP_NORMAL_CUT,  /* ... what comes before a ';', '?' or '#': to some the whole path */
	HTTP_NORMAL_UP,	  /* ... what a ".." leaves: some do not resolve it */
	HTTP_NORMAL_BAD,  /* what the path stands for cannot be told */
};

struct http_normal {
	__u32 pos, end; /* in the message: what is left of the path */
	__u32 len;	/* bytes of buf that are used */
	__u32 at;	/* where the segment under way begins; behind a '/' */
	__u32 cut;	/* where its parameters begin; 0: none yet */
	__u32 seen;	/* 0: the root */
	__u32 ups;	/* ".." that were resolved */
	__u32 steps;
	__u8 is_odd; /* something else than case and ".." is not plain */
	__u8 is_over;
	__u8 pad[6];
	__u8 buf[HTTP_NORMAL_BYTES];
};

static __always_inline __u64 http_normal_masked(__u64 index)
{
	HTTP_OPAQUE(index);
	return index & (HTTP_NORMAL_BYTES - 1);
}

static __always_inline __u8 http_normal_byte(const struct http_normal *n, __u64 pos)
{
	return n->buf[http_normal_masked(pos)];
}

static __always_inline void http_normal_put(struct http_normal *n, __u64 pos, __u8 byte)
{
	n->buf[http_normal_masked(pos)] = byte;
}

/* The path of s->req; a target without one stands for the root. */
static __always_inline void http_normal_begin(struct http_normal *n, const struct http_request *r)
{
	n->pos = r->path_off + (r->path_len ? 1 : 0);
	n->end = r->path_off + r->path_len;
	n->len = 1;
	n->at = 1;
	n->cut = 0;
	n->seen = 0;
	n->ups = 0;
	n->steps = 0;
	n->is_odd = 0;
	n->is_over = 0;
	n->buf[0] = '/';
}

/* Stops; more stops than anybody needs are bad. */
static __always_inline int http_normal_stop(struct http_normal *n, __u32 len, int step)
{
	n->seen = len > 1 && http_normal_byte(n, len - 1) == '/' ? len - 1 : len;
	if (len <= 1)
		n->seen = 0;
	return ++n->steps > HTTP_NORMAL_STEPS ? HTTP_NORMAL_BAD : step;
}

/* Takes the segment before the current one away, if there is one. */
static __always_inline void http_normal_pop(struct http_normal *n)
{
	__u64 at = n->at;

	while (at > 2 && HTTP_CAN_LOOP) {
		at--;
		if (http_normal_byte(n, at - 1) == '/')
			break;
	}
	if (at == 2)
		at = 1; /* a segment of one byte */
	n->at = at;
	n->len = at;
}

/* The segment ends here. */
static __always_inline int http_normal_segment(struct http_normal *n)
{
	__u32 end = n->cut ? n->cut : n->len, size = end - n->at, len = n->at;
	bool dot = http_normal_byte(n, n->at) == '.';

	n->cut = 0;
	n->len = len;
	if (!size) {
		n->is_odd |= !n->is_over;
		return HTTP_NORMAL_MORE;
	}
	if (size == 1 && dot) {
		n->is_odd = 1;
		return HTTP_NORMAL_MORE;
	}
	if (size == 2 && dot && http_normal_byte(n, n->at + 1) == '.') {
		n->ups++;
		http_normal_pop(n);
		return http_normal_stop(n, len, HTTP_NORMAL_UP);
	}
	http_normal_put(n, end, '/');
	n->len = end + 1;
	n->at = end + 1;
	return HTTP_NORMAL_MORE;
}

/* A longer form of UTF-8 than needed, with which decoders of old could be fooled (RFC 3629, 3). */
static __always_inline bool http_normal_overlong(__u8 first, __u8 second)
{
	if (second < 0x80 || second > 0xbf)
		return false;
	return first == 0xc0 || first == 0xc1 || (first == 0xe0 && second < 0xa0) ||
	       (first == 0xf0 && second < 0x90) || (first == 0xf8 && second < 0x88) ||
	       (first == 0xfc && second < 0x84);
}

static __always_inline __u8 http_hex_value(__u8 digit)
{
	return (digit & 0x0f) + (digit >= 'A' ? 9 : 0);
}

/* Takes a byte, decoded with those before it as far as possible. */
static __always_inline int http_normal_take(struct http_normal *n, __u8 byte)
{
	while (http_is(byte, HTTP_HEX) && n->len >= n->at + 2 && HTTP_CAN_LOOP) {
		__u8 high = http_normal_byte(n, n->len - 1);

		if (http_normal_byte(n, n->len - 2) != '%' || !http_is(high, HTTP_HEX))
			break;
		byte = http_hex_value(high) << 4 | http_hex_value(byte);
		n->len -= 2;
		n->is_odd = 1;
	}
	if (byte == '\\') {
		n->is_odd = 1;
		byte = '/';
	}
	if (byte == '/')
		return http_normal_segment(n);
	if (byte < 0x20 || byte == 0x7f || n->len >= HTTP_NORMAL_BYTES - 1 ||
	    http_normal_overlong(http_normal_byte(n, n->len - 1), byte))
		return HTTP_NORMAL_BAD;
	http_normal_put(n, n->len, byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
	n->len++;
	if (byte == ';' && !n->cut) {
		n->is_odd = 1;
		n->cut = n->len - 1;
		return http_normal_stop(n, n->cut, HTTP_NORMAL_CUT);
	}
	if (byte == '?' || byte == '#')
		return http_normal_stop(n, n->cut ? n->cut : n->len - 1, HTTP_NORMAL_CUT);
	return HTTP_NORMAL_MORE;
}

/* On to the next stop. Returns enum http_normal_step. */
HTTP_FUNC int http_normal_next(struct http_scratch *s HTTP_NONNULL,
			       struct http_normal *n HTTP_NONNULL)
{
	__u64 pos = n->pos, end = n->end;
	int step = HTTP_NORMAL_MORE;

	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		__u8 byte = http_byte(s, pos);

		/* an escape that is none is read in more ways than one */
		if (byte == '%' && (pos + 2 >= end || !http_is(http_byte(s, pos + 1), HTTP_HEX) ||
				    !http_is(http_byte(s, pos + 2), HTTP_HEX)))
			return HTTP_NORMAL_BAD;
		pos++;
		step = http_normal_take(n, byte);
		if (step != HTTP_NORMAL_MORE)
			break;
	}
	n->pos = pos;
	if (step != HTTP_NORMAL_MORE)
		return step;
	if (!n->is_over) {
		n->is_over = 1;
		step = http_normal_segment(n);
		if (step != HTTP_NORMAL_MORE)
			return step;
	}
	n->steps = 0;
	return http_normal_stop(n, n->len, HTTP_NORMAL_END);
}

#endif
