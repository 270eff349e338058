/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers from the kernel. An answer is a stream of bytes in one region: a header block and a body.
 * What fits into one segment goes out in the request's own packet and acknowledges the request.
 * A longer one is ACK-clocked: clones of the packet, one a segment, as far as congestion window
 * (RFC 5681, IW10 of RFC 6928) and the client's window allow; there is no retransmission queue,
 * every byte can be made again. Until all of it is acknowledged the request is not, so the client's
 * own retransmission timer repeats the request when a tail is lost, and its `ack` says where to
 * resume. Holes that the client reports are sent again at once (NewReno, RFC 6582).
 */
#ifndef SLUICE_REPLY_H
#define SLUICE_REPLY_H

#include "segment.h"

#define REPLY_STALE -2	      /* the object's bytes are gone: the answer cannot go on */
#define REPLY_MAX_SEGMENTS 64 /* sent by one run */

static __always_inline struct object *reply_object(const struct flow *f)
{
	__u32 slot = f->tx_slot;
	struct object *o = bpf_map_lookup_elem(&objects, &slot);

	return o && o->gen == f->tx_gen ? o : NULL;
}

static __always_inline const struct span *reply_head(const struct flow *f, const struct object *o)
{
	return f->reply & REPLY_CLOSE ? &o->close : &o->head;
}

