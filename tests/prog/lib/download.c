// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A component of many segments on its way to a client.
 */
#include "download.h"
#include "peek.h"

struct download download;

struct result *download_ask(const char *text, uint32_t slot, bool close)
{
	download.first = download.c.ack;
	download.req_seq = download.c.seq;
	download.sent = 0;
	download.close = close;
	download.mss = peek_flow(&download.c).mss - (download.c.has_ts ? 12 : 0);
	download.len = room_answer(slot, close, false, download.wanted, sizeof(download.wanted));
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
	EXPECT(p->ack, download.req_seq);
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
	EXPECT(r->n_clones, n);
	for (i = 0; i < n; i++) {
		const struct packet *p = &r->clones[i].packet;

		check_step("segment %d of %d at %u", i, n, download.sent);
		EXPECT(r->clones[i].dev, NET_UPLINK);
		download_expect_one(p, download.sent);
		if (download.sent + p->len < download.len)
			EXPECT(p->len, download.mss);
		download.sent += p->len;
	}
	check_step("%s", "");
}

struct result *download_ack(uint32_t offset)
{
	download.c.ack = download.first + offset;
	return client_ack(&download.c);
}

void download_run(struct result *r)
{
	uint32_t before = download.sent;

	download_expect(r, r->n_clones);
	while (download.sent < download.len) {
		if (download.sent == before)
			check_fail("segments behind %u: expected some, actual none", before);
		before = download.sent;
		r = download_ack(download.sent);
		download_expect(r, r->n_clones);
	}
}

void download_expect_over(const struct result *r)
{
	client_expect_ack(&download.c, r);
	expect_counts(r, "");
	expect_no_clones(r);
	EXPECT_TRUE(!(peek_flow(&download.c).reply & REPLY_ACTIVE));
}
