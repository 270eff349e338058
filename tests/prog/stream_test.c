// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers of many segments: what is sent at once, what an ACK lets follow, what is sent again, and
 * when the request is acknowledged. Segments are the clones of a run.
 */
#include <stdlib.h>
#include <string.h>

#include "peek.h"

#define MSS 1448 /* 1460 less timestamps */
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define ANSWER_MAX (BODY_MAX + HEAD_MAX)

/* A download: what was sent is checked byte for byte against what must come. */
struct download {
	struct client c;
	uint32_t first;	  /* seq of the answer's first byte */
	uint32_t req_seq; /* of the request */
	uint32_t sent;	  /* end of what has been seen, from `first` */
	uint32_t mss;	  /* payload bytes of a full segment */
	size_t len;
	bool close;
	uint8_t wanted[ANSWER_MAX];
};

static struct download d;

/* One segment at any place of the answer. `acks_all`: it acknowledges the request. */
static void expect_segment(const struct packet *p, uint32_t offset, bool acks_all)
{
	uint32_t left = d.len - offset;
	bool last;

	EXPECT(p->seq, d.first + offset);
	EXPECT(p->ack, acks_all ? d.c.seq : d.req_seq);
	EXPECT_TRUE(p->len <= d.mss);
	EXPECT_TRUE(p->len <= left);
	expect_bytes("segment", p->payload, p->len, d.wanted + offset, p->len);
	last = p->len == left;
	EXPECT(p->flags, TCP_ACK | (last ? TCP_PSH : 0) | (last && d.close ? TCP_FIN : 0));
	EXPECT(p->window, d.c.wscale == CLIENT_NO_WSCALE ? 64240 : 64240 >> 7);
}

/* The clones continue the answer: `n` segments, full ones but for the last of the answer. */
static void expect_segments(const struct result *r, int n)
{
	int i;

	expect_verdict(r, DROP);
	EXPECT(r->n_clones, n);
	for (i = 0; i < n; i++) {
		const struct packet *p = &r->clones[i].packet;

		check_step("segment %d of %d at %u", i, n, d.sent);
		EXPECT(r->clones[i].dev, NET_UPLINK);
		expect_segment(p, d.sent, false);
		if (d.sent + p->len < d.len)
			EXPECT(p->len, d.mss);
		d.sent += p->len;
	}
	check_step("%s", "");
}

/* A pure ACK of everything up to `offset` of the answer. */
static struct result *ack_to(uint32_t offset)
{
	d.c.ack = d.first + offset;
	return client_ack(&d.c);
}

static struct result *ask(const char *text, uint32_t slot, bool close)
{
	d.first = d.c.ack;
	d.req_seq = d.c.seq;
	d.sent = 0;
	d.close = close;
	d.mss = peek_flow(&d.c).mss - (d.c.has_ts ? 12 : 0);
	d.len = room_answer(slot, close, false, d.wanted, sizeof(d.wanted));
	return client_say(&d.c, text);
}

static struct result *begin(bool v6, const char *text, uint32_t slot, bool close)
{
	client_open(&d.c, v6);
	return ask(text, slot, close);
}

/* The client's last ACK: answered with the ACK of the request. */
static void expect_over(struct result *r)
{
	client_expect_ack(&d.c, r);
	expect_counts(r, "");
	expect_no_clones(r);
	EXPECT_TRUE(!(peek_flow(&d.c).reply & REPLY_ACTIVE));
}

struct family_row {
	const char *name;
	bool v6, has_ts;
	int wscale;
};

static const struct family_row family_rows[] = {
	{ "IPv4", false, true, 7 },
	{ "IPv6", true, true, 7 },
	{ "IPv4, no timestamps", false, false, 7 },
	{ "IPv6, no timestamps", true, false, 8 },
};

