// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets that lie, at random: good packets of a client, a backend and a router, with bytes,
 * lengths and options changed, into every program. A packet that is handed on must be whole
 * (prog_run.c looks at each), so must the clones; strangers' packets change no flow; and afterwards
 * nothing has leaked: the connection goes on, and after a RST there is no other flow than its own.
 * FUZZ_SECONDS and FUZZ_SEED in the environment make it longer and another one.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "icmp_error.h"
#include "peek.h"
#include "prog_node.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static uint64_t state;

static uint32_t draw(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % n;
}

static uint32_t setting(const char *name, uint32_t value)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : value;
}

/* A number that is near something: an end, a window, half of the space. */
static uint32_t wild(uint32_t near)
{
	static const uint32_t off[] = { 0, 1, 1448, 64239, 64240, 64241, 1u << 30, 1u << 31 };
	uint32_t by = off[draw(8)];

	return draw(4) ? draw(2) ? near + by : near - by : draw(0x7fffffff) * 2 + draw(2);
}

/* Options as nobody sends them: lengths that lie, SACK blocks of all kinds, signatures. */
static void put_options(struct packet *p, uint32_t near)
{
	static const uint8_t kinds[] = { 0, 1, 5, 5, 5, 8, 8, 19, 29 };
	static const uint8_t lens[] = { 0, 1, 2, 6, 10, 10, 18, 18, 26, 34, 40, 255 };
	uint8_t end = draw(41) & ~3, len, *at;

	for (p->options_len = 0; p->options_len < end; p->options_len += len) {
		uint8_t room = end - p->options_len;

		at = p->options + p->options_len;
		at[0] = kinds[draw(sizeof(kinds))];
		len = 1;
		if (at[0] < 2 || room < 2)
			continue;
		len = at[0] == 8 && draw(4) ? 10 : lens[draw(sizeof(lens))];
		if (at[0] == 8 && len > 1 && len != 10)
			len = 10;
		at[1] = len;
		for (int k = 2; k + 4 <= len && k + 4 <= room; k += 4)
			memcpy(at + k, &(uint32_t){ htonl(wild(near)) }, 4);
		if (len < 2 || len > room)
			len = room;
	}
}

/* Changes a built frame; returns its new length. Checksums are made right again most of the time,
 * so that what lies behind them is reached. */
static size_t spoil(uint8_t *frame, size_t len, bool v6)
{
	size_t l4 = packet_l4(v6), at;
	uint32_t n;

	for (n = draw(3); n; n--) {
		at = draw(8) ? PACKET_ETH + draw(l4 + 40 - PACKET_ETH) : draw(len);
		if (at < len && (at < PACKET_ETH + 12 || at >= l4)) /* not the addresses */
			frame[at] = draw(2) ? draw(256) : frame[at] ^ 1u << draw(8);
	}
	switch (draw(7)) {
	case 0:				   /* cut */
		len = l4 + draw(len - l4); /* bpf_prog_test_run wants a whole IP header */
		break;
	case 1: /* data offset */
		frame[l4 + 12] = draw(16) << 4 | draw(16);
		break;
	case 2: /* IP total length */
		at = PACKET_ETH + (v6 ? 4 : 2);
		n = draw(4) ? len - PACKET_ETH + draw(80) - 40 : draw(65536);
		frame[at] = n >> 8;
		frame[at + 1] = n;
		break;
	case 3: /* another protocol, or an extension header */
		frame[PACKET_ETH + (v6 ? 6 : 9)] =
			(uint8_t[]){ 0, 1, 6, 43, 44, 50, 51, 58, 60, 135 }[draw(10)];
		break;
	}
	return len;
}

/* Checksums made right for what the frame says its length is; returns the frame's length. What is
 * left over behind that (padding, to a receiver) is cut off. */
static size_t reseal(uint8_t *frame, size_t len)
{
	bool v6 = frame[12] == 0x86;
	size_t at = PACKET_ETH + (v6 ? 4 : 2);
	size_t end = PACKET_ETH + (frame[at] << 8 | frame[at + 1]) + (v6 ? 40 : 0);

	if (end > len || end < packet_l4(v6) + 20)
		return len;
	packet_seal(frame, end);
	return end;
}

static struct fixture {
	struct client victim, own;
	struct node n;
} x;

static uint8_t frame[PACKET_MAX];

static void client_lie(struct client *c, bool blind)
{
	static const char *const texts[] = {
		"",	     GET("/small"), GET("/huge"),
		GET("/1/x"), "GE",	    "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 9"
	};
	const char *text = texts[draw(6)];
	struct packet p = client_packet(c, draw(256), text, draw(8) ? strlen(text) : 0);
	size_t len;

	p.seq = draw(3) ? c->seq : wild(c->seq);
	p.ack = draw(3) ? c->ack : wild(c->ack);
	if (blind) /* it does not see the connection: far from the window */
		p.seq = c->seq + 200000 + draw(0x7fff0000) * 2 - draw(2);
	if (!draw(3))
		put_options(&p, p.ack);
	p.window = draw(2) ? draw(65536) : draw(2);
	len = packet_build(&p, frame);
	if (draw(2))
		len = reseal(frame, spoil(frame, len, p.v6));
	else if (draw(2))
		len = spoil(frame, len, p.v6);
	run_set_gso_segs(draw(8) ? 0 : draw(50));
	run_frame(draw(20) ? UPLINK_INGRESS : UPLINK_EGRESS, frame, len, net_ifindex(NET_UPLINK),
		  0);
}

