// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paths and rules of one epoch. Entry point: mapsync_write_rules(). Rules are written before the
 * paths that lead to them.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "hash.h"
#include "log.h"
#include "mapsync.h"
#include "pathrules.h"

struct writer {
	const struct mapset *maps;
	const struct mapsync_targets *targets;
	struct pathrules rules;
};

static uint32_t scope_of(const struct writer *w, const struct pathrule *rule)
{
	const char *host = rule->host;

	return w->targets->epoch->epoch << MAPSYNC_HOST_BITS |
	       (rule->view == PATHRULE_NORMAL ? SCOPE_DENY : 0) |
	       (rule->is_exact ? 0 : SCOPE_PREFIX) |
	       (host ? keymap_get(w->targets->hosts, 0, host, strlen(host)) : 0);
}

/* What the datapath must look for. */
static void note_depth(const struct writer *w, const char *prefix, size_t len)
{
	struct mapsync_epoch *epoch = w->targets->epoch;
	unsigned int depth = 0;
	size_t i;

	for (i = 1; i < len; i++)
		depth += prefix[i] == '/';
	if (len <= PATH_SHORT)
		epoch->depths |= 1u << depth % PATH_DEPTHS;
	else
		epoch->long_depths |= 1u << depth % PATH_DEPTHS;
}

static int put_key(const struct writer *w, const struct pathrule *rule, struct target *target)
{
	size_t len = strlen(rule->path);

	if (!rule->is_exact)
		note_depth(w, rule->path, len);
	if (len <= PATH_SHORT) {
		struct path_key key = { .scope = scope_of(w, rule) };

		memcpy(key.path, rule->path, len);
		return mapsync_update(w->maps->paths, &key, target, "path", rule->path);
	}
	if (len <= PATH_BYTES) {
		struct long_path_key key = { .scope = scope_of(w, rule) };

		memcpy(key.path, rule->path, len);
		return mapsync_update(w->maps->long_paths, &key, target, "path", rule->path);
	}
	return -ENAMETOOLONG;
}

static struct target target_of(const struct writer *w, const struct pathrule *rule)
{
	const struct config *config = w->targets->config;
	struct target target;

	if (rule->route)
		target = w->targets->routes[rule->route - config->routes];
	else
		target = w->targets->components[rule->component - config->components];
	target.len = rule->is_exact ? TARGET_EXACT : (uint8_t)strlen(rule->path);
	target.ident = hash_fnv(HASH_FNV_SEED, rule->path, strlen(rule->path));
	return target;
}

/* Index into `rules`; id 0: none. */
static uint32_t element(const struct writer *w, uint32_t id)
{
	return id ? (w->targets->epoch->epoch & 1) * MAX_RULES + id : 0;
}

static void set_mask(struct ip_addr *mask, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < sizeof(*mask); i++, len -= len < 8 ? len : 8)
		((uint8_t *)mask)[i] = (uint8_t)(len < 8 ? 0xff00 >> len : 0xff);
}

static int put_rule(const struct writer *w, const struct pathrule *from)
{
	struct rule rule = { .methods = from->methods, .target = target_of(w, from) };
	uint32_t key = element(w, from->id);

	memcpy(&rule.addr, &from->from.addr, sizeof(rule.addr));
	set_mask(&rule.mask, from->from.prefixlen);
	if (from->next != PATHRULE_NONE)
		rule.next = element(w, w->rules.rules[from->next].id);
	return mapsync_update(w->maps->rules, &key, &rule, "rule of path", from->path);
}

static int put_path(const struct writer *w, const struct pathrule *rule)
{
	struct target target = target_of(w, rule);

	if (!pathrule_is_open(rule)) {
		target.kind = TARGET_RULES;
		target.slot = element(w, rule->id);
	}
	return put_key(w, rule, &target);
}

int mapsync_write_rules(const struct mapset *maps, const struct mapsync_targets *targets)
{
	struct writer w = { .maps = maps, .targets = targets };
	size_t i;
	int err;

	err = pathrules_make(&w.rules, targets->config);
	for (i = 0; !err && i < w.rules.n; i++)
		if (w.rules.rules[i].id)
			err = put_rule(&w, &w.rules.rules[i]);
	for (i = 0; !err && i < w.rules.n; i++)
		if (w.rules.rules[i].is_first)
			err = put_path(&w, &w.rules.rules[i]);
	pathrules_free(&w.rules);
	return err;
}
