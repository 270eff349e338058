// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients that want more than their share (Savage et al., TCP congestion control with a misbehaving
 * receiver; RFC 3465), and strangers who want to know what they cannot see (CVE-2016-5696).
 */

#include <string.h>
#include <unistd.h>

#include "download.h"
#include "peek.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct split_row {
	const char *name;
	bool v6, has_sack;
	uint16_t ssthresh; /* segments; 0: as it is, slow start */
	int pieces;
};

static const struct split_row split_rows[] = {
	{ "slow start", false, true, 0, 100 },
	{ "slow start, IPv6", true, true, 0, 100 },
	{ "slow start, no SACK", false, false, 0, 10 },
	{ "congestion avoidance", false, true, 4, 100 },
	{ "one byte each", false, true, 0, 1000 },
};

/* RFC 3465, 2.3: what counts is bytes, not ACKs. */
TEST_ROWS(split, "a segment acknowledged in pieces opens the window by no more than it", split_rows)
{
	const struct split_row *row = row_;
	uint32_t before, off;
	struct flow f;
	int i;

	client_init(&download.c, row->v6);
	download.c.sack_ok = row->has_sack;
	client_connect(&download.c);
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	f = peek_flow(&download.c);
	if (row->ssthresh)
		f.ssthresh = row->ssthresh * CWND_UNIT;
	peek_set_flow(&download.c, &f);
	before = f.cwnd;
	for (i = 1, off = 0; i <= row->pieces && off < download.mss; i++) {
		off = i * (row->pieces > 500 ? 1 : download.mss / row->pieces + 1);
		download_expect_new(download_ack(off > download.mss ? download.mss : off));
		run_forget();
	}
	f = peek_flow(&download.c);
	if (f.cwnd > before + CWND_UNIT)
		check_fail("growth: expected at most %d/64 segments, actual %d/64", CWND_UNIT,
			   (int)(f.cwnd - before));
}

/* Answers that are still sent in one tick of the clock, for `n` segments that ask for a proof. */
static int answered_in_tick(struct client *c)
{
	uint32_t clock = peek_clock();
	struct packet p;
	int answered, i;

	do {
		while (peek_clock() == clock)
			usleep(500);
		clock = peek_clock();
		for (answered = i = 0; i < 128; i++) {
			p = client_packet(c, TCP_RST, NULL, 0);
			p.seq += 1000;
			answered += client_run(&p)->verdict == REDIRECT;
		}
		run_forget();
	} while (peek_clock() != clock);
	return answered;
}

#define TICKS 8

/* With a budget that is always the same, how much of it is left tells a client whether somebody
 * else's connection exists and what its numbers are. */
TEST(side_channel, "how many challenges are answered in a tick cannot be told beforehand")
{
	int n[TICKS], least = 128, most = 0, i;
	struct client c;

	client_open(&c, false);
	for (i = 0; i < TICKS; i++) {
		n[i] = answered_in_tick(&c);
		least = n[i] < least ? n[i] : least;
		most = n[i] > most ? n[i] : most;
	}
	if (most - least < 4)
		check_fail("answers in %d ticks: expected different numbers, actual %d to %d",
			   TICKS, least, most);
	EXPECT_TRUE(least >= 32 && most <= 64);
}
