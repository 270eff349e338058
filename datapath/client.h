/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of a client that belong to a flow: the TCP state machine of the gateway's side. While the
 * kernel is the destination it is the TCP peer; while a leg is, most packets are passed on to it
 * and Node's own TCP is the peer.
 */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include "begin.h"
#include "numbers.h"
#include "payload.h"

/* FIN of the client while the kernel is the destination: the gateway closes too. */
static __always_inline int client_fin(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	if (f->state == FLOW_OPEN) {
		f->rcv_nxt += !(f->flags & FLOW_CLIENT_FIN);
		f->flags |= FLOW_CLIENT_FIN;
		f->state = FLOW_CLOSING;
		f->reply &= REPLY_COUNTED;
		forward_reset_parked(skb, r, f);
		f->snd_una = f->snd_nxt;
		f->snd_nxt++;
	}
	if (segment_to_client(r, f))
		return drop(STAT_DROP_OTHER);
	return segment_bare(skb, r, f->snd_nxt - 1, f->rcv_nxt, TCP_FIN | TCP_ACK);
}

/* Both sides have closed. The packet is used up if there are legs. */
static __always_inline void client_closed(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	f->state = FLOW_CLOSED;
	forward_reset_parked(skb, r, f);
}

/* The gateway's FIN is out: late data is taken and forgotten so that the client can read the answer
 * (RFC 9112, 9.6), the client's FIN ends the flow. */
static __always_inline int client_closing(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct pkt *p = &r->pkt;
	bool fin = p->flags & TCP_FIN;

	if (f->reply & REPLY_ACTIVE) {
		/* Its timer repeats the request, or its own FIN: what we sent last is missing. */
		if (p->ack == f->snd_una &&
		    (p->flags & TCP_FIN ||
		     (p->payload_len && !seq_after(p->seq + p->payload_len, f->rcv_nxt))))
			return transmit_on_repeat(skb, r, f);
		return VERDICT_DROP;
	}
	if (p->payload_len || fin) {
		if (p->seq == f->rcv_nxt) {
			f->rcv_nxt += p->payload_len + fin;
			if (fin)
				f->flags |= FLOW_CLIENT_FIN;
		} else if (fin && f->flags & FLOW_CLIENT_FIN && p->ack != f->snd_nxt) {
			return client_fin(skb, r, f); /* it has not seen our FIN */
		}
		if (f->flags & FLOW_CLIENT_FIN && p->ack == f->snd_nxt)
			client_closed(skb, r, f);
		return segment_ack_client(skb, r, f, f->snd_nxt, f->rcv_nxt);
	}
	if (f->flags & FLOW_CLIENT_FIN && p->ack == f->snd_nxt)
		client_closed(skb, r, f);
	return VERDICT_DROP;
}

/* The kernel is the destination. */
static __always_inline int client_kernel(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct pkt *p = &r->pkt;
	bool was_active = f->reply & REPLY_ACTIVE;
	bool fin = p->flags & TCP_FIN;
	int verdict;

	/* Half closed: the answer goes on, the gateway's FIN follows it. */
	if (was_active && fin && !p->payload_len && p->seq == f->rcv_nxt && !f->req_len &&
	    !queue_holds(f) && f->state == FLOW_OPEN && !(f->flags & FLOW_CLIENT_FIN)) {
		f->rcv_nxt++;
		f->flags |= FLOW_CLIENT_FIN;
	}
	if (was_active) {
		verdict = transmit_on_ack(skb, r, f);
		if (verdict != VERDICT_GO)
			return verdict;
	}
	if (f->state == FLOW_CLOSING)
		return client_closing(skb, r, f);
	if (p->payload_len)
		return VERDICT_DATA;
	if (queue_holds(f)) /* a FIN is taken when it comes again, behind the answers */
		return queue_is_free(r, f, p->ack) ? VERDICT_TAKE : VERDICT_DROP;
	if (f->reply & REPLY_ACTIVE)
		return fin && f->flags & FLOW_CLIENT_FIN ? client_ack(skb, r, f) : VERDICT_DROP;
	if (f->flags & FLOW_CLIENT_FIN || (fin && p->seq == f->rcv_nxt))
		return client_fin(skb, r, f);
	/* A long answer is over: now the request is acknowledged. */
	if (was_active && f->req_len && !(f->reply & REPLY_ONE)) {
		f->req_len = 0;
		return client_ack(skb, r, f);
	}
	if (seq_before(p->seq, f->rcv_nxt)) /* keep-alive probe, RFC 9293, 3.8.4 */
		return client_ack(skb, r, f);
	return VERDICT_DROP;
}

/* A packet without payload while requests wait for the leg. A FIN is taken when it comes again,
 * behind the answers. */
static __always_inline int client_leg_queued(struct __sk_buff *skb, struct run *r, struct flow *f,
					     struct leg *leg)
{
	if (queue_is_free(r, f, r->pkt.ack))
		return VERDICT_TAKE;
	if (r->pkt.flags & TCP_FIN) {
		forward_bare(skb, r, f, leg, TCP_ACK);
		return VERDICT_DROP;
	}
	if (seq_before(r->pkt.seq, f->rcv_nxt)) /* keep-alive probe */
		return client_ack(skb, r, f);
	return forward_whole(skb, r, f, leg);
}

