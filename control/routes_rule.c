// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policy rules "fwmark MARK/MASK lookup TABLE": one per backend and family, found again by protocol
 * and priority. The rules of others are read, never written.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <string.h>

#include "log.h"
#include "routes_internal.h"

static struct rtnl_rule *first_rule(struct nl_cache *rules)
{
	return (struct rtnl_rule *)nl_cache_get_first(rules);
}

static struct rtnl_rule *next_rule(struct rtnl_rule *rule)
{
	return (struct rtnl_rule *)nl_cache_get_next(OBJ_CAST(rule));
}

int rules_dump(struct routes *routes, struct nl_cache **rules)
{
	int err;

	err = routes_error(routes, rtnl_rule_alloc_cache(routes->sock, AF_UNSPEC, rules));
	if (err)
		*rules = NULL;
	return err;
}

static bool is_ours(struct rtnl_rule *rule)
{
	uint8_t protocol;

	return !rtnl_rule_get_protocol(rule, &protocol) && protocol == ROUTES_PROTOCOL;
}

static bool is_in_range(struct rtnl_rule *rule, uint32_t first, uint32_t count)
{
	uint32_t priority = rtnl_rule_get_prio(rule);

	return priority >= first && priority - first < count;
}

/* True when the rule does exactly what `want` asks, for every packet with that mark. */
static bool is_same(struct rtnl_rule *rule, const struct steering *want)
{
	return rtnl_rule_get_family(rule) == want->family &&
	       rtnl_rule_get_prio(rule) == want->priority &&
	       rtnl_rule_get_mark(rule) == want->mark && rtnl_rule_get_mask(rule) == want->mask &&
	       rtnl_rule_get_table(rule) == want->table &&
	       rtnl_rule_get_action(rule) == FR_ACT_TO_TBL && !rtnl_rule_get_src(rule) &&
	       !rtnl_rule_get_dst(rule) && !rtnl_rule_get_iif(rule) && !rtnl_rule_get_oif(rule);
}

static int add_rule(struct routes *routes, const struct steering *want)
{
	struct rtnl_rule *rule;
	int err;

	rule = rtnl_rule_alloc();
	if (!rule)
		return -ENOMEM;
	rtnl_rule_set_family(rule, want->family);
	rtnl_rule_set_prio(rule, want->priority);
	rtnl_rule_set_mark(rule, want->mark);
	rtnl_rule_set_mask(rule, want->mask);
	rtnl_rule_set_table(rule, want->table);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_protocol(rule, ROUTES_PROTOCOL);

	/* Without NLM_F_EXCL the kernel adds a second, equal rule. */
	err = routes_error(routes, rtnl_rule_add(routes->sock, rule, NLM_F_EXCL));
	rtnl_rule_put(rule);
	if (err)
		log_error("cannot add IPv%d rule %u: fwmark 0x%x/0x%x lookup %u: %s",
			  want->family == AF_INET ? 4 : 6, want->priority, want->mark, want->mask,
			  want->table, strerror(-err));
	return err;
}

/* Marks the rule that serves `want`, its own or an equal one of somebody else. */
static bool mark_rule(struct nl_cache *rules, const struct steering *want)
{
	struct rtnl_rule *rule;

	for (rule = first_rule(rules); rule; rule = next_rule(rule)) {
		if (!is_same(rule, want))
			continue;
		nl_object_mark(OBJ_CAST(rule));
		return true;
	}
	return false;
}

int rules_add_missing(struct routes *routes, struct nl_cache *rules, const struct steering *want,
		      size_t n)
{
	int err = 0, next;
	size_t i;

	for (i = 0; i < n; i++) {
		next = mark_rule(rules, &want[i]) ? 0 : add_rule(routes, &want[i]);
		err = err ? err : next;
	}
	return err;
}

static int delete_rule(struct routes *routes, struct rtnl_rule *rule)
{
	int err;

	err = routes_error(routes, rtnl_rule_delete(routes->sock, rule, 0));
	if (!err || err == -ENOENT)
		return 0;
	log_error("cannot delete IPv%d rule %u lookup %u: %s",
		  rtnl_rule_get_family(rule) == AF_INET ? 4 : 6, rtnl_rule_get_prio(rule),
		  rtnl_rule_get_table(rule), strerror(-err));
	return err;
}

int rules_delete_stale(struct routes *routes, struct nl_cache *rules, uint32_t priority_first,
		       uint32_t count)
{
	struct rtnl_rule *rule;
	int err = 0, next;

	for (rule = first_rule(rules); rule; rule = next_rule(rule)) {
		if (!is_ours(rule) || !is_in_range(rule, priority_first, count) ||
		    nl_object_is_marked(OBJ_CAST(rule)))
			continue;
		next = delete_rule(routes, rule);
		err = err ? err : next;
	}
	return err;
}

bool rules_own_table(struct nl_cache *rules, uint32_t table, uint32_t priority_first,
		     uint32_t count)
{
	struct rtnl_rule *rule;

	for (rule = first_rule(rules); rule; rule = next_rule(rule)) {
		if (is_ours(rule) && is_in_range(rule, priority_first, count) &&
		    rtnl_rule_get_table(rule) == table)
			return true;
	}
	return false;
}

bool rules_forgot_table(struct nl_cache *rules, int family, uint32_t table)
{
	struct rtnl_rule *rule;

	for (rule = first_rule(rules); rule; rule = next_rule(rule)) {
		if (rtnl_rule_get_family(rule) == family && rtnl_rule_get_table(rule) == table)
			return false;
	}
	return true;
}
