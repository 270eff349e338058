// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host routes in the backends' tables: on link, or through a gateway. The kernel is asked for the
 * routes of our protocol only, so a machine with a full BGP table costs nothing. A route of others
 * in one of our tables is neither replaced nor deleted.
 */
#include <errno.h>
#include <netlink/route/nexthop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "routes_internal.h"

#define DUMP_TRIES 5

static int keep_route(struct nl_msg *msg, void *arg)
{
	struct route_list *list = arg;
	struct rtnl_route *route, **items;

	if (rtnl_route_parse(nlmsg_hdr(msg), &route) < 0)
		return NL_OK;
	if (rtnl_route_get_protocol(route) != ROUTES_PROTOCOL ||
	    rtnl_route_get_flags(route) & RTM_F_CLONED)
		goto skip;
	if (list->n == list->capacity) {
		items = realloc(list->items, (list->capacity * 2 + 16) * sizeof(*items));
		if (!items) {
			rtnl_route_put(route);
			return -NLE_NOMEM;
		}
		list->items = items;
		list->capacity = list->capacity * 2 + 16;
	}
	list->items[list->n++] = route;
	return NL_OK;
skip:
	rtnl_route_put(route);
	return NL_OK;
}

/* One dump of a family; with strict checking the kernel heeds the protocol in the request. */
static int dump_once(struct routes *routes, int family, struct route_list *list)
{
	struct rtmsg request = {
		.rtm_family = (unsigned char)family,
		.rtm_protocol = ROUTES_PROTOCOL,
	};
	int fd = nl_socket_get_fd(routes->sock), strict = 1, err;
	struct nl_cb *own, *cb;

	own = nl_socket_get_cb(routes->sock);
	cb = nl_cb_clone(own);
	nl_cb_put(own);
	if (!cb)
		return -ENOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, keep_route, list);

	/* libnl's own dumps are too short for strict checking: switch it off again. */
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
	err = nl_send_simple(routes->sock, RTM_GETROUTE, NLM_F_DUMP, &request, sizeof(request));
	if (err >= 0)
		err = nl_recvmsgs(routes->sock, cb);
	strict = 0;
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));

	nl_cb_put(cb);
	return routes_error(routes, err);
}

static int dump_family(struct routes *routes, int family, struct route_list *list)
{
	size_t before = list->n;
	int tries, err = -EINTR;

	for (tries = 0; err == -EINTR && tries < DUMP_TRIES; tries++) {
		while (list->n > before)
			rtnl_route_put(list->items[--list->n]);
		err = dump_once(routes, family, list);
	}
	return err == -EAFNOSUPPORT || err == -EOPNOTSUPP ? 0 : err;
}

int tables_dump(struct routes *routes, struct route_list *list)
{
	int err = dump_family(routes, AF_INET, list);

	return err ? err : dump_family(routes, AF_INET6, list);
}

void tables_free(struct route_list *list)
{
	while (list->n > 0)
		rtnl_route_put(list->items[--list->n]);
	free(list->items);
	list->items = NULL;
	list->capacity = 0;
}

int routes_read_hop(struct rtnl_route *route, struct next_hop *out)
{
	struct rtnl_nexthop *hop;
	struct nl_addr *gateway;

	if (rtnl_route_get_nnexthops(route) != 1)
		return -EINVAL;
	hop = rtnl_route_nexthop_n(route, 0);
	gateway = rtnl_route_nh_get_gateway(hop);
	out->ifindex = (uint32_t)rtnl_route_nh_get_ifindex(hop);
	out->is_local = rtnl_route_get_type(route) == RTN_LOCAL;
	/* RTA_VIA: an IPv4 route through an IPv6 gateway (RFC 5549). */
	routes_read_addr(gateway ? gateway : rtnl_route_nh_get_via(hop), &out->via);
	return 0;
}

static bool is_host_route(struct rtnl_route *route, const struct steering *want)
{
	struct nl_addr *dst = rtnl_route_get_dst(route);
	struct in6_addr addr;

	if (rtnl_route_get_family(route) != want->family ||
	    rtnl_route_get_table(route) != want->table || !dst)
		return false;
	routes_read_addr(dst, &addr);
	return nl_addr_get_prefixlen(dst) == (want->family == AF_INET ? 32 : 128) &&
	       IN6_ARE_ADDR_EQUAL(&addr, &want->addr);
}

static bool has_hop(struct rtnl_route *route, const struct next_hop *want)
{
	struct next_hop hop;

	return rtnl_route_get_type(route) == RTN_UNICAST && !routes_read_hop(route, &hop) &&
	       hop.ifindex == want->ifindex && IN6_ARE_ADDR_EQUAL(&hop.via, &want->via);
}

