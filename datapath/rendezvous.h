/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Weighted rendezvous hashing (highest random weight): each member of a pool draws a number from
 * the key and its own identity, and the smallest -log2(u) / weight wins. When a member goes, only
 * its own keys move, to the others by their weights, and they come back with it. Plain integers,
 * also compiled natively.
 */
#ifndef SLUICE_RENDEZVOUS_H
#define SLUICE_RENDEZVOUS_H

#define RENDEZVOUS_BITS 16 /* of the fraction */

/* A hash of both numbers, all bits of which count (the finalizer of MurmurHash3, twice). */
static __always_inline __u32 rendezvous_draw(__u64 key, __u64 identity)
{
	__u64 h = key * 0x9e3779b97f4a7c15ULL ^ identity;

	h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
	h ^= identity * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return h >> 32;
}

/* -log2(x / 2^32) in units of 2^-16, for x >= 1; at least 1. */
static __always_inline __u32 rendezvous_cost(__u32 x)
{
	__u32 whole = 31, log = 0;
	__u64 m;

	x |= !x;
	for (int step = 16; step; step >>= 1) {
		if (!(x >> (32 - step))) {
			x <<= step;
			whole -= step;
		}
	}
	m = x; /* 1 to 2, in units of 2^-31: each squaring yields one bit of its logarithm */
	for (int bit = 0; bit < RENDEZVOUS_BITS; bit++) {
		m = m * m >> 31;
		log = log << 1 | m >> 32;
		m >>= m >> 32;
	}
	return (32 << RENDEZVOUS_BITS) - (whole << RENDEZVOUS_BITS | log);
}

/* True if `cost` with `weight` is better than the other. */
static __always_inline int rendezvous_better(__u32 cost, __u32 weight, __u32 other,
					     __u32 other_weight)
{
	return (__u64)cost * other_weight < (__u64)other * weight;
}

#endif
