// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pipelined requests that need another destination than the one that still owes a response: they
 * are acknowledged, wait, and are taken up in order. Random ones: shuffle_test.c.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define OK_B "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"

static struct client c;
static struct node n;

/* The bytes that have arrived at the client in this run: its next ones. */
static size_t take_bytes(const struct result *r, uint8_t *to)
{
	const struct packet *p;
	enum net_dev dev;
	size_t len = 0;

	for (int i = 0; (p = run_leaving(r, i, &dev)); i++) {
		if (dev != NET_UPLINK)
			continue;
		EXPECT(p->flags & TCP_RST, 0);
		if (!p->len)
			continue;
		EXPECT(p->seq, c.ack);
		memcpy(to + len, p->payload, p->len);
		len += p->len;
		c.ack += p->len;
		c.tsecr = p->tsval;
	}
	return len;
}

/* The answer of the kernel, whole, and nothing else. */
static void expect_answer(const struct result *r, uint32_t slot)
{
	static uint8_t wanted[BODY_MAX + HEAD_MAX], actual[BODY_MAX + HEAD_MAX];
	size_t len = room_answer(slot, false, false, wanted, sizeof(wanted));

	expect_bytes("answer", actual, take_bytes(r, actual), wanted, len);
}

/* The request that a fresh leg begins with: the only packet to a backend of the run. */
static void expect_fresh(const struct result *r, int id, const char *text)
{
	const struct packet *p, *to = NULL;
	enum net_dev dev;

	for (int i = 0; (p = run_leaving(r, i, &dev)); i++)
		if ((int)dev == id)
			to = p;
	EXPECT_TRUE(to);
	expect_bytes("request", to->payload, to->len, text, strlen(text));
	node_accept(&n, id, to);
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

TEST(four, "component, pool, component, other pool in one packet: in that order")
{
	struct result *r;

	client_open(&c, false);
	r = client_say(&c, GET("/small") GET("/1/a") GET("/small") GET("/2/b"));
	expect_counts(r, "REQUESTS HIT QUEUED");
	EXPECT(r->clones[0].packet.ack, c.seq);
	expect_answer(r, SLOT_SMALL);
	r = client_ack(&c);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW QUEUED");
	expect_fresh(r, 1, GET("/1/a"));
	client_take(&c, node_say(&n, OK_5));
	r = client_ack(&c);
	expect_counts(r, "REQUESTS HIT QUEUED");
	expect_answer(r, SLOT_SMALL);
	r = client_ack(&c);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	expect_fresh(r, 2, GET("/2/b"));
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	client_take(&c, node_say(&n, OK_B));
}

TEST(later, "what comes behind a queue joins it, whatever it is; its ACK goes to the leg")
{
	struct result *r;

	client_open(&c, true);
	node_open(&n, 1, &c, GET("/1/a"));
	r = client_say(&c, GET("/2/b"));
	expect_counts(r, "QUEUED");
	EXPECT(r->packet.ack, c.seq - strlen(GET("/1/a") GET("/2/b"))); /* not the leg's bytes */
	r = client_say(&c, GET("/1/c"));
	expect_counts(r, "QUEUED");
	EXPECT(queued(), strlen(GET("/2/b") GET("/1/c")));
	r = node_say(&n, OK_5);
	EXPECT(r->packet.ack, c.seq); /* all of it */
	client_take(&c, r);
	expect_fresh(client_ack(&c), 2, GET("/2/b"));
	EXPECT(queued(), strlen(GET("/1/c")));
}

TEST(same_leg, "a request for the leg behind a queue is no pipelined one of that leg")
{
	struct result *r;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, GET("/small") GET("/1/b"));
	r = node_say(&n, OK_5);
	client_take(&c, r);
	EXPECT(peek_leg(&c, 1).sent, 1);
	expect_answer(client_ack(&c), SLOT_SMALL);
	r = client_ack(&c);
	EXPECT(peek_leg(&c, 1).sent, 2);
	node_expect_text(&n, r, GET("/1/b"));
}

TEST(late_ack, "the backend's ACK of the body comes last: a kick takes the queue up")
{
	struct packet reply;

	client_open(&c, false);
	node_open(&n, 1, &c, "POST /1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	reply = node_packet(&n, TCP_PSH | TCP_ACK, OK_5, strlen(OK_5));
	reply.ack -= 5;
	n.seq += reply.len;
	c.ack += reply.len;
	expect_out(node_run(&n, &reply), NET_UPLINK);
	expect_counts(client_say(&c, GET("/small")), "QUEUED");
	expect_counts(client_ack(&c), "");
	expect_no_clones(kick()); /* not yet */
	EXPECT(queued(), strlen(GET("/small")));
	node_ack(&n);
	expect_answer(kick(), SLOT_SMALL);
	EXPECT(queued(), 0);
}

#define LONG_HEAD "GET /2/b HTTP/1.1\r\nHost: a\r\nX: "

TEST(full, "12 KB wait; what does not fit is not acknowledged, and comes again")
{
	static char big[1400];
	struct result *r;
	int i;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_ack(&n);
	for (i = 0; i < 9; i++) {
		memset(big, 'x', sizeof(big));
		memcpy(big, LONG_HEAD, strlen(LONG_HEAD));
		memcpy(big + sizeof(big) - 4, "\r\n\r\n", 4);
		r = client_send(&c, TCP_PSH | TCP_ACK, big, sizeof(big));
		EXPECT(r->packet.ack, c.seq - (i == 8 ? 9 * 1400 - 12288 : 0));
	}
	EXPECT(queued(), 12288);
	r = client_say(&c, "x");
	expect_counts(r, "OUT_OF_ORDER");
	c.seq -= 9 * 1400 - 12288 + 1;
	expect_counts(client_say(&c, "x"), "EARLY");
}

TEST(fin, "a FIN behind a queue is not taken before the answers are out")
{
	struct result *r;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	r = client_send(&c, TCP_FIN | TCP_PSH | TCP_ACK, GET("/small"), strlen(GET("/small")));
	expect_counts(r, "QUEUED");
	EXPECT(peek_flow(&c).flags & FLOW_CLIENT_FIN, 0);
	c.seq--; /* it comes again */
	client_take(&c, node_say(&n, OK_5));
	expect_answer(client_ack(&c), SLOT_SMALL);
	client_ack(&c);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_FIN | TCP_ACK);
}

