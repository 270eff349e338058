// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `sluice status` for people and, with --json, for programs. Entry point: status_print(). The facts
 * come from status_read.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi.h"
#include "gateway.h"
#include "log.h"
#include "status.h"
#include "status_memory.h"
#include "status_read.h"

#define COMPONENTS_SHOWN 50

static json_int_t number(const json_t *root, const char *section, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(root, section), key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void print_list(const json_t *root, const char *key)
{
	const json_t *list = json_object_get(root, key), *entry;
	size_t i;

	printf("%s:", key);
	json_array_foreach((json_t *)list, i, entry) printf(" %s", json_string_value(entry));
	putchar('\n');
}

static void print_gateway(const json_t *root)
{
	json_int_t pid = number(root, "daemon", "pid");

	if (pid)
		printf("daemon: running, pid %lld\n", (long long)pid);
	else
		printf("daemon: not running; what is loaded serves without it\n");
	printf("instance: %s, configuration epoch %lld\n", text_of(root, "instance"),
	       (long long)json_integer_value(json_object_get(root, "epoch")));
	print_list(root, "uplinks");
	print_list(root, "vips");
	printf("flows: %lld open, %lld closing, %lld closed, of %lld\n",
	       (long long)number(root, "flows", "open"),
	       (long long)number(root, "flows", "closing"),
	       (long long)number(root, "flows", "closed"),
	       (long long)number(root, "flows", "capacity"));
	printf("legs: %lld opening, %lld open, of %lld\n",
	       (long long)number(root, "legs", "opening"), (long long)number(root, "legs", "open"),
	       (long long)number(root, "legs", "capacity"));
	status_memory_print(root);
}

static void print_counters(const json_t *root)
{
	static const char *const texts[] = {
#define STAT(name, text) text,
#include "stats.h"
#undef STAT
	};
	json_t *counters = json_object_get(root, "counters"), *value;
	const char *key;
	size_t i = 0;

	printf("counters:\n");
	json_object_foreach(counters, key, value)
	{
		/* jansson keeps the order of insertion, which is that of stats.h. */
		if (json_integer_value(value))
			printf("  %12lld  %s: %s\n", (long long)json_integer_value(value), key,
			       i < STAT_COUNT ? texts[i] : "");
		i++;
	}
}

static void print_backends(const json_t *root)
{
	json_t *list = json_object_get(root, "backends"), *entry;
	const char *state;
	size_t i;

	printf("backends:\n");
	json_array_foreach(list, i, entry)
	{
		state = json_is_true(json_object_get(entry, "up")) ? "up" : "down";
		if (json_is_true(json_object_get(entry, "draining")))
			state = "draining";
		printf("  %s: %s, %s", text_of(entry, "name"), state, text_of(entry, "address"));
		if (json_object_get(entry, "address6"))
			printf(" %s", text_of(entry, "address6"));
		if (json_is_true(json_object_get(entry, "local")))
			printf(", in the gateway's netns\n");
		else
			printf(", netns %s, mark 0x%llx, table %lld\n", text_of(entry, "netns"),
			       (long long)json_integer_value(json_object_get(entry, "mark")),
			       (long long)json_integer_value(json_object_get(entry, "table")));
	}
}

static void print_components(const json_t *root)
{
	json_t *list = json_object_get(root, "components"), *entry;
	size_t i, n = json_array_size(list);

	printf("components: %zu\n", n);
	json_array_foreach(list, i, entry)
	{
		if (i == COMPONENTS_SHOWN) {
			printf("  ... and %zu more (--json shows all)\n", n - i);
			return;
		}
		printf("  %s: %s%s, %lld bytes%s\n", text_of(entry, "name"), text_of(entry, "host"),
		       text_of(entry, "path"),
		       (long long)json_integer_value(json_object_get(entry, "bytes")),
		       json_is_true(json_object_get(entry, "loaded")) ? "" : ", not loaded");
	}
}

static int print_status(const struct instance *instance, const char *config_path, bool as_json)
{
	json_t *root = NULL;
	int err;

	err = status_read(instance, &root);
	if (err == -ENOENT) {
		log_error("nothing is loaded for %s in this network namespace (or by another "
			  "version of sluice)",
			  config_path);
		return err;
	}
	if (err) {
		log_error("cannot read the maps of %s: %s", instance->name, strerror(-err));
		return err;
	}
	if (as_json) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_gateway(root);
		print_backends(root);
		print_components(root);
		print_counters(root);
	}
	json_decref(root);
	return 0;
}

int status_print(const char *config_path, bool as_json)
{
	struct config *config = NULL;
	struct instance instance;
	int err;

	err = gateway_find(config_path, &instance, &config);
	if (!err)
		err = print_status(&instance, config_path, as_json);
	config_free(config);
	return err ? 1 : 0;
}
