// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of flows, full: which entry of a bucket gives way, and what is refused. All flows are
 * in one bucket; ages are written into the entries. Legs and stashes: leg_table_test.c.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define A_MOMENT 2 /* 134 ms of the coarse clock: not silent yet */

/* What a flow is made to be: from the first that gives way to the last. */
enum kind {
	EXPIRED, /* idle, but for more than an hour */
	TOMBSTONE,
	IDLE_OLD,      /* 100 s */
	IDLE,	       /* 10 s */
	ANSWERING_OLD, /* the kernel's answer is not acknowledged: 100 s */
	ANSWERING,     /* 50 s */
	ANSWERING_NOW, /* heard of a moment ago */
	AWAITING,      /* a response is due */
	IN_BODY,
	IN_HEAD,
	PINNED,
	CLOSING,
};

static void make_kind(const struct client *c, enum kind kind)
{
	struct flow f = peek_flow(c);
	uint32_t age = 50;

	f.reply = REPLY_DONE;
	switch (kind) {
	case EXPIRED:
		age = 3700;
		break;
	case TOMBSTONE:
		f.state = FLOW_CLOSED;
		break;
	case IDLE_OLD:
		age = 100;
		break;
	case IDLE:
		age = 10;
		break;
	case ANSWERING_OLD:
		age = 100;
		/* fall through */
	case ANSWERING:
		f.reply = REPLY_ACTIVE;
		break;
	case ANSWERING_NOW:
		f.reply = REPLY_ACTIVE;
		f.seen = peek_clock() - A_MOMENT;
		peek_set_flow(c, &f);
		return;
	case AWAITING:
		f.reply = REPLY_AWAITED;
		f.active = 0;
		break;
	case IN_BODY:
		f.phase = REQUEST_BODY;
		f.active = 0;
		break;
	case IN_HEAD:
		f.phase = REQUEST_HEAD;
		break;
	case PINNED:
		f.flags |= FLOW_PINNED;
		f.active = 0;
		break;
	case CLOSING:
		f.state = FLOW_CLOSING;
		break;
	}
	f.seen = peek_clock() - PEEK_SECONDS(age);
	peek_set_flow(c, &f);
}

/* Ways from `first` on. */
static void open_all(struct client *c, int first, enum kind kind)
{
	int i;

	for (i = first; i < FLOW_WAYS; i++) {
		client_open(&c[i], false);
		make_kind(&c[i], kind);
	}
}

struct evict_row {
	const char *name;
	enum kind kinds[FLOW_WAYS];
	int victim; /* or -1: none gives way */
	const char *counts;
};

static const struct evict_row evict_rows[] = {
	{ "expired before tombstone",
	  { TOMBSTONE, IDLE, EXPIRED, IDLE_OLD, PINNED, IDLE, AWAITING, IDLE },
	  2,
	  "COOKIE_OK" },
	{ "tombstone before idle",
	  { IDLE, IDLE_OLD, IDLE, PINNED, IDLE, IDLE, IDLE, TOMBSTONE },
	  7,
	  "COOKIE_OK" },
	{ "the longest idle",
	  { IDLE, IDLE, IDLE, IDLE_OLD, IDLE, IDLE, IDLE, IDLE },
	  3,
	  "COOKIE_OK FLOW_EVICTED" },
	{ "idle before busy",
	  { PINNED, AWAITING, ANSWERING, IN_BODY, IN_HEAD, IDLE, CLOSING, AWAITING },
	  5,
	  "COOKIE_OK FLOW_EVICTED" },
	{ "silent clients that the kernel waits for, last",
	  { PINNED, AWAITING, ANSWERING, IN_BODY, ANSWERING_OLD, AWAITING, CLOSING, IN_HEAD },
	  4,
	  "COOKIE_OK FLOW_EVICTED" },
	{ "a silent client's answer before what a backend works on",
	  { PINNED, AWAITING, ANSWERING, IN_BODY, IN_BODY, PINNED, PINNED, AWAITING },
	  2,
	  "COOKIE_OK FLOW_EVICTED" },
	{ "a silent client's unfinished head, too",
	  { PINNED, AWAITING, AWAITING, IN_BODY, IN_HEAD, PINNED, PINNED, AWAITING },
	  4,
	  "COOKIE_OK FLOW_EVICTED" },
	{ "all busy",
	  { PINNED, AWAITING, ANSWERING_NOW, IN_BODY, IN_BODY, PINNED, AWAITING, ANSWERING_NOW },
	  -1,
	  "FLOW_FULL" },
};

