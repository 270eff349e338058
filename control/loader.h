/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs and maps in the kernel: loads the skeleton, reuses the pinned maps of an earlier daemon
 * when their definitions are the same, pins new ones otherwise.
 *
 * INSTANCE/v<ABI>-<hash of the definitions>/<map>   the maps of one level
 * INSTANCE/link_*                                   the links, updated in place by attach.h
 */
#ifndef SLUICE_LOADER_H
#define SLUICE_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "instance.h"
#include "mapset.h"

/* Elements of the maps whose size the configuration decides. */
struct loader_sizes {
	uint32_t flows, legs, stashes, senders; /* powers of two */
	uint32_t relays, sources;
};

struct loader_programs {
	int uplink_ingress, uplink_egress, backend_return, backend_accept, kick; /* fds */
};

struct loader;

/* Loads everything. Errors are logged. 0 or -errno, then no new map stays pinned for long: the next
 * loader_open() takes what it finds. */
int loader_open(struct loader **out, const struct instance *instance, uint32_t flows);
/* Closes fds; pins stay. */
void loader_close(struct loader *loader);

const struct mapset *loader_maps(const struct loader *loader);
const struct loader_programs *loader_programs(const struct loader *loader);
const struct loader_sizes *loader_sizes(const struct loader *loader);

/* The directory that this binary's maps have in an instance. 0 or -errno. */
int loader_level(const struct instance *instance, char out[PATH_MAX]);

/* Removes the pinned maps of other levels (older binaries); with `all` those of every level. */
int loader_sweep(const struct instance *instance, bool all);

#endif
