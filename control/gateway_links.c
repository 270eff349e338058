// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which program runs where. One link per interface: several backends may be behind it. Order is the
 * caller's: backends before uplinks. A dot in an interface's name becomes ':' in the pin's, because
 * bpffs takes no dots and interface names have no colons.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "gateway_internal.h"
#include "log.h"
#include "netns.h"

#define LINK_UPLINK "link_uplink_"
#define LINK_EGRESS "link_egress_"
#define LINK_RETURN "link_return_"
#define LINK_ACCEPT "link_accept_"
#define LINK_NAME 64
#define LINKS_MAX (2 * MAX_BACKENDS + 2 * MAX_UPLINKS)

/* Names of links: wanted ones, and those that this pass has already made. */
struct link_names {
	char names[LINKS_MAX][LINK_NAME];
	size_t n;
};

static bool has_name(const struct link_names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->n; i++) {
		if (!strcmp(names->names[i], name))
			return true;
	}
	return false;
}

/* Notes a name; false when it was there before. */
static bool add_name(struct link_names *names, const char *name)
{
	if (has_name(names, name) || names->n == LINKS_MAX)
		return false;
	snprintf(names->names[names->n++], LINK_NAME, "%s", name);
	return true;
}

static void device_link(char out[LINK_NAME], const char *prefix, const char *device)
{
	char *at;

	snprintf(out, LINK_NAME, "%s%s", prefix, device);
	for (at = out; *at; at++) {
		if (*at == '.')
			*at = ':';
	}
}

static void return_link(char out[LINK_NAME], uint32_t ifindex)
{
	snprintf(out, LINK_NAME, LINK_RETURN "%u", ifindex);
}

/* Where a backend's accepting program sits. */
struct inside {
	int netns_fd;
	uint32_t ifindex;
	char link[LINK_NAME];
};

/* Opens the backend's netns (the caller closes it). 0 or -errno. */
static int look_inside(const struct state_backend *backend, struct inside *out)
{
	struct stat stat;
	int previous, err;

	if (!backend->netns || !backend->interface)
		return -ENOENT;
	out->netns_fd = netns_open(backend->netns);
	if (out->netns_fd < 0)
		return out->netns_fd;
	err = fstat(out->netns_fd, &stat) ? -errno : netns_enter(out->netns_fd, &previous);
	if (err)
		goto out;
	out->ifindex = if_nametoindex(backend->interface);
	err = out->ifindex ? 0 : -errno;
	netns_leave(previous);
	snprintf(out->link, sizeof(out->link), LINK_ACCEPT "%lu_%u", (unsigned long)stat.st_ino,
		 out->ifindex);
out:
	if (err)
		close(out->netns_fd);
	return err;
}

static int attach(struct gateway *gw, const char *name, int prog_fd, int netns_fd, uint32_t ifindex,
		  enum attach_point point)
{
	char path[PATH_MAX];
	bool is_made;
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", gw->instance.dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = attach_tcx(prog_fd, netns_fd, ifindex, point, path, &is_made);
	if (!err && is_made)
		log_debug("attached %s", name);
	return err;
}

static int attach_accept(struct gateway *gw, uint32_t id, struct link_names *made)
{
	struct inside inside;
	int err;

	err = look_inside(&gw->state->backends[id], &inside);
	if (err)
		return err;
	if (add_name(made, inside.link))
		err = attach(gw, inside.link, loader_programs(gw->loader)->backend_accept,
			     inside.netns_fd, inside.ifindex, ATTACH_INGRESS);
	close(inside.netns_fd);
	return err;
}

static int attach_return(struct gateway *gw, const struct backend *backend, struct link_names *made)
{
	char name[LINK_NAME];

	return_link(name, backend->ifindex);
	if (!add_name(made, name))
		return 0;
	return attach(gw, name, loader_programs(gw->loader)->backend_return, -1, backend->ifindex,
		      ATTACH_INGRESS);
}

static bool is_remote(const struct backend *backend)
{
	return backend->flags & BACKEND_USED && !(backend->flags & BACKEND_LOCAL);
}

static bool has_local(const struct layout *layout)
{
	uint32_t id;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (layout->backends[id].flags & BACKEND_LOCAL)
			return true;
	}
	return false;
}

