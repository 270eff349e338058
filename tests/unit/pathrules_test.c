// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order in which the routes of a path are tried, and how chains go on with shorter prefixes.
 * Each row is a configuration and, for each path, the names of the rules in its chain.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_fixture.h"
#include "pathrules.h"

#define GW "[gateway]\nuplink = gw0\nvip = 10.80.9.9:80\n"
#define R(name, path, more) "[route " name "]\npath = " path "\nredirect = 301 /\n" more
#define D(name, path, more) "[route " name "]\npath = " path "\ndeny = 403\n" more
#define FROM(networks) "from = " networks "\n"
#define METHOD(methods) "method = " methods "\n"
#define HOST(name) "host = " name "\n"

struct row {
	const char *text;
	const char *chains; /* "HOST PATH: RULE RULE; ..." */
};

static const struct row rows[] = {
	{ R("a", "/a", ""), "- /a/: a;" },
	{ R("a", "/a", "") R("b", "/a/b", "") R("e", "= /a", ""),
	  "- =/a: e; - /a/: a; - /a/b/: b;" },
	/* longer networks first, of both families */
	{ R("a", "/a", FROM("10.0.0.0/8, 10.1.0.0/16")) R("b", "/a", FROM("10.1.2.0/24"))
		  R("c", "/a", FROM("fd00::/8, fd00::/111")) R("d", "/a", ""),
	  "- /a/: b a c a c d;" },
	{ R("a", "/a", FROM("0.0.0.0/0")) R("b", "/a", FROM("fd00::/96, fd00::/97")),
	  "- /a/: b a b;" },
	/* those with methods before those without */
	{ R("a", "/a", "") R("b", "/a", METHOD("GET")), "- /a/: b a;" },
	{ R("a", "/a", FROM("10.0.0.0/8")) R("b", "/a", METHOD("GET") FROM("10.0.0.0/8"))
		  R("c", "/a", METHOD("PUT")) R("d", "/a", METHOD("GET") FROM("10.0.0.0/7")),
	  "- /a/: b a d c;" },
	/* on with shorter prefixes, up to one that takes everything */
	{ R("a", "/a/b/c", METHOD("GET")) R("b", "/a/b", METHOD("PUT")) R("c", "/a", "")
		  R("d", "/", ""),
	  "- /: d; - /a/: c; - /a/b/: b c; - /a/b/c/: a b c;" },
	{ R("a", "/a/b/c", METHOD("GET")) R("d", "/", METHOD("PUT")), "- /: d; - /a/b/c/: a d;" },
	{ R("a", "/a/b/c", METHOD("GET")) R("b", "/a/bb", "") R("c", "/a/b/d", "") R("d", "/a-", "")
		  R("e", "/ab", ""),
	  "- /a-/: d; - /a/b/c/: a; - /a/b/d/: c; - /a/bb/: b; - /ab/: e;" },
	/* not from one host to another, nor from an exact path to a prefix */
	{ R("a", "/a/b", METHOD("GET") HOST("x")) R("b", "/a", "")
		  R("c", "= /a/b/c", METHOD("GET")),
	  "- =/a/b/c: c; - /a/: b; x /a/b/: a;" },
	{ R("a", "/a/b", METHOD("GET") HOST("y")) R("b", "/a", HOST("x")) R("c", "/a", HOST("*.y")),
	  ".y /a/: c; x /a/: b; y /a/b/: a;" },
	/* a component behind the routes of its path */
	{ R("a", "= /c", METHOD("PUT"))
		  R("b", "= /c",
		    FROM("10.0.0.0/8")) "[component c]\npath = /c\nfile = page.html\n" R("d", "/c",
											 ""),
	  "- =/c: b a c; - /c/: d;" },
	/* denials once more in normal form (N) */
	{ D("a", "/A_b/C", ""), "- /A_b/C/: a; N- /a_b/c/: a;" },
	{ D("a", "/", "") R("b", "/b", ""), "- /: a; - /b/: b; N- /: a;" },
	{ D("a", "/a;b/c;/;d/e", ""), "- /a;b/c;/;d/e/: a; N- /a/c/e/: a;" },
	{ D("a", "/;a", ""), "- /;a/: a; N- /: a;" },
	{ D("a", "= /", ""), "- =/: a; N- =/: a;" },
	{ D("a", "= /;x", ""), "- =/;x: a; - =/;x/: a; N- =/: a;" },
	{ D("a", "= /A", HOST("x")), "x =/A: a; x =/A/: a; Nx =/a: a;" },
	{ D("a", "= /a/", ""), "- =/a: a; - =/a/: a; N- =/a: a;" },
	/* the other end of an exact denial behind what has that path itself */
	{ D("a", "= /a", "") R("b", "= /a/", ""), "- =/a: a; - =/a/: b; N- =/a: a;" },
	{ D("a", "= /a", FROM("10.1.2.3")) R("b", "= /a/", METHOD("GET")),
	  "- =/a: a; - =/a/: b a; N- =/a: a;" },
	{ D("a", "= /a", "") D("b", "= /a/", FROM("10.1.2.3")),
	  "- =/a: a; - =/a/: b a; N- =/a: b a;" },
	/* their chains */
	{ D("a", "/a", METHOD("GET")) R("b", "/", ""), "- /: b; - /a/: a b; N- /a/: a;" },
	{ D("a", "/a/b", FROM("10.0.0.0/8")) D("b", "/A", METHOD("GET")) R("c", "/a", "")
		  D("d", "/", ""),
	  "- /: d; - /A/: b d; - /a/: c; - /a/b/: a c; N- /: d; N- /a/: b d; N- /a/b/: a b d;" },
};

