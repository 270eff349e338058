// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netlink socket, the one mapping of libnl's errors, addresses, and routes_sync(), which brings
 * rules (routes_rule.c) and tables (routes_table.c) to what is wanted. Interfaces and addresses are
 * in routes_link.c. It never listens for changes: the caller runs routes_sync() again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netlink/errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "routes_internal.h"

/* Called by libnl for an NLMSG_ERROR: keeps the kernel's own errno. */
static int keep_kernel_errno(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct routes *routes = arg;

	(void)from;
	routes->kernel_errno = -error->error;
	return NL_STOP;
}

int routes_open(struct routes **out)
{
	struct routes *routes;
	int err;

	routes = calloc(1, sizeof(*routes));
	if (!routes)
		return -ENOMEM;
	routes->sock = nl_socket_alloc();
	if (!routes->sock) {
		free(routes);
		return -ENOMEM;
	}
	err = nl_connect(routes->sock, NETLINK_ROUTE);
	if (!err)
		err = nl_socket_modify_err_cb(routes->sock, NL_CB_CUSTOM, keep_kernel_errno,
					      routes);
	if (err) {
		err = routes_error(routes, err);
		routes_close(routes);
		return err;
	}
	*out = routes;
	return 0;
}

void routes_close(struct routes *routes)
{
	if (!routes)
		return;
	nl_socket_free(routes->sock);
	free(routes);
}

int routes_error(struct routes *routes, int nl_error)
{
	int kernel_errno = routes->kernel_errno;

	routes->kernel_errno = 0;
	if (nl_error >= 0)
		return 0;
	if (kernel_errno > 0)
		return -kernel_errno;

	switch (-nl_error) {
	case NLE_INTR:
	case NLE_DUMP_INTR:
		return -EINTR;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_NOADDR:
		return -EADDRNOTAVAIL;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case NLE_OPNOTSUPP:
	case NLE_MSGTYPE_NOSUPPORT:
		return -EOPNOTSUPP;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_MSGSIZE:
	case NLE_MSG_TRUNC:
		return -EMSGSIZE;
	case NLE_INVAL:
	case NLE_MISSING_ATTR:
	case NLE_AF_MISMATCH:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int routes_family_of(const struct in6_addr *addr)
{
	return IN6_IS_ADDR_V4MAPPED(addr) ? AF_INET : AF_INET6;
}

struct nl_addr *routes_make_addr(const struct in6_addr *addr)
{
	if (IN6_IS_ADDR_V4MAPPED(addr))
		return nl_addr_build(AF_INET, &addr->s6_addr[12], 4);
	return nl_addr_build(AF_INET6, addr, sizeof(*addr));
}

void routes_read_addr(const struct nl_addr *addr, struct in6_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (!addr)
		return;
	if (nl_addr_get_len(addr) == 4) {
		out->s6_addr[10] = 0xff;
		out->s6_addr[11] = 0xff;
		memcpy(&out->s6_addr[12], nl_addr_get_binary_addr(addr), 4);
	} else if (nl_addr_get_len(addr) == sizeof(*out)) {
		memcpy(out, nl_addr_get_binary_addr(addr), sizeof(*out));
	}
}

const char *routes_addr_text(const struct in6_addr *addr, char *buf, size_t size)
{
	const void *bytes = addr;

	if (IN6_IS_ADDR_V4MAPPED(addr))
		bytes = &addr->s6_addr[12];
	return inet_ntop(routes_family_of(addr), bytes, buf, (socklen_t)size) ? buf : "?";
}

static bool is_wanted_table(const struct steering *want, size_t n, uint32_t table)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (want[i].table == table)
			return true;
	}
	return false;
}

int routes_sync(struct routes *routes, const struct steering *want, size_t n,
		uint32_t priority_first, uint32_t count)
{
	struct nl_cache *rules = NULL;
	struct route_list list = {};
	struct rtnl_route *route;
	uint32_t table;
	int err, next;
	size_t i;

	err = rules_dump(routes, &rules);
	if (!err)
		err = tables_dump(routes, &list);
	if (err) {
		log_error("cannot read rules and routes: %s", strerror(-err));
		goto out;
	}

	/*
	 * A rule comes before its route and goes after it: a run that is cut short anywhere leaves
	 * no table of ours without a rule that names it.
	 */
	err = rules_add_missing(routes, rules, want, n);
	next = tables_add_missing(routes, &list, want, n);
	err = err ? err : next;

	for (i = 0; i < list.n; i++) {
		route = list.items[i];
		table = rtnl_route_get_table(route);
		if (nl_object_is_marked(OBJ_CAST(route)))
			continue;
		/* Orphans are ours, too: somebody flushed the rules. */
		if (!is_wanted_table(want, n, table) &&
		    !rules_own_table(rules, table, priority_first, count) &&
		    !rules_forgot_table(rules, rtnl_route_get_family(route), table))
			continue;
		next = tables_delete_route(routes, route);
		err = err ? err : next;
	}
	next = rules_delete_stale(routes, rules, priority_first, count);
	err = err ? err : next;
out:
	tables_free(&list);
	if (rules)
		nl_cache_free(rules);
	return err;
}
