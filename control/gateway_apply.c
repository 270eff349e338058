// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A configuration becomes what the datapath does: at start, at a reload, and again when the machine
 * changes. Entry points: gateway_apply(), gateway_verify(), gateway_expire_drains(). Additions come
 * before the switch of the epoch, removals after it; a failure before the switch is undone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway_internal.h"
#include "log.h"

int gateway_save(struct gateway *gw)
{
	int err = state_save(gw->state, gw->instance.state_path);

	if (err)
		log_error("cannot write %s: %s", gw->instance.state_path, strerror(-err));
	return err;
}

static char *copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void note_backend(struct state_backend *out, const struct config_backend *from)
{
	state_free_backend(out);
	out->used = true;
	out->name = copy_text(from->name);
	out->address = from->address;
	out->address6 = from->address6;
	out->netns = copy_text(from->netns);
	out->interface = copy_text(from->interface);
}

/* Takes ids and names of a plan into the state; backends that are not in it begin to drain. */
static void note_plan(struct gateway *gw, const struct config *config, const struct plan *plan)
{
	struct state *state = gw->state;
	uint64_t until = gateway_now_ms() + GATEWAY_DRAIN_MS;
	uint32_t id;
	size_t i;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (!plan->drains[id] || state->backends[id].draining)
			continue;
		state->backends[id].draining = true;
		gw->drain_until_ms[id] = until;
		log_info("backend %s: draining",
			 state->backends[id].name ? state->backends[id].name : "(unknown)");
	}
	for (i = 0; i < config->n_backends; i++) {
		note_backend(&state->backends[plan->backend_ids[i]], &config->backends[i]);
		gw->drain_until_ms[plan->backend_ids[i]] = 0;
	}
	memset(state->vips, 0, sizeof(state->vips));
	for (i = 0; i < config->gateway.n_vips; i++)
		state->vips[plan->vip_ids[i]] = (struct state_vip){ true, config->gateway.vips[i] };
	memset(state->uplinks, 0, sizeof(state->uplinks));
	for (i = 0; i < config->gateway.n_uplinks; i++)
		snprintf(state->uplinks[plan->uplink_ids[i]], IFNAMSIZ, "%s",
			 config->gateway.uplinks[i]);
	state->mark_base = config->gateway.mark_base;
	state->mark_mask = config->gateway.mark_mask;
	state->table = config->gateway.table;
	state->priority = config->gateway.priority;
}

/* Everything up to the switch, in the order in which a packet must not miss a part. */
static int install(struct gateway *gw, const struct config *config, const struct plan *plan,
		   const struct layout *layout, uint32_t epoch)
{
	const struct mapset *maps = loader_maps(gw->loader);
	int err;

	err = gateway_save(gw);
	if (!err)
		err = gateway_set_sysctls(gw, layout);
	if (!err)
		err = gateway_add_addresses(gw, config);
	if (!err)
		err = mapsync_write_backends(maps, layout->backends, gw->state, false);
	if (!err)
		err = gateway_steer(gw, layout);
	if (!err)
		err = mapsync_write_trusted(maps, config);
	if (!err)
		err = mapsync_write_uplinks(maps, layout->uplinks, layout->n_uplinks, false);
	if (!err)
		err = gateway_attach_backends(gw, layout, true);
	if (!err)
		err = mapsync_write_vips(maps, config, plan, epoch, false);
	return err;
}

/* Removes what the new configuration does not need; failures are logged and cost nothing. */
static void clean_up(struct gateway *gw)
{
	const struct mapset *maps = loader_maps(gw->loader);
	struct settings settings;

	gateway_trim_links(gw, &gw->layout);
	if (mapsync_read_settings(maps, &settings))
		return;
	mapsync_write_uplinks(maps, gw->layout.uplinks, gw->layout.n_uplinks, true);
	mapsync_write_vips(maps, gw->config, &gw->plan, settings.epoch, true);
	mapsync_write_backends(maps, gw->layout.backends, gw->state, true);
	mapsync_drop_routes(maps, settings.epoch);
	gateway_trim_addresses(gw);
	gateway_save(gw);
}

/* One attempt to bring a configuration in. */
struct change {
	struct config *config;
	struct plan plan;
	struct layout layout;
	struct mapsync_epoch epoch;
	struct settings old; /* what the datapath obeys until the switch */
	bool is_broken[MAX_BACKENDS];
};

/* Plan, layout, content: nothing that is served now changes. */
static int prepare(struct gateway *gw, struct change *change)
{
	const struct mapset *maps = loader_maps(gw->loader);
	const char *what;
	int err;

	err = plan_make(&change->plan, gw->state, change->config, &what);
	if (err) {
		log_error("there are no ids left for more %s", what);
		return err;
	}
	err = gateway_resolve(gw, change->config, &change->plan, &change->layout,
			      change->is_broken);
	if (!err)
		err = mapsync_read_settings(maps, &change->old);
	if (!err)
		err = mapsync_drop_routes(maps, change->old.epoch);
	if (err)
		return err;
	change->epoch.epoch = mapsync_next_epoch(change->old.epoch);
	err = mapsync_write_routes(maps, gw->store, change->config, &change->epoch);
	if (!err)
		err = mapsync_write_pools(maps, change->config, &change->plan, change->epoch.epoch);
	return err;
}

