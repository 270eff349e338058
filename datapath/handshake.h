/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYN to SYN-ACK, and what belongs to no flow: the ACK that carries a cookie, RSTs for the rest.
 * No state is kept before a valid cookie comes back.
 */
#ifndef SLUICE_HANDSHAKE_H
#define SLUICE_HANDSHAKE_H

#include "cookie.h"
#include "segment.h"

/*
 * RSTs and challenge ACKs: at most this many in 2^26 ns (67 ms) and CPU, at least half of it. Were
 * the number known, then what a client gets of it would tell whether the rest went to connections
 * of others, and so that they exist and what their numbers are (CVE-2016-5696).
 */
#define RST_BUDGET 64

struct rst_budget {
	__u32 clock;
	__u32 left;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct rst_budget);
	__uint(max_entries, 1);
} rst_budgets SEC(".maps");

/* Answers a SYN from its own packet. Options in the order that Linux uses (RFC 9293, RFC 7323), and
 * none but the MSS that the SYN has not asked for: a spoofed one makes 4 bytes more than it has. */
__noinline int handshake_syn(struct __sk_buff *skb, struct run *r NONNULL, __u32 mtu)
{
	struct segment *s = &r->seg;
	struct pkt *p = &r->pkt;
	__u32 cookie = cookie_make(r);
	__u32 mss = mtu - (p->is_v6 ? 60 : 40);
	__u32 n = 4;
	__u8 *o = s->options;
	int verdict;

	segment_turn(r);
	store_u32(o, bpf_htonl(TCPOPT_MSS << 24 | 4 << 16 | (mss & 0xffff)));
	if (p->has_ts) {
		store_u16(o + n,
			  p->sack_ok ? bpf_htons(TCPOPT_SACK_OK << 8 | 2) : bpf_htons(0x0101));
		store_u16(o + n + 2, bpf_htons(TCPOPT_TS << 8 | 10));
		store_u32(o + n + 4, bpf_htonl(s->tsval));
		store_u32(o + n + 8, bpf_htonl(s->tsecr));
		n += 12;
	} else if (p->sack_ok) {
		store_u32(o + n, bpf_htonl(0x01010000 | TCPOPT_SACK_OK << 8 | 2));
		n += 4;
	}
	if (p->wscale != 0xff) {
		store_u32(o + n, bpf_htonl(1 << 24 | TCPOPT_WSCALE << 16 | 3 << 8 | WINDOW_SCALE));
		n += 4;
	}
	s->options_len = n;
	s->window = WINDOW_BYTES; /* never scaled in a SYN: RFC 7323, 2.2 */
	r->out_ifindex = skb->ifindex;
	verdict = segment_bare(skb, r, cookie, p->seq + 1, TCP_SYN | TCP_ACK);
	if (verdict == VERDICT_REDIRECT)
		count(STAT_SYN);
	return verdict;
}

/* True if one more unasked answer may be sent. */
static __always_inline bool budget_take(const struct run *r)
{
	__u32 zero = 0, clock = run_clock(r);
	struct rst_budget *budget = bpf_map_lookup_elem(&rst_budgets, &zero);

	if (!budget)
		return false;
	if (budget->clock != clock) {
		budget->clock = clock;
		budget->left = RST_BUDGET / 2 + bpf_get_prandom_u32() % (RST_BUDGET / 2 + 1);
	}
	if (!budget->left)
		return false;
	budget->left--;
	return true;
}

/* RST in place of an unknown segment (RFC 9293, 3.10.7.1), rate-limited. */
__noinline int handshake_reset(struct __sk_buff *skb, struct run *r NONNULL)
{
	struct pkt *p = &r->pkt;

	if (p->flags & TCP_RST)
		return drop(STAT_DROP_STALE);
	if (!budget_take(r))
		return drop(STAT_RST_LIMITED);
	count(STAT_RST_SENT);
	segment_turn(r);
	r->seg.has_ts = 0;
	r->out_ifindex = skb->ifindex;
	if (p->flags & TCP_ACK)
		return segment_bare(skb, r, p->ack, 0, TCP_RST);
	return segment_bare(skb, r, 0,
			    p->seq + p->payload_len + !!(p->flags & TCP_SYN) +
				    !!(p->flags & TCP_FIN),
			    TCP_RST | TCP_ACK);
}

/* True if the gateway's own stack has a connection of this tuple: the packet is not ours. */
static __always_inline bool handshake_has_socket(struct __sk_buff *skb, struct run *r)
{
	struct pkt *p = &r->pkt;
	struct bpf_sock *sk = tuple_lookup(skb, r, &p->src, p->sport, &p->dst, p->dport);
	bool found;

	if (!sk)
		return false;
	found = sk->state != BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return found;
}

#endif
