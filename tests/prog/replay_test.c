// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request that meets an idle close: the leg had been idle for a while, Node answers the request
 * with RST. GET and HEAD go to a fresh socket, once; everything else is the client's to know.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "peek.h"
#include "prog_node.h"

#define IDLE_US 500000

/* A leg on backend 1 that took its last request `age_us` ago; both sides idle. */
static void open_idle(struct client *c, struct node *n, bool v6, const char *text, uint32_t age_us)
{
	struct leg leg;

	client_open(c, v6);
	node_open(n, 1, c, text);
	node_reply(n, c, OK_5);
	leg = peek_leg(c, 1);
	leg.asked_us = peek_now() / 1000 - age_us;
	peek_set_leg(c, 1, &leg);
}

static struct result *send_rst(struct node *n)
{
	struct packet p = node_packet(n, TCP_RST, NULL, 0);

	p.options_len = 0; /* as the kernel sends it for a socket that is gone */
	return node_run(n, &p);
}

struct family_row {
	const char *name;
	bool v6, by_fin;
};

static const struct family_row family_rows[] = {
	{ "IPv4", false, false },
	{ "IPv6", true, false },
	{ "IPv4, a FIN crossed the request", false, true },
	{ "IPv6, a FIN crossed the request", true, true },
};

TEST_ROWS(replayed, "GET goes to a fresh socket", family_rows)
{
	const struct family_row *row = row_;
	const struct packet *p;
	struct node n, closing;
	struct result *r;
	struct client c;
	uint32_t seq, ack;

	open_idle(&c, &n, row->v6, GET("/1/a"), 2 * IDLE_US);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	closing = n;
	seq = c.seq;
	ack = c.ack;
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	if (row->by_fin)
		expect_counts(node_send(&closing, TCP_FIN | TCP_ACK, NULL, 0), "DROP_STALE");
	r = send_rst(&n);
	expect_counts(r, "REPLAYED");
	p = expect_out(r, NET_NODE1);
	expect_no_clones(r);
	EXPECT(r->mark, NET_MARK_BASE + 1);
	EXPECT(p->flags & TCP_RST, 0);
	EXPECT(p->seq, seq);
	EXPECT(p->ack, ack);
	EXPECT(p->has_ts, true);
	expect_bytes("request", p->payload, p->len, GET("/1/b"), strlen(GET("/1/b")));
	node_accept(&n, 1, p);
	EXPECT(peek_leg(&c, 1).state, LEG_OPENING);
	EXPECT(peek_leg(&c, 1).sent, 1);
	node_reply(&n, &c, OK_5);
	EXPECT(peek_flow(&c).stash, 0);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(other_member, "to another backend of the pool, if its turn has come")
{
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/both/a"), 2 * IDLE_US);
	node_expect_text(&n, client_say(&c, GET("/both/b")), GET("/both/b"));
	r = send_rst(&n);
	expect_counts(r, "REPLAYED");
	node_accept(&n, 2, expect_out(r, NET_NODE2));
	node_reply(&n, &c, OK_5);
}

TEST(head, "a HEAD stays a HEAD")
{
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/1/a"), 2 * IDLE_US);
	client_say(&c, "HEAD /1/b HTTP/1.1\r\nHost: a\r\n\r\n");
	node_accept(&n, 1, expect_out(send_rst(&n), NET_NODE1));
	node_reply(&n, &c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	EXPECT(peek_leg(&c, 1).rphase, RESPONSE_IDLE);
}

TEST(pieces, "a request that came in pieces")
{
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/1/a"), 2 * IDLE_US);
	expect_counts(client_say(&c, "GET /1/b HT"), "STASHED");
	node_take(&n, client_say(&c, "TP/1.1\r\nHost: a\r\n\r\n"));
	node_ack(&n);
	r = send_rst(&n);
	expect_counts(r, "REPLAYED");
	p = expect_out(r, NET_NODE1);
	expect_bytes("request", p->payload, p->len, GET("/1/b"), strlen(GET("/1/b")));
}

TEST(closing_request, "`Connection: close` is not forgotten: the FIN goes to the client")
{
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/1/a"), 2 * IDLE_US);
	client_say(&c, "GET /1/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	node_accept(&n, 1, expect_out(send_rst(&n), NET_NODE1));
	node_reply(&n, &c, OK_5);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
}

struct refused_row {
	const char *name;
	const char *request;
	uint32_t age_us;
	const char *response; /* what came of it */
};

static const struct refused_row refused_rows[] = {
	{ "POST", "POST /1/b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 2 * IDLE_US, "" },
	{ "GET with a body", "GET /1/b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
	  2 * IDLE_US, "" },
	{ "a leg that was not idle", GET("/1/b"), IDLE_US / 5, "" },
	{ "a byte of the response has come", GET("/1/b"), 2 * IDLE_US, "H" },
	{ "pipelined requests", GET("/1/b") GET("/1/c"), 2 * IDLE_US, "" },
};

TEST_ROWS(not_replayed, "RST goes to the client", refused_rows)
{
	const struct refused_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/1/a"), row->age_us);
	node_expect_text(&n, client_say(&c, row->request), row->request);
	if (row->response[0])
		client_take(&c, node_say(&n, row->response));
	r = node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_RST | TCP_ACK);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(once, "the second RST goes to the client")
{
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/1/a"), 2 * IDLE_US);
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	node_accept(&n, 1, expect_out(send_rst(&n), NET_NODE1));
	r = node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_RST | TCP_ACK);
}

TEST(no_backend, "no backend left: the client gets a RST, not silence")
{
	struct backend b = room_backend(1);
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, false, GET("/1/a"), 2 * IDLE_US);
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	b.flags &= ~BACKEND_UP;
	room_set_backend(1, &b);
	r = send_rst(&n);
	EXPECT(expect_out(r, NET_UPLINK)->flags & TCP_RST, TCP_RST);
	EXPECT(r->packet.seq, c.ack);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(client_repeats, "the client's own repetition goes to the fresh socket")
{
	struct packet again;
	struct result *r;
	struct client c;
	struct node n;

	open_idle(&c, &n, true, GET("/1/a"), 2 * IDLE_US);
	again = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/b"), strlen(GET("/1/b")));
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	node_accept(&n, 1, expect_out(send_rst(&n), NET_NODE1));
	n.ack -= again.len;
	r = client_run(&again);
	expect_counts(r, "");
	node_expect_text(&n, r, GET("/1/b"));
	node_reply(&n, &c, OK_5);
}
