// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backends in the gateway's own netns (uplink_egress, second passes on uplink_ingress), and
 * backend_accept. That a hand-over becomes a socket is shown in child_test.c: the kfunc wants a
 * packet that really came in. Here a socket of the leg's tuple stands in for the child.
 */
#include <string.h>

#include "family.h"
#include "peek.h"
#include "prog_node.h"
#include "socket.h"

/* A local leg, its child, and the child's numbers. */
struct here {
	struct client c;
	uint32_t seq, ack;
};

static void open_here(struct here *h, bool v6)
{
	uint32_t seq, ack;
	struct packet *p;
	struct result *r;

	client_open(&h->c, v6);
	socket_connected(v6, &h->c.vip, ROOM_HERE_PORT, &h->c.addr, h->c.port, h->c.seq);
	seq = h->c.seq;
	ack = h->c.ack;
	r = client_say(&h->c, GET("/here/a"));
	socket_close_all();
	expect_verdict(r, NEXT);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	p = &r->packet;
	expect_bytes("destination", &p->dst, 16, &h->c.vip, 16);
	expect_bytes("source", &p->src, 16, &h->c.addr, 16);
	expect_bytes("MAC", p->mac_dst, 6, net_mac(NET_UPLINK), 6);
	EXPECT(p->dport, ROOM_HERE_PORT);
	EXPECT(p->sport, h->c.port);
	EXPECT(p->seq, seq);
	EXPECT(p->ack, ack);
	expect_bytes("request", p->payload, p->len, GET("/here/a"), strlen(GET("/here/a")));
	h->seq = p->ack;
	h->ack = p->seq + p->len;
}

/* A packet of the child's, as uplink_egress sees it. */
static struct result *send_here(struct here *h, uint8_t flags, const char *text)
{
	struct packet p = {
		.v6 = h->c.v6,
		.src = h->c.vip,
		.dst = h->c.addr,
		.sport = ROOM_HERE_PORT,
		.dport = h->c.port,
		.seq = h->seq,
		.ack = h->ack,
		.flags = flags,
		.window = 501,
		.ttl = 64,
		.payload = (const void *)text,
		.len = strlen(text),
	};

	memcpy(p.mac_src, net_mac(NET_UPLINK), 6);
	memcpy(p.mac_dst, net_peer_mac(NET_UPLINK), 6);
	packet_option_ts(&p, 9000, h->c.tsval - 1);
	h->seq += p.len;
	return run_packet(UPLINK_EGRESS, &p, NET_UPLINK);
}

/* On to the client, in place. */
static void expect_passed(struct here *h, const struct result *r, const char *text)
{
	const struct packet *p = &r->packet;

	expect_verdict(r, NEXT);
	expect_counts(r, "");
	expect_bytes("source", &p->src, 16, &h->c.vip, 16);
	EXPECT(p->sport, CLIENT_VIP_PORT);
	EXPECT(p->dport, h->c.port);
	EXPECT(p->seq, h->c.ack);
	EXPECT(p->ack, h->c.seq);
	expect_bytes("MAC", p->mac_dst, 6, net_peer_mac(NET_UPLINK), 6);
	expect_bytes("payload", p->payload, p->len, text, strlen(text));
	h->c.ack += p->len;
}

TEST_ROWS(here, "local backend, with a component between", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct here h;

	open_here(&h, row->v6);
	expect_passed(&h, send_here(&h, TCP_PSH | TCP_ACK, OK_5), OK_5);
	r = client_ack(&h.c);
	expect_verdict(r, NEXT);
	EXPECT(r->packet.ack, h.seq);
	client_expect_object(&h.c, client_say(&h.c, GET("/small")), SLOT_SMALL, false, false);
	r = client_say(&h.c, GET("/here/b"));
	expect_verdict(r, NEXT);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_REUSED");
	EXPECT(r->packet.seq, h.ack);
	EXPECT(r->packet.ack, h.seq);
	h.ack += strlen(GET("/here/b"));
	expect_passed(&h, send_here(&h, TCP_PSH | TCP_ACK, OK_5), OK_5);
}

