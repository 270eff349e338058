// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads wait in a barrier between lists, and for each other by spinning before each job: a
 * run of a program takes about as long as a thread needs to wake up.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "pair.h"

#define SPINS 2000 /* then the other's CPU is busy with something else */

static int n_jobs;
static struct job *lists[2];
static atomic_int arrived[2];
static pthread_barrier_t barrier;

void job_packet(struct job *job, enum run_program program, const struct packet *p, enum net_dev dev)
{
	job->program = program;
	job->ifindex = net_ifindex(dev);
	job->len = packet_build(p, job->frame);
}

void job_none(struct job *job)
{
	job->program = RUN_PROGRAMS;
}

void job_run(struct job *job)
{
	struct __sk_buff in = { .ifindex = job->ifindex, .cb = { job->cb[0], job->cb[1] } };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = job->frame, .data_size_in = job->len,
		    .ctx_in = &in, .ctx_size_in = sizeof(in), .data_out = job->out,
		    .data_size_out = sizeof(job->out));

	if (job->program == RUN_PROGRAMS)
		return;
	if (bpf_prog_test_run_opts(run_program_fd(job->program), &opts))
		check_die("bpf_prog_test_run: %s", strerror(errno));
	job->verdict = (int)opts.retval;
	job->out_len = opts.data_size_out;
}

static void meet(int self, int turn)
{
	int spins = 0;

	arrived[self] = turn;
	while (arrived[!self] < turn)
		if (++spins > SPINS)
			sched_yield();
}

static void *work(void *arg)
{
	int self = (int)(intptr_t)arg, turn = 0, i;

	for (;;) {
		pthread_barrier_wait(&barrier);
		for (i = 0; i < n_jobs; i++) {
			meet(self, ++turn);
			job_run(&lists[self][i]);
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

bool pair_start(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t one;
	int cpu, n = 0;

	pthread_barrier_init(&barrier, NULL, 3);
	for (cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_attr_init(&attr);
		pthread_attr_setaffinity_np(&attr, sizeof(one), &one);
		n += !pthread_create(&thread, &attr, work, (void *)(intptr_t)n);
		pthread_attr_destroy(&attr);
	}
	return n == 2;
}

void pair_run(struct job *first, struct job *second, int n)
{
	lists[0] = first;
	lists[1] = second;
	n_jobs = n;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
}
