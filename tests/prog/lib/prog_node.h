/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend's side of one leg: what the kernel of that backend would have as the socket's numbers
 * after it took the hand-over.
 */
#ifndef PROG_NODE_H
#define PROG_NODE_H

#include "prog_client.h"

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

struct node {
	int id; /* backend 1 to 5, also its device */
	bool v6, has_ts;
	struct ip_addr addr, client;
	uint16_t client_port;
	uint32_t seq, ack; /* next byte to send, next byte expected; the leg's own space */
	uint32_t tsval, tsecr;
	uint16_t window;
};

/* The socket that this opening packet makes. */
void node_accept(struct node *n, int id, const struct packet *opening);

/*
 * Sends `text`, a request, for which a fresh leg must open: mark, device, addresses, numbers and
 * bytes are checked.
 */
void node_open(struct node *n, int id, struct client *c, const char *text);

/* A client connects, asks backend 1 for /1/a and gets OK_5: the leg is idle. */
void node_open_idle(struct node *n, struct client *c, bool v6);

struct packet node_packet(struct node *n, uint8_t flags, const void *payload, size_t len);

/* Runs a packet through backend_return; node_send() counts its bytes and FIN. */
struct result *node_run(struct node *n, const struct packet *p);
struct result *node_send(struct node *n, uint8_t flags, const void *payload, size_t len);
struct result *node_say(struct node *n, const char *text); /* PSH and ACK */
struct result *node_ack(struct node *n);

/* The packet in place of the client's that goes on to this backend, with its numbers; counts it. */
const struct packet *node_take(struct node *n, const struct result *r);

/* Checks one packet to the backend (a clone, say) and counts it as received. */
void node_expect(struct node *n, const struct packet *p);

/* node_take() with exactly this payload. */
void node_expect_text(struct node *n, const struct result *r, const char *text);

/*
 * The backend sends `text` and the client gets it whole; it acknowledges, the backend is told.
 */
void node_reply(struct node *n, struct client *c, const char *text);

/* The segments of a run that go to the backend, clones, then the packet, are these bytes. */
void node_expect_segments(struct node *n, const struct result *r, const char *text, size_t len);

/* The same, and the first of them opens a leg at the client's `seq`. */
void node_expect_opening(struct node *n, const struct client *c, int id, uint32_t seq,
			 const struct result *r, const char *text, size_t len);

/*
 * node_open() for backend 1. Returns the packet that opens the leg as backend_accept gets it, at
 * the VIP's address, which is local here: the same netns serves as the backend's.
 */
struct packet node_hand_over(struct node *n, struct client *c, const char *text);

/* The opening packet comes back through `dev` as backend_accept sends it: as it was. */
struct result *node_refuse(const struct packet *opening, enum net_dev dev);

#endif
