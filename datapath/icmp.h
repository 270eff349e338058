/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors about segments of a flow: path MTU discovery (RFC 1191, RFC 8201) and the rest of
 * what routers report. A VIP belongs to no socket, so the gateway's own stack could do nothing with
 * them. The segment that the error quotes names the flow; its sequence number must be one that is
 * under way (RFC 5927, 4), as an attacker cannot know. Where the kernel answers, the answer goes on
 * in smaller segments; where a backend does, its stack gets the error, translated (RFC 5508, 4).
 */
#ifndef SLUICE_ICMP_H
#define SLUICE_ICMP_H

#include "leg.h"
#include "transmit.h"

#define IPPROTO_ICMP 1
#define IPPROTO_ICMPV6 58

#define ICMP_HLEN 8
#define ICMP_QUOTE 8 /* bytes of TCP that every router quotes: ports and seq (RFC 792) */

#define ICMP4_UNREACHABLE 3
#define ICMP4_FRAG_NEEDED 4 /* code of the above */
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER 12
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAMETER 4

#define ICMP_MTU_MIN4 128  /* less is taken for this: segments of 88 bytes */
#define ICMP_MTU_MIN6 1280 /* RFC 8200, 5 */

enum icmp_kind {
	ICMP_NONE, /* nothing about a TCP segment of a VIP: the stack's */
	ICMP_MTU,
	ICMP_ERROR,
};

static __always_inline int icmp_kind(bool is_v6, __u8 type, __u8 code)
{
	if (is_v6) {
		if (type == ICMP6_TOO_BIG)
			return ICMP_MTU;
		return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER ? ICMP_ERROR :
									      ICMP_NONE;
	}
	if (type == ICMP4_UNREACHABLE)
		return code == ICMP4_FRAG_NEEDED ? ICMP_MTU : ICMP_ERROR;
	return type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER ? ICMP_ERROR : ICMP_NONE;
}

/*
 * Reads what pkt_parse() has left in r->hdr. Sets r->vip_key and r->flow_key (but for the VIP's id)
 * from the quoted segment, r->pkt.seq to its number, payload_len to the length of the ICMP message.
 * Returns enum icmp_kind.
 */
static __always_inline int icmp_parse(const struct __sk_buff *skb, struct run *r)
{
	const __u8 *ip = r->hdr + ETH_HLEN, *icmp, *quote, *tcp;
	struct vip_key *vip = &r->vip_key;
	struct pkt *p = &r->pkt;
	__u32 total = skb->len, len, min;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		icmp = ip + 20;
		quote = icmp + ICMP_HLEN;
		tcp = quote + 20;
		min = ICMP_HLEN + 20 + ICMP_QUOTE;
		len = bpf_ntohs(load_u16(ip + 2)) - 20;
		if (total < ETH_HLEN + 20 + min || ip[0] != 0x45 || ip[9] != IPPROTO_ICMP ||
		    load_u16(ip + 6) & bpf_htons(0x3fff) || quote[0] != 0x45 ||
		    quote[9] != IPPROTO_TCP || load_u16(quote + 6) & bpf_htons(0x1fff))
			return ICMP_NONE;
		ip_addr_from_v4(&vip->addr, load_u32(quote + 12));
		ip_addr_from_v4(&r->flow_key.client, load_u32(quote + 16));
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		icmp = ip + 40;
		quote = icmp + ICMP_HLEN;
		tcp = quote + 40;
		min = ICMP_HLEN + 40 + ICMP_QUOTE;
		len = bpf_ntohs(load_u16(ip + 4));
		if (total < ETH_HLEN + 40 + min || ip[6] != IPPROTO_ICMPV6 || quote[0] >> 4 != 6 ||
		    quote[6] != IPPROTO_TCP)
			return ICMP_NONE;
		__builtin_memcpy(&vip->addr, quote + 8, 16);
		__builtin_memcpy(&r->flow_key.client, quote + 24, 16);
	} else {
		return ICMP_NONE;
	}
	/* An IPv4 length below 20 has become a huge one. */
	if (len < min || len > total - p->l4_off || !ip_addr_equal(&vip->addr, &p->dst))
		return ICMP_NONE;
	vip->port = load_u16(tcp);
	r->flow_key.port = load_u16(tcp + 2);
	p->seq = bpf_ntohl(load_u32(tcp + 4));
	p->payload_off = p->l4_off;
	p->payload_len = len;
	p->has_ts = 0;
	p->csum_partial = 0;
	return icmp_kind(p->is_v6, icmp[0], icmp[1]);
}

