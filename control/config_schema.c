// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From sections to the config: makes the objects with their names first, so that references may
 * point forwards, then hands each entry to its key's reader. Unknown keys end here, and keys that
 * the design has but this version has not.
 */
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

static const struct {
	const char *name;
	const struct schema_key *keys;
} kinds[SECTION_KINDS] = {
	[SECTION_GATEWAY] = { "gateway", gateway_keys },
	[SECTION_BACKEND] = { "backend", backend_keys },
	[SECTION_POOL] = { "pool", pool_keys },
	[SECTION_ROUTE] = { "route", route_keys },
	[SECTION_COMPONENT] = { "component", component_keys },
};

const char *schema_kind_name(enum section_kind kind)
{
	return kinds[kind].name;
}

static const struct schema_key *find_key(enum section_kind kind, const char *name, size_t len)
{
	const struct schema_key *key;

	if (kind == SECTION_IGNORED)
		return NULL;
	for (key = kinds[kind].keys; key->name; key++)
		if (strlen(key->name) == len && !strncmp(key->name, name, len))
			return key;
	return NULL;
}

bool schema_has_key(enum section_kind kind, const char *key, size_t len)
{
	return find_key(kind, key, len);
}

static void report_unknown_key(struct parser *parser, const struct section *section,
			       const struct entry *entry)
{
	const struct schema_key *key;
	char *allowed = config_strdup(""), *longer;

	for (key = kinds[section->kind].keys; key->name; key++) {
		if (!key->read)
			continue;
		longer = config_format("%s%s%s", allowed, *allowed ? ", " : "", key->name);
		free(allowed);
		allowed = longer;
	}
	report(parser, entry->line, "unknown key '%s' in [%s] (allowed: %s)", entry->key,
	       schema_kind_name(section->kind), allowed);
	free(allowed);
}

static void read_entry(struct parser *parser, const struct section *section,
		       const struct entry *entry, void *object)
{
	const struct schema_key *key = find_key(section->kind, entry->key, strlen(entry->key));
	struct value value = { parser, entry->key, NULL, entry->line };

	if (!key) {
		report_unknown_key(parser, section, entry);
		return;
	}
	if (!key->read) {
		report(parser, entry->line, "key '%s' is not supported in this version",
		       entry->key);
		return;
	}
	value.text = config_strdup(entry->value);
	if (!key->is_list)
		value_unfold(value.text);
	if (value.text[strspn(value.text, " \t\n")])
		key->read(&value, object);
	else
		report(parser, entry->line, "%s: the value is empty", entry->key);
	free(value.text);
}

/* The section's struct in the config; its line and name are set. */
static void *section_object(struct config *config, const struct section *section)
{
	char **name;
	void *object;
	int *line;

	switch (section->kind) {
	case SECTION_BACKEND:
		object = &config->backends[section->index];
		line = &config->backends[section->index].line;
		name = &config->backends[section->index].name;
		break;
	case SECTION_POOL:
		object = &config->pools[section->index];
		line = &config->pools[section->index].line;
		name = &config->pools[section->index].name;
		break;
	case SECTION_ROUTE:
		object = &config->routes[section->index];
		line = &config->routes[section->index].line;
		name = &config->routes[section->index].name;
		break;
	case SECTION_COMPONENT:
		object = &config->components[section->index];
		line = &config->components[section->index].line;
		name = &config->components[section->index].name;
		break;
	default:
		config->gateway.line = section->line;
		return &config->gateway;
	}
	*line = section->line;
	if (!*name)
		*name = config_strdup(section->name);
	return object;
}

static void allocate(struct parser *parser)
{
	struct config *config = parser->config;
	size_t counts[SECTION_KINDS] = { 0 }, i;
	struct section *section;

	for (i = 0; i < parser->n_sections; i++) {
		section = &parser->sections[i];
		if (section->kind != SECTION_IGNORED)
			section->index = counts[section->kind]++;
	}
	config->n_backends = counts[SECTION_BACKEND];
	config->n_pools = counts[SECTION_POOL];
	config->n_routes = counts[SECTION_ROUTE];
	config->n_components = counts[SECTION_COMPONENT];
	config->backends = config_alloc(config->n_backends * sizeof(*config->backends));
	config->pools = config_alloc(config->n_pools * sizeof(*config->pools));
	config->routes = config_alloc(config->n_routes * sizeof(*config->routes));
	config->components = config_alloc(config->n_components * sizeof(*config->components));
}

static void set_defaults(struct config *config)
{
	struct config_gateway *gateway = &config->gateway;
	size_t i;

	gateway->flows = FLOWS_DEFAULT;
	gateway->header_timeout_ms = HEADER_TIMEOUT_DEFAULT_MS;
	gateway->source_flows = UINT32_MAX;
	gateway->mark_base = MARK_BASE_DEFAULT;
	gateway->mark_mask = MARK_MASK_DEFAULT;
	gateway->table = TABLE_DEFAULT;
	gateway->priority = PRIORITY_DEFAULT;
	config->default_pool = SIZE_MAX;
	for (i = 0; i < config->n_backends; i++)
		config->backends[i].weight = 1;
	for (i = 0; i < config->n_components; i++)
		config->components[i].pool = SIZE_MAX;
}

/* What depends on whether a key was there. */
static void set_late_defaults(struct config *config)
{
	struct config_component *component;
	size_t i;

	if (config->gateway.source_flows == UINT32_MAX)
		config->gateway.source_flows = config->gateway.flows / 4;
	if (!config->gateway.admin)
		config->gateway.admin = config_strdup(ADMIN_DEFAULT);
	for (i = 0; i < config->n_components; i++) {
		component = &config->components[i];
		if (!component->type && component->file)
			component->type = config_strdup(media_type_of(component->file));
	}
}

void schema_read(struct parser *parser)
{
	const struct section *section;
	void *object;
	size_t i, j;

	allocate(parser);
	set_defaults(parser->config);
	for (i = 0; i < parser->n_sections; i++)
		if (parser->sections[i].kind != SECTION_IGNORED)
			section_object(parser->config, &parser->sections[i]);
	for (i = 0; i < parser->n_sections; i++) {
		section = &parser->sections[i];
		if (section->kind == SECTION_IGNORED)
			continue;
		object = section_object(parser->config, section);
		for (j = 0; j < section->n_entries; j++)
			read_entry(parser, section, &section->entries[j], object);
	}
	set_late_defaults(parser->config);
}
