/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Denials hold for everything that a target may stand for (http_normal.h), not only for the path as
 * it is written. The maps of paths hold the denials a second time, in normal form, in scopes of
 * their own (SCOPE_DENY). guard_run() asks them, where a target is not in that form already.
 *
 * A denial gives way to a route of the same or a greater length that the target matches as it is
 * written, as it does for plain paths. Fails closed: what cannot be judged is refused.
 */
#ifndef SLUICE_GUARD_H
#define SLUICE_GUARD_H

#include "route.h"

enum guard_result {
	GUARD_PASS,
	GUARD_DENIED, /* run.target is the denial */
	GUARD_BAD,
};

/* What is in run.normal, as an exact path. The normal form's '/' is there if nothing else is. */
static __always_inline struct target *guard_exact(struct run *r, __u32 scope)
{
	__u32 len = r->normal.seen ? r->normal.seen : 1;

	return route_at(r, scope, r->normal.buf, 0, len, 0);
}

static __always_inline struct target *guard_prefix(struct run *r, __u32 scope)
{
	return route_prefix_at(r, scope, r->normal.buf, 0, r->normal.seen);
}

/* True if a denial of more than `own` bytes takes the request: run.target. */
static __always_inline bool guard_takes(struct run *r, const struct target *t, __u32 own)
{
	if (!t)
		return false;
	if (t->kind == TARGET_RULES) {
		if (!route_rules(r, t->slot))
			return false;
	} else {
		r->target = *t;
	}
	return r->target.len > own;
}

/* True if what is in run.normal is denied in a scope; a final one is looked up as exact path, too.
 */
__noinline int guard_scope(struct run *r NONNULL, __u32 scope, __u32 own, __u32 is_whole)
{
	scope |= SCOPE_DENY;
	if (is_whole && guard_takes(r, guard_exact(r, scope), own))
		return 1;
	return guard_takes(r, guard_prefix(r, scope), own);
}

/* One stop on the way to the normal form. `own`: length of the route that the target matches as it
 * is written, `is_host`: it is one of the host. */
static __always_inline bool guard_stop(struct run *r, __u32 any, int step, __u32 own, bool is_host)
{
	bool is_whole = step != HTTP_NORMAL_UP;

	if (r->normal.ups) { /* what the target begins with may not be what it stands for */
		own = 0;
		is_host = false;
	}
	if (r->scope && guard_scope(r, r->scope, is_host ? own : 0, is_whole))
		return true;
	return !is_host && guard_scope(r, any, own, is_whole);
}

/* Host names are never decoded here, but URL parsers do (WHATWG URL, 3.5). */
__noinline int guard_host_is_odd(struct run *r NONNULL)
{
	__u64 pos = r->http.req.host_off, end = pos + r->http.req.host_name_len;

	while (http_before(&pos, end) && can_loop)
		if (http_byte(&r->http, pos++) == '%')
			return 1;
	return 0;
}

/* Judges the target in run.http; `is_found`: run.target is the route that it matches as it is
 * written. Returns enum guard_result. */
__noinline int guard_run(struct run *r NONNULL, __u32 any, __u32 is_found)
{
	bool is_host = is_found && r->stage <= ROUTE_HOST_PREFIX;
	struct target written = r->target;
	__u32 own = is_found ? written.len : 0;
	int step = HTTP_NORMAL_MORE;

	if (r->http.req.flags & HTTP_HOST_UNUSUAL && guard_host_is_odd(r))
		return GUARD_BAD;
	http_normal_begin(&r->normal, &r->http.req);
	while (step != HTTP_NORMAL_END && can_loop) {
		step = http_normal_next(&r->http, &r->normal);
		if (step == HTTP_NORMAL_BAD)
			return GUARD_BAD;
		if (guard_stop(r, any, step, own, is_host))
			return GUARD_DENIED;
	}
	r->target = written;
	if (step != HTTP_NORMAL_END)
		return GUARD_BAD;
	return r->normal.ups && r->normal.is_odd ? GUARD_BAD : GUARD_PASS;
}

/* True if a denial may hold for more than route_find() has seen. */
static __always_inline bool guard_is_needed(const struct run *r, const struct settings *s,
					    bool is_found)
{
	if (!(s->flags & SETTINGS_DENY) || (is_found && r->target.kind == TARGET_DENY))
		return false;
	return !r->http.req.is_normal || r->http.req.flags & HTTP_HOST_UNUSUAL;
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
 * counter of the reason; STAT_ERROR_FORM: the request is refused. */
__noinline int route_lookup(struct run *r NONNULL, __u32 default_pool)
{
	struct settings *s = settings_get();

	bool is_found;

	if (!s)
		return route_default(r, default_pool);
	r->scope = route_host_scope(r);
	is_found = route_find(r, s->any_scope, ROUTE_HOST_EXACT);
	if (guard_is_needed(r, s, is_found)) {
		switch (guard_run(r, s->any_scope, is_found)) {
		case GUARD_DENIED:
			count(STAT_DENIED_FORM);
			return STAT_MISS_ROUTE;
		case GUARD_BAD:
			return STAT_ERROR_FORM;
		}
	}
	return is_found ? STAT_MISS_ROUTE : route_default(r, default_pool);
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
