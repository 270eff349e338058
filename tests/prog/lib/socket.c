// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets of the test's own network namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "socket.h"

#define SOCKETS_MAX 16
#define WAIT_MS 2000

static int sockets[SOCKETS_MAX], n_sockets;

static int keep(int fd)
{
	if (n_sockets == SOCKETS_MAX)
		check_die("too many sockets in one test");
	sockets[n_sockets++] = fd;
	return fd;
}

void socket_close_all(void)
{
	while (n_sockets)
		close(sockets[--n_sockets]);
}

static socklen_t fill(struct sockaddr_storage *sa, bool v6, const struct ip_addr *addr,
		      uint16_t port)
{
	struct sockaddr_in6 *in6 = (void *)sa;
	struct sockaddr_in *in = (void *)sa;

	memset(sa, 0, sizeof(*sa));
	if (v6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		if (addr)
			memcpy(&in6->sin6_addr, addr, sizeof(*addr));
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	if (addr)
		in->sin_addr.s_addr = addr->w[3];
	return sizeof(*in);
}

int socket_listen(bool v6, uint16_t port, int backlog)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_storage any;
	socklen_t len = fill(&any, v6, NULL, port);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (void *)&any, len) || listen(fd, backlog))
		check_die("listener on port %u: %s", port, strerror(errno));
	return keep(fd);
}

static void expect_readable(const char *what, int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (poll(&wait, 1, WAIT_MS) != 1)
		check_fail("%s: expected one, actual none", what);
}

int socket_take_child(int listener, const char *text, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);
	char bytes[256];
	ssize_t n;
	int fd;

	expect_readable("connection", listener);
	fd = accept(listener, NULL, NULL);
	expect_readable("request", fd);
	n = recv(fd, bytes, sizeof(bytes), 0);
	if (info && getsockopt(fd, SOL_TCP, TCP_INFO, info, &len))
		check_die("TCP_INFO: %s", strerror(errno));
	expect_bytes("request", bytes, n < 0 ? 0 : n, text, strlen(text));
	return fd;
}

void socket_expect_child(int listener, const char *text, struct tcp_info *info)
{
	close(socket_take_child(listener, text, info));
}

void socket_connected(bool v6, const struct ip_addr *local, uint16_t local_port,
		      const struct ip_addr *peer, uint16_t peer_port, uint32_t rcv_nxt)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0), one = 1, queue = TCP_RECV_QUEUE;
	struct sockaddr_storage from, to;
	socklen_t len = fill(&from, v6, local, local_port);

	fill(&to, v6, peer, peer_port);
	if (fd < 0 || setsockopt(fd, SOL_TCP, TCP_REPAIR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    setsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &rcv_nxt, sizeof(rcv_nxt)) ||
	    bind(fd, (void *)&from, len) || connect(fd, (void *)&to, len))
		check_die("socket by TCP_REPAIR: %s", strerror(errno));
	keep(fd);
}
