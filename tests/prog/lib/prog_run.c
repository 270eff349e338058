// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_prog_test_run and what can be seen of it. Results live in an arena until run_forget().
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "room.h"
#include "prog_run.h"

#define ARENA_BYTES (64 << 20)
#define RUN_FRAME_MAX 16384 /* bpf_prog_test_run takes less than a page */

static const char *const counter_names[STAT_COUNT] = {
#define STAT(name, text) [STAT_##name] = #name,
#include "stats.h"
#undef STAT
};

static int program_fds[RUN_PROGRAMS], counters_fd, runs_fd, n_cpus;
static uint32_t out_ifindex_off, run_size, gso_segs;
static uint8_t *arena, *runs_values;
static size_t arena_used;
static uint64_t *counter_values;

static void *arena_get(size_t len)
{
	void *p = arena + arena_used;

	arena_used += (len + 63) & ~(size_t)63;
	if (arena_used > ARENA_BYTES)
		check_die("a test has too many results");
	return p;
}

void run_forget(void)
{
	arena_used = 0;
	gso_segs = 0;
}

void run_set_gso_segs(uint32_t segs)
{
	gso_segs = segs;
}

static void find_run_layout(void)
{
	const struct btf *btf = room_btf();
	const struct btf_member *member;
	const struct btf_type *type;
	int id = btf__find_by_name_kind(btf, "run", BTF_KIND_STRUCT), i;

	if (id < 0)
		check_die("no struct run in the object's BTF");
	type = btf__type_by_id(btf, id);
	run_size = (type->size + 7) & ~7u;
	member = btf_members(type);
	for (i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, member[i].name_off), "out_ifindex"))
			out_ifindex_off = btf_member_bit_offset(type, i) / 8;
}

void run_setup(void)
{
	static const char *const names[RUN_PROGRAMS] = { "uplink_ingress", "uplink_egress",
							 "backend_return", "backend_accept",
							 "kick" };
	cpu_set_t one;
	int i;

	/* Counters and budgets are per CPU: stay on one, and captured frames stay in order. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		check_die("sched_setaffinity: %s", strerror(errno));
	for (i = 0; i < RUN_PROGRAMS; i++)
		program_fds[i] = room_program(names[i]);
	counters_fd = room_map("counters");
	runs_fd = room_map("runs");
	n_cpus = libbpf_num_possible_cpus();
	find_run_layout();
	arena = malloc(ARENA_BYTES);
	counter_values = calloc(STAT_COUNT * n_cpus, sizeof(*counter_values));
	runs_values = malloc((size_t)run_size * n_cpus);
	if (!arena || !counter_values || !runs_values)
		check_die("no memory");
}

int run_program_fd(enum run_program program)
{
	return program_fds[program];
}

static void read_counters(uint64_t *sums)
{
	static uint32_t keys[STAT_COUNT];
	uint32_t n = STAT_COUNT, next, i;
	int cpu;

	if (bpf_map_lookup_batch(counters_fd, NULL, &next, keys, counter_values, &n, NULL) &&
	    errno != ENOENT)
		check_die("cannot read the counters: %s", strerror(errno));
	memset(sums, 0, STAT_COUNT * sizeof(*sums));
	for (i = 0; i < n; i++)
		for (cpu = 0; cpu < n_cpus; cpu++)
			sums[keys[i]] += counter_values[i * n_cpus + cpu];
}

/* Where this CPU's last run wanted to send its packet. */
static uint32_t read_out_ifindex(enum run_program program)
{
	uint32_t key = program == KICK ? 2 : program == UPLINK_EGRESS, value;

	if (bpf_map_lookup_elem(runs_fd, &key, runs_values))
		check_die("cannot read the runs: %s", strerror(errno));
	memcpy(&value, runs_values + (size_t)run_size * sched_getcpu() + out_ifindex_off,
	       sizeof(value));
	return value;
}

static void take_clones(struct result *r)
{
	static uint8_t frame[65536];
	const char *complaint;
	uint8_t *copy;
	size_t len;
	int dev;

	while ((len = net_captured(frame, sizeof(frame), &dev))) {
		if (r->n_clones == RUN_CLONES)
			check_die("more than %d clones in one run", RUN_CLONES);
		copy = arena_get(len);
		memcpy(copy, frame, len);
		r->clones[r->n_clones].dev = dev;
		complaint = packet_parse(copy, len, &r->clones[r->n_clones].packet);
		if (complaint)
			check_fail("clone %d: %s", r->n_clones, complaint);
		r->n_clones++;
	}
}

static struct result *run_skb(enum run_program program, const uint8_t *frame, size_t len,
			      struct __sk_buff *in)
{
	struct __sk_buff out = {};
	struct result *r = arena_get(sizeof(*r));
	uint64_t before[STAT_COUNT];
	const char *complaint;
	int i;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .ctx_in = in,
		    .ctx_size_in = sizeof(*in), .ctx_out = &out, .ctx_size_out = sizeof(out),
		    .data_size_out = RUN_FRAME_MAX);

	memset(r, 0, offsetof(struct result, clones));
	r->frame = opts.data_out = arena_get(RUN_FRAME_MAX);
	read_counters(before);
	if (bpf_prog_test_run_opts(program_fds[program], &opts))
		check_die("bpf_prog_test_run: %s", strerror(errno));
	r->verdict = (int)opts.retval;
	r->mark = out.mark;
	r->len = opts.data_size_out;
	r->out_ifindex = read_out_ifindex(program);
	read_counters(r->counts);
	for (i = 0; i < STAT_COUNT; i++)
		r->counts[i] -= before[i];
	take_clones(r);
	if (net_is_icmp(r->frame, r->len))
		return r;
	complaint = packet_parse(r->frame, r->len, &r->packet);
	if (complaint && r->verdict == REDIRECT)
		check_fail("packet out: %s", complaint);
	if (complaint && r->verdict == NEXT && (len != r->len || memcmp(frame, r->frame, len)))
		check_fail("packet handed to the stack: %s", complaint);
	return r;
}

