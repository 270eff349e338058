/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of one gateway: `sluice run` and `sluice unload`. Both return an exit code. */
#ifndef SLUICE_GATEWAY_H
#define SLUICE_GATEWAY_H

#include <stdint.h>
#include <time.h>

#include "config.h"
#include "instance.h"

/* Serves in the foreground until SIGTERM or SIGINT; the datapath goes on. */
int gateway_run(const char *config_path);
/* Takes everything away, the daemon included. */
int gateway_unload(const char *config_path);

/*
 * The instance that a file stands for, loaded or not, and its configuration (NULL: it cannot be
 * read any more). For commands that must work when the file does not. 0 or -errno.
 */
int gateway_find(const char *config_path, struct instance *out, struct config **config);

/* CLOCK_MONOTONIC. */
static inline uint64_t gateway_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
