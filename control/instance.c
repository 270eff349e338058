// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names and places of one gateway. Entry points: instance_find() for every command,
 * instance_prepare() and instance_lock() for `run`, instance_remove() for `unload`. What is inside
 * the bpffs directory is the loader's business.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "hash.h"
#include "instance.h"
#include "log.h"
#include "netns.h"

#define SYSTEM_BPFFS "/sys/fs/bpf"
#define OWN_BPFFS INSTANCE_RUN_DIR "/bpf"
#define BPFFS_SUBDIR "sluice"
#define STATE_SUFFIX ".json"

static const char *const bpffs_roots[] = { SYSTEM_BPFFS, OWN_BPFFS };
#define N_ROOTS (sizeof(bpffs_roots) / sizeof(bpffs_roots[0]))

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* The absolute path, also of a file that does not exist any more. */
static int absolute_path(const char *path, char out[PATH_MAX])
{
	char copy[PATH_MAX], dir[PATH_MAX], base[PATH_MAX];

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (realpath(path, out))
		return 0;
	strcpy(copy, path);
	strcpy(base, basename(copy));
	strcpy(copy, path);
	if (!realpath(dirname(copy), dir))
		return -errno;
	return snprintf(out, PATH_MAX, "%s/%s", dir, base) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The bpffs directory: where it already is, else in the first bpffs, else nowhere yet. */
static int find_dir(struct instance *instance)
{
	char path[PATH_MAX];
	size_t i;

	instance->dir[0] = '\0';
	for (i = 0; i < N_ROOTS; i++) {
		if (!is_bpffs(bpffs_roots[i]))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s/%s", bpffs_roots[i], BPFFS_SUBDIR,
			     instance->name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		if (!instance->dir[0] || !access(path, F_OK))
			strcpy(instance->dir, path);
		if (!access(path, F_OK))
			return 0;
	}
	return 0;
}

/* Calls `visit` with each state file of this machine until it returns true. */
typedef bool (*state_visit)(const char *name, const struct state *state, void *arg);
static bool each_state(state_visit visit, void *arg)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	struct state *state;
	struct dirent *entry;
	bool is_found = false;
	size_t len;
	DIR *dir;

	dir = opendir(INSTANCE_RUN_DIR);
	if (!dir)
		return false;
	while (!is_found && (entry = readdir(dir))) {
		len = strlen(entry->d_name);
		if (len <= strlen(STATE_SUFFIX) ||
		    strcmp(entry->d_name + len - strlen(STATE_SUFFIX), STATE_SUFFIX))
			continue;
		snprintf(path, sizeof(path), "%s/%s", INSTANCE_RUN_DIR, entry->d_name);
		if (state_load(path, &state))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(STATE_SUFFIX)),
			 entry->d_name);
		is_found = visit(name, state, arg);
		state_free(state);
	}
	closedir(dir);
	return is_found;
}

static bool is_same_file(const char *name, const struct state *state, void *arg)
{
	struct instance *instance = arg;

	if (state->netns_cookie != instance->netns_cookie || !state->config_path ||
	    strcmp(state->config_path, instance->config_path))
		return false;
	snprintf(instance->name, sizeof(instance->name), "%s", name);
	return true;
}

struct conflict {
	const struct instance *instance;
	uint32_t first, count;
	char *name, *file;
};

static bool is_conflict(const char *name, const struct state *state, void *arg)
{
	struct conflict *conflict = arg;
	const struct instance *instance = conflict->instance;
	bool is_overlap;

	if (state->netns_cookie != instance->netns_cookie || !strcmp(name, instance->name))
		return false;
	is_overlap = state->priority < (uint64_t)conflict->first + conflict->count &&
		     conflict->first < (uint64_t)state->priority + MAX_BACKENDS;
	if (!is_overlap &&
	    (!state->config_path || strcmp(state->config_path, instance->config_path)))
		return false;
	snprintf(conflict->name, NAME_MAX, "%s", name);
	snprintf(conflict->file, PATH_MAX, "%s", state->config_path ? state->config_path : "?");
	return true;
}

