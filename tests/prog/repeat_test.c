// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that come again with other borders, after what they have caused was lost: nothing waits
 * for ever. Random ones: shuffle_test.c.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

/* The only packet of a run, as a clone or in place. */
static const struct packet *sent_to_client(const struct result *r)
{
	return r->n_clones ? expect_clone(r, NET_UPLINK) : expect_out(r, NET_UPLINK);
}

static void expect_small(const struct result *r, uint32_t seq)
{
	static uint8_t wanted[BODY_MAX];
	size_t len = room_answer(SLOT_SMALL, false, false, wanted, sizeof(wanted));
	const struct packet *p = sent_to_client(r);

	EXPECT(p->seq, seq);
	expect_bytes("answer", p->payload, p->len, wanted, len);
}

struct next_row {
	const char *name;
	const char *both; /* the request, and what the client has sent behind it */
};

static const struct next_row next_rows[] = {
	{ "component", GET("/small") GET("/small") },
	{ "backend's", GET("/small") GET("/1/a") },
	{ "half a head", GET("/small") "GET /sm" },
};

/* The kernel joins small segments when it repeats them: the answer's loss shows only in that. */
TEST_ROWS(joined, "lost answer; the request comes again, joined to the next", next_rows)
{
	const struct next_row *row = row_;
	size_t len = strlen(GET("/small"));
	struct packet both;
	struct client c;
	uint32_t seq;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	seq = c.ack;
	both = client_packet(&c, TCP_PSH | TCP_ACK, row->both, strlen(row->both));
	expect_small(client_say(&c, GET("/small")), seq);
	expect_verdict(client_say(&c, row->both + len), DROP); /* too early */
	expect_small(client_run(&both), seq);
	expect_small(client_run(&both), seq);
}

static void gap(struct client *c, struct packet *p)
{
	*p = client_packet(c, TCP_ACK, "x", 1);
	p->seq += 10;
}

static void old_timestamp(struct client *c, struct packet *p)
{
	c->tsval -= 1000;
	*p = client_packet(c, TCP_ACK, "x", 1);
	c->tsval += 1000;
}

static void wild_syn(struct client *c, struct packet *p)
{
	*p = client_packet(c, TCP_SYN, NULL, 0);
}

struct bare_row {
	const char *name;
	void (*make)(struct client *c, struct packet *p);
};

static const struct bare_row bare_rows[] = {
	{ "bytes behind a hole", gap },
	{ "an old timestamp", old_timestamp },
	{ "a SYN", wild_syn },
};

/* It would stop the client's timer, and nobody else repeats the answer. */
TEST_ROWS(bare, "a bare ACK does not cover a request whose answer may be lost", bare_rows)
{
	const struct bare_row *row = row_;
	uint32_t seq, start;
	struct packet p;
	struct result *r;
	struct client c;

	client_open(&c, false);
	seq = c.ack;
	start = c.seq;
	expect_small(client_say(&c, GET("/small")), seq);
	row->make(&c, &p);
	r = client_run_as_is(&p);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	EXPECT(r->packet.len, 0);
	EXPECT(r->packet.ack, start);
	c.ack += room_answer(SLOT_SMALL, false, false, (uint8_t[BODY_MAX]){}, BODY_MAX);
	expect_verdict(client_ack(&c), DROP); /* it has arrived: nothing to say */
	row->make(&c, &p);
	r = client_run_as_is(&p);
	EXPECT(expect_out(r, NET_UPLINK)->ack, c.seq);
}

/* The head's beginning was acknowledged, so the client does not repeat it. */
TEST(stash_joined, "lost request from a stash; its end comes again, joined to the next")
{
	static const char both[] = GET("/1/a") GET("/small");
	size_t len = strlen(GET("/1/a")), i;
	struct packet rest;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t start;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, true);
	start = c.seq;
	client_take(&c, client_send(&c, TCP_ACK, both, 9));
	rest = client_packet(&c, TCP_PSH | TCP_ACK, both + 9, strlen(both) - 9);
	client_send(&c, TCP_PSH | TCP_ACK, both + 9, len - 9);
	for (i = 0; i < 2; i++) {
		r = client_run(&rest);
		node_expect_opening(&n, &c, 1, start, r, both, len);
	}
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

struct lines_row {
	const char *name;
	int32_t left, right; /* each piece begins and ends so much further out */
};

static const struct lines_row lines_rows[] = {
	{ "as they are", 0, 0 },
	{ "overlapping to the left", 7, 0 },
	{ "overlapping to the right", 0, 5 },
	{ "overlapping on both sides", 11, 3 },
};

TEST_ROWS(lines, "a head line by line", lines_rows)
{
	static const char text[] = "GET /1/a HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX: y\r\n\r\n";
	const struct lines_row *row = row_;
	size_t len = strlen(text), at, end, from, to;
	struct result *r = NULL;
	struct packet p;
	struct client c;
	struct node n;
	uint32_t start;

	client_open(&c, false);
	start = c.seq;
	for (at = 0; at < len; at = end) {
		end = strstr(text + at, "\r\n") - text + 2;
		from = at < (size_t)row->left ? 0 : at - row->left;
		to = end + row->right > len ? len : end + row->right;
		p = client_packet(&c, TCP_ACK, text + from, to - from);
		p.seq = start + from;
		r = client_run(&p);
		if (to == len)
			break;
		expect_counts(r, "STASHED");
		EXPECT(expect_out(r, NET_UPLINK)->ack, start + to);
	}
	c.seq = start + len;
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW");
	node_expect_opening(&n, &c, 1, start, r, text, len);
	node_reply(&n, &c, OK_5);
	EXPECT(peek_flow(&c).stash, 0);
}
