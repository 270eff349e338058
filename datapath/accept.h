/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a hand-over becomes a socket: in the backend's netns (or the gateway's, for local backends)
 * the request packet is assigned to Node's listener with bpf_sk_assign_tcp_reqsk(), which makes a
 * child from it as from the ACK of a SYN cookie (net/ipv4/syncookies.c, cookie_bpf_check). The
 * handshake was validated by the gateway: nothing but a leg in state LEG_OPENING gets here.
 */
#ifndef SLUICE_ACCEPT_H
#define SLUICE_ACCEPT_H

#include "leg.h"

/*
 * skb->tc_index of packets that need no look at the socket: they belong to an open leg. It survives
 * bpf_redirect_peer(), and nobody but a program of this host can set it. Without it the leg is
 * asked.
 */
#define ACCEPT_PASS 0x5c1c

/* The same field of a packet that has met a closing socket once. */
#define ACCEPT_AGAIN 0x5c1d

/* The kfunc takes no smaller MSS (net/core/filter.c): clients below it cannot be handed over. */
#define ACCEPT_MSS4 536
#define ACCEPT_MSS6 1220

static __always_inline bool accept_has_mss(const struct run *r, __u32 mss)
{
	return mss >= (r->pkt.is_v6 ? ACCEPT_MSS6 : ACCEPT_MSS4);
}

#define TICK_NS 1000000
#define TICK_GUARD_NS 2000

enum accept_result {
	ACCEPT_OK,	/* assigned, or there is a socket already: to the stack */
	ACCEPT_REFUSED, /* no listener, or its accept queue is full */
	ACCEPT_WAIT,	/* a later segment, before the one that opens */
	ACCEPT_CLOSING, /* a socket of an earlier leg hides the listener; run.rst_seq ends it */
};

/*
 * The child's TSval offset is rcv_tsecr minus the clock at the time of the call, in ms: read before
 * a tick and used after it, the leg's timestamps would stay 1 ms behind the gateway's. Near a tick
 * wait for it.
 */
static __always_inline __u32 accept_tick(void)
{
	__u64 now = bpf_ktime_get_ns();

	while (TICK_NS - now % TICK_NS < TICK_GUARD_NS && can_loop)
		now = bpf_ktime_get_ns();
	return now / TICK_NS;
}

/* A socket of the same 4-tuple: the next byte that it expects, for a RST that it believes, into
 * r->rst_seq. 0 or -1: none that a RST ends. */
static __always_inline int accept_expects(struct run *r, struct bpf_sock *sk)
{
	struct tcp_timewait_sock *tw;
	struct tcp_sock *tp;

	switch (sk->state) {
	case BPF_TCP_ESTABLISHED:
	case BPF_TCP_CLOSE_WAIT:
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2:
	case BPF_TCP_CLOSING:
	case BPF_TCP_LAST_ACK:
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp) {
			r->rst_seq = tp->rcv_nxt;
			return 0;
		}
		break;
	}
	tw = bpf_skc_to_tcp_timewait_sock(sk); /* FIN_WAIT2 may be one as well */
	if (!tw)
		return -1;
	r->rst_seq = tw->tw_sk.__tw_common.skc_tw_rcv_nxt;
	return 0;
}

/*
 * What a socket that is no listener means: the child that an earlier copy of the packet made, or
 * one of an earlier leg. That is closing, or nobody has told the backend that its leg had to give
 * way: then it stands before the first byte of this one, since a leg counts the client's bytes
 * less those that went elsewhere.
 */
static __always_inline int accept_other(struct run *r, struct bpf_sock *sk, const struct leg *leg)
{
	__u32 state = sk->state;
	int err;

	if (state == BPF_TCP_SYN_RECV || state == BPF_TCP_NEW_SYN_RECV)
		return ACCEPT_OK;
	err = accept_expects(r, sk);
	if (state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT) {
		if (err || !seq_before(r->rst_seq, leg->start))
			return ACCEPT_OK;
		return r->seg.seq == leg->start ? ACCEPT_CLOSING : ACCEPT_WAIT;
	}
	return r->seg.seq != leg->start || err ? ACCEPT_REFUSED : ACCEPT_CLOSING;
}

