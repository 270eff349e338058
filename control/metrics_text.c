// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What `sluice status` knows, in Prometheus' text format 0.0.4. Entry point: metrics_write(). Names
 * of backends are names of sections, which need no escapes in a label.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi.h"
#include "metrics_text.h"

static json_int_t number(const json_t *root, const char *section, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(root, section), key));
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP sluice_%s %s\n# TYPE sluice_%s %s\n", name, help, name, type);
}

static void write_gauge(FILE *out, const char *name, const char *help, json_int_t value)
{
	write_head(out, name, "gauge", help);
	fprintf(out, "sluice_%s %lld\n", name, (long long)value);
}

static void write_counters(FILE *out, const json_t *root)
{
	static const char *const texts[] = {
#define STAT(name, text) text,
#include "stats.h"
#undef STAT
	};
	json_t *counters = json_object_get(root, "counters"), *value;
	const char *key;
	char name[80];
	size_t i = 0;

	json_object_foreach(counters, key, value)
	{
		/* jansson keeps the order of insertion, which is that of stats.h. */
		snprintf(name, sizeof(name), "%s_total", key);
		write_head(out, name, "counter", i < STAT_COUNT ? texts[i] : "");
		fprintf(out, "sluice_%s %lld\n", name, (long long)json_integer_value(value));
		i++;
	}
}

static void write_tables(FILE *out, const json_t *root)
{
	static const char *const states[] = { "open", "closing", "closed" };
	size_t i;

	write_head(out, "flows", "gauge", "entries of the flow table: client connections");
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		fprintf(out, "sluice_flows{state=\"%s\"} %lld\n", states[i],
			(long long)number(root, "flows", states[i]));
	write_gauge(out, "flow_capacity", "entries that the flow table has room for",
		    number(root, "flows", "capacity"));
	write_gauge(out, "legs", "connections to backends, opening or open",
		    number(root, "legs", "opening") + number(root, "legs", "open"));
	write_gauge(out, "leg_capacity", "entries that the leg table has room for",
		    number(root, "legs", "capacity"));
}

/* A backend that drains is left out: one of the new configuration may have its name. */
static void write_backends(FILE *out, const json_t *root)
{
	json_t *list = json_object_get(root, "backends"), *entry;
	size_t i;

	write_head(out, "backend_up", "gauge", "1: the backend gets requests");
	json_array_foreach(list, i, entry)
	{
		if (json_is_true(json_object_get(entry, "draining")))
			continue;
		fprintf(out, "sluice_backend_up{backend=\"%s\"} %d\n",
			json_string_value(json_object_get(entry, "name")),
			json_is_true(json_object_get(entry, "up")));
	}
}

int metrics_write(const json_t *root, char **out, size_t *len)
{
	FILE *file = open_memstream(out, len);

	if (!file)
		return -errno;
	write_counters(file, root);
	write_tables(file, root);
	write_backends(file, root);
	write_gauge(file, "component_bytes", "memory that components and canned answers take",
		    json_integer_value(json_object_get(root, "component_bytes")));
	write_gauge(file, "epoch", "number of the configuration that is served",
		    json_integer_value(json_object_get(root, "epoch")));
	write_head(file, "build_info", "gauge", "always 1; the version is a label");
	fprintf(file, "sluice_build_info{version=\"%s\"} 1\n", SLUICE_VERSION);
	if (!fclose(file))
		return 0;
	free(*out);
	*out = NULL;
	return -ENOMEM;
}