/* What the new health checks know already. */
static int take_health(struct gateway *gw, struct change *change)
{
	uint32_t id;
	size_t i;
	int err;

	if (!gw->health)
		return 0;
	err = health_set(gw->health, change->config);
	if (err) {
		log_error("cannot start the health checks: %s", strerror(-err));
		return err;
	}
	for (i = 0; i < change->config->n_backends; i++) {
		id = change->plan.backend_ids[i];
		if (!health_is_up(gw->health, i))
			change->layout.backends[id].flags &= (uint16_t)~BACKEND_UP;
	}
	return 0;
}

/* Back to the configuration that serves; errors are logged, there is nothing else to be done. */
static void roll_back(struct gateway *gw, const struct settings *old, struct layout *layout)
{
	const char *what;

	mapsync_write_settings(loader_maps(gw->loader), old);
	if (!gw->config)
		return;
	if (gw->health)
		health_set(gw->health, gw->config);
	if (plan_make(&gw->plan, gw->state, gw->config, &what))
		return;
	gateway_resolve_again(gw, layout);
	gw->layout = *layout;
	note_plan(gw, gw->config, &gw->plan);
	install(gw, gw->config, &gw->plan, &gw->layout, old->epoch);
	clean_up(gw);
}

/* Takes a prepared change in and switches. 0, or -errno and the old state is back. */
static int commit(struct gateway *gw, struct change *change)
{
	const struct mapset *maps = loader_maps(gw->loader);
	int err;

	memcpy(gw->is_broken, change->is_broken, sizeof(gw->is_broken));
	note_plan(gw, change->config, &change->plan);
	err = install(gw, change->config, &change->plan, &change->layout, change->epoch.epoch);
	if (!err)
		err = mapsync_switch(maps, &change->epoch);
	if (!err)
		err = gateway_attach_uplinks(gw, &change->layout);
	if (err)
		return err;

	gw->plan = change->plan;
	gw->layout = change->layout;
	config_free(gw->config);
	gw->config = change->config;
	state_free_components(gw->state);
	gw->state->components = change->epoch.components;
	gw->state->n_components = change->epoch.n_components;
	change->epoch.components = NULL;
	change->epoch.n_components = 0;
	store_commit(gw->store, gateway_now_ms());
	clean_up(gw);
	return 0;
}

int gateway_apply(struct gateway *gw, struct config *config)
{
	struct change *change;
	int err;

	change = calloc(1, sizeof(*change));
	if (!change)
		return -ENOMEM;
	change->config = config;
	store_begin(gw->store);
	err = prepare(gw, change);
	if (!err)
		err = take_health(gw, change);
	if (!err) {
		err = commit(gw, change);
		if (err)
			roll_back(gw, &change->old, &change->layout);
	}
	if (err) {
		mapsync_drop_routes(loader_maps(gw->loader), change->old.epoch);
		store_abort(gw->store);
	}
	mapsync_free_epoch(&change->epoch);
	free(change);
	return err;
}

int gateway_expire_drains(struct gateway *gw)
{
	uint64_t now = gateway_now_ms(), next = 0;
	bool has_changed = false;
	uint32_t id;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (!gw->state->backends[id].draining)
			continue;
		if (gw->drain_until_ms[id] > now) {
			if (!next || gw->drain_until_ms[id] < next)
				next = gw->drain_until_ms[id];
			continue;
		}
		state_free_backend(&gw->state->backends[id]);
		memset(&gw->layout.backends[id], 0, sizeof(gw->layout.backends[id]));
		gw->plan.drains[id] = false;
		has_changed = true;
	}
	if (has_changed) {
		clean_up(gw);
		gateway_steer(gw, &gw->layout);
	}
	return next ? (int)(next - now) : -1;
}

int gateway_verify(struct gateway *gw)
{
	const struct mapset *maps = loader_maps(gw->loader);
	struct layout *layout;
	bool has_changed;
	int err, next;

	layout = calloc(1, sizeof(*layout));
	if (!layout)
		return -ENOMEM;
	gateway_resolve_again(gw, layout);
	has_changed = memcmp(layout, &gw->layout, sizeof(*layout));
	gw->layout = *layout;
	free(layout);
	err = gateway_add_addresses(gw, gw->config);
	next = gateway_steer(gw, &gw->layout);
	err = err ? err : next;
	next = gateway_attach_backends(gw, &gw->layout, false);
	err = err ? err : next;
	/* Only now may a backend that has come back get requests. */
	if (has_changed) {
		mapsync_write_backends(maps, gw->layout.backends, gw->state, true);
		mapsync_write_uplinks(maps, gw->layout.uplinks, gw->layout.n_uplinks, true);
	}
	next = gateway_attach_uplinks(gw, &gw->layout);
	err = err ? err : next;
	if (has_changed)
		gateway_trim_links(gw, &gw->layout);
	if (access(gw->instance.state_path, F_OK))
		gateway_save(gw); /* somebody has deleted it: `unload` will need it */
	return err;
}

void gateway_health_changed(void *context, size_t backend, bool up, const char *reason)
{
	struct gateway *gw = context;
	uint32_t id = gw->plan.backend_ids[backend];
	struct backend *entry = &gw->layout.backends[id];

	if (up) {
		/* Perhaps with another interface: gateway_verify() raises the flag. */
		gw->must_verify = true;
	} else {
		entry->flags &= (uint16_t)~BACKEND_UP;
		mapsync_write_backend(loader_maps(gw->loader), id, entry);
	}
	log_info("backend %s is %s: %s", gw->config->backends[backend].name, up ? "up" : "down",
		 reason);
}
