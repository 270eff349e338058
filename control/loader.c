// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads the datapath. A level is named after the ABI version and a hash of the map definitions, so
 * a binary whose maps differ starts with fresh ones beside the old, which loader_sweep() drops when
 * the links run the new programs. Links are made elsewhere (attach.c).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "loader.h"
#include "log.h"
#include "sluice.skel.h"

#define LEVEL_PREFIX "v"
#define STASHES_MAX 2048u
#define STASHES_MIN 64u
#define FLOWS_PER_STASH 16u
#define SENDERS_MIN 64u
#define FLOWS_PER_SENDER 8u /* connections with a long answer on its way */
#define FLOWS_PER_RELAY 4u
#define LRU_MIN 4096u /* a smaller map of that kind evicts long before it is full */

struct loader {
	struct sluice_bpf *skel;
	struct mapset maps;
	struct loader_programs programs;
	struct loader_sizes sizes;
};

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[4096];
	size_t len;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	len = strlen(text);
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (level == LIBBPF_WARN)
		log_warn("%s", text);
	else
		log_debug("%s", text);
	return 0;
}

/* Maps whose number of elements comes from the configuration, or may grow with a new binary. */
static bool has_own_size(const struct sluice_bpf *skel, const struct bpf_map *map)
{
	return map == skel->maps.flow_buckets || map == skel->maps.flows ||
	       map == skel->maps.leg_buckets || map == skel->maps.legs ||
	       map == skel->maps.stashes || map == skel->maps.senders || map == skel->maps.relays ||
	       map == skel->maps.sources || map == skel->maps.counters;
}

static uint32_t hash_map(const struct sluice_bpf *skel, const struct bpf_map *map, uint32_t hash)
{
	uint32_t definition[] = {
		bpf_map__type(map),
		bpf_map__key_size(map),
		bpf_map__value_size(map),
		bpf_map__map_flags(map),
		has_own_size(skel, map) ? 0 : bpf_map__max_entries(map),
	};

	hash = hash_fnv(hash, bpf_map__name(map), strlen(bpf_map__name(map)));
	return hash_fnv(hash, definition, sizeof(definition));
}

static int level_path(struct sluice_bpf *skel, const struct instance *instance, char out[PATH_MAX])
{
	uint32_t hash = HASH_FNV_SEED;
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj)
	{
		if (!bpf_map__is_internal(map))
			hash = hash_map(skel, map, hash);
	}
	hash = hash_map(skel, bpf_map__inner_map(skel->maps.regions), hash);
	return snprintf(out, PATH_MAX, "%s/%s%d-%08x", instance->dir, LEVEL_PREFIX,
			SLUICE_ABI_VERSION, hash) >= PATH_MAX ?
		       -ENAMETOOLONG :
		       0;
}

int loader_level(const struct instance *instance, char out[PATH_MAX])
{
	struct sluice_bpf *skel;
	int err;

	libbpf_set_print(print_libbpf);
	skel = sluice_bpf__open();
	if (!skel)
		return -errno;
	err = level_path(skel, instance, out);
	sluice_bpf__destroy(skel);
	return err;
}

/* Elements of a map pinned under `level`; 0: there is none. */
static uint32_t pinned_entries(const char *level, const char *name)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", level, name) >= (int)sizeof(path))
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.max_entries = 0;
	close(fd);
	return info.max_entries;
}

static uint32_t round_up_pow2(uint32_t n)
{
	uint32_t power = FLOW_WAYS;

	while (power < n && power < 1u << 31)
		power <<= 1;
	return power;
}

/* Sizes by the configuration, unless maps of another size are pinned: then by those. */
static void choose_sizes(const char *level, uint32_t flows, struct loader_sizes *sizes)
{
	uint32_t pinned = pinned_entries(level, "flow_buckets") * FLOW_WAYS;

	sizes->flows = round_up_pow2(flows);
	if (pinned && pinned != sizes->flows) {
		log_warn("flows = %u is not applied: the loaded table has %u entries and keeps "
			 "them until `sluice unload`",
			 flows, pinned);
		sizes->flows = pinned;
	}
	sizes->legs = pinned_entries(level, "leg_buckets") * LEG_WAYS;
	if (!sizes->legs)
		sizes->legs = 2 * sizes->flows; /* a connection that changes destinations holds
						   several */
	;
	sizes->senders = pinned_entries(level, "senders");
	if (!sizes->senders)
		sizes->senders = sizes->flows / FLOWS_PER_SENDER;
	if (sizes->senders < SENDERS_MIN)
		sizes->senders = SENDERS_MIN;
	sizes->relays = pinned_entries(level, "relays");
	if (!sizes->relays)
		sizes->relays = sizes->flows / FLOWS_PER_RELAY;
	if (sizes->relays < LRU_MIN)
		sizes->relays = LRU_MIN;
	sizes->sources = pinned_entries(level, "sources");
	if (!sizes->sources)
		sizes->sources = sizes->flows < LRU_MIN ? LRU_MIN : sizes->flows;
	sizes->stashes = pinned_entries(level, "stashes");
	if (sizes->stashes)
		return;
	sizes->stashes = sizes->flows / FLOWS_PER_STASH;
	if (sizes->stashes > STASHES_MAX)
		sizes->stashes = STASHES_MAX;
	if (sizes->stashes < STASHES_MIN)
		sizes->stashes = STASHES_MIN;
}

