// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The handshake without state: SYN-ACKs, what a cookie keeps of the client's options, and segments
 * that belong to no flow. The cookie's own security: cookie_test.c.
 */
#include <string.h>

#include "peek.h"
#include "socket.h"

#define GET_SMALL "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"

struct options_row {
	const char *name;
	bool v6, has_ts, sack_ok;
	int wscale;
};

static const struct options_row options_rows[] = {
	{ "IPv4, all", false, true, true, 7 },
	{ "IPv4, no timestamps", false, false, true, 8 },
	{ "IPv4, no SACK", false, true, false, 7 },
	{ "IPv4, no window scale", false, true, true, CLIENT_NO_WSCALE },
	{ "IPv4, window scale alone", false, false, false, 2 },
	{ "IPv4, none", false, false, false, CLIENT_NO_WSCALE },
	{ "IPv6, all", true, true, true, 7 },
	{ "IPv6, no timestamps", true, false, true, 8 },
	{ "IPv6, no SACK", true, true, false, 7 },
	{ "IPv6, no window scale", true, true, true, CLIENT_NO_WSCALE },
	{ "IPv6, none", true, false, false, CLIENT_NO_WSCALE },
};

TEST_ROWS(syn_options, "SYN-ACK and first ACK", options_rows)
{
	const struct options_row *row = row_;
	const struct packet *p;
	struct result *r;
	struct client c;
	struct flow f;

	client_init(&c, row->v6);
	c.has_ts = row->has_ts;
	c.sack_ok = row->sack_ok;
	c.wscale = row->wscale;
	r = client_syn(&c);
	p = &r->packet;
	expect_counts(r, "SYN");
	expect_bytes("source", &p->src, 16, &c.vip, 16);
	expect_bytes("destination", &p->dst, 16, &c.addr, 16);
	EXPECT(p->sport, CLIENT_VIP_PORT);
	EXPECT(p->dport, c.port);
	EXPECT(p->mss, row->v6 ? 1440 : 1460);
	EXPECT(p->sack_ok, row->sack_ok);
	EXPECT(p->has_ts, row->has_ts);
	EXPECT(p->wscale, row->wscale == CLIENT_NO_WSCALE ? PACKET_NO_WSCALE : 7);
	EXPECT(p->window, 64240);
	EXPECT(p->len, 0);
	EXPECT(p->ttl, 64);
	EXPECT(p->fragment, row->v6 ? 0 : 0x4000); /* DF */
	if (row->has_ts)
		EXPECT(p->tsecr, c.tsval - 1);
	EXPECT(peek_flows(), 0);

	r = client_ack(&c);
	expect_verdict(r, DROP);
	expect_counts(r, "COOKIE_OK");
	f = peek_flow(&c);
	EXPECT(!!(f.flags & FLOW_TS), row->has_ts);
	EXPECT(!!(f.flags & FLOW_SACK), row->sack_ok);
	EXPECT(!!(f.flags & FLOW_WSCALE), row->wscale != CLIENT_NO_WSCALE);
	EXPECT(f.wscale, row->wscale == CLIENT_NO_WSCALE ? 0 : row->wscale);
	EXPECT(f.mss, row->v6 ? 1440 : 1460);
	EXPECT(f.state, FLOW_OPEN);
	EXPECT(f.rcv_nxt, c.seq);
	EXPECT(f.snd_nxt, c.ack);
	EXPECT(f.key.vip, row->v6);
	EXPECT(f.snd_wnd, 8192u << f.wscale);
	expect_bytes("next hop", f.mac, 6, net_peer_mac(NET_UPLINK), 6);
}

struct mss_row {
	const char *name;
	uint16_t announced; /* 0: no option */
	bool v6;
	uint32_t mtu;
	uint16_t kept;
};

static const struct mss_row mss_rows[] = {
	{ "IPv4 default", 0, false, 1500, 536 },
	{ "IPv6 default", 0, true, 1500, 1220 },
	{ "88", 88, false, 1500, 88 },
	{ "255", 255, false, 1500, 88 },
	{ "256", 256, false, 1500, 256 },
	{ "535", 535, false, 1500, 256 },
	{ "536", 536, false, 1500, 536 },
	{ "1219", 1219, false, 1500, 536 },
	{ "1220", 1220, true, 1500, 1220 },
	{ "1299", 1299, false, 1500, 1220 },
	{ "1300", 1300, false, 1500, 1300 },
	{ "1439", 1439, true, 1500, 1300 },
	{ "1440", 1440, true, 1500, 1440 },
	{ "1459", 1459, false, 1500, 1440 },
	{ "1460", 1460, false, 1500, 1460 },
	{ "1460 on IPv6", 1460, true, 1500, 1440 },
	{ "8899", 8899, false, 9000, 1460 },
	{ "8900", 8900, false, 9000, 8900 },
	{ "8960", 8960, false, 9000, 8900 },
	{ "9000", 9000, false, 9000, 8900 },
	{ "65535", 65535, true, 9000, 8900 },
	{ "9000, small uplink", 9000, false, 1500, 1460 },
	{ "1460, tiny uplink", 1460, false, 1280, 1240 },
};

