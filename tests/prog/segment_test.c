// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bits and options that a gateway need not understand, and must not stumble over: urgent pointer,
 * ECN, reserved bits, unknown options, data on SYN; and probes (RFC 9293, 3.8.4 and 3.8.6.1).
 */
#include <string.h>

#include "download.h"
#include "peek.h"
#include "prog_node.h"

#define POST_20 "POST /1/p HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
#define TEN "0123456789"

#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

static uint8_t frame[PACKET_MAX];

/* The packet with these bits: urgent pointer, low bits of the data offset's byte (NS, reserved). */
static struct result *run_bits(enum run_program program, const struct packet *p, enum net_dev dev,
			       uint16_t urgent, uint8_t reserved)
{
	size_t len = packet_build(p, frame), l4 = packet_l4(p->v6);

	frame[l4 + 12] |= reserved;
	frame[l4 + 18] = urgent >> 8;
	frame[l4 + 19] = urgent;
	packet_seal(frame, len);
	return run_frame(program, frame, len, net_ifindex(dev), 0);
}

static uint16_t urgent_of(const struct result *r)
{
	const uint8_t *tcp = r->frame + packet_l4(r->packet.v6);

	return tcp[18] << 8 | tcp[19];
}

struct urgent_row {
	const char *name;
	bool v6, has_ts, has_sack;
	uint16_t urgent;
};

static const struct urgent_row urgent_rows[] = {
	{ "IPv4", false, true, false, 5 },
	{ "IPv6", true, true, false, 5 },
	{ "no timestamps", false, false, false, 1 },
	{ "beyond the segment", true, false, false, 0xffff },
	{ "pointer 0", false, true, false, 0 },
	{ "with SACK", false, true, true, 0x1234 },
	{ "IPv6 with SACK", true, true, true, 0xfedc },
};

/* A receiver without SO_OOBINLINE takes the urgent byte out of its stream (RFC 6093, 3.1): Node
 * would read another request than the gateway. */
TEST_ROWS(urgent, "URG is taken out of what goes on", urgent_rows)
{
	const struct urgent_row *row = row_;
	uint32_t edges[2];
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;
	int i;

	client_init(&c, row->v6);
	c.has_ts = row->has_ts;
	client_connect(&c);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	for (i = 0; i < 2; i++) {
		uint8_t flags = TCP_ACK | TCP_PSH | TCP_URG;

		p = i ? node_packet(&n, flags, OK_5, strlen(OK_5)) :
			client_packet(&c, flags, GET("/1/b"), strlen(GET("/1/b")));
		edges[0] = (i ? n.ack : c.ack) + 100;
		edges[1] = edges[0] + 50;
		if (row->has_sack)
			packet_option_sack(&p, edges, 2);
		r = run_bits(i ? BACKEND_RETURN : UPLINK_INGRESS, &p, i ? NET_NODE1 : NET_UPLINK,
			     row->urgent, 0);
		if (i) {
			n.seq += p.len;
			client_take(&c, r);
		} else {
			c.seq += p.len;
			node_take(&n, r);
		}
		EXPECT(r->packet.flags, TCP_ACK | TCP_PSH);
		EXPECT(urgent_of(r), 0);
		expect_bytes("payload", r->packet.payload, r->packet.len, p.payload, p.len);
	}
}

TEST(urgent_open, "URG in the packet that opens a leg")
{
	struct packet p;
	struct result *r;
	struct client c;

	client_open(&c, false);
	p = client_packet(&c, TCP_ACK | TCP_URG, GET("/1/a"), strlen(GET("/1/a")));
	r = run_bits(UPLINK_INGRESS, &p, NET_UPLINK, 3, 0);
	expect_out(r, NET_NODE1);
	EXPECT(r->packet.flags, TCP_ACK);
	EXPECT(urgent_of(r), 0);
}

TEST(urgent_hit, "URG in a component's request")
{
	struct packet p;
	struct result *r;
	struct client c;

	client_open(&c, true);
	p = client_packet(&c, TCP_ACK | TCP_URG, GET("/small"), strlen(GET("/small")));
	c.seq += p.len;
	r = run_bits(UPLINK_INGRESS, &p, NET_UPLINK, 3, 0);
	client_expect_object(&c, r, SLOT_SMALL, false, false);
	EXPECT(urgent_of(r), 0);
}

