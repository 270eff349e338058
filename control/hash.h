/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two hash functions of the control plane: FNV-1a (32 bits; names, routes) and a word-wise one
 * for the bytes of components. Neither withstands an adversary: their input is configuration.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_FNV_SEED 2166136261u
#define HASH_FNV_PRIME 16777619u

/* FNV-1a over `len` bytes, going on from `hash` (HASH_FNV_SEED at first). */
static inline uint32_t hash_fnv(uint32_t hash, const void *data, size_t len)
{
	const uint8_t *byte = data;

	for (; len > 0; len--)
		hash = (hash ^ *byte++) * HASH_FNV_PRIME;
	return hash;
}

/* 64 bits over `len` bytes, eight at a time; chains like hash_fnv(). */
static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *byte = data;
	uint64_t word;

	hash ^= len;
	for (; len > 0; byte += sizeof(word)) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		word = 0;
		memcpy(&word, byte, n);
		len -= n;
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	return hash;
}

#endif
