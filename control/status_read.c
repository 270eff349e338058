// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gathers what `sluice status` and /metrics show. Entry points: status_read() for pinned maps and
 * the state file, status_add() for a daemon that has both open. Counts are read while the datapath
 * runs: they are no snapshot.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "loader.h"
#include "mapset.h"
#include "state.h"
#include "status_memory.h"
#include "status_read.h"

#define LEG_STATES 4
#define FLOW_STATES 4

struct sums {
	uint64_t states[FLOW_STATES];
};

static int count_flow(const void *key, void *value, void *arg)
{
	const uint8_t both_fin = FLOW_CLIENT_FIN | FLOW_LEG_FIN;
	const struct flow *flow = value;
	struct sums *sums = arg;

	(void)key;
	if ((flow->flags & both_fin) == both_fin)
		sums->states[FLOW_CLOSED]++;
	else if (flow->state < FLOW_STATES)
		sums->states[flow->state]++;
	return 0;
}

static int count_leg(const void *key, void *value, void *arg)
{
	const struct leg *leg = value;
	struct sums *sums = arg;

	(void)key;
	if (leg->state < LEG_STATES)
		sums->states[leg->state]++;
	return 0;
}

static uint32_t capacity(int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.max_entries;
}

static int add_tables(json_t *root, const struct mapset *maps)
{
	struct sums flows = {}, legs = {};
	int err;

	err = mapset_walk(maps->flows, count_flow, &flows);
	if (!err)
		err = mapset_walk(maps->legs, count_leg, &legs);
	if (err)
		return err;
	json_object_set_new(root, "flows",
			    json_pack("{s:I, s:I, s:I, s:I}", "open",
				      (json_int_t)flows.states[FLOW_OPEN], "closing",
				      (json_int_t)flows.states[FLOW_CLOSING], "closed",
				      (json_int_t)flows.states[FLOW_CLOSED], "capacity",
				      (json_int_t)capacity(maps->flows)));
	json_object_set_new(root, "legs",
			    json_pack("{s:I, s:I, s:I, s:I}", "opening",
				      (json_int_t)legs.states[LEG_OPENING], "open",
				      (json_int_t)legs.states[LEG_OPEN], "dead",
				      (json_int_t)legs.states[LEG_DEAD], "capacity",
				      (json_int_t)capacity(maps->legs)));
	return 0;
}

static int add_counters(json_t *root, const struct mapset *maps)
{
	static const char *const names[] = {
#define STAT(name, text) #name,
#include "stats.h"
#undef STAT
	};
	int cpus = libbpf_num_possible_cpus(), cpu;
	json_t *counters = json_object();
	uint64_t *values, sum;
	char lower[64];
	uint32_t i;
	size_t j;

	values = cpus > 0 ? calloc((size_t)cpus, sizeof(*values)) : NULL;
	if (!values) {
		json_decref(counters);
		return -ENOMEM;
	}
	for (i = 0; i < STAT_COUNT; i++) {
		sum = 0;
		if (!bpf_map_lookup_elem(maps->counters, &i, values)) {
			for (cpu = 0; cpu < cpus; cpu++)
				sum += values[cpu];
		}
		for (j = 0; names[i][j] && j < sizeof(lower) - 1; j++)
			lower[j] = (char)tolower((unsigned char)names[i][j]);
		lower[j] = '\0';
		json_object_set_new(counters, lower, json_integer((json_int_t)sum));
	}
	free(values);
	return json_object_set_new(root, "counters", counters) ? -ENOMEM : 0;
}

const char *status_address_text(const struct in6_addr *addr, uint16_t port,
				char out[STATUS_ADDRESS_BYTES])
{
	bool is_ipv4 = IN6_IS_ADDR_V4MAPPED(addr);
	char text[INET6_ADDRSTRLEN];

	if (is_ipv4)
		inet_ntop(AF_INET, &addr->s6_addr[12], text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	snprintf(out, STATUS_ADDRESS_BYTES, is_ipv4 ? "%s:%u" : "[%s]:%u", text, port);
	return out;
}

static json_t *address_json(const struct in6_addr *addr, uint16_t port)
{
	char text[STATUS_ADDRESS_BYTES];

	return json_string(status_address_text(addr, port, text));
}

static json_t *backend_json(uint32_t id, const struct state *state, const struct backend *entry)
{
	const struct state_backend *known = &state->backends[id];
	uint16_t port = ntohs(entry->port);
	struct in6_addr addr;
	json_t *out;

	out = json_pack("{s:s, s:I, s:b, s:b, s:b}", "name",
			known->name ? known->name : "(unknown)", "id", (json_int_t)id, "up",
			(entry->flags & BACKEND_UP) != 0, "draining", known->draining, "local",
			(entry->flags & BACKEND_LOCAL) != 0);
	if (entry->flags & BACKEND_LOCAL) {
		json_object_set_new(out, "address",
				    address_json(&known->address.addr, known->address.port));
		return out;
	}
	if (entry->flags & BACKEND_IPV4) {
		memcpy(&addr, &entry->addr4, sizeof(addr));
		json_object_set_new(out, "address", address_json(&addr, port));
	}
	if (entry->flags & BACKEND_IPV6) {
		memcpy(&addr, &entry->addr6, sizeof(addr));
		json_object_set_new(out, entry->flags & BACKEND_IPV4 ? "address6" : "address",
				    address_json(&addr, port));
	}
	if (known->netns)
		json_object_set_new(out, "netns", json_string(known->netns));
	if (known->interface)
		json_object_set_new(out, "interface", json_string(known->interface));
	json_object_set_new(out, "mark", json_integer(entry->mark));
	json_object_set_new(out, "table", json_integer((json_int_t)state->table + id));
	return out;
}

static int add_backends(json_t *root, const struct mapset *maps, const struct state *state)
{
	json_t *list = json_array();
	struct backend entry;
	uint32_t id;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (bpf_map_lookup_elem(maps->backends, &id, &entry))
			continue;
		if (entry.flags & BACKEND_USED)
			json_array_append_new(list, backend_json(id, state, &entry));
	}
	return json_object_set_new(root, "backends", list) ? -ENOMEM : 0;
}

