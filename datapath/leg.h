/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Legs: the TCP connections that a flow has on backends. Table (set-associative like flows; an
 * entry is free when its flow slot has been given to another connection), the mapping of sequence
 * numbers, parking and resuming.
 *
 *   leg seq = client seq - delta_in	client seq = leg seq + delta_out
 *
 * Bytes that other destinations exchanged with the client are unknown to a parked leg: both deltas
 * are set anew when it is resumed, from rnxt and resp_pos, which stand still meanwhile.
 */
#ifndef SLUICE_LEG_H
#define SLUICE_LEG_H

#include "steer.h"
#include "rendezvous.h"

static __always_inline struct leg *leg_at(__u32 slot)
{
	return bpf_map_lookup_elem(&legs, &slot);
}

static __always_inline void leg_key_make(struct leg_key *key, const struct ip_addr *client,
					 __be16 port, __u32 backend)
{
	key->client = *client;
	key->port = port;
	key->backend = backend;
}

static __always_inline struct leg *leg_find(const struct settings *s, const struct leg_key *key)
{
	__u64 hash = key_hash(s->seed, key);
	__u32 bucket = hash & s->leg_mask, tag = hash >> 32 | 1;
	struct leg_bucket *b = bpf_map_lookup_elem(&leg_buckets, &bucket);

	if (!b)
		return NULL;
	for (__u32 way = 0; way < LEG_WAYS; way++) {
		struct leg *leg;

		if (b->tags[way] != tag)
			continue;
		leg = leg_at(bucket * LEG_WAYS + way);
		if (leg && key_equal(&leg->key, key))
			return leg;
	}
	return NULL;
}

__noinline int leg_is_free(struct leg *leg NONNULL, __u32 clock)
{
	struct flow *f;

	if (leg->state == LEG_FREE || leg->state == LEG_DEAD)
		return true;
	f = flow_at(leg->flow);
	return !f || f->gen != leg->flow_gen || f->state == FLOW_FREE || f->state == FLOW_CLOSED ||
	       flow_is_expired(f, clock);
}

/* Ends a leg that is idle. If it is the active one, the kernel is the destination again. */
static __always_inline void leg_leave(struct flow *f, struct leg *leg)
{
	leg->state = LEG_DEAD;
	if (f->active != leg->index)
		return;
	f->active = ACTIVE_KERNEL;
	f->snd_nxt = leg->resp_pos + leg->delta_out;
	f->snd_una = f->snd_nxt;
}

/* True if the flow can do without its legs: it is idle, or both sides have closed, be it that a
 * backend has died and its response is awaited for ever. */
static __always_inline bool leg_is_spare(const struct flow *f)
{
	return flow_both_fin(f) || flow_is_idle(f);
}

/*
 * Ends the leg of a full bucket whose connection has been idle longest, and returns its way, or
 * LEG_WAYS. The flow's owner word is only tried: its holder may be waiting for this bucket.
 */
__noinline int leg_evict(struct run *r NONNULL, struct flow *own NONNULL, __u32 bucket)
{
	__u32 clock = run_clock(r), best = LEG_WAYS, best_age = 0;
	struct flow *f;
	struct leg *leg;

	for (__u32 way = 0; way < LEG_WAYS; way++) {
		leg = leg_at(bucket * LEG_WAYS + way);
		f = leg ? flow_at(leg->flow) : NULL;
		if (f && f != own && leg_is_spare(f) && clock - f->seen >= best_age) {
			best_age = clock - f->seen;
			best = way;
		}
	}
	leg = best < LEG_WAYS ? leg_at(bucket * LEG_WAYS + best) : NULL;
	f = leg ? flow_at(leg->flow) : NULL;
	if (!f || !lock_try(&f->owner))
		return LEG_WAYS;
	if (leg->flow_gen == f->gen && leg_is_spare(f)) {
		if (flow_both_fin(f)) {
			leg->state = LEG_DEAD; /* the tombstone stays as it is */
		} else if (!seq_before(leg->told, leg->resp_pos)) {
			leg_leave(f, leg);
		} else {		      /* nobody could repeat what the client lacks */
			f->state = FLOW_FREE; /* its next packet gets a RST */
			leg->state = LEG_DEAD;
		}
	}
	flow_release(r, f);
	return leg->state == LEG_DEAD ? best : LEG_WAYS;
}

