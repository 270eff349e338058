/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where one gateway keeps what outlives its daemon: a directory in a bpffs, a lock, a state file.
 * The instance is named in the INI file or derived from the netns and the file's path.
 */
#ifndef SLUICE_INSTANCE_H
#define SLUICE_INSTANCE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state.h"

#define INSTANCE_RUN_DIR "/run/sluice"

struct instance {
	char name[NAME_MAX];
	char config_path[PATH_MAX]; /* absolute */
	uint64_t netns_cookie;
	char dir[PATH_MAX]; /* in a bpffs; empty: no bpffs is mounted yet */
	char lock_path[PATH_MAX];
	char state_path[PATH_MAX];
};

/*
 * Finds the instance of a file in the current netns; changes nothing. `name` NULL: the one that is
 * loaded for this file if there is one (its state file tells), else the derived name. 0 or -errno.
 */
int instance_find(struct instance *out, const char *config_path, const char *name);

/*
 * Looks for another instance of this netns that `run` must not meet: the same file loaded under
 * another name, or overlapping rule priorities [first, first + count). Returns true and its name
 * and file.
 */
bool instance_conflict(const struct instance *instance, uint32_t first, uint32_t count,
		       char name[NAME_MAX], char file[PATH_MAX]);

/* Makes the run directory, mounts a bpffs when there is none, makes the directory. 0 or -errno. */
int instance_prepare(struct instance *instance);

/* Takes the lock; its fd, or -errno: -EBUSY and the pid of the daemon that has it (0: unknown). */
int instance_lock(const struct instance *instance, pid_t *holder);
/* The pid of a running daemon, 0: none. */
pid_t instance_holder(const struct instance *instance);

/* Removes lock, state and the directories that are empty now. Errors are not interesting. */
void instance_remove(const struct instance *instance);

#endif
