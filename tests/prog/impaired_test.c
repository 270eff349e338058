// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers to a client behind a bad network: segments and ACKs are lost, doubled and overtaken, the
 * client reads when it likes, its options and the sizes are drawn by a seeded generator. The client
 * is a TCP receiver as RFC 9293, RFC 2018 and RFC 2883 have it. Time passes only when nothing is
 * under way any more: then the timer's kick comes, or the client repeats its request. Every byte
 * must be right, nothing may lie outside the window, and it must end.
 */
#include <string.h>

#include "download.h"
#include "draw.h"
#include "peek.h"

#define REQUEST "GET /own HTTP/1.1\r\nHost: a\r\n\r\n"
#define QUEUE_MAX 4096
#define EVENTS_MAX 60000
#define QUIETS_MAX 1000 /* times that nothing was under way any more */
#define CASES 40

struct range {
	uint32_t from, to;
	bool is_req_acked;
};

/* What is on its way to the client, then to the gateway. */
static struct range segments[QUEUE_MAX];
static struct packet acks[QUEUE_MAX];
static int n_segments, n_acks;

static struct {
	int loss, reorder, dup, stall; /* per mille */
	uint32_t rcv_nxt, edge, fin;   /* fin: 1 if the answer ends with FIN */
	uint32_t window;
	bool is_stalled, is_req_acked, is_served;
	struct range last; /* what came last */
	uint8_t have[BODY_MAX + HEAD_MAX + 1];
	int unacked;
	long sent_bytes;
	uint32_t top; /* end of what has been sent */
	int drop;     /* this transmission is lost, if it is not 0 */
	int quiets, events;
} sim;

static bool chance(int per_mille)
{
	return (int)draw(1000) < per_mille;
}

/* A segment leaves the gateway. */
static void segment_out(const struct packet *p)
{
	uint32_t at = p->seq - download.first, end;
	int copies = --sim.drop == 0 || chance(sim.loss) ? 0 : chance(sim.dup) ? 2 : 1;

	if (p->len || p->flags & TCP_FIN)
		download_expect_one(p, at);
	end = at + p->len + !!(p->flags & TCP_FIN);
	sim.sent_bytes += p->len;
	if (at + p->len > sim.top && at != (uint32_t)-1)
		sim.top = at + p->len;
	if (p->len && at + p->len > sim.edge)
		check_fail("segment ends at %u, the window at %u", at + p->len, sim.edge);
	while (copies--) {
		if (n_segments == QUEUE_MAX)
			check_fail("more than %d segments are under way", QUEUE_MAX);
		segments[n_segments++] = (struct range){ at, end, p->ack == download.c.seq };
	}
}

static void take_result(const struct result *r)
{
	const struct packet *p;
	enum net_dev dev;
	int i;

	for (i = 0; (p = run_leaving(r, i, &dev)); i++)
		segment_out(p);
	run_forget();
}

/* RFC 2018, 4: the block that came last first; RFC 2883: before it what came twice. */
static void put_sack(struct packet *p, bool is_dup)
{
	uint32_t edges[8], end = download.len + sim.fin, at;
	int n = 0, room = download.c.has_ts ? 3 : 4;
	struct range block = sim.last;

	if (is_dup) {
		edges[n++] = download.first + sim.last.from;
		edges[n++] = download.first + sim.last.to;
	}
	if (sim.last.from >= sim.rcv_nxt && sim.last.to > sim.last.from) {
		while (block.from > sim.rcv_nxt && sim.have[block.from - 1])
			block.from--;
		while (block.to < end && sim.have[block.to])
			block.to++;
		edges[n++] = download.first + block.from;
		edges[n++] = download.first + block.to;
	}
	for (at = sim.rcv_nxt; at < end && n < 2 * room;) {
		struct range other;

		while (at < end && !sim.have[at])
			at++;
		other.from = at;
		while (at < end && sim.have[at])
			at++;
		if (at == other.from || (other.from == block.from && n))
			continue;
		edges[n++] = download.first + other.from;
		edges[n++] = download.first + at;
	}
	if (n)
		packet_option_sack(p, edges, n);
}

static void send_ack(bool is_dup)
{
	uint32_t shift = download.c.wscale == CLIENT_NO_WSCALE ? 0 : download.c.wscale, window;
	struct packet p;

	if (!sim.is_stalled && sim.rcv_nxt + sim.window > sim.edge)
		sim.edge = sim.rcv_nxt + sim.window;
	window = sim.edge > sim.rcv_nxt ? (sim.edge - sim.rcv_nxt) >> shift : 0;
	download.c.window = window > 0xffff ? 0xffff : window;
	download.c.ack = download.first + sim.rcv_nxt;
	p = client_packet(&download.c, TCP_ACK, NULL, 0);
	if (download.c.sack_ok)
		put_sack(&p, is_dup);
	sim.unacked = 0;
	if (chance(sim.loss))
		return;
	if (n_acks == QUEUE_MAX)
		check_fail("more than %d ACKs are under way", QUEUE_MAX);
	acks[n_acks++] = p;
}

