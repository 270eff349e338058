/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One cookie of a request by its name (RFC 6265, 4.2.1 and 5.4: names are case-sensitive, the first
 * of several counts). The value is only hashed: blanks and quotes around it do not count.
 */
#ifndef SLUICE_HTTP_COOKIE_H
#define SLUICE_HTTP_COOKIE_H

#include "http_message.h"

enum http_cookie_state {
	COOKIE_BEGIN, /* before a name */
	COOKIE_NAME,
	COOKIE_OTHER, /* in a pair of another name */
	COOKIE_VALUE,
};

#define HTTP_COOKIE_NAME 64 /* a power of two */

struct http_cookie_name {
	__u8 text[HTTP_COOKIE_NAME];
};

struct http_cookie_scan {
	__u32 state; /* enum http_cookie_state */
	__u32 match; /* bytes of the name that were the same so far */
	__u32 pos;
	__u32 hash;   /* FNV-1a */
	__u32 found;  /* the name with '=' behind it was seen */
	__u32 length; /* of the value, without quotes and blanks */
};

/* One byte of the header's value. True: the cookie is over. */
static __always_inline int http_cookie_step(struct http_cookie_scan *c, __u8 byte,
					    const struct http_cookie_name *name, __u32 name_len)
{
	if (byte == ';') {
		if (c->state == COOKIE_VALUE)
			return 1;
		c->state = COOKIE_BEGIN;
		return 0;
	}
	if (c->state == COOKIE_BEGIN && byte != ' ' && byte != '\t') {
		c->state = COOKIE_NAME;
		c->match = 0;
	}
	if (c->state == COOKIE_VALUE && byte != '"' && byte != ' ' && byte != '\t') {
		c->hash = (c->hash ^ byte) * 16777619;
		c->length++;
	}
	if (c->state != COOKIE_NAME)
		return 0;
	if (byte == '=' && c->match == name_len) {
		c->state = COOKIE_VALUE;
		c->found = 1;
	} else if (c->match < name_len && byte == name->text[c->match & (HTTP_COOKIE_NAME - 1)]) {
		c->match++;
	} else {
		c->state = COOKIE_OTHER;
	}
	return 0;
}

/*
 * Looks for the cookie `name` in the request that was parsed last.
 * Sets c->found and c->hash, which is 0 for an empty value and never else.
 */
HTTP_FUNC int http_cookie_find(struct http_scratch *s HTTP_NONNULL,
			       struct http_cookie_scan *c HTTP_NONNULL,
			       const struct http_cookie_name *name HTTP_NONNULL, __u32 name_len)
{
	__u32 end = s->req.cookie_off + s->req.cookie_len;

	__builtin_memset(c, 0, sizeof(*c));
	c->hash = 2166136261;
	for (c->pos = s->req.cookie_off; c->pos < end && HTTP_CAN_LOOP; c->pos++)
		if (http_cookie_step(c, http_byte(s, c->pos), name, name_len))
			break;
	if (!c->length)
		c->hash = 0;
	else if (!c->hash)
		c->hash = 1;
	return c->found;
}

#endif
