// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of legs and the stashes, full: who gives way, what is refused, and that a request which
 * finds no room is served when it is repeated. All legs are in one bucket.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define A_MOMENT 2 /* 134 ms of the coarse clock: not silent yet */

static void one_leg_bucket(void)
{
	struct settings settings = room_settings();

	settings.leg_mask = 0;
	room_set_settings(&settings);
}

TEST(leg_full, "full bucket of legs: 503, and with another member of the pool as well")
{
	struct client c[LEG_WAYS + 1];
	struct result *r;
	struct node n;
	int i;

	one_leg_bucket();
	for (i = 0; i < LEG_WAYS; i++) {
		client_open(&c[i], false);
		node_open(&n, 1, &c[i], GET("/1/a"));
	}
	client_open(&c[i], false);
	r = client_say(&c[i], GET("/both/a"));
	expect_counts(r, "LEG_FULL*2 ERROR_503");
	client_expect_object(&c[i], r, SLOT_ERRORS + CANNED_503, true, false);
}

TEST(leg_evicted, "full bucket of legs: the one that is idle longest gives way")
{
	struct client c[LEG_WAYS + 1];
	struct node n[LEG_WAYS + 1];
	struct flow f;
	int i;

	one_leg_bucket();
	for (i = 0; i < LEG_WAYS; i++) {
		client_open(&c[i], false);
		node_open(&n[i], 1, &c[i], GET("/1/a"));
		node_reply(&n[i], &c[i], OK_5);
		f = peek_flow(&c[i]);
		f.seen -= PEEK_SECONDS(i == 5 ? 100 : 10);
		peek_set_flow(&c[i], &f);
	}
	client_open(&c[i], false);
	node_open(&n[i], 1, &c[i], GET("/1/a"));
	EXPECT(peek_leg_slot(&c[i], 1), 5);
	EXPECT(peek_flow(&c[5]).active, ACTIVE_KERNEL);
	client_expect_object(&c[5], client_say(&c[5], GET("/small")), SLOT_SMALL, false, false);
	EXPECT(peek_flow(&c[4]).active, 0);
}

/* The backend dies and the client closes too: the flow says for ever that a response is awaited. */
TEST(leg_over, "full bucket of legs: one that both sides have closed gives way, answered or not")
{
	struct client c[LEG_WAYS + 1];
	struct node n[LEG_WAYS + 1];
	int i, slot;

	one_leg_bucket();
	for (i = 0; i < LEG_WAYS; i++) {
		client_open(&c[i], false);
		node_open(&n[i], 1, &c[i], GET("/1/a"));
	}
	slot = peek_leg_slot(&c[3], 1);
	client_take(&c[3], node_send(&n[3], TCP_FIN | TCP_ACK, NULL, 0));
	node_take(&n[3], client_send(&c[3], TCP_FIN | TCP_ACK, NULL, 0));
	client_take(&c[3], node_ack(&n[3]));
	client_open(&c[i], false);
	node_open(&n[i], 1, &c[i], GET("/1/a"));
	EXPECT(peek_leg_slot(&c[i], 1), slot);
}

struct free_row {
	const char *name;
	bool dead; /* the leg itself; else its flow */
};

static const struct free_row free_rows[] = { { "dead leg", true },
					     { "leg of a closed flow", false } };

TEST_ROWS(leg_free, "an entry for a fresh leg", free_rows)
{
	const struct free_row *row = row_;
	struct client c[LEG_WAYS + 1];
	struct node n;
	struct flow f;
	struct leg leg;
	int i, slot;

	one_leg_bucket();
	for (i = 0; i < LEG_WAYS; i++) {
		client_open(&c[i], false);
		node_open(&n, 1, &c[i], GET("/1/a"));
	}
	slot = peek_leg_slot(&c[6], 1);
	if (row->dead) {
		leg = peek_leg(&c[6], 1);
		leg.state = LEG_DEAD;
		peek_set_leg(&c[6], 1, &leg);
	} else {
		f = peek_flow(&c[6]);
		f.state = FLOW_CLOSED;
		peek_set_flow(&c[6], &f);
	}
	client_open(&c[LEG_WAYS], true);
	node_open(&n, 1, &c[LEG_WAYS], GET("/1/a"));
	EXPECT(peek_leg_slot(&c[LEG_WAYS], 1), slot);
}

/* One address and port of a client at two VIPs: a backend's socket can serve one of them only. */
TEST(leg_twin, "a tuple that another connection of the client holds: another backend")
{
	struct vip_key key = { .addr = packet_addr(CLIENT_VIP4), .port = 0x901f /* 8080 */ };
	struct vip vip = { .id = 2, .default_pool = POOL_BOTH };
	struct client c, twin;
	struct result *r;
	uint32_t id = 2;
	struct node n;

	room_map_update("vips", &key, &vip);
	room_map_update("vip_list", &id, &key);
	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_init(&twin, false);
	twin.port = c.port;
	twin.vip_port = 8080;
	client_connect(&twin);
	r = client_say(&twin, GET("/both/a"));
	expect_out(r, NET_NODE2);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_FULL LEG_NEW");
	node_reply(&n, &c, OK_5);
	room_map_delete("vips", &key);
}

