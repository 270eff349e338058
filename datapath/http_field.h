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
#define HTTP_REJECTS(X)                                                                   \
	X(NONE, 0, "none")                                                                \
	X(EMPTY_LINES, 400, "more than two empty lines before a request")                 \
	X(METHOD, 400, "method is not a token, or too long")                              \
	X(REQUEST_LINE, 400, "request line is not `method SP target SP version`")         \
	X(TARGET_BYTE, 400, "control byte in the target")                                 \
	X(TARGET_FRAGMENT, 400, "'#' in the target")                                      \
	X(TARGET_FORM, 400, "target's form does not fit the method")                      \
	X(TARGET_LONG, 414, "request line longer than the buffer")                        \
	X(VERSION, 505, "version is neither HTTP/1.0 nor HTTP/1.1")                       \
	X(VERSION_SYNTAX, 400, "what follows the target is no version and CRLF")          \
	X(BARE_CR, 400, "CR without LF")                                                  \
	X(BARE_LF, 400, "LF without CR")                                                  \
	X(FOLD, 400, "line begins with white space: folding (obs-fold)")                  \
	X(NAME_EMPTY, 400, "field without a name")                                        \
	X(NAME_BYTE, 400, "byte in a field name that is no token byte")                   \
	X(NAME_SPACE, 400, "white space before the colon of a field")                     \
	X(NO_COLON, 400, "field line without a colon")                                    \
	X(VALUE_BYTE, 400, "control byte in a field value")                               \
	X(LOOKALIKE, 400, "framing field spelt with '_'")                                 \
	X(HOST_MISSING, 400, "HTTP/1.1 without Host")                                     \
	X(HOST_TWICE, 400, "more than one Host")                                          \
	X(HOST_INVALID, 400, "Host is no host and port")                                  \
	X(HOST_DIFFERS, 400, "Host is not the target's authority")                        \
	X(AUTHORITY, 400, "target's authority is no host and port")                       \
	X(LENGTH_INVALID, 400, "Content-Length is no plain number of up to 16 digits")    \
	X(LENGTH_TWICE, 400, "more than one Content-Length")                              \
	X(LENGTH_AND_CODING, 400, "Content-Length together with Transfer-Encoding")       \
	X(CODING, 400, "Transfer-Encoding is not just `chunked`")                         \
	X(CODING_TWICE, 400, "more than one Transfer-Encoding")                           \
	X(CODING_VERSION, 400, "Transfer-Encoding in HTTP/1.0")                           \
	X(HEAD_LONG, 431, "header block longer than the buffer")                          \
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
	__u64 name;  /* position of the line; a masked one */
	__u64 value; /* of the value, white space included; not for prefixes like X-Forwarded- */
	__u64 end;   /* of the line's CR, or of the block's when the line is empty */
	__u32 id;    /* enum http_field_id */
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
	return http_byte(s, pos + 1) == '\n' ? (int)pos :
						       http_line_bad(HTTP_REJECT_BARE_CR);
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

/* Position of the first stop in the sixteen bytes from `pos`, given the masks of its halves. */
static __always_inline __u64 http_stop_at(__u64 pos, __u64 low, __u64 high)
{
	low &= HTTP_HIGH;
	return low ? pos + http_first(low) : pos + 8 + http_first(high & HTTP_HIGH);
}

/*
 * Position of the first control byte, DEL or obs-text from `pos` on: a plain line's CR. `len` or
 * more when there is none. Nothing depends on the contents of the bytes before it, so the CPU can
 * look at many words at a time. `pos` is a masked one plus 8 or 0.
 */
static __always_inline __u64 http_line_run(const struct http_scratch *s, __u64 pos, __u64 len)
{
	const __u8 *at;
	__u64 low, high;

	do {
		at = s->buf + pos;
		low = http_value_flags(http_load8(at, 0));
		high = http_value_flags(http_load8(at, 8));
		if ((low | high) & HTTP_HIGH)
			return http_stop_at(pos, low, high);
		low = http_value_flags(http_load8(at, 16));
		high = http_value_flags(http_load8(at, 24));
		if ((low | high) & HTTP_HIGH)
			return http_stop_at(pos + 16, low, high);
		pos += 32;
	} while (http_before(&pos, len) && HTTP_CAN_LOOP);
	return pos;
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
	f->value = f->name + name->len + 1;
}

/* Cuts a line that http_field_next() cannot: byte by byte, and says what is wrong with it. */
static __always_inline int http_field_slow(const struct http_scratch *s, struct http_field *f)
{
	__u64 first = http_load8(s->buf, f->name) | HTTP_REP(0x20);
	int end = http_name_slow(s, f->name);
	__u64 len;

	f->end = f->name;
	if (end < 0)
		return end;
	len = end - f->name;
	if (len < 8)
		first &= (1ULL << (len * 8 & 63)) - 1;
	http_field_find(s, f, first);
	end = http_value_slow(s, end + 1);
	f->end = end;
	return end < 0 ? end : 0;
}

/*
 * Does the line at `pos` (a masked one) begin with letters and '-' and a colon? Returns the
 * position of the word that holds the colon, whose bytes need not be known to go on from there; 0
 * when the name has other bytes. Stores the first word, lower case, zero padded.
 */
static __always_inline __u64 http_name_run(const struct http_scratch *s, __u64 pos, __u64 len,
					   __u64 *first)
{
	__u64 word = http_load8(s->buf, pos);
	__u64 stops = http_name_stops(word);

	*first = word | HTTP_REP(0x20);
	if (stops & 0xff)
		return 0;
	if (stops) {
		*first &= http_below(stops);
		return http_stops_at_colon(word, stops) ? pos : 0;
	}
	do {
		pos += 8;
		word = http_load8(s->buf, pos);
		stops = http_name_stops(word);
		if (stops)
			return http_stops_at_colon(word, stops) ? pos : 0;
	} while (http_before(&pos, len) && HTTP_CAN_LOOP);
	return 0;
}

/*
 * Cuts the field line at `pos`: 0 and `f` filled, or an enum http_line (HTTP_LINE_END: f->end is
 * set). The next line begins at f->end + 2. `len` is s->len, at most HTTP_BUF_BYTES.
 */
static __always_inline int http_field_next(const struct http_scratch *s, __u64 pos, __u64 len,
					   struct http_field *f)
{
	const struct http_common *common;
	__u64 first;

	f->end = pos;
	f->value = pos;
	f->id = HTTP_FIELD_OTHER;
	if (!http_before(&pos, len))
		return HTTP_LINE_MORE;
	f->name = pos;
	first = http_load8(s->buf, pos) | HTTP_REP(0x20);
	common = http_common_find(s, pos, first);
	if (common) {
		f->id = common->id;
		f->value = pos + common->len + 1;
		pos += 8;
	} else {
		pos = http_name_run(s, pos, len, &first);
		if (!pos)
			return http_field_slow(s, f);
		http_field_find(s, f, first);
	}
	pos = http_line_run(s, pos, len);
	f->end = pos;
	if (pos + 2 > len || http_half(s, pos) != ('\r' | '\n' << 8))
		return http_field_slow(s, f);
	return 0;
}

#endif
