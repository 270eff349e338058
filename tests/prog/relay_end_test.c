// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Relayed connections: how they become sockets, refusals, how they end, and what is left of them.
 */
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "prog_node.h"
#include "prog_relay.h"
#include "socket.h"
#include "wire.h"

#define REFUSED "LEG_REFUSED"

TEST_ROWS(child, "first packet becomes a socket", family_rows)
{
	const struct family_row *row = row_;
	int listener = socket_listen(row->v6, NET_NODE_PORT, 1);
	struct packet p;
	struct client c;
	struct node n;

	relay_setup(POOL_1);
	client_init(&c, row->v6);
	client_syn(&c);
	p = node_hand_over(&n, &c, GET("/a"));
	wire_attach(BACKEND_ACCEPT, NET_NODE1, true);
	wire_send(&p, NET_NODE1, true, true, 0);
	socket_expect_child(listener, GET("/a"), NULL);
}

TEST_ROWS(child_here, "first packet to a local backend becomes a socket", family_rows)
{
	const struct family_row *row = row_;
	int listener = socket_listen(row->v6, ROOM_HERE_PORT, 1);
	struct client c;
	struct packet p;

	relay_setup(POOL_HERE);
	client_init(&c, row->v6);
	client_syn(&c);
	wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
	p = client_packet(&c, TCP_PSH | TCP_ACK, GET("/a"), strlen(GET("/a")));
	wire_send(&p, NET_UPLINK, false, true, 0);
	socket_expect_child(listener, GET("/a"), NULL);
}

TEST(here, "a local backend's packets, and its refusal")
{
	struct packet p = { .sport = ROOM_HERE_PORT, .flags = TCP_ACK, .window = 501, .ttl = 64 };
	struct result *r;
	struct client c;

	relay_setup(POOL_HERE);
	relay_handshake(&c);
	socket_connected(false, &c.vip, ROOM_HERE_PORT, &c.addr, c.port, c.seq);
	r = client_say(&c, GET("/a"));
	expect_verdict(r, NEXT);
	EXPECT(r->packet.dport, ROOM_HERE_PORT);
	p.src = c.vip;
	p.dst = c.addr;
	p.dport = c.port;
	p.seq = r->packet.ack;
	p.ack = c.seq;
	p.payload = (const void *)OK_5;
	p.len = strlen(OK_5);
	memcpy(p.mac_dst, net_peer_mac(NET_UPLINK), 6);
	memcpy(p.mac_src, net_mac(NET_UPLINK), 6);
	r = run_packet(UPLINK_EGRESS, &p, NET_UPLINK);
	expect_verdict(r, NEXT);
	EXPECT(r->packet.sport, CLIENT_VIP_PORT);
	EXPECT(r->packet.seq, c.ack);
	socket_close_all();
	relay_handshake(&c);
	r = client_say(&c, GET("/a"));
	EXPECT(r->counts[STAT_LEG_REFUSED], 1);
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, false);
}

TEST(bounced, "a refused first packet goes to the pool's next backend")
{
	struct packet opening;
	struct result *r;
	struct client c;
	struct node n;

	relay_setup(POOL_BOTH);
	relay_handshake(&c);
	opening = *expect_out(client_say(&c, GET("/a")), NET_NODE1);
	r = node_refuse(&opening, NET_NODE1);
	expect_counts(r, REFUSED);
	node_accept(&n, 2, expect_out(r, NET_NODE2));
	node_reply(&n, &c, OK_5);
	node_expect_text(&n, client_say(&c, GET("/b")), GET("/b"));
	n.id = 1; /* the one that refused has no say any more */
	n.addr = packet_addr(net_node_addr(1, false));
	expect_verdict(node_say(&n, OK_5), NEXT);
}

struct all_row {
	const char *name, *text;
	bool is_head;
};

static const struct all_row all_rows[] = {
	{ "GET", GET("/a"), false },
	{ "HEAD", "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", true },
};

