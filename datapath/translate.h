/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In-place translation of a packet between a client and a leg: addresses, ports, seq, ack, SACK
 * blocks, layer 2; URG is cleared. Payload, window, other flags and TSval are not touched: legs
 * share the gateway's timestamp clock and window scale. Checksums are updated by difference, so
 * both CHECKSUM_PARTIAL and real ones stay right.
 */
#ifndef SLUICE_TRANSLATE_H
#define SLUICE_TRANSLATE_H

#include "leg.h"

/* Ones' complement difference of two words: added to a sum, it takes `old` out and puts `new` in.
 */
static __always_inline __u64 translate_diff(__u32 old, __u32 new)
{
	return (__u64)(__u32)~old + new;
}

/* Writes a word of the header being built and returns the difference to the one that was there. */
static __always_inline __u64 translate_put(__u8 *at, __be32 value)
{
	__u64 diff = translate_diff(load_u32(at), value);

	store_u32(at, value);
	return diff;
}

#define SACK_MAX 32 /* bytes of SACK blocks in one header: 4 blocks */

/*
 * Adds `delta` to the edges of the SACK blocks in r->out (RFC 2018). Blocks of bytes that another
 * destination exchanged with the client (before s->sack_base, in the packet's own numbers) must not
 * get to this one: the option becomes padding.
 */
static __always_inline void translate_sack(struct run *r, __u32 delta)
{
	__u32 at = r->pkt.l4_off + r->pkt.sack_off, base = r->seg.sack_base;
	bool foreign = false;

	for (int i = 0; i < SACK_MAX; i += 4) {
		__u32 off = at + i, edge;

		if (i >= r->pkt.sack_len)
			break;
		barrier_var(off);
		if (off > HDR_MAX)
			break;
		edge = bpf_ntohl(load_u32(r->out + off));
		foreign |= seq_before(edge, base);
		store_u32(r->out + off, bpf_htonl(edge + delta));
	}
	if (!foreign)
		return;
	for (int i = -2; i < SACK_MAX; i += 2) {
		__u32 off = at + i;

		if (i >= r->pkt.sack_len)
			break;
		barrier_var(off);
		if (off > HDR_MAX)
			break;
		store_u16(r->out + off, TCPOPT_NOP << 8 | TCPOPT_NOP);
	}
}

/* Addresses into the IP header of r->out. Returns the difference of the pseudo header. */
static __always_inline __u64 translate_addresses(struct run *r)
{
	struct segment *s = &r->seg;
	__u8 *ip = r->out + ETH_HLEN;
	__u64 diff = 0;

	if (r->pkt.is_v6) {
		for (int i = 0; i < 4; i++) {
			diff += translate_put(ip + 8 + 4 * i, s->src.w[i]);
			diff += translate_put(ip + 24 + 4 * i, s->dst.w[i]);
		}
		return diff;
	}
	diff = translate_put(ip + 12, s->src.w[3]) + translate_put(ip + 16, s->dst.w[3]);
	store_u16(ip + 10, ~csum_fold((__u16)~load_u16(ip + 10) + csum_fold(diff)));
	return diff;
}

/*
 * Takes URG and the urgent pointer out: a receiver without SO_OOBINLINE leaves the urgent byte out
 * of its stream (RFC 6093, 3.1), so Node would read another request than the gateway did. Returns
 * the difference.
 */
static __always_inline __u64 translate_urgent(__u8 *tcp)
{
	__u32 flags = load_u32(tcp + 12), urgent = load_u16(tcp + 18);

	tcp[13] &= ~TCP_URG;
	store_u16(tcp + 18, 0);
	return translate_diff(flags, load_u32(tcp + 12)) + translate_diff(urgent, 0);
}

/* TSecr into the header, and the difference of the whole TCP header: options may stand at any
 * alignment, so theirs cannot be taken word by word. 0 or -1. */
static __always_inline int translate_options(struct run *r, __u8 *tcp, __u32 l4, __u32 set_tsecr,
					     __u64 *diff)
{
	__u32 hlen = r->pkt.payload_off - r->pkt.l4_off, off = r->pkt.ts_off + 4;
	__s64 sum;

	barrier_var(off);
	if (set_tsecr && r->pkt.ts_off) {
		if (off > 56)
			return -1;
		store_u32(tcp + off, bpf_htonl(r->seg.tsecr));
	}
	barrier_var(hlen);
	if (hlen < 20 || hlen > 60)
		return -1;
	hlen &= 60;
	sum = bpf_csum_diff((__be32 *)(r->hdr + l4), hlen, (__be32 *)tcp, hlen, 0);
	if (sum < 0)
		return -1;
	*diff = (__u32)sum;
	return 0;
}

/*
 * Rewrites the packet's headers from r->hdr and r->seg (addresses, ports, MACs, seq, ack; tsecr if
 * `set_tsecr`). `sack_delta` moves SACK blocks. The checksum field is updated by difference (RFC
 * 1624): a partial one holds the pseudo header's sum, so only addresses count; a full one its
 * complement. One store: with CHECKSUM_COMPLETE skb->csum stays right, since for packets that go to
 * the local stack addresses do not change and the rest cancels out. 0 or -1.
 */
__noinline int translate_apply(struct __sk_buff *skb, struct run *r NONNULL, __u32 sack_delta,
			       __u32 set_tsecr)
{
	struct segment *s = &r->seg;
	struct pkt *p = &r->pkt;
	__u32 l4 = p->l4_off, len = p->payload_off;
	__u64 pseudo, diff;
	__u16 old;
	__u8 *tcp;

	__builtin_memcpy(r->out, r->hdr, sizeof(r->out));
	barrier_var(l4);
	if (l4 > ETH_HLEN + 40)
		return -1;
	tcp = r->out + l4;
	__builtin_memcpy(r->out, s->mac_dst, ETH_ALEN);
	__builtin_memcpy(r->out + ETH_ALEN, s->mac_src, ETH_ALEN);
	pseudo = translate_addresses(r);
	diff = translate_put(tcp, (__u32)s->dport << 16 | s->sport);
	diff += translate_put(tcp + 4, bpf_htonl(s->seq));
	diff += translate_put(tcp + 8, bpf_htonl(s->ack));
	if (p->flags & TCP_URG)
		diff += translate_urgent(tcp);
	if (p->sack_len || (set_tsecr && p->ts_off)) {
		if (p->sack_len)
			translate_sack(r, sack_delta);
		if (translate_options(r, tcp, l4, set_tsecr, &diff))
			return -1;
	}
	old = load_u16(tcp + 16);
	if (p->csum_partial)
		store_u16(tcp + 16, csum_fold(old + (__u64)csum_fold(pseudo)));
	else
		store_u16(tcp + 16, ~csum_fold((__u16)~old + (__u64)csum_fold(pseudo + diff)));
	barrier_var(len);
	if (len < ETH_HLEN + 40 || len > HDR_MAX)
		return -1;
	return bpf_skb_store_bytes(skb, 0, r->out, len, 0) ? -1 : 0;
}

#endif
