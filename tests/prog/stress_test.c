// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two CPUs at once on the same flow. Thousands of connections in small tables go through one script
 * of requests to legs and components; at each step two threads run a packet of the same connection
 * at the same moment: a packet and its twin, or the two directions. What comes out must be right
 * whoever was first: each byte and number is compared with the connection's own streams, each
 * request is counted once, and afterwards the legs' numbers are what the script says.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "family.h"
#include "peek.h"

#define BATCH 4 /* connections that are open at once: their legs fit into one bucket */
#define BATCHES 400
#define BATCHES_MIN 50 /* however slow the machine is */
#define SECONDS_MAX 5  /* ... a family */

static struct conn conns[BATCH];
static struct job jobs[2][BATCH];
static char where[128]; /* in the script */
static bool is_v6;

static void expect_job(const struct job *job)
{
	bool is_out = job->verdict == REDIRECT;

	if (job->program == RUN_PROGRAMS)
		return;
	if (is_out)
		conns_expect(conns, BATCH, where, job->out, job->out_len);
	else
		EXPECT(job->verdict, DROP);
}

static void expect_clones(void)
{
	static uint8_t frame[65536];
	size_t len;
	int dev;

	while ((len = net_captured(frame, sizeof(frame), &dev)))
		if (dev < NET_DEVS)
			conns_expect(conns, BATCH, where, frame, len);
}

static uint64_t counter(uint32_t id)
{
	int cpus = libbpf_num_possible_cpus(), i;
	uint64_t values[cpus], sum = 0;

	if (bpf_map_lookup_elem(room_map("counters"), &id, values))
		check_die("cannot read the counters: %s", strerror(errno));
	for (i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

static void step_handshake(struct conn *k, struct job *a, struct job *b)
{
	job_ack(a, k);
	*b = *a;
}

static void step_leg1(struct conn *k, struct job *a, struct job *b)
{
	job_request(a, k, "/1/");
	conn_asks(k, 1);
	*b = *a;
}

static void step_response1(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = conn_response(k, 1);

	job_node(a, &p, 1);
	job_request_again(b, k);
}

/* The old response once more, while the request for something else arrives. */
static void step_hit(struct conn *k, struct job *a, struct job *b)
{
	uint8_t answer[4096];

	job_probe(b, k, 1);
	conn_has_all(k);
	job_request(a, k, "/small");
	stream_put(&k->to_client, answer,
		   room_answer(SLOT_SMALL, false, false, answer, sizeof(answer)));
}

static void step_leg2(struct conn *k, struct job *a, struct job *b)
{
	conn_has_all(k);
	job_request(a, k, "/2/");
	conn_asks(k, 2);
	*b = *a;
}

static void step_response2(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = conn_response(k, 2);

	job_node(a, &p, 2);
	job_probe(b, k, 1);
}

/* Leg 1 gets new deltas while leg 2 repeats what it said. */
static void step_resume1(struct conn *k, struct job *a, struct job *b)
{
	job_probe(b, k, 2);
	conn_has_all(k);
	job_request(a, k, "/1/again");
	conn_asks(k, 1);
}

static void step_response3(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = conn_response(k, 1);

	job_node(a, &p, 1);
	*b = *a;
}

static void step_long(struct conn *k, struct job *a, struct job *b)
{
	uint8_t answer[8192];

	conn_has_all(k);
	job_request(a, k, "/own");
	stream_put(&k->to_client, answer,
		   room_answer(SLOT_OWN, false, false, answer, sizeof(answer)));
	*b = *a;
}

static void step_kick(struct conn *k, struct job *a, struct job *b)
{
	struct sender s = peek_sender(&k->c);

	s.deadline_ns = 1;
	peek_set_sender(&k->c, &s);
	job_kick(a, k);
	k->c.ack += 1000;
	job_ack(b, k);
}

static void step_kicks(struct conn *k, struct job *a, struct job *b)
{
	struct sender s = peek_sender(&k->c);

	s.deadline_ns = 1;
	peek_set_sender(&k->c, &s);
	job_kick(a, k);
	*b = *a;
}

static void step_acked(struct conn *k, struct job *a, struct job *b)
{
	job_kick(b, k);
	conn_has_all(k);
	job_ack(a, k);
}

static void step_resume2(struct conn *k, struct job *a, struct job *b)
{
	job_request(a, k, "/2/again");
	conn_asks(k, 2);
	job_probe(b, k, 1);
}

static void step_response4(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = conn_response(k, 2);

	job_node(a, &p, 2);
	job_ack(b, k);
}

static void step_reset(struct conn *k, struct job *a, struct job *b)
{
	struct packet p;

	conn_has_all(k);
	p = client_packet(&k->c, TCP_RST | TCP_ACK, NULL, 0);
	job_packet(a, UPLINK_INGRESS, &p, NET_UPLINK);
	job_none(b);
}

struct step {
	const char *name;
	void (*make)(struct conn *k, struct job *a, struct job *b);
	int requests, hits, opened; /* of one connection */
	bool is_settled;	    /* the first packet comes once more, alone */
	bool is_crossed;	    /* the second packet is that of the next connection */
	bool is_probe;		    /* exactly one kick has something to do */
};

static const struct step script[] = {
	{ "the handshake's ACK and its twin", step_handshake, 0, 0, 0, false, false, false },
	{ "the request that opens a leg, and its twin", step_leg1, 1, 0, 1, true, false, false },
	{ "its response, and the request again", step_response1, 0, 0, 0, true, false, false },
	{ "a component, and the leg's probe", step_hit, 1, 1, 0, true, false, false },
	{ "second legs open", step_leg2, 1, 0, 1, true, true, false },
	{ "its response, and the first leg's probe", step_response2, 0, 0, 0, true, false, false },
	{ "back to the first leg, and the second's probe", step_resume1, 1, 0, 0, true, false,
	  false },
	{ "its response, twice", step_response3, 0, 0, 0, true, false, false },
	{ "a long component, twice", step_long, 1, 1, 0, true, false, false },
	{ "a kick and an ACK", step_kick, 0, 0, 0, false, false, false },
	{ "a kick, twice", step_kicks, 0, 0, 0, false, false, true },
	{ "the last ACK and a kick", step_acked, 0, 0, 0, true, false, false },
	{ "back to the second leg, and the first's probe", step_resume2, 1, 0, 0, true, false,
	  false },
	{ "its response and an ACK", step_response4, 0, 0, 0, true, false, false },
	{ "reset", step_reset, 0, 0, 0, false, false, false },
};

static void expect_counter(const char *name, uint32_t id, uint64_t before, int wanted)
{
	check_step("%s: %s", where, name);
	expect_number("counter", counter(id) - before, wanted);
}

static void run_step(const struct step *step, size_t batch)
{
	uint64_t requests = counter(STAT_REQUESTS), hits = counter(STAT_HIT),
		 opened = counter(STAT_LEG_NEW), cookies = counter(STAT_COOKIE_OK),
		 probes = counter(STAT_PROBES);
	int i;

	snprintf(where, sizeof(where), "connections %zu to %zu: %s", batch * BATCH,
		 batch * BATCH + BATCH - 1, step->name);
	check_step("%s", where);
	for (i = 0; i < BATCH; i++)
		step->make(&conns[i], &jobs[0][i], &jobs[1][i]);
	for (i = 0; i < BATCH && step->is_crossed; i++)
		jobs[1][i] = jobs[0][(i + 1) % BATCH];
	pair_run(jobs[0], jobs[1], BATCH);
	for (i = 0; i < BATCH; i++) {
		expect_job(&jobs[0][i]);
		expect_job(&jobs[1][i]);
	}
	for (i = 0; i < BATCH && step->is_settled; i++) {
		job_run(&jobs[0][i]);
		expect_job(&jobs[0][i]);
	}
	expect_clones();
	expect_counter("requests", STAT_REQUESTS, requests, step->requests * BATCH);
	expect_counter("hits", STAT_HIT, hits, step->hits * BATCH);
	expect_counter("legs opened", STAT_LEG_NEW, opened, step->opened * BATCH);
	if (step->is_probe)
		expect_counter("probes", STAT_PROBES, probes, BATCH);
	if (step->make == step_handshake)
		expect_counter("cookies", STAT_COOKIE_OK, cookies, BATCH);
}

static void open_batch(void)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		struct conn *k = &conns[i];

		client_init(&k->c, is_v6);
		client_syn(&k->c);
		k->to_client.start = k->c.ack;
		k->to_client.len = 0;
		k->req_start = k->req_end = k->c.seq;
		k->legs[1].is_open = k->legs[2].is_open = false;
	}
}

