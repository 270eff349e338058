// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rendezvous hashing by its properties: shares by weight, and which keys move when a member goes.
 * Cookies by a table.
 */
#include <math.h>

#include "http_rows.h"

#include "http_cookie.h"
#include "rendezvous.h"

#define KEYS 100000
#define MEMBERS 4

static const unsigned int weights[MEMBERS] = { 1, 2, 1, 4 };

static int pick(uint64_t key, unsigned int gone)
{
	uint32_t best_cost = 0;
	int best = -1;

	for (int i = 0; i < MEMBERS; i++) {
		uint32_t cost = rendezvous_cost(rendezvous_draw(key, 0x0a500102 + 1000 * i));

		if (gone >> i & 1)
			continue;
		if (best < 0 || rendezvous_better(cost, weights[i], best_cost, weights[best])) {
			best = i;
			best_cost = cost;
		}
	}
	return best;
}

static void test_cost(void **state)
{
	(void)state;
	for (uint64_t x = 1; x <= UINT32_MAX; x = x * 3 + 1) {
		double wanted = (32 - log2((double)x)) * 65536;

		if (fabs(rendezvous_cost((uint32_t)x) - wanted) > 20)
			fail_msg("cost of %lu: actual %u, expected %f", (unsigned long)x,
				 rendezvous_cost((uint32_t)x), wanted);
	}
	assert_int_equal(rendezvous_cost(0), 32 << 16);
	assert_true(rendezvous_cost(UINT32_MAX) >= 1);
}

static void test_shares(void **state)
{
	int n[MEMBERS] = { 0 };

	(void)state;
	for (uint64_t key = 0; key < KEYS; key++)
		n[pick(key, 0)]++;
	for (int i = 0; i < MEMBERS; i++) {
		double wanted = (double)KEYS * weights[i] / 8;

		if (fabs(n[i] - wanted) > 5 * sqrt(wanted))
			fail_msg("member %d: actual %d keys, expected %.0f", i, n[i], wanted);
	}
}

/* What moves is what the member had; the others share it by their weights. */
static void test_moves(void **state)
{
	int to[MEMBERS] = { 0 }, moved = 0;

	(void)state;
	for (uint64_t key = 0; key < KEYS; key++) {
		int before = pick(key, 0), after = pick(key, 1 << 3);

		if (before != 3)
			assert_int_equal(before, after);
		else
			to[after]++, moved++;
	}
	for (int i = 0; i < 3; i++) {
		double wanted = (double)moved * weights[i] / 4;

		if (fabs(to[i] - wanted) > 5 * sqrt(wanted))
			fail_msg("to member %d: actual %d keys, expected %.0f", i, to[i], wanted);
	}
}

struct cookie_row {
	const char *line, *name;
	int found;
	const char *same; /* a value with the same hash; NULL: empty */
};

static const struct cookie_row cookie_rows[] = {
	{ "sid=abc", "sid", 1, "abc" },
	{ "a=1; sid=abc", "sid", 1, "abc" },
	{ "a=1;sid=abc;b=2", "sid", 1, "abc" },
	{ "sid=abc; sid=def", "sid", 1, "abc" },
	{ "sid=\"abc\"", "sid", 1, "abc" },
	{ "sid= abc ", "sid", 1, "abc" },
	{ "sid=a=b", "sid", 1, "a=b" },
	{ "SID=abc", "sid", 0, NULL },
	{ "xsid=abc", "sid", 0, NULL },
	{ "sidx=abc", "sid", 0, NULL },
	{ "x=sid=abc", "sid", 0, NULL },
	{ "sid", "sid", 0, NULL },
	{ "si=d; =sid=1", "sid", 0, NULL },
	{ "sid=", "sid", 1, NULL },
	{ "sid=;sid=abc", "sid", 1, NULL },
	{ "; ;; sid=abc", "sid", 1, "abc" },
	{ "s=1; si=2; sid=abc", "sid", 1, "abc" },
};

static struct http_scratch scratch;

static struct http_cookie_scan find(const char *line, const char *name)
{
	struct http_cookie_scan scan;
	struct http_cookie_name padded = { 0 };

	memcpy(padded.text, name, strlen(name));
	scratch.req.cookie_off = 100;
	scratch.req.cookie_len = (uint16_t)strlen(line);
	memcpy(scratch.buf + 100, line, strlen(line) + 1);
	http_cookie_find(&scratch, &scan, &padded, (uint32_t)strlen(name));
	return scan;
}

static void test_cookies(void **state)
{
	char plain[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cookie_rows) / sizeof(cookie_rows[0]); i++) {
		const struct cookie_row *row = &cookie_rows[i];
		struct http_cookie_scan scan = find(row->line, row->name);
		uint32_t wanted = 0;

		if (row->same) {
			snprintf(plain, sizeof(plain), "sid=%s", row->same);
			wanted = find(plain, "sid").hash;
			assert_true(wanted);
		}
		if ((int)scan.found != row->found || (row->found && scan.hash != wanted))
			fail_msg("%s: actual %u, hash %x, expected %d, hash %x", row->line,
				 scan.found, scan.hash, row->found, wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_cookies),
	};

	return cmocka_run_group_tests_name("rendezvous", tests, NULL, NULL);
}
