/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loaded object and its maps: a configuration as the daemon would write it, set up anew before
 * every test. Backends 1 to 5 are remote, one behind each device NET_NODE*; see enum room_backend
 * for the others. Maps are never pinned.
 */
#ifndef PROG_ROOM_H
#define PROG_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct btf;

#define ROOM_FLOW_BUCKETS 8
#define ROOM_LEG_BUCKETS 8
#define ROOM_STASHES 8
#define ROOM_SENDERS 8
#define ROOM_RELAYS 4096 /* and sources */
#define ROOM_EPOCH 4
#define ROOM_ANY 0x400001 /* scope of routes without a host */

enum room_backend {
	BACKEND_NODE1 = 1, /* ... 5 */
	BACKEND_FAR = 6,   /* its neighbour is not known */
	BACKEND_LOST = 7,  /* no rule, no route */
	BACKEND_HERE = 8,  /* in the gateway's own netns, port ROOM_HERE_PORT */
};
#define ROOM_HERE_PORT 3100

enum room_pool {
	POOL_1 = 1, /* backend 1, and so on to 5 */
	POOL_2,
	POOL_3,
	POOL_4,
	POOL_5,
	POOL_FAR,
	POOL_LOST,
	POOL_HERE,
	POOL_BOTH, /* backends 1 and 2 in turn */
	POOL_EMPTY,
};

enum room_slot {
	SLOT_SMALL = 1,	  /* one segment */
	SLOT_BIG,	  /* 14 KB */
	SLOT_HUGE,	  /* 64 KB */
	SLOT_MOVED,	  /* a redirect */
	SLOT_ERRORS = 10, /* + enum canned */
	SLOT_OWN = 20,	  /* for a test's own objects */
};

/* Netns, object, maps; once. */
void room_setup(void);

/* Back to the default configuration; no flows, no counters' history needed. */
void room_reset(void);

/* What the daemon tells the datapath while it serves timers; true after room_reset(). */
void room_serve_kicks(bool is_served);
bool room_kicks_are_served(void);

/*
 * Empties the senders. Their timers never fire after room_reset() (each looks as if it were set
 * already): tests say when time is over, see run_kick().
 */
void room_run_timers(bool are_running);

int room_map(const char *name);
int room_program(const char *name);
const struct btf *room_btf(void);

void room_map_update(const char *name, const void *key, const void *value);
void room_map_delete(const char *name, const void *key);

struct settings room_settings(void);
void room_set_settings(const struct settings *settings);

/* All flows are in one bucket. */
void room_one_bucket(void);

/* Both VIPs' default pool; POOL_NONE: none. */
void room_default_pool(uint32_t pool);

struct target room_to_pool(uint16_t pool);
struct target room_to_object(uint32_t slot, uint16_t pool);
struct target room_to_canned(uint32_t slot);

void room_exact(uint32_t scope, const char *path, struct target target);
void room_prefix(uint32_t scope, const char *path, struct target target);

/* Rule `index` of `rules`, and what leads to it. `from`: an address; `len`: of 128 bits. */
void room_rule(uint32_t index, const char *from, unsigned int len, uint16_t methods, uint32_t next,
	       struct target target);
struct target room_to_rules(uint32_t first);

/* `.example` is the wildcard *.example. */
void room_host(const char *name, uint32_t scope);

void room_pool(uint32_t id, uint16_t policy, const uint16_t *backends, size_t n);
struct backend room_backend(uint32_t id);
void room_set_backend(uint32_t id, const struct backend *backend);
void room_uplink_mtu(uint32_t mtu);

/* An object with a body of `body_len` bytes of room_pattern(), in free memory of the region. */
void room_object(uint32_t slot, uint32_t gen, const char *status, uint32_t body_len);
/* SLOT_OWN with such a body, at /own. */
void room_own_object(uint32_t body_len);
/* A redirect to `before` + the request's path and query + `behind`, 301. */
void room_uri_object(uint32_t slot, const char *before, const char *behind);
/* SLOT_OWN + `index` as the daemon lays objects out: its Date begins at byte `lead`, or later.
 * `etag` and `modified` are not among its fields. */
void room_dated_object(uint32_t index, uint32_t lead, uint32_t body_len, uint64_t etag,
		       uint32_t modified);
/* The object of SLOT_OWN has a variant. */
void room_set_variant(uint32_t coding, uint32_t slot);
/* What stands in the Date of answers. */
void room_set_date(uint32_t second);
/* The bytes of a 304 of the object. */
size_t room_not_modified(uint32_t slot, bool close, uint8_t *out, size_t size);
void room_set_object_gen(uint32_t slot, uint32_t gen);

/* The bytes that the client of an object must get. Returns their number. */
size_t room_answer(uint32_t slot, bool close, bool head_only, uint8_t *out, size_t size);

#endif
