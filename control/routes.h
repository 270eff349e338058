/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy rules, routing tables, interfaces and addresses, all with libnl; the only room with
 * netlink. Everything it adds carries protocol ROUTES_PROTOCOL, so it is found again after a
 * restart and nothing of others is touched.
 */
#ifndef SLUICE_ROUTES_H
#define SLUICE_ROUTES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTES_PROTOCOL 0x5c

struct routes;

/* Opens a netlink socket in the current netns. 0 or -errno. */
int routes_open(struct routes **out);
void routes_close(struct routes *routes);

struct link_info {
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool is_ethernet;
	bool is_veth;
	bool is_up;
};

/* -ENODEV when there is no such interface. */
int routes_link_by_name(struct routes *routes, const char *name, struct link_info *out);
int routes_link_by_index(struct routes *routes, uint32_t ifindex, struct link_info *out);

/* First global address of a family on an interface; -ENOENT when there is none. */
int routes_first_address(struct routes *routes, uint32_t ifindex, int family, struct in6_addr *out);

/* How the kernel reaches `addr` (main table): interface and gateway (zero: on link). */
struct next_hop {
	uint32_t ifindex;
	struct in6_addr via; /* IPv4 mapped; all zero: on link */
	bool is_local;	     /* an address of this netns */
};
int routes_lookup(struct routes *routes, const struct in6_addr *addr, struct next_hop *out);

/* What one backend needs in one family: a rule "fwmark mark/mask lookup table" and, in that table,
 * a host route to its address. */
struct steering {
	int family; /* AF_INET, AF_INET6 */
	uint32_t mark, mask, table, priority;
	struct in6_addr addr; /* IPv4 mapped */
	struct next_hop hop;
};

/*
 * Makes rules and tables of our protocol exactly those in `want`: keeps what is right, adds what is
 * missing, deletes what is ours inside [priority_first, priority_first + count) and not wanted.
 * Called with n = 0 it removes everything of ours in that range. 0 or -errno (logged).
 */
int routes_sync(struct routes *routes, const struct steering *want, size_t n,
		uint32_t priority_first, uint32_t count);

/*
 * Adds `addr` (/32 or /128) to lo unless the netns has it already; *added says which. 0 or -errno.
 */
int routes_add_vip(struct routes *routes, const struct in6_addr *addr, bool *added);
int routes_del_vip(struct routes *routes, const struct in6_addr *addr);

#endif
