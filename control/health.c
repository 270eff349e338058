// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When backends are checked, and what the results mean. curl's sockets are kept in an epoll set,
 * whose own fd is what the daemon waits for. health_request.c says what one check asks. This file
 * decides about nothing but up and down; who acts on it is the callback's business.
 */
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "health.h"
#include "health_request.h"

#define SPREAD_MS 1000 /* the first checks are spread over this time, or one interval */
#define EVENTS_MAX 64

struct check {
	struct health_request request; /* its backend is NULL until health_set() is done */
	size_t index;
	uint64_t due_ms; /* start of the next one */
	uint32_t streak; /* results in a row that contradict `up` */
	bool is_up;
	bool is_running;
};

struct health {
	CURLM *multi;
	int epoll_fd;
	uint64_t curl_due_ms; /* UINT64_MAX: curl waits for sockets only */
	const struct config *config;
	struct check **checks; /* by index of the backend; NULL: not checked */
	health_callback *callback;
	void *context;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* curl wants to be told about a socket: CURLMOPT_SOCKETFUNCTION. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct health *health = arg;
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	(void)socket_arg;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(health->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (!epoll_ctl(health->epoll_fd, EPOLL_CTL_MOD, fd, &event))
		return 0;
	return epoll_ctl(health->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -1 : 0;
}

/* CURLMOPT_TIMERFUNCTION. */
static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct health *health = arg;

	(void)multi;
	health->curl_due_ms = timeout_ms < 0 ? UINT64_MAX : now_ms() + (uint64_t)timeout_ms;
	return 0;
}

/* Counts one result; tells the daemon when the state changes. */
static void take_result(struct health *health, struct check *check, bool is_good,
			const char *reason)
{
	const struct health_check *conf = &check->request.backend->health;

	if (is_good == check->is_up) {
		check->streak = 0;
		return;
	}
	check->streak++;
	if (check->streak < (is_good ? conf->rise : conf->fall))
		return;
	check->is_up = is_good;
	check->streak = 0;
	health->callback(health->context, check->index, is_good, reason);
}

static void start_check(struct health *health, struct check *check, uint64_t now)
{
	check->due_ms = now + check->request.backend->health.interval_ms;
	if (!health_request_prepare(&check->request, check) &&
	    curl_multi_add_handle(health->multi, check->request.easy) == CURLM_OK)
		check->is_running = true;
	else
		take_result(health, check, false, "out of memory");
}

static void finish_check(struct health *health, struct check *check, CURLcode code)
{
	char reason[HEALTH_REASON_SIZE];
	bool is_good;

	is_good = health_request_judge(&check->request, code, reason, sizeof(reason));
	curl_multi_remove_handle(health->multi, check->request.easy);
	check->is_running = false;
	take_result(health, check, is_good, reason);
}

static void free_check(struct health *health, struct check *check)
{
	if (!check)
		return;
	if (check->is_running)
		curl_multi_remove_handle(health->multi, check->request.easy);
	curl_easy_cleanup(check->request.easy);
	free(check);
}

static bool is_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

static bool is_same_backend(const struct config_backend *a, const struct config_backend *b)
{
	if (strcmp(a->name, b->name) || !is_same_endpoint(&a->address, &b->address))
		return false;
	if (!a->netns || !b->netns)
		return a->netns == b->netns;
	return !strcmp(a->netns, b->netns);
}

/* The check that now serves `backend`, or NULL. */
static struct check *find_check(struct health *health, const struct config_backend *backend)
{
	struct check *check;
	size_t i;