struct bits_row {
	const char *name;
	uint8_t flags, reserved;
};

static const struct bits_row bits_rows[] = {
	{ "ECE", TCP_ECE, 0 },
	{ "CWR", TCP_CWR, 0 },
	{ "NS", 0, 1 },
	{ "reserved", 0, 0xe },
	{ "all", TCP_ECE | TCP_CWR, 0xf },
};

/* RFC 3168, 6.1.1: a SYN-ACK without ECE declines; nothing may be made of the bits then. */
TEST_ROWS(bits, "bits ignored", bits_rows)
{
	const struct bits_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;

	client_init(&c, false);
	p = client_packet(&c, TCP_SYN | row->flags, NULL, 0);
	c.seq++;
	r = run_bits(UPLINK_INGRESS, &p, NET_UPLINK, 0, row->reserved);
	expect_counts(r, "SYN");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_SYN | TCP_ACK);
	EXPECT(r->frame[packet_l4(false) + 12] & 0xf, 0);
	c.ack = r->packet.seq + 1;
	p = client_packet(&c, TCP_ACK | row->flags, NULL, 0);
	expect_counts(run_bits(UPLINK_INGRESS, &p, NET_UPLINK, 0, row->reserved), "COOKIE_OK");
	p = client_packet(&c, TCP_ACK | row->flags, GET("/small"), strlen(GET("/small")));
	c.seq += p.len;
	r = run_bits(UPLINK_INGRESS, &p, NET_UPLINK, 0, row->reserved);
	EXPECT(client_take(&c, r)->flags, TCP_ACK | TCP_PSH);
	EXPECT(r->frame[packet_l4(false) + 12] & 0xf, 0);
	p = client_packet(&c, TCP_ACK | row->flags, GET("/1/a"), strlen(GET("/1/a")));
	c.seq += p.len;
	r = run_bits(UPLINK_INGRESS, &p, NET_UPLINK, 0, row->reserved);
	node_accept(&n, 1, expect_out(r, NET_NODE1));
	node_reply(&n, &c, OK_5);
}

struct syn_row {
	const char *name;
	uint8_t option[20];
	uint8_t len;
	const char *data;
};

static const struct syn_row syn_rows[] = {
	{ "data", {}, 0, GET("/small") },
	{ "TCP Fast Open, asking for a cookie", { 34, 2, 1, 1 }, 4, "" },
	{ "TCP Fast Open with cookie and data",
	  { 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1 },
	  12,
	  GET("/small") },
	{ "experimental Fast Open",
	  { 254, 12, 0xf9, 0x89, 1, 2, 3, 4, 5, 6, 7, 8 },
	  12,
	  GET("/1/a") },
	{ "MPTCP", { 30, 4, 0x01, 0x00 }, 4, "" },
	{ "MPTCP with key", { 30, 12, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 }, 12, "" },
	{ "user timeout, unknown ones", { 28, 4, 0, 9, 77, 3, 1, 253, 2, 0 }, 12, "" },
	{ "MD5 signature",
	  { 19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1 },
	  20,
	  "" },
};

/* RFC 7413, 4.2.2 and RFC 8684, 3.1: an answer without the option declines; data on a SYN need not
 * be taken (RFC 9293, 3.4), and the client sends it again. */
TEST_ROWS(syn_plain, "SYN with", syn_rows)
{
	const struct syn_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;

	client_init(&c, false);
	p = client_packet(&c, TCP_SYN, row->data, strlen(row->data));
	packet_option(&p, row->option, row->len);
	r = client_run(&p);
	expect_counts(r, "SYN");
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_SYN | TCP_ACK);
	EXPECT(r->packet.ack, c.seq + 1);
	EXPECT(r->packet.len, 0);
	EXPECT(r->packet.mss, 1460); /* the harness refuses options that it does not know */
	EXPECT(peek_flows(), 0);
	c.seq++;
	c.ack = r->packet.seq + 1;
	client_ack(&c);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
}

struct probe_row {
	const char *name;
	int len;
};

static const struct probe_row probe_rows[] = { { "no byte", 0 }, { "a byte", 1 } };

