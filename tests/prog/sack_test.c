// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lost segments of long answers where the client has SACK (RFC 2018, RFC 6675, RFC 8985), and the
 * congestion window (RFC 5681, RFC 9438). Segments have numbers; ten are under way at the start.
 */
#include <string.h>

#include "download.h"
#include "family.h"
#include "peek.h"

static void begin(bool v6)
{
	download_expect(download_begin(v6, GET("/huge"), SLOT_HUGE, false), 10);
}

static void expect_window(int cwnd, int ssthresh)
{
	struct flow f = peek_flow(&download.c);

	EXPECT(f.cwnd, cwnd);
	EXPECT(f.ssthresh, ssthresh);
}

static bool is_recovering(void)
{
	return peek_flow(&download.c).flags & FLOW_RECOVERY;
}

/* RFC 6675, 5: the third segment behind the hole; then as far as the pipe has room. */
TEST_ROWS(one_hole, "one hole: sent again once, when three segments behind it have arrived",
	  family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	int i;

	begin(row->v6);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 2), 10); /* limited transmit, RFC 3042 */
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 3), 11);
	EXPECT_TRUE(!is_recovering());
	r = DOWNLOAD_SACK(0, 1, 4);
	expect_counts(r, "RESENT");
	DOWNLOAD_SEGMENTS(r, 0);
	EXPECT_TRUE(is_recovering());
	expect_window(7 * CWND_UNIT, 7 * CWND_UNIT);
	for (i = 5; i <= 6; i++) /* pipe: 12 - (i - 1) */
		download_expect(DOWNLOAD_SACK(0, 1, i), 0);
	for (i = 7; i <= 12; i++)
		DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, i), 5 + i);
	r = download_ack(12 * download.mss);
	expect_counts(r, "");
	DOWNLOAD_SEGMENTS(r, 18);
	EXPECT_TRUE(!is_recovering());
	EXPECT(peek_sender(&download.c).sacked, 0);
	expect_window(7 * CWND_UNIT, 7 * CWND_UNIT);
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
}

TEST_ROWS(two_holes, "two holes: each once, the window shrinks once", family_rows)
{
	const struct family_row *row = row_;

	begin(row->v6);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 5), 0, 10);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 6, 7, 1, 5), 5, 11);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 6, 8, 1, 5), 12); /* pipe: 12 - 6 */
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 6, 10, 1, 5), 13, 14);
	expect_window(7 * CWND_UNIT, 7 * CWND_UNIT);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(5, 6, 10), 15);
	EXPECT_TRUE(is_recovering());
	download_expect_new(download_ack(10 * download.mss));
	EXPECT_TRUE(!is_recovering());
	expect_window(7 * CWND_UNIT, 7 * CWND_UNIT);
}

/* RFC 8985: what was sent after the repetition has arrived. */
TEST(lost_repetition, "a lost repetition is found by what was sent after it")
{
	struct result *r;

	begin(false);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 5), 0, 10);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 8), 11, 12, 13);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 10), 14, 15); /* all sent before the repetition */
	r = DOWNLOAD_SACK(0, 1, 11);
	expect_counts(r, "RESENT");
	DOWNLOAD_SEGMENTS(r, 0, 16);
	expect_window(7 * CWND_UNIT, 7 * CWND_UNIT);
	EXPECT(DOWNLOAD_SACK(0, 1, 14)->counts[STAT_RESENT], 0);
}

/* RFC 5827 */
struct tail_row {
	const char *name;
	uint32_t body;
	int segments, need; /* segments that have arrived */
};

static const struct tail_row tail_rows[] = {
	{ "two segments: one that has arrived is enough", 2000, 2, 1 },
	{ "three segments: two", 4000, 3, 2 },
	{ "four segments: three", 5000, 4, 3 },
};

TEST_ROWS(early_retransmit, "nothing more to send", tail_rows)
{
	const struct tail_row *row = row_;
	int i;

	room_own_object(row->body);
	download_expect(download_begin(false, GET("/own"), SLOT_OWN, false), row->segments);
	for (i = 1; i < row->need; i++)
		download_expect(DOWNLOAD_SACK(0, 1, 1 + i), 0);
	/* The last block ends where the answer does. */
	if (row->need + 1 == row->segments) {
		struct packet p = client_packet(&download.c, TCP_ACK, NULL, 0);
		uint32_t edges[] = { download.first + download.mss, download.first + download.len };

		packet_option_sack(&p, edges, 2);
		DOWNLOAD_SEGMENTS(client_run(&p), 0);
		EXPECT(peek_sender(&download.c).sacked, (1 << row->segments) - 2);
	}
}

/* RFC 2883, and what no client may say. */
struct ignored_row {
	const char *name;
	int ack;
	int n, edges[6];
	uint64_t sacked;
};