/* Claims the entry of `key` for the flow, zeroed but for key, flow, flow_gen. Returns slot + 1, or
 * 0: the bucket is full, or another connection of the client holds the same tuple. */
__noinline int leg_claim(struct run *r NONNULL, struct flow *f NONNULL, struct leg_key *key NONNULL)
{
	struct settings *s = settings_get();
	__u32 bucket, tag, clock = run_clock(r), best = LEG_WAYS;
	struct leg_bucket *b;
	bool taken = false;
	struct leg *leg;
	__u64 hash;

	if (!s)
		return 0;
	hash = key_hash(s->seed, key);
	bucket = hash & s->leg_mask;
	tag = hash >> 32 | 1;
	b = bpf_map_lookup_elem(&leg_buckets, &bucket);
	if (!b || !lock_take(&b->lock))
		return 0;
	for (__u32 way = 0; way < LEG_WAYS; way++) {
		leg = leg_at(bucket * LEG_WAYS + way);
		if (!leg)
			continue;
		if (b->tags[way] == tag && key_equal(&leg->key, key)) {
			bool own = leg->flow == r->flow_slot && leg->flow_gen == f->gen;

			best = own || leg_is_free(leg, clock) ? way : LEG_WAYS;
			taken = best == LEG_WAYS;
			break;
		}
		if (best == LEG_WAYS && (!b->tags[way] || leg_is_free(leg, clock)))
			best = way;
	}
	if (best >= LEG_WAYS && !taken)
		best = leg_evict(r, f, bucket);
	if (best >= LEG_WAYS) {
		lock_release(&b->lock);
		count(STAT_LEG_FULL);
		return 0;
	}
	leg = leg_at(bucket * LEG_WAYS + best);
	if (leg) {
		__builtin_memset(leg, 0, sizeof(*leg));
		leg->key = *key;
		leg->flow = r->flow_slot;
		leg->flow_gen = f->gen;
		leg->state = LEG_OPENING;
		b->tags[best & (LEG_WAYS - 1)] = tag;
	}
	lock_release(&b->lock);
	return leg ? bucket * LEG_WAYS + best + 1 : 0;
}

/* Leg number `index` of the flow if it is alive. */
static __always_inline struct leg *leg_of(const struct run *r, const struct flow *f, __u32 index)
{
	struct leg *leg;
	__u32 slot;

	if (index >= MAX_LEGS)
		return NULL;
	slot = f->legs[index & (MAX_LEGS - 1)];
	if (!slot)
		return NULL;
	leg = leg_at(slot - 1);
	if (!leg || leg->flow != r->flow_slot || leg->flow_gen != f->gen || leg->index != index ||
	    (leg->state != LEG_OPENING && leg->state != LEG_OPEN))
		return NULL;
	return leg;
}

/* Every request that the leg was given is answered, and both sides have acknowledged all of it.
 * `ack` is the client's. Only then may another destination take over. */
static __always_inline bool leg_is_idle(const struct flow *f, const struct leg *leg, __u32 ack)
{
	return leg->state == LEG_OPEN && leg->rphase == RESPONSE_IDLE && leg->sent == leg->done &&
	       ack - leg->delta_out == leg->resp_pos && !seq_before(leg->acked, leg->rnxt);
}

/*
 * True if the backend's window has room for the client's bytes up to `end`. What lies behind it is
 * dropped there and must not be read here: other bytes could come in its place.
 */
static __always_inline bool leg_has_room(const struct leg *leg, __u32 end)
{
	return !seq_after(end - leg->delta_in, leg->edge);
}

/* From now on the leg's bytes are those that begin at `seq` and `ack` of the client. */
static __always_inline void leg_resume(struct leg *leg, __u32 seq, __u32 ack)
{
	leg->delta_in = seq - leg->rnxt;
	leg->delta_out = ack - leg->resp_pos;
	leg->base_in = leg->rnxt;
	leg->base_out = leg->resp_pos;
}