static void print_chain(FILE *out, const struct pathrules *rules, size_t at)
{
	const struct pathrule *rule = &rules->rules[at];
	uint32_t length = rule->length;

	fprintf(out, "%s%s%s %s%s:", at ? " " : "", rule->view == PATHRULE_NORMAL ? "N" : "",
		rule->host ? rule->host : "-", rule->is_exact ? "=" : "", rule->path);
	for (;; rule = &rules->rules[rule->next]) {
		fprintf(out, " %s", rule->route ? rule->route->name : rule->component->name);
		length--;
		if (rule->next == PATHRULE_NONE)
			break;
		assert_int_not_equal(rules->rules[rule->next].id, 0);
	}
	assert_int_equal(length, 0);
	fputc(';', out);
}

static void test_chains(void **state)
{
	struct pathrules rules;
	struct config *config;
	char *text, *chains;
	size_t i, j, len;
	FILE *out;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		text = config_format("%s%s", GW, rows[i].text);
		config = load_good(text);
		assert_int_equal(pathrules_make(&rules, config), 0);
		out = open_memstream(&chains, &len);
		for (j = 0; j < rules.n; j++)
			if (rules.rules[j].is_first)
				print_chain(out, &rules, j);
		fclose(out);
		assert_string_equal(chains, rows[i].chains);
		pathrules_free(&rules);
		config_free(config);
		free(chains);
		free(text);
	}
}

/* Only what is referred to has an id, and ids are dense. */
static void test_ids(void **state)
{
	struct config *config = load_good(GW R("a", "/a", "") R("b", "/a/b", METHOD("GET"))
						  R("c", "/a/b", METHOD("PUT")) R("d", "/d", "")
							  R("e", "= /e", METHOD("GET")));
	struct pathrules rules;
	unsigned int seen = 0;
	size_t i;

	(void)state;
	assert_int_equal(pathrules_make(&rules, config), 0);
	assert_int_equal(rules.ids, 4);
	for (i = 0; i < rules.n; i++) {
		assert_true(rules.rules[i].id || rules.rules[i].route->name[0] == 'd');
		seen |= 1u << rules.rules[i].id;
	}
	assert_int_equal(seen, 0x1f);
	pathrules_free(&rules);
	config_free(config);
}

static char *chain_of(int n)
{
	char *text = config_strdup(GW "[route r]\npath = /\nredirect = 301 /a\nfrom = "), *longer;
	int i;

	for (i = 0; i < n; i++) {
		longer = config_format("%s%s10.0.%d.0/24", text, i ? ", " : "", i);
		free(text);
		text = longer;
	}
	return text;
}

static void test_limits(void **state)
{
	char *text = chain_of(RULES_PER_PATH), *more;

	(void)state;
	config_free(load_good(text));
	more = config_format("%s\n" R("s", "/a", METHOD("GET")), text);
	expect_problem(more, "8: path '/a/' has 33 pairs of 'from' and 'method', those of its "
			     "shorter prefixes included (allowed: 32)");
	free(more);
	more = config_format("%s\n" R("s", "/a", ""), text);
	config_free(load_good(more));
	free(more);
	free(text);
	text = chain_of(RULES_PER_PATH + 1);
	expect_problem(text, "4: path '/' has 33 pairs of 'from' and 'method'");
	free(text);
}

/* Paths that differ may have one normal form. */
static void test_normal_limit(void **state)
{
	char *text = config_strdup(GW D("a", "= /a", "from = 10.0.0.0/8")), *longer;
	int i;

	(void)state;
	for (i = 1; i < RULES_PER_PATH + 1; i++) {
		longer = config_format(
			"%s%s10.0.%d.0/24", text,
			i == RULES_PER_PATH / 2 ? "\n" D("b", "= /A", "from = ") : ", ", i);
		if (i == RULES_PER_PATH)
			expect_problem(longer, "4: path '/a' has 33 pairs of 'from'");
		else
			config_free(load_good(longer));
		free(text);
		text = longer;
	}
	free(text);
}

static void test_rule_count(void **state)
{
	size_t len, i;
	char *text;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	fputs(GW, out);
	for (i = 1; i < MAX_RULES; i++)
		fprintf(out, R("r%zu", "= /%zu", METHOD("GET")), i, i);
	fflush(out);
	config_free(load_good(text));
	fprintf(out, R("x", "= /x", METHOD("GET")));
	fclose(out);
	expect_problem(text,
		       "1: routes with 'from' or 'method' make 131072 rules (allowed: 131071)");
	free(text);
}

static void test_path_count(void **state)
{
	size_t len, i;
	char *text;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	fputs(GW, out);
	for (i = 0; i < 100000; i++)
		fprintf(out, D("r%zu", "= /%zu", ""), i, i);
	for (; i < 200000; i++)
		fprintf(out, D("r%zu", "/%zu", ""), i, i);
	fflush(out);
	config_free(load_good(text));
	fprintf(out, R("x", "/x", ""));
	fclose(out);
	expect_problem(text, "1: routes and components make 500001 paths, a 'deny' two, or three "
			     "with an exact path (allowed: 500000)");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),	   cmocka_unit_test(test_ids),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_normal_limit),
		cmocka_unit_test(test_rule_count), cmocka_unit_test(test_path_count),
	};

	return cmocka_run_group_tests_name("pathrules", tests, make_dir, remove_dir);
}
