/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest test runner: tests register themselves, each prints `ok - NAME` or `not ok - NAME:
 * what: expected ..., actual ...`. A failed expectation ends its test (longjmp), not the program.
 * main() is here too: `PROGRAM [PART-OF-A-NAME]`; exit code 1 when a test failed.
 */
#ifndef PROG_CHECK_H
#define PROG_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_test {
	const char *name;
	void (*run)(void);
	void (*run_row)(const void *row);
	const void *rows; /* each begins with a `const char *name` */
	size_t n_rows, row_size;
	struct check_test *next;
};

void check_register(struct check_test *test);

#define CHECK_REGISTER(id)                                                                         \
	__attribute__((constructor)) static void id##_register(void)                               \
	{                                                                                          \
		check_register(&id##_test);                                                        \
	}

/* TEST(id, "name") { body } */
#define TEST(id, title)                                                                            \
	static void id(void);                                                                      \
	static struct check_test id##_test = { .name = title, .run = id };                         \
	CHECK_REGISTER(id)                                                                         \
	static void id(void)

/* TEST_ROWS(id, "name", table) { body for `const void *row_` } */
#define TEST_ROWS(id, title, table)                                                                \
	static void id(const void *row_);                                                          \
	static struct check_test id##_test = {                                                     \
		.name = title,                                                                     \
		.run_row = id,                                                                     \
		.rows = table,                                                                     \
		.n_rows = sizeof(table) / sizeof((table)[0]),                                      \
		.row_size = sizeof((table)[0]),                                                    \
	};                                                                                         \
	CHECK_REGISTER(id)                                                                         \
	static void id(const void *row_)

/* Ends the running test. */
_Noreturn void check_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program: the harness itself does not work. */
_Noreturn void check_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Put before the messages of what follows; empty at the start of a test. */
void check_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

void expect_number(const char *what, uint64_t actual, uint64_t expected);
void expect_bytes(const char *what, const void *actual, size_t actual_len, const void *expected,
		  size_t expected_len);
void expect_true(const char *what, bool condition);

#define EXPECT(actual, expected) expect_number(#actual, (actual), (expected))
#define EXPECT_TRUE(condition) expect_true(#condition, (condition))

#endif
