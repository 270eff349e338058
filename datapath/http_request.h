/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict parser of HTTP/1.x request heads (RFC 9110, 9112). http_request_run() is called with
 * everything from a request's first byte in a struct http_scratch, again when more bytes came; it
 * keeps nothing in between. http_request_answerable() says whether the kernel may answer.
 * Bodies: http_body.h.
 *
 * What another parser, llhttp first of all, could read differently is HTTP_BAD. What is valid and
 * not the kernel's to answer is HTTP_COMPLETE, with the flags that say why.
 */
#ifndef SLUICE_HTTP_REQUEST_H
#define SLUICE_HTTP_REQUEST_H

#include "http_field.h"
#include "http_host.h"
#include "http_message.h"
#include "http_name.h"
#include "http_target.h"
#include "http_value.h"

/* Host: one valid value. */
static __always_inline enum http_reject http_request_host(struct http_scratch *s,
							  struct http_value v)
{
	struct http_request *r = &s->req;
	int name;

	if (r->flags & HTTP_HOST_SEEN)
		return HTTP_REJECT_HOST_TWICE;
	name = http_host_parse(s, v.start, v.end);
	if (name < 0)
		return HTTP_REJECT_HOST_INVALID;
	r->flags |= HTTP_HOST_SEEN | (name & HTTP_HOST_ODD ? HTTP_HOST_UNUSUAL : 0);
	r->host_off = v.start;
	r->host_len = v.end - v.start;
	r->host_name_len = name;
	return HTTP_REJECT_NONE;
}

/*
 * Connection: options that concern persistence. llhttp reads Proxy-Connection in the same way
 * (`keep` is false then), and takes no option with HTAB behind it: both are believed as far as that
 * is the cautious reading (RFC 9112, C.2.2). The field ends at `end`, white space included.
 */
static __always_inline void http_request_connection(struct http_scratch *s, struct http_value v,
						    __u32 end, bool keep)
{
	__u32 options = http_option(s, v.start, v.end);

	if (!options)
		options = http_option_list(s, v.start, v.end);
	if (options & HTTP_OPTION_CLOSE)
		s->req.flags |= HTTP_CONN_CLOSE;
	if (options & HTTP_OPTION_UPGRADE)
		s->req.flags |= HTTP_CONN_UPGRADE;
	/* HTTP/1.1 persists without being asked */
	if (options & HTTP_OPTION_KEEP_ALIVE && keep &&
	    (s->req.minor || !http_has_tab(s, v.start, end)))
		s->req.flags |= HTTP_CONN_KEEP;
}

/*
 * Content-Length and Transfer-Encoding: never twice, never together (RFC 9112, 6.1 and 6.3). The
 * field ends at `end`, white space included.
 */
static __always_inline enum http_reject
http_request_framing(struct http_scratch *s, struct http_value v, __u32 end, __u32 id)
{
	struct http_request *r = &s->req;
	bool tab = http_has_tab(s, v.end, end);

	if (id == HTTP_FIELD_TRANSFER_ENCODING) {
		if (r->flags & HTTP_CHUNKED)
			return HTTP_REJECT_CODING_TWICE;
		if (r->flags & HTTP_HAS_CL)
			return HTTP_REJECT_LENGTH_AND_CODING;
		if (!r->minor)
			return HTTP_REJECT_CODING_VERSION;
		r->flags |= HTTP_CHUNKED | HTTP_BODY;
		return http_is_chunked(s, v) && !tab ? HTTP_REJECT_NONE : HTTP_REJECT_CODING;
	}
	if (r->flags & HTTP_CHUNKED)
		return HTTP_REJECT_LENGTH_AND_CODING;
	if (r->flags & HTTP_HAS_CL)
		return HTTP_REJECT_LENGTH_TWICE;
	if (tab || !http_length_parse(s, v, &r->content_length))
		return HTTP_REJECT_LENGTH_INVALID;
	r->flags |= HTTP_HAS_CL | (r->content_length ? HTTP_BODY : 0);
	return HTTP_REJECT_NONE;
}

/* Fields of which only presence counts. */
static __always_inline __u32 http_request_presence(__u32 id)
{
	switch (id) {
	case HTTP_FIELD_UPGRADE:
		return HTTP_UPGRADE;
	case HTTP_FIELD_EXPECT:
		return HTTP_EXPECT;
	case HTTP_FIELD_AUTHORIZATION:
		return HTTP_AUTHORIZATION;
	case HTTP_FIELD_RANGE:
		return HTTP_RANGE;
	case HTTP_FIELD_CONDITION:
		return HTTP_CONDITIONAL;
	case HTTP_FIELD_PRECONDITION:
		return HTTP_PRECONDITION;
	case HTTP_FIELD_FORWARDED:
		return HTTP_FORWARDED;
	case HTTP_FIELD_RSC:
		return HTTP_RSC;
	default:
		return 0;
	}
}

/*
 * A field of interest; its value, white space included, is [start, end), `end` in front of CRLF.
 * Returns enum http_reject.
 */
