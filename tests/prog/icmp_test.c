// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMP errors about the kernel's answers: a smaller path MTU makes them go on in smaller segments;
 * what quotes no segment under way changes nothing (RFC 1191, RFC 8201, RFC 5927).
 */
#include <string.h>

#include "download.h"
#include "family.h"
#include "icmp_error.h"
#include "peek.h"

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
	struct icmp_error_type type;
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
		EXPECT(r->clones[i].packet.len,
		       download.len - at < download.mss ? download.len - at : download.mss);
		at += r->clones[i].packet.len;
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
	e = icmp_error_about(&download.c, row->type, row->mtu, download.first + row->off,
			     download.mss);
	r = icmp_error_send(&e);
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
		e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 1300,
				     download.first + i * DOWNLOAD_MSS, DOWNLOAD_MSS);
		r = icmp_error_send(&e);
		EXPECT(r->counts[i ? STAT_ICMP_IGNORED : STAT_ICMP_MTU], 1);
		if (i)
			expect_no_clones(r);
		else
			expect_resent(r, 1260);
	}
	e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 1200, download.first,
			     1248);
	expect_resent(icmp_error_send(&e), 1160); /* a second bottleneck, behind the first */
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
	download.req_ack = c->seq;
	download.len =
		room_answer(SLOT_SMALL, false, false, download.wanted, sizeof(download.wanted));
	client_expect_object(c, r, SLOT_SMALL, false, false);
	e = icmp_error_about(c, (struct icmp_error_type)FRAG_NEEDED, 600, download.first,
			     download.len);
	expect_resent(icmp_error_send(&e), 560);
	while (download.sent < download.len) {
		r = download_ack(download.sent);
		EXPECT(r->n_clones, 1);
		download_expect_one(&r->clones[0].packet, download.sent);
		download.sent += r->clones[0].packet.len;
	}
	download_ack(download.len);
	e = icmp_error_about(c, (struct icmp_error_type)FRAG_NEEDED, 500, download.first,
			     download.len);
	r = icmp_error_send(&e);
	expect_counts(r, "ICMP_BAD"); /* all of it is acknowledged */
	EXPECT(peek_flow(c).mss, 560);
}

TEST(mtu_idle, "nothing under way: no number is right")
{
	struct icmp_error e;
	struct client c;
	uint32_t isn;

	client_init(&c, false);
	client_connect_near(&c, 0x12345678,
			    0xd0000000); /* `recover` is 0 before the first answer */
	isn = c.ack;
	e = icmp_error_about(&c, (struct icmp_error_type)FRAG_NEEDED, 1300, isn, 100);
	expect_counts(icmp_error_send(&e), "ICMP_BAD");
	e.quoted.seq = isn - 1;
	expect_counts(icmp_error_send(&e), "ICMP_BAD");
	e.quoted.seq = isn + 1000;
	expect_counts(icmp_error_send(&e), "ICMP_BAD");
	EXPECT(peek_flow(&c).mss, 1460);
}

TEST(mtu_over, "a connection that the client has ended, and one that has expired")
{
	static uint8_t frame[PACKET_MAX];
	struct icmp_error e;
	struct flow flow;
	size_t len;

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 1300, download.first,
			     100);
	client_send(&download.c, TCP_RST, NULL, 0);
	EXPECT(peek_flow(&download.c).state, FLOW_CLOSED);
	expect_counts(icmp_error_send(&e), "ICMP_BAD");
	EXPECT(peek_flow(&download.c).mss, 1460);

	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
	flow = peek_flow(&download.c);
	flow.seen -= PEEK_SECONDS(7300);
	peek_set_flow(&download.c, &flow);
	e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 1300, download.first,
			     100);
	len = icmp_error_build(&e, frame);
	expect_untouched(icmp_error_send(&e), frame, len);
}

TEST_ROWS(cut, "a frame that ends too early", family_rows)
{
	const struct family_row *row = row_;
	static uint8_t frame[PACKET_MAX];
	struct icmp_error e;
	struct result *r;
	size_t len, n;

	download_expect(download_begin(row->v6, GET("/huge"), SLOT_HUGE, false), 10);
	e = icmp_error_about(&download.c, (struct icmp_error_type){ row->v6 ? 3 : 11, 0 }, 0,
			     download.first, 100);
	len = icmp_error_build(&e, frame);
	for (n = packet_l4(row->v6); n <= len; n++) {
		check_step("%zu of %zu bytes", n, len);
		expect_counts(icmp_error_send(&e), "ICMP_IGNORED"); /* what a run leaves behind */
		r = run_frame(UPLINK_INGRESS, frame, n, net_ifindex(NET_UPLINK), 0);
		if (n < len)
			expect_untouched(r, frame, n);
		else
			expect_counts(r, "ICMP_IGNORED");
	}
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
		e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 0,
				     download.first, plateau_rows[i][0] - 12);
		expect_resent(icmp_error_send(&e), plateau_rows[i][1] - 40);
	}
	e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 0, download.first,
			     88 - 12);
	expect_counts(icmp_error_send(&e), "ICMP_IGNORED");
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
	e = icmp_error_about(&download.c,
			     row->v6 ? (struct icmp_error_type)TOO_BIG :
				       (struct icmp_error_type)FRAG_NEEDED,
			     1300, download.first, download.mss);
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
		e = icmp_error_about(&download.c, (struct icmp_error_type)FRAG_NEEDED, 1500,
				     download.first, DOWNLOAD_MSS);
		e.quote_len = len;
		r = icmp_error_send(&e);
		expect_counts(r, "ICMP_IGNORED");
		run_forget();
	}
}
