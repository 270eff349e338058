// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a response ends: shown by what the flow does next. After the end a component is answered by
 * the kernel; before it, the same request waits (EARLY). A pinned flow passes everything on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define REQUEST(method) method " /1/a HTTP/1.1\r\nHost: a\r\n\r\n"
#define PARTS 6

enum end {
	ENDS, /* idle behind the last part */
	OPEN, /* more is due */
	PINS, /* another protocol */
	LAST, /* ends with the connection */
	LOST, /* cannot be followed */
};

struct framing_row {
	const char *name;
	const char *request;
	const char *parts[PARTS]; /* of the response, one packet each */
	enum end end;
};

static const struct framing_row framing_rows[] = {
	{ "Content-Length",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
	  ENDS },
	{ "Content-Length, in parts",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "he", "llo" },
	  ENDS },
	{ "Content-Length, one byte missing",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello" },
	  OPEN },
	{ "Content-Length: 0",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
	  ENDS },
	{ "head in parts",
	  REQUEST("GET"),
	  { "HT", "TP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r", "\nhello" },
	  ENDS },
	{ "half a head", REQUEST("GET"), { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r" }, OPEN },
	{ "nothing yet", REQUEST("GET"), { NULL }, OPEN },
	{ "chunked",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" },
	  ENDS },
	{ "chunked, in parts",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r", "\nhel", "lo\r\n0\r\n",
	    "\r\n" },
	  ENDS },
	{ "chunked with a trailer",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;a=b\r\nx\r\n0\r\n",
	    "X-T: 1\r\n\r\n" },
	  ENDS },
	{ "chunked, the last chunk missing",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" },
	  OPEN },
	{ "a chunk that looks like an end",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n" },
	  OPEN },
	{ "a malformed chunk",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" },
	  LOST },
	{ "HEAD with Content-Length",
	  REQUEST("HEAD"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" },
	  ENDS },
	{ "HEAD with chunked",
	  REQUEST("HEAD"),
	  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
	  ENDS },
	{ "204", REQUEST("GET"), { "HTTP/1.1 204 No Content\r\n\r\n" }, ENDS },
	{ "304 with Content-Length",
	  REQUEST("GET"),
	  { "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" },
	  ENDS },
	{ "100, then 200",
	  REQUEST("GET"),
	  { "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
	  ENDS },
	{ "100 alone", REQUEST("GET"), { "HTTP/1.1 100 Continue\r\n\r\n" }, OPEN },
	{ "103 and 200 in one packet",
	  REQUEST("GET"),
	  { "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
	  ENDS },
	{ "101",
	  "GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	  { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" },
	  PINS },
	{ "no framing: until the connection ends",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\n\r\nhello" },
	  LAST },
	{ "Content-Length and chunked",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" },
	  LOST },
	{ "two Content-Lengths",
	  REQUEST("GET"),
	  { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello" },
	  LOST },
	{ "not HTTP", REQUEST("GET"), { "hello\r\n\r\n" }, LOST },
};

static const struct packet *expect_clone_to(const struct result *r, enum net_dev dev)
{
	EXPECT(r->n_clones, 1);
	EXPECT(r->clones[0].dev, dev);
	return &r->clones[0].packet;
}

static void expect_followed(struct client *c, enum end end)
{
	struct flow f = peek_flow(c);
	struct result *r;

	EXPECT(!!(f.flags & FLOW_PINNED), end == PINS);
	room_serve_kicks(false); /* the client repeats what waits */
	r = client_say(c, GET("/small"));
	switch (end) {
	case ENDS:
		expect_counts(r, "REQUESTS HIT");
		client_expect_object(c, r, SLOT_SMALL, false, false);
		break;
	case OPEN:
		expect_counts(r, "EARLY");
		EXPECT(expect_out(r, NET_NODE1)->len, 0); /* what it acknowledges is passed on */
		break;
	case PINS:
		expect_counts(r, "");
		EXPECT(expect_out(r, NET_NODE1)->len, strlen(GET("/small")));
		break;
	case LAST:
		expect_counts(r, "AFTER_LAST");
		EXPECT(expect_out(r, NET_NODE1)->len, 0);
		break;
	case LOST: /* both get a RST */
		expect_counts(r, "AFTER_LAST");
		EXPECT(expect_clone_to(r, NET_NODE1)->flags, TCP_RST | TCP_ACK);
		EXPECT(r->packet.flags, TCP_RST | TCP_ACK);
		EXPECT(r->packet.seq, c->ack);
		EXPECT(peek_flow(c).state, FLOW_CLOSED);
	}
}

TEST_ROWS(framing, "response", framing_rows)
{
	const struct framing_row *row = row_;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;
	int i;

	client_open(&c, false);
	node_open(&n, 1, &c, row->request);
	for (i = 0; i < PARTS && row->parts[i]; i++) {
		check_step("part %d", i);
		r = node_say(&n, row->parts[i]);
		p = client_take(&c, r);
		expect_bytes("part", p->payload, p->len, row->parts[i], strlen(row->parts[i]));
		EXPECT(r->counts[STAT_PINNED], row->end == PINS);
		EXPECT(r->counts[STAT_LAST_CLOSE], row->end == LAST);
		EXPECT(r->counts[STAT_LAST_LOST], row->end == LOST);
		node_expect_text(&n, client_ack(&c), "");
	}
	check_step("%s", "");
	expect_followed(&c, row->end);
}

/* Every byte a packet of its own: the same end. */
TEST_ROWS(byte_by_byte, "byte by byte", framing_rows)
{
	const struct framing_row *row = row_;
	struct client c;
	struct node n;
	const char *at;
	int i;

	client_open(&c, true);
	node_open(&n, 1, &c, row->request);
	for (i = 0; i < PARTS && row->parts[i]; i++)
		for (at = row->parts[i]; *at; at++)
			client_take(&c, node_send(&n, TCP_ACK, at, 1));
	client_ack(&c);
	expect_followed(&c, row->end);
}

#define UPGRADE "GET /1/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

/* RFC 9110, 7.8: what follows is another protocol's, or a request: the response decides. */
TEST(upgrade_wait, "bytes behind an Upgrade request wait for its response")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	r = client_say(&c, UPGRADE GET("/1/b"));
	expect_counts(r, "REQUESTS MISS_ROUTE LEG_NEW EARLY");
	node_accept(&n, 1, expect_out(r, NET_NODE1));
	EXPECT(r->packet.len, strlen(UPGRADE));
	c.seq -= strlen(GET("/1/b"));
	r = client_say(&c, GET("/1/b"));
	expect_counts(r, "EARLY");
	c.seq -= strlen(GET("/1/b"));
	client_take(&c, node_say(&n, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
	r = client_say(&c, GET("/2/b"));
	expect_counts(r, "");
	EXPECT(expect_out(r, NET_NODE1)->len, strlen(GET("/2/b")));
}

TEST(upgrade_refused, "an Upgrade that is answered with 200: requests go on")
{
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, UPGRADE);
	node_reply(&n, &c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	node_reply(&n, &c, "HTTP/1.1 204 No\r\n\r\n");
	expect_followed(&c, ENDS);
}

TEST(two_responses, "two pipelined requests: idle behind the second response")
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a") "HEAD /1/b HTTP/1.1\r\nHost: a\r\n\r\n");
	client_take(&c, node_say(&n, ok));
	EXPECT(peek_leg(&c, 1).rphase, RESPONSE_HEAD);
	EXPECT(peek_leg(&c, 1).done, 1);
	client_take(&c, node_say(&n, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"));
	client_ack(&c);
	expect_followed(&c, ENDS);
}

TEST(both_in_one, "two responses in one packet")
{
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a") GET("/1/b"));
	client_take(&c, node_say(&n, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
				     "HTTP/1.1 204 No\r\n\r\n"));
	client_ack(&c);
	expect_followed(&c, ENDS);
}

TEST(not_acked, "a response that the client has not acknowledged: not idle")
{
	struct result *r;
	struct client c;
	struct node n;

	room_serve_kicks(false); /* the client repeats what waits */
	client_open(&c, false);
	node_open(&n, 1, &c, REQUEST("GET"));
	node_say(&n, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	r = client_say(&c, GET("/small")); /* sent before it arrived */
	expect_counts(r, "EARLY");
	EXPECT(expect_out(r, NET_NODE1)->len, 0);
	EXPECT(peek_flow(&c).rcv_nxt, c.seq - strlen(GET("/small")));
}

TEST(repeated_response, "a repeated segment of a response is not counted twice")
{
	struct packet again;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, REQUEST("GET"));
	client_take(&c, node_say(&n, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"));
	again = node_packet(&n, TCP_ACK, "abcd", 4);
	client_take(&c, node_say(&n, "abcd"));
	c.ack -= 4;
	client_take(&c, node_run(&n, &again));
	EXPECT(peek_leg(&c, 1).body.left, 4);
	client_take(&c, node_say(&n, "efgh"));
	client_ack(&c);
	expect_followed(&c, ENDS);
}

struct gap_row {
	const char *name;
	const char *head;
	const char *first, *second; /* of the body; the second arrives first */
	enum end end;
};

static const struct gap_row gap_rows[] = {
	{ "inside a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", "abcd",
	  "efgh", ENDS },
};

TEST_ROWS(gap, "segments of a response in the wrong order", gap_rows)
{
	const struct gap_row *row = row_;
	struct packet first, second;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, REQUEST("GET"));
	client_take(&c, node_say(&n, row->head));
	first = node_packet(&n, TCP_ACK, row->first, strlen(row->first));
	n.seq += strlen(row->first);
	second = node_packet(&n, TCP_ACK, row->second, strlen(row->second));
	n.seq += strlen(row->second);
	c.ack += strlen(row->first);
	client_take(&c, node_run(&n, &second));
	c.ack -= strlen(row->first) + strlen(row->second);
	client_take(&c, node_run(&n, &first));
	c.ack += strlen(row->second);
	client_ack(&c);
	expect_followed(&c, row->end);
}

TEST(gap_chunked, "a segment behind a gap in chunks is not passed on: it could hide the end")
{
	struct packet second;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, REQUEST("GET"));
	client_take(&c, node_say(&n, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
	n.seq += 8;
	second = node_packet(&n, TCP_ACK, "0\r\n\r\n", 5);
	n.seq -= 8;
	expect_counts(node_run(&n, &second), "RESPONSE_GAP");
	client_take(&c, node_say(&n, "3\r\nabc\r\n"));
	client_take(&c, node_say(&n, "0\r\n\r\n"));
	client_ack(&c);
	expect_followed(&c, ENDS);
}

TEST(long_head, "a response head of 16 KB, in parts")
{
	static char head[16384];
	struct client c;
	struct node n;
	size_t len, off;

	len = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: ");
	memset(head + len, 'x', sizeof(head) - len - 4);
	memcpy(head + sizeof(head) - 4, "\r\n\r\n", 4);
	client_open(&c, false);
	node_open(&n, 1, &c, REQUEST("GET"));
	for (off = 0; off < sizeof(head); off += 1024)
		client_take(&c, node_send(&n, TCP_ACK, head + off, 1024));
	client_take(&c, node_say(&n, "ok"));
	client_ack(&c);
	expect_followed(&c, ENDS);
}

TEST(head_too_long, "a response head beyond 16 KB cannot be followed")
{
	static char head[1024];
	uint64_t lost = 0;
	struct client c;
	struct node n;
	int i;

	memset(head, 'x', sizeof(head));
	memcpy(head, "HTTP/1.1 200 OK\r\nX-Long: ", 25);
	client_open(&c, false);
	node_open(&n, 1, &c, REQUEST("GET"));
	for (i = 0; i < 17; i++) {
		struct result *r = node_send(&n, TCP_ACK, head, sizeof(head));

		client_take(&c, r);
		lost += r->counts[STAT_LAST_LOST];
		memset(head, 'x', sizeof(head));
	}
	EXPECT(lost, 1);
	client_ack(&c);
	expect_followed(&c, LOST);
}

TEST(pinned_both, "a pinned flow passes anything, both ways, until both have closed")
{
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, UPGRADE);
	node_reply(&n, &c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
	node_reply(&n, &c, GET("/small"));
	node_expect_text(&n, client_say(&c, GET("/small")), GET("/small"));
	node_reply(&n, &c, "\1\2\3");
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(node_take(&n, r)->flags, TCP_FIN | TCP_ACK);
	r = node_send(&n, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(client_take(&c, r)->flags, TCP_FIN | TCP_ACK);
	node_expect_text(&n, client_ack(&c), "");
}
