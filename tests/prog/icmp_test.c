// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMP errors about the segments of a flow: a smaller path MTU makes the kernel's answers go on in
 * smaller segments, errors about a backend's segments get to that backend, translated, and what
 * quotes no segment under way changes nothing (RFC 1191, RFC 8201, RFC 5927).
 */
#include <string.h>

#include "download.h"
#include "icmp_error.h"
#include "peek.h"
#include "prog_node.h"
#include "socket.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_3000 "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

#define ROUTER4 "192.0.2.7"
#define ROUTER6 "2001:db8::7"

struct icmp_type {
	uint8_t type, code;
};
#define FRAG_NEEDED { 3, 4 }
#define TOO_BIG { 2, 0 }

/* What a router says of the segment at `seq`, of `len` bytes, that the client `c` was sent. */
static struct icmp_error error_about(const struct client *c, struct icmp_type type, uint32_t mtu,
				     uint32_t seq, uint32_t len)
{
	static const uint8_t bytes[9000];
	struct icmp_error e = {
		.src = packet_addr(c->v6 ? ROUTER6 : ROUTER4),
		.dst = c->vip,
		.type = type.type,
		.code = type.code,
		.rest = mtu,
		.quote_len = 8,
		.quoted = {
			.v6 = c->v6,
			.src = c->vip,
			.dst = c->addr,
			.sport = c->vip_port,
			.dport = c->port,
			.seq = seq,
			.ack = c->seq,
			.flags = TCP_ACK,
			.ttl = 63,
			.payload = bytes,
			.len = len,
		},
	};

	memcpy(e.mac_src, net_peer_mac(NET_UPLINK), 6);
	memcpy(e.mac_dst, net_mac(NET_UPLINK), 6);
	if (c->has_ts)
		packet_option_ts(&e.quoted, 1, 2);
	return e;
}

static struct result *send_error(const struct icmp_error *e)
{
	static uint8_t frame[PACKET_MAX];

	return run_frame(UPLINK_INGRESS, frame, icmp_error_build(e, frame), net_ifindex(NET_UPLINK),
			 0);
}

/* Passed on to the stack as it came. */
static void expect_untouched(const struct result *r, const uint8_t *frame, size_t len)
{
	expect_verdict(r, NEXT);
	expect_counts(r, "");
	expect_no_clones(r);
	expect_bytes("frame", r->frame, r->len, frame, len);
}

struct mtu_row {
	const char *name;
	bool v6;
	struct icmp_type type;
	uint32_t mtu;
	int32_t off;	/* of the quoted segment in the answer */
	uint16_t mss;	/* afterwards; 0: as before */
	uint16_t count; /* STAT_ICMP_... */
};

