/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From configuration and plan to map elements. Routes belong to an epoch: a new one is written
 * beside the old, one update of `settings` switches, the old one is deleted afterwards. All
 * functions: 0 or -errno, with one line in the log.
 */
#ifndef SLUICE_MAPSYNC_H
#define SLUICE_MAPSYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"
#include "keymap.h"
#include "loader.h"
#include "mapset.h"
#include "plan.h"
#include "state.h"
#include "store.h"

/* A scope is epoch << MAPSYNC_HOST_BITS | index of the host; 0: any host. */
#define MAPSYNC_HOST_BITS 20
#define MAPSYNC_KEY_PERIOD_MS (15 * 60 * 1000)

/* An epoch while it is made: what `settings` must say when it is switched to. */
struct mapsync_epoch {
	uint32_t epoch;
	uint32_t flags; /* enum settings_flag */
	uint32_t depths, long_depths;
	uint32_t header_timeout_ms;
	uint32_t source_flows;
	struct object_ref errors[CANNED_COUNT];
	struct state_component *components; /* freed by mapsync_free_epoch(), or taken */
	size_t n_components;
};

/* Settings whole: to come back from a failed change. Their epoch is 0 when nothing was loaded. */
int mapsync_read_settings(const struct mapset *maps, struct settings *out);
int mapsync_write_settings(const struct mapset *maps, const struct settings *settings);

uint32_t mapsync_next_epoch(uint32_t epoch);
uint32_t mapsync_pool_id(uint32_t epoch, size_t pool);

/* Seed and masks; seed only when the map is new. */
int mapsync_init(const struct mapset *maps, const struct loader_sizes *sizes);

/* The difference of CLOCK_TAI and the wall clock. Returns ms until it is to be looked at again. */
int mapsync_write_clock(const struct mapset *maps);

/* Cookie keys: random at first, then the older one is replaced. Returns ms until the next turn. */
int mapsync_rotate_keys(const struct mapset *maps);

/* Hosts, routes, components, canned errors of a new epoch (mapsync_routes.c). */
int mapsync_write_routes(const struct mapset *maps, struct store *store,
			 const struct config *config, struct mapsync_epoch *out);
/* Sets an element; `what` and `name` are for the log. */
int mapsync_update(int fd, const void *key, const void *value, const char *what, const char *name);

/* What the routes and components of an epoch lead to, by index in the configuration. */
struct mapsync_targets {
	struct mapsync_epoch *epoch;
	const struct config *config;
	const struct keymap *hosts; /* name -> index */
	const struct target *routes, *components;
};
/* Paths and rules; sets the depths of the epoch (mapsync_rules.c). */
int mapsync_write_rules(const struct mapset *maps, const struct mapsync_targets *targets);
void mapsync_free_epoch(struct mapsync_epoch *epoch);
/* Deletes routes and hosts of every epoch but `keep`. */
int mapsync_drop_routes(const struct mapset *maps, uint32_t keep);

int mapsync_write_pools(const struct mapset *maps, const struct config *config,
			const struct plan *plan, uint32_t epoch);
/* Paths of the old epoch and of the new one are found at every moment in between. */
int mapsync_switch(const struct mapset *maps, const struct mapsync_epoch *epoch);

/* VIPs with their default pool; `trim` also removes the others. */
int mapsync_write_vips(const struct mapset *maps, const struct config *config,
		       const struct plan *plan, uint32_t epoch, bool trim);
int mapsync_write_trusted(const struct mapset *maps, const struct config *config);

struct mapsync_uplink {
	uint32_t id, ifindex, mtu;
	uint8_t mac[6];
};
int mapsync_write_uplinks(const struct mapset *maps, const struct mapsync_uplink *uplinks, size_t n,
			  bool trim);

/*
 * backends[id] for all ids, and the addresses of those that are used; those that drain give way to
 * others of the same address. `trim` removes all other addresses.
 */
int mapsync_write_backends(const struct mapset *maps, const struct backend backends[MAX_BACKENDS],
			   const struct state *state, bool trim);
int mapsync_read_backends(const struct mapset *maps, struct backend backends[MAX_BACKENDS]);
int mapsync_write_backend(const struct mapset *maps, uint32_t id, const struct backend *backend);

#endif
