/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsing and rewriting of Ethernet + IPv4/IPv6 + TCP. Headers are copied once to run.hdr (a load
 * works on fragments too, and no packet pointer is ever held). IPv6 extension headers and IPv4
 * options are not followed: what carries them to a VIP is refused (RFC 7126, RFC 9288).
 */
#ifndef SLUICE_PKT_H
#define SLUICE_PKT_H

#include "run.h"

enum pkt_kind {
	PKT_TCP,
	PKT_OTHER,     /* another protocol: not ours */
	PKT_FRAGMENT,  /* TCP fragment; addresses are set */
	PKT_MALFORMED, /* TCP, but the headers lie; addresses are set where they could be read */
};

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_DSTOPTS 60

static __always_inline __u16 load_u16(const __u8 *p)
{
	return *(const __u16 *)p;
}

static __always_inline __u32 load_u32(const __u8 *p)
{
	return *(const __u32 *)p;
}

static __always_inline void store_u16(__u8 *p, __u16 value)
{
	*(__u16 *)p = value;
}

static __always_inline void store_u32(__u8 *p, __u32 value)
{
	*(__u32 *)p = value;
}

static __always_inline void ip_addr_from_v4(struct ip_addr *to, __be32 v4)
{
	to->w[0] = 0;
	to->w[1] = 0;
	to->w[2] = bpf_htonl(IP_ADDR_MAPPED_W2);
	to->w[3] = v4;
}

static __always_inline bool ip_addr_is_v4(const struct ip_addr *addr)
{
	return !addr->w[0] && !addr->w[1] && addr->w[2] == bpf_htonl(IP_ADDR_MAPPED_W2);
}

static __always_inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) |
		(a->w[3] ^ b->w[3])) == 0;
}

/* Sequence arithmetic, RFC 9293 section 3.4. */
static __always_inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline bool seq_after(__u32 a, __u32 b)
{
	return (__s32)(b - a) < 0;
}

#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOPT_WSCALE 3
#define TCPOPT_SACK_OK 4
#define TCPOPT_SACK 5
#define TCPOPT_TS 8
#define TCPOPT_MD5 19 /* RFC 2385 */
#define TCPOPT_AO 29  /* RFC 5925 */
#define TCP_OPT_NOP_NOP_TS 0x0101080a

#define TCPOPT_REFUSED 0xff

/*
 * One option at offset `off` of the TCP header, which begins at r->hdr[l4]. Returns the next
 * offset, 0 at the end of the list, or TCPOPT_REFUSED: a length lies, or the segment is signed.
 * Linux drops both (tcp_inbound_hash(), include/net/tcp.h), so Node would get other bytes in this
 * place than those that were read here.
 */
static __always_inline __u32 tcpopt_step(struct run *r, __u32 l4, __u32 off, __u32 end)
{
	struct pkt *p = &r->pkt;
	__u32 at = l4 + off, len;
	__u8 kind;

	if (off >= end || at > HDR_MAX)
		return 0;
	kind = r->hdr[at];
	if (kind == TCPOPT_EOL)
		return 0;
	if (kind == TCPOPT_NOP)
		return off + 1;
	len = r->hdr[at + 1];
	if (len < 2 || off + len > end)
		return TCPOPT_REFUSED;
	switch (kind) {
	case TCPOPT_MD5:
	case TCPOPT_AO:
		return TCPOPT_REFUSED;
	case TCPOPT_MSS:
		if (len == 4)
			p->mss = bpf_ntohs(load_u16(&r->hdr[at + 2]));
		break;
	case TCPOPT_WSCALE:
		if (len == 3) /* RFC 7323, 2.3: 14 at most */
			p->wscale = r->hdr[at + 2] > 14 ? 14 : r->hdr[at + 2];
		break;
	case TCPOPT_SACK_OK:
		p->sack_ok = 1;
		break;
	case TCPOPT_SACK:
		if ((len - 2) % 8) /* translation would move what stands behind it */
			return TCPOPT_REFUSED;
		p->sack_off = off + 2;
		p->sack_len = len - 2;
		break;
	case TCPOPT_TS:
		if (len == 10) {
			p->has_ts = 1;
			p->ts_off = off + 2;
			p->tsval = bpf_ntohl(load_u32(&r->hdr[at + 2]));
			p->tsecr = bpf_ntohl(load_u32(&r->hdr[at + 6]));
		}
		break;
	}
	return off + len;
}

/* All options. 0, or -1: the segment is to be dropped. A global function: verified once. */
__noinline int tcpopt_parse(struct run *r NONNULL)
{
	__u32 l4 = r->pkt.l4_off, off = 20, end = r->pkt.payload_off - l4;

	if (l4 > ETH_HLEN + 40 || end > 60)
		return -1;
	while (off && can_loop) {
		__u32 cur = off;

		barrier_var(cur);
		if (cur > 60)
			break;
		off = tcpopt_step(r, l4, cur, end);
	}
	return off == TCPOPT_REFUSED ? -1 : 0;
}

