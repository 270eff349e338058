/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sysctls of the current netns that the datapath needs, with their values of before. */
#ifndef SLUICE_SYSCTL_H
#define SLUICE_SYSCTL_H

#include "state.h"

/* bpf_fib_lookup() starts at lo and obeys its forwarding switch, which affects nothing else. */
#define SYSCTL_FORWARDING_IPV4 "net/ipv4/conf/lo/forwarding"
#define SYSCTL_FORWARDING_IPV6 "net/ipv6/conf/lo/forwarding"

/*
 * Sets a value unless it is set already; the old one is noted in `state` (saved by the caller).
 * *changed tells. 0, -ENOENT (no such sysctl) or -errno.
 */
int sysctl_set(struct state *state, const char *path, const char *value, bool *changed);
/* Puts every noted value back, and forgets them. */
void sysctl_restore(struct state *state);

#endif
