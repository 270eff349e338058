// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SYN cookies: what makes one valid, and that nothing else does. Cookies are made here by an
 * implementation of its own (lib/cookie.c); the first test shows that both agree.
 */
#include <string.h>
#include <time.h>

#include "family.h"
#include "peek.h"

#define GET_SMALL "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
#define KEY_OVERLAP_S 34 /* 2^35 ns */

/* The clock's value, not within its last 300 ms: what follows sees the same. */
static uint32_t settled_clock(void)
{
	uint64_t ns;

	do
		ns = peek_now();
	while ((ns & ((1ULL << 34) - 1)) > (1ULL << 34) - 300000000);
	return cookie_clock();
}

static uint8_t bits_of(uint32_t clock)
{
	return (clock & 1) << 7 | 6 << 4 | 5 << 1 | 1; /* MSS 1460, wscale 7, SACK */
}

/* Sends the ACK that returns the client's c->ack - 1. True if a flow was made. */
static bool is_accepted(struct client *c)
{
	struct packet p = client_packet(c, TCP_ACK, NULL, 0);
	struct result *r;

	run_forget();
	r = client_run(&p);
	if (r->counts[STAT_COOKIE_OK]) {
		EXPECT(r->counts[STAT_COOKIE_BAD], 0);
		return true;
	}
	EXPECT(r->counts[STAT_COOKIE_BAD], 1);
	EXPECT(peek_flow_slot(c), -1);
	return false;
}

TEST_ROWS(same, "the datapath's cookie is the one that its description says", family_rows)
{
	const struct family_row *row = row_;
	struct cookie_key key = cookie_key(0);
	uint32_t clock = settled_clock();
	struct client c;

	client_init(&c, row->v6);
	client_syn(&c);
	EXPECT(c.ack - 1, cookie_of(&c, c.seq - 1, clock, bits_of(clock), &key));
}

TEST_ROWS(one_bit, "a cookie with one wrong bit is not accepted", family_rows)
{
	const struct family_row *row = row_;
	struct client c;
	int bit;

	client_init(&c, row->v6);
	client_syn(&c);
	for (bit = 0; bit < 32; bit++) {
		check_step("bit %d", bit);
		c.ack = (((c.ack - 1) ^ 1u << bit)) + 1;
		EXPECT(is_accepted(&c), false);
		c.ack = (((c.ack - 1) ^ 1u << bit)) + 1;
	}
	check_step("right");
	EXPECT(is_accepted(&c), true);
}

struct other_row {
	const char *name;
	bool v6;
	void (*change)(struct client *c);
};

static void other_seq(struct client *c)
{
	c->seq++;
}

static void other_port(struct client *c)
{
	c->port ^= 1;
}

static void other_addr(struct client *c)
{
	((uint8_t *)&c->addr)[15] ^= 1;
}

static void other_prefix(struct client *c)
{
	((uint8_t *)&c->addr)[5] ^= 1;
}

static void other_middle(struct client *c)
{
	((uint8_t *)&c->addr)[9] ^= 1;
}

static const struct other_row other_rows[] = {
	{ "IPv4 ISN", false, other_seq },      { "IPv6 ISN", true, other_seq },
	{ "IPv4 port", false, other_port },    { "IPv6 port", true, other_port },
	{ "IPv4 address", false, other_addr }, { "IPv6 address", true, other_addr },
	{ "IPv6 prefix", true, other_prefix }, { "IPv6 interface id", true, other_middle },
};

TEST_ROWS(other, "a cookie is worth nothing for another", other_rows)
{
	const struct other_row *row = row_;
	struct client c;

	client_init(&c, row->v6);
	client_syn(&c);
	row->change(&c);
	EXPECT(is_accepted(&c), false);
}

TEST(other_vip, "a cookie of the VIP's one port is worth nothing on another")
{
	struct vip_key key = { .addr = packet_addr(CLIENT_VIP4), .port = 0x901f /* 8080 */ };
	struct vip vip = { .id = 2, .default_pool = POOL_1 };
	uint32_t id = 2;
	struct client c;

	room_map_update("vips", &key, &vip);
	room_map_update("vip_list", &id, &key);
	client_init(&c, false);
	client_syn(&c);
	c.vip_port = 8080;
	EXPECT(is_accepted(&c), false);
	client_init(&c, false);
	c.vip_port = 8080;
	client_connect(&c);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	room_map_delete("vips", &key);
}

struct age_row {
	const char *name;
	int age; /* ticks of 17 s */
	bool is_valid;
};

