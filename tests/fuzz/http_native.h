/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parsers on plain bytes, for tests and fuzzers: a buffer takes the place of the packet, and
 * what lies behind the message's end is filled with bytes that would be taken for more of it.
 */
#ifndef SLUICE_HTTP_NATIVE_H
#define SLUICE_HTTP_NATIVE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct __sk_buff {
	const __u8 *data;
	__u32 len;
};

static inline int http_native_load(const struct __sk_buff *skb, __u32 off, void *to, __u32 len)
{
	if (off > skb->len || len > skb->len - off)
		return -1;
	memcpy(to, skb->data + off, len);
	return 0;
}

#define HTTP_LOAD_BYTES(skb, off, to, len) http_native_load(skb, off, to, len)

#include "http_body.h"
#include "http_request.h"
#include "http_response.h"

/* Puts a message into the scratch; everything else in there is `fill`. */
static inline void http_native_put(struct http_scratch *s, const void *data, __u32 len, int fill)
{
	memset(s, fill, sizeof(*s));
	s->len = len;
	memcpy(s->buf, data, len < sizeof(s->buf) ? len : sizeof(s->buf));
}

#endif