TEST_ROWS(all_refuse, "all refuse: 503", all_rows)
{
	const struct all_row *row = row_;
	struct packet opening;
	struct result *r;
	struct client c;

	relay_setup(POOL_BOTH);
	relay_handshake(&c);
	opening = *expect_out(client_say(&c, row->text), NET_NODE1);
	opening = *expect_out(node_refuse(&opening, NET_NODE1), NET_NODE2);
	r = node_refuse(&opening, NET_NODE2);
	expect_counts(r, REFUSED " ERROR_503");
	client_expect_object(&c, r, SLOT_ERRORS + CANNED_503, true, row->is_head);
	EXPECT(expect_out(client_say(&c, GET("/b")), NET_UPLINK)->flags, TCP_RST);
}

struct bounce_row {
	const char *name;
	int32_t seq_off;
	int dev;
	bool is_open;
	uint8_t flags;
};

static const struct bounce_row bounce_rows[] = {
	{ "not at the start", 1, NET_NODE1, false, TCP_ACK },
	{ "from another's interface", 0, NET_NODE2, false, TCP_ACK },
	{ "of a relay that is open", 0, NET_NODE1, true, TCP_ACK },
	{ "without ACK", 0, NET_NODE1, false, 0 },
};

TEST_ROWS(bounce_forged, "bounce that is not believed", bounce_rows)
{
	const struct bounce_row *row = row_;
	struct packet opening;
	struct result *r;
	struct client c;
	struct node n;

	relay_setup(POOL_BOTH);
	relay_handshake(&c);
	opening = *expect_out(client_say(&c, GET("/a")), NET_NODE1);
	node_accept(&n, 1, &opening);
	if (row->is_open)
		node_reply(&n, &c, OK_5);
	opening.seq += row->seq_off;
	opening.flags = row->flags;
	r = node_refuse(&opening, row->dev);
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_FORGED");
}

struct reset_row {
	const char *name;
	int32_t off;
	bool ends;
};

static const struct reset_row reset_rows[] = {
	{ "at the next byte", 0, true },
	{ "one before", -1, false },
	{ "one behind", 1, false },
	{ "in the window", 1000, false },
};

TEST_ROWS(reset, "RST of the client", reset_rows)
{
	const struct reset_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	p = client_packet(&c, TCP_RST, NULL, 0);
	p.seq += row->off;
	r = client_run(&p);
	if (!row->ends) {
		expect_verdict(r, DROP);
		expect_counts(r, "DROP_STALE");
		node_expect_text(&n, client_say(&c, GET("/b")), GET("/b"));
		return;
	}
	EXPECT(expect_out(r, NET_NODE1)->flags, TCP_RST);
	EXPECT(r->packet.seq, n.ack);
	EXPECT(expect_out(node_say(&n, "x"), NET_NODE1)->flags, TCP_RST);
}

TEST(reset_return, "RST of the backend")
{
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	r = node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST | TCP_ACK);
	EXPECT(r->packet.seq, c.ack);
	r = client_say(&c, GET("/b"));
	expect_counts(r, "RST_SENT");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST);
}

TEST(fin, "both FINs pass, and a FIN that is repeated")
{
	struct packet again;
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	again = client_packet(&c, TCP_FIN | TCP_ACK, NULL, 0);
	r = client_send(&c, TCP_FIN | TCP_ACK, NULL, 0);
	EXPECT(node_take(&n, r)->flags, TCP_FIN | TCP_ACK);
	EXPECT(expect_out(client_run(&again), NET_NODE1)->flags, TCP_FIN | TCP_ACK);
	r = client_say(&c, GET("/b"));
	expect_counts(r, "OUT_OF_ORDER");
	c.seq -= strlen(GET("/b"));
	EXPECT(client_take(&c, node_send(&n, TCP_FIN | TCP_ACK, NULL, 0))->flags,
	       TCP_FIN | TCP_ACK);
	node_expect_text(&n, client_ack(&c), "");
}

