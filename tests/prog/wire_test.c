// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What only shows with frames on devices: checksums that are left to the device (CHECKSUM_PARTIAL)
 * and real ones, GSO packets, the way out. Each row runs with both kinds of checksum and both
 * families. Hand-overs that become sockets: child_test.c.
 */
#include <stdio.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"
#include "wire.h"

#define GSO_SIZE 1448
#define BODY 40000

struct wire_row {
	const char *name;
	bool v6, is_partial;
};

static const struct wire_row wire_rows[] = {
	{ "IPv4, partial checksums", false, true },
	{ "IPv4, real checksums", false, false },
	{ "IPv6, partial checksums", true, true },
	{ "IPv6, real checksums", true, false },
};

static char body[BODY + 1024];

static void say(struct client *c, const struct wire_row *row, uint8_t flags, const char *text,
		size_t len)
{
	struct packet p = client_packet(c, flags, text, len);

	c->seq += len + !!(flags & TCP_SYN);
	wire_send(&p, NET_UPLINK, false, row->is_partial, len > GSO_SIZE ? GSO_SIZE : 0);
}

static void request(struct client *c, const struct wire_row *row, const char *text)
{
	say(c, row, TCP_PSH | TCP_ACK, text, strlen(text));
}

static void reply(struct node *n, const struct wire_row *row, const char *text, size_t len)
{
	struct packet p = node_packet(n, TCP_PSH | TCP_ACK, text, len);

	n->seq += len;
	wire_send(&p, n->id, false, row->is_partial, len > GSO_SIZE ? GSO_SIZE : 0);
}

/* The next frame, by this device, with the client's or the backend's numbers. */
static struct packet at_client(struct client *c)
{
	struct wire_frame f = wire_receive();

	EXPECT(f.dev, NET_UPLINK);
	EXPECT(f.packet.seq, c->ack);
	EXPECT(f.packet.ack, c->seq);
	EXPECT(f.packet.dport, c->port);
	EXPECT(f.packet.sport, c->vip_port);
	c->ack += f.packet.len;
	c->tsecr = f.packet.tsval;
	return f.packet;
}

static struct packet at_node(struct node *n)
{
	struct wire_frame f = wire_receive();

	EXPECT(f.dev, n->id);
	node_expect(n, &f.packet);
	return f.packet;
}

static void connect_client(struct client *c, const struct wire_row *row)
{
	struct wire_frame f;

	wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
	wire_attach(BACKEND_RETURN, NET_NODE1, false);
	wire_attach(BACKEND_RETURN, NET_NODE2, false);
	client_init(c, row->v6);
	say(c, row, TCP_SYN, NULL, 0);
	f = wire_receive();
	EXPECT(f.dev, NET_UPLINK);
	EXPECT(f.is_partial, row->is_partial);
	EXPECT(f.packet.flags, TCP_SYN | TCP_ACK);
	EXPECT(f.packet.ack, c->seq);
	c->ack = f.packet.seq + 1;
	c->tsecr = f.packet.tsval;
}

/* Opens a leg with `text`; what arrives there must be exactly that. */
static void open_node(struct node *n, int id, struct client *c, const struct wire_row *row,
		      const char *text)
{
	struct wire_frame f;

	request(c, row, text);
	f = wire_receive();
	EXPECT(f.dev, id);
	EXPECT(f.is_partial, row->is_partial || f.gso_size);
	node_accept(n, id, &f.packet);
	expect_bytes("request", f.packet.payload, f.packet.len, text, strlen(text));
}

static void exchange(struct node *n, struct client *c, const struct wire_row *row)
{
	struct packet p;

	reply(n, row, OK_5, strlen(OK_5));
	p = at_client(c);
	expect_bytes("response", p.payload, p.len, OK_5, strlen(OK_5));
}

TEST_ROWS(hit, "component on the wire", wire_rows)
{
	const struct wire_row *row = row_;
	static uint8_t wanted[BODY_MAX];
	size_t len = room_answer(SLOT_SMALL, false, false, wanted, sizeof(wanted));
	struct client c;
	struct packet p;
	int i;

	connect_client(&c, row);
	for (i = 0; i < 3; i++) {
		request(&c, row, GET("/small"));
		p = at_client(&c);
		expect_bytes("answer", p.payload, p.len, wanted, len);
	}
	wire_expect_nothing();
}

