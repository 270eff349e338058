/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of a backend on their way to the client. Nothing is translated unless this backend owns a
 * leg of the flow and the packet's numbers lie in it. Packets of a parked leg never reach the
 * client; an idle leg that the backend closes is ended with RST, which frees its 4-tuple, and the
 * client's connection stays.
 */
#ifndef SLUICE_BACKEND_H
#define SLUICE_BACKEND_H

#include "queue.h"
#include "response.h"

#define LEG_WINDOW_MAX (1u << 30) /* RFC 7323, 2.3: no window is larger */

/* Back to the backend in place of its packet. Returns a verdict. */
static __always_inline int backend_answer(struct __sk_buff *skb, struct run *r, bool local,
					  const struct flow *f, __u32 seq, __u32 ack, __u8 flags)
{
	int verdict;

	segment_turn(r);
	r->out_ifindex = skb->ifindex;
	if (f) {
		r->seg.tsval = f->ts_recent;
		r->seg.window = f->snd_wnd >> (f->wscale & 15);
	}
	verdict = segment_bare(skb, r, seq, ack, flags);
	if (local && verdict == VERDICT_REDIRECT)
		return VERDICT_INGRESS;
	return verdict;
}

/* The leg, or what it belonged to, is gone. */
static __always_inline int backend_reset(struct __sk_buff *skb, struct run *r, bool local)
{
	if (r->pkt.flags & TCP_RST || !(r->pkt.flags & TCP_ACK))
		return drop(STAT_DROP_STALE);
	r->pkt.has_ts = 0;
	return backend_answer(skb, r, local, NULL, r->pkt.ack, 0, TCP_RST);
}

/* No request is under way, neither its body nor its response. Of a head that is not whole the leg
 * has seen nothing. */
static __always_inline bool backend_is_quiet(const struct flow *f, const struct leg *leg)
{
	return leg->rphase == RESPONSE_IDLE && leg->sent == leg->done &&
	       (f->phase == REQUEST_START || f->phase == REQUEST_HEAD || queue_holds(f));
}

/* The client has acknowledged all that the leg has sent: before a head begins it must have. */
static __always_inline bool backend_is_acked(const struct flow *f, const struct leg *leg)
{
	return f->phase == REQUEST_HEAD || !seq_before(leg->told, leg->resp_pos);
}

/* A leg that the client does not talk to at the moment. */
static __always_inline int backend_parked(struct __sk_buff *skb, struct run *r, bool local,
					  struct flow *f, struct leg *leg)
{
	struct pkt *p = &r->pkt;

	if (p->flags & TCP_RST) {
		leg->state = LEG_DEAD;
		return VERDICT_DROP;
	}
	if (p->flags & TCP_FIN) {
		count(STAT_LEG_CLOSED);
		leg->state = LEG_DEAD;
		return backend_reset(skb, r, local);
	}
	if (p->payload_len || p->seq != leg->resp_pos) /* repeated data, keep-alive probe */
		return backend_answer(skb, r, local, f, leg->rnxt, leg->resp_pos, TCP_ACK);
	return VERDICT_DROP;
}

/* The active leg's packet, translated, to the client. */
static __always_inline int backend_to_client(struct __sk_buff *skb, struct run *r, bool local,
					     struct flow *f, struct leg *leg)
{
	struct pkt *p = &r->pkt;
	__u32 ack = seq_before(p->ack, leg->base_in) ? leg->base_in : p->ack;

	if (segment_to_client(r, f))
		return drop(STAT_DROP_OTHER);
	if (local) {
		__builtin_memcpy(r->seg.mac_dst, r->hdr, ETH_ALEN);
		__builtin_memcpy(r->seg.mac_src, r->hdr + ETH_ALEN, ETH_ALEN);
	}
	r->seg.seq = p->seq + leg->delta_out;
	r->seg.ack = p->flags & TCP_ACK ? queue_rcv_ack(r, f, ack + leg->delta_in) : 0;
	r->seg.sack_base = leg->base_in;
	if (translate_apply(skb, r, leg->delta_in, 0))
		return drop(STAT_DROP_OTHER);
	return local ? VERDICT_NEXT : VERDICT_REDIRECT;
}

/* FIN of the active leg. VERDICT_GO: it goes on to the client. */
static __always_inline int backend_fin(struct __sk_buff *skb, struct run *r, bool local,
				       struct flow *f, struct leg *leg)
{
	bool keep = !(leg->flags & LEG_CLOSE) && !(f->flags & (FLOW_CLIENT_FIN | FLOW_PINNED));

