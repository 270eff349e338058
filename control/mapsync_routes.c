// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One epoch of hosts, and what routes and components lead to; the paths themselves are written by
 * mapsync_rules.c. Entry points: mapsync_write_routes(), mapsync_drop_routes(). A scope is
 * epoch << 20 | index of the host; index 0 stands for any host.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "component.h"
#include "keymap.h"
#include "log.h"
#include "mapsync.h"

#define EPOCH_BITS 12
#define EPOCHS (1u << EPOCH_BITS)

struct builder {
	const struct mapset *maps;
	const struct config *config;
	struct store *store;
	struct mapsync_epoch *epoch;
	struct keymap hosts;   /* name -> index */
	struct target *routes; /* by index in the configuration */
	struct target *components;
	struct answer *answer; /* scratch */
	struct component_maker *maker;
};

uint32_t mapsync_next_epoch(uint32_t epoch)
{
	epoch = (epoch + 1) % EPOCHS;
	return epoch ? epoch : 2; /* 0 means "never loaded"; the parity must alternate */
}

uint32_t mapsync_pool_id(uint32_t epoch, size_t pool)
{
	return (epoch & 1) * MAX_POOLS + (uint32_t)pool;
}

static uint32_t host_index(const struct builder *b, const char *host)
{
	return host ? keymap_get(&b->hosts, 0, host, strlen(host)) : 0;
}

static uint32_t scope_of(const struct builder *b, const char *host)
{
	return b->epoch->epoch << MAPSYNC_HOST_BITS | host_index(b, host);
}

int mapsync_update(int fd, const void *key, const void *value, const char *what, const char *name)
{
	int err;

	if (!bpf_map_update_elem(fd, key, value, BPF_ANY))
		return 0;
	err = -errno;
	log_error("%s %s cannot be stored: %s", what, name,
		  err == -E2BIG || err == -ENOSPC ? "the table is full" : strerror(-err));
	return err;
}

static int add_host(struct builder *b, const char *host)
{
	struct host_key key = { .epoch = b->epoch->epoch };
	uint32_t index = (uint32_t)b->hosts.used + 1, scope;
	int err;

	if (!host || host_index(b, host) != KEYMAP_MISSING)
		return 0;
	if (index >= SCOPE_PREFIX)
		return -E2BIG;
	err = keymap_put(&b->hosts, 0, host, strlen(host), index);
	if (err)
		return err;
	b->epoch->flags |= SETTINGS_HOSTS;
	if (host[0] == '.')
		b->epoch->flags |= SETTINGS_WILDCARDS;
	memcpy(key.name, host, strnlen(host, sizeof(key.name)));
	scope = scope_of(b, host);
	return mapsync_update(b->maps->hosts, &key, &scope, "host", host);
}

static int add_hosts(struct builder *b)
{
	const struct config *config = b->config;
	int err = 0;
	size_t i;

	for (i = 0; !err && i < config->n_routes; i++)
		err = add_host(b, config->routes[i].host);
	for (i = 0; !err && i < config->n_components; i++)
		err = add_host(b, config->components[i].host);
	return err;
}

static int put_object(struct builder *b, struct object_ref *out)
{
	int err = store_put(b->store, &b->answer->source, out);

	if (err)
		log_error("no room for an answer of %zu bytes: %s", b->answer->source.body_len,
			  strerror(-err));
	return err;
}

/* What a route leads to. */
static int add_route(struct builder *b, size_t index)
{
	const struct config_route *route = &b->config->routes[index];
	struct target *target = &b->routes[index];
	struct object_ref ref;
	bool has_uri;
	int err;

	target->pool = TARGET_POOL_NONE;
	if (route->action == ROUTE_POOL) {
		target->kind = TARGET_POOL;
		target->pool = (uint16_t)mapsync_pool_id(b->epoch->epoch, route->pool);
		return 0;
	}
	has_uri = route->action == ROUTE_REDIRECT && strstr(route->location, REDIRECT_URI);
	if (has_uri)
		err = answer_uri(b->answer, route->status, route->location);
	else
		err = answer_route(b->answer, route->status,
				   route->action == ROUTE_REDIRECT ? route->location : NULL);
	if (!err)
		err = put_object(b, &ref);
	if (err)
		return err;
	target->kind = route->action == ROUTE_DENY ? TARGET_DENY :
		       has_uri			   ? TARGET_REDIRECT :
						     TARGET_CANNED;
	if (route->action == ROUTE_DENY)
		b->epoch->flags |= SETTINGS_DENY;
	target->slot = ref.slot;
	target->gen = ref.gen;
	return 0;
}