TEST_ROWS(long_answer, "ten segments on the wire", wire_rows)
{
	const struct wire_row *row = row_;
	static uint8_t wanted[BODY_MAX];
	struct wire_frame f;
	struct client c;
	size_t len, off = 0;
	int i;

	len = room_answer(SLOT_BIG, false, false, wanted, sizeof(wanted));
	connect_client(&c, row);
	request(&c, row, GET("/big"));
	for (i = 0; i < 10; i++) {
		f = wire_receive();
		EXPECT(f.dev, NET_UPLINK);
		EXPECT(f.packet.seq, c.ack + off);
		expect_bytes("segment", f.packet.payload, f.packet.len, wanted + off, f.packet.len);
		off += f.packet.len;
		EXPECT_TRUE(off <= len);
	}
	wire_expect_nothing();
}

TEST_ROWS(legs, "a leg, a component, the leg again", wire_rows)
{
	const struct wire_row *row = row_;
	struct node one;
	struct client c;

	connect_client(&c, row);
	open_node(&one, 1, &c, row, GET("/1/a"));
	exchange(&one, &c, row);
	request(&c, row, GET("/small"));
	at_node(&one); /* the ACK that rode on the request */
	at_client(&c);
	request(&c, row, GET("/1/b"));
	EXPECT(at_node(&one).len, strlen(GET("/1/b")));
	exchange(&one, &c, row);
}

/* The parked leg's ACK and the restored request go out of two devices, in any order. */
TEST_ROWS(park, "a leg is parked on the wire", wire_rows)
{
	const struct wire_row *row = row_;
	struct wire_frame f[2];
	struct node one, two;
	struct client c;
	int i;

	connect_client(&c, row);
	open_node(&one, 1, &c, row, GET("/1/a"));
	exchange(&one, &c, row);
	request(&c, row, GET("/2/a"));
	for (i = 0; i < 2; i++)
		f[i] = wire_receive();
	i = f[0].dev == 1 ? 0 : 1;
	EXPECT(f[i].dev, 1);
	EXPECT(f[!i].dev, 2);
	node_expect(&one, &f[i].packet);
	EXPECT(f[i].packet.len, 0);
	node_accept(&two, 2, &f[!i].packet);
	expect_bytes("request", f[!i].packet.payload, f[!i].packet.len, GET("/2/a"),
		     strlen(GET("/2/a")));
	exchange(&two, &c, row);
}

TEST_ROWS(stash, "a request in pieces on the wire", wire_rows)
{
	const struct wire_row *row = row_;
	static const char text[] = GET("/1/a");
	struct wire_frame f;
	struct client c;
	struct node n;

	connect_client(&c, row);
	say(&c, row, TCP_ACK, text, 9);
	EXPECT(at_client(&c).flags, TCP_ACK);
	say(&c, row, TCP_ACK, text + 9, strlen(text) - 9);
	f = wire_receive();
	EXPECT(f.dev, 1);
	node_accept(&n, 1, &f.packet);
	expect_bytes("request", f.packet.payload, f.packet.len, text, strlen(text));
	exchange(&n, &c, row);
}

static char *make_body(const char *head, size_t n, const char *end)
{
	size_t len = sprintf(body, "%s", head), i;

	for (i = 0; i < n; i++)
		body[len + i] = 'a' + (i * 7 + i / 251) % 26;
	strcpy(body + len + n, end);
	return body;
}

#define POST "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n"

TEST_ROWS(gso_both, "GSO packets of 40 KB, there and back", wire_rows)
{
	const struct wire_row *row = row_;
	const char *text = make_body(POST, BODY, "");
	struct packet p;
	struct client c;
	struct node n;

	connect_client(&c, row);
	open_node(&n, 1, &c, row, text);
	EXPECT(peek_flow(&c).phase, REQUEST_START);
	text = make_body("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n", BODY, "");
	reply(&n, row, text, strlen(text));
	p = at_client(&c);
	expect_bytes("response", p.payload, p.len, text, strlen(text));
	EXPECT(peek_leg(&c, 1).rphase, RESPONSE_IDLE);
	request(&c, row, GET("/small"));
	at_node(&n);
	EXPECT_TRUE(at_client(&c).len > 1000);
}

TEST_ROWS(gso_open, "a GSO packet on an open leg", wire_rows)
{
	const struct wire_row *row = row_;
	const char *text = make_body(POST, BODY, "");
	struct wire_frame f;
	struct client c;
	struct node n;

	connect_client(&c, row);
	open_node(&n, 1, &c, row, GET("/1/a"));
	exchange(&n, &c, row);
	request(&c, row, text);
	f = wire_receive();
	EXPECT(f.gso_size, GSO_SIZE);
	node_expect(&n, &f.packet);
	expect_bytes("request", f.packet.payload, f.packet.len, text, strlen(text));
}

