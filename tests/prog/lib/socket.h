/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets of the test's own network namespace.
 */
#ifndef PROG_SOCKET_H
#define PROG_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

struct tcp_info;

/* A listener on any address. Returns its descriptor. */
int socket_listen(bool v6, uint16_t port, int backlog);

/* A connected socket without a peer (TCP_REPAIR) that expects `rcv_nxt`; `local` is an address of
 * the netns. */
void socket_connected(bool v6, const struct ip_addr *local, uint16_t local_port,
		      const struct ip_addr *peer, uint16_t peer_port, uint32_t rcv_nxt);

/* The listener gets a connection with this request in it. `info`: or NULL. Returns its fd. */
int socket_take_child(int listener, const char *text, struct tcp_info *info);
/* The same; the connection is closed again. */
void socket_expect_child(int listener, const char *text, struct tcp_info *info);

/* Closes all of them; done between tests, too. */
void socket_close_all(void);

#endif
