/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parser of HTTP/1.x response heads, as far as framing and persistence need it (RFC 9112, 6.3 and
 * 9.3). http_response_run() is called like http_request_run(); http_response_framing() says how the
 * body ends. What cannot be parsed is HTTP_BAD: the caller then follows the connection no further.
 */
#ifndef SLUICE_HTTP_RESPONSE_H
#define SLUICE_HTTP_RESPONSE_H

#include "http_field.h"
#include "http_message.h"
#include "http_name.h"
#include "http_value.h"

enum response_framing {
	RESPONSE_FRAMING_NONE,	 /* no body */
	RESPONSE_FRAMING_LENGTH, /* content_length bytes, maybe 0 */
	RESPONSE_FRAMING_CHUNKED,
	RESPONSE_FRAMING_CLOSE,	   /* ends with the connection */
	RESPONSE_FRAMING_INTERIM,  /* 1xx: no body, and the final response follows */
	RESPONSE_FRAMING_UPGRADED, /* 101: another protocol follows */
	RESPONSE_FRAMING_UNKNOWN,  /* two readings are possible */
};

/* `HTTP/1.x SP 3DIGIT [SP reason] CRLF`. Returns the first field line or an enum http_line. */
HTTP_FUNC int http_status_line(struct http_scratch *s HTTP_NONNULL)
{
	static const __u8 want[13] = { 'H', 'T', 'T', 'P', '/', '1', '.', '0', ' ', '1', '0', '0' };
	struct http_response *r = &s->resp;
	__u64 len = s->len;
	__u8 byte, digit;
	__u32 i;
	int end;

	for (i = 0; i < 12; i++) {
		if (i >= len)
			return HTTP_LINE_MORE;
		byte = s->buf[i];
		digit = want[i] == '0' || want[i] == '1';
		if (i != 5 && digit ? !http_is(byte, HTTP_DIGIT) : byte != want[i])
			return http_line_bad(HTTP_REJECT_STATUS_LINE);
	}
	r->minor = s->buf[7] - '0';
	r->status = (s->buf[9] - '0') * 100 + (s->buf[10] - '0') * 10 + s->buf[11] - '0';
	if (len < 13)
		return HTTP_LINE_MORE;
	if (r->minor > 1 || r->status < 100 || (s->buf[12] != ' ' && s->buf[12] != '\r'))
		return http_line_bad(HTTP_REJECT_STATUS_LINE);
	end = http_value_slow(s, 12);
	return end < 0 ? end : end + 2;
}

/* A field of interest. Returns enum http_reject. */
HTTP_FUNC int http_response_field(struct http_scratch *s HTTP_NONNULL, __u32 id, __u32 start,
				  __u32 end)
{
	struct http_value v = http_value_strip(s, start, end);
	struct http_response *r = &s->resp;
	__u32 options;

	switch (id) {
	case HTTP_FIELD_CONTENT_LENGTH:
		if (r->flags & HTTP_RESPONSE_HAS_CL)
			return HTTP_REJECT_LENGTH_TWICE;
		if (!http_length_parse(s, v, &r->content_length))
			return HTTP_REJECT_LENGTH_INVALID;
		r->flags |= HTTP_RESPONSE_HAS_CL;
		break;
	case HTTP_FIELD_TRANSFER_ENCODING:
		if (r->flags & HTTP_RESPONSE_CHUNKED || !http_is_chunked(s, v) ||
		    http_has_tab(s, v.end, end))
			r->flags |= HTTP_RESPONSE_CODED;
		r->flags |= HTTP_RESPONSE_CHUNKED;
		break;
	case HTTP_FIELD_CONNECTION:
	case HTTP_FIELD_PROXY_CONNECTION: /* llhttp reads it so; its `close` is believed */
		options = http_option(s, v.start, v.end);
		if (!options)
			options = http_option_list(s, v.start, v.end);
		if (options & HTTP_OPTION_CLOSE)
			r->flags |= HTTP_RESPONSE_CLOSE;
		if (options & HTTP_OPTION_KEEP_ALIVE && id == HTTP_FIELD_CONNECTION)
			r->flags |= HTTP_RESPONSE_KEEP;
		break;
	case HTTP_FIELD_UPGRADE:
		r->flags |= HTTP_RESPONSE_UPGRADE;
		break;
	}
	return HTTP_REJECT_NONE;
}

