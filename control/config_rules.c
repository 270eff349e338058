// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes as a whole: how many rules there may be, and how many of them one request is compared
 * with. Only for a configuration without other problems.
 */
#include "abi.h"
#include "config_parse.h"
#include "pathrules.h"

static void check_chain(struct parser *parser, const struct pathrule *rule)
{
	if (rule->length > RULES_PER_PATH)
		report(parser, pathrules_line(rule),
		       "path '%s' has %u pairs of 'from' and 'method', those of its shorter "
		       "prefixes included (allowed: %d)",
		       rule->path, rule->length, RULES_PER_PATH);
}

/* Normal forms only where that is the first to be too long. */
static void check_view(struct parser *parser, const struct pathrules *rules,
		       enum pathrule_view view)
{
	size_t i;

	for (i = 0; !parser->n_problems && i < rules->n; i++)
		if (rules->rules[i].view == view && rules->rules[i].is_first)
			check_chain(parser, &rules->rules[i]);
}

/* A reload holds two sets of them. */
static void check_paths(struct parser *parser, const struct pathrules *rules)
{
	size_t i, n = 0;

	for (i = 0; i < rules->n; i++)
		n += rules->rules[i].is_first;
	if (n > MAX_PATHS)
		report(parser, parser->config->gateway.line,
		       "routes and components make %zu paths, a 'deny' two, or three with an exact "
		       "path (allowed: %d)",
		       n, MAX_PATHS);
}

void check_rules(struct parser *parser)
{
	struct pathrules rules;

	if (parser->n_problems)
		return;
	if (pathrules_make(&rules, parser->config))
		report(parser, 0, "out of memory");
	check_paths(parser, &rules);
	check_view(parser, &rules, PATHRULE_WRITTEN);
	check_view(parser, &rules, PATHRULE_NORMAL);
	if (rules.ids >= MAX_RULES)
		report(parser, parser->config->gateway.line,
		       "routes with 'from' or 'method' make %u rules (allowed: %d)", rules.ids,
		       MAX_RULES - 1);
	pathrules_free(&rules);
}
