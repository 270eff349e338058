/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts that status.c prints and metrics.c serves, as one JSON object. */
#ifndef SLUICE_STATUS_READ_H
#define SLUICE_STATUS_READ_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdint.h>

#include "instance.h"
#include "mapset.h"
#include "state.h"

/* Keys of the object that are read together. */
enum status_part {
	STATUS_GATEWAY = 1 << 0,    /* epoch, vips, uplinks */
	STATUS_TABLES = 1 << 1,	    /* flows, legs: walks both tables, some 100 ns an entry */
	STATUS_COUNTERS = 1 << 2,   /* counters */
	STATUS_BACKENDS = 1 << 3,   /* backends */
	STATUS_COMPONENTS = 1 << 4, /* components */
	STATUS_MEMORY = 1 << 5,	    /* memory: walks all MAX_OBJECTS objects */
	STATUS_ALL = (1 << 6) - 1,
};

/*
 * {daemon: {running, pid}, instance, config, epoch, vips: [..], uplinks: [..],
 *  flows: {open, closing, closed, capacity}, legs: {opening, open, dead, capacity},
 *  counters: {lower_case: n, in the order of stats.h},
 *  backends: [{name, id, address, address6, netns, interface, up, draining, local, mark, table}],
 *  components: [{name, host, path, bytes, loaded}], memory: {..}}
 * 0, -ENOENT: nothing is loaded, or -errno.
 */
int status_read(const struct instance *instance, json_t **out);

/* The keys of `parts` into an object that has none of them. 0, or -errno and some may be there. */
int status_add(json_t *root, const struct mapset *maps, const struct state *state,
	       unsigned int parts);

#define STATUS_ADDRESS_BYTES (INET6_ADDRSTRLEN + 16)
/* "10.0.0.1:80", "[fd00::1]:80"; `port` in host order. Returns `out`. */
const char *status_address_text(const struct in6_addr *addr, uint16_t port,
				char out[STATUS_ADDRESS_BYTES]);

#endif
