/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of an answer goes out, and when. What fits into one segment goes out in the request's own
 * packet and acknowledges the request; if it is lost, the client's timer repeats the request. A
 * longer one has a sender: clones of the packet at hand, one a segment, as far as congestion window
 * and the client's window allow, clocked by ACKs, and by the sender's timer when they stay away.
 *
 * While the daemon serves the timer's kicks, the request is acknowledged at once. Without a daemon
 * it is not before the answer is over, so that the client's own timer repeats it when a tail is
 * lost: nobody else could wake the gateway up.
 */
#ifndef SLUICE_TRANSMIT_H
#define SLUICE_TRANSMIT_H

#include "recovery.h"

#define TRANSMIT_MAX 64 /* segments sent by one run */
#define REPEAT_MARGIN (10 * MSEC)
#define TRANSMIT_TIMED (1 << 8) /* a flag beside enum reply_flag: see transmit_begin() */

static __always_inline __u32 transmit_end(const struct run *r, const struct flow *f)
{
	return f->tx_start + r->tx_len + (f->reply & REPLY_CLOSE ? 1 : 0);
}

/* Chooses the next lost block. */
static __always_inline void transmit_pick_lost(struct run *r, struct flow *f, struct sender *s)
{
	__u32 i = __builtin_ctzll(s->lost) & (SENDER_BLOCKS - 1);
	__u32 from = i * s->block, to = from + s->block, una = f->snd_una - f->tx_start;
	__u32 sent = recovery_sent(r, f);

	s->lost &= ~(1ULL << i);
	s->timed_ns = 0; /* Karn: the ACK could be for either */
	if (from < una)
		from = una;
	if (to > sent)
		to = sent;
	/* Duplicate and partial ACKs tell of one segment (RFC 6582). */
	if (!(f->flags & FLOW_SACK) && f->cwnd >= f->ssthresh && to > from + s->mss)
		to = from + s->mss;
	r->tx_seq = f->tx_start + from;
	r->tx_left = to > from ? to - from : 0;
	r->tx_fin = !r->tx_left;
}

/* Chooses new bytes: a whole segment, or what the window has room for when nothing else is under
 * way (silly window, RFC 1122, 4.2.3.4). */
static __always_inline void transmit_pick_new(struct run *r, struct flow *f, struct sender *s)
{
	__u32 at = f->snd_nxt - f->tx_start, n = s->mss, room;

	if (at >= r->tx_len)
		return;
	if (n > r->tx_len - at)
		n = r->tx_len - at;
	if (n > s->block - at % s->block)
		n = s->block - at % s->block;
	room = f->snd_una + f->snd_wnd - f->snd_nxt;
	if ((__s32)room < (__s32)n) {
		if (r->pipe || (__s32)room <= 0)
			return;
		n = room;
	}
	r->tx_seq = f->snd_nxt;
	r->tx_left = n;
}

/* Sends the segment that was chosen, as a clone. 0, -1 or REPLY_STALE. */
__noinline int transmit_segment(struct __sk_buff *skb, struct run *r NONNULL,
				struct flow *f NONNULL, struct sender *s NONNULL)
{
	__u32 whole = r->tx_left < s->mss ? r->tx_left : s->mss;
	__u32 n = segment_fit(r, whole);
	__u32 end = r->tx_seq + n, ack = f->rcv_nxt - f->req_len;
	__u32 i = (r->tx_seq - f->tx_start) / s->block;
	bool last = end == f->tx_start + r->tx_len;
	int err;

	err = reply_segment(skb, r, f, r->tx_seq, n, ack, last);
	if (err)
		return err;
	bpf_clone_redirect(skb, r->out_ifindex, 0);
	if (f->req_len && last) /* nobody would notice its loss soon */
		bpf_clone_redirect(skb, r->out_ifindex, 0);
	i = (r->tx_fin ? recovery_first(r, f, s) : i) & (SENDER_BLOCKS - 1);
	if (s->order[i] != s->sent || !s->sent) /* a block counts once, whatever its segments */
		s->order[i] = ++s->sent;
	if (seq_before(r->tx_seq, f->snd_nxt))
		count(STAT_RESENT);
	end += last && f->reply & REPLY_CLOSE;
	if (seq_after(end, f->snd_nxt)) {
		f->snd_nxt = end;
		if (!s->timed_ns) {
			s->timed_ns = r->now_ns;
			s->timed = end;
		}
	}
	r->tx_seq += n;
	r->tx_left -= n;
	r->tx_fin = 0;
	r->pipe += n == whole;
	return 0;
}

/* Sends what the windows allow, lost blocks first. The packet is used up if anything was sent.
 * Returns the number of segments, -1 or REPLY_STALE. */
