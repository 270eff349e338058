// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many flows one source may have, and that the count is exact whatever ends a flow.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"
#include "prog_relay.h"

#define LIMIT 3

static void limit(uint32_t n)
{
	struct settings settings = room_settings();

	settings.source_flows = n;
	room_set_settings(&settings);
}

/* What is counted for the client's source, or -1: nothing ever was. */
static int counted(const struct client *c)
{
	struct ip_addr key = c->addr;
	uint32_t n;

	if (c->v6)
		key.w[2] = key.w[3] = 0;
	return bpf_map_lookup_elem(room_map("sources"), &key, &n) ? -1 : (int)n;
}

static struct result *try_open(struct client *c, bool v6, const char *addr)
{
	client_init(c, v6);
	c->addr = packet_addr(addr);
	client_syn(c);
	return client_ack(c);
}

/* Makes the flow one that does not give way. */
static void make_busy(const struct client *c)
{
	struct flow f = peek_flow(c);

	f.reply |= REPLY_AWAITED;
	f.active = 0;
	peek_set_flow(c, &f);
}

struct source_row {
	const char *name;
	bool v6;
	const char *first, *second;
	bool same;
};

static const struct source_row source_rows[] = {
	{ "one IPv4 address", false, "10.80.0.2", "10.80.0.2", true },
	{ "two IPv4 addresses", false, "10.80.0.2", "10.80.0.3", false },
	{ "one IPv6 /64", true, "fd80::2", "fd80::7:0:0:3", true },
	{ "two IPv6 /64", true, "fd80:0:0:1::2", "fd80:0:0:2::2", false },
};

TEST_ROWS(source, "beyond the limit", source_rows)
{
	const struct source_row *row = row_;
	struct client c[LIMIT + 1];
	struct result *r;
	int i;

	limit(LIMIT);
	for (i = 0; i < LIMIT; i++) {
		expect_counts(try_open(&c[i], row->v6, row->first), "COOKIE_OK");
		make_busy(&c[i]);
	}
	EXPECT(counted(&c[0]), LIMIT);
	r = try_open(&c[LIMIT], row->v6, row->second);
	expect_counts(r, row->same ? "SOURCE_FULL" : "COOKIE_OK");
	if (!row->same)
		return;
	r = client_say(&c[LIMIT], GET("/small"));
	expect_counts(r, "SOURCE_FULL ERROR_503");
	client_expect_object(&c[LIMIT], r, SLOT_ERRORS + CANNED_503, true, false);
	EXPECT(counted(&c[0]), LIMIT);
	EXPECT(peek_flows(), LIMIT);
}

TEST(relayed, "beyond the limit, and no route restricts: relayed")
{
	struct client c[LIMIT + 1];
	struct node n;
	int i;

	limit(LIMIT);
	relay_allow(true);
	for (i = 0; i < LIMIT; i++) {
		try_open(&c[i], false, "10.80.0.2");
		make_busy(&c[i]);
	}
	expect_counts(try_open(&c[LIMIT], false, "10.80.0.2"), "SOURCE_FULL");
	node_open(&n, 1, &c[LIMIT], GET("/a"));
	node_reply(&n, &c[LIMIT], OK_5);
	EXPECT(counted(&c[0]), LIMIT);
}

TEST(own_idle, "an idle flow of the same source gives way, no other")
{
	struct client c[LIMIT + 2];
	int i;

	room_one_bucket();
	limit(LIMIT);
	try_open(&c[0], false, "10.80.0.3"); /* idle, but another's */
	for (i = 1; i <= LIMIT; i++) {
		try_open(&c[i], false, "10.80.0.2");
		if (i != 2)
			make_busy(&c[i]);
	}
	expect_counts(try_open(&c[LIMIT + 1], false, "10.80.0.2"), "COOKIE_OK FLOW_EVICTED");
	EXPECT(peek_flow_slot(&c[2]), -1);
	EXPECT(counted(&c[1]), LIMIT);
	EXPECT(counted(&c[0]), 1);
}

TEST(trusted, "peers in `trusted` are neither counted nor limited")
{
	struct client c;
	int i;

	limit(LIMIT);
	relay_trust_client();
	for (i = 0; i < 2 * LIMIT; i++) {
		expect_counts(try_open(&c, false, "10.80.0.2"), "COOKIE_OK");
		make_busy(&c);
	}
	EXPECT(counted(&c), -1);
}

TEST(off, "no limit")
{
	struct client c;
	int i;

	limit(0);
	for (i = 0; i < 2 * LIMIT; i++) {
		expect_counts(try_open(&c, false, "10.80.0.2"), "COOKIE_OK");
		make_busy(&c);
	}
	EXPECT(counted(&c), -1);
}

/* --- how flows end --------------------------------------------------------------------------- */

static void end_reset(struct client *c)
{
	client_send(c, TCP_RST, NULL, 0);
}

static void end_fin(struct client *c)
{
	client_take(c, client_send(c, TCP_FIN | TCP_ACK, NULL, 0));
	client_ack(c);
}

static void end_error(struct client *c)
{
	client_take(c, client_say(c, "nonsense\r\n\r\n"));
	client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
}