TEST_ROWS(syn_mss, "MSS", mss_rows)
{
	const struct mss_row *row = row_;
	struct result *r;
	struct client c;

	room_uplink_mtu(row->mtu);
	client_init(&c, row->v6);
	c.mss = row->announced;
	r = client_syn(&c);
	EXPECT(r->packet.mss, row->mtu - (row->v6 ? 60 : 40));
	expect_counts(client_ack(&c), "COOKIE_OK");
	EXPECT(peek_flow(&c).mss, row->kept);
}

struct wscale_row {
	const char *name;
	int announced;
	uint8_t kept;
};

static const struct wscale_row wscale_rows[] = {
	{ "0", 0, 0 },	  { "1", 1, 0 },    { "2", 2, 2 },    { "3", 3, 2 },	  { "4", 4, 4 },
	{ "5", 5, 4 },	  { "6", 6, 6 },    { "7", 7, 7 },    { "8", 8, 8 },	  { "9", 9, 8 },
	{ "10", 10, 10 }, { "14", 14, 10 }, { "15", 15, 10 }, { "255", 255, 10 },
};

TEST_ROWS(syn_wscale, "window scale, never more than announced", wscale_rows)
{
	const struct wscale_row *row = row_;
	struct client c;
	struct flow f;

	client_init(&c, false);
	c.wscale = row->announced;
	client_connect(&c);
	f = peek_flow(&c);
	EXPECT(f.wscale, row->kept);
	EXPECT_TRUE(f.flags & FLOW_WSCALE);
}

/* Lengths in options that lie end the list; the segment itself is good. */
struct lying_row {
	const char *name;
	uint8_t options[8], len;
	uint16_t kept; /* MSS */
};

static const struct lying_row lying_rows[] = {
	{ "MSS", { 2, 4, 5, 180 }, 4, 1460 },
	{ "behind NOPs", { 1, 1, 1, 1, 2, 4, 5, 180 }, 8, 1460 },
	{ "behind the end of the list", { 0, 1, 1, 1, 2, 4, 5, 180 }, 8, 536 },
	{ "behind an option of length 0", { 99, 0, 1, 1, 2, 4, 5, 180 }, 8, 536 },
	{ "behind an option of length 1", { 99, 1, 1, 1, 2, 4, 5, 180 }, 8, 536 },
	{ "behind an unknown option", { 99, 4, 0, 0, 2, 4, 5, 180 }, 8, 1460 },
	{ "length 3", { 2, 3, 5, 1, 1, 1, 1, 1 }, 8, 536 },
	{ "beyond the header", { 1, 1, 2, 4 }, 4, 536 },
};

TEST_ROWS(lying_options, "MSS option", lying_rows)
{
	const struct lying_row *row = row_;
	struct packet p;
	struct client c;
	struct result *r;

	client_init(&c, false);
	c.has_ts = false;
	p = client_packet(&c, TCP_SYN, NULL, 0);
	p.options_len = 0;
	packet_option(&p, row->options, row->len);
	r = client_run(&p);
	expect_counts(r, "SYN");
	c.seq++;
	c.ack = r->packet.seq + 1;
	EXPECT(r->packet.wscale, PACKET_NO_WSCALE);
	expect_counts(client_ack(&c), "COOKIE_OK");
	EXPECT(peek_flow(&c).mss, row->kept);
}

TEST(odd_timestamps, "timestamps at an odd place in the options are found")
{
	static const uint8_t nop = 1;
	const uint8_t sack_ok[] = { 4, 2, 8, 10, 0, 15, 66, 64, 0, 0, 0, 0 };
	struct packet p;
	struct client c;
	struct result *r;

	client_init(&c, false);
	p = client_packet(&c, TCP_SYN, NULL, 0);
	p.options_len = 0;
	packet_option(&p, &nop, 1);
	packet_option(&p, sack_ok, sizeof(sack_ok));
	packet_option(&p, "\1\1\1", 3);
	r = client_run(&p);
	EXPECT(r->packet.tsecr, 1000000);
	EXPECT_TRUE(r->packet.sack_ok);
}

TEST(first_data, "the cookie comes back with the request")
{
	struct result *r;
	struct client c;

	client_init(&c, false);
	client_syn(&c);
	r = client_say(&c, GET_SMALL);
	expect_counts(r, "COOKIE_OK REQUESTS HIT");
	client_expect_object(&c, r, SLOT_SMALL, false, false);
}

TEST(syn_live, "SYN on a live flow: challenge ACK (RFC 5961, 4.2)")
{
	struct packet syn;
	struct result *r;
	struct client c;

	client_open(&c, true);
	syn = client_packet(&c, TCP_SYN, NULL, 0);
	syn.seq = 77;
	r = client_run(&syn);
	expect_counts(r, "");
	EXPECT(client_take(&c, r)->flags, TCP_ACK);
	EXPECT(r->packet.tsecr, peek_flow(&c).ts_recent);
	EXPECT(peek_flow(&c).rcv_nxt, c.seq);
}

