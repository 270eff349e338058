/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a gateway remembers beside its pinned maps, so that a later daemon or `sluice unload` finds
 * it again: which backend has which id, which addresses and sysctls it changed. One JSON file per
 * instance under /run/sluice, replaced atomically.
 */
#ifndef SLUICE_STATE_H
#define SLUICE_STATE_H

#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"

#define STATE_SYSCTLS 4

/* One id of `backends`. Everything but `used`, `draining` and `name` is its identity. */
struct state_backend {
	bool used;
	bool draining; /* not in the configuration any more */
	bool partial;  /* found in the maps alone: netns and interface are not known */
	char *name;
	struct endpoint address, address6;
	char *netns, *interface;
};

struct state_vip {
	bool used;
	struct endpoint endpoint;
};

struct state_sysctl {
	char *path;	/* under /proc/sys */
	char *previous; /* value to be restored */
};

struct state_component {
	char *name, *host, *path; /* host: NULL for any */
	uint32_t slot, gen;
};

struct state {
	char *config_path; /* absolute */
	uint64_t netns_cookie;
	uint32_t mark_base, mark_mask, table, priority;
	struct state_backend backends[MAX_BACKENDS]; /* by id */
	struct state_vip vips[MAX_VIPS];	     /* by id */
	char uplinks[MAX_UPLINKS][IFNAMSIZ];	     /* by id; empty: free */
	struct in6_addr added[MAX_VIPS];	     /* addresses put on lo by us */
	size_t n_added;
	struct state_sysctl sysctls[STATE_SYSCTLS];
	size_t n_sysctls;
	struct state_component *components;
	size_t n_components;
};

struct state *state_new(void);
void state_free(struct state *state);
void state_free_backend(struct state_backend *backend);
void state_free_components(struct state *state);
/* Reads a file. 0, -ENOENT, -EINVAL (not ours) or -errno. */
int state_load(const char *path, struct state **out);
/* Writes it whole or not at all. 0 or -errno. */
int state_save(const struct state *state, const char *path);

#endif
