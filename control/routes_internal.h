/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by routes*.c only: the socket, its errors, addresses, the two halves of routes_sync(). */
#ifndef SLUICE_ROUTES_INTERNAL_H
#define SLUICE_ROUTES_INTERNAL_H

#include <netlink/netlink.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>

#include "routes.h"

struct routes {
	struct nl_sock *sock;
	int kernel_errno; /* of the last refused request; libnl's own codes lose most of them */
};

/* -errno for what a libnl function returned (< 0: -NLE_*, else 0). The only place that maps. */
int routes_error(struct routes *routes, int nl_error);

int routes_family_of(const struct in6_addr *addr);

/* A host address for libnl; NULL: no memory. Released with nl_addr_put(). */
struct nl_addr *routes_make_addr(const struct in6_addr *addr);
/* The other way round, IPv4 as mapped; all zero for NULL. */
void routes_read_addr(const struct nl_addr *addr, struct in6_addr *out);
const char *routes_addr_text(const struct in6_addr *addr, char *buf, size_t size);

/* Next hop of a route with one next hop; -EINVAL when it has none or several. */
int routes_read_hop(struct rtnl_route *route, struct next_hop *out);

/*
 * Rules are a cache of libnl, all families together: its dump knows no other way. Marked objects
 * (nl_object_mark) are wanted ones. Released with nl_cache_free().
 */
int rules_dump(struct routes *routes, struct nl_cache **rules);
int rules_add_missing(struct routes *routes, struct nl_cache *rules, const struct steering *want,
		      size_t n);
int rules_delete_stale(struct routes *routes, struct nl_cache *rules, uint32_t priority_first,
		       uint32_t count);
/* A rule of ours inside the range, of either family, leads to the table. */
bool rules_own_table(struct nl_cache *rules, uint32_t table, uint32_t priority_first,
		     uint32_t count);
/* No rule of that family leads to the table, whoever made it. */
bool rules_forgot_table(struct nl_cache *rules, int family, uint32_t table);

/* Routes of our protocol, both families, all tables. Marked as above. */
struct route_list {
	struct rtnl_route **items;
	size_t n, capacity;
};
int tables_dump(struct routes *routes, struct route_list *list);
void tables_free(struct route_list *list);
int tables_add_missing(struct routes *routes, struct route_list *list, const struct steering *want,
		       size_t n);
int tables_delete_route(struct routes *routes, struct rtnl_route *route);

#endif