/* r->seg holds the packet's addresses, ports and seq as the backend sees them. */
static __always_inline int accept_packet(struct __sk_buff *skb, struct run *r, const struct flow *f,
					 const struct leg *leg)
{
	struct bpf_tcp_req_attrs *attrs = &r->attrs;
	struct bpf_sock *sk =
		tuple_lookup(skb, r, &r->seg.src, r->seg.sport, &r->seg.dst, r->seg.dport);
	struct sock *listener;
	int err;

	if (!sk)
		return ACCEPT_REFUSED;
	if (sk->state != BPF_TCP_LISTEN) {
		err = accept_other(r, sk, leg);
		bpf_sk_release(sk);
		return err;
	}
	if (r->seg.seq != leg->start || !r->pkt.payload_len) {
		bpf_sk_release(sk);
		return ACCEPT_WAIT;
	}
	listener = (struct sock *)bpf_skc_to_tcp_sock(sk);
	/* The kfunc would return 0 and the request would be dropped in silence. */
	if (!listener || listener->sk_ack_backlog > listener->sk_max_ack_backlog) {
		bpf_sk_release(sk);
		return ACCEPT_REFUSED;
	}
	__builtin_memset(attrs, 0, sizeof(*attrs));
	attrs->mss = f->mss;
	attrs->rcv_wscale = WINDOW_SCALE;
	attrs->snd_wscale = f->wscale;
	attrs->wscale_ok = !!(f->flags & FLOW_WSCALE);
	attrs->sack_ok = !!(f->flags & FLOW_SACK);
	attrs->tstamp_ok = !!(f->flags & FLOW_TS);
	attrs->rcv_tsval = r->pkt.tsval;
	attrs->rcv_tsecr = accept_tick();
	err = bpf_sk_assign_tcp_reqsk(skb, listener, attrs, sizeof(*attrs));
	bpf_sk_release(sk);
	return err ? ACCEPT_REFUSED : ACCEPT_OK;
}

/*
 * The packet found a closing socket: it becomes a RST that ends that one, and its clone comes in
 * again behind it and finds the listener. Once: what closes then still is a refusal. r->seg as
 * above.
 */
static __always_inline int accept_over_closing(struct __sk_buff *skb, struct run *r)
{
	if (skb->tc_index == ACCEPT_AGAIN)
		return ACCEPT_REFUSED;
	skb->tc_index = ACCEPT_AGAIN;
	if (bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
		return ACCEPT_REFUSED;
	skb->tc_index = 0;
	__builtin_memcpy(r->seg.mac_dst, r->hdr, ETH_ALEN);
	__builtin_memcpy(r->seg.mac_src, r->hdr + ETH_ALEN, ETH_ALEN);
	r->seg.has_ts = 0;
	r->seg.options_len = 0;
	r->seg.payload_len = 0;
	r->seg.window = 0;
	r->seg.seq = r->rst_seq;
	r->seg.ack = r->pkt.ack;
	r->seg.flags = TCP_RST | TCP_ACK;
	if (segment_resize(skb, r) || segment_seal(skb, r))
		return ACCEPT_WAIT;
	return ACCEPT_OK;
}

/* The opening packet as it arrives where it becomes a socket: in the backend's netns, or in the
 * gateway's in a second pass. Returns enum accept_result, never ACCEPT_CLOSING. */
static __always_inline int accept_arrived(struct __sk_buff *skb, struct run *r,
					  const struct flow *f, const struct leg *leg)
{
	int result;

	if (r->pkt.flags & (TCP_SYN | TCP_RST)) /* opens nothing */
		return ACCEPT_OK;
	r->seg.src = r->pkt.src;
	r->seg.dst = r->pkt.dst;
	r->seg.sport = r->pkt.sport;
	r->seg.dport = r->pkt.dport;
	r->seg.seq = r->pkt.seq;
	result = accept_packet(skb, r, f, leg);
	return result == ACCEPT_CLOSING ? accept_over_closing(skb, r) : result;
}

#endif
