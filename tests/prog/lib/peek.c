// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables are small: a search reads them all.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "peek.h"

static void map_get(const char *name, uint32_t slot, void *value)
{
	if (bpf_map_lookup_elem(room_map(name), &slot, value))
		check_die("map %s: %s", name, strerror(errno));
}

int peek_flow_slot(const struct client *c)
{
	struct flow f;
	uint32_t i;

	for (i = 0; i < ROOM_FLOW_BUCKETS * FLOW_WAYS; i++) {
		map_get("flows", i, &f);
		if (f.state != FLOW_FREE && !memcmp(&f.key.client, &c->addr, sizeof(c->addr)) &&
		    f.key.port == htons(c->port))
			return i;
	}
	return -1;
}

struct flow peek_flow(const struct client *c)
{
	int slot = peek_flow_slot(c);
	struct flow f;

	if (slot < 0)
		check_fail("flow of port %u: expected one, actual none", c->port);
	map_get("flows", slot, &f);
	return f;
}

void peek_set_flow(const struct client *c, const struct flow *flow)
{
	uint32_t slot = peek_flow_slot(c);

	room_map_update("flows", &slot, flow);
}

int peek_flows(void)
{
	struct flow f;
	int n = 0;
	uint32_t i;

	for (i = 0; i < ROOM_FLOW_BUCKETS * FLOW_WAYS; i++) {
		map_get("flows", i, &f);
		n += f.state != FLOW_FREE;
	}
	return n;
}

int peek_leg_slot(const struct client *c, uint16_t backend)
{
	struct leg leg;
	uint32_t i;

	for (i = 0; i < ROOM_LEG_BUCKETS * LEG_WAYS; i++) {
		map_get("legs", i, &leg);
		if (leg.state != LEG_FREE && leg.key.backend == backend &&
		    leg.key.port == htons(c->port) &&
		    !memcmp(&leg.key.client, &c->addr, sizeof(c->addr)))
			return i;
	}
	return -1;
}

struct leg peek_leg(const struct client *c, uint16_t backend)
{
	int slot = peek_leg_slot(c, backend);
	struct leg leg;

	if (slot < 0)
		check_fail("leg on backend %u: expected one, actual none", backend);
	map_get("legs", slot, &leg);
	return leg;
}

void peek_set_leg(const struct client *c, uint16_t backend, const struct leg *leg)
{
	uint32_t slot = peek_leg_slot(c, backend);

	room_map_update("legs", &slot, leg);
}

struct stash peek_stash(uint32_t slot)
{
	struct stash st;

	map_get("stashes", slot, &st);
	return st;
}

void peek_set_stash(uint32_t slot, const struct stash *stash)
{
	room_map_update("stashes", &slot, stash);
}

int peek_sender_slot(const struct client *c)
{
	uint32_t slot = peek_flow_slot(c), gen = peek_flow(c).gen, i;
	struct sender_entry entry;

	for (i = 0; i < ROOM_SENDERS; i++) {
		map_get("senders", i, &entry);
		if (entry.sender.owner_slot == slot + 1 && entry.sender.owner_gen == gen)
			return i;
	}
	return -1;
}

struct sender peek_sender(const struct client *c)
{
	int slot = peek_sender_slot(c);
	struct sender_entry entry;

	if (slot < 0)
		check_fail("sender of port %u: expected one, actual none", c->port);
	map_get("senders", slot, &entry);
	return entry.sender;
}

void peek_set_sender(const struct client *c, const struct sender *sender)
{
	struct sender_entry entry = { .sender = *sender };
	uint32_t slot = peek_sender_slot(c);

	room_map_update("senders", &slot, &entry);
}

uint64_t peek_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

uint32_t peek_clock(void)
{
	return peek_now() >> 26;
}

void peek_age_sender(const struct client *c)
{
	struct sender sender;

	if (peek_sender_slot(c) < 0)
		return;
	sender = peek_sender(c);
	sender.progress_ns -= 60000000000;
	peek_set_sender(c, &sender);
}
