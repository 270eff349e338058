// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes with their place.
 */
#include <string.h>

#include "check.h"
#include "stream.h"

void stream_put(struct stream *s, const void *bytes, size_t len)
{
	if (s->len + len > sizeof(s->bytes))
		check_die("a stream is too long");
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}
