// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Serves /metrics. Entry points: metrics_prepare() and metrics_commit() at start and at a reload,
 * metrics_run() from the daemon's loop. What is counted comes from the reader that metrics_open()
 * was given, how it is written is in metrics_text.c; no map is read here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"
#include "log.h"
#include "metrics.h"
#include "metrics_text.h"
#include "plan.h"
#include "status_read.h"

#define BACKLOG 16
#define CONNECTIONS_MAX 64u
#define IDLE_S 60u /* longer than the usual scrape interval: the connection is kept */
/* An answer is given again for this many times the time that it took to make, so that scrapes of a
 * large flow table cannot take more than a twentieth of the daemon's time. */
#define REUSE_FACTOR 20
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8" /* Prometheus, exposition formats */

struct metrics {
	metrics_reader *read;
	void *context;
	struct MHD_Daemon *daemon; /* NULL: off */
	struct endpoint endpoint;  /* of `daemon` */
	struct MHD_Daemon *next;   /* between metrics_prepare() and metrics_commit() */
	struct endpoint next_endpoint;
	bool has_change;   /* prepared: `next`, which may be NULL, takes the place of `daemon` */
	bool is_suspended; /* `daemon` does not listen while `next` has its port */
	struct MHD_Response *scrape; /* the last answer; NULL: none */
	uint64_t fresh_until_ms;
};

static void forget_scrape(struct metrics *metrics)
{
	if (metrics->scrape)
		MHD_destroy_response(metrics->scrape); /* connections hold their own reference */
	metrics->scrape = NULL;
}

/* Makes metrics->scrape, unless the last one is fresh. 0 or -errno. */
static int make_scrape(struct metrics *metrics)
{
	uint64_t begin = gateway_now_ms(), end;
	json_t *root = NULL;
	char *text = NULL;
	size_t len = 0;
	int err;

	if (metrics->scrape && begin < metrics->fresh_until_ms)
		return 0;
	forget_scrape(metrics);
	err = metrics->read(metrics->context, &root);
	if (!err)
		err = metrics_write(root, &text, &len);
	json_decref(root);
	if (err)
		return err;
	metrics->scrape = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!metrics->scrape) {
		free(text);
		return -ENOMEM;
	}
	end = gateway_now_ms();
	metrics->fresh_until_ms = end + REUSE_FACTOR * (end - begin);
	if (MHD_add_response_header(metrics->scrape, MHD_HTTP_HEADER_CONTENT_TYPE, CONTENT_TYPE))
		return 0;
	forget_scrape(metrics);
	return -ENOMEM;
}

/* `text` is static. */
static enum MHD_Result answer_error(struct MHD_Connection *connection, unsigned int status,
				    const char *text)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/*
 * Called when the header block is there, for each part of a body, and at the end. An answer to the
 * first call makes libmicrohttpd close the connection: good for errors, whose body nobody reads.
 * HEAD is answered as GET is (RFC 9110, 9.1), the library leaves the body out. MHD_NO: close.
 */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_len, void **request)
{
	struct metrics *metrics = context;
	int err;

	(void)version;
	(void)upload;
	if (strcmp(url, "/metrics"))
		return answer_error(connection, MHD_HTTP_NOT_FOUND,
				    "404 Not Found: there is only /metrics\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				    "405 Method Not Allowed\n");
	if (!*request || *upload_len) {
		*request = metrics; /* any pointer: seen */
		*upload_len = 0;
		return MHD_YES;
	}
	err = make_scrape(metrics);
	if (err) {
		log_error("metrics: the maps cannot be read: %s", strerror(-err));
		return answer_error(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
				    "500 Internal Server Error\n");
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, metrics->scrape);
}

/* A listening socket, or -errno. */
static int listen_on(const struct endpoint *endpoint)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr = {};
	socklen_t len;
	int one = 1, fd, err;

	if (endpoint->is_ipv4) {
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_port = htons(endpoint->port);
		memcpy(&addr.v4.sin_addr, &endpoint->addr.s6_addr[12], sizeof(addr.v4.sin_addr));
		len = sizeof(addr.v4);
	} else {
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_port = htons(endpoint->port);
		addr.v6.sin6_addr = endpoint->addr;
		len = sizeof(addr.v6);
	}
	fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, &addr.any, len) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * 127.0.0.1:9464 and 0.0.0.0:9464 exclude each other while both listen. A socket that was shut down
 * keeps its port, lets others with SO_REUSEADDR have it too, and can listen again.
 */
