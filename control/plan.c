// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ids that are stable over reloads and restarts, marks, and the pools' sequences. Entry points:
 * plan_make(), plan_sequence(), plan_fixed_key(). It applies nothing.
 */
#include <errno.h>
#include <string.h>

#include "plan.h"

bool plan_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* The address of a family that a backend has, NULL: it was not configured. */
static const struct endpoint *endpoint_of(const struct endpoint *first,
					  const struct endpoint *second, bool is_ipv4)
{
	if (first->is_ipv4 == is_ipv4)
		return first;
	return second->port ? second : NULL;
}

/* What the maps alone told: an address that is configured must be the same, netns is not known. */
static bool is_same_partial(const struct state_backend *known, const struct config_backend *want)
{
	const struct endpoint *a, *b;
	int family;

	if (known->address.port != want->address.port)
		return false;
	for (family = 0; family < 2; family++) {
		a = endpoint_of(&known->address, &known->address6, family);
		b = endpoint_of(&want->address, &want->address6, family);
		if (b && (!a || !IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr)))
			return false;
	}
	return true;
}

static bool is_same_backend(const struct state_backend *known, const struct config_backend *want)
{
	if (known->partial)
		return is_same_partial(known, want);
	return plan_same_endpoint(&known->address, &want->address) &&
	       plan_same_endpoint(&known->address6, &want->address6) &&
	       is_same_text(known->netns, want->netns) &&
	       is_same_text(known->interface, want->interface);
}

static bool find_backend(const struct state *state, const struct config_backend *want,
			 const bool *taken, uint32_t *id)
{
	for (*id = 0; *id < MAX_BACKENDS; (*id)++) {
		if (state->backends[*id].used && !taken[*id] &&
		    is_same_backend(&state->backends[*id], want))
			return true;
	}
	return false;
}

static int plan_backends(struct plan *plan, const struct state *state, const struct config *config)
{
	const struct config_gateway *gateway = &config->gateway;
	uint32_t limit = plan_mark_count(gateway->mark_base, gateway->mark_mask), id;
	bool taken[MAX_BACKENDS] = {}, is_known[MAX_BACKENDS] = {};
	size_t i;

	for (i = 0; i < config->n_backends; i++) {
		is_known[i] = find_backend(state, &config->backends[i], taken, &id) && id < limit;
		if (!is_known[i])
			continue;
		plan->backend_ids[i] = id;
		taken[id] = true;
	}
	for (id = 0; id < MAX_BACKENDS; id++)
		plan->drains[id] = state->backends[id].used && !taken[id];

	for (i = 0, id = 0; i < config->n_backends; i++) {
		if (is_known[i])
			continue;
		while (id < limit && (state->backends[id].used || taken[id]))
			id++;
		if (id >= limit)
			return -ENOSPC;
		plan->backend_ids[i] = id;
		taken[id] = true;
	}
	return 0;
}

/* The first id that is free now and before; when there is none, the first that is free now. */
static uint32_t pick_id(const bool *taken, const bool *was_used, uint32_t n)
{
	uint32_t id, second = n;

	for (id = 0; id < n; id++) {
		if (taken[id])
			continue;
		if (!was_used[id])
			return id;
		if (second == n)
			second = id;
	}
	return second;
}

/* A new VIP takes an id that no VIP has now: it must not inherit flows of one that leaves. */
static void plan_vips(struct plan *plan, const struct state *state, const struct config *config)
{
	const struct config_gateway *gateway = &config->gateway;
	bool taken[MAX_VIPS] = {}, was_used[MAX_VIPS];
	uint32_t id;
	size_t i;

	for (id = 0; id < MAX_VIPS; id++)
		was_used[id] = state->vips[id].used;
	for (i = 0; i < gateway->n_vips; i++) {
		plan->vip_ids[i] = MAX_VIPS;
		for (id = 0; id < MAX_VIPS; id++) {
			if (!was_used[id])
				continue;
			if (!plan_same_endpoint(&state->vips[id].endpoint, &gateway->vips[i]))
				continue;
			plan->vip_ids[i] = id;
			taken[id] = true;
		}
	}
	for (i = 0; i < gateway->n_vips; i++) {
		if (plan->vip_ids[i] < MAX_VIPS)
			continue;
		id = pick_id(taken, was_used, MAX_VIPS);
		plan->vip_ids[i] = id;
		taken[id] = true; /* there are as many ids as VIPs: see plan_make() */
	}
}

