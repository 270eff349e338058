/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's packet with payload: what of it is new, what repeats, what lies behind a hole; and
 * what follows from the scan of the new bytes: an answer, an ACK, or the leg's share.
 */
#ifndef SLUICE_PAYLOAD_H
#define SLUICE_PAYLOAD_H

#include "queue.h"
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
		return queue_rcv_ack(r, f, leg->acked + leg->delta_in);
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

/* Nobody repeats what has waited: see kick_leg(). */
static __always_inline void client_watch_leg(struct run *r, struct flow *f)
{
	struct sender *s = sender_claim(r, f) ? sender_of(r) : NULL;

	if (!s)
		return;
	s->flags = SENDER_LEG;
	sender_arm(r, RTO_MIN);
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
	leg->rnxt = p->seq + r->cursor - leg->delta_in;
	if (r->replay) {
		st = stash_get(r, f, f->stash, STASH_REQUEST);
		if (!st || (!r->kept && stash_append(skb, r, st, p->payload_off + r->first,
						     r->cursor - r->first)))
			return drop(STAT_STASH_FULL);
		if (r->taken) {
			/* It has come with an ACK that no packet has brought to the leg. */
			forward_ack(p, leg, p->ack - leg->delta_out);
			client_watch_leg(r, f);
		}
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

/* The same while requests wait: only what precedes them is the leg's. */
static __always_inline int client_repeat_queued(struct __sk_buff *skb, struct run *r,
						struct flow *f, struct leg *leg, struct stash *st)
{
	__u32 n;

	if (!st)
		return reply_abort(skb, r, f);
	n = f->rcv_nxt - st->queued - r->pkt.seq;
	if ((__s32)n <= 0 || seq_before(r->pkt.seq - leg->delta_in, leg->base_in))
		return client_ack(skb, r, f);
	if (st->len > st->queued)
		return forward_stash(skb, r, f, leg);
	return forward_cut(skb, r, f, leg, n < r->pkt.payload_len ? n : r->pkt.payload_len);
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
	if (queue_holds(f))
		return client_repeat_queued(skb, r, f, leg, st);
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
	f->snd_nxt = r->pkt.ack;
	f->snd_wnd = (__u32)r->pkt.window << (f->wscale & 15);
	if (!r->kept) {
		f->phase = REQUEST_START;
		stash_drop(stash_get(r, f, f->stash, STASH_REQUEST), &f->stash);
	}
	if (r->taken) /* it has no request to repeat */
		r->reply_flags |= TRANSMIT_TIMED;
	if (scan == SCAN_ERROR) {
		f->rcv_nxt = r->pkt.seq + r->pkt.payload_len;
		f->req_len = 0;
		return open_error(skb, r, f, r->canned);
	}
	f->req_len = r->taken ? 0 : r->cursor - r->first + r->kept;
	if (r->kept)
		r->reply_flags |= TRANSMIT_TIMED;
	f->tx_slot = r->target.slot;
	f->tx_gen = r->target.gen;
	return transmit_start(skb, r, f, r->reply_flags);
}

/* Requests wait, and the packet is acknowledged; what it tells the leg goes there. */
static __always_inline int client_ack_queued(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct leg *leg = leg_of(r, f, f->active);

	if (leg)
		forward_bare(skb, r, f, leg, TCP_ACK);
	return client_ack(skb, r, f);
}

/* What the scan of the packet from run.first on has come to. Returns a verdict. */
static __always_inline int client_scanned(struct __sk_buff *skb, struct run *r, struct flow *f,
					  int scan)
{
	struct pkt *p = &r->pkt;
	bool waits = scan == SCAN_WAIT || (scan == SCAN_STOP && r->taken) ||
		     (scan == SCAN_ANSWER && !(r->reply_flags & REPLY_CLOSE));

	f->rcv_nxt = p->seq + r->cursor;
	r->kept = waits && r->cursor < p->payload_len ? queue_put(skb, r, f, scan) : 0;
	f->rcv_nxt += r->kept;
	if (scan == SCAN_WAIT && !r->kept)
		count(STAT_EARLY);
	if (r->taken && scan == SCAN_ANSWER && r->reply_flags & REPLY_CLOSE)
		f->rcv_nxt = p->seq + p->payload_len; /* nothing behind it counts (RFC 9112, 9.6) */
	if (r->taken && scan != SCAN_ERROR && scan != SCAN_ABORT &&
	    f->rcv_nxt != p->seq + p->payload_len)
		return reply_abort(skb, r, f); /* nobody repeats it */
	if (scan == SCAN_ABORT)
		return ending_abort(skb, r, f);
	if (scan == SCAN_ANSWER || scan == SCAN_ERROR)
		return client_answer(skb, r, f, scan);
	if (scan == SCAN_STASHED)
		return segment_ack_client(skb, r, f, p->ack, f->rcv_nxt);
	if (r->cursor == r->first && f->active == ACTIVE_KERNEL && r->first &&
	    f->reply & REPLY_ACTIVE) /* what is repeated counts */
		return transmit_on_repeat(skb, r, f);
	if (r->cursor == r->first && r->kept)
		return r->first ? client_repeat(skb, r, f) : client_ack_queued(skb, r, f);
	if (r->cursor == r->first && f->active == ACTIVE_KERNEL)
		return VERDICT_DROP;
	return client_to_leg(skb, r, f);
}

/* A packet with payload behind requests that wait; `old` bytes of it are known. Returns
 * VERDICT_TAKE, or what becomes of the packet. */
static __always_inline int client_data_queued(struct __sk_buff *skb, struct run *r, struct flow *f,
					      __u32 old)
{
	int n = queue_append(skb, r, f, old);

	if (n < 0)
		return reply_abort(skb, r, f);
	f->rcv_nxt += n;
	if (queue_is_free(r, f, r->pkt.ack))
		return VERDICT_TAKE;
	return client_ack_queued(skb, r, f);
}

/* A packet with payload, before its scan. Returns VERDICT_DATA (scan it), VERDICT_TAKE, or what
 * becomes of it. */
static __always_inline int client_data_begin(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct pkt *p = &r->pkt;
	__s32 old = f->rcv_nxt - p->seq;
	struct stash *st;

	if (old < 0) {
		if (!client_skip(r, f, -old)) {
			count(STAT_OUT_OF_ORDER);
			return client_ack(skb, r, f);
		}
		old = 0;
	}
	/* What repeats may bring the ACK that frees the queue, and bring it alone. */
	if ((__u32)old >= p->payload_len)
		return queue_is_free(r, f, p->ack) ? VERDICT_TAKE : client_repeat(skb, r, f);
	if (queue_holds(f))
		return client_data_queued(skb, r, f, old);
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
	return VERDICT_DATA;
}

/* The new bytes of a packet (VERDICT_DATA), or those that wait (VERDICT_TAKE), for which any packet
 * will do: it is used up. Returns a verdict. */
__noinline int client_data(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			   int verdict)
{
	if (verdict == VERDICT_DATA)
		verdict = client_data_begin(skb, r, f);
	if (verdict == VERDICT_TAKE)
		verdict = queue_take(skb, r, f) ? reply_abort(skb, r, f) : VERDICT_DATA;
	return verdict == VERDICT_DATA ? client_scanned(skb, r, f, request_scan(skb, r, f)) :
					 verdict;
}

#endif
