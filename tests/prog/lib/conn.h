/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection whose client talks to two backends and to the kernel, with the streams of all of
 * them: whatever leaves the gateway is compared with these. Packets are made as jobs (pair.h).
 */
#ifndef PROG_CONN_H
#define PROG_CONN_H

#include "pair.h"
#include "prog_node.h"
#include "stream.h"

struct leg_side {
	struct node node;
	struct stream to;	      /* requests, in the leg's space */
	uint32_t from;		      /* first seq of the backend */
	uint32_t delta_in, delta_out; /* since the last request */
	bool is_open;
};

struct conn {
	struct client c;
	struct stream to_client; /* what it may have seen, from the byte behind the SYN-ACK on */
	uint32_t req_start;	 /* the client's first byte */
	uint32_t req_end;	 /* behind the last one that it has sent */
	struct leg_side legs[3]; /* by backend */
	struct packet request;
	char text[256];
};

/* Whatever leaves the gateway, by whatever way: it must be a part of one of the streams. Packets of
 * other connections are not looked at. `where` goes into messages. */
void conns_expect(struct conn *conns, int n, const char *where, const uint8_t *frame, size_t len);

/* The client's packets: an ACK; a request for a path, with a header that says which connection and
 * which byte it is; the last request once more. */
void job_ack(struct job *job, struct conn *k);
void job_request(struct job *job, struct conn *k, const char *path);
void job_request_again(struct job *job, const struct conn *k);

/* The client has got everything. */
void conn_has_all(struct conn *k);

/* The request that was just made goes to this backend. */
void conn_asks(struct conn *k, int id);

/* The backend's response: each eight bytes of the body say which connection and which byte. */
struct packet conn_response(struct conn *k, int id);

/* A packet of a backend; its keep-alive probe, which has an old number. */
void job_node(struct job *job, const struct packet *p, int id);
void job_probe(struct job *job, struct conn *k, int id);

/* The kick of the flow's timer. */
void job_kick(struct job *job, const struct conn *k);

#endif
