// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open addressing with linear probing, at most half full. Entry points: keymap_put(), keymap_get().
 * Nothing is ever deleted; keymap_free() drops the whole table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "keymap.h"

#define KEYMAP_FIRST_CAPACITY 64

/* The entry of a key, or the empty one where it belongs. The table has room. */
static struct keymap_entry *find(const struct keymap *map, uint32_t scope, const char *text,
				 size_t len)
{
	uint32_t hash = hash_fnv(HASH_FNV_SEED, &scope, sizeof(scope));
	struct keymap_entry *entry;
	size_t i = hash_fnv(hash, text, len);

	for (;; i++) {
		entry = &map->entries[i & (map->capacity - 1)];
		if (!entry->text ||
		    (entry->scope == scope && entry->len == len && !memcmp(entry->text, text, len)))
			return entry;
	}
}

static int grow(struct keymap *map)
{
	struct keymap bigger = {
		.capacity = map->capacity ? map->capacity * 2 : KEYMAP_FIRST_CAPACITY,
		.used = map->used,
	};
	size_t i;

	bigger.entries = calloc(bigger.capacity, sizeof(*bigger.entries));
	if (!bigger.entries)
		return -ENOMEM;
	for (i = 0; i < map->capacity; i++) {
		struct keymap_entry *entry = &map->entries[i];

		if (entry->text)
			*find(&bigger, entry->scope, entry->text, entry->len) = *entry;
	}
	free(map->entries);
	*map = bigger;
	return 0;
}

int keymap_put(struct keymap *map, uint32_t scope, const char *text, size_t len, uint32_t value)
{
	struct keymap_entry *entry;
	int err;

	if (map->used * 2 >= map->capacity) {
		err = grow(map);
		if (err)
			return err;
	}
	entry = find(map, scope, text, len);
	if (!entry->text)
		map->used++;
	*entry = (struct keymap_entry){ text, len, scope, value };
	return 0;
}

uint32_t keymap_get(const struct keymap *map, uint32_t scope, const char *text, size_t len)
{
	const struct keymap_entry *entry;

	if (!map->capacity)
		return KEYMAP_MISSING;
	entry = find(map, scope, text, len);
	return entry->text ? entry->value : KEYMAP_MISSING;
}

void keymap_free(struct keymap *map)
{
	free(map->entries);
	memset(map, 0, sizeof(*map));
}
