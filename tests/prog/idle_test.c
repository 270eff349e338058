// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections that rest for long between two requests: they go on where they were, with the same
 * leg, or are forgotten so that both sides learn of it. The limits themselves: table_test.c.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* The client's last packet, and the backend's, were so long ago. */
static void set_age(const struct client *c, uint32_t seconds)
{
	struct flow f = peek_flow(c);

	f.seen = peek_clock() - PEEK_SECONDS(seconds);
	peek_set_flow(c, &f);
}

static void ask_kernel(struct client *c)
{
	client_expect_object(c, client_say(c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(c);
}

struct age_row {
	const char *name;
	bool v6;
	uint32_t age_s;
};

/* Longer than connections without a request, or tombstones, are kept; the longest that works. */
static const struct age_row age_rows[] = {
	{ "10 s", false, 10 },
	{ "65 s", false, 65 },
	{ "IPv6, 65 s", true, 65 },
	{ "an hour but 10 s", false, 3590 },
	{ "IPv6, an hour but 10 s", true, 3590 },
};

TEST_ROWS(kernel, "idle after an answer of the kernel: the flow goes on", age_rows)
{
	const struct age_row *row = row_;
	struct client c;
	uint32_t slot, gen;

	client_open(&c, row->v6);
	ask_kernel(&c);
	slot = peek_flow_slot(&c);
	gen = peek_flow(&c).gen;
	set_age(&c, row->age_s);
	ask_kernel(&c);
	EXPECT(peek_flow_slot(&c), slot);
	EXPECT(peek_flow(&c).gen, gen);
}

TEST_ROWS(leg, "idle after an answer of a backend: the leg goes on", age_rows)
{
	const struct age_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	set_age(&c, row->age_s);
	r = client_say(&c, GET("/1/b"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_REUSED");
	node_expect_text(&n, r, GET("/1/b"));
	node_reply(&n, &c, OK_5);
	ask_kernel(&c);
}

TEST_ROWS(parked, "idle after both: flow and leg go on", age_rows)
{
	const struct age_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	ask_kernel(&c);
	set_age(&c, row->age_s);
	r = client_say(&c, GET("/1/b"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_REUSED");
	node_expect_text(&n, r, GET("/1/b"));
	node_reply(&n, &c, OK_5);
}

struct probe_row {
	const char *name;
	bool v6, by_node;
};

static const struct probe_row probe_rows[] = {
	{ "the client, to the kernel", false, false },
	{ "IPv6, the client, to the kernel", true, false },
	{ "the client, to a backend", false, true },
	{ "IPv6, the client, to a backend", true, true },
};

/* RFC 9293, 3.8.4 */
TEST_ROWS(probed, "keep-alive probes keep a connection", probe_rows)
{
	const struct probe_row *row = row_;
	struct packet probe;
	struct client c;
	struct node n;
	int i;

	client_open(&c, row->v6);
	if (row->by_node) {
		node_open(&n, 1, &c, GET("/1/a"));
		node_reply(&n, &c, OK_5);
	} else {
		ask_kernel(&c);
	}
	for (i = 0; i < 3; i++) {
		check_step("probe %d", i);
		set_age(&c, 3000);
		probe = client_packet(&c, TCP_ACK, NULL, 0);
		probe.seq--;
		if (row->by_node) { /* whose ACK is the answer */
			EXPECT(expect_out(client_run(&probe), NET_NODE1)->seq, n.ack - 1);
			EXPECT(client_take(&c, node_ack(&n))->flags, TCP_ACK);
		} else {
			client_expect_ack(&c, client_run(&probe));
		}
		EXPECT_TRUE(peek_clock() - peek_flow(&c).seen < PEEK_SECONDS(60));
	}
	ask_kernel(&c);
}

struct family_row {
	const char *name;
	bool v6, has_leg;
};

static const struct family_row family_rows[] = {
	{ "IPv4, after an answer of the kernel", false, false },
	{ "IPv6, after an answer of the kernel", true, false },
	{ "IPv4, after an answer of a backend", false, true },
	{ "IPv6, after an answer of a backend", true, true },
};

TEST_ROWS(forgotten, "idle for more than an hour: both sides get RST when they speak", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	if (row->has_leg) {
		node_open(&n, 1, &c, GET("/1/a"));
		node_reply(&n, &c, OK_5);
	} else {
		ask_kernel(&c);
	}
	set_age(&c, 3610);
	r = client_say(&c, GET("/small"));
	expect_counts(r, "COOKIE_BAD RST_SENT");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST);
	EXPECT(r->packet.seq, c.ack);
	if (!row->has_leg)
		return;
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	EXPECT(r->packet.seq, n.ack);
}
