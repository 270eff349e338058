/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes out when the timer of an answer runs out: a probe first, then all of it again. */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include "transmit.h"

/* Chooses the last segment of a block. */
static __always_inline void probe_pick_tail(struct run *r, const struct flow *f,
					    const struct sender *s, __u32 block)
{
	__u32 from = block * s->block, to = from + s->block, sent = recovery_sent(r, f);
	__u32 una = f->snd_una - f->tx_start;

	if (to > sent)
		to = sent;
	if (from < una)
		from = una;
	if (to - from > s->mss && to > from)
		from = to - s->mss;
	r->tx_seq = f->tx_start + from;
	r->tx_left = to > from ? to - from : 0;
	r->tx_fin = !r->tx_left;
}

/* The client's window is closed, or the ACK that opened it was lost: a number that it has seen
 * makes it say what it expects (RFC 9293, 3.8.6.1; as Linux does, tcp_xmit_probe_skb()). 0 or -1.
 */
static __always_inline int probe_window(struct __sk_buff *skb, struct run *r, struct flow *f,
					struct sender *s)
{
	s->backoff += s->backoff < 255;
	if (segment_to_client(r, f))
		return -1;
	r->seg.seq = f->snd_una - 1;
	r->seg.ack = f->rcv_nxt - f->req_len;
	r->seg.flags = TCP_ACK;
	if (segment_resize(skb, r) || segment_seal(skb, r))
		return -1;
	return bpf_clone_redirect(skb, r->out_ifindex, 0) ? -1 : 0;
}

/* Asks for an ACK: with new bytes, or with the end of what is under way, the blocks `out`
 * (RFC 8985, 7.3). 0, -1 or REPLY_STALE. */
static __always_inline int probe_tail(struct __sk_buff *skb, struct run *r, struct flow *f,
				      struct sender *s, __u64 out)
{
	if (out & ~s->sacked)
		out &= ~s->sacked;
	s->flags |= SENDER_PROBED;
	r->tx_left = 0;
	r->tx_fin = 0;
	recovery_pipe(r, f, s);
	transmit_pick_new(r, f, s);
	if (!r->tx_left) {
		probe_pick_tail(r, f, s, 63 - __builtin_clzll(out));
		s->flags |= SENDER_REPEATED;
		s->probe = r->tx_seq + r->tx_left;
		s->timed_ns = 0;
	}
	return transmit_segment(skb, r, f, s);
}

/* The sender's timer has run out. Uses up the packet. Returns a verdict. */
__noinline int probe_on_timer(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct sender *s = transmit_resume(r, f);
	__u64 out;
	int err;

	if (r->sender == SENDER_STALE)
		return reply_abort(skb, r, f);
	if (!s || !s->deadline_ns || s->deadline_ns > r->now_ns)
		return VERDICT_DROP;
	if (r->now_ns - s->progress_ns > SENDER_GIVE_UP) {
		s->deadline_ns = 0;
		return reply_abort(skb, r, f);
	}
	count(STAT_PROBES);
	if (s->flags & SENDER_PROBED) {
		recovery_timeout(r, f, s);
		s->backoff += s->backoff < 255;
		return transmit_go(skb, r, f, s);
	}
	out = recovery_out(r, f, s);
	r->urgent = 0;
	err = out ? probe_tail(skb, r, f, s, out) : transmit_pump(skb, r, f);
	if (!out && !err)
		err = probe_window(skb, r, f, s);
	if (err == REPLY_STALE)
		return reply_abort(skb, r, f);
	transmit_arm(r, f, s);
	return VERDICT_DROP;
}

#endif
