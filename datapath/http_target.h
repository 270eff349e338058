/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The request line: `method SP target SP HTTP/1.x CRLF` (RFC 9112, 3). http_request_line() is the
 * entry. Nothing is decoded or normalised; what a path may be compared with is said by flags.
 * Common requests (GET or HEAD, origin form, plain path, HTTP/1.1) take the word-wise way.
 */
#ifndef SLUICE_HTTP_TARGET_H
#define SLUICE_HTTP_TARGET_H

#include "http_field.h"
#include "http_host.h"
#include "http_message.h"
#include "http_name.h"

#define HTTP_METHOD_MAX 24 /* longest token that is taken for a method */

#define HTTP_METHOD(word, name) { HTTP_WORD word, HTTP_##name }

/* Methods of five to eight bytes with the SP behind them, and shorter ones. */
static const struct http_method_name {
	__u64 word;
	__u64 method;
} http_method_names[] = {
	HTTP_METHOD(('P', 'O', 'S', 'T', 0, 0, 0, 0), POST),
	HTTP_METHOD(('P', 'U', 'T', 0, 0, 0, 0, 0), PUT),
	HTTP_METHOD(('D', 'E', 'L', 'E', 'T', 'E', 0, 0), DELETE),
	HTTP_METHOD(('O', 'P', 'T', 'I', 'O', 'N', 'S', 0), OPTIONS),
	HTTP_METHOD(('P', 'A', 'T', 'C', 'H', 0, 0, 0), PATCH),
	HTTP_METHOD(('C', 'O', 'N', 'N', 'E', 'C', 'T', 0), CONNECT),
	HTTP_METHOD(('T', 'R', 'A', 'C', 'E', 0, 0, 0), TRACE),
};

/* Any method. Returns the position of the SP behind it or an enum http_line. */
HTTP_FUNC int http_method_slow(struct http_scratch *s HTTP_NONNULL, __u32 start)
{
	__u64 len = s->len;
	__u64 pos = start;
	__u64 word;
	__u32 i;

	while (http_before(&pos, len) && HTTP_CAN_LOOP) {
		if (!http_is(http_byte(s, pos), HTTP_TOKEN))
			break;
		pos++;
	}
	if (pos > start + HTTP_METHOD_MAX)
		return http_line_bad(HTTP_REJECT_METHOD);
	if (pos >= len)
		return HTTP_LINE_MORE;
	if (http_byte(s, pos) != ' ' || pos == start)
		return http_line_bad(HTTP_REJECT_METHOD);
	s->req.method = HTTP_OTHER;
	if (pos - start > 7)
		return pos;
	word = http_word(s, start) & ((1ULL << ((pos - start) * 8 & 63)) - 1);
	if (word == HTTP_WORD('P', 'R', 'I', 0, 0, 0, 0, 0))
		return http_line_bad(HTTP_REJECT_PREFACE);
	for (i = 0; i < sizeof(http_method_names) / sizeof(http_method_names[0]); i++)
		if (http_method_names[i].word == word)
			s->req.method = http_method_names[i].method;
	return pos;
}

/* Behind the last byte of a query that begins at `pos`. */
static __always_inline __u64 http_query_end(const struct http_scratch *s, __u64 pos, __u64 len)
{
	__u64 stops;

	pos = http_unknown(s, pos);
	while (http_before(&pos, len) && HTTP_CAN_LOOP) {
		stops = http_query_stops(http_word(s, pos));
		pos += http_count(stops);
		if (stops)
			break;
	}
	return pos;
}

/* `pos`, when the target ends there with SP; else an enum http_line. */
static __always_inline int http_target_ends(const struct http_scratch *s, __u64 pos, __u64 len)
{
	__u8 byte = http_byte(s, pos);

	if (pos >= len)
		return HTTP_LINE_MORE;
	if (byte == ' ')
		return pos;
	if (byte == '#')
		return http_line_bad(HTTP_REJECT_TARGET_FRAGMENT);
	if (byte == '\r' || byte == '\n')
		return http_line_bad(HTTP_REJECT_REQUEST_LINE);
	return http_line_bad(HTTP_REJECT_TARGET_BYTE);
}

