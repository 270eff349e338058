// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `sluice run`: checks, locks, loads, and then waits: for signals, the admin socket, scrapes,
 * health checks and timers. Entry point: gateway_run(). Everything that changes the datapath is in
 * gateway_apply.c.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin.h"
#include "gateway_internal.h"
#include "kicker.h"
#include "log.h"
#include "metrics.h"
#include "notify.h"
#include "probe.h"
#include "status_read.h"

#define VERIFY_MS 5000
#define VERIFY_AFTER_ERROR_MS 60000

struct server {
	struct gateway gw;
	const char *config_path;
	char *admin_path;
	struct metrics *metrics;
	struct kicker *kicker;
	int lock_fd, admin_fd, signal_fd;
	uint64_t verify_at_ms;
	bool is_over;
};

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Rules of a priority range that this configuration does not use any more. */
static void drop_old_rules(struct gateway *gw, uint32_t old)
{
	uint32_t new = gw->config->gateway.priority;
	uint32_t distance = old < new ? new - old : old - new;

	if (!old || !distance)
		return;
	if (distance > MAX_BACKENDS)
		distance = MAX_BACKENDS;
	routes_sync(gw->routes, NULL, 0, old < new ? old : old + MAX_BACKENDS - distance, distance);
}

/* Opens everything, applies the configuration. 0 or -errno. */
static int start(struct gateway *gw, struct config *config)
{
	uint32_t old_priority;
	int err;

	if (state_load(gw->instance.state_path, &gw->state))
		gw->state = state_new();
	if (!gw->state)
		return -ENOMEM;
	old_priority = gw->state->priority;
	gw->state->netns_cookie = gw->instance.netns_cookie;
	free(gw->state->config_path);
	gw->state->config_path = strdup(gw->instance.config_path);

	err = routes_open(&gw->routes);
	if (!err)
		err = loader_open(&gw->loader, &gw->instance, config->gateway.flows);
	if (!err)
		err = mapsync_init(loader_maps(gw->loader), loader_sizes(gw->loader));
	if (err)
		return err;
	mapsync_rotate_keys(loader_maps(gw->loader));
	err = store_open(&gw->store, loader_maps(gw->loader)->objects,
			 loader_maps(gw->loader)->regions);
	if (!err)
		err = gateway_adopt(gw);
	if (!err)
		err = gateway_apply(gw, config);
	if (err)
		return err;
	drop_old_rules(gw, old_priority);
	loader_sweep(&gw->instance, false);
	return health_open(gw->config, gateway_health_changed, gw, &gw->health);
}

static void stop(struct gateway *gw)
{
	health_close(gw->health);
	store_close(gw->store);
	loader_close(gw->loader);
	routes_close(gw->routes);
	state_free(gw->state);
	config_free(gw->config);
}

/* While a container restarts, what is missing for it must not keep others from being changed. */
static bool has_broken(const struct gateway *gw)
{
	uint32_t id;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (gw->is_broken[id])
			return true;
	}
	return false;
}

/* Of what `status` reads, all but the walk over every object: the store knows the sum. */
static int read_metrics(void *context, json_t **out)
{
	const struct gateway *gw = context;
	struct store_usage usage;
	json_t *root = json_object();
	int err;

	if (!root)
		return -ENOMEM;
	err = status_add(root, loader_maps(gw->loader), gw->state,
			 STATUS_GATEWAY | STATUS_TABLES | STATUS_COUNTERS | STATUS_BACKENDS);
	if (err) {
		json_decref(root);
		return err;
	}
	store_usage(gw->store, &usage);
	json_object_set_new(root, "component_bytes", json_integer((json_int_t)usage.bytes_used));
	*out = root;
	return 0;
}

/* Takes a configuration that was read in, or changes nothing. 0 or -errno, the reason in `sink`. */
static int apply(struct server *server, struct config *config, FILE *sink)
{
	int err = metrics_prepare(server->metrics, config, sink);

	if (err)
		return err;
	err = gateway_apply(&server->gw, config);
	if (err) {
		fprintf(sink, "%s: could not be applied: %s (details: the daemon's log)\n",
			server->config_path, strerror(-err));
		metrics_abort(server->metrics);
		return err;
	}
	metrics_commit(server->metrics);
	return 0;
}

