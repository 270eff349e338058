// SPDX-License-Identifier: GPL-2.0-or-later
/* log.c: one line a call, its level in front, debug lines on request, long ones cut. */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static char text[8192];

/* What `write_lines` logs, in `text`. */
static void capture(void (*write_lines)(void))
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	write_lines();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
}

static void write_levels(void)
{
	log_error("%s: %d", "a", 1);
	log_warn("b");
	log_info("c");
	log_debug("d");
	log_set_verbose(1);
	log_debug("e");
	log_set_verbose(0);
	log_debug("f");
}

static void write_long(void)
{
	log_info("%02041d", 0);
	log_info("%02042d", 0);
	log_info("%09000d", 0);
}

static void test_levels(void **state)
{
	(void)state;
	capture(write_levels);
	assert_string_equal(text, "error: a: 1\nwarning: b\ninfo: c\ndebug: e\n");
}

static void test_long(void **state)
{
	char *line, *rest = text;

	(void)state;
	capture(write_long);
	line = strsep(&rest, "\n");
	assert_int_equal(strlen(line), 2047);
	assert_int_equal(line[2046], '0');
	line = strsep(&rest, "\n");
	assert_int_equal(strlen(line), 2047);
	assert_string_equal(line + 2043, "0...");
	line = strsep(&rest, "\n");
	assert_int_equal(strlen(line), 2047);
	assert_string_equal(rest, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
