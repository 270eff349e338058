/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcx links: made in any netns, pinned, replaced in place. A pinned link whose device or netns has
 * gone is made anew.
 */
#ifndef SLUICE_ATTACH_H
#define SLUICE_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

enum attach_point { ATTACH_INGRESS, ATTACH_EGRESS };

/*
 * Makes sure that the program runs at `ifindex` of the netns `netns_fd` (-1: the current one) and
 * that the link is pinned at `pin_path`. A live pinned link on that device is updated in place
 * (no packet sees a gap). *made: a new link was made. 0 or -errno.
 */
int attach_tcx(int prog_fd, int netns_fd, uint32_t ifindex, enum attach_point point,
	       const char *pin_path, bool *made);
/* Removes the link and its pin. 0, also when there is none, or -errno. */
int attach_remove(const char *pin_path);

#endif
