/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers that are made for one request alone: put together piece by piece in a stash of their own,
 * and sent from there.
 */
#ifndef SLUICE_COMPOSE_H
#define SLUICE_COMPOSE_H

#include "reply.h"

/* Appends `n` bytes from base[off] on, off <= max. 0 or -1. */
static __always_inline int compose_append(struct stash *st, const __u8 *base, __u32 off, __u32 max,
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

/* The region that holds the object's bytes, or NULL. */
static __always_inline const __u8 *compose_region(const struct object *o)
{
	__u32 region = o->region, zero = 0;
	void *inner = bpf_map_lookup_elem(&regions, &region);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/* Makes the Date of a header block that has just been appended at `at` that of now. */
static __always_inline void compose_date(struct run *r, struct stash *st, __u32 at, __u32 date)
{
	if (!date)
		return;
	at += date;
	barrier_var(at);
	if (at > STASH_BYTES)
		return;
	date_set(r, date_now(r));
	__builtin_memcpy(st->bytes + at, r->date, HTTP_DATE_LEN);
}

/* An empty stash: that of the flow's last answer, which is over, or another. */
static __always_inline struct stash *compose_begin(struct run *r, struct flow *f)
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

/* Makes the stash the answer that `target` names. */
static __always_inline void compose_finish(struct target *target, const struct flow *f,
					   const struct stash *st)
{
	target->slot = TX_STASH | st->start;
	target->gen = f->gen;
}

#endif
