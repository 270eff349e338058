// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sorts rules and links them. A path whose first rule matches everything needs no chain; any other
 * one's ends with a rule that does, or goes on with the chain of the next shorter prefix of the
 * same host. Chains share their ends, so their memory is that of the rules.
 */
#include <ctype.h>
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
	int order = (int)a->view - (int)b->view;

	if (!order)
		order = compare_hosts(a->host, b->host);
	if (!order)
		order = b->is_exact - a->is_exact;
	return order ? order : strcmp(a->path, b->path);
}

int pathrules_line(const struct pathrule *rule)
{
	return rule->route ? rule->route->line : rule->component->line;
}

/* Order of trial: longer networks first, then those with methods; the rest cannot both match, or
 * are denials both. */
static int compare_rules(const void *left, const void *right)
{
	const struct pathrule *a = left, *b = right;
	int order = compare_paths(a, b);

	if (!order)
		order = a->is_alias - b->is_alias;
	if (!order)
		order = compare_numbers(b->from.prefixlen, a->from.prefixlen);
	if (!order)
		order = (b->methods != 0) - (a->methods != 0);
	if (!order)
		order = compare_numbers((size_t)pathrules_line(a), (size_t)pathrules_line(b));
	return order;
}

/* As http_normal.h makes it of a request's path. `out` has room for the path and a slash. */
static void make_normal(const char *path, bool is_exact, char *out)
{
	size_t used = 0, len, i;

	for (; *path == '/'; path += strcspn(path, "/")) {
		path++;
		len = strcspn(path, "/;");
		out[used] = '/';
		for (i = 0; i < len; i++)
			out[used + 1 + i] = (char)tolower((unsigned char)path[i]);
		used += len ? len + 1 : 0;
	}
	if (!is_exact || !used)
		out[used++] = '/';
	out[used] = '\0';
}

/* The path with a slash at its end, or without the one that it has. */
static void make_alias(const char *path, char *out)
{
	size_t len = strlen(path);

	memcpy(out, path, len);
	if (len > 1 && path[len - 1] == '/')
		len--;
	else
		out[len++] = '/';
	out[len] = '\0';
}

/* Room for another path of the route; NULL: no memory. */
static char *add_text(struct pathrules *out, const struct config_route *route)
{
	char *text = malloc(strlen(route->path) + 2);

	if (text)
		out->texts[out->n_texts++] = text;
	return text;
}

static void add_rules(struct pathrules *out, struct pathrule rule)
{
	static const struct cidr anyone;
	const struct config_route *route = rule.route;
	size_t i, n = route->n_from ? route->n_from : 1;

	rule.host = route->host;
	rule.is_exact = route->is_exact;
	rule.methods = route->methods;
	for (i = 0; i < n; i++) {
		rule.from = route->n_from ? route->from[i] : anyone;
		out->rules[out->n++] = rule;
	}
}

static int add_route(struct pathrules *out, const struct config_route *route)
{
	struct pathrule rule = { .route = route, .path = route->path };
	char *text;

	add_rules(out, rule);
	if (route->action != ROUTE_DENY)
		return 0;
	text = add_text(out, route);
	if (!text)
		return -ENOMEM;
	make_normal(route->path, route->is_exact, text);
	rule.path = text;
	rule.view = PATHRULE_NORMAL;
	add_rules(out, rule);
	if (!route->is_exact || !strcmp(route->path, "/"))
		return 0;
	text = add_text(out, route);
	if (!text)
		return -ENOMEM;
	make_alias(route->path, text);
	rule.path = text;
	rule.view = PATHRULE_WRITTEN;
	rule.is_alias = true;
	add_rules(out, rule);
	return 0;
}

/* No less than are made. */
static size_t count_rules(const struct config *config)
{
	const struct config_route *route;
	size_t i, n = config->n_components;

	for (i = 0; i < config->n_routes; i++) {
		route = &config->routes[i];
		n += (route->n_from ? route->n_from : 1) * (route->action == ROUTE_DENY ? 3 : 1);
	}
	return n;
}

static int add_all(struct pathrules *out, const struct config *config)
{
	int err = 0;
	size_t i;

	out->rules = calloc(count_rules(config) + 1, sizeof(*out->rules));
	out->texts = calloc(2 * config->n_routes + 1, sizeof(*out->texts));
	if (!out->rules || !out->texts)
		return -ENOMEM;
	for (i = 0; !err && i < config->n_routes; i++)
		err = add_route(out, &config->routes[i]);
	for (i = 0; i < config->n_components; i++)
		out->rules[out->n++] = (struct pathrule){
			.host = config->components[i].host,
			.path = config->components[i].path,
			.is_exact = true,
			.component = &config->components[i],
		};
	qsort(out->rules, out->n, sizeof(*out->rules), compare_rules);
	return err;
}

/* The first rule of the longest prefix that holds the path; the prefixes that may still do so, the
 * shortest first, are in stack[0, *depth). */
static size_t find_parent(const struct pathrules *all, const struct pathrule *rule, size_t *stack,
			  size_t *depth)
{
	const struct pathrule *top;

	for (; *depth; --*depth) {
		top = &all->rules[stack[*depth - 1]];
		if (top->view == rule->view && !compare_hosts(top->host, rule->host) &&
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
	size_t i;

	for (i = 0; i < rules->n_texts; i++)
		free(rules->texts[i]);
	free(rules->texts);
	free(rules->rules);
	memset(rules, 0, sizeof(*rules));
}