	for (i = 0; health->config && i < health->config->n_backends; i++) {
		check = health->checks[i];
		if (check && is_same_backend(check->request.backend, backend))
			return check;
	}
	return NULL;
}

static struct check *make_check(const struct config *config, size_t index)
{
	const struct health_check *conf = &config->backends[index].health;
	uint32_t spread = conf->interval_ms < SPREAD_MS ? conf->interval_ms : SPREAD_MS;
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->request.easy = curl_easy_init();
	if (!check->request.easy) {
		free(check);
		return NULL;
	}
	check->is_up = true;
	check->due_ms = now_ms() + spread * index / config->n_backends;
	return check;
}

int health_set(struct health *health, const struct config *config)
{
	const struct config_backend *backend;
	struct check **checks;
	size_t i;

	checks = calloc(config->n_backends + 1, sizeof(*checks));
	if (!checks)
		return -ENOMEM;
	for (i = 0; i < config->n_backends; i++) {
		backend = &config->backends[i];
		if (!backend->health.enabled || find_check(health, backend))
			continue;
		checks[i] = make_check(config, i);
		if (!checks[i])
			goto no_memory;
	}

	/* From here on nothing fails: move over what stays, end what does not. */
	for (i = 0; i < config->n_backends; i++) {
		backend = &config->backends[i];
		if (backend->health.enabled && !checks[i])
			checks[i] = find_check(health, backend);
	}
	for (i = 0; i < config->n_backends; i++) {
		if (!checks[i])
			continue;
		if (checks[i]->request.backend)
			health->checks[checks[i]->index] = NULL;
		checks[i]->request.backend = &config->backends[i];
	}
	for (i = 0; health->config && i < health->config->n_backends; i++)
		free_check(health, health->checks[i]);
	for (i = 0; i < config->n_backends; i++) {
		if (checks[i])
			checks[i]->index = i;
	}
	free(health->checks);
	health->checks = checks;
	health->config = config;
	return 0;

no_memory:
	while (i-- > 0)
		free_check(health, checks[i]);
	free(checks);
	return -ENOMEM;
}

int health_open(const struct config *config, health_callback *callback, void *context,
		struct health **out)
{
	struct health *health;
	int err = -ENOMEM;

	health = calloc(1, sizeof(*health));
	if (!health)
		return -ENOMEM;
	health->epoll_fd = -1;
	health->curl_due_ms = UINT64_MAX;
	health->callback = callback;
	health->context = context;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	health->multi = curl_multi_init();
	if (!health->multi)
		goto out;
	health->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (health->epoll_fd < 0) {
		err = -errno;
		goto out;
	}
	curl_multi_setopt(health->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(health->multi, CURLMOPT_SOCKETDATA, health);
	curl_multi_setopt(health->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(health->multi, CURLMOPT_TIMERDATA, health);
	err = health_set(health, config);
	if (!err)
		*out = health;
out:
	if (err)
		health_close(health);
	return err;
}

void health_close(struct health *health)
{
	size_t i;

	if (!health)
		return;
	for (i = 0; health->config && i < health->config->n_backends; i++)
		free_check(health, health->checks[i]);
	free(health->checks);
	curl_multi_cleanup(health->multi);
	if (health->epoll_fd >= 0)
		close(health->epoll_fd);
	curl_global_cleanup();
	free(health);
}

bool health_is_up(const struct health *health, size_t backend)
{
	return !health->checks[backend] || health->checks[backend]->is_up;
}

int health_fd(const struct health *health)
{
	return health->epoll_fd;
}

int health_timeout_ms(const struct health *health)
{
	uint64_t due = health->curl_due_ms, now = now_ms();
	const struct check *check;
	size_t i;

	for (i = 0; i < health->config->n_backends; i++) {
		check = health->checks[i];
		if (check && !check->is_running && check->due_ms < due)
			due = check->due_ms;
	}
	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

static void run_sockets(struct health *health)
{
	struct epoll_event events[EVENTS_MAX];
	int i, n, flags, running;

	n = epoll_wait(health->epoll_fd, events, EVENTS_MAX, 0);
	for (i = 0; i < n; i++) {
		flags = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			(events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			(events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
		curl_multi_socket_action(health->multi, events[i].data.fd, flags, &running);
	}
	if (health->curl_due_ms > now_ms())
		return;
	health->curl_due_ms = UINT64_MAX;
	curl_multi_socket_action(health->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

void health_run(struct health *health)
{
	struct check *check;
	uint64_t now;
	CURLMsg *msg;
	CURLcode code;
	size_t i;
	int left;

	run_sockets(health);
	while ((msg = curl_multi_info_read(health->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		code = msg->data.result; /* removing the handle frees the message */
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&check);
		finish_check(health, check, code);
	}
	now = now_ms();
	for (i = 0; i < health->config->n_backends; i++) {
		check = health->checks[i];
		if (check && !check->is_running && check->due_ms <= now)
			start_check(health, check, now);
	}
}
