/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's side of one TCP connection, as far as tests need it: sequence numbers, options, and
 * packets with them. It does not react by itself. Also what must be known of SYN cookies.
 */
#ifndef PROG_CLIENT_H
#define PROG_CLIENT_H

#include "check.h"
#include "room.h"
#include "prog_run.h"

#define CLIENT_VIP4 "10.80.9.9"
#define CLIENT_VIP6 "fd80:9::9"
#define CLIENT_VIP_PORT 80
#define CLIENT_NO_WSCALE -1

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct client {
	bool v6, has_ts, sack_ok;
	int wscale;   /* or CLIENT_NO_WSCALE */
	uint16_t mss; /* 0: no option */
	struct ip_addr addr, vip;
	uint16_t port, vip_port;
	uint32_t seq;	/* of the next byte to send */
	uint32_t ack;	/* of the next byte expected */
	uint32_t tsval; /* grows by one with each packet */
	uint32_t tsecr;
	uint16_t window; /* as on the wire */
};

/* A client on a port of its own: timestamps, SACK, window scale 7, MSS 1460, window 1 MB. */
void client_init(struct client *c, bool v6);

/* A packet with the connection's next numbers. `payload` must live as long as the packet. */
struct packet client_packet(struct client *c, uint8_t flags, const void *payload, size_t len);

/*
 * Runs a packet through uplink_ingress; client_send() then counts its bytes, SYN and FIN. One that
 * was made earlier gets the newest timestamp, as a repetition has it.
 */
struct result *client_run(const struct packet *p);
struct result *client_run_as_is(const struct packet *p);
struct result *client_send(struct client *c, uint8_t flags, const void *payload, size_t len);
struct result *client_say(struct client *c, const char *text); /* PSH and ACK */
struct result *client_ack(struct client *c);

/* Options of a SYN in Linux' order. */
void client_syn_options(const struct client *c, struct packet *p);

/* SYN, SYN-ACK: leaves the client ready to send its first ACK. Returns the SYN's result. */
struct result *client_syn(struct client *c);

/* The whole handshake, ended with a pure ACK. */
void client_connect(struct client *c);

/* A connected client, in one call. */
void client_open(struct client *c, bool v6);

/*
 * Establishes a connection whose gateway side begins within 2^16 below `isn`, by searching for a
 * client port and ISN that have such a cookie; the client's side begins at `client_isn` + a little.
 */
void client_connect_near(struct client *c, uint32_t client_isn, uint32_t isn);

/*
 * What comes out goes to this client: addresses, ports, MACs, its next seq, and the ack of all that
 * it has sent. Counts bytes and FIN as received.
 */
const struct packet *client_take(struct client *c, const struct result *r);

/* That the answer is exactly the object's bytes, in one segment, and closes if `close`. */
void client_expect_object(struct client *c, const struct result *r, uint32_t slot, bool close,
			  bool head_only);

/* A bare ACK in place of the client's packet that acknowledges all that it has sent. */
void client_expect_ack(struct client *c, const struct result *r);

/* SYN cookies, implemented here once more. `bits` as in cookie.h, the clock's bit included. */
struct cookie_key {
	uint64_t key[2];
};
uint32_t cookie_of(const struct client *c, uint32_t isn, uint32_t clock, uint8_t bits,
		   const struct cookie_key *key);
uint32_t cookie_clock(void);
struct cookie_key cookie_key(int generation); /* 0: the current one after room_reset() */

/* Sets c->ack to what is no cookie of this connection under either key, not even by chance. */
void client_forge_ack(struct client *c);

/* Keys as after `generation` rotations, the last one `age_ns` ago. */
void room_set_cookie_keys(int generation, uint64_t age_ns);

#endif
