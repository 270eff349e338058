// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads and writes /proc/sys, which shows the netns of the calling thread. Entry points:
 * sysctl_set(), sysctl_restore().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sysctl.h"

#define SYSCTL_ROOT "/proc/sys/"
#define VALUE_MAX 64

static int open_sysctl(const char *path, int flags)
{
	char full[PATH_MAX];
	int fd;

	snprintf(full, sizeof(full), SYSCTL_ROOT "%s", path);
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_value(const char *path, char value[VALUE_MAX])
{
	int fd = open_sysctl(path, O_RDONLY), err = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, value, VALUE_MAX - 1);
	if (n < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

static int write_value(const char *path, const char *value)
{
	int fd = open_sysctl(path, O_WRONLY), err = 0;

	if (fd < 0)
		return fd;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static bool is_noted(const struct state *state, const char *path)
{
	size_t i;

	for (i = 0; i < state->n_sysctls; i++) {
		if (!strcmp(state->sysctls[i].path, path))
			return true;
	}
	return false;
}

int sysctl_set(struct state *state, const char *path, const char *value, bool *changed)
{
	struct state_sysctl *note = &state->sysctls[state->n_sysctls];
	char previous[VALUE_MAX];
	int err;

	*changed = false;
	err = read_value(path, previous);
	if (err || !strcmp(previous, value))
		return err;
	err = write_value(path, value);
	if (err || is_noted(state, path))
		return err;
	if (state->n_sysctls == STATE_SYSCTLS)
		return -ENOSPC;
	note->path = strdup(path);
	note->previous = strdup(previous);
	if (!note->path || !note->previous) {
		free(note->path);
		free(note->previous);
		return -ENOMEM;
	}
	state->n_sysctls++;
	*changed = true;
	return 0;
}

void sysctl_restore(struct state *state)
{
	struct state_sysctl *note;
	int err;

	while (state->n_sysctls > 0) {
		note = &state->sysctls[--state->n_sysctls];
		err = write_value(note->path, note->previous);
		if (err)
			log_warn("cannot set %s back to %s: %s", note->path, note->previous,
				 strerror(-err));
		free(note->path);
		free(note->previous);
		memset(note, 0, sizeof(*note));
	}
}
