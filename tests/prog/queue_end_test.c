// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queues (queue_test.c) whose turn comes in an unusual way, or never: an ACK in a repetition, a leg
 * that closes, responses behind which nothing is answered, FINs joined to several requests.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define CLOSE_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
#define ENDLESS "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nhello"
#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static struct client c;
static struct node n;
static uint8_t wanted[2 * (BODY_MAX + HEAD_MAX)], actual[2 * (BODY_MAX + HEAD_MAX)];

/* Counts the client's next bytes of this run, all in order. Returns the last one's flags. */
static uint8_t take(const struct result *r, size_t *len)
{
	const struct packet *p;
	enum net_dev dev;
	uint8_t flags = 0;

	*len = 0;
	for (int i = 0; (p = run_leaving(r, i, &dev)); i++) {
		if (dev != NET_UPLINK)
			continue;
		EXPECT(p->flags & TCP_RST, 0);
		EXPECT(p->seq, c.ack);
		memcpy(actual + *len, p->payload, p->len);
		*len += p->len;
		c.ack += p->len + !!(p->flags & TCP_FIN);
		c.tsecr = p->tsval;
		flags = p->flags;
	}
	return flags;
}

static void expect_small(const struct result *r, bool close)
{
	size_t want = room_answer(SLOT_SMALL, close, false, wanted, sizeof(wanted)), len;

	take(r, &len);
	expect_bytes("answer", actual, len, wanted, want);
}

static uint32_t queued(void)
{
	struct flow f = peek_flow(&c);

	return f.phase == REQUEST_QUEUED ? peek_stash(f.stash - 1).queued : 0;
}

static struct result *kick(void)
{
	return run_kick(peek_flow_slot(&c), peek_flow(&c).gen, c.v6);
}

/* A leg that owes a response, and a component's request behind it. */
static void open_queue(const char *first, const char *second)
{
	client_open(&c, false);
	node_open(&n, 1, &c, first);
	node_ack(&n);
	expect_counts(client_say(&c, second), "QUEUED");
}

TEST(repeated_kernel, "the ACK of a component's answer comes in a repetition of what waits")
{
	struct packet second;
	struct result *r;
	size_t len;

	client_open(&c, false);
	r = client_say(&c, GET("/small"));
	take(r, &len);
	second = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
	second.ack -= len; /* the answer is still on its way */
	expect_counts(client_run(&second), "QUEUED");
	c.seq += second.len;
	second.ack = c.ack;
	r = client_run(&second);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	EXPECT(queued(), 0);
}

TEST(repeated_leg, "the ACK of a leg's response comes in a repetition of what waits")
{
	struct packet second;

	open_queue(GET("/1/a"), GET("/small"));
	client_take(&c, node_say(&n, OK_5));
	c.seq -= strlen(GET("/small"));
	second = client_packet(&c, TCP_PSH | TCP_ACK, GET("/small"), strlen(GET("/small")));
	c.seq += second.len;
	expect_small(client_run(&second), false);
	EXPECT(queued(), 0);
}

TEST(fin_before_ack, "a backend closes before the client's ACK: the queue goes on at once")
{
	open_queue(GET("/1/a"), GET("/small"));
	client_take(&c, node_say(&n, OK_5));
	expect_verdict(node_send(&n, TCP_FIN | TCP_ACK, NULL, 0), DROP);
	expect_small(client_ack(&c), false);
}

TEST(fin_before_ack_pool, "the same, with a request for the pool: a fresh leg")
{
	open_queue(GET("/1/a"), GET("/2/b"));
	client_take(&c, node_say(&n, OK_5));
	expect_verdict(node_send(&n, TCP_FIN | TCP_ACK, NULL, 0), DROP);
	expect_counts(client_ack(&c), "REQUESTS MISS_ROUTE LEG_NEW");
	EXPECT(queued(), 0);
}

struct end_row {
	const char *name;
	const char *response;
};

static const struct end_row end_rows[] = {
	{ "Connection: close", CLOSE_5 },
	{ "a response that ends with the connection", ENDLESS },
};

