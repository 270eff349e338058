/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock of an answer of several segments, or of an unfinished header block: who holds a sender,
 * round-trip times (RFC 6298), and the timer that notices a lost tail (RFC 8985, 7). Its callback
 * has no packet to send with, so it asks for one: the daemon, which runs `kick` for the flow, or
 * while the daemon is dead the next packet that is left over in a run of another connection.
 */
#ifndef SLUICE_SENDER_H
#define SLUICE_SENDER_H

#include "flow.h"

#define SENDER_WAYS 4
#define SENDER_FEW 256
#define MSEC 1000000ULL
#define EBUSY 16
#define RTT_UNKNOWN (1000 * MSEC)   /* RFC 6298, 2.1 */
#define RTO_MIN (200 * MSEC)	    /* as Linux: TCP_RTO_MIN, include/net/tcp.h */
#define RTO_BACKOFF_MAX 5	    /* 6.4 s where the round trip is short */
#define PROBE_MARGIN (8 * MSEC)	    /* a busy host answers late; Linux has two ticks of its clock */
#define PROBE_ACK_DELAY (50 * MSEC) /* a lone segment's ACK may be delayed (RFC 8985, 7.2) */
#define SENDER_GIVE_UP (60000 * MSEC) /* no byte acknowledged for so long */
#define SENDER_SILENT (10000 * MSEC)
#define KICK_RETRY (200 * MSEC) /* a kick that nobody has served */
#define TICK_SHIFT 22		/* 2^22 ns = 4.2 ms */

static __always_inline struct sender *sender_at(__u32 slot)
{
	struct sender_entry *e = bpf_map_lookup_elem(&senders, &slot);

	return e ? &e->sender : NULL;
}

/* The sender that r->sender names, or NULL. */
static __always_inline struct sender *sender_of(const struct run *r)
{
	return r->sender ? sender_at(r->sender - 1) : NULL;
}

/* Half of the ways lead into the table's first entries: so few answers are under way at a time that
 * most of them share these, in the cache and with timers that are made. */
static __always_inline __u32 sender_slot(const struct run *r, const struct settings *s, __u32 way)
{
	__u32 slot = (r->flow_slot * 0x9e3779b1u >> 8) + way;

	return slot & s->sender_mask & (way < SENDER_WAYS / 2 ? SENDER_FEW - 1 : ~0U);
}

static __always_inline bool sender_is_of(const struct run *r, const struct flow *f,
					 const struct sender *s)
{
	return s->owner_slot == r->flow_slot + 1 && s->owner_gen == f->gen;
}

/* Sets r->sender to the flow's sender (slot + 1), or 0. */
__noinline int sender_find(struct run *r NONNULL, struct flow *f NONNULL)
{
	struct settings *set = settings_get();

	r->sender = 0;
	if (!set)
		return 0;
	for (int way = 0; way < SENDER_WAYS; way++) {
		__u32 slot = sender_slot(r, set, way);
		struct sender *s = sender_at(slot);

		if (s && sender_is_of(r, f, s)) {
			r->sender = slot + 1;
			return 1;
		}
	}
	return 0;
}

static __always_inline void sender_sample(struct flow *f, __u64 ns)
{
	__u64 rtt = ns >> RTT_SHIFT, diff;

	rtt = rtt > 0xffff ? 0xffff : rtt < 1 ? 1 : rtt;
	if (!f->srtt) {
		f->srtt = rtt;
		f->rttvar = rtt / 2;
		return;
	}
	diff = rtt > f->srtt ? rtt - f->srtt : f->srtt - rtt;
	f->rttvar = (3 * (__u32)f->rttvar + diff + 3) / 4;
	f->srtt = (7 * (__u32)f->srtt + rtt + 7) / 8;
}

/* Retransmission timeout, ns (RFC 6298, 2.3). */
static __always_inline __u64 sender_rto(const struct flow *f, const struct sender *s)
{
	__u64 var = (__u64)f->rttvar << (RTT_SHIFT + 2), rto = RTT_UNKNOWN;

	if (f->srtt)
		rto = ((__u64)f->srtt << RTT_SHIFT) + (var > RTO_MIN ? var : RTO_MIN);
	return rto << (s->backoff > RTO_BACKOFF_MAX ? RTO_BACKOFF_MAX : s->backoff);
}