static __always_inline bool pool_has(const struct pool *pool, __u32 backend)
{
	__u32 i = 0;

	while (i < pool->members && can_loop) {
		__u32 at = i;

		barrier_var(at);
		if (at >= POOL_MEMBERS)
			break;
		if (pool->backend[at] == backend)
			return true;
		i = at + 1;
	}
	return false;
}

static __always_inline __u32 backend_latency(__u32 id)
{
	__u32 *average = bpf_map_lookup_elem(&latencies, &id);

	return average ? *average : 0;
}

/* The same for one client address wherever its connections come in; all bits count. */
static __always_inline __u64 pool_hash(const struct ip_addr *addr)
{
	__u64 h = (addr->w[0] | (__u64)addr->w[1] << 32) * 0x9e3779b97f4a7c15ULL;

	return (h ^ h >> 32 ^ (addr->w[2] | (__u64)addr->w[3] << 32)) * 0xbf58476d1ce4e5b9ULL;
}

/* What a backend is known by, over restarts and changes of the configuration. */
static __always_inline __u64 pool_identity(const struct backend *b)
{
	const struct ip_addr *addr = b->flags & BACKEND_IPV4 ? &b->addr4 : &b->addr6;

	return pool_hash(addr) + b->port;
}

/* The usable member that rendezvous.h finds for the key, or -1. */
static __always_inline int pool_rendezvous(struct run *r, const struct pool *pool, __u64 tried,
					   __u64 key)
{
	r->picked = -1;
	for (r->pick = 0; r->pick < pool->members && can_loop; r->pick++) {
		__u32 member = r->pick, cost, weight;
		struct backend *b;

		barrier_var(member);
		if (member >= POOL_MEMBERS)
			break;
		if (tried >> member & 1)
			continue;
		b = backend_at(pool->backend[member]);
		if (!b || !backend_is_usable(b, r->pkt.is_v6))
			continue;
		cost = rendezvous_cost(rendezvous_draw(key, pool_identity(b)));
		weight = pool->weight[member];
		if (r->picked >= 0 &&
		    !rendezvous_better(cost, weight, r->picked_cost, r->picked_weight))
			continue;
		r->picked = member;
		r->picked_cost = cost;
		r->picked_weight = weight;
	}
	return r->picked;
}

/*
 * Next member of a pool for a fresh leg: by the request's cookie (run.sticky) or the client's
 * address, weighted round robin, or the faster of the next two (power of two choices); members in
 * `tried` and backends that are down are passed over. Returns the member or -1.
 */
__noinline int pool_pick(struct run *r NONNULL, __u32 id, __u64 tried)
{
	struct pool *pool = bpf_map_lookup_elem(&pools, &id);
	__u32 *cursor = bpf_map_lookup_elem(&pool_cursors, &id);
	__u32 at, slots;

	if (!pool || !cursor || !pool->slots)
		return -1;
	slots = pool->slots;
	if (r->sticky || pool->policy == POLICY_CLIENT_HASH)
		return pool_rendezvous(r, pool, tried,
				       r->sticky ? r->sticky : pool_hash(&r->pkt.src));
	at = __sync_fetch_and_add(cursor, 1);
	r->picked = -1;
	for (r->pick = 0; r->pick < slots && can_loop; r->pick++) {
		__u32 slot = (at + r->pick) % slots, member, backend, latency;
		struct backend *b;

		barrier_var(slot);
		if (slot >= POOL_SLOTS)
			return -1;
		member = pool->seq[slot] & (POOL_MEMBERS - 1);
		if (tried >> member & 1 || (__u32)r->picked == member)
			continue;
		barrier_var(member);
		backend = pool->backend[member & (POOL_MEMBERS - 1)];
		b = backend_at(backend);
		if (!b || !backend_is_usable(b, r->pkt.is_v6))
			continue;
		if (pool->policy != POLICY_LEAST_LATENCY)
			return member;
		latency = backend_latency(backend);
		if (r->picked >= 0)
			return latency < r->picked_latency ? (__s32)member : r->picked;
		r->picked = member;
		r->picked_latency = latency;
	}
	return r->picked;
}

#endif
