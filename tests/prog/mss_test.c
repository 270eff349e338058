// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever MSS a SYN announces: no segment of an answer is larger, none is larger than the links
 * take, and Node's socket is told the same.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "download.h"
#include "peek.h"
#include "socket.h"
#include "wire.h"

#define MSS_MIN 88
#define MSS_MAX 9000
#define STRIDE 11

struct mss_row {
	const char *name;
	bool v6, has_ts;
	uint16_t mtu;
};

static const struct mss_row mss_rows[] = {
	{ "IPv4", false, false, 1500 },
	{ "IPv4, timestamps", false, true, 1500 },
	{ "IPv4, MTU 1400", false, true, 1400 },
	{ "IPv4, MTU 576", false, true, 576 },
	{ "IPv4, MTU 9000", false, false, 9000 },
	{ "IPv4, MTU 9000, timestamps", false, true, 9000 },
	{ "IPv6", true, false, 1500 },
	{ "IPv6, timestamps", true, true, 1500 },
	{ "IPv6, MTU 1280", true, true, 1280 },
	{ "IPv6, MTU 9000", true, false, 9000 },
	{ "IPv6, MTU 9000, timestamps", true, true, 9000 },
};

/* What a cookie can keep; the values of cookie.h. */
static const uint16_t kept[] = { 88, 256, 536, 1220, 1300, 1440, 1460, 8900 };

static uint16_t rounded_down(uint16_t mss)
{
	uint16_t best = 0;
	size_t i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i] <= mss)
			best = kept[i];
	return best;
}

static void expect_segments(const struct mss_row *row, uint16_t mss)
{
	uint16_t largest = row->mtu - (row->v6 ? 60 : 40), wanted = rounded_down(mss);
	struct client *c = &download.c;
	struct result *r;
	int i;

	check_step("MSS %d", mss);
	client_init(c, row->v6);
	c->has_ts = row->has_ts;
	c->mss = mss;
	r = client_syn(c);
	EXPECT(r->packet.mss, largest);
	client_ack(c);
	if (wanted > largest)
		wanted = largest;
	EXPECT(peek_flow(c).mss, wanted);
	r = download_ask(GET("/huge"), SLOT_HUGE, false);
	EXPECT_TRUE(r->n_clones > 7);
	for (i = 0; i < r->n_clones; i++) {
		uint32_t len = r->clones[i].packet.len + r->clones[i].packet.options_len;

		EXPECT_TRUE(len <= mss);
		EXPECT_TRUE(len <= largest);
		if (i < 7) /* nor are they smaller than need be */
			EXPECT(len, wanted);
	}
	client_send(c, TCP_RST, NULL, 0); /* its entry is free for another */
	run_forget();
}

TEST_ROWS(segments, "MSS and segments", mss_rows)
{
	const struct mss_row *row = row_;
	uint32_t mss;
	size_t i;

	room_uplink_mtu(row->mtu);
	for (mss = MSS_MIN; mss <= MSS_MAX; mss += STRIDE)
		expect_segments(row, mss);
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (kept[i] > MSS_MIN)
			expect_segments(row, kept[i] - 1);
		expect_segments(row, kept[i]);
		expect_segments(row, kept[i] + 1);
	}
}

/* Largest segment, options included, of the child that a hand-over makes. */
static uint32_t child_mss(int listener)
{
	struct pollfd wait = { .fd = listener, .events = POLLIN };
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	int fd;

	if (poll(&wait, 1, 2000) != 1)
		check_fail("connection: expected one, actual none");
	fd = accept(listener, NULL, NULL);
	if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len))
		check_die("TCP_INFO: %s", strerror(errno));
	close(fd);
	return info.tcpi_snd_mss + (info.tcpi_options & TCPI_OPT_TIMESTAMPS ? 12 : 0);
}

/* The kernel makes no child with an MSS below these (bpf_sk_assign_tcp_reqsk). */
static uint32_t child_min(bool v6)
{
	return v6 ? 1220 : 536;
}

TEST_ROWS(child, "MSS of Node's socket", mss_rows)
{
	const struct mss_row *row = row_;
	int listener = socket_listen(row->v6, ROOM_HERE_PORT, 1);
	uint32_t largest = row->mtu - (row->v6 ? 60 : 40), wanted;
	struct packet p;
	struct client c;
	size_t i;

	room_uplink_mtu(row->mtu);
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		check_step("MSS %d", kept[i] + 30);
		client_init(&c, row->v6);
		c.has_ts = row->has_ts;
		c.mss = kept[i] + 30;
		client_connect(&c);
		wanted = rounded_down(c.mss);
		wanted = wanted > largest ? largest : wanted;
		p = client_packet(&c, TCP_PSH | TCP_ACK, GET("/here/a"), strlen(GET("/here/a")));
		if (wanted < child_min(row->v6)) {
			EXPECT(client_run(&p)->counts[STAT_ERROR_MSS], 1);
			continue;
		}
		wire_attach(UPLINK_INGRESS, NET_UPLINK, false);
		wire_send(&p, NET_UPLINK, false, true, 0);
		EXPECT(child_mss(listener), wanted);
		wire_detach();
		net_flush();
	}
	socket_close_all();
}
