/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second that goes into an answer's Date (RFC 9110, 6.6.1). Its clock is the kernel's, which
 * runs on when the daemon does not: CLOCK_TAI follows every step of the wall clock, and what the
 * daemon writes, the difference of the two, changes with a leap second at most.
 */
#ifndef SLUICE_DATE_H
#define SLUICE_DATE_H

#include "flow.h"
#include "http_date.h"

#define NSEC_PER_SEC 1000000000ULL

static __always_inline __u32 date_now(struct run *r)
{
	const struct settings *s;
	__u64 tai;

	if (r->now_ns >= r->date_until_ns) {
		s = settings_get();
		tai = bpf_ktime_get_tai_ns();
		r->date_now = tai / NSEC_PER_SEC - (s ? s->tai_offset : 0);
		r->date_until_ns = r->now_ns + NSEC_PER_SEC - tai % NSEC_PER_SEC;
	}
	return r->date_now;
}

/* Makes r->date the text of `second`. */
__noinline int date_write(struct run *r NONNULL, __u32 second)
{
	http_date_format(r->date, second);
	r->date_second = second;
	return 0;
}

static __always_inline void date_set(struct run *r, __u32 second)
{
	if (r->date_second != second)
		date_write(r, second);
}

#endif