/* What the segment of a path consists of so far. */
enum http_segment {
	HTTP_SEGMENT_EMPTY,
	HTTP_SEGMENT_DOT,
	HTTP_SEGMENT_DOTS,
	HTTP_SEGMENT_NAME,
};

/* Takes a byte of a path; `byte` '?' stands for its end. False: not to be compared literally. */
static __always_inline bool http_segment_step(__u64 *segment, __u8 byte)
{
	__u64 was = *segment;

	if (byte != '/' && byte != '?') {
		*segment = byte == '.' && was < HTTP_SEGMENT_DOTS ? was + 1 : HTTP_SEGMENT_NAME;
		return http_is(byte, HTTP_PATH);
	}
	*segment = HTTP_SEGMENT_EMPTY;
	if (was == HTTP_SEGMENT_EMPTY)
		return byte == '?'; /* a final '/' */
	return was == HTTP_SEGMENT_NAME;
}

/*
 * Path and query from `path`, whatever they hold. Fills path_off, path_len and flags. Returns the
 * position of the SP that ends the target, or an enum http_line.
 */
HTTP_FUNC int http_path_slow(struct http_scratch *s HTTP_NONNULL, __u32 path)
{
	__u64 segment = http_unknown(s, HTTP_SEGMENT_NAME); /* before the first '/' */
	struct http_request *r = &s->req;
	__u64 odd = http_unknown(s, 0);
	__u64 len = s->len;
	__u64 pos = path;
	__u8 byte = 0;

	while (http_before(&pos, len) && HTTP_CAN_LOOP) {
		byte = http_byte(s, pos);
		if (byte == '?' || !http_is(byte, HTTP_TARGET))
			break;
		odd |= !http_segment_step(&segment, byte);
		pos++;
	}
	if (pos >= len)
		return HTTP_LINE_MORE;
	odd |= !http_segment_step(&segment, '?');
	r->path_off = path;
	r->path_len = pos - path;
	if (!odd && r->flags & HTTP_ORIGIN_FORM)
		r->flags |= HTTP_PLAIN_PATH;
	if (byte == '?') {
		r->flags |= HTTP_QUERY;
		pos = http_query_end(s, pos + 1, len);
	}
	return http_target_ends(s, pos, len);
}

/* Authority from `start` to the first '/', '?' or byte that cannot be in a target. */
HTTP_FUNC int http_authority(struct http_scratch *s HTTP_NONNULL, __u32 start)
{
	__u64 len = s->len;
	__u64 pos = start;
	__u8 byte;
	int name;

	while (http_before(&pos, len) && HTTP_CAN_LOOP) {
		byte = http_byte(s, pos);
		if (!http_is(byte, HTTP_TARGET) || byte == '/' || byte == '?')
			break;
		pos++;
	}
	if (pos >= len)
		return HTTP_LINE_MORE;
	name = http_host_parse(s, start, pos);
	if (name < 0)
		return http_line_bad(HTTP_REJECT_AUTHORITY);
	if (name & HTTP_HOST_ODD)
		s->req.flags |= HTTP_HOST_UNUSUAL;
	s->req.authority_off = start;
	s->req.authority_len = pos - start;
	s->req.authority_name_len = name;
	return pos;
}