/* Reads the file again and applies it. What is wrong goes to the log and to `reply` (or NULL). */
static int reload(struct server *server, FILE *reply)
{
	struct gateway *gw = &server->gw;
	struct config *config = NULL;
	char *text = NULL, *line, *rest;
	const char *key;
	size_t len = 0;
	FILE *sink;
	int err;

	sink = open_memstream(&text, &len);
	if (!sink)
		return -ENOMEM;
	gateway_verify(gw); /* who is away just now? */
	notify_manager(NOTIFY_RELOADING);
	err = config_load(server->config_path, &config, sink) ? -EINVAL : 0;
	key = err ? NULL : plan_fixed_key(gw->config, config);
	if (key) {
		fprintf(sink,
			"%s: [gateway] %s cannot be changed by a reload: unload, then run "
			"again\n",
			server->config_path, key);
		err = -EINVAL;
	}
	if (!err && probe_config(config, sink) && !has_broken(gw))
		err = -EINVAL;
	if (!err)
		err = apply(server, config, sink);
	fclose(sink);
	if (reply)
		fputs(text, reply);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (err)
			log_error("%s", line);
		else
			log_warn("%s", line);
	}
	if (err) {
		config_free(config);
		log_error("reload failed: the old configuration goes on serving");
	} else {
		log_info("reloaded %s", server->config_path);
	}
	free(text);
	notify_manager(NOTIFY_READY);
	return err;
}

static int answer_admin(void *context, const char *request, FILE *reply)
{
	if (!strcmp(request, "ping"))
		return 0;
	if (!strcmp(request, "reload"))
		return reload(context, reply);
	fprintf(reply, "unknown request: %s\n", request);
	return -EINVAL;
}

static void read_signals(struct server *server)
{
	struct signalfd_siginfo info;

	while (read(server->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			server->is_over = true;
		else
			reload(server, NULL);
	}
}

static void keep_earliest(int *timeout, int ms)
{
	if (ms >= 0 && (*timeout < 0 || ms < *timeout))
		*timeout = ms;
}

/* Does what is due; returns ms until the next thing is. */
static int run_timers(struct server *server)
{
	struct gateway *gw = &server->gw;
	uint64_t now = gateway_now_ms();
	int timeout = -1;

	if (now >= server->verify_at_ms || gw->must_verify) {
		int err = gateway_verify(gw);

		gw->must_verify = false;
		server->verify_at_ms = gateway_now_ms() + (err ? VERIFY_AFTER_ERROR_MS : VERIFY_MS);
	}
	keep_earliest(&timeout, (int)(server->verify_at_ms - now));
	keep_earliest(&timeout, mapsync_rotate_keys(loader_maps(gw->loader)));
	keep_earliest(&timeout, mapsync_write_clock(loader_maps(gw->loader)));
	keep_earliest(&timeout, store_expire(gw->store, now));
	keep_earliest(&timeout, gateway_expire_drains(gw));
	keep_earliest(&timeout, health_timeout_ms(gw->health));
	keep_earliest(&timeout, metrics_timeout_ms(server->metrics));
	return timeout;
}

static void serve(struct server *server)
{
	struct gateway *gw = &server->gw;
	struct pollfd fds[] = {
		{ .fd = server->signal_fd, .events = POLLIN },
		{ .fd = server->admin_fd, .events = POLLIN },
		{ .fd = health_fd(gw->health), .events = POLLIN },
		{ .fd = metrics_fd(server->metrics), .events = POLLIN },
	};

	server->verify_at_ms = gateway_now_ms() + VERIFY_MS;
	while (!server->is_over) {
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), run_timers(server)) < 0 &&
		    errno != EINTR)
			return;
		health_run(gw->health);
		metrics_run(server->metrics);
		if (fds[0].revents)
			read_signals(server);
		if (fds[1].revents)
			admin_serve(server->admin_fd, answer_admin, server);
		fds[3].fd = metrics_fd(server->metrics); /* a reload may have changed it */
	}
}