__noinline int transmit_pump(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct sender *s = sender_of(r);
	int err;

	if (!s)
		return -1;
	recovery_pipe(r, f, s);
	r->tx_left = 0;
	r->tx_fin = 0;
	for (r->sent = 0; r->sent < TRANSMIT_MAX && can_loop; r->sent++) {
		if (!r->tx_left) {
			if ((r->pipe + 1) * CWND_UNIT > f->cwnd &&
			    (r->sent || !r->urgent || !s->lost))
				break;
			if (s->lost)
				transmit_pick_lost(r, f, s);
			else
				transmit_pick_new(r, f, s);
		}
		if (!r->tx_left && !r->tx_fin)
			break;
		err = transmit_segment(skb, r, f, s);
		if (err)
			return err;
	}
	return r->sent;
}

/* Sets the timer for what is under way, or for a window that has to open. */
static __always_inline void transmit_arm(struct run *r, struct flow *f, struct sender *s)
{
	__u64 out = recovery_out(r, f, s);

	sender_arm(r, s->flags & SENDER_PROBED || !out ?
			      sender_rto(f, s) :
			      sender_probe_timeout(f, s, !(out & (out - 1))));
}

/* Sends what is due and uses up the packet. Returns a verdict. */
static __always_inline int transmit_go(struct __sk_buff *skb, struct run *r, struct flow *f,
				       struct sender *s)
{
	r->urgent = 0;
	if (transmit_pump(skb, r, f) == REPLY_STALE)
		return reply_abort(skb, r, f);
	transmit_arm(r, f, s);
	return VERDICT_DROP;
}

/* True if the answer, or what the client has not of it, is one segment that it has room for. */
static __always_inline bool transmit_is_single(const struct run *r, const struct flow *f)
{
	return r->tx_len <= reply_mss(f) && r->tx_len <= f->snd_wnd &&
	       segment_fit(r, r->tx_len) == r->tx_len;
}

/* A sender for the answer, or NULL. Where its timer is served, the request need not be held. */
static __always_inline struct sender *transmit_claim(struct run *r, struct flow *f)
{
	struct sender *s;

	f->reply &= ~REPLY_ONE;
	s = sender_claim(r, f) ? sender_of(r) : NULL;
	if (!s)
		return NULL;
	s->mss = segment_mss(r, reply_mss(f));
	s->block = recovery_block(s, r->tx_len);
	if (kick_is_served(r->now_ns) && sender_is_ready(r->sender - 1))
		f->req_len = 0;
	return s;
}

/* Sends the answer from its beginning; `timed`: the client has nothing to repeat, so that even a
 * single segment needs a timer. Returns a verdict. */
static __always_inline int transmit_begin(struct __sk_buff *skb, struct run *r, struct flow *f,
					  bool timed)
{
	struct sender *s;

	if (transmit_is_single(r, f) && !timed) {
		if (reply_segment(skb, r, f, f->tx_start, r->tx_len, f->rcv_nxt, true))
			return drop(STAT_DROP_OTHER);
		f->reply |= REPLY_ONE;
		f->snd_nxt = transmit_end(r, f);
		return VERDICT_REDIRECT;
	}
	s = transmit_claim(r, f);
	if (!s && r->taken) /* else the client repeats the request */
		return reply_abort(skb, r, f);
	if (!s)
		return drop(STAT_SENDER_FULL);
	s->lost = recovery_out(r, f, s); /* one segment that did not get through */
	return transmit_go(skb, r, f, s);
}

/*
 * Begins the answer that f->tx_slot and f->tx_gen name; f->rcv_nxt stands behind the request and
 * f->snd_nxt where the answer begins. Returns a verdict.
 */
__noinline int transmit_start(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			      __u32 flags)
{
	f->reply = (f->reply & REPLY_COUNTED) | REPLY_ACTIVE | (flags & (REPLY_CLOSE | REPLY_HEAD));
	f->tx_second = date_now(r);
	if (reply_measure(r, f))
		return reply_abort(skb, r, f);
	f->tx_start = f->snd_nxt;
	f->snd_una = f->snd_nxt;
	f->recover = f->snd_nxt - 1;
	f->flags &= ~FLOW_RECOVERY;
	f->dupacks = 0;
	/* An answer may do what it could on a connection of its own (RFC 6928), and more if the one
	 * before has shown that there is room: its window stays. */
	if (f->cwnd < CWND_INITIAL)
		f->cwnd = CWND_INITIAL;
	f->ssthresh = CWND_MAX;
	if (f->reply & REPLY_CLOSE)
		f->state = FLOW_CLOSING;
	return transmit_begin(skb, r, f, flags & TRANSMIT_TIMED);
}

#define SENDER_STALE ~0U /* in r->sender: the answer's bytes are gone */

/* Sets r->tx_len and r->sender of the answer under way. Returns the sender, NULL if it has none or
 * cannot go on. */