static void segment_in(struct range s)
{
	uint32_t before = sim.rcv_nxt, end = download.len + sim.fin, i;
	bool is_old = s.from < s.to, is_next = s.from == sim.rcv_nxt;

	sim.is_req_acked = sim.is_req_acked || s.is_req_acked;
	if (s.from > end) { /* a window probe has the number before the first byte */
		send_ack(false);
		return;
	}
	for (i = s.from; i < s.to; i++) {
		is_old = is_old && sim.have[i];
		sim.have[i] = 1;
	}
	while (sim.rcv_nxt < end && sim.have[sim.rcv_nxt])
		sim.rcv_nxt++;
	sim.last = s;
	sim.is_stalled = sim.is_stalled || chance(sim.stall);
	/* RFC 5681, 4.2: every second one, at once if it is out of order or fills a hole. */
	if (is_next && sim.rcv_nxt == s.to && before != sim.rcv_nxt && ++sim.unacked < 2 &&
	    n_segments && chance(700))
		return;
	send_ack(is_old);
}

/* Takes one of the first out of a queue of `n`. */
static int pick(int n)
{
	return n > 1 && chance(sim.reorder) ? (int)draw(n < 8 ? n : 8) : 0;
}

/* RFC 6675, 5, (C): new segments go out as far as cwnd lets them. */
static void expect_pipe(void)
{
	struct sender s;
	struct flow f;
	int first, end, pipe = 0, i;

	if (peek_sender_slot(&download.c) < 0)
		return;
	s = peek_sender(&download.c);
	f = peek_flow(&download.c);
	if (s.block != download.mss)
		return;
	first = (f.snd_una - f.tx_start) / s.block;
	end = (sim.top + s.block - 1) / s.block;
	for (i = first; i < end; i++)
		pipe += !((s.sacked | s.lost) >> i & 1);
	if (!(f.flags & FLOW_SACK))
		pipe -= f.dupacks;
	if (pipe * CWND_UNIT > f.cwnd)
		check_fail("pipe: %d segments, cwnd: %d/64", pipe, f.cwnd);
}

static void step(void)
{
	uint32_t top = sim.top;
	struct range s;
	struct packet p;
	int i;

	if (n_segments && (!n_acks || draw(2))) {
		i = pick(n_segments);
		s = segments[i];
		memmove(segments + i, segments + i + 1, (--n_segments - i) * sizeof(s));
		segment_in(s);
	} else {
		i = pick(n_acks);
		p = acks[i];
		memmove(acks + i, acks + i + 1, (--n_acks - i) * sizeof(p));
		take_result(client_run(&p));
		if (sim.top > top)
			expect_pipe();
	}
}

/* Nothing is under way: a timer runs out. */
static void quiet(void)
{
	struct packet again;

	if (++sim.quiets > QUIETS_MAX)
		check_fail("stuck at %u of %zu", sim.rcv_nxt, download.len);
	if (sim.unacked || (sim.is_stalled && draw(2))) {
		sim.is_stalled = false;
		send_ack(false);
		return;
	}
	if (peek_sender_slot(&download.c) >= 0)
		download_wait(10000); /* longer than any round trip */
	if (sim.is_served && peek_sender_slot(&download.c) >= 0) {
		take_result(download_kick());
		return;
	}
	if (sim.is_req_acked)
		check_fail("stuck at %u of %zu: nobody has anything to say", sim.rcv_nxt,
			   download.len);
	download.c.seq -= strlen(REQUEST);
	download.c.ack = download.first + sim.rcv_nxt;
	again = client_packet(&download.c, TCP_PSH | TCP_ACK, REQUEST, strlen(REQUEST));
	download.c.seq += strlen(REQUEST);
	take_result(client_run(&again));
}