static void node_lie(struct node *n)
{
	struct packet p = node_packet(n, draw(256), OK_5, draw(2) ? strlen(OK_5) : 0);
	bool bounce = !draw(4);
	size_t len;

	p.seq = wild(n->seq);
	p.ack = wild(n->ack);
	if (bounce) {
		struct ip_addr src = p.src;

		p.src = p.dst;
		p.dst = src;
		p.dport = p.sport;
		p.sport = n->client_port;
	}
	if (!draw(3))
		put_options(&p, p.ack);
	len = packet_build(&p, frame);
	if (draw(2))
		len = spoil(frame, len, p.v6);
	run_frame(bounce && draw(2) ? BACKEND_ACCEPT : BACKEND_RETURN, frame, len,
		  net_ifindex(draw(8) ? n->id : NET_NODE2), 0);
}

static void router_lie(struct client *c)
{
	struct icmp_error e;
	size_t len, at;

	e = icmp_error_about(c, (struct icmp_error_type){ draw(16), draw(8) },
			     draw(2) ? draw(2000) : draw(1u << 31), wild(c->ack), draw(1500));
	e.quote_len = draw(2) ? 8 : 20 + draw(12);
	len = icmp_error_build(&e, frame);
	for (int i = draw(3); i; i--) {
		at = PACKET_ETH + draw(len - PACKET_ETH);
		frame[at] ^= 1 << draw(8);
	}
	if (!draw(4))
		len = packet_l4(c->v6) + draw(len - packet_l4(c->v6));
	run_frame(UPLINK_INGRESS, frame, len, net_ifindex(NET_UPLINK), 0);
}

static void set_up(bool v6)
{
	client_open(&x.victim, v6);
	node_open(&x.n, 1, &x.victim, GET("/1/a"));
	client_take(&x.victim, node_ack(&x.n));
	client_open(&x.own, v6);
}

/* The victim's connection goes on as if nothing had been. */
static void expect_unharmed(void)
{
	node_reply(&x.n, &x.victim, OK_5);
	client_expect_object(&x.victim, client_say(&x.victim, GET("/small")), SLOT_SMALL, false,
			     false);
	client_ack(&x.victim);
	node_expect_text(&x.n, client_say(&x.victim, GET("/1/b")), GET("/1/b"));
	client_take(&x.victim, node_ack(&x.n));
}

/* No flow but these two, and none after a RST of each. */
static void expect_no_leak(void)
{
	struct flow f;

	if (peek_flow_slot(&x.own) >= 0) {
		f = peek_flow(&x.own);
		x.own.seq = f.rcv_nxt;
		client_send(&x.own, TCP_RST, NULL, 0);
		EXPECT(peek_flow(&x.own).state, FLOW_CLOSED);
	}
	client_send(&x.victim, TCP_RST, NULL, 0);
	EXPECT(peek_flow(&x.victim).state, FLOW_CLOSED);
	EXPECT_TRUE(peek_flows() <= 2);
}

struct fuzz_row {
	const char *name;
	bool v6;
	int what;
};

static const struct fuzz_row fuzz_rows[] = {
	{ "strangers as the client", false, 0 },
	{ "strangers as the client, IPv6", true, 0 },
	{ "a client's own", false, 1 },
	{ "a client's own, IPv6", true, 1 },
	{ "a backend", false, 2 },
	{ "a backend, IPv6", true, 2 },
	{ "routers", false, 3 },
	{ "routers, IPv6", true, 3 },
};

#define ROUND 100 /* packets between two looks */

/* What a backend says about its own leg may end it: then only whole packets are asked for. */
TEST_ROWS(fuzz, "packets that lie", fuzz_rows)
{
	uint32_t seconds = setting("FUZZ_SECONDS", 8), seed = setting("FUZZ_SEED", 1), i;
	const struct fuzz_row *row = row_;
	time_t end = time(NULL) + (seconds + 7) / 8;
	uint32_t rounds = 0;

	packet_expect_any_option(true); /* what is forwarded may have been made by chance */

	do {
		state = seed + rounds;
		check_step("FUZZ_SEED=%u", seed + rounds);
		room_reset();
		set_up(row->v6);
		for (i = 0; i < ROUND; i++) {
			if (row->what == 0)
				client_lie(&x.victim, true);
			else if (row->what == 1)
				client_lie(&x.own, false);
			else if (row->what == 2)
				node_lie(&x.n);
			else
				router_lie(draw(2) ? &x.victim : &x.own);
			run_forget();
		}
		if (row->what != 2) {
			expect_unharmed();
			expect_no_leak();
		}
		run_forget();
		rounds++;
	} while (time(NULL) < end);
	printf("# %s: %u packets\n", row->name, rounds * ROUND);
}
