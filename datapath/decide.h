/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a target means for the request in run.http: the kernel answers, or a pool does.
 */
#ifndef SLUICE_DECIDE_H
#define SLUICE_DECIDE_H

#include "guard.h"
#include "negotiate.h"

/* Headers that claim another client address are believed of nobody here; Node may believe them, so
 * they pass from load balancers only. */
static __always_inline bool request_may_claim(const struct flow *f)
{
	const struct settings *s = settings_get();

	return f->flags & FLOW_TRUSTED || (s && s->flags & SETTINGS_FORWARDED_PASS);
}

/* Why the component that run.target is is not answered, or STAT_HIT. */
static __always_inline __u32 decide_object(struct run *r)
{
	const struct http_request *q = &r->http.req;
	struct object *o = bpf_map_lookup_elem(&objects, &r->target.slot);

	if (q->method != HTTP_GET && q->method != HTTP_HEAD)
		return STAT_MISS_METHOD;
	if (!http_request_answerable(q) || q->flags & HTTP_QUERY)
		return STAT_MISS_HEADERS;
	if (!o || o->gen != r->target.gen)
		return STAT_MISS_TABLE;
	if (q->flags & (HTTP_ACCEPT_ENCODING | HTTP_CONDITIONAL) && negotiate(r))
		return STAT_MISS_HEADERS;
	return STAT_HIT;
}

/* `reason`: route_lookup()'s. Returns STAT_HIT or STAT_CANNED where the kernel answers, else the
 * counter that says why run.target.pool does. May set REPLY_CLOSE in run.reply_flags. */
static __always_inline __u32 decide_target(struct run *r, __u32 reason)
{
	struct target *t = &r->target;

	if (t->kind == TARGET_OBJECT) {
		reason = decide_object(r);
		if (reason != STAT_HIT && t->pool == TARGET_POOL_ROUTE)
			route_behind(r, r->default_pool);
	}
	if (t->kind != TARGET_CANNED && t->kind != TARGET_DENY && t->kind != TARGET_REDIRECT)
		return reason;
	if (r->http.req.flags & HTTP_BODY)
		r->reply_flags |= REPLY_CLOSE;
	return STAT_CANNED;
}

#endif