TEST(here_refused, "no listener: the next of the pool")
{
	uint16_t members[] = { BACKEND_HERE, 1 };
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;

	room_pool(POOL_BOTH, POLICY_ROUND_ROBIN, members, 2);
	client_open(&c, false);
	r = client_say(&c, GET("/both/a"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW LEG_REFUSED");
	p = expect_out(r, NET_NODE1);
	node_accept(&n, 1, p);
	expect_bytes("request", p->payload, p->len, GET("/both/a"), strlen(GET("/both/a")));
	node_reply(&n, &c, OK_5);
}

TEST(here_refused_all, "no listener, no other: 503")
{
	struct result *r;
	struct client c;

	client_open(&c, true);
	r = client_say(&c, GET("/here/a"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW LEG_REFUSED ERROR_503");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, false);
}

TEST(here_fin, "an idle local leg closes: RST to its own stack")
{
	struct result *r;
	struct here h;

	open_here(&h, false);
	expect_passed(&h, send_here(&h, TCP_PSH | TCP_ACK, OK_5), OK_5);
	client_ack(&h.c);
	r = send_here(&h, TCP_FIN | TCP_ACK, "");
	expect_counts(r, "LEG_CLOSED");
	expect_verdict(r, REDIRECT);
	EXPECT(r->out_ifindex, net_ifindex(NET_UPLINK));
	EXPECT(r->packet.flags, TCP_RST);
	EXPECT(r->packet.seq, h.ack);
	expect_bytes("source", &r->packet.src, 16, &h.c.addr, 16);
	EXPECT(r->packet.dport, ROOM_HERE_PORT);
}

TEST(here_forged, "a local packet outside its leg")
{
	struct result *r;
	struct here h;

	open_here(&h, false);
	h.ack++;
	r = send_here(&h, TCP_ACK, "");
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_FORGED");
}

struct egress_row {
	const char *name;
	bool other_port, other_source, other_client;
};

static const struct egress_row egress_rows[] = {
	{ "another port", true, false, false },
	{ "another source", false, true, false },
	{ "another client", false, false, true },
};

TEST_ROWS(egress_next, "egress that is not ours", egress_rows)
{
	const struct egress_row *row = row_;
	struct packet p;
	struct result *r;
	struct here h;

	open_here(&h, false);
	p = send_here(&h, TCP_ACK, "")->packet;
	p.seq = h.seq;
	p.sport = row->other_port ? 22 : ROOM_HERE_PORT;
	p.dport += row->other_client;
	if (row->other_source)
		p.src = packet_addr("10.80.0.1");
	r = run_packet(UPLINK_EGRESS, &p, NET_UPLINK);
	expect_verdict(r, NEXT);
	expect_counts(r, "");
	EXPECT(r->packet.sport, p.sport);
	EXPECT(r->packet.seq, p.seq);
}

/* A request in pieces: made anew, it comes in by the uplink once more. */
static struct packet stash_here(struct client *c, bool v6)
{
	const struct packet *p;
	struct result *r;

	client_open(c, v6);
	expect_counts(client_say(c, "GET /here/a HT"), "STASHED");
	r = client_say(c, "TP/1.1\r\nHost: a\r\n\r\n");
	expect_verdict(r, DROP);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	p = expect_clone(r, NET_UPLINK_INGRESS);
	EXPECT(p->dport, ROOM_HERE_PORT);
	expect_bytes("destination", &p->dst, 16, &c->vip, 16);
	expect_bytes("request", p->payload, p->len, GET("/here/a"), strlen(GET("/here/a")));
	return *p;
}

static struct result *second_pass(struct packet *p)
{
	p->options_len = 12;
	return client_run(p);
}

TEST_ROWS(second_ok, "second pass: there is a socket", family_rows)
{
	const struct family_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;

	p = stash_here(&c, row->v6);
	socket_connected(row->v6, &c.vip, ROOM_HERE_PORT, &c.addr, c.port, c.seq);
	r = second_pass(&p);
	socket_close_all();
	expect_verdict(r, NEXT);
	expect_counts(r, "");
	EXPECT(r->packet.seq, p.seq);
}

TEST(second_refused, "second pass: no listener, 503 to the client")
{
	struct packet p;
	struct result *r;
	struct client c;

	p = stash_here(&c, false);
	r = second_pass(&p);
	expect_counts(r, "LEG_REFUSED ERROR_503");
	client_take(&c, r);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
	EXPECT(peek_flow(&c).owner, 0);
}

TEST(second_wait, "second pass of a later segment before the first: dropped")
{
	struct packet p;
	struct result *r;
	struct client c;

	p = stash_here(&c, false);
	p.seq++;
	socket_listen(false, ROOM_HERE_PORT, 1);
	r = second_pass(&p);
	socket_close_all();
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_STALE");
}

TEST(second_stranger, "a client that talks to the local backend's port itself: passed on")
{
	struct result *r;
	struct client c;

	client_init(&c, false);
	c.vip_port = ROOM_HERE_PORT;
	r = client_send(&c, TCP_SYN, NULL, 0);
	expect_verdict(r, NEXT);
	expect_counts(r, "");
}

struct accept_row {
	const char *name;
	bool v6;
	int32_t seq_off;
	uint8_t flags;
	bool has_listener, has_socket, is_open;
	int verdict;
	const char *counts;
};

static const struct accept_row accept_rows[] = {
	{ "no listener: sent back", false, 0, TCP_ACK, false, false, false, REDIRECT, "" },
	{ "IPv6, no listener", true, 0, TCP_ACK, false, false, false, REDIRECT, "" },
	{ "a socket already", false, 0, TCP_ACK, true, true, false, NEXT, "" },
	{ "IPv6, a socket already", true, 0, TCP_ACK, true, true, false, NEXT, "" },
	{ "a later segment first", false, 10, TCP_ACK, true, false, false, DROP, "DROP_STALE" },
	{ "RST", false, 0, TCP_RST, false, false, false, NEXT, "" },
	{ "SYN", false, 0, TCP_SYN, false, false, false, NEXT, "" },
	{ "the leg is open", false, 0, TCP_ACK, false, false, true, NEXT, "" },
};

TEST_ROWS(accept, "backend_accept", accept_rows)
{
	const struct accept_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	p = node_hand_over(&n, &c, GET("/1/a"));
	if (row->is_open)
		node_reply(&n, &c, OK_5);
	p.seq += row->seq_off;
	p.flags = row->flags;
	if (!(row->flags & TCP_ACK))
		p.ack = 0;
	if (row->has_listener)
		socket_listen(row->v6, NET_NODE_PORT, 1);
	if (row->has_socket)
		socket_connected(row->v6, &p.dst, NET_NODE_PORT, &c.addr, c.port, c.seq);
	r = run_packet(BACKEND_ACCEPT, &p, NET_NODE1);
	socket_close_all();
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	EXPECT(r->packet.seq, p.seq);
	EXPECT(r->packet.len, p.len);
	if (row->verdict == REDIRECT)
		EXPECT(r->out_ifindex, net_ifindex(NET_NODE1));
}

TEST(accept_other, "backend_accept passes on what is not for its backend")
{
	struct packet p;
	struct result *r;
	struct client c;

	client_init(&c, false);
	p = client_packet(&c, TCP_SYN, NULL, 0);
	r = run_packet(BACKEND_ACCEPT, &p, NET_NODE1);
	expect_verdict(r, NEXT);
	p.dst = packet_addr(net_node_addr(1, false));
	p.dport = NET_NODE_PORT;
	r = run_packet(BACKEND_ACCEPT, &p, NET_NODE1);
	expect_verdict(r, NEXT);
	expect_counts(r, "");
}
