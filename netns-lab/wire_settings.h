/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the wire does to frames: its settings' names and ranges, and their parser. For wire.c only.
 */
#ifndef WIRE_SETTINGS_H
#define WIRE_SETTINGS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum setting { LOSS, REORDER, DUP, DELAY, SEED, OFFLOAD, SETTINGS };

/* Percent, percent, percent, milliseconds, any whole number, 0 or 1. */
static const struct {
	const char *name;
	double max;
} setting_keys[SETTINGS] = {
	[LOSS] = { "loss", 100 },    [REORDER] = { "reorder", 100 }, [DUP] = { "dup", 100 },
	[DELAY] = { "delay", 1000 }, [SEED] = { "seed", 0x1p53 },    [OFFLOAD] = { "offload", 1 },
};

static double settings[SETTINGS] = { [SEED] = 1 };

/* Reads "key=number ..." with spaces or commas between. Returns 0 or -EINVAL. */
static int settings_parse(char *text)
{
	for (char *word = strtok(text, " ,"); word; word = strtok(NULL, " ,")) {
		char *number = strchr(word, '='), *end = NULL;
		size_t i = 0;

		if (!number)
			return -EINVAL;
		*number++ = '\0';
		while (i < SETTINGS && strcmp(setting_keys[i].name, word))
			i++;
		if (i == SETTINGS)
			return -EINVAL;
		settings[i] = strtod(number, &end);
		if (end == number || *end || settings[i] < 0 ||
		    !(settings[i] <= setting_keys[i].max))
			return -EINVAL;
	}
	return 0;
}

#endif
