// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hand-overs that become sockets: programs attached to devices, a listener, and the child that
 * accept() returns, with the request in it and the client's options.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peek.h"
#include "prog_node.h"
#include "socket.h"
#include "wire.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

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
	struct pollfd wait = { .fd = listener, .events = POLLIN };
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	char bytes[256];
	ssize_t n;
	int fd;

	if (poll(&wait, 1, 2000) != 1)
		check_fail("connection: expected one, actual none");
	fd = accept(listener, NULL, NULL);
	wait.fd = fd;
	if (poll(&wait, 1, 2000) != 1)
		check_fail("request: expected one, actual none");
	n = recv(fd, bytes, sizeof(bytes), 0);
	if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len))
		check_die("TCP_INFO: %s", strerror(errno));
	close(fd);
	expect_bytes("request", bytes, n < 0 ? 0 : n, text, strlen(text));
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

/* The hand-over is given to backend_accept at an address that is local here: the same netns serves
 * as the backend's. */
TEST_ROWS(child, "hand-over becomes a socket", child_rows)
{
	const struct child_row *row = row_;
	struct ip_addr here = packet_addr(row->wire.v6 ? CLIENT_VIP6 : CLIENT_VIP4);
	struct backend_addr_key key = { .addr = here, .port = htons(NET_NODE_PORT) };
	int listener = socket_listen(row->wire.v6, NET_NODE_PORT, 1);
	uint32_t id = 1;
	struct packet p;
	struct client c;
	struct node n;

	room_map_update("backend_addrs", &key, &id);
	client_init(&c, row->wire.v6);
	c.has_ts = row->has_ts;
	c.sack_ok = row->sack_ok;
	c.wscale = row->wscale;
	client_connect(&c);
	p = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
	node_open(&n, 1, &c, GET("/1/a"));
	p.dst = here;
	p.dport = NET_NODE_PORT;
	memcpy(p.mac_dst, net_peer_mac(NET_NODE1), 6);
	memcpy(p.mac_src, net_mac(NET_NODE1), 6);
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
TEST(queue_full, "full accept queue: sent back")
{
	struct ip_addr here = packet_addr(CLIENT_VIP4);
	struct backend_addr_key key = { .addr = here, .port = htons(NET_NODE_PORT) };
	uint32_t id = 1;
	int i;
	struct packet p;
	struct client c;
	struct node n;

	socket_listen(false, NET_NODE_PORT, 1);
	room_map_update("backend_addrs", &key, &id);
	wire_attach(BACKEND_ACCEPT, NET_NODE1, true);
	for (i = 0; i < 4; i++) {
		client_open(&c, false);
		p = client_packet(&c, TCP_PSH | TCP_ACK, GET("/1/a"), strlen(GET("/1/a")));
		node_open(&n, 1, &c, GET("/1/a"));
		p.dst = here;
		p.dport = NET_NODE_PORT;
		memcpy(p.mac_dst, net_peer_mac(NET_NODE1), 6);
		memcpy(p.mac_src, net_mac(NET_NODE1), 6);
		run_forget();
		wire_send(&p, NET_NODE1, true, false, 0);
		if (run_packet(BACKEND_ACCEPT, &p, NET_NODE1)->verdict == REDIRECT)
			break;
	}
	socket_close_all();
	EXPECT(i, 2);
}
