// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A component of many segments on its way to a client.
 */
#include <string.h>

#include "download.h"
#include "peek.h"

struct download download;

struct result *download_ask(const char *text, uint32_t slot, bool close)
{
	uint32_t window;

	download.first = download.c.ack;
	download.sent = 0;
	download.close = close;
	download.mss = peek_flow(&download.c).mss - (download.c.has_ts ? 12 : 0);
	download.len = room_answer(slot, close, false, download.wanted, sizeof(download.wanted));
	window = (uint32_t)download.c.window << peek_flow(&download.c).wscale;
	download.is_held = !room_kicks_are_served() &&
			   (download.len > download.mss || download.len > window);
	download.req_ack = download.c.seq + (download.is_held ? 0 : strlen(text));
	return client_say(&download.c, text);
}

struct result *download_begin(bool v6, const char *text, uint32_t slot, bool close)
{
	client_open(&download.c, v6);
	return download_ask(text, slot, close);
}

void download_expect_one(const struct packet *p, uint32_t offset)
{
	uint32_t left = download.len - offset;
	bool last;

	EXPECT(p->seq, download.first + offset);
	EXPECT(p->ack, download.req_ack);
	EXPECT_TRUE(p->len <= download.mss);
	EXPECT_TRUE(p->len <= left);
	expect_bytes("segment", p->payload, p->len, download.wanted + offset, p->len);
	last = p->len == left;
	EXPECT(p->flags, TCP_ACK | (last ? TCP_PSH : 0) | (last && download.close ? TCP_FIN : 0));
	EXPECT(p->window, download.c.wscale == CLIENT_NO_WSCALE ? 64240 : 64240 >> 7);
}

void download_expect(const struct result *r, int n)
{
	int i;

	expect_verdict(r, DROP);
	for (i = 0; i < n; i++) {
		if (i == r->n_clones)
			check_fail("segments: expected %d, actual %d", n, i);
		const struct packet *p = &r->clones[i].packet;

		check_step("segment %d of %d at %u", i, n, download.sent);
		EXPECT(r->clones[i].dev, NET_UPLINK);
		download_expect_one(p, download.sent);
		if (download.sent + p->len < download.len)
			EXPECT(p->len, download.mss);
		download.sent += p->len;
	}
	check_step("%s", "");
	if (n && download.is_held && download.sent == download.len) {
		EXPECT(r->n_clones, n + 1);
		download_expect_one(&r->clones[n].packet,
				    r->clones[n - 1].packet.seq - download.first);
		return;
	}
	EXPECT(r->n_clones, n);
}

void download_expect_segments(const struct result *r, const int *segments, int n)
{
	const struct packet *p;
	int i;

	for (i = 0; i < n; i++) {
		check_step("segment %d of %d", i, n);
		if (i == r->n_clones)
			check_fail("expected number %d, actual none", segments[i]);
		p = &r->clones[i].packet;
		EXPECT((p->seq - download.first) / download.mss, segments[i]);
		download_expect_one(p, segments[i] * download.mss);
		if (p->seq + p->len - download.first > download.sent)
			download.sent = p->seq + p->len - download.first;
	}
	check_step("%s", "");
	EXPECT(r->n_clones, n);
}

/* What fills a hole is the latest transmission (RFC 7323, 4.3): its timestamp comes back. */
static void move_ack(uint32_t ack)
{
	if (ack != download.c.ack)
		download.c.tsecr = peek_now() / 1000000;
	download.c.ack = ack;
}

struct result *download_sack(int segment, const int *edges, int n)
{
	struct packet p;
	uint32_t seqs[8];
	int i;

	move_ack(download.first + segment * download.mss);
	p = client_packet(&download.c, TCP_ACK, NULL, 0);
	for (i = 0; i < n; i++)
		seqs[i] = download.first + edges[i] * (int)download.mss;
	packet_option_sack(&p, seqs, n);
	return client_run(&p);
}

void download_open_without_sack(bool v6)
{
	client_init(&download.c, v6);
	download.c.sack_ok = false;
	client_connect(&download.c);
}

struct result *download_ack(uint32_t offset)
{
	move_ack(download.first + offset);
	return client_ack(&download.c);
}

struct result *download_ack_of_original(uint32_t offset)
{
	struct sender s = peek_sender(&download.c);

	s.entered_ms = download.c.tsecr + 1;
	peek_set_sender(&download.c, &s);
	download.c.ack = download.first + offset;
	return client_ack(&download.c);
}

void download_wait(uint32_t ms)
{
	struct sender s = peek_sender(&download.c);

	s.deadline_ns = s.deadline_ns ? 1 : 0;
	s.progress_ns = peek_now() - ms * 1000000ULL;
	peek_set_sender(&download.c, &s);
}

struct result *download_kick(void)
{
	struct flow f = peek_flow(&download.c);

	return run_kick(peek_flow_slot(&download.c), f.gen, download.c.v6);
}

void download_expect_new(const struct result *r)
{
	const struct clone *last = &r->clones[r->n_clones - 1];
	bool is_twice = download.is_held && r->n_clones > 1 &&
			last->packet.seq == last[-1].packet.seq;

	download_expect(r, r->n_clones - is_twice);
}

void download_run(struct result *r)
{
	uint32_t before = download.sent;

	download_expect_new(r);
	while (download.sent < download.len) {
		if (download.sent == before)
			check_fail("segments behind %u: expected some, actual none", before);
		before = download.sent;
		r = download_ack(download.sent);
		download_expect_new(r);
	}
}

void download_expect_over(const struct result *r)
{
	if (download.is_held)
		client_expect_ack(&download.c, r);
	else
		expect_verdict(r, DROP);
	expect_counts(r, "");
	expect_no_clones(r);
	EXPECT_TRUE(!(peek_flow(&download.c).reply & REPLY_ACTIVE));
}
