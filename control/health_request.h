/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP request of a health check, for health.c only. */
#ifndef SLUICE_HEALTH_REQUEST_H
#define SLUICE_HEALTH_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define HEALTH_REASON_SIZE (CURL_ERROR_SIZE + 64)

struct health_request {
	const struct config_backend *backend;
	CURL *easy;
	int netns_error; /* -errno of opening the socket, or 0 */
	char error[CURL_ERROR_SIZE];
};

/* Sets up `easy` for one request; `owner` becomes its CURLINFO_PRIVATE. 0 or -ENOMEM. */
int health_request_prepare(struct health_request *request, void *owner);
/* True when the finished request was answered with 2xx or 3xx; `reason` says what happened. */
bool health_request_judge(struct health_request *request, CURLcode code, char *reason, size_t size);

#endif
