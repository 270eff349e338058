// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One INI file to one struct config, and its end. The steps are in their own files: lines to
 * entries (config_ini.c), entries to values (config_schema.c and the readers behind it), then what
 * the whole must obey (config_check.c, config_limits.c, config_rules.c). config_parse.h joins them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_parse.h"

#define CONFIG_BYTES_MAX (64 << 20) /* some times what the most routes and components take */

static void gateway_clear(struct config_gateway *gateway)
{
	size_t i;

	for (i = 0; i < gateway->n_uplinks; i++)
		free(gateway->uplinks[i]);
	free(gateway->uplinks);
	free(gateway->vips);
	free(gateway->trusted);
	free(gateway->admin);
	free(gateway->instance);
}

static void backend_clear(struct config_backend *backend)
{
	free(backend->name);
	free(backend->netns);
	free(backend->interface);
	free(backend->health.path);
}

static void pool_clear(struct config_pool *pool)
{
	free(pool->name);
	free(pool->backends);
	free(pool->cookie);
	free(pool->default_of);
}

static void route_clear(struct config_route *route)
{
	free(route->name);
	free(route->host);
	free(route->path);
	free(route->from);
	free(route->location);
}

static void component_clear(struct config_component *component)
{
	free(component->name);
	free(component->host);
	free(component->path);
	free(component->file);
	free(component->type);
	free(component->cache_control);
	free(component->headers);
}

void config_free(struct config *config)
{
	size_t i;

	if (!config)
		return;
	gateway_clear(&config->gateway);
	for (i = 0; i < config->n_backends; i++)
		backend_clear(&config->backends[i]);
	for (i = 0; i < config->n_pools; i++)
		pool_clear(&config->pools[i]);
	for (i = 0; i < config->n_routes; i++)
		route_clear(&config->routes[i]);
	for (i = 0; i < config->n_components; i++)
		component_clear(&config->components[i]);
	free(config->backends);
	free(config->pools);
	free(config->routes);
	free(config->components);
	free(config->path);
	free(config);
}

/* Opens a regular file that is not too large; others could block, or never end. NULL: *fault. */
static FILE *open_regular(const char *path, const char **fault)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;
	FILE *file = NULL;

	if (fd < 0 || fstat(fd, &info))
		*fault = strerror(errno);
	else if (!S_ISREG(info.st_mode))
		*fault = "not a regular file";
	else if (info.st_size > CONFIG_BYTES_MAX)
		*fault = "larger than 64 MiB";
	else if (!(file = fdopen(fd, "r")))
		*fault = strerror(errno);
	if (!file && fd >= 0)
		close(fd);
	return file;
}

int config_load(const char *path, struct config **out, FILE *err)
{
	struct parser parser = { .path = path };
	const char *fault = NULL;
	int problems, unread;
	FILE *file;

	*out = NULL;
	file = open_regular(path, &fault);
	if (!file) {
		fprintf(err, "%s:0: cannot be read: %s\n", path, fault);
		return 1;
	}
	parser.config = config_alloc(sizeof(*parser.config));
	parser.config->path = config_strdup(path);
	unread = ini_read(&parser, file);
	fclose(file);
	if (!unread && check_counts(&parser)) {
		schema_read(&parser);
		check_config(&parser);
		check_limits(&parser);
		check_rules(&parser);
	}
	problems = report_finish(&parser, err);
	if (problems)
		config_free(parser.config);
	else
		*out = parser.config;
	parser_clear(&parser);
	return problems;
}
