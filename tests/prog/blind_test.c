// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments of somebody who does not see the connection, and old ones (RFC 9293, 3.10.7.4; RFC 5961;
 * RFC 7323, 5): nothing of flow, legs and next hop changes, and what comes back is no larger.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define OK_HALF "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
#define SWITCHED "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"
#define POST_HUGE "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n"
#define GOOD GET("/small")
#define MB (1 << 20)

static struct fixture {
	struct client c;
	struct node n;
	uint32_t sent; /* end of what the client was sent */
} x;

static void at_rest(void)
{
	client_expect_object(&x.c, client_say(&x.c, GOOD), SLOT_SMALL, false, false);
	client_ack(&x.c);
	x.sent = x.c.ack;
}

static void in_answer(void)
{
	struct result *r = client_say(&x.c, GET("/huge"));

	EXPECT(r->n_clones, 10);
	x.sent = r->clones[9].packet.seq + r->clones[9].packet.len;
	x.c.ack = r->clones[3].packet.seq;
	r = client_ack(&x.c);
	EXPECT_TRUE(r->n_clones > 0);
	x.sent = r->clones[r->n_clones - 1].packet.seq + r->clones[r->n_clones - 1].packet.len;
}

static void in_head(void)
{
	client_take(&x.c, client_send(&x.c, TCP_ACK, "GET /sm", 7));
	x.sent = x.c.ack;
}

static void in_response(void)
{
	node_open(&x.n, 1, &x.c, GET("/1/a"));
	expect_out(node_say(&x.n, OK_HALF), NET_UPLINK);
	x.sent = x.c.ack + strlen(OK_HALF);
}

static void at_rest_leg(void)
{
	node_open(&x.n, 1, &x.c, GET("/1/a"));
	node_reply(&x.n, &x.c, OK_5);
	x.sent = x.c.ack;
}

static void in_upload(void)
{
	node_open(&x.n, 1, &x.c, POST_HUGE);
	client_take(&x.c, node_ack(&x.n));
	x.sent = x.c.ack;
}

