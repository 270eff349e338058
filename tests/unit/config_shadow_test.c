// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warnings about routes and components that others hide: what is one, and what is none.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_fixture.h"

#define GW "[gateway]\nuplink = gw0\nvip = 10.80.9.9:80\n"
#define R(name, path, more) "[route " name "]\npath = " path "\nredirect = 301 /x\n" more
#define D(name, path, more) "[route " name "]\npath = " path "\ndeny = 403\n" more
#define C(path, more) "[component c]\npath = " path "\nfile = page.html\n" more
#define FROM(networks) "from = " networks "\n"
#define METHOD(methods) "method = " methods "\n"
#define HOST(name) "host = " name "\n"
#define HALVES FROM("0.0.0.0/1, 128.0.0.0/1")

struct row {
	const char *text;
	const char *warnings; /* FILE for the file's name */
};

static const struct row rows[] = {
	/* nothing is hidden */
	{ R("a", "/a", "") R("b", "/a/b", "") R("c", "= /a", "") D("d", "/", ""), "" },
	{ D("a", "/", "") R("b", "/b", "") C("/c", ""), "" },
	{ R("a", "/a", FROM("10.0.0.0/8")) R("b", "/a", FROM("10.1.0.0/16")) R("c", "/a", ""), "" },
	{ R("a", "/a", METHOD("GET")) R("b", "/a", METHOD("PUT")) R("c", "/a", ""), "" },
	{ R("a", "= /c", METHOD("GET")) C("/c", ""), "" },
	{ R("a", "= /c", METHOD("GET, HEAD") FROM("0.0.0.0/0")) C("/c", ""), "" },
	{ R("a", "/c", METHOD("GET, HEAD")) C("/c", ""), "" },
	{ R("a", "/a", HALVES), "" },
	{ R("a", "/a", FROM("0.0.0.0/1")) R("b", "/a", FROM("0.0.0.0/0")), "" },
	{ R("a", "/a", HALVES) R("b", "/a/b", FROM("0.0.0.0/0")), "" },
	{ R("a", "/a", HALVES HOST("x")) R("b", "/a", FROM("0.0.0.0/0")), "" },
	{ R("a", "/a", FROM("0.0.0.0/1, 128.0.0.0/1, 0.0.0.0/0")), "" },
	{ R("a", "/a", METHOD("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, CONNECT, TRACE"))
		  R("b", "/a", ""),
	  "" },
	{ R("a", "/a", FROM("0.0.0.0/1") METHOD("GET"))
		  R("b", "/a", FROM("128.0.0.0/1") METHOD("PUT"))
			  R("c", "/a", FROM("0.0.0.0/0") METHOD("GET, PUT")),
	  "" },
	/* by several that take all */
	{ R("a", "/a", HALVES) R("b", "/a", FROM("0.0.0.0/0")),
	  "FILE:8: warning: [route b] never answers: [route a] (FILE:4) and what else is asked "
	  "first for '/a/' take all requests\n" },
	{ R("a", "/a", FROM("10.0.0.0/9")) R("b", "/a", FROM("10.0.0.0/8"))
		  R("c", "/a", FROM("10.128.0.0/10, 10.192.0.0/10")),
	  "FILE:8: warning: [route b] never answers: [route c] (FILE:12) and what else is asked "
	  "first for '/a/' take all requests\n" },
	{ R("a", "/a", HALVES) R("b", "/a", FROM("0.0.0.0/0") METHOD("GET"))
		  R("c", "/a", FROM("0.0.0.0/0")),
	  "FILE:8: warning: [route b] never answers: [route a] (FILE:4) and what else is asked "
	  "first for '/a/' take all requests\n"
	  "FILE:13: warning: [route c] never answers: [route a] (FILE:4) and what else is asked "
	  "first for '/a/' take all requests\n" },
	{ R("a", "/a", FROM("::/1, 8000::/1")) R("b", "/a", ""),
	  "FILE:8: warning: [route b] never answers: [route a] (FILE:4) and what else is asked "
	  "first for '/a/' take all requests\n" },
	{ R("a", "/a", METHOD("GET") HALVES) R("b", "/a", METHOD("PUT") HALVES)
		  R("c", "/a", METHOD("GET, PUT") FROM("0.0.0.0/0")),
	  "FILE:14: warning: [route c] never answers: [route a] (FILE:4) and what else is asked "
	  "first for '/a/' take all requests\n" },
	/* one of its networks is left */
	{ R("a", "/a", HALVES) R("b", "/a", FROM("0.0.0.0/0, ::1")), "" },
	/* components */
	{ R("a", "= /c", METHOD("GET, HEAD")) C("/c", ""),
	  "FILE:8: warning: [component c] never answers: [route a] (FILE:4) and what else is asked "
	  "first for '/c' take all requests\n" },
	{ R("a", "= /c", METHOD("GET")) R("b", "= /c", FROM("::/1, 8000::/1") METHOD("HEAD"))
		  C("/c", ""),
	  "FILE:13: warning: [component c] never answers: [route b] (FILE:8) and what else "
	  "is asked first for '/c' take all requests\n" },
	/* by a prefix of a host */
	{ R("a", "/", HOST("x")) C("/c", ""),
	  "FILE:8: warning: [component c] does not answer for host x: [route a] (FILE:4) is asked "
	  "first\n" },
	{ R("a", "/a", HOST("*.x")) D("b", "/a/b", FROM("10.0.0.0/8, ::1")) R("d", "/a", HOST("y"))
		  R("e", "/a", HOST("z")),
	  "FILE:8: warning: [route b] does not answer for host *.x: [route a] (FILE:4) is asked "
	  "first; the same holds for 2 other hosts\n" },
	{ R("a", "/", HOST("x") METHOD("GET")) C("/c", ""), "" },
	{ R("a", "/", HOST("x")) R("b", "/b", ""), "" },
	{ R("a", "/", HOST("x")) C("/c", HOST("y")), "" },
	{ R("a", "/", HOST("x")) C("/c", HOST("x")), "" },
	{ R("a", "/a", HOST("x")) C("/c", ""), "" },
	{ R("a", "= /c", HOST("x")) C("/c", ""), "" },
	{ D("a", "/", HOST("x")) D("b", "/b", ""), "" },
};

static void test_rows(void **state)
{
	char *text, *warnings, *want, *longer, *at;
	struct config *config;
	size_t i, len;
	FILE *out;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		text = config_format("%s%s", GW, rows[i].text);
		config = load_good(text);
		out = open_memstream(&warnings, &len);
		config_warn(config, out);
		fclose(out);
		want = config_strdup(rows[i].warnings);
		while ((at = strstr(want, "FILE"))) {
			longer = config_format("%.*s%s%s", (int)(at - want), want, ini, at + 4);
			free(want);
			want = longer;
		}
		if (strcmp(warnings, want))
			fail_msg("expected\n%sgot\n%sfor\n%s", want, warnings, text);
		config_free(config);
		free(warnings);
		free(want);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests_name("config_shadow", tests, make_dir, remove_dir);
}