struct stranger_row {
	const char *name;
	bool v6;
	uint8_t flags;
	const char *payload;
	int verdict;
	const char *counts;
	uint8_t out_flags;
	bool seq_is_ack; /* else 0 */
	uint32_t out_ack;
};

/* seq 1000; RFC 9293, 3.10.7.1 */
static const struct stranger_row stranger_rows[] = {
	{ "ACK", false, TCP_ACK, "", REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST, true, 0 },
	{ "IPv6 ACK", true, TCP_ACK, "", REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST, true, 0 },
	{ "data", false, TCP_ACK | TCP_PSH, GET_SMALL, REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST,
	  true, 0 },
	{ "SYN-ACK", false, TCP_SYN | TCP_ACK, "", REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST, true,
	  0 },
	{ "FIN and ACK", true, TCP_FIN | TCP_ACK, "", REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST,
	  true, 0 },
	{ "FIN alone", false, TCP_FIN, "", REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST | TCP_ACK,
	  false, 1001 },
	{ "data without ACK", false, TCP_PSH, "abcde", REDIRECT, "COOKIE_BAD RST_SENT",
	  TCP_RST | TCP_ACK, false, 1005 },
	{ "no flags", true, 0, "", REDIRECT, "COOKIE_BAD RST_SENT", TCP_RST | TCP_ACK, false,
	  1000 },
	{ "RST", false, TCP_RST, "", DROP, "COOKIE_BAD DROP_STALE", 0, false, 0 },
	{ "RST and ACK", false, TCP_RST | TCP_ACK, "", DROP, "COOKIE_BAD DROP_STALE", 0, false, 0 },
};

TEST_ROWS(stranger, "segment of no flow", stranger_rows)
{
	const struct stranger_row *row = row_;
	const struct packet *p;
	struct result *r;
	struct client c;

	client_init(&c, row->v6);
	c.seq = 1000;
	client_forge_ack(&c);
	c.sack_ok = false;
	r = client_send(&c, row->flags & ~TCP_SYN, row->payload, strlen(row->payload));
	if (row->flags & TCP_SYN)
		r = client_send(&c, row->flags, NULL, 0);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	EXPECT(peek_flows(), 0);
	if (row->verdict == DROP)
		return;
	p = expect_out(r, NET_UPLINK);
	EXPECT(p->flags, row->out_flags);
	EXPECT(p->seq, row->seq_is_ack ? c.ack : 0);
	EXPECT(p->ack, row->out_ack);
	EXPECT(p->len, 0);
	EXPECT(p->has_ts, false);
}

TEST(rst_budget, "RSTs beyond the budget are not sent")
{
	uint32_t before, sent, limited, i;
	struct result *r;
	struct client c;

	client_init(&c, false);
	client_forge_ack(&c);
	do { /* within one tick of the clock: 67 ms */
		before = peek_clock();
		for (sent = limited = i = 0; i < 80; i++) {
			r = client_ack(&c);
			EXPECT(r->verdict, r->counts[STAT_RST_SENT] ? REDIRECT : DROP);
			EXPECT(r->counts[STAT_COOKIE_BAD], 1);
			sent += r->counts[STAT_RST_SENT];
			limited += r->counts[STAT_RST_LIMITED];
		}
	} while (peek_clock() != before);
	EXPECT_TRUE(sent <= 64);
	EXPECT(sent + limited, 80);
}

/* Lost: the first segment of the first flight. RFC 9293: it is repeated; a RST would end it all. */
TEST(first_lost, "the second segment of a first flight comes first: no RST")
{
	struct packet second;
	struct result *r;
	struct client c;

	client_init(&c, true);
	client_syn(&c);
	second = client_packet(&c, TCP_PSH | TCP_ACK, GET_SMALL, strlen(GET_SMALL));
	second.seq += 1440;
	r = client_run(&second);
	expect_verdict(r, DROP);
	expect_counts(r, "OUT_OF_ORDER");
	EXPECT(peek_flows(), 0);
	r = client_say(&c, GET_SMALL);
	expect_counts(r, "COOKIE_OK REQUESTS HIT");
}

TEST(own_socket, "a connection of the gateway's own stack is passed on")
{
	struct result *r;
	struct client c;

	client_init(&c, false);
	client_forge_ack(&c);
	socket_connected(false, &c.vip, c.vip_port, &c.addr, c.port, c.seq);
	r = client_ack(&c);
	socket_close_all();
	expect_verdict(r, NEXT);
	expect_counts(r, "");
	expect_counts(client_ack(&c), "COOKIE_BAD RST_SENT");
}

TEST(own_listener, "a mere listener of the gateway is not asked")
{
	struct result *r;
	struct client c;

	socket_listen(false, CLIENT_VIP_PORT, 1);
	client_init(&c, false);
	client_forge_ack(&c);
	r = client_ack(&c);
	socket_close_all();
	expect_counts(r, "COOKIE_BAD RST_SENT");
}
