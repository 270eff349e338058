// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests cut into pieces: what is stashed is acknowledged, and leaves for the kernel's answer or
 * for a leg, where every byte must arrive once and in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peek.h"
#include "prog_node.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define PIECE 1400

/* A piece that ends inside the head: acknowledged at once, nothing goes on. */
static void expect_stashed(struct client *c, const struct result *r)
{
	client_expect_ack(c, r);
	expect_counts(r, "STASHED");
	expect_no_clones(r);
}

struct cut_row {
	const char *name;
	bool v6;
	size_t at, at2; /* 0: two pieces only */
};

static const struct cut_row cut_rows[] = {
	{ "behind the first byte", false, 1, 0 },
	{ "inside the target", true, 6, 0 },
	{ "inside CRLF", false, 20, 0 },
	{ "before the last LF", false, 0, 0 }, /* set by the test */
	{ "three pieces", false, 3, 17 },
	{ "IPv6, three pieces", true, 3, 17 },
};

TEST_ROWS(cut_hit, "component, cut", cut_rows)
{
	static const char text[] = GET("/small");
	const struct cut_row *row = row_;
	size_t len = strlen(text), at = row->at ? row->at : len - 1;
	struct result *r;
	struct client c;

	client_open(&c, row->v6);
	expect_stashed(&c, client_send(&c, TCP_ACK, text, at));
	EXPECT(peek_flow(&c).phase, REQUEST_HEAD);
	if (row->at2) {
		expect_stashed(&c, client_send(&c, TCP_ACK, text + at, row->at2 - at));
		at = row->at2;
	}
	r = client_send(&c, TCP_ACK, text + at, len - at);
	expect_counts(r, "REQUESTS HIT");
	client_expect_object(&c, r, SLOT_SMALL, false, false);
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	EXPECT(peek_flow(&c).stash, 0);
}

TEST_ROWS(cut_leg, "backend's request, cut", cut_rows)
{
	static const char text[] = GET("/1/a");
	const struct cut_row *row = row_;
	size_t len = strlen(text), at = row->at ? row->at : len - 1;
	struct result *r;
	struct client c;
	struct node n;
	char bytes[256];
	uint32_t start;

	client_open(&c, row->v6);
	start = c.seq;
	expect_stashed(&c, client_send(&c, TCP_ACK, text, at));
	if (row->at2) {
		expect_stashed(&c, client_send(&c, TCP_ACK, text + at, row->at2 - at));
		at = row->at2;
	}
	r = client_send(&c, TCP_ACK, text + at, len - at);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, start, r);
	expect_bytes("request", bytes, node_gather(&n, r, bytes), text, len);
	EXPECT(r->mark, NET_MARK_BASE + 1);
	node_reply(&n, &c, OK_5);
	EXPECT(peek_flow(&c).stash, 0);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(byte_by_byte, "a request byte by byte, to the kernel and to a backend")
{
	static const char hit[] = GET("/small"), miss[] = GET("/1/a");
	struct result *r;
	struct client c;
	struct node n;
	char bytes[256];
	uint32_t start;
	size_t i;

	client_open(&c, false);
	for (i = 0; i < strlen(hit) - 1; i++)
		expect_stashed(&c, client_send(&c, TCP_ACK, hit + i, 1));
	client_expect_object(&c, client_send(&c, TCP_ACK, hit + i, 1), SLOT_SMALL, false, false);
	start = c.seq;
	for (i = 0; i < strlen(miss) - 1; i++)
		expect_stashed(&c, client_send(&c, TCP_ACK, miss + i, 1));
	r = client_send(&c, TCP_ACK, miss + i, 1);
	node_expect_opening(&n, &c, 1, start, r);
	expect_bytes("request", bytes, node_gather(&n, r, bytes), miss, strlen(miss));
	node_reply(&n, &c, OK_5);
}

/* A head of `len` bytes for a backend. */
static char *make_long_head(size_t len, const char *end)
{
	char *head = malloc(len + 64);
	size_t n = sprintf(head, "GET /1/a HTTP/1.1\r\nHost: a\r\nX-Long: ");

	memset(head + n, 'x', len - n - strlen(end));
	strcpy(head + len - strlen(end), end);
	return head;
}

struct long_row {
	const char *name;
	bool v6;
	size_t len;
};

static const struct long_row long_rows[] = {
	{ "2 segments", false, 2000 },
	{ "IPv6, 2 segments", true, 2000 },
	{ "4 KB", false, 4096 },
	{ "8 KB", true, 8192 },
	{ "one byte less than the limit", false, 16383 },
	{ "16 KB, the limit", false, 16384 },
};

TEST_ROWS(long_head, "long head to a backend", long_rows)
{
	const struct long_row *row = row_;
	char *head = make_long_head(row->len, "\r\n\r\n"), *bytes = malloc(row->len + PIECE);
	struct result *r = NULL;
	struct client c;
	struct node n;
	uint32_t start;
	size_t off, piece;

	client_open(&c, row->v6);
	start = c.seq;
	for (off = 0; off < row->len; off += piece) {
		check_step("at byte %zu", off);
		piece = row->len - off < PIECE ? row->len - off : PIECE;
		r = client_send(&c, TCP_ACK, head + off, piece);
		if (off + piece < row->len)
			expect_stashed(&c, r);
	}
	check_step("end");
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, start, r);
	expect_bytes("request", bytes, node_gather(&n, r, bytes), head, row->len);
	node_reply(&n, &c, OK_5);
	free(bytes);
	free(head);
}

struct too_long_row {
	const char *name;
	const char *begin;
	int canned;
	const char *counts;
};

