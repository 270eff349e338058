// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A header block that does not become whole in time: 408 (RFC 9110, 15.5.9), the connection ends,
 * its memory is free again. Who gets none: head_quiet_test.c. With a leg: head_leg_test.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "head.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define PART "GET /1/b HTTP/1.1\r\nHo"
#define REST "st: a\r\n\r\n"
#define MS 1000000ULL
#define POLL_MS 10
#define POLLS 500

struct family_row {
	const char *name;
	bool v6, has_ts;
};

static const struct family_row family_rows[] = {
	{ "IPv4", false, true },
	{ "IPv6", true, true },
	{ "IPv4 without timestamps", false, false },
	{ "IPv6 without timestamps", true, false },
};

TEST_ROWS(first, "the first request's first byte, then silence: 408 and FIN", family_rows)
{
	const struct family_row *row = row_;
	uint64_t before, deadline;
	struct result *r;
	struct client c;

	head_open(&c, row->v6, row->has_ts);
	before = peek_now();
	head_say(&c, "G");
	deadline = peek_sender(&c).deadline_ns;
	EXPECT_TRUE(deadline >= before + HEAD_TIMEOUT_MS * MS);
	EXPECT_TRUE(deadline <= peek_now() + HEAD_TIMEOUT_MS * MS);
	head_expect_nothing(head_kick(&c));
	EXPECT(peek_sender(&c).deadline_ns, deadline);
	head_set_due(&c);
	r = head_kick(&c);
	expect_verdict(r, DROP);
	expect_counts(r, "ERROR_408");
	EXPECT(r->n_clones, 1);
	head_expect_408(&c, &r->clones[0]);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
	head_close_408(&c);
}

TEST_ROWS(parked_bytes, "what was buffered of the head is free again", family_rows)
{
	const struct family_row *row = row_;
	struct client c, other;
	char piece[1200];
	struct result *r;
	struct stash st;
	uint32_t slot;
	int i;

	memset(piece, 'x', sizeof(piece));
	piece[sizeof(piece) - 1] = 0;
	head_open(&c, row->v6, row->has_ts);
	head_say(&c, "GET /1/a HTTP/1.1\r\nX-Long: ");
	for (i = 0; i < 3; i++)
		head_say(&c, piece);
	EXPECT(head_stashes(), 1);
	slot = peek_flow(&c).stash - 1;
	st = peek_stash(slot);
	EXPECT(st.owner_slot, peek_flow_slot(&c) + 1);
	EXPECT(st.len, 27 + 3 * (sizeof(piece) - 1));
	head_set_due(&c);
	r = head_kick(&c);
	expect_counts(r, "ERROR_408");
	head_expect_408(&c, &r->clones[0]);
	EXPECT(peek_stash(slot).owner_slot, 0);
	EXPECT(peek_flow(&c).stash, 0);
	EXPECT(head_stashes(), 0);
	head_close_408(&c);
	client_open(&other, row->v6);
	head_say(&other, "GET /sm");
	client_expect_object(&other, client_say(&other, "all HTTP/1.1\r\nHost: a\r\n\r\n"),
			     SLOT_SMALL, false, false);
}

TEST(steps, "byte by byte: the time counts from the first one")
{
	static const char text[] = PART;
	uint64_t deadline = 0;
	struct client c;
	struct result *r;
	size_t i;

	head_open(&c, false, true);
	for (i = 0; i < strlen(text); i++) {
		check_step("byte %zu", i);
		client_expect_ack(&c, client_send(&c, TCP_PSH | TCP_ACK, text + i, 1));
		if (!i)
			deadline = peek_sender(&c).deadline_ns;
		EXPECT(peek_sender(&c).deadline_ns, deadline);
	}
	head_set_due(&c);
	client_expect_ack(&c, client_say(&c, "s")); /* before the kick: the deadline has passed */
	EXPECT(peek_sender(&c).deadline_ns, 1);
	r = head_kick(&c);
	expect_counts(r, "ERROR_408");
	head_expect_408(&c, &r->clones[0]);
	head_close_408(&c);
}