static int add_components(json_t *root, const struct mapset *maps, const struct state *state)
{
	json_t *list = json_array(), *entry;
	struct object object;
	bool is_loaded;
	size_t i;

	for (i = 0; i < state->n_components; i++) {
		const struct state_component *component = &state->components[i];

		if (!component->name || !component->path)
			continue;
		is_loaded = !bpf_map_lookup_elem(maps->objects, &component->slot, &object) &&
			    object.gen == component->gen;
		entry = json_pack("{s:s, s:s, s:I, s:b}", "name", component->name, "path",
				  component->path, "bytes",
				  (json_int_t)(is_loaded ? object.body.len : 0), "loaded",
				  is_loaded);
		if (component->host)
			json_object_set_new(entry, "host", json_string(component->host));
		json_array_append_new(list, entry);
	}
	return json_object_set_new(root, "components", list) ? -ENOMEM : 0;
}

static int add_gateway(json_t *root, const struct mapset *maps, const struct state *state)
{
	json_t *vips = json_array(), *uplinks = json_array();
	struct settings settings = {};
	uint32_t zero = 0, id;

	if (bpf_map_lookup_elem(maps->settings, &zero, &settings))
		return -errno;
	for (id = 0; id < MAX_VIPS; id++) {
		const struct endpoint *endpoint = &state->vips[id].endpoint;

		if (state->vips[id].used)
			json_array_append_new(vips, address_json(&endpoint->addr, endpoint->port));
	}
	for (id = 0; id < MAX_UPLINKS; id++) {
		if (state->uplinks[id][0])
			json_array_append_new(uplinks, json_string(state->uplinks[id]));
	}
	json_object_set_new(root, "epoch", json_integer(settings.epoch));
	json_object_set_new(root, "vips", vips);
	json_object_set_new(root, "uplinks", uplinks);
	return 0;
}

int status_add(json_t *root, const struct mapset *maps, const struct state *state,
	       unsigned int parts)
{
	int err = 0;

	if (parts & STATUS_GATEWAY)
		err = add_gateway(root, maps, state);
	if (!err && parts & STATUS_TABLES)
		err = add_tables(root, maps);
	if (!err && parts & STATUS_COUNTERS)
		err = add_counters(root, maps);
	if (!err && parts & STATUS_BACKENDS)
		err = add_backends(root, maps, state);
	if (!err && parts & STATUS_COMPONENTS)
		err = add_components(root, maps, state);
	if (!err && parts & STATUS_MEMORY)
		err = status_memory_add(root, maps);
	return err;
}

int status_read(const struct instance *instance, json_t **out)
{
	pid_t pid = instance_holder(instance);
	struct state *state = NULL;
	char level[PATH_MAX];
	struct mapset maps;
	json_t *root = NULL;
	int err;

	mapset_clear(&maps);
	err = instance->dir[0] ? loader_level(instance, level) : -ENOENT;
	if (!err)
		err = mapset_open(&maps, level);
	if (err)
		goto out;
	if (state_load(instance->state_path, &state))
		state = state_new();
	root = json_pack("{s:{s:b, s:I}, s:s, s:s}", "daemon", "running", pid != 0, "pid",
			 (json_int_t)pid, "instance", instance->name, "config",
			 instance->config_path);
	err = state && root ? 0 : -ENOMEM;
	if (!err)
		err = status_add(root, &maps, state, STATUS_ALL);
out:
	mapset_close(&maps);
	state_free(state);
	if (err)
		json_decref(root);
	else
		*out = root;
	return err;
}
