// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The clock of long answers: round-trip samples and timeouts (RFC 6298), probes (RFC 8985, 7), what
 * the program `kick` does for a timer that has run out, and the timer itself.
 */
#include <string.h>

#include "download.h"
#include "peek.h"

#define GET_CLOSE "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define UNIT (1ULL << RTT_SHIFT)
#define MS 1000000ULL

static void set_rtt(uint16_t srtt, uint16_t rttvar)
{
	struct flow f = peek_flow(&download.c);

	f.srtt = srtt;
	f.rttvar = rttvar;
	peek_set_flow(&download.c, &f);
}

/* Ten segments are under way; the round trip is 1000 units, 131 ms, with a variance of `rttvar`. */
static void begin(const char *text, uint32_t slot, uint16_t rttvar)
{
	client_open(&download.c, false);
	set_rtt(1000, rttvar);
	download_expect(download_ask(text, slot, false), 10);
}

/* The timer's kick, long after the deadline, and `ns` of waiting for the next. */
static struct result *kick_expect(uint64_t ns)
{
	uint64_t before, after, deadline;
	struct result *r;

	download_wait(1000);
	before = peek_now();
	r = download_kick();
	after = peek_now();
	expect_verdict(r, DROP);
	deadline = peek_sender(&download.c).deadline_ns;
	EXPECT_TRUE(deadline >= before + ns);
	EXPECT_TRUE(deadline <= after + ns);
	return r;
}

TEST(not_due, "a kick before its time: nothing")
{
	struct result *r;
	struct sender s;

	begin(GET("/big"), SLOT_BIG, 100);
	s = peek_sender(&download.c);
	s.deadline_ns = peek_now() + 3600000 * MS;
	peek_set_sender(&download.c, &s);
	r = download_kick();
	expect_verdict(r, DROP);
	expect_counts(r, "");
	expect_no_clones(r);
	EXPECT(peek_sender(&download.c).deadline_ns, s.deadline_ns);
	s.deadline_ns = 0; /* nothing has to be sent, ever */
	peek_set_sender(&download.c, &s);
	expect_no_clones(download_kick());
}

/* RFC 8985, 7.3: new data where there is some, whatever the congestion window says. */
TEST(probe_new, "the first kick: a new segment; the second: a timeout")
{
	struct result *r;
	struct flow f;

	begin(GET("/huge"), SLOT_HUGE, 100);
	r = kick_expect(1000 * UNIT + 200 * MS); /* the RTO: its variance is 200 ms at least */
	expect_counts(r, "PROBES");
	DOWNLOAD_SEGMENTS(r, 10);
	f = peek_flow(&download.c);
	EXPECT(f.cwnd, CWND_INITIAL);
	EXPECT_TRUE(!(f.flags & FLOW_RECOVERY));
	r = kick_expect(2 * (1000 * UNIT + 200 * MS));
	expect_counts(r, "PROBES RESENT");
	DOWNLOAD_SEGMENTS(r, 0);
	f = peek_flow(&download.c);
	EXPECT(f.cwnd, CWND_UNIT);
	EXPECT(f.ssthresh, 5 * CWND_UNIT);
	EXPECT_TRUE(f.flags & FLOW_RECOVERY);
}

/* RFC 8985, 7.3 and 7.4 */
TEST(probe_tail, "the first kick with nothing new: the last segment; the tail is lost and comes")
{
	uint16_t before;
	struct result *r;
	struct flow f;

	begin(GET("/big"), SLOT_BIG, 100);
	download_expect(download_ack(9 * DOWNLOAD_MSS), 0);
	set_rtt(1000, 100);
	r = kick_expect(1000 * UNIT + 200 * MS);
	expect_counts(r, "PROBES RESENT");
	DOWNLOAD_SEGMENTS(r, 9);
	f = peek_flow(&download.c);
	EXPECT_TRUE(!(f.flags & FLOW_RECOVERY));
	before = f.cwnd;
	download_expect_over(download_ack(download.len));
	f = peek_flow(&download.c);
	EXPECT(f.ssthresh, before * 7 / 10); /* that it came after the probe was a loss */
	EXPECT_TRUE(f.cwnd < before * 7 / 10 + CWND_UNIT);
}

TEST(probe_idle, "the probe was not needed: D-SACK says so, the window stays")
{
	uint32_t edges[2];
	struct packet p;
	struct flow f;

	begin(GET("/big"), SLOT_BIG, 100);
	download_expect(download_ack(9 * DOWNLOAD_MSS), 0);
	f = peek_flow(&download.c);
	download_wait(1000);
	DOWNLOAD_SEGMENTS(download_kick(), 9);
	download.c.ack = download.first + download.len;
	p = client_packet(&download.c, TCP_ACK, NULL, 0);
	edges[0] = download.first + 9 * DOWNLOAD_MSS;
	edges[1] = download.first + download.len;
	packet_option_sack(&p, edges, 2);
	download_expect_over(client_run(&p));
	EXPECT(peek_flow(&download.c).cwnd, f.cwnd);
	EXPECT(peek_flow(&download.c).ssthresh, f.ssthresh);
}

