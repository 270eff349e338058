// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What several keys or sections must agree on: keys that must be there or exclude each other, paths
 * and ports that only one may have. A key whose own value is wrong counts as being there, so one
 * mistake gives one message.
 */
#include <stdlib.h>

#include "config_parse.h"

/* Line of a key, or of its section. */
static int key_line(const struct section *section, const char *key)
{
	const struct entry *entry = section_find(section, key);

	return entry ? entry->line : section->line;
}

static void require_key(struct parser *parser, const struct section *section, const char *key,
			const char *form)
{
	if (!section_find(section, key))
		report(parser, section->line, "[%s%s%s] has no '%s' (needed: %s = %s)",
		       schema_kind_name(section->kind), *section->name ? " " : "", section->name,
		       key, key, form);
}

static const struct endpoint *find_vip(const struct config_gateway *gateway,
				       const struct endpoint *endpoint)
{
	size_t i;

	for (i = 0; i < gateway->n_vips; i++)
		if (endpoint_equal(&gateway->vips[i], endpoint))
			return &gateway->vips[i];
	return NULL;
}

static void check_gateway(struct parser *parser, const struct section *section)
{
	const struct config_gateway *gateway = &parser->config->gateway;
	char text[ENDPOINT_TEXT_BYTES];

	require_key(parser, section, "uplink", "INTERFACE, ...");
	require_key(parser, section, "vip", "ADDRESS:PORT, ...");
	if (gateway->has_metrics && find_vip(gateway, &gateway->metrics))
		report(parser, key_line(section, "metrics"),
		       "metrics: %s is a vip (allowed: another address or port)",
		       endpoint_text(&gateway->metrics, text));
}

/* The kernel tells local backends apart by port alone, and from clients' packets too. */
static void check_local_backend(struct parser *parser, const struct section *section,
				const struct config_backend *backend)
{
	const struct config_gateway *gateway = &parser->config->gateway;
	int line = key_line(section, "address");
	size_t i;

	report_once(parser, line, "port %u of a backend without netns", backend->address.port);
	for (i = 0; i < gateway->n_vips; i++)
		if (gateway->vips[i].port == backend->address.port)
			break;
	if (i < gateway->n_vips)
		report(parser, line,
		       "address: port %u of a backend without netns is a vip's port too (allowed: "
		       "another port)",
		       backend->address.port);
}

static void check_backend(struct parser *parser, const struct section *section)
{
	const struct config_backend *backend = &parser->config->backends[section->index];
	const struct config_gateway *gateway = &parser->config->gateway;
	bool has_netns = section_find(section, "netns");
	bool has_interface = section_find(section, "interface");
	char text[ENDPOINT_TEXT_BYTES];

	require_key(parser, section, "address", "ADDRESS:PORT");
	if (has_netns && !has_interface)
		require_key(parser, section, "interface", "NAME, the one inside the netns");
	if (has_interface && !has_netns)
		report(parser, key_line(section, "interface"),
		       "interface: [backend %s] has no netns (allowed: only together with netns)",
		       section->name);
	if (!backend->address.port)
		return;
	if (!has_netns)
		check_local_backend(parser, section, backend);
	else if (find_vip(gateway, &backend->address) || find_vip(gateway, &backend->address6))
		report(parser, key_line(section, "address"),
		       "address: %s is a vip (allowed: the backend's own address)",
		       endpoint_text(find_vip(gateway, &backend->address) ? &backend->address :
									    &backend->address6,
				     text));
}

/* One label for what may stand once: a path with one pair of conditions. */
static void note_path(struct parser *parser, int line, const char *host, const char *path,
		      bool is_exact, const char *conditions)
{
	report_once(parser, line, "%s '%s' of %s%s%s%s", is_exact ? "exact path" : "prefix", path,
		    host ? "host " : "any host", host && *host == '.' ? "*" : "", host ? host : "",
		    conditions);
}

/* `from`: " from NETWORK", or empty. */
static void note_methods(struct parser *parser, int line, const struct config_route *route,
			 const char *from)
{
	unsigned int bit;
	char *text;

	if (!route->methods)
		note_path(parser, line, route->host, route->path, route->is_exact, from);
	for (bit = 0; bit < METHODS; bit++) {
		if (!(route->methods & 1u << bit))
			continue;
		text = config_format("%s with method %s", from, method_name(bit));
		note_path(parser, line, route->host, route->path, route->is_exact, text);
		free(text);
	}
}

static void note_route(struct parser *parser, int line, const struct config_route *route)
{
	char text[CIDR_TEXT_BYTES], *from;
	size_t i;

	if (!route->n_from)
		note_methods(parser, line, route, "");
	for (i = 0; i < route->n_from; i++) {
		from = config_format(" from %s", cidr_text(&route->from[i], text));
		note_methods(parser, line, route, route->from[i].prefixlen ? from : "");
		free(from);
	}
}

static void check_route(struct parser *parser, const struct section *section)
{
	static const char *const actions[] = { "pool", "deny", "redirect" };
	const struct config_route *route = &parser->config->routes[section->index];
	size_t i, n = 0;

	require_key(parser, section, "path", "/PREFIX/, or = /EXACT");
	for (i = 0; i < ARRAY_LEN(actions); i++)
		n += section_find(section, actions[i]) != NULL;
	if (n != 1)
		report(parser, section->line,
		       "[route %s] has %zu of 'pool', 'deny' and 'redirect' (needed: exactly one)",
		       section->name, n);
	if (route->path && (route->host || !section_find(section, "host")))
		note_route(parser, key_line(section, "path"), route);
}

/* A file is not asked of a component whose bytes were to come from elsewhere. */
static bool has_unsupported_source(const struct section *section)
{
	return section_find(section, "template") || section_find(section, "records") ||
	       section_find(section, "origin");
}

static void check_component(struct parser *parser, const struct section *section)
{
	const struct config_component *component = &parser->config->components[section->index];

	require_key(parser, section, "path", "/EXACT");
	if (!has_unsupported_source(section))
		require_key(parser, section, "file", "FILE");
	if (component->path && (component->host || !section_find(section, "host")))
		note_path(parser, key_line(section, "path"), component->host, component->path, true,
			  "");
}

static void check_pool(struct parser *parser, const struct section *section)
{
	const struct config_pool *pool = &parser->config->pools[section->index];
	char text[ENDPOINT_TEXT_BYTES];
	size_t i;

	require_key(parser, section, "backends", "BACKEND, ...");
	for (i = 0; i < pool->n_default_of; i++)
		if (!find_vip(&parser->config->gateway, &pool->default_of[i]))
			report(parser, key_line(section, "default"),
			       "default: %s is no vip of [gateway] (allowed: yes, no, or vips)",
			       endpoint_text(&pool->default_of[i], text));
}

static void check_section(struct parser *parser, const struct section *section)
{
	switch (section->kind) {
	case SECTION_GATEWAY:
		check_gateway(parser, section);
		break;
	case SECTION_BACKEND:
		check_backend(parser, section);
		break;
	case SECTION_POOL:
		check_pool(parser, section);
		break;
	case SECTION_ROUTE:
		check_route(parser, section);
		break;
	case SECTION_COMPONENT:
		check_component(parser, section);
		break;
	default:
		break;
	}
}

void check_config(struct parser *parser)
{
	size_t i;

	if (!parser->config->gateway.line) {
		parser->config->gateway.line = 1;
		report(parser, 1, "there is no [gateway] section (needed: one)");
	}
	for (i = 0; i < parser->n_sections; i++)
		check_section(parser, &parser->sections[i]);
}
