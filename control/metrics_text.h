/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to a scrape; only metrics.c includes it. */
#ifndef SLUICE_METRICS_TEXT_H
#define SLUICE_METRICS_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* `root` as a metrics_reader makes it. *out: *len bytes, to be freed. 0 or -errno. */
int metrics_write(const json_t *root, char **out, size_t *len);

#endif
