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
 */
#ifndef SLUICE_COOKIE_H
#define SLUICE_COOKIE_H

#include "run.h"

#define COOKIE_CLOCK_SHIFT 34
#define COOKIE_KEY_OVERLAP_NS (1ULL << 35)

/* Rounded down: the value that the client announced is never exceeded. */
static const __u16 cookie_mss[8] = { 88, 256, 536, 1220, 1300, 1440, 1460, 8900 };
static const __u8 cookie_wscale[8] = { 0xff, 0, 2, 4, 6, 7, 8, 10 };

static __always_inline __u64 rotl64(__u64 x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static __always_inline void sip_round(__u64 *v)
{
	v[0] += v[1];
	v[1] = rotl64(v[1], 13) ^ v[0];
	v[0] = rotl64(v[0], 32);
	v[2] += v[3];
	v[3] = rotl64(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl64(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl64(v[1], 17) ^ v[2];
	v[2] = rotl64(v[2], 32);
}

static __always_inline void sip_word(__u64 *v, __u64 word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static __always_inline __u64 sip_final(__u64 *v)
{
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

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
	__u64 k0 = key->word[0], k1 = key->word[1];
	__u64 v[4] = { k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL,
		       k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL };
	struct pkt *p = &r->pkt;
	__u64 u[4];
	__u32 mac;

	if (p->is_v6) {
		sip_word(v, (__u64)p->src.w[0] << 32 | p->src.w[1]);
		sip_word(v, (__u64)p->src.w[2] << 32 | p->dst.w[2]);
		sip_word(v, (__u64)p->dst.w[0] << 32 | p->dst.w[1]);
	}
	sip_word(v, (__u64)p->src.w[3] << 32 | p->dst.w[3]);
	sip_word(v, (__u64)p->sport << 48 | (__u64)p->dport << 32 | clock << 8 | bits);
	__builtin_memcpy(u, v, sizeof(u));
	mac = sip_final(u) & 0xff;
	sip_word(v, (__u64)isn << 32);
	mac |= (sip_final(v) & 0xffff) << 8;
	return mac << 8 | bits;
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

#endif
