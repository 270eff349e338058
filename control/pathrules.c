// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sorts rules and links them. A path whose first rule matches everything needs no chain; any other
 * one's ends with a rule that does, or goes on with the chain of the next shorter prefix of the
 * same host. Chains share their ends, so their memory is that of the rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "pathrules.h"

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare_hosts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

/* Order of paths. */
static int compare_paths(const struct pathrule *a, const struct pathrule *b)
{
	int order = compare_hosts(a->host, b->host);

	if (!order)
		order = b->is_exact - a->is_exact;
	return order ? order : strcmp(a->path, b->path);
}

int pathrules_line(const struct pathrule *rule)
{
	return rule->route ? rule->route->line : rule->component->line;
}

/* Order of trial: longer networks first, then those with methods; the rest cannot both match. */
static int compare_rules(const void *left, const void *right)
{
	const struct pathrule *a = left, *b = right;
	int order = compare_paths(a, b);

	if (!order)
		order = compare_numbers(b->from.prefixlen, a->from.prefixlen);
	if (!order)
		order = (b->methods != 0) - (a->methods != 0);
	if (!order)
		order = compare_numbers((size_t)pathrules_line(a), (size_t)pathrules_line(b));
	return order;
}

static void add_route(struct pathrules *out, const struct config_route *route)
{
	static const struct cidr anyone;
	struct pathrule rule = {
		.host = route->host,
		.path = route->path,
		.is_exact = route->is_exact,
		.methods = route->methods,
		.route = route,
	};
	size_t i, n = route->n_from ? route->n_from : 1;

	for (i = 0; i < n; i++) {
		rule.from = route->n_from ? route->from[i] : anyone;
		out->rules[out->n++] = rule;
	}
}

static size_t count_rules(const struct config *config)
{
	size_t i, n = config->n_components;

	for (i = 0; i < config->n_routes; i++)
		n += config->routes[i].n_from ? config->routes[i].n_from : 1;
	return n;
}

static int add_all(struct pathrules *out, const struct config *config)
{
	size_t i;

	out->rules = calloc(count_rules(config) + 1, sizeof(*out->rules));
	if (!out->rules)
		return -ENOMEM;
	for (i = 0; i < config->n_routes; i++)
		add_route(out, &config->routes[i]);
	for (i = 0; i < config->n_components; i++)
		out->rules[out->n++] = (struct pathrule){
			.host = config->components[i].host,
			.path = config->components[i].path,
			.is_exact = true,
			.component = &config->components[i],
		};
	qsort(out->rules, out->n, sizeof(*out->rules), compare_rules);
	return 0;
}

/* The first rule of the longest prefix that holds the path; the prefixes that may still do so, the
 * shortest first, are in stack[0, *depth). */
static size_t find_parent(const struct pathrules *all, const struct pathrule *rule, size_t *stack,
			  size_t *depth)
{
	const struct pathrule *top;

	for (; *depth; --*depth) {
		top = &all->rules[stack[*depth - 1]];
		if (!compare_hosts(top->host, rule->host) &&
		    !strncmp(top->path, rule->path, strlen(top->path)))
			return stack[*depth - 1];
	}
	return PATHRULE_NONE;
}

static void give_id(struct pathrules *all, struct pathrule *rule)
{
	if (!rule->id)
		rule->id = ++all->ids;
}

/* Links the rules [first, end) of one path; behind them: `parent`, if there is one. */
static void link_path(struct pathrules *all, size_t first, size_t end, size_t parent)
{
	struct pathrule *rule;
	size_t i;

	all->rules[first].is_first = true;
	for (i = end; i-- > first;) {
		rule = &all->rules[i];
		rule->next = i + 1 < end ? i + 1 : parent;
		if (pathrule_is_open(rule))
			rule->next = PATHRULE_NONE;
		rule->length = 1;
		if (rule->next == PATHRULE_NONE)
			continue;
		rule->length += all->rules[rule->next].length;
		give_id(all, &all->rules[rule->next]);
	}
	if (!pathrule_is_open(&all->rules[first]))
		give_id(all, &all->rules[first]);
}

int pathrules_make(struct pathrules *out, const struct config *config)
{
	size_t stack[PATH_BYTES / 2 + 2], depth = 0, first, end, parent;
	int err;

	memset(out, 0, sizeof(*out));
	err = add_all(out, config);
	for (first = 0; !err && first < out->n; first = end) {
		for (end = first + 1; end < out->n; end++)
			if (compare_paths(&out->rules[first], &out->rules[end]))
				break;
		parent = PATHRULE_NONE;
		if (!out->rules[first].is_exact) {
			parent = find_parent(out, &out->rules[first], stack, &depth);
			stack[depth++] = first;
		}
		link_path(out, first, end, parent);
	}
	return err;
}

void pathrules_free(struct pathrules *rules)
{
	free(rules->rules);
	memset(rules, 0, sizeof(*rules));
}
