/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the client on their way to a leg: translated in place, cut to what was accepted, or
 * made anew from a stash. Remote backends are reached by steering, local ones by handing the packet
 * to the gateway's own stack.
 */
#ifndef SLUICE_FORWARD_H
#define SLUICE_FORWARD_H

#include "accept.h"
#include "stash.h"
#include "translate.h"

/* Addresses and way of packets of this leg. Returns VERDICT_REDIRECT, VERDICT_NEIGH, VERDICT_NEXT
 * (local) or VERDICT_DROP. */
static __always_inline int forward_address(struct __sk_buff *skb, struct run *r,
					   const struct flow *f, struct leg *leg, struct backend *b)
{
	struct segment *s = &r->seg;
	__u32 vip = f->key.vip;

	s->src = f->key.client;
	s->sport = f->key.port;
	s->dport = b->port;
	if (b->flags & BACKEND_LOCAL) {
		struct vip_key *v = bpf_map_lookup_elem(&vip_list, &vip);

		if (!v)
			return drop(STAT_DROP_OTHER);
		s->dst = v->addr;
		__builtin_memcpy(s->mac_dst, r->hdr, ETH_ALEN);
		__builtin_memcpy(s->mac_src, r->hdr + ETH_ALEN, ETH_ALEN);
		return VERDICT_NEXT;
	}
	s->dst = *backend_addr(b, r->pkt.is_v6);
	return steer(skb, r, b, &s->src, &s->dst);
}

/*
 * The number with which a segment tells the leg what the client has got. Where there is payload,
 * or a FIN, it is never less than what was told before: the leg's TCP would drop the segment if it
 * were by more than the largest window that it has seen (RFC 5961, 5.2), after its bytes have been
 * read here.
 */
static __always_inline __u32 forward_ack(const struct pkt *p, struct leg *leg, __u32 ack)
{
	if (seq_after(ack, leg->told))
		leg->told = ack;
	return p->payload_len || p->flags & TCP_FIN ? leg->told : ack;
}

/* Fields of a segment to the leg that the gateway makes, beyond addresses. */
static __always_inline void forward_segment(struct run *r, const struct flow *f, struct leg *leg,
					    __u32 seq, __u32 ack, __u8 flags)
{
	struct segment *s = &r->seg;

	s->seq = seq;
	s->ack = forward_ack(&r->pkt, leg, ack);
	s->flags = flags;
	s->window = r->pkt.window;
	s->has_ts = f->flags & FLOW_TS;
	s->tsval = r->pkt.has_ts ? r->pkt.tsval : f->ts_recent;
	s->tsecr = leg->state == LEG_OPENING || !r->pkt.has_ts ? run_tsval(r) : r->pkt.tsecr;
	s->options_len = 0;
	s->payload_len = 0;
}

/* A copy of the packet, for a backend of this netns, as if it came in from the client. */
static __always_inline int forward_inject(struct __sk_buff *skb, const struct run *r)
{
	__u32 ifindex = skb->ifindex;

	barrier_var(ifindex); /* else one load for both branches: no ctx access */
	if (r->inject)
		ifindex = r->inject;
	return bpf_clone_redirect(skb, ifindex, BPF_F_INGRESS);
}

/* A bare segment to the leg, as a clone; the packet is used up. */
__noinline int forward_bare(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			    struct leg *leg NONNULL, __u32 flags)
{
	struct backend *b = backend_at(leg->key.backend);
	int verdict;
	__u32 ack;

	if (!b)
		return -1;
	verdict = forward_address(skb, r, f, leg, b);
	if (verdict != VERDICT_REDIRECT && verdict != VERDICT_NEXT)
		return -1;
	ack = leg->index == f->active ? r->pkt.ack - leg->delta_out : leg->resp_pos;
	forward_segment(r, f, leg, leg->rnxt, ack, flags);
	if (segment_resize(skb, r) || segment_seal(skb, r))
		return -1;
	if (verdict == VERDICT_NEXT)
		return forward_inject(skb, r);
	return bpf_clone_redirect(skb, r->out_ifindex, 0);
}

