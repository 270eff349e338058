/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In-place translation of a packet between a client and a leg: addresses, ports, seq, ack, SACK
 * blocks, layer 2. Payload, window, flags and TSval are not touched: legs share the gateway's
 * timestamp clock and window scale. Checksums are updated by difference, so both CHECKSUM_PARTIAL
 * and real ones stay right.
 */
#ifndef SLUICE_TRANSLATE_H
#define SLUICE_TRANSLATE_H

#include "leg.h"

/* Adds `delta` to the edges of the SACK blocks in r->out (RFC 2018). */
static __always_inline void translate_sack(struct run *r, __u32 delta)
{
	__u32 at = r->pkt.l4_off + r->pkt.sack_off;

	for (int i = 0; i < 32; i += 4) {
		__u32 off = at + i;

		if (i >= r->pkt.sack_len)
			break;
		barrier_var(off);
		if (off > HDR_MAX)
			break;
		store_u32(r->out + off, bpf_htonl(bpf_ntohl(load_u32(r->out + off)) + delta));
	}
}

/*
 * Rewrites the packet's headers from r->hdr and r->seg (addresses, ports, MACs, seq, ack; tsecr if
 * `tsecr` is set). `sack_delta` moves SACK blocks. 0 or -1.
 */
__noinline int translate_apply(struct __sk_buff *skb, struct run *r NONNULL, __u32 sack_delta,
			       __u32 set_tsecr)
{
	struct segment *s = &r->seg;
	struct pkt *p = &r->pkt;
	__u32 l4 = p->l4_off, hlen = p->payload_off - p->l4_off;
	__s64 diff, pseudo;
	bool options;
	__u8 *tcp;

	if ((l4 != ETH_HLEN + 20 && l4 != ETH_HLEN + 40) || hlen < 20 || hlen > 60)
		return -1;
	__builtin_memcpy(r->out, r->hdr, sizeof(r->out));
	barrier_var(l4);
	if (l4 > ETH_HLEN + 40)
		return -1;
	tcp = r->out + l4;
	__builtin_memcpy(r->out, s->mac_dst, ETH_ALEN);
	__builtin_memcpy(r->out + ETH_ALEN, s->mac_src, ETH_ALEN);
	if (p->is_v6) {
		__builtin_memcpy(r->out + ETH_HLEN + 8, &s->src, 16);
		__builtin_memcpy(r->out + ETH_HLEN + 24, &s->dst, 16);
	} else {
		store_u32(r->out + ETH_HLEN + 12, s->src.w[3]);
		store_u32(r->out + ETH_HLEN + 16, s->dst.w[3]);
		store_u16(r->out + ETH_HLEN + 10, 0);
		store_u16(r->out + ETH_HLEN + 10, csum_ipv4(r->out + ETH_HLEN));
	}
	store_u16(tcp, s->sport);
	store_u16(tcp + 2, s->dport);
	store_u32(tcp + 4, bpf_htonl(s->seq));
	store_u32(tcp + 8, bpf_htonl(s->ack));
	options = (sack_delta && p->sack_len) || (set_tsecr && p->ts_off);
	if (sack_delta && p->sack_len)
		translate_sack(r, sack_delta);
	if (set_tsecr && p->ts_off) {
		__u32 off = p->ts_off + 4;

		barrier_var(off);
		if (off > 56)
			return -1;
		store_u32(tcp + off, bpf_htonl(s->tsecr));
	}
	barrier_var(hlen);
	if (hlen < 20 || hlen > 60)
		return -1;
	hlen &= ~3U;
	diff = bpf_csum_diff((__be32 *)(r->hdr + l4), hlen, (__be32 *)tcp, hlen, 0);
	if (diff < 0 || bpf_skb_store_bytes(skb, 0, r->out, l4 + 16, 0))
		return -1;
	if (options) {
		__u32 n = hlen - 20;

		barrier_var(n);
		if (n < 4 || n > 40 || bpf_skb_store_bytes(skb, l4 + 20, tcp + 20, n, 0))
			return -1;
	}
	if (bpf_l4_csum_replace(skb, l4 + 16, 0, diff, 0))
		return -1;
	pseudo = bpf_csum_diff((__be32 *)&p->src, 2 * sizeof(p->src), (__be32 *)&s->src,
			       2 * sizeof(s->src), 0);
	if (pseudo < 0)
		return -1;
	if (pseudo && bpf_l4_csum_replace(skb, l4 + 16, 0, pseudo, BPF_F_PSEUDO_HDR))
		return -1;
	return 0;
}

#endif
