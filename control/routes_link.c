// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interfaces, addresses and the kernel's own choice of a route, as the current netns has them; VIP
 * addresses on lo. It brings no interface up and writes no route.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>

#include "routes_internal.h"

#define DUMP_TRIES 5

static void read_link(struct rtnl_link *link, struct link_info *out)
{
	const char *type = rtnl_link_get_type(link);
	struct nl_addr *mac = rtnl_link_get_addr(link);

	memset(out, 0, sizeof(*out));
	out->ifindex = (uint32_t)rtnl_link_get_ifindex(link);
	out->mtu = rtnl_link_get_mtu(link);
	out->is_ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
	out->is_veth = type && !strcmp(type, "veth");
	out->is_up = rtnl_link_get_flags(link) & IFF_UP;
	if (mac && nl_addr_get_len(mac) == sizeof(out->mac))
		memcpy(out->mac, nl_addr_get_binary_addr(mac), sizeof(out->mac));
}

static int get_link(struct routes *routes, uint32_t ifindex, const char *name,
		    struct link_info *out)
{
	struct rtnl_link *link = NULL;
	int err;

	err = rtnl_link_get_kernel(routes->sock, (int)ifindex, name, &link);
	err = routes_error(routes, err);
	if (err)
		return err;
	read_link(link, out);
	rtnl_link_put(link);
	return 0;
}

int routes_link_by_name(struct routes *routes, const char *name, struct link_info *out)
{
	if (!*name || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	return get_link(routes, 0, name, out);
}

int routes_link_by_index(struct routes *routes, uint32_t ifindex, struct link_info *out)
{
	return ifindex ? get_link(routes, ifindex, NULL, out) : -ENODEV;
}

static bool is_usable(struct rtnl_addr *addr, uint32_t ifindex, int family)
{
	return (uint32_t)rtnl_addr_get_ifindex(addr) == ifindex &&
	       rtnl_addr_get_family(addr) == family &&
	       rtnl_addr_get_scope(addr) == RT_SCOPE_UNIVERSE && rtnl_addr_get_local(addr) &&
	       !(rtnl_addr_get_flags(addr) & IFA_F_DADFAILED) &&
	       !(family == AF_INET6 && rtnl_addr_get_flags(addr) & IFA_F_TEMPORARY);
}

int routes_first_address(struct routes *routes, uint32_t ifindex, int family, struct in6_addr *out)
{
	struct nl_cache *cache = NULL;
	struct nl_object *object;
	int tries, err = -EINTR;

	for (tries = 0; err == -EINTR && tries < DUMP_TRIES; tries++)
		err = routes_error(routes, rtnl_addr_alloc_cache(routes->sock, &cache));
	if (err)
		return err;

	err = -ENOENT;
	for (object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object)) {
		if (!is_usable((struct rtnl_addr *)object, ifindex, family))
			continue;
		routes_read_addr(rtnl_addr_get_local((struct rtnl_addr *)object), out);
		err = 0;
		break;
	}
	nl_cache_free(cache);
	return err;
}

static int take_route(struct nl_msg *msg, void *arg)
{
	struct rtnl_route **route = arg;

	return *route ? NL_OK : rtnl_route_parse(nlmsg_hdr(msg), route);
}

/* Sends RTM_GETROUTE for one address and takes the answer; *route is the caller's. */
static int ask_route(struct routes *routes, const struct in6_addr *addr, struct rtnl_route **route)
{
	int family = routes_family_of(addr), err;
	struct rtmsg request = {
		.rtm_family = (unsigned char)family,
		.rtm_dst_len = family == AF_INET ? 32 : 128,
	};
	struct nl_cb *own, *cb = NULL;
	struct nl_addr *dst = NULL;
	struct nl_msg *msg;

	own = nl_socket_get_cb(routes->sock);
	msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	dst = routes_make_addr(addr);
	cb = nl_cb_clone(own);
	err = -NLE_NOMEM;
	if (!msg || !dst || !cb)
		goto out;
	err = nlmsg_append(msg, &request, sizeof(request), NLMSG_ALIGNTO);
	if (!err)
		err = nla_put_addr(msg, RTA_DST, dst);
	if (err)
		goto out;

	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, take_route, route);
	err = nl_send_auto(routes->sock, msg);
	if (err >= 0)
		err = nl_recvmsgs(routes->sock, cb);
	if (err >= 0)
		err = nl_wait_for_ack(routes->sock);
out:
	nl_cb_put(cb);
	nl_cb_put(own);
	nl_addr_put(dst);
	nlmsg_free(msg);
	return routes_error(routes, err);
}

int routes_lookup(struct routes *routes, const struct in6_addr *addr, struct next_hop *out)
{
	struct rtnl_route *route = NULL;
	int err;

	memset(out, 0, sizeof(*out));
	err = ask_route(routes, addr, &route);
	if (!err && !route)
		err = -EIO;
	if (err)
		goto out;

	switch (rtnl_route_get_type(route)) {
	case RTN_UNICAST:
	case RTN_LOCAL:
		err = routes_read_hop(route, out);
		break;
	case RTN_BLACKHOLE:
		err = -EINVAL;
		break;
	case RTN_PROHIBIT:
		err = -EACCES;
		break;
	default:
		err = -ENETUNREACH;
	}
out:
	rtnl_route_put(route);
	return err;
}

/* The address as /32 or /128 on lo; NULL: no memory. */
static struct rtnl_addr *make_vip(struct routes *routes, const struct in6_addr *addr, int *err)
{
	struct link_info lo;
	struct rtnl_addr *vip;
	struct nl_addr *local;

	*err = routes_link_by_name(routes, "lo", &lo);
	if (*err)
		return NULL;
	*err = -ENOMEM;
	local = routes_make_addr(addr);
	vip = rtnl_addr_alloc();
	if (!local || !vip || rtnl_addr_set_local(vip, local)) {
		rtnl_addr_put(vip);
		vip = NULL;
		goto out;
	}
	rtnl_addr_set_ifindex(vip, (int)lo.ifindex);
	rtnl_addr_set_scope(vip, RT_SCOPE_UNIVERSE);
	if (routes_family_of(addr) == AF_INET6)
		rtnl_addr_set_flags(vip, IFA_F_NODAD);
	*err = 0;
out:
	nl_addr_put(local);
	return vip;
}

int routes_add_vip(struct routes *routes, const struct in6_addr *addr, bool *added)
{
	struct next_hop hop;
	struct rtnl_addr *vip;
	int err;

	*added = false;
	if (!routes_lookup(routes, addr, &hop) && hop.is_local)
		return 0;

	vip = make_vip(routes, addr, &err);
	if (!vip)
		return err;
	err = routes_error(routes, rtnl_addr_add(routes->sock, vip, NLM_F_EXCL));
	rtnl_addr_put(vip);
	*added = !err;
	return err == -EEXIST ? 0 : err;
}

int routes_del_vip(struct routes *routes, const struct in6_addr *addr)
{
	struct rtnl_addr *vip;
	int err;

	vip = make_vip(routes, addr, &err);
	if (!vip)
		return err;
	err = routes_error(routes, rtnl_addr_delete(routes->sock, vip, 0));
	rtnl_addr_put(vip);
	return err == -EADDRNOTAVAIL ? 0 : err;
}