TEST(forbidden_later, "a reload brings a route that restricts: both sides get RST")
{
	struct result *r;
	struct client c;
	struct node n;

	relay_open(&c, &n);
	relay_allow(false);
	r = client_say(&c, GET("/deny"));
	expect_counts(r, "COOKIE_BAD RST_SENT");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST);
	EXPECT(expect_out(node_say(&n, OK_5), NET_NODE1)->flags, TCP_RST);
}

TEST(way_back, "a way back that was evicted is made again")
{
	struct client c;
	struct node n;

	relay_open(&c, &n);
	relay_delete(&c, 1);
	expect_verdict(node_say(&n, OK_5), NEXT);
	n.seq -= strlen(OK_5);
	node_expect_text(&n, client_say(&c, GET("/b")), GET("/b"));
	node_reply(&n, &c, OK_5);
}

TEST(evicted, "a relay that was evicted: RST to both")
{
	struct client c;
	struct node n;

	relay_open(&c, &n);
	relay_delete(&c, 0);
	EXPECT(expect_out(client_say(&c, GET("/b")), NET_UPLINK)->flags, TCP_RST);
	expect_verdict(node_say(&n, OK_5), NEXT);
}

struct reuse_row {
	const char *name;
	int32_t off;
	bool has_ts;
};

static const struct reuse_row reuse_rows[] = {
	{ "higher numbers", 100000, true },
	{ "lower numbers", -100000, true },
	{ "higher numbers, no timestamps", 100000, false },
};

TEST_ROWS(reuse, "the client's next connection of the same tuple", reuse_rows)
{
	const struct reuse_row *row = row_;
	struct packet first;
	struct result *r;
	struct client c;
	struct node n;

	relay_setup(POOL_1);
	client_init(&c, false);
	c.has_ts = row->has_ts;
	client_syn(&c);
	first = client_packet(&c, TCP_PSH | TCP_ACK, GET("/a"), strlen(GET("/a")));
	node_open(&n, 1, &c, GET("/a"));
	node_reply(&n, &c, OK_5);
	c.seq += row->off;
	usleep(2000); /* two handshakes of one millisecond could not be told apart */
	client_syn(&c);
	expect_counts(client_ack(&c), "FLOW_FULL");
	EXPECT(relay_entries(), 0);
	node_open(&n, 1, &c, GET("/b"));
	node_reply(&n, &c, OK_5);
	EXPECT(relay_entries(), 2);
	r = client_run(&first); /* of the old connection, late */
	EXPECT(r->counts[STAT_REQUESTS], 0);
	expect_verdict(r, DROP);
}

TEST(forged_reuse, "a forged ACK with numbers of a younger connection does not end a relay")
{
	struct client c, stranger;
	struct result *r;
	struct node n;

	relay_open(&c, &n);
	stranger = c;
	stranger.seq += 100000;
	stranger.tsecr += 1u << 30; /* of a clock ahead of the SYN-ACK that began the relay */
	client_forge_ack(&stranger);
	r = client_send(&stranger, TCP_ACK, GET("/b"), strlen(GET("/b")));
	expect_verdict(r, DROP);
	expect_counts(r, "OUT_OF_ORDER");
	node_expect_text(&n, client_say(&c, GET("/b")), GET("/b"));
}

struct again_row {
	const char *name;
	bool is_closed;
};

static const struct again_row again_rows[] = { { "open", false }, { "ended", true } };

TEST_ROWS(again, "the first packet once more runs no request", again_rows)
{
	const struct again_row *row = row_;
	struct packet first;
	struct result *r;
	struct client c;
	struct node n;

	relay_setup(POOL_1);
	relay_handshake(&c);
	first = client_packet(&c, TCP_PSH | TCP_ACK, GET("/a"), strlen(GET("/a")));
	node_open(&n, 1, &c, GET("/a"));
	node_reply(&n, &c, OK_5);
	if (row->is_closed)
		node_send(&n, TCP_RST | TCP_ACK, NULL, 0);
	r = client_run(&first);
	expect_counts(r, row->is_closed ? "RST_SENT" : "");
	expect_out(r, row->is_closed ? NET_UPLINK : NET_NODE1);
}
