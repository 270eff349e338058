// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients that want more than their share (Savage et al., TCP congestion control with a misbehaving
 * receiver; RFC 3465).
 */
#include <string.h>

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
