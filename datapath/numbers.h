/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which segments of a client are believed at all, before anything of the flow changes: those that
 * lie in the window and acknowledge nothing that was never sent (RFC 9293, 3.10.7.4; RFC 5961, 5),
 * and whose timestamp is no older than the last one (RFC 7323, 5.3). For a leg its own TCP would
 * find the same, but the parser sees the bytes before it.
 */
#ifndef SLUICE_NUMBERS_H
#define SLUICE_NUMBERS_H

#include "leg.h"
#include "segment.h"

/* Looked at besides the window: what was taken may be repeated, or overtaken by what came later. */
#define NUMBERS_SLACK WINDOW_BYTES

enum numbers {
	NUMBERS_GOOD,
	NUMBERS_CHALLENGE, /* answered with an ACK */
	NUMBERS_DROP,
};

/* What the client may acknowledge. */
static __always_inline __u32 numbers_snd_max(const struct flow *f, const struct leg *leg)
{
	return leg ? leg->snd_max + leg->delta_out : f->snd_nxt;
}

/* Judges the packet and, if it is good, takes its timestamp over. Returns enum numbers. */
__noinline int numbers_check(struct run *r NONNULL, struct flow *f NONNULL)
{
	struct leg *leg = leg_of(r, f, f->active);
	__u32 acked = f->rcv_nxt, window = WINDOW_BYTES, back;
	struct pkt *p = &r->pkt;

	if (leg) {
		__u32 edge = leg->edge + leg->delta_in - f->rcv_nxt;

		if ((__s32)edge > WINDOW_BYTES)
			window = edge;
		if (f->phase != REQUEST_HEAD && f->phase != REQUEST_QUEUED)
			acked = leg->acked + leg->delta_in;
	}
	back = f->rcv_nxt - acked + NUMBERS_SLACK;
	if (p->seq - f->rcv_nxt + back > back + window ||
	    numbers_snd_max(f, leg) - p->ack > 2 * (0xffffU << (f->wscale & 15))) {
		count(STAT_DROP_WINDOW);
		return NUMBERS_CHALLENGE;
	}
	if (!p->has_ts)
		return NUMBERS_GOOD;
	if (seq_before(p->tsval, f->ts_recent) && f->flags & FLOW_TS) {
		if (p->payload_len || p->flags & TCP_FIN) {
			count(STAT_DROP_PAWS);
			return NUMBERS_CHALLENGE;
		}
		/* ACKs that have overtaken each other: the later one has said it all. */
		return leg ? NUMBERS_GOOD : NUMBERS_DROP;
	}
	/* RFC 7323, 4.3: only a segment that covers the last ACK sent moves TS.Recent. */
	if (!seq_after(p->seq, acked))
		f->ts_recent = p->tsval;
	return NUMBERS_GOOD;
}

#endif
