/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Field lines of a header block (RFC 9112, 5): http_field_next() cuts the next line, strictly, and
 * http_field_id() recognises the names that the parsers act on. Both see names and values as
 * offsets into the buffer; values are not yet stripped of white space.
 *
 * What a parser could read differently than llhttp does is a reject: every rule has its own value.
 */
#ifndef SLUICE_HTTP_FIELD_H
#define SLUICE_HTTP_FIELD_H

#include "http_message.h"
#include "http_name.h"

/* HTTP_REJECT_##name, the status that it is answered with, text for traces. */
#define HTTP_REJECTS(X)                                                                            \
	X(NONE, 0, "none")                                                                         \
	X(EMPTY_LINES, 400, "more than two empty lines before a request")                          \
	X(METHOD, 400, "method is not a token, or too long")                                       \
	X(PREFACE, 505, "PRI: an HTTP/2 preface, for which llhttp has a framing of its own")       \
	X(REQUEST_LINE, 400, "request line is not `method SP target SP version`")                  \
	X(TARGET_BYTE, 400, "control byte in the target")                                          \
	X(TARGET_FRAGMENT, 400, "'#' in the target")                                               \
	X(TARGET_FORM, 400, "target's form does not fit the method")                               \
	X(TARGET_LONG, 414, "request line longer than the buffer")                                 \
	X(VERSION, 505, "version is neither HTTP/1.0 nor HTTP/1.1")                                \
	X(VERSION_SYNTAX, 400, "what follows the target is no version and CRLF")                   \
	X(BARE_CR, 400, "CR without LF")                                                           \
	X(BARE_LF, 400, "LF without CR")                                                           \
	X(FOLD, 400, "line begins with white space: folding (obs-fold)")                           \
	X(NAME_EMPTY, 400, "field without a name")                                                 \
	X(NAME_BYTE, 400, "byte in a field name that is no token byte")                            \
	X(NAME_SPACE, 400, "white space before the colon of a field")                              \
	X(NO_COLON, 400, "field line without a colon")                                             \
	X(VALUE_BYTE, 400, "control byte in a field value")                                        \
	X(LOOKALIKE, 400, "framing field spelt with '_'")                                          \
	X(HOST_MISSING, 400, "HTTP/1.1 without Host")                                              \
	X(HOST_TWICE, 400, "more than one Host")                                                   \
	X(HOST_INVALID, 400, "Host is no host and port")                                           \
	X(HOST_DIFFERS, 400, "Host is not the target's authority")                                 \
	X(AUTHORITY, 400, "target's authority is no host and port")                                \
	X(LENGTH_INVALID, 400, "Content-Length is no plain number of up to 16 digits")             \
	X(LENGTH_TWICE, 400, "more than one Content-Length")                                       \
	X(LENGTH_AND_CODING, 400, "Content-Length together with Transfer-Encoding")                \
	X(CODING, 400, "Transfer-Encoding is not just `chunked`")                                  \
	X(CODING_TWICE, 400, "more than one Transfer-Encoding")                                    \
	X(CODING_VERSION, 400, "Transfer-Encoding in HTTP/1.0")                                    \
	X(HEAD_LONG, 431, "header block longer than the buffer")                                   \
	X(STATUS_LINE, 400, "response does not begin with a status line")

enum http_reject {
#define HTTP_X(name, status, text) HTTP_REJECT_##name,
	HTTP_REJECTS(HTTP_X)
#undef HTTP_X
		HTTP_REJECT_COUNT,
};

static __always_inline __u16 http_reject_status(__u32 reason)
{
	static const __u16 statuses[64] = {
#define HTTP_X(name, status, text) [HTTP_REJECT_##name] = status,
		HTTP_REJECTS(HTTP_X)
#undef HTTP_X
	};

	HTTP_OPAQUE(reason); /* clang knows its range and drops the mask */
	return statuses[reason & 63];
}

#ifndef __bpf__
static inline const char *http_reject_text(__u32 reason)
{
	static const char *const texts[] = {
#define HTTP_X(name, status, text) [HTTP_REJECT_##name] = text,
		HTTP_REJECTS(HTTP_X)
#undef HTTP_X
	};

	return reason < HTTP_REJECT_COUNT ? texts[reason] : "unknown";
}
#endif

