// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several requests of one packet that components answer: one answer, in order, the same bytes
 * whenever it is repeated.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define HEAD(path) "HEAD " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

struct part {
	uint32_t slot;
	bool close, head;
};

struct batch_row {
	const char *name;
	const char *text;
	struct part parts[8];
	size_t rest; /* bytes that wait */
};

static const struct batch_row batch_rows[] = {
	{ "two",
	  GET("/small") GET("/small"),
	  { { .slot = SLOT_SMALL }, { .slot = SLOT_SMALL } },
	  0 },
	{ "with HEAD",
	  HEAD("/small") GET("/small") HEAD("/big"),
	  { { .slot = SLOT_SMALL, .head = true },
	    { .slot = SLOT_SMALL },
	    { .slot = SLOT_BIG, .head = true } },
	  0 },
	{ "the last one closes",
	  GET("/small") LAST("/small") GET("/small"),
	  { { .slot = SLOT_SMALL }, { .slot = SLOT_SMALL, .close = true } },
	  0 },
	{ "14 KB beside a small one",
	  GET("/big") GET("/small"),
	  { { .slot = SLOT_BIG }, { .slot = SLOT_SMALL } },
	  0 },
	{ "two of 14 KB: one waits",
	  GET("/big") GET("/big"),
	  { { .slot = SLOT_BIG } },
	  sizeof(GET("/big")) - 1 },
	{ "a pool's request ends it",
	  GET("/small") GET("/small") GET("/1/a"),
	  { { .slot = SLOT_SMALL }, { .slot = SLOT_SMALL } },
	  sizeof(GET("/1/a")) - 1 },
	{ "half a head ends it",
	  GET("/small") GET("/small") "GET /",
	  { { .slot = SLOT_SMALL }, { .slot = SLOT_SMALL } },
	  5 },
};

static uint8_t wanted[4 * BODY_MAX];

static size_t join(const struct part *part)
{
	size_t len = 0;

	for (; part->slot; part++)
		len += room_answer(part->slot, part->close, part->head, wanted + len,
				   sizeof(wanted) - len);
	return len;
}

/* All that the client gets, from `from` on; acknowledged as it comes. */
static void expect_all(struct client *c, const struct result *r, size_t len)
{
	static uint8_t got[sizeof(wanted)];
	const struct packet *p;
	enum net_dev dev;
	size_t n = 0;
	int i, rounds;

	for (rounds = 0; rounds < 20; rounds++) {
		for (i = 0; (p = run_leaving(r, i, &dev)); i++) {
			if (!p->len)
				continue;
			EXPECT(p->seq, c->ack);
			memcpy(got + n, p->payload, p->len);
			n += p->len;
			c->ack += p->len;
		}
		if (n >= len)
			break;
		r = client_ack(c);
	}
	expect_bytes("answers", got, n, wanted, len);
}

TEST_ROWS(batch, "components in one packet", batch_rows)
{
	const struct batch_row *row = row_;
	size_t len = join(row->parts);
	struct result *r;
	struct client c;
	struct flow f;

	client_open(&c, false);
	r = client_say(&c, row->text);
	f = peek_flow(&c);
	EXPECT(f.phase == REQUEST_QUEUED ? peek_stash(f.stash - 1).queued : 0, row->rest);
	expect_all(&c, r, len);
}

TEST(again, "the packet comes again: the same bytes")
{
	static const struct part parts[] = { { .slot = SLOT_SMALL },
					     { .slot = SLOT_SMALL, .head = true },
					     {} };
	struct packet both;
	struct client c;
	size_t len = join(parts);
	uint32_t ack;

	client_open(&c, true);
	both = client_packet(&c, TCP_PSH | TCP_ACK, GET("/small") HEAD("/small"),
			     strlen(GET("/small") HEAD("/small")));
	ack = c.ack;
	expect_all(&c, client_run(&both), len);
	c.ack = ack; /* it was lost */
	peek_age_sender(&c);
	expect_all(&c, client_run(&both), len);
}

TEST(replaced, "an object is replaced meanwhile: the answer stays what it was")
{
	static const struct part parts[] = { { .slot = SLOT_SMALL },
					     { .slot = SLOT_SMALL, .head = true },
					     {} };
	struct packet both;
	struct client c;
	size_t len = join(parts);
	uint32_t ack;

	client_open(&c, false);
	both = client_packet(&c, TCP_PSH | TCP_ACK, GET("/small") HEAD("/small"),
			     strlen(GET("/small") HEAD("/small")));
	ack = c.ack;
	expect_all(&c, client_run(&both), len);
	room_set_object_gen(SLOT_SMALL, 2);
	c.ack = ack;
	peek_age_sender(&c);
	expect_all(&c, client_run(&both), len);
}
