// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one health check asks, and whether the answer is good. The socket is opened inside the
 * backend's netns, which is looked up anew for each check: a restarted container has another one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health_request.h"
#include "netns.h"

/* CURLOPT_OPENSOCKETFUNCTION: the socket belongs to the netns in which it is made. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct health_request *request = arg;
	int netns, previous, fd;

	(void)purpose;
	netns = netns_open(request->backend->netns);
	if (netns < 0) {
		request->netns_error = netns;
		return CURL_SOCKET_BAD;
	}
	request->netns_error = netns_enter(netns, &previous);
	close(netns);
	if (request->netns_error)
		return CURL_SOCKET_BAD;

	fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
	if (fd < 0)
		request->netns_error = -errno;
	netns_leave(previous);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t drop_body(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

/* A backend in the gateway's own netns may listen on the unspecified address: ask on loopback. */
static void format_url(const struct config_backend *backend, char *url, size_t size)
{
	const struct in6_addr *addr = &backend->address.addr;
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";
	uint32_t v4;

	memcpy(&v4, &addr->s6_addr[12], sizeof(v4));
	if (IN6_IS_ADDR_V4MAPPED(addr)) {
		if (v4 != INADDR_ANY)
			inet_ntop(AF_INET, &v4, text, sizeof(text));
		snprintf(url, size, "http://%s:%u%s", text, backend->address.port,
			 backend->health.path);
		return;
	}
	inet_ntop(AF_INET6, IN6_IS_ADDR_UNSPECIFIED(addr) ? &in6addr_loopback : addr, text,
		  sizeof(text));
	snprintf(url, size, "http://[%s]:%u%s", text, backend->address.port, backend->health.path);
}

int health_request_prepare(struct health_request *request, void *owner)
{
	const struct health_check *health = &request->backend->health;
	size_t size = strlen(health->path) + INET6_ADDRSTRLEN + sizeof("http://[]:65535");
	CURL *easy = request->easy;
	CURLcode code;
	char *url;

	request->netns_error = 0;
	request->error[0] = '\0';
	url = malloc(size);
	if (!url)
		return -ENOMEM;
	format_url(request->backend, url, size);

	curl_easy_reset(easy);
	code = curl_easy_setopt(easy, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, owner);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)health->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not the one in the environment */
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice-health");
	return code == CURLE_OK ? 0 : -ENOMEM;
}

bool health_request_judge(struct health_request *request, CURLcode code, char *reason, size_t size)
{
	long status = 0;

	if (request->netns_error) {
		snprintf(reason, size, "no socket in its network namespace: %s",
			 strerror(-request->netns_error));
		return false;
	}
	if (code != CURLE_OK) {
		snprintf(reason, size, "%s",
			 request->error[0] ? request->error : curl_easy_strerror(code));
		return false;
	}
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	snprintf(reason, size, "HTTP %ld", status);
	return status >= 200 && status < 400;
}
