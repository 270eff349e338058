/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine must offer, asked by trying it; never by a version number. */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include <stdio.h>

#include "config.h"

/*
 * Checks capabilities, bpffs, BTF, program types, kfuncs, helpers and flags that the datapath uses,
 * then the configuration's interfaces and netns. One line per missing thing: what, where, what to
 * do. Returns the number of problems.
 */
int probe_machine(FILE *err);
int probe_config(const struct config *config, FILE *err);

#endif
