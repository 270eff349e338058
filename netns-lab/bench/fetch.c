// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fetch [-c CONNECTIONS] [-n REQUESTS] [-t SECONDS] [-r RATE] [-x] ADDRESS PORT PATH FILE: GET
 * requests, whose answers must be 200 with the bytes of FILE. Prints one line of JSON.
 *
 *   -c 64  connections, open before the first request
 *   -n     requests in all; with -r the default is what RATE makes in SECONDS
 *   -t 60  the whole run ends then, whatever is missing
 *   -r     requests per second, however slow the answers are (an open loop): a request has its
 *          moment, and its latency counts from there. Without it each connection sends its next
 *          request when its answer is there, and latency counts from the sending.
 *   -x     a connection for each request, whose making counts as latency, too
 *
 * An answer with a wrong byte is `wrong`, one that ends early or a refused connection `failed`;
 * another connection takes that one's place. What is under way at the end is `unfinished` and
 * counts among the latencies with its age. Answers need Content-Length. `retrans` is the difference
 * of TcpRetransSegs of this netns; rtt and rto are what TCP_INFO says after each answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fetch_options.h"
#include "fetch_stats.h"
#include "load.h"

#define NS_PER_US 1000ull
#define HEAD_MAX 2048
#define BUFFER (256 * 1024)

enum state { CONNECTING, RESTING, WAITING };

struct connection {
	int fd;
	enum state state;
	bool has_request; /* WAITING, or CONNECTING for it */
	uint64_t due_ns;  /* of the request */
	size_t head_len;  /* of the answer, as far as it is there */
	bool in_body;
	size_t body_len;
	char head[HEAD_MAX + 1];
};

static struct {
	struct connection *connections, **idle; /* idle: a ring */
	unsigned int idle_first, idle_count;
	uint32_t *latencies_us, *rtts_us, *rtos_us;
	uint64_t n_latencies, n_samples, n_started, n_done, answers, start_ns;
	uint64_t wrong, failed, unfinished, connects;
	int epoll_fd;
	char buffer[BUFFER];
} run;

static void connection_rest(struct connection *c)
{
	c->state = RESTING;
	run.idle[(run.idle_first + run.idle_count++) % options.count] = c;
}

/* Begins; EPOLLOUT tells the end of it. */
static void connection_open(struct connection *c)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	const int on = 1;

	c->state = CONNECTING;
	c->fd = socket(options.peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	run.connects++;
	if (connect(c->fd, (struct sockaddr *)&options.peer, options.peer_len) &&
	    errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, c->fd, &event))
		die("epoll_ctl");
}

static void latency_add(const struct connection *c, uint64_t now)
{
	run.latencies_us[run.n_latencies++] = (uint32_t)((now - c->due_ns) / NS_PER_US);
}

/* The request of the connection, if any, comes to its end in the given counter. */
static void connection_fail(struct connection *c, uint64_t *counter)
{
	close(c->fd);
	if (c->has_request) {
		++*counter;
		run.n_done++;
		latency_add(c, now_ns());
	} else if (c->state == CONNECTING) {
		run.failed++;
		usleep(1000); /* a peer that refuses is not to be flooded */
	}
	c->has_request = false;
	if (options.is_close)
		connection_rest(c);
	else
		connection_open(c);
}

static void request_send(struct connection *c)
{
	c->state = WAITING;
	c->head_len = c->body_len = 0;
	c->in_body = false;
	if (send(c->fd, options.request, (size_t)options.request_len, MSG_NOSIGNAL) !=
	    options.request_len)
		connection_fail(c, &run.failed);
}

static void request_start(struct connection *c, uint64_t due_ns)
{
	c->has_request = true;
	c->due_ns = due_ns;
	if (options.is_close)
		connection_open(c);
	else
		request_send(c);
}

static void connection_made(struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		connection_fail(c, &run.failed);
		return;
	}
	epoll_ctl(run.epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
	if (c->has_request)
		request_send(c);
	else
		connection_rest(c);
}

/* What the client's TCP knows of the path now. */
static void tcp_info_add(const struct connection *c)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		return;
	run.rtts_us[run.n_samples] = info.tcpi_rtt;
	run.rtos_us[run.n_samples++] = info.tcpi_rto;
}

static void answer_end(struct connection *c)
{
	latency_add(c, now_ns());
	run.n_done++;
	c->has_request = false;
	if (options.is_close)
		close(c->fd);
	else
		tcp_info_add(c);
	run.answers++;
	connection_rest(c);
}

/* Takes the next bytes of the body. */
static void body_take(struct connection *c, const char *bytes, size_t len)
{
	if (len > options.body_len - c->body_len ||
	    memcmp(options.body + c->body_len, bytes, len)) {
		connection_fail(c, &run.wrong);
		return;
	}
	c->body_len += len;
	if (c->body_len == options.body_len)
		answer_end(c);
}

/* Returns whether the header block says 200 and the right length. */
static bool head_is_right(const struct connection *c)
{
	const char *field = strcasestr(c->head, "\r\ncontent-length:");

	return !strncmp(c->head, "HTTP/1.1 200 ", 13) && field &&
	       strtoul(field + 17, NULL, 10) == options.body_len;
}

/* Takes bytes that stand behind those of the head that are there already. */
static void head_take(struct connection *c, size_t len)
{
	char *end;

	c->head_len += len;
	c->head[c->head_len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end) {
		if (c->head_len == HEAD_MAX)
			connection_fail(c, &run.wrong);
		return;
	}
	end[2] = '\0';
	if (!head_is_right(c)) {
		connection_fail(c, &run.wrong);
		return;
	}
	c->in_body = true;
	body_take(c, end + 4, c->head_len - (size_t)(end + 4 - c->head));
}

