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
 * bpf_redirect_peer(), and nobody but a program of this host can set it. Without it the leg is asked.
 */
#define ACCEPT_PASS 0x5c1c

#define TICK_NS 1000000
#define TICK_GUARD_NS 2000

enum accept_result {
	ACCEPT_OK,	/* assigned, or there is a socket already: to the stack */
	ACCEPT_REFUSED, /* no listener, or its accept queue is full */
	ACCEPT_WAIT,	/* a later segment, before the one that opens */
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

/* r->seg holds the packet's addresses, ports and seq as the backend sees them. */
static __always_inline int accept_packet(struct __sk_buff *skb, struct run *r, const struct flow *f,
					 const struct leg *leg)
{
	struct bpf_tcp_req_attrs *attrs = &r->attrs;
	__u32 mss = f->mss, min = r->pkt.is_v6 ? 1220 : 536;
	struct bpf_sock *sk = tuple_lookup(skb, r, &r->seg.src, r->seg.sport, &r->seg.dst,
					   r->seg.dport);
	struct sock *listener;
	int err;

	if (!sk)
		return ACCEPT_REFUSED;
	if (sk->state != BPF_TCP_LISTEN) {
		bool alive = sk->state == BPF_TCP_ESTABLISHED || sk->state == BPF_TCP_SYN_RECV ||
			     sk->state == BPF_TCP_NEW_SYN_RECV || sk->state == BPF_TCP_CLOSE_WAIT;

		bpf_sk_release(sk);
		return alive ? ACCEPT_OK : ACCEPT_REFUSED;
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
	attrs->mss = mss < min ? min : mss;
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

#endif
