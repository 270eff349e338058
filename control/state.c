// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The instance's JSON file. Entry points: state_load(), state_save(). A file that cannot be read is
 * as good as none: the caller goes on with what the maps tell.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

#define STATE_FORMAT 1

struct state *state_new(void)
{
	return calloc(1, sizeof(struct state));
}

void state_free_backend(struct state_backend *backend)
{
	free(backend->name);
	free(backend->netns);
	free(backend->interface);
	memset(backend, 0, sizeof(*backend));
}

void state_free_components(struct state *state)
{
	size_t i;

	for (i = 0; i < state->n_components; i++) {
		free(state->components[i].name);
		free(state->components[i].host);
		free(state->components[i].path);
	}
	free(state->components);
	state->components = NULL;
	state->n_components = 0;
}

void state_free(struct state *state)
{
	size_t i;

	if (!state)
		return;
	for (i = 0; i < MAX_BACKENDS; i++)
		state_free_backend(&state->backends[i]);
	for (i = 0; i < state->n_sysctls; i++) {
		free(state->sysctls[i].path);
		free(state->sysctls[i].previous);
	}
	state_free_components(state);
	free(state->config_path);
	free(state);
}

static json_t *make_addr(const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	return json_string(inet_ntop(AF_INET6, addr, text, sizeof(text)));
}

static json_t *make_endpoint(const struct endpoint *endpoint)
{
	return json_pack("{s:o, s:i, s:b}", "addr", make_addr(&endpoint->addr), "port",
			 endpoint->port, "ipv4", endpoint->is_ipv4);
}

static bool read_addr(json_t *value, struct in6_addr *out)
{
	const char *text = json_string_value(value);

	return text && inet_pton(AF_INET6, text, out) == 1;
}

static bool read_endpoint(json_t *value, struct endpoint *out)
{
	json_int_t port = json_integer_value(json_object_get(value, "port"));

	if (!read_addr(json_object_get(value, "addr"), &out->addr) || port < 0 || port > UINT16_MAX)
		return false;
	out->port = (uint16_t)port;
	out->is_ipv4 = json_is_true(json_object_get(value, "ipv4"));
	return true;
}

/* A copy of a string member; NULL when there is none. */
static char *copy_text(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? strdup(text) : NULL;
}

static json_t *make_lists(const struct state *state)
{
	json_t *backends = json_array(), *vips = json_array(), *uplinks = json_array();
	size_t i;

	for (i = 0; i < MAX_BACKENDS; i++) {
		const struct state_backend *backend = &state->backends[i];

		if (backend->used)
			json_array_append_new(
				backends, json_pack("{s:i, s:s*, s:o, s:o, s:s*, s:s*, s:b, s:b}",
						    "id", (int)i, "name", backend->name, "address",
						    make_endpoint(&backend->address), "address6",
						    make_endpoint(&backend->address6), "netns",
						    backend->netns, "interface", backend->interface,
						    "draining", backend->draining, "partial",
						    backend->partial));
	}
	for (i = 0; i < MAX_VIPS; i++) {
		if (state->vips[i].used)
			json_array_append_new(vips,
					      json_pack("{s:i, s:o}", "id", (int)i, "endpoint",
							make_endpoint(&state->vips[i].endpoint)));
	}
	for (i = 0; i < MAX_UPLINKS; i++)
		json_array_append_new(uplinks, json_string(state->uplinks[i]));
	return json_pack("{s:o, s:o, s:o}", "backends", backends, "vips", vips, "uplinks", uplinks);
}

static json_t *make_changes(const struct state *state)
{
	json_t *added = json_array(), *sysctls = json_array(), *components = json_array();
	size_t i;

	for (i = 0; i < state->n_added; i++)
		json_array_append_new(added, make_addr(&state->added[i]));
	for (i = 0; i < state->n_sysctls; i++)
		json_array_append_new(sysctls,
				      json_pack("{s:s, s:s}", "path", state->sysctls[i].path,
						"previous", state->sysctls[i].previous));
	for (i = 0; i < state->n_components; i++) {
		const struct state_component *component = &state->components[i];

		json_array_append_new(
			components,
			json_pack("{s:s, s:s*, s:s, s:I, s:I}", "name", component->name, "host",
				  component->host, "path", component->path, "slot",
				  (json_int_t)component->slot, "gen", (json_int_t)component->gen));
	}
	return json_pack("{s:o, s:o, s:o}", "added_addresses", added, "sysctls", sysctls,
			 "components", components);
}