static __always_inline __u64 icmp_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
					 __u32 len)
{
	return csum_pseudo(src, dst, true, len) + bpf_htonl(IPPROTO_ICMPV6 - IPPROTO_TCP);
}

static __always_inline bool icmp_is_intact(struct __sk_buff *skb, struct run *r)
{
	struct pkt *p = &r->pkt;
	__u64 sum = (__u32)csum_payload(skb, r, p->payload_off, p->payload_len);

	if (p->is_v6)
		sum += icmp_pseudo(&p->src, &p->dst, p->payload_len);
	return csum_fold(sum) == 0xffff;
}

/* A router from before RFC 1191 tells no MTU: the next common one below the packet that it could
 * not forward (RFC 1191, 7.1). */
static __always_inline __u32 icmp_plateau(__u32 len)
{
	if (len > 1492)
		return 1492;
	if (len > 1006)
		return 1006;
	if (len > 576)
		return 576;
	return len > 296 ? 296 : ICMP_MTU_MIN4;
}

/* Largest segment, options included, that the path takes according to an ICMP_MTU. 0: to be
 * discarded (RFC 8201, 4). */
static __always_inline __u32 icmp_mss(const struct run *r)
{
	const __u8 *icmp = r->hdr + ETH_HLEN + 40;
	__u32 mtu;

	if (r->pkt.is_v6) {
		mtu = bpf_ntohl(load_u32(icmp + 4));
		return mtu < ICMP_MTU_MIN6 ? 0 : mtu - 60;
	}
	icmp = r->hdr + ETH_HLEN + 20;
	mtu = bpf_ntohs(load_u16(icmp + 6));
	if (!mtu)
		mtu = icmp_plateau(bpf_ntohs(load_u16(icmp + ICMP_HLEN + 2)));
	return (mtu < ICMP_MTU_MIN4 ? ICMP_MTU_MIN4 : mtu) - 40;
}

/* The kernel answers. All that can be done about other errors is what the timers do anyway: they
 * are soft (RFC 5461). So are further reports about one flight. */
static __always_inline int icmp_to_kernel(struct __sk_buff *skb, struct run *r, struct flow *f,
					  int kind, __u32 mss)
{
	if (!(f->reply & REPLY_ACTIVE) || seq_before(r->pkt.seq, f->snd_una) ||
	    !seq_before(r->pkt.seq, f->snd_nxt))
		return drop(STAT_ICMP_BAD);
	if (kind != ICMP_MTU || mss >= f->mss)
		return drop(STAT_ICMP_IGNORED);
	count(STAT_ICMP_MTU);
	f->mss = mss;
	r->pkt.payload_len = 0;
	return transmit_on_mtu(skb, r, f);
}

static __always_inline __u64 icmp_sum(const __u8 *from, __u32 len)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < len; i += 4)
		sum += load_u32(from + i);
	return sum;
}

/*
 * The error for the backend's stack into r->out: from the same router, with the same type, code and
 * MTU, about the segment that this stack has sent: `src` and `port` to the client, `seq`. What
 * follows the first bytes of TCP is left out, and so is the length that announces extensions behind
 * it (RFC 4884, 4).
 */
static __always_inline void icmp_build4(struct run *r, const struct ip_addr *src, __be16 port,
					__u32 seq)
{
	__u8 *ip = r->out + ETH_HLEN, *icmp = ip + 20, *quote = icmp + ICMP_HLEN;

	store_u16(ip + 2, bpf_htons(20 + ICMP_HLEN + 20 + ICMP_QUOTE));
	ip[8] = 64;
	store_u32(ip + 16, src->w[3]);
	store_u16(ip + 10, 0);
	store_u16(ip + 10, csum_ipv4(ip));
	store_u32(quote + 12, src->w[3]);
	store_u16(quote + 10, 0);
	store_u16(quote + 10, csum_ipv4(quote));
	store_u16(quote + 20, port);
	store_u32(quote + 24, bpf_htonl(seq));
	icmp[5] = 0;
	store_u16(icmp + 2, 0);
	store_u16(icmp + 2, ~csum_fold(icmp_sum(icmp, ICMP_HLEN + 20 + ICMP_QUOTE)));
}

