// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mixed ADDRESS PORT HIT|- MISS RATE CONNECTIONS SECONDS: GET requests at a fixed rate over
 * keep-alive connections, MISSES_OF_25 of 25 for the path MISS, the others for HIT. With `-` those
 * others are left out: the same misses at the same moments. Prints the misses' latencies as JSON,
 * in the form of wrk.lua.
 *
 * The load is open: a request has its moment however slow the answers are, and its latency counts
 * from that moment. It takes the connection that has rested longest. Answers need Content-Length.
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

#include "load.h"

#define MISSES_OF_25 2 /* 8 % */
#define CONNECTIONS_MAX 1024
#define ANSWER_MAX 16384
#define GRACE_NS NS_PER_S /* after the last request, for answers that are late */

struct connection {
	int fd;
	bool is_busy, is_miss;
	uint64_t due_ns; /* of the request in flight */
	size_t len;	 /* of the answer so far */
	char answer[ANSWER_MAX + 1];
};

static struct {
	struct sockaddr_in peer;
	const char *hit, *miss;
	uint64_t rate, seconds, start_ns;
	unsigned int count;
	struct connection *idle[CONNECTIONS_MAX]; /* a ring: the one that rests longest is first */
	unsigned int idle_first, idle_count;
	uint32_t *latencies_us; /* of misses */
	uint64_t misses, errors;
	int epoll_fd;
} bench;

static void die(const char *what)
{
	fprintf(stderr, "mixed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void connection_rest(struct connection *c)
{
	c->is_busy = false;
	bench.idle[(bench.idle_first + bench.idle_count++) % bench.count] = c;
}

static void connection_open(struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&bench.peer, sizeof(bench.peer)))
		die("connect");
	if (epoll_ctl(bench.epoll_fd, EPOLL_CTL_ADD, c->fd, &event))
		die("epoll_ctl");
}

/* An error costs the request in flight, if any; another connection takes this one's place. */
static void connection_fail(struct connection *c)
{
	bench.errors++;
	close(c->fd);
	connection_open(c);
	if (c->is_busy)
		connection_rest(c);
}

static void request_send(struct connection *c, uint64_t due_ns, bool is_miss)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n",
			   is_miss ? bench.miss : bench.hit);

	c->is_busy = true;
	c->is_miss = is_miss;
	c->due_ns = due_ns;
	c->len = 0;
	if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		connection_fail(c);
}

/* Length of the whole answer; 0: its header has not come yet. */
static size_t answer_length(struct connection *c)
{
	char *body, *field;

	c->answer[c->len] = '\0';
	body = strstr(c->answer, "\r\n\r\n");
	if (!body)
		return 0;
	field = strcasestr(c->answer, "\r\ncontent-length:");
	if (!field || field > body)
		return SIZE_MAX;
	return (size_t)(body + 4 - c->answer) + strtoul(field + 17, NULL, 10);
}

static void answer_read(struct connection *c)
{
	ssize_t n = read(c->fd, c->answer + c->len, ANSWER_MAX - c->len);
	size_t length;

	if (n <= 0 || !c->is_busy) {
		connection_fail(c);
		return;
	}
	c->len += (size_t)n;
	length = answer_length(c);
	if (length > ANSWER_MAX || (length && c->len > length) ||
	    (c->len >= 12 && strncmp(c->answer + 8, " 200", 4))) {
		connection_fail(c);
		return;
	}
	if (!length || c->len < length)
		return;
	if (c->is_miss)
		bench.latencies_us[bench.misses++] = (uint32_t)((now_ns() - c->due_ns) / 1000);
	connection_rest(c);
}

/* Sends what is due, as far as connections are idle. Returns when the next one is due (ns). */
static uint64_t send_due(uint64_t *next)
{
	while (*next < bench.rate * bench.seconds) {
		uint64_t due_ns = bench.start_ns + *next * NS_PER_S / bench.rate;
		bool is_miss = *next % 25 < MISSES_OF_25;

		if (due_ns > now_ns() || !bench.idle_count)
			return due_ns;
		++*next;
		if (!is_miss && !bench.hit)
			continue;
		struct connection *c = bench.idle[bench.idle_first];

		bench.idle_first = (bench.idle_first + 1) % bench.count;
		bench.idle_count--;
		request_send(c, due_ns, is_miss);
	}
	return bench.start_ns + bench.seconds * NS_PER_S + GRACE_NS;
}

static void run(void)
{
	uint64_t total = bench.rate * bench.seconds, next = 0, end_ns, wake_ns;
	struct epoll_event events[64];
	int n, i;

	bench.start_ns = now_ns();
	end_ns = bench.start_ns + bench.seconds * NS_PER_S + GRACE_NS;
	while ((next < total || bench.idle_count < bench.count) && now_ns() < end_ns) {
		wake_ns = send_due(&next);
		if (!bench.idle_count)
			wake_ns = end_ns;
		n = events_until(wake_ns, bench.epoll_fd, events, 64);
		if (n < 0 && errno != EINTR)
			die("epoll_pwait2");
		for (i = 0; i < n; i++)
			answer_read(events[i].data.ptr);
	}
	bench.errors += total - next + bench.count - bench.idle_count; /* unsent, unanswered */
}

static void print_result(void)
{
	uint64_t n = bench.misses;

	sort_numbers(bench.latencies_us, n);
	printf("{\"requests\": %llu, \"duration_us\": %llu, \"p50_us\": %u, \"p99_us\": %u, "
	       "\"errors\": %llu}\n",
	       (unsigned long long)n, (unsigned long long)bench.seconds * 1000000,
	       n ? bench.latencies_us[n / 2] : 0, n ? bench.latencies_us[n * 99 / 100] : 0,
	       (unsigned long long)bench.errors);
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc != 8) {
		fprintf(stderr, "usage: mixed ADDRESS PORT HIT|- MISS RATE CONNECTIONS SECONDS\n");
		return 2;
	}
	bench.peer.sin_family = AF_INET;
	bench.peer.sin_port = htons((uint16_t)atoi(argv[2]));
	bench.hit = strcmp(argv[3], "-") ? argv[3] : NULL;
	bench.miss = argv[4];
	bench.rate = strtoull(argv[5], NULL, 10);
	bench.count = (unsigned int)atoi(argv[6]);
	bench.seconds = strtoull(argv[7], NULL, 10);
	if (inet_pton(AF_INET, argv[1], &bench.peer.sin_addr) != 1 || !bench.rate ||
	    !bench.seconds || !bench.count || bench.count > CONNECTIONS_MAX) {
		fprintf(stderr, "mixed: bad address, rate, seconds or number of connections\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1ul); /* ns; wake up on time */
	bench.latencies_us = calloc(bench.rate * bench.seconds, sizeof(*bench.latencies_us));
	bench.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!bench.latencies_us || bench.epoll_fd < 0)
		die("start");
	for (i = 0; i < bench.count; i++) {
		struct connection *c = calloc(1, sizeof(*c));

		if (!c)
			die("memory");
		connection_open(c);
		connection_rest(c);
	}
	run();
	print_result();
	return 0;
}
