// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_load() at its limits: generated files with the most that is allowed and with one more,
 * lines that are too long, many problems at once, files that cannot be read.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_fixture.h"

#define GW "[gateway]\nuplink = gw0\nvip = 10.80.9.9:80\n"
#define WIDE "fwmark = 0x5c000000/0xffff0000\n"
#define BACKEND "[backend n%zu]\naddress = 10.0.0.1:%zu\nnetns = x\ninterface = eth0\n"

/* `start`, which is freed, then n times `format` with the numbers i and i, i from 1. */
static char *repeat(char *start, const char *format, size_t n)
{
	size_t len, i;
	char *text;
	FILE *file = open_memstream(&text, &len);

	fputs(start, file);
	for (i = 1; i <= n; i++)
		fprintf(file, format, i, i);
	fclose(file);
	free(start);
	return text;
}

static void expect_good(char *text)
{
	config_free(load_good(text));
	free(text);
}

static void expect_over(char *text, const char *expected)
{
	expect_problem(text, expected);
	free(text);
}

static void test_section_counts(void **state)
{
	(void)state;
	expect_good(repeat(config_strdup(GW WIDE), BACKEND, MAX_BACKENDS));
	expect_over(repeat(config_strdup(GW WIDE), BACKEND, MAX_BACKENDS + 1),
		    "1029: [backend n257] is one too many (allowed: 256 of them)");
	expect_good(repeat(repeat(config_strdup(GW), BACKEND, 1), "[pool p%zu]\nbackends = n1\n",
			   MAX_POOLS));
	expect_over(repeat(repeat(config_strdup(GW), BACKEND, 1), "[pool p%zu]\nbackends = n1\n",
			   MAX_POOLS + 1),
		    "520: [pool p257] is one too many (allowed: 256 of them)");
}

/* Without keys: the count must end the checks before those are missed. */
static void test_path_counts(void **state)
{
	char *text = repeat(config_strdup(GW), "[component c%zu]\n", MAX_PATHS / 2);

	(void)state;
	expect_over(repeat(text, "[route r%zu]\n", MAX_PATHS / 2 + 1),
		    "500004: [route r250001] is one too many (allowed: 500000 routes and "
		    "components)");
}

static void test_host_counts(void **state)
{
	static const char route[] = "[route r%zu]\ndeny = 403\npath = /\nhost = h%zu\n";

	(void)state;
	expect_good(repeat(config_strdup(GW "[route r]\ndeny = 403\npath = /x\nhost = h1\n"), route,
			   MAX_HOSTS));
	expect_over(repeat(config_strdup(GW "[component c]\npath = /\nfile = page.html\n"
					    "host = c\n"),
			   route, MAX_HOSTS),
		    "1: host: 32769 different names (allowed: 32768)");
}

static void test_list_lengths(void **state)
{
	static const char vip[] = ",\n 10.0.0.1:%zu", trusted[] = ",\n 10.%zu.0.1";
	char *members;

	(void)state;
	expect_good(repeat(config_strdup("[gateway]\nuplink = gw0\nvip = 10.0.0.2:1"), vip,
			   MAX_VIPS - 1));
	expect_over(repeat(config_strdup("[gateway]\nuplink = gw0\nvip = 10.0.0.2:1"), vip,
			   MAX_VIPS),
		    "67: vip: 65 items (allowed: 64)");
	members = repeat(repeat(config_strdup(GW), BACKEND, POOL_MEMBERS),
			 "[pool p%zu]\nbackends = n64", 1);
	expect_good(repeat(members, ",\n n%zu", POOL_MEMBERS - 1));
	members = repeat(repeat(config_strdup(GW), BACKEND, POOL_MEMBERS + 1),
			 "[pool p%zu]\nbackends = n65", 1);
	expect_over(repeat(members, ",\n n%zu", POOL_MEMBERS),
		    "329: backends: 65 items (allowed: 64)");
	expect_good(repeat(config_strdup(GW "trusted = ::1"), trusted, 255));
	expect_over(repeat(config_strdup(GW "trusted = ::f:0"), ",\n ::%zu", MAX_TRUSTED),
		    "4100: trusted: 4097 items (allowed: 4096)");
}

/* 0x5c and up in the default mask of 8 bits; then each bound by one more. */
static void test_counted_ranges(void **state)
{
	char *at_ends = config_strdup(GW "table = 251\npriority = 32764\nfwmark = 0xfd/0xff\n");

	(void)state;
	expect_good(repeat(config_strdup(GW), BACKEND, 0x100 - 0x5c));
	expect_over(repeat(config_strdup(GW), BACKEND, 0x100 - 0x5c + 1),
		    "1: fwmark: 0x5c000000/0xff000000 has room for 164 backends, not for 165");
	expect_good(repeat(at_ends, BACKEND, 2));
	expect_good(repeat(config_strdup(GW "table = 0xfffffffd\n"), BACKEND, 3));
	expect_good(repeat(config_strdup(GW "table = 256\nfwmark = 0xfffffffd/0xffffffff\n"),
			   BACKEND, 3));
}

