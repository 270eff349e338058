/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a program by bpf_prog_test_run: packet, device and mark in; verdict, mark, packet,
 * counters and the clones that were sent, out. Every packet that comes out has its lengths and
 * checksums verified at once; ICMP is left to icmp_parse().
 */
#ifndef PROG_RUN_H
#define PROG_RUN_H

#include "net.h"
#include "packet.h"

enum run_program {
	UPLINK_INGRESS,
	UPLINK_EGRESS,
	BACKEND_RETURN,
	BACKEND_ACCEPT,
	KICK,
	RUN_PROGRAMS,
};

enum run_verdict {
	NEXT = -1,
	DROP = 2,
	REDIRECT = 7,
};

#define RUN_CLONES 96

struct clone {
	int dev; /* enum net_dev */
	struct packet packet;
};

struct result {
	int verdict;
	uint32_t mark;
	uint32_t out_ifindex; /* run.out_ifindex: where a redirect goes */
	uint8_t *frame;
	size_t len;
	struct packet packet; /* what `frame` holds, if that is a whole TCP packet */
	uint64_t counts[STAT_COUNT];
	int n_clones;
	struct clone clones[RUN_CLONES];
};

/* Opens the programs by name; the object is loaded by room.c. */
void run_setup(void);

int run_program_fd(enum run_program program);

/* Invalidates every result. */
void run_forget(void);

struct result *run_frame(enum run_program program, const uint8_t *frame, size_t len,
			 uint32_t ifindex, uint32_t mark);
struct result *run_packet(enum run_program program, const struct packet *p, enum net_dev dev);

/* What the daemon does for a timer that has run out: the flow's slot and gen. */
struct result *run_kick(uint32_t slot, uint32_t gen, bool v6);
/* The same with a packet of `len` bytes, at most KICK_FRAME_BYTES: less memory to grow into. */
struct result *run_kick_sized(uint32_t slot, uint32_t gen, bool v6, size_t len);

/* run_packet() with another skb->gso_segs than 0: locally sent TCP has 1. */
void run_set_gso_segs(uint32_t gso_segs);

/*
 * What leaves by a device, in order: clones, then the packet if the verdict is REDIRECT. NULL:
 * there is no packet number `i`.
 */
const struct packet *run_leaving(const struct result *r, int i, enum net_dev *dev);

void expect_verdict(const struct result *r, int verdict);

/* Exactly these counters have moved, e.g. "REQUESTS HIT"; a name twice means 2, "NAME*3" 3. */
void expect_counts(const struct result *r, const char *names);

/* Verdict REDIRECT, out of this device, no clones. Returns the packet. */
const struct packet *expect_out(const struct result *r, enum net_dev dev);

/* The only clone, out of this device. */
const struct packet *expect_clone(const struct result *r, enum net_dev dev);

void expect_no_clones(const struct result *r);

#endif
