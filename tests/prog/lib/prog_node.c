// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A backend's side of a leg.
 */
#include <arpa/inet.h>
#include <string.h>

#include "prog_node.h"

#define TTL 61
#define MSS_MIN 1448 /* of a link of 1500 bytes, IPv4, with timestamps */

void node_accept(struct node *n, int id, const struct packet *opening)
{
	*n = (struct node){
		.id = id,
		.v6 = opening->v6,
		.has_ts = opening->has_ts,
		.addr = packet_addr(net_node_addr(id, opening->v6)),
		.client = opening->src,
		.client_port = opening->sport,
		.seq = opening->ack,
		.ack = opening->seq + opening->len,
		.tsval = 7000000,
		.tsecr = opening->tsval,
		.window = 501,
	};
}

static void expect_addressed(const struct node *n, const struct packet *p)
{
	expect_bytes("source address", &p->src, 16, &n->client, 16);
	expect_bytes("destination address", &p->dst, 16, &n->addr, 16);
	EXPECT(p->sport, n->client_port);
	EXPECT(p->dport, NET_NODE_PORT);
}

void node_expect(struct node *n, const struct packet *p)
{
	expect_addressed(n, p);
	EXPECT(p->seq, n->ack);
	EXPECT(p->ack, n->seq);
	EXPECT(p->has_ts, n->has_ts);
	n->ack += p->len + !!(p->flags & TCP_FIN);
	n->tsecr = p->tsval;
}

const struct packet *node_take(struct node *n, const struct result *r)
{
	const struct packet *p = expect_out(r, n->id);

	EXPECT(r->mark, NET_MARK_BASE + n->id);
	node_expect(n, p);
	return p;
}

void node_expect_text(struct node *n, const struct result *r, const char *text)
{
	const struct packet *p = node_take(n, r);

	expect_bytes("payload to the backend", p->payload, p->len, text, strlen(text));
}

void node_open(struct node *n, int id, struct client *c, const char *text)
{
	uint32_t seq = c->seq, ack = c->ack;
	struct result *r = client_say(c, text);
	const struct packet *p = expect_out(r, id);

	EXPECT(r->mark, NET_MARK_BASE + id);
	node_accept(n, id, p);
	expect_addressed(n, p);
	EXPECT(p->seq, seq);
	EXPECT(p->ack, ack);
	expect_bytes("payload to the backend", p->payload, p->len, text, strlen(text));
}

struct packet node_packet(struct node *n, uint8_t flags, const void *payload, size_t len)
{
	struct packet p = {
		.v6 = n->v6,
		.src = n->addr,
		.dst = n->client,
		.sport = NET_NODE_PORT,
		.dport = n->client_port,
		.seq = n->seq,
		.ack = flags & TCP_ACK ? n->ack : 0,
		.flags = flags,
		.window = n->window,
		.ttl = TTL,
		.payload = payload,
		.len = len,
	};

	memcpy(p.mac_src, net_peer_mac(n->id), 6);
	memcpy(p.mac_dst, net_mac(n->id), 6);
	if (n->has_ts)
		packet_option_ts(&p, n->tsval, n->tsecr);
	n->tsval++;
	return p;
}

struct result *node_run(struct node *n, const struct packet *p)
{
	return run_packet(BACKEND_RETURN, p, n->id);
}

struct result *node_send(struct node *n, uint8_t flags, const void *payload, size_t len)
{
	struct packet p = node_packet(n, flags, payload, len);

	n->seq += len + !!(flags & TCP_FIN);
	return node_run(n, &p);
}

struct result *node_say(struct node *n, const char *text)
{
	return node_send(n, TCP_PSH | TCP_ACK, text, strlen(text));
}

struct result *node_ack(struct node *n)
{
	return node_send(n, TCP_ACK, NULL, 0);
}

void node_reply(struct node *n, struct client *c, const char *text)
{
	struct result *r = node_say(n, text);
	const struct packet *p = client_take(c, r);

	expect_bytes("response", p->payload, p->len, text, strlen(text));
	node_expect_text(n, client_ack(c), "");
}

/* One of several segments: `bytes` get its payload. Returns its length. */
static size_t take_segment(struct node *n, const struct packet *p, char *bytes)
{
	node_expect(n, p);
	EXPECT_TRUE(p->len <= MSS_MIN);
	memcpy(bytes, p->payload, p->len);
	return p->len;
}

void node_expect_segments(struct node *n, const struct result *r, const char *text, size_t len)
{
	static char bytes[(RUN_CLONES + 1) * MSS_MIN];
	size_t at = 0;
	int i;

	for (i = 0; i < r->n_clones; i++) {
		EXPECT(r->clones[i].dev, n->id);
		at += take_segment(n, &r->clones[i].packet, bytes + at);
	}
	at += take_segment(n, expect_out(r, n->id), bytes + at);
	EXPECT_TRUE(r->packet.flags & TCP_PSH);
	expect_bytes("to the backend", bytes, at, text, len);
}

void node_expect_opening(struct node *n, const struct client *c, int id, uint32_t seq,
			 const struct result *r, const char *text, size_t len)
{
	struct packet opening = r->n_clones ? r->clones[0].packet : r->packet;

	EXPECT(opening.seq, seq);
	opening.len = 0;
	node_accept(n, id, &opening);
	EXPECT(n->seq, c->ack);
	node_expect_segments(n, r, text, len);
}

void node_open_idle(struct node *n, struct client *c, bool v6)
{
	client_open(c, v6);
	node_open(n, 1, c, GET("/1/a"));
	node_reply(n, c, OK_5);
}

struct packet node_hand_over(struct node *n, struct client *c, const char *text)
{
	struct backend_addr_key key = { .addr = c->vip, .port = htons(NET_NODE_PORT) };
	struct packet p = client_packet(c, TCP_PSH | TCP_ACK, text, strlen(text));
	uint32_t id = 1;

	room_map_update("backend_addrs", &key, &id);
	node_open(n, id, c, text);
	p.dst = c->vip;
	p.dport = NET_NODE_PORT;
	memcpy(p.mac_dst, net_peer_mac(NET_NODE1), 6);
	memcpy(p.mac_src, net_mac(NET_NODE1), 6);
	return p;
}

struct result *node_refuse(const struct packet *opening, enum net_dev dev)
{
	struct packet p = *opening;

	memcpy(p.mac_dst, net_mac(dev), 6);
	memcpy(p.mac_src, net_peer_mac(dev), 6);
	p.options_len = p.has_ts ? 12 : 0;
	return run_packet(BACKEND_RETURN, &p, dev);
}
