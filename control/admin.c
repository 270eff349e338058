// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both ends of the admin socket. Entry points: admin_open(), admin_serve(), admin_request(). The
 * server reads and writes blocking, but for a second at most: its clients are root's own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin.h"

#define REQUEST_MAX 256
#define SERVER_TIMEOUT_S 1
#define CLIENT_TIMEOUT_S 60 /* a reload of many routes takes its time */
#define BACKLOG 8

static int make_address(const char *path, struct sockaddr_un *out)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(out->sun_path))
		return -ENAMETOOLONG;
	strcpy(out->sun_path, path);
	return 0;
}

static void set_timeout(int fd, int seconds)
{
	struct timeval timeout = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static int connect_to(const struct sockaddr_un *addr)
{
	int fd, err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Makes room for our socket: removes a stale one. 0 or -errno. */
static int clear_path(const struct sockaddr_un *addr)
{
	struct stat stat;
	int fd;

	if (lstat(addr->sun_path, &stat))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(stat.st_mode))
		return -EEXIST;
	fd = connect_to(addr);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	return unlink(addr->sun_path) ? -errno : 0;
}

int admin_open(const char *path)
{
	struct sockaddr_un addr;
	mode_t mask;
	int fd, err;

	err = make_address(path, &addr);
	if (!err)
		err = clear_path(&addr);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, BACKLOG))
		err = -errno;
	umask(mask);
	if (!err)
		return fd;
	close(fd);
	return err;
}

void admin_close(int fd, const char *path)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}

/* Reads up to the end of the line. 0 or -errno. */
static int read_line(int fd, char line[REQUEST_MAX])
{
	size_t len = 0;
	ssize_t n;

	while (len < REQUEST_MAX - 1) {
		n = read(fd, line + len, 1);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		if (line[len] == '\n') {
			line[len] = '\0';
			return 0;
		}
		len++;
	}
	return -E2BIG;
}

static void write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (; len > 0; text += n, len -= (size_t)n) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
	}
}

static void serve_one(int fd, admin_handler *handler, void *context)
{
	char request[REQUEST_MAX], *text = NULL;
	size_t len = 0;
	FILE *reply;
	int status;

	set_timeout(fd, SERVER_TIMEOUT_S);
	if (read_line(fd, request))
		return;
	reply = open_memstream(&text, &len);
	if (!reply)
		return;
	status = handler(context, request, reply);
	fclose(reply);
	write_all(fd, status ? "error\n" : "ok\n", status ? 6 : 3);
	write_all(fd, text, len);
	free(text);
}

void admin_serve(int fd, admin_handler *handler, void *context)
{
	int client;

	while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		serve_one(client, handler, context);
		close(client);
	}
}

int admin_request(const char *path, const char *request, FILE *out)
{
	struct sockaddr_un addr;
	char status[REQUEST_MAX], text[4096];
	int fd, err;
	ssize_t n;

	err = make_address(path, &addr);
	if (err)
		return err;
	fd = connect_to(&addr);
	if (fd < 0)
		return fd;
	set_timeout(fd, CLIENT_TIMEOUT_S);
	write_all(fd, request, strlen(request));
	write_all(fd, "\n", 1);
	err = read_line(fd, status);
	while (!err && (n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, out);
	close(fd);
	if (err)
		return err;
	return strcmp(status, "ok") ? 1 : 0;
}
