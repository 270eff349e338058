// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers of one segment from the kernel: components, canned answers and errors, and what happens
 * to the connection afterwards. Long answers: stream_test.c.
 */
#include <string.h>

#include "peek.h"

#define GET_SMALL "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"

struct hit_row {
	const char *name;
	bool v6;
	const char *request;
	uint32_t slot;
	bool close, head_only;
	const char *counts;
};

static const struct hit_row hit_rows[] = {
	{ "GET", false, GET_SMALL, SLOT_SMALL, false, false, "REQUESTS HIT" },
	{ "IPv6 GET", true, GET_SMALL, SLOT_SMALL, false, false, "REQUESTS HIT" },
	{ "HEAD", false, "HEAD /small HTTP/1.1\r\nHost: a\r\n\r\n", SLOT_SMALL, false, true,
	  "REQUESTS HIT" },
	{ "HEAD of a long one", true, "HEAD /huge HTTP/1.1\r\nHost: a\r\n\r\n", SLOT_HUGE, false,
	  true, "REQUESTS HIT" },
	{ "close", false, "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", SLOT_SMALL,
	  true, false, "REQUESTS HIT" },
	{ "IPv6 close", true, "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	  SLOT_SMALL, true, false, "REQUESTS HIT" },
	{ "HEAD and close", false, "HEAD /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	  SLOT_SMALL, true, true, "REQUESTS HIT" },
	{ "HTTP/1.0", false, "GET /small HTTP/1.0\r\nHost: a\r\n\r\n", SLOT_SMALL, true, false,
	  "REQUESTS HIT" },
	{ "empty lines before it", false, "\r\n" GET_SMALL, SLOT_SMALL, false, false,
	  "REQUESTS HIT" },
	{ "an odd number of bytes", false, "GET /small HTTP/1.1\r\nHost: ab\r\n\r\n", SLOT_SMALL,
	  false, false, "REQUESTS HIT" },
	{ "redirect", false, "GET /moved HTTP/1.1\r\nHost: a\r\n\r\n", SLOT_MOVED, false, false,
	  "REQUESTS CANNED" },
	{ "redirect of a POST", true,
	  "POST /moved HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", SLOT_MOVED, false, false,
	  "REQUESTS CANNED" },
	{ "deny: 403", false, "GET /deny HTTP/1.1\r\nHost: a\r\n\r\n", SLOT_ERRORS + CANNED_403,
	  false, false, "REQUESTS CANNED" },
	{ "400", false, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", SLOT_ERRORS + CANNED_400,
	  true, false, "ERROR_400" },
	{ "IPv6 400", true, "GET / HTTP/1.1\nHost: a\n\n", SLOT_ERRORS + CANNED_400, true, false,
	  "ERROR_400" },
	{ "400 to a HEAD", false, "HEAD / HTTP/1.1\r\nHost : a\r\n\r\n", SLOT_ERRORS + CANNED_400,
	  true, false, "ERROR_400" },
	{ "505", false, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", SLOT_ERRORS + CANNED_505, true, false,
	  "ERROR_400" },
	{ "503: empty pool", false, "GET /empty/ HTTP/1.1\r\nHost: a\r\n\r\n",
	  SLOT_ERRORS + CANNED_503, true, false, "ERROR_503" },
};

TEST_ROWS(hit, "answer in one segment", hit_rows)
{
	const struct hit_row *row = row_;
	struct result *r;
	struct client c;
	struct flow f;

	client_open(&c, row->v6);
	r = client_say(&c, row->request);
	expect_counts(r, row->counts);
	client_expect_object(&c, r, row->slot, row->close, row->head_only);
	EXPECT(r->mark, 0);
	EXPECT(r->packet.window, 64240 >> 7);
	f = peek_flow(&c);
	EXPECT(f.state, row->close ? FLOW_CLOSING : FLOW_OPEN);
	EXPECT(f.snd_nxt, c.ack);
	EXPECT(f.rcv_nxt, c.seq);
	EXPECT_TRUE(f.reply & REPLY_ACTIVE);
	r = client_ack(&c);
	expect_verdict(r, DROP);
	expect_counts(r, "");
	EXPECT_TRUE(!(peek_flow(&c).reply & REPLY_ACTIVE));
}

TEST(deny_body, "deny of a POST with a body closes; the body is taken and forgotten")
{
	static const char head[] = "POST /deny HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
	struct result *r;
	struct client c;

	client_open(&c, false);
	r = client_say(&c, head);
	expect_counts(r, "REQUESTS CANNED");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_403, true, false);
	client_ack(&c);
	client_expect_ack(&c, client_say(&c, "abc"));
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
}

/* RFC 9110, 9.3.2: a HEAD's answer has no body, whatever the status. */
struct bare_row {
	const char *name;
	const char *request;
	uint32_t slot;
	bool close;
};

static const struct bare_row bare_rows[] = {
	{ "deny", "HEAD /deny HTTP/1.1\r\nHost: a\r\n\r\n", SLOT_ERRORS + CANNED_403, false },
	{ "404", "HEAD /alone HTTP/1.1\r\nHost: a\r\nRange: x\r\n\r\n", SLOT_ERRORS + CANNED_404,
	  true },
	{ "503", "HEAD /empty/ HTTP/1.1\r\nHost: a\r\n\r\n", SLOT_ERRORS + CANNED_503, true },
};

TEST_ROWS(head_has_no_body, "HEAD, answered without a body", bare_rows)
{
	const struct bare_row *row = row_;
	struct client c;

	room_exact(ROOM_ANY, "/alone", room_to_object(SLOT_SMALL, TARGET_POOL_NONE));
	client_open(&c, false);
	client_expect_object(&c, client_say(&c, row->request), row->slot, row->close, true);
}

TEST(mark_kept, "the mark of a packet that the kernel answers is left alone")
{
	uint8_t frame[2048];
	struct packet p;
	struct result *r;
	struct client c;

	client_open(&c, false);
	p = client_packet(&c, TCP_ACK | TCP_PSH, GET_SMALL, strlen(GET_SMALL));
	r = run_frame(UPLINK_INGRESS, frame, packet_build(&p, frame), net_ifindex(NET_UPLINK), 77);
	expect_counts(r, "REQUESTS HIT");
	EXPECT(r->mark, 77);
}

TEST(no_timestamps, "without timestamps no option is sent")
{
	struct client c;

	client_init(&c, false);
	c.has_ts = false;
	client_connect(&c);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
}

TEST(padded, "Ethernet padding is no payload")
{
	uint8_t frame[256] = {};
	struct packet p;
	struct result *r;
	struct client c;

	client_init(&c, false);
	c.has_ts = false;
	client_connect(&c);
	p = client_packet(&c, TCP_ACK, "G", 1);
	packet_build(&p, frame);
	r = run_frame(UPLINK_INGRESS, frame, 60, net_ifindex(NET_UPLINK), 0);
	c.seq++;
	client_expect_ack(&c, r);
	expect_counts(r, "STASHED");
	client_expect_object(&c, client_say(&c, GET_SMALL + 1), SLOT_SMALL, false, false);
}

TEST(gso_segs, "a request that local TCP sent (gso_segs 1)")
{
	struct client c;

	client_open(&c, false);
	run_set_gso_segs(1);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
}

TEST(keep_alive, "a hundred requests on one connection, across 2^32")
{
	struct client c;
	int i;

	client_init(&c, false);
	client_connect_near(&c, 0xfffffa00, 0xffffff00);
	for (i = 0; i < 100; i++) {
		check_step("request %d", i);
		client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	}
	EXPECT_TRUE(c.seq < 0x1000000);
}

TEST(repeat, "a repeated request gets the same answer again")
{
	uint8_t wanted[4096];
	size_t len = room_answer(SLOT_SMALL, false, false, wanted, sizeof(wanted));
	const struct packet *p;
	struct packet again;
	struct client c;

	client_open(&c, false);
	again = client_packet(&c, TCP_PSH | TCP_ACK, GET_SMALL, strlen(GET_SMALL));
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	p = expect_out(client_run(&again), NET_UPLINK);
	EXPECT(p->seq, again.ack);
	EXPECT(p->ack, c.seq);
	expect_bytes("answer", p->payload, p->len, wanted, len);
	EXPECT_TRUE(peek_flow(&c).reply & REPLY_ACTIVE);
}

TEST(repeat_acked, "a repeated request whose answer was acknowledged gets an ACK")
{
	struct packet again;
	struct result *r;
	struct client c;

	client_open(&c, false);
	again = client_packet(&c, TCP_PSH | TCP_ACK, GET_SMALL, strlen(GET_SMALL));
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	client_ack(&c);
	r = client_run(&again);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
}

struct early_row {
	const char *name;
	bool is_overtaken;
};

static const struct early_row early_rows[] = {
	{ "sent before the answer arrived", false },
	{ "overtaken by the ACK", true },
};

/* Its answer would begin inside the answer before. */
TEST_ROWS(early, "a request that does not acknowledge the answer before waits", early_rows)
{
	const struct early_row *row = row_;
	struct result *r;
	struct client c;
	uint32_t ack;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	ack = c.ack;
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	if (row->is_overtaken)
		client_ack(&c);
	ack = c.ack - ack;
	c.ack -= ack;
	r = client_say(&c, GET_SMALL);
	expect_verdict(r, DROP);
	expect_counts(r, "EARLY");
	c.ack += ack;
	c.seq -= strlen(GET_SMALL);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
}

TEST(object_gone, "an object that was replaced in between: to its pool")
{
	struct result *r;
	struct client c;

	room_set_object_gen(SLOT_SMALL, 2);
	client_open(&c, false);
	r = client_say(&c, GET_SMALL);
	expect_out(r, NET_NODE1);
	expect_counts(r, "REQUESTS MISS_TABLE LEG_NEW");
}

TEST(repeat_stale, "a repeated request whose object was replaced: RST, not other bytes")
{
	struct packet again;
	struct result *r;
	struct client c;

	client_open(&c, false);
	again = client_packet(&c, TCP_PSH | TCP_ACK, GET_SMALL, strlen(GET_SMALL));
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	room_set_object_gen(SLOT_SMALL, 2);
	r = client_run(&again);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST | TCP_ACK);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(object_outside, "an object beyond the region's end is not sent")
{
	struct object o = { .gen = 1, .head = { .off = REGION_BYTES - 100, .len = 200 } };
	uint32_t slot = SLOT_OWN;
	struct result *r;
	struct client c;

	room_map_update("objects", &slot, &o);
	room_exact(ROOM_ANY, "/outside", room_to_object(SLOT_OWN, POOL_1));
	client_open(&c, false);
	r = client_say(&c, "GET /outside HTTP/1.1\r\nHost: a\r\n\r\n");
	expect_verdict(r, DROP);
	expect_counts(r, "REQUESTS HIT DROP_OTHER");
}
