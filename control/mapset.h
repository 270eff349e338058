/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pinned maps as file descriptors, for everyone who reads or writes them: the daemon and
 * `sluice status`, which has no daemon to ask. Names are those of maps.h.
 */
#ifndef SLUICE_MAPSET_H
#define SLUICE_MAPSET_H

#include <stddef.h>

#define MAPSET(X)                                                                                  \
	X(settings)                                                                                \
	X(cookie_keys)                                                                             \
	X(vips)                                                                                    \
	X(vip_list)                                                                                \
	X(vip_addrs)                                                                               \
	X(uplinks)                                                                                 \
	X(uplink_devs)                                                                             \
	X(pools)                                                                                   \
	X(backends)                                                                                \
	X(backend_addrs)                                                                           \
	X(trusted)                                                                                 \
	X(hosts)                                                                                   \
	X(paths)                                                                                   \
	X(long_paths)                                                                              \
	X(rules)                                                                                   \
	X(objects)                                                                                 \
	X(regions)                                                                                 \
	X(flow_buckets)                                                                            \
	X(flows)                                                                                   \
	X(leg_buckets)                                                                             \
	X(legs)                                                                                    \
	X(stashes)                                                                                 \
	X(senders)                                                                                 \
	X(kicks)                                                                                   \
	X(kicks_served)                                                                            \
	X(counters)

struct mapset {
#define MAPSET_FIELD(name) int name;
	MAPSET(MAPSET_FIELD)
#undef MAPSET_FIELD
};

/* Opens every map pinned in `dir`. 0 or -errno (-ENOENT: not loaded), then nothing is open. */
int mapset_open(struct mapset *out, const char *dir);
/* Also for one that was never opened but initialised by mapset_clear(). */
void mapset_close(struct mapset *maps);
void mapset_clear(struct mapset *maps);

/*
 * Calls `visit` for each element of a hash, LPM or array map, read in batches; it must not delete
 * elements. 0, the first non-zero return of `visit`, or -errno.
 */
typedef int (*mapset_visit)(const void *key, void *value, void *arg);
int mapset_walk(int fd, mapset_visit visit, void *arg);

/* Deletes the elements for which `is_stale` returns true. *deleted may be NULL. 0 or -errno. */
typedef _Bool (*mapset_predicate)(const void *key, const void *value, const void *arg);
int mapset_delete_if(int fd, mapset_predicate is_stale, const void *arg, size_t *deleted);

#endif
