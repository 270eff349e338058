/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gateway_*.c files share; nobody else includes it. Functions: 0 or -errno, logged. */
#ifndef SLUICE_GATEWAY_INTERNAL_H
#define SLUICE_GATEWAY_INTERNAL_H

#include "config.h"
#include "gateway.h"
#include "health.h"
#include "instance.h"
#include "loader.h"
#include "mapsync.h"
#include "plan.h"
#include "routes.h"
#include "state.h"
#include "store.h"

#define GATEWAY_DRAIN_MS 60000

/* What names in the configuration mean on this machine now. */
struct layout {
	struct backend backends[MAX_BACKENDS]; /* by id */
	struct mapsync_uplink uplinks[MAX_UPLINKS];
	size_t n_uplinks;
};

struct gateway {
	struct instance instance;
	struct config *config;
	struct loader *loader;
	struct routes *routes;
	struct store *store;
	struct state *state;
	struct health *health;
	struct plan plan; /* of `config` */
	struct layout layout;
	uint64_t drain_until_ms[MAX_BACKENDS];
	bool is_broken[MAX_BACKENDS]; /* netns or interface has gone */
	bool is_missing[MAX_UPLINKS]; /* interface has gone */
	bool must_verify;	      /* soon: see gateway_verify() */
};

/* gateway_resolve.c: fills the layout of a plan. `gw->layout` gives what is not to be found any
 * more; `is_broken` (by id) gets the backends that are loaded already and away just now. */
int gateway_resolve(struct gateway *gw, const struct config *config, const struct plan *plan,
		    struct layout *out, bool is_broken[MAX_BACKENDS]);
/* The same for the current configuration, later: a backend that has gone keeps its entry but loses
 * BACKEND_UP, an uplink that has gone is left out; log lines only at a change. */
void gateway_resolve_again(struct gateway *gw, struct layout *out);

/* gateway_links.c */
int gateway_attach_backends(struct gateway *gw, const struct layout *layout, bool is_strict);
int gateway_attach_uplinks(struct gateway *gw, const struct layout *layout);
/* Removes links that no backend or uplink of the layout needs, uplinks first. */
int gateway_trim_links(struct gateway *gw, const struct layout *layout);
int gateway_remove_links(const struct instance *instance);

/* gateway_steer.c: rules, tables, addresses, sysctls. */
int gateway_steer(struct gateway *gw, const struct layout *layout);
int gateway_add_addresses(struct gateway *gw, const struct config *config);
void gateway_trim_addresses(struct gateway *gw);
int gateway_set_sysctls(struct gateway *gw, const struct layout *layout);

/* gateway_apply.c */
int gateway_apply(struct gateway *gw, struct config *config);
/* Ends drains that are due. Returns ms until the next one or -1. */
int gateway_expire_drains(struct gateway *gw);
/* Repairs what has changed under us: interfaces, links, rules. 0 or -errno. */
int gateway_verify(struct gateway *gw);
void gateway_health_changed(void *context, size_t backend, bool up, const char *reason);
int gateway_save(struct gateway *gw);

/* gateway_adopt.c: takes over what an earlier daemon has left in maps and state. */
int gateway_adopt(struct gateway *gw);

/* gateway_unload.c. `state` may be NULL; `priority` 0: rules are left alone. */
int gateway_take_down(const struct instance *instance, struct state *state, uint32_t priority);

#endif