TEST_ROWS(end, "behind the last response nothing is answered, and both sides can close", end_rows)
{
	const struct end_row *row = row_;
	struct result *r;

	open_queue(GET("/1/a"), GET("/small"));
	client_take(&c, node_say(&n, row->response));
	EXPECT(queued(), 0);
	client_ack(&c);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	n.ack = peek_leg(&c, 1).rnxt;
	node_take(&n, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
	r = node_ack(&n);
	EXPECT(expect_out(r, NET_UPLINK)->ack, c.seq);
	EXPECT(peek_flow(&c).flags & (FLOW_CLIENT_FIN | FLOW_LEG_FIN),
	       FLOW_CLIENT_FIN | FLOW_LEG_FIN);
}

TEST(end_unacked, "... but not before the backend has acknowledged what precedes the queue")
{
	struct packet reply;

	client_open(&c, false);
	node_open(&n, 1, &c, "POST /1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	expect_counts(client_say(&c, GET("/small")), "QUEUED");
	reply = node_packet(&n, TCP_PSH | TCP_ACK, CLOSE_5, strlen(CLOSE_5));
	reply.ack -= 5;
	n.seq += reply.len;
	EXPECT(expect_out(node_run(&n, &reply), NET_UPLINK)->ack,
	       c.seq - 5 - strlen(GET("/small")));
	EXPECT(queued(), strlen(GET("/small")));
	EXPECT(expect_out(node_ack(&n), NET_UPLINK)->ack, c.seq);
	EXPECT(queued(), 0);
}

TEST(end_behind, "... and what comes behind the queue goes the same way, a FIN does not")
{
	struct packet reply;
	struct result *r;

	client_open(&c, false);
	node_open(&n, 1, &c, "POST /1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	expect_counts(client_say(&c, GET("/small")), "QUEUED");
	reply = node_packet(&n, TCP_PSH | TCP_ACK, ENDLESS, strlen(ENDLESS));
	reply.ack -= 5;
	n.seq += reply.len;
	node_run(&n, &reply);
	c.ack += reply.len;
	client_say(&c, "more");
	client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	c.seq--; /* it comes again */
	EXPECT(expect_out(node_ack(&n), NET_UPLINK)->ack, c.seq);
	EXPECT(queued(), 0);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(node_take(&n, r)->flags, TCP_FIN | TCP_ACK);
}

/* The request that a fresh leg of backend 1 begins with. */
static void accept_fresh(const struct result *r, const char *text)
{
	const struct packet *p;
	enum net_dev dev;

	for (int i = 0; (p = run_leaving(r, i, &dev)); i++) {
		if (dev != (enum net_dev)1)
			continue;
		expect_bytes("request", p->payload, p->len, text, strlen(text));
		node_accept(&n, 1, p);
		return;
	}
	check_fail("no packet to the backend");
}

TEST(closing_request, "a pool's request that waited and closes: what is behind it is not passed on")
{
	size_t len;

	client_open(&c, false);
	take(client_say(&c, GET("/small") GET_CLOSE("/1/a") GET("/1/b")), &len);
	accept_fresh(client_ack(&c), GET_CLOSE("/1/a"));
	EXPECT(queued(), strlen(GET("/1/b")));
	EXPECT(expect_out(node_ack(&n), NET_UPLINK)->ack, c.seq);
	EXPECT(queued(), 0);
	client_take(&c, node_say(&n, CLOSE_5));
	node_take(&n, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
	EXPECT(peek_leg(&c, 1).sent, 1);
}

#define UPGRADE "GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

/* A request for another protocol that has waited, and a text behind it. */
static void open_upgrade(const char *text)
{
	static char all[512];
	size_t len;

	strcpy(all, GET("/small") UPGRADE);
	strcat(all, text);
	client_open(&c, false);
	take(client_say(&c, all), &len);
	accept_fresh(client_ack(&c), UPGRADE);
	node_ack(&n);
	EXPECT(queued(), strlen(text));
}

TEST(upgrade_refused, "behind a refused upgrade that had waited: a request")
{
	open_upgrade(GET("/small"));
	client_take(&c, node_say(&n, OK_5));
	expect_small(client_ack(&c), false);
}

TEST(upgrade_done, "behind an upgrade that had waited: bytes that nobody reads")
{
	open_upgrade(GET("/small"));
	client_take(&c,
		    node_say(&n, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
	EXPECT(queued(), strlen(GET("/small")));
	node_expect_text(&n, client_ack(&c), GET("/small"));
	node_expect_text(&n, client_say(&c, "more"), "more");
}

TEST(upgrade_kick, "... also while the client says nothing")
{
	struct result *r;

	open_upgrade(GET("/small"));
	client_take(&c,
		    node_say(&n, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
	r = kick();
	EXPECT(r->clones[0].packet.seq, n.ack);
	EXPECT(r->clones[0].packet.len, strlen(GET("/small")));
	EXPECT(queued(), 0);
}

TEST(closing_answer, "a request that waited and closes: answered, what is behind it is not")
{
	open_queue(GET("/1/a"), GET_CLOSE("/small") GET("/small"));
	client_take(&c, node_say(&n, OK_5));
	expect_small(client_ack(&c), true);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
}

TEST(fin_two, "FIN in the packet of two components' requests: both are answered")
{
	size_t want, len;
	uint8_t flags;

	client_open(&c, false);
	want = room_answer(SLOT_SMALL, false, false, wanted, sizeof(wanted));
	want += room_answer(SLOT_SMALL, true, false, wanted + want, sizeof(wanted) - want);
	flags = take(client_send(&c, TCP_FIN | TCP_PSH | TCP_ACK, GET("/small") GET("/small"),
				 strlen(GET("/small") GET("/small"))),
		     &len);
	expect_bytes("answers", actual, len, wanted, want);
	EXPECT(flags & TCP_FIN, TCP_FIN);
}

TEST(fin_mixed, "FIN in the packet of a component's and a pool's request: both are answered")
{
	struct result *r;

	client_open(&c, false);
	r = client_send(&c, TCP_FIN | TCP_PSH | TCP_ACK, GET("/small") GET("/1/a"),
			strlen(GET("/small") GET("/1/a")));
	c.seq--; /* it comes again */
	expect_small(r, false);
	expect_counts(client_ack(&c), "REQUESTS MISS_ROUTE LEG_NEW");
	EXPECT(peek_flow(&c).flags & FLOW_CLIENT_FIN, 0);
}

TEST(kick_again, "the kick that the backend's ACK asks for is lost: the timer asks again")
{
	struct packet reply;
	struct sender s;

	client_open(&c, false);
	node_open(&n, 1, &c, "POST /1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	reply = node_packet(&n, TCP_PSH | TCP_ACK, OK_5, strlen(OK_5));
	reply.ack -= 5;
	n.seq += reply.len;
	c.ack += reply.len;
	node_run(&n, &reply);
	expect_counts(client_say(&c, GET("/small")), "QUEUED");
	client_ack(&c);
	node_ack(&n);
	s = peek_sender(&c);
	EXPECT_TRUE(s.deadline_ns > peek_now());
	s.deadline_ns = 1;
	peek_set_sender(&c, &s);
	expect_small(kick(), false);
}
