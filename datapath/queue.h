/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pipelined requests that need another destination than the one that still owes a response: they
 * are acknowledged, wait at the end of the flow's stash, and are taken up when the way is free, as
 * if they came in a packet then. What makes it free is an ACK of the client, or a late one of the
 * backend: then a kick brings the packet. What does not fit is left to the client to repeat.
 *
 *   queue_put()     the packet's bytes from run.cursor on
 *   queue_is_due()  the way is free
 */
#ifndef SLUICE_QUEUE_H
#define SLUICE_QUEUE_H

#include "request.h"

#define QUEUE_BYTES                                                                                \
	12288 /* so much a packet can be grown by (BPF_SKB_MAX_LEN, net/core/filter.c) */

static __always_inline bool queue_holds(const struct flow *f)
{
	return f->phase == REQUEST_QUEUED;
}

/* What the client has acknowledged of the active destination's bytes, as far as is known. */
static __always_inline __u32 queue_client_ack(const struct flow *f, const struct leg *leg)
{
	return leg ? leg->told + leg->delta_out : f->snd_nxt;
}

/* Nothing is outstanding any more where the client has acknowledged all up to `ack`. */
static __always_inline bool queue_is_free(struct run *r, const struct flow *f, __u32 ack)
{
	const struct leg *leg = leg_of(r, f, f->active);

	if (!queue_holds(f) || f->state != FLOW_OPEN || f->flags & FLOW_LEG_FIN)
		return false;
	if (f->flags & FLOW_PINNED) /* what waits is no request: all of it is the leg's */
		return leg && !seq_before(leg->acked, leg->rnxt);
	if (leg)
		return leg_is_idle(f, leg, ack) && !(leg->flags & LEG_CLOSE);
	return f->active == ACTIVE_KERNEL && !(f->reply & REPLY_ACTIVE) && ack == f->snd_nxt;
}

static __always_inline bool queue_is_due(struct run *r, const struct flow *f)
{
	return queue_is_free(r, f, queue_client_ack(f, leg_of(r, f, f->active)));
}

/*
 * The response under way is the connection's last (ending.h): what waits is not
 * answered any more (RFC 9112, 9.6), as it would not be if the leg had it. It stays acknowledged:
 * the leg's numbers pass over it, once the leg has all that precedes it.
 */
static __always_inline void queue_end(struct run *r, struct flow *f, struct leg *leg)
{
	struct stash *st;

	if (!queue_holds(f) || f->active != leg->index || f->state != FLOW_OPEN ||
	    !(f->flags & FLOW_LEG_FIN || leg->flags & LEG_CLOSE) ||
	    seq_before(leg->acked, leg->rnxt))
		return;
	st = stash_get(r, f, f->stash, STASH_REQUEST);
	if (!st)
		return;
	leg->delta_in += st->queued;
	f->phase = REQUEST_START;
	stash_drop(st, &f->stash);
}

/* `ack` of the active leg as the client is to see it: what waits has arrived, too. */
static __always_inline __u32 queue_rcv_ack(const struct run *r, const struct flow *f, __u32 ack)
{
	const struct stash *st;

	if (!queue_holds(f))
		return ack;
	st = stash_get(r, f, f->stash, STASH_REQUEST);
	return st && ack == f->rcv_nxt - st->queued ? f->rcv_nxt : ack;
}

/*
 * Nobody repeats a request that is acknowledged by what follows it, so the answer under way, if it
 * had the client for a timer, gets one of its own. False: it cannot.
 */
static __always_inline bool queue_time_answer(struct run *r, struct flow *f)
{
	struct sender *s;

	if (f->active != ACTIVE_KERNEL || !(f->reply & REPLY_ACTIVE))
		return true;
	if (!(f->reply & REPLY_ONE))
		return !f->req_len;
	if (reply_measure(r, f))
		return false;
	s = transmit_claim(r, f);
	if (!s || f->req_len) {
		f->reply |= REPLY_ONE;
		return false;
	}
	s->sent = 1;
	s->order[0] = 1;
	transmit_arm(r, f, s);
	return true;
}

/* The stash in which the bytes at the cursor may wait, or NULL. Of what is in it, all precedes
 * them: requests that the active leg has not acknowledged. */
