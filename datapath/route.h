/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From host, path, source and method to a target: first in the host's scope, then in that of routes
 * without a host, the exact path (hash) before the longest prefix by whole segments (LPM over path
 * bytes: keys end with '/', the request's path gets one appended); last the VIP's default pool. A
 * path whose routes have conditions leads to a chain of rules instead.
 * Reads the request in run.http, writes run.target. The path is matched as it is: no decoding.
 */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include "flow.h"

#define ROUTE_OFF_MASK                                                                             \
	(HTTP_BUF_BYTES / 2 - 1) /* a target or host that begins later is not matched */

#define HTTP_SCHEME_SLASH 6 /* where both `http://` and `https://` have a '/' */

_Static_assert(RULE_GET == 1 << HTTP_GET && RULE_POST == 1 << HTTP_POST &&
		       RULE_TRACE == 1 << HTTP_TRACE,
	       "enum rule_method");

enum route_stage {
	ROUTE_HOST_EXACT,
	ROUTE_HOST_PREFIX,
	ROUTE_ANY_EXACT,
	ROUTE_ANY_PREFIX,
};

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

static __always_inline struct target *route_exact(struct run *r, __u32 scope)
{
	__u32 off = r->http.req.path_off, len = r->http.req.path_len;

	if (!len && r->http.req.flags & HTTP_ABSOLUTE_FORM) { /* "/" (RFC 9110, 4.2.3) */
		off = r->http.req.target_off + HTTP_SCHEME_SLASH;
		len = 1;
	}
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

/* A target without a path (`*`, an authority, absolute form that ends there) lies below "/". */
static __always_inline struct target *route_prefix(struct run *r, __u32 scope)
{
	__u32 off = r->http.req.path_off, len = r->http.req.path_len;
	struct prefix_key *key = &r->prefix_key;

	if (len > PATH_BYTES - 1)
		len = PATH_BYTES - 1; /* no key is longer */
	if (route_copy(r, key->path, off, len, PATH_BYTES - 1) && len)
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

static __always_inline bool rule_takes(const struct rule *rule, const struct ip_addr *client,
				       __u32 method)
{
	__u32 differs = 0;

	for (int i = 0; i < 4; i++)
		differs |= (rule->addr.w[i] ^ client->w[i]) & rule->mask.w[i];
	return !differs && (!rule->methods || rule->methods & method);
}

/* True if a rule of the chain that begins at `first` takes the request: sets run.target. */
__noinline int route_rules(struct run *r NONNULL, __u32 first)
{
	struct flow *f = flow_at(r->flow_slot); /* the packet at hand may be another's */
	__u32 method = 1u << (r->http.req.method & 31);

	if (!f)
		return 0;
	r->rule = first;
	for (int i = 0; i < RULES_PER_PATH; i++) {
		__u32 at = r->rule;
		struct rule *rule = bpf_map_lookup_elem(&rules, &at);

		if (!at || !rule)
			return 0;
		if (rule_takes(rule, &f->key.client, method)) {
			r->target = rule->target;
			return 1;
		}
		r->rule = rule->next;
	}
	return 0;
}

/* True if the element takes the request: sets run.target. */
static __always_inline bool route_take(struct run *r, const struct target *t, __u32 stage)
{
	if (!t)
		return false;
	r->stage = stage;
	if (t->kind == TARGET_RULES)
		return route_rules(r, t->slot);
	r->target = *t;
	return true;
}

/* True if a route takes the request; those of stages before `stage` are not asked. */
__noinline int route_find(struct run *r NONNULL, __u32 any, __u32 stage)
{
	__u32 scope = r->scope;

	if (scope && stage <= ROUTE_HOST_EXACT &&
	    route_take(r, route_exact(r, scope), ROUTE_HOST_EXACT))
		return 1;
	if (scope && stage <= ROUTE_HOST_PREFIX &&
	    route_take(r, route_prefix(r, scope), ROUTE_HOST_PREFIX))
		return 1;
	if (stage <= ROUTE_ANY_EXACT && route_take(r, route_exact(r, any), ROUTE_ANY_EXACT))
		return 1;
	return stage <= ROUTE_ANY_PREFIX && route_take(r, route_prefix(r, any), ROUTE_ANY_PREFIX);
}

static __always_inline __u32 route_default(struct run *r, __u32 default_pool)
{
	r->target.kind = TARGET_NONE;
	r->target.pool = TARGET_POOL_NONE;
	if (default_pool == POOL_NONE)
		return STAT_ERROR_404;
	r->target.kind = TARGET_POOL;
	r->target.pool = default_pool;
	return STAT_MISS_DEFAULT;
}

/* Sets run.target; r->target.kind is TARGET_NONE when not even a default pool exists. Returns the
 * counter of the reason. */
__noinline int route_lookup(struct run *r NONNULL, __u32 default_pool)
{
	struct settings *s = settings_get();

	if (s) {
		r->scope = route_host_scope(r);
		if (route_find(r, s->any_scope, ROUTE_HOST_EXACT))
			return STAT_MISS_ROUTE;
	}
	return route_default(r, default_pool);
}

/* Behind the component that run.target is: what the other routes of its path say. */
__noinline int route_behind(struct run *r NONNULL, __u32 default_pool)
{
	struct settings *s = settings_get();

	for (int i = ROUTE_HOST_EXACT; s && i < ROUTE_ANY_PREFIX; i++) {
		if (!route_find(r, s->any_scope, r->stage + 1))
			break;
		if (r->target.kind != TARGET_OBJECT || r->target.pool != TARGET_POOL_ROUTE)
			return 1;
	}
	route_default(r, default_pool);
	return 0;
}

#endif