/* RFC 6928: ten segments; RFC 5681: cwnd grows by what is acknowledged (RFC 3465, L = 2). */
TEST_ROWS(slow_start, "IW10, slow start, to the end", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;

	client_init(&d.c, row->v6);
	d.c.has_ts = row->has_ts;
	d.c.wscale = row->wscale;
	client_connect(&d.c);
	r = ask(GET("/huge"), SLOT_HUGE, false);
	expect_counts(r, "REQUESTS HIT");
	expect_segments(r, 10);
	expect_segments(ack_to(d.mss), 2);
	expect_segments(ack_to(3 * d.mss), 4);
	expect_segments(ack_to(5 * d.mss), 4);
	while (d.sent < d.len) {
		uint32_t before = d.sent;

		r = ack_to(d.sent);
		expect_segments(r, r->n_clones);
		EXPECT_TRUE(d.sent > before);
	}
	expect_over(ack_to(d.len));
}

TEST(fits_iw, "an answer inside the initial window goes out at once")
{
	expect_segments(begin(false, GET("/big"), SLOT_BIG, false), 10);
	EXPECT(d.sent, d.len);
	expect_segments(ack_to(MSS), 0);
	expect_over(ack_to(d.len));
}

TEST(request_held, "the request is acknowledged when the answer is")
{
	uint32_t i;

	expect_segments(begin(false, GET("/big"), SLOT_BIG, false), 10);
	for (i = 1; i * MSS < d.len; i++) {
		struct result *r = ack_to(i * MSS);

		expect_verdict(r, DROP);
		if (d.sent < d.len)
			expect_segments(r, r->n_clones);
	}
	expect_over(ack_to(d.len));
}

TEST(next_request, "the next request may carry the last ACK")
{
	struct result *r;

	expect_segments(begin(true, GET("/huge"), SLOT_HUGE, false), 10);
	while (d.sent < d.len) {
		r = ack_to(d.sent);
		expect_segments(r, r->n_clones);
	}
	d.c.ack = d.first + d.len;
	r = client_say(&d.c, GET("/small"));
	expect_counts(r, "REQUESTS HIT");
	client_expect_object(&d.c, r, SLOT_SMALL, false, false);
}

TEST(cwnd_lives, "the congestion window lives as long as the connection")
{
	struct result *r;
	int n;

	expect_segments(begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	while (d.sent < d.len) {
		r = ack_to(d.sent);
		expect_segments(r, r->n_clones);
	}
	expect_over(ack_to(d.len));
	n = peek_flow(&d.c).cwnd / CWND_UNIT;
	EXPECT_TRUE(n > 10);
	expect_segments(ask(GET("/huge"), SLOT_HUGE, false), n);
}

TEST(close_fin, "the last segment of a closing answer carries FIN")
{
	struct result *r = begin(false, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
				 SLOT_BIG, true);

	expect_segments(r, 10);
	EXPECT(d.sent, d.len);
	EXPECT(r->clones[9].packet.flags & TCP_FIN, TCP_FIN);
	EXPECT(peek_flow(&d.c).state, FLOW_CLOSING);
	expect_segments(ack_to(2 * MSS), 0);
	expect_segments(ack_to(d.len + 1), 0);
	r = client_send(&d.c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_UPLINK)->ack, d.c.seq);
	EXPECT(peek_flow(&d.c).state, FLOW_CLOSED);
}

TEST(small_window, "never more than the client's window")
{
	struct result *r;

	client_open(&d.c, false);
	d.c.window = 3 * MSS / 128 + 1; /* scaled by 7: 3 segments and some bytes */
	r = ask(GET("/big"), SLOT_BIG, false);
	expect_segments(r, 3);
	expect_segments(ack_to(MSS), 1);
	d.c.window = 0;
	expect_segments(ack_to(4 * MSS), 0);
	d.c.window = 8192;
	r = ack_to(4 * MSS);
	EXPECT_TRUE(r->n_clones >= 6);
	expect_segments(r, r->n_clones);
}

