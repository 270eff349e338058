// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is not ours is passed on; what is addressed to a VIP and cannot be believed is dropped and
 * counted. Rows change one thing of a good SYN to the VIP.
 */
#include <arpa/inet.h>
#include <string.h>

#include "peek.h"

#define L4_V4 34
#define L4_V6 54

struct filter_row {
	const char *name;
	bool v6;
	void (*change)(uint8_t *frame, size_t *len);
	int verdict;
	const char *counts;
};

static void set_v4_src(uint8_t *frame, const char *addr)
{
	struct ip_addr a = packet_addr(addr);

	memcpy(frame + 26, &a.w[3], 4);
}

static void set_dst(uint8_t *frame, const char *addr)
{
	struct ip_addr a = packet_addr(addr);

	if (strchr(addr, ':'))
		memcpy(frame + 38, &a, 16);
	else
		memcpy(frame + 30, &a.w[3], 4);
}

static void change_nothing(uint8_t *frame, size_t *len)
{
	(void)frame;
	(void)len;
}

static void other_port(uint8_t *frame, size_t *len)
{
	frame[L4_V4 + 3] = 81;
	packet_seal(frame, *len);
}

static void other_port_v6(uint8_t *frame, size_t *len)
{
	frame[L4_V6 + 3] = 81;
	packet_seal(frame, *len);
}

static void other_address(uint8_t *frame, size_t *len)
{
	set_dst(frame, "10.80.0.1");
	packet_seal(frame, *len);
}

static void other_address_v6(uint8_t *frame, size_t *len)
{
	set_dst(frame, "fd80::1");
	packet_seal(frame, *len);
}

static void udp(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[23] = 17;
}

static void icmp(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[23] = 1;
}

static void icmp_v6(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 58;
}

static void arp(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[13] = 0x06;
}

static void first_fragment(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 0x20; /* more fragments */
}

static void later_fragment(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 0;
	frame[21] = 100;
}

/* The last fragment of a segment may hold 8 bytes, and its frame 42. */
static void short_fragment(uint8_t *frame, size_t *len)
{
	later_fragment(frame, len);
	frame[17] = 28;
	*len = 42;
}

static void fragment_v6(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 44;
}

static void fragment_elsewhere(uint8_t *frame, size_t *len)
{
	first_fragment(frame, len);
	set_dst(frame, "10.80.0.1");
}

static void udp_fragment(uint8_t *frame, size_t *len)
{
	first_fragment(frame, len);
	udp(frame, len);
}

static void ip_options(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[14] = 0x46;
}

static void ihl_short(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[14] = 0x44;
}

static void total_short(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[16] = 0;
	frame[17] = 39;
}

static void total_long(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[17]++;
}

static void doff_short(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[L4_V4 + 12] = 0x40;
}

static void doff_long(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[L4_V4 + 12] = 0xf0;
}

static void doff_short_v6(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[L4_V6 + 12] = 0x40;
}

static void truncated(uint8_t *frame, size_t *len)
{
	(void)frame;
	*len -= 1;
}

static void short_tcp(uint8_t *frame, size_t *len)
{
	frame[17] = 20 + 12;
	*len = L4_V4 + 12;
}

static void short_tcp_v6(uint8_t *frame, size_t *len)
{
	frame[19] = 12;
	*len = L4_V6 + 12;
}

static void hop_by_hop(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 0;
}

static void routing(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 43;
}

static void dst_options(uint8_t *frame, size_t *len)
{
	(void)len;
	frame[20] = 60;
}

static void vip_source(uint8_t *frame, size_t *len)
{
	set_v4_src(frame, CLIENT_VIP4);
	packet_seal(frame, *len);
}

static void vip_source_v6(uint8_t *frame, size_t *len)
{
	struct ip_addr a = packet_addr(CLIENT_VIP6);

	memcpy(frame + 22, &a, 16);
	packet_seal(frame, *len);
}

static void vip_source_other_port(uint8_t *frame, size_t *len)
{
	frame[L4_V4 + 3] = 81;
	vip_source(frame, len);
}

static void vip_source_icmp(uint8_t *frame, size_t *len)
{
	vip_source(frame, len);
	icmp(frame, len);
}