static void suspend(struct metrics *metrics)
{
	const union MHD_DaemonInfo *info;

	info = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	shutdown(info->listen_fd, SHUT_RDWR);
	metrics->is_suspended = true;
}

static void resume(struct metrics *metrics)
{
	const union MHD_DaemonInfo *info;

	if (!metrics->is_suspended)
		return;
	info = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	if (listen(info->listen_fd, BACKLOG))
		log_error("metrics: cannot listen again: %s", strerror(errno));
	metrics->is_suspended = false;
}

/* 0 and metrics->next, or -errno. */
static int start(struct metrics *metrics, const struct endpoint *endpoint)
{
	int fd = listen_on(endpoint);

	if (fd == -EADDRINUSE && metrics->daemon && metrics->endpoint.port == endpoint->port) {
		suspend(metrics);
		fd = listen_on(endpoint);
	}
	if (fd >= 0) {
		/* No thread: MHD_run() works through an epoll fd that the main loop polls. */
		metrics->next = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, metrics,
						 MHD_OPTION_LISTEN_SOCKET, fd,
						 MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
						 MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
						 MHD_OPTION_END);
		if (metrics->next)
			return 0;
		close(fd);
		fd = -ENOMEM;
	}
	resume(metrics);
	return fd;
}

static const char *reason(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "address already in use: see `ss -ltnp`, or choose another port";
	case -EADDRNOTAVAIL:
		return "no interface of the gateway's network namespace has this address";
	default:
		return strerror(-err);
	}
}

int metrics_prepare(struct metrics *metrics, const struct config *config, FILE *err)
{
	const struct config_gateway *gateway = &config->gateway;
	char text[STATUS_ADDRESS_BYTES];
	int error;

	metrics_abort(metrics);
	if (gateway->has_metrics && metrics->daemon &&
	    plan_same_endpoint(&gateway->metrics, &metrics->endpoint))
		return 0;
	if (gateway->has_metrics) {
		error = start(metrics, &gateway->metrics);
		if (error) {
			fprintf(err, "%s:%d: metrics = %s: %s\n", config->path, gateway->line,
				status_address_text(&gateway->metrics.addr, gateway->metrics.port,
						    text),
				reason(error));
			return error;
		}
		metrics->next_endpoint = gateway->metrics;
	}
	metrics->has_change = true;
	return 0;
}

void metrics_commit(struct metrics *metrics)
{
	forget_scrape(metrics);
	if (!metrics->has_change)
		return;
	if (metrics->daemon)
		MHD_stop_daemon(metrics->daemon);
	metrics->daemon = metrics->next;
	metrics->endpoint = metrics->next_endpoint;
	metrics->next = NULL;
	metrics->has_change = false;
	metrics->is_suspended = false;
}

void metrics_abort(struct metrics *metrics)
{
	if (metrics->next)
		MHD_stop_daemon(metrics->next);
	metrics->next = NULL;
	metrics->has_change = false;
	resume(metrics);
}

int metrics_fd(const struct metrics *metrics)
{
	if (!metrics->daemon)
		return -1;
	return MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int metrics_timeout_ms(const struct metrics *metrics)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (!metrics->daemon || !MHD_get_timeout(metrics->daemon, &ms))
		return -1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void metrics_run(struct metrics *metrics)
{
	if (metrics->daemon)
		MHD_run(metrics->daemon);
}

int metrics_open(metrics_reader *read, void *context, struct metrics **out)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	metrics->read = read;
	metrics->context = context;
	*out = metrics;
	return 0;
}

void metrics_close(struct metrics *metrics)
{
	if (!metrics)
		return;
	metrics_abort(metrics);
	if (metrics->daemon)
		MHD_stop_daemon(metrics->daemon);
	forget_scrape(metrics);
	free(metrics);
}
