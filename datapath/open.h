/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a leg: a backend is picked, the leg gets its entry, the packet goes out as a hand-over. A
 * backend that refuses is passed over; when all have refused, the client gets 503.
 */
#ifndef SLUICE_OPEN_H
#define SLUICE_OPEN_H

#include "forward.h"
#include "transmit.h"

/* Room in flow.legs: an entry without a living leg, else that of a parked leg, which is ended: its
 * backend's next packet gets a RST. */
static __always_inline int open_index(struct run *r, const struct flow *f)
{
	struct leg *leg;
	__u32 index;

	for (__u32 i = 0; i < MAX_LEGS; i++)
		if (!leg_of(r, f, i))
			return i;
	index = f->active == MAX_LEGS - 1 ? 0 : MAX_LEGS - 1;
	leg = leg_of(r, f, index);
	if (leg)
		leg->state = LEG_DEAD;
	return index;
}

/*
 * Makes a leg of the pool, in place of flow.legs[index], for the request at `start` of the client,
 * with the client's `ack`. `tried`: members that have refused. Returns the leg, or NULL: none is
 * left.
 */
__noinline int open_leg(struct run *r NONNULL, struct flow *f NONNULL, __u32 pool_id, __u64 tried,
			__u32 start)
{
	struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	struct leg_key *key = &r->open_key;
	struct leg *leg;

	if (!pool)
		return -1;
	for (r->opens = 0; r->opens < POOL_MEMBERS && can_loop; r->opens++) {
		int member = pool_pick(r, pool_id, tried);
		int index = open_index(r, f);
		__u32 m = member, backend, slot;

		if (member < 0)
			return -1;
		barrier_var(m);
		m &= POOL_MEMBERS - 1;
		backend = pool->backend[m];
		leg_key_make(key, &f->key.client, f->key.port, backend);
		slot = leg_claim(r, f, key);
		tried |= 1ULL << m;
		if (!slot)
			continue;
		leg = leg_at(slot - 1);
		if (!leg)
			return -1;
		f->legs[index & (MAX_LEGS - 1)] = slot;
		leg->index = index;
		leg->start = start;
		leg->rnxt = start;
		leg->base_in = start;
		leg->base_out = r->pkt.ack;
		leg->resp_pos = r->pkt.ack;
		leg->snd_max = r->pkt.ack;
		leg->acked = start;
		leg->edge = start + WINDOW_BYTES; /* the least that a socket begins with */
		leg->told = r->pkt.ack;
		leg->pool = pool_id;
		leg->member = m;
		leg->tried = tried;
		f->active = index;
		return index;
	}
	return -1;
}

/* The canned error in place of the packet; the connection ends. Returns a verdict. */
static __always_inline int open_error(struct __sk_buff *skb, struct run *r, struct flow *f,
				      __u32 canned)
{
	struct settings *s = settings_get();

	if (!s || canned >= CANNED_COUNT)
		return drop(STAT_DROP_OTHER);
	f->active = ACTIVE_KERNEL;
	f->phase = REQUEST_START;
	f->tx_slot = s->error_slot[canned];
	f->tx_gen = s->error_gen[canned];
	f->snd_nxt = r->pkt.ack;
	return transmit_start(skb, r, f,
			      REPLY_CLOSE | (r->reply_flags & (REPLY_HEAD | TRANSMIT_TIMED)));
}

/*
 * The active leg's backend has refused the packet: on to the next of its pool, or 503. The packet
 * carries the client's own numbers (a fresh leg's deltas are 0). Returns a verdict.
 */
__noinline int open_refused(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	int verdict = VERDICT_DROP;
	struct leg *old;
	struct leg *leg;

	for (r->refusals = 0; r->refusals < POOL_MEMBERS && can_loop; r->refusals++) {
		old = leg_of(r, f, f->active);
		if (!old)
			return drop(STAT_DROP_OTHER);
		count(STAT_LEG_REFUSED);
		__u32 rnxt = old->rnxt, heads = old->heads, flags = old->flags, sent = old->sent;
		__u32 pool = old->pool, start = old->start;
		__u64 tried = old->tried;

		r->sticky = old->sticky;
		old->state = LEG_DEAD;
		if (open_leg(r, f, pool, tried, start) < 0) {
			r->reply_flags =
				heads >> ((sent - 1) & (LEG_OUTSTANDING - 1)) & 1 ? REPLY_HEAD : 0;
			f->req_len = 0;
			f->reply &= ~REPLY_AWAITED;
			count(STAT_ERROR_503);
			return open_error(skb, r, f, CANNED_503);
		}
		leg = leg_of(r, f, f->active);
		if (!leg)
			return drop(STAT_DROP_OTHER);
		leg->rnxt = rnxt;
		leg->heads = heads;
		leg->flags = flags;
		leg->sent = sent;
		leg->sticky = r->sticky;
		leg->rphase = RESPONSE_HEAD;
		if (stash_get(r, f, f->stash, STASH_REQUEST))
			verdict = forward_stash(skb, r, f, leg);
		else
			verdict = forward_whole(skb, r, f, leg);
		if (verdict != VERDICT_REFUSED)
			return verdict;
	}
	return drop(STAT_DROP_OTHER);
}

#endif