static void connection_read(struct connection *c)
{
	bool in_body = c->in_body;
	ssize_t n = in_body ? read(c->fd, run.buffer, BUFFER) :
			      read(c->fd, c->head + c->head_len, HEAD_MAX - c->head_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && c->state == WAITING) {
		if (in_body)
			body_take(c, run.buffer, (size_t)n);
		else
			head_take(c, (size_t)n);
		return;
	}
	if (c->state == RESTING) {
		/* Out of the ring, whose order does not matter here. */
		for (unsigned int i = 0; i < run.idle_count; i++) {
			struct connection **slot = &run.idle[(run.idle_first + i) % options.count];

			if (*slot == c)
				*slot = run.idle[run.idle_first];
		}
		run.idle_first = (run.idle_first + 1) % options.count;
		run.idle_count--;
		run.wrong += n > 0; /* bytes that nobody asked for */
	}
	connection_fail(c, &run.failed);
}

/* Starts what is due, as far as connections are idle. Returns when to look again (ns). */
static uint64_t start_due(uint64_t end_ns)
{
	while (run.n_started < options.requests && run.idle_count) {
		uint64_t now = now_ns(), due_ns = now;
		struct connection *c;

		if (options.rate) {
			due_ns = run.start_ns + run.n_started * NS_PER_S / options.rate;
			if (due_ns > now)
				return due_ns < end_ns ? due_ns : end_ns;
		}
		c = run.idle[run.idle_first];
		run.idle_first = (run.idle_first + 1) % options.count;
		run.idle_count--;
		run.n_started++;
		request_start(c, due_ns);
	}
	return end_ns;
}

/* Waits until the given time at most, and deals with what has come. */
static void serve_events(uint64_t wake_ns)
{
	struct epoll_event events[64];
	int n = events_until(wake_ns, run.epoll_fd, events, 64);

	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		if (c->state == CONNECTING)
			connection_made(c);
		else
			connection_read(c);
	}
}

/* Opens the connections, then runs the requests. */
static void run_all(void)
{
	uint64_t end_ns = now_ns() + options.seconds * NS_PER_S, now;

	for (unsigned int i = 0; i < options.count; i++) {
		if (options.is_close)
			connection_rest(&run.connections[i]);
		else
			connection_open(&run.connections[i]);
	}
	while (run.idle_count < options.count && now_ns() < end_ns)
		serve_events(end_ns);
	run.start_ns = now_ns();
	if (options.rate) /* the seconds are those of the load, and one more for what is late */
		end_ns = run.start_ns + (options.seconds + 1) * NS_PER_S;
	while (run.n_done < options.requests && now_ns() < end_ns)
		serve_events(start_due(end_ns));
	now = now_ns();
	for (unsigned int i = 0; i < options.count; i++) {
		if (!run.connections[i].has_request)
			continue;
		run.unfinished++;
		latency_add(&run.connections[i], now);
	}
	run.unfinished += options.requests - run.n_started;
}

/* Ends all connections with RST: a FIN would be repeated into the next run and count there. */
static void connections_abort(void)
{
	const struct linger abort = { .l_onoff = 1 };

	for (unsigned int i = 0; i < options.count && !options.is_close; i++) {
		setsockopt(run.connections[i].fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
		close(run.connections[i].fd);
	}
}

static void print_result(uint64_t retrans)
{
	uint64_t n = run.n_latencies;
	double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += run.latencies_us[i] / 1000.0;
	printf("{\"answers\": %llu, \"seconds\": %.3f, \"mean_ms\": %.3f, ",
	       (unsigned long long)run.answers, (double)(now_ns() - run.start_ns) / NS_PER_S,
	       n ? sum / (double)n : 0);
	print_quantiles("", run.latencies_us, n);
	printf("\"wrong\": %llu, \"failed\": %llu, \"unfinished\": %llu, \"connects\": %llu, ",
	       (unsigned long long)run.wrong, (unsigned long long)run.failed,
	       (unsigned long long)run.unfinished, (unsigned long long)run.connects);
	print_quantiles("rtt_", run.rtts_us, run.n_samples);
	print_quantiles("rto_", run.rtos_us, run.n_samples);
	printf("\"retrans\": %llu}\n", (unsigned long long)retrans);
}

int main(int argc, char **argv)
{
	uint64_t retrans;

	if (!read_options(argc, argv)) {
		fprintf(stderr, "usage: fetch [-c CONNECTIONS] [-n REQUESTS] [-t SECONDS] "
				"[-r RATE] [-x] ADDRESS PORT PATH FILE\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1ul); /* ns; wake up on time */
	run.connections = calloc(options.count, sizeof(*run.connections));
	run.idle = calloc(options.count, sizeof(*run.idle));
	run.latencies_us = calloc(options.requests, sizeof(*run.latencies_us));
	run.rtts_us = calloc(options.requests, sizeof(*run.rtts_us));
	run.rtos_us = calloc(options.requests, sizeof(*run.rtos_us));
	run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!run.connections || !run.idle || !run.latencies_us || !run.rtts_us || !run.rtos_us ||
	    run.epoll_fd < 0)
		die("start");
	retrans = retrans_segs();
	run_all();
	print_result(retrans_segs() - retrans);
	connections_abort();
	return 0;
}