struct result *run_frame(enum run_program program, const uint8_t *frame, size_t len,
			 uint32_t ifindex, uint32_t mark)
{
	struct __sk_buff in = { .ifindex = ifindex, .mark = mark, .gso_segs = gso_segs };

	return run_skb(program, frame, len, &in);
}

struct result *run_kick_sized(uint32_t slot, uint32_t gen, bool v6, size_t len)
{
	struct packet template = { .v6 = v6, .flags = TCP_ACK };
	struct __sk_buff in = { .cb = { slot, gen } };
	uint8_t frame[KICK_FRAME_BYTES] = { 0 };

	packet_build(&template, frame);
	return run_skb(KICK, frame, len, &in);
}

struct result *run_kick(uint32_t slot, uint32_t gen, bool v6)
{
	return run_kick_sized(slot, gen, v6, KICK_FRAME_BYTES);
}

struct result *run_packet(enum run_program program, const struct packet *p, enum net_dev dev)
{
	static uint8_t frame[PACKET_MAX];
	size_t len = packet_build(p, frame);

	return run_frame(program, frame, len, net_ifindex(dev), 0);
}

static const char *verdict_name(int verdict)
{
	switch (verdict) {
	case NEXT:
		return "NEXT";
	case DROP:
		return "DROP";
	case REDIRECT:
		return "REDIRECT";
	}
	return "another";
}

static const char *counts_text(const struct result *r)
{
	static char text[512];
	int i, n = 0;

	text[0] = '\0';
	for (i = 0; i < STAT_COUNT && n < 400; i++)
		if (r->counts[i])
			n += snprintf(text + n, sizeof(text) - n, "%s%s*%llu", n ? " " : "",
				      counter_names[i], (unsigned long long)r->counts[i]);
	return text;
}

void expect_verdict(const struct result *r, int verdict)
{
	if (r->verdict != verdict)
		check_fail("verdict: expected %s, actual %s (%d; counters: %s)",
			   verdict_name(verdict), verdict_name(r->verdict), r->verdict,
			   counts_text(r));
}

static void add_name(uint64_t *wanted, const char *name, size_t len)
{
	const char *star = memchr(name, '*', len);
	size_t name_len = star ? (size_t)(star - name) : len;
	int i;

	for (i = 0; i < STAT_COUNT; i++) {
		if (strlen(counter_names[i]) == name_len &&
		    !memcmp(counter_names[i], name, name_len)) {
			wanted[i] += star ? strtoul(star + 1, NULL, 10) : 1;
			return;
		}
	}
	check_die("no counter is named %.*s", (int)name_len, name);
}

void expect_counts(const struct result *r, const char *names)
{
	uint64_t wanted[STAT_COUNT] = {};
	const char *at = names;
	size_t len;

	for (; *at; at += len + strspn(at + len, " ")) {
		len = strcspn(at, " ");
		add_name(wanted, at, len);
	}
	if (memcmp(wanted, r->counts, sizeof(wanted)))
		check_fail("counters: expected %s, actual %s", names[0] ? names : "none",
			   counts_text(r));
}

const struct packet *run_leaving(const struct result *r, int i, enum net_dev *dev)
{
	if (i < r->n_clones) {
		*dev = r->clones[i].dev;
		return &r->clones[i].packet;
	}
	if (i > r->n_clones || r->verdict != REDIRECT)
		return NULL;
	for (*dev = 0; *dev < NET_DEVS; ++*dev)
		if (r->out_ifindex == net_ifindex(*dev))
			return &r->packet;
	check_fail("device out: expected one of the gateway's, actual %u", r->out_ifindex);
}

void expect_no_clones(const struct result *r)
{
	if (r->n_clones)
		check_fail("clones: expected none, actual %d", r->n_clones);
}

static void expect_macs(const struct packet *p, enum net_dev dev)
{
	expect_bytes("destination MAC", p->mac_dst, 6, net_peer_mac(dev), 6);
	expect_bytes("source MAC", p->mac_src, 6, net_mac(dev), 6);
}

const struct packet *expect_out(const struct result *r, enum net_dev dev)
{
	expect_verdict(r, REDIRECT);
	expect_number("device out", r->out_ifindex, net_ifindex(dev));
	expect_macs(&r->packet, dev);
	return &r->packet;
}

const struct packet *expect_clone(const struct result *r, enum net_dev dev)
{
	expect_number("clones", r->n_clones, 1);
	expect_number("device of the clone", r->clones[0].dev, dev);
	if (dev < NET_DEVS)
		expect_macs(&r->clones[0].packet, dev);
	return &r->clones[0].packet;
}