/* `n`: bytes of r->hdr that are the packet's. */
static __always_inline int pkt_parse_ip(struct __sk_buff *skb, struct run *r, __u32 n,
					__u32 *l4_len)
{
	struct pkt *p = &r->pkt;
	__u32 total;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const __u8 *ip = &r->hdr[ETH_HLEN];

		if (n < ETH_HLEN + 20)
			return PKT_OTHER;
		ip_addr_from_v4(&p->src, load_u32(ip + 12));
		ip_addr_from_v4(&p->dst, load_u32(ip + 16));
		p->is_v6 = 0;
		p->l4_off = ETH_HLEN + 20;
		if (ip[9] != IPPROTO_TCP)
			return PKT_OTHER;
		if (load_u16(ip + 6) & bpf_htons(0x3fff))
			return PKT_FRAGMENT;
		total = bpf_ntohs(load_u16(ip + 2));
		if (ip[0] != 0x45 || total < 40)
			return PKT_MALFORMED;
		*l4_len = total - 20;
	} else {
		const __u8 *ip = &r->hdr[ETH_HLEN];

		if (n < ETH_HLEN + 40)
			return PKT_OTHER;
		__builtin_memcpy(&p->src, ip + 8, 16);
		__builtin_memcpy(&p->dst, ip + 24, 16);
		p->is_v6 = 1;
		p->l4_off = ETH_HLEN + 40;
		if (ip[6] == IPPROTO_FRAGMENT)
			return PKT_FRAGMENT;
		if (ip[6] == IPPROTO_HOPOPTS || ip[6] == IPPROTO_ROUTING ||
		    ip[6] == IPPROTO_DSTOPTS)
			return PKT_MALFORMED;
		if (ip[6] != IPPROTO_TCP)
			return PKT_OTHER;
		*l4_len = bpf_ntohs(load_u16(ip + 4));
		if (ip[0] >> 4 != 6 || *l4_len < 20)
			return PKT_MALFORMED;
	}
	/* A GSO packet over 64 KB (BIG TCP) carries no length in its header. */
	if (ETH_HLEN + *l4_len > skb->len)
		return PKT_MALFORMED;
	return PKT_TCP;
}

/* Fills r->pkt and r->hdr from the packet. Returns enum pkt_kind. */
static __always_inline int pkt_parse(struct __sk_buff *skb, struct run *r)
{
	struct pkt *p = &r->pkt;
	struct sk_buff *kskb;
	__u32 l4_len = 0, hlen, n;
	int kind;

	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return PKT_OTHER;
	n = skb->len;
	if (n >= HDR_MAX) {
		if (bpf_skb_load_bytes(skb, 0, r->hdr, HDR_MAX))
			return PKT_OTHER;
	} else {
		barrier_var(n);
		if (!is_length(n, HDR_MAX) || bpf_skb_load_bytes(skb, 0, r->hdr, n))
			return PKT_OTHER;
	}
	kind = pkt_parse_ip(skb, r, n, &l4_len);
	if (kind != PKT_TCP)
		return kind;

	const __u8 *tcp = &r->hdr[p->is_v6 ? ETH_HLEN + 40 : ETH_HLEN + 20];

	hlen = (tcp[12] >> 4) * 4;
	if (hlen < 20 || hlen > l4_len || p->l4_off + l4_len > skb->len)
		return PKT_MALFORMED;
	p->sport = load_u16(tcp);
	p->dport = load_u16(tcp + 2);
	p->seq = bpf_ntohl(load_u32(tcp + 4));
	p->ack = bpf_ntohl(load_u32(tcp + 8));
	p->flags = tcp[13];
	p->window = bpf_ntohs(load_u16(tcp + 14));
	p->payload_off = p->l4_off + hlen;
	p->payload_len = l4_len - hlen;
	p->mss = 0;
	p->wscale = 0xff;
	p->sack_ok = 0;
	p->sack_off = 0;
	p->sack_len = 0;
	p->has_ts = 0;
	p->ts_off = 0;
	kskb = bpf_cast_to_kern_ctx(skb);
	p->truesize = kskb->destructor ? kskb->truesize : 0;
	p->ip_summed = BPF_CORE_READ_BITFIELD(kskb, ip_summed);
	p->csum_partial = p->ip_summed == CHECKSUM_PARTIAL;
	if (hlen == 32 && load_u32(tcp + 20) == bpf_htonl(TCP_OPT_NOP_NOP_TS)) {
		p->has_ts = 1;
		p->ts_off = 24;
		p->tsval = bpf_ntohl(load_u32(tcp + 24));
		p->tsecr = bpf_ntohl(load_u32(tcp + 28));
	} else if (hlen > 20 && tcpopt_parse(r) &&
		   !(p->flags & TCP_SYN)) { /* a SYN's data is not read */
		return PKT_MALFORMED;
	}
	return PKT_TCP;
}

/* The socket of a tuple in the netns that the program runs in; the caller releases it. */
static __always_inline struct bpf_sock *tuple_lookup(struct __sk_buff *skb, struct run *r,
						     const struct ip_addr *src, __be16 sport,
						     const struct ip_addr *dst, __be16 dport)
{
	struct bpf_sock_tuple *t = &r->tuple;

	if (r->pkt.is_v6) {
		__builtin_memcpy(t->ipv6.saddr, src, 16);
		__builtin_memcpy(t->ipv6.daddr, dst, 16);
		t->ipv6.sport = sport;
		t->ipv6.dport = dport;
		return bpf_skc_lookup_tcp(skb, t, sizeof(t->ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	t->ipv4.saddr = src->w[3];
	t->ipv4.daddr = dst->w[3];
	t->ipv4.sport = sport;
	t->ipv4.dport = dport;
	return bpf_skc_lookup_tcp(skb, t, sizeof(t->ipv4), BPF_F_CURRENT_NETNS, 0);
}

#endif