/* The numbers that the script has led to. */
static void expect_legs(const struct conn *k)
{
	struct flow f = peek_flow(&k->c);
	int id;

	EXPECT(f.owner, 0);
	EXPECT(f.state, FLOW_OPEN);
	EXPECT(f.rcv_nxt, k->c.seq);
	for (id = 1; id <= 2; id++) {
		struct leg leg = peek_leg(&k->c, id);

		check_step("leg %d", id);
		EXPECT(leg.delta_in, k->legs[id].delta_in);
		EXPECT(leg.delta_out, k->legs[id].delta_out);
		EXPECT(leg.rnxt, k->legs[id].node.ack);
		EXPECT(leg.resp_pos, k->legs[id].node.seq);
		EXPECT(leg.sent, 2);
		EXPECT(leg.done, 2);
	}
}

TEST_ROWS(two_cpus, "two CPUs on the same flow, all the time", family_rows)
{
	static enum { UNKNOWN, ONE, TWO } cpus;
	const struct family_row *row = row_;
	uint64_t until = peek_now() + SECONDS_MAX * 1000000000ULL;
	size_t n, i;

	if (cpus == UNKNOWN)
		cpus = pair_start() ? TWO : ONE;
	if (cpus == ONE) {
		printf("skip - two CPUs on the same flow: there is only one CPU\n");
		return;
	}
	is_v6 = row->v6;
	room_own_object(4000);
	room_exact(ROOM_ANY, "/1/again", room_to_pool(POOL_1));
	for (n = 0; n < BATCHES && (n < BATCHES_MIN || peek_now() < until); n++) {
		run_forget();
		open_batch();
		for (i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
			if (script[i].make == step_reset)
				for (int k = 0; k < BATCH; k++)
					expect_legs(&conns[k]);
			run_step(&script[i], n);
		}
	}
}
