/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments that the gateway makes, in place of the packet that it was called for: headers from
 * run.seg, payload stored by the caller in between.
 *
 *   segment_to_client() or segment_to_backend()   fills run.seg
 *   segment_resize()   the packet gets its new length
 *   bpf_skb_store_bytes() of the payload
 *   segment_seal()     headers and checksums
 */
#ifndef SLUICE_SEGMENT_H
#define SLUICE_SEGMENT_H

#include "csum.h"
#include "flow.h"

/* What the gateway offers while no backend does; scaled by WINDOW_SCALE after the handshake. */
#define WINDOW_BYTES 64240
#define WINDOW_SCALE 7

#define SEGMENT_MAX 9000 /* payload bytes of one segment that the gateway makes */

#define SEGMENT_SHARE_MIN 64

/*
 * Of `n` payload bytes, so many as one segment may carry. A packet that its sender's socket still
 * owns, as on veth, grows without its truesize (pskb_expand_head(), net/core/skbuff.c), and the
 * receiver of this host keeps the share of payload in it, len * 256 / truesize, in one byte:
 * tcp_measure_rcv_mss(), net/ipv4/tcp_input.c. What is left of a share beyond 255 may be next to
 * nothing, and the window with it, or 0, by which Linux 6.6 to 6.18 divide (tcp_rcvbuf_grow()).
 */
static __always_inline __u32 segment_fit(const struct run *r, __u32 n)
{
	__u32 size = r->pkt.truesize;

	if (n < size || !size || ((n << 8) / size & 0xff) >= SEGMENT_SHARE_MIN)
		return n;
	return n / size * size - 1;
}

/* The length of the segments of an answer that this packet begins: so much of `mss` that they are
 * cut by segment_fit() neither here nor when pure ACKs become segments, whose truesize is 2
 * (skb_set_tcp_pure_ack(), include/net/tcp.h): then an odd length has a share of 128. */
static __always_inline __u32 segment_mss(const struct run *r, __u32 mss)
{
	return r->pkt.truesize ? (segment_fit(r, mss) - 1) | 1 : mss;
}

static __always_inline __u32 segment_header_len(const struct run *r)
{
	const struct segment *s = &r->seg;

	return r->pkt.l4_off + 20 + (s->options_len ? s->options_len : s->has_ts ? 12 : 0);
}

