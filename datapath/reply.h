/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of answers from the kernel. An answer is a stream of bytes in one region, a header
 * block and a body, or, if it was made for one request alone, in a stash. There is no
 * retransmission queue: every segment can be made again.
 */
#ifndef SLUICE_REPLY_H
#define SLUICE_REPLY_H

#include "date.h"
#include "segment.h"
#include "stash.h"

#define REPLY_STALE -2 /* the object's bytes are gone: the answer cannot go on */

static __always_inline struct object *reply_object(const struct flow *f)
{
	__u32 slot = f->tx_slot & TX_SLOT;
	struct object *o = bpf_map_lookup_elem(&objects, &slot);

	return o && o->gen == f->tx_gen ? o : NULL;
}

/* The stash of an answer that was made for its request. */
static __always_inline struct stash *reply_stash(const struct run *r, const struct flow *f)
{
	struct stash *st = stash_at(f->tx_slot & ~TX_STASH);

	return st && st->owner_slot == r->flow_slot + 1 && st->owner_gen == f->gen &&
			       st->kind == STASH_ANSWER ?
		       st :
		       NULL;
}

static __always_inline const struct span *reply_head(const struct flow *f, const struct object *o)
{
	return f->reply & REPLY_CLOSE ? &o->close : &o->head;
}

/* Status line of a 304; the rest of its header block is the object's own (abi.h). */
static const char reply_not_modified[] = "HTTP/1.1 304 Not Modified\r\n";
#define REPLY_304_LINE (sizeof(reply_not_modified) - 1)

static __always_inline __u32 reply_len(const struct flow *f, const struct object *o)
{
	__u32 head = reply_head(f, o)->len;

	if (f->tx_slot & TX_NOT_MODIFIED)
		return REPLY_304_LINE + head - o->shared;
	return head + (f->reply & REPLY_HEAD ? 0 : o->body.len);
}

/* Sets r->tx_len to the number of bytes of the flow's answer. 0 or REPLY_STALE. */
static __always_inline int reply_measure(struct run *r, const struct flow *f)
{
	const struct object *o;
	const struct stash *st;

	date_set(r, f->tx_second);
	if (f->tx_slot & TX_STASH) {
		st = reply_stash(r, f);
		if (!st)
			return REPLY_STALE;
		r->tx_len = st->len;
		return 0;
	}
	o = reply_object(f);
	if (!o)
		return REPLY_STALE;
	r->tx_len = reply_len(f, o);
	return 0;
}

static __always_inline __u32 reply_mss(const struct flow *f)
{
	return f->mss - (f->flags & FLOW_TS ? 12 : 0);
}

static __always_inline int reply_store(struct __sk_buff *skb, const __u8 *region, __u32 at,
				       __u32 off, __u32 n)
{
	barrier_var(off);
	if (off > REGION_USABLE)
		return -1;
	barrier_var(n);
	if (!is_length(n, SEGMENT_MAX))
		return -1;
	return bpf_skb_store_bytes(skb, at, region + off, n, 0) ? -1 : 0;
}

/* As reply_payload(), from a stash. */
static __always_inline int reply_stashed(struct __sk_buff *skb, struct run *r, const struct flow *f,
					 __u32 offset, __u32 n)
{
	__u32 at = segment_header_len(r);
	struct stash *st = reply_stash(r, f);

	if (!st)
		return REPLY_STALE;
	st->seen = run_clock(r);
	while (n && can_loop) {
		__u32 piece = n < STASH_PIECE ? n : STASH_PIECE;

		barrier_var(offset);
		barrier_var(piece);
		if (offset > STASH_BYTES || !is_length(piece, STASH_PIECE))
			return -1;
		if (bpf_skb_store_bytes(skb, at, st->bytes + offset, piece, 0))
			return -1;
		at += piece;
		offset += piece;
		n -= piece;
	}
	return 0;
}

