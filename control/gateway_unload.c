// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Takes a gateway away, with or without its daemon, its INI file or its interfaces: links (uplinks
 * first, so that no packet meets half a datapath), maps, rules and tables, addresses, sysctls,
 * state. What fails stays noted in the state file: a second `sluice unload` goes on there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway_internal.h"
#include "log.h"
#include "sysctl.h"

#define STOP_TRIES 200
#define STOP_STEP_US 50000

static int remove_addresses(struct routes *routes, struct state *state)
{
	int err;

	while (state->n_added > 0) {
		err = routes_del_vip(routes, &state->added[state->n_added - 1]);
		if (err) {
			log_error("cannot remove a VIP's address from lo: %s", strerror(-err));
			return err;
		}
		state->n_added--;
	}
	return 0;
}

int gateway_take_down(const struct instance *instance, struct state *state, uint32_t priority)
{
	struct routes *routes = NULL;
	int err, next;

	err = gateway_remove_links(instance);
	next = loader_sweep(instance, true);
	if (next)
		log_error("cannot remove maps below %s: %s", instance->dir, strerror(-next));
	err = err ? err : next;
	next = routes_open(&routes);
	if (!next && priority)
		next = routes_sync(routes, NULL, 0, priority, MAX_BACKENDS);
	err = err ? err : next;
	if (state) {
		next = routes ? remove_addresses(routes, state) : 0;
		err = err ? err : next;
		sysctl_restore(state);
	}
	routes_close(routes);
	if (!err)
		instance_remove(instance);
	else if (state)
		state_save(state, instance->state_path);
	return err;
}

/* Asks a running daemon to end. 0, or -errno: it did not. */
static int stop_daemon(const struct instance *instance)
{
	pid_t pid = instance_holder(instance);
	int tries;

	if (!pid)
		return 0;
	if (kill(pid, SIGTERM) && errno != ESRCH) {
		log_error("cannot stop the daemon (pid %ld): %s", (long)pid, strerror(errno));
		return -errno;
	}
	for (tries = 0; tries < STOP_TRIES; tries++) {
		if (!instance_holder(instance))
			return 0;
		usleep(STOP_STEP_US);
	}
	log_error("the daemon (pid %ld) does not end", (long)pid);
	return -ETIMEDOUT;
}

static bool is_loaded(const struct instance *instance)
{
	return (instance->dir[0] && !access(instance->dir, F_OK)) ||
	       !access(instance->state_path, F_OK) || instance_holder(instance);
}

int gateway_find(const char *config_path, struct instance *out, struct config **config)
{
	char *text = NULL;
	size_t len = 0;
	FILE *sink;
	int err;

	*config = NULL;
	err = instance_find(out, config_path, NULL);
	if (err) {
		log_error("%s: %s", config_path, strerror(-err));
		return err;
	}
	/* A file that has errors, or has gone, must not keep anyone from looking or unloading. */
	sink = open_memstream(&text, &len);
	if (!sink)
		return -ENOMEM;
	if (config_load(config_path, config, sink))
		*config = NULL;
	fclose(sink);
	free(text);
	if (*config && (*config)->gateway.instance && !is_loaded(out))
		err = instance_find(out, config_path, (*config)->gateway.instance);
	return err;
}

int gateway_unload(const char *config_path)
{
	struct state *state = NULL;
	struct config *config = NULL;
	struct instance instance;
	uint32_t priority = 0;
	int err;

	err = gateway_find(config_path, &instance, &config);
	if (err)
		goto out;
	if (!is_loaded(&instance)) {
		printf("nothing is loaded for %s in this network namespace\n", config_path);
		unlink(instance.lock_path);
		goto out;
	}
	if (state_load(instance.state_path, &state))
		log_warn("%s is missing: addresses and sysctls are left as they are",
			 instance.state_path);
	if (state && state->netns_cookie != instance.netns_cookie) {
		log_error("instance %s belongs to another network namespace: run this command "
			  "inside it; if it has gone, remove %s and %s by hand",
			  instance.name, instance.dir, instance.state_path);
		err = -EXDEV;
		goto out;
	}
	err = stop_daemon(&instance);
	if (err)
		goto out;
	/* The daemon may have written it once more. */
	state_free(state);
	state = NULL;
	state_load(instance.state_path, &state);
	if (state)
		priority = state->priority;
	else if (config)
		priority = config->gateway.priority;
	err = gateway_take_down(&instance, state, priority);
out:
	state_free(state);
	config_free(config);
	return err ? 1 : 0;
}
