// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_config(): whether the machine has what the configuration names: uplinks, network
 * namespaces, interfaces, addresses, routes, and the TCP settings that handing a connection over
 * to a backend depends on. It reads only; the kernel's features are probe_machine.c's part.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "netns.h"
#include "probe.h"
#include "routes.h"

/* One check: where problems go, and which line of the file is to blame. */
struct probe {
	const struct config *config;
	FILE *err;
	int problems;
};

/*
 * bpf_sk_assign_tcp_reqsk() fails without SYN cookies, and for a connection with an option that the
 * backend's netns has switched off (net/core/filter.c). Clients negotiate with the gateway, which
 * cannot know yet which backend will serve them.
 */
static const char *const tcp_settings[] = {
	"tcp_syncookies",
	"tcp_window_scaling",
	"tcp_sack",
	"tcp_timestamps",
};

__attribute__((format(printf, 3, 4))) static void report(struct probe *probe, int line,
							 const char *format, ...)
{
	va_list args;

	if (line > 0)
		fprintf(probe->err, "%s:%d: ", probe->config->path, line);
	else
		fprintf(probe->err, "sluice: ");
	va_start(args, format);
	vfprintf(probe->err, format, args);
	va_end(args);
	fputc('\n', probe->err);
	probe->problems++;
}

static const char *addr_text(const struct in6_addr *addr, char *text, size_t size)
{
	if (IN6_IS_ADDR_V4MAPPED(addr))
		return inet_ntop(AF_INET, &addr->s6_addr[12], text, (socklen_t)size);
	return inet_ntop(AF_INET6, addr, text, (socklen_t)size);
}

static bool is_unspecified(const struct in6_addr *addr)
{
	static const struct in6_addr any4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	return IN6_IS_ADDR_UNSPECIFIED(addr) || IN6_ARE_ADDR_EQUAL(addr, &any4);
}

/* `what` names the interface's role, `where` its netns: "backend x: interface", "in netns y". */
static void check_link(struct probe *probe, struct routes *routes, int line, const char *what,
		       const char *name, const char *where)
{
	struct link_info link;
	int err;

	err = routes_link_by_name(routes, name, &link);
	if (err == -ENODEV) {
		report(probe, line, "%s `%s` does not exist %s: see `ip link` there", what, name,
		       where);
		return;
	}
	if (err) {
		report(probe, line, "%s `%s` cannot be read: %s", what, name, strerror(-err));
		return;
	}
	if (!link.is_ethernet)
		report(probe, line,
		       "%s `%s` is not an Ethernet interface: the datapath needs "
		       "Ethernet headers",
		       what, name);
	if (!link.is_up)
		report(probe, line, "%s `%s` is down %s: ip link set %s up", what, name, where,
		       name);
}

static void check_gateway(struct probe *probe, struct routes *routes)
{
	const struct config_gateway *gateway = &probe->config->gateway;
	struct link_info lo;
	size_t i;

	for (i = 0; i < gateway->n_uplinks; i++)
		check_link(probe, routes, gateway->line, "uplink", gateway->uplinks[i],
			   "in the gateway's network namespace");

	/* VIPs that no interface has are put on lo, and requests are routed from there. */
	if (!routes_link_by_name(routes, "lo", &lo) && !lo.is_up)
		report(probe, 0,
		       "lo is down in the gateway's network namespace: "
		       "ip link set lo up");
}

/* 1, 0, or -errno. /proc/sys/net shows the netns of the task that reads it. */
static int read_tcp_setting(const char *name)
{
	char path[80];
	int value, err = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (fscanf(file, "%d", &value) != 1)
		err = -EIO;
	fclose(file);
	return err ? err : value != 0;
}

static void check_tcp_settings(struct probe *probe, const struct config_backend *backend,
			       const char *where)
{
	size_t i;
	int value;

	for (i = 0; i < sizeof(tcp_settings) / sizeof(tcp_settings[0]); i++) {
		value = read_tcp_setting(tcp_settings[i]);
		if (value < 0)
			report(probe, backend->line,
			       "backend %s: net.ipv4.%s cannot be read %s: "
			       "%s",
			       backend->name, tcp_settings[i], where, strerror(-value));
		else if (!value)
			report(probe, backend->line,
			       "backend %s: net.ipv4.%s is 0 %s, so "
			       "connections cannot be handed over: sysctl -w net.ipv4.%s=1",
			       backend->name, tcp_settings[i], where, tcp_settings[i]);
	}
}