static void test_long_lines(void **state)
{
	static const char comment[] = GW "; %0*d\n", value[] = GW "flows = 64 %0*d\n";
	char *text;

	(void)state;
	text = config_format(comment, LINE_BYTES - 2 - 2, 0);
	expect_good(text);
	text = config_format(comment, LINE_BYTES - 2 - 1, 0);
	expect_over(text, "4: the line is 4095 bytes long (allowed: 4094; an indented line ");
	text = config_format(value, 9000, 0);
	expect_over(text, "4: the line is 9011 bytes long (allowed: 4094; an indented line ");
}

/* All of them, sorted by line, whatever step finds them. */
static void test_all_problems(void **state)
{
	static const char text[] = "[gateway]\nvip = 10.80.9.9\nflows = 0\nnonsense\n"
				   "[pool p]\nbackends = n\n"
				   "[wrong]\na = b\na = b\n c\n"
				   "[route r]\npath = /a?b\npath = /\npool = q\n"
				   "[route s]\npath = x\ndeny = 403\n"
				   "[backend b]\naddress = b:1\n[backend c]\naddress = c:1\n";
	char *messages, *want;
	struct config *config;

	(void)state;
	want = config_format("%1$s:1: [gateway] has no 'uplink' (needed: uplink = INTERFACE, ...)\n"
			     "%1$s:2: vip: '10.80.9.9' has no port (allowed: ADDRESS:PORT, as in "
			     "192.0.2.1:80 or [2001:db8::1]:80)\n"
			     "%1$s:3: flows: '0' is not a number that fits (allowed: 64 to "
			     "16777216)\n"
			     "%1$s:4: syntax error (allowed: [SECTION], KEY = VALUE, comments "
			     "with ';' or '#')\n"
			     "%1$s:6: backends: there is no [backend n] (allowed: names of "
			     "backends)\n"
			     "%1$s:7: [wrong] is not a section (allowed: [gateway] and [backend "
			     "NAME], [pool NAME], [route NAME], [component NAME]; a NAME is 1 to "
			     "32 letters, digits, '.', '_' or '-')\n"
			     "%1$s:12: path: '/a?b' has '?' in it, which is never matched "
			     "literally (allowed: a path as clients send it, without query and "
			     "escapes)\n"
			     "%1$s:13: key 'path' is given twice: first in line 12\n"
			     "%1$s:14: pool: there is no [pool q] (allowed: names of pools)\n"
			     "%1$s:16: path: 'x' is not a path (allowed: begins with '/')\n"
			     "%1$s:19: address: 'b:1' has no IPv4 address before the port "
			     "(allowed: ADDRESS:PORT, as in 192.0.2.1:80 or [2001:db8::1]:80)\n"
			     "%1$s:21: address: 'c:1' has no IPv4 address before the port "
			     "(allowed: ADDRESS:PORT, as in 192.0.2.1:80 or [2001:db8::1]:80)\n",
			     ini);
	assert_int_equal(load_bytes(text, strlen(text), &config, &messages), 12);
	assert_string_equal(messages, want);
	assert_null(config);
	free(messages);
	free(want);
}

static void expect_message(int n, const char *messages, const char *line)
{
	char *want = config_format("%s:%s\n", ini, line);

	assert_int_equal(n, 1);
	assert_string_equal(messages, want);
	free(want);
}

static void test_unreadable_files(void **state)
{
	static const char with_nul[] = GW "table = 1\0"
					  "2\n";
	char *messages, *path = config_format("%s/sub", dir);
	struct config *config;
	int n;

	(void)state;
	config_free(NULL);
	remove(ini);
	n = load_file(ini, &config, &messages);
	expect_message(n, messages, "0: cannot be read: No such file or directory");
	free(messages);

	assert_int_equal(load_file(path, &config, &messages), 1);
	assert_non_null(strstr(messages, "/sub:0: cannot be read: not a regular file\n"));
	free(messages);
	free(path);

	n = load_bytes(with_nul, sizeof(with_nul) - 1, &config, &messages);
	expect_message(n, messages,
		       "4: control character 0x00 in column 10 (allowed: printable text)");
	free(messages);
}

/* What would block, never end, or take all memory. A hole of a file has a size, too. */
static void test_odd_files(void **state)
{
	char *messages, *path = config_format("%s/pipe", dir);
	struct config *config;
	int n;

	(void)state;
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(load_file(path, &config, &messages), 1);
	assert_non_null(strstr(messages, "/pipe:0: cannot be read: not a regular file\n"));
	free(messages);
	remove(path);
	free(path);

	assert_int_equal(load_file("/dev/zero", &config, &messages), 1);
	assert_string_equal(messages, "/dev/zero:0: cannot be read: not a regular file\n");
	free(messages);

	write_file("t.ini", GW, sizeof(GW) - 1, 0644);
	assert_int_equal(truncate(ini, (64 << 20) + 1), 0);
	n = load_file(ini, &config, &messages);
	expect_message(n, messages, "0: cannot be read: larger than 64 MiB");
	free(messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_files),	 cmocka_unit_test(test_section_counts),
		cmocka_unit_test(test_path_counts),	 cmocka_unit_test(test_host_counts),
		cmocka_unit_test(test_list_lengths),	 cmocka_unit_test(test_counted_ranges),
		cmocka_unit_test(test_long_lines),	 cmocka_unit_test(test_all_problems),
		cmocka_unit_test(test_unreadable_files),
	};

	return cmocka_run_group_tests_name("config limits", tests, make_dir, remove_dir);
}
