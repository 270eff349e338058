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

#include "pair.h"
#include "peek.h"
#include "prog_node.h"

#define BATCH 4 /* connections that are open at once: their legs fit into one bucket */
#define BATCHES 400
#define BATCHES_MIN 50 /* however slow the machine is */
#define SECONDS_MAX 5  /* ... a family */
#define STREAM_MAX 16384

/* What the script has made one side say, and how far the other may have seen it. */
struct stream {
	uint32_t start; /* seq of the first byte */
	uint32_t len;
	uint8_t bytes[STREAM_MAX];
};

struct leg_side {
	struct node node;
	struct stream to;	      /* requests, in the leg's space */
	uint32_t from;		      /* first seq of the backend */
	uint32_t delta_in, delta_out; /* since the last request */
	bool is_open;
};

struct conn {
	struct client c;
	struct stream to_client; /* from the byte behind the SYN-ACK on */
	uint32_t req_start;	 /* the client's first byte */
	uint32_t req_end;	 /* behind the last one that it has sent */
	struct leg_side legs[3]; /* by backend */
	struct packet request;
	char text[256];
};

static struct conn conns[BATCH];
static struct job jobs[2][BATCH];
static char where[128]; /* in the script */
static bool is_v6;

/* --- what comes out -------------------------------------------------------------------------- */

static void expect_stream(const char *what, const struct stream *s, const struct packet *p)
{
	uint32_t at = p->seq - s->start;

	if (!p->len)
		return;
	check_step("%s: %s: %u bytes at %d of %u", where, what, p->len, (int)at, s->len);
	EXPECT_TRUE(at <= s->len && p->len <= s->len - at);
	expect_bytes("payload", p->payload, p->len, s->bytes + at, p->len);
}

static void expect_between(const char *what, uint32_t value, uint32_t low, uint32_t high)
{
	if (value - low > high - low)
		check_fail("%s: expected %u to %u, actual %u", what, low, high, value);
}

static void expect_to_client(const struct conn *k, const struct packet *p)
{
	uint32_t start = k->to_client.start, end = start + k->to_client.len;

	expect_stream("to the client", &k->to_client, p);
	check_step("%s: to the client, flags %x, %u bytes", where, p->flags, p->len);
	if (p->flags & TCP_RST)
		check_fail("a RST");
	expect_between("seq", p->seq, start - 1, end);
	expect_between("ack", p->ack, k->req_start, k->req_end);
}

static void expect_to_leg(const struct leg_side *leg, const struct packet *p)
{
	expect_stream("to the backend", &leg->to, p);
	check_step("%s: to the backend, flags %x, %u bytes", where, p->flags, p->len);
	if (p->flags & TCP_RST)
		return;
	expect_between("seq", p->seq, leg->to.start - 1, leg->to.start + leg->to.len);
	expect_between("ack", p->ack, leg->from, leg->node.seq);
}

static struct conn *conn_of(uint16_t port)
{
	int i;

	for (i = 0; i < BATCH; i++)
		if (conns[i].c.port == port)
			return &conns[i];
	return NULL; /* of a batch before */
}

/* Whatever leaves the gateway, by whatever way. */
static void expect_frame(const uint8_t *frame, size_t len)
{
	const char *complaint;
	struct packet p;
	struct conn *k;
	int id;

	complaint = packet_parse(frame, len, &p);
	if (complaint)
		check_fail("packet out: %s", complaint);
	if (p.dport != NET_NODE_PORT) {
		k = conn_of(p.dport);
		if (k)
			expect_to_client(k, &p);
		return;
	}
	k = conn_of(p.sport);
	for (id = 1; k && id <= 2; id++) {
		struct ip_addr addr = packet_addr(net_node_addr(id, is_v6));

		if (!memcmp(&addr, &p.dst, sizeof(addr)) && k->legs[id].is_open)
			expect_to_leg(&k->legs[id], &p);
	}
}

