// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections without a flow that are relayed (datapath/relay.h): which are, that every request is
 * checked where it must begin, and what both directions may not do. How they open and end:
 * relay_end_test.c.
 */
#include <stdio.h>
#include <string.h>

#include "family.h"
#include "prog_node.h"
#include "prog_relay.h"

#define XFF(path) "GET " path " HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
#define POST_8 "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"
#define CHUNKED "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define FIRST "FLOW_FULL REQUESTS RELAY_REQUESTS RELAY_NEW LEG_NEW"

TEST_ROWS(alternate, "requests and responses, no flow", family_ts_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;
	int i;

	relay_setup(POOL_1);
	client_init(&c, row->v6);
	c.has_ts = row->has_ts;
	client_syn(&c);
	expect_counts(client_ack(&c), "FLOW_FULL");
	node_open(&n, 1, &c, GET("/deny"));
	node_reply(&n, &c, OK_5);
	for (i = 0; i < 3; i++) {
		check_step("request %d", i + 2);
		r = client_say(&c, GET("/small"));
		expect_counts(r, "REQUESTS RELAY_REQUESTS");
		node_expect_text(&n, r, GET("/small"));
		node_reply(&n, &c, OK_5);
	}
	EXPECT(relay_flow(&c), -1);
}

struct first_row {
	const char *name, *text;
	const char *counts;
	int canned; /* -1: relayed */
};

