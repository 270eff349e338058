// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * drop DEVICE: the cheapest defence there is, a TC program of one line before all others at the
 * device's tcx ingress in the current netns: every packet is dropped. Prints `ready` and stays
 * until SIGTERM or SIGINT. Nothing is pinned: with the process the program goes too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS of Linux 6.6; the headers of Debian 12 end before */
#define TCX_DROP 2
#define BEFORE_ALL (1u << 3) /* BPF_F_BEFORE, of the same Linux; without a program: all of them */

/* return TCX_DROP; */
static const struct bpf_insn program[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TCX_DROP },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* Returns the link's fd, or -1 after a message. */
static int attach(const char *device)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BEFORE_ALL);
	unsigned int ifindex = if_nametoindex(device);
	int fd, prog;

	if (!ifindex) {
		fprintf(stderr, "drop: no device %s\n", device);
		return -1;
	}
	prog = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "drop", "GPL", program,
			     sizeof(program) / sizeof(*program), NULL);
	if (prog < 0) {
		fprintf(stderr, "drop: load: %s\n", strerror(errno));
		return -1;
	}
	fd = bpf_link_create(prog, (int)ifindex, (enum bpf_attach_type)TCX_INGRESS, &options);
	if (fd < 0)
		fprintf(stderr, "drop: attach to %s: %s\n", device, strerror(errno));
	close(prog);
	return fd;
}

int main(int argc, char **argv)
{
	sigset_t ends;
	int sig;

	if (argc != 2) {
		fprintf(stderr, "usage: drop DEVICE\n");
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	if (attach(argv[1]) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	sigwait(&ends, &sig);
	return 0;
}
