/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's bytes: where requests begin and end, and where each of them goes. A packet is
 * scanned from flow.rcv_nxt on; run.cursor ends behind what was accepted. What is not accepted is
 * repeated by the client. Bytes of a body are never read as a request.
 */
#ifndef SLUICE_SCAN_H
#define SLUICE_SCAN_H

#include "batch.h"
#include "decide.h"
#include "redirect.h"
#include "request.h"

#include "http_body.h"

#define REQUESTS_PER_PACKET 16

/* The answer of a redirect to the request's own path. Returns enum scan; SCAN_GO: made. */
static __always_inline int request_redirect(struct run *r, struct flow *f)
{
	switch (redirect_make(r, f)) {
	case REDIRECT_MADE:
		return SCAN_GO;
	case REDIRECT_LONG:
		return request_error(r, f, CANNED_414, STAT_ERROR_400);
	}
	count(STAT_STASH_FULL);
	return SCAN_STOP;
}

/* Where the whole request in run.http goes. */
static __always_inline int request_decide(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	const struct http_request *q = &r->http.req;
	__u32 reason = route_lookup(r, r->default_pool);
	bool last;
	int made;

	if (q->flags & HTTP_FORWARDED && !request_may_claim(f))
		reason = STAT_FORWARDED;
	if (reason == STAT_FORWARDED || reason == STAT_ERROR_FORM)
		return request_error(r, f, CANNED_400, reason);
	/* A client of HTTP/1.0 would need `Connection: keep-alive` in the answer (RFC 9112, C.2.2).
	 */
	last = r->pkt.flags & TCP_FIN && r->cursor + q->head_len - r->stashed == r->pkt.payload_len;
	r->reply_flags = (q->method == HTTP_HEAD ? REPLY_HEAD : 0) |
			 (q->flags & HTTP_KEEP_ALIVE && q->minor && !last ? 0 : REPLY_CLOSE);
	reason = decide_target(r, reason);
	if (reason == STAT_HIT || reason == STAT_CANNED) {
		if (r->batch ? reason != STAT_HIT || batch_add(r, f) : !request_may_switch(r, f))
			return request_early();
		made = r->target.kind == TARGET_REDIRECT ? request_redirect(r, f) : SCAN_GO;
		if (made != SCAN_GO)
			return made;
		count(STAT_REQUESTS);
		count(reason);
		r->cursor += q->head_len - r->stashed;
		return SCAN_ANSWER;
	}
	if (r->batch)
		return request_early();
	if (r->target.pool == TARGET_POOL_NONE)
		return request_error(r, f, CANNED_404, STAT_ERROR_404);
	r->reason = reason;
	return SCAN_POOL;
}

/* The error that answers the refused head in run.http. */
static __always_inline __u32 request_canned(const struct run *r)
{
	switch (r->http.req.status) {
	case 414:
		return CANNED_414;
	case 431:
		return CANNED_431;
	case 505:
		return CANNED_505;
	}
	return CANNED_400;
}

/* A head at the cursor. Returns enum scan. */
static __always_inline int request_head(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	__u32 canned;

	r->reply_flags = 0;
	if (r->stashed && !st)
		return SCAN_STOP;
	if (!r->stashed)
		st = NULL;
	if (stash_load(skb, r, st, r->pkt.payload_off + r->cursor, r->len - r->cursor))
		return SCAN_STOP;
	switch (http_request_run(&r->http)) {
	case HTTP_COMPLETE:
		return request_decide(skb, r, f);
	case HTTP_INCOMPLETE:
		return request_stash(skb, r, f);
	}
	canned = request_canned(r);
	return request_error(r, f, canned, canned == CANNED_431 ? STAT_ERROR_431 : STAT_ERROR_400);
}

/* Bytes of a body at the cursor. */
__noinline int request_body(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	__u32 n = r->len - r->cursor, used = 0, at = r->pkt.seq + r->cursor;
	const struct leg *leg = leg_of(r, f, f->active);

	if (f->phase == REQUEST_CHUNKED && leg && !leg_has_room(leg, at + n))
		n = leg_has_room(leg, at) ? leg->edge + leg->delta_in - at : 0;
	if (f->phase == REQUEST_BODY) {
		used = f->body.left < n ? f->body.left : n;
		f->body.left -= used;
		if (!f->body.left)
			f->phase = REQUEST_START;
	} else if (n) {
		switch (http_body_advance(skb, r->pkt.payload_off + r->cursor, n, &f->body, true,
					  &used)) {
		case HTTP_BODY_DONE:
			f->phase = REQUEST_START;
			break;
		case HTTP_BODY_MORE:
			break;
		default: /* Node will refuse it, and nothing behind it is a request */
			count(STAT_LAST_BODY);
			return SCAN_ABORT;
		}
	}
	r->cursor += used;
	return used ? SCAN_GO : SCAN_STOP;
}

/* Bytes behind the last request. */
static __always_inline int request_last(const struct leg *leg)
{
	count(STAT_AFTER_LAST);
	return leg && leg->rphase == RESPONSE_LOST ? SCAN_ABORT : SCAN_STOP;
}

/* True if the answer to the request before the cursor may be joined by those that follow. */
static __always_inline bool request_may_batch(struct run *r)
{
	if (r->target.kind != TARGET_OBJECT)
		return false;
	if (!r->batch)
		batch_begin(r);
	r->stashed = 0; /* it has been answered */
	return !(r->reply_flags & REPLY_CLOSE);
}

/* Scans the packet from run.first on. Returns enum scan: GO means all of it was accepted. */
static __always_inline int request_scan(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	int requests = 0, result = SCAN_GO;

	r->batch = 0;
	while (r->cursor < r->len && result == SCAN_GO && can_loop) {
		if (f->flags & FLOW_PINNED) {
			r->cursor = r->len;
		} else if (f->phase == REQUEST_BODY || f->phase == REQUEST_CHUNKED) {
			result = request_body(skb, r, f);
		} else if (ending_is_near(leg_of(r, f, f->active))) {
			result = request_last(leg_of(r, f, f->active));
		} else if (requests++ < REQUESTS_PER_PACKET) {
			result = request_head(skb, r, f);
			if (result == SCAN_POOL)
				result = request_to_pool(skb, r, f, r->target.pool);
			else if (result == SCAN_ANSWER && request_may_batch(r))
				result = SCAN_GO;
		} else {
			result = request_early();
		}
	}
	if (!r->batch)
		return result;
	batch_end(r, f);
	return SCAN_ANSWER;
}

#endif
