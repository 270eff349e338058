/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table: set-associative, FLOW_WAYS entries a bucket. There is no sweeper and no delete:
 * an entry that is over or has outlived its timeout is found free by the next insert, so collection
 * needs neither timer nor daemon. Whoever reads or changes a flow holds its owner word; inserts
 * exclude each other by the bucket's lock. Also here: stashes, which are claimed the same way.
 */
#ifndef SLUICE_FLOW_H
#define SLUICE_FLOW_H

#include "source.h"

/* Tries for a lock. The holder's run takes about 1 us; a packet that waits longer is dropped. */
#define LOCK_TRIES 4096

/* Timeouts in units of the coarse clock (2^26 ns). */
#define CLOCK_SECONDS(s) ((__u64)(s) * 1000000000ULL >> CLOCK_SHIFT)
#define FLOW_TIMEOUT_HEAD CLOCK_SECONDS(60) /* no request yet */
#define FLOW_TIMEOUT_IDLE CLOCK_SECONDS(3600)
#define FLOW_TIMEOUT_BUSY                                                                          \
	CLOCK_SECONDS(7200) /* a body or a response is due, or the flow is pinned */
#define FLOW_SILENT 4	    /* 268 ms without a packet, where the bucket is full */
#define FLOW_TIMEOUT_CLOSED CLOCK_SECONDS(60) /* 2 MSL and more than a cookie's life */
#define FLOW_COOKIE_LIFE CLOCK_SECONDS(35)    /* see cookie.h */

static __always_inline bool lock_try(__u32 *word)
{
	return __sync_val_compare_and_swap(word, 0, 1) == 0;
}

__noinline int lock_wait(__u32 *word NONNULL)
{
	volatile __u32 tries = LOCK_TRIES;

	while (can_loop) {
		if (lock_try(word))
			return 1;
		if (--tries == 0)
			break;
	}
	return 0;
}

static __always_inline bool lock_take(__u32 *word)
{
	return lock_try(word) || lock_wait(word);
}

static __always_inline void lock_release(__u32 *word)
{
	__sync_lock_test_and_set(word, 0);
}

/* Keyed hash of 20 bytes. The seed is secret, so buckets cannot be aimed at. */
static __always_inline __u64 key_hash(const __u64 *seed, const void *key)
{
	const __u32 *w = key;
	__u64 h = seed[0];

	h = (h ^ (w[3] | (__u64)w[4] << 32)) * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 29;
	h = (h ^ seed[1] ^ (w[0] | (__u64)w[1] << 32)) * 0xbf58476d1ce4e5b9ULL;
	h ^= h >> 32;
	h = (h ^ w[2]) * 0x94d049bb133111ebULL;
	return h ^ h >> 31;
}

static __always_inline bool key_equal(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
}

static __always_inline struct settings *settings_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline struct flow *flow_at(__u32 slot)
{
	return bpf_map_lookup_elem(&flows, &slot);
}

static __always_inline bool flow_both_fin(const struct flow *f)
{
	return (f->flags & (FLOW_CLIENT_FIN | FLOW_LEG_FIN)) == (FLOW_CLIENT_FIN | FLOW_LEG_FIN);
}

/* Over: kept only so that late segments find it. */
static __always_inline bool flow_is_tombstone(const struct flow *f)
{
	return f->state == FLOW_CLOSED || flow_both_fin(f);
}

/* Ends a run's hold on the flow. Whatever has closed the flow meanwhile, here it stops to count for
 * its source. */
static __always_inline void flow_release(struct run *r, struct flow *f)
{
	if (f->reply & REPLY_COUNTED && (f->state == FLOW_FREE || flow_is_tombstone(f)))
		source_drop(r, f);
	lock_release(&f->owner);
}

/* Nothing is under way: the flow may be evicted when its bucket is full. */
static __always_inline bool flow_is_idle(const struct flow *f)
{
	return f->state == FLOW_OPEN && !(f->flags & FLOW_PINNED) && !(f->reply & REPLY_ACTIVE) &&
	       f->phase == REQUEST_START && !(f->reply & REPLY_AWAITED);
}