static __always_inline __u32 reply_len(const struct flow *f, const struct object *o)
{
	return reply_head(f, o)->len + (f->reply & REPLY_HEAD ? 0 : o->body.len);
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

/* Puts bytes [offset, offset + n) of the answer behind the headers. 0 or -1. */
__noinline int reply_payload(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			     __u32 offset, __u32 n)
{
	struct object *o = reply_object(f);
	const struct span *head;
	__u32 zero = 0, region, at, part;
	void *inner;
	__u8 *bytes;

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
	if (offset < head->len) {
		part = head->len - offset;
		if (part > n || head->off + head->len == o->body.off)
			part = n; /* the body follows at once */
		if (reply_store(skb, bytes, at, head->off + offset, part))
			return -1;
		at += part;
		offset += part;
		n -= part;
	}
	if (!n)
		return 0;
	return reply_store(skb, bytes, at, o->body.off + offset - head->len, n);
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

/* Bytes that may be sent now from `seq` on. */
static __always_inline __u32 reply_allowed(const struct flow *f, __u32 seq, __u32 end)
{
	__u32 mss = reply_mss(f), flight = seq - f->snd_una, n = end - seq;
	__u32 window = (__u64)f->cwnd * mss / CWND_UNIT;

	if (window > f->snd_wnd)
		window = f->snd_wnd;
	if (n > mss)
		n = mss;
	if (flight + n <= window)
		return n;
	/* A small segment only when nothing else is under way (silly window, RFC 1122 4.2.3.4). */
	return flight || !window ? 0 : window;
}

/*
 * Sends what the windows allow, from f->snd_nxt on, as clones. Returns the number of segments, or
 * REPLY_STALE.
 */
__noinline int reply_pump(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct object *o = reply_object(f);
	__u32 end, ack = f->rcv_nxt - f->req_len;
	int err;

	if (!o)
		return REPLY_STALE;
	end = f->tx_start + reply_len(f, o);
	for (r->sent = 0; r->sent < REPLY_MAX_SEGMENTS && can_loop; r->sent++) {
		bool fin_only = f->reply & REPLY_CLOSE && f->snd_nxt == end, last;
		__u32 n = 0;

		if (!fin_only && seq_before(f->snd_nxt, end))
			n = reply_allowed(f, f->snd_nxt, end);
		if (!n && !fin_only)
			break;
		last = f->snd_nxt + n == end;
		err = reply_segment(skb, r, f, f->snd_nxt, n, ack, last);
		if (err)
			return err;
		bpf_clone_redirect(skb, r->out_ifindex, 0);
		if (seq_before(f->snd_nxt, f->recover))
			count(STAT_RESENT);
		f->snd_nxt += n + (last && f->reply & REPLY_CLOSE ? 1 : 0);
	}
	return r->sent;
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

/* Sends from snd_nxt on and uses up the packet. Returns a verdict. */
static __always_inline int reply_continue(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	if (reply_pump(skb, r, f) == REPLY_STALE)
		return reply_abort(skb, r, f);
	return VERDICT_DROP;
}

/*
 * Begins the answer that f->tx_slot and f->tx_gen name; f->rcv_nxt stands behind the request and
 * f->snd_nxt where the answer begins. Returns a verdict.
 */
__noinline int reply_start(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			   __u32 flags)
{
	struct object *o;
	__u32 len;

	f->reply = (f->reply & REPLY_COUNTED) | REPLY_ACTIVE | (flags & (REPLY_CLOSE | REPLY_HEAD));
	o = reply_object(f);
	if (!o)
		return reply_abort(skb, r, f);
	f->tx_start = f->snd_nxt;
	f->snd_una = f->snd_nxt;
	f->recover = f->snd_nxt;
	f->dupacks = 0;
	if (!f->cwnd) {
		f->cwnd = CWND_INITIAL;
		f->ssthresh = CWND_MAX;
	}
	if (f->reply & REPLY_CLOSE)
		f->state = FLOW_CLOSING;
	len = reply_len(f, o);
	if (len > reply_mss(f) || len > f->snd_wnd)
		return reply_continue(skb, r, f);
	if (reply_segment(skb, r, f, f->snd_nxt, len, f->rcv_nxt, true))
		return drop(STAT_DROP_OTHER);
	f->req_len = 0;
	f->snd_nxt += len + (f->reply & REPLY_CLOSE ? 1 : 0);
	return VERDICT_REDIRECT;
}

/* True if so many duplicate ACKs mean a hole: 3, fewer when fewer segments are under way (early
 * retransmit, RFC 5827), never for a single one. */
static __always_inline bool reply_is_hole(const struct flow *f)
{
	__u32 segments = (f->snd_nxt - f->snd_una + reply_mss(f) - 1) / reply_mss(f);

	return segments >= 2 && f->dupacks == (segments >= 4 ? 3 : segments - 1);
}

static __always_inline void reply_halve(struct flow *f)
{
	__u32 flight = (__u64)(f->snd_nxt - f->snd_una) * CWND_UNIT / reply_mss(f);

	f->ssthresh = flight / 2 > 2 * CWND_UNIT ? flight / 2 : 2 * CWND_UNIT;
}

/* Sends the segment at snd_una again. Uses up the packet. */
static __always_inline int reply_resend_hole(struct __sk_buff *skb, struct run *r, struct flow *f,
					     const struct object *o)
{
	__u32 end = f->tx_start + reply_len(f, o), n = end - f->snd_una;
	int err;

	if (n > reply_mss(f))
		n = reply_mss(f);
	err = reply_segment(skb, r, f, f->snd_una, n, f->rcv_nxt - f->req_len,
			    f->snd_una + n == end);
	if (err == REPLY_STALE)
		return reply_abort(skb, r, f);
	if (err)
		return drop(STAT_DROP_OTHER);
	count(STAT_RESENT);
	bpf_clone_redirect(skb, r->out_ifindex, 0);
	return VERDICT_GO;
}

/* New data acknowledged: grow (RFC 5681, 3.1) or go on with the recovery (RFC 6582, 3.2). */
static __always_inline bool reply_advance(struct flow *f, __u32 ack)
{
	__u32 segments = (ack - f->snd_una + reply_mss(f) - 1) / reply_mss(f), cwnd = f->cwnd;

	f->snd_una = ack;
	f->dupacks = 0;
	if (seq_before(f->snd_nxt, ack))
		f->snd_nxt = ack; /* sent before a timeout, arrived after all */
	if (f->flags & FLOW_RECOVERY) {
		if (seq_before(ack, f->recover))
			return true;
		f->flags &= ~FLOW_RECOVERY;
		cwnd = f->ssthresh;
	} else if (cwnd < f->ssthresh) {
		cwnd += (segments > 2 ? 2 : segments) * CWND_UNIT; /* RFC 3465, L = 2 */
	} else if (cwnd) {
		cwnd += CWND_UNIT * CWND_UNIT / cwnd;
	}
	f->cwnd = cwnd > CWND_MAX ? CWND_MAX : cwnd;
	return false;
}

/*
 * An ACK for the answer under way. VERDICT_GO: nothing to send for it, the packet is untouched;
 * else the packet is used up. The answer is over when f->reply has lost REPLY_ACTIVE.
 */
__noinline int reply_on_ack(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct pkt *p = &r->pkt;
	struct object *o = reply_object(f);
	__u32 end, wnd = (__u32)p->window << (f->wscale & 15), old_wnd = f->snd_wnd;
	bool hole = false;

	if (!o)
		return reply_abort(skb, r, f);
	end = f->tx_start + reply_len(f, o) + (f->reply & REPLY_CLOSE ? 1 : 0);
	if (seq_after(p->ack, seq_after(f->snd_nxt, f->recover) ? f->snd_nxt : f->recover))
		return VERDICT_GO; /* acknowledges what was never sent */
	f->snd_wnd = wnd;
	if (seq_after(p->ack, f->snd_una)) {
		hole = reply_advance(f, p->ack);
	} else if (p->ack == f->snd_una && !p->payload_len && !(p->flags & TCP_FIN) &&
		   wnd == old_wnd && f->snd_nxt != f->snd_una) {
		f->dupacks += f->dupacks < 255;
		if (f->flags & FLOW_RECOVERY) {
			f->cwnd += f->cwnd < CWND_MAX ? CWND_UNIT : 0;
		} else if (reply_is_hole(f) && !seq_before(f->snd_una, f->recover)) {
			reply_halve(f);
			f->cwnd = f->ssthresh + 3 * CWND_UNIT;
			f->recover = f->snd_nxt;
			f->flags |= FLOW_RECOVERY;
			hole = true;
		}
	}
	if (f->snd_una == end) {
		f->reply = (f->reply & ~REPLY_ACTIVE) | REPLY_DONE;
		return VERDICT_GO;
	}
	if (hole && reply_resend_hole(skb, r, f, o) != VERDICT_GO)
		return VERDICT_DROP;
	if (hole || seq_before(f->snd_nxt, end)) {
		int sent = reply_pump(skb, r, f);

		if (sent == REPLY_STALE)
			return reply_abort(skb, r, f);
		if (hole || sent)
			return VERDICT_DROP;
	}
	return VERDICT_GO;
}

/*
 * The client repeats the request: its timer ran out. RFC 5681, 3.1: back to one segment, resume at
 * what is acknowledged. Uses up the packet.
 */
__noinline int reply_on_timeout(struct __sk_buff *skb, struct run *r NONNULL,
				struct flow *f NONNULL)
{
	if (f->snd_nxt != f->snd_una) {
		reply_halve(f);
		if (seq_before(f->recover, f->snd_nxt))
			f->recover = f->snd_nxt;
	}
	f->cwnd = CWND_UNIT;
	f->flags &= ~FLOW_RECOVERY;
	f->dupacks = 0;
	f->snd_nxt = f->snd_una;
	return reply_continue(skb, r, f);
}

#endif
