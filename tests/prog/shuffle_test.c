// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random requests of one connection, cut into random segments that overlap, come twice, in any
 * order, or not at all; what the gateway sends may be lost, too. Each backend gets exactly the
 * bytes of its requests, and the client the answers. Each row is a seed; SHUFFLE_MORE=N adds 100 N.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "peek.h"
#include "prog_node.h"
#include "stream.h"

#define ROUNDS 60
#define REQUESTS_MAX 3	 /* of one round, pipelined */
#define TRIES 400	 /* packets of a round */
#define LEGS 2		 /* backends 1 and 2 */
#define KERNEL 0	 /* destination */
#define SEGMENT_LEN 1400 /* at most */

struct request {
	int to; /* KERNEL or backend */
	size_t end;
	size_t answer_end;     /* in the client's stream */
	size_t node_end;       /* in the backend's stream */
	const uint8_t *answer; /* of a backend */
	size_t answer_len;
	uint32_t seq; /* of a backend\'s answer, once it is sent */
	bool is_sent;
};

/* A backend's socket: what has arrived, by position. */
struct peer {
	struct node n;
	bool is_open;
	struct stream got; /* of this round; n.ack is behind its whole part */
	uint8_t have[STREAM_MAX];
	uint32_t base; /* n.ack at the round's start */
	struct stream wanted;
	size_t sent; /* requests that it has answered in this round */
};

static struct round {
	struct client c;
	struct peer peers[LEGS + 1];
	struct stream out, answers; /* of the client, for it */
	uint32_t base_out, base_in, una;
	struct request requests[REQUESTS_MAX];
	int n;
} w;

static uint64_t hits, requests;

static size_t make_body(char *text, bool chunked)
{
	size_t len = draw(8) ? draw(300) : draw(5000), n = 0, i, part;

	if (!chunked) {
		n = sprintf(text, "Content-Length: %zu\r\n\r\n", len);
		for (i = 0; i < len; i++)
			text[n + i] = "GET /small HTTP/1.1\r\n\r\n0"[(i + len) % 24];
		return n + len;
	}
	n = sprintf(text, "Transfer-Encoding: chunked\r\n\r\n");
	for (; len; len -= part) {
		part = 1 + draw(len);
		n += sprintf(text + n, "%zx\r\n", part);
		for (i = 0; i < part; i++)
			text[n++] = "0\r\n\r\nGET / HTTP/1.1"[(i + part) % 19];
		n += sprintf(text + n, "\r\n");
	}
	return n + sprintf(text + n, "0\r\n\r\n");
}