static __always_inline bool flow_is_expired(const struct flow *f, __u32 clock)
{
	__u32 age = clock - f->seen;

	if ((__s32)age < 0)
		return false;
	if (flow_is_tombstone(f) || f->state == FLOW_CLOSING)
		return age > FLOW_TIMEOUT_CLOSED;
	if (f->phase == REQUEST_START && !(f->reply & ~REPLY_COUNTED) && !(f->flags & FLOW_PINNED))
		return age > FLOW_TIMEOUT_HEAD;
	return age > (flow_is_idle(f) ? FLOW_TIMEOUT_IDLE : FLOW_TIMEOUT_BUSY);
}

/* Finds the flow of r->pkt's connection. Sets r->flow_slot. The caller takes the owner word and
 * then asks flow_matches(): the slot may have been given away in between. */
static __always_inline struct flow *flow_find(struct run *r, const struct settings *s,
					      const struct flow_key *key)
{
	__u64 hash = key_hash(s->seed, key);
	__u32 bucket = hash & s->flow_mask, tag = hash >> 32 | 1;
	struct flow_bucket *b = bpf_map_lookup_elem(&flow_buckets, &bucket);

	if (!b)
		return NULL;
	for (__u32 way = 0; way < FLOW_WAYS; way++) {
		struct flow *f;

		if (b->tags[way] != tag)
			continue;
		r->flow_slot = bucket * FLOW_WAYS + way;
		f = flow_at(r->flow_slot);
		if (f && key_equal(&f->key, key))
			return f;
	}
	return NULL;
}

static __always_inline bool flow_matches(const struct run *r, const struct flow *f,
					 const struct flow_key *key)
{
	return f->state != FLOW_FREE && key_equal(&f->key, key) &&
	       !flow_is_expired(f, run_clock(r));
}

/* How willingly an entry is given away: 0 never, else the higher the sooner. Global, so that the
 * verifier does not multiply its branches by the ways of a bucket. */
__noinline __u64 flow_evict_score(struct flow *f NONNULL, __u32 clock)
{
	__u32 age = clock - f->seen;

	if ((__s32)age < 0)
		age = 0;
	if (f->state == FLOW_FREE)
		return 4ULL << 32;
	if (flow_is_expired(f, clock))
		return 3ULL << 32 | age;
	if (flow_is_tombstone(f))
		return 2ULL << 32 | age;
	if (flow_is_idle(f))
		return 1ULL << 32 | age;
	/* Nobody but the client is concerned, and it has been silent: an answer, an unfinished
	 * head. */
	if (age > FLOW_SILENT && !(f->flags & FLOW_PINNED) && !(f->reply & REPLY_AWAITED) &&
	    (f->reply & REPLY_ACTIVE || f->phase == REQUEST_HEAD || f->state == FLOW_CLOSING))
		return age;
	return 0;
}

enum insert_result {
	INSERT_FULL, /* every entry of the bucket is in use */
	INSERT_OK,
	INSERT_BUSY,	     /* another CPU makes the flow at this moment */
	INSERT_REPLAY,	     /* the segment may have made a flow before, whose tombstone is gone */
	INSERT_SOURCE,	     /* the client's source has too many flows */
	INSERT_SOURCE_TUPLE, /* the same, and a tombstone of this tuple is there */
};

#define INSERT_SAME 6ULL /* scores beyond flow_evict_score(): an entry of the same tuple */
#define INSERT_UNUSED 5ULL

/* True if the connection that r->pkt begins is known to be younger than `since`: TSecr tells when
 * the gateway sent its SYN-ACK (RFC 7323, 4.1). */
static __always_inline bool flow_is_after(const struct run *r, __u32 since)
{
	__u32 age_ms = run_tsval(r) - r->pkt.tsecr;

	return r->pkt.has_ts && ((__u64)age_ms * 1000000 >> CLOCK_SHIFT) + 1 < run_clock(r) - since;
}

/*
 * Data that comes with a cookie makes a flow and runs its request. A late copy of it must not do so
 * again when the flow is over and its tombstone had to give way: while a cookie of such a flow may
 * be alive, the bucket takes only handshakes that cannot be the same one, and pure ACKs.
 */
