/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors (RFC 792, RFC 4443) that quote a TCP segment: built, and taken apart with every
 * length and checksum verified.
 */
#ifndef PROG_ICMP_ERROR_H
#define PROG_ICMP_ERROR_H

#include "prog_client.h"

#define ICMP_ERROR_MIN4 (20 + 8 + 20 + 8) /* bytes behind Ethernet with 8 bytes of TCP quoted */
#define ICMP_ERROR_MIN6 (40 + 8 + 40 + 8)

struct icmp_error {
	uint8_t mac_src[6], mac_dst[6];
	struct ip_addr src, dst; /* of the error: the router, the sender of the segment */
	uint8_t type, code;
	uint32_t rest;	      /* second word: IPv4: the MTU in the lower half; IPv6: the MTU */
	struct packet quoted; /* its family is the error's */
	size_t quote_len;     /* bytes of TCP that are quoted */
};

/* Returns the frame's length. */
size_t icmp_error_build(const struct icmp_error *e, uint8_t *frame);

/* Corrects the checksums of both headers after a change by hand. */
void icmp_error_seal(uint8_t *frame, size_t len);

/* NULL, or what is wrong. Of the quoted segment: addresses, ports and seq. */
const char *icmp_error_parse(const uint8_t *frame, size_t len, struct icmp_error *e);

struct icmp_error_type {
	uint8_t type, code;
};
#define FRAG_NEEDED { 3, 4 }
#define TOO_BIG { 2, 0 }

/* What a router says of the segment at `seq`, of `len` bytes, that the client was sent. */
struct icmp_error icmp_error_about(const struct client *c, struct icmp_error_type type,
				   uint32_t rest, uint32_t seq, uint32_t len);

/* Runs it through uplink_ingress. */
struct result *icmp_error_send(const struct icmp_error *e);

#endif