static __always_inline struct stash *queue_stash(struct run *r, struct flow *f, int scan)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);

	if (scan != SCAN_ANSWER && r->replay)
		return st;
	if (scan != SCAN_ANSWER && st) {
		if (st->start + st->len == f->rcv_nxt)
			return st;
		if (f->active != ACTIVE_KERNEL)
			return NULL;
	}
	stash_renew(r, f);
	return stash_get(r, f, f->stash, STASH_REQUEST);
}

/*
 * Keeps the packet's bytes from run.cursor on, which is f->rcv_nxt; `scan` is why they wait. Bytes
 * that were accepted and have to go through the stash go there before them. Returns the number of
 * bytes that wait: all or none. The packet stays as it is.
 */
__noinline int queue_put(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			 int scan)
{
	__u32 n = r->pkt.payload_len - r->cursor, from = r->cursor;
	__u32 head = scan == SCAN_ANSWER ? 0 : r->stashed; /* of a request, is there already */
	const struct leg *leg = leg_of(r, f, f->active);
	struct stash *st;

	/* What precedes them must go out as it came: see forward_cut(). */
	if (head + n > QUEUE_BYTES || r->cursor > STASH_BYTES ||
	    f->flags & (FLOW_PINNED | FLOW_CLIENT_FIN | FLOW_LEG_FIN) ||
	    (leg && leg->flags & (LEG_UPGRADE | LEG_CLOSE) && !r->taken))
		return 0;
	if (!r->taken && !(kick_is_served(r->now_ns) && queue_time_answer(r, f)))
		return 0;
	st = queue_stash(r, f, scan);
	if (!st)
		return 0;
	if (scan != SCAN_ANSWER && r->replay)
		from = r->first;
	if (stash_append(skb, r, st, r->pkt.payload_off + from, r->pkt.payload_len - from))
		return 0;
	st->queued = head + n;
	f->phase = REQUEST_QUEUED;
	count(STAT_QUEUED);
	return n;
}

/* Bytes [from, payload_len) of the packet join those that wait, as far as there is room. Returns
 * their number, or -1: the stash is gone. */
__noinline int queue_append(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			    __u32 from)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	__u32 n = r->pkt.payload_len - from, room;

	if (!st || st->len > STASH_BYTES || st->queued > QUEUE_BYTES)
		return -1;
	room = STASH_BYTES - st->len;
	if (room > QUEUE_BYTES - st->queued)
		room = QUEUE_BYTES - st->queued;
	if (n > room)
		n = room;
	if (!n) {
		count(STAT_EARLY);
		return 0;
	}
	if (stash_append(skb, r, st, r->pkt.payload_off + from, n))
		return 0;
	st->queued += n;
	count(STAT_QUEUED);
	return n;
}

/*
 * Makes the packet at hand the client's packet with the bytes that wait, for the scan: run.pkt, the
 * payload, and a fresh stash for what of it goes to a leg. 0 or -1: they are gone.
 */
__noinline int queue_take(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	__u32 hdr = r->pkt.l4_off + 20, from, n, i;
	struct pkt *p = &r->pkt;

	if (!st || st->queued > QUEUE_BYTES || st->queued > st->len)
		return -1;
	n = st->queued;
	from = st->len - n;
	if (bpf_skb_change_tail(skb, hdr + n, 0))
		return -1;
	for (r->sent = 0; r->sent < n && can_loop;) {
		i = r->sent;
		__u32 piece = n - i < STASH_PIECE ? n - i : STASH_PIECE, at = from + i;

		barrier_var(at);
		barrier_var(piece);
		if (at > STASH_BYTES || !is_length(piece, STASH_PIECE))
			return -1;
		if (bpf_skb_store_bytes(skb, hdr + i, st->bytes + at, piece, 0))
			return -1;
		r->sent = i + piece;
	}
	p->seq = st->start + from;
	p->payload_off = hdr;
	p->payload_len = n;
	p->flags = TCP_ACK;
	p->sack_len = 0;
	f->rcv_nxt = p->seq;
	f->phase = REQUEST_START;
	stash_renew(r, f);
	r->first = 0;
	r->cursor = 0;
	r->len = n;
	r->stashed = 0;
	r->replay = 1;
	r->taken = 1;
	return f->stash ? 0 : -1;
}

#endif
