// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects and their slots. Entry points as in store.h; the bytes' place is found by extent.c.
 * Writing an object: bytes first, then `objects` with a new generation; the caller then writes the
 * target that points to it. An entry's index is its slot.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "store_internal.h"

/* Finds room for `size` bytes. 0 or -errno. */
static int take_room(struct store *store, uint32_t size, uint32_t *region, uint32_t *off)
{
	int err;

	if (size > REGION_USABLE)
		return -E2BIG;
	for (*region = 0;; (*region)++) {
		if (*region == store->n_regions) {
			err = store_add_region(store);
			if (err)
				return err;
		}
		*off = extents_take(&store->regions[*region].extents, size);
		if (*off != EXTENT_NONE)
			return 0;
	}
}

static uint32_t take_slot(struct store *store)
{
	uint32_t slot = store->free_slot;

	if (slot != NO_SLOT) {
		store->free_slot = store->entries[slot].next;
		return slot;
	}
	return store->n_entries < MAX_OBJECTS ? store->n_entries++ : NO_SLOT;
}

static void give_slot(struct store *store, uint32_t slot)
{
	store->entries[slot].state = ENTRY_FREE;
	store->entries[slot].next = store->free_slot;
	store->free_slot = slot;
}

static uint32_t next_gen(const struct store *store, const struct entry *entry)
{
	uint32_t gen = entry->last_gen + 1;

	/* Generations of an earlier daemon are below first_gen: see store_open(). */
	if (gen < store->first_gen && !entry->last_gen)
		gen = store->first_gen;
	return gen ? gen : 1;
}

static void unlink_entry(struct store *store, uint32_t slot)
{
	uint32_t *link = store_bucket(store, store->entries[slot].hash);

	while (*link != slot)
		link = &store->entries[*link].next;
	*link = store->entries[slot].next;
	store->bytes_used -= store->entries[slot].size;
	store->objects--;
}

/* Frees slot and bytes at once. */
static void free_entry(struct store *store, uint32_t slot)
{
	struct entry *entry = &store->entries[slot];
	struct object none = {};

	bpf_map_update_elem(store->objects_fd, &slot, &none, BPF_ANY);
	unlink_entry(store, slot);
	extents_give(&store->regions[entry->object.region].extents, entry->object.head.off,
		     entry->size);
	give_slot(store, slot);
}

static bool has_bytes(const struct store *store, const struct entry *entry,
		      const struct object_source *source)
{
	const struct object *object = &entry->object;
	const uint8_t *bytes = store->regions[object->region].bytes;

	return object->head.len == source->head_len && object->body.len == source->body_len &&
	       object->close.len == source->close_len &&
	       !memcmp(bytes + object->head.off, source->head, source->head_len) &&
	       !memcmp(bytes + object->body.off, source->body, source->body_len) &&
	       !memcmp(bytes + object->close.off, source->close_head, source->close_len);
}

/* `variants` NULL: whatever they are. */
static uint32_t find_same(struct store *store, const struct object_source *source, uint64_t hash,
			  const uint32_t variants[CODINGS])
{
	uint32_t slot = *store_bucket(store, hash);
	const struct entry *entry;

	for (; slot != NO_SLOT; slot = store->entries[slot].next) {
		entry = &store->entries[slot];
		if (entry->hash == hash && has_bytes(store, entry, source) &&
		    (!variants ||
		     !memcmp(entry->object.variants, variants, sizeof(entry->object.variants))))
			return slot;
	}
	return NO_SLOT;
}

/* Copies the bytes to their place and fills `object`. 0 or -errno. */
static int write_bytes(struct store *store, const struct object_source *source,
		       struct object *object)
{
	bool is_shared = source->head_len == source->close_len &&
			 !memcmp(source->head, source->close_head, source->head_len);
	uint32_t off, size;
	uint8_t *bytes;
	int err;

	size = extent_round(source->head_len + source->body_len);
	if (!is_shared)
		size += extent_round(source->close_len);
	err = take_room(store, size, &object->region, &off);
	if (err)
		return err;
	object->head = (struct span){ off, (uint32_t)source->head_len };
	object->body = (struct span){ off + object->head.len, (uint32_t)source->body_len };
	object->close = (struct span){ is_shared ? off : store_close_offset(object),
				       (uint32_t)source->close_len };
	bytes = store->regions[object->region].bytes;
	memcpy(bytes + object->head.off, source->head, source->head_len);
	memcpy(bytes + object->body.off, source->body, source->body_len);
	memcpy(bytes + object->close.off, source->close_head, source->close_len);
	return 0;
}

