/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of config_load() share: a directory with files for components, a configuration
 * written there and loaded, and the one message that is expected of it. Include cmocka.h first.
 */
#ifndef SLUICE_CONFIG_FIXTURE_H
#define SLUICE_CONFIG_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi.h"
#include "config_parse.h"

#define NOBODY 65534

static char dir[] = "/tmp/sluice-config-XXXXXX";
static char ini[sizeof(dir) + 8];

static void write_file(const char *name, const char *bytes, size_t len, mode_t mode)
{
	char path[sizeof(dir) + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static inline int make_dir(void **state)
{
	char *large = calloc(1, BODY_MAX + 1), path[sizeof(dir) + 8];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(ini, sizeof(ini), "%s/t.ini", dir);
	snprintf(path, sizeof(path), "%s/sub", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file("page.html", large, BODY_MAX, 0644);
	write_file("large.html", large, BODY_MAX + 1, 0644);
	write_file("secret.html", "x", 1, 0);
	free(large);
	return 0;
}

static inline int remove_dir(void **state)
{
	static const char *const names[] = { "page.html", "large.html", "secret.html",
					     "t.ini",	  "sub",	"" };
	char path[sizeof(dir) + 32];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		remove(path);
	}
	return 0;
}

/* Loads as a user whom file modes bind; returns the number of problems. Frees: *messages. */
static int load_file(const char *path, struct config **config, char **messages)
{
	bool is_root = !geteuid();
	size_t len;
	FILE *err = open_memstream(messages, &len);
	int n;

	if (is_root)
		assert_int_equal(seteuid(NOBODY), 0);
	n = config_load(path, config, err);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	fclose(err);
	return n;
}

static int load_bytes(const char *text, size_t len, struct config **config, char **messages)
{
	write_file("t.ini", text, len, 0644);
	return load_file(ini, config, messages);
}

static inline struct config *load_good(const char *text)
{
	struct config *config;
	char *messages;

	if (load_bytes(text, strlen(text), &config, &messages))
		fail_msg("%s", messages);
	assert_string_equal(messages, "");
	free(messages);
	return config;
}

/* The only message begins with "FILE:" and this, in which DIR is the directory. */
static inline void expect_problem(const char *text, const char *expected)
{
	const char *mark = strstr(expected, "DIR/");
	struct config *config;
	char *messages, *want;
	int n;

	if (mark)
		want = config_format("%s:%.*s%s%s", ini, (int)(mark - expected), expected, dir,
				     mark + strlen("DIR"));
	else
		want = config_format("%s:%s", ini, expected);
	n = load_bytes(text, strlen(text), &config, &messages);
	if (n != 1 || strncmp(messages, want, strlen(want)))
		fail_msg("%d problems, expected\n%s...\ngot\n%s\nin\n%s", n, want, messages,
			 strlen(text) < 2000 ? text : "(a long text)");
	assert_null(config);
	assert_ptr_equal(strchr(messages, '\n'), messages + strlen(messages) - 1);
	free(messages);
	free(want);
}

#endif
