/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Free space of one region as a sorted list of holes: first fit, neighbours are joined. Offsets and
 * sizes are bytes and multiples of EXTENT_ALIGN.
 */
#ifndef SLUICE_EXTENT_H
#define SLUICE_EXTENT_H

#include <stddef.h>
#include <stdint.h>

#define EXTENT_ALIGN 8u
#define EXTENT_NONE UINT32_MAX

struct extent_hole {
	uint32_t off, len;
};

struct extents {
	struct extent_hole *holes;
	size_t n, capacity;
	uint32_t largest; /* no hole is larger; may be too high */
};

static inline uint32_t extent_round(size_t len)
{
	return (uint32_t)((len + EXTENT_ALIGN - 1) & ~(size_t)(EXTENT_ALIGN - 1));
}

/* All of [0, size) is free. 0 or -ENOMEM. */
int extents_init(struct extents *extents, uint32_t size);
void extents_free(struct extents *extents);
/* Takes `len` bytes; their offset or EXTENT_NONE. */
uint32_t extents_take(struct extents *extents, uint32_t len);
/* Takes exactly [off, off + len). 0, -EBUSY when a part of it is taken, or -ENOMEM. */
int extents_carve(struct extents *extents, uint32_t off, uint32_t len);
/* Gives bytes back. 0 or -ENOMEM: then they are lost for this process, nothing else. */
int extents_give(struct extents *extents, uint32_t off, uint32_t len);

#endif
