// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reflector DEVICE RESPONSE: attaches the floor's program (reflector.bpf.c) to the device's tcx
 * ingress in the current netns, with the bytes of the file RESPONSE as its answer; prints `ready`
 * and stays until SIGTERM or SIGINT. Nothing is pinned: with the process the program goes too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reflector.skel.h"

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS of Linux 6.6; the headers of Debian 12 end before */

/* 0, or -1 after a message. */
static int read_answer(struct reflector_bpf *skel, const char *path)
{
	size_t max = sizeof(skel->rodata->canned), len;
	FILE *file = fopen(path, "rb");

	if (!file) {
		fprintf(stderr, "reflector: %s: %s\n", path, strerror(errno));
		return -1;
	}
	len = fread((void *)skel->rodata->canned, 1, max, file);
	if (!len || getc(file) != EOF) {
		fprintf(stderr, "reflector: %s: has to have 1 to %zu bytes\n", path, max);
		fclose(file);
		return -1;
	}
	skel->rodata->canned_len = len;
	fclose(file);
	return 0;
}

/* Loads and attaches; returns the link's fd, or -1 after a message. */
static int attach(struct reflector_bpf *skel, const char *device)
{
	unsigned int ifindex = if_nametoindex(device);
	int fd, err;

	if (!ifindex) {
		fprintf(stderr, "reflector: no device %s\n", device);
		return -1;
	}
	err = reflector_bpf__load(skel);
	if (err) {
		fprintf(stderr, "reflector: load: %s\n", strerror(-err));
		return -1;
	}
	fd = bpf_link_create(bpf_program__fd(skel->progs.reflector), (int)ifindex,
			     (enum bpf_attach_type)TCX_INGRESS, NULL);
	if (fd < 0)
		fprintf(stderr, "reflector: attach to %s: %s\n", device, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct reflector_bpf *skel;
	int link = -1, sig;
	sigset_t ends;

	if (argc != 3) {
		fprintf(stderr, "usage: reflector DEVICE RESPONSE\n");
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	skel = reflector_bpf__open();
	if (!skel) {
		fprintf(stderr, "reflector: open: %s\n", strerror(errno));
		return 1;
	}
	if (!read_answer(skel, argv[2]))
		link = attach(skel, argv[1]);
	if (link >= 0) {
		puts("ready");
		fflush(stdout);
		sigwait(&ends, &sig);
		close(link);
	}
	reflector_bpf__destroy(skel);
	return link < 0;
}