	leg->flags |= LEG_FIN;
	if (keep && backend_is_quiet(f, leg) && backend_is_acked(f, leg)) {
		count(STAT_LEG_CLOSED);
		leg_leave(f, leg);
		return backend_reset(skb, r, local);
	}
	/* The client's ACK is under way: the backend repeats its FIN, or the next request ends the
	 * leg. */
	if (keep && backend_is_quiet(f, leg) && !r->pkt.payload_len)
		return VERDICT_DROP;
	if (keep && leg->rphase == RESPONSE_HEAD && seq_before(r->pkt.ack, leg->rnxt))
		return drop(STAT_DROP_STALE); /* it crosses a request; what follows that decides */
	f->flags |= FLOW_LEG_FIN;
	return VERDICT_GO;
}

/*
 * RST of a leg that was idle when a request came, before any byte of a response: Node closed it
 * while the request was under way. The request goes to a fresh socket, once.
 */
static __always_inline int backend_replay(struct __sk_buff *skb, struct run *r, struct flow *f,
					  struct leg *leg)
{
	__u32 pool = leg->pool, flags = leg->flags & LEG_CLOSE, ack = leg->told + leg->delta_out;
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	bool head = leg->heads >> (leg->done & (LEG_OUTSTANDING - 1)) & 1;

	leg->state = LEG_DEAD;
	r->sticky = leg->sticky;
	f->snd_nxt = ack;
	r->pkt.src = f->key.client;
	r->pkt.ack = ack;
	r->pkt.has_ts = 0;
	r->pkt.window = f->snd_wnd >> (f->wscale & 15);
	if (!st || open_leg(r, f, pool, 0, st->start) < 0)
		return reply_abort(skb, r, f);
	leg = leg_of(r, f, f->active);
	if (!leg)
		return reply_abort(skb, r, f);
	leg->rnxt = st->start + st->len - st->queued;
	leg->flags = flags;
	leg->sticky = r->sticky;
	leg->heads = head;
	leg->sent = 1;
	leg->rphase = RESPONSE_HEAD;
	count(STAT_REPLAYED);
	return forward_stash(skb, r, f, leg);
}

static __always_inline int backend_rst(struct __sk_buff *skb, struct run *r, bool local,
				       struct flow *f, struct leg *leg)
{
	int verdict;

	if (backend_is_quiet(f, leg) && backend_is_acked(f, leg) && !(leg->flags & LEG_CLOSE) &&
	    !(f->flags & FLOW_PINNED)) {
		count(STAT_LEG_CLOSED);
		leg_leave(f, leg);
		return VERDICT_DROP;
	}
	if (leg->flags & LEG_REPLAY && leg->rphase == RESPONSE_HEAD)
		return backend_replay(skb, r, f, leg);
	verdict = backend_to_client(skb, r, local, f, leg);
	leg->state = LEG_DEAD;
	f->state = FLOW_CLOSED;
	return verdict;
}

/* Bytes that nobody asked for end the leg, and the connection too when the client has not yet
 * acknowledged what went before: nobody could send it again. */
static __always_inline int backend_unasked(struct __sk_buff *skb, struct run *r, bool local,
					   struct flow *f, struct leg *leg, bool has_all)
{
	if (has_all) {
		leg_leave(f, leg);
		return backend_reset(skb, r, local);
	}
	f->snd_nxt = leg->snd_max + leg->delta_out;
	return reply_abort(skb, r, f);
}

/* A packet of a living leg, with the flow's owner word held. */
__noinline int backend_flow(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			    struct leg *leg NONNULL, __u32 local)
{
	struct pkt *p = &r->pkt;
	__u32 end = p->seq + p->payload_len + !!(p->flags & TCP_FIN);
	__u32 before, edge;
	struct stash *st;
	int follow;

	if (f->state == FLOW_CLOSED || leg->state == LEG_DEAD || leg->state == LEG_FREE)
		return backend_reset(skb, r, local);
	if (p->flags & TCP_SYN || (p->flags & TCP_ACK && seq_after(p->ack, leg->rnxt)) ||
	    p->seq - leg->base_out + LEG_WINDOW_MAX > 2 * LEG_WINDOW_MAX)
		return drop(STAT_DROP_FORGED);
	if (seq_after(end, leg->snd_max)) /* repetitions do not show that the client is there */
		f->seen = run_clock(r);
	if (leg->state == LEG_OPENING)
		leg->state = LEG_OPEN;
	edge = p->ack + ((__u32)p->window << (f->flags & FLOW_WSCALE ? WINDOW_SCALE : 0));
	if (p->flags & TCP_ACK && seq_after(edge, leg->edge))
		leg->edge = edge;
	if (f->active != leg->index)
		return backend_parked(skb, r, local, f, leg);
	if (p->flags & TCP_ACK && seq_after(p->ack, leg->acked)) {
		leg->acked = p->ack;
		st = stash_get(r, f, f->stash, STASH_REQUEST);
		if (st && f->phase != REQUEST_HEAD && !queue_holds(f) &&
		    !(leg->flags & LEG_REPLAY) &&
		    !seq_before(p->ack + leg->delta_in, st->start + st->len))
			stash_drop(st, &f->stash);
	}
	if (p->flags & TCP_RST)
		return backend_rst(skb, r, local, f, leg);
	if (p->payload_len && !seq_after(p->seq + p->payload_len, leg->base_out))
		return backend_answer(skb, r, local, f, leg->rnxt, leg->base_out, TCP_ACK);
	if (p->payload_len && leg->flags & LEG_REPLAY) {
		leg->flags &= ~LEG_REPLAY;
		if (!queue_holds(f))
			stash_drop(stash_get(r, f, f->stash, STASH_REQUEST), &f->stash);
	}
	before = leg->resp_pos;
	follow = p->payload_len ? response_follow(skb, r, f, leg) : FOLLOW_ON;
	if (follow == FOLLOW_GAP)
		return drop(STAT_RESPONSE_GAP);
	if (follow == FOLLOW_UNASKED)
		return backend_unasked(skb, r, local, f, leg,
				       leg->resp_pos == before && backend_is_acked(f, leg));
	if (p->flags & TCP_FIN) {
		int verdict = backend_fin(skb, r, local, f, leg);

		if (verdict != VERDICT_GO)
			return verdict;
	}
	if (seq_after(end, leg->snd_max))
		leg->snd_max = end;
	return backend_to_client(skb, r, local, f, leg);
}

