// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMP errors to bytes and back. Nothing is shared with the datapath.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "check.h"
#include "icmp_error.h"

#define TTL 55
#define ROUTER4 "192.0.2.7"
#define ROUTER6 "2001:db8::7"

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static bool is_v6(const uint8_t *frame)
{
	return get16(frame + 12) == ETH_P_IPV6;
}

/* 0xffff when the checksum in it is right. */
static uint16_t icmp_sum(const uint8_t *frame, size_t len)
{
	size_t l4 = packet_l4(is_v6(frame)), n = len - l4;
	uint32_t sum = 0;

	if (is_v6(frame))
		sum = packet_sum(frame + PACKET_ETH + 8, 32, 58 + n);
	return packet_fold(packet_sum(frame + l4, n, sum));
}

void icmp_error_seal(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + PACKET_ETH, *icmp = frame + packet_l4(is_v6(frame));

	if (!is_v6(frame)) {
		put16(ip + 10, 0);
		put16(ip + 10, ~packet_fold(packet_sum(ip, 20, 0)));
	}
	put16(icmp + 2, 0);
	put16(icmp + 2, ~icmp_sum(frame, len));
}

size_t icmp_error_build(const struct icmp_error *e, uint8_t *frame)
{
	static uint8_t quoted[PACKET_MAX];
	bool v6 = e->quoted.v6;
	size_t l4 = packet_l4(v6), quote_len = l4 - PACKET_ETH + e->quote_len, len;
	uint8_t *ip = frame + PACKET_ETH, *icmp = frame + l4;

	if (packet_build(&e->quoted, quoted) < PACKET_ETH + quote_len)
		check_die("the quoted segment has no %zu bytes", e->quote_len);
	len = l4 + 8 + quote_len;
	memset(frame, 0, l4 + 8);
	memcpy(frame, e->mac_dst, 6);
	memcpy(frame + 6, e->mac_src, 6);
	put16(frame + 12, v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, 8 + quote_len);
		ip[6] = 58;
		ip[7] = TTL;
		memcpy(ip + 8, &e->src, 16);
		memcpy(ip + 24, &e->dst, 16);
	} else {
		ip[0] = 0x45;
		ip[1] = 0xc0;
		put16(ip + 2, 28 + quote_len);
		put16(ip + 4, 0x4321);
		ip[8] = TTL;
		ip[9] = 1;
		memcpy(ip + 12, &e->src.w[3], 4);
		memcpy(ip + 16, &e->dst.w[3], 4);
	}
	icmp[0] = e->type;
	icmp[1] = e->code;
	put16(icmp + 4, e->rest >> 16);
	put16(icmp + 6, e->rest);
	memcpy(icmp + 8, quoted + PACKET_ETH, quote_len);
	icmp_error_seal(frame, len);
	return len;
}

static const char *parse_quote(const uint8_t *ip, size_t len, struct packet *p)
{
	const uint8_t *tcp = ip + (p->v6 ? 40 : 20);

	if (len < (p->v6 ? 48 : 28))
		return "quote is too short";
	if (p->v6) {
		memcpy(&p->src, ip + 8, 16);
		memcpy(&p->dst, ip + 24, 16);
		if (ip[0] >> 4 != 6 || ip[6] != 6)
			return "quoted: not a plain IPv6 header with TCP";
	} else {
		p->src = p->dst = packet_addr("0.0.0.0");
		memcpy(&p->src.w[3], ip + 12, 4);
		memcpy(&p->dst.w[3], ip + 16, 4);
		if (ip[0] != 0x45 || ip[9] != 6)
			return "quoted: not a plain IPv4 header with TCP";
		if (packet_fold(packet_sum(ip, 20, 0)) != 0xffff)
			return "quoted: IPv4 checksum is wrong";
	}
	p->sport = get16(tcp);
	p->dport = get16(tcp + 2);
	p->seq = get32(tcp + 4);
	return NULL;
}

const char *icmp_error_parse(const uint8_t *frame, size_t len, struct icmp_error *e)
{
	const uint8_t *ip = frame + PACKET_ETH, *icmp;
	bool v6 = is_v6(frame);
	size_t ip_len;

	memset(e, 0, sizeof(*e));
	e->quoted.v6 = v6;
	if (len < PACKET_ETH + (v6 ? ICMP_ERROR_MIN6 : ICMP_ERROR_MIN4))
		return "frame is too short";
	memcpy(e->mac_dst, frame, 6);
	memcpy(e->mac_src, frame + 6, 6);
	if (v6) {
		memcpy(&e->src, ip + 8, 16);
		memcpy(&e->dst, ip + 24, 16);
		ip_len = 40 + get16(ip + 4);
		if (ip[0] >> 4 != 6 || ip[6] != 58)
			return "not a plain IPv6 header with ICMP";
	} else {
		e->src = e->dst = packet_addr("0.0.0.0");
		memcpy(&e->src.w[3], ip + 12, 4);
		memcpy(&e->dst.w[3], ip + 16, 4);
		ip_len = get16(ip + 2);
		if (ip[0] != 0x45 || ip[9] != 1)
			return "not a plain IPv4 header with ICMP";
		if (packet_fold(packet_sum(ip, 20, 0)) != 0xffff)
			return "IPv4 checksum is wrong";
	}
	if (PACKET_ETH + ip_len != len)
		return "length of frame and IP header differ";
	if (icmp_sum(frame, len) != 0xffff)
		return "ICMP checksum is wrong";
	icmp = frame + packet_l4(v6);
	e->type = icmp[0];
	e->code = icmp[1];
	e->rest = get32(icmp + 4);
	e->quote_len = len - packet_l4(v6) - 8 - (v6 ? 40 : 20);
	return parse_quote(icmp + 8, e->quote_len + (v6 ? 40 : 20), &e->quoted);
}

struct icmp_error icmp_error_about(const struct client *c, struct icmp_error_type type,
				   uint32_t rest, uint32_t seq, uint32_t len)
{
	static const uint8_t bytes[9000];
	struct icmp_error e = {
		.src = packet_addr(c->v6 ? ROUTER6 : ROUTER4),
		.dst = c->vip,
		.type = type.type,
		.code = type.code,
		.rest = rest,
		.quote_len = 8,
		.quoted = {
			.v6 = c->v6,
			.src = c->vip,
			.dst = c->addr,
			.sport = c->vip_port,
			.dport = c->port,
			.seq = seq,
			.ack = c->seq,
			.flags = TCP_ACK,
			.ttl = 63,
			.payload = bytes,
			.len = len,
		},
	};

	memcpy(e.mac_src, net_peer_mac(NET_UPLINK), 6);
	memcpy(e.mac_dst, net_mac(NET_UPLINK), 6);
	if (c->has_ts)
		packet_option_ts(&e.quoted, 1, 2);
	return e;
}

struct result *icmp_error_send(const struct icmp_error *e)
{
	static uint8_t frame[PACKET_MAX];

	return run_frame(UPLINK_INGRESS, frame, icmp_error_build(e, frame), net_ifindex(NET_UPLINK),
			 0);
}
