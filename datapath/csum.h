/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internet checksums (RFC 1071) of headers that the gateway builds. Where the packet is
 * CHECKSUM_PARTIAL the TCP field must hold the folded pseudo header sum alone (the device or the
 * receiver adds the rest), else the complement of the full sum.
 */
#ifndef SLUICE_CSUM_H
#define SLUICE_CSUM_H

#include "pkt.h"

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of 20 bytes of IPv4 header: the checksum field's value if it is 0 there, 0 if it is right. */
static __always_inline __u16 csum_ipv4(const __u8 *ip)
{
	__u64 sum = 0;

	for (int i = 0; i < 20; i += 4)
		sum += load_u32(ip + i);
	return ~csum_fold(sum);
}

/* Pseudo header of `src` to `dst`; IPv4 in mapped form adds a constant that is taken off again. */
static __always_inline __u64 csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
					 bool is_v6, __u32 tcp_len)
{
	__u64 sum = (__u64)bpf_htonl(tcp_len) + bpf_htonl(IPPROTO_TCP);

	if (is_v6)
		for (int i = 0; i < 3; i++)
			sum += (__u64)src->w[i] + dst->w[i];
	return sum + src->w[3] + dst->w[3];
}

/* Sum of `len` payload bytes of the packet from offset `off`, read back in pieces. Only needed
 * where checksums are real, so it may cost a little. */
__noinline int csum_payload(struct __sk_buff *skb, struct run *r NONNULL, __u32 off, __u32 len)
{
	__u32 done = 0;
	__s64 sum = 0;

	while (done < len && can_loop) {
		__u32 n = len - done, at = done, padded;

		barrier_var(at);
		if (n >= PIECE_BYTES) {
			n = PIECE_BYTES;
			if (bpf_skb_load_bytes(skb, off + at, r->piece, PIECE_BYTES))
				return 0;
		} else {
			barrier_var(n);
			if (!is_length(n, PIECE_BYTES - 1))
				return 0;
			*(__u32 *)&r->piece[n & ~3U] = 0;
			if (bpf_skb_load_bytes(skb, off + at, r->piece, n))
				return 0;
		}
		padded = (n + 3) & ~3U;
		barrier_var(padded);
		if (padded > PIECE_BYTES)
			return 0;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)r->piece, padded, sum);
		if (sum < 0)
			return 0;
		done = at + n;
	}
	return csum_fold((__u32)sum);
}

/*
 * True if both checksums are right, or device or sender vouch for them. TC comes before ip_rcv()
 * and tcp_v4_rcv(), so nobody else has looked, and Node's stack would drop what was read here.
 */
__noinline int csum_is_right(struct __sk_buff *skb, struct run *r NONNULL)
{
	struct pkt *p = &r->pkt;
	__u32 len = p->payload_off - p->l4_off + p->payload_len;
	__u64 sum;

	if (!p->is_v6 && csum_ipv4(r->hdr + ETH_HLEN))
		return false;
	if (p->ip_summed == CHECKSUM_PARTIAL || p->ip_summed == CHECKSUM_UNNECESSARY)
		return true;
	sum = csum_pseudo(&p->src, &p->dst, p->is_v6, len) +
	      (__u32)csum_payload(skb, r, p->l4_off, len);
	return csum_fold(sum) == 0xffff;
}

#endif
