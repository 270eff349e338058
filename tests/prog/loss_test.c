// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers of many segments, some of them lost: duplicate ACKs, partial ACKs, the client's repeated
 * request as a timer, and what must not be taken for a loss.
 */
#include <string.h>

#include "download.h"
#include "peek.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* RFC 5681, 3.2 and RFC 6582 */
TEST(dup_acks, "three duplicate ACKs: the hole is sent again, once")
{
	struct result *r;
	int i;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 0; i < 2; i++)
		download_expect(download_ack(0), 0);
	r = download_ack(0);
	expect_counts(r, "RESENT");
	EXPECT(r->n_clones, 1);
	download_expect_one(&r->clones[0].packet, 0);
	EXPECT_TRUE(peek_flow(&download.c).flags & FLOW_RECOVERY);
	for (i = 0; i < 6; i++) { /* the window opens again at the fourth: cwnd 5 + 3 + dupacks */
		r = download_ack(0);
		EXPECT(r->counts[STAT_RESENT], 0);
		download_expect(r, r->n_clones);
	}
	EXPECT(download.sent, 14 * DOWNLOAD_MSS);
	r = download_ack(10 * DOWNLOAD_MSS); /* all that was sent before the loss: recovery ends */
	download_expect(r, r->n_clones);
	EXPECT_TRUE(!(peek_flow(&download.c).flags & FLOW_RECOVERY));
	EXPECT(peek_flow(&download.c).ssthresh, 5 * CWND_UNIT);
}

TEST(partial_ack, "a partial ACK during recovery: the next hole at once")
{
	struct result *r;

	download_expect(download_begin(true, GET("/huge"), SLOT_HUGE, false), 10);
	download_ack(0);
	download_ack(0);
	EXPECT(download_ack(0)->n_clones, 1);
	r = download_ack(4 * download.mss);
	EXPECT(r->counts[STAT_RESENT], 1);
	download_expect_one(&r->clones[0].packet, 4 * download.mss);
	EXPECT_TRUE(peek_flow(&download.c).flags & FLOW_RECOVERY);
}

/* RFC 5827: with two segments under way one duplicate is all that can come. */
TEST(early_retransmit, "two segments under way: one duplicate ACK is enough")
{
	struct result *r;

	room_object(SLOT_OWN, 1, "200 OK", 2000);
	room_exact(ROOM_ANY, "/two", room_to_object(SLOT_OWN, POOL_1));
	download_expect(download_begin(false, GET("/two"), SLOT_OWN, false), 2);
	r = download_ack(0);
	expect_counts(r, "RESENT");
	EXPECT(r->n_clones, 1);
	download_expect_one(&r->clones[0].packet, 0);
}

TEST(window_update, "ACKs that change the window are no duplicates")
{
	int i;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 0; i < 5; i++) {
		download.c.window++;
		expect_counts(download_ack(0), "");
	}
	EXPECT(peek_flow(&download.c).dupacks, 0);
}

/* The request is the client's timer: RFC 5681, 3.1 */
TEST(timeout, "a repeated request: one segment from what is acknowledged on")
{
	struct packet again;
	struct result *r;

	client_open(&download.c, false);
	again = client_packet(&download.c, TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	r = download_ack(2 * DOWNLOAD_MSS);
	download_expect(r, r->n_clones);
	again.ack = download.first + 2 * DOWNLOAD_MSS;
	r = client_run(&again);
	expect_counts(r, "RESENT");
	EXPECT(r->n_clones, 1);
	download_expect_one(&r->clones[0].packet, 2 * DOWNLOAD_MSS);
	r = download_ack(3 *
			 DOWNLOAD_MSS); /* slow start again: what follows was sent before, too */
	EXPECT(r->n_clones, 2);
	download_expect_one(&r->clones[0].packet, 3 * DOWNLOAD_MSS);
	download_expect_one(&r->clones[1].packet, 4 * DOWNLOAD_MSS);
	EXPECT(r->counts[STAT_RESENT], 2);
}

TEST(wild_ack, "an ACK of what was never sent moves nothing")
{
	struct result *r;
	uint32_t una;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	una = peek_flow(&download.c).snd_una;
	r = download_ack(11 * DOWNLOAD_MSS);
	expect_counts(r, "DROP_WINDOW");
	expect_no_clones(r);
	EXPECT(expect_out(r, NET_UPLINK)->len, 0);
	EXPECT(peek_flow(&download.c).snd_una, una);
	download_expect(download_ack(DOWNLOAD_MSS), 2);
}