static int set_sizes(struct sluice_bpf *skel, const struct loader_sizes *sizes)
{
	int err;

	err = bpf_map__set_max_entries(skel->maps.flow_buckets, sizes->flows / FLOW_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.flows, sizes->flows);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.leg_buckets, sizes->legs / LEG_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.legs, sizes->legs);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.stashes, sizes->stashes);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.senders, sizes->senders);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.relays, sizes->relays);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.sources, sizes->sources);
	return err;
}

static int set_pins(struct sluice_bpf *skel, const char *level)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int err = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", level, bpf_map__name(map)) >=
		    (int)sizeof(path))
			return -ENAMETOOLONG;
		err = bpf_map__set_pin_path(map, path);
		if (err)
			return err;
	}
	return 0;
}

/* The counters' pin, out of the way while a map of another size takes its place. */
#define OLD_COUNTERS "old_counters"

/* A new binary may count more things: makes room for the larger map. 0 or -errno. */
static int set_old_counters_aside(const char *level)
{
	uint32_t pinned = pinned_entries(level, "counters");
	char path[PATH_MAX], aside[PATH_MAX];

	if (!pinned || pinned == STAT_COUNT)
		return 0;
	if (snprintf(path, sizeof(path), "%s/counters", level) >= (int)sizeof(path) ||
	    snprintf(aside, sizeof(aside), "%s/" OLD_COUNTERS, level) >= (int)sizeof(aside))
		return -ENAMETOOLONG;
	return rename(path, aside) ? -errno : 0;
}

/* Copies the values of the map that was set aside, and drops it. What fails costs only numbers. */
static void take_old_counters(const char *level, int counters_fd)
{
	uint32_t n = pinned_entries(level, OLD_COUNTERS), i;
	int cpus = libbpf_num_possible_cpus(), fd;
	char path[PATH_MAX];
	uint64_t *values;

	if (!n || cpus <= 0 ||
	    snprintf(path, sizeof(path), "%s/" OLD_COUNTERS, level) >= (int)sizeof(path))
		return;
	values = calloc((size_t)cpus, sizeof(*values));
	fd = bpf_obj_get(path);
	for (i = 0; values && fd >= 0 && i < n && i < STAT_COUNT; i++) {
		if (!bpf_map_lookup_elem(fd, &i, values))
			bpf_map_update_elem(counters_fd, &i, values, BPF_ANY);
	}
	if (fd >= 0)
		close(fd);
	free(values);
	unlink(path);
}

static int load(struct loader *loader, const struct instance *instance, uint32_t flows)
{
	char level[PATH_MAX];
	int err;

	err = level_path(loader->skel, instance, level);
	if (err)
		return err;
	if (mkdir(level, 0700) && errno != EEXIST)
		return -errno;
	choose_sizes(level, flows, &loader->sizes);
	err = set_old_counters_aside(level);
	if (!err)
		err = set_sizes(loader->skel, &loader->sizes);
	if (!err)
		err = set_pins(loader->skel, level);
	if (!err)
		err = sluice_bpf__load(loader->skel);
	if (!err)
		err = mapset_open(&loader->maps, level);
	if (err)
		return err;
	take_old_counters(level, loader->maps.counters);
	loader->programs = (struct loader_programs){
		.uplink_ingress = bpf_program__fd(loader->skel->progs.uplink_ingress),
		.uplink_egress = bpf_program__fd(loader->skel->progs.uplink_egress),
		.backend_return = bpf_program__fd(loader->skel->progs.backend_return),
		.backend_accept = bpf_program__fd(loader->skel->progs.backend_accept),
		.kick = bpf_program__fd(loader->skel->progs.kick),
	};
	return 0;
}

int loader_open(struct loader **out, const struct instance *instance, uint32_t flows)
{
	struct loader *loader;
	int err;

	libbpf_set_print(print_libbpf);
	loader = calloc(1, sizeof(*loader));
	if (!loader)
		return -ENOMEM;
	mapset_clear(&loader->maps);
	loader->skel = sluice_bpf__open();
	err = loader->skel ? load(loader, instance, flows) : -errno;
	if (err) {
		log_error("cannot load the eBPF programs into the kernel: %s", strerror(-err));
		loader_close(loader);
		return err;
	}
	*out = loader;
	return 0;
}

void loader_close(struct loader *loader)
{
	if (!loader)
		return;
	mapset_close(&loader->maps);
	sluice_bpf__destroy(loader->skel);
	free(loader);
}

const struct mapset *loader_maps(const struct loader *loader)
{
	return &loader->maps;
}

const struct loader_programs *loader_programs(const struct loader *loader)
{
	return &loader->programs;
}

const struct loader_sizes *loader_sizes(const struct loader *loader)
{
	return &loader->sizes;
}

/* Unlinks every pin of a directory, then the directory. 0 or -errno. */
static int remove_level(const char *level)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	dir = opendir(level);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", level, entry->d_name) >=
		    (int)sizeof(path))
			err = -ENAMETOOLONG;
		else if (unlink(path))
			err = -errno;
	}
	closedir(dir);
	if (rmdir(level) && !err)
		err = -errno;
	return err;
}

int loader_sweep(const struct instance *instance, bool all)
{
	char current[PATH_MAX] = "", path[PATH_MAX];
	struct dirent *entry;
	int err = 0, next;
	DIR *dir;

	if (!all)
		err = loader_level(instance, current);
	if (err)
		return err;
	dir = opendir(instance->dir);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, LEVEL_PREFIX, strlen(LEVEL_PREFIX)))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", instance->dir, entry->d_name) >=
			    (int)sizeof(path) ||
		    !strcmp(path, current))
			continue;
		next = remove_level(path);
		if (!all && !next)
			log_info("dropped the maps of another version: %s", path);
		err = err ? err : next;
	}
	closedir(dir);
	return err;
}
