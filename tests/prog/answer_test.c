// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is made of an object for one request: Date, the variant, 304. How Accept-Encoding and
 * conditions are read is tests/unit/http_negotiate_test.c's.
 */
#include <string.h>
#include <time.h>

#include "download.h"
#include "peek.h"

#define ETAG 0x0123456789abcdefULL
#define TAG "\"0123456789abcdef\""
#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define OWN(fields) "GET /own HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define HEAD_LEAD 300

/* The datapath's second, by the wall clock; `ahead`: what CLOCK_TAI is said to be ahead of it. */
static uint32_t clock_second(uint32_t ahead)
{
	struct settings settings = room_settings();
	struct timespec tai, now;

	clock_gettime(CLOCK_TAI, &tai);
	clock_gettime(CLOCK_REALTIME, &now);
	settings.tai_offset = (tai.tv_sec - now.tv_sec) + ahead;
	room_set_settings(&settings);
	return now.tv_sec - ahead;
}

static void wait_for_second(uint32_t ahead, uint32_t second)
{
	while (clock_second(ahead) == second)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* The answer's second is now, and what is expected from here on. */
static void expect_now(const struct client *c, uint32_t before, uint32_t ahead)
{
	uint32_t second = peek_flow(c).tx_second;

	EXPECT_TRUE(second >= before && second <= clock_second(ahead));
	room_set_date(second);
}

static struct result *say_now(struct client *c, const char *text)
{
	uint32_t before = clock_second(0);
	struct result *r = client_say(c, text);

	expect_now(c, before, 0);
	return r;
}

TEST(date, "Date is now, in answers that keep and that end the connection")
{
	struct client c;

	room_dated_object(0, 0, 1000, 0, 0);
	client_open(&c, false);
	client_expect_object(&c, say_now(&c, OWN("")), SLOT_OWN, false, false);
	client_ack(&c);
	client_expect_object(&c, say_now(&c, "HEAD /own HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_OWN,
			     false, true);
	client_ack(&c);
	client_expect_object(&c, say_now(&c, OWN("Connection: close\r\n")), SLOT_OWN, true, false);
}

TEST(date_moves, "the next second's answer has the next Date, its repetition the same one")
{
	uint8_t wanted[4096];
	const struct packet *p;
	struct packet again;
	struct client c;
	uint32_t first;
	size_t len;

	room_dated_object(0, 0, 1000, 0, 0);
	client_open(&c, true);
	client_expect_object(&c, say_now(&c, OWN("")), SLOT_OWN, false, false);
	client_ack(&c);
	first = peek_flow(&c).tx_second;
	wait_for_second(0, first);
	again = client_packet(&c, TCP_PSH | TCP_ACK, OWN(""), strlen(OWN("")));
	client_expect_object(&c, say_now(&c, OWN("")), SLOT_OWN, false, false);
	EXPECT_TRUE(peek_flow(&c).tx_second > first);
	len = room_answer(SLOT_OWN, false, false, wanted, sizeof(wanted));
	wait_for_second(0, peek_flow(&c).tx_second);
	p = expect_out(client_run(&again), NET_UPLINK);
	expect_bytes("answer", p->payload, p->len, wanted, len);
}

TEST(date_tai, "the wall clock is CLOCK_TAI less what the daemon says")
{
	struct client c;
	uint32_t before;

	room_dated_object(0, 0, 1000, 0, 0);
	before = clock_second(37);
	wait_for_second(37, before); /* what a CPU knows of the time holds for its second */
	before = clock_second(37);
	client_open(&c, false);
	client_say(&c, OWN(""));
	expect_now(&c, before, 37);
	wait_for_second(0, clock_second(0));
}

/* The border between the first two segments goes through the Date at each of its bytes. */
TEST(date_cut, "a Date cut by the end of a segment, at any byte")
{
	struct result *r;
	uint32_t second;
	int k;

	for (k = -1; k <= 30; k++) {
		check_step("%d bytes of it in the first segment", k);
		room_reset();
		room_dated_object(0, DOWNLOAD_MSS - k, 4000, 0, 0);
		do {
			second = clock_second(0);
			room_set_date(second);
			r = download_begin(false, OWN(""), SLOT_OWN, false);
		} while (peek_flow(&download.c).tx_second != second);
		download_run(r);
	}
}

TEST(date_resent, "a segment of another second's answer is sent again with its own Date")
{
	struct result *r;
	uint32_t second;

	room_dated_object(0, HEAD_LEAD, 3900, 0, 0);
	do {
		second = clock_second(0);
		room_set_date(second);
		r = download_begin(false, OWN(""), SLOT_OWN, false);
	} while (peek_flow(&download.c).tx_second != second);
	download_expect(r, 3);
	wait_for_second(0, second);
	download_wait(2000);
	r = download_kick();
	EXPECT_TRUE(r->n_clones > 0); /* a probe; then the time is out */
	download_wait(5000);
	r = download_kick();
	EXPECT_TRUE(r->n_clones > 0);
	download_expect_one(&r->clones[0].packet, 0);
}

TEST(date_batch, "pipelined answers have Dates of now")
{
	static const char text[] = OWN("") OWN("If-None-Match: " TAG "\r\n") OWN("");
	uint8_t wanted[8192];
	const struct packet *p;
	struct result *r;
	struct client c;
	size_t len;

	room_dated_object(0, 0, 100, ETAG, 0);
	client_open(&c, false);
	wait_for_second(0, clock_second(0)); /* all of it in one second */
	r = say_now(&c, text);
	len = room_answer(SLOT_OWN, false, false, wanted, sizeof(wanted));
	len += room_not_modified(SLOT_OWN, false, wanted + len, sizeof(wanted) - len);
	len += room_answer(SLOT_OWN, false, false, wanted + len, sizeof(wanted) - len);
	p = client_take(&c, r);
	expect_bytes("answers", p->payload, p->len, wanted, len);
}

struct condition_row {
	const char *name;
	const char *request;
	bool not_modified, close;
};

static const struct condition_row condition_rows[] = {
	{ "its tag", OWN("If-None-Match: " TAG "\r\n"), true, false },
	{ "its tag, HEAD",
	  "HEAD /own HTTP/1.1\r\nHost: a\r\nIf-None-Match: " TAG "\r\n\r\n", true, false },
	{ "its tag, close", OWN("Connection: close\r\nIf-None-Match: " TAG "\r\n"), true, true },
	{ "another tag", OWN("If-None-Match: \"0123456789abcdee\"\r\n"), false, false },
	{ "since then", OWN("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), true, false },
	{ "since before", OWN("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n"), false,
	  false },
	{ "another tag, since then",
	  OWN("If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
	  false, false },
};

TEST_ROWS(condition, "304", condition_rows)
{
	const struct condition_row *row = row_;
	uint8_t wanted[4096];
	const struct packet *p;
	struct result *r;
	struct client c;
	size_t len;

	room_dated_object(0, 0, 1000, ETAG, MODIFIED);
	client_open(&c, false);
	r = say_now(&c, row->request);
	expect_counts(r, "REQUESTS HIT");
	if (!row->not_modified) {
		client_expect_object(&c, r, SLOT_OWN, row->close, false);
		return;
	}
	len = room_not_modified(SLOT_OWN, row->close, wanted, sizeof(wanted));
	p = client_take(&c, r);
	expect_bytes("answer", p->payload, p->len, wanted, len);
	EXPECT(p->flags, TCP_ACK | TCP_PSH | (row->close ? TCP_FIN : 0));
}

TEST(condition_long, "304 of a long component is one segment, at any MSS")
{
	uint8_t wanted[4096];
	const struct packet *p;
	struct result *r;
	struct client c;
	size_t len;

	room_dated_object(0, HEAD_LEAD, 60000, ETAG, MODIFIED);
	client_open(&c, true);
	r = say_now(&c, OWN("If-None-Match: " TAG "\r\n"));
	len = room_not_modified(SLOT_OWN, false, wanted, sizeof(wanted));
	p = client_take(&c, r);
	expect_bytes("answer", p->payload, p->len, wanted, len);
	client_expect_object(&c, say_now(&c, GET("/small")), SLOT_SMALL, false, false);
}

struct variant_row {
	const char *name;
	const char *request;
	uint32_t slot; /* 0: to the pool */
};

#define SLOT_BROTLI (SLOT_OWN + 1)
#define SLOT_GZIP (SLOT_OWN + 2)

static const struct variant_row variant_rows[] = {
	{ "none asked for", OWN(""), SLOT_OWN },
	{ "a browser's", OWN("Accept-Encoding: gzip, deflate, br, zstd\r\n"), SLOT_BROTLI },
	{ "gzip", OWN("Accept-Encoding: gzip\r\n"), SLOT_GZIP },
	{ "two lines", OWN("Accept-Encoding: br;q=0\r\nAccept-Encoding: gzip\r\n"), SLOT_GZIP },
	{ "none known", OWN("Accept-Encoding: zstd\r\n"), SLOT_OWN },
	{ "nothing acceptable", OWN("Accept-Encoding: identity;q=0, zstd\r\n"), 0 },
};

TEST_ROWS(variant, "variant", variant_rows)
{
	const struct variant_row *row = row_;
	struct result *r;
	struct client c;

	room_dated_object(0, 0, 1000, ETAG, MODIFIED);
	room_dated_object(1, 0, 700, ETAG + 1, MODIFIED);
	room_dated_object(2, 0, 800, ETAG + 2, MODIFIED);
	room_set_variant(CODING_BROTLI, SLOT_BROTLI);
	room_set_variant(CODING_GZIP, SLOT_GZIP);
	client_open(&c, false);
	if (!row->slot) {
		r = client_say(&c, row->request);
		expect_out(r, NET_NODE1);
		expect_counts(r, "REQUESTS MISS_HEADERS LEG_NEW");
		return;
	}
	r = say_now(&c, row->request);
	expect_counts(r, "REQUESTS HIT");
	client_expect_object(&c, r, row->slot, false, false);
}

TEST(variant_alone, "without variants, what refuses the plain bytes goes to the pool")
{
	struct client c;

	room_dated_object(0, 0, 1000, ETAG, MODIFIED);
	client_open(&c, false);
	client_expect_object(&c, say_now(&c, OWN("Accept-Encoding: gzip, br\r\n")), SLOT_OWN,
			     false, false);
	client_ack(&c);
	expect_out(client_say(&c, OWN("Accept-Encoding: *;q=0\r\n")), NET_NODE1);
}

TEST(variant_tag, "a condition is about the variant that would be sent")
{
	uint8_t wanted[4096];
	const struct packet *p;
	struct client c;
	size_t len;

	room_dated_object(0, 0, 1000, ETAG, MODIFIED);
	room_dated_object(1, 0, 700, ETAG + 1, MODIFIED);
	room_set_variant(CODING_BROTLI, SLOT_BROTLI);
	client_open(&c, false);
	client_expect_object(
		&c, say_now(&c, OWN("Accept-Encoding: br\r\nIf-None-Match: " TAG "\r\n")),
		SLOT_BROTLI, false, false);
	client_ack(&c);
	p = client_take(&c, say_now(&c, OWN("Accept-Encoding: br\r\n"
					    "If-None-Match: W/\"0123456789abcdf0\"\r\n")));
	len = room_not_modified(SLOT_BROTLI, false, wanted, sizeof(wanted));
	expect_bytes("answer", p->payload, p->len, wanted, len);
}
