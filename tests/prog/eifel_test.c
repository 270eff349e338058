// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recoveries that were not needed: what was thought to be lost was only late. The ACK's timestamp
 * echo tells (RFC 3522); then the window is what it was (RFC 4015), and nothing more is repeated.
 */
#include <string.h>

#include "download.h"
#include "family.h"
#include "peek.h"

static void expect_window(int segments, int ssthresh, bool is_recovering)
{
	struct flow f = peek_flow(&download.c);

	EXPECT(f.cwnd, segments * CWND_UNIT);
	EXPECT(f.ssthresh, ssthresh);
	EXPECT(!!(f.flags & FLOW_RECOVERY), is_recovering);
}

/* Of ten segments the first comes behind the sixth; it has been repeated meanwhile. */
static void begin_late(bool v6)
{
	download_expect(download_begin(v6, GET("/huge"), SLOT_HUGE, false), 10);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 6), 0, 10, 11);
	expect_window(7, 7 * CWND_UNIT, true);
}

TEST_ROWS(late, "a late segment: the window comes back, nothing else is repeated", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;

	begin_late(row->v6);
	r = download_ack_of_original(6 * download.mss);
	EXPECT(r->counts[STAT_RESENT], 0);
	EXPECT(r->n_clones, 10); /* six are under way, sixteen may be: slow start */
	EXPECT_TRUE(!(peek_flow(&download.c).flags & FLOW_RECOVERY));
	expect_window(16, CWND_MAX, false);
	EXPECT(peek_sender(&download.c).lost, 0);
}

TEST(repetition, "the repetition has filled the hole: the recovery goes on")
{
	struct result *r;

	begin_late(false);
	r = download_ack(6 * download.mss);
	expect_window(7, 7 * CWND_UNIT, true);
	EXPECT(r->counts[STAT_RESENT], 4); /* 6 to 9 were sent before what has arrived */
}

TEST(another, "a late segment and a lost one: the lost one is found again")
{
	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 5), 0, 10);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 6, 10, 1, 5), 5, 11, 12, 13, 14);
	download_ack_of_original(5 * download.mss);
	EXPECT(peek_sender(&download.c).sacked, 0x3c0);
	EXPECT_TRUE(!(peek_flow(&download.c).flags & FLOW_RECOVERY));
	EXPECT(DOWNLOAD_SACK(5, 6, 11)->counts[STAT_RESENT],
	       0); /* 10 was sent before the repetition */
	EXPECT(DOWNLOAD_SACK(5, 6, 12)->counts[STAT_RESENT], 1);
	EXPECT_TRUE(peek_flow(&download.c).flags & FLOW_RECOVERY);
}

TEST(timeout, "a timeout that came too early: the window comes back, what was sent is not repeated")
{
	struct result *r;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	download_wait(500);
	DOWNLOAD_SEGMENTS(download_kick(), 10); /* the probe */
	download_wait(500);
	DOWNLOAD_SEGMENTS(download_kick(), 0);
	expect_window(1, 5 * CWND_UNIT, true);
	r = download_ack_of_original(3 * download.mss);
	EXPECT(r->counts[STAT_RESENT], 0);
	EXPECT_TRUE(!(peek_flow(&download.c).flags & FLOW_RECOVERY));
	EXPECT(peek_flow(&download.c).ssthresh, CWND_MAX);
	EXPECT_TRUE(peek_flow(&download.c).cwnd >= CWND_INITIAL);
}

TEST(no_timestamps, "without timestamps nobody can tell: the recovery goes on")
{
	client_init(&download.c, false);
	download.c.has_ts = false;
	client_connect(&download.c);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 6), 0, 10, 11);
	download_ack_of_original(6 * download.mss);
	expect_window(7, 7 * CWND_UNIT, true);
}