/* Reads the file and asks the machine. 0 or -EINVAL, everything printed. */
static int check(const char *config_path, struct config **config)
{
	int problems;

	if (config_load(config_path, config, stderr))
		return -EINVAL;
	problems = probe_machine(stderr);
	if (!problems)
		problems = probe_config(*config, stderr);
	if (!problems)
		return 0;
	config_free(*config);
	*config = NULL;
	return -EINVAL;
}

/* Names the instance, locks it, makes its directory; *was_loaded: there is something to keep. */
static int claim(struct server *server, const struct config *config, bool *was_loaded)
{
	struct instance *instance = &server->gw.instance;
	char name[NAME_MAX], file[PATH_MAX];
	pid_t holder;
	int err;

	err = instance_find(instance, server->config_path, config->gateway.instance);
	if (err) {
		log_error("%s: %s", server->config_path, strerror(-err));
		return err;
	}
	*was_loaded = !access(instance->state_path, F_OK) ||
		      (instance->dir[0] && !access(instance->dir, F_OK));
	server->lock_fd = instance_lock(instance, &holder);
	if (server->lock_fd == -EBUSY)
		log_error("%s is being served by a running daemon, pid %ld", server->config_path,
			  (long)holder);
	else if (server->lock_fd < 0)
		log_error("%s: %s", instance->lock_path, strerror(-server->lock_fd));
	if (server->lock_fd < 0)
		return server->lock_fd;
	if (instance_conflict(instance, config->gateway.priority, MAX_BACKENDS, name, file)) {
		log_error("instance %s of %s is loaded in this network namespace and uses the same "
			  "file or rule priorities: `sluice unload -c %s` first, or choose another "
			  "fwmark, table and priority",
			  name, file, file);
		return -EEXIST;
	}
	server->admin_fd = admin_open(server->admin_path);
	if (server->admin_fd < 0) {
		log_error("cannot listen on %s: %s", server->admin_path,
			  strerror(-server->admin_fd));
		return server->admin_fd;
	}
	err = metrics_open(read_metrics, &server->gw, &server->metrics);
	if (!err)
		err = metrics_prepare(server->metrics, config, stderr);
	return err ? err : instance_prepare(instance);
}

int gateway_run(const char *config_path)
{
	struct server server = {
		.config_path = config_path,
		.lock_fd = -1,
		.admin_fd = -1,
		.signal_fd = -1,
	};
	struct config *config = NULL;
	bool was_loaded = false;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	err = check(config_path, &config);
	if (err)
		return 1;
	server.admin_path = strdup(config->gateway.admin);
	err = server.admin_path ? claim(&server, config, &was_loaded) : -ENOMEM;
	if (err)
		goto out;
	server.signal_fd = open_signals();
	err = server.signal_fd < 0 ? server.signal_fd : start(&server.gw, config);
	if (server.gw.config == config)
		config = NULL; /* the gateway's from here on */
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		goto out;
	}
	err = kicker_open(server.gw.loader, &server.kicker);
	if (err)
		goto out;
	metrics_commit(server.metrics);
	puts("ready");
	notify_manager(NOTIFY_READY);
	serve(&server);
	notify_manager(NOTIFY_STOPPING);
out:
	if (err && !was_loaded && server.lock_fd >= 0)
		gateway_take_down(&server.gw.instance, server.gw.state,
				  server.gw.state ? server.gw.state->priority : 0);
	kicker_close(server.kicker);
	metrics_close(server.metrics);
	stop(&server.gw);
	admin_close(server.admin_fd, server.admin_path);
	free(server.admin_path);
	config_free(config);
	if (server.signal_fd >= 0)
		close(server.signal_fd);
	if (server.lock_fd >= 0)
		close(server.lock_fd);
	return err ? 1 : 0;
}
