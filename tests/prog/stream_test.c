// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers of many segments, nothing lost: what is sent at once, what an ACK lets follow, when the
 * request is acknowledged. Losses: loss_test.c.
 */
#include <string.h>

#include "download.h"
#include "peek.h"

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

	client_init(&download.c, row->v6);
	download.c.has_ts = row->has_ts;
	download.c.wscale = row->wscale;
	client_connect(&download.c);
	r = download_ask(GET("/huge"), SLOT_HUGE, false);
	expect_counts(r, "REQUESTS HIT");
	download_expect(r, 10);
	download_expect(download_ack(download.mss), 2);
	download_expect(download_ack(3 * download.mss), 4);
	download_expect(download_ack(5 * download.mss), 4);
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
}

struct mode_row {
	const char *name;
	bool is_served;
};

static const struct mode_row mode_rows[] = {
	{ "kicks are served", true },
	{ "the client is the timer", false },
};

TEST_ROWS(fits_iw, "an answer inside the initial window goes out at once", mode_rows)
{
	const struct mode_row *row = row_;

	room_serve_kicks(row->is_served);
	download_expect(download_begin(false, GET("/big"), SLOT_BIG, false), 10);
	EXPECT(download.sent, download.len);
	download_expect(download_ack(DOWNLOAD_MSS), 0);
	download_expect_over(download_ack(download.len));
}

TEST_ROWS(each_acked, "every segment is acknowledged by itself", mode_rows)
{
	const struct mode_row *row = row_;
	uint32_t i;

	room_serve_kicks(row->is_served);
	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 1; i * DOWNLOAD_MSS < download.len; i++)
		download_expect_new(download_ack(i * DOWNLOAD_MSS));
	EXPECT(download.sent, download.len);
	download_expect_over(download_ack(download.len));
}

TEST(daemon_dies, "a request acknowledged at once stays so when the daemon dies, and the reverse")
{
	struct result *r;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	room_serve_kicks(false);
	download_run(download_ack(DOWNLOAD_MSS));
	download_expect_over(download_ack(download.len));
	r = download_ask(GET("/huge"), SLOT_HUGE, false);
	EXPECT_TRUE(r->n_clones > 10);
	download_expect_new(r);
	room_serve_kicks(true);
	download_run(download_ack(DOWNLOAD_MSS));
	download_expect_over(download_ack(download.len));
}

TEST(next_request, "the next request may carry the last ACK")
{
	struct result *r;

	download_expect(download_begin(true, GET("/huge"), SLOT_HUGE, false), 10);
	download_run(download_ack(download.sent));
	download.c.ack = download.first + download.len;
	r = client_say(&download.c, GET("/small"));
	expect_counts(r, "REQUESTS HIT");
	client_expect_object(&download.c, r, SLOT_SMALL, false, false);
}

TEST(cwnd_lives, "the congestion window lives as long as the connection")
{
	int n;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
	n = peek_flow(&download.c).cwnd / CWND_UNIT;
	EXPECT_TRUE(n > 10);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), n);
}

TEST_ROWS(close_fin, "the last segment of a closing answer carries FIN", mode_rows)
{
	const struct mode_row *row = row_;
	struct result *r;

	room_serve_kicks(row->is_served);
	r = download_begin(false, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			   SLOT_BIG, true);
	download_expect(r, 10);
	EXPECT(download.sent, download.len);
	EXPECT(r->clones[9].packet.flags & TCP_FIN, TCP_FIN);
	EXPECT(peek_flow(&download.c).state, FLOW_CLOSING);
	download_expect(download_ack(2 * DOWNLOAD_MSS), 0);
	download_expect(download_ack(download.len + 1), 0);
	r = client_send(&download.c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_UPLINK)->ack, download.c.seq);
	EXPECT(peek_flow(&download.c).state, FLOW_CLOSED);
}

