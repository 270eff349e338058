/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects that repeat the request's path and query ($uri): their answer is made for each request,
 * in a stash of its own, and sent from there. Nothing is escaped: the parser lets no byte but
 * visible ASCII into a target (http_target_ends(), http_query_end()), so the header stays one line,
 * and what is put in begins with '/'.
 */
#ifndef SLUICE_REDIRECT_H
#define SLUICE_REDIRECT_H

#include "compose.h"

enum redirect_result {
	REDIRECT_MADE, /* run.target is the answer */
	REDIRECT_LONG, /* it would not fit */
	REDIRECT_LATER,
};

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
	return compose_append(st, r->http.buf, q->path_off, HTTP_BUF_BYTES,
			      q->target_off + q->target_len - q->path_off);
}

/* The three parts: the object's header block up to $uri, path and query, the object's body. */
static __always_inline int redirect_fill(struct run *r, struct stash *st, const struct object *o)
{
	const struct span *head = r->reply_flags & REPLY_CLOSE ? &o->close : &o->head;
	const __u8 *bytes = compose_region(o);

	if (!bytes)
		return -1;
	if (compose_append(st, bytes, head->off, REGION_USABLE, head->len) || redirect_uri(r, st))
		return -1;
	compose_date(r, st, 0, o->date);
	return compose_append(st, bytes, o->body.off, REGION_USABLE, o->body.len);
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
	st = compose_begin(r, f);
	if (!st || redirect_fill(r, st, o))
		return REDIRECT_LATER;
	compose_finish(&r->target, f, st);
	return REDIRECT_MADE;
}

#endif
