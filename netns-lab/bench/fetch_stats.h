/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of the kernel and quantiles, for fetch.c only.
 */
#ifndef FETCH_STATS_H
#define FETCH_STATS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* TcpRetransSegs of this netns; 0 when it cannot be read. */
static uint64_t retrans_segs(void)
{
	char names[1024], values[1024], *n, *v, *n_next, *v_next;
	FILE *file = fopen("/proc/self/net/snmp", "re");
	uint64_t found = 0;

	if (!file)
		return 0;
	while (fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file)) {
		if (strncmp(names, "Tcp:", 4))
			continue;
		n = strtok_r(names, " \n", &n_next);
		v = strtok_r(values, " \n", &v_next);
		while (n && v) {
			if (!strcmp(n, "RetransSegs"))
				found = strtoull(v, NULL, 10);
			n = strtok_r(NULL, " \n", &n_next);
			v = strtok_r(NULL, " \n", &v_next);
		}
	}
	fclose(file);
	return found;
}

/* The value below which the share of n sorted ones lies, in ms. */
static double quantile(const uint32_t *sorted, uint64_t n, double share)
{
	uint64_t i = (uint64_t)((double)n * share);

	return n ? sorted[i < n ? i : n - 1] / 1000.0 : 0;
}

/* Sorts the values, microseconds; prints them as JSON keys. */
static void print_quantiles(const char *prefix, uint32_t *values, uint64_t n)
{
	sort_numbers(values, n);
	printf("\"%sp50_ms\": %.3f, \"%sp90_ms\": %.3f, \"%sp99_ms\": %.3f, \"%smax_ms\": %.3f, ",
	       prefix, quantile(values, n, 0.5), prefix, quantile(values, n, 0.9), prefix,
	       quantile(values, n, 0.99), prefix, quantile(values, n, 1));
}

#endif