static void expect_job(const struct job *job)
{
	bool is_out = job->verdict == REDIRECT;

	if (job->program == RUN_PROGRAMS)
		return;
	if (is_out)
		expect_frame(job->out, job->out_len);
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
			expect_frame(frame, len);
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

/* --- packets --------------------------------------------------------------------------------- */

static void job_ack(struct job *job, struct conn *k)
{
	struct packet p = client_packet(&k->c, TCP_ACK, NULL, 0);

	job_packet(job, UPLINK_INGRESS, &p, NET_UPLINK);
}

static void job_kick(struct job *job, const struct conn *k)
{
	struct packet template = { .v6 = is_v6, .flags = TCP_ACK };

	job_packet(job, KICK, &template, NET_UPLINK);
	job->ifindex = 0;
	job->cb[0] = peek_flow_slot(&k->c);
	job->cb[1] = peek_flow(&k->c).gen;
}

/* The client asks for a path, with a header of its own. Says which stream position it is at. */
static void job_request(struct job *job, struct conn *k, const char *path)
{
	int n = snprintf(k->text, sizeof(k->text),
			 "GET %s HTTP/1.1\r\nHost: a\r\nX-Connection: %u at %u\r\n\r\n", path,
			 k->c.port, k->c.seq - k->req_start);

	k->request = client_packet(&k->c, TCP_PSH | TCP_ACK, k->text, n);
	k->c.seq += n;
	k->req_end = k->c.seq;
	job_packet(job, UPLINK_INGRESS, &k->request, NET_UPLINK);
}

static void job_request_again(struct job *job, const struct conn *k)
{
	job_packet(job, UPLINK_INGRESS, &k->request, NET_UPLINK);
}

static void stream_put(struct stream *s, const void *bytes, size_t len)
{
	if (s->len + len > sizeof(s->bytes))
		check_die("a stream is too long");
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

/* The request that was just made goes to this backend. */
static void leg_asked(struct conn *k, int id)
{
	struct leg_side *leg = &k->legs[id];

	if (!leg->is_open) {
		node_accept(&leg->node, id, &k->request);
		leg->to.start = k->request.seq;
		leg->to.len = 0;
		leg->from = k->request.ack;
		leg->is_open = true;
	} else {
		leg->node.ack += k->request.len;
	}
	leg->delta_in = k->request.seq - (leg->to.start + leg->to.len);
	leg->delta_out = k->request.ack - leg->node.seq;
	stream_put(&leg->to, k->request.payload, k->request.len);
}

/* The backend's response: each eight bytes of the body say which connection and which byte. */
static struct packet node_response(struct conn *k, int id)
{
	struct leg_side *leg = &k->legs[id];
	static uint8_t bytes[512];
	uint32_t word[2] = { k->c.port, k->to_client.len };
	size_t n = sprintf((char *)bytes, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 320);
	struct packet p;
	int i;

	for (i = 0; i < 40; i++, n += 8, word[1] += 8)
		memcpy(bytes + n, word, 8);
	p = node_packet(&leg->node, TCP_PSH | TCP_ACK, bytes, n);
	leg->node.seq += n;
	stream_put(&k->to_client, bytes, n);
	return p;
}

/* The client has got everything. */
static void client_has_all(struct conn *k)
{
	k->c.ack = k->to_client.start + k->to_client.len;
}

static void job_node(struct job *job, const struct packet *p, int id)
{
	job_packet(job, BACKEND_RETURN, p, id);
}

/* A keep-alive probe of a backend: an old number. */
static void job_probe(struct job *job, struct conn *k, int id)
{
	struct packet p = node_packet(&k->legs[id].node, TCP_ACK, NULL, 0);

	p.seq--;
	job_node(job, &p, id);
}

/* --- the script ------------------------------------------------------------------------------ */

static void step_handshake(struct conn *k, struct job *a, struct job *b)
{
	job_ack(a, k);
	*b = *a;
}

static void step_leg1(struct conn *k, struct job *a, struct job *b)
{
	job_request(a, k, "/1/");
	leg_asked(k, 1);
	*b = *a;
}

static void step_response1(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = node_response(k, 1);

	job_node(a, &p, 1);
	job_request_again(b, k);
}

/* The old response once more, while the request for something else arrives. */
static void step_hit(struct conn *k, struct job *a, struct job *b)
{
	uint8_t answer[4096];

	job_probe(b, k, 1);
	client_has_all(k);
	job_request(a, k, "/small");
	stream_put(&k->to_client, answer,
		   room_answer(SLOT_SMALL, false, false, answer, sizeof(answer)));
}

static void step_leg2(struct conn *k, struct job *a, struct job *b)
{
	client_has_all(k);
	job_request(a, k, "/2/");
	leg_asked(k, 2);
	*b = *a;
}

static void step_response2(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = node_response(k, 2);

	job_node(a, &p, 2);
	job_probe(b, k, 1);
}

/* Leg 1 gets new deltas while leg 2 repeats what it said. */
static void step_resume1(struct conn *k, struct job *a, struct job *b)
{
	job_probe(b, k, 2);
	client_has_all(k);
	job_request(a, k, "/1/again");
	leg_asked(k, 1);
}

static void step_response3(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = node_response(k, 1);

	job_node(a, &p, 1);
	*b = *a;
}

static void step_long(struct conn *k, struct job *a, struct job *b)
{
	uint8_t answer[8192];

	client_has_all(k);
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
	client_has_all(k);
	job_ack(a, k);
}

static void step_resume2(struct conn *k, struct job *a, struct job *b)
{
	job_request(a, k, "/2/again");
	leg_asked(k, 2);
	job_probe(b, k, 1);
}

static void step_response4(struct conn *k, struct job *a, struct job *b)
{
	struct packet p = node_response(k, 2);

	job_node(a, &p, 2);
	job_ack(b, k);
}

static void step_reset(struct conn *k, struct job *a, struct job *b)
{
	struct packet p;

	client_has_all(k);
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

struct family_row {
	const char *name;
	bool v6;
};

static const struct family_row family_rows[] = {
	{ "IPv4", false },
	{ "IPv6", true },
};

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
	room_object(SLOT_OWN, 1, "200 OK", 4000);
	room_exact(ROOM_ANY, "/own", room_to_object(SLOT_OWN, POOL_1));
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