/* One more request of the round: what is sent, who gets it, what comes back. */
static void add_request(void)
{
	static uint8_t answer[BODY_MAX];
	static char text[STREAM_MAX];
	struct request *q = &w.requests[w.n++];
	int kind = draw(6);
	uint32_t slot = draw(5) ? SLOT_SMALL : SLOT_BIG;
	size_t len, n;

	q->is_sent = false;
	q->to = kind < 2 ? KERNEL : 1 + (int)draw(LEGS);
	if (q->to == KERNEL)
		len = sprintf(text, "%s %s HTTP/1.1\r\nHost: a\r\nX: ", kind ? "GET" : "HEAD",
			      slot == SLOT_BIG ? "/big" : "/small");
	else
		len = sprintf(text,
			      "%s /%d/p HTTP/1.1\r\nHost: a\r\nX: ", kind < 4 ? "GET" : "POST",
			      q->to);
	for (int i = draw(4) ? draw(60) : draw(3000); i; i--)
		text[len++] = 'a' + i % 26;
	len += sprintf(text + len, "\r\n");
	if (q->to != KERNEL && kind >= 4)
		len += make_body(text + len, kind == 5);
	else
		len += sprintf(text + len, "\r\n");
	stream_put(&w.out, text, len);
	q->end = w.out.len;
	if (q->to == KERNEL) {
		len = room_answer(slot, false, kind == 0, answer, sizeof(answer));
		hits++;
	} else {
		stream_put(&w.peers[q->to].wanted, text, len);
		q->node_end = w.peers[q->to].wanted.len;
		n = 4 + draw(1300);
		len = sprintf((char *)answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
		while (n--)
			answer[len++] = 'a' + (q->node_end + n) % 26;
	}
	requests++;
	q->answer = w.answers.bytes + w.answers.len;
	q->answer_len = len;
	stream_put(&w.answers, answer, len);
	q->answer_end = w.answers.len;
}

/* The client's TCP: bytes in order only, each compared with what must stand there. */
static void client_receive(const struct packet *p)
{
	uint32_t at = p->seq - w.base_in;

	if (p->flags & (TCP_RST | TCP_FIN | TCP_SYN))
		check_fail("flags to the client: 0x%x: %.40s", p->flags,
			   p->len ? (const char *)p->payload : "");
	if ((int32_t)(p->ack - w.una) > 0)
		w.una = p->ack;
	if (w.una - w.base_out > w.out.len)
		check_fail("acknowledged to the client: %u bytes of %u", w.una - w.base_out,
			   w.out.len);
	if (!p->len)
		return;
	if (p->seq - w.c.ack > 1 << 20) /* seen before, perhaps of an earlier round */
		return;
	if (at + p->len > w.answers.len)
		check_fail("bytes to the client: up to %u of %u", at + p->len, w.answers.len);
	expect_bytes("to the client", p->payload, p->len, w.answers.bytes + at, p->len);
	if (p->seq == w.c.ack)
		w.c.ack += p->len;
}

static void node_receive(int id, const struct packet *p)
{
	struct peer *peer = &w.peers[id];
	uint32_t at, i;

	if (p->flags & (TCP_RST | TCP_FIN | TCP_SYN))
		check_fail("flags to the backend: 0x%x", p->flags);
	if (!peer->is_open) {
		if (!p->len || p->seq != peek_leg(&w.c, id).start)
			return; /* what opens it was lost: backend_accept waits for that */
		node_accept(&peer->n, id, p);
		peer->n.ack = peer->base = p->seq;
		peer->is_open = true;
	}
	for (i = 0; i < p->len; i++) {
		at = p->seq + i - peer->base;
		if ((int32_t)(p->seq + i - peer->n.ack) < 0)
			continue; /* its TCP has acknowledged that position: nobody looks at it */
		if (at >= peer->wanted.len || p->payload[i] != peer->wanted.bytes[at])
			check_fail("byte %u to backend %d is wrong (of %u)", at, id,
				   peer->wanted.len);
		peer->have[at] = 1;
	}
	while (peer->n.ack - peer->base < peer->wanted.len && peer->have[peer->n.ack - peer->base])
		peer->n.ack++;
}

static void take_result(const struct result *r)
{
	const struct packet *p;
	enum net_dev dev;
	int i;

	if (r->verdict != DROP)
		expect_verdict(r, REDIRECT);
	for (i = 0; (p = run_leaving(r, i, &dev)); i++) {
		if (draw(14) == 0)
			continue; /* lost */
		if (dev == NET_UPLINK)
			client_receive(p);
		else
			node_receive(dev, p);
	}
}

/* Its timer: all of the answer again, or the end of it. */
static void node_repeat(struct node *n, const struct request *q)
{
	uint32_t skip = draw(3) ? 0 : draw(q->answer_len);
	struct packet p = node_packet(n, TCP_PSH | TCP_ACK, q->answer + skip, q->answer_len - skip);

	p.seq = q->seq + skip;
	take_result(node_run(n, &p));
}

/* What backends have to say: sometimes an ACK, an answer as soon as a request is whole. */
static void nodes_act(void)
{
	int id, i;

	for (id = 1; id <= LEGS; id++) {
		struct peer *peer = &w.peers[id];
		size_t got = peer->is_open ? peer->n.ack - peer->base : 0, nth = 0;

		if (got && draw(3) == 0)
			take_result(node_ack(&peer->n));
		for (i = 0; i < w.n; i++) {
			struct request *q = &w.requests[i];

			if (q->to != id)
				continue;
			if (q->is_sent && w.c.ack - w.base_in < q->answer_end && draw(4) == 0)
				node_repeat(&peer->n, q);
			if (nth++ < peer->sent || q->node_end > got)
				continue;
			peer->sent++;
			q->seq = peer->n.seq;
			q->is_sent = true;
			take_result(
				node_send(&peer->n, TCP_PSH | TCP_ACK, q->answer, q->answer_len));
		}
	}
}

/* Of a run in which requests may find their way. */
static void take_counted(const struct result *r)
{
	hits -= r->counts[STAT_HIT];
	requests -= r->counts[STAT_REQUESTS];
	take_result(r);
}

static void send_piece(const struct packet *p)
{
	take_counted(draw(4) ? client_run(p) : client_run_as_is(p));
	nodes_act();
	if (draw(2))
		take_counted(client_ack(&w.c));
	run_forget();
}

/* Segment [at, end) of the round's bytes, with the connection's present ack. */
static struct packet piece(size_t at, size_t end)
{
	struct packet p = client_packet(&w.c, TCP_PSH | TCP_ACK, w.out.bytes + at, end - at);

	p.seq = w.base_out + at;
	return p;
}

/* The first flight: cut anywhere, some twice, some overlapping, in any order. */
static int make_flight(struct packet *flight, int max)
{
	size_t at = 0, from, end;
	int n = 0, i, j;

	while (at < w.out.len && n < max) {
		end = at + 1 + draw(draw(3) ? 40 : SEGMENT_LEN);
		if (end > w.out.len || (end - at < SEGMENT_LEN / 2 && n > max - 12))
			end = at + SEGMENT_LEN < w.out.len ? at + SEGMENT_LEN : w.out.len;
		from = draw(4) ? at : at - draw(at + 1 < 50 ? at + 1 : 50);
		flight[n++] = piece(from, end);
		if (draw(5) == 0 && n < max)
			flight[n++] = piece(from, end);
		at = end;
	}
	for (i = 0; i < n && draw(3); i++) { /* neighbours overtake each other */
		struct packet p = flight[i];

		j = i + (int)draw(4);
		if (j >= n)
			continue;
		flight[i] = flight[j];
		flight[j] = p;
	}
	return n;
}

/* The legs have been idle for so long that their backends may be closing them. */
static void rest(void)
{
	struct leg leg;
	int i;

	for (i = 1; i <= LEGS; i++) {
		if (!w.peers[i].is_open)
			continue;
		leg = peek_leg(&w.c, i);
		leg.asked_us = peek_now() / 1000 - 600000;
		peek_set_leg(&w.c, i, &leg);
	}
}

static void begin_round(void)
{
	int i;

	if (!draw(4))
		rest();

	w.base_out = w.una = w.c.seq;
	w.base_in = w.c.ack;
	w.n = 0;
	w.out.len = w.answers.len = 0;
	for (i = 1; i <= LEGS; i++) {
		struct peer *peer = &w.peers[i];

		memset(peer->have, 0, sizeof(peer->have));
		peer->wanted.len = 0;
		peer->base = peer->n.ack;
		peer->sent = 0;
	}
	for (i = draw(2) ? 1 : 1 + draw(REQUESTS_MAX); i; i--)
		add_request();
}

/* The gateway's timer, and the daemon. */
static void kick(void)
{
	struct flow f = peek_flow(&w.c);
	struct sender s;

	if (f.phase == REQUEST_HEAD) /* another timer's: it would be a 408 */
		return;
	if (peek_sender_slot(&w.c) >= 0) {
		s = peek_sender(&w.c);
		s.deadline_ns = s.deadline_ns ? 1 : 0;
		s.progress_ns = peek_now() - 1000000000;
		peek_set_sender(&w.c, &s);
	}
	take_counted(run_kick(peek_flow_slot(&w.c), f.gen, w.c.v6));
	nodes_act();
}

static void play_round(void)
{
	static struct packet flight[TRIES];
	int n = make_flight(flight, TRIES / 2), i;
	size_t at, end;

	for (i = 0; i < n; i++) {
		check_step("round packet %d", i);
		if (draw(12))
			send_piece(&flight[i]);
	}
	for (; i < TRIES; i++) { /* the timer: from what is acknowledged on */
		check_step("round repetition %d", i - n);
		if (w.c.ack - w.base_in == w.answers.len && w.una - w.base_out == w.out.len)
			break;
		at = w.una - w.base_out;
		peek_age_sender(&w.c);
		if (room_kicks_are_served())
			kick();
		if (at == w.out.len) {
			take_counted(client_ack(&w.c));
			nodes_act();
			continue;
		}
		end = at + 1 + draw(SEGMENT_LEN);
		if (end > w.out.len || i > n + 30)
			end = at + SEGMENT_LEN < w.out.len ? at + SEGMENT_LEN : w.out.len;
		flight[0] = piece(at, end);
		send_piece(&flight[0]);
	}
	EXPECT(w.c.ack - w.base_in, w.answers.len);
	w.c.seq = w.base_out + w.out.len;
	take_counted(client_ack(&w.c)); /* the last ACK */
	for (i = draw(4); i; i--) {	/* and duplicates that are late */
		at = draw(w.out.len);
		end = at + 1 + draw(SEGMENT_LEN);
		flight[0] = piece(at, end < w.out.len ? end : w.out.len);
		send_piece(&flight[0]);
	}
	for (i = 1; i <= LEGS; i++) {
		struct peer *peer = &w.peers[i];

		if (peer->is_open)
			EXPECT(peer->n.ack - peer->base, peer->wanted.len);
		if (peer->is_open && w.requests[w.n - 1].to == i)
			take_result(node_ack(&peer->n));
	}
	EXPECT(hits, 0);
	EXPECT(requests, 0);
}

struct seed_row {
	const char *name;
	uint32_t seed;
	bool v6;
};

#define SEED(n) { "seed " #n, n, (n) & 1 }
#define SEEDS(n)                                                                                   \
	SEED(n##0), SEED(n##1), SEED(n##2), SEED(n##3), SEED(n##4), SEED(n##5), SEED(n##6),        \
		SEED(n##7), SEED(n##8), SEED(n##9)

static const struct seed_row seed_rows[] = { SEEDS(1), SEEDS(2), SEEDS(3), SEEDS(4) };

TEST_ROWS(shuffled, "shuffled requests", seed_rows)
{
	const struct seed_row *row = row_;
	const char *more = getenv("SHUFFLE_MORE");
	uint32_t seed = row->seed + (more ? 100 * strtoul(more, NULL, 10) : 0);
	int i;

	memset(&w, 0, sizeof(w));
	hits = requests = 0;
	draw_seed(seed);
	client_init(&w.c, row->v6);
	room_serve_kicks(seed & 2);
	client_connect_near(&w.c, seed % 3 ? 0xffffc000 : 0x10000000,
			    seed % 2 ? 0xffffff00 : 0x20000000);
	for (i = 0; i < ROUNDS; i++) {
		begin_round();
		play_round();
		run_forget();
	}
}
