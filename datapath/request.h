/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of one request: kept until its head is whole, refused, or given to a leg. scan.h
 * finds it and decides; run.cursor ends behind what was accepted.
 */
#ifndef SLUICE_REQUEST_H
#define SLUICE_REQUEST_H

#include "ending.h"

#define WANT_ANY ~0U
#define REPLAY_IDLE_US 500000 /* no server closes connections that are idle for less */

/* What a scan has come to. */
enum scan {
	SCAN_POOL,    /* run.target.pool takes the request */
	SCAN_GO,      /* on with the next bytes of the packet */
	SCAN_STOP,    /* bytes from run.cursor on are not accepted */
	SCAN_WAIT,    /* they have to wait for something outstanding */
	SCAN_STASHED, /* the packet is in the stash: acknowledge it */
	SCAN_ANSWER,  /* run.target is answered by the kernel */
	SCAN_ERROR,   /* run.canned is answered, the connection ends */
	SCAN_ABORT,   /* neither the leg nor the client can go on: ending_abort() */
};

/* True if another destination may take the request at run.cursor. */
static __always_inline bool request_may_switch(struct run *r, const struct flow *f)
{
	const struct leg *leg;

	if (r->cursor != r->first)
		return false;
	if (f->active == ACTIVE_KERNEL)
		return !(f->reply & REPLY_ACTIVE) && r->pkt.ack == f->snd_nxt;
	leg = leg_of(r, f, f->active);
	return leg && leg_is_idle(f, leg, r->pkt.ack);
}

/* Not now: a response to another destination is outstanding. */
static __always_inline int request_early(void)
{
	return SCAN_WAIT;
}

/* Not now, and what it is must be seen then: the client repeats it. */
static __always_inline int request_later(void)
{
	count(STAT_EARLY);
	return SCAN_STOP;
}

/* An error answer for the request at the cursor. */
static __always_inline int request_error(struct run *r, const struct flow *f, __u32 canned,
					 __u32 counter)
{
	if (!request_may_switch(r, f))
		return request_early();
	count(counter);
	r->canned = canned;
	return SCAN_ERROR;
}

/* The rest of the head has so much time (kick.h). Without a free timer it has as long as its memory
 * is not needed. */
static __always_inline void request_await(struct run *r, struct flow *f)
{
	const struct settings *s = settings_get();

	if (s && sender_claim(r, f))
		sender_arm(r, s->header_timeout_ms * MSEC);
}

/* The head is not whole yet: the rest of the packet is kept. */
static __always_inline int request_stash(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	__u32 n = r->len - r->cursor;
	struct stash *st;

	if (!request_may_switch(r, f))
		return request_early();
	if (f->phase != REQUEST_HEAD)
		stash_renew(r, f);
	st = stash_get(r, f, f->stash, STASH_REQUEST);
	if (!st) {
		count(STAT_STASH_FULL);
		return SCAN_STOP;
	}
	if (stash_append(skb, r, st, r->pkt.payload_off + r->cursor, n))
		return request_error(r, f, CANNED_431, STAT_ERROR_431);
	count(STAT_STASHED);
	if (f->phase != REQUEST_HEAD)
		request_await(r, f);
	f->phase = REQUEST_HEAD;
	r->cursor += n;
	return SCAN_STASHED;
}

/*
 * Keeps a copy of a request that goes to a leg which has been idle for a while: Node may be closing
 * it at this moment, and its RST does not say that nobody read the request. GET and HEAD may be
 * sent again (RFC 9110, 9.2.2).
 */
static __always_inline void request_keep(struct __sk_buff *skb, struct run *r, struct flow *f,
					 struct leg *leg)
{
	const struct http_request *q = &r->http.req;
	struct stash *st;

	leg->flags &= ~LEG_REPLAY;
	if (leg->state != LEG_OPEN || leg->rphase != RESPONSE_IDLE || q->method > HTTP_HEAD ||
	    q->flags & HTTP_BODY || (__u32)(r->now_ns / 1000) - leg->asked_us < REPLAY_IDLE_US)
		return;
	if (!r->stashed && !r->replay) {
		if (r->cursor != r->first)
			return;
		stash_renew(r, f);
		st = stash_get(r, f, f->stash, STASH_REQUEST);
		if (!st || stash_append(skb, r, st, r->pkt.payload_off + r->cursor, q->head_len))
			return;
	}
	leg->flags |= LEG_REPLAY;
}

/* The request at the cursor belongs to the active leg: account for it and its body. */
static __always_inline int request_accept(struct __sk_buff *skb, struct run *r, struct flow *f,
					  struct leg *leg)
{
	const struct http_request *q = &r->http.req;
	__u32 bit = 1u << (leg->sent & (LEG_OUTSTANDING - 1));

