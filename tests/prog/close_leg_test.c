// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ends while a leg is the destination, or parked: who gets which FIN and RST, and that nothing is
 * lost or executed twice on the way.
 */
#include <string.h>

#include "family.h"
#include "peek.h"
#include "prog_node.h"

#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define POST_20 "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
#define OK_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
#define TEN "0123456789"

/* Leg 1 parked, leg 2 active; both idle. */
struct two {
	struct client c;
	struct node one, two;
};

static void open_two(struct two *t, bool v6)
{
	node_open_idle(&t->one, &t->c, v6);
	node_open(&t->two, 2, &t->c, GET("/2/a"));
	node_reply(&t->two, &t->c, OK_5);
}

/* The only packet of the run that goes to this backend, as a clone or in place. */
static const struct packet *sent_to(const struct node *n, const struct result *r)
{
	const struct packet *p, *sent = NULL;
	int i, found = 0;
	enum net_dev dev;

	for (i = 0; (p = run_leaving(r, i, &dev)); i++) {
		if (dev != (enum net_dev)n->id)
			continue;
		sent = p;
		found++;
	}
	if (found != 1)
		check_fail("packets to backend %d: expected 1, actual %d", n->id, found);
	return sent;
}

/* It ends the leg at exactly the byte that the backend expects. */
static void expect_rst(struct node *n, const struct result *r)
{
	const struct packet *p = sent_to(n, r);

	EXPECT(p->flags & TCP_RST, TCP_RST);
	node_expect(n, p);
}

TEST_ROWS(client_rst_legs, "RST of the client ends all legs", family_rows)
{
	const struct family_row *row = row_;
	struct packet p;
	struct result *r;
	struct two t;

	open_two(&t, row->v6);
	p = client_packet(&t.c, TCP_RST | TCP_ACK, NULL, 0);
	r = client_run(&p);
	expect_verdict(r, DROP);
	EXPECT(r->n_clones, 2);
	expect_rst(&t.one, r);
	expect_rst(&t.two, r);
	EXPECT(peek_leg(&t.c, 1).state, LEG_DEAD);
	EXPECT(peek_leg(&t.c, 2).state, LEG_DEAD);
	EXPECT(peek_flow(&t.c).state, FLOW_CLOSED);
}

TEST(client_fin_parked, "FIN of the client, the kernel is the destination: parked legs get RST")
{
	struct result *r;
	struct two t;

	open_two(&t, false);
	client_expect_object(&t.c, client_say(&t.c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&t.c);
	r = client_send(&t.c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(r->n_clones, 2);
	expect_rst(&t.one, r);
	expect_rst(&t.two, r);
	EXPECT(client_take(&t.c, r)->flags, TCP_FIN | TCP_ACK);
}

struct closing_row {
	const char *name;
	bool v6;
	bool acked;	/* the whole answer, by an ACK of its own */
	bool overtaken; /* that ACK came before the FIN, which acknowledges less */
};

static const struct closing_row closing_rows[] = {
	{ "after its ACK", false, true, false },
	{ "IPv6, after its ACK", true, true, false },
	{ "which is its first ACK", false, false, false },
	{ "overtaken by its ACK", false, true, true },
	{ "IPv6, overtaken by its ACK", true, true, true },
};

/* The kernel's answer says `Connection: close`, whatever it was. */
TEST_ROWS(client_fin_closing, "FIN of the client after a closing answer: parked legs get RST",
	  closing_rows)
{
	const struct closing_row *row = row_;
	struct result *r;
	struct two t;

	open_two(&t, row->v6);
	client_expect_object(&t.c, client_say(&t.c, GET_CLOSE("/small")), SLOT_SMALL, true, false);
	if (row->acked)
		expect_no_clones(client_ack(&t.c));
	t.c.ack -= row->overtaken;
	r = client_send(&t.c, TCP_FIN | TCP_ACK, NULL, 0);
	t.c.ack += row->overtaken;
	if (row->overtaken) {
		expect_no_clones(r);
		client_expect_ack(&t.c, r);
		r = client_ack(&t.c);
		expect_verdict(r, DROP);
	}
	EXPECT(r->n_clones, 2);
	expect_rst(&t.one, r);
	expect_rst(&t.two, r);
	if (!row->overtaken)
		EXPECT(client_take(&t.c, r)->flags, TCP_ACK);
	EXPECT(peek_leg(&t.c, 1).state, LEG_DEAD);
	EXPECT(peek_leg(&t.c, 2).state, LEG_DEAD);
	EXPECT(peek_flow(&t.c).state, FLOW_CLOSED);
	expect_no_clones(client_ack(&t.c));
}

TEST(client_fin_leg, "FIN of the client, a leg is the destination: it gets FIN, parked ones RST")
{
	struct result *r;
	struct two t;

	open_two(&t, true);
	r = client_send(&t.c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(sent_to(&t.two, r)->flags, TCP_FIN | TCP_ACK);
	node_expect(&t.two, sent_to(&t.two, r));
	expect_rst(&t.one, r);
	r = node_send(&t.two, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&t.c, r)->flags, TCP_FIN | TCP_ACK);
}

/* shutdown(SHUT_WR) of a client that has not got all of the response: what it lacks may be lost. */
TEST(client_fin_unacked, "FIN of the client before it has acknowledged the response")
{
	const struct packet *p;
	struct result *r;
	struct two t;
	uint32_t seq;

	open_two(&t, false);
	node_expect_text(&t.two, client_say(&t.c, GET("/2/b")), GET("/2/b"));
	seq = t.two.seq;
	expect_verdict(node_say(&t.two, OK_5), REDIRECT);
	r = client_send(&t.c, TCP_FIN | TCP_ACK, NULL, 0);
	p = sent_to(&t.two, r);
	EXPECT(p->flags, TCP_FIN | TCP_ACK);
	EXPECT(p->seq, t.two.ack);
	EXPECT(p->ack, seq);
}

struct order_row {
	const char *name;
	bool v6, node_first;
};

static const struct order_row order_rows[] = {
	{ "client first", false, false },
	{ "backend first", false, true },
	{ "IPv6, client first", true, false },
	{ "IPv6, backend first", true, true },
};

/* FIN, FIN and the last ACK all pass through; nobody gets a RST. */
TEST_ROWS(both_fin, "close between client and leg", order_rows)
{
	const struct order_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	node_open(&n, 1, &c, GET_CLOSE("/1/a"));
	node_reply(&n, &c, OK_CLOSE);
	if (row->node_first) {
		r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
		EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
		EXPECT(node_take(&n, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0))->flags,
		       TCP_FIN | TCP_ACK);
		c.tsval += 100;
		r = node_ack(&n);
		EXPECT(client_take(&c, r)->flags, TCP_ACK);
		return;
	}
	EXPECT(node_take(&n, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0))->flags,
	       TCP_FIN | TCP_ACK);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	c.tsval += 100;
	r = client_ack(&c);
	expect_counts(r, "");
	node_expect_text(&n, r, "");
}

