// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ends while the kernel is the destination: FIN and RST of the client, our own FIN, what a closed
 * connection still answers. With legs: close_leg_test.c.
 */
#include <string.h>

#include "family.h"
#include "peek.h"

#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

TEST_ROWS(client_fin, "FIN of an idle client: FIN and ACK", family_rows)
{
	const struct family_row *row = row_;
	struct packet fin;
	struct result *r;
	struct client c;
	uint32_t ack;

	client_open(&c, row->v6);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&c);
	fin = client_packet(&c, TCP_FIN | TCP_ACK, NULL, 0);
	ack = c.ack;
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
	r = client_run(&fin); /* it did not see ours */
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_FIN | TCP_ACK);
	EXPECT(r->packet.seq, ack);
	EXPECT(r->packet.ack, c.seq);
	r = client_ack(&c);
	expect_verdict(r, DROP);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(fin_before_request, "FIN before any request")
{
	struct client c;

	client_open(&c, false);
	EXPECT(client_take(&c, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0))->flags,
	       TCP_FIN | TCP_ACK);
	expect_verdict(client_ack(&c), DROP);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(fin_with_request, "FIN on a component's request: the answer closes, too")
{
	struct result *r;
	struct client c;

	client_open(&c, false);
	r = client_send(&c, TCP_FIN | TCP_PSH | TCP_ACK, GET("/small"), strlen(GET("/small")));
	c.seq--; /* not acknowledged yet: it will be repeated */
	client_expect_object(&c, r, SLOT_SMALL, true, false);
	client_ack(&c);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	client_expect_ack(&c, r);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

/* After an answer with `Connection: close`. */
static void close_answered(struct client *c)
{
	client_open(c, false);
	client_expect_object(c, client_say(c, GET_CLOSE("/small")), SLOT_SMALL, true, false);
}

TEST(our_fin, "our FIN, then the client's")
{
	struct packet fin;
	struct result *r;
	struct client c;

	close_answered(&c);
	expect_verdict(client_ack(&c), DROP);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
	fin = client_packet(&c, TCP_FIN | TCP_ACK, NULL, 0);
	client_expect_ack(&c, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
	r = client_run(&fin); /* our ACK was lost: RFC 9293, 3.10.7.4, TIME-WAIT */
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	EXPECT(r->packet.ack, c.seq);
	expect_counts(r, "");
}

TEST(our_fin_again, "the client's FIN again later, with newer timestamps: acknowledged")
{
	struct result *r;
	struct client c;

	close_answered(&c);
	client_ack(&c);
	client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	c.seq--;
	c.tsval += 1000;
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	expect_counts(r, "");
}

TEST(fin_acks_answer, "the client's FIN is the first that acknowledges our answer")
{
	struct client c;

	close_answered(&c);
	client_expect_ack(&c, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(fin_acks_but_fin, "the client's FIN acknowledges all but our FIN: that is sent again")
{
	struct result *r;
	struct client c;

	close_answered(&c);
	c.ack--;
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	c.seq--;
	if (r->verdict == DROP)
		r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT_TRUE(r->n_clones == 1 || r->verdict == REDIRECT);
	EXPECT_TRUE((r->n_clones ? &r->clones[0].packet : &r->packet)->flags & TCP_FIN);
}

/* RFC 9112, 9.6: late data is read, so that the client can read our answer. */
TEST(late_data, "data behind our FIN is acknowledged and forgotten")
{
	struct result *r;
	struct client c;

	close_answered(&c);
	client_ack(&c);
	r = client_say(&c, GET("/small"));
	client_expect_ack(&c, r);
	expect_counts(r, "");
}

TEST(closed_data, "data to a closed connection is dropped")
{
	struct packet rst;
	struct result *r;
	struct client c;

	client_open(&c, false);
	rst = client_packet(&c, TCP_RST, NULL, 0);
	r = client_run(&rst);
	expect_verdict(r, DROP);
	expect_counts(r, "");
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
	c.tsval = 5; /* no new connection */
	r = client_say(&c, GET("/small"));
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_STALE");
}

struct rst_row {
	const char *name;
	int32_t off;
	int verdict;
	const char *counts;
	uint8_t state;
};

/* RFC 5961, 3.2 */
static const struct rst_row rst_rows[] = {
	{ "the next byte", 0, DROP, "", FLOW_CLOSED },
	{ "inside the window", 100, REDIRECT, "", FLOW_OPEN },
	{ "behind the window", 100000, DROP, "DROP_STALE", FLOW_OPEN },
	{ "before the window", -1, DROP, "DROP_STALE", FLOW_OPEN },
};

TEST_ROWS(rst, "RST at", rst_rows)
{
	const struct rst_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;

	client_open(&c, false);
	p = client_packet(&c, TCP_RST, NULL, 0);
	p.seq += row->off;
	r = client_run(&p);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	EXPECT(peek_flow(&c).state, row->state);
	if (row->verdict == REDIRECT)
		EXPECT(client_take(&c, r)->flags, TCP_ACK);
}
