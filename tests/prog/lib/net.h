/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespace that the tests run in: an uplink and the gateway's ends of five backends'
 * veth pairs. Everything that leaves through one of them (clones) is captured at the other end.
 * What the netns gets: addresses, a rule, a table and a neighbour for each backend.
 */
#ifndef PROG_NET_H
#define PROG_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_dev {
	NET_UPLINK,
	NET_NODE1,
	NET_NODE2,
	NET_NODE3,
	NET_NODE4,
	NET_NODE5,
	NET_DEVS,
	NET_UPLINK_INGRESS = NET_DEVS, /* captured only: put into the stack as if it had come in */
};

#define NET_MARK_BASE 0x5c000000u
#define NET_NODE_PORT 3000

void net_setup(void);

uint32_t net_ifindex(enum net_dev dev);
uint32_t net_peer_ifindex(enum net_dev dev);
const uint8_t *net_mac(enum net_dev dev);      /* of the gateway's end */
const uint8_t *net_peer_mac(enum net_dev dev); /* of the other: the client's, a backend's */

/* Address of backend 1 to 5 as text, in a static buffer. */
const char *net_node_addr(int node, bool v6);

bool net_is_tcp(const uint8_t *frame, size_t len);
bool net_is_icmp(const uint8_t *frame, size_t len);

/*
 * One frame that was sent since the last call, in order. Returns its length and the device, or 0:
 * there are no more. The first call after a 0 begins anew.
 */
size_t net_captured(uint8_t *frame, size_t size, int *dev);

/* Forgets what has been captured. */
void net_flush(void);

#endif
