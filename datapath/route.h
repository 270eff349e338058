/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From host and path to a target. Exact paths come first (hash), then the longest prefix by whole
 * segments (LPM over path bytes: keys end with '/', the request's path gets one appended), each in
 * the host's scope before the scope of routes without a host; last the VIP's default pool.
 * Reads the request in run.http, writes run.target. The path is matched as it is: no decoding.
 */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include "flow.h"

#define ROUTE_OFF_MASK                                                                             \
	(HTTP_BUF_BYTES / 2 - 1) /* a target or host that begins later is not matched */

/* Copies `len` bytes of the request from `off`; `len` is in [1, max]. */
static __always_inline int route_copy(struct run *r, __u8 *to, __u32 off, __u32 len, __u32 max)
{
	if (off > ROUTE_OFF_MASK)
		return -1;
	barrier_var(off);
	off &= ROUTE_OFF_MASK;
	barrier_var(len);
	if (!is_length(len, max))
		return -1;
	return bpf_probe_read_kernel(to, len, &r->http.buf[off]);
}

static __always_inline struct target *route_exact(struct run *r, __u32 scope, __u32 off, __u32 len)
{
	if (len <= PATH_SHORT) {
		struct path_key *key = &r->path_key;

		__builtin_memset(key->path, 0, sizeof(key->path));
		key->scope = scope;
		if (route_copy(r, key->path, off, len, PATH_SHORT))
			return NULL;
		return bpf_map_lookup_elem(&paths, key);
	}
	struct long_path_key *key = &r->long_key;

	__builtin_memset(key->path, 0, sizeof(key->path));
	key->scope = scope;
	if (route_copy(r, key->path, off, len, PATH_BYTES))
		return NULL;
	return bpf_map_lookup_elem(&long_paths, key);
}

static __always_inline struct target *route_prefix(struct run *r, __u32 scope, __u32 off, __u32 len)
{
	struct prefix_key *key = &r->prefix_key;

	if (len > PATH_BYTES - 1)
		len = PATH_BYTES - 1; /* no key is longer */
	if (route_copy(r, key->path, off, len, PATH_BYTES - 1))
		return NULL;
	barrier_var(len);
	if (len > PATH_BYTES - 1)
		return NULL;
	key->path[len] = '/';
	key->prefixlen = (4 + len + 1) * 8;
	key->scope = scope;
	return bpf_map_lookup_elem(&prefixes, key);
}

/* 'A'..'Z' to lower case in four bytes, which are ASCII (the parser refuses others in a host). */
static __always_inline __u32 route_lower(__u32 w)
{
	__u32 from_a = w + 0x3f3f3f3f, past_z = w + 0x25252525;

	return w | (from_a & ~past_z & 0x80808080) >> 2;
}

/* Looks run.label_* up. Returns the scope or 0. */
static __always_inline __u32 route_label(struct run *r, const struct settings *s)
{
	struct host_key *key = &r->host_key;
	__u32 *scope;

	key->epoch = s->epoch;
	__builtin_memset(key->name, 0, sizeof(key->name));
	if (route_copy(r, key->name, r->label_off, r->label_len, HOST_BYTES))
		return 0;
	for (int i = 0; i < HOST_BYTES; i += 4)
		store_u32(key->name + i, route_lower(load_u32(key->name + i)));
	scope = bpf_map_lookup_elem(&hosts, key);
	return scope ? *scope : 0;
}

/* On to the next dot: "a.b.example" becomes ".b.example". The cursor lives in map memory: a
 * constant that counts up would be a new state for the verifier each time round. */
static __always_inline bool route_next_label(struct run *r)
{
	while (r->label_len > 1 && can_loop) {
		__u32 at = ++r->label_off;

		r->label_len--;
		barrier_var(at);
		if (r->http.buf[at & ROUTE_OFF_MASK] == '.')
			return r->label_len > 1;
	}
	return false;
}

/* The scope of the request's host, or 0. Wildcards: the longest `.suffix` that is configured. */
__noinline int route_host_scope(struct run *r NONNULL)
{
	struct settings *s = settings_get();
	__u32 scope;

	r->label_off = r->http.req.host_off;
	r->label_len = r->http.req.host_name_len;
	if (!s || !(s->flags & SETTINGS_HOSTS))
		return 0;
	while (r->label_len && can_loop) {
		scope = route_label(r, s);
		if (scope || !(s->flags & SETTINGS_WILDCARDS) || !route_next_label(r))
			return scope;
	}
	return 0;
}

static __always_inline void route_take(struct run *r, const struct target *t)
{
	r->target = *t;
}

/* Sets run.target; r->target.kind is TARGET_NONE when not even a default pool exists. Returns the
 * counter of the reason. */
__noinline int route_lookup(struct run *r NONNULL, __u32 default_pool)
{
	struct settings *s = settings_get();
	__u32 off = r->http.req.path_off, len = r->http.req.path_len;
	struct target *t;
	__u32 any, scope;

	r->target.kind = TARGET_NONE;
	r->target.pool = TARGET_POOL_NONE;
	if (!s)
		return STAT_ERROR_404;
	any = s->any_scope;
	scope = route_host_scope(r);
	if (len) {
		t = scope ? route_exact(r, scope, off, len) : NULL;
		if (!t)
			t = route_exact(r, any, off, len);
		if (!t && scope)
			t = route_prefix(r, scope, off, len);
		if (!t)
			t = route_prefix(r, any, off, len);
		if (t) {
			route_take(r, t);
			return STAT_MISS_ROUTE;
		}
	}
	if (default_pool == POOL_NONE)
		return STAT_ERROR_404;
	r->target.kind = TARGET_POOL;
	r->target.pool = default_pool;
	return STAT_MISS_DEFAULT;
}

#endif