/* Bytes [offset, offset + n) of a header block stand at `at`: Date's are replaced. 0 or -1. */
static __always_inline int reply_date(struct __sk_buff *skb, struct run *r, const struct object *o,
				      __u32 at, __u32 offset, __u32 n)
{
	__u32 date = o->date, skip = 0, len = HTTP_DATE_LEN;

	if (!date || offset >= date + HTTP_DATE_LEN || offset + n <= date)
		return 0;
	if (offset > date) {
		skip = offset - date;
		len -= skip;
	} else {
		at += date - offset;
	}
	if (offset + n < date + HTTP_DATE_LEN)
		len -= date + HTTP_DATE_LEN - offset - n;
	barrier_var(skip);
	barrier_var(len);
	if (skip >= HTTP_DATE_LEN || !is_length(len, HTTP_DATE_LEN))
		return -1;
	return bpf_skb_store_bytes(skb, at, r->date + skip, len, 0) ? -1 : 0;
}

/* As much as there is of [offset, offset + n) in a 304's status line. Returns its number of bytes,
 * or -1. */
static __always_inline int reply_304_line(struct __sk_buff *skb, __u32 at, __u32 offset, __u32 n)
{
	__u32 part;

	if (offset >= REPLY_304_LINE)
		return 0;
	part = REPLY_304_LINE - offset;
	if (part > n)
		part = n;
	barrier_var(offset);
	barrier_var(part);
	if (offset >= REPLY_304_LINE || !is_length(part, REPLY_304_LINE) ||
	    offset + part > REPLY_304_LINE)
		return -1;
	return bpf_skb_store_bytes(skb, at, reply_not_modified + offset, part, 0) ? -1 : (int)part;
}

/* Puts bytes [offset, offset + n) of the answer behind the headers. 0, -1 or REPLY_STALE. */
__noinline int reply_payload(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			     __u32 offset, __u32 n)
{
	const struct span *head;
	__u32 zero = 0, region, at, part, date_at, date_offset, whole;
	struct object *o;
	void *inner;
	__u8 *bytes;

	if (f->tx_slot & TX_STASH)
		return reply_stashed(skb, r, f, offset, n);
	o = reply_object(f);
	if (!o)
		return REPLY_STALE;
	region = o->region;
	inner = bpf_map_lookup_elem(&regions, &region);
	if (!inner)
		return REPLY_STALE;
	bytes = bpf_map_lookup_elem(inner, &zero);
	if (!bytes)
		return REPLY_STALE;
	head = reply_head(f, o);
	at = segment_header_len(r);
	if (f->tx_slot & TX_NOT_MODIFIED) {
		int line = reply_304_line(skb, at, offset, n);

		if (line < 0)
			return -1;
		at += line;
		n -= line;
		offset += line + o->shared - REPLY_304_LINE;
	}
	date_at = at;
	date_offset = offset;
	whole = n;
	if (n && offset < head->len) {
		part = head->len - offset;
		if (part > n || head->off + head->len == o->body.off)
			part = n; /* the body follows at once */
		if (reply_store(skb, bytes, at, head->off + offset, part))
			return -1;
		at += part;
		offset += part;
		n -= part;
	}
	if (n && reply_store(skb, bytes, at, o->body.off + offset - head->len, n))
		return -1;
	return reply_date(skb, r, o, date_at, date_offset, whole);
}

/* Makes the packet the segment [seq, seq + n) of the answer; `ack` as given. 0, -1 or REPLY_STALE.
 */
static __always_inline int reply_segment(struct __sk_buff *skb, struct run *r, struct flow *f,
					 __u32 seq, __u32 n, __u32 ack, bool last)
{
	int err;

	if (segment_to_client(r, f))
		return -1;
	r->seg.seq = seq;
	r->seg.ack = ack;
	r->seg.flags = TCP_ACK | (last ? TCP_PSH : 0) |
		       (last && f->reply & REPLY_CLOSE ? TCP_FIN : 0);
	r->seg.payload_len = n;
	if (segment_resize(skb, r))
		return -1;
	err = n ? reply_payload(skb, r, f, seq - f->tx_start, n) : 0;
	return err ? err : segment_seal(skb, r);
}

/* The answer cannot be finished: the client gets a RST instead of bytes that would not fit. */
static __always_inline int reply_abort(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	f->state = FLOW_CLOSED;
	f->reply &= REPLY_COUNTED;
	if (segment_to_client(r, f))
		return drop(STAT_DROP_OTHER);
	return segment_bare(skb, r, f->snd_nxt, f->rcv_nxt, TCP_RST | TCP_ACK);
}

#endif
