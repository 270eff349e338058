// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SYN cookies, from the words of datapath/cookie.h and the paper on SipHash (Aumasson, Bernstein,
 * 2012), not from the datapath's code.
 */
#include <arpa/inet.h>
#include <string.h>

#include "peek.h"

#define CLOCK_SHIFT 34

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, int n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

/* Words, not bytes: there is no length word, the number of words follows from the family. */
static uint64_t siphash24(const uint64_t *key, const uint64_t *words, size_t n)
{
	struct sip s = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	size_t i;

	for (i = 0; i < n; i++) {
		s.v3 ^= words[i];
		sip_rounds(&s, 2);
		s.v0 ^= words[i];
	}
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint32_t cookie_of(const struct client *c, uint32_t isn, uint32_t clock, uint8_t bits,
		   const struct cookie_key *key)
{
	const struct ip_addr *src = &c->addr, *dst = &c->vip;
	uint64_t words[6];
	uint32_t without_isn;
	size_t n = 0;

	if (c->v6) {
		words[n++] = (uint64_t)src->w[0] << 32 | src->w[1];
		words[n++] = (uint64_t)src->w[2] << 32 | dst->w[2];
		words[n++] = (uint64_t)dst->w[0] << 32 | dst->w[1];
	}
	words[n++] = (uint64_t)src->w[3] << 32 | dst->w[3];
	words[n++] = (uint64_t)htons(c->port) << 48 | (uint64_t)htons(c->vip_port) << 32 |
		     (uint32_t)(clock << 8 | bits);
	without_isn = siphash24(key->key, words, n);
	words[n++] = (uint64_t)isn << 32;
	return (uint32_t)siphash24(key->key, words, n) << 16 | (without_isn & 0xff) << 8 | bits;
}

uint32_t cookie_clock(void)
{
	return peek_now() >> CLOCK_SHIFT;
}

struct cookie_key cookie_key(int generation)
{
	return (struct cookie_key){ { 0x1111111111111111ULL * (generation + 1),
				      0x0123456789abcdefULL + generation } };
}

void room_set_cookie_keys(int generation, uint64_t age_ns)
{
	struct cookie_keys keys = { .current = generation & 1 };
	struct cookie_key current = cookie_key(generation), old = cookie_key(generation - 1);
	uint32_t zero = 0;

	memcpy(keys.key[generation & 1], current.key, sizeof(current.key));
	memcpy(keys.key[!(generation & 1)], old.key, sizeof(old.key));
	keys.rotated_ns = peek_now() - age_ns;
	room_map_update("cookie_keys", &zero, &keys);
}

void client_forge_ack(struct client *c)
{
	uint32_t clock = cookie_clock(), forged, i;
	struct cookie_key key;
	int generation;

	for (i = 0;; i++) {
		forged = 0x5a5a0000 | i << 8 | (clock & 1) << 7;
		for (generation = 0; generation > -2; generation--) {
			key = cookie_key(generation);
			if (!((cookie_of(c, 0, clock, forged, &key) ^ forged) & 0xff00))
				break;
		}
		if (generation == -2)
			break;
	}
	c->ack = forged + 1;
}
