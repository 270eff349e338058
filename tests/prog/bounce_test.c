// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hand-overs that the program in a backend's netns sends back: believed only for the packet that
 * opens a leg, while it is opening; then the next backend of the pool gets it, at last the client
 * gets 503.
 */
#include <string.h>

#include "family.h"
#include "peek.h"
#include "prog_node.h"

TEST_ROWS(bounced, "refused hand-over goes to the next backend of the pool", family_ts_rows)
{
	const struct family_row *row = row_;
	struct packet opening;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t seq;

	client_init(&c, row->v6);
	c.has_ts = row->has_ts;
	client_connect(&c);
	seq = c.seq;
	r = client_say(&c, GET("/both/a"));
	opening = *expect_out(r, NET_NODE1);
	r = node_refuse(&opening, NET_NODE1);
	expect_counts(r, "LEG_REFUSED");
	p = expect_out(r, NET_NODE2);
	EXPECT(r->mark, NET_MARK_BASE + 2);
	EXPECT(p->seq, seq);
	node_accept(&n, 2, p);
	expect_bytes("destination", &p->dst, 16, &n.addr, 16);
	expect_bytes("payload", p->payload, p->len, GET("/both/a"), strlen(GET("/both/a")));
	EXPECT(p->has_ts, row->has_ts);
	EXPECT(peek_leg(&c, 1).state, LEG_DEAD);
	EXPECT(peek_leg(&c, 2).state, LEG_OPENING);
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(bounced_head, "a refused HEAD is still a HEAD at the next backend")
{
	static const char text[] = "HEAD /both/a HTTP/1.1\r\nHost: a\r\n\r\n";
	struct packet opening;
	struct client c;
	struct node n;

	client_open(&c, false);
	opening = *expect_out(client_say(&c, text), NET_NODE1);
	node_accept(&n, 2, expect_out(node_refuse(&opening, NET_NODE1), NET_NODE2));
	node_reply(&n, &c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	EXPECT(peek_leg(&c, 2).rphase, RESPONSE_IDLE);
}

TEST(bounced_stash, "a refused request in pieces goes to the next backend, all of it")
{
	static const char text[] = GET("/both/a");
	struct packet opening;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t start;

	client_open(&c, false);
	start = c.seq;
	expect_counts(client_send(&c, TCP_ACK, text, 12), "STASHED");
	r = client_send(&c, TCP_ACK, text + 12, strlen(text) - 12);
	opening = *expect_out(r, NET_NODE1);
	r = node_refuse(&opening, NET_NODE1);
	expect_counts(r, "LEG_REFUSED");
	node_expect_opening(&n, &c, 2, start, r, text, strlen(text));
	node_reply(&n, &c, OK_5);
}

TEST(all_refuse, "all backends refuse: 503, and the connection ends")
{
	struct packet opening;
	struct result *r;
	struct client c;

	client_open(&c, false);
	opening = *expect_out(client_say(&c, GET("/both/a")), NET_NODE1);
	opening = *expect_out(node_refuse(&opening, NET_NODE1), NET_NODE2);
	r = node_refuse(&opening, NET_NODE2);
	expect_counts(r, "LEG_REFUSED ERROR_503");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, false);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
	expect_verdict(client_ack(&c), DROP);
}

TEST(all_refuse_head, "all backends refuse a HEAD: 503 without a body")
{
	struct packet opening;
	struct client c;

	client_open(&c, false);
	opening = *expect_out(client_say(&c, "HEAD /1/a HTTP/1.1\r\nHost: a\r\n\r\n"), NET_NODE1);
	client_expect_object(&c, node_refuse(&opening, NET_NODE1), SLOT_ERRORS + CANNED_503, true,
			     true);
}

struct bounce_row {
	const char *name;
	int32_t seq_off;
	int dev;
	bool is_open, is_parked;
	uint8_t flags;
};

static const struct bounce_row bounce_rows[] = {
	{ "not at the start", 1, NET_NODE1, false, false, TCP_ACK },
	{ "before the start", -1, NET_NODE1, false, false, TCP_ACK },
	{ "from another's interface", 0, NET_NODE2, false, false, TCP_ACK },
	{ "of a leg that is open", 0, NET_NODE1, true, false, TCP_ACK },
	{ "of a parked leg", 0, NET_NODE1, true, true, TCP_ACK },
	{ "without ACK", 0, NET_NODE1, false, false, 0 },
};

TEST_ROWS(bounce_forged, "bounce that is not believed", bounce_rows)
{
	const struct bounce_row *row = row_;
	struct packet opening;
	struct result *r;
	struct client c;
	struct node n, two;

	client_open(&c, false);
	opening = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
	node_open(&n, 1, &c, GET("/1/a"));
	if (row->is_open)
		node_reply(&n, &c, OK_5);
	if (row->is_parked) {
		node_open(&two, 2, &c, GET("/2/a"));
		node_reply(&two, &c, OK_5);
	}
	opening.dst = n.addr;
	opening.dport = NET_NODE_PORT;
	opening.seq += row->seq_off;
	opening.flags = row->flags;
	opening.has_ts = true;
	r = node_refuse(&opening, row->dev);
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_FORGED");
	EXPECT(peek_flow(&c).state, FLOW_OPEN);
	EXPECT(peek_leg(&c, 1).state, row->is_open ? LEG_OPEN : LEG_OPENING);
}

TEST(bounce_unknown, "a packet to a backend from elsewhere is not ours")
{
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	p = client_packet(&c, TCP_ACK, "x", 1);
	p.dst = n.addr;
	p.dport = NET_NODE_PORT;
	p.sport++;
	r = run_packet(BACKEND_RETURN, &p, NET_NODE1);
	expect_verdict(r, NEXT);
	expect_counts(r, "");
}