/* RFC 8985, 7.3: the end of what is under way shows all holes before it. */
TEST(probe_reports, "a whole window but its tail is lost: the probe's SACK starts the repair")
{
	struct packet p;
	uint32_t edges[2];

	begin(GET("/big"), SLOT_BIG, 100);
	download_wait(1000);
	DOWNLOAD_SEGMENTS(download_kick(), 9);
	p = client_packet(&download.c, TCP_ACK, NULL, 0);
	edges[0] = download.first + 9 * DOWNLOAD_MSS;
	edges[1] = download.first + download.len;
	packet_option_sack(&p, edges, 2);
	client_run(&p);
	EXPECT(peek_sender(&download.c).sacked, 1 << 9);
	download_wait(1000);
	DOWNLOAD_SEGMENTS(download_kick(), 0);
}

/* RFC 6298, 5.5 and 5.7 */
TEST(backoff, "timeouts in a row: the wait doubles, up to 32 times; an ACK ends that")
{
	uint64_t rto = 1000 * UNIT + 4 * 1000 * UNIT;
	struct result *r;
	int i;

	begin(GET("/big"), SLOT_BIG, 1000);
	kick_expect(rto);
	for (i = 1; i <= 8; i++) {
		check_step("timeout %d", i);
		set_rtt(1000, 1000);
		r = kick_expect(rto << (i < 5 ? i : 5));
		expect_counts(r, "PROBES RESENT");
		DOWNLOAD_SEGMENTS(r, 0);
		EXPECT(peek_flow(&download.c).cwnd, CWND_UNIT);
		/* Held, RFC 5681, 3.1. */
		EXPECT(peek_flow(&download.c).ssthresh, CWND_INITIAL / 2);
	}
	download_ack(DOWNLOAD_MSS);
	EXPECT(peek_sender(&download.c).backoff, 0);
	set_rtt(1000, 1000);
	kick_expect(rto); /* a probe again */
	EXPECT(peek_sender(&download.c).flags & SENDER_PROBED, SENDER_PROBED);
}

TEST(no_sample, "no round trip was measured: one second (RFC 6298, 2.1)")
{
	client_open(&download.c, false);
	set_rtt(0, 0);
	download_expect(download_ask(GET("/big"), SLOT_BIG, false), 10);
	kick_expect(1000 * MS);
	kick_expect(2000 * MS);
}

#define TICK (1ULL << 22) /* timers fire on a grid */

/* RFC 8985, 7.2 */
struct probe_row {
	const char *name;
	int acked;
	uint16_t rttvar;
	uint64_t wait;
};

static const struct probe_row probe_rows[] = {
	{ "several segments: two round trips", 1, 1000, 2000 * UNIT + 8 * MS },
	{ "one segment: its ACK may be delayed", 9, 1000, 2000 * UNIT + 58 * MS },
	{ "never later than the timeout", 9, 0,
	  1000 * UNIT + 200 * MS < 2000 * UNIT + 58 * MS ? 1000 * UNIT + 200 * MS :
							   2000 * UNIT + 58 * MS },
};

TEST_ROWS(probe_timeout, "the wait for a probe", probe_rows)
{
	const struct probe_row *row = row_;
	uint64_t before, after, deadline;
	struct sender s;

	begin(GET("/big"), SLOT_BIG, row->rttvar);
	s = peek_sender(&download.c);
	s.timed_ns = 0;		 /* no sample */
	s.fires_ns = UINT64_MAX; /* too late: it must be set again */
	peek_set_sender(&download.c, &s);
	before = peek_now();
	download.c.window++; /* even where the ACK lets nothing out */
	download_expect(download_ack(row->acked * DOWNLOAD_MSS), 0);
	after = peek_now();
	s = peek_sender(&download.c);
	deadline = s.deadline_ns;
	EXPECT_TRUE(deadline >= before + row->wait);
	EXPECT_TRUE(deadline <= after + row->wait);
	EXPECT(s.fires_ns % TICK, 0);
	EXPECT_TRUE(s.fires_ns > deadline);
	EXPECT_TRUE(s.fires_ns <= deadline + TICK);
}

/* What RFC 6298, 2.3 makes of a sample between the two. */
static void expect_srtt(uint16_t old, uint64_t low_ns, uint64_t high_ns)
{
	uint16_t srtt = peek_flow(&download.c).srtt;

	EXPECT_TRUE(srtt >= (7 * old + (low_ns >> RTT_SHIFT)) / 8);
	EXPECT_TRUE(srtt <= (7 * old + (high_ns >> RTT_SHIFT) + 7) / 8);
}

