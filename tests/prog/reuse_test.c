// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What comes after a connection's end on its tuple: late segments, old duplicates, the next
 * connection of the same port (RFC 6191; RFC 9293, 3.5.1 and 3.6.1), and what that one's first
 * request does.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define OK_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

static struct fixture {
	struct client c;
	struct node n;
} x;

static void close_kernel(void)
{
	client_expect_object(&x.c, client_say(&x.c, GET_CLOSE("/small")), SLOT_SMALL, true, false);
	client_send(&x.c, TCP_FIN | TCP_ACK, NULL, 0);
	client_ack(&x.c);
}

static void close_leg(void)
{
	node_open(&x.n, 1, &x.c, GET_CLOSE("/1/a"));
	node_reply(&x.n, &x.c, OK_CLOSE);
	client_take(&x.c, node_send(&x.n, TCP_FIN | TCP_ACK, NULL, 0));
	node_take(&x.n, client_send(&x.c, TCP_FIN | TCP_ACK, NULL, 0));
	client_take(&x.c, node_ack(&x.n));
}

static void close_rst(void)
{
	struct packet rst;

	client_expect_object(&x.c, client_say(&x.c, GET("/small")), SLOT_SMALL, false, false);
	rst = client_packet(&x.c, TCP_RST, NULL, 0);
	expect_verdict(client_run(&rst), DROP);
}

static void no_close(void)
{
	node_open(&x.n, 1, &x.c, GET("/1/a"));
	node_reply(&x.n, &x.c, OK_5);
}

