// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much there may be: sections, hosts, weights of a pool, and the marks, tables and priorities
 * that are counted up from the gateway's first ones, one for each backend.
 */
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "config_parse.h"

#define TABLE_RESERVED_FIRST 253 /* default, main, local */
#define TABLE_RESERVED_LAST 255

/* False: too many; the rest of the checks would drown that in other messages. */
bool check_counts(struct parser *parser)
{
	static const size_t max[SECTION_KINDS] = {
		[SECTION_GATEWAY] = 1,		 [SECTION_BACKEND] = MAX_BACKENDS,
		[SECTION_POOL] = MAX_POOLS,	 [SECTION_ROUTE] = MAX_PATHS,
		[SECTION_COMPONENT] = MAX_PATHS,
	};
	size_t counts[SECTION_KINDS] = { 0 }, i, n;
	const struct section *section;

	for (i = 0; i < parser->n_sections; i++) {
		section = &parser->sections[i];
		if (section->kind == SECTION_IGNORED)
			continue;
		n = ++counts[section->kind];
		if (section->kind == SECTION_ROUTE || section->kind == SECTION_COMPONENT)
			n = counts[SECTION_ROUTE] + counts[SECTION_COMPONENT];
		if (n <= max[section->kind])
			continue;
		report(parser, section->line, "[%s %s] is one too many (allowed: %zu %s)",
		       schema_kind_name(section->kind), section->name, max[section->kind],
		       section->kind < SECTION_ROUTE ? "of them" : "routes and components");
		return false;
	}
	return true;
}

static const struct section *find_section(const struct parser *parser, enum section_kind kind,
					  size_t index)
{
	size_t i;

	for (i = 0; i < parser->n_sections; i++)
		if (parser->sections[i].kind == kind && parser->sections[i].index == index)
			return &parser->sections[i];
	return NULL;
}

static int gateway_key_line(const struct parser *parser, const char *key)
{
	const struct section *section = find_section(parser, SECTION_GATEWAY, 0);
	const struct entry *entry = section ? section_find(section, key) : NULL;

	return entry ? entry->line : parser->config->gateway.line;
}

/* Backend number i, from 0, gets base + i * the mask's lowest bit. Returns how many have room. */
static size_t count_marks(uint32_t base, uint32_t mask)
{
	uint64_t step = mask & -mask, mark = base;
	size_t n;

	for (n = 0; n < MAX_BACKENDS && !(mark & ~(uint64_t)mask); n++)
		mark += step;
	return n;
}

static void check_marks(struct parser *parser)
{
	const struct config_gateway *gateway = &parser->config->gateway;
	size_t room = count_marks(gateway->mark_base, gateway->mark_mask);

	if (parser->config->n_backends > room)
		report(parser, gateway_key_line(parser, "fwmark"),
		       "fwmark: 0x%x/0x%x has room for %zu backends, not for %zu (allowed: a mask "
		       "with more bits, a lower base)",
		       gateway->mark_base, gateway->mark_mask, room, parser->config->n_backends);
}

static void check_tables(struct parser *parser)
{
	const struct config *config = parser->config;
	uint64_t first = config->gateway.table, last = first + config->n_backends - 1;

	if (config->n_backends &&
	    (last > UINT32_MAX || (first <= TABLE_RESERVED_LAST && last >= TABLE_RESERVED_FIRST)))
		report(parser, gateway_key_line(parser, "table"),
		       "table: %zu backends need %llu to %llu (allowed: 1 to %d, %d to %u)",
		       config->n_backends, (unsigned long long)first, (unsigned long long)last,
		       TABLE_RESERVED_FIRST - 1, TABLE_RESERVED_LAST + 1, UINT32_MAX);
}

static void check_priorities(struct parser *parser)
{
	const struct config *config = parser->config;
	size_t last = config->gateway.priority + config->n_backends - 1;

	if (config->n_backends && last > PRIORITY_MAX)
		report(parser, gateway_key_line(parser, "priority"),
		       "priority: %zu backends need %u to %zu (allowed: 1 to %d)",
		       config->n_backends, config->gateway.priority, last, PRIORITY_MAX);
}

static void check_weights(struct parser *parser, const struct config_pool *pool, size_t index)
{
	const struct section *section;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < pool->n_backends; i++)
		sum += parser->config->backends[pool->backends[i]].weight;
	if (sum <= POOL_SLOTS)
		return;
	section = find_section(parser, SECTION_POOL, index);
	report(parser, section_find(section, "backends")->line,
	       "backends: the weights of [pool %s] add up to %u (allowed: %d)", pool->name, sum,
	       POOL_SLOTS);
}

static int compare_hosts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts. */
static size_t count_distinct(const char **hosts, size_t n)
{
	size_t i, distinct = n ? 1 : 0;

	qsort(hosts, n, sizeof(*hosts), compare_hosts);
	for (i = 1; i < n; i++)
		distinct += strcmp(hosts[i], hosts[i - 1]) != 0;
	return distinct;
}

static void check_hosts(struct parser *parser)
{
	const struct config *config = parser->config;
	const char **hosts =
		config_alloc((config->n_routes + config->n_components) * sizeof(*hosts));
	size_t n = 0, i, distinct;

	for (i = 0; i < config->n_routes; i++)
		if (config->routes[i].host)
			hosts[n++] = config->routes[i].host;
	for (i = 0; i < config->n_components; i++)
		if (config->components[i].host)
			hosts[n++] = config->components[i].host;
	distinct = count_distinct(hosts, n);
	if (distinct > MAX_HOSTS)
		report(parser, config->gateway.line, "host: %zu different names (allowed: %d)",
		       distinct, MAX_HOSTS);
	free(hosts);
}

void check_limits(struct parser *parser)
{
	const struct config *config = parser->config;
	size_t i;

	check_marks(parser);
	check_tables(parser);
	check_priorities(parser);
	for (i = 0; i < config->n_pools; i++)
		check_weights(parser, &config->pools[i], i);
	check_hosts(parser);
}
