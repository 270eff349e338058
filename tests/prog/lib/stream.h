/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one side of a connection has said or must hear: bytes with their place.
 */
#ifndef PROG_STREAM_H
#define PROG_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_MAX 65536

struct stream {
	uint32_t start; /* seq of the first byte */
	uint32_t len;
	uint8_t bytes[STREAM_MAX];
};

/* Appends bytes. */
void stream_put(struct stream *s, const void *bytes, size_t len);

#endif