TEST(tiny_window, "a window below one segment: what fits, when nothing is under way")
{
	struct result *r;

	client_open(&d.c, false);
	d.c.window = 4; /* 512 bytes */
	r = ask(GET("/big"), SLOT_BIG, false);
	EXPECT(r->n_clones, 1);
	EXPECT(r->clones[0].packet.len, 512);
	expect_segment(&r->clones[0].packet, 0, false);
}

/* RFC 5827, 3: early retransmit needs two segments under way; one has no successor to report it. */
TEST(lone_segment, "one segment under way: a duplicate ACK is no loss")
{
	struct result *r;
	struct client c;

	client_open(&c, false);
	r = client_say(&c, GET("/small"));
	expect_verdict(r, REDIRECT);
	r = client_ack(&c);
	expect_counts(r, "");
	expect_no_clones(r);
}

struct zero_row {
	const char *name;
	const char *text;
	uint32_t slot;
};

static const struct zero_row zero_rows[] = {
	{ "short answer", GET("/small"), SLOT_SMALL },
	{ "long answer", GET("/big"), SLOT_BIG },
};

TEST_ROWS(zero_window, "zero window", zero_rows)
{
	const struct zero_row *row = row_;
	struct packet again;
	struct result *r;

	client_open(&d.c, true);
	d.c.window = 0;
	again = client_packet(&d.c, TCP_PSH | TCP_ACK, row->text, strlen(row->text));
	r = ask(row->text, row->slot, false);
	expect_counts(r, "REQUESTS HIT");
	expect_segments(r, 0);
	expect_segments(client_run(&again), 0);
	d.c.window = 8192;
	r = ack_to(0);
	EXPECT_TRUE(r->n_clones > 0);
	expect_segments(r, r->n_clones);
}

/* RFC 5681, 3.2 and RFC 6582 */
TEST(dup_acks, "three duplicate ACKs: the hole is sent again, once")
{
	struct result *r;
	int i;

	expect_segments(begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 0; i < 2; i++)
		expect_segments(ack_to(0), 0);
	r = ack_to(0);
	expect_counts(r, "RESENT");
	EXPECT(r->n_clones, 1);
	expect_segment(&r->clones[0].packet, 0, false);
	EXPECT_TRUE(peek_flow(&d.c).flags & FLOW_RECOVERY);
	for (i = 0; i < 6; i++) { /* the window opens again at the fourth: cwnd 5 + 3 + dupacks */
		r = ack_to(0);
		EXPECT(r->counts[STAT_RESENT], 0);
		expect_segments(r, r->n_clones);
	}
	EXPECT(d.sent, 14 * MSS);
	r = ack_to(10 * MSS); /* all that was sent before the loss: recovery ends */
	expect_segments(r, r->n_clones);
	EXPECT_TRUE(!(peek_flow(&d.c).flags & FLOW_RECOVERY));
	EXPECT(peek_flow(&d.c).ssthresh, 5 * CWND_UNIT);
}

TEST(partial_ack, "a partial ACK during recovery: the next hole at once")
{
	struct result *r;

	expect_segments(begin(true, GET("/huge"), SLOT_HUGE, false), 10);
	ack_to(0);
	ack_to(0);
	EXPECT(ack_to(0)->n_clones, 1);
	r = ack_to(4 * d.mss);
	EXPECT(r->counts[STAT_RESENT], 1);
	expect_segment(&r->clones[0].packet, 4 * d.mss, false);
	EXPECT_TRUE(peek_flow(&d.c).flags & FLOW_RECOVERY);
}

/* RFC 5827: with two segments under way one duplicate is all that can come. */
TEST(early_retransmit, "two segments under way: one duplicate ACK is enough")
{
	struct result *r;

	room_object(SLOT_OWN, 1, "200 OK", 2000);
	room_exact(ROOM_ANY, "/two", room_to_object(SLOT_OWN, POOL_1));
	expect_segments(begin(false, GET("/two"), SLOT_OWN, false), 2);
	r = ack_to(0);
	expect_counts(r, "RESENT");
	EXPECT(r->n_clones, 1);
	expect_segment(&r->clones[0].packet, 0, false);
}

