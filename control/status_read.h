/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts that status.c prints, as one JSON object; nobody else includes it. */
#ifndef SLUICE_STATUS_READ_H
#define SLUICE_STATUS_READ_H

#include <jansson.h>

#include "instance.h"

/*
 * {daemon: {running, pid}, instance, config, epoch, vips: [..], uplinks: [..],
 *  flows: {open, closing, closed, capacity}, legs: {open, capacity}, counters: {lower_case: n},
 *  backends: [{name, id, address, address6, netns, interface, up, draining, local, mark, table}],
 *  components: [{name, host, path, bytes, loaded}], memory: {..}}
 * 0, -ENOENT: nothing is loaded, or -errno.
 */
int status_read(const struct instance *instance, json_t **out);

#endif
