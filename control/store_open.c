// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Regions and restarts: makes and maps regions, and finds the objects again that an earlier daemon
 * has left in the maps. Entry points: store_open(), store_close(), store_add_region().
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "log.h"
#include "mapset.h"
#include "store_internal.h"

#define GENS_PER_SECOND 16u

uint32_t *store_bucket(struct store *store, uint64_t hash)
{
	return &store->buckets[hash & (BUCKETS - 1)];
}

uint64_t store_hash(const struct object_source *source)
{
	uint64_t hash = hash_bytes(0, source->head, source->head_len);

	hash = hash_bytes(hash, source->body, source->body_len);
	return hash_bytes(hash, source->close_head, source->close_len);
}

/* The close variant may share the other's bytes: canned errors always end the connection. */
static bool has_shared_head(const struct object *object)
{
	return object->close.off == object->head.off;
}

uint32_t store_close_offset(const struct object *object)
{
	return object->head.off + extent_round((size_t)object->head.len + object->body.len);
}

uint32_t store_object_size(const struct object *object)
{
	uint32_t size = extent_round((size_t)object->head.len + object->body.len);

	return has_shared_head(object) ? size : size + extent_round(object->close.len);
}

void store_link(struct store *store, uint32_t slot)
{
	struct entry *entry = &store->entries[slot];
	uint32_t *bucket = store_bucket(store, entry->hash);

	entry->next = *bucket;
	*bucket = slot;
	store->bytes_used += entry->size;
	store->objects++;
}

/* Maps a region's bytes. 0 or -errno; closes the fd. */
static int map_region(struct store *store, uint32_t index, int fd)
{
	struct region *region = &store->regions[index];
	int err = 0;

	region->bytes = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (region->bytes == MAP_FAILED) {
		region->bytes = NULL;
		err = -errno;
	}
	close(fd);
	if (!err)
		err = extents_init(&region->extents, REGION_USABLE);
	return err;
}

int store_add_region(struct store *store)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	uint32_t index = store->n_regions;
	int fd, err;

	if (index == MAX_REGIONS)
		return -ENOSPC;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "content", sizeof(uint32_t), REGION_BYTES, 1,
			    &opts);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(store->regions_fd, &index, &fd, BPF_ANY)) {
		err = -errno;
		close(fd);
		return err;
	}
	err = map_region(store, index, fd);
	if (!err)
		store->n_regions++;
	return err;
}

/* Opens the regions that are there: they are the first ones. 0 or -errno. */
static int open_regions(struct store *store)
{
	uint32_t id;
	int fd, err;

	while (store->n_regions < MAX_REGIONS) {
		if (bpf_map_lookup_elem(store->regions_fd, &store->n_regions, &id))
			return errno == ENOENT ? 0 : -errno;
		fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			return -errno;
		err = map_region(store, store->n_regions, fd);
		if (err)
			return err;
		store->n_regions++;
	}
	return 0;
}

static bool is_span_inside(const struct span *span)
{
	return span->off <= REGION_USABLE && span->len <= REGION_USABLE - span->off;
}

static bool has_our_layout(const struct store *store, const struct object *object)
{
	return object->region < store->n_regions && is_span_inside(&object->head) &&
	       is_span_inside(&object->close) && is_span_inside(&object->body) &&
	       object->body.off == object->head.off + object->head.len &&
	       object->head.off % EXTENT_ALIGN == 0 &&
	       (has_shared_head(object) || object->close.off == store_close_offset(object));
}

/* Takes one element of `objects` over. */
static int adopt_object(const void *key, void *value, void *arg)
{
	const struct object *object = value;
	struct object_source source;
	struct store *store = arg;
	struct entry *entry;
	uint8_t *bytes;
	uint32_t slot;
	int err;

	memcpy(&slot, key, sizeof(slot));
	if (!object->gen || slot >= MAX_OBJECTS)
		return 0;
	if (!has_our_layout(store, object)) {
		log_error("object %u in the kernel is damaged: run `sluice unload` first", slot);
		return -EINVAL;
	}
	entry = &store->entries[slot];
	entry->object = *object;
	entry->size = store_object_size(object);
	err = extents_carve(&store->regions[object->region].extents, object->head.off, entry->size);
	if (err)
		return err;
	bytes = store->regions[object->region].bytes;
	source = (struct object_source){
		.head = bytes + object->head.off,
		.head_len = object->head.len,
		.close_head = bytes + object->close.off,
		.close_len = object->close.len,
		.body = bytes + object->body.off,
		.body_len = object->body.len,
	};
	entry->hash = store_hash(&source);
	entry->last_gen = object->gen;
	entry->state = ENTRY_LIVE;
	store_link(store, slot);
	if (slot >= store->n_entries)
		store->n_entries = slot + 1;
	return 0;
}

/* Lists the free slots below the highest one in use. */
static void collect_slots(struct store *store)
{
	uint32_t slot;

	for (slot = store->n_entries; slot-- > 0;) {
		if (store->entries[slot].state != ENTRY_FREE)
			continue;
		store->entries[slot].next = store->free_slot;
		store->free_slot = slot;
	}
}

/*
 * Free slots do not tell their last generation after a restart. Generations begin at a clock that
 * runs faster than a slot can be reused (once in STORE_GRACE_MS), so none comes back.
 */
static uint32_t first_gen(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint32_t)now.tv_sec * GENS_PER_SECOND + 1;
}

int store_open(struct store **out, int objects_fd, int regions_fd)
{
	struct store *store;
	int err = -ENOMEM;

	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	memset(store->buckets, 0xff, sizeof(store->buckets));
	store->objects_fd = objects_fd;
	store->regions_fd = regions_fd;
	store->free_slot = NO_SLOT;
	store->first_gen = first_gen();
	store->regions = calloc(MAX_REGIONS, sizeof(*store->regions));
	store->entries = calloc(MAX_OBJECTS, sizeof(*store->entries));
	if (!store->regions || !store->entries)
		goto out;
	err = open_regions(store);
	if (!err && store->n_regions)
		err = mapset_walk(objects_fd, adopt_object, store);
	if (err)
		goto out;
	collect_slots(store);
	*out = store;
out:
	if (err)
		store_close(store);
	return err;
}

void store_close(struct store *store)
{
	uint32_t i;

	if (!store)
		return;
	for (i = 0; store->regions && i < MAX_REGIONS; i++) {
		if (store->regions[i].bytes)
			munmap(store->regions[i].bytes, REGION_BYTES);
		extents_free(&store->regions[i].extents);
	}
	free(store->regions);
	free(store->entries);
	free(store);
}