TEST(window_update, "ACKs that change the window are no duplicates")
{
	int i;

	expect_segments(begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 0; i < 5; i++) {
		d.c.window++;
		expect_counts(ack_to(0), "");
	}
	EXPECT(peek_flow(&d.c).dupacks, 0);
}

/* The request is the client's timer: RFC 5681, 3.1 */
TEST(timeout, "a repeated request: one segment from what is acknowledged on")
{
	struct packet again;
	struct result *r;

	client_open(&d.c, false);
	again = client_packet(&d.c, TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	expect_segments(ask(GET("/huge"), SLOT_HUGE, false), 10);
	r = ack_to(2 * MSS);
	expect_segments(r, r->n_clones);
	again.ack = d.first + 2 * MSS;
	r = client_run(&again);
	expect_counts(r, "RESENT");
	EXPECT(r->n_clones, 1);
	expect_segment(&r->clones[0].packet, 2 * MSS, false);
	r = ack_to(3 * MSS); /* slow start again: what follows was sent before, too */
	EXPECT(r->n_clones, 2);
	expect_segment(&r->clones[0].packet, 3 * MSS, false);
	expect_segment(&r->clones[1].packet, 4 * MSS, false);
	EXPECT(r->counts[STAT_RESENT], 2);
}

TEST(wild_ack, "an ACK of what was never sent moves nothing")
{
	uint32_t una;

	expect_segments(begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	una = peek_flow(&d.c).snd_una;
	expect_segments(ack_to(11 * MSS), 0);
	EXPECT(peek_flow(&d.c).snd_una, una);
	expect_segments(ack_to(MSS), 2);
}

TEST(stale, "the object is replaced under way: RST")
{
	struct result *r;

	expect_segments(begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	room_set_object_gen(SLOT_HUGE, 2);
	r = ack_to(MSS);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST | TCP_ACK);
	expect_no_clones(r);
	EXPECT(r->packet.seq, d.first + 10 * MSS);
	EXPECT(peek_flow(&d.c).state, FLOW_CLOSED);
}

TEST(wrap, "long answers across 2^32")
{
	struct result *r;
	int i;

	client_init(&d.c, false);
	client_connect_near(&d.c, 0xffffffa0, 0xffffff00);
	for (i = 0; i < 2; i++) { /* 128 KB: the first byte lies up to 64 KB before the wrap */
		r = ask(GET("/huge"), SLOT_HUGE, false);
		expect_segments(r, r->n_clones);
		while (d.sent < d.len) {
			r = ack_to(d.sent);
			expect_segments(r, r->n_clones);
		}
		expect_over(ack_to(d.len));
	}
	EXPECT_TRUE(d.c.ack < 1 << 20);
}

TEST(jumbo, "MSS 8900")
{
	struct result *r;

	room_uplink_mtu(9000);
	client_init(&d.c, false);
	d.c.mss = 8960;
	client_connect(&d.c);
	r = ask(GET("/huge"), SLOT_HUGE, false);
	EXPECT(r->n_clones, 8);
	EXPECT(r->clones[0].packet.len, 8888);
	expect_segment(&r->clones[0].packet, 0, false);
	expect_segment(&r->clones[7].packet, 7 * 8888, false);
}

TEST(tiny_mss, "MSS 88")
{
	struct result *r;

	client_init(&d.c, false);
	d.c.mss = 88;
	client_connect(&d.c);
	r = ask(GET("/small"), SLOT_SMALL, false);
	EXPECT(r->n_clones, 10);
	EXPECT(r->clones[9].packet.len, 76);
	expect_segment(&r->clones[9].packet, 9 * 76, false);
}