TEST(fin_kernel, "nor while the kernel's answer is under way")
{
	client_open(&c, false);
	expect_counts(client_say(&c, GET("/big") GET("/1/a")), "REQUESTS HIT QUEUED");
	client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(peek_flow(&c).flags & FLOW_CLIENT_FIN, 0);
	EXPECT(queued(), strlen(GET("/1/a")));
}

TEST(leg_fin, "the backend closes before the client has acknowledged: what waits goes elsewhere")
{
	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, GET("/2/b"));
	client_take(&c, node_say(&n, OK_5));
	node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	expect_fresh(client_ack(&c), 2, GET("/2/b"));
}

TEST(close, "behind a response with Connection: close nothing is taken up (RFC 9112, 9.6)")
{
	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, GET("/2/b"));
	client_take(&c, node_say(&n, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
				     "Content-Length: 1\r\n\r\na"));
	EXPECT(client_ack(&c)->counts[STAT_REQUESTS], 0);
}

TEST(reset, "the client's RST ends a queue")
{
	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, GET("/small"));
	client_send(&c, TCP_RST, NULL, 0);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
	expect_no_clones(kick());
}

TEST(gone, "the stash is gone: RST, not other bytes")
{
	struct stash st;
	struct result *r;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, GET("/small"));
	st = peek_stash(peek_flow(&c).stash - 1);
	st.owner_gen++;
	peek_set_stash(peek_flow(&c).stash - 1, &st);
	node_say(&n, OK_5);
	c.ack += strlen(OK_5);
	r = client_ack(&c);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST | TCP_ACK);
}

TEST(lost_answer, "the answer before a queue is lost: the gateway's own timer repeats it")
{
	struct result *r;
	struct sender s;

	client_open(&c, false);
	client_say(&c, GET("/small")); /* one segment, that nobody has timed */
	r = client_say(&c, GET("/1/a"));
	EXPECT(r->packet.ack, c.seq);
	s = peek_sender(&c);
	EXPECT_TRUE(s.deadline_ns);
	s.deadline_ns = 1;
	peek_set_sender(&c, &s);
	expect_answer(kick(), SLOT_SMALL);
	expect_fresh(client_ack(&c), 1, GET("/1/a"));
}

TEST(lost_request, "a request that has waited is lost on its way to the leg: it is sent again")
{
	struct sender s;
	int i;

	client_open(&c, true);
	client_say(&c, GET("/small") GET("/1/a"));
	c.ack += room_answer(SLOT_SMALL, false, false, (uint8_t[BODY_MAX]){}, BODY_MAX);
	expect_fresh(client_ack(&c), 1, GET("/1/a"));
	for (i = 0; i < 2; i++) {
		s = peek_sender(&c);
		s.deadline_ns = 1;
		peek_set_sender(&c, &s);
		expect_fresh(kick(), 1, GET("/1/a"));
	}
	node_ack(&n);
	s.deadline_ns = 1;
	peek_set_sender(&c, &s);
	expect_no_clones(kick()); /* it is there */
}

TEST(half_head, "half a head waits, the rest comes when it is taken up")
{
	struct result *r;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, "GET /sm");
	client_take(&c, node_say(&n, OK_5));
	expect_counts(client_ack(&c), "STASHED");
	r = client_say(&c, "all HTTP/1.1\r\nHost: a\r\n\r\n");
	expect_counts(r, "REQUESTS HIT");
	expect_answer(r, SLOT_SMALL);
}

TEST(upgrade, "behind a request for another protocol nothing waits: it may be no request")
{
	client_open(&c, false);
	node_open(&n, 1, &c,
		  "GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
	expect_counts(client_say(&c, GET("/small")), "EARLY");
	EXPECT(queued(), 0);
}

TEST(bad, "a bad request waits for its turn, and is refused then")
{
	struct result *r;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	client_say(&c, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
	client_take(&c, node_say(&n, OK_5));
	r = client_ack(&c);
	EXPECT(r->counts[STAT_ERROR_400], 1);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
}

TEST(no_daemon, "while nobody serves kicks nothing waits")
{
	client_open(&c, false);
	room_serve_kicks(false);
	node_open(&n, 1, &c, GET("/1/a"));
	expect_counts(client_say(&c, GET("/small")), "EARLY");
	EXPECT(queued(), 0);
}