struct cut_row {
	struct wire_row wire;
	uint32_t body;
};

static const struct cut_row cut_rows[] = {
	{ { "IPv4, 1000 bytes", false, true }, 1000 },
	{ { "IPv4, 5000 bytes", false, true }, 5000 },
	{ { "IPv6, 5000 bytes, real checksums", true, false }, 5000 },
	{ { "IPv4, 40000 bytes", false, true }, BODY },
};

/* What the gateway has accepted must reach the backend, in frames that its link can carry: the
 * client will not repeat it before its timer runs out. */
TEST_ROWS(gso_cut, "a GSO packet that ends in a request for another pool is cut", cut_rows)
{
	const struct cut_row *row = row_;
	uint32_t given, got = 0;
	struct wire_frame f;
	struct client c;
	char head[128];
	const char *text;
	struct leg leg;

	sprintf(head, "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: %u\r\n\r\n", row->body);
	text = make_body(head, row->body, GET("/2/a"));
	connect_client(&c, &row->wire);
	request(&c, &row->wire, text);
	do {
		f = wire_receive();
		EXPECT(f.dev, 1);
		EXPECT(f.packet.seq, c.seq - strlen(text) + got);
		expect_bytes("bytes", f.packet.payload, f.packet.len, text + got, f.packet.len);
		EXPECT_TRUE(f.gso_size || f.packet.len <= GSO_SIZE);
		got += f.packet.len;
		leg = peek_leg(&c, 1);
		given = leg.rnxt - leg.start;
	} while (got < given && got < STASH_BYTES);
	EXPECT_TRUE(given <= strlen(head) + row->body);
	if (got == given)
		return;
	/* What is beyond the gateway's scratch is repeated by the client. */
	c.seq += got - strlen(text);
	say(&c, &row->wire, TCP_PSH | TCP_ACK, text + got, given - got);
	f = wire_receive();
	EXPECT(f.dev, 1);
	EXPECT(f.packet.seq, c.seq - (given - got));
	expect_bytes("rest", f.packet.payload, f.packet.len, text + got, given - got);
}

TEST_ROWS(gso_hit, "a component's request of 5 KB as a GSO packet", wire_rows)
{
	const struct wire_row *row = row_;
	static uint8_t wanted[BODY_MAX];
	size_t len = room_answer(SLOT_SMALL, false, false, wanted, sizeof(wanted)), n;
	static char text[8192];
	struct client c;
	struct packet p;

	n = sprintf(text, "GET /small HTTP/1.1\r\nHost: a\r\nX-Long: ");
	memset(text + n, 'x', 5000);
	strcpy(text + n + 5000, "\r\n\r\n");
	connect_client(&c, row);
	request(&c, row, text);
	p = at_client(&c);
	expect_bytes("answer", p.payload, p.len, wanted, len);
}

/* The answer is as long as the packet that it replaces: nothing of its segmentation is left. */
TEST_ROWS(gso_same, "a GSO packet as long as its answer", wire_rows)
{
	const struct wire_row *row = row_;
	static uint8_t wanted[BODY_MAX];
	size_t len = room_answer(SLOT_SMALL, false, false, wanted, sizeof(wanted)), n;
	struct wire_frame f;
	struct client c;
	struct packet p;
	char text[2048];

	n = sprintf(text, "GET /small HTTP/1.1\r\nHost: a\r\nX-Long: ");
	memset(text + n, 'x', len - n - 4);
	memcpy(text + len - 4, "\r\n\r\n", 4);
	connect_client(&c, row);
	p = client_packet(&c, TCP_PSH | TCP_ACK, text, len);
	c.seq += len;
	wire_send(&p, NET_UPLINK, false, true, 500);
	f = wire_receive();
	EXPECT(f.gso_size, 0);
	expect_bytes("answer", f.packet.payload, f.packet.len, wanted, len);
}

TEST_ROWS(rst, "RST for a stranger on the wire", wire_rows)
{
	const struct wire_row *row = row_;
	struct wire_frame f;
	struct client c;

	wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
	client_init(&c, row->v6);
	client_forge_ack(&c);
	request(&c, row, GET("/small"));
	f = wire_receive();
	EXPECT(f.packet.flags, TCP_RST);
	EXPECT(f.packet.seq, c.ack);
	EXPECT(f.packet.len, 0);
}
