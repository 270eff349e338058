// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests with bodies on their way to a leg: no byte of a body is lost, sent twice to no purpose,
 * or read as a request.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define POST_10 "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
#define POST_100 "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
#define POST_CHUNKED "POST /1/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TEN "0123456789"

TEST(body_one, "POST with its body in the same packet, then a component")
{
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_10 TEN);
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

/* Position decides what is a request, not the bytes. */
TEST(body_hides_request, "a body that looks like a request is a body")
{
	static const char body[] = GET("/small");
	char head[128];
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	sprintf(head, "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
		strlen(body) + 3);
	node_open(&n, 1, &c, head);
	EXPECT(peek_flow(&c).phase, REQUEST_BODY);
	r = client_say(&c, body);
	expect_counts(r, "");
	node_expect_text(&n, r, body);
	EXPECT(peek_flow(&c).phase, REQUEST_BODY);
	node_expect_text(&n, client_say(&c, "end"), "end");
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(chunked_hides_request, "a chunk that looks like a request is a chunk")
{
	static const char chunk[] = GET("/small");
	char line[64];
	struct client c;
	struct node n;

	client_open(&c, true);
	node_open(&n, 1, &c, POST_CHUNKED);
	sprintf(line, "%zx\r\n", strlen(chunk));
	node_expect_text(&n, client_say(&c, line), line);
	node_expect_text(&n, client_say(&c, chunk), chunk);
	EXPECT(peek_flow(&c).phase, REQUEST_CHUNKED);
	node_expect_text(&n, client_say(&c, "\r\n0\r\n\r"), "\r\n0\r\n\r");
	EXPECT(peek_flow(&c).phase, REQUEST_CHUNKED);
	node_expect_text(&n, client_say(&c, "\n"), "\n");
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(chunked_bad, "a malformed chunk: 400, RST to the backend, nothing behind it is read")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_CHUNKED);
	r = client_say(&c, "zz\r\n" GET("/small"));
	expect_counts(r, "LAST_BODY");
	EXPECT(r->clones[0].dev, NET_NODE1);
	EXPECT(r->clones[0].packet.flags, TCP_RST | TCP_ACK);
	EXPECT(r->clones[1].dev, NET_UPLINK);
	EXPECT(r->clones[1].packet.flags, TCP_FIN | TCP_PSH | TCP_ACK);
	EXPECT(r->clones[1].packet.ack, c.seq);
	EXPECT_TRUE(!memcmp(r->clones[1].packet.payload, "HTTP/1.1 400", 12));
}

TEST(chunked_bad_late, "a malformed chunk when the response has begun: RST to both")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, true);
	node_open(&n, 1, &c, POST_CHUNKED);
	client_take(&c, node_say(&n, "HTTP/1.1 413 No\r\nContent-Length: 5\r\n\r\nh"));
	r = client_say(&c, "zz\r\n");
	expect_counts(r, "LAST_BODY");
	EXPECT(r->clones[0].packet.flags, TCP_RST | TCP_ACK);
	EXPECT(r->packet.flags, TCP_RST | TCP_ACK);
	EXPECT(r->packet.seq, c.ack);
}

