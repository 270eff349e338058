// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the maps take of the kernel's memory, by table: the sum that fdinfo calls memlock, and how
 * much of it is for keys, for values, and for what a hash or an LPM trie adds. Components apart:
 * their bytes lie in regions. Entry points: status_memory_add(), status_memory_print().
 */
#include <bpf/bpf.h>
#include <stdio.h>

#include "abi.h"
#include "status_memory.h"

#define MIB (1024.0 * 1024.0)

struct sums {
	json_int_t objects;
	json_int_t bytes;
};

static int count_object(const void *key, void *value, void *arg)
{
	const struct object *object = value;
	struct sums *sums = arg;

	(void)key;
	if (!object->gen)
		return 0;
	sums->objects++;
	sums->bytes += object->head.len + object->body.len;
	if (object->close.off != object->head.off) /* else both are the same bytes */
		sums->bytes += object->close.len;
	return 0;
}

/* Bytes of kernel memory that a map has been charged for. */
static json_int_t charged(int fd)
{
	char path[64], line[128];
	long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %lld", &bytes) == 1)
			break;
	}
	fclose(file);
	return bytes;
}

/* Tables that are not allocated as a whole are charged for what is in them: no overhead is told. */
static void add_table(json_t *tables, const char *name, int fd, json_int_t *total)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	json_int_t bytes, overhead;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || !info.max_entries)
		return;
	bytes = charged(fd);
	if (info.type == BPF_MAP_TYPE_ARRAY || info.type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	    info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		info.key_size = 0; /* an index */
	overhead = bytes / info.max_entries - info.key_size - info.value_size;
	json_array_append_new(tables, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", name,
						"capacity", (json_int_t)info.max_entries, "key",
						(json_int_t)info.key_size, "value",
						(json_int_t)info.value_size, "overhead",
						overhead > 0 ? overhead : 0, "bytes", bytes));
	*total += bytes;
}

int status_memory_add(json_t *root, const struct mapset *maps)
{
	json_int_t total = 0, regions = 0;
	struct sums sums = {};
	json_t *tables;
	uint32_t i, id;
	int err;

	err = mapset_walk(maps->objects, count_object, &sums);
	if (err)
		return err;
	for (i = 0; i < MAX_REGIONS && !bpf_map_lookup_elem(maps->regions, &i, &id); i++)
		regions += REGION_BYTES;
	tables = json_array();
#define ADD_TABLE(name) add_table(tables, #name, maps->name, &total);
	MAPSET(ADD_TABLE)
#undef ADD_TABLE
	json_object_set_new(root, "memory",
			    json_pack("{s:I, s:I, s:I, s:I, s:o}", "objects",
				      (json_int_t)sums.objects, "content_used",
				      (json_int_t)sums.bytes, "content_reserved", regions, "maps",
				      total, "tables", tables));
	return 0;
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void status_memory_print(const json_t *root)
{
	const json_t *memory = json_object_get(root, "memory"), *table;
	json_t *tables = json_object_get(memory, "tables");
	size_t i;

	printf("memory: maps %.1f MiB; components %.1f MiB of %.1f MiB reserved\n",
	       (double)number(memory, "maps") / MIB, (double)number(memory, "content_used") / MIB,
	       (double)number(memory, "content_reserved") / MIB);
	printf("memory by table: capacity x (key + value + overhead), as charged\n");
	json_array_foreach(tables, i, table)
	{
		printf("  %-14s %8lld x (%lld + %lld + %lld), %.1f KiB\n",
		       json_string_value(json_object_get(table, "name")), number(table, "capacity"),
		       number(table, "key"), number(table, "value"), number(table, "overhead"),
		       (double)number(table, "bytes") / 1024);
	}
}
