/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many flows a source has: an IPv4 address, or the first 64 bits of an IPv6 one, the least that
 * a subscriber gets (RFC 6177). Exact as long as the table of sources holds them all; one that has
 * fallen out of it starts at 0 again. Peers in `trusted` are not counted: many clients are behind
 * them.
 */
#ifndef SLUICE_SOURCE_H
#define SLUICE_SOURCE_H

#include "verdict.h"

#define SOURCE_TRIES 16

static __always_inline bool source_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->w[0] != b->w[0] || a->w[1] != b->w[1])
		return false;
	return !ip_addr_is_v4(a) || (a->w[2] == b->w[2] && a->w[3] == b->w[3]);
}

static __always_inline __u32 *source_find(struct run *r, const struct ip_addr *addr)
{
	r->source = *addr;
	if (!ip_addr_is_v4(addr)) {
		r->source.w[2] = 0;
		r->source.w[3] = 0;
	}
	return bpf_map_lookup_elem(&sources, &r->source);
}

/* True if flows of this run's client are counted. */
static __always_inline bool source_counts(const struct run *r, const struct settings *s)
{
	return s->source_flows && !r->is_trusted;
}

static __always_inline bool source_is_full(struct run *r, const struct settings *s,
					   const struct ip_addr *addr)
{
	__u32 *n;

	if (!source_counts(r, s))
		return false;
	n = source_find(r, addr);
	return n && *n >= s->source_flows;
}

static __always_inline void source_add(struct run *r, const struct ip_addr *addr)
{
	__u32 *n = source_find(r, addr), one = 1;

	if (!n && !bpf_map_update_elem(&sources, &r->source, &one, BPF_NOEXIST))
		return;
	if (!n)
		n = bpf_map_lookup_elem(&sources, &r->source); /* another CPU was first */
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* The flow counts no longer; never twice, and what fell out of the table does not go below 0. */
__noinline int source_drop(struct run *r NONNULL, struct flow *f NONNULL)
{
	__u32 *n;

	if (!(f->reply & REPLY_COUNTED))
		return 0;
	f->reply &= ~REPLY_COUNTED;
	n = source_find(r, &f->key.client);
	for (int i = 0; n && i < SOURCE_TRIES; i++) {
		__u32 old = *(volatile __u32 *)n;

		if (!old || __sync_val_compare_and_swap(n, old, old - 1) == old)
			break;
	}
	return 0;
}

#endif
