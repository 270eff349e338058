/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `objects` and `regions` in user space, for tests of the store: an array and memfds behind the
 * functions of bpf/bpf.h, which win over libbpf's. Neither root nor BPF is needed. Include cmocka.h
 * first, and only once in a program.
 */
#ifndef SLUICE_FAKE_MAPS_H
#define SLUICE_FAKE_MAPS_H

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi.h"

#define OBJECTS_FD 9001
#define REGIONS_FD 9002

static struct object *objects; /* MAX_OBJECTS */
static int regions[MAX_REGIONS];
static uint32_t n_regions;

int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
		   __u32 max_entries, const struct bpf_map_create_opts *opts)
{
	int fd = memfd_create(name, 0);

	assert_int_equal(type, BPF_MAP_TYPE_ARRAY);
	assert_int_equal(key_size, sizeof(uint32_t));
	assert_int_equal(max_entries, 1);
	assert_int_equal(opts->map_flags, BPF_F_MMAPABLE);
	assert_int_equal(ftruncate(fd, value_size), 0);
	return fd;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	uint32_t index = *(const uint32_t *)key;

	assert_int_equal(flags, BPF_ANY);
	if (fd == OBJECTS_FD) {
		memcpy(&objects[index], value, sizeof(objects[index]));
		return 0;
	}
	assert_int_equal(fd, REGIONS_FD);
	assert_int_equal(index, n_regions);
	regions[n_regions++] = dup(*(const int *)value);
	return 0;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	uint32_t index = *(const uint32_t *)key;

	assert_int_equal(fd, REGIONS_FD);
	if (index >= n_regions) {
		errno = ENOENT;
		return -1;
	}
	memcpy(value, &index, sizeof(index));
	return 0;
}

int bpf_map_get_fd_by_id(__u32 id)
{
	return dup(regions[id]);
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *len)
{
	struct bpf_map_info *map = info;

	(void)len;
	assert_int_equal(fd, OBJECTS_FD);
	map->key_size = sizeof(uint32_t);
	map->value_size = sizeof(struct object);
	return 0;
}

int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	uint32_t first = in ? *(uint32_t *)in : 0, i;

	(void)opts;
	assert_int_equal(fd, OBJECTS_FD);
	for (i = 0; i < *count && first + i < MAX_OBJECTS; i++) {
		((uint32_t *)keys)[i] = first + i;
		((struct object *)values)[i] = objects[first + i];
	}
	*count = i;
	*(uint32_t *)out = first + i;
	if (first + i < MAX_OBJECTS)
		return 0;
	errno = ENOENT;
	return -1;
}

#endif
