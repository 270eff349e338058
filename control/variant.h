/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content codings of a component's body, made when it is loaded. */
#ifndef SLUICE_VARIANT_H
#define SLUICE_VARIANT_H

#include <stddef.h>

#include "abi.h"

/* As in Content-Encoding. */
const char *variant_name(enum coding coding);
/*
 * Codes `len` bytes into `out`, which has room for as many. Returns the coded length, or 0 where it
 * does not pay: a tenth smaller is the least.
 */
size_t variant_make(enum coding coding, const void *body, size_t len, void *out);

#endif
