// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcx links in any netns. attach_tcx() keeps a pinned link when the kernel lists it at the wanted
 * device, and replaces its program in place; a link whose device or netns has gone, or which sits
 * elsewhere, is dropped and made anew. It loads no program and makes no directory.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach.h"
#include "netns.h"

/* enum bpf_attach_type of Linux 6.6 and later; the headers of Debian 12 end before. */
enum tcx_attach_type {
	TCX_ATTACH_INGRESS = 46,
	TCX_ATTACH_EGRESS = 47,
};

#define TCX_PROGS_MAX 64 /* BPF_MPROG_MAX: programs of one attach point */

/* The `query` part of union bpf_attr as of Linux 6.6, which has link_ids. */
struct tcx_query {
	uint32_t ifindex;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint32_t pad;
	uint64_t prog_attach_flags;
	uint64_t link_ids;
	uint64_t link_attach_flags;
	uint64_t revision;
};

static enum tcx_attach_type tcx_type(enum attach_point point)
{
	return point == ATTACH_INGRESS ? TCX_ATTACH_INGRESS : TCX_ATTACH_EGRESS;
}

/*
 * True when the link is attached at `point` of `ifindex` in the current netns. The kernel's list of
 * the device is asked, not the link: an ifindex alone does not tell one netns from another.
 */
static bool is_attached(int link_fd, uint32_t ifindex, enum attach_point point)
{
	uint32_t prog_ids[TCX_PROGS_MAX] = {}, link_ids[TCX_PROGS_MAX] = {};
	struct tcx_query query = {
		.ifindex = ifindex,
		.attach_type = tcx_type(point),
		.prog_ids = (uintptr_t)prog_ids,
		.link_ids = (uintptr_t)link_ids,
		.count = TCX_PROGS_MAX,
	};
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info), i;

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len))
		return false;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) < 0)
		return false;
	for (i = 0; i < query.count && i < TCX_PROGS_MAX; i++) {
		if (link_ids[i] == info.id)
			return true;
	}
	return false;
}

/* Makes a link in the current netns and pins it. 0 or -errno, then nothing is left. */
static int make_link(int prog_fd, uint32_t ifindex, enum attach_point point, const char *pin_path)
{
	int fd, err = 0;

	fd = bpf_link_create(prog_fd, (int)ifindex, (enum bpf_attach_type)tcx_type(point), NULL);
	if (fd < 0)
		return -errno;
	if (bpf_obj_pin(fd, pin_path))
		err = -errno;
	close(fd);
	return err;
}

/* attach_tcx() in the current netns. */
static int attach_here(int prog_fd, uint32_t ifindex, enum attach_point point, const char *pin_path,
		       bool *made)
{
	int fd, err;

	fd = bpf_obj_get(pin_path);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd >= 0) {
		err = is_attached(fd, ifindex, point) ? bpf_link_update(fd, prog_fd, NULL) : -1;
		close(fd);
		if (!err)
			return 0;
		err = attach_remove(pin_path);
		if (err)
			return err;
	}

	err = make_link(prog_fd, ifindex, point, pin_path);
	*made = !err;
	return err;
}

int attach_tcx(int prog_fd, int netns_fd, uint32_t ifindex, enum attach_point point,
	       const char *pin_path, bool *made)
{
	int previous, err;

	*made = false;
	if (netns_fd < 0)
		return attach_here(prog_fd, ifindex, point, pin_path, made);

	err = netns_enter(netns_fd, &previous);
	if (err)
		return err;
	err = attach_here(prog_fd, ifindex, point, pin_path, made);
	netns_leave(previous);
	return err;
}

int attach_remove(const char *pin_path)
{
	int fd;

	fd = bpf_obj_get(pin_path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;

	/* Somebody may hold another fd of the link, so end it first. It fails for a dead link. */
	bpf_link_detach(fd);
	close(fd);
	if (unlink(pin_path) && errno != ENOENT)
		return -errno;
	return 0;
}
