// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow as such: who holds it, where its client is reached, probes and timestamps.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define GET_SMALL "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"

struct probe_row {
	const char *name;
	int32_t off;
	uint32_t len;
};

static const struct probe_row probe_rows[] = {
	{ "no byte", -1, 0 },
	{ "a byte", -1, 1 },
};

/* RFC 9293, 3.8.4 */
TEST_ROWS(keep_alive_probe, "keep-alive probe of an idle client", probe_rows)
{
	const struct probe_row *row = row_;
	struct packet probe;
	struct result *r;
	struct client c;

	client_open(&c, false);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	client_ack(&c);
	probe = client_packet(&c, TCP_ACK, "x", row->len);
	probe.seq += row->off;
	r = client_run(&probe);
	expect_counts(r, "");
	client_expect_ack(&c, r);
}

TEST(syn_leg, "SYN on a live flow whose destination is a leg: challenge ACK from here")
{
	struct packet syn;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, "GET /1/a HTTP/1.1\r\nHost: a\r\n\r\n");
	node_reply(&n, &c, "HTTP/1.1 204 No\r\n\r\n");
	syn = client_packet(&c, TCP_SYN, NULL, 0);
	syn.seq += 12345;
	r = client_run(&syn);
	expect_counts(r, "");
	expect_no_clones(r);
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
}

TEST(new_mac, "answers go to the MAC that the last packet came from")
{
	static const uint8_t mac[6] = { 2, 7, 7, 7, 7, 7 };
	struct packet p;
	struct result *r;
	struct client c;

	client_open(&c, false);
	p = client_packet(&c, TCP_PSH | TCP_ACK, GET_SMALL, strlen(GET_SMALL));
	memcpy(p.mac_src, mac, 6);
	r = client_run(&p);
	expect_counts(r, "REQUESTS HIT");
	expect_bytes("destination MAC", r->packet.mac_dst, 6, mac, 6);
}

TEST(new_uplink, "a connection that comes in by another uplink is answered there")
{
	struct uplink uplink = { .id = 1, .mtu = 1500 };
	struct uplink_dev dev = { .ifindex = net_ifindex(NET_NODE5) };
	uint32_t ifindex = dev.ifindex, id = 1;
	struct packet p;
	struct result *r;
	struct client c;

	memcpy(dev.mac, net_mac(NET_NODE5), 6);
	room_map_update("uplinks", &ifindex, &uplink);
	room_map_update("uplink_devs", &id, &dev);
	client_open(&c, false);
	p = client_packet(&c, TCP_PSH | TCP_ACK, GET_SMALL, strlen(GET_SMALL));
	memcpy(p.mac_src, net_peer_mac(NET_NODE5), 6);
	r = run_packet(UPLINK_INGRESS, &p, NET_NODE5);
	expect_counts(r, "REQUESTS HIT");
	expect_out(r, NET_NODE5);
	c.seq += p.len;
	c.ack += r->packet.len;
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
}

/* RFC 7323, 4.3 */
TEST(ts_recent, "a segment behind a hole does not move the echoed timestamp")
{
	struct packet late;
	struct result *r;
	struct client c;
	uint32_t recent;

	client_open(&c, false);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	client_ack(&c);
	recent = c.tsval - 1;
	c.tsval += 1000;
	late = client_packet(&c, TCP_ACK, "x", 1);
	late.seq += 10;
	r = client_run(&late);
	expect_counts(r, "OUT_OF_ORDER");
	EXPECT(r->packet.tsecr, recent);
}

TEST(owner_busy, "a flow that another CPU holds: dropped and counted")
{
	struct result *r;
	struct client c;
	struct flow f;

	client_open(&c, false);
	f = peek_flow(&c);
	f.owner = 1;
	peek_set_flow(&c, &f);
	r = client_say(&c, GET_SMALL);
	expect_verdict(r, DROP);
	expect_counts(r, "OWNER_BUSY");
	f.owner = 0;
	peek_set_flow(&c, &f);
	c.seq -= strlen(GET_SMALL);
	client_expect_object(&c, client_say(&c, GET_SMALL), SLOT_SMALL, false, false);
	EXPECT(peek_flow(&c).owner, 0);
}

TEST(owner_busy_return, "the same for a backend's packet")
{
	struct result *r;
	struct client c;
	struct node n;
	struct flow f;

	client_open(&c, false);
	node_open(&n, 1, &c, "GET /1/a HTTP/1.1\r\nHost: a\r\n\r\n");
	f = peek_flow(&c);
	f.owner = 1;
	peek_set_flow(&c, &f);
	r = node_ack(&n);
	expect_verdict(r, DROP);
	expect_counts(r, "OWNER_BUSY");
}
