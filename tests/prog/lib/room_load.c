// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads the object with small tables of its own; nothing is pinned. The only file that sees the
 * skeleton.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "room.h"
#include "room_internal.h"
#include "net.h"
#include "prog_run.h"
#include "sluice.skel.h"

static struct sluice_bpf *skel;

int room_map(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(skel->obj, name);

	if (fd < 0)
		check_die("no map %s", name);
	return fd;
}

int room_program(const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(skel->obj, name);

	if (!program)
		check_die("no program %s", name);
	return bpf_program__fd(program);
}

const struct btf *room_btf(void)
{
	return bpf_object__btf(skel->obj);
}

static int print_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

void room_setup(void)
{
	libbpf_set_print(print_warnings);
	net_setup();
	skel = sluice_bpf__open();
	if (!skel || bpf_map__set_max_entries(skel->maps.flow_buckets, ROOM_FLOW_BUCKETS) ||
	    bpf_map__set_max_entries(skel->maps.flows, ROOM_FLOW_BUCKETS * FLOW_WAYS) ||
	    bpf_map__set_max_entries(skel->maps.leg_buckets, ROOM_LEG_BUCKETS) ||
	    bpf_map__set_max_entries(skel->maps.legs, ROOM_LEG_BUCKETS * LEG_WAYS) ||
	    bpf_map__set_max_entries(skel->maps.stashes, ROOM_STASHES) ||
	    bpf_map__set_max_entries(skel->maps.senders, ROOM_SENDERS) ||
	    bpf_map__set_max_entries(skel->maps.relays, ROOM_RELAYS) ||
	    bpf_map__set_max_entries(skel->maps.sources, ROOM_RELAYS) || sluice_bpf__load(skel))
		check_die("cannot load the programs: %s", strerror(errno));
	room_make_region();
	run_setup();
}
