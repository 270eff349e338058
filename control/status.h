/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `sluice status`: reads the pinned maps, asks no daemon. Returns an exit code. */
#ifndef SLUICE_STATUS_H
#define SLUICE_STATUS_H

#include <stdbool.h>

int status_print(const char *config_path, bool as_json);

#endif
