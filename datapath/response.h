/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows the responses of the active leg to know when each has ended (RFC 9112, 6.3). Nothing is
 * changed or held back. What cannot be followed is the last of its connection: ending.h.
 */
#ifndef SLUICE_RESPONSE_H
#define SLUICE_RESPONSE_H

#include "ending.h"

#include "http_body.h"
#include "http_response.h"

#define RESPONSE_STEPS 64 /* heads and bodies looked at in one packet */

/* What response_follow() has come to. */
enum follow {
	FOLLOW_ON,
	FOLLOW_UNASKED, /* bytes that nobody asked for */
	FOLLOW_GAP,	/* bytes are missing that must be read first */
};

static __always_inline void response_done(struct flow *f, struct leg *leg)
{
	leg->done++;
	if (leg->done == leg->sent) {
		leg->rphase = RESPONSE_IDLE;
		f->reply = (f->reply & ~REPLY_AWAITED) | REPLY_DONE;
	} else {
		leg->rphase = RESPONSE_HEAD;
	}
}

/* The first response byte of a request that had the leg to itself: moving average, weight 1/8. */
static __always_inline void response_time(const struct run *r, const struct leg *leg)
{
	__u32 id = leg->key.backend, took = (__u32)(r->now_ns / 1000) - leg->asked_us;
	__u32 *average = bpf_map_lookup_elem(&latencies, &id);

	if (average)
		*average = *average ? *average - *average / 8 + took / 8 : took;
}

/* A whole header block is in run.http.resp: how its body ends. */
static __always_inline void response_frame(struct run *r, struct flow *f, struct leg *leg)
{
	const struct http_response *q = &r->http.resp;
	bool head = leg->heads >> (leg->done & (LEG_OUTSTANDING - 1)) & 1;

	if (q->flags & HTTP_RESPONSE_CLOSE)
		leg->flags |= LEG_CLOSE;
	leg->body.left = 0;
	leg->body.phase = 0;
	leg->body.digits = 0;
	leg->body.trailer = 0;
	switch (http_response_framing(q, head)) {
	case RESPONSE_FRAMING_INTERIM:
		break;
	case RESPONSE_FRAMING_NONE:
		response_done(f, leg);
		break;
	case RESPONSE_FRAMING_LENGTH:
		leg->body.left = q->content_length;
		if (leg->body.left)
			leg->rphase = RESPONSE_BODY;
		else
			response_done(f, leg);
		break;
	case RESPONSE_FRAMING_CHUNKED:
		leg->rphase = RESPONSE_CHUNKED;
		break;
	case RESPONSE_FRAMING_CLOSE:
		ending_close(leg);
		break;
	case RESPONSE_FRAMING_UPGRADED:
		ending_pin(f, leg);
		break;
	default:
		ending_lose(leg);
	}
}

/* A header block, or a piece of one, at offset `at` of the payload. Returns bytes used. */
__noinline int response_head(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			     struct leg *leg NONNULL, __u32 at)
{
	__u32 n = r->pkt.payload_len - at, have = 0;
	struct stash *st = NULL;

	if (leg->flags & LEG_HEAD_STASHED) {
		st = stash_get(r, f, leg->stash, STASH_RESPONSE);
		if (!st) {
			ending_lose(leg);
			return n;
		}
		have = st->len;
	}
	if (stash_load(skb, r, st, r->pkt.payload_off + at, n)) {
		ending_lose(leg);
		return n;
	}
	switch (http_response_run(&r->http)) {
	case HTTP_COMPLETE:
		if ((__u16)(leg->done + 1) == leg->sent)
			response_time(r, leg);
		leg->flags &= ~LEG_HEAD_STASHED;
		stash_drop(st, &leg->stash);
		response_frame(r, f, leg);
		return r->http.resp.head_len - have;
	case HTTP_INCOMPLETE:
		if (!have) {
			leg->stash = stash_claim(r, f, 0, STASH_RESPONSE);
			st = stash_get(r, f, leg->stash, STASH_RESPONSE);
			leg->flags |= LEG_HEAD_STASHED;
		}
		if (st && !stash_append(skb, r, st, r->pkt.payload_off + at, n))
			return n;
		break;
	}
	ending_lose(leg);
	return n;
}

/* Bytes of a body at offset `at` of the payload. Returns bytes used. */
__noinline int response_body(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			     struct leg *leg NONNULL, __u32 at)
{
	__u32 n = r->pkt.payload_len - at, used = 0;

	if (leg->rphase == RESPONSE_BODY) {
		used = leg->body.left < n ? leg->body.left : n;
		leg->body.left -= used;
		if (!leg->body.left)
			response_done(f, leg);
		return used;
	}
	switch (http_body_advance(skb, r->pkt.payload_off + at, n, &leg->body, true, &used)) {
	case HTTP_BODY_DONE:
		response_done(f, leg);
		return used;
	case HTTP_BODY_MORE:
		return used;
	}
	ending_lose(leg);
	return n;
}

/* The packet begins behind resp_pos: bytes of it have been lost, or overtaken. The end of a body of
 * known length is found by position all the same. 0 or -1. */
static __always_inline int response_gap(struct flow *f, struct leg *leg, __u32 gap)
{
	if (leg->rphase != RESPONSE_BODY || leg->body.left < gap)
		return -1;
	leg->body.left -= gap;
	leg->resp_pos += gap;
	if (!leg->body.left)
		response_done(f, leg);
	return 0;
}

/* Follows the packet's payload. Returns enum follow. */
static __always_inline int response_follow(struct __sk_buff *skb, struct run *r, struct flow *f,
					   struct leg *leg)
{
	struct pkt *p = &r->pkt;
	__u32 steps = 0;

	if (seq_after(p->seq, leg->resp_pos) && leg->rphase < RESPONSE_CLOSE &&
	    response_gap(f, leg, p->seq - leg->resp_pos))
		return FOLLOW_GAP;
	while (steps++ < RESPONSE_STEPS && can_loop) {
		__u32 at = leg->resp_pos - p->seq;

		if ((__s32)at < 0 || at >= p->payload_len)
			return FOLLOW_ON;
		switch (leg->rphase) {
		case RESPONSE_IDLE:
			return FOLLOW_UNASKED;
		case RESPONSE_HEAD:
			leg->resp_pos += response_head(skb, r, f, leg, at);
			break;
		case RESPONSE_BODY:
		case RESPONSE_CHUNKED:
			leg->resp_pos += response_body(skb, r, f, leg, at);
			break;
		default:
			leg->resp_pos = p->seq + p->payload_len;
		}
	}
	ending_lose(leg);
	return FOLLOW_ON;
}

#endif
