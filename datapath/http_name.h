/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The field names that the parsers act on, found by a perfect hash of a name's first eight bytes:
 * one multiplication and one comparison for the many names that nobody asks for. A new name needs
 * a new multiplier when its slot is taken; tests/unit/http_request_test.c looks every name up.
 */
#ifndef SLUICE_HTTP_NAME_H
#define SLUICE_HTTP_NAME_H

#include "http_field.h"

enum http_field_id {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_CONNECTION,
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

struct http_name {
	__u64 first8; /* lower case ('_' becomes DEL), zero padded */
	__u64 mid8;   /* bytes 8 to 15 of names longer than 16 */
	__u64 last8;  /* the last eight bytes of names longer than 8 */
	__u8 len;
	__u8 is_prefix; /* any name that begins so */
	__u16 id;	/* enum http_field_id */
	__u32 pad;
};

#define HTTP_NAME_SLOTS 64
#define HTTP_NAME_SHIFT 58
#define HTTP_NAME_MULTIPLIER 0x612e7696a6cecc1bULL

#define HTTP_WORD(a, b, c, d, e, f, g, h)                                                   \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

static const struct http_name http_names[HTTP_NAME_SLOTS] = {
	[0] = {
		.first8 = HTTP_WORD('r', 's', 'c', 0, 0, 0, 0, 0),
		.len = 3,
		.id = HTTP_FIELD_RSC,
	},
	[3] = {
		.first8 = HTTP_WORD('u', 'p', 'g', 'r', 'a', 'd', 'e', 0),
		.len = 7,
		.id = HTTP_FIELD_UPGRADE,
	},
	[4] = {
		.first8 = HTTP_WORD('x', '-', 'f', 'o', 'r', 'w', 'a', 'r'),
		.last8 = HTTP_WORD('r', 'w', 'a', 'r', 'd', 'e', 'd', '-'),
		.len = 12,
		.is_prefix = 1,
		.id = HTTP_FIELD_FORWARDED,
	},
	[7] = {
		.first8 = HTTP_WORD('c', 'o', 'o', 'k', 'i', 'e', 0, 0),
		.len = 6,
		.id = HTTP_FIELD_COOKIE,
	},
	[8] = {
		.first8 = HTTP_WORD('i', 'f', '-', 'r', 'a', 'n', 'g', 'e'),
		.len = 8,
		.id = HTTP_FIELD_PRECONDITION,
	},
	[10] = {
		.first8 = HTTP_WORD('h', 'o', 's', 't', 0, 0, 0, 0),
		.len = 4,
		.id = HTTP_FIELD_HOST,
	},
	[11] = {
		.first8 = HTTP_WORD('i', 'f', '-', 'm', 'a', 't', 'c', 'h'),
		.len = 8,
		.id = HTTP_FIELD_PRECONDITION,
	},
	[12] = {
		.first8 = HTTP_WORD('n', 'e', 'x', 't', '-', 'r', 'o', 'u'),
		.last8 = HTTP_WORD('-', 'r', 'o', 'u', 't', 'e', 'r', '-'),
		.len = 12,
		.is_prefix = 1,
		.id = HTTP_FIELD_RSC,
	},
	[16] = {
		.first8 = HTTP_WORD('r', 'a', 'n', 'g', 'e', 0, 0, 0),
		.len = 5,
		.id = HTTP_FIELD_RANGE,
	},
	[17] = {
		.first8 = HTTP_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r'),
		.mid8 = HTTP_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n'),
		.last8 = HTTP_WORD('e', 'n', 'c', 'o', 'd', 'i', 'n', 'g'),
		.len = 17,
		.id = HTTP_FIELD_TRANSFER_ENCODING,
	},
	[19] = {
		.first8 = HTTP_WORD('a', 'c', 'c', 'e', 'p', 't', '-', 'e'),
		.last8 = HTTP_WORD('e', 'n', 'c', 'o', 'd', 'i', 'n', 'g'),
		.len = 15,
		.id = HTTP_FIELD_ACCEPT_ENCODING,
	},
	[23] = {
		.first8 = HTTP_WORD('x', '-', 'r', 'e', 'a', 'l', '-', 'i'),
		.last8 = HTTP_WORD('-', 'r', 'e', 'a', 'l', '-', 'i', 'p'),
		.len = 9,
		.id = HTTP_FIELD_FORWARDED,
	},
	[24] = {
		.first8 = HTTP_WORD('f', 'o', 'r', 'w', 'a', 'r', 'd', 'e'),
		.last8 = HTTP_WORD('o', 'r', 'w', 'a', 'r', 'd', 'e', 'd'),
		.len = 9,
		.id = HTTP_FIELD_FORWARDED,
	},
	[26] = {
		.first8 = HTTP_WORD('i', 'f', '-', 'n', 'o', 'n', 'e', '-'),
		.last8 = HTTP_WORD('n', 'e', '-', 'm', 'a', 't', 'c', 'h'),
		.len = 13,
		.id = HTTP_FIELD_CONDITION,
	},
	[31] = {
		.first8 = HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', 127),
		.last8 = HTTP_WORD('t', 127, 'l', 'e', 'n', 'g', 't', 'h'),
		.len = 14,
		.id = HTTP_FIELD_LOOKALIKE,
	},
	[41] = {
		.first8 = HTTP_WORD('e', 'x', 'p', 'e', 'c', 't', 0, 0),
		.len = 6,
		.id = HTTP_FIELD_EXPECT,
	},
	[48] = {
		.first8 = HTTP_WORD('c', 'o', 'n', 'n', 'e', 'c', 't', 'i'),
		.last8 = HTTP_WORD('n', 'n', 'e', 'c', 't', 'i', 'o', 'n'),
		.len = 10,
		.id = HTTP_FIELD_CONNECTION,
	},
	[53] = {
		.first8 = HTTP_WORD('i', 'f', '-', 'u', 'n', 'm', 'o', 'd'),
		.mid8 = HTTP_WORD('i', 'f', 'i', 'e', 'd', '-', 's', 'i'),
		.last8 = HTTP_WORD('e', 'd', '-', 's', 'i', 'n', 'c', 'e'),
		.len = 19,
		.id = HTTP_FIELD_PRECONDITION,
	},
	[54] = {
		.first8 = HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-'),
		.last8 = HTTP_WORD('t', '-', 'l', 'e', 'n', 'g', 't', 'h'),
		.len = 14,
		.id = HTTP_FIELD_CONTENT_LENGTH,
	},
	[60] = {
		.first8 = HTTP_WORD('i', 'f', '-', 'm', 'o', 'd', 'i', 'f'),
		.mid8 = HTTP_WORD('i', 'e', 'd', '-', 's', 'i', 'n', 'c'),
		.last8 = HTTP_WORD('e', 'd', '-', 's', 'i', 'n', 'c', 'e'),
		.len = 17,
		.id = HTTP_FIELD_CONDITION,
	},
	[63] = {
		.first8 = HTTP_WORD('a', 'u', 't', 'h', 'o', 'r', 'i', 'z'),
		.last8 = HTTP_WORD('r', 'i', 'z', 'a', 't', 'i', 'o', 'n'),
		.len = 13,
		.id = HTTP_FIELD_AUTHORIZATION,
	},
};

/* The slot of a name that may be of interest, or NULL. */
static __always_inline const struct http_name *http_name_candidate(const struct http_field *f)
{
	const struct http_name *name;

	name = &http_names[(f->name_word * HTTP_NAME_MULTIPLIER) >> HTTP_NAME_SHIFT];
	return name->first8 == f->name_word ? name : NULL;
}

/* Compares the rest of a candidate's name. Returns enum http_field_id. */
static __always_inline __u32 http_name_id(const struct http_scratch *s, const struct http_field *f,
					  const struct http_name *name)
{
	__u64 middle = http_masked(f->name + 8);
	__u64 tail = http_masked(f->name + name->len - 8);

	if (name->is_prefix ? f->name_len <= name->len : f->name_len != name->len)
		return HTTP_FIELD_OTHER;
	if (name->len <= 8)
		return name->id;
	if ((http_word(s, tail) | HTTP_REP(0x20)) != name->last8)
		return HTTP_FIELD_OTHER;
	if (!name->mid8 || (http_word(s, middle) | HTTP_REP(0x20)) == name->mid8)
		return name->id;
	if (name->id == HTTP_FIELD_TRANSFER_ENCODING && http_byte(s, middle) == '_')
		return HTTP_FIELD_LOOKALIKE;
	return HTTP_FIELD_OTHER;
}

#endif