bool instance_conflict(const struct instance *instance, uint32_t first, uint32_t count,
		       char name[NAME_MAX], char file[PATH_MAX])
{
	struct conflict conflict = { instance, first, count, name, file };

	return each_state(is_conflict, &conflict);
}

int instance_find(struct instance *out, const char *config_path, const char *name)
{
	int err;

	memset(out, 0, sizeof(*out));
	err = absolute_path(config_path, out->config_path);
	if (!err)
		err = netns_cookie(&out->netns_cookie);
	if (err)
		return err;
	if (name) {
		/* bpffs takes no dots in names; config.c has checked the rest. */
		if (!*name || strpbrk(name, "./") || strlen(name) >= sizeof(out->name))
			return -EINVAL;
		strcpy(out->name, name);
	} else if (!each_state(is_same_file, out)) {
		snprintf(out->name, sizeof(out->name), "n%" PRIu64 "-%08x", out->netns_cookie,
			 hash_fnv(HASH_FNV_SEED, out->config_path, strlen(out->config_path)));
	}
	snprintf(out->lock_path, sizeof(out->lock_path), "%s/%s.lock", INSTANCE_RUN_DIR, out->name);
	snprintf(out->state_path, sizeof(out->state_path), "%s/%s%s", INSTANCE_RUN_DIR, out->name,
		 STATE_SUFFIX);
	return find_dir(out);
}

static int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) && errno != EEXIST) {
		log_error("cannot make %s: %s", path, strerror(errno));
		return -errno;
	}
	return 0;
}

static int mount_bpffs(void)
{
	int err;

	err = make_dir(OWN_BPFFS, 0700);
	if (err)
		return err;
	if (mount("bpf", OWN_BPFFS, "bpf", 0, "mode=0700")) {
		err = -errno;
		log_error("%s is no bpffs, and none can be mounted at %s: %s", SYSTEM_BPFFS,
			  OWN_BPFFS, strerror(errno));
		return err;
	}
	/* Later mount namespaces that share this one's mounts shall see the pins too. */
	mount(NULL, OWN_BPFFS, NULL, MS_SHARED, NULL);
	log_info("mounted a bpffs at %s", OWN_BPFFS);
	return 0;
}

int instance_prepare(struct instance *instance)
{
	char parent[PATH_MAX];
	int err;

	err = make_dir(INSTANCE_RUN_DIR, 0755);
	if (!err && !instance->dir[0])
		err = mount_bpffs();
	if (!err)
		err = find_dir(instance);
	if (err)
		return err;
	strcpy(parent, instance->dir);
	err = make_dir(dirname(parent), 0700);
	return err ? err : make_dir(instance->dir, 0700);
}

int instance_lock(const struct instance *instance, pid_t *holder)
{
	char text[32] = "";
	int fd, err;

	*holder = 0;
	err = make_dir(INSTANCE_RUN_DIR, 0755);
	if (err)
		return err;
	fd = open(instance->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (pread(fd, text, sizeof(text) - 1, 0) > 0)
			*holder = (pid_t)atol(text);
		close(fd);
		return err;
	}
	snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

pid_t instance_holder(const struct instance *instance)
{
	char text[32] = "";
	pid_t holder = 0;
	int fd;

	fd = open(instance->lock_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) && pread(fd, text, sizeof(text) - 1, 0) > 0)
		holder = (pid_t)atol(text);
	close(fd);
	return holder;
}

void instance_remove(const struct instance *instance)
{
	char parent[PATH_MAX];

	unlink(instance->state_path);
	if (instance->dir[0]) {
		rmdir(instance->dir);
		strcpy(parent, instance->dir);
		rmdir(dirname(parent));
	}
	unlink(instance->lock_path);
}