static const struct filter_row filter_rows[] = {
	{ "a good SYN", false, change_nothing, REDIRECT, "SYN" },
	{ "a good IPv6 SYN", true, change_nothing, REDIRECT, "SYN" },
	{ "another port of the VIP", false, other_port, NEXT, "" },
	{ "another port of the IPv6 VIP", true, other_port_v6, NEXT, "" },
	{ "another address", false, other_address, NEXT, "" },
	{ "another IPv6 address", true, other_address_v6, NEXT, "" },
	{ "UDP", false, udp, NEXT, "" },
	{ "ICMP", false, icmp, NEXT, "" },
	{ "ICMPv6", true, icmp_v6, NEXT, "" },
	{ "ARP", false, arp, NEXT, "" },
	{ "first fragment", false, first_fragment, DROP, "DROP_FRAGMENT" },
	{ "later fragment", false, later_fragment, DROP, "DROP_FRAGMENT" },
	{ "later fragment of 8 bytes", false, short_fragment, DROP, "DROP_FRAGMENT" },
	{ "IPv6 fragment", true, fragment_v6, DROP, "DROP_FRAGMENT" },
	{ "fragment to another address", false, fragment_elsewhere, NEXT, "" },
	{ "fragment of UDP", false, udp_fragment, NEXT, "" },
	{ "IPv4 options", false, ip_options, DROP, "DROP_MALFORMED" },
	{ "IPv4 header length below 20", false, ihl_short, DROP, "DROP_MALFORMED" },
	{ "IPv4 total length below 40", false, total_short, DROP, "DROP_MALFORMED" },
	{ "IPv4 total length beyond the frame", false, total_long, DROP, "DROP_MALFORMED" },
	{ "data offset below 20", false, doff_short, DROP, "DROP_MALFORMED" },
	{ "data offset beyond the segment", false, doff_long, DROP, "DROP_MALFORMED" },
	{ "IPv6, data offset below 20", true, doff_short_v6, DROP, "DROP_MALFORMED" },
	{ "truncated frame", false, truncated, DROP, "DROP_MALFORMED" },
	{ "truncated IPv6 frame", true, truncated, DROP, "DROP_MALFORMED" },
	{ "12 bytes of TCP", false, short_tcp, DROP, "DROP_MALFORMED" },
	{ "12 bytes of TCP on IPv6", true, short_tcp_v6, DROP, "DROP_MALFORMED" },
	{ "IPv6 hop-by-hop options", true, hop_by_hop, DROP, "DROP_MALFORMED" },
	{ "IPv6 routing header", true, routing, DROP, "DROP_MALFORMED" },
	{ "IPv6 destination options", true, dst_options, DROP, "DROP_MALFORMED" },
	{ "VIP as source", false, vip_source, DROP, "DROP_SPOOFED" },
	{ "IPv6 VIP as source", true, vip_source_v6, DROP, "DROP_SPOOFED" },
	{ "VIP as source, another port", false, vip_source_other_port, DROP, "DROP_SPOOFED" },
	{ "VIP as source of ICMP", false, vip_source_icmp, NEXT, "" },
};

TEST_ROWS(filter, "uplink", filter_rows)
{
	const struct filter_row *row = row_;
	uint8_t frame[256];
	struct packet p;
	struct result *r;
	struct client c;
	size_t len;

	client_init(&c, row->v6);
	p = client_packet(&c, TCP_SYN, NULL, 0);
	len = packet_build(&p, frame);
	row->change(frame, &len);
	r = run_frame(UPLINK_INGRESS, frame, len, net_ifindex(NET_UPLINK), 0);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	if (row->verdict == NEXT)
		expect_bytes("frame", r->frame, r->len, frame, len);
	EXPECT(peek_flows(), 0);
}

TEST(not_an_uplink, "a device that is no uplink: passed on")
{
	struct packet p;
	struct client c;
	struct result *r;

	client_init(&c, false);
	p = client_packet(&c, TCP_SYN, NULL, 0);
	r = run_packet(UPLINK_INGRESS, &p, NET_NODE1);
	expect_verdict(r, NEXT);
	expect_counts(r, "");
}
