// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network namespaces: open by name or process, enter, leave, tell apart. Switches the calling
 * thread only, which for the single-threaded daemon is the process. It makes no namespace and
 * keeps none: whoever opens one closes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "netns.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define OWN_NETNS "/proc/thread-self/ns/net"
#define NETNS_DIR "/run/netns"
#define PID_PREFIX "pid:"

static int spec_to_path(const char *spec, char *path, size_t size)
{
	const char *pid;
	int len;

	if (!spec) {
		len = snprintf(path, size, "%s", OWN_NETNS);
	} else if (!strncmp(spec, PID_PREFIX, strlen(PID_PREFIX))) {
		pid = spec + strlen(PID_PREFIX);
		if (!*pid || strspn(pid, "0123456789") != strlen(pid))
			return -EINVAL;
		len = snprintf(path, size, "/proc/%s/ns/net", pid);
	} else {
		if (!*spec || strchr(spec, '/') || !strcmp(spec, ".") || !strcmp(spec, ".."))
			return -EINVAL;
		len = snprintf(path, size, "%s/%s", NETNS_DIR, spec);
	}
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int netns_open(const char *spec)
{
	char path[320];
	int fd, err;

	err = spec_to_path(spec, path, sizeof(path));
	if (err)
		return err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	/* What is left under /run/netns when its mount has gone is an ordinary empty file. */
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int netns_enter(int fd, int *previous)
{
	int own, err;

	own = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return -errno;

	if (setns(fd, CLONE_NEWNET)) {
		err = -errno;
		close(own);
		return err;
	}
	*previous = own;
	return 0;
}

void netns_leave(int previous)
{
	/* In a foreign netns all that follows would go to the wrong place. */
	if (setns(previous, CLONE_NEWNET)) {
		log_error("cannot return to the own network namespace: %s", strerror(errno));
		abort();
	}
	close(previous);
}

int netns_cookie(uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);
	int fd, err = 0;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len))
		err = -errno;
	close(fd);
	return err;
}
