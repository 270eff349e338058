/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pipelined requests of one packet that components answer: their answers are one, put together in a
 * stash (compose.h), so that they leave in order and at once. A single one is answered as always,
 * from its object. What does not fit, or is no component, ends the batch and waits (queue.h).
 */
#ifndef SLUICE_BATCH_H
#define SLUICE_BATCH_H

#include "compose.h"

/* Appends the component's answer. 0 or -1: no room, or the object is gone; nothing was appended. */
__noinline int batch_append(struct run *r NONNULL, struct stash *st NONNULL,
			    struct target *target NONNULL, __u32 flags)
{
	__u32 before = st->len, body, slot = target->slot & TX_SLOT, line = 0, skip = 0;
	struct object *o = bpf_map_lookup_elem(&objects, &slot);
	const struct span *head;
	const __u8 *bytes;

	if (!o || o->gen != target->gen)
		return -1;
	bytes = compose_region(o);
	if (!bytes)
		return -1;
	head = flags & REPLY_CLOSE ? &o->close : &o->head;
	body = flags & REPLY_HEAD ? 0 : o->body.len;
	if (target->slot & TX_NOT_MODIFIED) {
		body = 0;
		line = REPLY_304_LINE;
		skip = o->shared;
	}
	if (before > STASH_BYTES || line + head->len - skip + body > STASH_BYTES - before)
		return -1;
	if (compose_append(st, (const __u8 *)reply_not_modified, 0, 0, line) ||
	    compose_append(st, bytes, head->off + skip, REGION_USABLE, head->len - skip) ||
	    compose_append(st, bytes, o->body.off, REGION_USABLE, body) || o->gen != target->gen) {
		st->len = before;
		return -1;
	}
	compose_date(r, st, before + line - skip, o->date);
	return 0;
}

/* The answer to the first request of a packet: run.target, run.reply_flags. */
static __always_inline void batch_begin(struct run *r)
{
	r->batch = 1;
	r->batch_first = r->target;
	r->batch_flags = r->reply_flags;
}

/* Adds run.target to the batch, for the request behind those that are in it. 0 or -1: it is not in,
 * and must wait. */
__noinline int batch_add(struct run *r NONNULL, struct flow *f NONNULL)
{
	struct stash *st;

	if (r->batch == 1) {
		st = compose_begin(r, f);
		if (!st || batch_append(r, st, &r->batch_first, r->batch_flags))
			return -1;
		r->batch_stash = st->start;
	}
	st = stash_at(r->batch_stash);
	if (!st || batch_append(r, st, &r->target, r->reply_flags))
		return -1;
	r->batch++;
	r->batch_flags = r->reply_flags & REPLY_CLOSE;
	return 0;
}

/* Sets run.target and run.reply_flags to the whole batch's answer. */
static __always_inline void batch_end(struct run *r, const struct flow *f)
{
	r->target = r->batch_first;
	r->reply_flags = r->batch_flags;
	if (r->batch > 1) {
		r->target.slot = TX_STASH | r->batch_stash;
		r->target.gen = f->gen;
	}
}

#endif
