/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `metrics = ADDR:PORT`: GET /metrics in Prometheus' text format 0.0.4, served by libmicrohttpd
 * from the daemon's own loop, without threads. It composes with poll: wait for metrics_fd() to be
 * readable, at most metrics_timeout_ms(), then call metrics_run().
 */
#ifndef SLUICE_METRICS_H
#define SLUICE_METRICS_H

#include <jansson.h>
#include <stdio.h>

#include "config.h"

struct metrics;

/*
 * Called from metrics_run() for a scrape: *out gets a new object with the keys epoch, flows, legs,
 * counters and backends of status_read.h, and component_bytes. 0 or -errno: the scrape gets 500.
 */
typedef int metrics_reader(void *context, json_t **out);

/* Serves nothing yet. 0 or -ENOMEM. */
int metrics_open(metrics_reader *read, void *context, struct metrics **out);
/* NULL-safe. */
void metrics_close(struct metrics *metrics);

/*
 * Listens where a configuration says, in the current netns, beside what is served already;
 * metrics_commit() switches over, metrics_abort() goes back. 0, or -errno, one line
 * "FILE:LINE: what is wrong" in `err`, and nothing has changed.
 */
int metrics_prepare(struct metrics *metrics, const struct config *config, FILE *err);
void metrics_commit(struct metrics *metrics);
void metrics_abort(struct metrics *metrics);

/* -1: nothing is served. Another one after metrics_commit(). */
int metrics_fd(const struct metrics *metrics);
/* -1: only metrics_fd() counts. */
int metrics_timeout_ms(const struct metrics *metrics);
/* Does what is due, never waits. */
void metrics_run(struct metrics *metrics);

#endif