static const struct age_row age_rows[] = {
	{ "this tick", 0, true },
	{ "the tick before", 1, true },
	{ "two ticks ago", 2, false },
	{ "three ticks ago", 3, false },
	{ "of the future", -1, false },
	{ "2^24 ticks ago", 1 << 24, true }, /* the clock's 24 bits: 9 years */
};

TEST_ROWS(age, "cookie", age_rows)
{
	const struct age_row *row = row_;
	struct cookie_key key = cookie_key(0);
	uint32_t clock = settled_clock() - row->age;
	struct client c;

	client_init(&c, true);
	c.seq = 1001;
	c.ack = cookie_of(&c, 1000, clock, bits_of(clock), &key) + 1;
	EXPECT(is_accepted(&c), row->is_valid);
}

struct rotation_row {
	const char *name;
	int generation; /* of the keys when the ACK comes */
	uint64_t age_s; /* of the last rotation */
	bool is_valid;
};

static const struct rotation_row rotation_rows[] = {
	{ "none", 0, 0, true },
	{ "just now", 1, 0, true },
	{ "33 s ago", 1, KEY_OVERLAP_S - 1, true },
	{ "36 s ago", 1, KEY_OVERLAP_S + 2, false },
	{ "two", 2, 0, false },
};

TEST_ROWS(rotation, "rotation of the keys", rotation_rows)
{
	const struct rotation_row *row = row_;
	struct client c;

	client_init(&c, false);
	client_syn(&c);
	room_set_cookie_keys(row->generation, row->age_s * 1000000000ULL);
	EXPECT(is_accepted(&c), row->is_valid);
}

/* The 8 bits that do not depend on the ISN are right under the new key, too: once in 256 times. */
TEST(rotation_chance, "an old key's cookie that looks like one of the new key's is accepted")
{
	struct cookie_key old = cookie_key(0), current = cookie_key(1);
	uint32_t clock = settled_clock(), a, b;
	struct client c;

	room_set_cookie_keys(1, 0);
	client_init(&c, false);
	c.seq = 1001;
	do {
		c.port++;
		a = cookie_of(&c, 1000, clock, bits_of(clock), &old);
		b = cookie_of(&c, 1000, clock, bits_of(clock), &current);
	} while ((a ^ b) & 0xff00);
	c.ack = a + 1;
	EXPECT(is_accepted(&c), true);
}

TEST(new_key, "after a rotation SYNs get cookies of the new key")
{
	struct cookie_key key = cookie_key(1);
	uint32_t clock = settled_clock();
	struct client c;

	room_set_cookie_keys(1, 0);
	client_init(&c, false);
	client_syn(&c);
	EXPECT(c.ack - 1, cookie_of(&c, c.seq - 1, clock, bits_of(clock), &key));
}

TEST(replay, "the first ACK again when the connection is over: no new one")
{
	struct packet first, rst;
	struct result *r;
	struct client c;

	client_init(&c, false);
	client_syn(&c);
	first = client_packet(&c, TCP_ACK, NULL, 0);
	expect_counts(client_run(&first), "COOKIE_OK");
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	client_ack(&c);
	rst = client_packet(&c, TCP_RST, NULL, 0);
	expect_verdict(client_run(&rst), DROP);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
	r = client_run_as_is(&first);
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_STALE");
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
}

TEST(replay_live, "the first ACK again while the connection lives: nothing")
{
	struct packet first;
	struct result *r;
	struct client c;

	client_init(&c, true);
	client_syn(&c);
	first = client_packet(&c, TCP_ACK, NULL, 0);
	expect_counts(client_run(&first), "COOKIE_OK");
	r = client_run(&first);
	expect_verdict(r, DROP);
	expect_counts(r, "");
	EXPECT(peek_flows(), 1);
}

TEST(reuse, "a closed connection's tuple, used again at once (RFC 6191)")
{
	struct packet rst;
	struct client c;

	client_open(&c, false);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	rst = client_packet(&c, TCP_RST, NULL, 0);
	client_run(&rst);
	c.seq += 70000;
	client_connect(&c);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	EXPECT(peek_flows(), 1);
}

TEST(reuse_lower_isn, "the same with a lower ISN and newer timestamps")
{
	struct packet rst;
	struct client c;

	client_open(&c, true);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	rst = client_packet(&c, TCP_RST, NULL, 0);
	client_run(&rst);
	c.seq -= 70000;
	client_connect(&c);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
}
