// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who gets no 408, whatever the timer asks for: whole heads, bodies, connections between two
 * requests or at their end, and others than the one that is meant.
 */
#include <string.h>

#include "head.h"
#include "prog_node.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define PART "GET /1/b HTTP/1.1\r\nHo"
#define REST "st: a\r\n\r\n"

static void in_head(struct client *c)
{
	head_open(c, false, true);
	head_say(c, PART);
}

static void after_rst(struct client *c)
{
	in_head(c);
	head_set_due(c);
	client_send(c, TCP_RST, NULL, 0);
}

static void between_kernel(struct client *c)
{
	head_open(c, false, true);
	head_say(c, "GET /sm");
	head_set_due(c);
	client_expect_object(c, client_say(c, "all HTTP/1.1\r\nHost: a\r\n\r\n"), SLOT_SMALL, false,
			     false);
}

static void between_kernel_acked(struct client *c)
{
	between_kernel(c);
	head_expect_nothing(client_ack(c));
}

/* The whole head came in pieces and went to a backend. */
static void to_node(struct client *c, struct node *n)
{
	uint32_t start;
	struct result *r;

	head_open(c, false, true);
	start = c->seq;
	head_say(c, PART);
	head_set_due(c);
	r = client_say(c, REST);
	node_expect_opening(n, c, 1, start, r, PART REST, strlen(PART REST));
}

static void waiting_for_node(struct client *c)
{
	struct node n;

	to_node(c, &n);
}

static void between_node(struct client *c)
{
	struct node n;

	to_node(c, &n);
	node_reply(&n, c, OK_5);
}

static void in_body(struct client *c)
{
	head_open(c, false, true);
	head_say(c, "POST /1/b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n");
	head_set_due(c);
	client_say(c, "\r\n1234");
	EXPECT(peek_flow(c).phase, REQUEST_BODY);
}

static void in_chunks(struct client *c)
{
	head_open(c, false, true);
	head_say(c, "POST /1/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n");
	head_set_due(c);
	client_say(c, "\r\n5\r\n12");
	EXPECT(peek_flow(c).phase, REQUEST_CHUNKED);
}

static void after_fin(struct client *c)
{
	in_head(c);
	head_set_due(c);
	EXPECT(client_take(c, client_send(c, TCP_FIN | TCP_ACK, NULL, 0))->flags,
	       TCP_FIN | TCP_ACK);
}

static void after_408(struct client *c)
{
	in_head(c);
	head_set_due(c);
	head_expect_408(c, &head_kick(c)->clones[0]);
	head_close_408(c);
}

static void without_deadline(struct client *c)
{
	struct sender s;

	in_head(c);
	s = peek_sender(c);
	s.deadline_ns = 0;
	peek_set_sender(c, &s);
}

struct quiet_row {
	const char *name;
	void (*make)(struct client *c);
};

static const struct quiet_row quiet_rows[] = {
	{ "not due", in_head },
	{ "without a deadline", without_deadline },
	{ "the head was answered by the kernel", between_kernel },
	{ "answered and acknowledged", between_kernel_acked },
	{ "the head went to a backend", waiting_for_node },
	{ "a backend has answered it", between_node },
	{ "in a body", in_body },
	{ "in a chunk", in_chunks },
	{ "the client has closed in the head", after_fin },
	{ "the client has reset in the head", after_rst },
	{ "the 408 was sent and read", after_408 },
};

TEST_ROWS(quiet, "a kick that means nothing", quiet_rows)
{
	const struct quiet_row *row = row_;
	struct flow before, after;
	struct client c;

	row->make(&c);
	before = peek_flow(&c);
	head_expect_nothing(head_kick(&c));
	after = peek_flow(&c);
	expect_bytes("flow", &after, sizeof(after), &before, sizeof(before));
}

TEST(strangers, "a kick for another connection of the slot, or another slot")
{
	uint32_t slot, gen;
	struct client c;

	in_head(&c);
	head_set_due(&c);
	slot = peek_flow_slot(&c);
	gen = peek_flow(&c).gen;
	head_expect_nothing(run_kick(slot, gen + 1, false));
	head_expect_nothing(run_kick(slot, gen - 1, false));
	head_expect_nothing(run_kick(slot + 1, gen, false));
	head_expect_408(&c, &head_kick(&c)->clones[0]); /* it was due */
}

struct idle_row {
	const char *name;
	bool by_kernel, by_node;
};

static const struct idle_row idle_rows[] = {
	{ "no request yet", false, false },
	{ "after an answer of the kernel", true, false },
	{ "after an answer of a backend", false, true },
};

TEST_ROWS(idle, "between two requests no time runs", idle_rows)
{
	const struct idle_row *row = row_;
	struct client c;
	struct node n;

	head_open(&c, false, true);
	if (row->by_kernel) {
		client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
		client_ack(&c);
	}
	if (row->by_node) {
		node_open(&n, 1, &c, GET("/1/a"));
		node_reply(&n, &c, OK_5);
	}
	EXPECT(peek_sender_slot(&c), -1);
	head_expect_nothing(head_kick(&c));
}