static const struct mtu_row mtu_rows[] = {
	{ "IPv4, 1300", false, FRAG_NEEDED, 1300, 0, 1260, STAT_ICMP_MTU },
	{ "IPv4, third segment", false, FRAG_NEEDED, 1300, 2896, 1260, STAT_ICMP_MTU },
	{ "IPv4, last byte", false, FRAG_NEEDED, 576, 14479, 536, STAT_ICMP_MTU },
	{ "IPv4, least", false, FRAG_NEEDED, 128, 0, 88, STAT_ICMP_MTU },
	{ "IPv4, less than least", false, FRAG_NEEDED, 68, 0, 88, STAT_ICMP_MTU },
	{ "IPv4, 1", false, FRAG_NEEDED, 1, 0, 88, STAT_ICMP_MTU },
	{ "IPv4, none told", false, FRAG_NEEDED, 0, 0, 1452, STAT_ICMP_MTU },
	{ "IPv4, upper half is not the MTU's", false, FRAG_NEEDED, 0xff000514, 0, 1260,
	  STAT_ICMP_MTU },
	{ "IPv4, as large as before", false, FRAG_NEEDED, 1500, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv4, larger", false, FRAG_NEEDED, 65535, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv4, before what is under way", false, FRAG_NEEDED, 1300, -1, 0, STAT_ICMP_BAD },
	{ "IPv4, behind what is under way", false, FRAG_NEEDED, 1300, 14480, 0, STAT_ICMP_BAD },
	{ "IPv4, host unreachable", false, { 3, 1 }, 0, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv4, port unreachable", false, { 3, 3 }, 0, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv4, time exceeded", false, { 11, 0 }, 0, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv4, parameter problem", false, { 12, 0 }, 0, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv4, time exceeded, behind", false, { 11, 0 }, 0, 14480, 0, STAT_ICMP_BAD },
	{ "IPv6, 1400", true, TOO_BIG, 1400, 0, 1340, STAT_ICMP_MTU },
	{ "IPv6, last byte", true, TOO_BIG, 1400, 14279, 1340, STAT_ICMP_MTU },
	{ "IPv6, least", true, TOO_BIG, 1280, 1428, 1220, STAT_ICMP_MTU },
	{ "IPv6, less than least", true, TOO_BIG, 1279, 0, 0, STAT_ICMP_BAD },
	{ "IPv6, none told", true, TOO_BIG, 0, 0, 0, STAT_ICMP_BAD },
	{ "IPv6, as large as before", true, TOO_BIG, 1500, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv6, more than 16 bits", true, TOO_BIG, 0x10514, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv6, largest", true, TOO_BIG, 0xffffffff, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv6, before what is under way", true, TOO_BIG, 1400, -1, 0, STAT_ICMP_BAD },
	{ "IPv6, behind what is under way", true, TOO_BIG, 1400, 14280, 0, STAT_ICMP_BAD },
	{ "IPv6, address unreachable", true, { 1, 3 }, 0, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv6, time exceeded", true, { 3, 0 }, 0, 0, 0, STAT_ICMP_IGNORED },
	{ "IPv6, parameter problem", true, { 4, 0 }, 0, 0, 0, STAT_ICMP_IGNORED },
};

/* The first segments of an answer again, no larger than the flow's MSS allows. */
static void expect_resent(const struct result *r, uint16_t mss)
{
	uint32_t at = 0;
	int i;

	expect_verdict(r, DROP);
	EXPECT_TRUE(r->n_clones > 0);
	EXPECT(r->counts[STAT_RESENT], (uint64_t)r->n_clones);
	download.mss = mss - (download.c.has_ts ? 12 : 0);
	for (i = 0; i < r->n_clones; i++) {
		check_step("segment %d at %u", i, at);
		EXPECT(r->clones[i].dev, NET_UPLINK);
		download_expect_one(&r->clones[i].packet, at);
		EXPECT(r->clones[i].packet.len, download.mss);
		at += download.mss;
	}
	check_step("%s", "");
	download.sent = at;
}

/* Acknowledges and takes the rest, in whatever portions it comes. */
static void finish_download(void)
{
	struct result *r;
	int i;

	while (download.sent < download.len) {
		run_forget();
		r = download_ack(download.sent);
		EXPECT_TRUE(r->n_clones > 0);
		for (i = 0; i < r->n_clones; i++) {
			EXPECT(r->clones[i].packet.seq, download.first + download.sent);
			download_expect_one(&r->clones[i].packet, download.sent);
			download.sent += r->clones[i].packet.len;
		}
	}
	download_expect_over(download_ack(download.len));
}

TEST_ROWS(mtu, "path MTU, the kernel answers", mtu_rows)
{
	const struct mtu_row *row = row_;
	struct icmp_error e;
	struct result *r;
	uint16_t before;

	download_expect(download_begin(row->v6, GET("/huge"), SLOT_HUGE, false), 10);
	before = peek_flow(&download.c).mss;
	EXPECT(before, row->v6 ? 1440 : 1460);
	e = error_about(&download.c, row->type, row->mtu, download.first + row->off, download.mss);
	r = send_error(&e);
	expect_verdict(r, DROP);
	EXPECT(r->counts[row->count], 1);
	EXPECT(peek_flow(&download.c).mss, row->mss ? row->mss : before);
	EXPECT(peek_flow(&download.c).owner, 0);
	if (!row->mss) {
		EXPECT(r->n_clones, 0);
		EXPECT(r->counts[STAT_RESENT], 0);
		return;
	}
	expect_resent(r, row->mss);
	finish_download();
}

/* Every segment of a flight brings a report: one of them is enough. */
TEST(mtu_again, "further reports about one flight: nothing is sent again")
{
	struct icmp_error e;
	struct result *r;
	int i;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 0; i < 10; i++) {
		e = error_about(&download.c, (struct icmp_type)FRAG_NEEDED, 1300,
				download.first + i * DOWNLOAD_MSS, DOWNLOAD_MSS);
		r = send_error(&e);
		EXPECT(r->counts[i ? STAT_ICMP_IGNORED : STAT_ICMP_MTU], 1);
		if (i)
			expect_no_clones(r);
		else
			expect_resent(r, 1260);
	}
	e = error_about(&download.c, (struct icmp_type)FRAG_NEEDED, 1200, download.first, 1248);
	expect_resent(send_error(&e), 1160); /* a second bottleneck, behind the first */
	finish_download();
}

TEST(mtu_one, "an answer of one segment goes out again in smaller ones")
{
	struct icmp_error e;
	struct client *c = &download.c;
	struct result *r;

	client_init(c, false);
	client_connect(c);
	download.first = c->ack;
	r = client_say(c, GET("/small"));
	download.req_seq = c->seq;
	download.len =
		room_answer(SLOT_SMALL, false, false, download.wanted, sizeof(download.wanted));
	client_expect_object(c, r, SLOT_SMALL, false, false);
	e = error_about(c, (struct icmp_type)FRAG_NEEDED, 600, download.first, download.len);
	expect_resent(send_error(&e), 560);
	while (download.sent < download.len) {
		r = download_ack(download.sent);
		EXPECT(r->n_clones, 1);
		download_expect_one(&r->clones[0].packet, download.sent);
		download.sent += r->clones[0].packet.len;
	}
	download_ack(download.len);
	e = error_about(c, (struct icmp_type)FRAG_NEEDED, 500, download.first, download.len);
	r = send_error(&e);
	expect_counts(r, "ICMP_BAD"); /* all of it is acknowledged */
	EXPECT(peek_flow(c).mss, 560);
}

TEST(mtu_recover, "what was sent before a timeout is still under way")
{
	struct icmp_error e;
	struct packet request;
	struct result *r;

	client_open(&download.c, false);
	request = client_packet(&download.c, TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	download_expect(download_ask(GET("/huge"), SLOT_HUGE, false), 10);
	r = client_run(&request);
	EXPECT(r->n_clones, 1);
	e = error_about(&download.c, (struct icmp_type)FRAG_NEEDED, 1300,
			download.first + 9 * DOWNLOAD_MSS, DOWNLOAD_MSS);
	expect_resent(send_error(&e), 1260);
	finish_download();
}

TEST(mtu_idle, "nothing under way, never an answer, a closed flow")
{
	struct icmp_error e;
	struct client c;
	uint32_t isn;

	client_open(&c, false);
	isn = c.ack;
	e = error_about(&c, (struct icmp_type)FRAG_NEEDED, 1300, isn, 100);
	expect_counts(send_error(&e), "ICMP_BAD");
	e.quoted.seq = isn - 0x40000000;
	expect_counts(send_error(&e), "ICMP_BAD");
	e.quoted.seq = isn + 0x40000000;
	expect_counts(send_error(&e), "ICMP_BAD");
	client_send(&c, TCP_RST, NULL, 0);
	EXPECT(peek_flow(&c).state, FLOW_CLOSED);
	e.quoted.seq = isn;
	expect_counts(send_error(&e), "ICMP_BAD");
	EXPECT(peek_flow(&c).mss, 1460);
}

static const uint16_t plateau_rows[][2] = {
	{ 1460, 1492 }, { 1452, 1006 }, { 966, 576 }, { 536, 296 }, { 256, 128 },
};

/* RFC 1191, 7.1 */
TEST(mtu_plateaus, "no MTU told: one plateau after the other")
{
	struct icmp_error e;
	size_t i;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (i = 0; i < sizeof(plateau_rows) / sizeof(plateau_rows[0]); i++) {
		e = error_about(&download.c, (struct icmp_type)FRAG_NEEDED, 0, download.first,
				plateau_rows[i][0] - 12);
		expect_resent(send_error(&e), plateau_rows[i][1] - 40);
	}
	e = error_about(&download.c, (struct icmp_type)FRAG_NEEDED, 0, download.first, 88 - 12);
	expect_counts(send_error(&e), "ICMP_IGNORED");
	finish_download();
}

/* Changes of an error that would be taken otherwise; `at` of the frame without Ethernet. */
struct stranger_row {
	const char *name;
	bool v6;
	int at, value; /* at: -1: nothing; value is a difference */
	int quote_len;
	bool seal;
	bool is_bad; /* dropped; else passed on to the stack */
};

static const struct stranger_row stranger_rows[] = {
	{ "IPv4, wrong checksum", false, 22, 1, 8, false, true },
	{ "IPv4, wrong checksum, long quote", false, 100, 1, 701, false, true },
	{ "IPv6, wrong checksum", true, 42, 1, 8, false, true },
	{ "IPv6, wrong checksum, long quote", true, 1000, 1, 1151, false, true },
	{ "IPv4, seven bytes of TCP", false, -1, 0, 7, true, false },
	{ "IPv6, seven bytes of TCP", true, -1, 0, 7, true, false },
	{ "IPv4, no TCP at all", false, -1, 0, 0, true, false },
	{ "IPv6, no TCP at all", true, -1, 0, 0, true, false },
	{ "IPv4, length of the header ends before", false, 3, -1, 8, true, false },
	{ "IPv6, length of the header ends before", true, 5, -1, 8, true, false },
	{ "IPv4, length of the header ends behind", false, 3, 1, 8, true, false },
	{ "IPv6, length of the header ends behind", true, 5, 1, 8, true, false },
	{ "IPv4, length 0", false, 3, -56, 8, true, false },
	{ "IPv4, with options", false, 0, 1, 20, true, false },
	{ "IPv4, fragment", false, 7, 1, 8, true, false },
	{ "IPv4, more fragments", false, 6, 0x20, 8, true, false },
	{ "IPv4, not ICMP", false, 9, 16, 8, true, false },
	{ "IPv6, not ICMP", true, 6, -41, 8, true, false },
	{ "IPv4, to another address", false, 19, 1, 8, true, false },
	{ "IPv6, to another address", true, 39, 1, 8, true, false },
	{ "IPv4, echo request", false, 20, 5, 8, true, false },
	{ "IPv4, redirect", false, 20, 2, 8, true, false },
	{ "IPv4, source quench", false, 20, 1, 8, true, false },
	{ "IPv6, echo request", true, 40, 126, 8, true, false },
	{ "IPv6, type 0", true, 40, -2, 8, true, false },
	{ "IPv4, quotes options", false, 28, 1, 20, true, false },
	{ "IPv4, quotes a later fragment", false, 35, 1, 8, true, false },
	{ "IPv4, quotes UDP", false, 37, 11, 8, true, false },
	{ "IPv6, quotes UDP", true, 54, 11, 8, true, false },
	{ "IPv6, quotes another version", true, 48, -0x20, 8, true, false },
	{ "IPv4, quotes another source", false, 43, 1, 8, true, false },
	{ "IPv6, quotes another source", true, 71, 1, 8, true, false },
	{ "IPv4, quotes another destination", false, 47, 1, 8, true, false },
	{ "IPv6, quotes another destination", true, 87, 1, 8, true, false },
	{ "IPv4, quotes a port that is no VIP's", false, 49, 1, 8, true, false },
	{ "IPv6, quotes a port that is no VIP's", true, 89, 1, 8, true, false },
	{ "IPv4, quotes another client port", false, 51, 1, 8, true, false },
	{ "IPv6, quotes another client port", true, 91, 1, 8, true, false },
};

TEST_ROWS(stranger, "not about a segment of ours", stranger_rows)
{
	const struct stranger_row *row = row_;
	static uint8_t frame[PACKET_MAX];
	struct icmp_error e;
	struct result *r;
	size_t len;

	download_expect(download_begin(row->v6, GET("/huge"), SLOT_HUGE, false), 10);
	e = error_about(&download.c,
			row->v6 ? (struct icmp_type)TOO_BIG : (struct icmp_type)FRAG_NEEDED, 1300,
			download.first, download.mss);
	e.quote_len = row->quote_len;
	len = icmp_error_build(&e, frame);
	if (row->at >= 0)
		frame[PACKET_ETH + row->at] += row->value;
	if (row->seal)
		icmp_error_seal(frame, len);
	r = run_frame(UPLINK_INGRESS, frame, len, net_ifindex(NET_UPLINK), 0);
	if (row->is_bad) {
		expect_verdict(r, DROP);
		expect_counts(r, "ICMP_BAD");
		expect_no_clones(r);
	} else {
		expect_untouched(r, frame, len);
	}
	EXPECT(peek_flow(&download.c).mss, row->v6 ? 1440 : 1460);
}

TEST(long_quote, "quotes of every length are summed up")
{
	struct icmp_error e;
	struct result *r;
	size_t len;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	for (len = 8; len < 1400; len += len < 20 ? 1 : 41) {
		check_step("%zu bytes", len);
		e = error_about(&download.c, (struct icmp_type)FRAG_NEEDED, 1500, download.first,
				DOWNLOAD_MSS);
		e.quote_len = len;
		r = send_error(&e);
		expect_counts(r, "ICMP_IGNORED");
		run_forget();
	}
}

/*
 * A leg on backend 1 whose numbers differ from the client's, with a response of two segments under
 * way. Returns the response's first byte in the client's numbers.
 */
static uint32_t response_under_way(struct client *c, struct node *n, bool v6)
{
	static char bytes[1448];
	uint32_t first;

	client_open(c, v6);
	node_open(n, 1, c, GET("/1/a"));
	node_reply(n, c, OK_5);
	client_expect_object(c, client_say(c, GET("/small")), SLOT_SMALL, false, false);
	node_expect_text(n, client_say(c, GET("/1/b")), GET("/1/b"));
	EXPECT_TRUE(n->seq != c->ack);
	first = c->ack;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, OK_3000, strlen(OK_3000));
	expect_verdict(node_send(n, TCP_ACK, bytes, sizeof(bytes)), REDIRECT);
	memset(bytes, 'y', sizeof(bytes));
	expect_verdict(node_send(n, TCP_ACK, bytes, sizeof(bytes)), REDIRECT);
	return first;
}

static void expect_error(const struct result *r, const struct icmp_error *sent,
			 struct icmp_error *e)
{
	const char *complaint = icmp_error_parse(r->frame, r->len, e);

	if (complaint)
		check_fail("error passed on: %s", complaint);
	expect_bytes("router", &e->src, 16, &sent->src, 16);
	expect_bytes("quoted destination", &e->quoted.dst, 16, &sent->quoted.dst, 16);
	EXPECT(e->quoted.dport, sent->quoted.dport);
	EXPECT(e->type, sent->type);
	EXPECT(e->code, sent->code);
	EXPECT(e->quote_len, 8);
}

struct leg_row {
	const char *name;
	bool v6;
	struct icmp_type type;
	uint32_t rest;
	uint32_t rest_out; /* what the backend gets */
	int32_t off;
	size_t quote_len;
	uint16_t mss; /* of the flow, afterwards; 0: as before */
	const char *counts;
};

static const struct leg_row leg_rows[] = {
	{ "IPv4, 1400", false, FRAG_NEEDED, 1400, 1400, 0, 8, 1360, "ICMP_MTU" },
	{ "IPv4, second segment, long quote", false, FRAG_NEEDED, 1400, 1400, 1448, 601, 1360,
	  "ICMP_MTU" },
	{ "IPv4, last byte", false, FRAG_NEEDED, 100, 100, 2895, 8, 88, "ICMP_MTU" },
	{ "IPv4, none told", false, FRAG_NEEDED, 0, 0, 0, 8, 1452, "ICMP_MTU" },
	{ "IPv4, larger", false, FRAG_NEEDED, 9000, 9000, 0, 8, 0, "ICMP_MTU" },
	{ "IPv4, host unreachable", false, { 3, 1 }, 0, 0, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv4, time exceeded", false, { 11, 0 }, 0, 0, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv4, time exceeded, with extensions",
	  false,
	  { 11, 0 },
	  0x00200000,
	  0,
	  0,
	  108,
	  0,
	  "ICMP_PASSED" },
	{ "IPv4, parameter problem",
	  false,
	  { 12, 0 },
	  0x14000000,
	  0x14000000,
	  0,
	  8,
	  0,
	  "ICMP_PASSED" },
	{ "IPv4, before what is under way", false, FRAG_NEEDED, 1400, 0, -1, 8, 0, NULL },
	{ "IPv4, behind what is under way", false, FRAG_NEEDED, 1400, 0, 2896, 8, 0, NULL },
	{ "IPv6, 1400", true, TOO_BIG, 1400, 1400, 0, 8, 1340, "ICMP_MTU" },
	{ "IPv6, second segment, long quote", true, TOO_BIG, 1280, 1280, 1448, 1100, 1220,
	  "ICMP_MTU" },
	{ "IPv6, larger", true, TOO_BIG, 0x12345678, 0x12345678, 0, 8, 0, "ICMP_MTU" },
	{ "IPv6, less than least", true, TOO_BIG, 1000, 0, 0, 8, 0, NULL },
	{ "IPv6, address unreachable", true, { 1, 3 }, 0, 0, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv6, time exceeded, with extensions",
	  true,
	  { 3, 0 },
	  0x10000000,
	  0,
	  0,
	  108,
	  0,
	  "ICMP_PASSED" },
	{ "IPv6, parameter problem", true, { 4, 1 }, 0x28000006, 0x28000006, 0, 8, 0, "ICMP_PASSED" },
	{ "IPv6, before what is under way", true, TOO_BIG, 1400, 0, -1, 8, 0, NULL },
	{ "IPv6, behind what is under way", true, TOO_BIG, 1400, 0, 2896, 8, 0, NULL },
};

TEST_ROWS(leg, "about a backend's segment", leg_rows)
{
	const struct leg_row *row = row_;
	struct icmp_error sent, e;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t first;
	uint16_t before;

	first = response_under_way(&c, &n, row->v6);
	before = peek_flow(&c).mss;
	sent = error_about(&c, row->type, row->rest, first + row->off, 1448);
	sent.quote_len = row->quote_len;
	r = send_error(&sent);
	expect_no_clones(r);
	EXPECT(peek_flow(&c).mss, row->mss ? row->mss : before);
	EXPECT(peek_flow(&c).owner, 0);
	if (!row->counts) {
		expect_verdict(r, DROP);
		expect_counts(r, "ICMP_BAD");
		return;
	}
	expect_counts(r, row->counts);
	expect_verdict(r, REDIRECT);
	EXPECT(r->out_ifindex, net_ifindex(NET_NODE1));
	EXPECT(r->mark, NET_MARK_BASE + 1);
	expect_error(r, &sent, &e);
	expect_bytes("destination MAC", e.mac_dst, 6, net_peer_mac(NET_NODE1), 6);
	expect_bytes("source MAC", e.mac_src, 6, net_mac(NET_NODE1), 6);
	expect_bytes("destination", &e.dst, 16, &n.addr, 16);
	expect_bytes("quoted source", &e.quoted.src, 16, &n.addr, 16);
	EXPECT(e.quoted.sport, NET_NODE_PORT);
	EXPECT(e.quoted.seq, n.seq - 2 * 1448 + row->off);
	EXPECT(e.rest, row->rest_out);
}

TEST(leg_checksum, "about a backend's segment, wrong checksum")
{
	static uint8_t frame[PACKET_MAX];
	struct icmp_error e;
	struct result *r;
	struct client c;
	struct node n;
	size_t len;

	e = error_about(&c, (struct icmp_type)FRAG_NEEDED, 1400, response_under_way(&c, &n, false),
			1448);
	e = error_about(&c, (struct icmp_type)FRAG_NEEDED, 1400, c.ack, 1448);
	len = icmp_error_build(&e, frame);
	frame[len - 1] ^= 1;
	r = run_frame(UPLINK_INGRESS, frame, len, net_ifindex(NET_UPLINK), 0);
	expect_counts(r, "ICMP_BAD");
	expect_verdict(r, DROP);
	EXPECT(peek_flow(&c).mss, 1460);
}

TEST(leg_then_kernel, "a backend's report: the kernel's next answer fits as well")
{
	static const char rest[sizeof(OK_3000) - 1 + 3000 - 2 * 1448];
	struct icmp_error e;
	uint32_t first;
	struct node n;
	struct client *c = &download.c;

	first = response_under_way(c, &n, false);
	e = error_about(c, (struct icmp_type)FRAG_NEEDED, 1300, first, 1448);
	expect_counts(send_error(&e), "ICMP_MTU");
	c->ack += 2 * 1448;
	node_expect_text(&n, client_ack(c), "");
	e = error_about(c, (struct icmp_type)FRAG_NEEDED, 1200, first, 1448);
	expect_counts(send_error(&e), "ICMP_BAD"); /* acknowledged */
	node_send(&n, TCP_PSH | TCP_ACK, rest, sizeof(rest));
	c->ack += sizeof(rest);
	node_expect_text(&n, client_ack(c), "");
	download_expect(download_ask(GET("/big"), SLOT_BIG, false), 10);
	EXPECT(download.mss, 1248);
	download_run(download_ack(download.sent));
}

TEST(parked, "about what a leg sent before the kernel answered")
{
	struct icmp_error e;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t first;

	client_open(&c, false);
	first = c.ack;
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	e = error_about(&c, (struct icmp_type)FRAG_NEEDED, 1300, first, strlen(OK_5));
	r = send_error(&e);
	expect_verdict(r, DROP);
	expect_counts(r, "ICMP_BAD");
	EXPECT(peek_flow(&c).mss, 1460);
}

TEST(opening, "about the response of a leg that has not answered yet")
{
	struct icmp_error e;
	struct client c;
	struct node n;

	client_open(&c, true);
	node_open(&n, 1, &c, GET("/1/a"));
	e = error_about(&c, (struct icmp_type)TOO_BIG, 1300, c.ack, 100);
	expect_counts(send_error(&e), "ICMP_BAD");
}

struct family_row {
	const char *name;
	bool v6;
};

static const struct family_row family_rows[] = { { "IPv4", false }, { "IPv6", true } };

/* Leg numbers differ from the client's by what is added to the leg's delta here. */
TEST_ROWS(local, "about the segment of a backend in the gateway's own netns", family_rows)
{
	const struct family_row *row = row_;
	struct icmp_error sent, e;
	struct packet answer;
	struct client c;
	struct result *r;
	struct leg leg;

	client_open(&c, row->v6);
	socket_connected(row->v6, &c.vip, ROOM_HERE_PORT, &c.addr, c.port);
	r = client_say(&c, GET("/here/a"));
	socket_close_all();
	expect_verdict(r, NEXT);
	leg = peek_leg(&c, BACKEND_HERE);
	leg.delta_out = 77777;
	leg.resp_pos = leg.told = leg.base_out = leg.snd_max = c.ack - 77777;
	peek_set_leg(&c, BACKEND_HERE, &leg);
	answer = client_packet(&c, TCP_PSH | TCP_ACK, OK_5, strlen(OK_5));
	answer.src = c.vip;
	answer.dst = c.addr;
	answer.sport = ROOM_HERE_PORT;
	answer.dport = c.port;
	answer.seq = c.ack - 77777;
	answer.ack = r->packet.seq + r->packet.len;
	r = run_packet(UPLINK_EGRESS, &answer, NET_UPLINK);
	expect_verdict(r, NEXT);
	EXPECT(r->packet.seq, c.ack);
	sent = error_about(&c, row->v6 ? (struct icmp_type)TOO_BIG : (struct icmp_type)FRAG_NEEDED,
			   1290, c.ack + 7, 500);
	sent.quote_len = 300;
	r = send_error(&sent);
	expect_verdict(r, NEXT);
	expect_counts(r, "ICMP_MTU");
	expect_error(r, &sent, &e);
	expect_bytes("destination MAC", e.mac_dst, 6, sent.mac_dst, 6);
	expect_bytes("source MAC", e.mac_src, 6, sent.mac_src, 6);
	expect_bytes("destination", &e.dst, 16, &c.vip, 16);
	expect_bytes("quoted source", &e.quoted.src, 16, &c.vip, 16);
	EXPECT(e.quoted.sport, ROOM_HERE_PORT);
	EXPECT(e.quoted.seq, answer.seq + 7);
	EXPECT(e.rest, 1290);
}

struct way_row {
	const char *name;
	uint32_t backend;
	int verdict;
	const char *counts;
};

static const struct way_row way_rows[] = {
	{ "no route", BACKEND_LOST, DROP, "ICMP_MTU DROP_NO_ROUTE" },
	{ "neighbour not known", BACKEND_FAR, REDIRECT, "ICMP_MTU" },
};

TEST_ROWS(way, "the way to the backend", way_rows)
{
	const struct way_row *row = row_;
	struct backend b;
	struct icmp_error sent, e;
	struct result *r;
	struct client c;
	struct node n;
	uint32_t first;

	first = response_under_way(&c, &n, false);
	b = room_backend(row->backend);
	room_set_backend(1, &b);
	sent = error_about(&c, (struct icmp_type)FRAG_NEEDED, 1400, first, 1448);
	r = send_error(&sent);
	expect_verdict(r, row->verdict);
	expect_counts(r, row->counts);
	if (row->verdict == REDIRECT) {
		EXPECT(r->out_ifindex, net_ifindex(NET_NODE1));
		expect_error(r, &sent, &e);
	}
}