static void pinned(void)
{
	node_open(&x.n, 1, &x.c,
		  "GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
	node_reply(&x.n, &x.c, SWITCHED);
	EXPECT_TRUE(peek_flow(&x.c).flags & FLOW_PINNED);
	x.sent = x.c.ack;
}

struct state_row {
	const char *name;
	bool v6;
	void (*enter)(void);
};

static const struct state_row state_rows[] = {
	{ "kernel, idle", false, at_rest },	      { "kernel, IPv6, idle", true, at_rest },
	{ "kernel, in an answer", false, in_answer }, { "kernel, in a head", false, in_head },
	{ "leg, in a response", true, in_response },  { "leg, idle", false, at_rest_leg },
	{ "leg, in a long body", false, in_upload },  { "leg, pinned", false, pinned },
};

struct blind_row {
	const char *name;
	int32_t seq_off, ack_off; /* from the next byte, from the end of what was sent */
	uint8_t flags;
	int32_t age; /* of the timestamp */
	const char *payload;
	bool quiet; /* not even answered */
};

static const struct blind_row blind_rows[] = {
	{ "data behind the window", 9 * MB, 0, TCP_ACK | TCP_PSH, 0, GOOD, false },
	{ "data 2^31 - 1 ahead", INT32_MAX, 0, TCP_ACK | TCP_PSH, 0, GOOD, false },
	{ "data before the window", -200000, 0, TCP_ACK | TCP_PSH, 0, GOOD, false },
	{ "ACK behind the window", 9 * MB, 0, TCP_ACK, 0, "", false },
	{ "ACK before the window", -9 * MB, 0, TCP_ACK, 0, "", false },
	{ "FIN behind the window", 9 * MB, 0, TCP_FIN | TCP_ACK, 0, "", false },
	{ "ACK of a byte that was never sent", 0, 1, TCP_ACK, 0, "", false },
	{ "ACK of 2^30 such bytes", 0, 1 << 30, TCP_ACK, 0, "", false },
	{ "ACK of what was sent long ago", 0, -40 * MB, TCP_ACK, 0, "", false },
	{ "FIN with an ACK of such a byte", 0, 1, TCP_FIN | TCP_ACK, 0, "", false },
	{ "a request with an ACK of such a byte", 0, 1, TCP_ACK | TCP_PSH, 0, GOOD, false },
	{ "a request with an ACK of long ago", 0, -40 * MB, TCP_ACK | TCP_PSH, 0, GOOD, false },
	{ "a request with an old timestamp", 0, 0, TCP_ACK | TCP_PSH, 500, GOOD, false },
	{ "a request, timestamp 2^31 - 1 old", 0, 0, TCP_ACK | TCP_PSH, INT32_MAX, GOOD, false },
	{ "FIN with an old timestamp", 0, 0, TCP_FIN | TCP_ACK, 500, "", false },
	{ "SYN at the next byte", 0, 0, TCP_SYN, 0, "", false },
	{ "SYN anywhere", 123456789, 0, TCP_SYN, 0, "", false },
	{ "SYN with a request", 0, 0, TCP_SYN | TCP_ACK, 0, GOOD, false },
	{ "RST a few bytes ahead", 50, 0, TCP_RST, 0, "", false },
	{ "RST and ACK at the window's end", 64000, 0, TCP_RST | TCP_ACK, 0, "", false },
	{ "RST behind the window", 9 * MB, 0, TCP_RST, 0, "", true },
	{ "RST long before", -70000, 0, TCP_RST, 0, "", true },
	{ "no flags, at the next byte", 0, 0, 0, 0, GOOD, false },
	{ "FIN without ACK, at the next byte", 0, 0, TCP_FIN, 0, "", false },
};

/* The flow as far as packets may change it, and the leg. */
struct picture {
	struct flow f;
	struct leg leg;
};

static struct picture take_picture(void)
{
	struct picture p = { .f = peek_flow(&x.c) };

	if (peek_leg_slot(&x.c, 1) >= 0)
		p.leg = peek_leg(&x.c, 1);
	p.f.seen = 0;
	return p;
}

static void expect_same(const struct picture *before)
{
	struct picture after = take_picture();

	EXPECT(after.f.rcv_nxt, before->f.rcv_nxt);
	EXPECT(after.f.snd_una, before->f.snd_una);
	EXPECT(after.f.snd_wnd, before->f.snd_wnd);
	EXPECT(after.f.ts_recent, before->f.ts_recent);
	expect_bytes("next hop", after.f.mac, 6, before->f.mac, 6);
	expect_bytes("flow", &after.f, sizeof(after.f), &before->f, sizeof(after.f));
	expect_bytes("leg", &after.leg, sizeof(after.leg), &before->leg, sizeof(after.leg));
}

/* Nothing but an ACK with the connection's own numbers, to its own next hop. */
static void expect_challenge(const struct result *r, const struct packet *p)
{
	struct flow f = peek_flow(&x.c);

	expect_no_clones(r);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	EXPECT(r->packet.len, 0);
	EXPECT(r->packet.seq, x.sent);
	EXPECT_TRUE(f.rcv_nxt - r->packet.ack <= f.req_len);
	EXPECT_TRUE(r->packet.options_len <= p->options_len);
}

TEST_ROWS(blind, "blind segments", state_rows)
{
	static const uint8_t mac[6] = { 2, 6, 6, 6, 6, 6 };
	const struct state_row *row = row_;
	struct picture before;
	struct packet p;
	struct result *r;
	size_t i;

	client_open(&x.c, row->v6);
	row->enter();
	before = take_picture();
	for (i = 0; i < sizeof(blind_rows) / sizeof(blind_rows[0]); i++) {
		const struct blind_row *b = &blind_rows[i];

		check_step("%s", b->name);
		x.c.tsval -= b->age;
		p = client_packet(&x.c, b->flags, b->payload, strlen(b->payload));
		x.c.tsval += b->age;
		p.seq += b->seq_off;
		p.ack = b->flags & TCP_ACK ? x.sent + b->ack_off : 0;
		memcpy(p.mac_src, mac, 6);
		r = client_run_as_is(&p);
		if (b->quiet)
			expect_verdict(r, DROP);
		else
			expect_challenge(r, &p);
		expect_same(&before);
	}
}

TEST(blind_lives, "after all that the connection goes on")
{
	struct packet p;
	size_t i;

	client_open(&x.c, false);
	at_rest_leg();
	for (i = 0; i < sizeof(blind_rows) / sizeof(blind_rows[0]); i++) {
		const struct blind_row *b = &blind_rows[i];

		p = client_packet(&x.c, b->flags, b->payload, strlen(b->payload));
		p.seq += b->seq_off;
		p.ack = x.sent + b->ack_off;
		if (!b->age)
			client_run_as_is(&p);
	}
	node_expect_text(&x.n, client_say(&x.c, GET("/1/b")), GET("/1/b"));
	node_reply(&x.n, &x.c, OK_5);
	client_expect_object(&x.c, client_say(&x.c, GOOD), SLOT_SMALL, false, false);
}

TEST(blind_limited, "challenge ACKs are rate-limited (RFC 5961, 7)")
{
	int answered = 0, limited = 0, i;
	struct packet p;
	struct result *r;

	client_open(&x.c, false);
	at_rest();
	for (i = 0; i < 400; i++) {
		p = client_packet(&x.c, i & 1 ? TCP_SYN : TCP_ACK, GOOD, strlen(GOOD));
		p.seq += 9 * MB;
		r = client_run(&p);
		answered += r->verdict == REDIRECT;
		limited += r->counts[STAT_RST_LIMITED];
	}
	EXPECT(answered + limited, 400);
	EXPECT_TRUE(answered >= 32 && limited > 100); /* half of the budget is certain */
}

TEST_ROWS(rst_exact, "RST at exactly the next byte ends it", state_rows)
{
	const struct state_row *row = row_;
	struct packet p;

	client_open(&x.c, row->v6);
	row->enter();
	p = client_packet(&x.c, TCP_RST, NULL, 0);
	p.seq = peek_flow(&x.c).rcv_nxt;
	expect_verdict(client_run(&p), DROP);
	EXPECT(peek_flow(&x.c).state, FLOW_CLOSED);
	if (peek_leg_slot(&x.c, 1) >= 0)
		EXPECT(peek_leg(&x.c, 1).state, LEG_DEAD);
}

/* RFC 7323, 5.3: a timestamp that is equal, or newer across 2^32, is good. */
TEST(paws_wrap, "timestamps across 2^32")
{
	uint32_t i;

	client_init(&x.c, false);
	x.c.tsval = 0xfffffffa;
	client_connect(&x.c);
	for (i = 0; i < 10; i++) {
		client_expect_object(&x.c, client_say(&x.c, GOOD), SLOT_SMALL, false, false);
		client_ack(&x.c);
	}
	EXPECT_TRUE(x.c.tsval < 100);
	EXPECT(peek_flow(&x.c).ts_recent, x.c.tsval - 1);
}

TEST(paws_equal, "the same timestamp twice")
{
	client_open(&x.c, false);
	at_rest();
	x.c.tsval--;
	client_expect_object(&x.c, client_say(&x.c, GOOD), SLOT_SMALL, false, false);
}

TEST(paws_off, "without timestamps on the connection a wild one in a segment means nothing")
{
	struct packet p;
	struct result *r;

	client_init(&x.c, false);
	x.c.has_ts = false;
	client_connect(&x.c);
	p = client_packet(&x.c, TCP_ACK | TCP_PSH, GOOD, strlen(GOOD));
	packet_option_ts(&p, 0x90000000, 5);
	x.c.seq += strlen(GOOD);
	r = client_run_as_is(&p);
	EXPECT(expect_out(r, NET_UPLINK)->has_ts, false);
	x.c.ack += r->packet.len;
	client_expect_object(&x.c, client_say(&x.c, GOOD), SLOT_SMALL, false, false);
}

/* Else their duplicates would make the client repeat the request that is being answered. */
TEST(paws_ack, "ACKs that have overtaken each other are not answered")
{
	struct packet late;
	struct result *r;

	client_open(&x.c, false);
	in_answer();
	late = client_packet(&x.c, TCP_ACK, NULL, 0);
	late.window = 0;
	x.c.ack += 1448;
	client_ack(&x.c);
	r = client_run_as_is(&late);
	expect_verdict(r, DROP);
	expect_counts(r, "");
	expect_no_clones(r);
	EXPECT_TRUE(peek_flow(&x.c).snd_wnd > 0);
}

/* An upload's segments may overtake each other by more than a tick of the timestamp clock. */
TEST(paws_body, "an older segment of a body that a newer one has overtaken is taken")
{
	struct packet first;

	client_open(&x.c, false);
	in_upload();
	first = client_packet(&x.c, TCP_ACK, "0123456789", 10);
	x.c.seq += 10;
	x.n.ack += 10;
	node_expect_text(&x.n, client_say(&x.c, "abc"), "abc");
	node_expect_text(&x.n, client_say(&x.c, "def"), "def");
	x.n.ack -= 16;
	node_expect_text(&x.n, client_run_as_is(&first), "0123456789");
}

/* The window is the backend's own where that is larger than what the kernel offers. */
TEST(window_leg, "a segment inside the backend's window, far behind the kernel's")
{
	struct packet far;
	struct result *r;

	client_open(&x.c, false);
	in_upload();
	x.n.window = 65000;
	client_take(&x.c, node_ack(&x.n));
	far = client_packet(&x.c, TCP_ACK, "x", 1);
	far.seq += 8 * MB - 500000;
	r = client_run(&far);
	expect_counts(r, "");
	EXPECT(expect_out(r, NET_NODE1)->len, 1);
	far.seq += 4 * MB;
	r = client_run(&far);
	expect_counts(r, "DROP_WINDOW");
}

TEST(old_window, "an ACK that was overtaken does not shrink the window of an answer")
{
	struct packet late;
	uint32_t before;

	client_init(&x.c, false);
	x.c.has_ts = false;
	client_connect(&x.c);
	late = client_packet(&x.c, TCP_ACK, NULL, 0);
	late.window = 0;
	in_answer();
	before = peek_flow(&x.c).snd_wnd;
	late.seq = x.c.seq;
	expect_no_clones(client_run(&late));
	EXPECT(peek_flow(&x.c).snd_wnd, before);
}

/* Else the leg would seem to have sent what the client lacks, and could not be closed alone. */
TEST(told, "an ACK that was overtaken does not take back what the leg was told")
{
	struct packet late;
	struct result *r;

	client_open(&x.c, false);
	node_open(&x.n, 1, &x.c, GET("/1/a"));
	late = client_packet(&x.c, TCP_ACK, NULL, 0);
	late.seq = x.c.seq;
	node_reply(&x.n, &x.c, OK_5);
	EXPECT(expect_out(client_run_as_is(&late), NET_NODE1)->ack, x.n.seq - strlen(OK_5));
	r = node_send(&x.n, TCP_FIN | TCP_ACK, NULL, 0);
	expect_counts(r, "LEG_CLOSED");
	EXPECT(peek_flow(&x.c).state, FLOW_OPEN);
}
