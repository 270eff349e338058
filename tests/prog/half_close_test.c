// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FINs at awkward moments (RFC 9293, 3.6 and 3.10.7.4): half a close while an answer is under way,
 * both sides at once, FINs that come early, again, or joined to other bytes.
 */
#include <stdio.h>
#include <string.h>

#include "download.h"
#include "family.h"
#include "peek.h"
#include "prog_node.h"

#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define POST_20 "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
#define TEN "0123456789"

/* The client's FIN closes the gateway's side, too. */
static void expect_closed_by(struct client *c, const struct result *fin)
{
	EXPECT(client_take(c, fin)->flags, TCP_FIN | TCP_ACK);
	expect_verdict(client_ack(c), DROP);
	EXPECT(peek_flow(c).state, FLOW_CLOSED);
}

/* Takes the rest of download's answer: the client's own FIN is out, so its ACKs lie behind it. */
static void take_rest(void)
{
	struct result *r;
	int i;

	while (download.sent < download.len) {
		r = download_ack(download.sent);
		EXPECT_TRUE(r->n_clones > 0);
		for (i = 0; i < r->n_clones && download.sent < download.len; i++) {
			download_expect_one(&r->clones[i].packet, download.sent);
			download.sent += r->clones[i].packet.len;
		}
	}
}

TEST_ROWS(half_answer, "FIN of the client in the middle of a long answer", family_rows)
{
	const struct family_row *row = row_;
	struct client *c = &download.c;
	struct result *r;

	download_expect(download_begin(row->v6, GET("/huge"), SLOT_HUGE, false), 10);
	c->ack = download.first + 3 * download.mss;
	r = client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
	expect_counts(r, "");
	download.req_ack = c->seq; /* taken */
	download_expect(r, r->n_clones);
	EXPECT(peek_flow(c).state, FLOW_OPEN);
	take_rest();
	expect_closed_by(c, download_ack(download.len));
}

TEST_ROWS(half_answer_held, "the same, the request is held", family_rows)
{
	const struct family_row *row = row_;
	struct client *c = &download.c;
	struct result *r;

	room_serve_kicks(false);
	download_expect(download_begin(row->v6, GET("/huge"), SLOT_HUGE, false), 10);
	c->ack = download.first + 3 * download.mss;
	r = client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
	expect_counts(r, "");
	download_expect(r, r->n_clones);
	EXPECT(peek_flow(c).state, FLOW_OPEN);
	take_rest();
	r = download_ack(download.len);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	EXPECT(r->packet.ack, c->seq - 1); /* not the FIN yet: it is repeated */
	c->seq--;
	expect_closed_by(c, client_send(c, TCP_FIN | TCP_ACK, NULL, 0));
}

TEST(half_with_request, "FIN in the packet that asks for a long answer")
{
	struct client *c = &download.c;
	struct result *r;

	client_open(c, false);
	download.first = c->ack;
	download.req_ack = c->seq + strlen(GET("/huge"));
	download.sent = 0;
	download.close = true;
	download.mss = DOWNLOAD_MSS;
	download.len =
		room_answer(SLOT_HUGE, true, false, download.wanted, sizeof(download.wanted));
	r = client_send(c, TCP_FIN | TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	download_expect(r, 10);
	take_rest();
	c->ack = download.first + download.len + 1;
	client_ack(c);
	c->seq--;
	r = client_send(c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_UPLINK)->ack, c->seq);
	EXPECT(peek_flow(c).state, FLOW_CLOSED);
}