static const struct ignored_row ignored_rows[] = {
	{ "D-SACK below the ACK", 3, 2, { 0, 1 }, 0 },
	{ "D-SACK and a block", 3, 4, { 0, 1, 5, 6 }, 1 << 5 },
	{ "D-SACK inside a block", 3, 4, { 5, 6, 5, 7 }, 3 << 5 },
	{ "bytes that were not sent", 0, 2, { 1, 20 }, 0 },
	{ "bytes of an earlier answer", 0, 2, { -5, -1 }, 0 },
	{ "from an earlier answer into this one", 0, 2, { -2, 2 }, 0 },
	{ "ends before it begins", 0, 2, { 5, 2 }, 0 },
	{ "empty", 0, 2, { 5, 5 }, 0 },
	{ "everything, without an ACK", 0, 2, { 0, 10 }, 0x3ff },
};

TEST_ROWS(ignored, "SACK blocks", ignored_rows)
{
	const struct ignored_row *row = row_;
	struct sender s;

	begin(false);
	download_expect_new(download_sack(row->ack, row->edges, row->n));
	s = peek_sender(&download.c);
	EXPECT(s.sacked, row->sacked);
	EXPECT(s.lost, 0);
	if (row->sacked != 0x3ff)
		EXPECT_TRUE(!is_recovering());
}

/* RFC 2018, 8 */
TEST(kept, "a timeout: what was reported as arrived is not sent again")
{
	begin(false);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 5), 0, 10);
	download_wait(500);
	download_kick(); /* the probe */
	download_wait(500);
	DOWNLOAD_SEGMENTS(download_kick(), 0);
	EXPECT(peek_sender(&download.c).sacked, 0x1e);
	DOWNLOAD_SEGMENTS(download_ack(5 * download.mss), 5, 6, 7, 8, 9, 10);
}

TEST(reneging, "a timeout behind an ACK below what was reported: all is sent again")
{
	begin(false);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 5), 0, 10);
	download_ack(download.mss); /* not 5 */
	EXPECT(peek_sender(&download.c).sacked, 0x1e);
	download_wait(500);
	download_kick();
	download_wait(500);
	DOWNLOAD_SEGMENTS(download_kick(), 1);
	DOWNLOAD_SEGMENTS(download_ack(2 * download.mss), 2, 3);
}

/* The first ten segments of an answer lie on both sides of 2^32. */
TEST(wrap, "holes and blocks across 2^32")
{
	struct flow f;
	int i;

	client_init(&download.c, false);
	client_connect_near(&download.c, 0xffffffa0, 0xffffff00);
	for (i = 0; -download.c.ack >= 8 * DOWNLOAD_MSS; i++) {
		client_expect_object(&download.c, client_say(&download.c, GET("/small")),
				     SLOT_SMALL, false, false);
		EXPECT_TRUE(i < 100);
	}
	f = peek_flow(&download.c);
	f.cwnd = CWND_INITIAL;
	f.ssthresh = CWND_MAX;
	peek_set_flow(&download.c, &f);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	EXPECT_TRUE(download.first > download.first + 8 * DOWNLOAD_MSS);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 9), 0, 10, 11, 12, 13, 14);
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
}

TEST(slow_start_limit, "slow start: at most eight segments an ACK (RFC 9406, 4.2)")
{
	begin(false);
	download_expect(download_ack(10 * download.mss), 18);
	expect_window(18 * CWND_UNIT, CWND_MAX);
}

TEST(avoidance, "congestion avoidance: 9/17 of a segment a window (RFC 9438, 4.3)")
{
	struct flow f;

	begin(false);
	f = peek_flow(&download.c);
	f.ssthresh = f.cwnd;
	peek_set_flow(&download.c, &f);
	download_expect(download_ack(download.mss), 1);	   /* no room for a second one yet */
	expect_window(10 * CWND_UNIT + 3, 10 * CWND_UNIT); /* 64 * 64 * 9 / 17 / 640 */
}

TEST(unused, "a window that is not used does not grow (RFC 7661)")
{
	int i;

	client_open(&download.c, false);
	download.c.window = 3 * DOWNLOAD_MSS / 128 + 1;
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 3);
	for (i = 1; i < 20; i++)
		download_expect(download_ack(i * DOWNLOAD_MSS), 1);
	expect_window(CWND_INITIAL, CWND_MAX);
}

static void set_cwnd(int segments)
{
	struct flow f = peek_flow(&download.c);

	f.cwnd = segments * CWND_UNIT;
	peek_set_flow(&download.c, &f);
}

/* MSS 88: blocks of 14 segments; five of them and four segments of the sixth are under way. */
TEST(half_block, "a block that is only sent in part is not taken for lost")
{
	struct result *r;

	client_init(&download.c, false);
	download.c.mss = 88;
	client_connect(&download.c);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	EXPECT(peek_sender(&download.c).block, 14 * download.mss);
	set_cwnd(200);
	download.c.window++;
	download_expect(download_ack(0), 64); /* the most in one run */
	set_cwnd(20);			      /* nothing new for a while */
	r = DOWNLOAD_SACK(0, 14, 56);
	EXPECT(r->counts[STAT_RESENT], 14);
	EXPECT_TRUE(is_recovering());
	r = download_ack(70 * download.mss);
	EXPECT_TRUE(is_recovering());
	EXPECT(r->counts[STAT_RESENT], 0);
	EXPECT(peek_sender(&download.c).lost, 0);
}