static void end_closed_answer(struct client *c)
{
	client_take(c,
		    client_say(c, "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
	client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
}

static void end_leg_reset(struct client *c)
{
	struct node n;

	node_open(&n, 1, c, GET("/1/a"));
	node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
}

static void end_both_fin(struct client *c)
{
	struct node n;

	node_open(&n, 1, c, "GET /1/a HTTP/1.0\r\nHost: a\r\n\r\n");
	client_take(c, node_send(&n, TCP_FIN | TCP_ACK, NULL, 0));
	client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
}

static void end_both_fin_backend_last(struct client *c)
{
	struct node n;

	node_open(&n, 1, c, "GET /1/a HTTP/1.0\r\nHost: a\r\n\r\n");
	client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
	n.ack++;
	client_take(c, node_send(&n, TCP_FIN | TCP_ACK, NULL, 0));
}

static void end_unasked(struct client *c)
{
	struct node n;

	node_open(&n, 1, c, GET("/1/a"));
	client_take(c, node_say(&n, OK_5));
	node_say(&n, "nobody asked");
}

static void end_object_gone(struct client *c)
{
	client_say(c, GET("/huge"));
	room_set_object_gen(SLOT_HUGE, 2);
	client_ack(c);
}

struct end_row {
	const char *name;
	void (*end)(struct client *c);
};

static const struct end_row end_rows[] = {
	{ "RST", end_reset },
	{ "FIN", end_fin },
	{ "400", end_error },
	{ "Connection: close", end_closed_answer },
	{ "RST of the backend", end_leg_reset },
	{ "FIN of the backend, then of the client", end_both_fin },
	{ "FIN of the client, then of the backend", end_both_fin_backend_last },
	{ "bytes that nobody asked for", end_unasked },
	{ "an answer whose bytes are gone", end_object_gone },
};

TEST_ROWS(end, "a flow that is over is not counted", end_rows)
{
	const struct end_row *row = row_;
	struct client c, other;
	struct flow f;

	limit(LIMIT);
	try_open(&other, false, "10.80.0.2");
	try_open(&c, false, "10.80.0.2");
	EXPECT(counted(&c), 2);
	row->end(&c);
	f = peek_flow(&c);
	EXPECT_TRUE(f.state == FLOW_CLOSED || (f.flags & (FLOW_CLIENT_FIN | FLOW_LEG_FIN)) ==
						      (FLOW_CLIENT_FIN | FLOW_LEG_FIN));
	EXPECT(counted(&c), 1);
	client_ack(&c); /* never twice */
	client_send(&c, TCP_RST, NULL, 0);
	EXPECT(counted(&c), 1);
	f.seen -= PEEK_SECONDS(100);
	peek_set_flow(&c, &f);
	c.seq += 100000;
	client_syn(&c);
	expect_counts(client_ack(&c), "COOKIE_OK");
	EXPECT(counted(&c), 2);
}

TEST(alive, "what goes on in a flow does not change the count")
{
	struct client c;
	struct node n;

	limit(LIMIT);
	try_open(&c, false, "10.80.0.2");
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	EXPECT(counted(&c), 1);
	EXPECT_TRUE(peek_flow(&c).reply & REPLY_COUNTED);
}

TEST(reclaimed, "an entry that still counts is taken by another: it counts no longer")
{
	struct client c[FLOW_WAYS + 1];
	int i;

	room_one_bucket();
	limit(100);
	for (i = 0; i < FLOW_WAYS; i++)
		try_open(&c[i], false, "10.80.0.2");
	EXPECT(counted(&c[0]), FLOW_WAYS);
	expect_counts(try_open(&c[FLOW_WAYS], false, "10.80.0.3"), "COOKIE_OK FLOW_EVICTED");
	EXPECT(counted(&c[0]), FLOW_WAYS - 1);
	EXPECT(counted(&c[FLOW_WAYS]), 1);
}

TEST(lost, "a count that fell out of its table does not go below 0")
{
	struct client c[2];

	limit(LIMIT);
	try_open(&c[0], false, "10.80.0.2");
	try_open(&c[1], false, "10.80.0.2");
	room_map_delete("sources", &c[0].addr);
	end_reset(&c[0]);
	EXPECT(counted(&c[0]), -1);
	try_open(&c[0], false, "10.80.0.2");
	end_reset(&c[0]);
	end_reset(&c[1]);
	EXPECT(counted(&c[0]), 0);
}

TEST(tombstone, "beyond the limit the tombstone of the same tuple is no way in")
{
	struct client c[LIMIT + 1];
	struct result *r;
	int i;

	limit(LIMIT);
	relay_allow(true);
	try_open(&c[0], false, "10.80.0.2");
	end_reset(&c[0]);
	for (i = 1; i <= LIMIT; i++) {
		try_open(&c[i], false, "10.80.0.2");
		make_busy(&c[i]);
	}
	c[0].seq += 100000;
	client_syn(&c[0]);
	expect_counts(client_ack(&c[0]), "SOURCE_FULL");
	r = client_say(&c[0], GET("/small"));
	expect_counts(r, "SOURCE_FULL ERROR_503");
	EXPECT(counted(&c[0]), LIMIT);
}
