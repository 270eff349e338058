/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which variant of a component answers a request, and whether its header block is enough. */
#ifndef SLUICE_NEGOTIATE_H
#define SLUICE_NEGOTIATE_H

#include "maps.h"
#include "run.h"

#include "http_negotiate.h"

_Static_assert(HTTP_WISH_BROTLI == (int)CODING_BROTLI && HTTP_WISH_GZIP == (int)CODING_GZIP,
	       "weights and variants have the same order");

/* Makes run.target the variant that the request in run.http wishes for. False: there is none. */
static __always_inline bool negotiate_coding(struct run *r, struct object **o)
{
	__u32 stored = ((*o)->variants[CODING_BROTLI] ? 1 << CODING_BROTLI : 0) |
		       ((*o)->variants[CODING_GZIP] ? 1 << CODING_GZIP : 0);
	__u32 coding = http_coding_choose(&r->http, stored), slot;

	if (coding == HTTP_WISH_IDENTITY)
		return true;
	if (coding > HTTP_WISH_IDENTITY)
		return false;
	slot = (*o)->variants[coding == HTTP_WISH_GZIP ? CODING_GZIP : CODING_BROTLI] - 1;
	*o = bpf_map_lookup_elem(&objects, &slot);
	if (!*o || !(*o)->gen)
		return false;
	r->target.slot = slot;
	r->target.gen = (*o)->gen;
	return true;
}

/* Makes run.target, a component that the request may have, the answer to it. Returns 0, or -1: no
 * variant is acceptable. */
__noinline int negotiate(struct run *r NONNULL)
{
	struct object *o = bpf_map_lookup_elem(&objects, &r->target.slot);

	if (!o)
		return -1;
	if (r->http.req.flags & HTTP_ACCEPT_ENCODING && !negotiate_coding(r, &o))
		return -1;
	if (r->http.req.flags & HTTP_CONDITIONAL &&
	    http_is_not_modified(&r->http, o->etag, o->modified))
		r->target.slot |= TX_NOT_MODIFIED;
	return 0;
}

#endif
