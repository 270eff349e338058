/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flow table without room, and what becomes of connections then.
 */
#ifndef PROG_RELAY_H
#define PROG_RELAY_H

#include "prog_node.h"

/* All flows are in one bucket, which is full of busy ones; relays go to `pool`. */
void relay_setup(uint32_t pool);

/* True: no route restricts. */
void relay_allow(bool is_allowed);

/* The IPv4 client's network is in `trusted`. */
void relay_trust_client(void);

/* An IPv4 client, connected as far as it knows. */
void relay_handshake(struct client *c);

/* relay_setup() for backend 1, and a relay to it that is open, between requests. */
void relay_open(struct client *c, struct node *n);

/* Slot of the client's flow, or -1. */
int relay_flow(const struct client *c);

/* Elements of `relays`, two for each connection. */
int relay_entries(void);

/* The client's entry (backend 0), or that of its way back; false: there is none. */
bool relay_get(const struct client *c, uint16_t backend, struct relay *out);
void relay_delete(const struct client *c, uint16_t backend);

#endif