/* What a scanner returns instead of a position, and http_field_next() instead of 0. */
enum http_line {
	HTTP_LINE_MORE = -1, /* bytes are missing */
	HTTP_LINE_END = -2,  /* the empty line that ends the block */
	/* -HTTP_LINE_BAD - reason: malformed */
	HTTP_LINE_BAD = 16,
};

struct http_field {
	__u64 name; /* position of the line */
	__u64 next; /* of the next line, or of the end of the block when the line is empty */
	__u32 id;   /* enum http_field_id */
	__u32 len;  /* of a name with an id, but for prefixes like X-Forwarded- */
};

static __always_inline int http_line_bad(enum http_reject reason)
{
	return -HTTP_LINE_BAD - (int)reason;
}

/* CRLF at `pos` < len? Returns `pos`, HTTP_LINE_MORE, or a reject: `other` for other bytes. */
static __always_inline int http_line_ends(const struct http_scratch *s, __u64 pos, __u64 len,
					  enum http_reject other)
{
	__u8 byte = http_byte(s, pos);

	if (byte == '\n')
		return http_line_bad(HTTP_REJECT_BARE_LF);
	if (byte != '\r')
		return http_line_bad(other);
	if (pos + 1 >= len)
		return HTTP_LINE_MORE;
	return http_byte(s, pos + 1) == '\n' ? (int)pos : http_line_bad(HTTP_REJECT_BARE_CR);
}

/*
 * A line at `start` that http_name_stops() did not follow up to a colon: names with rarer token
 * bytes, the end of the block, errors. Returns the colon's position or an enum http_line.
 */
HTTP_FUNC int http_name_slow(const struct http_scratch *s HTTP_NONNULL, __u32 start)
{
	__u64 len = s->len;
	__u64 pos = start;
	__u8 byte;
	int end;

	while (http_before(&pos, len) && HTTP_CAN_LOOP) {
		if (!http_is(s->buf[pos], HTTP_TOKEN))
			break;
		pos++;
	}
	if (pos >= len)
		return HTTP_LINE_MORE;
	byte = http_byte(s, pos);
	if (byte == ':')
		return pos == start ? http_line_bad(HTTP_REJECT_NAME_EMPTY) : (int)pos;
	if (byte == ' ' || byte == '\t')
		return http_line_bad(pos == start ? HTTP_REJECT_FOLD : HTTP_REJECT_NAME_SPACE);
	end = http_line_ends(s, pos, len, HTTP_REJECT_NAME_BYTE);
	if (end < 0)
		return end;
	return pos == start ? HTTP_LINE_END : http_line_bad(HTTP_REJECT_NO_COLON);
}

/* The rest of a value with HTAB, obs-text or an error at `start`. Returns the CR's position. */
HTTP_FUNC int http_value_slow(const struct http_scratch *s HTTP_NONNULL, __u32 start)
{
	__u64 len = s->len;
	__u64 pos = start;
	__u64 stops;

	while (http_before(&pos, len) && HTTP_CAN_LOOP) {
		stops = http_control_stops(http_load8(s->buf, pos));
		pos += http_count(stops);
		if (stops)
			break;
	}
	if (pos >= len)
		return HTTP_LINE_MORE;
	return http_line_ends(s, pos, len, HTTP_REJECT_VALUE_BYTE);
}

/*
 * Position of the first control byte, DEL or obs-text from `pos` on, plus two: the next line, when
 * this one is plain. `len` + 2 or more when there is none. `pos` < HTTP_BUF_BYTES.
 *
 * Lines wait for each other here, so each operation between a word and the next line counts.
 */
