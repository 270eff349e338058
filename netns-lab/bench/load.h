/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the load generators share: their clock, waiting until a moment, sorting of latencies.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define NS_PER_S 1000000000ull

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* epoll_wait() until that moment at most. */
static inline int events_until(uint64_t wake_ns, int epoll_fd, struct epoll_event *events, int max)
{
	uint64_t now = now_ns(), left_ns = wake_ns > now ? wake_ns - now : 0;
	struct timespec timeout = { (time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S) };

	return epoll_pwait2(epoll_fd, events, max, &timeout, NULL);
}

static inline int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static inline void sort_numbers(uint32_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_numbers);
}

#endif
