// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How often a random ACK is taken for a cookie: datapath/cookie_mac.h over 10^8 of them, whose
 * numbers come from a generator of its own. The seed is fixed, so the result is, too.
 */
#pragma GCC optimize("O3")
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cookie_mac.h"

#define CASES 100000000u

struct tally {
	uint32_t whole; /* all 24 bits: taken */
	uint32_t tuple; /* the 8 bits without the ISN */
};

/* xorshift64*, Vigna 2014 */
static inline uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static struct tally guess(bool is_v6, uint32_t cases)
{
	static const __u64 key[2] = { 0x1122334455667788, 0x99aabbccddeeff01 };
	struct ip_addr src = { { 0, 0, 0xffff0000, 0 } };
	struct ip_addr dst = { { 0, 0, 0xffff0000, 0x0909500a } };
	uint64_t state = 20240607, random;
	struct tally tally = { 0 };
	uint32_t cookie, isn, diff, i;

	for (i = 0; i < cases; i++) {
		random = next(&state);
		src.w[3] = random >> 32;
		isn = random;
		random = next(&state);
		cookie = random;
		diff = cookie ^ cookie_mac(&src, &dst, is_v6,
					   (random & 0xffff00000000) << 16 | 0x5000ULL << 32 |
						   0x1234500 | (cookie & 0xff),
					   isn, key);
		tally.whole += !diff;
		tally.tuple += !(diff & 0xff00);
	}
	return tally;
}

/* Five standard deviations of a Poisson variable. */
static void assert_poisson(uint32_t actual, double mean)
{
	double spread = 5 * sqrt(mean);

	print_message("# %u of %.2f expected\n", actual, mean);
	assert_true(actual <= mean + spread && actual >= mean - spread);
}

static void test_guess(void **state)
{
	struct tally tally = guess(false, CASES);

	(void)state;
	assert_poisson(tally.whole, CASES / 16777216.0); /* 5.96 */
	assert_true(tally.whole > 0);
	assert_poisson(tally.tuple, CASES / 256.0);
}

static void test_guess_v6(void **state)
{
	struct tally tally = guess(true, CASES / 10);

	(void)state;
	assert_poisson(tally.whole, CASES / 167772160.0);
	assert_poisson(tally.tuple, CASES / 2560.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_guess_v6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
