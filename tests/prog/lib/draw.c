// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xorshift (Marsaglia, 2003).
 */
#include "draw.h"

static uint64_t state;

void draw_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL + 1; /* neighbours begin far apart; not 0 */
}

uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}