static void plan_uplinks(struct plan *plan, const struct state *state, const struct config *config)
{
	const struct config_gateway *gateway = &config->gateway;
	bool taken[MAX_UPLINKS] = {}, was_used[MAX_UPLINKS];
	uint32_t id;
	size_t i;

	for (id = 0; id < MAX_UPLINKS; id++)
		was_used[id] = state->uplinks[id][0];
	for (i = 0; i < gateway->n_uplinks; i++) {
		plan->uplink_ids[i] = MAX_UPLINKS;
		for (id = 0; id < MAX_UPLINKS; id++) {
			if (strcmp(state->uplinks[id], gateway->uplinks[i]))
				continue;
			plan->uplink_ids[i] = id;
			taken[id] = true;
		}
	}
	for (i = 0; i < gateway->n_uplinks; i++) {
		if (plan->uplink_ids[i] < MAX_UPLINKS)
			continue;
		id = pick_id(taken, was_used, MAX_UPLINKS);
		plan->uplink_ids[i] = id;
		taken[id] = true;
	}
}

int plan_make(struct plan *plan, const struct state *state, const struct config *config,
	      const char **what)
{
	memset(plan, 0, sizeof(*plan));
	*what = "VIPs";
	if (config->gateway.n_vips > MAX_VIPS)
		return -ENOSPC;
	plan_vips(plan, state, config);
	*what = "uplinks";
	if (config->gateway.n_uplinks > MAX_UPLINKS)
		return -ENOSPC;
	plan_uplinks(plan, state, config);
	*what = "backends (those that drain count too)";
	if (config->n_backends > MAX_BACKENDS)
		return -ENOSPC;
	return plan_backends(plan, state, config);
}

uint32_t plan_mark_count(uint32_t base, uint32_t mask)
{
	uint32_t step = mask & -mask, count = 0;

	while (step && count < MAX_BACKENDS) {
		uint64_t mark = (uint64_t)base + (uint64_t)count * step;

		if (mark > UINT32_MAX || ((uint32_t)mark & ~mask))
			break;
		count++;
	}
	return count;
}

uint32_t plan_mark(uint32_t base, uint32_t mask, uint32_t id)
{
	return base + id * (mask & -mask);
}

const char *plan_fixed_key(const struct config *old, const struct config *new)
{
	const struct config_gateway *a = &old->gateway, *b = &new->gateway;

	if (a->flows != b->flows)
		return "flows";
	if (a->mark_base != b->mark_base || a->mark_mask != b->mark_mask)
		return "fwmark";
	if (a->table != b->table)
		return "table";
	if (a->priority != b->priority)
		return "priority";
	if (!is_same_text(a->instance, b->instance))
		return "instance";
	if (!is_same_text(a->admin, b->admin))
		return "admin";
	return NULL;
}

static uint32_t sum_weights(const uint32_t *weights, size_t n)
{
	uint32_t total = 0;
	size_t i;

	for (i = 0; i < n; i++)
		total += weights[i];
	return total;
}

static size_t heaviest(const uint32_t *weights, size_t n)
{
	size_t i, best = 0;

	for (i = 1; i < n; i++) {
		if (weights[i] > weights[best])
			best = i;
	}
	return best;
}

/* Divides the weights by their greatest common divisor, then scales them into `max` slots. */
static void fit_weights(const uint32_t *weights, size_t n, uint32_t *out, size_t max)
{
	uint32_t divisor = 0, a, b, total;
	size_t i;

	for (i = 0; i < n; i++) {
		for (a = weights[i], b = divisor; b;) {
			uint32_t rest = a % b;

			a = b;
			b = rest;
		}
		divisor = a;
	}
	for (i = 0; i < n; i++)
		out[i] = divisor ? weights[i] / divisor : 1;
	total = sum_weights(out, n);
	if (total <= max)
		return;
	for (i = 0; i < n; i++) {
		out[i] = (uint32_t)((uint64_t)out[i] * max / total);
		if (!out[i])
			out[i] = 1;
	}
	while (sum_weights(out, n) > max)
		out[heaviest(out, n)]--;
}

size_t plan_sequence(const uint32_t *weights, size_t n, uint8_t *seq, size_t max)
{
	uint32_t fitted[POOL_MEMBERS], total;
	int64_t current[POOL_MEMBERS] = {};
	size_t i, best, len;

	if (!n || n > POOL_MEMBERS || n > max)
		return 0;
	fit_weights(weights, n, fitted, max);
	total = sum_weights(fitted, n);
	for (len = 0; len < total; len++) {
		for (i = 0, best = 0; i < n; i++) {
			current[i] += fitted[i];
			if (current[i] > current[best])
				best = i;
		}
		current[best] -= total;
		seq[len] = (uint8_t)best;
	}
	return len;
}
