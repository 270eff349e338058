/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers by chance, the same ones for the same seed.
 */
#ifndef PROG_DRAW_H
#define PROG_DRAW_H

#include <stdint.h>

void draw_seed(uint64_t seed);

/* Below n. */
uint32_t draw(uint32_t n);

#endif
