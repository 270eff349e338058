/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeding of messages to the request and response parsers, for the table tests: each message as a
 * whole, and cut at every byte, with different bytes behind its end.
 */
#ifndef SLUICE_HTTP_ROWS_H
#define SLUICE_HTTP_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../fuzz/http_native.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

typedef int (*http_parse)(struct http_scratch *s);

static struct http_scratch scratch;

/*
 * Parses text[0, n). Behind it lie, one after the other: the rest of the text, zeros, CRs and more
 * field bytes. The result must not depend on that.
 */
static inline int rows_parse(http_parse parse, const char *text, size_t n, size_t len)
{
	static const int fills[] = { 0, '\r', 'a', 0xff };
	struct http_scratch first;
	int result, again;
	size_t i;

	http_native_put(&scratch, text, n, 0);
	memcpy(scratch.buf + n, text + n, len - n);
	result = parse(&scratch);
	first = scratch;
	for (i = 0; i < ROWS(fills); i++) {
		http_native_put(&scratch, text, n, fills[i]);
		again = parse(&scratch);
		if (again != result)
			fail_msg("depends on what lies behind byte %zu of \"%s\"", n, text);
	}
	scratch = first;
	return result;
}

/*
 * A message whose head is `head` bytes long (0: it never ends, and is bad when `want` says so). Fed
 * cut at every byte it is incomplete, or bad for the same reason, until the head is complete.
 */
static inline void rows_feed(http_parse parse, const char *text, size_t len, int want, size_t head,
			     const __u8 *reason)
{
	__u8 final;
	size_t n;
	int result;

	result = rows_parse(parse, text, len, len);
	if (result != want)
		fail_msg("result %d (%s), not %d: \"%s\"", result, http_reject_text(*reason), want,
			 text);
	final = *reason;
	for (n = 0; n < len; n++) {
		result = rows_parse(parse, text, n, len);
		if (want == HTTP_COMPLETE && result != (n < head ? HTTP_INCOMPLETE : HTTP_COMPLETE))
			fail_msg("result %d after %zu bytes of \"%s\"", result, n, text);
		if (result == HTTP_COMPLETE && want != HTTP_COMPLETE)
			fail_msg("complete after %zu bytes of \"%s\"", n, text);
		if (result == HTTP_BAD && *reason != final)
			fail_msg("bad after %zu bytes, for another reason (%s): \"%s\"", n,
				 http_reject_text(*reason), text);
	}
	rows_parse(parse, text, len, len);
}

#endif