/* A piece that ends inside the head: acknowledged at once, nothing goes on. */
static void expect_stashed(struct client *c, const struct result *r)
{
	client_expect_ack(c, r);
	expect_counts(r, "STASHED");
	expect_no_clones(r);
}

/* Gives every stash to a connection that used it `age` units of the coarse clock ago. */
static void take_stashes(const struct client *holder, uint32_t age)
{
	struct stash st = peek_stash(0);
	uint32_t i;

	st.owner_slot = peek_flow_slot(holder) + 1;
	st.owner_gen = peek_flow(holder).gen;
	st.seen = peek_clock() - age;
	for (i = 0; i < ROOM_STASHES; i++)
		peek_set_stash(i, &st);
}

static void give_stashes(void)
{
	struct stash st = {};
	uint32_t i;

	for (i = 0; i < ROOM_STASHES; i++)
		peek_set_stash(i, &st);
}

/* The packet begins inside the request before, which the kernel answered. */
static struct packet overlapping(struct client *c, char *text, const char *path)
{
	struct packet p;
	size_t len;

	client_open(c, false);
	p = client_packet(c, TCP_PSH | TCP_ACK, text, 0);
	client_expect_object(c, client_say(c, GET("/small")), SLOT_SMALL, false, false);
	len = sprintf(text, "%sGET %s HTTP/1.1\r\nHost: a\r\n\r\n", GET("/small"), path);
	p.len = len;
	p.ack = c->ack;
	c->seq = p.seq + len;
	return p;
}

TEST(overlap_old, "a packet that begins inside the request before")
{
	struct packet whole;
	struct result *r;
	struct client c;
	struct node n;
	char text[256];

	whole = overlapping(&c, text, "/1/a");
	r = client_run(&whole);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, whole.seq + strlen(GET("/small")), r, GET("/1/a"),
			    strlen(GET("/1/a")));
	node_reply(&n, &c, OK_5);
}

TEST(no_stash, "no stash free: the piece is not accepted, the whole request is")
{
	struct client c, holder;
	struct result *r;

	client_open(&holder, false);
	take_stashes(&holder, A_MOMENT);
	client_open(&c, false);
	r = client_send(&c, TCP_ACK, "GET /small", 10);
	expect_verdict(r, DROP);
	expect_counts(r, "STASH_FULL");
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	c.seq -= 10;
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(no_stash_overlap, "no stash free for an overlapping packet: the repetition succeeds")
{
	struct client c, holder;
	struct packet whole;
	struct result *r;
	struct node n;
	char text[256];

	client_open(&holder, false);
	take_stashes(&holder, A_MOMENT);
	whole = overlapping(&c, text, "/1/a");
	client_run(&whole);
	give_stashes();
	r = client_run(&whole);
	expect_verdict(r, REDIRECT);
	node_expect_opening(&n, &c, 1, whole.seq + strlen(GET("/small")), r, GET("/1/a"),
			    strlen(GET("/1/a")));
}

TEST(stash_of_the_dead, "the stash of a flow that is over is free")
{
	struct client c, holder;
	struct flow f;

	client_open(&holder, false);
	take_stashes(&holder, A_MOMENT);
	f = peek_flow(&holder);
	f.state = FLOW_CLOSED;
	peek_set_flow(&holder, &f);
	client_open(&c, false);
	expect_stashed(&c, client_send(&c, TCP_ACK, "GET /small", 10));
}

TEST(silent, "none free: the stash of a silent client gives way, and ends its connection")
{
	struct client c, holder;
	struct result *r;
	struct flow f;

	client_open(&holder, false);
	expect_stashed(&holder, client_send(&holder, TCP_ACK, "GET /small", 10));
	f = peek_flow(&holder);
	take_stashes(&holder, PEEK_SECONDS(2));
	client_open(&c, false);
	expect_stashed(&c, client_send(&c, TCP_ACK, "GET /small", 10));
	EXPECT_TRUE(peek_flow(&c).stash != 0);
	f.stash = peek_flow(&c).stash;
	peek_set_flow(&holder, &f);
	r = client_say(&holder, " HTTP/1.1\r\nHost: a\r\n\r\n");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST | TCP_ACK);
	EXPECT(peek_flow(&holder).state, FLOW_CLOSED);
	client_expect_object(&c, client_say(&c, " HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL, false,
			     false);
}