int state_save(const struct state *state, const char *path)
{
	char tmp[PATH_MAX], cookie[32];
	json_t *root, *lists, *changes;
	int err = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	snprintf(cookie, sizeof(cookie), "%" PRIu64, state->netns_cookie);
	root = json_pack("{s:i, s:s*, s:s, s:I, s:I, s:I, s:I}", "format", STATE_FORMAT, "config",
			 state->config_path, "netns_cookie", cookie, "mark_base",
			 (json_int_t)state->mark_base, "mark_mask", (json_int_t)state->mark_mask,
			 "table", (json_int_t)state->table, "priority",
			 (json_int_t)state->priority);
	lists = make_lists(state);
	changes = make_changes(state);
	if (!root || !lists || !changes || json_object_update(root, lists) ||
	    json_object_update(root, changes)) {
		err = -ENOMEM;
		goto out;
	}
	if (json_dump_file(root, tmp, JSON_INDENT(1)) || rename(tmp, path)) {
		err = errno ? -errno : -EIO;
		unlink(tmp);
	}
out:
	json_decref(root);
	json_decref(lists);
	json_decref(changes);
	return err;
}

static void read_backends(struct state *state, json_t *list)
{
	struct state_backend *backend;
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		json_int_t id = json_integer_value(json_object_get(entry, "id"));

		if (id < 0 || id >= MAX_BACKENDS || state->backends[id].used)
			continue;
		backend = &state->backends[id];
		if (!read_endpoint(json_object_get(entry, "address"), &backend->address) ||
		    !read_endpoint(json_object_get(entry, "address6"), &backend->address6))
			continue;
		backend->used = true;
		backend->draining = json_is_true(json_object_get(entry, "draining"));
		backend->partial = json_is_true(json_object_get(entry, "partial"));
		backend->name = copy_text(entry, "name");
		backend->netns = copy_text(entry, "netns");
		backend->interface = copy_text(entry, "interface");
	}
}

static void read_addresses(struct state *state, json_t *root)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(root, "vips"), i, entry)
	{
		json_int_t id = json_integer_value(json_object_get(entry, "id"));

		if (id >= 0 && id < MAX_VIPS)
			state->vips[id].used = read_endpoint(json_object_get(entry, "endpoint"),
							     &state->vips[id].endpoint);
	}
	json_array_foreach(json_object_get(root, "uplinks"), i, entry)
	{
		if (i < MAX_UPLINKS && json_is_string(entry))
			snprintf(state->uplinks[i], IFNAMSIZ, "%s", json_string_value(entry));
	}
	json_array_foreach(json_object_get(root, "added_addresses"), i, entry)
	{
		if (state->n_added < MAX_VIPS && read_addr(entry, &state->added[state->n_added]))
			state->n_added++;
	}
}

static void read_sysctls(struct state *state, json_t *list)
{
	struct state_sysctl *sysctl;
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		if (state->n_sysctls == STATE_SYSCTLS)
			return;
		sysctl = &state->sysctls[state->n_sysctls];
		sysctl->path = copy_text(entry, "path");
		sysctl->previous = copy_text(entry, "previous");
		if (sysctl->path && sysctl->previous) {
			state->n_sysctls++;
			continue;
		}
		free(sysctl->path);
		free(sysctl->previous);
		memset(sysctl, 0, sizeof(*sysctl));
	}
}

static void read_components(struct state *state, json_t *list)
{
	struct state_component *component;
	json_t *entry;
	size_t i;

	state->components = calloc(json_array_size(list) + 1, sizeof(*state->components));
	if (!state->components)
		return;
	json_array_foreach(list, i, entry)
	{
		component = &state->components[state->n_components++];
		component->name = copy_text(entry, "name");
		component->host = copy_text(entry, "host");
		component->path = copy_text(entry, "path");
		component->slot = (uint32_t)json_integer_value(json_object_get(entry, "slot"));
		component->gen = (uint32_t)json_integer_value(json_object_get(entry, "gen"));
	}
}

static uint32_t read_u32(json_t *root, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(root, key));
}

int state_load(const char *path, struct state **out)
{
	const char *cookie;
	struct state *state;
	json_t *root;
	int err = 0;

	if (access(path, R_OK))
		return -errno;
	root = json_load_file(path, 0, NULL);
	if (!root || json_integer_value(json_object_get(root, "format")) != STATE_FORMAT) {
		json_decref(root);
		return -EINVAL;
	}
	state = state_new();
	if (!state) {
		err = -ENOMEM;
		goto out;
	}
	cookie = json_string_value(json_object_get(root, "netns_cookie"));
	state->netns_cookie = cookie ? strtoull(cookie, NULL, 10) : 0;
	state->config_path = copy_text(root, "config");
	state->mark_base = read_u32(root, "mark_base");
	state->mark_mask = read_u32(root, "mark_mask");
	state->table = read_u32(root, "table");
	state->priority = read_u32(root, "priority");
	read_backends(state, json_object_get(root, "backends"));
	read_addresses(state, root);
	read_sysctls(state, json_object_get(root, "sysctls"));
	read_components(state, json_object_get(root, "components"));
	*out = state;
out:
	json_decref(root);
	return err;
}
