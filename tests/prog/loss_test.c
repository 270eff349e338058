// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lost segments of long answers where the client has no SACK: duplicate ACKs, partial ACKs, the
 * client's repeated request as a timer, and what must not be taken for a loss (RFC 5681, RFC 6582).
 * With SACK: sack_test.c. Timers: timer_test.c.
 */
#include <string.h>

#include "download.h"
#include "family.h"
#include "peek.h"

/* Ten segments are under way. */
static void begin(bool v6)
{
	download_open_without_sack(v6);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
}

static struct result *dup_acks(int n)
{
	struct result *r = NULL;

	while (n--)
		r = download_ack(download.c.ack - download.first);
	return r;
}

/* Three of them; the first two let out a new segment each (RFC 3042). */
static struct result *dup_acks_to_loss(void)
{
	download_expect(dup_acks(1), 1);
	download_expect(dup_acks(1), 1);
	return dup_acks(1);
}

/* RFC 5681, 3.2: the third one, whatever the window says; new segments when it has room. */
TEST_ROWS(dup_acks_three, "three duplicate ACKs: the hole is sent again, once", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct flow f;
	int i;

	begin(row->v6);
	download_expect(dup_acks(1), 1); /* limited transmit, RFC 3042 */
	download_expect(dup_acks(1), 1);
	r = dup_acks(1);
	expect_counts(r, "RESENT");
	DOWNLOAD_SEGMENTS(r, 0);
	f = peek_flow(&download.c);
	EXPECT_TRUE(f.flags & FLOW_RECOVERY);
	EXPECT(f.ssthresh, 7 * CWND_UNIT);
	EXPECT(f.cwnd, 7 * CWND_UNIT);
	for (i = 4; i <= 5; i++) /* pipe: 12 - i */
		download_expect(dup_acks(1), 0);
	for (i = 6; i <= 11; i++)
		download_expect(dup_acks(1), 1);
	r = download_ack(12 * download.mss); /* all that was sent before the loss: it is over */
	download_expect(r, 1);
	f = peek_flow(&download.c);
	EXPECT_TRUE(!(f.flags & FLOW_RECOVERY));
	EXPECT(f.dupacks, 0);
	EXPECT(f.ssthresh, 7 * CWND_UNIT);
}

/* RFC 6582, 3.2, step 3. Of eleven segments behind the first hole ten arrived. */
TEST_ROWS(two_holes, "a partial ACK: the next hole at once, whatever the window says", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct flow f;

	int i;

	begin(row->v6);
	DOWNLOAD_SEGMENTS(dup_acks_to_loss(), 0);
	for (i = 4; i <= 10; i++)
		download_expect_new(dup_acks(1));
	r = download_ack(4 * download.mss);
	EXPECT(r->counts[STAT_RESENT], 1);
	DOWNLOAD_SEGMENTS(r, 4, 17);
	f = peek_flow(&download.c);
	EXPECT_TRUE(f.flags & FLOW_RECOVERY);
	EXPECT(f.cwnd, 7 * CWND_UNIT); /* reduced once */
	EXPECT(f.dupacks, 7);	       /* 5 to 11 have arrived */
	download_expect_new(download_ack(download.sent));
	EXPECT_TRUE(!(peek_flow(&download.c).flags & FLOW_RECOVERY));
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
}

TEST(every_second, "every second segment is lost: one a round trip, no timer")
{
	struct result *r = NULL;
	int i;

	begin(false);
	DOWNLOAD_SEGMENTS(dup_acks_to_loss(), 0);
	dup_acks(2); /* 1, 3, 5, 7, 9 have arrived */
	for (i = 2; i < 10; i += 2) {
		r = download_ack(i * download.mss);
		EXPECT_TRUE(r->n_clones > 0);
		download_expect_one(&r->clones[0].packet, i * download.mss);
	}
}

/* RFC 5827: with two segments under way one duplicate is all that can come. */
struct tail_row {
	const char *name;
	uint32_t body;
	int segments, need; /* duplicates */
};

static const struct tail_row tail_rows[] = {
	{ "two segments: one duplicate ACK is enough", 2000, 2, 1 },
	{ "three segments: two", 4000, 3, 2 },
	{ "four segments: three", 5000, 4, 3 },
};

TEST_ROWS(early_retransmit, "nothing more to send", tail_rows)
{
	const struct tail_row *row = row_;

	room_own_object(row->body);
	download_open_without_sack(false);
	download_expect(download_ask(GET("/own"), SLOT_OWN, false), row->segments);
	if (row->need > 1)
		download_expect_segments(dup_acks(row->need - 1), NULL, 0);
	DOWNLOAD_SEGMENTS(dup_acks(1), 0);
}

