// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Redirects with $uri: the request's path and query, byte for byte, in an answer that is made for
 * it, of one segment or several; sent again from the same bytes when it is lost.
 */
#include <stdio.h>
#include <string.h>

#include "download.h"
#include "head.h"
#include "peek.h"

#define SLOT_URI SLOT_OWN
#define BEFORE "https://shop.example"
#define START "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n"
#define LINES " HTTP/1.1\r\nHost: a\r\n\r\n"
#define MOVED(uri) START "location: " BEFORE uri "#x\r\n\r\n"
#define MOVED_CLOSE(uri) START "connection: close\r\nlocation: " BEFORE uri "#x\r\n\r\n"

static void make_routes(void)
{
	struct target target = room_to_canned(SLOT_URI);

	target.kind = TARGET_REDIRECT;
	room_uri_object(SLOT_URI, BEFORE, "#x");
	room_prefix(ROOM_ANY, "/", target);
}

struct uri_row {
	const char *name;
	const char *request;
	const char *answer;
	bool close;
};

static const struct uri_row uri_rows[] = {
	{ "path", "GET /old/page" LINES, MOVED("/old/page"), false },
	{ "root", "GET /" LINES, MOVED("/"), false },
	{ "query", "GET /a?b=c&d=/e?f" LINES, MOVED("/a?b=c&d=/e?f"), false },
	{ "as it is written", "GET /A%2f%zz//../b;c\\d?%0d%0a<>\"" LINES,
	  MOVED("/A%2f%zz//../b;c\\d?%0d%0a<>\""), false },
	{ "HEAD", "HEAD /x" LINES, MOVED("/x"), false },
	{ "DELETE", "DELETE /x" LINES, MOVED("/x"), false },
	{ "absolute form", "GET http://a/x?y" LINES, MOVED("/x?y"), false },
	{ "absolute form, no path", "GET http://a" LINES, MOVED("/"), false },
	{ "absolute form, only a query", "GET http://a?x" LINES, MOVED("/?x"), false },
	{ "OPTIONS *", "OPTIONS *" LINES, MOVED("/"), false },
	{ "Connection: close", "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	  MOVED_CLOSE("/x"), true },
	{ "HTTP/1.0", "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", MOVED_CLOSE("/x"),
	  true },
	{ "body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb", MOVED_CLOSE("/x"),
	  true },
	{ "two slashes", "GET //evil.example/" LINES, MOVED("//evil.example/"), false },
};

static void expect_answer(struct client *c, const struct result *r, const char *text, bool close)
{
	const struct packet *p = client_take(c, r);

	expect_no_clones(r);
	expect_bytes("answer", p->payload, p->len, text, strlen(text));
	EXPECT(p->flags, TCP_ACK | TCP_PSH | (close ? TCP_FIN : 0));
}

TEST_ROWS(uri, "$uri", uri_rows)
{
	const struct uri_row *row = row_;
	struct client c;
	struct result *r;

	make_routes();
	client_open(&c, (row - uri_rows) & 1);
	r = client_say(&c, row->request);
	if (strstr(row->request, "\r\n\r\nb"))
		c.seq--; /* the body is not acknowledged */
	expect_counts(r, "REQUESTS CANNED");
	expect_answer(&c, r, row->answer, row->close);
}

TEST(pieces, "of a request that comes in pieces")
{
	struct client c;

	make_routes();
	client_open(&c, false);
	client_expect_ack(&c, client_say(&c, "GET /a/long"));
	client_expect_ack(&c, client_say(&c, "/path?and=query HT"));
	expect_answer(&c, client_say(&c, "TP/1.1\r\nHost: a\r\n\r\n"),
		      MOVED("/a/long/path?and=query"), false);
}

TEST(lost, "repeated when the client repeats the request")
{
	struct packet p;
	struct client c;
	int i;

	make_routes();
	client_open(&c, false);
	p = client_packet(&c, TCP_PSH | TCP_ACK, "GET /x" LINES, strlen("GET /x" LINES));
	c.seq += p.len;
	for (i = 0; i < 3; i++) {
		expect_answer(&c, client_run(&p), MOVED("/x"), false);
		c.ack -= strlen(MOVED("/x"));
	}
	c.ack += strlen(MOVED("/x"));
	client_ack(&c);
	expect_answer(&c, client_say(&c, "GET /y" LINES), MOVED("/y"), false);
}

/* --- stashes ---------------------------------------------------------------------------------- */

TEST(one_stash, "a connection needs one stash, however many redirects it asks for")
{
	struct client c;
	int i;

	make_routes();
	client_open(&c, false);
	for (i = 0; i < 3 * ROOM_STASHES; i++) {
		expect_answer(&c, client_say(&c, "GET /x" LINES), MOVED("/x"), false);
		client_ack(&c);
		EXPECT(head_stashes(), 1);
	}
}

TEST(released, "a stash is free when its answer has been acknowledged")
{
	struct client c[3 * ROOM_STASHES];
	int i;

	make_routes();
	for (i = 0; i < 3 * ROOM_STASHES; i++) {
		client_open(&c[i], i & 1);
		expect_answer(&c[i], client_say(&c[i], "GET /x" LINES), MOVED("/x"), false);
		client_ack(&c[i]);
	}
}

TEST(held, "and not before: without one the client has to repeat")
{
	struct client c[ROOM_STASHES + 1];
	struct result *r;
	struct packet p;
	int i;

	make_routes();
	for (i = 0; i < ROOM_STASHES; i++) {
		client_open(&c[i], false);
		expect_answer(&c[i], client_say(&c[i], "GET /x" LINES), MOVED("/x"), false);
	}
	client_open(&c[i], false);
	p = client_packet(&c[i], TCP_PSH | TCP_ACK, "GET /x" LINES, strlen("GET /x" LINES));
	r = client_run(&p);
	expect_verdict(r, DROP);
	expect_counts(r, "STASH_FULL");
	client_ack(&c[3]);
	c[i].seq += p.len;
	expect_answer(&c[i], client_run(&p), MOVED("/x"), false);
	/* the others' bytes are still theirs */
	p = client_packet(&c[4], TCP_PSH | TCP_ACK, "GET /x" LINES, strlen("GET /x" LINES));
	p.seq -= p.len;
	p.ack -= strlen(MOVED("/x"));
	c[4].ack -= strlen(MOVED("/x"));
	expect_answer(&c[4], client_run(&p), MOVED("/x"), false);
}

TEST(stolen, "an answer whose stash is gone ends with RST, not with other bytes")
{
	struct stash st;
	struct client c;
	struct result *r;
	struct packet p;
	uint32_t slot;

	make_routes();
	client_open(&c, false);
	p = client_packet(&c, TCP_PSH | TCP_ACK, "GET /x" LINES, strlen("GET /x" LINES));
	c.seq += p.len;
	expect_answer(&c, client_run(&p), MOVED("/x"), false);
	slot = peek_flow(&c).tx_slot;
	EXPECT(slot & TX_STASH, TX_STASH);
	slot &= ~TX_STASH;
	st = peek_stash(slot);
	st.owner_gen++;
	room_map_update("stashes", &slot, &st);
	r = client_run(&p);
	expect_verdict(r, REDIRECT);
	EXPECT(r->packet.flags, TCP_RST | TCP_ACK);
}

/* --- long ones -------------------------------------------------------------------------------- */

static char long_request[STASH_BYTES + 256];

/* A request whose target has `n` bytes, and the answer that must come, in download. */
static void make_long(size_t n)
{
	char *wanted = (char *)download.wanted, *uri = long_request + 4;
	size_t i;

	memcpy(long_request, "GET /", 5);
	for (i = 1; i < n; i++)
		uri[i] = (char)('a' + (i * 7 + i / 26) % 26);
	strcpy(uri + n, LINES);
	download.len =
		(size_t)sprintf(wanted, START "location: " BEFORE "%.*s#x\r\n\r\n", (int)n, uri);
}

/* Says it in segments; the result of the last one. */
static struct result *say_long(void)
{
	size_t len = strlen(long_request), at, cut = 1400;

	for (at = 0; at + cut < len; at += cut)
		client_expect_ack(&download.c, client_send(&download.c, TCP_PSH | TCP_ACK,
							   long_request + at, cut));
	download.first = download.c.ack;
	download.sent = 0;
	download.close = false;
	download.is_held = false;
	download.mss = peek_flow(&download.c).mss - 12;
	download.req_ack = download.c.seq + len - at;
	return client_send(&download.c, TCP_PSH | TCP_ACK, long_request + at, len - at);
}

#define ADDED (sizeof(MOVED("")) - 1)
#define URI_MAX (STASH_BYTES - sizeof(MOVED_CLOSE("")))

struct long_row {
	const char *name;
	size_t n;
	bool v6;
	int segments;
};

static const struct long_row long_rows[] = {
	{ "one full segment", DOWNLOAD_MSS - ADDED, false, 1 },
	{ "a byte more", DOWNLOAD_MSS - ADDED + 1, false, 2 },
	{ "IPv6", 3000, true, 3 },
	{ "8 KB", 8192, false, 6 },
	{ "the most", URI_MAX, false, 10 },
};

TEST_ROWS(long_uri, "long target", long_rows)
{
	const struct long_row *row = row_;
	struct result *r;

	make_routes();
	client_open(&download.c, row->v6);
	make_long(row->n);
	r = say_long();
	if (row->segments == 1) {
		download_expect_one(client_take(&download.c, r), 0);
		return;
	}
	download_expect(r, row->segments);
	while (download.sent < download.len)
		download_expect_new(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
	expect_answer(&download.c, client_say(&download.c, "GET /y" LINES), MOVED("/y"), false);
}

TEST(too_long, "longer than a stash: 414")
{
	struct result *r;

	make_routes();
	client_open(&download.c, false);
	make_long(URI_MAX + 1);
	r = say_long();
	expect_counts(r, "ERROR_400");
	client_expect_object(&download.c, r, SLOT_ERRORS + CANNED_414, true, false);
}

TEST(long_lost, "a lost tail of a long one is sent again")
{
	struct result *r;

	make_routes();
	client_open(&download.c, false);
	make_long(3000);
	r = say_long();
	download_expect(r, 3);
	download_ack(1448);
	download_wait(1000);
	r = download_kick();
	EXPECT(r->n_clones, 1);
	EXPECT_TRUE(r->clones[0].packet.seq - download.first >= 1448);
	download_expect_one(&r->clones[0].packet, r->clones[0].packet.seq - download.first);
	download_expect_over(download_ack(download.len));
}