TEST(small_window, "never more than the client's window")
{
	struct result *r;

	client_open(&download.c, false);
	download.c.window = 3 * DOWNLOAD_MSS / 128 + 1; /* scaled by 7: 3 segments and some bytes */
	r = download_ask(GET("/big"), SLOT_BIG, false);
	download_expect(r, 3);
	download_expect(download_ack(DOWNLOAD_MSS), 1);
	download.c.window = 0;
	download_expect(download_ack(4 * DOWNLOAD_MSS), 0);
	download.c.window = 8192;
	r = download_ack(4 * DOWNLOAD_MSS);
	EXPECT_TRUE(r->n_clones >= 6);
	download_expect_new(r);
}

TEST(tiny_window, "a window below one segment: what fits, when nothing is under way")
{
	struct result *r;

	client_open(&download.c, false);
	download.c.window = 4; /* 512 bytes */
	r = download_ask(GET("/big"), SLOT_BIG, false);
	EXPECT(r->n_clones, 1);
	EXPECT(r->clones[0].packet.len, 512);
	download_expect_one(&r->clones[0].packet, 0);
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
	bool is_served;
};

static const struct zero_row zero_rows[] = {
	{ "short answer", GET("/small"), SLOT_SMALL, true },
	{ "long answer", GET("/big"), SLOT_BIG, true },
	{ "short answer, the client is the timer", GET("/small"), SLOT_SMALL, false },
	{ "long answer, the client is the timer", GET("/big"), SLOT_BIG, false },
};

TEST_ROWS(zero_window, "zero window", zero_rows)
{
	const struct zero_row *row = row_;
	struct packet again;
	struct result *r;

	room_serve_kicks(row->is_served);
	client_open(&download.c, true);
	download.c.window = 0;
	again = client_packet(&download.c, TCP_PSH | TCP_ACK, row->text, strlen(row->text));
	r = download_ask(row->text, row->slot, false);
	expect_counts(r, "REQUESTS HIT");
	download_expect(r, 0);
	download_wait(1000);
	download_expect(client_run(&again), 0);
	download.c.window = 8192;
	r = download_ack(0);
	EXPECT_TRUE(r->n_clones > 0);
	download_expect_new(r);
}

TEST(stale, "the object is replaced under way: RST")
{
	struct result *r;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	room_set_object_gen(SLOT_HUGE, 2);
	r = download_ack(DOWNLOAD_MSS);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST | TCP_ACK);
	expect_no_clones(r);
	EXPECT(r->packet.seq, download.first + 10 * DOWNLOAD_MSS);
	EXPECT(peek_flow(&download.c).state, FLOW_CLOSED);
}

TEST(wrap, "long answers across 2^32")
{
	int i;

	client_init(&download.c, false);
	client_connect_near(&download.c, 0xffffffa0, 0xffffff00);
	for (i = 0; i < 2; i++) { /* 128 KB: the first byte lies up to 64 KB before the wrap */
		download_run(download_ask(GET("/huge"), SLOT_HUGE, false));
		download_expect_over(download_ack(download.len));
	}
	EXPECT_TRUE(download.c.ack < 1 << 20);
}

TEST(jumbo, "MSS 8900")
{
	struct result *r;

	room_uplink_mtu(9000);
	client_init(&download.c, false);
	download.c.mss = 8960;
	client_connect(&download.c);
	r = download_ask(GET("/huge"), SLOT_HUGE, false);
	EXPECT(r->n_clones, 8);
	EXPECT(r->clones[0].packet.len, 8888);
	download_expect_one(&r->clones[0].packet, 0);
	download_expect_one(&r->clones[7].packet, 7 * 8888);
}

TEST(tiny_mss, "MSS 88")
{
	struct result *r;

	client_init(&download.c, false);
	download.c.mss = 88;
	client_connect(&download.c);
	r = download_ask(GET("/small"), SLOT_SMALL, false);
	EXPECT(r->n_clones, 10);
	EXPECT(r->clones[9].packet.len, 76);
	download_expect_one(&r->clones[9].packet, 9 * 76);
}
