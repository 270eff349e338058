// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the datapath's forwarding needs of the netns: a rule and a table for each remote backend,
 * the VIPs as addresses, a switch of lo. Everything is noted in the state before the next step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_internal.h"
#include "log.h"
#include "sysctl.h"

static int add_steering(struct gateway *gw, uint32_t id, const struct backend *backend,
			bool is_ipv4, struct steering *out)
{
	const struct state *state = gw->state;

	*out = (struct steering){
		.family = is_ipv4 ? AF_INET : AF_INET6,
		.mark = backend->mark,
		.mask = state->mark_mask,
		.table = state->table + id,
		.priority = state->priority + id,
	};
	memcpy(&out->addr, is_ipv4 ? &backend->addr4 : &backend->addr6, sizeof(out->addr));
	if (routes_lookup(gw->routes, &out->addr, &out->hop))
		return -ENOENT;
	/* A device that has gone leaves the default route: never follow that. */
	return out->hop.ifindex == backend->ifindex ? 0 : -ENOENT;
}

int gateway_steer(struct gateway *gw, const struct layout *layout)
{
	struct steering *want;
	size_t n = 0;
	uint32_t id;
	int err;

	want = calloc(2 * MAX_BACKENDS, sizeof(*want));
	if (!want)
		return -ENOMEM;
	for (id = 0; id < MAX_BACKENDS; id++) {
		const struct backend *backend = &layout->backends[id];

		if (!(backend->flags & BACKEND_USED) || backend->flags & BACKEND_LOCAL ||
		    gw->is_broken[id])
			continue;
		if (backend->flags & BACKEND_IPV4 && !add_steering(gw, id, backend, true, &want[n]))
			n++;
		if (backend->flags & BACKEND_IPV6 &&
		    !add_steering(gw, id, backend, false, &want[n]))
			n++;
	}
	err = routes_sync(gw->routes, want, n, gw->state->priority, MAX_BACKENDS);
	free(want);
	return err;
}

static bool is_added(const struct state *state, const struct in6_addr *addr)
{
	size_t i;

	for (i = 0; i < state->n_added; i++) {
		if (IN6_ARE_ADDR_EQUAL(&state->added[i], addr))
			return true;
	}
	return false;
}

int gateway_add_addresses(struct gateway *gw, const struct config *config)
{
	const struct in6_addr *addr;
	bool is_new, has_changed = false;
	int err = 0;
	size_t i;

	for (i = 0; !err && i < config->gateway.n_vips; i++) {
		addr = &config->gateway.vips[i].addr;
		err = routes_add_vip(gw->routes, addr, &is_new);
		if (err)
			log_error("cannot add a VIP's address to lo: %s", strerror(-err));
		if (err || !is_new || is_added(gw->state, addr) || gw->state->n_added == MAX_VIPS)
			continue;
		gw->state->added[gw->state->n_added++] = *addr;
		has_changed = true;
	}
	if (has_changed && gateway_save(gw) && !err)
		err = -EIO;
	return err;
}

static bool is_vip(const struct state *state, const struct in6_addr *addr)
{
	uint32_t id;

	for (id = 0; id < MAX_VIPS; id++) {
		const struct state_vip *vip = &state->vips[id];

		if (vip->used && IN6_ARE_ADDR_EQUAL(&vip->endpoint.addr, addr))
			return true;
	}
	return false;
}

void gateway_trim_addresses(struct gateway *gw)
{
	struct state *state = gw->state;
	size_t i, n = 0;

	for (i = 0; i < state->n_added; i++) {
		if (is_vip(state, &state->added[i]) || routes_del_vip(gw->routes, &state->added[i]))
			state->added[n++] = state->added[i];
	}
	state->n_added = n;
}

int gateway_set_sysctls(struct gateway *gw, const struct layout *layout)
{
	bool has_changed4 = false, has_changed6 = false;
	uint16_t families = 0;
	uint32_t id;
	int err = 0;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (!(layout->backends[id].flags & BACKEND_LOCAL))
			families |= layout->backends[id].flags;
	}
	if (families & BACKEND_IPV4)
		err = sysctl_set(gw->state, SYSCTL_FORWARDING_IPV4, "1", &has_changed4);
	if (!err && families & BACKEND_IPV6)
		err = sysctl_set(gw->state, SYSCTL_FORWARDING_IPV6, "1", &has_changed6);
	if (err)
		log_error("cannot set forwarding of lo (net.ipv4.conf.lo.forwarding, "
			  "net.ipv6.conf.lo.forwarding) to 1: %s",
			  strerror(-err));
	if ((has_changed4 || has_changed6) && gateway_save(gw) && !err)
		err = -EIO;
	return err;
}
