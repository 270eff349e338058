// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An unfinished header block.
 */
#include <string.h>

#include "head.h"

#define SLOT_408 (SLOT_ERRORS + CANNED_408)

void head_set_timeout(uint32_t ms)
{
	struct settings settings = room_settings();

	settings.header_timeout_ms = ms;
	room_set_settings(&settings);
}

void head_open(struct client *c, bool v6, bool has_ts)
{
	head_set_timeout(HEAD_TIMEOUT_MS);
	client_init(c, v6);
	c->has_ts = has_ts;
	client_connect(c);
}

void head_say(struct client *c, const char *text)
{
	struct result *r = client_say(c, text);

	client_expect_ack(c, r);
	expect_counts(r, "STASHED");
	EXPECT(peek_flow(c).phase, REQUEST_HEAD);
}

void head_set_due(const struct client *c)
{
	struct sender s = peek_sender(c);

	EXPECT_TRUE(s.deadline_ns);
	s.deadline_ns = 1;
	peek_set_sender(c, &s);
}

struct result *head_kick(const struct client *c)
{
	return run_kick(peek_flow_slot(c), peek_flow(c).gen, c->v6);
}

void head_expect_nothing(const struct result *r)
{
	expect_verdict(r, DROP);
	expect_counts(r, "");
	expect_no_clones(r);
}

void head_expect_408(const struct client *c, const struct clone *clone)
{
	const struct packet *p = &clone->packet;
	uint8_t wanted[HEAD_MAX + 64];
	size_t len = room_answer(SLOT_408, true, false, wanted, sizeof(wanted));

	EXPECT(clone->dev, NET_UPLINK);
	expect_bytes("MAC", p->mac_dst, 6, net_peer_mac(NET_UPLINK), 6);
	expect_bytes("source address", &p->src, 16, &c->vip, 16);
	expect_bytes("destination address", &p->dst, 16, &c->addr, 16);
	EXPECT(p->sport, c->vip_port);
	EXPECT(p->dport, c->port);
	EXPECT(p->seq, c->ack);
	EXPECT(p->ack, c->seq);
	EXPECT(p->flags, TCP_ACK | TCP_PSH | TCP_FIN);
	EXPECT(p->has_ts, c->has_ts);
	if (c->has_ts)
		EXPECT(p->tsecr, c->tsval - 1);
	expect_bytes("answer", p->payload, p->len, wanted, len);
	EXPECT_TRUE(memmem(p->payload, p->len, "\r\nconnection: close\r\n", 21) != NULL);
	EXPECT_TRUE(!memcmp(p->payload, "HTTP/1.1 408 ", 13));
}

uint32_t head_len_408(void)
{
	uint8_t answer[HEAD_MAX + 64];

	return room_answer(SLOT_408, true, false, answer, sizeof(answer));
}

void head_ack_408(struct client *c)
{
	c->ack += head_len_408() + 1;
	head_expect_nothing(client_ack(c));
}

void head_close_408(struct client *c)
{
	head_ack_408(c);
	client_expect_ack(c, client_send(c, TCP_FIN | TCP_ACK, NULL, 0));
	EXPECT(peek_flow(c).state, FLOW_CLOSED);
}

int head_stashes(void)
{
	uint32_t i;
	int n = 0;

	for (i = 0; i < ROOM_STASHES; i++)
		n += peek_stash(i).owner_slot != 0;
	return n;
}