TEST(response_closes, "FIN behind a response with `Connection: close` goes to the client")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_CLOSE);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	expect_counts(r, "");
}

TEST(fin_last_data, "FIN on the last bytes of a closing response")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET_CLOSE("/1/a"));
	r = node_send(&n, TCP_FIN | TCP_PSH | TCP_ACK, OK_CLOSE, strlen(OK_CLOSE));
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_PSH | TCP_ACK);
	expect_counts(r, "");
}

TEST(fin_crosses, "FIN of a leg that crosses a request is not passed on")
{
	struct result *r;
	struct client c;
	struct node n, old;

	node_open_idle(&n, &c, false);
	old = n;
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	r = node_send(&old, TCP_FIN | TCP_ACK, NULL, 0);
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_STALE");
	EXPECT(peek_flow(&c).state, FLOW_OPEN);
}

/* Idle means that the request's body is complete, too. */
TEST(fin_early_response, "FIN of a leg that answered before the body was complete: to the client")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_20 TEN);
	node_reply(&n, &c, OK_5);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	node_expect_text(&n, client_say(&c, TEN), TEN);
}

TEST(rst_early_response, "RST of such a leg: to the client")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_20 TEN);
	node_reply(&n, &c, OK_5);
	r = node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_RST | TCP_ACK);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(dead_leg, "a packet of a leg that has ended: RST")
{
	struct result *r;
	struct two t;

	open_two(&t, false);
	node_send(&t.one, TCP_FIN | TCP_ACK, NULL, 0);
	r = node_ack(&t.one);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	EXPECT(r->packet.seq, t.one.ack);
	r = node_send(&t.one, TCP_RST, NULL, 0);
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_STALE");
}

struct behind_row {
	const char *name;
	const char *request;
	bool fin_sent; /* the leg's FIN has gone to the client, which has not seen it yet */
};

static const struct behind_row behind_rows[] = {
	{ "same pool", GET("/1/b"), false },
	{ "other pool", GET("/2/b"), false },
	{ "component", GET("/small"), false },
	{ "POST to the same pool, behind the FIN", "POST /1/b HTTP/1.1\r\nHost: a\r\n\r\n", true },
	{ "component, behind the FIN", GET("/small"), true },
};

/* RFC 9112, 9.6: the client will send it again on another connection. */
TEST_ROWS(behind_close, "a request behind `Connection: close` is not executed", behind_rows)
{
	const struct behind_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_CLOSE);
	if (row->fin_sent)
		EXPECT(expect_out(node_send(&n, TCP_FIN | TCP_ACK, NULL, 0), NET_UPLINK)->flags,
		       TCP_FIN | TCP_ACK);
	r = client_say(&c, row->request);
	EXPECT(r->counts[STAT_LEG_NEW], 0);
	EXPECT(r->counts[STAT_HIT], 0);
}

TEST(rst_leg, "RST of the client inside the window, not at the next byte: challenge ACK (RFC 5961)")
{
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_ack(&n);
	p = client_packet(&c, TCP_RST, NULL, 0);
	p.seq += 100;
	r = client_run(&p);
	expect_no_clones(r);
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	EXPECT(peek_flow(&c).state, FLOW_OPEN);
	EXPECT(peek_leg(&c, 1).state, LEG_OPEN);
}
