/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What store.c (objects) and store_open.c (regions, restart) share; nobody else includes it. */
#ifndef SLUICE_STORE_INTERNAL_H
#define SLUICE_STORE_INTERNAL_H

#include "abi.h"
#include "extent.h"
#include "store.h"

#define BUCKETS (1u << 16)
#define NO_SLOT UINT32_MAX

enum entry_state { ENTRY_FREE, ENTRY_LIVE, ENTRY_DYING };

struct entry {
	uint64_t hash;
	uint64_t expire_ms;
	struct object object;
	uint32_t size;	   /* bytes taken in the region */
	uint32_t last_gen; /* survives the object: a generation never comes back */
	uint32_t next;	   /* in its bucket, or in the list of free slots */
	uint32_t kept;	   /* transaction that put it last */
	uint32_t born;	   /* transaction that made it */
	uint32_t revived;  /* transaction that took it back from dying */
	uint8_t state;	   /* enum entry_state */
};

struct region {
	uint8_t *bytes;
	struct extents extents;
};

struct store {
	int objects_fd, regions_fd;
	struct region *regions;
	uint32_t n_regions;
	struct entry *entries; /* MAX_OBJECTS; pages never touched cost nothing */
	uint32_t n_entries;    /* slots below it have been used */
	uint32_t free_slot;
	uint32_t buckets[BUCKETS];
	uint32_t txn;
	uint32_t first_gen;
	uint64_t next_expiry; /* 0: none */
	uint64_t bytes_used, objects;
};

/* Adds an empty region to the datapath's map. 0 or -errno. */
int store_add_region(struct store *store);
uint64_t store_hash(const struct object_source *source);
/* Head of the chain that entries of a hash are in. */
uint32_t *store_bucket(struct store *store, uint64_t hash);
/* Takes an entry whose object, size and hash are set into its bucket and into the sums. */
void store_link(struct store *store, uint32_t slot);
/* Where a close head of its own stands, and the bytes that an object takes. */
uint32_t store_close_offset(const struct object *object);
uint32_t store_object_size(const struct object *object);

#endif