/* The address must belong to the netns that `routes` looks at. */
static void check_local(struct probe *probe, struct routes *routes,
			const struct config_backend *backend, const struct in6_addr *addr,
			const char *where)
{
	char text[INET6_ADDRSTRLEN];
	struct next_hop hop;
	int err;

	addr_text(addr, text, sizeof(text));
	err = routes_lookup(routes, addr, &hop);
	if (err || !hop.is_local)
		report(probe, backend->line,
		       "backend %s: %s is not an address of an interface %s: "
		       "add it there, or correct `address`",
		       backend->name, text, where);
}

/* The gateway must have a route to the address that leads out of its own netns. */
static void check_reach(struct probe *probe, struct routes *routes,
			const struct config_backend *backend, const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];
	struct next_hop hop;
	int err;

	addr_text(addr, text, sizeof(text));
	err = routes_lookup(routes, addr, &hop);
	if (err)
		report(probe, backend->line,
		       "backend %s: no route from the gateway's network "
		       "namespace to %s (%s): see `ip route get %s`",
		       backend->name, text, strerror(-err), text);
	else if (hop.is_local)
		report(probe, backend->line,
		       "backend %s: %s is an address of the gateway's own "
		       "network namespace: remove `netns`, or correct `address`",
		       backend->name, text);
}

static size_t list_addresses(const struct config_backend *backend,
			     const struct in6_addr *addresses[2])
{
	size_t n = 0;

	addresses[n++] = &backend->address.addr;
	if (backend->address6.port)
		addresses[n++] = &backend->address6.addr;
	return n;
}

/* In the backend's own netns, which is the current one. */
static void check_inside(struct probe *probe, const struct config_backend *backend,
			 const char *where)
{
	const struct in6_addr *addresses[2];
	size_t i, n = list_addresses(backend, addresses);
	char what[300];
	struct routes *routes;
	int err;

	err = routes_open(&routes);
	if (err) {
		report(probe, 0, "cannot open a netlink socket %s: %s", where, strerror(-err));
		return;
	}
	if (backend->interface) {
		snprintf(what, sizeof(what), "backend %s: interface", backend->name);
		check_link(probe, routes, backend->line, what, backend->interface, where);
	}
	for (i = 0; i < n; i++) {
		if (is_unspecified(addresses[i]) && backend->netns)
			report(probe, backend->line,
			       "backend %s: `address` must name one address "
			       "%s",
			       backend->name, where);
		else if (!is_unspecified(addresses[i]))
			check_local(probe, routes, backend, addresses[i], where);
	}
	check_tcp_settings(probe, backend, where);
	routes_close(routes);
}

static void report_netns(struct probe *probe, const struct config_backend *backend, int err)
{
	switch (err) {
	case -ENOENT:
		report(probe, backend->line,
		       "backend %s: network namespace `%s` does not exist: "
		       "start what makes it, or correct `netns` (a name under /run/netns, or "
		       "pid:N)",
		       backend->name, backend->netns);
		break;
	case -EINVAL:
		report(probe, backend->line,
		       "backend %s: `%s` is not a network namespace: `netns` "
		       "is a name under /run/netns, or pid:N",
		       backend->name, backend->netns);
		break;
	default:
		report(probe, backend->line, "backend %s: cannot enter network namespace `%s`: %s",
		       backend->name, backend->netns, strerror(-err));
	}
}

static void check_remote(struct probe *probe, struct routes *routes,
			 const struct config_backend *backend)
{
	const struct in6_addr *addresses[2];
	size_t i, n = list_addresses(backend, addresses);
	char where[300];
	int fd, previous, err;

	fd = netns_open(backend->netns);
	if (fd < 0) {
		report_netns(probe, backend, fd);
		return;
	}
	err = netns_enter(fd, &previous);
	if (err) {
		report_netns(probe, backend, err);
		goto out;
	}
	snprintf(where, sizeof(where), "in network namespace `%s`", backend->netns);
	check_inside(probe, backend, where);
	netns_leave(previous);

	for (i = 0; i < n; i++) {
		if (!is_unspecified(addresses[i]))
			check_reach(probe, routes, backend, addresses[i]);
	}
out:
	close(fd);
}

int probe_config(const struct config *config, FILE *err)
{
	struct probe probe = { .config = config, .err = err };
	struct routes *routes;
	int error;
	size_t i;

	error = routes_open(&routes);
	if (error) {
		report(&probe, 0, "cannot open a netlink socket: %s", strerror(-error));
		return probe.problems;
	}
	check_gateway(&probe, routes);
	for (i = 0; i < config->n_backends; i++) {
		if (config->backends[i].netns)
			check_remote(&probe, routes, &config->backends[i]);
		else
			check_inside(&probe, &config->backends[i],
				     "in the gateway's network namespace");
	}
	routes_close(routes);
	return probe.problems;
}
