/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYN cookies. The initial sequence number is 24 bits of SipHash-2-4 over addresses, ports, a clock
 * of 2^34 ns (17 s) and the 8 option bits, followed by those bits. 16 of the 24 cover the client's
 * ISN too; 8 do not, so that later segments of a first flight whose beginning was lost can be told
 * from strangers:
 *
 *   31              16 15         8 7      6    4 3    1 0
 *   [ MAC with ISN ][ MAC without ][ clock & 1 ][ MSS ][ wscale ][ SACK ]
 *
 * A cookie lives 17 to 34 s. Whether timestamps are on shows in the ACK itself. Window scale and
 * SACK are kept for clients without timestamps too (stock cookies lose them).
 *
 * A forged ACK passes for a cookie with probability 2^-24: 5.96 in 10^8, twice that in the 34 s
 * after a key's rotation (tests/unit/cookie_test.c). Wrong ones are counted; while there are more
 * than COOKIE_FAILURES in a tick, data that comes without a flow is not accepted, so what a guess
 * gains at a higher rate is an empty flow.
 */
#ifndef SLUICE_COOKIE_H
#define SLUICE_COOKIE_H

#include "cookie_mac.h"
#include "run.h"

#define COOKIE_CLOCK_SHIFT 34
#define COOKIE_KEY_OVERLAP_NS (1ULL << 35)

/* Rounded down: the value that the client announced is never exceeded. */
static const __u16 cookie_mss[8] = { 88, 256, 536, 1220, 1300, 1440, 1460, 8900 };
static const __u8 cookie_wscale[8] = { 0xff, 0, 2, 4, 6, 7, 8, 10 };

struct sip_key {
	__u64 word[2];
};

static __always_inline const struct sip_key *cookie_key(const struct cookie_keys *keys, __u32 index)
{
	return (const struct sip_key *)keys->key[index & 1];
}

/* The cookie of r->pkt's tuple. `bits`: option bits and the clock's lowest. */
__noinline __u32 cookie_value(struct run *r NONNULL, const struct sip_key *key NONNULL, __u32 isn,
			      __u32 clock, __u32 bits)
{
	return cookie_mac(&r->pkt.src, &r->pkt.dst, r->pkt.is_v6,
			  (__u64)r->pkt.sport << 48 | (__u64)r->pkt.dport << 32 | clock << 8 | bits,
			  isn, key->word);
}

/* The cookie for a SYN: the gateway's ISN. */
__noinline int cookie_make(struct run *r NONNULL)
{
	struct pkt *p = &r->pkt;
	__u32 zero = 0, clock = r->now_ns >> COOKIE_CLOCK_SHIFT;
	struct cookie_keys *keys = bpf_map_lookup_elem(&cookie_keys, &zero);
	__u16 mss = p->mss ? p->mss : p->is_v6 ? 1220 : 536; /* RFC 9293, 3.7.1 */
	__u8 m = 0, w = 0;

	if (!keys)
		return 0;
	for (int i = 1; i < 8; i++) {
		if (mss >= cookie_mss[i])
			m = i;
		if (p->wscale != 0xff && p->wscale >= cookie_wscale[i])
			w = i;
	}
	return cookie_value(r, cookie_key(keys, keys->current), p->seq, clock,
			    (clock & 1) << 7 | m << 4 | w << 1 | (p->sack_ok ? 1 : 0));
}

#define COOKIE_ISN_MASK 0xffff0000u /* bits that depend on the client's ISN */

/*
 * Checks the ACK of a handshake (or the data that follows at once): 1 and run.cookie. 0: none of
 * ours. -1: a cookie of this tuple and time, but not the segment behind the SYN (wrong once in 256
 * cases).
 */
__noinline int cookie_check(struct run *r NONNULL)
{
	struct pkt *p = &r->pkt;
	__u32 zero = 0, cookie = p->ack - 1, clock = r->now_ns >> COOKIE_CLOCK_SHIFT;
	struct cookie_keys *keys = bpf_map_lookup_elem(&cookie_keys, &zero);
	__u8 bits = cookie;
	__u32 current, diff, old = ~0U;

	if (!keys)
		return 0;
	clock -= (clock ^ (bits >> 7)) & 1;
	current = keys->current & 1;
	diff = cookie ^ cookie_value(r, cookie_key(keys, current), p->seq - 1, clock, bits);
	if (diff && r->now_ns - keys->rotated_ns < COOKIE_KEY_OVERLAP_NS)
		old = cookie ^
		      cookie_value(r, cookie_key(keys, current ^ 1), p->seq - 1, clock, bits);
	if (diff && old)
		return diff & ~COOKIE_ISN_MASK && old & ~COOKIE_ISN_MASK ? 0 : -1;
	r->cookie.mss = cookie_mss[(bits >> 4) & 7];
	r->cookie.wscale = cookie_wscale[(bits >> 1) & 7];
	r->cookie.sack = bits & 1;
	return 1;
}

/* Wrong cookies in a tick of the coarse clock, all CPUs together: 4096 a second. */
#define COOKIE_FAILURES 275
#define COOKIE_LIMITED -2

struct cookie_budget {
	__u32 clock;
	__u32 failures;
};

MAP(BPF_MAP_TYPE_ARRAY, __u32, struct cookie_budget, 1, cookie_budgets);

/* Beyond the budget nothing is written, so that a flood does not pass the line between CPUs. */
static __always_inline void cookie_failed(const struct run *r, struct cookie_budget *budget)
{
	__u32 clock = run_clock(r), old = budget->clock;

	if (old != clock && __sync_val_compare_and_swap(&budget->clock, old, clock) == old)
		budget->failures = 0;
	if (budget->failures <= COOKIE_FAILURES)
		__sync_fetch_and_add(&budget->failures, 1);
}

/* cookie_check() within the budget: COOKIE_LIMITED when data comes while it is used up. */
__noinline int cookie_try(struct run *r NONNULL)
{
	__u32 zero = 0;
	struct cookie_budget *budget = bpf_map_lookup_elem(&cookie_budgets, &zero);
	int result;

	if (!budget)
		return 0;
	if (r->pkt.payload_len && budget->clock == run_clock(r) &&
	    budget->failures > COOKIE_FAILURES)
		return COOKIE_LIMITED;
	result = cookie_check(r);
	if (result <= 0)
		cookie_failed(r, budget);
	return result;
}

#endif