HTTP_FUNC int http_request_field(struct http_scratch *s HTTP_NONNULL, __u32 id, __u32 start,
				 __u32 end)
{
	struct http_value v = http_value_strip(s, start, end);
	struct http_request *r = &s->req;

	switch (id) {
	case HTTP_FIELD_HOST:
		return http_request_host(s, v);
	case HTTP_FIELD_CONNECTION:
	case HTTP_FIELD_PROXY_CONNECTION:
		http_request_connection(s, v, end, id == HTTP_FIELD_CONNECTION);
		return HTTP_REJECT_NONE;
	case HTTP_FIELD_COOKIE:
		if (r->flags & HTTP_COOKIE) {
			r->flags |= HTTP_COOKIES;
			return HTTP_REJECT_NONE;
		}
		r->flags |= HTTP_COOKIE;
		r->cookie_off = v.start;
		r->cookie_len = v.end - v.start;
		return HTTP_REJECT_NONE;
	case HTTP_FIELD_ACCEPT_ENCODING:
		if (r->flags & HTTP_ACCEPT_ENCODING)
			r->flags |= HTTP_ACCEPT_ENCODINGS;
		r->accept_encoding_off = v.start;
		r->accept_encoding_len = r->flags & HTTP_ACCEPT_ENCODING ? 0 : v.end - v.start;
		r->flags |= HTTP_ACCEPT_ENCODING;
		return HTTP_REJECT_NONE;
	case HTTP_FIELD_CONTENT_LENGTH:
	case HTTP_FIELD_TRANSFER_ENCODING:
		return http_request_framing(s, v, end, id);
	case HTTP_FIELD_LOOKALIKE:
		return HTTP_REJECT_LOOKALIKE;
	default:
		r->flags |= http_request_presence(id);
		return HTTP_REJECT_NONE;
	}
}

/* Absolute or authority form: Host must name the target's authority (RFC 9112, 3.2). */
HTTP_FUNC int http_request_authority(struct http_scratch *s HTTP_NONNULL)
{
	struct http_request *r = &s->req;
	__u32 len = r->host_name_len;
	int none, a, b;

	if (!(r->flags & HTTP_HOST_SEEN)) {
		r->host_off = r->authority_off;
		r->host_len = r->authority_len;
		r->host_name_len = r->authority_name_len;
		return HTTP_REJECT_NONE;
	}
	if (len != r->authority_name_len || !http_name_same(s, r->authority_off, r->host_off, len))
		return HTTP_REJECT_HOST_DIFFERS;
	if (r->flags & HTTP_AUTHORITY_FORM)
		return HTTP_REJECT_NONE; /* CONNECT: the port is the tunnel's */
	none = http_byte(s, r->target_off + 4) == ':' ? 80 : 443;
	a = http_host_port(s, r->authority_off, len, r->authority_len, none);
	b = http_host_port(s, r->host_off, len, r->host_len, none);
	return a == b ? HTTP_REJECT_NONE : HTTP_REJECT_HOST_DIFFERS;
}

/* Rules about the head as a whole. Returns enum http_reject. */
static __always_inline int http_request_finish(struct http_scratch *s)
{
	struct http_request *r = &s->req;
	__u32 flags = r->flags;

	if (r->minor && !(flags & HTTP_HOST_SEEN))
		return HTTP_REJECT_HOST_MISSING;
	if (r->minor ? !(flags & HTTP_CONN_CLOSE) :
		       (flags & (HTTP_CONN_KEEP | HTTP_CONN_CLOSE)) == HTTP_CONN_KEEP)
		r->flags = flags | HTTP_KEEP_ALIVE;
	if (flags & (HTTP_ABSOLUTE_FORM | HTTP_AUTHORITY_FORM))
		return http_request_authority(s);
	return HTTP_REJECT_NONE;
}

static __always_inline int http_request_bad(struct http_request *r, __u32 reason)
{
	r->reason = reason;
	r->status = http_reject_status(reason);
	return HTTP_BAD;
}

/* What an enum http_line means for the request: more bytes, or an error. */
static __always_inline int http_request_stopped(struct http_scratch *s, int line, __u32 too_long)
{
	if (line == HTTP_LINE_MORE && s->len < HTTP_BUF_BYTES)
		return HTTP_INCOMPLETE;
	if (line == HTTP_LINE_MORE)
		return http_request_bad(&s->req, too_long);
	return http_request_bad(&s->req, -HTTP_LINE_BAD - line);
}

/*
 * Parses the head in s->buf[0, s->len), s->len <= HTTP_BUF_BYTES, into s->req. What is behind it
 * may be anything. Returns enum http_result; a head that fills the buffer without an end is bad.
 */
HTTP_FUNC int http_request_run(struct http_scratch *s HTTP_NONNULL)
{
	struct http_field f;
	__u64 len = s->len;
	__u64 pos;
	int line;

	__builtin_memset(&s->req, 0, sizeof(s->req));
	s->zero = 0;
	if (len > HTTP_BUF_BYTES)
		return http_request_bad(&s->req, HTTP_REJECT_HEAD_LONG);
	HTTP_OPAQUE(len); /* http_beyond() shall not look superfluous */
	line = http_request_line(s);
	if (line < 0)
		return http_request_stopped(s, line, HTTP_REJECT_TARGET_LONG);
	pos = http_unknown(s, line);
	while (HTTP_CAN_LOOP) {
		line = http_field_next(s, pos, len, &f);
		if (line < 0)
			break;
		pos = f.next;
		if (f.id == HTTP_FIELD_OTHER)
			continue;
		line = http_request_field(s, f.id, f.name + f.len + 1, f.next - 2);
		if (line)
			return http_request_bad(&s->req, line);
	}
	if (line != HTTP_LINE_END)
		return http_request_stopped(s, line, HTTP_REJECT_HEAD_LONG);
	s->req.head_len = f.next;
	line = http_request_finish(s);
	return line ? http_request_bad(&s->req, line) : HTTP_COMPLETE;
}

/* May the kernel answer this complete request from a component? */
static __always_inline bool http_request_answerable(const struct http_request *r)
{
	return r->method <= HTTP_HEAD &&
	       (r->flags & (HTTP_ANSWER_NEEDS | HTTP_ANSWER_FORBIDS)) == HTTP_ANSWER_NEEDS;
}

#endif
