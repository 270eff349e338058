// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMP errors about the segments of a backend: they get to that backend, translated, if they quote
 * what its leg has under way.
 */
#include <string.h>

#include "download.h"
#include "family.h"
#include "icmp_error.h"
#include "peek.h"
#include "prog_node.h"
#include "socket.h"

#define OK_3000 "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"

/*
 * A leg on backend 1 whose numbers differ from the client's, with a response of two segments under
 * way. Returns the response's first byte in the client's numbers.
 */
static uint32_t response_under_way(struct client *c, struct node *n, bool v6)
{
	static char bytes[1448];
	uint32_t first;

	node_open_idle(n, c, v6);
	client_expect_object(c, client_say(c, GET("/small")), SLOT_SMALL, false, false);
	node_expect_text(n, client_say(c, GET("/1/b")), GET("/1/b"));
	EXPECT_TRUE(n->seq != c->ack);
	first = c->ack;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, OK_3000, strlen(OK_3000));
	expect_verdict(node_send(n, TCP_ACK, bytes, sizeof(bytes)), REDIRECT);
	memset(bytes, 'y', sizeof(bytes));
	expect_verdict(node_send(n, TCP_ACK, bytes, sizeof(bytes)), REDIRECT);
	return first;
}

static void expect_error(const struct result *r, const struct icmp_error *sent,
			 struct icmp_error *e)
{
	const char *complaint = icmp_error_parse(r->frame, r->len, e);

	if (complaint)
		check_fail("error passed on: %s", complaint);
	expect_bytes("router", &e->src, 16, &sent->src, 16);
	expect_bytes("quoted destination", &e->quoted.dst, 16, &sent->quoted.dst, 16);
	EXPECT(e->quoted.dport, sent->quoted.dport);
	EXPECT(e->type, sent->type);
	EXPECT(e->code, sent->code);
	EXPECT(e->quote_len, 8);
}

struct leg_row {
	const char *name;
	bool v6;
	struct icmp_error_type type;
	uint32_t rest;
	uint32_t rest_out; /* what the backend gets */
	int32_t off;
	size_t quote_len;
	uint16_t mss; /* of the flow, afterwards; 0: as before */
	const char *counts;
};

