/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks into the connections' tables, and changes them where a test cannot wait for time to pass.
 */
#ifndef PROG_PEEK_H
#define PROG_PEEK_H

#include "prog_client.h"

/* Slot of the client's flow, or -1. */
int peek_flow_slot(const struct client *c);

/* The client's flow; the test fails without one. */
struct flow peek_flow(const struct client *c);
void peek_set_flow(const struct client *c, const struct flow *flow);

/* Flows in use, tombstones included. */
int peek_flows(void);

/* Slot of the client's leg on a backend, or -1; the leg. */
int peek_leg_slot(const struct client *c, uint16_t backend);
struct leg peek_leg(const struct client *c, uint16_t backend);
void peek_set_leg(const struct client *c, uint16_t backend, const struct leg *leg);

/* Slot of the sender of the client's answer, or -1; the sender. Setting it stops its timer. */
int peek_sender_slot(const struct client *c);
struct sender peek_sender(const struct client *c);
/* To the client's answer, if one is under way, a minute without an ACK has passed. */
void peek_age_sender(const struct client *c);
void peek_set_sender(const struct client *c, const struct sender *sender);

/* bpf_ktime_get_ns() */
uint64_t peek_now(void);

/* The datapath's coarse clock, and seconds in its units. */
uint32_t peek_clock(void);
#define PEEK_SECONDS(s) ((uint32_t)((s) * 1000000000ULL >> 26))

struct stash peek_stash(uint32_t slot);
void peek_set_stash(uint32_t slot, const struct stash *stash);

#endif
