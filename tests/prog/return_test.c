// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a backend to the client: translation, and that nothing is believed that lies outside the
 * backend's own legs. Hand-overs that a backend sends back: bounce_test.c.
 */
#include <string.h>

#include "family.h"
#include "peek.h"
#include "prog_node.h"

/* A leg that was opened and has answered nothing yet. */
static void open_one(struct client *c, struct node *n, bool v6)
{
	client_open(c, v6);
	node_open(n, 1, c, GET("/1/a"));
}

TEST_ROWS(translated, "response", family_ts_rows)
{
	const struct family_row *row = row_;
	const struct packet *p;
	uint32_t tsval, tsecr;
	struct result *r;
	struct client c;
	struct node n;

	client_init(&c, row->v6);
	c.has_ts = row->has_ts;
	client_connect(&c);
	node_open(&n, 1, &c, GET("/1/a"));
	tsval = n.tsval;
	tsecr = n.tsecr;
	r = node_say(&n, OK_5);
	expect_counts(r, "");
	EXPECT(r->mark, 0);
	p = client_take(&c, r);
	expect_no_clones(r);
	expect_bytes("payload", p->payload, p->len, OK_5, strlen(OK_5));
	EXPECT(p->flags, TCP_PSH | TCP_ACK);
	EXPECT(p->window, n.window);
	EXPECT(p->ttl, 61);
	if (row->has_ts) {
		EXPECT(p->tsval, tsval);
		EXPECT(p->tsecr, tsecr);
	}
	EXPECT(peek_leg(&c, 1).state, LEG_OPEN);
	EXPECT(peek_leg(&c, 1).done, 1);
	EXPECT(peek_flow(&c).reply & REPLY_AWAITED, 0);
}

TEST(sack, "SACK blocks are moved like the numbers, both ways")
{
	uint32_t edges[4];
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;
	struct leg leg;

	open_one(&c, &n, false);
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	leg = peek_leg(&c, 1);
	EXPECT_TRUE(leg.delta_in != 0 && leg.delta_out != 0);

	edges[0] = c.ack + 100;
	edges[1] = c.ack + 200;
	p = client_packet(&c, TCP_ACK, NULL, 0);
	packet_option_sack(&p, edges, 2);
	r = client_run(&p);
	EXPECT(r->packet.n_sack, 2);
	EXPECT(r->packet.sack[0], edges[0] - leg.delta_out);
	EXPECT(r->packet.sack[1], edges[1] - leg.delta_out);
	node_expect_text(&n, r, "");

	edges[0] = n.ack + 1000;
	edges[1] = n.ack + 2000;
	edges[2] = n.ack + 3000;
	edges[3] = n.ack + 4000;
	p = node_packet(&n, TCP_ACK, NULL, 0);
	p.options_len = 0;
	packet_option_sack(&p, edges, 4);
	p.ack = n.ack;
	r = node_run(&n, &p);
	EXPECT(r->packet.n_sack, 4);
	EXPECT(r->packet.sack[0], edges[0] + leg.delta_in);
	EXPECT(r->packet.sack[3], edges[3] + leg.delta_in);
	EXPECT(expect_out(r, NET_UPLINK)->ack, c.seq);
}

/* Design 2, "Hand-over": blocks outside the leg's own range would name bytes that it never sent. */
TEST(sack_foreign, "SACK blocks of bytes that another destination sent are removed")
{
	uint32_t edges[2], base;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;
	int i;

	open_one(&c, &n, false);
	node_reply(&n, &c, OK_5);
	edges[0] = c.ack;
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	edges[1] = c.ack;
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	base = peek_leg(&c, 1).base_out;
	p = client_packet(&c, TCP_ACK, NULL, 0);
	packet_option_sack(&p, edges, 2); /* a duplicate, RFC 2883 */
	r = client_run(&p);
	node_expect_text(&n, r, "");
	for (i = 0; i < r->packet.n_sack; i += 2)
		EXPECT_TRUE((int32_t)(r->packet.sack[i] - base) >= 0);
}

struct forged_row {
	const char *name;
	bool v6;
	int32_t seq_off, ack_off;
	uint8_t flags;
	int dev; /* that it comes in by */
	int verdict;
	const char *counts;
};

static const struct forged_row forged_rows[] = {
	{ "good", false, 0, 0, TCP_ACK, NET_NODE1, REDIRECT, "" },
	{ "IPv6 good", true, 0, 0, TCP_ACK, NET_NODE1, REDIRECT, "" },
	{ "old ack", false, 0, -5, TCP_ACK, NET_NODE1, REDIRECT, "" },
	{ "ack beyond what it was given", false, 0, 1, TCP_ACK, NET_NODE1, DROP, "DROP_FORGED" },
	{ "IPv6, the same", true, 0, 1, TCP_ACK, NET_NODE1, DROP, "DROP_FORGED" },
	{ "seq 2^30 + 1 ahead", false, (1 << 30) + 1, 0, TCP_ACK, NET_NODE1, DROP, "DROP_FORGED" },
	{ "seq 2^30 + 1 behind", false, -(1 << 30) - 1, 0, TCP_ACK, NET_NODE1, DROP,
	  "DROP_FORGED" },
	{ "seq 2^31 off", true, INT32_MIN, 0, TCP_ACK, NET_NODE1, DROP, "DROP_FORGED" },
	{ "SYN and ACK", false, 0, 0, TCP_SYN | TCP_ACK, NET_NODE1, DROP, "DROP_FORGED" },
	{ "RST with a wild ack", false, 0, 99, TCP_RST | TCP_ACK, NET_NODE1, DROP, "DROP_FORGED" },
	{ "another backend's interface", false, 0, 0, TCP_ACK, NET_NODE2, DROP, "DROP_FORGED" },
	{ "IPv6, another's interface", true, 0, 0, TCP_ACK, NET_NODE2, DROP, "DROP_FORGED" },
};