static __always_inline void icmp_build6(struct run *r, const struct ip_addr *src, __be16 port,
					__u32 seq)
{
	__u8 *ip = r->out + ETH_HLEN, *icmp = ip + 40, *quote = icmp + ICMP_HLEN;
	__u32 len = ICMP_HLEN + 40 + ICMP_QUOTE;

	store_u16(ip + 4, bpf_htons(len));
	ip[7] = 64;
	__builtin_memcpy(ip + 24, src, 16);
	__builtin_memcpy(quote + 8, src, 16);
	store_u16(quote + 40, port);
	store_u32(quote + 44, bpf_htonl(seq));
	if (icmp[0] != ICMP6_TOO_BIG && icmp[0] != ICMP6_PARAMETER)
		icmp[4] = 0;
	store_u16(icmp + 2, 0);
	store_u16(icmp + 2, ~csum_fold(icmp_sum(icmp, len) + icmp_pseudo(&r->pkt.src, src, len)));
}

/* To the backend that the active leg is on. Returns a verdict. */
__noinline int icmp_to_leg(struct __sk_buff *skb, struct run *r NONNULL, struct leg *leg NONNULL)
{
	struct backend *b = backend_at(leg->key.backend);
	__u32 seq = r->pkt.seq - leg->delta_out, len;
	int verdict = VERDICT_NEXT;

	if (!b)
		return drop(STAT_DROP_OTHER);
	__builtin_memcpy(r->out, r->hdr, sizeof(r->out));
	r->seg.dst = r->pkt.dst; /* a local backend's socket has the VIP's address */
	if (!(b->flags & BACKEND_LOCAL)) {
		r->seg.dst = *backend_addr(b, r->pkt.is_v6);
		verdict = steer(skb, r, b, &r->pkt.src, &r->seg.dst);
		if (verdict == VERDICT_DROP)
			return verdict;
		__builtin_memcpy(r->out, r->seg.mac_dst, ETH_ALEN);
		__builtin_memcpy(r->out + ETH_ALEN, r->seg.mac_src, ETH_ALEN);
	}
	if (r->pkt.is_v6) {
		icmp_build6(r, &r->seg.dst, b->port, seq);
		len = 40 + ICMP_HLEN + 40 + ICMP_QUOTE;
	} else {
		icmp_build4(r, &r->seg.dst, b->port, seq);
		len = 20 + ICMP_HLEN + 20 + ICMP_QUOTE;
	}
	/* Two stores: skb->csum of CHECKSUM_COMPLETE covers what lies behind layer 2. */
	if (bpf_skb_change_tail(skb, ETH_HLEN + len, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, r->out + ETH_HLEN, len, BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, 0, r->out, 2 * ETH_ALEN, 0))
		return drop(STAT_DROP_OTHER);
	return verdict;
}

/* An error about a segment of this flow, whose owner word is held. */
static __always_inline int icmp_flow(struct __sk_buff *skb, struct run *r, struct flow *f, int kind)
{
	struct leg *leg = leg_of(r, f, f->active);
	__u32 seq = r->pkt.seq, mss = kind == ICMP_MTU ? icmp_mss(r) : 1;

	if (f->state == FLOW_CLOSED || !mss || !icmp_is_intact(skb, r))
		return drop(STAT_ICMP_BAD);
	if (!leg)
		return icmp_to_kernel(skb, r, f, kind, mss);
	seq -= leg->delta_out;
	if (seq_before(seq, leg->told) || !seq_before(seq, leg->snd_max))
		return drop(STAT_ICMP_BAD);
	if (kind == ICMP_MTU && mss < f->mss)
		f->mss = mss; /* answers of the kernel take the same path */
	count(kind == ICMP_MTU ? STAT_ICMP_MTU : STAT_ICMP_PASSED);
	return icmp_to_leg(skb, r, leg);
}

/* A packet on the uplink that is not TCP. Returns a verdict; VERDICT_NEXT also for what is no ICMP
 * error about one of our flows. */
__noinline int icmp_packet(struct __sk_buff *skb, struct run *r NONNULL)
{
	struct settings *s = settings_get();
	int kind = icmp_parse(skb, r), verdict = VERDICT_NEXT;
	struct flow *f;
	struct vip *vip;

	if (kind == ICMP_NONE || !s)
		return VERDICT_NEXT;
	vip = bpf_map_lookup_elem(&vips, &r->vip_key);
	if (!vip)
		return VERDICT_NEXT;
	r->flow_key.vip = vip->id;
	f = flow_find(r, s, &r->flow_key);
	if (!f)
		return VERDICT_NEXT;
	if (!lock_take(&f->owner))
		return drop(STAT_OWNER_BUSY);
	if (flow_matches(r, f, &r->flow_key))
		verdict = icmp_flow(skb, r, f, kind);
	lock_release(&f->owner);
	return verdict;
}

#endif
