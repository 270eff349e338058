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

/* Ones' complement difference of two words: added to a sum, it takes `old` out and puts `new` in. */
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

/* Adds `delta` to the edges of the SACK blocks in r->out (RFC 2018). Returns the difference. */
static __always_inline __u64 translate_sack(struct run *r, __u32 delta)
{
	__u32 at = r->pkt.l4_off + r->pkt.sack_off;
	__u64 diff = 0;

	for (int i = 0; i < 32; i += 4) {
		__u32 off = at + i;

		if (i >= r->pkt.sack_len)
			break;
		barrier_var(off);
		if (off > HDR_MAX)
			break;
		diff += translate_put(r->out + off,
				      bpf_htonl(bpf_ntohl(load_u32(r->out + off)) + delta));
	}
	return diff;
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
	if (sack_delta && p->sack_len)
		diff += translate_sack(r, sack_delta);
	if (set_tsecr && p->ts_off) {
		__u32 off = p->ts_off + 4;

		barrier_var(off);
		if (off > 56)
			return -1;
		diff += translate_put(tcp + off, bpf_htonl(s->tsecr));
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