TEST(sample, "a round trip is measured: RFC 6298, 2.3")
{
	uint64_t sent, before;
	struct sender s;
	struct flow f;

	begin(GET("/huge"), SLOT_HUGE, 300);
	s = peek_sender(&download.c);
	EXPECT(s.timed, download.first + DOWNLOAD_MSS); /* the first segment is timed */
	sent = s.timed_ns = peek_now() - 400 * MS;
	peek_set_sender(&download.c, &s);
	before = peek_now();
	download_expect_new(download_ack(DOWNLOAD_MSS));
	expect_srtt(1000, before - sent, peek_now() - sent);
	f = peek_flow(&download.c);
	EXPECT_TRUE(f.rttvar > (3 * 300 + 2000) / 4);		  /* 400 ms differ by 2051 units */
	EXPECT_TRUE(peek_sender(&download.c).timed_ns >= before); /* of what was sent now */
}

TEST(karn, "what was sent twice measures nothing (RFC 6298, 3)")
{
	struct flow f;

	begin(GET("/huge"), SLOT_HUGE, 300);
	DOWNLOAD_SEGMENTS(DOWNLOAD_SACK(0, 1, 5), 0, 10);
	EXPECT(peek_sender(&download.c).timed,
	       download.first + 11 * DOWNLOAD_MSS); /* the new one */
	download_ack(10 * DOWNLOAD_MSS);
	f = peek_flow(&download.c);
	EXPECT(f.srtt, 1000);
	EXPECT(f.rttvar, 300);
}

TEST(karn_probe, "the probe that repeats the tail measures nothing")
{
	begin(GET("/big"), SLOT_BIG, 300);
	download_wait(1000);
	DOWNLOAD_SEGMENTS(download_kick(), 9);
	download_expect_over(download_ack(download.len));
	EXPECT(peek_flow(&download.c).srtt, 1000);
}

TEST(first_sample, "the handshake's timestamp echo is the first sample (RFC 6298, 2.2)")
{
	uint64_t before;
	struct flow f;

	client_init(&download.c, false);
	client_syn(&download.c);
	download.c.tsecr -= 300;
	before = peek_now() / MS - download.c.tsecr;
	client_ack(&download.c);
	f = peek_flow(&download.c);
	EXPECT_TRUE(f.srtt >= (before * MS) >> RTT_SHIFT);
	EXPECT_TRUE(f.srtt <= ((peek_now() / MS - download.c.tsecr) * MS) >> RTT_SHIFT);
	EXPECT(f.rttvar, f.srtt / 2);
	client_init(&download.c, false); /* with data: it may have waited for it */
	client_syn(&download.c);
	client_say(&download.c, GET("/small"));
	EXPECT(peek_flow(&download.c).srtt, 0);
}

/* RFC 9293, 3.8.6.1 */
TEST(window_probe, "a closed window: an old number, less and less often; it opens")
{
	uint64_t rto = 1000 * UNIT + 200 * MS;
	struct result *r;
	int i;

	begin(GET("/huge"), SLOT_HUGE, 10);
	download.c.window = 0;
	download_expect(download_ack(10 * DOWNLOAD_MSS), 0);
	for (i = 1; i < 4; i++) {
		set_rtt(1000, 10);
		r = kick_expect(rto << i);
		expect_counts(r, "PROBES");
		EXPECT(r->n_clones, 1);
		EXPECT(r->clones[0].packet.seq, download.first + 10 * DOWNLOAD_MSS - 1);
		EXPECT(r->clones[0].packet.ack, download.req_ack);
		EXPECT(r->clones[0].packet.flags, TCP_ACK);
		EXPECT(r->clones[0].packet.len, 0);
	}
	download.c.window = 8192;
	r = download_ack(10 * DOWNLOAD_MSS);
	EXPECT_TRUE(r->n_clones >= 10);
	download_run(r);
	download_expect_over(download_ack(download.len));
}

TEST(give_up, "no progress for a minute: RST, the flow is closed")
{
	struct result *r;

	begin(GET("/big"), SLOT_BIG, 100);
	download_wait(59000);
	DOWNLOAD_SEGMENTS(download_kick(), 9);
	download_wait(61000);
	r = download_kick();
	expect_verdict(r, DROP);
	EXPECT(r->n_clones, 1);
	EXPECT(r->clones[0].packet.flags, TCP_RST | TCP_ACK);
	EXPECT(r->clones[0].packet.seq, download.first + download.len);
	EXPECT(peek_flow(&download.c).state, FLOW_CLOSED);
	r = download_kick();
	expect_no_clones(r);
}

TEST(fin_only, "nothing but the FIN is missing: it is sent again, alone")
{
	struct result *r;
	int i;

	client_open(&download.c, false);
	set_rtt(1000, 100);
	download_expect(download_ask(GET_CLOSE, SLOT_BIG, true), 10);
	download_expect(download_ack(download.len), 0);
	for (i = 0; i < 3; i++) {
		download_wait(1000);
		r = download_kick();
		EXPECT(r->n_clones, 1);
		EXPECT(r->clones[0].packet.len, 0);
		EXPECT(r->clones[0].packet.seq, download.first + download.len);
		EXPECT(r->clones[0].packet.flags & TCP_FIN, TCP_FIN);
	}
	download_expect(download_ack(download.len + 1), 0);
	EXPECT_TRUE(!(peek_flow(&download.c).reply & REPLY_ACTIVE));
	expect_no_clones(download_kick());
}
