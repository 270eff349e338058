/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's packet with payload: what of it is new, what repeats, what lies behind a hole; and
 * what follows from the scan of the new bytes: an answer, an ACK, or the leg's share.
 */
#ifndef SLUICE_PAYLOAD_H
#define SLUICE_PAYLOAD_H

#include "scan.h"

/* Next byte that the client expects. */
static __always_inline __u32 client_snd_nxt(struct run *r, const struct flow *f)
{
	struct leg *leg = leg_of(r, f, f->active);

	return leg ? leg->snd_max + leg->delta_out : f->snd_nxt;
}

/* What the client has been, or may be, told to have arrived. */
static __always_inline __u32 client_rcv_ack(struct run *r, const struct flow *f)
{
	struct leg *leg = leg_of(r, f, f->active);

	if (f->phase == REQUEST_HEAD)
		return f->rcv_nxt;
	if (leg)
		return leg->acked + leg->delta_in;
	return f->rcv_nxt - (f->reply & REPLY_ACTIVE ? f->req_len : 0);
}

static __always_inline int client_ack(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	return segment_ack_client(skb, r, f, client_snd_nxt(r, f), client_rcv_ack(r, f));
}

/* The client's FIN goes on to the leg. */
static __always_inline void client_take_fin(struct flow *f, struct leg *leg)
{
	f->flags |= FLOW_CLIENT_FIN;
	f->rcv_nxt++;
	leg->rnxt++;
}

/* The leg's share of a packet that has been scanned: run.cursor bytes are accepted. */
static __always_inline int client_to_leg(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct leg *leg = leg_of(r, f, f->active);
	struct pkt *p = &r->pkt;
	struct stash *st;
	int verdict;

	if (!leg)
		return drop(STAT_EARLY);
	leg->rnxt = f->rcv_nxt - leg->delta_in;
	if (r->replay) {
		st = stash_get(r, f, f->stash, STASH_REQUEST);
		if (!st ||
		    stash_append(skb, r, st, p->payload_off + r->first, r->cursor - r->first))
			return drop(STAT_STASH_FULL);
		verdict = forward_stash(skb, r, f, leg);
	} else if (r->cursor == p->payload_len) {
		if (p->flags & TCP_FIN)
			client_take_fin(f, leg);
		verdict = forward_whole(skb, r, f, leg);
	} else {
		/* Nothing new: what is repeated may have come from the stash, and all of that may
		 * be missing, though the client was told that its beginning has arrived. */
		st = r->cursor == r->first ? stash_get(r, f, f->stash, STASH_REQUEST) : NULL;
		if (st && seq_before(p->seq, st->start + st->len))
			verdict = forward_stash(skb, r, f, leg);
		else
			verdict = forward_cut(skb, r, f, leg, r->cursor);
	}
	return verdict == VERDICT_REFUSED ? open_refused(skb, r, f) : verdict;
}

/* All of the packet's payload has been seen before. */
static __always_inline int client_repeat(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	struct leg *leg = leg_of(r, f, f->active);
	int verdict;

	if (!leg) {
		if (f->reply & REPLY_ACTIVE)
			return transmit_on_repeat(skb, r, f);
		return client_ack(skb, r, f);
	}
	if (f->phase == REQUEST_HEAD)
		return client_ack(skb, r, f);
	if (st && seq_before(r->pkt.seq, st->start + st->len))
		return forward_stash(skb, r, f, leg);
	if (seq_before(r->pkt.seq - leg->delta_in, leg->base_in))
		return client_ack(skb, r, f);
	if (r->pkt.flags & TCP_FIN && r->pkt.seq + r->pkt.payload_len == f->rcv_nxt)
		client_take_fin(f, leg); /* joined to the last bytes in their repetition */
	verdict = forward_whole(skb, r, f, leg);
	return verdict == VERDICT_REFUSED ? open_refused(skb, r, f) : verdict;
}

/*
 * `hole` bytes are missing before this packet. If all of them belong to a body or a chunk of known
 * length, the packet may go on to the leg, whose TCP puts it in order: the hole is counted by
 * position, and what fills it is taken as repeated. True if so.
 */
static __always_inline bool client_skip(struct run *r, struct flow *f, __u32 hole)
{
	struct leg *leg = leg_of(r, f, f->active);
	bool body = f->phase == REQUEST_BODY ||
		    (f->phase == REQUEST_CHUNKED && f->body.phase == CHUNK_DATA);

	/* A FIN would be acknowledged before it is taken; it comes again behind the hole. */
	if (!leg || leg->state != LEG_OPEN || f->stash || !body || hole > f->body.left ||
	    r->pkt.flags & TCP_FIN)
		return false;
	f->body.left -= hole;
	if (f->phase == REQUEST_BODY && !f->body.left)
		f->phase = REQUEST_START;
	f->rcv_nxt += hole;
	return true;
}

/* The kernel answers: run.target or a canned error. */
static __always_inline int client_answer(struct __sk_buff *skb, struct run *r, struct flow *f,
					 int scan)
{
	forward_park(skb, r, f, 0);
	f->active = ACTIVE_KERNEL;
	f->phase = REQUEST_START;
	f->snd_nxt = r->pkt.ack;
	f->snd_wnd = (__u32)r->pkt.window << (f->wscale & 15);
	stash_drop(stash_get(r, f, f->stash, STASH_REQUEST), &f->stash);
	if (scan == SCAN_ERROR) {
		f->rcv_nxt = r->pkt.seq + r->pkt.payload_len;
		f->req_len = 0;
		return open_error(skb, r, f, r->canned);
	}
	f->req_len = r->cursor - r->first;
	f->tx_slot = r->target.slot;
	f->tx_gen = r->target.gen;
	return transmit_start(skb, r, f, r->reply_flags);
}

/* A packet with payload. */
static __always_inline int client_data(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct pkt *p = &r->pkt;
	__s32 old = f->rcv_nxt - p->seq;
	struct stash *st;
	int scan;

	if (old < 0) {
		if (!client_skip(r, f, -old)) {
			count(STAT_OUT_OF_ORDER);
			return client_ack(skb, r, f);
		}
		old = 0;
	}
	if ((__u32)old >= p->payload_len)
		return client_repeat(skb, r, f);
	r->first = old;
	r->cursor = old;
	r->len = p->payload_len;
	r->stashed = 0;
	r->replay = 0;
	if (f->phase == REQUEST_HEAD) {
		st = stash_get(r, f, f->stash, STASH_REQUEST);
		if (!st)
			return reply_abort(skb, r, f);
		r->stashed = st->len;
		if (r->len - r->first > STASH_BYTES - (st->len & (STASH_BYTES - 1)))
			r->len = r->first + STASH_BYTES - (st->len & (STASH_BYTES - 1));
	} else if (old && r->len - r->first > STASH_BYTES) {
		r->len = r->first + STASH_BYTES;
	}
	scan = request_scan(skb, r, f);
	f->rcv_nxt = p->seq + r->cursor;
	if (scan == SCAN_ANSWER || scan == SCAN_ERROR)
		return client_answer(skb, r, f, scan);
	if (scan == SCAN_STASHED)
		return segment_ack_client(skb, r, f, p->ack, f->rcv_nxt);
	if (r->cursor == r->first && f->active == ACTIVE_KERNEL) /* what is repeated counts */
		return r->first && f->reply & REPLY_ACTIVE ? transmit_on_repeat(skb, r, f) :
							     VERDICT_DROP;
	return client_to_leg(skb, r, f);
}

#endif