static const struct leg_row leg_rows[] = {
	{ "IPv4, 1400", false, FRAG_NEEDED, 1400, 1400, 0, 8, 1360, "ICMP_MTU" },
	{ "IPv4, second, long quote", false, FRAG_NEEDED, 1400, 1400, 1448, 601, 1360, "ICMP_MTU" },
	{ "IPv4, last byte", false, FRAG_NEEDED, 100, 100, 2895, 8, 88, "ICMP_MTU" },
	{ "IPv4, none told", false, FRAG_NEEDED, 0, 0, 0, 8, 1452, "ICMP_MTU" },
	{ "IPv4, larger", false, FRAG_NEEDED, 9000, 9000, 0, 8, 0, "ICMP_MTU" },
	{ "IPv4, host unreachable", false, { 3, 1 }, 0, 0, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv4, time exceeded", false, { 11, 0 }, 0, 0, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv4, with extensions", false, { 11, 0 }, 0x00200000, 0, 0, 108, 0, "ICMP_PASSED" },
	{ "IPv4, parameter problem",
	  false,
	  { 12, 0 },
	  0x14000000,
	  0x14000000,
	  0,
	  8,
	  0,
	  "ICMP_PASSED" },
	{ "IPv4, before what is under way", false, FRAG_NEEDED, 1400, 0, -1, 8, 0, NULL },
	{ "IPv4, behind what is under way", false, FRAG_NEEDED, 1400, 0, 2896, 8, 0, NULL },
	{ "IPv6, 1400", true, TOO_BIG, 1400, 1400, 0, 8, 1340, "ICMP_MTU" },
	{ "IPv6, second, long quote", true, TOO_BIG, 1280, 1280, 1448, 1100, 1220, "ICMP_MTU" },
	{ "IPv6, larger", true, TOO_BIG, 0x12345678, 0x12345678, 0, 8, 0, "ICMP_MTU" },
	{ "IPv6, less than least", true, TOO_BIG, 1000, 0, 0, 8, 0, NULL },
	{ "IPv6, address unreachable", true, { 1, 3 }, 0, 0, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv6, with extensions", true, { 3, 0 }, 0x10000000, 0, 0, 108, 0, "ICMP_PASSED" },
	{ "IPv6, parameter", true, { 4, 1 }, 0x28000006, 0x28000006, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv6, before what is under way", true, TOO_BIG, 1400, 0, -1, 8, 0, NULL },
	{ "IPv6, behind what is under way", true, TOO_BIG, 1400, 0, 2896, 8, 0, NULL },
};

TEST_ROWS(leg, "about a backend's segment", leg_rows)
{
	const struct leg_row *row = row_;
	struct icmp_error sent, e;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t first;
	uint16_t before;

	first = response_under_way(&c, &n, row->v6);
	before = peek_flow(&c).mss;
	sent = icmp_error_about(&c, row->type, row->rest, first + row->off, 1448);
	sent.quote_len = row->quote_len;
	r = icmp_error_send(&sent);
	expect_no_clones(r);
	EXPECT(peek_flow(&c).mss, row->mss ? row->mss : before);
	EXPECT(peek_flow(&c).owner, 0);
	if (!row->counts) {
		expect_verdict(r, DROP);
		expect_counts(r, "ICMP_BAD");
		return;
	}
	expect_counts(r, row->counts);
	expect_verdict(r, REDIRECT);
	EXPECT(r->out_ifindex, net_ifindex(NET_NODE1));
	EXPECT(r->mark, NET_MARK_BASE + 1);
	expect_error(r, &sent, &e);
	expect_bytes("destination MAC", e.mac_dst, 6, net_peer_mac(NET_NODE1), 6);
	expect_bytes("source MAC", e.mac_src, 6, net_mac(NET_NODE1), 6);
	expect_bytes("destination", &e.dst, 16, &n.addr, 16);
	expect_bytes("quoted source", &e.quoted.src, 16, &n.addr, 16);
	EXPECT(e.quoted.sport, NET_NODE_PORT);
	EXPECT(e.quoted.seq, n.seq - 2 * 1448 + row->off);
	EXPECT(e.rest, row->rest_out);
}

TEST(leg_checksum, "about a backend's segment, wrong checksum")
{
	static uint8_t frame[PACKET_MAX];
	struct icmp_error e;
	struct result *r;
	struct client c;
	struct node n;
	size_t len;

	e = icmp_error_about(&c, (struct icmp_error_type)FRAG_NEEDED, 1400,
			     response_under_way(&c, &n, false), 1448);
	e = icmp_error_about(&c, (struct icmp_error_type)FRAG_NEEDED, 1400, c.ack, 1448);
	len = icmp_error_build(&e, frame);
	frame[len - 1] ^= 1;
	r = run_frame(UPLINK_INGRESS, frame, len, net_ifindex(NET_UPLINK), 0);
	expect_counts(r, "ICMP_BAD");
	expect_verdict(r, DROP);
	EXPECT(peek_flow(&c).mss, 1460);
}

TEST(leg_then_kernel, "a backend's report: the kernel's next answer fits as well")
{
	static const char rest[sizeof(OK_3000) - 1 + 3000 - 2 * 1448];
	struct icmp_error e;
	uint32_t first;
	struct node n;
	struct client *c = &download.c;
	struct result *r;

	first = response_under_way(c, &n, false);
	e = icmp_error_about(c, (struct icmp_error_type)FRAG_NEEDED, 1300, first, 1448);
	expect_counts(icmp_error_send(&e), "ICMP_MTU");
	c->ack += 2 * 1448;
	node_expect_text(&n, client_ack(c), "");
	e = icmp_error_about(c, (struct icmp_error_type)FRAG_NEEDED, 1200, first, 1448);
	expect_counts(icmp_error_send(&e), "ICMP_BAD"); /* acknowledged */
	node_send(&n, TCP_PSH | TCP_ACK, rest, sizeof(rest));
	c->ack += sizeof(rest);
	node_expect_text(&n, client_ack(c), "");
	r = download_ask(GET("/big"), SLOT_BIG, false);
	EXPECT(download.mss, 1248);
	download_expect(r, r->n_clones);
	download_run(download_ack(download.sent));
}

TEST(parked, "about what a leg sent before the kernel answered")
{
	struct icmp_error e;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t first;

	client_open(&c, false);
	first = c.ack;
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	e = icmp_error_about(&c, (struct icmp_error_type)FRAG_NEEDED, 1300, first, strlen(OK_5));
	r = icmp_error_send(&e);
	expect_verdict(r, DROP);
	expect_counts(r, "ICMP_BAD");
	EXPECT(peek_flow(&c).mss, 1460);
}

TEST(opening, "about the response of a leg that has not answered yet")
{
	struct icmp_error e;
	struct client c;
	struct node n;

	client_open(&c, true);
	node_open(&n, 1, &c, GET("/1/a"));
	e = icmp_error_about(&c, (struct icmp_error_type)TOO_BIG, 1300, c.ack, 100);
	expect_counts(icmp_error_send(&e), "ICMP_BAD");
}

/* Leg numbers differ from the client's by what is added to the leg's delta here. */
TEST_ROWS(local, "about the segment of a backend in the gateway's own netns", family_rows)
{
	const struct family_row *row = row_;
	struct icmp_error sent, e;
	struct packet answer;
	struct client c;
	struct result *r;
	struct leg leg;

	client_open(&c, row->v6);
	socket_connected(row->v6, &c.vip, ROOM_HERE_PORT, &c.addr, c.port, c.seq);
	r = client_say(&c, GET("/here/a"));
	socket_close_all();
	expect_verdict(r, NEXT);
	leg = peek_leg(&c, BACKEND_HERE);
	leg.delta_out = 77777;
	leg.resp_pos = leg.told = leg.base_out = leg.snd_max = c.ack - 77777;
	peek_set_leg(&c, BACKEND_HERE, &leg);
	answer = client_packet(&c, TCP_PSH | TCP_ACK, OK_5, strlen(OK_5));
	answer.src = c.vip;
	answer.dst = c.addr;
	answer.sport = ROOM_HERE_PORT;
	answer.dport = c.port;
	answer.seq = c.ack - 77777;
	answer.ack = r->packet.seq + r->packet.len;
	r = run_packet(UPLINK_EGRESS, &answer, NET_UPLINK);
	expect_verdict(r, NEXT);
	EXPECT(r->packet.seq, c.ack);
	sent = icmp_error_about(
		&c, row->v6 ? (struct icmp_error_type)TOO_BIG : (struct icmp_error_type)FRAG_NEEDED,
		1290, c.ack + 7, 500);
	sent.quote_len = 300;
	r = icmp_error_send(&sent);
	expect_verdict(r, NEXT);
	expect_counts(r, "ICMP_MTU");
	expect_error(r, &sent, &e);
	expect_bytes("destination MAC", e.mac_dst, 6, sent.mac_dst, 6);
	expect_bytes("source MAC", e.mac_src, 6, sent.mac_src, 6);
	expect_bytes("destination", &e.dst, 16, &c.vip, 16);
	expect_bytes("quoted source", &e.quoted.src, 16, &c.vip, 16);
	EXPECT(e.quoted.sport, ROOM_HERE_PORT);
	EXPECT(e.quoted.seq, answer.seq + 7);
	EXPECT(e.rest, 1290);
}

struct way_row {
	const char *name;
	uint32_t backend;
	int verdict;
	const char *counts;
};

static const struct way_row way_rows[] = {
	{ "no route", BACKEND_LOST, DROP, "ICMP_MTU DROP_NO_ROUTE" },
	{ "neighbour not known", BACKEND_FAR, REDIRECT, "ICMP_MTU" },
};

TEST_ROWS(way, "the way to the backend", way_rows)
{
	const struct way_row *row = row_;
	struct backend b;
	struct icmp_error sent, e;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t first;

	first = response_under_way(&c, &n, false);
	b = room_backend(row->backend);
	room_set_backend(1, &b);
	sent = icmp_error_about(&c, (struct icmp_error_type)FRAG_NEEDED, 1400, first, 1448);
	r = icmp_error_send(&sent);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	if (row->verdict == REDIRECT) {
		EXPECT(r->out_ifindex, net_ifindex(NET_NODE1));
		expect_error(r, &sent, &e);
	}
}
