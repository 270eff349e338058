// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the client to a leg: the hand-over itself, pipelining, repetition, backends that cannot be
 * used. Requests with bodies: upload_test.c.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "family.h"
#include "peek.h"
#include "prog_node.h"

#define POST_10 "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
#define TEN "0123456789"
#define NS_PER_MS 1000000

TEST_ROWS(opening, "hand-over", family_ts_rows)
{
	const struct family_row *row = row_;
	uint32_t seq, ack, tsval, before;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;
	struct leg leg;

	client_init(&c, row->v6);
	c.has_ts = row->has_ts;
	client_connect(&c);
	seq = c.seq;
	ack = c.ack;
	tsval = c.tsval;
	before = peek_now() / NS_PER_MS;
	r = client_say(&c, GET("/1/a"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	EXPECT(r->mark, NET_MARK_BASE + 1);
	p = expect_out(r, NET_NODE1);
	expect_no_clones(r);
	expect_bytes("source address", &p->src, 16, &c.addr, 16);
	EXPECT(p->sport, c.port);
	EXPECT(p->dport, NET_NODE_PORT);
	EXPECT(p->seq, seq);
	EXPECT(p->ack, ack);
	EXPECT(p->flags, TCP_PSH | TCP_ACK);
	EXPECT(p->window, c.window);
	EXPECT(p->ttl, 57);
	EXPECT(p->has_ts, row->has_ts);
	if (row->has_ts) {
		EXPECT(p->tsval, tsval);
		EXPECT_TRUE(p->tsecr - before <= (uint32_t)(peek_now() / NS_PER_MS) - before);
	}
	leg = peek_leg(&c, 1);
	EXPECT(leg.state, LEG_OPENING);
	EXPECT(leg.start, seq);
	EXPECT(leg.rnxt, c.seq);
	EXPECT(leg.rphase, RESPONSE_HEAD);
	EXPECT(leg.pool, POOL_1);
	node_accept(&n, 1, p);
	node_expect_text(&n, client_ack(&c), "");
	node_reply(&n, &c, OK_5);
	EXPECT(peek_leg(&c, 1).state, LEG_OPEN);
	tsval = c.tsval;
	r = client_say(&c, GET("/1/b"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_REUSED");
	node_expect_text(&n, r, GET("/1/b"));
	if (row->has_ts)
		EXPECT(r->packet.tsecr, c.tsecr);
	EXPECT(peek_leg(&c, 1).sent, 2);
}

TEST(opening_gso_segs, "hand-over of a packet that local TCP sent (gso_segs 1)")
{
	struct client c;
	struct node n;

	client_open(&c, false);
	run_set_gso_segs(1);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(opening_repeat, "the opening packet again, before anything came back")
{
	struct packet again;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	again = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
	node_open(&n, 1, &c, GET("/1/a"));
	n.ack -= again.len;
	r = client_run(&again);
	expect_counts(r, "");
	node_expect_text(&n, r, GET("/1/a"));
	EXPECT(peek_leg(&c, 1).state, LEG_OPENING);
	EXPECT(peek_leg(&c, 1).sent, 1);
	node_reply(&n, &c, OK_5);
}

TEST(no_route, "policy routing knows no way")
{
	struct result *r;
	struct client c;

	client_open(&c, false);
	r = client_say(&c, GET("/lost/a"));
	expect_verdict(r, DROP);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW DROP_NO_ROUTE");
}

TEST(no_neighbour, "the neighbour is resolved by the kernel")
{
	struct result *r;
	struct client c;

	client_open(&c, true);
	r = client_say(&c, GET("/far/a"));
	expect_verdict(r, REDIRECT);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	EXPECT(r->mark, NET_MARK_BASE + BACKEND_FAR);
	EXPECT(r->out_ifindex, net_ifindex(NET_NODE1));
	expect_bytes("payload", r->packet.payload, r->packet.len, GET("/far/a"),
		     strlen(GET("/far/a")));
}

TEST(head_gap, "a request behind a hole is not taken: duplicate ACK")
{
	struct packet late;
	struct result *r;
	struct client c;

	client_open(&c, false);
	late = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
	late.seq += 100;
	r = client_run(&late);
	expect_counts(r, "OUT_OF_ORDER");
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	EXPECT(peek_flow(&c).rcv_nxt, c.seq);
}

struct pipeline_row {
	const char *name;
	const char *first, *second;
	const char *counts; /* of the packet that has both */
	bool is_cut;	    /* the second request is not accepted */
};

static const struct pipeline_row pipeline_rows[] = {
	{ "same pool", GET("/1/a"), GET("/1/b"), "REQUESTS*2 MISS_ROUTE*2 LEG_NEW", false },
	{ "other pool", GET("/1/a"), GET("/2/b"), "REQUESTS MISS_ROUTE LEG_NEW EARLY", true },
	{ "a component", GET("/1/a"), GET("/small"), "REQUESTS MISS_ROUTE LEG_NEW EARLY", true },
	{ "POST, then the same pool", POST_10 TEN, GET("/1/b"), "REQUESTS*2 MISS_ROUTE*2 LEG_NEW",
	  false },
	{ "POST, then a component", POST_10 TEN, GET("/small"), "REQUESTS MISS_ROUTE LEG_NEW EARLY",
	  true },
	{ "a bad one", GET("/1/a"), "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
	  "REQUESTS MISS_ROUTE LEG_NEW EARLY", true },
	{ "half of one", GET("/1/a"), "GET /1/b HTT", "REQUESTS MISS_ROUTE LEG_NEW EARLY", true },
};

TEST_ROWS(pipeline, "two requests in the packet that opens", pipeline_rows)
{
	const struct pipeline_row *row = row_;
	const char *kept = row->first;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;
	char both[1024];
	size_t len;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	len = sprintf(both, "%s%s", row->first, row->second);
	r = client_say(&c, both);
	if (row->is_cut)
		len = strlen(kept);
	p = expect_out(r, NET_NODE1);
	expect_bytes("payload to the backend", p->payload, p->len, both, len);
	expect_counts(r, row->counts);
	node_accept(&n, 1, p);
	EXPECT(peek_leg(&c, 1).rnxt, n.ack);
	EXPECT(peek_leg(&c, 1).sent, row->is_cut ? 1 : 2);
	r = node_ack(&n);
	EXPECT(r->packet.ack, c.seq - (strlen(both) - len));
}

/* Who knows which response answers which request has room for 32 of them. */
TEST(pipeline_deep, "more than 32 requests outstanding: a HEAD is not taken for another")
{
	static const char many[] = GET("/1/a") GET("/1/a") GET("/1/a") GET("/1/a") GET("/1/a")
		GET("/1/a") GET("/1/a") GET("/1/a");
	static const char head[] = "HEAD /1/a HTTP/1.1\r\nHost: a\r\n\r\n";
	uint64_t taken = 0;
	struct client c;
	struct result *r;
	struct node n;
	int i;

	node_open_idle(&n, &c, false);
	for (i = 0; i < 4; i++) {
		r = client_say(&c, many);
		taken += r->counts[STAT_REQUESTS];
	}
	EXPECT(taken, 32);
	client_say(&c, head);
	r = node_say(&n, OK_5);
	expect_counts(r, "");
	EXPECT(peek_leg(&c, 1).rphase, RESPONSE_HEAD);
	EXPECT(peek_leg(&c, 1).done, 2);
}

TEST(fin_with_request, "FIN on a request's packet goes to the leg")
{
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	r = client_send(&c, TCP_FIN | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
	p = expect_out(r, NET_NODE1);
	EXPECT(p->flags, TCP_FIN | TCP_ACK);
	EXPECT_TRUE(peek_flow(&c).flags & FLOW_CLIENT_FIN);
	node_accept(&n, 1, p);
	n.ack++;
	client_take(&c, node_say(&n, OK_5));
}

TEST(connect_method, "CONNECT pins the flow: what follows is no HTTP")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	r = client_say(&c, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
	expect_counts(r, "REQUESTS MISS_DEFAULT LEG_NEW PINNED");
	node_accept(&n, 1, expect_out(r, NET_NODE1));
	node_ack(&n);
	r = client_say(&c, GET("/small"));
	expect_counts(r, "");
	node_expect_text(&n, r, GET("/small"));
}

TEST(down, "a backend that is down gets no leg")
{
	struct backend b = room_backend(1);
	struct result *r;
	struct client c;

	b.flags &= ~BACKEND_UP;
	room_set_backend(1, &b);
	client_open(&c, false);
	r = client_say(&c, GET("/1/a"));
	expect_counts(r, "ERROR_503");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, false);
}

TEST(wrong_family, "an IPv6 client does not reach a backend without an IPv6 address")
{
	struct backend b = room_backend(1);
	struct client c;

	b.flags &= ~BACKEND_IPV6;
	room_set_backend(1, &b);
	client_open(&c, true);
	client_expect_object(&c, client_say(&c, GET("/1/a")), SLOT_ERRORS + CANNED_503, true,
			     false);
}

struct small_row {
	const char *name;
	bool v6;
	uint16_t mss;
	bool is_taken;
};

static const struct small_row small_rows[] = {
	{ "IPv4, 536", false, 536, true },
	{ "IPv4, 535", false, 535, false },
	{ "IPv6, 1220", true, 1220, true },
	{ "IPv6, 1219", true, 1219, false },
};

/* A socket that is made of a request has no smaller MSS: its segments would not get through. */
TEST_ROWS(small_mss, "MSS that a backend's socket cannot have: 503, components are served",
	  small_rows)
{
	static const char get[] = "GET /1/a HTTP/1.1\r\nHost: a\r\n\r\n";
	const struct small_row *row = row_;
	struct result *r;
	struct client c;

	client_init(&c, row->v6);
	c.mss = row->mss;
	client_connect(&c);
	r = client_say(&c, "GET /moved HTTP/1.1\r\nHost: a\r\n\r\n");
	client_expect_object(&c, r, SLOT_MOVED, false, false);
	r = client_say(&c, get);
	if (row->is_taken) {
		expect_out(r, NET_NODE1);
		return;
	}
	expect_counts(r, "ERROR_MSS");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, false);
}
