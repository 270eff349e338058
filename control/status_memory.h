/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the maps take of the kernel's memory, for `sluice status` and the metrics. */
#ifndef SLUICE_STATUS_MEMORY_H
#define SLUICE_STATUS_MEMORY_H

#include <jansson.h>

#include "mapset.h"

/*
 * memory: {objects, content_used, content_reserved, maps: bytes of all,
 *  tables: [{name, capacity, key, value, overhead, bytes}]}
 * into root. `bytes` is what the kernel has charged, `overhead` what of that is neither key nor
 * value, for each entry. 0 or -errno.
 */
int status_memory_add(json_t *root, const struct mapset *maps);

void status_memory_print(const json_t *root);

#endif
