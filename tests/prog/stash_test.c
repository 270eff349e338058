// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests cut into pieces: what is stashed is acknowledged, and leaves for the kernel's answer or
 * for a leg, where every byte must arrive once and in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

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
	node_expect_opening(&n, &c, 1, start, r, text, len);
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
	node_expect_opening(&n, &c, 1, start, r, miss, strlen(miss));
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
	char *head = make_long_head(row->len, "\r\n\r\n");
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
	node_expect_opening(&n, &c, 1, start, r, head, row->len);
	node_reply(&n, &c, OK_5);
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

	node_open_idle(&n, &c, false);
	again = client_packet(&c, TCP_ACK, "GET /small", 10);
	expect_stashed(&c, client_send(&c, TCP_ACK, "GET /small", 10));
	r = client_run(&again);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	client_expect_object(&c, client_say(&c, " HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL, false,
			     false);
}

struct lost_row {
	const char *name;
	const char *begin, *end;
};

static const struct lost_row lost_rows[] = {
	{ "GET", "GET /1/a HT", "TP/1.1\r\nHost: a\r\n\r\n" },
	{ "GET with close", "GET /1/a HT", "TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" },
	{ "HTTP/1.0", "GET /1/a HT", "TP/1.0\r\nHost: a\r\n\r\n" },
	{ "CONNECT", "CONNECT a:4", "43 HTTP/1.1\r\nHost: a:443\r\n\r\n" },
};

/* The stash was acknowledged: the client repeats no more than the last piece. */
TEST_ROWS(lost_opening, "a lost opening segment made from a stash is made again", lost_rows)
{
	const struct lost_row *row = row_;
	struct packet last;
	struct result *r;
	struct client c;
	struct node n;
	char whole[256];
	uint32_t start;

	client_open(&c, false);
	start = c.seq;
	sprintf(whole, "%s%s", row->begin, row->end);
	expect_stashed(&c, client_send(&c, TCP_ACK, row->begin, strlen(row->begin)));
	last = client_packet(&c, TCP_PSH | TCP_ACK, row->end, strlen(row->end));
	node_expect_opening(&n, &c, 1, start, client_say(&c, row->end), whole, strlen(whole));
	r = client_run(&last);
	node_expect_opening(&n, &c, 1, start, r, whole, strlen(whole));
}

TEST(overlap, "the whole request after its first piece was stashed")
{
	static const char text[] = GET("/1/a");
	struct packet whole;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	whole = client_packet(&c, TCP_PSH | TCP_ACK, text, strlen(text));
	expect_stashed(&c, client_send(&c, TCP_ACK, text, 9));
	c.seq += strlen(text) - 9;
	r = client_run(&whole);
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, whole.seq, r, text, strlen(text));
	node_reply(&n, &c, OK_5);
}