TEST(window_update, "ACKs that change the window are no duplicates")
{
	int i;

	begin(false);
	for (i = 0; i < 5; i++) {
		download.c.window++;
		expect_counts(download_ack(0), "");
	}
	EXPECT(peek_flow(&download.c).dupacks, 0);
}

TEST(again_after, "a second loss after the recovery: the window shrinks again")
{
	struct flow f, before;

	begin(false);
	DOWNLOAD_SEGMENTS(dup_acks_to_loss(), 0);
	download_expect(download_ack(download.sent), 7);
	f = peek_flow(&download.c);
	EXPECT_TRUE(!(f.flags & FLOW_RECOVERY));
	EXPECT(f.cwnd, 7 * CWND_UNIT);
	/* RFC 6582, 3.2: these may be caused by the repetition. */
	EXPECT(dup_acks_to_loss()->counts[STAT_RESENT], 0);
	download_expect_new(download_ack(13 * download.mss));
	before = peek_flow(&download.c);
	dup_acks(2);
	DOWNLOAD_SEGMENTS(dup_acks(1), 13);
	f = peek_flow(&download.c);
	EXPECT(f.ssthresh, before.cwnd * 7 / 10);
	EXPECT(f.cwnd, f.ssthresh);
}

/* The request is the client's timer: RFC 5681, 3.1. One that was under way with the ACK is not. */
struct repeat_row {
	const char *name;
	bool is_served;
};

static const struct repeat_row repeat_rows[] = {
	{ "kicks are served", true },
	{ "the client is the timer", false },
};

TEST_ROWS(repeat, "a repeated request", repeat_rows)
{
	const struct repeat_row *row = row_;
	struct packet again;
	struct result *r;
	struct flow f;

	room_serve_kicks(row->is_served);
	download_open_without_sack(false);
	again = client_packet(&download.c, TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	download_expect_new(download_ack(2 * DOWNLOAD_MSS));
	again.ack = download.first + 2 * DOWNLOAD_MSS;
	f = peek_flow(&download.c);
	f.srtt = 0xf000; /* 8 s */
	peek_set_flow(&download.c, &f);
	download_wait(0);
	r = client_run(&again); /* within a round trip of the last progress */
	expect_verdict(r, DROP);
	expect_counts(r, "");
	expect_no_clones(r);
	download_wait(9000);
	r = client_run(&again);
	expect_counts(r, "RESENT");
	DOWNLOAD_SEGMENTS(r, 2);
	f = peek_flow(&download.c);
	EXPECT(f.cwnd, CWND_UNIT);
	EXPECT(f.ssthresh, 6 * CWND_UNIT); /* of 12 under way */
	r = client_run(&again);		   /* its timer is no shorter than ours */
	expect_no_clones(r);
	r = download_ack(3 * DOWNLOAD_MSS); /* slow start again: these were sent before, too */
	EXPECT(r->counts[STAT_RESENT], 2);
	DOWNLOAD_SEGMENTS(r, 3, 4);
}

TEST(wild_ack, "an ACK of what was never sent, or of an earlier answer, moves nothing")
{
	struct result *r;
	uint32_t una;

	begin(false);
	una = peek_flow(&download.c).snd_una;
	r = download_ack(11 * DOWNLOAD_MSS);
	expect_counts(r, "DROP_WINDOW");
	expect_no_clones(r);
	EXPECT(expect_out(r, NET_UPLINK)->len, 0);
	EXPECT(peek_flow(&download.c).snd_una, una);
	download_expect(download_ack(-1), 0);
	EXPECT(peek_flow(&download.c).snd_una, una);
	EXPECT(peek_flow(&download.c).dupacks, 0);
	download_expect(download_ack(DOWNLOAD_MSS), 2);
}

/* RFC 6582, 3.2: a block of 14 segments, of which one is known to be lost. */
TEST(one_of_block, "MSS 88: duplicate and partial ACKs let one segment be repeated")
{
	struct result *r;

	client_init(&download.c, false);
	download.c.mss = 88;
	download.c.sack_ok = false;
	client_connect(&download.c);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	download_expect_new(download_ack(5 * download.mss));
	dup_acks(2);
	r = dup_acks(1);
	EXPECT(peek_sender(&download.c).block, 14 * download.mss);
	EXPECT(r->counts[STAT_RESENT], 1);
	download_expect_one(&r->clones[0].packet, 5 * download.mss);
	r = download_ack(7 * download.mss);
	EXPECT(r->counts[STAT_RESENT], 1);
	download_expect_one(&r->clones[0].packet, 7 * download.mss);
}
