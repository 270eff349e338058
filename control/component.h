/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a component's file to objects in the store: the body as it is, and its coded variants. */
#ifndef SLUICE_COMPONENT_H
#define SLUICE_COMPONENT_H

#include "answer.h"
#include "config.h"
#include "store.h"

struct component_maker; /* scratch memory */

struct component_maker *component_maker_new(void);
void component_maker_free(struct component_maker *maker);

/* What is stored already is found again, and not coded again. 0 or -errno, with a line in the log.
 */
int component_put(struct component_maker *maker, struct store *store,
		  const struct config_component *component, struct object_ref *out);

#endif