TEST_ROWS(forged, "backend's packet", forged_rows)
{
	const struct forged_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;
	struct leg before, after;

	open_one(&c, &n, row->v6);
	before = peek_leg(&c, 1);
	p = node_packet(&n, row->flags & ~TCP_SYN, NULL, 0);
	p.flags = row->flags;
	p.seq += row->seq_off;
	p.ack += row->ack_off;
	r = run_packet(BACKEND_RETURN, &p, row->dev);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	expect_no_clones(r);
	after = peek_leg(&c, 1);
	if (row->verdict == DROP)
		expect_bytes("leg", &after, sizeof(after), &before, sizeof(before));
	EXPECT(peek_flow(&c).state, FLOW_OPEN);
}

struct stranger_row {
	const char *name;
	void (*change)(struct packet *p);
	int verdict;
	const char *counts;
};

static void no_change(struct packet *p)
{
	(void)p;
}

static void other_client_port(struct packet *p)
{
	p->dport++;
}

static void other_port(struct packet *p)
{
	p->sport++;
}

static void as_vip(struct packet *p)
{
	p->src = packet_addr(CLIENT_VIP4);
	p->sport = CLIENT_VIP_PORT;
}

static void as_vip_any_port(struct packet *p)
{
	p->src = packet_addr(CLIENT_VIP4);
}

static const struct stranger_row stranger_rows[] = {
	{ "its own packet", no_change, REDIRECT, "" },
	{ "to no client of ours", other_client_port, NEXT, "" },
	{ "from another port", other_port, NEXT, "" },
	{ "in the VIP's name", as_vip, DROP, "DROP_FORGED" },
	{ "in the VIP's name, another port", as_vip_any_port, DROP, "DROP_FORGED" },
};

TEST_ROWS(stranger, "backend_return", stranger_rows)
{
	const struct stranger_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	open_one(&c, &n, false);
	p = node_packet(&n, TCP_ACK, NULL, 0);
	row->change(&p);
	r = node_run(&n, &p);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
}

TEST(flow_given_away, "a leg whose flow was given to another connection: RST")
{
	struct result *r;
	struct client c;
	struct node n;
	struct flow f;

	open_one(&c, &n, false);
	node_reply(&n, &c, OK_5);
	f = peek_flow(&c);
	f.gen++;
	peek_set_flow(&c, &f);
	r = node_ack(&n);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	EXPECT(r->packet.seq, n.ack);
	EXPECT(r->packet.ack, 0);
	EXPECT(r->packet.has_ts, false);
	expect_counts(r, "");
}

TEST(bytes_before_base, "repeated bytes from before the leg was resumed: ACK in place")
{
	struct packet old;
	struct result *r;
	struct client c;
	struct node n;

	open_one(&c, &n, true);
	old = node_packet(&n, TCP_PSH | TCP_ACK, OK_5, strlen(OK_5));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	old.ack = n.ack;
	r = node_run(&n, &old);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_ACK);
	node_expect(&n, &r->packet);
}

/* Bytes that answer nothing end the leg; the client sees none of them. */
TEST(unsolicited, "bytes of a leg that nobody asked for: RST, nothing to the client")
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, ok);
	r = node_say(&n, ok);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	expect_no_clones(r);
	EXPECT(peek_leg(&c, 1).state, LEG_DEAD);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

/* The gateway must not believe that the client has what it never got: it is not sent again. */
static void expect_no_loss(const struct client *c, const struct node *n, const struct result *r)
{
	struct flow f = peek_flow(c);

	if (f.state != FLOW_OPEN ||
	    (r->verdict == REDIRECT && r->out_ifindex == net_ifindex(NET_UPLINK)))
		return;
	EXPECT_TRUE(f.active != ACTIVE_KERNEL || f.snd_nxt == c->ack);
	EXPECT(peek_leg(c, n->id).state, LEG_OPEN);
}

TEST(trailing, "bytes behind a response's end in its own packet: the client does not wait for ever")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	r = node_say(&n, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
	expect_no_loss(&c, &n, r);
}

TEST(unsolicited_unacked, "unsolicited bytes before the client has all of the response")
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_say(&n, ok); /* may be lost behind the gateway */
	expect_no_loss(&c, &n, node_say(&n, ok));
}

TEST(rst_unacked, "RST of a leg before the client has all of the response")
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_say(&n, ok);
	expect_no_loss(&c, &n, node_send(&n, TCP_RST | TCP_ACK, NULL, 0));
}

TEST(fin_unacked, "FIN of a leg before the client has all of the response")
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_say(&n, ok);
	expect_no_loss(&c, &n, node_send(&n, TCP_FIN | TCP_ACK, NULL, 0));
}
