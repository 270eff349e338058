/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain model: one gateway as its INI file describes it. config_load() makes it, nobody
 * changes it afterwards. Strings are owned by the config; references between sections are indices.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HEADER_VALUE_BYTES 1024 /* longest one; three and a status line fit HEAD_MAX */
#define REDIRECT_URI "$uri"	/* in a location: the request's path and query */

struct endpoint {
	struct in6_addr addr; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;	      /* host order */
	bool is_ipv4;
};

struct cidr {
	struct in6_addr addr; /* IPv4 mapped */
	uint8_t prefixlen;    /* of the 128 bits: 96 is added for IPv4 */
};

struct config_gateway {
	int line;
	char **uplinks;
	size_t n_uplinks;
	struct endpoint *vips;
	size_t n_vips;
	uint32_t flows;	       /* default 262144; rounded up to a power of two */
	uint32_t source_flows; /* of one source; default: a quarter of `flows`; 0: no limit */
	uint32_t header_timeout_ms;
	struct cidr *trusted;
	size_t n_trusted;
	bool forwarded_pass; /* forwarded = refuse | pass */
	uint32_t mark_base, mark_mask;
	uint32_t table, priority;
	char *admin; /* default /run/sluice/admin.sock */
	struct endpoint metrics;
	bool has_metrics;
	char *instance; /* name of the bpffs directory; NULL: derived from netns and file */
};

struct health_check {
	bool enabled;
	char *path;
	uint32_t interval_ms, timeout_ms;
	uint32_t fall, rise;
};

struct config_backend {
	int line;
	char *name;
	struct endpoint address;  /* the first address of `address` */
	struct endpoint address6; /* a second one of the other family; port 0: none given */
	char *netns;		  /* name, "pid:N", or NULL: the gateway's own */
	char *interface;	  /* inside that netns; required with netns */
	uint32_t weight;	  /* 1..256 */
	struct health_check health;
};

enum config_policy { CONFIG_ROUND_ROBIN, CONFIG_CLIENT_HASH, CONFIG_LEAST_LATENCY };

struct config_pool {
	int line;
	char *name;
	size_t *backends; /* indices */
	size_t n_backends;
	enum config_policy policy;
	char *cookie; /* sticky: its name, or NULL */
	bool is_default;
	struct endpoint *default_of; /* VIPs whose default this pool is */
	size_t n_default_of;
};

enum route_action { ROUTE_POOL, ROUTE_DENY, ROUTE_REDIRECT };

struct config_route {
	int line;
	char *name;
	char *host; /* lower case; NULL: any; "*.example" kept as ".example" */
	char *path; /* prefix routes: always ends with '/'; exact ones as written */
	bool is_exact;
	struct cidr *from; /* the client's networks; none: any */
	size_t n_from;
	uint16_t methods; /* enum rule_method of abi.h; 0: any */
	enum route_action action;
	size_t pool;	/* ROUTE_POOL */
	int status;	/* deny: 403 or 404; redirect: 301 302 303 307 308 */
	char *location; /* redirect */
};

struct config_component {
	int line;
	char *name;
	char *host;	     /* as for routes */
	char *path;	     /* exact */
	char *file;	     /* resolved: absolute, or relative to the current directory */
	char *type;	     /* Content-Type */
	char *cache_control; /* NULL: none */
	char *headers;	     /* more lines, each with its CRLF; NULL: none */
	size_t pool; /* where requests go that the kernel must not answer; SIZE_MAX: the path's
			route or the default pool */
};

struct config {
	char *path; /* of the INI file */
	struct config_gateway gateway;
	struct config_backend *backends;
	size_t n_backends;
	struct config_pool *pools;
	size_t n_pools;
	size_t default_pool; /* index, or SIZE_MAX */
	struct config_route *routes;
	size_t n_routes;
	struct config_component *components;
	size_t n_components;
};

/*
 * Reads and checks one INI file: syntax, values, references, limits of abi.h, files of components
 * (exist, readable, size). It does not look at the machine (interfaces, netns): see probe.h.
 * Returns 0 and *out, or the number of errors (> 0), each printed to `err` as
 * "FILE:LINE: message", nothing allocated.
 */
int config_load(const char *path, struct config **out, FILE *err);
void config_free(struct config *config);
/* Prints what is hardly meant, each as "FILE:LINE: warning: message". */
void config_warn(const struct config *config, FILE *err);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

#endif