/* Translates the whole packet and sends it to the leg. Returns a verdict. */
__noinline int forward_whole(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			     struct leg *leg NONNULL)
{
	struct backend *b = backend_at(leg->key.backend);
	bool opening = leg->state == LEG_OPENING;
	int verdict;

	if (!b)
		return drop(STAT_DROP_OTHER);
	verdict = forward_address(skb, r, f, leg, b);
	if (verdict == VERDICT_DROP)
		return verdict;
	r->seg.seq = r->pkt.seq - leg->delta_in;
	r->seg.ack = forward_ack(&r->pkt, leg, r->pkt.ack - leg->delta_out);
	r->seg.tsecr = run_tsval(r);
	r->seg.sack_base = leg->base_out + leg->delta_out;
	if (verdict == VERDICT_NEXT && opening) {
		int result = accept_packet(skb, r, f, leg);

		if (result == ACCEPT_REFUSED)
			return VERDICT_REFUSED;
		if (result == ACCEPT_WAIT)
			return drop(STAT_DROP_STALE);
		if (result == ACCEPT_CLOSING) { /* uplink_local() knows what to do, in a second pass
						 */
			r->out_ifindex = skb->ifindex;
			verdict = VERDICT_INGRESS;
		}
	}
	if (translate_apply(skb, r, -leg->delta_out, opening))
		return drop(STAT_DROP_OTHER);
	if (verdict == VERDICT_REDIRECT && b->flags & BACKEND_PEER && !(leg->flags & LEG_QUEUED)) {
		skb->tc_index = opening ? 0 : ACCEPT_PASS;
		return VERDICT_PEER;
	}
	return verdict;
}

/*
 * Sends `total` bytes as segments that fit the backend's interface, the first of them `seq` of the
 * leg; it may open the leg. The packet is used up. Returns a verdict. The verifier wants `bytes` to
 * have STASH_PIECE bytes behind its STASH_BYTES.
 */
static __always_inline int forward_pieces(struct __sk_buff *skb, struct run *r, struct flow *f,
					  struct leg *leg, int verdict, __u32 mtu,
					  const __u8 *bytes, __u32 seq, __u32 ack, __u32 total)
{
	__u32 mss = (mtu < 1280 ? 1280 : mtu) - (r->pkt.is_v6 ? 60 : 40) - 12;

	if (mss > STASH_PIECE)
		mss = STASH_PIECE;
	leg->flags |= LEG_QUEUED;
	for (r->sent = 0; r->sent < total && can_loop;) {
		__u32 at = r->sent, n = segment_fit(r, total - at < mss ? total - at : mss);

		forward_segment(r, f, leg, seq + at, ack,
				at + n == total ? TCP_ACK | TCP_PSH : TCP_ACK);
		r->seg.payload_len = n;
		if (segment_resize(skb, r))
			return drop(STAT_DROP_OTHER);
		barrier_var(n);
		barrier_var(at);
		if (!is_length(n, STASH_PIECE) || at > STASH_BYTES)
			return drop(STAT_DROP_OTHER);
		if (bpf_skb_store_bytes(skb, segment_header_len(r), bytes + at, n, 0) ||
		    segment_seal(skb, r))
			return drop(STAT_DROP_OTHER);
		r->sent = at + n;
		if (verdict == VERDICT_NEXT)
			forward_inject(skb, r);
		else if (r->sent < total)
			bpf_clone_redirect(skb, r->out_ifindex, 0);
	}
	return verdict == VERDICT_NEXT ? VERDICT_DROP : verdict;
}

/* Sends the stash to the leg, but for what waits there. The packet is used up. A verdict. */
__noinline int forward_stash(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			     struct leg *leg NONNULL)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	struct backend *b = backend_at(leg->key.backend);
	int verdict;

	if (!st || !b)
		return drop(STAT_DROP_OTHER);
	verdict = forward_address(skb, r, f, leg, b);
	if (verdict == VERDICT_DROP)
		return verdict;
	return forward_pieces(skb, r, f, leg, verdict, b->mtu, st->bytes, st->start - leg->delta_in,
			      leg->told, st->len - st->queued);
}

