/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads, each on a CPU of its own, that run programs at the same moment. Only verdict and
 * packet are kept; what was cloned is for net_captured().
 */
#ifndef PROG_PAIR_H
#define PROG_PAIR_H

#include "prog_run.h"

#define PAIR_OUT_MAX 16384

/* One packet for one thread. */
struct job {
	enum run_program program; /* RUN_PROGRAMS: none */
	uint32_t ifindex, cb[2];
	size_t len;
	uint8_t frame[2048];
	int verdict;
	size_t out_len;
	uint8_t out[PAIR_OUT_MAX];
};

void job_packet(struct job *job, enum run_program program, const struct packet *p,
		enum net_dev dev);
void job_none(struct job *job);

/* In the calling thread. */
void job_run(struct job *job);

/* False: there is only one CPU. Once. */
bool pair_start(void);

/* Job n of one list together with job n of the other, for all of them. */
void pair_run(struct job *first, struct job *second, int n);

#endif
