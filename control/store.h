/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Component bytes: files and canned answers become objects (head, close head, body) in the mmaped
 * regions of the datapath's maps. An object that is replaced or dropped keeps its slot and bytes
 * for STORE_GRACE_MS, because flows may still send it.
 */
#ifndef SLUICE_STORE_H
#define SLUICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define STORE_GRACE_MS 120000

struct store;

struct object_ref {
	uint32_t slot;
	uint32_t gen;
};

/* What an object is made of. `head` and `close_head` end with CRLFCRLF. */
struct object_source {
	const void *head;
	size_t head_len;
	const void *close_head;
	size_t close_len;
	const void *body;
	size_t body_len;
	/* As in struct object. */
	uint64_t etag;
	uint32_t modified;
	uint16_t date, shared;
	uint32_t variants[CODINGS];
};

/*
 * Takes the fds of `objects` and `regions` (array of maps), which must outlive it. On a restarted
 * daemon it finds the objects that are there: they stay until a store_commit() before which they
 * were not put again. 0 or -errno.
 */
int store_open(struct store **out, int objects_fd, int regions_fd);
void store_close(struct store *store);

/* Same bytes as an object that is already stored: returns that one (its gen unchanged). 0, -E2BIG
 * (limits of abi.h) or -ENOSPC. */
int store_put(struct store *store, const struct object_source *source, struct object_ref *out);

/* If there is an object with these bytes, whatever its variants, it stays, and they with it: true
 * and *out. */
bool store_keep(struct store *store, const struct object_source *source, struct object_ref *out);

/* Mark and sweep over a reload: objects not put since store_begin() are dropped after the grace. */
void store_begin(struct store *store);
void store_commit(struct store *store, uint64_t now_ms);
/* Undo of a failed reload: what was put since store_begin() is freed, the rest stays. */
void store_abort(struct store *store);
/* Frees what has outlived its grace; returns ms until the next one or -1. */
int store_expire(struct store *store, uint64_t now_ms);

struct store_usage {
	uint64_t objects, bytes_used, bytes_reserved;
};
void store_usage(const struct store *store, struct store_usage *out);

#endif
