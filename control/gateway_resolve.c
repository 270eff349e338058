// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From names to numbers: interfaces, MTUs, the addresses of backends in both families. Entry
 * points: gateway_resolve() is strict, gateway_resolve_again() lives with backends that have gone
 * for a while. It changes nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway_internal.h"
#include "log.h"
#include "netns.h"

/* One backend that is being resolved. */
struct search {
	struct gateway *gw;
	const struct config_backend *from;
	struct backend *out;
	const struct layout *layout; /* its uplinks are set */
	bool is_quiet;
};

#define COMPLAIN(search, ...)                                                                      \
	do {                                                                                       \
		if (!(search)->is_quiet)                                                           \
			log_error(__VA_ARGS__);                                                    \
	} while (0)

static bool is_uplink(const struct layout *layout, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < layout->n_uplinks; i++) {
		if (layout->uplinks[i].ifindex == ifindex)
			return true;
	}
	return false;
}

static void set_addr(struct search *search, const struct in6_addr *addr, bool is_ipv4)
{
	memcpy(is_ipv4 ? &search->out->addr4 : &search->out->addr6, addr, sizeof(*addr));
	search->out->flags |= is_ipv4 ? BACKEND_IPV4 : BACKEND_IPV6;
}

/* In the backend's netns: the interface must be there; a family without address takes its first. */
static int look_inside(struct search *search, struct routes *routes)
{
	const struct config_backend *from = search->from;
	struct in6_addr addr;
	struct link_info link;
	int err;

	err = routes_link_by_name(routes, from->interface, &link);
	if (err) {
		COMPLAIN(search, "backend %s: no interface %s in netns %s", from->name,
			 from->interface, from->netns);
		return err;
	}
	if (!(search->out->flags & BACKEND_IPV4) &&
	    !routes_first_address(routes, link.ifindex, AF_INET, &addr))
		set_addr(search, &addr, true);
	if (!(search->out->flags & BACKEND_IPV6) &&
	    !routes_first_address(routes, link.ifindex, AF_INET6, &addr))
		set_addr(search, &addr, false);
	return 0;
}

static int resolve_inside(struct search *search)
{
	struct routes *routes = NULL;
	int fd, previous, err;

	fd = netns_open(search->from->netns);
	if (fd < 0) {
		COMPLAIN(search, "backend %s: cannot open netns %s: %s", search->from->name,
			 search->from->netns, strerror(-fd));
		return fd;
	}
	err = netns_enter(fd, &previous);
	close(fd);
	if (err)
		return err;
	err = routes_open(&routes);
	if (!err)
		err = look_inside(search, routes);
	routes_close(routes);
	netns_leave(previous);
	return err;
}

/* The gateway's interface towards one address. Sets ifindex, mtu and flags of the backend. */
static int resolve_hop(struct search *search, bool is_ipv4)
{
	const char *name = search->from->name, *family = is_ipv4 ? "IPv4" : "IPv6";
	struct backend *out = search->out;
	struct link_info link = {};
	struct in6_addr addr;
	struct next_hop hop;
	int err;

	memcpy(&addr, is_ipv4 ? &out->addr4 : &out->addr6, sizeof(addr));
	err = routes_lookup(search->gw->routes, &addr, &hop);
	if (!err)
		err = routes_link_by_index(search->gw->routes, hop.ifindex, &link);
	if (err) {
		COMPLAIN(search, "backend %s: no route to its %s address: %s", name, family,
			 strerror(-err));
		return err;
	}
	if (hop.is_local || is_uplink(search->layout, hop.ifindex)) {
		COMPLAIN(search,
			 "backend %s: its %s address is %s; a backend with `netns` needs "
			 "an interface of its own",
			 name, family, hop.is_local ? "one of the gateway" : "behind an uplink");
		return -EHOSTUNREACH;
	}
	if (out->ifindex && out->ifindex != hop.ifindex) {
		COMPLAIN(search,
			 "backend %s: its IPv4 and IPv6 addresses are behind different "
			 "interfaces",
			 name);
		return -EXDEV;
	}
	out->ifindex = hop.ifindex;
	out->mtu = link.mtu;
	if (link.is_veth)
		out->flags |= BACKEND_PEER;
	return 0;
}

static bool is_configured(const struct config_backend *from, bool is_ipv4)
{
	return from->address.is_ipv4 == is_ipv4 ||
	       (from->address6.port && from->address6.is_ipv4 == is_ipv4);
}

static int resolve_remote(struct search *search)
{
	const struct config_backend *from = search->from;
	struct backend *out = search->out;
	int is_ipv4, err;

	set_addr(search, &from->address.addr, from->address.is_ipv4);
	if (from->address6.port)
		set_addr(search, &from->address6.addr, from->address6.is_ipv4);
	err = resolve_inside(search);
	for (is_ipv4 = 1; !err && is_ipv4 >= 0; is_ipv4--) {
		if (!(out->flags & (is_ipv4 ? BACKEND_IPV4 : BACKEND_IPV6)))
			continue;
		if (is_configured(from, is_ipv4)) {
			err = resolve_hop(search, is_ipv4);
			continue;
		}
		/* A family that nobody asked for is left out when it cannot be reached. */
		search->is_quiet = true;
		if (resolve_hop(search, is_ipv4)) {
			out->flags &= (uint16_t)~(is_ipv4 ? BACKEND_IPV4 : BACKEND_IPV6);
			memset(is_ipv4 ? &out->addr4 : &out->addr6, 0, sizeof(out->addr4));
		}
		search->is_quiet = false;
	}
	return err;
}

