// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opens the pinned maps and walks them in batches. Entry points: mapset_open(), mapset_walk(),
 * mapset_delete_if(). Per-CPU maps are not walked here: see status.c.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mapset.h"

#define WALK_BATCH 4096u

static int open_map(const char *dir, const char *name, int *fd)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	*fd = bpf_obj_get(path);
	return *fd < 0 ? -errno : 0;
}

void mapset_clear(struct mapset *maps)
{
#define MAPSET_CLEAR(name) maps->name = -1;
	MAPSET(MAPSET_CLEAR)
#undef MAPSET_CLEAR
}

void mapset_close(struct mapset *maps)
{
#define MAPSET_CLOSE(name)                                                                         \
	if (maps->name >= 0)                                                                       \
		close(maps->name);
	MAPSET(MAPSET_CLOSE)
#undef MAPSET_CLOSE
	mapset_clear(maps);
}

int mapset_open(struct mapset *out, const char *dir)
{
	int err = 0;

	mapset_clear(out);
#define MAPSET_OPEN(name)                                                                          \
	if (!err)                                                                                  \
		err = open_map(dir, #name, &out->name);
	MAPSET(MAPSET_OPEN)
#undef MAPSET_OPEN
	if (err)
		mapset_close(out);
	return err;
}

/* One walk: two batches, because an element must stay until the batch after it was read. */
struct walk {
	int fd;
	uint32_t key_size, value_size;
	uint8_t *keys[2], *values;
	uint8_t *token[2]; /* where the kernel goes on */
	uint32_t n;	   /* elements of the current batch */
	unsigned int turn;
	bool is_begun, is_over;
};

static void walk_end(struct walk *walk)
{
	free(walk->keys[0]);
	free(walk->keys[1]);
	free(walk->token[0]);
	free(walk->token[1]);
	free(walk->values);
}

static int walk_begin(struct walk *walk, int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), token_size;
	int i;

	memset(walk, 0, sizeof(*walk));
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	walk->fd = fd;
	walk->key_size = info.key_size;
	walk->value_size = info.value_size;
	token_size = info.key_size < sizeof(uint64_t) ? sizeof(uint64_t) : info.key_size;
	for (i = 0; i < 2; i++) {
		walk->keys[i] = malloc((size_t)WALK_BATCH * info.key_size);
		walk->token[i] = malloc(token_size);
	}
	walk->values = malloc((size_t)WALK_BATCH * info.value_size);
	if (walk->keys[0] && walk->keys[1] && walk->token[0] && walk->token[1] && walk->values)
		return 0;
	walk_end(walk);
	return -ENOMEM;
}

/* Reads the next batch into keys[turn]. 0 or -errno; is_over after the last one. */
static int walk_next(struct walk *walk)
{
	int err;

	walk->turn ^= 1;
	walk->n = WALK_BATCH;
	err = bpf_map_lookup_batch(walk->fd, walk->is_begun ? walk->token[walk->turn ^ 1] : NULL,
				   walk->token[walk->turn], walk->keys[walk->turn], walk->values,
				   &walk->n, NULL);
	walk->is_begun = true;
	if (!err)
		return 0;
	walk->is_over = true;
	return errno == ENOENT ? 0 : -errno;
}

int mapset_walk(int fd, mapset_visit visit, void *arg)
{
	struct walk walk;
	uint32_t i;
	int err;

	err = walk_begin(&walk, fd);
	if (err)
		return err;
	while (!err && !walk.is_over) {
		err = walk_next(&walk);
		for (i = 0; !err && i < walk.n; i++)
			err = visit(walk.keys[walk.turn] + (size_t)i * walk.key_size,
				    walk.values + (size_t)i * walk.value_size, arg);
	}
	walk_end(&walk);
	return err;
}

/* Deletes the first `n` keys of a buffer; what has gone meanwhile is no error. */
static int delete_keys(const struct walk *walk, const uint8_t *keys, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (bpf_map_delete_elem(walk->fd, keys + (size_t)i * walk->key_size) &&
		    errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Moves the keys of stale elements to the front of the current batch; returns how many. */
static uint32_t keep_stale(struct walk *walk, mapset_predicate is_stale, const void *arg)
{
	uint8_t *keys = walk->keys[walk->turn];
	uint32_t i, n = 0;

	for (i = 0; i < walk->n; i++) {
		const uint8_t *key = keys + (size_t)i * walk->key_size;

		if (!is_stale(key, walk->values + (size_t)i * walk->value_size, arg))
			continue;
		memmove(keys + (size_t)n * walk->key_size, key, walk->key_size);
		n++;
	}
	return n;
}

int mapset_delete_if(int fd, mapset_predicate is_stale, const void *arg, size_t *deleted)
{
	uint32_t stale = 0, before;
	struct walk walk;
	size_t total = 0;
	int err;

	err = walk_begin(&walk, fd);
	if (err)
		return err;
	while (!err && !walk.is_over) {
		before = stale;
		err = walk_next(&walk);
		if (err)
			break;
		stale = keep_stale(&walk, is_stale, arg);
		total += stale;
		err = delete_keys(&walk, walk.keys[walk.turn ^ 1], before);
	}
	if (!err)
		err = delete_keys(&walk, walk.keys[walk.turn], stale);
	walk_end(&walk);
	if (deleted)
		*deleted = total;
	return err;
}