/* A leg is the destination. */
static __always_inline int client_leg(struct __sk_buff *skb, struct run *r, struct flow *f,
				      struct leg *leg)
{
	struct pkt *p = &r->pkt;

	if (f->flags & FLOW_PINNED && !queue_holds(f)) {
		__u32 end = p->seq + p->payload_len + !!(p->flags & TCP_FIN);
		struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);

		if (p->payload_len && st && seq_before(p->seq, st->start + st->len))
			return client_repeat(skb, r, f);
		if (seq_after(end, f->rcv_nxt)) {
			f->rcv_nxt = end;
			leg->rnxt = end - leg->delta_in;
		}
		if (p->flags & TCP_FIN)
			f->flags |= FLOW_CLIENT_FIN;
		return forward_whole(skb, r, f, leg);
	}
	if (p->payload_len)
		return VERDICT_DATA;
	if (queue_holds(f))
		return client_leg_queued(skb, r, f, leg);
	if (p->flags & TCP_FIN && seq_after(p->seq, f->rcv_nxt)) {
		count(STAT_OUT_OF_ORDER);
		return client_ack(skb, r, f);
	}
	if (f->phase == REQUEST_HEAD && seq_before(p->seq, f->rcv_nxt))
		return client_ack(skb, r, f); /* keep-alive probe, of bytes that no leg has seen */
	if (p->flags & TCP_FIN && p->seq == f->rcv_nxt && f->phase == REQUEST_HEAD) {
		f->active = ACTIVE_KERNEL; /* the leg has not seen the head's beginning */
		f->snd_nxt = leg->resp_pos + leg->delta_out;
		return client_fin(skb, r, f);
	}
	if (p->flags & TCP_FIN && p->seq == f->rcv_nxt) {
		int resets = forward_reset_parked(skb, r, f);

		if (resets) /* the packet is used up: the FIN is made anew */
			forward_bare(skb, r, f, leg, TCP_FIN | TCP_ACK);
		client_take_fin(f, leg);
		if (resets)
			return VERDICT_DROP;
	}
	return forward_whole(skb, r, f, leg);
}

/* An ACK that asks the sender to prove itself (RFC 5961, 3.2 and 4.2), rate-limited (7). */
static __always_inline int client_challenge(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	return budget_take(r) ? client_ack(skb, r, f) : drop(STAT_RST_LIMITED);
}

/*
 * RST: believed at the exact next byte only (RFC 5961, 3.2). Three numbers may be that: what the
 * client was last told (it answers a challenge with it), what it has sent, and one more if a FIN
 * was not taken.
 */
static __always_inline int client_reset(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct leg *leg = leg_of(r, f, f->active);

	if (r->pkt.seq - f->rcv_nxt > 1 && r->pkt.seq != client_rcv_ack(r, f)) {
		if (r->pkt.seq - f->rcv_nxt > WINDOW_BYTES)
			return drop(STAT_DROP_STALE);
		return client_challenge(skb, r, f);
	}
	forward_reset_parked(skb, r, f);
	if (leg) {
		forward_bare(skb, r, f, leg, TCP_RST | TCP_ACK);
		leg->state = LEG_DEAD;
	}
	f->state = FLOW_CLOSED;
	f->reply = (f->reply & REPLY_COUNTED) | REPLY_RESET;
	return VERDICT_DROP;
}

/* Any packet of a flow whose owner word is held. Returns a verdict, or VERDICT_DATA or
 * VERDICT_TAKE for client_data(): in one, the chain of calls would be too long for the verifier
 * ("the call stack of 8 frames is too deep"). */
__noinline int client_flow(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct pkt *p = &r->pkt;
	struct leg *leg;
	int verdict;

	if (p->flags & TCP_RST)
		return client_reset(skb, r, f);
	if (p->flags & TCP_SYN || !(p->flags & TCP_ACK))
		return client_challenge(skb, r, f);
	/* RFC 7323, 3.2; what is spoofed would be answered with more bytes than it has. */
	if (f->flags & FLOW_TS && !p->has_ts)
		return drop(STAT_DROP_STALE);
	if (f->state == FLOW_CLOSED)
		return p->flags & TCP_FIN ? client_challenge(skb, r, f) : drop(STAT_DROP_STALE);
	verdict = numbers_check(r, f);
	if (verdict != NUMBERS_GOOD)
		return verdict == NUMBERS_DROP ? VERDICT_DROP : client_challenge(skb, r, f);
	r->rested = run_clock(r) - f->seen;
	f->seen = run_clock(r);
	f->uplink = r->uplink;
	__builtin_memcpy(f->mac, r->hdr + ETH_ALEN, ETH_ALEN);
	leg = leg_of(r, f, f->active);
	if (!leg && f->active != ACTIVE_KERNEL)
		return reply_abort(skb, r, f);
	return leg ? client_leg(skb, r, f, leg) : client_kernel(skb, r, f);
}

static __always_inline int client_packet(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	int verdict = client_flow(skb, r, f);

	return verdict == VERDICT_DATA || verdict == VERDICT_TAKE ?
		       client_data(skb, r, f, verdict) :
		       verdict;
}

#endif
