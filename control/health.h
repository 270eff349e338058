/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active health checks: `health = GET PATH ...` of each backend, over HTTP/1.1 with a new
 * connection each time, from inside the backend's own netns. 2xx and 3xx are good. A backend is up
 * until `fall` checks in a row have failed, and down until `rise` have succeeded; one without
 * `health` is always up.
 *
 * It composes with any loop: wait for health_fd() to be readable, at most health_timeout_ms(), then
 * call health_run().
 */
#ifndef SLUICE_HEALTH_H
#define SLUICE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct health;

/*
 * Called from health_run() when a backend goes up or down: its index in the config, and the result
 * of the last check ("HTTP 503", "Connection refused"), valid during the call. It must not call
 * health_set() or health_close().
 */
typedef void health_callback(void *context, size_t backend, bool up, const char *reason);

/*
 * Starts checking; the first checks run within a second. The config must live until health_set()
 * has taken another, or health_close(). 0 or -errno.
 */
int health_open(const struct config *config, health_callback *callback, void *context,
		struct health **out);
/* Ends all checks. NULL-safe. */
void health_close(struct health *health);

/*
 * Takes a new config (the old one must still be there). A backend of the same name, address and
 * netns keeps its state and the check that is under way; new ones begin as up. No callback is
 * called: ask health_is_up(). 0, or -errno and nothing has changed.
 */
int health_set(struct health *health, const struct config *config);

bool health_is_up(const struct health *health, size_t backend);

/* Readable (POLLIN) when health_run() has something to do; the same fd until health_close(). */
int health_fd(const struct health *health);
/* Milliseconds until health_run() must be called at the latest; -1: only health_fd() counts. */
int health_timeout_ms(const struct health *health);
/* Does what is due, never blocks. */
void health_run(struct health *health);

#endif
