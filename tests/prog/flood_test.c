// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strangers: what guessing cookies gains, data with a cookie that was used already, and how many
 * bytes spoofed packets make the gateway send. How often a random ACK is taken for a cookie:
 * tests/unit/cookie_test.c.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peek.h"
#include "prog_node.h"
#include "prog_relay.h"

#define FAILURES 275 /* wrong cookies in a tick */

/* Begins a new tick of the datapath's coarse clock. */
static void next_tick(void)
{
	uint32_t clock = peek_clock();

	while (peek_clock() == clock)
		usleep(500);
}

/* Wrong ACKs of strangers until the budget of this tick is used up. Returns its clock. */
static uint32_t use_budget_up(void)
{
	uint32_t clock;
	struct client c;
	int i;

	run_forget();
	next_tick();
	clock = peek_clock();
	client_init(&c, false);
	for (i = 0; i <= FAILURES; i++) {
		c.port = 1024 + i;
		client_forge_ack(&c);
		EXPECT(client_ack(&c)->counts[STAT_COOKIE_BAD], 1);
	}
	run_forget();
	return clock;
}

#define TICKS 50 /* a busy machine may need more than one for what has to happen in one */

TEST(budget, "too many wrong cookies: data without a flow is not taken, the pure ACK is")
{
	const struct result *refused, *taken;
	struct packet data;
	struct client c;
	uint32_t clock;
	int i = 0;

	do {
		EXPECT_TRUE(i++ < TICKS);
		client_init(&c, false);
		client_syn(&c);
		data = client_packet(&c, TCP_PSH | TCP_ACK, GET("/small"), strlen(GET("/small")));
		clock = use_budget_up();
		refused = client_run(&data);
		taken = client_ack(&c);
	} while (clock != peek_clock());
	expect_counts(refused, "COOKIE_LIMITED");
	expect_counts(taken, "COOKIE_OK");
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(budget_next, "in the next tick data is taken again")
{
	struct client c, stranger;

	client_init(&c, true);
	client_syn(&c);
	use_budget_up();
	next_tick();
	client_init(&stranger, false);
	client_forge_ack(&stranger);
	expect_counts(client_ack(&stranger), "COOKIE_BAD RST_SENT");
	expect_counts(client_say(&c, GET("/small")), "COOKIE_OK REQUESTS HIT");
}

TEST(budget_right, "right cookies do not use the budget up")
{
	struct client c;
	int i;

	next_tick();
	for (i = 0; i < FAILURES + 20; i++) {
		client_init(&c, false);
		client_syn(&c);
		EXPECT(client_ack(&c)->counts[STAT_COOKIE_OK], 1);
		run_forget();
	}
	client_init(&c, false);
	client_syn(&c);
	EXPECT(client_say(&c, GET("/small"))->counts[STAT_COOKIE_LIMITED], 0);
}

/* --- a cookie that was used already --------------------------------------------------------- */

enum past {
	LIVE,
	OVER,	 /* its tombstone is there */
	EVICTED, /* by connections that came after it */
	SILENT_EVICTED,
};

struct replay_row {
	const char *name;
	enum past past;
	bool has_ts;
	const char *counts;
};

static const struct replay_row replay_rows[] = {
	{ "live flow", LIVE, true, "" },
	{ "live flow, no timestamps", LIVE, false, "" },
	{ "tombstone", OVER, true, "DROP_STALE" },
	{ "tombstone, no timestamps", OVER, false, "DROP_STALE" },
	{ "evicted tombstone", EVICTED, true, "COOKIE_REPLAY" },
	{ "evicted tombstone, no timestamps", EVICTED, false, "COOKIE_REPLAY" },
	{ "evicted idle flow", SILENT_EVICTED, true, "COOKIE_REPLAY" },
};

/* All flows are in one bucket, which is full of others afterwards. */
static void push_out(const struct client *c)
{
	struct client other;
	int i;

	for (i = 0; i < FLOW_WAYS && peek_flow_slot(c) >= 0; i++) {
		client_init(&other, true);
		client_syn(&other);
		EXPECT(client_ack(&other)->counts[STAT_COOKIE_OK], 1);
		usleep(150000); /* the coarse clock tells who has been idle longest */
	}
	EXPECT(peek_flow_slot(c), -1);
}

TEST_ROWS(replay, "the first data once more", replay_rows)
{
	const struct replay_row *row = row_;
	struct packet first;
	struct result *r;
	struct client c;

	room_one_bucket();
	client_init(&c, false);
	c.has_ts = row->has_ts;
	client_syn(&c);
	first = client_packet(&c, TCP_PSH | TCP_ACK, GET("/small"), strlen(GET("/small")));
	r = client_say(&c, GET("/small"));
	expect_counts(r, "COOKIE_OK REQUESTS HIT");
	client_take(&c, r);
	client_ack(&c);
	if (row->past == OVER || row->past == EVICTED)
		client_send(&c, TCP_RST, NULL, 0);
	if (row->past == EVICTED || row->past == SILENT_EVICTED)
		push_out(&c);
	/* Over: with its old timestamp. */
	r = row->past == LIVE ? client_run(&first) : client_run_as_is(&first);
	expect_counts(r, row->counts);
	EXPECT(r->counts[STAT_REQUESTS], 0);
	if (row->past != LIVE)
		expect_verdict(r, DROP);
}

struct fresh_row {
	const char *name;
	bool has_ts;
	bool has_ack; /* the handshake's ACK arrives before the data */
	const char *counts;
};

static const struct fresh_row fresh_rows[] = {
	{ "ACK, then data", true, true, "REQUESTS HIT" },
	{ "ACK, then data, no timestamps", false, true, "REQUESTS HIT" },
	{ "data at once, of a younger handshake", true, false,
	  "COOKIE_OK FLOW_EVICTED REQUESTS HIT" },
	{ "data at once, no timestamps", false, false, "COOKIE_REPLAY" },
};

TEST_ROWS(fresh, "a new connection where one was evicted a moment ago", fresh_rows)
{
	const struct fresh_row *row = row_;
	struct client old, c;

	room_one_bucket();
	client_open(&old, false);
	push_out(&old);
	usleep(300000);
	client_init(&c, false);
	c.has_ts = row->has_ts;
	client_syn(&c);
	if (row->has_ack)
		expect_counts(client_ack(&c), "COOKIE_OK FLOW_EVICTED");
	expect_counts(client_say(&c, GET("/small")), row->counts);
}

TEST(forgotten, "longer ago than a cookie lives: data at once makes a flow")
{
	struct flow_bucket bucket = {};
	uint32_t zero = 0;
	struct client c;

	room_one_bucket();
	bucket.evicted = peek_clock() - PEEK_SECONDS(37);
	room_map_update("flow_buckets", &zero, &bucket);
	client_init(&c, false);
	c.has_ts = false;
	client_syn(&c);
	expect_counts(client_say(&c, GET("/small")), "COOKIE_OK REQUESTS HIT");
}

/* --- bytes out for bytes in ----------------------------------------------------------------- */

struct reflect_row {
	const char *name;
	uint8_t flags;
	bool v6, has_flow, bare; /* bare: no options */
	bool strips;		 /* nor in what is spoofed, though the connection has timestamps */
	int32_t seq_off;
	uint32_t len;
	double max;
};

static const struct reflect_row reflect_rows[] = {
	{ "SYN, bare", TCP_SYN, false, false, true, false, 0, 0, 1.1 },
	{ "SYN", TCP_SYN, false, false, false, false, 0, 0, 1.1 },
	{ "SYN, IPv6, bare", TCP_SYN, true, false, true, false, 0, 0, 1.1 },
	{ "SYN, IPv6", TCP_SYN, true, false, false, false, 0, 0, 1.1 },
	{ "SYN with data", TCP_SYN, false, false, true, false, 0, 100, 1 },
	{ "ACK", TCP_ACK, false, false, true, false, 0, 0, 1 },
	{ "ACK, IPv6", TCP_ACK, true, false, false, false, 0, 0, 1 },
	{ "data", TCP_ACK, false, false, true, false, 0, 18, 1 },
	{ "FIN", TCP_FIN, false, false, true, false, 0, 0, 1 },
	{ "FIN and ACK", TCP_FIN | TCP_ACK, false, false, true, false, 0, 0, 1 },
	{ "SYN and ACK", TCP_SYN | TCP_ACK, false, false, true, false, 0, 0, 1 },
	{ "nothing", 0, false, false, true, false, 0, 0, 1 },
	{ "RST", TCP_RST, false, false, true, false, 0, 0, 0 },
	{ "RST and ACK", TCP_RST | TCP_ACK, true, false, true, false, 0, 0, 0 },
	{ "live flow: SYN", TCP_SYN, false, true, false, false, 9999, 0, 1 },
	{ "live flow: SYN, bare", TCP_SYN, false, true, true, false, 9999, 0, 1 },
	{ "live flow: RST in the window", TCP_RST, false, true, true, false, 9999, 0, 1 },
	{ "live flow: RST", TCP_RST, false, true, true, false, 1 << 29, 0, 0 },
	{ "live flow: ACK ahead", TCP_ACK, false, true, true, false, 1 << 29, 0, 1 },
	{ "live flow: ACK behind", TCP_ACK, false, true, true, false, -(1 << 29), 0, 1 },
	{ "live flow: data ahead", TCP_ACK, false, true, true, false, 1 << 29, 20, 1 },
	{ "live flow: data behind", TCP_ACK, false, true, true, false, -(1 << 29), 20, 1 },
	{ "live flow: FIN ahead", TCP_FIN | TCP_ACK, false, true, true, false, 1 << 29, 0, 1 },
	{ "timestamps left out: ACK behind", TCP_ACK, false, true, false, true, -(1 << 29), 0, 1 },
	{ "timestamps left out: data ahead", TCP_ACK, false, true, false, true, 1 << 29, 1, 1 },
	{ "timestamps left out: data behind", TCP_ACK, false, true, false, true, -(1 << 29), 1, 1 },
	{ "timestamps left out: FIN", TCP_FIN | TCP_ACK, false, true, false, true, -1, 0, 1 },
	{ "timestamps left out: SYN", TCP_SYN, false, true, false, true, 9999, 0, 1 },
	{ "timestamps left out: RST", TCP_RST, false, true, false, true, 9999, 0, 1 },
};

#define SPOOFED 200

/* More spoofed packets than the budget of RSTs allows to answer in a tick; the sum counts. */
TEST_ROWS(reflect, "bytes out for bytes in", reflect_rows)
{
	const struct reflect_row *row = row_;
	size_t in = 0, out = 0;
	uint8_t frame[256];
	struct result *r;
	struct packet p;
	struct client c;
	int i, j;

	client_init(&c, row->v6);
	c.has_ts = !row->bare;
	if (row->has_flow)
		client_connect(&c);
	else
		client_forge_ack(&c);
	for (i = 0; i < SPOOFED; i++) {
		p = client_packet(&c, row->flags,
				  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
				  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
				  row->len);
		if (row->bare || row->strips)
			p.options_len = 0;
		p.seq += row->seq_off + i;
		if (row->has_flow)
			p.ack += 7777;
		in += packet_build(&p, frame) - PACKET_ETH;
		r = client_run(&p);
		if (r->verdict == REDIRECT)
			out += r->len - PACKET_ETH;
		for (j = 0; j < r->n_clones; j++)
			out += PACKET_MAX; /* never more than one packet for one */
	}
	printf("# %s: %zu bytes in, %zu out: %.2f\n", row->name, in, out, (double)out / in);
	if (out > row->max * in)
		check_fail("bytes out for a byte in: expected at most %.2f, actual %.2f", row->max,
			   (double)out / in);
}
