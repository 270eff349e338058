/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entering another network namespace and coming back. Single-threaded callers only. */
#ifndef SLUICE_NETNS_H
#define SLUICE_NETNS_H

#include <stdint.h>

/* Opens a netns by name (/run/netns/NAME), by "pid:N", or the own one (NULL). fd or -errno. */
int netns_open(const char *spec);
/* Switches this thread to `fd`; *previous gets an fd of the netns left. 0 or -errno. */
int netns_enter(int fd, int *previous);
/* Goes back and closes `previous`. */
void netns_leave(int previous);
/* The kernel's cookie of the current netns (SO_NETNS_COOKIE): unique since boot. 0 or -errno. */
int netns_cookie(uint64_t *cookie);

#endif