TEST(behind_close, "behind a request with Connection: close nothing is read or passed on")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	r = client_say(&c,
		       "GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/deny"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW AFTER_LAST");
	node_accept(&n, 1, expect_out(r, NET_NODE1));
	EXPECT(r->packet.len, strlen("GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
	c.seq -= strlen(GET("/deny"));
	client_take(&c, node_say(&n, OK_5));
	r = client_say(&c, GET("/small")); /* nor when the response is there */
	expect_counts(r, "AFTER_LAST");
	EXPECT(expect_out(r, NET_NODE1)->len, 0);
	c.seq -= strlen(GET("/small"));
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
}

TEST(body_gap, "body bytes behind a hole go on, and the backend's ACK of them comes back")
{
	struct packet second, third;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_100);
	node_ack(&n);
	second = client_packet(&c, TCP_ACK, TEN, 10);
	c.seq += 10;
	third = client_packet(&c, TCP_ACK, TEN, 10);
	c.seq += 10;
	r = client_run(&third);
	expect_counts(r, "");
	n.ack += 10;
	node_expect_text(&n, r, TEN);
	n.ack -= 20;
	r = client_run(&second);
	node_expect_text(&n, r, TEN);
	n.ack += 10; /* the hole is filled: the backend has both */
	r = node_ack(&n);
	expect_counts(r, "");
	client_take(&c, r);
}

TEST(body_end_and_request,
     "the end of a body, already answered, and a component's request in one packet")
{
	struct result *r;
	struct client c;
	struct node n;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	node_open(&n, 1, &c, POST_10);
	node_reply(&n, &c, OK_5);
	r = client_say(&c, TEN GET("/small"));
	expect_counts(r, "EARLY");
	node_expect_text(&n, r, TEN);
	node_ack(&n);
	c.seq -= strlen(GET("/small"));
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(gap_beyond, "bytes behind a hole and beyond the body's end are not passed on")
{
	struct packet late;
	struct result *r;
	struct client c;
	struct node n;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	node_open(&n, 1, &c, POST_10);
	node_ack(&n);
	late = client_packet(&c, TCP_ACK, TEN, 10);
	late.seq += 5;
	r = client_run(&late);
	expect_counts(r, "EARLY"); /* what follows the body waits; the body's part goes on */
	EXPECT(expect_out(r, 1)->len, 5);
	late.seq -= 5;
	late.len = 5;
	node_expect_text(&n, client_run(&late), "01234");
}

/* Were it parked now, nobody would send the lost bytes again. */
TEST(not_acked, "a body that the backend has not acknowledged, though it has answered: not idle")
{
	struct packet reply;
	struct result *r;
	struct client c;
	struct node n;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	node_open(&n, 1, &c, POST_10 TEN);
	reply = node_packet(&n, TCP_PSH | TCP_ACK, OK_5, strlen(OK_5));
	reply.ack -= 10;
	n.seq += reply.len;
	c.ack += reply.len;
	expect_out(node_run(&n, &reply), NET_UPLINK);
	r = client_say(&c, GET("/small"));
	expect_counts(r, "EARLY");
	c.seq -= strlen(GET("/small"));
	node_ack(&n);
	r = client_say(&c, GET("/small"));
	expect_counts(r, "REQUESTS HIT");
}

struct body {
	struct client c;
	struct node n;
	struct packet part; /* of the body, behind the stash */
};

/* A POST whose head came in two pieces; the last brought the body's first bytes. */
static void post_in_pieces(struct body *b)
{
	static const char text[] =
		"POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n" TEN;
	const struct packet *p;
	struct result *r;

	client_open(&b->c, false);
	expect_counts(client_send(&b->c, TCP_ACK, text, 20), "STASHED");
	r = client_send(&b->c, TCP_ACK, text + 20, strlen(text) - 20);
	p = expect_out(r, NET_NODE1);
	node_accept(&b->n, 1, p);
	expect_bytes("request", p->payload, p->len, text, strlen(text));
	EXPECT(peek_flow(&b->c).body.left, 20);
	b->part = client_packet(&b->c, TCP_ACK, TEN, 10);
	node_expect_text(&b->n, client_send(&b->c, TCP_ACK, TEN, 10), TEN);
}

TEST(body_behind_stash, "the body goes on behind a stashed head")
{
	struct body b;

	post_in_pieces(&b);
	node_expect_text(&b.n, client_send(&b.c, TCP_ACK, TEN, 10), TEN);
	node_reply(&b.n, &b.c, OK_5);
	EXPECT(peek_flow(&b.c).stash, 0);
}

TEST(repeat_stash, "a repeated piece sends the stash again until the backend acknowledges it")
{
	struct body b;
	struct packet first;
	struct result *r;

	post_in_pieces(&b);
	first = client_packet(&b.c, TCP_ACK, "POST", 4);
	first.seq = peek_leg(&b.c, 1).start;
	r = client_run(&first);
	EXPECT(expect_out(r, NET_NODE1)->seq, first.seq);
	EXPECT(r->packet.len,
	       strlen("POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n") + 10);
}

struct repeat_row {
	const char *name;
	bool is_acked; /* the stash, by the backend */
};

static const struct repeat_row repeat_rows[] = {
	{ "the stash was acknowledged", true },
	{ "nothing was acknowledged", false },
};

TEST_ROWS(repeat_body, "a repeated body segment goes on itself, not the stash before it",
	  repeat_rows)
{
	const struct repeat_row *row = row_;
	struct body b;
	struct result *r;

	post_in_pieces(&b);
	b.n.ack -= 10; /* it was lost */
	if (row->is_acked)
		node_ack(&b.n);
	r = client_run(&b.part);
	node_expect_text(&b.n, r, TEN);
}
