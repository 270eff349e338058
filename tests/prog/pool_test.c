// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that stick: by a cookie of the application, or by the client's address. Which member a
 * key leads to: tests/unit/rendezvous_test.c.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define KEYS 60

static struct client c;

/* The pool of backends 1 and 2 asks for the cookie `sid`. */
static void make_sticky(void)
{
	struct pool pool = { .slots = 2,
			     .members = 2,
			     .seq = { 0, 1 },
			     .backend = { 1, 2 },
			     .weight = { 1, 1 },
			     .cookie_len = 3,
			     .cookie = "sid" };
	uint32_t id = POOL_BOTH;

	room_map_update("pools", &id, &pool);
}

static void set_up(uint32_t id, bool up)
{
	struct backend b = room_backend(id);

	b.flags = up ? b.flags | BACKEND_UP : b.flags & ~BACKEND_UP;
	room_set_backend(id, &b);
}

static const char *with_cookie(int key)
{
	static char text[200];

	sprintf(text, "GET /both/ HTTP/1.1\r\nHost: a\r\nCookie: x=1; sid=k%d\r\n\r\n", key);
	return text;
}

/* The backend that a fresh connection's request goes to. */
static int ask(const char *text, bool v6)
{
	enum net_dev dev;

	client_open(&c, v6);
	EXPECT_TRUE(run_leaving(client_say(&c, text), 0, &dev));
	client_send(&c, TCP_RST, NULL, 0); /* the table is small */
	run_forget();
	return dev;
}

TEST(sticky, "one value of the cookie, one backend; both have their share")
{
	int first, n[3] = { 0 };

	make_sticky();
	for (int key = 0; key < KEYS; key++) {
		first = ask(with_cookie(key), false);
		n[first]++;
		EXPECT(ask(with_cookie(key), true), first);
		EXPECT(ask(with_cookie(key), false), first);
	}
	EXPECT_TRUE(n[1] > KEYS / 4 && n[2] > KEYS / 4);
}

TEST(no_cookie, "without the cookie, or with an empty one: by the pool's policy")
{
	int first;

	make_sticky();
	first = ask(GET("/both/"), false);
	EXPECT(ask(GET("/both/"), false), 3 - first);
	EXPECT(ask("GET /both/ HTTP/1.1\r\nHost: a\r\nCookie: sid=; y=1\r\n\r\n", false), first);
}

TEST(moves, "a backend goes down: its keys move, and come back; the other's stay")
{
	int before[KEYS];

	make_sticky();
	for (int key = 0; key < KEYS; key++)
		before[key] = ask(with_cookie(key), false);
	set_up(2, false);
	for (int key = 0; key < KEYS; key++)
		EXPECT(ask(with_cookie(key), false), 1);
	set_up(2, true);
	for (int key = 0; key < KEYS; key++)
		EXPECT(ask(with_cookie(key), false), before[key]);
}

/* A load balancer's connection carries many clients. */
TEST(one_connection, "requests of one connection go where their own cookies lead")
{
	struct node nodes[3];
	int key, to, seen = 0, key_of[3] = { -1, -1, -1 };

	make_sticky();
	for (key = 0; key_of[1] < 0 || key_of[2] < 0; key++)
		key_of[ask(with_cookie(key), false)] = key;
	client_open(&c, false);
	for (int i = 0; i < 6; i++) {
		struct result *r;

		to = 1 + i % 2;
		r = client_say(&c, with_cookie(key_of[to]));
		if (seen & 1 << to) {
			EXPECT(r->counts[STAT_LEG_REUSED], 1);
			node_take(&nodes[to], r);
		} else {
			const struct packet *p = NULL;
			enum net_dev dev;

			for (int j = 0; (p = run_leaving(r, j, &dev)); j++)
				if ((int)dev == to)
					node_accept(&nodes[to], to, p);
		}
		seen |= 1 << to;
		node_reply(&nodes[to], &c, OK_5);
	}
	EXPECT(seen, 6);
}

TEST(refused, "the cookie's backend refuses: the next best takes it, and keeps it")
{
	struct packet opening;
	struct result *r;
	struct node n;
	int to, key;

	make_sticky();
	for (key = 0; ask(with_cookie(key), false) != 1; key++)
		EXPECT_TRUE(key < KEYS);
	client_open(&c, false);
	r = client_say(&c, with_cookie(key));
	opening = *expect_out(r, NET_NODE1);
	r = node_refuse(&opening, NET_NODE1);
	node_accept(&n, 2, expect_out(r, NET_NODE2));
	node_reply(&n, &c, OK_5);
	r = client_say(&c, with_cookie(key));
	EXPECT(r->counts[STAT_LEG_REUSED], 1);
	to = 2;
	expect_out(r, to);
}

/* The backend of a fresh connection of the client. */
static int ask_again(void)
{
	enum net_dev dev;

	client_connect(&c);
	EXPECT_TRUE(run_leaving(client_say(&c, GET("/both/")), 0, &dev));
	client_send(&c, TCP_RST, NULL, 0);
	c.port += 1000;
	run_forget();
	return dev;
}

TEST(address, "client-hash: one address, one backend, on any connection")
{
	uint16_t both[] = { 1, 2 };
	int first, n[3] = { 0 };

	room_pool(POOL_BOTH, POLICY_CLIENT_HASH, both, 2);
	for (int i = 0; i < KEYS; i++) {
		client_init(&c, false);
		c.addr.w[3] += htonl(i);
		first = ask_again();
		n[first]++;
		EXPECT(ask_again(), first);
	}
	EXPECT_TRUE(n[1] > KEYS / 4 && n[2] > KEYS / 4);
}
