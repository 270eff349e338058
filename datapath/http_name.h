/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Field names. http_common_find() recognises common names at a glance, with their colon, whether
 * anything is done with them or not; http_name_find() finds those that are acted on among names
 * whose bytes have been checked. Both are perfect hashes: one multiplication, one slot.
 */
#ifndef SLUICE_HTTP_NAME_H
#define SLUICE_HTTP_NAME_H

#include "http_message.h"

enum http_field_id {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_PROXY_CONNECTION, /* llhttp takes it for Connection */
	HTTP_FIELD_COOKIE,
	HTTP_FIELD_ACCEPT_ENCODING,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_UPGRADE,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_AUTHORIZATION,
	HTTP_FIELD_RANGE,
	HTTP_FIELD_CONDITION,	 /* If-None-Match, If-Modified-Since */
	HTTP_FIELD_PRECONDITION, /* If-Match, If-Unmodified-Since, If-Range */
	HTTP_FIELD_FORWARDED,	 /* Forwarded, X-Forwarded-*, X-Real-IP */
	HTTP_FIELD_RSC,		 /* RSC, Next-Router-*: wants a React Server Component payload */
	HTTP_FIELD_LOOKALIKE,	 /* Content_Length, Transfer_Encoding */
};

/* A name that is acted on. Bytes are or'ed with 0x20. */
struct http_name {
	__u64 first8; /* zero padded */
	__u64 mid8;   /* bytes 8 to 15 of names longer than 16 */
	__u64 last8;  /* the last eight bytes of names longer than 8 */
	__u16 len;
	__u16 is_prefix; /* any name that begins so */
	__u32 id;	 /* enum http_field_id */
};

/* A common name of 9 to 31 bytes. */
struct http_common {
	__u64 first8;
	__u64 last8; /* the last seven bytes and the colon */
	__u64 mid8;  /* bytes 8 to 15, and the eight in front of last8, when longer than 15 */
	__u64 rest8;
	__u32 len;
	__u32 id; /* enum http_field_id */
};

#include "http_name_table.h"

#define HTTP_WORD(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/*
 * The common name, colon behind it, of the line at `pos` (a masked one), or NULL. `lower` is the
 * line's first word or'ed with 0x20. The eleventh byte tells the sec-* fields apart.
 */
static __always_inline const struct http_common *http_common_find(const struct http_scratch *s,
								  __u64 pos, __u64 lower)
{
	__u64 key = lower ^ (__u64)(s->buf[pos + 10] | 0x20) << 56;
	const struct http_common *name;

	name = &http_commons[(key * HTTP_COMMON_MULTIPLIER) >> HTTP_COMMON_SHIFT];
	if (name->first8 != lower)
		return NULL;
	if ((http_word(s, pos + name->len - 7) | HTTP_REP(0x20)) != name->last8)
		return NULL;
	if (name->len > 15 &&
	    ((http_load8(s->buf, pos + 8) | HTTP_REP(0x20)) != name->mid8 ||
	     (http_word(s, pos + name->len - 15) | HTTP_REP(0x20)) != name->rest8))
		return NULL;
	return name;
}

/*
 * The name at `pos` that is acted on, or NULL. `first` is its first word or'ed with
 * 0x20, zero padded. The name and its colon have been found well-formed.
 */
static __always_inline const struct http_name *http_name_find(const struct http_scratch *s,
							      __u64 pos, __u64 first)
{
	static const struct http_name transfer_lookalike = {
		.len = 17,
		.id = HTTP_FIELD_LOOKALIKE,
	};
	const struct http_name *name;
	__u64 differs;

	name = &http_names[(first * HTTP_NAME_MULTIPLIER) >> HTTP_NAME_SHIFT];
	if (name->first8 != first)
		return NULL;
	pos = http_masked(pos);
	if (!name->is_prefix && http_byte(s, pos + name->len) != ':')
		return NULL;
	if (name->len > 8 && (http_word(s, pos + name->len - 8) | HTTP_REP(0x20)) != name->last8)
		return NULL;
	if (!name->mid8)
		return name;
	differs = (http_load8(s->buf, pos + 8) | HTTP_REP(0x20)) ^ name->mid8;
	if (name->id == HTTP_FIELD_TRANSFER_ENCODING && differs == ('-' ^ ('_' | 0x20)))
		return &transfer_lookalike;
	return differs ? NULL : name;
}

#endif