static int note_component(struct builder *b, const struct config_component *component,
			  const struct object_ref *ref)
{
	struct state_component *out = &b->epoch->components[b->epoch->n_components];

	out->name = strdup(component->name);
	out->host = component->host ? strdup(component->host) : NULL;
	out->path = strdup(component->path);
	out->slot = ref->slot;
	out->gen = ref->gen;
	b->epoch->n_components++;
	return out->name && out->path && (out->host || !component->host) ? 0 : -ENOMEM;
}

static int add_component(struct builder *b, size_t index)
{
	const struct config_component *component = &b->config->components[index];
	struct target *target = &b->components[index];
	struct object_ref ref;
	int err = component_put(b->maker, b->store, component, &ref);

	if (err)
		return err;
	target->kind = TARGET_OBJECT;
	target->pool = TARGET_POOL_ROUTE;
	if (component->pool != SIZE_MAX)
		target->pool = (uint16_t)mapsync_pool_id(b->epoch->epoch, component->pool);
	target->slot = ref.slot;
	target->gen = ref.gen;
	return note_component(b, component, &ref);
}

static int add_errors(struct builder *b)
{
	int i, err = 0;

	for (i = 0; !err && i < CANNED_COUNT; i++) {
		err = answer_error(b->answer, (enum canned)i);
		if (!err)
			err = put_object(b, &b->epoch->errors[i]);
	}
	return err;
}

static int add_all(struct builder *b)
{
	const struct config *config = b->config;
	int err;
	size_t i;

	err = add_errors(b);
	if (!err)
		err = add_hosts(b);
	for (i = 0; !err && i < config->n_routes; i++)
		err = add_route(b, i);
	for (i = 0; !err && i < config->n_components; i++)
		err = add_component(b, i);
	return err;
}

/* True if every request may go to a backend: a relayed connection sees no routes. A rule that keeps
 * requests from backends, by whatever it selects them, must say no here. */
static bool may_relay(const struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_routes; i++)
		if (config->routes[i].action != ROUTE_POOL || config->routes[i].n_from)
			return false;
	return true;
}

int mapsync_write_routes(const struct mapset *maps, struct store *store,
			 const struct config *config, struct mapsync_epoch *out)
{
	struct builder b = { .maps = maps, .config = config, .store = store, .epoch = out };
	int err = -ENOMEM;

	out->header_timeout_ms = config->gateway.header_timeout_ms;
	out->flags = (config->gateway.forwarded_pass ? SETTINGS_FORWARDED_PASS : 0) |
		     (may_relay(config) ? SETTINGS_RELAY : 0);
	out->source_flows = config->gateway.source_flows;
	b.answer = malloc(sizeof(*b.answer));
	b.maker = component_maker_new();
	out->components = calloc(config->n_components + 1, sizeof(*out->components));
	out->n_components = 0;
	b.routes = calloc(config->n_routes + 1, sizeof(*b.routes));
	b.components = calloc(config->n_components + 1, sizeof(*b.components));
	if (b.answer && b.maker && b.routes && b.components && out->components)
		err = add_all(&b);
	if (!err)
		err = mapsync_write_rules(maps,
					  &(struct mapsync_targets){ out, config, &b.hosts,
								     b.routes, b.components });
	free(b.answer);
	component_maker_free(b.maker);
	free(b.routes);
	free(b.components);
	keymap_free(&b.hosts);
	return err;
}

void mapsync_free_epoch(struct mapsync_epoch *epoch)
{
	size_t i;

	for (i = 0; i < epoch->n_components; i++) {
		free(epoch->components[i].name);
		free(epoch->components[i].host);
		free(epoch->components[i].path);
	}
	free(epoch->components);
	epoch->components = NULL;
	epoch->n_components = 0;
}

static bool is_other_host(const void *key, const void *value, const void *keep)
{
	(void)value;
	return ((const struct host_key *)key)->epoch != *(const uint32_t *)keep;
}

/* Both kinds of keys begin with the scope. */
static bool is_other_path(const void *key, const void *value, const void *keep)
{
	uint32_t scope;

	(void)value;
	memcpy(&scope, key, sizeof(scope));
	return scope >> MAPSYNC_HOST_BITS != *(const uint32_t *)keep;
}

int mapsync_drop_routes(const struct mapset *maps, uint32_t keep)
{
	int err;

	err = mapset_delete_if(maps->hosts, is_other_host, &keep, NULL);
	if (!err)
		err = mapset_delete_if(maps->paths, is_other_path, &keep, NULL);
	if (!err)
		err = mapset_delete_if(maps->long_paths, is_other_path, &keep, NULL);
	if (err)
		log_error("cannot delete old routes: %s", strerror(-err));
	return err;
}
