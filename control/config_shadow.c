// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warnings about a configuration that is right: routes and components that can never answer because
 * others of their path, which are asked first, take all of their requests; and components and
 * denials of any host that a wider prefix of some host goes before. A longer path is never hidden
 * by a shorter one, so a route below a `deny` is none of these.
 */
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "config_parse.h"
#include "keymap.h"
#include "pathrules.h"

#define ALL_METHODS ((1u << (METHODS + 1)) - 1) /* the others are one more */

static bool has_bit(const struct cidr *net, unsigned int bit)
{
	return net->addr.s6_addr[bit / 8] & (0x80 >> bit % 8);
}

/* Is every address of `inner` one of `outer`? */
static bool cidr_holds(const struct cidr *outer, const struct cidr *inner)
{
	unsigned int bit;

	if (outer->prefixlen > inner->prefixlen)
		return false;
	for (bit = 0; bit < outer->prefixlen; bit++)
		if (has_bit(outer, bit) != has_bit(inner, bit))
			return false;
	return true;
}

static unsigned int methods_of(const struct pathrule *rule)
{
	if (rule->component)
		return RULE_GET | RULE_HEAD; /* all that one answers */
	return rule->methods ? rule->methods : ALL_METHODS;
}

/* True if the rules [first, end) take all requests of the network with a method. */
static bool is_taken(const struct pathrules *all, size_t first, size_t end, struct cidr net,
		     unsigned int method)
{
	struct cidr half = net;
	bool is_inside = false;
	size_t i;

	for (i = first; i < end; i++) {
		const struct pathrule *rule = &all->rules[i];

		if (!(methods_of(rule) & method))
			continue;
		if (cidr_holds(&rule->from, &net))
			return true;
		is_inside |= cidr_holds(&net, &rule->from);
	}
	if (!is_inside)
		return false;
	half.prefixlen++;
	if (!is_taken(all, first, end, half, method))
		return false;
	half.addr.s6_addr[net.prefixlen / 8] |= (uint8_t)(0x80 >> net.prefixlen % 8);
	return is_taken(all, first, end, half, method);
}

/* Rule `i` of the path that begins with rule `first` never answers. */
static bool is_dead(const struct pathrules *all, size_t first, size_t i)
{
	unsigned int left = methods_of(&all->rules[i]), method;

	for (; left; left &= left - 1) {
		method = left & -left;
		if (!is_taken(all, first, i, all->rules[i].from, method))
			return false;
	}
	return true;
}

static void name_rule(FILE *err, const struct pathrule *rule)
{
	fprintf(err, "[%s %s]", rule->route ? "route" : "component",
		rule->route ? rule->route->name : rule->component->name);
}

static void warn(FILE *err, const struct config *config, const struct pathrule *rule)
{
	fprintf(err, "%s:%d: warning: ", config->path, pathrules_line(rule));
	name_rule(err, rule);
}

/* All rules of one path that belong to the route or component of rule `i` are dead. */
static bool is_hidden(const struct pathrules *all, size_t first, size_t end, size_t i)
{
	const struct pathrule *of = &all->rules[i];
	size_t j;

	for (j = first; j < end; j++)
		if (all->rules[j].route == of->route && all->rules[j].component == of->component &&
		    !is_dead(all, first, j))
			return false;
	return true;
}

/* The first rule that takes some of the requests of rule `i`. */
static const struct pathrule *find_hider(const struct pathrules *all, size_t first, size_t i)
{
	const struct pathrule *of = &all->rules[i], *rule = of;
	size_t j;

	for (j = first; j < i; j++) {
		rule = &all->rules[j];
		if (methods_of(rule) & methods_of(of) &&
		    (cidr_holds(&rule->from, &of->from) || cidr_holds(&of->from, &rule->from)))
			break;
	}
	return rule;
}

static void warn_path(FILE *err, const struct config *config, const struct pathrules *all,
		      size_t first, size_t end)
{
	const struct pathrule *rule, *hider;
	size_t i, j;

	for (i = first; i < end; i++) {
		rule = &all->rules[i];
		for (j = first; j < i; j++)
			if (all->rules[j].route == rule->route && rule->route)
				break; /* its other networks: once is enough */
		if (rule->is_alias || j < i || !is_hidden(all, first, end, i))
			continue;
		hider = find_hider(all, first, i);
		warn(err, config, rule);
		fputs(" never answers: ", err);
		name_rule(err, hider);
		fprintf(err, " (%s:%d) and what else is asked first for '%s' take all requests\n",
			config->path, pathrules_line(hider), rule->path);
	}
}

/* Prefixes of hosts that take everything below them: path -> index of the first one's rule. */
static void note_prefixes(const struct pathrules *all, struct keymap *prefixes, uint32_t *counts)
{
	const struct pathrule *rule;
	uint32_t first;
	size_t i;

	for (i = 0; i < all->n; i++) {
		rule = &all->rules[i];
		if (!rule->is_first || !rule->host || rule->is_exact ||
		    rule->view != PATHRULE_WRITTEN || !pathrule_is_open(rule) ||
		    rule->route->action == ROUTE_DENY)
			continue;
		first = keymap_get(prefixes, 0, rule->path, strlen(rule->path));
		if (first == KEYMAP_MISSING) {
			first = (uint32_t)i;
			if (keymap_put(prefixes, 0, rule->path, strlen(rule->path), first))
				return;
		}
		counts[first]++;
	}
}

static void warn_host(FILE *err, const struct config *config, const struct pathrules *all,
		      const struct keymap *prefixes, const uint32_t *counts,
		      const struct pathrule *rule)
{
	const struct pathrule *hider;
	uint32_t found;
	size_t len;

	for (len = strlen(rule->path); len; len--) {
		if (rule->path[len - 1] != '/')
			continue;
		found = keymap_get(prefixes, 0, rule->path, len);
		if (found == KEYMAP_MISSING)
			continue;
		hider = &all->rules[found];
		warn(err, config, rule);
		fprintf(err, " does not answer for host %s%s: ", *hider->host == '.' ? "*" : "",
			hider->host);
		name_rule(err, hider);
		fprintf(err, " (%s:%d) is asked first", config->path, pathrules_line(hider));
		if (counts[found] > 1)
			fprintf(err, "; the same holds for %u other hosts", counts[found] - 1);
		fputc('\n', err);
		return;
	}
}

/* Components and denials of any host. */
static void warn_hosts(FILE *err, const struct config *config, const struct pathrules *all)
{
	uint32_t *counts = calloc(all->n + 1, sizeof(*counts));
	struct keymap prefixes = {};
	const struct pathrule *rule;
	size_t i;

	if (!counts)
		return;
	note_prefixes(all, &prefixes, counts);
	for (i = 0; i < all->n; i++) {
		rule = &all->rules[i];
		if (rule->host || rule->view != PATHRULE_WRITTEN || rule->is_alias ||
		    (i && all->rules[i - 1].route == rule->route && rule->route))
			continue;
		if (rule->component || rule->route->action == ROUTE_DENY)
			warn_host(err, config, all, &prefixes, counts, rule);
	}
	keymap_free(&prefixes);
	free(counts);
}

void config_warn(const struct config *config, FILE *err)
{
	struct pathrules all;
	size_t first, end;

	if (!pathrules_make(&all, config)) {
		for (first = 0; first < all.n; first = end) {
			for (end = first + 1; end < all.n && !all.rules[end].is_first;)
				end++;
			if (all.rules[first].view == PATHRULE_WRITTEN)
				warn_path(err, config, &all, first, end);
		}
		warn_hosts(err, config, &all);
	}
	pathrules_free(&all);
}
