/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's socket: a request is one line ("ping", "reload"); the reply is "ok" or "error" on a
 * line of its own, then text. One request a connection.
 */
#ifndef SLUICE_ADMIN_H
#define SLUICE_ADMIN_H

#include <stdio.h>

/* Listens; mode 0600. A stale socket file is replaced. fd, or -errno (-EADDRINUSE: someone answers
 * there, -EEXIST: the path is no socket). */
int admin_open(const char *path);
void admin_close(int fd, const char *path);

/* Answers one request; returns 0 for "ok". Text goes to `reply`. */
typedef int admin_handler(void *context, const char *request, FILE *reply);
/* Serves what waits on the listening socket; bounded in time. */
void admin_serve(int fd, admin_handler *handler, void *context);

/* Client: sends a request, copies the reply's text to `out`. 0 ok, 1 error, -errno: no daemon. */
int admin_request(const char *path, const char *request, FILE *out);

#endif