TEST_ROWS(evict, "full bucket", evict_rows)
{
	const struct evict_row *row = row_;
	struct client c[FLOW_WAYS], last;
	struct result *r;
	int i;

	room_one_bucket();
	for (i = 0; i < FLOW_WAYS; i++)
		client_open(&c[i], i & 1);
	for (i = 0; i < FLOW_WAYS; i++)
		make_kind(&c[i], row->kinds[i]);
	client_init(&last, false);
	client_syn(&last);
	r = client_ack(&last);
	expect_verdict(r, DROP);
	expect_counts(r, row->counts);
	EXPECT(peek_flow_slot(&last), row->victim);
	for (i = 0; i < FLOW_WAYS; i++) {
		check_step("way %d", i);
		EXPECT(peek_flow_slot(&c[i]), i == row->victim ? -1 : i);
	}
}

TEST(full_503, "no room for a flow: the request gets 503, and no flow")
{
	struct client c[FLOW_WAYS], last;
	struct packet first;
	struct result *r;

	room_one_bucket();
	open_all(c, 0, AWAITING);
	client_init(&last, true);
	client_syn(&last);
	expect_counts(client_ack(&last), "FLOW_FULL");
	first = client_packet(&last, TCP_PSH | TCP_ACK, GET("/small"), strlen(GET("/small")));
	r = client_say(&last, GET("/small"));
	expect_counts(r, "FLOW_FULL ERROR_503");
	client_expect_object(&last, r, SLOT_ERRORS + CANNED_503, true, false);
	r = client_run(&first); /* the answer was lost */
	expect_counts(r, "FLOW_FULL ERROR_503");
	EXPECT(peek_flow_slot(&last), -1);
	EXPECT(peek_flows(), FLOW_WAYS);
}

TEST(full_again, "a connection that was refused is taken when there is room")
{
	struct client c[FLOW_WAYS], last;
	struct packet first;

	room_one_bucket();
	open_all(c, 0, AWAITING);
	client_init(&last, false);
	client_syn(&last);
	first = client_packet(&last, TCP_ACK, NULL, 0);
	expect_counts(client_run(&first), "FLOW_FULL");
	make_kind(&c[4], TOMBSTONE);
	expect_counts(client_run(&first), "COOKIE_OK");
	EXPECT(peek_flow_slot(&last), 4);
	EXPECT(peek_flow(&last).owner, 0);
}

/* A new connection that makes an idle one give way. */
static void open_evicting(struct client *c)
{
	client_init(c, false);
	client_syn(c);
	expect_counts(client_ack(c), "COOKIE_OK FLOW_EVICTED");
}

TEST(evicted_client, "the client of an evicted flow gets a RST")
{
	struct client c[FLOW_WAYS + 1];
	struct result *r;

	room_one_bucket();
	client_open(&c[0], false);
	client_expect_object(&c[0], client_say(&c[0], GET("/small")), SLOT_SMALL, false, false);
	make_kind(&c[0], IDLE_OLD);
	open_all(c, 1, IDLE);
	open_evicting(&c[FLOW_WAYS]);
	r = client_say(&c[0], GET("/small"));
	expect_counts(r, "COOKIE_BAD RST_SENT");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST);
	EXPECT(r->packet.seq, c[0].ack);
	client_expect_object(&c[FLOW_WAYS], client_say(&c[FLOW_WAYS], GET("/small")), SLOT_SMALL,
			     false, false);
}

