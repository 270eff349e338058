/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ethernet + IPv4/IPv6 + TCP frames: built with real checksums, and taken apart with every length
 * and checksum verified. Numbers are in host order; IPv4 addresses in mapped form (abi.h).
 */
#ifndef PROG_PACKET_H
#define PROG_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

#define PACKET_MAX 66000 /* bytes of a frame */
#define PACKET_NO_WSCALE 0xff
#define PACKET_ETH 14

struct packet {
	uint8_t mac_src[6], mac_dst[6];
	struct ip_addr src, dst;
	uint16_t sport, dport, window;
	uint16_t fragment; /* IPv4: flags and offset; packet_build() sets DF */
	uint32_t seq, ack;
	bool v6;
	uint8_t flags, ttl;
	uint8_t options_len; /* a multiple of 4 */
	uint8_t options[40];
	const uint8_t *payload;
	uint32_t len; /* of the payload */

	/* What packet_parse() finds in the options. */
	bool has_ts, sack_ok;
	uint8_t wscale;
	uint8_t n_sack; /* edges in `sack`, two a block */
	uint16_t mss;
	uint32_t tsval, tsecr;
	uint32_t sack[8];
};

/* Address from its text, IPv4 or IPv6. */
struct ip_addr packet_addr(const char *text);

void packet_option(struct packet *p, const void *bytes, size_t len);
void packet_option_mss(struct packet *p, uint16_t mss);
void packet_option_ts(struct packet *p, uint32_t tsval, uint32_t tsecr); /* with two NOPs */
void packet_option_sack(struct packet *p, const uint32_t *edges, size_t n);

/* Where headers begin in a frame. */
static inline size_t packet_l4(bool v6)
{
	return PACKET_ETH + (v6 ? 40 : 20);
}

/* Returns the frame's length. */
size_t packet_build(const struct packet *p, uint8_t *frame);

/* Corrects both checksums of a frame that was changed by hand; it must be whole. */
void packet_seal(uint8_t *frame, size_t len);

/* One's complement sum of big-endian words, and its fold into 16 bits (RFC 1071). */
uint32_t packet_sum(const uint8_t *bytes, size_t len, uint32_t sum);
uint16_t packet_fold(uint32_t sum);

/* Options that no test puts into packets are no fault from now on; their lengths must still fit. */
void packet_expect_any_option(bool is_any);

/* NULL, or what is wrong with the frame. p->payload points into it. */
const char *packet_parse(const uint8_t *frame, size_t len, struct packet *p);

#endif