/* Fills backends[id] for one section. On an error the entry is not usable. */
static int resolve_backend(struct gateway *gw, const struct config *config, size_t index,
			   uint32_t id, struct layout *layout, bool is_quiet)
{
	const struct config_gateway *gateway = &config->gateway;
	struct search search = {
		.gw = gw,
		.from = &config->backends[index],
		.out = &layout->backends[id],
		.layout = layout,
		.is_quiet = is_quiet,
	};

	memset(search.out, 0, sizeof(*search.out));
	search.out->port = htons(search.from->address.port);
	search.out->mark = plan_mark(gateway->mark_base, gateway->mark_mask, id);
	search.out->flags = BACKEND_USED;
	if (!search.from->netns) {
		search.out->flags |= BACKEND_LOCAL | BACKEND_IPV4 | BACKEND_IPV6;
		return 0;
	}
	return resolve_remote(&search);
}

/* Fills the uplinks; a missing one is an error, or, when `is_quiet`, left out and noted once. */
static int resolve_uplinks(struct gateway *gw, const struct config *config, const struct plan *plan,
			   struct layout *layout, bool is_quiet)
{
	const struct config_gateway *gateway = &config->gateway;
	struct mapsync_uplink *out;
	struct link_info link;
	const char *name;
	bool *is_missing;
	size_t i;
	int err;

	layout->n_uplinks = 0;
	for (i = 0; i < gateway->n_uplinks; i++) {
		name = gateway->uplinks[i];
		is_missing = &gw->is_missing[plan->uplink_ids[i]];
		err = routes_link_by_name(gw->routes, name, &link);
		if (err && (!is_quiet || !*is_missing))
			log_error("uplink %s: no such interface", name);
		if (err && !is_quiet)
			return err;
		if (!err && is_quiet && *is_missing)
			log_info("uplink %s: is there again", name);
		*is_missing = err;
		if (err)
			continue;
		out = &layout->uplinks[layout->n_uplinks++];
		out->id = plan->uplink_ids[i];
		out->ifindex = link.ifindex;
		out->mtu = link.mtu;
		memcpy(out->mac, link.mac, sizeof(out->mac));
	}
	return 0;
}

/* Ids that drain keep what they have, without new connections; ids that nobody uses are cleared. */
static void keep_draining(struct gateway *gw, const struct plan *plan, struct layout *layout)
{
	uint32_t id;

	for (id = 0; id < MAX_BACKENDS; id++) {
		memset(&layout->backends[id], 0, sizeof(layout->backends[id]));
		if (!plan->drains[id])
			continue;
		layout->backends[id] = gw->layout.backends[id];
		layout->backends[id].flags &= (uint16_t)~BACKEND_UP;
	}
}

/* A backend that serves already may be away while another one's configuration changes. */
static bool may_be_away(const struct gateway *gw, uint32_t id)
{
	return gw->config && gw->is_broken[id] && gw->state->backends[id].used;
}

/* The MSS that clients are told must fit the way to every backend too: which one a connection will
 * talk to is not known at the handshake, and nobody fragments or reports in between. */
static void fit_uplinks(struct layout *out)
{
	uint32_t id, mtu = UINT32_MAX;
	size_t i;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (out->backends[id].mtu && out->backends[id].mtu < mtu)
			mtu = out->backends[id].mtu;
	}
	for (i = 0; i < out->n_uplinks; i++) {
		if (out->uplinks[i].mtu > mtu)
			out->uplinks[i].mtu = mtu;
	}
}

int gateway_resolve(struct gateway *gw, const struct config *config, const struct plan *plan,
		    struct layout *out, bool is_broken[MAX_BACKENDS])
{
	int err, next;
	uint32_t id;
	size_t i;

	memset(out, 0, sizeof(*out));
	keep_draining(gw, plan, out);
	err = resolve_uplinks(gw, config, plan, out, false);
	if (err)
		return err;
	for (i = 0; i < config->n_backends; i++) {
		id = plan->backend_ids[i];
		next = resolve_backend(gw, config, i, id, out, may_be_away(gw, id));
		is_broken[id] = next;
		if (!next) {
			out->backends[id].flags |= BACKEND_UP;
		} else if (may_be_away(gw, id)) {
			out->backends[id] = gw->layout.backends[id];
			out->backends[id].flags &= (uint16_t)~BACKEND_UP;
		} else {
			err = err ? err : next;
		}
	}
	fit_uplinks(out);
	return err;
}

static void note_broken(struct gateway *gw, size_t index, uint32_t id, int err)
{
	const char *name = gw->config->backends[index].name;

	if (err && !gw->is_broken[id])
		log_warn("backend %s: its netns, interface or route has gone (%s); waiting for it",
			 name, strerror(-err));
	if (!err && gw->is_broken[id])
		log_info("backend %s: is there again", name);
	gw->is_broken[id] = err;
}

void gateway_resolve_again(struct gateway *gw, struct layout *out)
{
	struct backend *backend;
	uint32_t id;
	size_t i;
	int err;

	memset(out, 0, sizeof(*out));
	keep_draining(gw, &gw->plan, out);
	resolve_uplinks(gw, gw->config, &gw->plan, out, true);
	for (i = 0; i < gw->config->n_backends; i++) {
		id = gw->plan.backend_ids[i];
		backend = &out->backends[id];
		err = resolve_backend(gw, gw->config, i, id, out, true);
		if (err)
			*backend = gw->layout.backends[id];
		note_broken(gw, i, id, err);
		backend->flags &= (uint16_t)~BACKEND_UP;
		if (!err && (!gw->health || health_is_up(gw->health, i)))
			backend->flags |= BACKEND_UP;
	}
	fit_uplinks(out);
}
