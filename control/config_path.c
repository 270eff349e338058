// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readers of the keys of [route] and [component]: text into the struct, one key each. A component's
 * file is opened and measured here; store.c reads it.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi.h"
#include "config_parse.h"

static void read_pool(const struct value *value, size_t *pool)
{
	const struct config *config = value->parser->config;
	size_t i;

	for (i = 0; i < config->n_pools; i++)
		if (!strcmp(config->pools[i].name, value->text))
			break;
	if (i < config->n_pools)
		*pool = i;
	else
		value_error(value, "there is no [pool %s] (allowed: names of pools)", value->text);
}

static void read_route_host(const struct value *value, void *object)
{
	struct config_route *route = object;

	value_host(value, &route->host);
}

static void read_exact_path(const struct value *value, struct config_route *route)
{
	struct value path = *value;

	path.text += 1 + strspn(path.text + 1, " \t");
	value_path(&path, &route->path);
}

/* The stored form ends with '/', as the datapath's LPM keys do. */
static void read_prefix(const struct value *value, struct config_route *route)
{
	char *path, *at;
	size_t len, segments = 0;

	if (value_path(value, &path))
		return;
	len = strlen(path);
	for (at = path; *at; at++)
		segments += *at == '/' && at[1];
	if (segments >= PATH_DEPTHS) {
		value_error(value, "the prefix has %zu segments (allowed: %d)", segments,
			    PATH_DEPTHS - 1);
		free(path);
		return;
	}
	if (path[len - 1] == '/') {
		route->path = path;
		return;
	}
	if (len + 1 > PATH_MAX_CONF)
		value_error(value, "the path has %zu bytes with the '/' at its end (allowed: %d)",
			    len + 1, PATH_MAX_CONF);
	else
		route->path = config_format("%s/", path);
	free(path);
}

static void read_route_path(const struct value *value, void *object)
{
	struct config_route *route = object;

	route->is_exact = *value->text == '=';
	if (route->is_exact)
		read_exact_path(value, route);
	else
		read_prefix(value, route);
}

static void add_from(const struct value *item, void *object)
{
	struct config_route *route = object;
	char text[CIDR_TEXT_BYTES];
	struct cidr cidr;
	size_t i;

	if (value_cidr(item, &cidr))
		return;
	for (i = 0; i < route->n_from; i++)
		if (route->from[i].prefixlen == cidr.prefixlen &&
		    IN6_ARE_ADDR_EQUAL(&route->from[i].addr, &cidr.addr))
			break;
	if (i < route->n_from) {
		value_error(item, "%s is given twice (allowed: once)", cidr_text(&cidr, text));
		return;
	}
	route->from = config_grow(route->from, route->n_from, sizeof(*route->from));
	route->from[route->n_from++] = cidr;
}

static void read_route_from(const struct value *value, void *object)
{
	value_list(value, MAX_FROM, add_from, object);
}

static void add_method(const struct value *item, void *object)
{
	struct config_route *route = object;
	uint16_t method;

	if (value_method(item, &method))
		return;
	if (route->methods & method)
		value_error(item, "%s is given twice (allowed: once)", item->text);
	route->methods |= method;
}

static void read_route_method(const struct value *value, void *object)
{
	value_list(value, METHODS, add_method, object);
}

static void read_route_pool(const struct value *value, void *object)
{
	struct config_route *route = object;

	route->action = ROUTE_POOL;
	read_pool(value, &route->pool);
}

static void read_route_deny(const struct value *value, void *object)
{
	static const char *const words[] = { "403", "404" };
	static const int statuses[] = { 403, 404 };
	struct config_route *route = object;
	size_t word;

	route->action = ROUTE_DENY;
	if (!value_choice(value, words, ARRAY_LEN(words), &word))
		route->status = statuses[word];
}

static void read_route_redirect(const struct value *value, void *object)
{
	struct config_route *route = object;

	route->action = ROUTE_REDIRECT;
	value_redirect(value, &route->status, &route->location);
}

const struct schema_key route_keys[] = {
	{ "host", read_route_host, false },	    { "path", read_route_path, false },
	{ "from", read_route_from, true },	    { "method", read_route_method, true },
	{ "pool", read_route_pool, false },	    { "deny", read_route_deny, false },
	{ "redirect", read_route_redirect, false }, { 0 },
};

static void read_component_host(const struct value *value, void *object)
{
	struct config_component *component = object;

	value_host(value, &component->host);
}

static void read_component_path(const struct value *value, void *object)
{
	struct config_component *component = object;

	value_path(value, &component->path);
}

/* NULL: a readable regular file that fits. Opens nothing but regular files. */
static const char *file_fault(const char *path)
{
	struct stat info;
	int fd;

	if (stat(path, &info))
		return strerror(errno);
	if (!S_ISREG(info.st_mode))
		return "is not a regular file";
	if (info.st_size > BODY_MAX)
		return "is too large";
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return strerror(errno);
	close(fd);
	return NULL;
}

static void read_component_file(const struct value *value, void *object)
{
	struct config_component *component = object;
	const char *ini = value->parser->path, *slash = strrchr(ini, '/'), *fault;

	if (*value->text == '/' || !slash)
		component->file = config_strdup(value->text);
	else
		component->file = config_format("%.*s/%s", (int)(slash - ini), ini, value->text);
	fault = file_fault(component->file);
	if (fault)
		value_error(value,
			    "'%s': %s (allowed: a readable regular file of at most %d "
			    "bytes)",
			    component->file, fault, BODY_MAX);
}

static void read_component_type(const struct value *value, void *object)
{
	struct config_component *component = object;

	value_media_type(value, &component->type);
}

static void read_component_cache_control(const struct value *value, void *object)
{
	struct config_component *component = object;

	value_header(value, &component->cache_control);
}

static void read_component_pool(const struct value *value, void *object)
{
	struct config_component *component = object;

	read_pool(value, &component->pool);
}

static void read_component_header(const struct value *value, void *object)
{
	struct config_component *component = object;

	value_fields(value, &component->headers);
}

const struct schema_key component_keys[] = {
	{ "host", read_component_host, false },
	{ "path", read_component_path, false },
	{ "file", read_component_file, false },
	{ "type", read_component_type, false },
	{ "cache-control", read_component_cache_control, false },
	{ "header", read_component_header, true },
	{ "pool", read_component_pool, false },
	{ "template", NULL, false },
	{ "records", NULL, false },
	{ "miss", NULL, false },
	{ "origin", NULL, false },
	{ "ttl", NULL, false },
	{ "stale", NULL, false },
	{ "bypass", NULL, false },
	{ 0 },
};
