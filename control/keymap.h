/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table from (scope, text) to a number: host names to indices, prefixes to routes. It copies no
 * text: the texts (the configuration's) must outlive it. It only grows.
 */
#ifndef SLUICE_KEYMAP_H
#define SLUICE_KEYMAP_H

#include <stddef.h>
#include <stdint.h>

struct keymap_entry {
	const char *text; /* NULL: empty */
	size_t len;
	uint32_t scope;
	uint32_t value;
};

struct keymap {
	struct keymap_entry *entries;
	size_t used, capacity; /* a power of two */
};

#define KEYMAP_MISSING UINT32_MAX

/* Sets the value, replacing an older one. 0 or -ENOMEM. */
int keymap_put(struct keymap *map, uint32_t scope, const char *text, size_t len, uint32_t value);
/* The value, or KEYMAP_MISSING. */
uint32_t keymap_get(const struct keymap *map, uint32_t scope, const char *text, size_t len);
void keymap_free(struct keymap *map);

#endif