static __always_inline __u32 http_line_run(const struct http_scratch *s, __u64 pos, __u64 len)
{
	const __u8 *at;
	__u64 a, b;

	do {
		at = s->buf + pos;
		a = http_value_flags(http_load8(at, 0));
		b = http_value_flags(http_load8(at, 8));
		if ((a | b) & HTTP_HIGH) {
			if (a & HTTP_HIGH)
				return http_unknown(s, pos + 1) + http_behind(a & HTTP_HIGH);
			return http_unknown(s, pos + 9) + http_behind(b & HTTP_HIGH);
		}
		a = http_value_flags(http_load8(at, 16));
		b = http_value_flags(http_load8(at, 24));
		if ((a | b) & HTTP_HIGH) {
			if (a & HTTP_HIGH)
				return http_unknown(s, pos + 17) + http_behind(a & HTTP_HIGH);
			return http_unknown(s, pos + 25) + http_behind(b & HTTP_HIGH);
		}
		pos += 32;
		HTTP_OPAQUE(pos);
	} while (pos < len && !http_beyond(pos) && HTTP_CAN_LOOP);
	return http_unknown(s, pos + 2);
}

/* Looks the name up that begins with `first`. */
static __always_inline void http_field_find(const struct http_scratch *s, struct http_field *f,
					    __u64 first)
{
	const struct http_name *name = http_name_find(s, f->name, first);

	f->id = HTTP_FIELD_OTHER;
	if (!name)
		return;
	f->id = name->id;
	f->len = name->len;
}

/*
 * Cuts the line at f->name that http_field_next() cannot: byte by byte, and says what is wrong with
 * it. Returns what that returns.
 */
HTTP_FUNC int http_field_slow(const struct http_scratch *s HTTP_NONNULL,
			      struct http_field *f HTTP_NONNULL)
{
	__u64 pos = http_masked(f->name);
	__u64 first = http_load8(s->buf, pos) | HTTP_REP(0x20);
	int end = http_name_slow(s, pos);
	__u64 len;

	f->name = pos;
	f->next = pos + 2;
	if (end < 0)
		return end;
	len = end - pos;
	if (len < 8)
		first &= (1ULL << (len * 8 & 63)) - 1;
	http_field_find(s, f, first);
	end = http_value_slow(s, end + 1);
	f->next = end + 2;
	return end < 0 ? end : 0;
}

/* http_field_slow() on a copy, so that `f` can stay in registers. */
static __always_inline int http_field_again(const struct http_scratch *s, struct http_field *f)
{
	struct http_field copy = { .name = f->name };
	int result = http_field_slow(s, &copy);

	*f = copy;
	return result;
}

/*
 * Does the line at `pos` begin with letters and '-' and a colon? Stores the first
 * word, lower case, zero padded.
 */
static __always_inline bool http_name_run(const struct http_scratch *s, __u64 pos, __u64 len,
					  __u64 *first)
{
	__u64 word = http_word(s, pos);
	__u64 stops = http_name_stops(word);

	*first = word | HTTP_REP(0x20);
	if (stops & 0xff)
		return false;
	if (stops) {
		*first &= http_below(stops);
		return http_stops_at_colon(word, stops);
	}
	pos = http_masked(pos);
	do {
		pos += 8;
		word = http_load8(s->buf, pos);
		stops = http_name_stops(word);
		if (stops)
			return http_stops_at_colon(word, stops);
	} while (http_before(&pos, len) && HTTP_CAN_LOOP);
	return false;
}

/*
 * Cuts the field line at `pos`: 0 and `f` filled, or an enum http_line (HTTP_LINE_END: f->next is
 * set). `len` is s->len, at most HTTP_BUF_BYTES.
 */
static __always_inline int http_field_next(const struct http_scratch *s, __u64 pos, __u64 len,
					   struct http_field *f)
{
	const struct http_common *common;
	bool plain = true;
	__u64 first;

	f->next = pos;
	f->id = HTTP_FIELD_OTHER;
	f->len = 0;
	if (pos >= len || http_beyond(pos))
		return HTTP_LINE_MORE;
	f->next = http_line_run(s, pos, len);
	pos = http_masked(pos);
	f->name = pos;
	first = http_load8(s->buf, pos) | HTTP_REP(0x20);
	common = http_common_find(s, pos, first);
	if (common) {
		f->id = common->id;
		f->len = common->len;
	} else {
		plain = http_name_run(s, pos, len, &first);
		if (plain)
			http_field_find(s, f, first);
	}
	/* in front of `next`: a masked zero stays inside the scratch, and is not CRLF */
	if (plain && f->next <= len &&
	    http_load2(s->buf + http_masked(f->next) - 2, 0) == HTTP_CRLF)
		return 0;
	return http_field_again(s, f);
}

#endif
