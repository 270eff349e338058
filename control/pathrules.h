/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The routes and components of a configuration as the datapath asks for them: for each host and
 * path the rules in the order in which they are tried. Pure functions: no kernel.
 */
#ifndef SLUICE_PATHRULES_H
#define SLUICE_PATHRULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define PATHRULE_NONE SIZE_MAX

enum pathrule_view {
	PATHRULE_WRITTEN, /* paths as they are */
	PATHRULE_NORMAL,  /* denials once more, in normal form: datapath/guard.h */
};

/* One pair of conditions that leads somewhere. */
struct pathrule {
	enum pathrule_view view;
	const char *host; /* NULL: any */
	const char *path;
	bool is_exact;
	bool is_first;	  /* of its host and path */
	bool is_alias;	  /* an exact denial's path with another end: with '/' or without */
	struct cidr from; /* prefixlen 0: anyone */
	uint16_t methods; /* 0: any */
	const struct config_route *route; /* NULL: the component answers */
	const struct config_component *component;
	size_t next;	 /* tried when this one does not match: index, or PATHRULE_NONE */
	uint32_t length; /* rules from here on */
	uint32_t id;	 /* from 1; 0: nobody refers to it, its path leads to its target directly */
};

struct pathrules {
	struct pathrule *rules; /* by view, host, exact paths first, path; then as they are tried */
	size_t n;
	uint32_t ids; /* the highest id */
	char **texts; /* paths that are not the configuration's */
	size_t n_texts;
};

/* 0 or -ENOMEM; freed with pathrules_free(), before the configuration. */
int pathrules_make(struct pathrules *out, const struct config *config);
void pathrules_free(struct pathrules *rules);

/* It matches every request for its path. */
static inline bool pathrule_is_open(const struct pathrule *rule)
{
	return !rule->from.prefixlen && !rule->methods;
}

int pathrules_line(const struct pathrule *rule);

#endif