	if ((__u16)(leg->sent - leg->done) >= LEG_OUTSTANDING)
		return request_early();
	/* What goes out of the stash is the same whenever it is repeated. */
	if (!r->stashed && !r->replay && !leg_has_room(leg, r->pkt.seq + r->cursor + q->head_len))
		return request_later();
	request_keep(skb, r, f, leg);
	f->snd_wnd = (__u32)r->pkt.window << (f->wscale & 15);
	if (q->method == HTTP_HEAD)
		leg->heads |= bit;
	else
		leg->heads &= ~bit;
	leg->sent++;
	leg->sticky = r->sticky;
	if (leg->rphase == RESPONSE_IDLE) {
		leg->rphase = RESPONSE_HEAD;
		leg->asked_us = r->now_ns / 1000;
	}
	f->reply = (f->reply & ~REPLY_ACTIVE) | REPLY_AWAITED;
	leg->flags &= ~LEG_UPGRADE;
	if (q->flags & HTTP_UPGRADE && q->flags & HTTP_CONN_UPGRADE)
		leg->flags |= LEG_UPGRADE;
	if (!(q->flags & HTTP_KEEP_ALIVE))
		leg->flags |= LEG_CLOSE;
	r->cursor += q->head_len - r->stashed;
	if (r->stashed) {
		r->replay = 1;
		r->stashed = 0;
	}
	f->phase = REQUEST_START;
	f->body.phase = 0;
	f->body.digits = 0;
	f->body.trailer = 0;
	f->body.left = 0;
	if (q->flags & HTTP_CHUNKED) {
		f->phase = REQUEST_CHUNKED;
	} else if (q->content_length) {
		f->phase = REQUEST_BODY;
		f->body.left = q->content_length;
	}
	if (q->method == HTTP_CONNECT) {
		f->flags |= FLOW_PINNED;
		count(STAT_PINNED);
	}
	count(STAT_REQUESTS);
	count(r->reason);
	return SCAN_GO;
}

/* The cookie that the pool asks for: run.sticky, and run.want, the backend that it leads to. */
__noinline int request_stick(struct run *r NONNULL, __u32 pool_id)
{
	struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	int member;

	r->sticky = 0;
	r->want = WANT_ANY;
	if (!pool || !pool->cookie_len || !r->http.req.cookie_len)
		return 0;
	http_cookie_find(&r->http, &r->cookie_scan, (struct http_cookie_name *)pool->cookie,
			 pool->cookie_len);
	r->sticky = r->cookie_scan.hash;
	if (!r->cookie_scan.found || !r->sticky) {
		r->sticky = 0;
		return 0;
	}
	member = pool_pick(r, pool_id, 0);
	if (member >= 0)
		r->want = pool->backend[member & (POOL_MEMBERS - 1)];
	return 0;
}

/* True if the leg's backend is the one of the request's cookie, or stands in for it. */
static __always_inline bool request_sticks(const struct run *r, const struct leg *leg)
{
	return r->want == WANT_ANY || leg->key.backend == r->want || leg->sticky == r->sticky;
}

static __always_inline bool request_leg_takes(const struct run *r, const struct leg *leg,
					      const struct pool *pool)
{
	struct backend *b = backend_at(leg->key.backend);

	return leg->state == LEG_OPEN && !(leg->flags & (LEG_CLOSE | LEG_FIN)) && b &&
	       backend_is_usable(b, r->pkt.is_v6) && pool_has(pool, leg->key.backend) &&
	       request_sticks(r, leg);
}

/* Another leg of the flow that the pool's request may use, or none. */
static __always_inline struct leg *request_parked_leg(struct run *r, struct flow *f,
						      const struct pool *pool)
{
	for (__u32 i = 0; i < MAX_LEGS; i++) {
		struct leg *leg = leg_of(r, f, i);

		if (leg && i != f->active && request_leg_takes(r, leg, pool)) {
			f->active = i;
			return leg;
		}
	}
	return NULL;
}

/* To a backend of the pool: on the active leg, a parked one, or a fresh one. */
__noinline int request_to_pool(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL,
			       __u32 pool_id)
{
	struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	struct leg *leg = leg_of(r, f, f->active);
	__u32 start = r->pkt.seq + r->cursor;

	if (!pool)
		return request_error(r, f, CANNED_503, STAT_ERROR_503);
	request_stick(r, pool_id);
	if (leg && leg->flags & LEG_UPGRADE && !request_may_switch(r, f))
		return request_later(); /* what follows a 101 is no request (RFC 9110, 7.8) */
	if (leg && leg->state == LEG_OPENING && r->cursor != r->first &&
	    pool_has(pool, leg->key.backend) && request_sticks(r, leg))
		return request_accept(skb, r, f, leg);
	if (leg && request_leg_takes(r, leg, pool)) {
		count(STAT_LEG_REUSED);
		return request_accept(skb, r, f, leg);
	}
	if (!request_may_switch(r, f))
		return request_early();
	if (forward_park(skb, r, f, 1))
		return SCAN_STOP;
	if (r->stashed && st)
		start = st->start;
	leg = request_parked_leg(r, f, pool);
	if (leg) {
		leg_resume(leg, start, r->pkt.ack);
		leg->told = r->pkt.ack - leg->delta_out;
		count(STAT_LEG_REUSED);
		return request_accept(skb, r, f, leg);
	}
	if (!accept_has_mss(r, f->mss))
		return request_error(r, f, CANNED_503, STAT_ERROR_MSS);
	if (r->first && !r->stashed) { /* the packet begins before the leg does */
		stash_renew(r, f);
		if (!f->stash) {
			count(STAT_STASH_FULL);
			return SCAN_STOP;
		}
		r->replay = 1;
	}
	if (open_leg(r, f, pool_id, 0, start) < 0)
		return request_error(r, f, CANNED_503, STAT_ERROR_503);
	leg = leg_of(r, f, f->active);
	if (!leg)
		return SCAN_STOP;
	count(STAT_LEG_NEW);
	return request_accept(skb, r, f, leg);
}

#endif