TEST(evicted_leg, "a leg of an evicted flow: its backend gets a RST")
{
	struct client c[FLOW_WAYS + 1];
	struct result *r;
	struct node n;

	room_one_bucket();
	node_open_idle(&n, &c[0], false);
	make_kind(&c[0], IDLE_OLD);
	open_all(c, 1, IDLE);
	open_evicting(&c[FLOW_WAYS]);
	r = node_say(&n, OK_5);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	EXPECT(r->packet.seq, n.ack);
}

struct timeout_row {
	const char *name;
	enum kind kind;
	bool fresh; /* no request yet */
	uint32_t age_s;
	bool is_known;
};

static const struct timeout_row timeout_rows[] = {
	{ "no request, 55 s", IDLE, true, 55, true },
	{ "no request, 65 s", IDLE, true, 65, false },
	{ "idle, 3590 s", IDLE, false, 3590, true },
	{ "idle, 3610 s", IDLE, false, 3610, false },
	{ "unfinished head, 7,195 s", IN_HEAD, false, 7195, true },
	{ "unfinished head, 7,205 s", IN_HEAD, false, 7205, false },
	{ "response due, 7190 s", AWAITING, false, 7190, true },
	{ "response due, 7210 s", AWAITING, false, 7210, false },
	{ "pinned, 7190 s", PINNED, false, 7190, true },
	{ "pinned, 7210 s", PINNED, false, 7210, false },
	{ "closing, 55 s", CLOSING, false, 55, true },
	{ "closing, 65 s", CLOSING, false, 65, false },
	{ "tombstone, 55 s", TOMBSTONE, false, 55, true },
	{ "tombstone, 65 s", TOMBSTONE, false, 65, false },
};

/* An expired flow is as good as none. */
TEST_ROWS(timeout, "timeout", timeout_rows)
{
	const struct timeout_row *row = row_;
	struct result *r;
	struct client c;
	struct flow f;

	client_open(&c, false);
	make_kind(&c, row->kind);
	f = peek_flow(&c);
	if (row->fresh)
		f.reply = 0;
	f.seen = peek_clock() - PEEK_SECONDS(row->age_s);
	peek_set_flow(&c, &f);
	c.tsval = 5;
	r = client_ack(&c);
	EXPECT(r->counts[STAT_COOKIE_BAD] + r->counts[STAT_COOKIE_OK], !row->is_known);
	if (row->is_known)
		EXPECT(r->counts[STAT_RST_SENT], 0);
}

TEST(same_tuple, "the tombstone of the same tuple is used before all others")
{
	struct client c[FLOW_WAYS];

	room_one_bucket();
	open_all(c, 0, TOMBSTONE);
	c[5].seq += 100000;
	client_connect(&c[5]);
	EXPECT(peek_flow_slot(&c[5]), 5);
	EXPECT(peek_flow(&c[5]).gen, 2);
	EXPECT(peek_flows(), FLOW_WAYS);
}

TEST(generation, "nothing of the flow before is left in a slot that is used again")
{
	struct client old, c;
	struct flow f;

	room_one_bucket();
	client_open(&old, false);
	client_say(&old, GET("/huge"));
	f = peek_flow(&old);
	EXPECT_TRUE(f.cwnd != 0);
	f.state = FLOW_CLOSED;
	f.seen -= PEEK_SECONDS(100);
	f.stash = 3;
	f.legs[1] = 7;
	peek_set_flow(&old, &f);
	do { /* unused ways come first */
		client_open(&c, true);
	} while (peek_flow_slot(&c) != 0);
	f = peek_flow(&c);
	EXPECT(f.gen, 2);
	EXPECT(f.cwnd, 0);
	EXPECT(f.stash, 0);
	EXPECT(f.legs[1], 0);
	EXPECT(f.reply, 0);
	EXPECT(f.req_len, 0);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}
