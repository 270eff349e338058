// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The benchmark's floor: TC ingress that answers TCP port 80 from the packet itself, without HTTP
 * and without state: SYN with SYN-ACK, any data with one canned segment, FIN with FIN-ACK. What it
 * costs is what client, stack and wire cost whoever answers there.
 *
 * Only for the bench's own veth pair: IPv4, Linux clients with timestamps, CHECKSUM_PARTIAL (the
 * TCP checksum field is the folded pseudo header sum, which stays the same when addresses swap
 * places). No retransmission, no validation: not for use anywhere else.
 */
#include "bpf_compat.h"

#define PORT 80
#define ISN 0x10000000
#define CANNED_MAX 1448 /* payload of a segment with timestamps at MTU 1500 */
#define SYN_OPTIONS 20	/* of a Linux client: MSS, SACK permitted, timestamps, NOP, window scale */
#define TS_OPTIONS 12	/* NOP, NOP, timestamps */
#define IPPROTO_TCP_BYTE 6

/* Set by the loader: what every request gets. */
const volatile __u8 canned[CANNED_MAX];
const volatile __u32 canned_len;

struct timestamps {
	__be32 val;
	__be32 ecr;
} __attribute__((packed));

struct headers {
	__u8 mac_dst[ETH_ALEN];
	__u8 mac_src[ETH_ALEN];
	__be16 ethertype;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 options[TS_OPTIONS];
} __attribute__((packed));

static __always_inline void swap_addresses(struct headers *h)
{
	__u8 mac[ETH_ALEN];
	__be32 addr = h->ip.saddr;
	__be16 port = h->tcp.source;

	__builtin_memcpy(mac, h->mac_dst, ETH_ALEN);
	__builtin_memcpy(h->mac_dst, h->mac_src, ETH_ALEN);
	__builtin_memcpy(h->mac_src, mac, ETH_ALEN);
	h->ip.saddr = h->ip.daddr;
	h->ip.daddr = addr;
	h->tcp.source = h->tcp.dest;
	h->tcp.dest = port;
}

static __always_inline void echo_timestamps(struct timestamps *ts)
{
	ts->ecr = ts->val;
	ts->val = bpf_htonl((__u32)(bpf_ktime_get_ns() / 1000000));
}

/* Ones' complement addition (RFC 1071). */
static __always_inline __u16 add16(__u16 sum, __u16 value)
{
	__u32 total = (__u32)sum + value;

	return (total & 0xffff) + (total >> 16);
}

static __always_inline int send_back(struct __sk_buff *skb)
{
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline int answer_syn(struct __sk_buff *skb, struct headers *h)
{
	struct timestamps *ts =
		(void *)&h->options[8]; /* after MSS, SACK permitted, kind, length */

	if (h->tcp.doff != (sizeof(h->tcp) + SYN_OPTIONS) / 4 ||
	    (void *)(ts + 1) > (void *)(long)skb->data_end)
		return TCX_DROP;
	swap_addresses(h);
	echo_timestamps(ts);
	h->tcp.ack_seq = bpf_htonl(bpf_ntohl(h->tcp.seq) + 1);
	h->tcp.seq = bpf_htonl(ISN);
	h->tcp.ack = 1;
	return send_back(skb);
}

/* The length in both checksummed places, then the payload. Invalidates packet pointers. */
static __always_inline int answer_data(struct __sk_buff *skb, struct headers *h)
{
	__u16 ip_len = sizeof(h->ip) + sizeof(h->tcp) + TS_OPTIONS + canned_len;
	__u16 old_len = bpf_ntohs(h->ip.tot_len);
	__u16 change = bpf_htons(ip_len), gone = ~h->ip.tot_len;

	h->ip.check = ~add16(add16(~h->ip.check, change), gone);
	h->tcp.check = add16(add16(h->tcp.check, change), ~bpf_htons(old_len));
	h->ip.tot_len = bpf_htons(ip_len);
	if (bpf_skb_change_tail(skb, ETH_HLEN + ip_len, 0))
		return TCX_DROP;
	if (bpf_skb_store_bytes(skb, sizeof(*h), (const void *)canned, canned_len, 0))
		return TCX_DROP;
	return send_back(skb);
}

SEC("tc")
int reflector(struct __sk_buff *skb)
{
	struct headers *h = (void *)(long)skb->data;
	__u32 payload_len;

	if ((void *)(h + 1) > (void *)(long)skb->data_end)
		return TCX_NEXT;
	if (h->ethertype != bpf_htons(ETH_P_IP) || h->ip.protocol != IPPROTO_TCP_BYTE ||
	    h->ip.ihl != 5 || h->tcp.dest != bpf_htons(PORT))
		return TCX_NEXT;
	if (h->tcp.syn)
		return answer_syn(skb, h);
	if (h->tcp.rst || h->tcp.doff != (sizeof(h->tcp) + TS_OPTIONS) / 4)
		return TCX_DROP;
	payload_len = bpf_ntohs(h->ip.tot_len) - sizeof(h->ip) - sizeof(h->tcp) - TS_OPTIONS;
	if (!payload_len && !h->tcp.fin)
		return TCX_DROP;

	__be32 ack = h->tcp.ack_seq;

	swap_addresses(h);
	echo_timestamps((void *)&h->options[4]);
	h->tcp.ack_seq = bpf_htonl(bpf_ntohl(h->tcp.seq) + payload_len + h->tcp.fin);
	h->tcp.seq = ack;
	return payload_len ? answer_data(skb, h) : send_back(skb);
}

char LICENSE[] SEC("license") = "GPL";
