// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames to bytes and back. Nothing is shared with the datapath: a mistake there is seen here.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "check.h"
#include "packet.h"

#define OPT_NOP 1
#define OPT_MSS 2
#define OPT_WSCALE 3
#define OPT_SACK_OK 4
#define OPT_SACK 5
#define OPT_TS 8

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

struct ip_addr packet_addr(const char *text)
{
	struct ip_addr addr = {};

	if (strchr(text, ':')) {
		if (inet_pton(AF_INET6, text, &addr) != 1)
			check_die("address %s", text);
		return addr;
	}
	addr.w[2] = htonl(IP_ADDR_MAPPED_W2);
	if (inet_pton(AF_INET, text, &addr.w[3]) != 1)
		check_die("address %s", text);
	return addr;
}

void packet_option(struct packet *p, const void *bytes, size_t len)
{
	if (p->options_len + len > sizeof(p->options))
		check_die("more than 40 bytes of options");
	memcpy(p->options + p->options_len, bytes, len);
	p->options_len += len;
}

void packet_option_mss(struct packet *p, uint16_t mss)
{
	uint8_t option[4] = { OPT_MSS, 4, mss >> 8, mss };

	packet_option(p, option, sizeof(option));
}

void packet_option_ts(struct packet *p, uint32_t tsval, uint32_t tsecr)
{
	uint8_t option[12] = { OPT_NOP, OPT_NOP, OPT_TS, 10 };

	put32(option + 4, tsval);
	put32(option + 8, tsecr);
	packet_option(p, option, sizeof(option));
}

void packet_option_sack(struct packet *p, const uint32_t *edges, size_t n)
{
	uint8_t option[4] = { OPT_NOP, OPT_NOP, OPT_SACK, 2 + 4 * n }, edge[4];
	size_t i;

	packet_option(p, option, sizeof(option));
	for (i = 0; i < n; i++) {
		put32(edge, edges[i]);
		packet_option(p, edge, sizeof(edge));
	}
}

uint32_t packet_sum(const uint8_t *bytes, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get16(bytes + i);
	if (len & 1)
		sum += bytes[len - 1] << 8;
	return sum;
}

uint16_t packet_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* One's complement sum of segment and pseudo header: 0xffff when the checksum in it is right. */
static uint16_t tcp_sum(const uint8_t *frame, bool v6, size_t tcp_len)
{
	const uint8_t *addrs = frame + PACKET_ETH + (v6 ? 8 : 12);
	uint32_t sum = packet_sum(addrs, v6 ? 32 : 8, 6 + tcp_len);

	return packet_fold(packet_sum(frame + packet_l4(v6), tcp_len, sum));
}

void packet_seal(uint8_t *frame, size_t len)
{
	bool v6 = get16(frame + 12) == ETH_P_IPV6;
	uint8_t *ip = frame + PACKET_ETH, *tcp = frame + packet_l4(v6);

	if (!v6) {
		put16(ip + 10, 0);
		put16(ip + 10, ~packet_fold(packet_sum(ip, 20, 0)));
	}
	put16(tcp + 16, 0);
	put16(tcp + 16, ~tcp_sum(frame, v6, len - packet_l4(v6)));
}