/* Takes the next hop of `want` into `route`. */
static int set_hop(struct rtnl_route *route, const struct steering *want)
{
	struct rtnl_nexthop *hop;
	struct nl_addr *via;
	int err = 0;

	hop = rtnl_route_nh_alloc();
	if (!hop)
		return -ENOMEM;
	rtnl_route_nh_set_ifindex(hop, (int)want->hop.ifindex);
	rtnl_route_add_nexthop(route, hop); /* owns it from here on */
	if (IN6_IS_ADDR_UNSPECIFIED(&want->hop.via)) {
		rtnl_route_set_scope(route,
				     want->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
		return 0;
	}

	via = routes_make_addr(&want->hop.via);
	if (!via)
		return -ENOMEM;
	rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
	if (routes_family_of(&want->hop.via) == want->family)
		rtnl_route_nh_set_gateway(hop, via);
	else
		err = rtnl_route_nh_set_via(hop, via);
	/* The main table has vouched for the gateway: it need not be found once more. */
	rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
	nl_addr_put(via);
	return err ? -EINVAL : 0;
}

/* A route object without next hop. NULL: no memory. */
static struct rtnl_route *make_route(int family, uint32_t table, struct nl_addr *dst)
{
	struct rtnl_route *route = rtnl_route_alloc();

	if (!route)
		return NULL;
	rtnl_route_set_family(route, (uint8_t)family);
	rtnl_route_set_table(route, table);
	rtnl_route_set_type(route, RTN_UNICAST);
	rtnl_route_set_protocol(route, ROUTES_PROTOCOL);
	if (rtnl_route_set_dst(route, dst)) {
		rtnl_route_put(route);
		return NULL;
	}
	return route;
}

static int write_route(struct routes *routes, const struct steering *want, int flags)
{
	struct rtnl_route *route = NULL;
	struct nl_addr *dst;
	char text[INET6_ADDRSTRLEN];
	int err = -ENOMEM;

	dst = routes_make_addr(&want->addr);
	if (dst)
		route = make_route(want->family, want->table, dst);
	if (route)
		err = set_hop(route, want);
	if (!err)
		err = routes_error(routes, rtnl_route_add(routes->sock, route, flags));
	rtnl_route_put(route);
	nl_addr_put(dst);

	routes_addr_text(&want->addr, text, sizeof(text));
	if (err == -EEXIST)
		log_error("table %u has a route to %s that is not ours: delete it, or choose "
			  "another `table`",
			  want->table, text);
	else if (err)
		log_error("cannot add the route to %s in table %u: %s", text, want->table,
			  strerror(-err));
	return err;
}

int tables_add_missing(struct routes *routes, struct route_list *list, const struct steering *want,
		       size_t n)
{
	int err = 0, next, flags;
	size_t i, j;

	for (i = 0; i < n; i++) {
		flags = NLM_F_EXCL;
		for (j = 0; j < list->n; j++) {
			if (!is_host_route(list->items[j], &want[i]))
				continue;
			nl_object_mark(OBJ_CAST(list->items[j]));
			flags = has_hop(list->items[j], &want[i].hop) ? 0 : NLM_F_REPLACE;
			break;
		}
		next = flags ? write_route(routes, &want[i], flags) : 0;
		err = err ? err : next;
	}
	return err;
}

int tables_delete_route(struct routes *routes, struct rtnl_route *route)
{
	struct rtnl_route *key;
	struct in6_addr addr;
	char text[INET6_ADDRSTRLEN];
	int err;

	key = make_route(rtnl_route_get_family(route), rtnl_route_get_table(route),
			 rtnl_route_get_dst(route));
	if (!key)
		return -ENOMEM;
	rtnl_route_set_type(key, (uint8_t)rtnl_route_get_type(route));
	rtnl_route_set_scope(key, rtnl_route_get_scope(route));
	rtnl_route_set_priority(key, rtnl_route_get_priority(route));
	err = routes_error(routes, rtnl_route_delete(routes->sock, key, 0));
	rtnl_route_put(key);
	if (!err || err == -ESRCH || err == -ENOENT)
		return 0;

	routes_read_addr(rtnl_route_get_dst(route), &addr);
	log_error("cannot delete the route to %s in table %u: %s",
		  routes_addr_text(&addr, text, sizeof(text)), rtnl_route_get_table(route),
		  strerror(-err));
	return err;
}
