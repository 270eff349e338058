/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the body of a message through a packet: http_body_advance() tells how many of the packet's
 * bytes belong to it. Data of chunks is jumped over, the rest read in windows of HTTP_WINDOW bytes.
 * Natively HTTP_LOAD_BYTES and struct __sk_buff are the test's.
 */
#ifndef SLUICE_HTTP_BODY_H
#define SLUICE_HTTP_BODY_H

#include "http_chunked.h"

#ifndef HTTP_LOAD_BYTES
#define HTTP_LOAD_BYTES(skb, off, to, len) bpf_skb_load_bytes(skb, off, to, len)
#endif

#define HTTP_BODY_BYTES 65536 /* most bytes of chunks a run: 1024 windows when all are tiny */

/*
 * The chunked body in skb[off, off + len). Stores the number of bytes that belong to it and returns
 * enum http_body_result.
 */
HTTP_FUNC int http_chunks_advance(struct __sk_buff *skb, __u32 off, __u32 len,
				  struct http_chunks *c HTTP_NONNULL, __u32 *used HTTP_NONNULL)
{
	__u32 end = len < HTTP_BODY_BYTES ? len : HTTP_BODY_BYTES;
	volatile __u32 *cursor = used;
	__u8 window[HTTP_WINDOW] = {};
	__u32 pos, n;
	int result;

	*cursor = 0;
	while (HTTP_CAN_LOOP) {
		*cursor += http_chunk_skip(c, len - *cursor);
		pos = *cursor;
		if (pos >= end)
			break;
		n = end - pos < HTTP_WINDOW ? end - pos : HTTP_WINDOW;
		HTTP_OPAQUE(n); /* "R4 invalid zero-sized read" without the mask */
		n = ((n - 1) & (HTTP_WINDOW - 1)) + 1;
		if (HTTP_LOAD_BYTES(skb, off + pos, window, n))
			return HTTP_BODY_BAD;
		result = http_chunked_step(c, window, n, cursor);
		if (result != HTTP_BODY_MORE)
			return result;
	}
	return *cursor < len ? HTTP_BODY_TOO_MANY : HTTP_BODY_MORE;
}

/*
 * The body in skb[off, off + len): chunked, or c->left bytes. Stores the number of bytes that
 * belong to it and returns enum http_body_result; after HTTP_BODY_TOO_MANY call again behind them.
 */
static __always_inline int http_body_advance(struct __sk_buff *skb, __u32 off, __u32 len,
					     struct http_chunks *c, bool chunked, __u32 *used)
{
	if (chunked)
		return http_chunks_advance(skb, off, len, c, used);
	*used = c->left < len ? c->left : len;
	c->left -= *used;
	return c->left ? HTTP_BODY_MORE : HTTP_BODY_DONE;
}

#endif