/*
 * Sends the first `keep` payload bytes of the packet, the rest is not accepted: as segments,
 * because what is cut is no GSO packet any more. More than STASH_BYTES are left to the client's
 * retransmission. If the backend's window has no room for the packet, it is made to say so: the
 * client may not know it. Returns a verdict.
 */
__noinline int forward_cut(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			   struct leg *leg NONNULL, __u32 keep)
{
	__u32 seq = r->pkt.seq - leg->delta_in, ack = r->pkt.ack - leg->delta_out;
	struct backend *b = backend_at(leg->key.backend);
	int verdict;

	if (!b)
		return drop(STAT_DROP_OTHER);
	if (keep > STASH_BYTES)
		keep = STASH_BYTES;
	barrier_var(keep);
	if (keep &&
	    (keep > STASH_BYTES || bpf_skb_load_bytes(skb, r->pkt.payload_off, r->http.buf, keep)))
		return drop(STAT_DROP_OTHER);
	verdict = forward_address(skb, r, f, leg, b);
	if (verdict == VERDICT_DROP)
		return verdict;
	if (keep)
		return forward_pieces(skb, r, f, leg, verdict, b->mtu, r->http.buf, seq, ack, keep);
	if (seq_after(seq + r->pkt.payload_len, leg->edge))
		seq--; /* RFC 9293, 3.8.6.1 */
	forward_segment(r, f, leg, seq, ack, TCP_ACK);
	if (segment_resize(skb, r) || segment_seal(skb, r))
		return drop(STAT_DROP_OTHER);
	return verdict;
}

/*
 * Tells the active leg, which is idle, the client's last ack before another destination takes over:
 * else its retransmission timer would fire for data that has arrived. A leg that has sent its FIN
 * is ended with RST instead, which frees its 4-tuple for a fresh one. With `restore` the packet is
 * put together again from run.hdr and the payload in run.http.buf. 0 or -1.
 */
__noinline int forward_park(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			    __u32 restore)
{
	struct leg *leg = leg_of(r, f, f->active);
	__u32 n = r->pkt.payload_len, len = skb->len, hdr = r->pkt.payload_off;
	bool fin = leg && leg->flags & LEG_FIN;
	int err;

	if (!leg || (leg->told == leg->resp_pos && !fin))
		return 0;
	if (restore && (n > HTTP_BUF_BYTES || skb->gso_segs > 1 || r->cursor || r->stashed))
		return fin ? -1 : 0; /* cannot be put together again; the leg's probe will be
					answered */
	err = forward_bare(skb, r, f, leg, fin ? TCP_RST | TCP_ACK : TCP_ACK);
	if (fin) {
		leg->state = LEG_DEAD;
		f->active = ACTIVE_KERNEL;
		f->snd_nxt = r->pkt.ack;
		f->snd_una = r->pkt.ack;
	}
	if (err)
		return restore ? -1 : 0;
	if (!restore)
		return 0;
	barrier_var(hdr);
	if (hdr < ETH_HLEN + 40 || hdr > HDR_MAX)
		return -1;
	barrier_var(n);
	if (!is_length(n, HTTP_BUF_BYTES))
		return -1;
	if (bpf_skb_change_tail(skb, len, 0) || bpf_skb_store_bytes(skb, 0, r->hdr, hdr, 0) ||
	    bpf_skb_store_bytes(skb, hdr, r->http.buf, n, 0))
		return -1;
	return 0;
}

/* RSTs to all legs but the active one: the client is gone. Returns how many; the packet is used up
 * if there was one. */
__noinline int forward_reset_parked(struct __sk_buff *skb, struct run *r NONNULL,
				    struct flow *f NONNULL)
{
	int resets = 0;

	for (__u32 i = 0; i < MAX_LEGS; i++) {
		struct leg *leg = leg_of(r, f, i);

		if (!leg || i == f->active)
			continue;
		forward_bare(skb, r, f, leg, TCP_RST | TCP_ACK);
		leg->state = LEG_DEAD;
		resets++;
	}
	return resets;
}

#endif
