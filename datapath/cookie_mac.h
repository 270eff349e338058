/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MAC of SYN cookies: SipHash-2-4 (Aumasson, Bernstein, 2012) over words, without a length
 * word, since the family says how many there are. Plain C that also compiles natively for tests.
 */
#ifndef SLUICE_COOKIE_MAC_H
#define SLUICE_COOKIE_MAC_H

#include "abi.h"

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

/* The cookie of a tuple (see cookie.h). `word`: ports, clock and bits; its low 8 bits are those
 * that the cookie carries. */
static __always_inline __u32 cookie_mac(const struct ip_addr *src, const struct ip_addr *dst,
					bool is_v6, __u64 word, __u32 isn, const __u64 *key)
{
	__u64 v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
		       key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };
	__u64 u[4];
	__u32 mac;

	if (is_v6) {
		sip_word(v, (__u64)src->w[0] << 32 | src->w[1]);
		sip_word(v, (__u64)src->w[2] << 32 | dst->w[2]);
		sip_word(v, (__u64)dst->w[0] << 32 | dst->w[1]);
	}
	sip_word(v, (__u64)src->w[3] << 32 | dst->w[3]);
	sip_word(v, word);
	__builtin_memcpy(u, v, sizeof(u));
	mac = sip_final(u) & 0xff;
	sip_word(v, (__u64)isn << 32);
	mac |= (sip_final(v) & 0xffff) << 8;
	return mac << 8 | (word & 0xff);
}

#endif