static const struct too_long_row too_long_rows[] = {
	{ "head: 431", "GET /1/a HTTP/1.1\r\nHost: a\r\nX-Long: ", CANNED_431, "ERROR_431" },
	{ "target: 414", "GET /", CANNED_414, "ERROR_400" },
};

TEST_ROWS(too_long, "more than 16 KB", too_long_rows)
{
	const struct too_long_row *row = row_;
	struct result *r = NULL;
	struct client c;
	char text[PIECE];
	int i;

	memset(text, 'x', sizeof(text));
	memcpy(text, row->begin, strlen(row->begin));
	client_open(&c, false);
	for (i = 0; i < 12; i++) {
		check_step("piece %d", i);
		r = client_send(&c, TCP_ACK, text, sizeof(text));
		memset(text, 'x', sizeof(text));
		if (!r->counts[STAT_STASHED])
			break;
		expect_stashed(&c, r);
	}
	expect_counts(r, row->counts);
	client_expect_object(&c, r, SLOT_ERRORS + row->canned, true, false);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
}

TEST(repeat_piece, "a stashed piece again: acknowledged, not stashed twice")
{
	struct packet again;
	struct result *r;
	struct client c;

	client_open(&c, false);
	again = client_packet(&c, TCP_ACK, "GET /small", 10);
	expect_stashed(&c, client_send(&c, TCP_ACK, "GET /small", 10));
	r = client_run(&again);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	client_expect_object(&c, client_say(&c, " HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL, false,
			     false);
}

TEST(repeat_piece_leg, "a stashed piece again, while an idle leg is the destination")
{
	struct packet again;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	again = client_packet(&c, TCP_ACK, "GET /small", 10);
	expect_stashed(&c, client_send(&c, TCP_ACK, "GET /small", 10));
	r = client_run(&again);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	client_expect_object(&c, client_say(&c, " HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL, false,
			     false);
}

TEST(overlap, "the whole request after its first piece was stashed")
{
	static const char text[] = GET("/1/a");
	struct packet whole;
	struct result *r;
	struct client c;
	struct node n;
	char bytes[256];

	client_open(&c, false);
	whole = client_packet(&c, TCP_PSH | TCP_ACK, text, strlen(text));
	expect_stashed(&c, client_send(&c, TCP_ACK, text, 9));
	c.seq += strlen(text) - 9;
	r = client_run(&whole);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, whole.seq, r);
	expect_bytes("request", bytes, node_gather(&n, r, bytes), text, strlen(text));
	node_reply(&n, &c, OK_5);
}

/* The packet begins inside the request before, which the kernel answered. */
static struct packet overlapping(struct client *c, char *text, const char *path)
{
	struct packet p;
	size_t len;

	client_open(c, false);
	p = client_packet(c, TCP_PSH | TCP_ACK, text, 0);
	client_expect_object(c, client_say(c, GET("/small")), SLOT_SMALL, false, false);
	len = sprintf(text, "%sGET %s HTTP/1.1\r\nHost: a\r\n\r\n", GET("/small"), path);
	p.len = len;
	p.ack = c->ack;
	c->seq = p.seq + len;
	return p;
}

TEST(overlap_old, "a packet that begins inside the request before")
{
	struct packet whole;
	struct result *r;
	struct client c;
	struct node n;
	char text[256], bytes[256];

	whole = overlapping(&c, text, "/1/a");
	r = client_run(&whole);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, whole.seq + strlen(GET("/small")), r);
	expect_bytes("request", bytes, node_gather(&n, r, bytes), GET("/1/a"), strlen(GET("/1/a")));
	node_reply(&n, &c, OK_5);
}

/* Takes every stash: for flow slots that do not end. */
static void take_stashes(const struct client *holder)
{
	struct stash st = peek_stash(0);
	struct timespec now;
	uint32_t i;

	clock_gettime(CLOCK_MONOTONIC, &now);
	st.seen = (now.tv_sec * 1000000000ULL + now.tv_nsec) >> 26;
	st.owner_slot = peek_flow_slot(holder) + 1;
	st.owner_gen = peek_flow(holder).gen;
	for (i = 0; i < ROOM_STASHES; i++)
		peek_set_stash(i, &st);
}

static void give_stashes(void)
{
	struct stash st = {};
	uint32_t i;

	for (i = 0; i < ROOM_STASHES; i++)
		peek_set_stash(i, &st);
}

TEST(no_stash, "no stash free: the piece is not accepted, the whole request is")
{
	struct client c, holder;
	struct result *r;

	client_open(&holder, false);
	take_stashes(&holder);
	client_open(&c, false);
	r = client_send(&c, TCP_ACK, "GET /small", 10);
	expect_verdict(r, DROP);
	expect_counts(r, "STASH_FULL");
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	c.seq -= 10;
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

TEST(no_stash_overlap, "no stash free for an overlapping packet: the repetition succeeds")
{
	struct client c, holder;
	struct packet whole;
	struct result *r;
	struct node n;
	char text[256], bytes[256];

	client_open(&holder, false);
	take_stashes(&holder);
	whole = overlapping(&c, text, "/1/a");
	client_run(&whole);
	give_stashes();
	r = client_run(&whole);
	expect_verdict(r, REDIRECT);
	node_expect_opening(&n, &c, 1, whole.seq + strlen(GET("/small")), r);
	expect_bytes("request", bytes, node_gather(&n, r, bytes), GET("/1/a"), strlen(GET("/1/a")));
}

TEST(stash_of_the_dead, "the stash of a flow that is over is free")
{
	struct client c, holder;
	struct flow f;

	client_open(&holder, false);
	take_stashes(&holder);
	f = peek_flow(&holder);
	f.state = FLOW_CLOSED;
	peek_set_flow(&holder, &f);
	client_open(&c, false);
	expect_stashed(&c, client_send(&c, TCP_ACK, "GET /small", 10));
}