/* One uplink program at every uplink of the layout. */
static int attach_devices(struct gateway *gw, const struct layout *layout, const char *prefix,
			  int prog_fd, enum attach_point point)
{
	const struct mapsync_uplink *uplink;
	char name[LINK_NAME];
	size_t i;
	int err;

	for (i = 0; i < layout->n_uplinks; i++) {
		uplink = &layout->uplinks[i];
		device_link(name, prefix, gw->state->uplinks[uplink->id]);
		err = attach(gw, name, prog_fd, -1, uplink->ifindex, point);
		if (err) {
			log_error("cannot attach to uplink %s: %s", gw->state->uplinks[uplink->id],
				  strerror(-err));
			return err;
		}
	}
	return 0;
}

int gateway_attach_backends(struct gateway *gw, const struct layout *layout, bool is_strict)
{
	struct link_names *made;
	int turn, err = 0, next;
	uint32_t id;

	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	for (turn = 0; turn < 2; turn++) {
		for (id = 0; id < MAX_BACKENDS; id++) {
			if (!is_remote(&layout->backends[id]) || gw->is_broken[id])
				continue;
			next = turn ? attach_return(gw, &layout->backends[id], made) :
				      attach_accept(gw, id, made);
			if (!next || !is_strict || gw->state->backends[id].draining)
				continue;
			log_error("backend %s: cannot attach to its interface: %s",
				  gw->state->backends[id].name, strerror(-next));
			err = err ? err : next;
		}
	}
	free(made);
	if (!err && has_local(layout))
		err = attach_devices(gw, layout, LINK_EGRESS,
				     loader_programs(gw->loader)->uplink_egress, ATTACH_EGRESS);
	return err;
}

int gateway_attach_uplinks(struct gateway *gw, const struct layout *layout)
{
	return attach_devices(gw, layout, LINK_UPLINK, loader_programs(gw->loader)->uplink_ingress,
			      ATTACH_INGRESS);
}

/* The names of all links that a layout needs. */
static void collect_names(struct gateway *gw, const struct layout *layout, struct link_names *names)
{
	const char *device;
	struct inside inside;
	char name[LINK_NAME];
	uint32_t id;
	size_t i;

	for (i = 0; i < layout->n_uplinks; i++) {
		device = gw->state->uplinks[layout->uplinks[i].id];
		device_link(name, LINK_UPLINK, device);
		add_name(names, name);
		device_link(name, LINK_EGRESS, device);
		if (has_local(layout))
			add_name(names, name);
	}
	for (id = 0; id < MAX_BACKENDS; id++) {
		if (!is_remote(&layout->backends[id]))
			continue;
		return_link(name, layout->backends[id].ifindex);
		add_name(names, name);
		if (look_inside(&gw->state->backends[id], &inside))
			continue;
		add_name(names, inside.link);
		close(inside.netns_fd);
	}
}

/* Removes the links of one kind that are not in `keep` (NULL: all). 0 or -errno. */
static int remove_kind(const struct instance *instance, const char *prefix,
		       const struct link_names *keep)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int err = 0, next;
	DIR *dir;

	dir = opendir(instance->dir);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) ||
		    (keep && has_name(keep, entry->d_name)))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", instance->dir, entry->d_name) >=
		    (int)sizeof(path))
			continue;
		next = attach_remove(path);
		if (next)
			log_error("cannot remove %s: %s", path, strerror(-next));
		err = err ? err : next;
	}
	closedir(dir);
	return err;
}

static int remove_all(const struct instance *instance, const struct link_names *keep)
{
	static const char *const order[] = { LINK_UPLINK, LINK_EGRESS, LINK_RETURN, LINK_ACCEPT };
	int err = 0, next;
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		next = remove_kind(instance, order[i], keep);
		err = err ? err : next;
	}
	return err;
}

int gateway_trim_links(struct gateway *gw, const struct layout *layout)
{
	struct link_names *keep;
	int err;

	keep = calloc(1, sizeof(*keep));
	if (!keep)
		return -ENOMEM;
	collect_names(gw, layout, keep);
	err = remove_all(&gw->instance, keep);
	free(keep);
	return err;
}

int gateway_remove_links(const struct instance *instance)
{
	return remove_all(instance, NULL);
}
