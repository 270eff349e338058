// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GSO packets of odd sizes up to 64 KB, both ways on a leg that was resumed, so that every number
 * is translated: one packet in, one packet out, not a byte or a segment size changed.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"
#include "wire.h"

#define BODY 150000

struct gso_row {
	const char *name;
	bool v6, is_partial;
	uint32_t len; /* payload bytes of a packet */
	uint16_t gso_size;
	uint32_t isn;
};

static const struct gso_row gso_rows[] = {
	{ "IPv4, 64 KB less headers", false, true, 65461, 1448, 0x20000000 },
	{ "IPv6, 64 KB", true, true, 65441, 1428, 0x20000000 },
	{ "IPv4, odd segment size", false, true, 64001, 997, 0x20000000 },
	{ "IPv4, two segments, one byte in the last", false, true, 1449, 1448, 0x20000000 },
	{ "IPv6, tiny segments", true, true, 9999, 89, 0x20000000 },
	{ "IPv4, 64 KB across 2^32", false, true, 65461, 1448, 0xffffffff },
	{ "IPv4, real checksums", false, false, 30001, 1448, 0xffffffff },
	{ "IPv6, real checksums", true, false, 30001, 1001, 0x20000000 },
};

static char body[BODY + 256];

static const char *make_body(const char *first_line)
{
	size_t head = sprintf(body, "%sContent-Length: %d\r\n\r\n", first_line, BODY), i;

	for (i = 0; i < BODY; i++)
		body[head + i] = 'a' + (i * 7 + i / 251) % 26;
	body[head + BODY] = '\0';
	return body;
}

/* One packet in by `from`, one with the same bytes out by `to`. */
static struct wire_frame pass(const struct gso_row *row, const struct packet *p, enum net_dev from,
			      enum net_dev to)
{
	uint16_t gso_size = p->len > row->gso_size ? row->gso_size : 0;
	struct wire_frame f;

	wire_send(p, from, false, row->is_partial, gso_size);
	f = wire_receive();
	EXPECT(f.dev, to);
	EXPECT(f.gso_size, gso_size);
	expect_bytes("payload", f.packet.payload, f.packet.len, p->payload, p->len);
	return f;
}

TEST_ROWS(gso, "GSO", gso_rows)
{
	const struct gso_row *row = row_;
	struct packet p, ack;
	struct wire_frame f;
	uint32_t total, at;
	struct client c;
	struct node n;
	const char *text;

	client_init(&c, row->v6);
	client_connect_near(&c, row->isn, row->isn);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&c);
	wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
	wire_attach(BACKEND_RETURN, NET_NODE1, false);
	text = make_body("POST /1/p HTTP/1.1\r\nHost: a\r\n");
	total = strlen(text);
	for (at = 0; at < total && at < 3 * row->len; at += p.len) {
		check_step("upload at %u", at);
		p = client_packet(&c, TCP_PSH | TCP_ACK, text + at,
				  total - at < row->len ? total - at : row->len);
		c.seq += p.len;
		f = pass(row, &p, NET_UPLINK, NET_NODE1);
		node_expect(&n, &f.packet);
		ack = node_packet(&n, TCP_ACK, NULL, 0);
		f = pass(row, &ack, NET_NODE1, NET_UPLINK);
		EXPECT(f.packet.ack, c.seq);
	}
	EXPECT(peek_leg(&c, 1).acked, n.ack);
	text = make_body("HTTP/1.1 200 OK\r\n");
	total = strlen(text);
	for (at = 0; at < total && at < 3 * row->len; at += p.len) {
		check_step("response at %u", at);
		p = node_packet(&n, TCP_PSH | TCP_ACK, text + at,
				total - at < row->len ? total - at : row->len);
		n.seq += p.len;
		f = pass(row, &p, NET_NODE1, NET_UPLINK);
		EXPECT(f.packet.seq, c.ack);
		EXPECT(f.packet.ack, c.seq);
		c.ack += p.len;
	}
	EXPECT(peek_leg(&c, 1).rphase, at == total ? RESPONSE_IDLE : RESPONSE_BODY);
	wire_expect_nothing();
}