static __always_inline int http_response_bad(struct http_response *r, __u32 reason)
{
	r->reason = reason;
	return HTTP_BAD;
}

/* What an enum http_line means for the response: more bytes, or an error. */
static __always_inline int http_response_stopped(struct http_scratch *s, int line)
{
	if (line == HTTP_LINE_MORE && s->len < HTTP_BUF_BYTES)
		return HTTP_INCOMPLETE;
	if (line == HTTP_LINE_MORE)
		return http_response_bad(&s->resp, HTTP_REJECT_HEAD_LONG);
	return http_response_bad(&s->resp, -HTTP_LINE_BAD - line);
}

/* Parses the head in s->buf[0, s->len) into s->resp. Returns enum http_result. */
HTTP_FUNC int http_response_run(struct http_scratch *s HTTP_NONNULL)
{
	struct http_response *r = &s->resp;
	struct http_field f;
	__u64 len = s->len;
	__u64 pos;
	int line;

	__builtin_memset(r, 0, sizeof(*r));
	s->zero = 0;
	if (len > HTTP_BUF_BYTES)
		return http_response_bad(r, HTTP_REJECT_HEAD_LONG);
	HTTP_OPAQUE(len); /* http_beyond() shall not look superfluous */
	line = http_status_line(s);
	if (line < 0)
		return http_response_stopped(s, line);
	pos = http_unknown(s, line);
	while (HTTP_CAN_LOOP) {
		line = http_field_next(s, pos, len, &f);
		if (line < 0)
			break;
		pos = f.next;
		if (f.id == HTTP_FIELD_OTHER)
			continue;
		line = http_response_field(s, f.id, f.name + f.len + 1, f.next - 2);
		if (line)
			return http_response_bad(r, line);
	}
	if (line != HTTP_LINE_END)
		return http_response_stopped(s, line);
	r->head_len = f.next;
	if (!r->minor && !(r->flags & HTTP_RESPONSE_KEEP))
		r->flags |= HTTP_RESPONSE_CLOSE;
	return HTTP_COMPLETE;
}

/*
 * 1xx, 204 and 304 have no body, whatever their fields say; llhttp up to 8 believes the fields, or
 * counts them into the next response's. A 304 may tell the length that a 200 had (RFC 9110, 8.6);
 * the other fields nobody has a reason to send (RFC 9110, 8.6 and RFC 9112, 6.1).
 */
static __always_inline bool http_response_is_odd(const struct http_response *r)
{
	return r->flags & HTTP_RESPONSE_CHUNKED || (r->status != 304 && r->content_length);
}

/* How the body of a complete response ends (RFC 9112, 6.3), CONNECT aside. */
static __always_inline enum response_framing http_response_framing(const struct http_response *r,
								   bool head_request)
{
	if (r->status == 101)
		return RESPONSE_FRAMING_UPGRADED;
	if (r->status < 200)
		return http_response_is_odd(r) ? RESPONSE_FRAMING_UNKNOWN :
						 RESPONSE_FRAMING_INTERIM;
	if (head_request)
		return RESPONSE_FRAMING_NONE;
	if (r->status == 204 || r->status == 304)
		return http_response_is_odd(r) ? RESPONSE_FRAMING_UNKNOWN : RESPONSE_FRAMING_NONE;
	if (r->flags & HTTP_RESPONSE_CHUNKED) {
		if (r->flags & (HTTP_RESPONSE_CODED | HTTP_RESPONSE_HAS_CL) || !r->minor)
			return RESPONSE_FRAMING_UNKNOWN;
		return RESPONSE_FRAMING_CHUNKED;
	}
	return r->flags & HTTP_RESPONSE_HAS_CL ? RESPONSE_FRAMING_LENGTH : RESPONSE_FRAMING_CLOSE;
}

#endif
