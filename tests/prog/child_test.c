// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hand-overs that become sockets: programs attached to devices, a listener, and the child that
 * accept() returns, with the request in it and the client's options.
 */
#include <unistd.h>
#include <netinet/tcp.h>
#include <string.h>

#include "peek.h"
#include "prog_node.h"
#include "socket.h"
#include "wire.h"

struct wire_row {
	const char *name;
	bool v6, is_partial; /* checksums are left to the device */
};

static const struct wire_row wire_rows[] = {
	{ "IPv4, partial checksums", false, true },
	{ "IPv4, real checksums", false, false },
	{ "IPv6, partial checksums", true, true },
	{ "IPv6, real checksums", true, false },
};

static void request(struct client *c, const struct wire_row *row, const char *text)
{
	struct packet p = client_packet(c, TCP_PSH | TCP_ACK, text, strlen(text));

	c->seq += p.len;
	wire_send(&p, NET_UPLINK, false, row->is_partial, 0);
}

/* What the child of a hand-over must be. */
static void expect_child(int listener, const struct client *c, const char *text)
{
	struct tcp_info info = {};

	socket_expect_child(listener, text, &info);
	EXPECT(!!(info.tcpi_options & TCPI_OPT_TIMESTAMPS), c->has_ts);
	EXPECT(!!(info.tcpi_options & TCPI_OPT_SACK), c->sack_ok);
	EXPECT(!!(info.tcpi_options & TCPI_OPT_WSCALE), c->wscale != CLIENT_NO_WSCALE);
	EXPECT(info.tcpi_snd_wscale, c->wscale == CLIENT_NO_WSCALE ? 0 : c->wscale);
	EXPECT(info.tcpi_snd_mss, (c->v6 ? 1440 : 1460) - (c->has_ts ? 12 : 0));
}

struct child_row {
	struct wire_row wire;
	bool has_ts, sack_ok;
	int wscale;
};

static const struct child_row child_rows[] = {
	{ { "IPv4, all options", false, true }, true, true, 7 },
	{ { "IPv6, all options", true, true }, true, true, 7 },
	{ { "real checksums", false, false }, true, true, 10 },
	{ { "IPv6, real checksums", true, false }, true, true, 4 },
	{ { "no timestamps", false, true }, false, true, 7 },
	{ { "no SACK", false, true }, true, false, 7 },
	{ { "no window scale", true, true }, true, true, CLIENT_NO_WSCALE },
	{ { "no options", false, true }, false, false, CLIENT_NO_WSCALE },
};

TEST_ROWS(child, "hand-over becomes a socket", child_rows)
{
	const struct child_row *row = row_;
	int listener = socket_listen(row->wire.v6, NET_NODE_PORT, 1);
	struct packet p;
	struct client c;
	struct node n;

	client_init(&c, row->wire.v6);
	c.has_ts = row->has_ts;
	c.sack_ok = row->sack_ok;
	c.wscale = row->wscale;
	client_connect(&c);
	p = node_hand_over(&n, &c, GET("/1/a"));
	wire_attach(BACKEND_ACCEPT, NET_NODE1, true);
	wire_send(&p, NET_NODE1, true, row->wire.is_partial, 0);
	expect_child(listener, &c, GET("/1/a"));
	socket_close_all();
}

TEST_ROWS(child_here, "hand-over to a local backend becomes a socket", child_rows)
{
	const struct child_row *row = row_;
	int listener = socket_listen(row->wire.v6, ROOM_HERE_PORT, 1);
	struct client c;

	client_init(&c, row->wire.v6);
	c.has_ts = row->has_ts;
	c.sack_ok = row->sack_ok;
	c.wscale = row->wscale;
	client_connect(&c);
	wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
	request(&c, &row->wire, GET("/here/a"));
	expect_child(listener, &c, GET("/here/a"));
	socket_close_all();
}

TEST_ROWS(child_stash, "a request in pieces to a local backend becomes a socket", wire_rows)
{
	const struct wire_row *row = row_;
	int listener = socket_listen(row->v6, ROOM_HERE_PORT, 1);
	struct client c;

	client_open(&c, row->v6);
	wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
	request(&c, row, "GET /here/a HTT");
	request(&c, row, "P/1.1\r\nHost: a\r\n\r\n");
	expect_child(listener, &c, GET("/here/a"));
	socket_close_all();
}

/* Node's accept queue holds backlog + 1 connections. */
TEST(queue_full, "full accept queue: sent back, at last 503")
{
	struct wire_frame f;
	struct packet p;
	struct client c;
	struct node n;
	int i;

	socket_listen(false, NET_NODE_PORT, 1);
	for (i = 0; i < 3; i++) {
		client_open(&c, false);
		p = node_hand_over(&n, &c, GET("/1/a"));
		if (i == 0) {
			wire_attach(BACKEND_ACCEPT, NET_NODE1, true);
			wire_attach(BACKEND_RETURN, NET_NODE1, false);
		}
		wire_send(&p, NET_NODE1, true, false, 0);
	}
	do /* the hand-overs themselves are seen, too */
		f = wire_receive();
	while (f.dev != NET_UPLINK);
	EXPECT(f.packet.dport, c.port);
	EXPECT(f.packet.flags & TCP_FIN, TCP_FIN);
	expect_bytes("status", f.packet.payload, 12, "HTTP/1.1 503", 12);
	EXPECT(peek_flow(&c).state, FLOW_CLOSING);
}

struct closing_row {
	const char *name;
	bool v6, is_time_wait, is_open; /* the backend has not closed it */
};

static const struct closing_row closing_rows[] = {
	{ "FIN_WAIT1", false, false, false },	   { "IPv6 FIN_WAIT1", true, false, false },
	{ "TIME_WAIT", false, true, false },	   { "IPv6 TIME_WAIT", true, true, false },
	{ "ESTABLISHED", false, false, true }, /* its leg had to give way */
	{ "IPv6 ESTABLISHED", true, false, true },
};

/* The kernel's table must not hide the listener from a fresh leg of the same 4-tuple. */
TEST_ROWS(closing, "hand-over over an old socket", closing_rows)
{
	const struct closing_row *row = row_;
	int listener = socket_listen(row->v6, NET_NODE_PORT, 4);
	struct packet p, fin;
	struct client c;
	struct leg leg;
	struct node n;
	int fd;

	client_open(&c, row->v6);
	p = node_hand_over(&n, &c, GET("/1/a"));
	wire_attach(BACKEND_ACCEPT, NET_NODE1, true);
	wire_send(&p, NET_NODE1, true, true, 0);
	fd = socket_take_child(listener, GET("/1/a"), NULL);
	if (!row->is_open)
		close(fd);
	leg = peek_leg(&c, 1);
	if (row->is_time_wait) {
		leg.state = LEG_OPEN;
		peek_set_leg(&c, 1, &leg);
		fin = p;
		fin.seq += p.len;
		fin.ack++; /* its FIN */
		fin.len = 0;
		fin.flags = TCP_FIN | TCP_ACK;
		wire_send(&fin, NET_NODE1, true, true, 0);
	}
	p.seq += 5000;
	p.ack += 7000;
	leg.state = LEG_OPENING;
	leg.start = p.seq;
	peek_set_leg(&c, 1, &leg);
	wire_send(&p, NET_NODE1, true, true, 0);
	expect_child(listener, &c, GET("/1/a"));
	if (row->is_open)
		close(fd);
}
