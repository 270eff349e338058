/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to a backend: its fwmark is set on the packet and given to the kernel's FIB, so the
 * policy rule and the routing table that the control plane keeps for the mark decide device and
 * next hop. The lookup is that of a packet forwarded from `lo`: neither rule 0 nor ip_forward is
 * asked, only the forwarding switch of lo (net/core/filter.c, bpf_ipv4_fib_lookup).
 */
#ifndef SLUICE_STEER_H
#define SLUICE_STEER_H

#include "segment.h"

static __always_inline struct backend *backend_at(__u32 id)
{
	return bpf_map_lookup_elem(&backends, &id);
}

static __always_inline const struct ip_addr *backend_addr(const struct backend *b, bool is_v6)
{
	return is_v6 ? &b->addr6 : &b->addr4;
}

static __always_inline bool backend_is_usable(const struct backend *b, bool is_v6)
{
	__u16 need = BACKEND_UP | (is_v6 ? BACKEND_IPV6 : BACKEND_IPV4);

	return (b->flags & need) == need;
}

/*
 * Looks the way to `dst` up. Sets r->out_ifindex and seg.mac_dst, seg.mac_src (VERDICT_REDIRECT) or
 * r->next_hop (VERDICT_NEIGH: the neighbour is not known yet).
 */
__noinline int steer(struct __sk_buff *skb, struct run *r NONNULL, struct backend *b NONNULL,
		     const struct ip_addr *src NONNULL, const struct ip_addr *dst NONNULL)
{
	struct bpf_fib_lookup *fib = &r->fib;
	long err;

	__builtin_memset(fib, 0, sizeof(*fib));
	fib->l4_protocol = IPPROTO_TCP;
	fib->ifindex = IFINDEX_LO;
	fib->mark = b->mark;
	/*
	 * A packet grown out of the queue, or a kick's, is longer than the MTU, and will be cut:
	 * without a length the helper holds the skb against the MTU (net/core/filter.c,
	 * bpf_skb_fib_lookup).
	 */
	fib->tot_len = 1;
	skb->mark = b->mark;
	if (r->pkt.is_v6) {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_src, src, 16);
		__builtin_memcpy(fib->ipv6_dst, dst, 16);
	} else {
		fib->family = AF_INET;
		fib->ipv4_src = src->w[3];
		fib->ipv4_dst = dst->w[3];
	}
	err = bpf_fib_lookup(skb, fib, sizeof(*fib), BPF_FIB_LOOKUP_MARK);
	r->out_ifindex = fib->ifindex;
	if (err == BPF_FIB_LKUP_RET_SUCCESS) {
		__builtin_memcpy(r->seg.mac_dst, fib->dmac, ETH_ALEN);
		__builtin_memcpy(r->seg.mac_src, fib->smac, ETH_ALEN);
		return VERDICT_REDIRECT;
	}
	if (err != BPF_FIB_LKUP_RET_NO_NEIGH)
		return drop(STAT_DROP_NO_ROUTE);
	r->next_hop.nh_family = fib->family;
	__builtin_memcpy(r->next_hop.ipv6_nh, fib->ipv6_dst, 16);
	return VERDICT_NEIGH;
}

#endif