/* Length of `http://` or `https://` at `pos`; 0 for anything else, or HTTP_LINE_MORE. */
static __always_inline int http_scheme(const struct http_scratch *s, __u64 pos, __u64 len)
{
	__u64 word = http_word(s, pos);
	__u64 http = (word | HTTP_WORD(0x20, 0x20, 0x20, 0x20, 0, 0, 0, 0)) << 8;

	if (pos + 8 > len)
		return HTTP_LINE_MORE;
	if (http == HTTP_WORD(0, 'h', 't', 't', 'p', ':', '/', '/'))
		return 7;
	word |= HTTP_WORD(0x20, 0x20, 0x20, 0x20, 0x20, 0, 0, 0);
	return word == HTTP_WORD('h', 't', 't', 'p', 's', ':', '/', '/') ? 8 : 0;
}

/* Target in another form than origin form (RFC 9112, 3.2). As http_path_slow(). */
HTTP_FUNC int http_target_slow(struct http_scratch *s HTTP_NONNULL, __u32 pos)
{
	struct http_request *r = &s->req;
	__u8 byte = http_byte(s, pos);
	__u64 len = s->len;
	int end;

	if (byte == ' ')
		return http_line_bad(HTTP_REJECT_REQUEST_LINE);
	if (r->method == HTTP_CONNECT) {
		r->flags |= HTTP_AUTHORITY_FORM;
		end = http_authority(s, pos);
		if (end < 0)
			return end;
		/* the port is not optional (RFC 9112, 3.2.3) */
		if (http_host_port(s, pos, r->authority_name_len, r->authority_len, -1) < 0)
			return http_line_bad(HTTP_REJECT_AUTHORITY);
		r->path_off = end;
		return http_target_ends(s, end, len);
	}
	if (byte == '*' && r->method == HTTP_OPTIONS) {
		r->flags |= HTTP_ASTERISK_FORM;
		r->path_off = pos + 1;
		return http_target_ends(s, pos + 1, len);
	}
	if ((byte | 0x20) != 'h')
		return http_line_bad(HTTP_REJECT_TARGET_FORM);
	end = http_scheme(s, pos, len);
	if (end <= 0)
		return end < 0 ? end : http_line_bad(HTTP_REJECT_TARGET_FORM);
	r->flags |= HTTP_ABSOLUTE_FORM;
	end = http_authority(s, pos + end);
	return end < 0 ? end : http_path_slow(s, end);
}

/* Origin form whose path, from `pos` to `end`, holds nothing but letters, digits, '-' ... */
static __always_inline int http_target_plain(struct http_scratch *s, __u64 pos, __u64 end,
					     __u64 len, __u64 upper)
{
	struct http_request *r = &s->req;
	__u8 byte = http_byte(s, end);

	if (end >= len)
		return HTTP_LINE_MORE;
	if (byte != ' ' && byte != '?')
		return http_path_slow(s, pos);
	r->path_off = pos;
	r->path_len = end - pos;
	r->flags |= HTTP_PLAIN_PATH;
	r->is_normal = !upper;
	if (byte == ' ')
		return end;
	r->flags |= HTTP_QUERY;
	end = http_query_end(s, end + 1, len);
	return http_target_ends(s, end, len);
}

/* Origin form: `pos`, a masked one, is at the '/'. As http_path_slow(). */
static __always_inline int http_target_origin(struct http_scratch *s, __u64 pos, __u64 len)
{
	__u64 word, stops, below;
	__u64 at = pos, upper = 0;

	s->req.flags |= HTTP_ORIGIN_FORM;
	do {
		word = http_load8(s->buf + at, 1);
		stops = http_path_stops(word);
		below = http_below(stops);
		if (http_dot_stops(http_load8(s->buf + at, 0), word) & below)
			return http_path_slow(s, pos);
		upper |= http_upper(word) & below;
		if (stops)
			return http_target_plain(s, pos, at + http_behind(stops), len, upper);
		at += 8;
	} while (http_before(&at, len) && HTTP_CAN_LOOP);
	return HTTP_LINE_MORE;
}