/* How long to wait for an ACK before the tail is asked for: RFC 8985, 7.2. */
static __always_inline __u64 sender_probe_timeout(const struct flow *f, const struct sender *s,
						  bool single)
{
	__u64 rto = sender_rto(f, s), pto;

	if (!f->srtt)
		return rto;
	pto = ((__u64)f->srtt << (RTT_SHIFT + 1)) + PROBE_MARGIN + (single ? PROBE_ACK_DELAY : 0);
	return pto < rto ? pto : rto;
}

/* The holder is gone, or waits for nothing: neither for ACKs, be it those of a leg for what went
 * through the stash, nor for the rest of a header block. */
static __always_inline bool sender_is_free(const struct sender *s)
{
	struct flow *f;

	if (!s->owner_slot)
		return true;
	f = flow_at(s->owner_slot - 1);
	return !f || f->gen != s->owner_gen || f->state == FLOW_CLOSED ||
	       !(f->reply & REPLY_ACTIVE || f->phase == REQUEST_HEAD ||
		 f->phase == REQUEST_QUEUED || (f->stash && f->active != ACTIVE_KERNEL));
}

/*
 * No other run is in the middle of using it: its holder, if it has one, is locked out meanwhile. A
 * holder whose request is held has its client for a timer. Any other would wait for ever, so it
 * must have been silent for long, and its next packet gets a RST.
 */
static __always_inline bool sender_take(struct run *r, struct flow *f, struct sender *s)
{
	struct flow *holder = s->owner_slot ? flow_at(s->owner_slot - 1) : NULL;
	__u64 age = r->now_ns - s->progress_ns;
	bool taken = true;

	if (holder && holder != f && !lock_try(&holder->owner))
		return false;
	if (!sender_is_free(s) && holder) {
		bool waits = holder->reply & REPLY_ACTIVE && !holder->req_len;

		taken = age > (waits ? SENDER_SILENT : FLOW_SILENT << CLOCK_SHIFT);
		if (taken && waits)
			holder->state = FLOW_FREE;
	}
	if (taken) {
		s->owner_slot = r->flow_slot + 1;
		s->owner_gen = f->gen;
	}
	if (holder && holder != f)
		flow_release(r, holder);
	return taken;
}

/* The least useful of the flow's candidates (slot + 1): a free one, else that of an answer without
 * progress for a while, which then has to do with its client's timer. 0: there is none. */
static __always_inline __u32 sender_choose(const struct run *r, const struct settings *set)
{
	__u64 best_age = FLOW_SILENT << CLOCK_SHIFT, age;
	__u32 best = 0;

	for (int way = 0; way < SENDER_WAYS; way++) {
		__u32 slot = sender_slot(r, set, way);
		struct sender *s = sender_at(slot);

		if (!s)
			continue;
		age = sender_is_free(s) ? ~0ULL : r->now_ns - s->progress_ns;
		if (age > best_age) {
			best_age = age;
			best = slot + 1;
		}
	}
	return best;
}

/* As sender_find(), but takes one where the flow has none. The scoreboard is empty. */
__noinline int sender_claim(struct run *r NONNULL, struct flow *f NONNULL)
{
	struct settings *set = settings_get();
	bool own = sender_find(r, f);
	struct sender *s;

	if (!set)
		return 0;
	if (!own)
		r->sender = sender_choose(r, set);
	s = sender_of(r);
	if (!s || !lock_take(&s->lock)) {
		r->sender = 0;
		return 0;
	}
	if (!own && !sender_take(r, f, s)) {
		r->sender = 0;
		lock_release(&s->lock);
		return 0;
	}
	s->backoff = 0;
	/* RFC 5681, 4.1: what is known of the path is old. */
	if ((__u64)r->rested << CLOCK_SHIFT > sender_rto(f, s) && f->cwnd > CWND_INITIAL)
		f->cwnd = CWND_INITIAL;
	s->deadline_ns = 0;
	s->progress_ns = r->now_ns;
	s->timed_ns = 0;
	s->sacked = 0;
	s->lost = 0;
	s->flags = 0;
	s->sent = 0;
	s->delivered = 0;
	s->entered = 0;
	s->entered_ms = run_tsval(r);
	__builtin_memset(s->order, 0, sizeof(s->order));
	lock_release(&s->lock);
	return 1;
}

