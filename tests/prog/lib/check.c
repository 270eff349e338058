// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The test runner. Every test starts from the same room: room_reset() in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "room.h"
#include "prog_run.h"

static struct check_test *tests, **tests_end = &tests;
static jmp_buf on_failure;
static char message[2048], step[256];

void check_register(struct check_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void check_fail(const char *format, ...)
{
	int n = snprintf(message, sizeof(message), "%s%s", step, step[0] ? ": " : "");
	va_list args;

	va_start(args, format);
	vsnprintf(message + n, sizeof(message) - n, format, args);
	va_end(args);
	longjmp(on_failure, 1);
}

void check_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "harness: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(2);
}

void check_step(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(step, sizeof(step), format, args);
	va_end(args);
}

void expect_number(const char *what, uint64_t actual, uint64_t expected)
{
	if (actual != expected)
		check_fail("%s: expected %lld (0x%llx), actual %lld (0x%llx)", what,
			   (long long)expected, (long long)expected, (long long)actual,
			   (long long)actual);
}

void expect_bytes(const char *what, const void *actual, size_t actual_len, const void *expected,
		  size_t expected_len)
{
	const uint8_t *a = actual, *b = expected;
	size_t n = actual_len < expected_len ? actual_len : expected_len, i;

	for (i = 0; i < n && a[i] == b[i]; i++)
		;
	if (i < n)
		check_fail("%s: byte %zu: expected 0x%02x, actual 0x%02x (of %zu)", what, i, b[i],
			   a[i], actual_len);
	if (actual_len != expected_len)
		check_fail("%s: expected %zu bytes, actual %zu", what, expected_len, actual_len);
}

void expect_true(const char *what, bool condition)
{
	if (!condition)
		check_fail("expected %s, actual: not so", what);
}

/* Returns 1 if the test failed. */
static int run_one(const struct check_test *test, const void *row, const char *filter)
{
	char name[256];

	if (row)
		snprintf(name, sizeof(name), "%s: %s", test->name, *(const char *const *)row);
	else
		snprintf(name, sizeof(name), "%s", test->name);
	if (filter && !strstr(name, filter))
		return 0;
	step[0] = '\0';
	if (setjmp(on_failure)) {
		printf("not ok - %s: %s\n", name, message);
		return 1;
	}
	run_forget();
	room_reset();
	if (row)
		test->run_row(row);
	else
		test->run();
	printf("ok - %s\n", name);
	return 0;
}

int main(int argc, char **argv)
{
	const char *filter = argc > 1 ? argv[1] : NULL;
	const struct check_test *test;
	int failed = 0;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	room_setup();
	for (test = tests; test; test = test->next) {
		if (test->run)
			failed += run_one(test, NULL, filter);
		for (i = 0; i < test->n_rows; i++)
			failed += run_one(test, (const char *)test->rows + i * test->row_size,
					  filter);
	}
	return failed ? 1 : 0;
}