/* `HTTP/digit.digit CRLF` at `pos`. Returns the position behind it or an enum http_line. */
HTTP_FUNC int http_version_slow(struct http_scratch *s HTTP_NONNULL, __u32 start)
{
	static const __u8 want[8] = { 'H', 'T', 'T', 'P', '/', '0', '.', '0' };
	__u64 len = s->len;
	__u64 pos = start;
	__u8 byte, major, minor;
	__u32 i;
	int end;

	for (i = 0; i < sizeof(want); i++, pos++) {
		if (pos >= len)
			return HTTP_LINE_MORE;
		byte = http_byte(s, pos);
		if (!i && byte == ' ')
			return http_line_bad(HTTP_REJECT_REQUEST_LINE);
		if (byte != want[i] && (want[i] != '0' || !http_is(byte, HTTP_DIGIT)))
			return http_line_bad(HTTP_REJECT_VERSION_SYNTAX);
	}
	if (pos >= len)
		return HTTP_LINE_MORE;
	major = http_byte(s, start + 5);
	minor = http_byte(s, start + 7);
	if (major != '1' || (minor != '0' && minor != '1'))
		return http_line_bad(HTTP_REJECT_VERSION);
	s->req.minor = minor - '0';
	end = http_line_ends(s, pos, len, HTTP_REJECT_VERSION_SYNTAX);
	return end < 0 ? end : end + 2;
}

/* At most two empty lines before the request line (RFC 9112, 2.2); llhttp skips any number. */
HTTP_FUNC int http_empty_lines(struct http_scratch *s HTTP_NONNULL)
{
	__u64 len = s->len;
	__u64 pos;
	int end;

	for (pos = 0; pos <= 4; pos += 2) {
		if (pos >= len)
			return HTTP_LINE_MORE;
		if (http_byte(s, pos) != '\r' && http_byte(s, pos) != '\n')
			break;
		end = http_line_ends(s, pos, len, HTTP_REJECT_METHOD);
		if (end < 0)
			return end;
	}
	if (pos > 4)
		return http_line_bad(HTTP_REJECT_EMPTY_LINES);
	s->req.start = pos;
	return pos;
}

/* The request line. Returns the position of the first field line, or an enum http_line. */
HTTP_FUNC int http_request_line(struct http_scratch *s HTTP_NONNULL)
{
	struct http_request *r = &s->req;
	__u64 len = s->len;
	__u64 pos = 0;
	__u64 word;
	int end = 0;

	if (http_byte(s, 0) < 0x20) {
		end = http_empty_lines(s);
		if (end < 0)
			return end;
		r->flags |= end ? HTTP_EMPTY_LINES : 0;
	}
	pos = http_unknown(s, end);
	if (pos >= len)
		return HTTP_LINE_MORE;
	word = http_word(s, pos);
	if ((word & 0xffffffff) == HTTP_WORD('G', 'E', 'T', ' ', 0, 0, 0, 0)) {
		pos += 4; /* HTTP_GET is 0 */
	} else if ((word & 0xffffffffff) == HTTP_WORD('H', 'E', 'A', 'D', ' ', 0, 0, 0)) {
		r->method = HTTP_HEAD;
		pos += 5;
	} else {
		end = http_method_slow(s, pos);
		if (end < 0)
			return end;
		pos = http_unknown(s, end + 1);
	}
	if (!http_before(&pos, len))
		return HTTP_LINE_MORE;
	r->target_off = pos;
	if (http_byte(s, pos) == '/' && r->method != HTTP_CONNECT)
		end = http_target_origin(s, pos, len);
	else
		end = http_target_slow(s, pos);
	if (end < 0)
		return end;
	r->target_len = end - pos;
	pos = http_unknown(s, end);
	if (pos >= len)
		return HTTP_LINE_MORE;
	word = http_word(s, pos + 1);
	if (pos + 11 <= len && word == HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', '1') &&
	    http_half(s, pos + 9) == HTTP_CRLF) {
		r->minor = 1;
		return pos + 11;
	}
	return http_version_slow(s, pos + 1);
}

#endif
