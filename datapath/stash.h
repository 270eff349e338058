/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stashes: the bounded buffers for header blocks that span segments. A flow's stash is one of a few
 * candidates that its slot hashes to; one whose holder is gone is free, so nothing leaks and
 * nothing sweeps. The bytes are kept until the leg that they opened has acknowledged them.
 */
#ifndef SLUICE_STASH_H
#define SLUICE_STASH_H

#include "leg.h"

#define STASH_WAYS 8
#define STASH_FREE 0x7fffffff /* older than any */

enum stash_kind { STASH_REQUEST, STASH_RESPONSE, STASH_ANSWER };

static __always_inline struct stash *stash_at(__u32 slot)
{
	return bpf_map_lookup_elem(&stashes, &slot);
}

/* The stash that the holder's field `stash` (slot + 1) names, if it is still his. */
static __always_inline struct stash *stash_get(const struct run *r, const struct flow *f,
					       __u16 held, __u32 kind)
{
	struct stash *st;

	if (!held)
		return NULL;
	st = stash_at(held - 1);
	if (!st || st->owner_slot != r->flow_slot + 1 || st->owner_gen != f->gen ||
	    st->kind != kind)
		return NULL;
	return st;
}

__noinline int stash_is_free(struct stash *st NONNULL, __u32 clock)
{
	struct flow *f;

	if (!st->owner_slot)
		return true;
	f = flow_at(st->owner_slot - 1);
	if (!f || f->gen != st->owner_gen || flow_is_tombstone(f) || flow_is_expired(f, clock))
		return true;
	/* An answer is over when it has been acknowledged; while a run holds the flow, it may not
	 * have begun. */
	return st->kind == STASH_ANSWER && !*(volatile __u32 *)&f->owner &&
	       (f->tx_slot != (TX_STASH | st->start) || !(f->reply & REPLY_ACTIVE));
}

/* A stash for the flow: a free one, else the one that has been silent longest, whose holder then
 * loses its connection. Returns slot + 1, or 0: all candidates are in use. */
__noinline int stash_claim(struct run *r NONNULL, struct flow *f NONNULL, __u32 start, __u32 kind)
{
	struct settings *s = settings_get();
	__u32 clock = run_clock(r), hash = (r->flow_slot + kind) * 0x9e3779b1u, age;
	__u32 best_age = FLOW_SILENT, best = 0;
	struct stash *st;

	if (!s)
		return 0;
	for (int i = 0; i < STASH_WAYS; i++) {
		__u32 slot = ((hash >> 8) + i) & s->stash_mask;

		st = stash_at(slot);
		if (!st)
			continue;
		age = stash_is_free(st, clock) ? STASH_FREE : clock - st->seen;
		if ((__s32)age > (__s32)best_age) {
			best_age = age;
			best = slot + 1;
		}
	}
	st = best ? stash_at(best - 1) : NULL;
	if (!st || !lock_try(&st->lock))
		return 0;
	if (!stash_is_free(st, clock) && (__s32)(clock - st->seen) <= FLOW_SILENT) {
		lock_release(&st->lock); /* another CPU was first */
		return 0;
	}
	st->owner_slot = r->flow_slot + 1;
	st->owner_gen = f->gen;
	st->seen = clock;
	st->start = start;
	st->len = 0;
	st->queued = 0;
	st->kind = kind;
	lock_release(&st->lock);
	return best;
}

static __always_inline void stash_drop(struct stash *st, __u16 *held)
{
	if (st)
		st->owner_slot = 0;
	*held = 0;
}

/* A fresh stash for the flow's next bytes; what it still holds has been acknowledged. */
static __always_inline void stash_renew(struct run *r, struct flow *f)
{
	stash_drop(stash_get(r, f, f->stash, STASH_REQUEST), &f->stash);
	f->stash = stash_claim(r, f, f->rcv_nxt, STASH_REQUEST);
}

/*
 * Appends `n` bytes of the packet from offset `off`. 0 or -1: no room. In pieces, because the
 * verifier does not relate two variables ("R3 max value is outside of the allowed memory range"):
 * each may begin anywhere up to the end and has a bounded length.
 */
__noinline int stash_append(struct __sk_buff *skb, struct run *r NONNULL, struct stash *st NONNULL,
			    __u32 off, __u32 n)
{
	if (st->len > STASH_BYTES || n > STASH_BYTES || st->len + n > STASH_BYTES)
		return -1;
	st->seen = run_clock(r);
	while (n && can_loop) {
		__u32 at = st->len, piece = n < STASH_PIECE ? n : STASH_PIECE;

		barrier_var(at);
		barrier_var(piece);
		if (at > STASH_BYTES || !is_length(piece, STASH_PIECE))
			return -1;
		if (bpf_skb_load_bytes(skb, off, st->bytes + at, piece))
			return -1;
		st->len = at + piece;
		off += piece;
		n -= piece;
	}
	return 0;
}

/* Puts what is stashed and up to `n` bytes of the packet from `off` into run.http.buf, as far as
 * they fit. `st` may be NULL. 0 or -1. */
static __always_inline int stash_load(struct __sk_buff *skb, struct run *r, struct stash *st,
				      __u32 off, __u32 n)
{
	__u32 have = st ? st->len : 0, total;

	if (have > HTTP_BUF_BYTES)
		return -1;
	if (n > HTTP_BUF_BYTES - have)
		n = HTTP_BUF_BYTES - have;
	if (!have) {
		barrier_var(n);
		if (!is_length(n, HTTP_BUF_BYTES))
			return -1;
		if (bpf_skb_load_bytes(skb, off, r->http.buf, n))
			return -1;
		r->http.len = n;
		return 0;
	}
	if (stash_append(skb, r, st, off, n))
		return -1;
	total = st->len;
	st->len = have;
	barrier_var(total);
	if (!is_length(total, HTTP_BUF_BYTES))
		return -1;
	bpf_probe_read_kernel(r->http.buf, total, st->bytes);
	r->http.len = total;
	return 0;
}

#endif
