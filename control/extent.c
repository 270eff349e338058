// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Holes of a region. Entry points: extents_take(), extents_give(), and extents_carve() for what an
 * earlier daemon had taken. It touches no region's bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "extent.h"

static int insert(struct extents *extents, size_t at, uint32_t off, uint32_t len)
{
	struct extent_hole *holes;
	size_t capacity;

	if (extents->n == extents->capacity) {
		capacity = extents->capacity ? extents->capacity * 2 : 4;
		holes = realloc(extents->holes, capacity * sizeof(*holes));
		if (!holes)
			return -ENOMEM;
		extents->holes = holes;
		extents->capacity = capacity;
	}
	memmove(&extents->holes[at + 1], &extents->holes[at],
		(extents->n - at) * sizeof(*extents->holes));
	extents->holes[at] = (struct extent_hole){ off, len };
	extents->n++;
	return 0;
}

static void drop(struct extents *extents, size_t at)
{
	extents->n--;
	memmove(&extents->holes[at], &extents->holes[at + 1],
		(extents->n - at) * sizeof(*extents->holes));
}

/* Index of the first hole that begins after `off`. */
static size_t find_after(const struct extents *extents, uint32_t off)
{
	size_t low = 0, high = extents->n, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (extents->holes[middle].off <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int extents_init(struct extents *extents, uint32_t size)
{
	memset(extents, 0, sizeof(*extents));
	extents->largest = size;
	return insert(extents, 0, 0, size);
}

void extents_free(struct extents *extents)
{
	free(extents->holes);
	memset(extents, 0, sizeof(*extents));
}

uint32_t extents_take(struct extents *extents, uint32_t len)
{
	struct extent_hole *hole;
	uint32_t off, largest = 0;
	size_t i;

	if (len > extents->largest)
		return EXTENT_NONE;
	for (i = 0; i < extents->n; i++) {
		hole = &extents->holes[i];
		if (hole->len < len) {
			largest = hole->len > largest ? hole->len : largest;
			continue;
		}
		off = hole->off;
		hole->off += len;
		hole->len -= len;
		if (!hole->len)
			drop(extents, i);
		return off;
	}
	extents->largest = largest;
	return EXTENT_NONE;
}

int extents_carve(struct extents *extents, uint32_t off, uint32_t len)
{
	size_t at = find_after(extents, off);
	struct extent_hole hole;
	int err = 0;

	if (!at)
		return -EBUSY;
	at--;
	hole = extents->holes[at];
	if ((uint64_t)off + len > (uint64_t)hole.off + hole.len)
		return -EBUSY;
	if (off + len < hole.off + hole.len)
		err = insert(extents, at + 1, off + len, hole.off + hole.len - off - len);
	if (err)
		return err;
	extents->holes[at].len = off - hole.off;
	if (!extents->holes[at].len)
		drop(extents, at);
	return 0;
}

int extents_give(struct extents *extents, uint32_t off, uint32_t len)
{
	size_t at = find_after(extents, off);
	struct extent_hole *before = at > 0 ? &extents->holes[at - 1] : NULL;
	struct extent_hole *after = at < extents->n ? &extents->holes[at] : NULL;

	if (before && before->off + before->len == off) {
		before->len += len;
		if (after && off + len == after->off) {
			before->len += after->len;
			drop(extents, at);
		}
	} else if (after && off + len == after->off) {
		after->off = off;
		after->len += len;
		before = after;
	} else {
		if (insert(extents, at, off, len))
			return -ENOMEM;
		before = &extents->holes[at];
	}
	if (before->len > extents->largest)
		extents->largest = before->len;
	return 0;
}
