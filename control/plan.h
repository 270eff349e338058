/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference between what is loaded and what a configuration wants: which ids stay, which are
 * new, which drain. Pure functions: no kernel, no clock.
 */
#ifndef SLUICE_PLAN_H
#define SLUICE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"
#include "state.h"

struct plan {
	uint32_t backend_ids[MAX_BACKENDS]; /* by index in the configuration */
	uint32_t vip_ids[MAX_VIPS];
	uint32_t uplink_ids[MAX_UPLINKS];
	bool drains[MAX_BACKENDS]; /* by id: loaded now, not wanted any more */
};

/*
 * Gives every backend, VIP and uplink of the configuration its id: that of the same thing in
 * `state`, else a free one. A backend is the same when address, address6, netns and interface are;
 * a VIP when address and port are; an uplink when its name is. 0, or -ENOSPC when ids run out: then
 * *what names the kind.
 */
int plan_make(struct plan *plan, const struct state *state, const struct config *config,
	      const char **what);

/* Ids that base and mask have room for: base + id * (lowest bit of mask) stays in mask. */
uint32_t plan_mark_count(uint32_t base, uint32_t mask);
uint32_t plan_mark(uint32_t base, uint32_t mask, uint32_t id);

/* The first key of [gateway] that differs and that a reload cannot change; NULL: none. */
const char *plan_fixed_key(const struct config *old, const struct config *new);

/*
 * A weighted round-robin sequence of member numbers, spread as nginx spreads it (smooth weighted
 * round robin). Weights are reduced to fit `max` slots, at least 1 each; n <= max. Returns its
 * length; 0 when n is 0.
 */
size_t plan_sequence(const uint32_t *weights, size_t n, uint8_t *seq, size_t max);

bool plan_same_endpoint(const struct endpoint *a, const struct endpoint *b);

#endif