TEST_ROWS(probe_leg, "keep-alive probe, a leg is the destination: it answers", probe_rows)
{
	const struct probe_row *row = row_;
	struct packet p;
	struct result *r;
	struct client c;
	struct node n;
	int i;

	node_open_idle(&n, &c, false);
	for (i = 0; i < 2; i++) {
		p = client_packet(&c, TCP_ACK, "x", row->len);
		p.seq--;
		r = client_run(&p);
		EXPECT(expect_out(r, NET_NODE1)->seq, n.ack - 1);
		client_take(&c, node_ack(&n));
		EXPECT(peek_flow(&c).rcv_nxt, c.seq);
	}
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&c);
}

TEST(before_base, "a component's request again when a leg has been resumed: no byte to that")
{
	struct packet again;
	struct result *r;
	struct client c;
	struct node n;

	node_open_idle(&n, &c, false);
	again = client_packet(&c, TCP_ACK, GET("/small"), strlen(GET("/small")));
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	node_expect_text(&n, client_say(&c, GET("/1/b")), GET("/1/b"));
	client_take(&c, node_ack(&n));
	r = client_run(&again);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_ACK);
	EXPECT(r->packet.ack, c.seq);
	expect_no_clones(r);
	node_reply(&n, &c, OK_5);
}

TEST_ROWS(probe_answer, "keep-alive probe in the middle of a long answer", probe_rows)
{
	const struct probe_row *row = row_;
	struct packet p;
	struct result *r;
	uint32_t una;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	una = peek_flow(&download.c).snd_una;
	p = client_packet(&download.c, TCP_ACK, "x", row->len);
	p.seq = download.req_ack - 1;
	r = client_run(&p);
	EXPECT_TRUE(r->n_clones <= 1);
	EXPECT(peek_flow(&download.c).snd_una, una);
	r = download_ack(download.sent);
	EXPECT_TRUE(r->n_clones > 0);
}

/* RFC 9293, 3.8.6.1: the backend probes, the client answers; both see each other's window. */
TEST_ROWS(zero_window_node, "zero window, probed and opened, a leg is the destination", probe_rows)
{
	const struct probe_row *row = row_;
	const struct packet *p;
	struct packet probe;
	struct result *r;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_20 TEN);
	n.window = 0; /* the backend's */
	EXPECT(client_take(&c, node_ack(&n))->window, 0);
	probe = client_packet(&c, TCP_ACK, TEN, row->len);
	probe.seq -= !row->len;
	r = client_run(&probe);
	p = expect_out(r, NET_NODE1);
	EXPECT(p->len, row->len);
	c.seq += row->len;
	n.ack += row->len;
	n.window = 500;
	EXPECT(client_take(&c, node_ack(&n))->window, 500);
	c.window = 0; /* the client's */
	r = client_ack(&c);
	EXPECT(node_take(&n, r)->window, 0);
	probe = node_packet(&n, TCP_ACK, "H", row->len);
	probe.seq -= !row->len;
	r = node_run(&n, &probe);
	EXPECT(expect_out(r, NET_UPLINK)->len, row->len);
	c.window = 8000;
	EXPECT(node_take(&n, client_ack(&c))->window, 8000);
}

TEST(window_shrinks, "the window closes in the middle of an answer, and opens again")
{
	struct result *r;

	download_expect(download_begin(true, GET("/huge"), SLOT_HUGE, false), 10);
	download.c.window = 0;
	download_expect(download_ack(3 * download.mss), 0);
	download_expect(download_ack(10 * download.mss), 0);
	download.c.window = 8192;
	r = download_ack(10 * download.mss);
	EXPECT_TRUE(r->n_clones > 0);
	download_run(r);
	download_expect_over(download_ack(download.len));
}

/* A window update that is lost: the client's own timer repeats the request. */
TEST(window_lost, "the window opens in a repeated request")
{
	struct packet again;
	struct result *r;

	client_open(&download.c, false);
	again = client_packet(&download.c, TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	download.c.window = 0;
	download_expect(download_ack(10 * DOWNLOAD_MSS), 0);
	again.ack = download.first + 10 * DOWNLOAD_MSS;
	again.window = 8192;
	r = client_run(&again);
	EXPECT_TRUE(r->n_clones > 0);
	download_expect(r, r->n_clones);
	download.c.window = 8192;
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
}