/* The answer's length, MSS, options, window. */
static void draw_client(void)
{
	static const uint16_t mss[] = { 88, 100, 536, 1460, 1460, 1460, 4000, 8960 };
	uint32_t body = 1 + draw(1 << draw(17)), shift;

	room_uplink_mtu(9000);
	room_own_object(body > BODY_MAX ? BODY_MAX : body);
	sim.is_served = draw(4);
	room_serve_kicks(sim.is_served);
	client_init(&download.c, draw(2));
	download.c.has_ts = draw(4);
	if (draw(6)) {
		download.c.mss = mss[draw(8)];
		download.c.sack_ok = draw(3);
		download.c.wscale = draw(4) ? (int)draw(9) : CLIENT_NO_WSCALE;
		client_connect(&download.c);
	} else {
		download.c.v6 = false;
		client_init(&download.c, false);
		client_connect_near(&download.c, 0xffffffa0, draw(2) ? 0xffffff00 : 0x00008000);
	}
	shift = download.c.wscale == CLIENT_NO_WSCALE ? 0 : download.c.wscale;
	sim.window = (draw(3) ? 8000 + draw(60000) : 100 + draw(3000)) >> shift << shift;
	if (!sim.window)
		sim.window = 1 << shift;
	if (sim.window >> shift > 0xffff)
		sim.window = 0xffff << shift;
	download.c.window = sim.window >> shift;
	sim.edge = sim.window;
}

static void begin(uint64_t seed)
{
	room_reset();
	memset(&sim, 0, sizeof(sim));
	n_segments = n_acks = 0;
	draw_seed(seed);
}

/* Up to the end of the answer; no more than `factor` times its bytes are sent, and `more`. */
static void run_to_end(uint32_t factor, uint32_t more)
{
	uint32_t limit;

	take_result(download_ask(REQUEST, SLOT_OWN, false));
	limit = factor * download.len + more;
	while (peek_flow(&download.c).reply & REPLY_ACTIVE) {
		if (n_segments || n_acks)
			step();
		else if (sim.is_req_acked && sim.rcv_nxt == download.len && !sim.unacked &&
			 peek_sender_slot(&download.c) < 0)
			break; /* the last ACK of a single segment was lost: nobody cares */
		else
			quiet();
		if (++sim.events > EVENTS_MAX)
			check_fail("no end at %u of %zu", sim.rcv_nxt, download.len);
	}
	EXPECT(sim.rcv_nxt, download.len);
	if (sim.sent_bytes > limit)
		check_fail("%ld bytes were sent, more than %u", sim.sent_bytes, limit);
}

struct wire_row {
	const char *name;
	int loss, reorder, dup; /* per mille */
	uint32_t factor;
};

static const struct wire_row wire_rows[] = {
	{ "a good network", 0, 0, 0, 1 },
	{ "1 % loss", 10, 0, 0, 2 },
	{ "10 % loss", 100, 0, 0, 3 },
	{ "reordered", 0, 200, 0, 3 },
	{ "doubled", 0, 0, 200, 2 },
	{ "5 % loss, reordered, doubled", 50, 100, 50, 3 },
	{ "30 % loss, reordered", 300, 50, 0, 5 },
};

TEST_ROWS(impaired, "impaired", wire_rows)
{
	const struct wire_row *row = row_;
	uint64_t first = 1000 * (row - wire_rows), i;

	for (i = first; i < first + CASES; i++) {
		check_step("seed %llu", (unsigned long long)i);
		begin(i);
		draw_client();
		sim.stall = 10;
		sim.loss = row->loss;
		sim.reorder = row->reorder;
		sim.dup = row->dup;
		check_step("seed %llu, mss %u, sack %d, ts %d, window %u, served %d",
			   (unsigned long long)i, download.c.mss, download.c.sack_ok,
			   download.c.has_ts, sim.window, sim.is_served);
		run_to_end(row->factor, 40 * download.c.mss);
	}
}

/* Blocks of three segments, and of fourteen. */
struct block_row {
	const char *name;
	uint32_t body, block;
	bool has_sack;
	int stride;
};

static const struct block_row block_rows[] = {
	{ "blocks of 3 segments", 10000, 3, true, 1 },
	{ "blocks of 3 segments, no SACK", 10000, 3, false, 1 },
	{ "blocks of 14 segments", BODY_MAX, 14, true, 41 },
	{ "blocks of 14 segments, no SACK", BODY_MAX, 14, false, 41 },
};

TEST_ROWS(each, "MSS 88, any one segment is lost", block_rows)
{
	const struct block_row *row = row_;
	int i, n = row->body / 76 + 1;

	for (i = 1; i <= n; i += row->stride) {
		check_step("segment %d", i);
		begin(i);
		room_own_object(row->body);
		client_init(&download.c, i & 1);
		download.c.mss = 88;
		download.c.sack_ok = row->has_sack;
		client_connect(&download.c);
		sim.is_served = true;
		sim.window = sim.edge = (uint32_t)download.c.window << 7;
		sim.drop = i;
		run_to_end(1, 2 * row->block * 76);
		EXPECT_TRUE(sim.sent_bytes > (long)download.len);
		EXPECT_TRUE(sim.quiets <= 2);
	}
}