TEST(fin_not_yet_answered, "FIN while a one-segment answer is not acknowledged")
{
	struct result *r;
	struct client c;
	uint32_t una;

	client_open(&c, false);
	una = c.ack;
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	c.ack = una; /* the answer was lost */
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	expect_verdict(r, DROP);
	EXPECT(peek_flow(&c).state, FLOW_OPEN);
	c.seq -= 1 + strlen(GET("/small"));
	r = client_send(&c, TCP_PSH | TCP_FIN | TCP_ACK, GET("/small"), strlen(GET("/small")));
	EXPECT(expect_out(r, NET_UPLINK)->seq, una);
	c.ack = una + r->packet.len;
	client_ack(&c);
	c.seq--;
	expect_closed_by(&c, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
}

/* The response goes on, and the client's ACKs reach the backend. */
TEST_ROWS(half_leg, "FIN of the client, then a backend's long response", family_rows)
{
	static char response[5 * 1400];
	const struct family_row *row = row_;
	size_t head = sprintf(response, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 6000), at;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;

	memset(response + head, 'r', 6000);
	client_open(&c, row->v6);
	node_open(&n, 1, &c, GET("/1/a"));
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(node_take(&n, r)->flags, TCP_FIN | TCP_ACK);
	for (at = 0; at < head + 6000; at += p->len) {
		size_t left = head + 6000 - at;

		p = client_take(&c,
				node_send(&n, TCP_ACK, response + at, left < 1400 ? left : 1400));
		expect_bytes("response", p->payload, p->len, response + at, p->len);
		node_expect_text(&n, client_ack(&c), "");
	}
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	node_expect_text(&n, client_ack(&c), "");
}

TEST(both_at_once, "FINs that cross, kernel: each side's is acknowledged")
{
	struct result *r;
	struct client c;

	client_open(&c, false);
	client_expect_object(&c, client_say(&c, GET_CLOSE("/small")), SLOT_SMALL, true, false);
	c.ack--; /* all but our FIN has arrived when the client sends its own */
	client_ack(&c);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT_TRUE(peek_flow(&c).state != FLOW_OPEN);
	c.ack++; /* now our FIN has arrived as well: the client is in CLOSING */
	r = client_ack(&c);
	c.seq--;
	if (peek_flow(&c).state != FLOW_CLOSED)
		r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
	if (r->verdict == REDIRECT)
		EXPECT(r->packet.ack, c.seq);
}

TEST_ROWS(both_at_once_leg, "FINs that cross, leg", family_rows)
{
	const struct family_row *row = row_;
	struct packet fin, node_fin;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	node_open(&n, 1, &c, GET_CLOSE("/1/a"));
	node_reply(&n, &c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
	fin = client_packet(&c, TCP_FIN | TCP_ACK, NULL, 0);
	node_fin = node_packet(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(node_take(&n, client_run(&fin))->flags, TCP_FIN | TCP_ACK);
	r = node_run(&n, &node_fin);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	c.seq++;
	n.seq++;
	node_expect_text(&n, client_ack(&c), "");
	r = node_ack(&n);
	EXPECT(client_take(&c, r)->ack, c.seq);
}

TEST(fin_again_leg, "the client's FIN again, before and after the backend's")
{
	struct packet fin;
	struct client c;
	struct node n;
	int i;

	node_open_idle(&n, &c, false);
	fin = client_packet(&c, TCP_FIN | TCP_ACK, NULL, 0);
	client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	for (i = 0; i < 2; i++) {
		EXPECT(node_take(&n, client_run(&fin))->flags, TCP_FIN | TCP_ACK);
		n.ack--;
		EXPECT(peek_flow(&c).rcv_nxt, c.seq);
		EXPECT(peek_leg(&c, 1).rnxt, n.ack + 1);
	}
	n.ack++;
	client_take(&c, node_send(&n, TCP_FIN | TCP_ACK, NULL, 0));
	fin.ack = c.ack;
	n.ack--;
	EXPECT(node_take(&n, client_run(&fin))->ack, n.seq);
}

TEST(fin_early, "FIN behind a hole, kernel: not taken before the hole is filled")
{
	struct packet fin;
	struct result *r;
	struct client c;
	size_t len = strlen(GET("/small"));

	client_open(&c, false);
	fin = client_packet(&c, TCP_FIN | TCP_ACK, NULL, 0);
	fin.seq += len;
	r = client_run(&fin);
	expect_no_clones(r);
	EXPECT(peek_flow(&c).state, FLOW_OPEN);
	EXPECT(peek_flow(&c).rcv_nxt, c.seq);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	fin.ack = c.ack;
	c.seq++;
	expect_closed_by(&c, client_run(&fin));
}

struct early_row {
	const char *name;
	const char *last; /* bytes in FIN's own packet */
};

static const struct early_row early_rows[] = { { "alone", "" }, { "with the last bytes", TEN } };

/* Passed on, it would be acknowledged by the backend before the gateway has counted it. */
TEST_ROWS(fin_early_leg, "FIN behind a hole in a body", early_rows)
{
	const struct early_row *row = row_;
	size_t len = strlen(row->last), first = 20 - len;
	struct packet fin;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_20);
	client_take(&c, node_ack(&n));
	fin = client_packet(&c, TCP_FIN | TCP_ACK, row->last, len);
	fin.seq += first;
	r = client_run(&fin);
	expect_counts(r, "OUT_OF_ORDER");
	EXPECT(expect_out(r, NET_UPLINK)->ack, c.seq);
	EXPECT(peek_flow(&c).flags & FLOW_CLIENT_FIN, 0);
	r = client_send(&c, TCP_ACK, TEN TEN, first);
	EXPECT(node_take(&n, r)->len, first);
	EXPECT(node_take(&n, client_run(&fin))->flags, TCP_FIN | TCP_ACK);
	c.seq += len + 1;
	r = node_say(&n, OK_5); /* acknowledges the FIN */
	expect_counts(r, "");
	client_take(&c, r);
}

/* Linux joins segments when it repeats them (tcp_retrans_try_collapse). */
TEST(fin_joined, "FIN on repeated bytes that came without it")
{
	struct packet again;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_20);
	client_take(&c, node_ack(&n));
	again = client_packet(&c, TCP_FIN | TCP_ACK, TEN TEN, 20);
	client_send(&c, TCP_ACK, TEN TEN, 20); /* lost behind the gateway */
	c.seq++;
	EXPECT(node_take(&n, client_run(&again))->flags, TCP_FIN | TCP_ACK);
	r = node_say(&n, OK_5);
	expect_counts(r, "");
	client_take(&c, r);
	EXPECT_TRUE(peek_flow(&c).flags & FLOW_CLIENT_FIN);
}

TEST(fin_last_body, "FIN on the last bytes of a body")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_20 TEN);
	r = client_send(&c, TCP_FIN | TCP_PSH | TCP_ACK, TEN, 10);
	EXPECT(node_take(&n, r)->flags, TCP_FIN | TCP_PSH | TCP_ACK);
	node_reply(&n, &c, OK_5);
}

