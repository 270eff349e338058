/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `uri-host [ ":" port ]` of Host fields and of the authority in a target (RFC 9110, 7.2; RFC 3986,
 * 3.2.2). http_host_parse() measures and validates it, http_host_same() compares two of them.
 * Names are not resolved, nor IPv4 addresses validated: they are names like any other.
 */
#ifndef SLUICE_HTTP_HOST_H
#define SLUICE_HTTP_HOST_H

#include "http_message.h"

/* http_host_parse() returns the name's length (without a trailing dot), or this. */
#define HTTP_HOST_BAD (-1)
/* Or'ed to the length: valid, but a name that other software may understand differently. */
#define HTTP_HOST_ODD (1 << 16)

/* Decimal port in [pos, end), at most five digits. Returns `none` when empty, -1 when invalid. */
static __always_inline int http_port_parse(const struct http_scratch *s, __u64 pos, __u64 end,
					   int none)
{
	int port;

	if (pos >= end)
		return none;
	if (end - pos > 5)
		return -1;
	port = http_digits(http_word(s, pos), end - pos);
	return port > 65535 ? -1 : port;
}

/* http_ip6.last behind "::" */
#define HTTP_IP6_GAP 1

/* Takes a colon; false: no address. */
static __always_inline bool http_ip6_colon(volatile struct http_ip6 *ip)
{
	bool gap = ip->last == ':';

	if (ip->last == HTTP_IP6_GAP || ip->dots || ip->groups > 7)
		return false;
	if (gap && ++ip->gaps > 1)
		return false;
	ip->last = gap ? HTTP_IP6_GAP : ':';
	ip->groups += ip->digits > 0;
	ip->digits = 0;
	ip->value = 0;
	return true;
}

/* Takes a dot, a digit, or a byte that does not belong here. */
static __always_inline bool http_ip6_other(volatile struct http_ip6 *ip, __u8 byte)
{
	ip->last = byte;
	if (byte == '.') {
		if (!ip->digits || ip->digits > 3 || ip->value > 255 || ++ip->dots > 3)
			return false;
		ip->digits = 0;
		ip->value = 0;
		return true;
	}
	if (!http_is(byte, ip->dots ? HTTP_DIGIT : HTTP_HEX) || ++ip->digits > 4)
		return false;
	/* what is no decimal number of one byte stays that */
	if (ip->value > 255 || !http_is(byte, HTTP_DIGIT))
		ip->value = 256;
	else
		ip->value = ip->value * 10 + byte - '0';
	return true;
}

/* Is what was taken a whole address? */
static __always_inline bool http_ip6_ends(const volatile struct http_ip6 *ip)
{
	__u32 groups = ip->groups + (ip->digits > 0);

	if (ip->last == ':')
		return false;
	if (ip->dots) {
		if (ip->dots != 3 || !ip->digits || ip->digits > 3 || ip->value > 255)
			return false;
		groups++; /* the four bytes are two groups */
	}
	return ip->gaps ? groups <= 7 : groups == 8;
}

/*
 * IPv6 address from `start`, behind '['. Returns the position of ']' or -1. IPvFuture and zones are
 * not accepted.
 */
HTTP_FUNC int http_ip6_parse(struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	volatile struct http_ip6 *ip = &s->ip6;
	__u64 pos = start;
	bool ok = true;
	__u8 byte;

	ip->groups = 0;
	ip->digits = 0;
	ip->dots = 0;
	ip->gaps = 0;
	ip->last = 0;
	ip->value = 0;
	while (http_before(&pos, end) && ok && HTTP_CAN_LOOP) {
		byte = http_byte(s, pos);
		if (byte == ']')
			return http_ip6_ends(ip) ? (int)pos : -1;
		if (byte == ':')
			ok = http_ip6_colon(ip);
		else if (pos == start + 1 && ip->last == ':')
			ok = false; /* begins with a single colon */
		else
			ok = http_ip6_other(ip, byte);
		pos++;
	}
	return -1;
}

/* Any reg-name or IP-literal, byte by byte. As http_host_parse(). */
HTTP_FUNC int http_host_slow(struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	__u64 odd = http_unknown(s, 0);
	__u64 pos = start;
	__u64 name_end;
	int close;
	__u8 byte;

	if (http_byte(s, pos) == '.')
		return HTTP_HOST_BAD; /* configured wildcards begin so */
	if (http_byte(s, pos) == '[') {
		close = http_ip6_parse(s, start + 1, end);
		if (close < 0)
			return HTTP_HOST_BAD;
		pos = close + 1;
	}
	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		byte = http_byte(s, pos);
		if (!http_is(byte, HTTP_HOST) || http_byte(s, start) == '[')
			break;
		if (byte == '.' && http_byte(s, pos - 1) == '.')
			return HTTP_HOST_BAD;
		odd |= !http_is(byte, HTTP_NAME);
		pos++;
	}
	name_end = pos;
	if (http_byte(s, pos - 1) == '.') {
		odd = 1;
		name_end--;
	}
	if (pos < end && http_byte(s, pos) != ':')
		return HTTP_HOST_BAD;
	if (name_end <= start || http_port_parse(s, pos + 1, end, 0) < 0)
		return HTTP_HOST_BAD;
	return (int)(name_end - start) | (odd ? HTTP_HOST_ODD : 0);
}

/*
 * Validates the host and port in [start, end); the byte at `end` can be no part of a host. Returns
 * the name's length, HTTP_HOST_ODD added for a trailing dot (which is not counted) and for bytes
 * that host names do not have in practice; or HTTP_HOST_BAD.
 */
static __always_inline int http_host_parse(struct http_scratch *s, __u64 start, __u64 end)
{
	__u64 pos = start;
	__u64 before = '.';
	__u64 word, stops;

	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		word = http_word(s, pos);
		stops = http_host_stops(word, before);
		before = word >> 56;
		pos += http_count(stops);
		if (stops)
			break;
	}
	/* nothing but letters, digits, '-', '_' and single dots up to the end or a port? */
	if (pos == start || pos > end || http_byte(s, pos - 1) == '.')
		return http_host_slow(s, start, end);
	if (pos < end && http_byte(s, pos) != ':')
		return http_host_slow(s, start, end);
	return http_port_parse(s, pos + 1, end, 0) < 0 ? HTTP_HOST_BAD : (int)(pos - start);
}

/* Port of the valid host [host, host + len) with a name of `name` bytes; `none` without one. */
static __always_inline int http_host_port(const struct http_scratch *s, __u64 host, __u64 name,
					  __u64 len, int none)
{
	__u64 pos = host + name;

	if (name < len && http_byte(s, pos) == '.')
		pos++; /* a trailing dot is not counted */
	return http_port_parse(s, pos + 1, host + len, none);
}

/* Are the `len` bytes at `a` and `b` one name, whatever its case? */
HTTP_FUNC bool http_name_same(const struct http_scratch *s HTTP_NONNULL, __u32 a, __u32 b,
			      __u32 len)
{
	__u64 end = (__u64)a + len;
	__u64 pos = a;
	__u32 x, y;

	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		x = s->buf[pos];
		y = http_byte(s, pos - a + b);
		pos++;
		if (x == y)
			continue;
		if ((x | 0x20) != (y | 0x20) || (x | 0x20) < 'a' || (x | 0x20) > 'z')
			return false;
	}
	return true;
}

#endif
