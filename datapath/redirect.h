/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects that repeat the request's path and query ($uri): their answer is made for each request,
 * in a stash of its own, and sent from there. Nothing is escaped: the parser lets no byte but
 * visible ASCII into a target (http_target_ends(), http_query_end()), so the header stays one line,
 * and what is put in begins with '/'.
 */
#ifndef SLUICE_REDIRECT_H
#define SLUICE_REDIRECT_H

#include "reply.h"

enum redirect_result {
	REDIRECT_MADE, /* run.target is the answer */
	REDIRECT_LONG, /* it would not fit */
	REDIRECT_LATER,
};

/* Appends `n` bytes from base[off] on, off <= max. 0 or -1. */
static __always_inline int redirect_append(struct stash *st, const __u8 *base, __u32 off, __u32 max,
					   __u32 n)
{
	while (n && can_loop) {
		__u32 at = st->len, piece = n < STASH_PIECE ? n : STASH_PIECE;

		barrier_var(at);
		barrier_var(off);
		barrier_var(piece);
		if (at > STASH_BYTES || off > max || !is_length(piece, STASH_PIECE))
			return -1;
		if (bpf_probe_read_kernel(st->bytes + at, piece, base + off))
			return -1;
		st->len = at + piece;
		off += piece;
		n -= piece;
	}
	return 0;
}

/* Path and query; a target without a path has '/' for it. */
static __always_inline int redirect_uri(struct run *r, struct stash *st)
{
	const struct http_request *q = &r->http.req;
	__u32 at = st->len;

	if (!q->path_len) {
		barrier_var(at);
		if (at > STASH_BYTES)
			return -1;
		st->bytes[at] = '/';
		st->len = at + 1;
	}
	return redirect_append(st, r->http.buf, q->path_off, HTTP_BUF_BYTES,
			       q->target_off + q->target_len - q->path_off);
}

/* The three parts: the object's header block up to $uri, path and query, the object's body. */
static __always_inline int redirect_fill(struct run *r, struct stash *st, const struct object *o)
{
	const struct span *head = r->reply_flags & REPLY_CLOSE ? &o->close : &o->head;
	__u32 region = o->region, zero = 0;
	void *inner = bpf_map_lookup_elem(&regions, &region);
	const __u8 *bytes = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;

	if (!bytes)
		return -1;
	if (redirect_append(st, bytes, head->off, REGION_USABLE, head->len) || redirect_uri(r, st))
		return -1;
	return redirect_append(st, bytes, o->body.off, REGION_USABLE, o->body.len);
}

/* An empty stash: that of the flow's last answer, which is over, or another. */
static __always_inline struct stash *redirect_stash(struct run *r, struct flow *f)
{
	struct stash *st = f->tx_slot & TX_STASH ? reply_stash(r, f) : NULL;
	__u32 held;

	if (st) {
		st->len = 0;
		st->seen = run_clock(r);
		return st;
	}
	held = stash_claim(r, f, 0, STASH_ANSWER);
	st = held ? stash_at(held - 1) : NULL;
	if (st)
		st->start = held - 1;
	return st;
}

/* Makes the answer to the request in run.http of run.target and run.reply_flags. Returns enum
 * redirect_result. */
__noinline int redirect_make(struct run *r NONNULL, struct flow *f NONNULL)
{
	struct object *o = bpf_map_lookup_elem(&objects, &r->target.slot);
	struct stash *st;

	if (!o || o->gen != r->target.gen)
		return REDIRECT_LATER;
	if (o->close.len + o->body.len + r->http.req.target_len >= STASH_BYTES)
		return REDIRECT_LONG;
	st = redirect_stash(r, f);
	if (!st || redirect_fill(r, st, o))
		return REDIRECT_LATER;
	r->target.slot = TX_STASH | st->start;
	r->target.gen = f->gen;
	return REDIRECT_MADE;
}

#endif
