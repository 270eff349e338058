// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A backend that has been taken over: whatever it sends, nothing of another client or backend
 * changes or is reached, and its own clients lose no more than what it could refuse them anyway.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define EVIL "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

static struct fixture {
	struct client own; /* of backend 1 */
	struct node n;
	struct client other, opening; /* of backend 2; the second's leg is opening */
	struct node two, opened;
	struct client idle; /* the kernel is its destination */
} x;

/* All that must not change. */
struct picture {
	struct flow other, opening, idle;
	struct leg leg, leg_opening;
};

static void set_up(bool v6)
{
	const struct packet *p;

	client_open(&x.own, v6);
	node_open(&x.n, 1, &x.own, GET("/1/a"));
	client_take(&x.own, node_ack(&x.n));
	client_open(&x.opening, v6);
	p = expect_out(client_say(&x.opening, GET("/2/o")), NET_NODE2);
	node_accept(&x.opened, 2, p);
	client_open(&x.other, v6);
	node_open(&x.two, 2, &x.other, GET("/2/a"));
	client_take(&x.other, node_ack(&x.two));
	client_open(&x.idle, v6);
	client_expect_object(&x.idle, client_say(&x.idle, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&x.idle);
}

static struct picture take_picture(void)
{
	return (struct picture){ peek_flow(&x.other), peek_flow(&x.opening), peek_flow(&x.idle),
				 peek_leg(&x.other, 2), peek_leg(&x.opening, 2) };
}

static void from(struct packet *p, const char *v4, const char *v6, uint16_t port)
{
	p->src = packet_addr(p->v6 ? v6 : v4);
	p->sport = port;
}

static void to_client(struct packet *p, const struct client *c)
{
	p->dst = c->addr;
	p->dport = c->port;
	p->seq = c->ack;
	p->ack = c->seq;
}

/* As the leg of backend 2 would be, or the gateway, ... towards the other client. */
static void as_vip(struct packet *p)
{
	from(p, CLIENT_VIP4, CLIENT_VIP6, CLIENT_VIP_PORT);
	to_client(p, &x.other);
}

static void as_vip_to_idle(struct packet *p)
{
	from(p, CLIENT_VIP4, CLIENT_VIP6, CLIENT_VIP_PORT);
	to_client(p, &x.idle);
}

static void as_other_backend(struct packet *p)
{
	p->src = packet_addr(net_node_addr(2, p->v6));
	to_client(p, &x.other);
}

static void as_other_backend_rst(struct packet *p)
{
	as_other_backend(p);
	p->flags = TCP_RST | TCP_ACK;
	p->len = 0;
}

static void to_other_client(struct packet *p)
{
	to_client(p, &x.other);
}

static void to_idle_client(struct packet *p)
{
	to_client(p, &x.idle);
}

static void to_idle_client_rst(struct packet *p)
{
	to_client(p, &x.idle);
	p->flags = TCP_RST;
	p->len = 0;
}

static void bounce_other(struct packet *p)
{
	p->src = x.opening.addr;
	p->sport = x.opening.port;
	p->dst = packet_addr(net_node_addr(2, p->v6));
	p->dport = NET_NODE_PORT;
	p->seq = peek_leg(&x.opening, 2).start;
	p->ack = x.opening.ack;
	p->payload = (const uint8_t *)GET("/2/o");
	p->len = strlen(GET("/2/o"));
}

static void bounce_other_as_own(struct packet *p)
{
	bounce_other(p);
	p->dst = packet_addr(net_node_addr(1, p->v6));
}

static void as_client(struct packet *p)
{
	p->src = x.other.addr;
	p->sport = x.other.port;
	p->dst = x.other.vip;
	p->dport = x.other.vip_port;
	p->seq = x.other.seq;
	p->ack = x.other.ack;
}

static void as_client_rst(struct packet *p)
{
	as_client(p);
	p->flags = TCP_RST;
	p->len = 0;
}

static void data_ack_beyond(struct packet *p)
{
	p->ack++;
}

static void fin_ack_beyond(struct packet *p)
{
	p->flags = TCP_FIN | TCP_ACK;
	p->len = 0;
	p->ack += 1000;
}

static void rst_outside(struct packet *p)
{
	p->flags = TCP_RST;
	p->len = 0;
	p->seq -= (1u << 30) + 5;
}

static void data_outside(struct packet *p)
{
	p->seq += (1u << 30) + 5;
}

static void data_before(struct packet *p)
{
	p->seq -= p->len + 10;
}

struct forged_row {
	const char *name;
	void (*forge)(struct packet *p); /* a response to its own client, changed */
	int verdict;
	const char *counts;
};

static const struct forged_row forged_rows[] = {
	{ "as VIP, to another's client", as_vip, DROP, "DROP_FORGED" },
	{ "as VIP, to an idle client", as_vip_to_idle, DROP, "DROP_FORGED" },
	{ "as another backend", as_other_backend, DROP, "DROP_FORGED" },
	{ "as another backend, RST", as_other_backend_rst, DROP, "DROP_FORGED" },
	{ "itself, to another's client", to_other_client, NEXT, "" },
	{ "itself, to an idle client", to_idle_client, NEXT, "" },
	{ "itself, to an idle client, RST", to_idle_client_rst, NEXT, "" },
	{ "another's hand-over sent back", bounce_other, DROP, "DROP_FORGED" },
	{ "another's hand-over sent back as its own", bounce_other_as_own, NEXT, "" },
	{ "as a client", as_client, NEXT, "" },
	{ "as a client, RST", as_client_rst, NEXT, "" },
	{ "data with an ACK beyond the request", data_ack_beyond, DROP, "DROP_FORGED" },
	{ "FIN with an ACK beyond the request", fin_ack_beyond, DROP, "DROP_FORGED" },
	{ "RST outside the window", rst_outside, DROP, "DROP_FORGED" },
	{ "data outside the window", data_outside, DROP, "DROP_FORGED" },
	{ "data before its leg's beginning", data_before, REDIRECT, "" },
};

static void try_forged(const struct forged_row *row, bool v6)
{
	struct picture before, after;
	struct packet p;
	struct result *r;

	set_up(v6);
	before = take_picture();
	p = node_packet(&x.n, TCP_ACK | TCP_PSH, EVIL, strlen(EVIL));
	row->forge(&p);
	r = run_packet(BACKEND_RETURN, &p, NET_NODE1);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	expect_no_clones(r);
	if (row->verdict == REDIRECT) /* an ACK, back where it came from */
		EXPECT(expect_out(r, NET_NODE1)->len, 0);
	after = take_picture();
	expect_bytes("other flows and legs", &after, sizeof(after), &before, sizeof(before));
	node_reply(&x.two, &x.other, OK_5);
	client_expect_object(&x.idle, client_say(&x.idle, GET("/small")), SLOT_SMALL, false, false);
	node_reply(&x.n, &x.own, OK_5);
}

TEST_ROWS(forged, "forged", forged_rows)
{
	try_forged(row_, false);
}

TEST_ROWS(forged_v6, "forged, IPv6", forged_rows)
{
	try_forged(row_, true);
}

static void good(struct packet *p)
{
	(void)p;
}

static void longer(struct packet *p)
{
	p->payload = (const uint8_t *)GET("/1/o") GET("/1/admin");
	p->len = strlen(GET("/1/o") GET("/1/admin"));
}

static void other_ack(struct packet *p)
{
	p->ack += 100;
}

static void other_seq(struct packet *p)
{
	p->seq--;
}

static void no_ack(struct packet *p)
{
	p->flags = TCP_PSH;
}

static void other_port(struct packet *p)
{
	struct leg leg = peek_leg(&x.own, 1); /* it is open */

	p->sport = x.own.port;
	p->seq = leg.start;
	p->ack = leg.base_out;
}

struct bounce_row {
	const char *name;
	void (*forge)(struct packet *p);
	const char *counts;
};

static const struct bounce_row bounce_rows[] = {
	{ "as it was", good, "LEG_REFUSED" },
	{ "with bytes that the client never sent", longer, "DROP_FORGED" },
	{ "with another ack", other_ack, "DROP_FORGED" },
	{ "with another seq", other_seq, "DROP_FORGED" },
	{ "without ACK", no_ack, "DROP_FORGED" },
	{ "in the name of a client that it has taken", other_port, "DROP_FORGED" },
};

/* A hand-over that is sent back goes to the next backend: it must be what the client has sent. */
TEST_ROWS(bounce, "hand-over sent back", bounce_rows)
{
	static const uint16_t both[] = { 1, 2 };
	const struct bounce_row *row = row_;
	struct packet p;
	struct result *r;

	room_pool(POOL_1, POLICY_ROUND_ROBIN, both, 2);
	client_open(&x.own, false);
	node_open(&x.n, 1, &x.own, GET("/1/a"));
	client_take(&x.own, node_ack(&x.n));
	room_pool(POOL_1, POLICY_ROUND_ROBIN, both, 1);
	client_open(&x.opening, false);
	p = *expect_out(client_say(&x.opening, GET("/1/o")), NET_NODE1);
	room_pool(POOL_1, POLICY_ROUND_ROBIN, both, 2);
	memcpy(p.mac_src, net_peer_mac(NET_NODE1), 6);
	memcpy(p.mac_dst, net_mac(NET_NODE1), 6);
	row->forge(&p);
	r = run_packet(BACKEND_RETURN, &p, NET_NODE1);
	expect_counts(r, row->counts);
	if (row->forge != good) {
		expect_verdict(r, DROP);
		expect_no_clones(r);
		return;
	}
	node_accept(&x.two, 2, expect_out(r, NET_NODE2));
	expect_bytes("request", r->packet.payload, r->packet.len, GET("/1/o"), strlen(GET("/1/o")));
	node_reply(&x.two, &x.opening, OK_5);
}