static int add_object(struct store *store, const struct object_source *source, uint64_t hash,
		      uint32_t *out)
{
	uint32_t slot = take_slot(store);
	struct entry *entry;
	int err;

	if (slot == NO_SLOT)
		return -ENOSPC;
	entry = &store->entries[slot];
	memset(&entry->object, 0, sizeof(entry->object));
	entry->object.etag = source->etag;
	entry->object.modified = source->modified;
	entry->object.date = source->date;
	entry->object.shared = source->shared;
	memcpy(entry->object.variants, source->variants, sizeof(source->variants));
	err = write_bytes(store, source, &entry->object);
	if (err)
		goto out;
	entry->object.gen = next_gen(store, entry);
	entry->size = store_object_size(&entry->object);
	if (bpf_map_update_elem(store->objects_fd, &slot, &entry->object, BPF_ANY)) {
		err = -errno;
		extents_give(&store->regions[entry->object.region].extents, entry->object.head.off,
			     entry->size);
		goto out;
	}
	entry->last_gen = entry->object.gen;
	entry->hash = hash;
	entry->state = ENTRY_LIVE;
	entry->born = store->txn;
	store_link(store, slot);
	*out = slot;
out:
	if (err)
		give_slot(store, slot);
	return err;
}

static void keep_entry(struct store *store, uint32_t slot)
{
	struct entry *entry = &store->entries[slot];

	if (entry->state == ENTRY_DYING) {
		entry->state = ENTRY_LIVE;
		entry->revived = store->txn;
	}
	entry->kept = store->txn;
}

bool store_keep(struct store *store, const struct object_source *source, struct object_ref *out)
{
	uint32_t slot = find_same(store, source, store_hash(source), NULL);
	const struct object *object;
	int i;

	if (slot == NO_SLOT)
		return false;
	object = &store->entries[slot].object;
	for (i = 0; i < CODINGS; i++) {
		if (object->variants[i])
			keep_entry(store, object->variants[i] - 1);
	}
	keep_entry(store, slot);
	*out = (struct object_ref){ slot, object->gen };
	return true;
}

int store_put(struct store *store, const struct object_source *source, struct object_ref *out)
{
	uint64_t hash = store_hash(source);
	uint32_t slot;
	int err;

	if (!source->head_len || source->head_len > HEAD_MAX || source->close_len > HEAD_MAX ||
	    source->body_len > BODY_MAX)
		return -E2BIG;
	slot = find_same(store, source, hash, source->variants);
	if (slot == NO_SLOT) {
		err = add_object(store, source, hash, &slot);
		if (err)
			return err;
	}
	keep_entry(store, slot);
	*out = (struct object_ref){ slot, store->entries[slot].object.gen };
	return 0;
}

void store_begin(struct store *store)
{
	store->txn++;
}

static void note_expiry(struct store *store, uint64_t expire_ms)
{
	if (!store->next_expiry || expire_ms < store->next_expiry)
		store->next_expiry = expire_ms;
}

void store_commit(struct store *store, uint64_t now_ms)
{
	struct entry *entry;
	uint32_t slot;

	for (slot = 0; slot < store->n_entries; slot++) {
		entry = &store->entries[slot];
		if (entry->state != ENTRY_LIVE || entry->kept == store->txn)
			continue;
		entry->state = ENTRY_DYING;
		entry->expire_ms = now_ms + STORE_GRACE_MS;
		note_expiry(store, entry->expire_ms);
	}
}

void store_abort(struct store *store)
{
	struct entry *entry;
	uint32_t slot;

	for (slot = 0; slot < store->n_entries; slot++) {
		entry = &store->entries[slot];
		if (entry->state != ENTRY_LIVE)
			continue;
		if (entry->born == store->txn) {
			free_entry(store, slot);
		} else if (entry->revived == store->txn) {
			entry->state = ENTRY_DYING;
			note_expiry(store, entry->expire_ms);
		}
	}
	store->txn++;
}

int store_expire(struct store *store, uint64_t now_ms)
{
	struct entry *entry;
	uint32_t slot;

	if (store->next_expiry && store->next_expiry <= now_ms) {
		store->next_expiry = 0;
		for (slot = 0; slot < store->n_entries; slot++) {
			entry = &store->entries[slot];
			if (entry->state != ENTRY_DYING)
				continue;
			if (entry->expire_ms <= now_ms)
				free_entry(store, slot);
			else
				note_expiry(store, entry->expire_ms);
		}
	}
	return store->next_expiry ? (int)(store->next_expiry - now_ms) : -1;
}

void store_usage(const struct store *store, struct store_usage *out)
{
	out->objects = store->objects;
	out->bytes_used = store->bytes_used;
	out->bytes_reserved = (uint64_t)store->n_regions * REGION_BYTES;
}
