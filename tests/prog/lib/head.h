/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A header block that does not become whole, and the 408 for it.
 */
#ifndef PROG_HEAD_H
#define PROG_HEAD_H

#include "peek.h"

#define HEAD_TIMEOUT_MS 60000

/* The time for a header block of connections from now on. */
void head_set_timeout(uint32_t ms);

/* A connection with HEAD_TIMEOUT_MS. */
void head_open(struct client *c, bool v6, bool has_ts);

/* A piece of a head, acknowledged. The first one sets the deadline. */
void head_say(struct client *c, const char *text);

/* The time is over; the timer's kick, whether it is or not. */
void head_set_due(const struct client *c);
struct result *head_kick(const struct client *c);

/* Nothing was sent, changed or counted. */
void head_expect_nothing(const struct result *r);

/* The clone is the whole 408 with the connection's next numbers and FIN. */
void head_expect_408(const struct client *c, const struct clone *clone);

uint32_t head_len_408(void);

/* The client has read it; then it closes, too. */
void head_ack_408(struct client *c);
void head_close_408(struct client *c);

/* Buffers that somebody holds. */
int head_stashes(void);

#endif