static __always_inline struct sender *transmit_resume(struct run *r, struct flow *f)
{
	r->sender = SENDER_STALE;
	if (reply_measure(r, f))
		return NULL;
	r->sender = 0;
	if (f->reply & REPLY_ONE)
		return NULL;
	if (sender_find(r, f))
		return sender_of(r);
	/* Another flow has taken it meanwhile. */
	return f->snd_nxt != f->snd_una ? transmit_claim(r, f) : NULL;
}

/* The ACK's part of the scoreboard. True if something is to be sent for it. */
static __always_inline bool transmit_acked(struct run *r, struct flow *f, struct sender *s)
{
	struct pkt *p = &r->pkt;
	__u32 wnd = (__u32)p->window << (f->wscale & 15);
	bool moved = seq_after(p->ack, f->snd_una), opened = wnd != f->snd_wnd;
	__u64 sacked = 0;

	f->snd_wnd = wnd;
	if (moved)
		recovery_advance(r, f, s);
	else if (!p->payload_len && !(p->flags & TCP_FIN) && !opened && f->snd_nxt != f->snd_una)
		f->dupacks += f->dupacks < 255;
	if (f->flags & FLOW_SACK && p->sack_len)
		sacked = recovery_sack(r, f, s) & ~s->sacked;
	if (sacked) {
		s->sacked |= sacked;
		s->lost &= ~sacked;
		recovery_delivered(r, s, sacked);
	}
	if (moved || sacked)
		s->progress_ns = r->now_ns;
	/* RFC 6675, 5 (4.3); RFC 6582, 3.2: the first one, and what a partial ACK shows. */
	r->urgent = !(f->flags & FLOW_RECOVERY) || (moved && !(f->flags & FLOW_SACK));
	if ((s->sacked || f->flags & FLOW_RECOVERY || f->dupacks) && recovery_detect(r, f, s))
		recovery_enter(r, f, s);
	return moved || sacked || opened || s->lost || (f->dupacks && !(f->flags & FLOW_SACK));
}

/*
 * An ACK for the answer under way. VERDICT_GO: nothing to send for it, the packet is untouched;
 * else the packet is used up. The answer is over when f->reply has lost REPLY_ACTIVE.
 */
__noinline int transmit_on_ack(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct sender *s = transmit_resume(r, f);
	__u32 ack = r->pkt.ack;
	int sent;

	if (r->sender == SENDER_STALE)
		return reply_abort(skb, r, f);
	if (seq_after(ack, f->snd_nxt) || seq_before(ack, f->snd_una))
		return VERDICT_GO; /* never sent, or late */
	if (ack == transmit_end(r, f)) {
		if (s) {
			recovery_advance(r, f, s);
			s->deadline_ns = 0;
			s->progress_ns = r->now_ns;
		}
		f->snd_una = ack;
		f->snd_wnd = (__u32)r->pkt.window << (f->wscale & 15);
		f->reply = (f->reply & ~REPLY_ACTIVE) | REPLY_DONE;
		return VERDICT_GO;
	}
	if (!s) {
		/* Unless no sender is free: then this ACK is as good as not there. */
		if (transmit_is_single(r, f))
			f->snd_una = ack;
		return VERDICT_GO;
	}
	if (!transmit_acked(r, f, s))
		return VERDICT_GO;
	sent = transmit_pump(skb, r, f);
	if (sent == REPLY_STALE)
		return reply_abort(skb, r, f);
	transmit_arm(r, f, s);
	return sent ? VERDICT_DROP : VERDICT_GO;
}

/*
 * The client repeats the request: its timer ran out. A repetition that was under way when the last
 * ACK came means nothing. Uses up the packet.
 */
__noinline int transmit_on_repeat(struct __sk_buff *skb, struct run *r NONNULL,
				  struct flow *f NONNULL)
{
	struct sender *s = transmit_resume(r, f);

	if (r->sender == SENDER_STALE)
		return reply_abort(skb, r, f);
	if (!s)
		return transmit_begin(skb, r, f, false);
	if (r->now_ns - s->progress_ns < ((__u64)f->srtt << RTT_SHIFT) + REPEAT_MARGIN)
		return VERDICT_DROP;
	s->progress_ns = r->now_ns;
	recovery_timeout(r, f, s);
	return transmit_go(skb, r, f, s);
}

/* The path carries less than was thought: what is under way is sent again in smaller segments, at
 * no cost of the window (RFC 1191, 6.5). Uses up the packet. */
__noinline int transmit_on_mtu(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct sender *s = transmit_resume(r, f);

	if (r->sender == SENDER_STALE)
		return reply_abort(skb, r, f);
	if (!s)
		return transmit_begin(skb, r, f, false);
	s->mss = segment_mss(r, reply_mss(f));
	s->block = recovery_block(s, r->tx_len); /* other blocks: what is known of them is void */
	s->sacked = 0;
	s->sent = 0;
	s->delivered = 0;
	__builtin_memset(s->order, 0, sizeof(s->order));
	s->lost = recovery_out(r, f, s);
	return transmit_go(skb, r, f, s);
}

#endif