TEST(late_bytes, "what comes behind the 408 is acknowledged and forgotten")
{
	struct packet crossing;
	struct result *r;
	struct client c;

	head_open(&c, false, true);
	head_say(&c, PART);
	head_set_due(&c);
	head_expect_408(&c, &head_kick(&c)->clones[0]);
	crossing = client_packet(&c, TCP_PSH | TCP_ACK, "s", 1);
	head_expect_nothing(client_run(&crossing));
	c.ack += head_len_408() + 1;
	r = client_say(&c, REST);
	client_expect_ack(&c, r);
	expect_counts(r, "");
	EXPECT(head_stashes(), 0);
	client_expect_ack(&c, client_send(&c, TCP_FIN | TCP_ACK, NULL, 0));
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(second, "the next request's first byte gets the whole time again")
{
	uint64_t before;
	struct result *r;
	struct client c;

	head_open(&c, false, true);
	head_say(&c, "GET /sm");
	head_set_due(&c);
	client_expect_object(&c, client_say(&c, "all HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL,
			     false, false);
	head_expect_nothing(client_ack(&c));
	before = peek_now();
	head_say(&c, "G");
	EXPECT_TRUE(peek_sender(&c).deadline_ns >= before + HEAD_TIMEOUT_MS * MS);
	head_expect_nothing(head_kick(&c));
	head_set_due(&c);
	r = head_kick(&c);
	expect_counts(r, "ERROR_408");
	head_expect_408(&c, &r->clones[0]);
	head_close_408(&c);
}

/* All of the request is acknowledged: its client repeats nothing. */
TEST_ROWS(lost, "a lost 408 is sent again by the timer, until it is acknowledged", family_rows)
{
	const struct family_row *row = row_;
	struct result *r;
	struct client c;
	int i;

	head_open(&c, row->v6, row->has_ts);
	head_say(&c, PART);
	head_set_due(&c);
	head_expect_408(&c, &head_kick(&c)->clones[0]);
	head_expect_nothing(head_kick(&c));
	for (i = 0; i < 3; i++) {
		check_step("loss %d", i);
		head_set_due(&c);
		r = head_kick(&c);
		expect_verdict(r, DROP);
		expect_counts(r, "PROBES RESENT");
		EXPECT(r->n_clones, 1);
		head_expect_408(&c, &r->clones[0]);
	}
	check_step("%s", "");
	head_close_408(&c);
	head_expect_nothing(head_kick(&c));
}

TEST(narrow, "a client with a small MSS: several segments, the last one with FIN")
{
	uint8_t got[512], wanted[512];
	size_t len, at = 0;
	struct client c;
	struct result *r;
	int i;

	head_set_timeout(HEAD_TIMEOUT_MS);
	client_init(&c, false);
	c.mss = 88;
	client_connect(&c);
	head_say(&c, PART);
	head_set_due(&c);
	r = head_kick(&c);
	expect_counts(r, "ERROR_408");
	EXPECT_TRUE(r->n_clones > 1);
	for (i = 0; i < r->n_clones; i++) {
		EXPECT(r->clones[i].packet.seq, c.ack + at);
		EXPECT_TRUE(r->clones[i].packet.len <= 88);
		EXPECT(r->clones[i].packet.flags & TCP_FIN, i == r->n_clones - 1);
		memcpy(got + at, r->clones[i].packet.payload, r->clones[i].packet.len);
		at += r->clones[i].packet.len;
	}
	len = room_answer(SLOT_ERRORS + CANNED_408, true, false, wanted, sizeof(wanted));
	expect_bytes("answer", got, at, wanted, len);
	head_close_408(&c);
}

/* The timer itself. */

static struct kick last_kick;
static int n_kicks;

static int on_kick(void *context, void *data, size_t size)
{
	(void)context;
	EXPECT(size, sizeof(last_kick));
	memcpy(&last_kick, data, sizeof(last_kick));
	n_kicks++;
	return 0;
}

struct timer_row {
	const char *name;
	bool v6, is_served;
};

static const struct timer_row timer_rows[] = {
	{ "by the daemon", false, true },
	{ "by the daemon, IPv6", true, true },
	{ "by another connection's packet, the daemon is dead", false, false },
	{ "by another connection's packet, IPv6", true, false },
};

TEST_ROWS(timer, "the timer fires when the time is over, and is served", timer_rows)
{
	struct ring_buffer *ring = ring_buffer__new(room_map("kicks"), on_kick, NULL, NULL);
	const struct timer_row *row = row_;
	struct client c, other;
	uint64_t start;
	struct result *r;
	int i;

	ring_buffer__consume(ring); /* of tests before this one */
	n_kicks = 0;
	room_serve_kicks(row->is_served);
	room_run_timers(true);
	client_open(&other, row->v6);
	head_open(&c, row->v6, true);
	head_set_timeout(100);
	start = peek_now();
	head_say(&c, PART);
	for (i = 0; i < POLLS && !n_kicks; i++)
		ring_buffer__poll(ring, POLL_MS);
	EXPECT_TRUE(n_kicks > 0);
	EXPECT_TRUE(peek_now() - start >= 100 * MS);
	EXPECT(last_kick.flow, peek_flow_slot(&c));
	EXPECT(last_kick.gen, peek_flow(&c).gen);
	EXPECT(last_kick.is_v6, row->v6);
	r = row->is_served ? head_kick(&c) : client_ack(&other);
	expect_counts(r, "ERROR_408");
	EXPECT(r->n_clones, 1);
	head_expect_408(&c, &r->clones[0]);
	head_ack_408(&c);
	ring_buffer__free(ring);
}

TEST(no_timer, "no sender is free: the head has as long as its memory is not needed")
{
	static struct client holders[ROOM_SENDERS];
	struct client c;
	int i, tries = 0;

	for (i = 0; i < ROOM_SENDERS; i++) {
		do {
			head_open(&holders[i], false, true);
			client_say(&holders[i], GET("/huge"));
			EXPECT_TRUE(tries++ < 100);
		} while (peek_sender_slot(&holders[i]) < 0);
	}
	head_open(&c, false, true);
	head_say(&c, "GET /sm");
	EXPECT(peek_sender_slot(&c), -1);
	head_expect_nothing(head_kick(&c));
	client_expect_object(&c, client_say(&c, "all HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL,
			     false, false);
}