static __always_inline bool leg_still(const struct leg *leg, const struct leg_key *key,
				      const struct flow *f)
{
	return key_equal(&leg->key, key) && leg->flow_gen == f->gen && f->state != FLOW_FREE;
}

/* The queue's turn has come, and no packet of the client with it: a kick, and others while none is
 * served. */
static __always_inline void backend_kick(struct run *r, struct flow *f)
{
	struct sender *s;

	kick_ask(r->flow_slot, f->gen, r->now_ns);
	r->rested = 0;
	s = sender_claim(r, f) ? sender_of(r) : NULL;
	if (!s)
		return;
	s->flags = SENDER_LEG;
	sender_arm(r, KICK_RETRY);
}

/* A packet from backend `id` to a client. Returns a verdict;
 * VERDICT_NO_LEG, VERDICT_OLD_LEG: it may be a relayed one. */
static __always_inline int backend_packet(struct __sk_buff *skb, struct run *r, __u32 id,
					  bool local)
{
	struct settings *s = settings_get();
	struct backend *b = backend_at(id);
	struct leg_key *key = &r->leg_key;
	struct flow *f;
	struct leg *leg;
	int verdict;

	if (!s || !b)
		return VERDICT_NEXT;
	leg_key_make(key, &r->pkt.dst, r->pkt.dport, id);
	leg = leg_find(s, key);
	if (!leg)
		return VERDICT_NO_LEG;
	if (!local && b->ifindex != skb->ifindex)
		return drop(STAT_DROP_FORGED);
	r->flow_slot = leg->flow;
	f = flow_at(r->flow_slot);
	if (!f || leg->flow_gen != f->gen)
		return VERDICT_OLD_LEG;
	if (!lock_take(&f->owner))
		return drop(STAT_OWNER_BUSY);
	if (leg_still(leg, key, f)) {
		verdict = backend_flow(skb, r, f, leg, local);
		queue_end(r, f, leg);
		if (queue_is_due(r, f))
			backend_kick(r, f);
	} else {
		verdict = backend_reset(skb, r, local);
	}
	flow_release(r, f);
	return verdict;
}

/* A hand-over that the program in the backend's netns sent back: believed only while that leg is
 * opening, for the packet that opens it, from the interface of its backend.
 * Returns as backend_packet(). */
static __always_inline int backend_bounce(struct __sk_buff *skb, struct run *r, __u32 id)
{
	struct settings *s = settings_get();
	struct backend *b = backend_at(id);
	struct leg_key *key = &r->leg_key;
	struct flow *f;
	struct leg *leg;
	int verdict;

	if (!s || !b)
		return VERDICT_NEXT;
	leg_key_make(key, &r->pkt.src, r->pkt.sport, id);
	leg = leg_find(s, key);
	if (!leg)
		return VERDICT_NO_LEG;
	r->flow_slot = leg->flow;
	f = flow_at(r->flow_slot);
	if (!f || leg->flow_gen != f->gen)
		return VERDICT_OLD_LEG;
	if (b->ifindex != skb->ifindex)
		return drop(STAT_DROP_FORGED);
	if (!lock_take(&f->owner))
		return drop(STAT_OWNER_BUSY);
	if (leg_still(leg, key, f) && leg->state == LEG_OPENING && f->active == leg->index &&
	    r->pkt.seq == leg->start && r->pkt.ack == leg->base_out && r->pkt.flags & TCP_ACK &&
	    !seq_after(r->pkt.seq + r->pkt.payload_len, leg->rnxt)) {
		bpf_skb_change_type(skb, PACKET_HOST);
		verdict = open_refused(skb, r, f);
	} else {
		verdict = drop(STAT_DROP_FORGED);
	}
	flow_release(r, f);
	return verdict;
}

#endif