size_t packet_build(const struct packet *p, uint8_t *frame)
{
	size_t l4 = packet_l4(p->v6), tcp_len = 20 + p->options_len + p->len;
	uint8_t *ip = frame + PACKET_ETH, *tcp = frame + l4;

	if (l4 + tcp_len > PACKET_MAX || p->options_len % 4)
		check_die("cannot build a packet of %zu bytes", l4 + tcp_len);
	memset(frame, 0, l4 + 20);
	memcpy(frame, p->mac_dst, 6);
	memcpy(frame + 6, p->mac_src, 6);
	put16(frame + 12, p->v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (p->v6) {
		ip[0] = 0x60;
		put16(ip + 4, tcp_len);
		ip[6] = 6;
		ip[7] = p->ttl;
		memcpy(ip + 8, &p->src, 16);
		memcpy(ip + 24, &p->dst, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 20 + tcp_len);
		put16(ip + 4, 0x1234);
		put16(ip + 6, 0x4000);
		ip[8] = p->ttl;
		ip[9] = 6;
		memcpy(ip + 12, &p->src.w[3], 4);
		memcpy(ip + 16, &p->dst.w[3], 4);
	}
	put16(tcp, p->sport);
	put16(tcp + 2, p->dport);
	put32(tcp + 4, p->seq);
	put32(tcp + 8, p->ack);
	tcp[12] = (20 + p->options_len) << 2;
	tcp[13] = p->flags;
	put16(tcp + 14, p->window);
	memcpy(tcp + 20, p->options, p->options_len);
	if (p->len)
		memcpy(tcp + 20 + p->options_len, p->payload, p->len);
	packet_seal(frame, l4 + tcp_len);
	return l4 + tcp_len;
}

static const char *parse_option(const uint8_t *option, uint8_t len, struct packet *p)
{
	switch (option[0]) {
	case OPT_MSS:
		p->mss = get16(option + 2);
		return len == 4 ? NULL : "MSS option's length";
	case OPT_WSCALE:
		p->wscale = option[2];
		return len == 3 ? NULL : "window scale option's length";
	case OPT_SACK_OK:
		p->sack_ok = true;
		return len == 2 ? NULL : "SACK-permitted option's length";
	case OPT_TS:
		p->has_ts = true;
		p->tsval = get32(option + 2);
		p->tsecr = get32(option + 6);
		return len == 10 ? NULL : "timestamp option's length";
	case OPT_SACK:
		for (p->n_sack = 0; p->n_sack < 8 && 2 + 4 * p->n_sack < len; p->n_sack++)
			p->sack[p->n_sack] = get32(option + 2 + 4 * p->n_sack);
		return len == 2 + 4 * p->n_sack ? NULL : "SACK option's length";
	}
	return "an option that nobody sent";
}

static bool any_option;

void packet_expect_any_option(bool is_any)
{
	any_option = is_any;
}

static const char *parse_options(struct packet *p)
{
	const char *complaint;
	unsigned int off, len;

	p->wscale = PACKET_NO_WSCALE;
	for (off = 0; off < p->options_len; off += len) {
		len = 1;
		if (p->options[off] == OPT_NOP)
			continue;
		if (p->options[off] == 0)
			break;
		if (off + 1 >= p->options_len)
			return "option is cut off";
		len = p->options[off + 1];
		if (len < 2 || off + len > p->options_len)
			return "option's length";
		complaint = parse_option(p->options + off, len, p);
		if (complaint && !any_option)
			return complaint;
	}
	return NULL;
}

static const char *parse_tcp(const uint8_t *frame, size_t tcp_len, struct packet *p)
{
	const uint8_t *tcp = frame + packet_l4(p->v6);
	size_t hlen = (tcp[12] >> 4) * 4;

	if (hlen < 20 || hlen > tcp_len)
		return "TCP data offset";
	p->sport = get16(tcp);
	p->dport = get16(tcp + 2);
	p->seq = get32(tcp + 4);
	p->ack = get32(tcp + 8);
	p->flags = tcp[13];
	p->window = get16(tcp + 14);
	p->options_len = hlen - 20;
	memcpy(p->options, tcp + 20, p->options_len);
	p->payload = tcp + hlen;
	p->len = tcp_len - hlen;
	if (tcp_sum(frame, p->v6, tcp_len) != 0xffff)
		return "TCP checksum is wrong";
	return parse_options(p);
}

const char *packet_parse(const uint8_t *frame, size_t len, struct packet *p)
{
	const uint8_t *ip = frame + PACKET_ETH;
	size_t ip_len;

	memset(p, 0, sizeof(*p));
	if (len < PACKET_ETH + 40)
		return "frame is too short";
	memcpy(p->mac_dst, frame, 6);
	memcpy(p->mac_src, frame + 6, 6);
	if (get16(frame + 12) == ETH_P_IP) {
		p->src = p->dst = packet_addr("0.0.0.0");
		memcpy(&p->src.w[3], ip + 12, 4);
		memcpy(&p->dst.w[3], ip + 16, 4);
		p->ttl = ip[8];
		p->fragment = get16(ip + 6);
		ip_len = get16(ip + 2);
		if (ip[0] != 0x45 || ip[9] != 6)
			return "not a plain IPv4 header with TCP";
		if (packet_fold(packet_sum(ip, 20, 0)) != 0xffff)
			return "IPv4 checksum is wrong";
	} else if (get16(frame + 12) == ETH_P_IPV6) {
		p->v6 = true;
		memcpy(&p->src, ip + 8, 16);
		memcpy(&p->dst, ip + 24, 16);
		p->ttl = ip[7];
		ip_len = 40 + get16(ip + 4);
		if (ip[0] >> 4 != 6 || ip[6] != 6)
			return "not a plain IPv6 header with TCP";
	} else {
		return "neither IPv4 nor IPv6";
	}
	if (PACKET_ETH + ip_len != len || ip_len < packet_l4(p->v6) - PACKET_ETH + 20)
		return "length of frame and IP header differ";
	return parse_tcp(frame, ip_len - (packet_l4(p->v6) - PACKET_ETH), p);
}