static void no_close_kernel(void)
{
	client_expect_object(&x.c, client_say(&x.c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&x.c);
}

struct reuse_row {
	const char *name;
	bool v6, has_ts;
	void (*end)(void);
	int32_t isn_off; /* of the next connection, from the last byte of the old */
	int32_t ts_off;
	bool is_challenged; /* the first SYN is answered with an ACK, which the client refuses */
};

static const struct reuse_row reuse_rows[] = {
	{ "closed, higher ISN", false, false, close_kernel, 5000, 0, false },
	{ "closed, higher ISN, timestamps", true, true, close_kernel, 5000, 10, false },
	{ "closed, lower ISN, newer timestamp", false, true, close_kernel, -5000, 10, false },
	{ "closed, lower ISN", false, false, close_kernel, -5000, 0, true },
	{ "closed, lower ISN, clock went back", false, true, close_kernel, -5000, -100000, true },
	{ "leg closed, higher ISN", false, true, close_leg, 5000, 10, false },
	{ "leg closed, lower ISN", true, false, close_leg, -5000, 0, true },
	{ "RST, higher ISN", false, true, close_rst, 5000, 10, false },
	{ "RST, lower ISN", false, false, close_rst, -5000, 0, false },
	{ "RST, lower ISN, clock went back", true, true, close_rst, -5000, -100000, false },
	{ "open, higher ISN", false, true, no_close_kernel, 5000, 10, true },
	{ "open, lower ISN", false, false, no_close_kernel, -5000, 0, true },
	{ "open, clock went back", true, true, no_close_kernel, -5000, -100000, true },
	{ "leg open, higher ISN", false, true, no_close, 5000, 10, true },
	{ "leg open, lower ISN, clock went back", true, true, no_close, -5000, -100000, true },
};

/* The ACK that a client in SYN-SENT answers with RST (RFC 9293, 3.10.7.3). */
static void refuse_challenge(struct client *fresh, const struct client *old)
{
	struct packet rst;
	struct result *r = client_send(fresh, TCP_SYN, NULL, 0);
	uint32_t told = expect_out(r, NET_UPLINK)->ack;

	EXPECT(r->packet.flags, TCP_ACK);
	EXPECT(told, old->seq);
	rst = client_packet(fresh, TCP_RST, NULL, 0);
	rst.seq = told;
	expect_verdict(client_run_as_is(&rst), DROP);
	EXPECT(peek_flow(old).state, FLOW_CLOSED);
	fresh->seq--;
}

TEST_ROWS(reuse, "the port again", reuse_rows)
{
	const struct reuse_row *row = row_;
	struct client old;

	client_init(&x.c, row->v6);
	x.c.has_ts = row->has_ts;
	client_connect(&x.c);
	row->end();
	old = x.c;
	x.c.seq += row->isn_off;
	x.c.tsval += row->ts_off;
	if (row->is_challenged)
		refuse_challenge(&x.c, &old);
	client_connect(&x.c);
	node_open(&x.n, 1, &x.c, GET("/1/b"));
	node_reply(&x.n, &x.c, OK_5);
	client_expect_object(&x.c, client_say(&x.c, GET("/small")), SLOT_SMALL, false, false);
	EXPECT(peek_flows(), 1);
}

struct late_row {
	const char *name;
	int32_t off; /* from the end of what the client sent */
	uint8_t flags;
	const char *payload;
};

static const struct late_row late_rows[] = {
	{ "ACK", 0, TCP_ACK, "" },
	{ "old ACK", -20, TCP_ACK, "" },
	{ "old data", -20, TCP_ACK | TCP_PSH, "0123456789" },
	{ "a request", 0, TCP_ACK | TCP_PSH, GET("/small") },
	{ "a request for a backend", 0, TCP_ACK | TCP_PSH, GET("/1/a") },
	{ "a request far ahead", 100000, TCP_ACK | TCP_PSH, GET("/1/a") },
};

/* Nothing is answered, passed on, or made of it; the next connection works all the same. */
TEST_ROWS(late, "late segment of a closed connection", late_rows)
{
	const struct late_row *row = row_;
	struct packet p;
	struct result *r;

	client_open(&x.c, false);
	close_kernel();
	EXPECT(peek_flow(&x.c).state, FLOW_CLOSED);
	p = client_packet(&x.c, row->flags, row->payload, strlen(row->payload));
	p.seq += row->off;
	r = client_run(&p);
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_STALE");
	expect_no_clones(r);
	EXPECT(peek_flow(&x.c).state, FLOW_CLOSED);
	EXPECT(peek_leg_slot(&x.c, 1), -1);
}

/* The old connection's packets, while the next one is open (RFC 9293, 3.5). */
TEST(old_duplicate, "old duplicates in the next connection of a port")
{
	struct packet old, old_fin, old_rst;
	struct result *r;

	client_open(&x.c, false);
	old = client_packet(&x.c, TCP_ACK | TCP_PSH, GET("/1/a"), strlen(GET("/1/a")));
	close_kernel();
	old_fin = client_packet(&x.c, TCP_FIN | TCP_ACK, NULL, 0);
	old_rst = client_packet(&x.c, TCP_RST, NULL, 0);
	x.c.seq += 200000;
	client_connect(&x.c);
	r = client_run_as_is(&old);
	EXPECT(expect_out(r, NET_UPLINK)->ack, x.c.seq);
	EXPECT(r->packet.len, 0);
	r = client_run_as_is(&old_fin);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	r = client_run_as_is(&old_rst);
	expect_verdict(r, DROP);
	EXPECT(peek_flow(&x.c).state, FLOW_OPEN);
	EXPECT(peek_leg_slot(&x.c, 1), -1);
	client_expect_object(&x.c, client_say(&x.c, GET("/small")), SLOT_SMALL, false, false);
}

/* The backend's socket of the old connection may still speak. */
TEST(old_leg, "the old connection's backend in the next connection of a port")
{
	struct packet old_data;
	struct node old;
	struct result *r;

	client_open(&x.c, false);
	no_close();
	old = x.n;
	old_data = node_packet(&old, TCP_ACK | TCP_PSH, OK_5, strlen(OK_5));
	close_rst();
	x.c.seq += 200000;
	client_connect(&x.c);
	r = node_run(&old, &old_data);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	node_open(&x.n, 1, &x.c, GET("/1/b"));
	r = node_run(&old, &old_data); /* outside the new leg, or at least not to the client */
	EXPECT_TRUE(r->verdict != REDIRECT || r->out_ifindex == net_ifindex(NET_NODE1) ||
		    r->packet.seq != x.c.ack);
	EXPECT(peek_flow(&x.c).state, FLOW_OPEN);
}

TEST(rst_replay, "the first ACK again after RST, SYN or not: no connection without a new cookie")
{
	struct packet first;
	struct result *r;

	client_init(&x.c, false);
	client_syn(&x.c);
	first = client_packet(&x.c, TCP_ACK, NULL, 0);
	client_run(&first);
	close_rst();
	r = client_run_as_is(&first);
	expect_counts(r, "DROP_STALE");
	EXPECT(peek_flow(&x.c).state, FLOW_CLOSED);
}