static __always_inline bool kick_is_served(__u64 now_ns)
{
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&kicks_served, &zero);

	return until && *until > now_ns;
}

static __always_inline __u32 *kick_pending_count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kicks_pending, &zero);
}

/* Asks for a packet with which the flow can send. */
static __always_inline void kick_ask(__u32 slot, __u32 gen, __u64 now_ns)
{
	struct kick kick = { .flow = slot, .gen = gen };
	__u32 *pending = kick_pending_count();
	struct flow *f = flow_at(slot);

	if (!f || !pending || f->gen != gen)
		return;
	kick.is_v6 = !ip_addr_is_v4(&f->key.client);
	bpf_ringbuf_output(&kicks, &kick, sizeof(kick), 0);
	if (!kick_is_served(now_ns) && !bpf_map_push_elem(&pending_kicks, &kick, 0))
		__sync_fetch_and_add(pending, 1);
}

/*
 * When a timer for `ns` fires: on a grid, so that all of a tick share one interrupt. In
 * a virtual machine an interrupt of each answer's own costs more than the answer's segments.
 */
static __always_inline __u64 sender_tick(__u64 ns)
{
	return ((ns >> TICK_SHIFT) + 1) << TICK_SHIFT;
}

/* The timer of a sender. Runs in a softirq, without the flow's owner word: what it reads may
 * change meanwhile. */
static int sender_timer(void *map, __u32 *key, struct sender_entry *e)
{
	struct sender *s = &e->sender;
	__u64 now = bpf_ktime_get_ns(), deadline = *(volatile __u64 *)&s->deadline_ns;
	__u64 wait = KICK_RETRY;

	/* A connection that was reset or evicted tells its sender nothing. */
	if (!deadline || sender_is_free(s)) {
		__sync_lock_test_and_set(&s->armed, 0);
		/* sender_arm() may have seen `armed` a moment ago. */
		if (*(volatile __u64 *)&s->deadline_ns == deadline || !lock_try(&s->armed))
			return 0;
		wait = PROBE_MARGIN;
	} else if (deadline > now) {
		wait = deadline - now;
	} else if (s->owner_slot) {
		kick_ask(s->owner_slot - 1, s->owner_gen, now);
	}
	s->fires_ns = sender_tick(now + wait);
	if (bpf_timer_start(&e->timer, s->fires_ns, BPF_F_TIMER_ABS))
		__sync_lock_test_and_set(&s->armed, 0);
	return 0;
}

/* True if the sender has a timer. It is made at its first use, and since Linux 6.18 that may fail:
 * __bpf_async_init() (kernel/bpf/helpers.c) takes memory with kmalloc_nolock(), which finds no new
 * page while another CPU holds the zone's lock, nor ever where the machine has left a part of its
 * memory uninitialised since boot (deferred_pages_enabled(), mm/page_alloc.c). */
__noinline int sender_is_ready(__u32 slot)
{
	struct sender_entry *e = bpf_map_lookup_elem(&senders, &slot);
	long err;

	if (!e)
		return 0;
	if (e->sender.armed)
		return 1;
	err = bpf_timer_init(&e->timer, &senders, 1 /* CLOCK_MONOTONIC */);
	return !err || err == -EBUSY;
}

/* Something must be sent `wait` ns from now unless an ACK comes first. A timer that fires earlier
 * is left alone: it will see the new deadline. */
__noinline int sender_arm(struct run *r NONNULL, __u64 wait)
{
	__u32 slot = r->sender - 1;
	struct sender_entry *e = bpf_map_lookup_elem(&senders, &slot);
	struct sender *s;

	if (!e)
		return -1;
	s = &e->sender;
	s->deadline_ns = r->now_ns + wait;
	if (lock_try(&s->armed)) {
		bpf_timer_init(&e->timer, &senders, 1 /* CLOCK_MONOTONIC */);
		bpf_timer_set_callback(&e->timer, sender_timer);
	} else if (s->fires_ns <= sender_tick(s->deadline_ns)) {
		return 0;
	}
	s->fires_ns = sender_tick(s->deadline_ns);
	if (bpf_timer_start(&e->timer, s->fires_ns, BPF_F_TIMER_ABS))
		__sync_lock_test_and_set(&s->armed, 0);
	return 0;
}

#endif
