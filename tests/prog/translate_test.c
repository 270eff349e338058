// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers between client and leg (translate.h) where arithmetic may slip: at 2^32 on either side,
 * after several switches, SACK blocks around a leg's beginning, repetitions around it.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define OK_BIG "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
#define POST_BIG "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"

static struct fixture {
	struct client c;
	struct node n;
	struct leg leg;
} x;

struct where_row {
	const char *name;
	bool v6, has_ts;
	uint32_t client_isn, isn;
	int hits; /* kernel answers before the leg opens, and again before it is resumed */
};

/* client_connect_near() goes up to 2^16 below `isn`, a hit is about 1,000 bytes further. */
static const struct where_row where_rows[] = {
	{ "fresh leg", false, true, 0x10000000, 0x20000000, 0 },
	{ "behind answers", false, true, 0x10000000, 0x20000000, 3 },
	{ "IPv6, behind answers", true, true, 0x10000000, 0x20000000, 3 },
	{ "no timestamps", false, false, 0x10000000, 0x20000000, 2 },
	{ "client's side wraps", false, true, 0xffffff80, 0x20000000, 2 },
	{ "our side wraps", false, true, 0x10000000, 0xffffffff, 40 },
	{ "both wrap", true, false, 0xfffff900, 0xffffffff, 40 },
	{ "at 2^31", false, true, 0x7ffffff0, 0x80008000, 20 },
};

static void hit(int n)
{
	for (; n; n--)
		client_expect_object(&x.c, client_say(&x.c, GET("/small")), SLOT_SMALL, false,
				     false);
	client_ack(&x.c);
}

/* A leg with a request under way; resumed: after answers in between. */
static void set_up(const struct where_row *row, bool resumed, const char *text)
{
	client_init(&x.c, row->v6);
	client_connect_near(&x.c, row->client_isn, row->isn);
	x.c.has_ts = true;
	if (!row->has_ts) {
		client_init(&x.c, row->v6);
		x.c.has_ts = false;
		x.c.seq = row->client_isn;
		client_connect(&x.c);
	}
	hit(row->hits);
	if (!resumed) {
		node_open(&x.n, 1, &x.c, text);
	} else {
		node_open(&x.n, 1, &x.c, GET("/1/a"));
		node_reply(&x.n, &x.c, OK_5);
		hit(row->hits + 1);
		node_expect_text(&x.n, client_say(&x.c, text), text);
	}
	client_take(&x.c, node_ack(&x.n));
	x.leg = peek_leg(&x.c, 1);
}

/* An ACK of the client with these blocks; what the backend gets must be them, moved, or none. */
static void expect_sack(const uint32_t *edges, size_t n, bool passes)
{
	struct packet p = client_packet(&x.c, TCP_ACK, NULL, 0);
	struct result *r;
	size_t i;

	packet_option_sack(&p, edges, n);
	r = client_run(&p);
	node_expect_text(&x.n, r, "");
	EXPECT(r->packet.options_len, p.options_len);
	EXPECT(r->packet.n_sack, passes ? n : 0);
	for (i = 0; passes && i < n; i++)
		EXPECT(r->packet.sack[i], edges[i] - x.leg.delta_out);
}

static void try_blocks(bool is_resumed, int hits, bool has_ts)
{
	uint32_t base = x.leg.base_out + x.leg.delta_out, e[8], i, max = has_ts ? 3 : 4;

	for (i = 0; i < 2 * max; i++)
		e[i] = base + 3000 + 1000 * i;
	check_step("1 block");
	expect_sack(e, 2, true);
	check_step("%u blocks", max);
	expect_sack(e, 2 * max, true);
	check_step("D-SACK of the leg's own bytes, below the ACK (RFC 2883, 4)");
	e[0] = base;
	e[1] = base + 10;
	expect_sack(e, 2, true);
	check_step("D-SACK inside the second block");
	e[0] = base + 5100;
	e[1] = base + 5200;
	e[2] = base + 5000;
	e[3] = base + 6000;
	expect_sack(e, 4, true);
	if (!is_resumed && !hits)
		return;
	check_step("block of another's bytes");
	e[0] = base - 500;
	e[1] = base - 100;
	expect_sack(e, 2, false);
	check_step("block across the leg's beginning");
	e[1] = base + 100;
	expect_sack(e, 2, false);
	check_step("a good block behind a foreign one");
	e[2] = base + 3000;
	e[3] = base + 4000;
	expect_sack(e, 4, false);
	check_step("a foreign block behind a good one");
	e[0] = base + 3000;
	e[1] = base + 4000;
	e[2] = base - 500;
	e[3] = base - 100;
	expect_sack(e, 4, false);
}

TEST_ROWS(sack_fresh, "client's SACK, fresh leg", where_rows)
{
	const struct where_row *row = row_;

	set_up(row, false, GET("/1/a"));
	expect_out(node_say(&x.n, OK_BIG), NET_UPLINK);
	x.n.seq -= strlen(OK_BIG);
	try_blocks(false, row->hits, row->has_ts);
}

TEST_ROWS(sack_resumed, "client's SACK, resumed leg", where_rows)
{
	const struct where_row *row = row_;

	set_up(row, true, GET("/1/b"));
	EXPECT_TRUE(x.leg.delta_in && x.leg.delta_out);
	expect_out(node_say(&x.n, OK_BIG), NET_UPLINK);
	x.n.seq -= strlen(OK_BIG);
	try_blocks(true, row->hits, row->has_ts);
}