static const struct first_row first_rows[] = {
	{ "GET", GET("/a"), FIRST, -1 },
	{ "body in the packet", POST_8 "12345678", FIRST, -1 },
	{ "body to come", POST_8 "1234", FIRST, -1 },
	{ "two requests", GET("/a") GET("/b"), FIRST " REQUESTS RELAY_REQUESTS", -1 },
	{ "X-Forwarded-For", XFF("/a"), "FLOW_FULL FORWARDED", CANNED_400 },
	{ "two lengths",
	  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	  "FLOW_FULL ERROR_400", CANNED_400 },
	{ "no Host", "GET / HTTP/1.1\r\n\r\n", "FLOW_FULL ERROR_400", CANNED_400 },
	{ "HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "FLOW_FULL ERROR_400", CANNED_505 },
	{ "half a head", "GET / HTTP/1.1\r\nHost: a\r\n", "FLOW_FULL ERROR_503", CANNED_503 },
	{ "chunked", CHUNKED "0\r\n\r\n", "FLOW_FULL ERROR_503", CANNED_503 },
	{ "CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "FLOW_FULL ERROR_503",
	  CANNED_503 },
	{ "Upgrade",
	  "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	  "FLOW_FULL ERROR_503", CANNED_503 },
	{ "a body of 2 GB", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2147483648\r\n\r\n",
	  "FLOW_FULL ERROR_503", CANNED_503 },
};

TEST_ROWS(first, "first packet", first_rows)
{
	const struct first_row *row = row_;
	struct result *r;
	struct client c;
	struct node n;

	relay_setup(POOL_1);
	relay_handshake(&c);
	r = client_say(&c, row->text);
	expect_counts(r, row->counts);
	if (row->canned < 0) {
		node_accept(&n, 1, expect_out(r, NET_NODE1));
		expect_bytes("payload", r->packet.payload, r->packet.len, row->text,
			     strlen(row->text));
		return;
	}
	client_expect_object(&c, r, SLOT_ERRORS + row->canned, true, false);
	EXPECT(relay_entries(), 0);
}

TEST(trusted_claim, "X-Forwarded-For of a peer in `trusted` passes")
{
	struct client c;
	struct node n;

	relay_setup(POOL_1);
	relay_trust_client();
	relay_handshake(&c);
	node_open(&n, 1, &c, XFF("/a"));
	node_reply(&n, &c, OK_5);
	node_expect_text(&n, client_say(&c, XFF("/b")), XFF("/b"));
}

struct forbidden_row {
	const char *name;
	uint32_t pool;
	bool flag;
	uint16_t mss;
	bool v6;
};

static const struct forbidden_row forbidden_rows[] = {
	{ "a route restricts", POOL_1, false, 1460, false },
	{ "no default pool", POOL_NONE, true, 1460, false },
	{ "an empty default pool", POOL_EMPTY, true, 1460, false },
	{ "MSS too small for a socket", POOL_1, true, 500, false },
	{ "MSS too small for a socket, IPv6", POOL_1, true, 1200, true },
};

TEST_ROWS(forbidden, "503 instead of a relay", forbidden_rows)
{
	const struct forbidden_row *row = row_;
	struct result *r;
	struct client c;

	relay_setup(row->pool);
	relay_allow(row->flag);
	client_init(&c, row->v6);
	c.mss = row->mss;
	client_syn(&c);
	client_ack(&c);
	r = client_say(&c, GET("/a"));
	EXPECT(r->counts[STAT_ERROR_503], 1);
	EXPECT(r->counts[STAT_RELAY_NEW], 0);
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, false);
}

TEST(first_cut,
     "a whole request and half of another: the first goes on, the client repeats the rest")
{
	static const char both[] = GET("/a") GET("/b");
	size_t whole = strlen(GET("/a"));
	struct packet opening;
	struct result *r;
	struct client c;
	struct node n;

	relay_setup(POOL_1);
	relay_handshake(&c);
	r = client_send(&c, TCP_PSH | TCP_ACK, both, whole + 9);
	expect_counts(r, FIRST);
	opening = *expect_out(r, NET_NODE1);
	expect_bytes("payload", opening.payload, opening.len, both, whole);
	node_accept(&n, 1, &opening);
	c.seq -= 9;
	node_reply(&n, &c, OK_5);
	node_expect_text(&n, client_say(&c, GET("/b")), GET("/b"));
}

TEST(body, "a body passes by position, in any order, and is never read as a request")
{
	static const char body[] = GET("/x") XFF("/y");
	char head[128];
	struct packet late;
	struct result *r;
	struct client c;
	struct node n;
	int len;

	relay_open(&c, &n);
	len = snprintf(head, sizeof(head),
		       "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", strlen(body));
	r = client_send(&c, TCP_ACK, head, len);
	expect_counts(r, "REQUESTS RELAY_REQUESTS");
	node_expect_text(&n, r, head);
	late = client_packet(&c, TCP_ACK, body + 30, strlen(body) - 30);
	late.seq += 30;
	r = client_run(&late);
	expect_counts(r, "");
	EXPECT(expect_out(r, NET_NODE1)->seq, c.seq + 30);
	r = client_send(&c, TCP_ACK, body, 30);
	expect_counts(r, "");
	EXPECT(expect_out(r, NET_NODE1)->len, 30);
	c.seq += strlen(body) - 30;
	n.ack = c.seq;
	node_reply(&n, &c, OK_5);
	r = client_say(&c, GET("/b"));
	expect_counts(r, "REQUESTS RELAY_REQUESTS");
	node_expect_text(&n, r, GET("/b"));
}

TEST(body_and_head, "the end of a body and the next request in one packet")
{
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	node_expect_text(&n, client_say(&c, POST_8 "1234"), POST_8 "1234");
	r = client_say(&c, "5678" GET("/b"));
	expect_counts(r, "REQUESTS RELAY_REQUESTS");
	node_expect_text(&n, r, "5678" GET("/b"));
}

struct later_row {
	const char *name, *before, *text;
	const char *counts;
	bool ends;
};

static const struct later_row later_rows[] = {
	{ "X-Forwarded-For", NULL, XFF("/a"), "FORWARDED RELAY_ENDED", true },
	{ "X-Forwarded-For behind a body", POST_8 "1234", "5678" XFF("/a"), "FORWARDED RELAY_ENDED",
	  true },
	{ "not a request", NULL, "nonsense\r\n\r\n", "ERROR_400 RELAY_ENDED", true },
	{ "half a head", NULL, "GET / HTTP/1.1\r\nHost: a\r\n", "RELAY_ENDED", true },
	{ "chunked", NULL, CHUNKED, "RELAY_ENDED", true },
	{ "CONNECT", NULL, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "RELAY_ENDED", true },
	{ "Upgrade", NULL,
	  "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "RELAY_ENDED",
	  true },
	{ "behind Connection: close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	  XFF("/a"), "DROP_STALE", false },
	{ "behind HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", GET("/a"), "DROP_STALE", false },
};

TEST_ROWS(later, "what is no request that may follow", later_rows)
{
	const struct later_row *row = row_;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	if (row->before)
		node_expect_text(&n, client_say(&c, row->before), row->before);
	r = client_say(&c, row->text);
	expect_counts(r, row->counts);
	if (!row->ends) {
		expect_verdict(r, DROP);
		expect_no_clones(r);
		return;
	}
	EXPECT(r->n_clones, 1);
	p = &r->clones[0].packet;
	EXPECT(r->clones[0].dev, NET_NODE1);
	EXPECT(p->flags, TCP_RST | TCP_ACK);
	EXPECT(p->seq, n.ack);
	EXPECT(p->len, 0);
	p = expect_out(r, NET_UPLINK);
	EXPECT(p->flags, TCP_RST | TCP_ACK);
	EXPECT(p->seq, c.ack);
	r = client_say(&c, GET("/a"));
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST);
	r = node_say(&n, OK_5);
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
}

struct place_row {
	const char *name;
	int32_t off; /* from where the next request must begin */
	const char *text;
	const char *counts;
	bool passes;
};

static const struct place_row place_rows[] = {
	{ "a gap before a head", 1, GET("/b"), "OUT_OF_ORDER", false },
	{ "a wide gap before a head", 70000, GET("/b"), "OUT_OF_ORDER", false },
	{ "the last request once more", -(int)strlen(GET("/a")), GET("/a"), "", true },
	{ "before the connection's first byte", -(int)strlen(GET("/a")) - 1, "x", "DROP_STALE",
	  false },
	{ "a byte that was there, as a probe", -1, "\n", "", true },
};

TEST_ROWS(place, "place of a packet", place_rows)
{
	const struct place_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	p = client_packet(&c, TCP_PSH | TCP_ACK, row->text, strlen(row->text));
	p.seq += row->off;
	r = client_run(&p);
	expect_counts(r, row->counts);
	expect_verdict(r, row->passes ? REDIRECT : DROP);
	r = client_say(&c, GET("/b"));
	expect_counts(r, "REQUESTS RELAY_REQUESTS");
	node_expect_text(&n, r, GET("/b"));
}

TEST(many, "more requests in a packet than are read at once: the rest is repeated")
{
	char text[20 * sizeof(GET("/a"))] = "";
	size_t one = strlen(GET("/a"));
	struct result *r;
	struct client c;
	struct node n;
	int i;

	relay_open(&c, &n);
	for (i = 0; i < 20; i++)
		strcat(text, GET("/a"));
	r = client_say(&c, text);
	expect_counts(r, "REQUESTS*16 RELAY_REQUESTS*16");
	node_expect_segments(&n, r, text, 16 * one);
	c.seq -= 4 * one;
	r = client_say(&c, text + 16 * one);
	expect_counts(r, "REQUESTS*4 RELAY_REQUESTS*4");
	node_expect_text(&n, r, text + 16 * one);
}

struct forged_row {
	const char *name;
	int id, dev;
	int32_t seq_off, ack_off;
	uint8_t flags;
	int verdict;
};

static const struct forged_row forged_rows[] = {
	{ "another backend", 2, NET_NODE2, 0, 0, TCP_ACK, NEXT },
	{ "from another's interface", 1, NET_NODE2, 0, 0, TCP_ACK, DROP },
	{ "acknowledges what was not sent", 1, NET_NODE1, 0, 1, TCP_ACK, DROP },
	{ "far ahead", 1, NET_NODE1, (1 << 30) + 100, 0, TCP_ACK, DROP },
	{ "far behind", 1, NET_NODE1, -(1 << 30) - 100, 0, TCP_ACK, DROP },
	{ "SYN", 1, NET_NODE1, 0, 0, TCP_SYN | TCP_ACK, DROP },
};

TEST_ROWS(forged, "packet of a backend that is not passed", forged_rows)
{
	const struct forged_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	p = node_packet(&n, row->flags, "x", 1);
	p.src = packet_addr(net_node_addr(row->id, false));
	p.seq += row->seq_off;
	p.ack += row->ack_off;
	r = run_packet(BACKEND_RETURN, &p, row->dev);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->verdict == DROP ? "DROP_FORGED" : "");
	client_take(&c, node_say(&n, "x"));
}
