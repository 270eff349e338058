// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The client's side of a connection.
 */
#include <arpa/inet.h>
#include <string.h>

#include "prog_client.h"

#define TTL 57 /* unlike what the gateway makes itself: shows who wrote the header */

static uint32_t newest_tsval[65536]; /* of the client on this port */

void client_init(struct client *c, bool v6)
{
	static uint16_t port = 20000;

	*c = (struct client){
		.v6 = v6,
		.has_ts = true,
		.sack_ok = true,
		.wscale = 7,
		.mss = 1460,
		.addr = packet_addr(v6 ? "fd80::2" : "10.80.0.2"),
		.vip = packet_addr(v6 ? CLIENT_VIP6 : CLIENT_VIP4),
		.port = port++,
		.vip_port = CLIENT_VIP_PORT,
		.seq = 0x10203040 + port,
		.tsval = 1000000,
		.window = 8192,
	};
	if (port < 20000)
		port = 20000;
}

struct packet client_packet(struct client *c, uint8_t flags, const void *payload, size_t len)
{
	struct packet p = {
		.v6 = c->v6,
		.src = c->addr,
		.dst = c->vip,
		.sport = c->port,
		.dport = c->vip_port,
		.seq = c->seq,
		.ack = flags & TCP_ACK ? c->ack : 0,
		.flags = flags,
		.window = c->window,
		.ttl = TTL,
		.payload = payload,
		.len = len,
	};

	memcpy(p.mac_src, net_peer_mac(NET_UPLINK), 6);
	memcpy(p.mac_dst, net_mac(NET_UPLINK), 6);
	if (flags & TCP_SYN)
		client_syn_options(c, &p);
	else if (c->has_ts)
		packet_option_ts(&p, c->tsval, c->tsecr);
	newest_tsval[c->port] = c->tsval++;
	return p;
}

void client_syn_options(const struct client *c, struct packet *p)
{
	static const uint8_t nop = 1, sack_ok[] = { 4, 2 };
	uint8_t wscale[] = { 3, 3, c->wscale }, ts[10] = { 8, 10 };

	if (c->mss)
		packet_option_mss(p, c->mss);
	if (c->sack_ok)
		packet_option(p, sack_ok, sizeof(sack_ok));
	if (c->has_ts) {
		ts[2] = c->tsval >> 24;
		ts[3] = c->tsval >> 16;
		ts[4] = c->tsval >> 8;
		ts[5] = c->tsval;
		packet_option(p, ts, sizeof(ts));
	}
	if (c->wscale != CLIENT_NO_WSCALE)
		packet_option(p, wscale, sizeof(wscale));
	while (p->options_len % 4)
		packet_option(p, &nop, 1);
}

struct result *client_run(const struct packet *p)
{
	static const uint8_t ts[] = { 1, 1, 8, 10 };
	struct packet again = *p;
	uint32_t tsval;

	if (p->options_len >= 12 && !memcmp(p->options, ts, sizeof(ts))) {
		tsval = htonl(newest_tsval[p->sport]);
		memcpy(again.options + 4, &tsval, sizeof(tsval));
	}
	return client_run_as_is(&again);
}

struct result *client_run_as_is(const struct packet *p)
{
	return run_packet(UPLINK_INGRESS, p, NET_UPLINK);
}

struct result *client_send(struct client *c, uint8_t flags, const void *payload, size_t len)
{
	struct packet p = client_packet(c, flags, payload, len);

	c->seq += len + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
	return client_run(&p);
}

struct result *client_say(struct client *c, const char *text)
{
	return client_send(c, TCP_PSH | TCP_ACK, text, strlen(text));
}

struct result *client_ack(struct client *c)
{
	return client_send(c, TCP_ACK, NULL, 0);
}

struct result *client_syn(struct client *c)
{
	struct result *r = client_send(c, TCP_SYN, NULL, 0);
	const struct packet *p = expect_out(r, NET_UPLINK);

	EXPECT(p->flags, TCP_SYN | TCP_ACK);
	EXPECT(p->ack, c->seq);
	c->ack = p->seq + 1;
	c->tsecr = p->tsval;
	return r;
}

void client_connect(struct client *c)
{
	struct result *r;

	client_syn(c);
	r = client_ack(c);
	expect_verdict(r, DROP);
	expect_counts(r, "COOKIE_OK");
}

void client_open(struct client *c, bool v6)
{
	client_init(c, v6);
	client_connect(c);
}

void client_connect_near(struct client *c, uint32_t client_isn, uint32_t isn)
{
	struct cookie_key key = cookie_key(0);
	uint32_t clock = cookie_clock(), cookie, i;
	uint8_t bits = (clock & 1) << 7 | 6 << 4 | 5 << 1 | 1; /* MSS 1460, wscale 7, SACK */
	struct result *r;

	for (i = 0; i < 1 << 22; i++) {
		c->port = 1024 + (i >> 8);
		cookie = cookie_of(c, client_isn + (i & 255), clock, bits, &key);
		if (isn - cookie < 1 << 16)
			break;
	}
	if (i == 1 << 22)
		check_die("no cookie near 0x%x", isn);
	c->seq = client_isn + (i & 255) + 1;
	c->ack = cookie + 1;
	r = client_ack(c);
	expect_verdict(r, DROP);
	expect_counts(r, "COOKIE_OK");
}

static void expect_addressed(const struct client *c, const struct packet *p)
{
	expect_bytes("source address", &p->src, 16, &c->vip, 16);
	expect_bytes("destination address", &p->dst, 16, &c->addr, 16);
	EXPECT(p->sport, c->vip_port);
	EXPECT(p->dport, c->port);
	EXPECT(p->has_ts, c->has_ts);
}

const struct packet *client_take(struct client *c, const struct result *r)
{
	const struct packet *p = expect_out(r, NET_UPLINK);

	expect_addressed(c, p);
	EXPECT(p->seq, c->ack);
	EXPECT(p->ack, c->seq);
	c->ack += p->len + !!(p->flags & TCP_FIN);
	c->tsecr = p->tsval;
	return p;
}

/* What the kernel makes itself echoes the packet that it answers. */
static void expect_echo(const struct client *c, const struct packet *p)
{
	if (p->has_ts)
		EXPECT(p->tsecr, c->tsval - 1);
}

void client_expect_object(struct client *c, const struct result *r, uint32_t slot, bool close,
			  bool head_only)
{
	static uint8_t wanted[BODY_MAX + HEAD_MAX];
	size_t len = room_answer(slot, close, head_only, wanted, sizeof(wanted));
	const struct packet *p = client_take(c, r);

	expect_echo(c, p);
	expect_no_clones(r);
	expect_bytes("answer", p->payload, p->len, wanted, len);
	EXPECT(p->flags, TCP_ACK | TCP_PSH | (close ? TCP_FIN : 0));
}

void client_expect_ack(struct client *c, const struct result *r)
{
	const struct packet *p = client_take(c, r);

	expect_echo(c, p);
	EXPECT(p->flags, TCP_ACK);
	EXPECT(p->len, 0);
}