/* Answers to the sender of the packet: everything but seq, ack, flags turned around. */
static __always_inline void segment_turn(struct run *r)
{
	struct segment *s = &r->seg;
	struct pkt *p = &r->pkt;

	s->src = p->dst;
	s->dst = p->src;
	s->sport = p->dport;
	s->dport = p->sport;
	__builtin_memcpy(s->mac_dst, r->hdr + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(s->mac_src, r->hdr, ETH_ALEN);
	s->has_ts = p->has_ts;
	s->tsval = p->has_ts ? run_tsval(r) : 0;
	s->tsecr = p->tsval;
	s->payload_len = 0;
	s->options_len = 0;
	s->window = WINDOW_BYTES >> WINDOW_SCALE;
}

/* To the flow's client, from whatever packet is at hand. Returns 0 or -1 (VIP or uplink gone). */
static __always_inline int segment_to_client(struct run *r, const struct flow *f)
{
	struct segment *s = &r->seg;
	__u32 vip = f->key.vip, uplink = f->uplink;
	struct vip_key *v = bpf_map_lookup_elem(&vip_list, &vip);
	struct uplink_dev *dev = bpf_map_lookup_elem(&uplink_devs, &uplink);

	if (!v || !dev)
		return -1;
	s->src = v->addr;
	s->dst = f->key.client;
	s->sport = v->port;
	s->dport = f->key.port;
	__builtin_memcpy(s->mac_dst, f->mac, ETH_ALEN);
	__builtin_memcpy(s->mac_src, dev->mac, ETH_ALEN);
	s->has_ts = f->flags & FLOW_TS;
	s->tsval = run_tsval(r);
	s->tsecr = f->ts_recent;
	s->payload_len = 0;
	s->options_len = 0;
	s->window = f->flags & FLOW_WSCALE ? WINDOW_BYTES >> WINDOW_SCALE : WINDOW_BYTES;
	r->out_ifindex = dev->ifindex;
	return 0;
}

/* Gives the packet the length of headers and s->payload_len bytes. 0 or -1. */
static __always_inline int segment_resize(struct __sk_buff *skb, const struct run *r)
{
	__u32 len = segment_header_len(r) + r->seg.payload_len;

	if (skb->len == len && !skb->gso_segs)
		return 0;
	return bpf_skb_change_tail(skb, len, 0) ? -1 : 0;
}

/* Ethernet and IP. A function of its own for the sake of the caller's stack. */
__noinline int segment_ip_header(struct run *r NONNULL, __u32 tcp_len)
{
	struct segment *s = &r->seg;
	__u8 *ip = &r->out[ETH_HLEN];

	__builtin_memcpy(r->out, s->mac_dst, ETH_ALEN);
	__builtin_memcpy(r->out + ETH_ALEN, s->mac_src, ETH_ALEN);
	store_u16(r->out + 2 * ETH_ALEN,
		  r->pkt.is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	if (r->pkt.is_v6) {
		store_u32(ip, bpf_htonl(6u << 28));
		store_u16(ip + 4, bpf_htons(tcp_len));
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		__builtin_memcpy(ip + 8, &s->src, 16);
		__builtin_memcpy(ip + 24, &s->dst, 16);
		return 0;
	}
	store_u16(ip, bpf_htons(0x4500));
	store_u16(ip + 2, bpf_htons(20 + tcp_len));
	store_u16(ip + 4, 0);
	store_u16(ip + 6, bpf_htons(0x4000)); /* DF */
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	store_u16(ip + 10, 0);
	store_u32(ip + 12, s->src.w[3]);
	store_u32(ip + 16, s->dst.w[3]);
	store_u16(ip + 10, csum_ipv4(ip));
	return 0;
}

static __always_inline void segment_tcp_header(struct segment *s, __u8 *tcp, __u32 tcp_hlen)
{
	store_u16(tcp, s->sport);
	store_u16(tcp + 2, s->dport);
	store_u32(tcp + 4, bpf_htonl(s->seq));
	store_u32(tcp + 8, bpf_htonl(s->ack));
	tcp[12] = tcp_hlen << 2;
	tcp[13] = s->flags;
	store_u16(tcp + 14, bpf_htons(s->window));
	store_u32(tcp + 16, 0);
	if (s->options_len) {
		__builtin_memcpy(tcp + 20, s->options, 20);
	} else if (s->has_ts) {
		store_u32(tcp + 20, bpf_htonl(TCP_OPT_NOP_NOP_TS));
		store_u32(tcp + 24, bpf_htonl(s->tsval));
		store_u32(tcp + 28, bpf_htonl(s->tsecr));
	}
}

/* Writes the headers into the packet, which has its final length and payload. 0 or -1. */
__noinline int segment_seal(struct __sk_buff *skb, struct run *r NONNULL)
{
	struct segment *s = &r->seg;
	__u32 hdr_len = segment_header_len(r), l4 = r->pkt.l4_off, tcp_len;
	__u64 sum;
	__u8 *tcp;

	if (l4 != ETH_HLEN + 20 && l4 != ETH_HLEN + 40)
		return -1;
	barrier_var(l4);
	if (l4 > ETH_HLEN + 40)
		return -1;
	tcp = &r->out[l4];
	tcp_len = hdr_len - l4 + s->payload_len;
	segment_ip_header(r, tcp_len);
	segment_tcp_header(s, tcp, hdr_len - r->pkt.l4_off);
	sum = csum_pseudo(&s->src, &s->dst, r->pkt.is_v6, tcp_len);
	if (r->pkt.csum_partial) {
		store_u16(tcp + 16, csum_fold(sum));
	} else {
		__u32 tcp_hlen = (hdr_len - l4) & 63 & ~3U;
		__s64 part;

		barrier_var(tcp_hlen);
		part = bpf_csum_diff(NULL, 0, (__be32 *)tcp, tcp_hlen & 60, csum_fold(sum));
		if (part < 0)
			return -1;
		sum = (__u32)part;
		if (s->payload_len)
			sum += (__u32)csum_payload(skb, r, hdr_len, s->payload_len);
		store_u16(tcp + 16, ~csum_fold(sum));
	}
	barrier_var(hdr_len);
	if (hdr_len < ETH_HLEN + 40 || hdr_len > ETH_HLEN + 80)
		return -1;
	return bpf_skb_store_bytes(skb, 0, r->out, hdr_len, 0) ? -1 : 0;
}

/* A segment without payload in place of the packet; leaves by r->out_ifindex. Returns a verdict. */
static __always_inline int segment_bare(struct __sk_buff *skb, struct run *r, __u32 seq, __u32 ack,
					__u8 flags)
{
	r->seg.seq = seq;
	r->seg.ack = ack;
	r->seg.flags = flags;
	if (segment_resize(skb, r) || segment_seal(skb, r))
		return drop(STAT_DROP_OTHER);
	return VERDICT_REDIRECT;
}

/* ACK to the client: `ack` in its space, `seq` the next byte that it expects. */
static __always_inline int segment_ack_client(struct __sk_buff *skb, struct run *r,
					      const struct flow *f, __u32 seq, __u32 ack)
{
	if (segment_to_client(r, f))
		return drop(STAT_DROP_OTHER);
	return segment_bare(skb, r, seq, ack, TCP_ACK);
}

#endif
