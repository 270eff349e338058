/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of fetch, for fetch.c only.
 */
#ifndef FETCH_OPTIONS_H
#define FETCH_OPTIONS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define REQUESTS_MAX 10000000

static struct {
	struct sockaddr_storage peer;
	socklen_t peer_len;
	char request[512];
	int request_len;
	char *body;
	size_t body_len;
	uint64_t rate, seconds, requests;
	bool is_close;
	unsigned int count;
} options = { .seconds = 60, .count = 64 };

static void die(const char *what)
{
	fprintf(stderr, "fetch: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_body(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	options.body_len = (size_t)st.st_size;
	options.body = malloc(options.body_len + 1);
	if (!options.body || read(fd, options.body, options.body_len) != st.st_size)
		die(path);
	close(fd);
}

static bool read_peer(const char *address, const char *port)
{
	struct sockaddr_in *v4 = (void *)&options.peer;
	struct sockaddr_in6 *v6 = (void *)&options.peer;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		options.peer_len = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)atoi(port));
	options.peer_len = sizeof(*v6);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
}

/* Reads the command line; false when it cannot be meant so. */
static bool read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:n:t:r:x")) != -1) {
		switch (option) {
		case 'c':
			options.count = (unsigned int)atoi(optarg);
			break;
		case 'n':
			options.requests = strtoull(optarg, NULL, 10);
			break;
		case 't':
			options.seconds = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			options.rate = strtoull(optarg, NULL, 10);
			break;
		case 'x':
			options.is_close = true;
			break;
		default:
			return false;
		}
	}
	if (argc - optind != 4 || !read_peer(argv[optind], argv[optind + 1]))
		return false;
	if (!options.requests)
		options.requests = options.rate * options.seconds;
	options.request_len = snprintf(options.request, sizeof(options.request),
				       "GET %s HTTP/1.1\r\nHost: bench%s\r\n\r\n", argv[optind + 2],
				       options.is_close ? "\r\nConnection: close" : "");
	read_body(argv[optind + 3]);
	return options.count && options.count <= CONNECTIONS_MAX && options.requests &&
	       options.requests <= REQUESTS_MAX && options.seconds &&
	       options.request_len < (int)sizeof(options.request);
}

#endif
