// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A header block that is not whole while an idle leg is the connection's destination: the leg knows
 * nothing of it, whether it closes meanwhile, or the head's time runs out.
 */
#include <string.h>

#include "head.h"
#include "prog_node.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define PART "GET /1/b HTTP/1.1\r\nHo"
#define REST "st: a\r\n\r\n"

struct leg_row {
	const char *name;
	bool v6, has_ts, told; /* the leg got the client's ACK before the head began */
};

static const struct leg_row leg_rows[] = {
	{ "IPv4", false, true, true },
	{ "IPv6", true, true, true },
	{ "IPv4 without timestamps", false, false, true },
	{ "its last ACK came with the head", false, true, false },
	{ "IPv6, its last ACK came with the head", true, false, false },
};

/* An answered request; then the beginning of another. */
static void open_on_leg(struct client *c, struct node *n, const struct leg_row *row)
{
	head_open(c, row->v6, row->has_ts);
	node_open(n, 1, c, GET("/1/a"));
	if (row->told)
		node_reply(n, c, OK_5);
	else
		client_take(c, node_say(n, OK_5));
	head_say(c, PART);
	head_set_due(c);
}

TEST_ROWS(leg, "after a backend's answer: 408; the leg sees no byte of the head, and ends with RST",
	  leg_rows)
{
	const struct leg_row *row = row_;
	int told = row->told ? 0 : 1;
	struct result *r;
	struct client c;
	struct node n;

	open_on_leg(&c, &n, row);
	r = head_kick(&c);
	expect_verdict(r, DROP);
	expect_counts(r, "ERROR_408");
	EXPECT(r->n_clones, 1 + told);
	if (told) {
		EXPECT(r->clones[0].dev, NET_NODE1);
		EXPECT(r->clones[0].packet.flags, TCP_ACK);
		EXPECT(r->clones[0].packet.len, 0);
		node_expect(&n, &r->clones[0].packet);
	}
	head_expect_408(&c, &r->clones[told]);
	EXPECT(peek_flow(&c).active, ACTIVE_KERNEL);
	EXPECT(head_stashes(), 0);
	head_ack_408(&c);
	EXPECT(peek_leg(&c, 1).state, LEG_OPEN);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(r->n_clones, 1);
	EXPECT(r->clones[0].dev, NET_NODE1);
	EXPECT(r->clones[0].packet.flags & TCP_RST, TCP_RST);
	node_expect(&n, &r->clones[0].packet);
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	EXPECT(peek_leg(&c, 1).state, LEG_DEAD);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(leg_resumed, "after a leg that was resumed: its numbers are no longer the client's")
{
	struct result *r;
	struct client c;
	struct node n;

	head_open(&c, false, true);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	client_take(&c, node_say(&n, OK_5));
	EXPECT_TRUE(peek_leg(&c, 1).delta_in && peek_leg(&c, 1).delta_out);
	head_say(&c, PART);
	head_set_due(&c);
	r = head_kick(&c);
	EXPECT(r->n_clones, 2);
	EXPECT(r->clones[0].dev, NET_NODE1);
	node_expect(&n, &r->clones[0].packet);
	head_expect_408(&c, &r->clones[1]);
	head_ack_408(&c);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(r->clones[0].packet.flags & TCP_RST, TCP_RST);
	node_expect(&n, &r->clones[0].packet);
}

TEST(leg_parked, "after a backend's answer and one of the kernel")
{
	struct result *r;
	struct client c;
	struct node n;

	head_open(&c, true, true);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	head_expect_nothing(client_ack(&c));
	head_say(&c, PART);
	head_set_due(&c);
	r = head_kick(&c);
	EXPECT(r->n_clones, 1);
	head_expect_408(&c, &r->clones[0]);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0); /* the backend closes first */
	expect_counts(r, "LEG_CLOSED");
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	head_close_408(&c);
}

struct close_row {
	const char *name;
	struct leg_row leg;
	uint8_t flags;
};

static const struct close_row close_rows[] = {
	{ "FIN", { "", false, true, true }, TCP_FIN | TCP_ACK },
	{ "FIN, IPv6", { "", true, true, true }, TCP_FIN | TCP_ACK },
	{ "FIN, its last ACK came with the head", { "", false, true, false }, TCP_FIN | TCP_ACK },
	{ "RST", { "", false, true, true }, TCP_RST | TCP_ACK },
	{ "RST, its last ACK came with the head", { "", false, true, false }, TCP_RST | TCP_ACK },
};

/* Node's keepAliveTimeout is shorter than the time for a head. */
TEST_ROWS(leg_closes, "the backend closes its idle leg in a head: that goes to a fresh one",
	  close_rows)
{
	const struct close_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t start;

	open_on_leg(&c, &n, &row->leg);
	start = c.seq - strlen(PART);
	r = node_send(&n, row->flags, NULL, 0);
	expect_counts(r, "LEG_CLOSED");
	if (row->flags & TCP_FIN)
		EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	else
		expect_verdict(r, DROP);
	EXPECT(peek_leg(&c, 1).state, LEG_DEAD);
	r = client_say(&c, REST);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, start, r, PART REST, strlen(PART REST));
	node_reply(&n, &c, OK_5);
}

TEST_ROWS(leg_closes_408, "the same, but the head's time is over: 408", close_rows)
{
	const struct close_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	open_on_leg(&c, &n, &row->leg);
	node_send(&n, row->flags, NULL, 0);
	r = head_kick(&c);
	expect_counts(r, "ERROR_408");
	EXPECT(r->n_clones, 1);
	head_expect_408(&c, &r->clones[0]);
	head_close_408(&c);
}

TEST(leg_unasked, "bytes that nobody asked for, in a head: the leg ends, the head goes on")
{
	struct leg_row row = { "", false, true, false };
	struct result *r;
	struct client c;
	struct node n;

	open_on_leg(&c, &n, &row);
	r = node_say(&n, OK_5);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	head_expect_408(&c, &head_kick(&c)->clones[0]);
	head_close_408(&c);
}

TEST(leg_probe, "a keep-alive probe of the client in a head, a leg is the destination")
{
	struct leg_row row = { "", false, true, true };
	struct packet probe;
	struct result *r;
	struct client c;
	struct node n;

	open_on_leg(&c, &n, &row);
	probe = client_packet(&c, TCP_ACK, NULL, 0);
	probe.seq--;
	r = client_run(&probe);
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	expect_no_clones(r);
}
