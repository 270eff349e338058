/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From host, path, source and method to a target: first in the host's scope, then in that of routes
 * without a host, the exact path before the longest prefix by whole segments; last the VIP's
 * default pool. A path whose routes have conditions leads to a chain of rules instead.
 * Reads the request in run.http, writes run.target. The path is matched as it is: no decoding.
 */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include "flow.h"

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

/* Copies `len` bytes of a message's buffer from `off`; `len` is in [1, max]. */
static __always_inline int route_copy(__u8 *to, const __u8 *buf, __u64 off, __u32 len, __u32 max)
{
	barrier_var(len);
	if (!is_length(len, max))
		return -1;
	return bpf_probe_read_kernel(to, len, &buf[http_masked(off)]);
}

/* The element of a path, or NULL; `slash`: 1: of the path with a '/' behind it. */
static __always_inline struct target *route_at(struct run *r, __u32 scope, const __u8 *buf,
					       __u32 off, __u32 len, __u32 slash)
{
	if (len + slash <= PATH_SHORT) {
		struct path_key *key = &r->path_key;

		__builtin_memset(key->path, 0, sizeof(key->path));
		key->scope = scope;
		if (route_copy(key->path, buf, off, len, PATH_SHORT) && (len || !slash))
			return NULL;
		if (slash && len < PATH_SHORT)
			key->path[len] = '/';
		return bpf_map_lookup_elem(&paths, key);
	}
	struct long_path_key *key = &r->long_key;

	__builtin_memset(key->path, 0, sizeof(key->path));
	key->scope = scope;
	if (route_copy(key->path, buf, off, len, PATH_BYTES))
		return NULL;
	if (slash && len < PATH_BYTES)
		key->path[len] = '/';
	return bpf_map_lookup_elem(&long_paths, key);
}

static __always_inline struct target *route_exact(struct run *r, __u32 scope)
{
	__u32 off = r->http.req.path_off, len = r->http.req.path_len;

	if (!len && r->http.req.flags & HTTP_ABSOLUTE_FORM) { /* "/" (RFC 9110, 4.2.3) */
		off = r->http.req.target_off + HTTP_SCHEME_SLASH;
		len = 1;
	}
	return route_at(r, scope, r->http.buf, off, len, 0);
}

/* Bit 7 of every byte that is a '/'. */
static __always_inline __u64 route_slash_bits(__u64 word)
{
	__u64 low = ~HTTP_HIGH;

	word ^= HTTP_REP('/');
	return ~(((word & low) + low) | word | low);
}

/* Notes where the segments of a path end, as far as there are prefixes: bits of `depths`. */
static __always_inline void route_split(struct run *r, const __u8 *buf, __u32 off, __u32 len,
					__u32 depths)
{
	__u32 at, pos = http_unknown(&r->http, 0);
	__u64 bits;

	for (r->slashes = 0; pos < len && depths >> (r->slashes & 31) && can_loop; pos += 8) {
		bits = route_slash_bits(http_load8(buf, http_masked(off + pos)));
		for (; bits && can_loop; bits &= bits - 1) {
			at = pos + http_behind(bits) - 1;
			if (at < len && r->slashes < PATH_DEPTHS)
				r->slash[r->slashes++ & (PATH_DEPTHS - 1)] = at;
		}
	}
	/* a last segment without '/' */
	if (r->slashes < PATH_DEPTHS && pos >= len)
		r->slash[r->slashes++ & (PATH_DEPTHS - 1)] = len;
}

/*
 * The longest prefix of a path, or NULL; a path without bytes lies below "/". A hash probe for each
 * depth at which there are prefixes: of 100,000 at five depths one is found in 0.5 us, in an LPM
 * trie in 1.2; of ten it is 0.1 the other way round (make bench-routes).
 */
static __always_inline struct target *route_prefix_at(struct run *r, __u32 scope, const __u8 *buf,
						      __u32 off, __u32 len)
{
	struct settings *s = settings_get();
	struct target *t;

	if (!s)
		return NULL;
	if (len > PATH_BYTES - 1)
		len = PATH_BYTES - 1; /* no prefix is longer */
	route_split(r, buf, off, len, s->depths | s->long_depths);
	for (r->probe = r->slashes; r->probe && can_loop; r->probe--) {
		__u32 depth = (r->probe - 1) & (PATH_DEPTHS - 1), at = r->slash[depth];

		if (!((at < PATH_SHORT ? s->depths : s->long_depths) >> depth & 1))
			continue;
		t = route_at(r, scope | SCOPE_PREFIX, buf, off, at, 1);
		if (t)
			return t;
	}
	return NULL;
}

/* Targets without a path are `*`, an authority, and an absolute form that ends behind it. */
static __always_inline struct target *route_prefix(struct run *r, __u32 scope)
{
	return route_prefix_at(r, scope, r->http.buf, r->http.req.path_off, r->http.req.path_len);
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
	if (route_copy(key->name, r->http.buf, r->label_off, r->label_len, HOST_BYTES))
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
		if (http_byte(&r->http, at) == '.')
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

#endif