TEST_ROWS(sack_upload, "backend's SACK, resumed leg", where_rows)
{
	const struct where_row *row = row_;
	uint32_t e[4], base, i;
	struct packet p;
	struct result *r;

	set_up(row, true, POST_BIG);
	for (i = 0; i < 4; i++)
		e[i] = x.n.ack + 1000 + 1000 * i;
	for (i = 0; i < 2; i++) {
		p = node_packet(&x.n, TCP_ACK, NULL, 0);
		packet_option_sack(&p, e, 4);
		r = node_run(&x.n, &p);
		EXPECT(expect_out(r, NET_UPLINK)->n_sack, i ? 0 : 4);
		EXPECT(r->packet.ack, x.c.seq);
		if (!i) {
			EXPECT(r->packet.sack[0], e[0] + x.leg.delta_in);
			EXPECT(r->packet.sack[3], e[3] + x.leg.delta_in);
		}
		base = x.leg.base_in; /* and then one before the leg was resumed */
		e[0] = base - 20;
		e[1] = base - 10;
	}
}

/* Many switches: whoever is the destination, both sides see their own bytes without a gap. */
TEST_ROWS(switches, "kernel, leg, kernel, leg", where_rows)
{
	const struct where_row *row = row_;
	int i;

	set_up(row, true, GET("/1/b"));
	node_reply(&x.n, &x.c, OK_5);
	for (i = 0; i < 30; i++) {
		check_step("switch %d", i);
		hit(1 + i % 3);
		node_expect_text(&x.n, client_say(&x.c, GET("/1/c")), GET("/1/c"));
		node_reply(&x.n, &x.c, OK_5);
	}
	if (row->isn == 0xffffffff)
		EXPECT_TRUE(!row->has_ts || x.c.ack < 1 << 24);
	if (row->client_isn > 0xf0000000)
		EXPECT_TRUE(x.c.seq < 1 << 20);
}

/* A body in pieces of odd lengths, some of them again with other borders. */
TEST_ROWS(upload_cut, "a body cut at odd borders", where_rows)
{
	static char body[100000];
	const struct where_row *row = row_;
	uint32_t at, len, back, i, start;
	struct packet p;

	for (i = 0; i < sizeof(body); i++)
		body[i] = 'a' + (i * 7 + i / 251) % 26;
	set_up(row, true, POST_BIG);
	start = x.c.seq;
	for (at = 0, i = 0; at < sizeof(body); at += len, i++) {
		len = 1 + (i * 2654435761u >> 7) % 1448;
		if (len > sizeof(body) - at)
			len = sizeof(body) - at;
		back = i % 5 ? 0 : at < 100 ? at : 100;
		check_step("bytes [%u, %u)", at - back, at + len);
		p = client_packet(&x.c, TCP_ACK, body + at - back, len + back);
		p.seq = start + at - back;
		x.n.ack -= back;
		EXPECT(node_take(&x.n, client_run(&p))->len, len + back);
		x.c.seq = start + at + len;
		if (i % 7 == 0)
			client_take(&x.c, node_ack(&x.n));
		run_forget();
	}
	EXPECT(peek_flow(&x.c).phase, REQUEST_START);
	node_reply(&x.n, &x.c, OK_5);
	client_expect_object(&x.c, client_say(&x.c, GET("/small")), SLOT_SMALL, false, false);
}

/* A body of the backend, likewise; some of it again, some before its turn. */
TEST_ROWS(download_cut, "a response cut at odd borders", where_rows)
{
	static char body[100000];
	const struct where_row *row = row_;
	uint32_t at, len, i, start;
	struct packet p, again;
	struct result *r;

	for (i = 0; i < sizeof(body); i++)
		body[i] = 'a' + (i * 11 + i / 253) % 26;
	set_up(row, true, GET("/1/b"));
	client_take(&x.c, node_say(&x.n, OK_BIG));
	start = x.n.seq;
	for (at = 0, i = 0; at < sizeof(body); at += len, i++) {
		len = 1 + (i * 2654435761u >> 9) % 1448;
		if (len > sizeof(body) - at)
			len = sizeof(body) - at;
		check_step("bytes [%u, %u)", at, at + len);
		again = node_packet(&x.n, TCP_ACK, body + at, len);
		r = node_send(&x.n, TCP_ACK, body + at, len);
		expect_bytes("bytes", client_take(&x.c, r)->payload, len, body + at, len);
		if (i % 6 == 0) {
			r = node_run(&x.n, &again); /* its ACK was lost */
			EXPECT(expect_out(r, NET_UPLINK)->seq, x.c.ack - len);
		}
		if (i % 3 == 0)
			node_expect_text(&x.n, client_ack(&x.c), "");
		run_forget();
	}
	node_expect_text(&x.n, client_ack(&x.c), "");
	EXPECT(x.n.seq - start, sizeof(body));
	EXPECT(peek_leg(&x.c, 1).rphase, RESPONSE_IDLE);
	p = node_packet(&x.n, TCP_ACK, NULL, 0); /* a keep-alive probe passes while it is active */
	p.seq--;
	EXPECT(expect_out(node_run(&x.n, &p), NET_UPLINK)->seq, x.c.ack - 1);
	hit(1);
	r = node_run(&x.n, &p); /* and is answered here when the leg is parked */
	EXPECT(expect_out(r, NET_NODE1)->ack, x.n.seq);
	EXPECT(r->packet.seq, x.n.ack);
}