static __always_inline bool flow_may_repeat(const struct run *r, const struct flow_bucket *b,
					    __u32 clock)
{
	return r->pkt.payload_len && b->evicted && clock - b->evicted <= FLOW_COOKIE_LIFE &&
	       !flow_is_after(r, b->evicted);
}

/* How gladly `key` takes the entry in place of what is there; 0: not at all. With `over`, only one
 * that counts for the same source. */
static __always_inline __u64 flow_insert_score(struct flow *f, const struct flow_key *key,
					       __u32 have, __u32 tag, __u32 clock, bool over)
{
	if (have == tag && key_equal(&f->key, key))
		return INSERT_SAME << 32; /* its tombstone, or its twin's entry */
	if (over &&
	    (!have || !(f->reply & REPLY_COUNTED) || !source_equal(&f->key.client, &key->client)))
		return 0;
	return have ? flow_evict_score(f, clock) : INSERT_UNUSED << 32;
}

/* Makes the entry, whose owner word is held, one of `key`. */
static __always_inline void flow_reset(struct run *r, struct flow *f, const struct flow_key *key,
				       const struct settings *s, __u32 clock)
{
	__u32 gen = f->gen + 1;

	source_drop(r, f);
	__builtin_memset((void *)f + offsetof(struct flow, gen), 0,
			 sizeof(*f) - offsetof(struct flow, gen));
	f->gen = gen;
	__builtin_memcpy(&f->key, key, sizeof(*key));
	f->seen = clock;
	if (source_counts(r, s)) {
		f->reply = REPLY_COUNTED;
		source_add(r, &key->client);
	}
}

/* Takes an entry for `key`, zeroed but for key and gen, with its owner word held. Returns enum
 * insert_result. */
__noinline int flow_insert(struct run *r NONNULL, struct flow_key *key NONNULL)
{
	struct settings *s = settings_get();
	__u32 best_way = 0, bucket, tag, clock = run_clock(r);
	int result = INSERT_BUSY;
	struct flow_bucket *b;
	__u64 best = 0, hash;
	struct flow *f;
	bool over;

	if (!s)
		return INSERT_BUSY;
	hash = key_hash(s->seed, key);
	bucket = hash & s->flow_mask;
	tag = hash >> 32 | 1;
	over = source_is_full(r, s, &key->client);
	b = bpf_map_lookup_elem(&flow_buckets, &bucket);
	if (!b || !lock_take(&b->lock))
		return INSERT_BUSY;
	for (__u32 way = 0; way < FLOW_WAYS; way++) {
		__u32 slot = bucket * FLOW_WAYS + way;
		__u64 score;

		f = flow_at(slot);
		if (!f)
			continue;
		score = flow_insert_score(f, key, b->tags[way], tag, clock, over);
		if (score > best) {
			best = score;
			best_way = way;
		}
	}
	if (best >> 32 != INSERT_SAME && flow_may_repeat(r, b, clock))
		result = INSERT_REPLAY;
	else if (!best)
		result = over ? INSERT_SOURCE : INSERT_FULL;
	if (result != INSERT_BUSY)
		goto out;
	best_way &= FLOW_WAYS - 1;
	r->flow_slot = bucket * FLOW_WAYS + best_way;
	f = flow_at(r->flow_slot);
	if (!f || !lock_take(&f->owner))
		goto out;
	if (best >> 32 == INSERT_SAME) {
		bool live = !flow_is_tombstone(f) && f->state != FLOW_FREE &&
			    !flow_is_expired(f, clock);

		if (live || (over && !(f->reply & REPLY_COUNTED))) {
			lock_release(&f->owner);
			if (!live) /* live: another CPU was first */
				result = INSERT_SOURCE_TUPLE;
			goto out;
		}
	} else if (b->tags[best_way] && clock - f->seen <= FLOW_TIMEOUT_CLOSED &&
		   (!b->evicted || seq_after(f->seen, b->evicted))) {
		b->evicted = f->seen;
	}
	if (best >> 32 <= 1)
		count(STAT_FLOW_EVICTED);
	flow_reset(r, f, key, s, clock);
	b->tags[best_way] = tag;
	result = INSERT_OK;
out:
	lock_release(&b->lock);
	return result;
}

#endif
