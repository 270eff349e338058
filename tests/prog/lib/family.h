/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a test that is the same for both families, and with and without timestamps.
 */
#ifndef PROG_FAMILY_H
#define PROG_FAMILY_H

#include <stdbool.h>

struct family_row {
	const char *name;
	bool v6, has_ts;
};

static const struct family_row family_rows[] = {
	{ "IPv4", false, true },
	{ "IPv6", true, true },
};

static const struct family_row family_ts_rows[] = {
	{ "IPv4", false, true },
	{ "IPv6", true, true },
	{ "IPv4, no timestamps", false, false },
	{ "IPv6, no timestamps", true, false },
};

#endif
