// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several legs of one connection: parking, resuming, the arithmetic between client's and leg's
 * sequence space (also across 2^32), packets of parked legs, idle legs that a backend closes.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

/* A request to a backend, answered and acknowledged. */
static void exchange_fresh(struct client *c, struct node *n, int id, const char *path)
{
	char text[256];

	sprintf(text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	node_open(n, id, c, text);
	node_reply(n, c, OK_5);
}

/* The same on a leg that is open; `clones` as expect_counts' result must have them. */
static struct result *exchange_again(struct client *c, struct node *n, const char *path)
{
	struct result *r;
	char text[256];

	sprintf(text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	r = client_say(c, text);
	node_expect_text(n, r, text);
	node_reply(n, c, OK_5);
	return r;
}

struct wrap_row {
	const char *name;
	bool v6;
	uint32_t client_isn, isn;
};

/* 40 rounds: 4 KB of the client, more than 64 KB of the gateway */
static const struct wrap_row wrap_rows[] = {
	{ "IPv4, far from 2^32", false, 0x10000000, 0x20000000 },
	{ "IPv6, far from 2^32", true, 0x10000000, 0x20000000 },
	{ "IPv4, both wrap", false, 0xfffff900, 0xffffff80 },
	{ "IPv6, both wrap", true, 0xfffff900, 0xffffff80 },
	{ "IPv4, at 2^31", false, 0x7fffff00, 0x80000040 },
};

/* Kernel and two legs in turn: each sees its own bytes only, without a gap. */
TEST_ROWS(interleaved, "kernel, leg, kernel, other leg, first leg", wrap_rows)
{
	const struct wrap_row *row = row_;
	struct node one, two;
	struct result *r;
	struct client c;
	int i;

	client_init(&c, row->v6);
	client_connect_near(&c, row->client_isn, row->isn);
	exchange_fresh(&c, &one, 1, "/1/a");
	for (i = 0; i < 40; i++) {
		check_step("round %d", i);
		client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
		if (i == 0)
			exchange_fresh(&c, &two, 2, "/2/a");
		else
			expect_counts(exchange_again(&c, &two, "/2/b"),
				      "REQUESTS MISS_ROUTE LEG_REUSED");
		client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
		r = exchange_again(&c, &one, "/1/b");
		expect_counts(r, "REQUESTS MISS_ROUTE LEG_REUSED");
		expect_no_clones(r);
	}
	if (row->isn == 0xffffff80)
		EXPECT_TRUE(c.seq < 1 << 20 && c.ack < 1 << 20);
}

TEST(leg_numbers, "bases and deltas of a resumed leg")
{
	struct client c;
	struct node one;
	struct leg leg;
	uint32_t start, ack;

	client_open(&c, false);
	start = c.seq;
	ack = c.ack;
	exchange_fresh(&c, &one, 1, "/1/a");
	leg = peek_leg(&c, 1);
	EXPECT(leg.state, LEG_OPEN);
	EXPECT(leg.start, start);
	EXPECT(leg.base_in, start);
	EXPECT(leg.base_out, ack);
	EXPECT(leg.delta_in, 0);
	EXPECT(leg.delta_out, 0);
	EXPECT(leg.rnxt, c.seq);
	EXPECT(leg.resp_pos, c.ack);
	EXPECT(leg.snd_max, c.ack);
	EXPECT(leg.sent, 1);
	EXPECT(leg.done, 1);
	start = c.seq;
	ack = c.ack;
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	EXPECT(peek_flow(&c).active, ACTIVE_KERNEL);
	exchange_again(&c, &one, "/1/b");
	leg = peek_leg(&c, 1);
	EXPECT(leg.delta_in, strlen(GET("/small")));
	EXPECT(leg.base_in, start);
	EXPECT(leg.base_out, ack);
	EXPECT(leg.delta_out, c.ack - ack - strlen(OK_5));
	EXPECT(leg.sent, 2);
	EXPECT(leg.done, 2);
}

/* The client's last ack rides on the request that goes elsewhere. */
TEST(park_told, "a leg that is parked is told the last ack")
{
	const struct packet *p;
	struct node one, two;
	struct result *r;
	struct client c;

	client_open(&c, false);
	node_open(&one, 1, &c, GET("/1/a"));
	client_take(&c, node_say(&one, OK_5));
	r = client_say(&c, GET("/small"));
	p = expect_clone(r, NET_NODE1);
	node_expect(&one, p);
	EXPECT(p->flags, TCP_ACK);
	EXPECT(p->len, 0);
	r->n_clones = 0;
	client_expect_object(&c, r, SLOT_SMALL, false, false);

	r = client_say(&c, GET("/1/b"));
	node_expect_text(&one, r, GET("/1/b"));
	client_take(&c, node_say(&one, OK_5));
	r = client_say(&c, GET("/2/a"));
	node_expect(&one, expect_clone(r, NET_NODE1));
	p = expect_out(r, NET_NODE2);
	node_accept(&two, 2, p);
	expect_bytes("restored request", p->payload, p->len, GET("/2/a"), strlen(GET("/2/a")));
	EXPECT(r->mark, NET_MARK_BASE + 2);
}

struct parked {
	struct client c;
	struct node one, two;
};

/* Leg 1 is parked, leg 2 active and idle. */
static void park_one(struct parked *k, bool v6)
{
	client_init(&k->c, v6);
	k->c.window = 4321;
	client_connect(&k->c);
	exchange_fresh(&k->c, &k->one, 1, "/1/a");
	exchange_fresh(&k->c, &k->two, 2, "/2/a");
}

struct probe_row {
	const char *name;
	bool v6;
	int32_t seq_off;
	uint32_t len;
	int verdict;
};

static const struct probe_row probe_rows[] = {
	{ "data that was sent before", false, -5, 5, REDIRECT },
	{ "IPv6, the same", true, -5, 5, REDIRECT },
	{ "keep-alive probe", false, -1, 0, REDIRECT },
	{ "keep-alive probe with a byte", false, -1, 1, REDIRECT },
	{ "pure ACK", false, 0, 0, DROP },
};

/* Answered in place: the backend's TCP must not time out; the client must see nothing. */
TEST_ROWS(parked_data, "parked leg", probe_rows)
{
	const struct probe_row *row = row_;
	const struct packet *p;
	struct parked k;
	struct packet probe;
	struct result *r;

	park_one(&k, row->v6);
	probe = node_packet(&k.one, TCP_ACK, "helloxxxx", row->len);
	probe.seq += row->seq_off;
	r = node_run(&k.one, &probe);
	expect_counts(r, "");
	expect_verdict(r, row->verdict);
	expect_no_clones(r);
	if (row->verdict == DROP)
		return;
	p = expect_out(r, NET_NODE1);
	EXPECT(p->flags, TCP_ACK);
	EXPECT(p->window, k.c.window);
	node_expect(&k.one, p);
	EXPECT(peek_flow(&k.c).active, peek_leg(&k.c, 2).index);
}

/* RST in place frees the tuple; the client's connection and the other leg go on. */
static void expect_closed_alone(struct parked *k, struct node *closed, const struct result *r)
{
	const struct packet *p = expect_out(r, closed->id);

	EXPECT(p->flags, TCP_RST);
	EXPECT(p->seq, closed->ack);
	expect_no_clones(r);
	EXPECT(peek_leg(&k->c, closed->id).state, LEG_DEAD);
	EXPECT(peek_flow(&k->c).state, FLOW_OPEN);
}

TEST(parked_fin, "FIN of a parked leg: RST in place")
{
	struct parked k;
	struct result *r;

	park_one(&k, false);
	r = node_send(&k.one, TCP_FIN | TCP_ACK, NULL, 0);
	expect_counts(r, "LEG_CLOSED");
	expect_closed_alone(&k, &k.one, r);
	exchange_again(&k.c, &k.two, "/2/b");
	exchange_fresh(&k.c, &k.one, 1, "/1/b");
}

TEST(active_fin, "FIN of the active leg while idle: RST in place, a fresh leg next time")
{
	struct parked k;
	struct result *r;

	park_one(&k, true);
	r = node_send(&k.two, TCP_FIN | TCP_ACK, NULL, 0);
	expect_counts(r, "LEG_CLOSED");
	expect_closed_alone(&k, &k.two, r);
	EXPECT(peek_flow(&k.c).active, ACTIVE_KERNEL);
	client_expect_object(&k.c, client_say(&k.c, GET("/small")), SLOT_SMALL, false, false);
	exchange_fresh(&k.c, &k.two, 2, "/2/b");
	exchange_again(&k.c, &k.one, "/1/b");
}

TEST(parked_rst, "RST of a parked leg ends that leg alone")
{
	struct parked k;
	struct result *r;

	park_one(&k, false);
	r = node_send(&k.one, TCP_RST | TCP_ACK, NULL, 0);
	expect_verdict(r, DROP);
	EXPECT(peek_leg(&k.c, 1).state, LEG_DEAD);
	exchange_again(&k.c, &k.two, "/2/b");
	exchange_fresh(&k.c, &k.one, 1, "/1/b");
}

TEST(active_rst_idle, "RST of the active leg while idle: the connection stays")
{
	struct parked k;
	struct result *r;

	park_one(&k, false);
	r = node_send(&k.two, TCP_RST | TCP_ACK, NULL, 0);
	expect_verdict(r, DROP);
	expect_counts(r, "LEG_CLOSED");
	client_expect_object(&k.c, client_say(&k.c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(active_rst_busy, "RST of the active leg before its response ends the connection")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	r = node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_RST | TCP_ACK);
	expect_counts(r, "");
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

/* The fifth backend takes a parked leg's place; that one's packets must not touch the fifth. */
TEST(fifth_leg, "a fifth backend: the leg that gives way is ended")
{
	struct node n[6];
	struct result *r;
	struct client c;
	int i, gone = 0;

	client_open(&c, false);
	for (i = 1; i <= 4; i++) {
		char path[8];

		sprintf(path, "/%d/a", i);
		exchange_fresh(&c, &n[i], i, path);
	}
	r = client_say(&c, GET("/5/a"));
	node_accept(&n[5], 5, expect_out(r, NET_NODE5));
	for (i = 1; i <= 4; i++) {
		struct leg leg = peek_leg(&c, i);
		struct flow f = peek_flow(&c);

		if (leg.state == LEG_OPEN && (int)f.legs[leg.index & 3] == peek_leg_slot(&c, i) + 1)
			continue;
		gone = i;
		r = node_send(&n[i], TCP_FIN | TCP_ACK, NULL, 0);
		EXPECT(expect_out(r, i)->flags, TCP_RST);
	}
	EXPECT_TRUE(gone != 0);
	EXPECT(peek_flow(&c).active, peek_leg(&c, 5).index);
	node_reply(&n[5], &c, OK_5);
}