TEST(fin_in_head, "FIN in an unfinished head")
{
	struct client c;

	client_open(&c, false);
	client_expect_ack(&c, client_send(&c, TCP_ACK, "GET /sm", 7));
	expect_closed_by(&c, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
}

/* The leg has not seen the head: a FIN passed on would lie behind a hole that nobody fills. */
TEST_ROWS(fin_in_head_leg, "FIN in an unfinished head, a leg was the destination", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	node_open_idle(&n, &c, row->v6);
	client_expect_ack(&c, client_send(&c, TCP_ACK, "GET /sm", 7));
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_clone(r, NET_NODE1)->flags, TCP_RST | TCP_ACK);
	EXPECT(r->clones[0].packet.seq, n.ack);
	expect_closed_by(&c, r);
	EXPECT(peek_leg(&c, 1).state, LEG_DEAD);
}

TEST(fin_with_piece, "FIN on the last piece of a head, for a leg: repeated, then passed on")
{
	static const char text[] = GET("/1/a");
	struct result *r;
	struct client c;
	struct node n;
	uint32_t start;

	client_open(&c, false);
	start = c.seq;
	client_expect_ack(&c, client_send(&c, TCP_ACK, text, 9));
	r = client_send(&c, TCP_FIN | TCP_PSH | TCP_ACK, text + 9, strlen(text) - 9);
	node_expect_opening(&n, &c, 1, start, r, text, strlen(text));
	c.seq--;
	client_take(&c, node_ack(&n));
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(node_take(&n, r)->flags, TCP_FIN | TCP_ACK);
	node_reply(&n, &c, OK_5);
}
