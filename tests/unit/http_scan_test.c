// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The word-wise scanners of http_scan.h against a byte-wise definition: every byte value at every
 * place of a word, among harmless bytes and among all others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../fuzz/http_native.h"

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool stops_value(int c)
{
	return c < 0x20 || c >= 0x7f;
}

static bool stops_control(int c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static bool stops_name(int c)
{
	return !is_letter(c) && c != '-';
}

static bool stops_path(int c)
{
	return !is_letter(c) && !is_digit(c) && c != '-' && c != '.' && c != '/' && c != '_';
}

static bool stops_query(int c)
{
	return c <= 0x20 || c >= 0x7f || c == '#';
}

static __u64 scan_value(__u64 word)
{
	return http_value_flags(word) & HTTP_HIGH;
}

static const struct {
	const char *name;
	__u64 (*scan)(__u64 word);
	bool (*stops)(int c);
	__u8 harmless;
} scanners[] = {
	{ "value", scan_value, stops_value, 'a' },
	{ "control", http_control_stops, stops_control, 'a' },
	{ "name", http_name_stops, stops_name, 'a' },
	{ "path", http_path_stops, stops_path, 'a' },
	{ "query", http_query_stops, stops_query, 'a' },
};

/* Place of the first stop in a word by the byte-wise definition; 8: none. */
static unsigned int first_stop(const __u8 *bytes, bool (*stops)(int c))
{
	unsigned int i;

	for (i = 0; i < 8 && !stops(bytes[i]); i++)
		;
	return i;
}

static void test_every_byte_at_every_place(void **state)
{
	unsigned int s, place, c, other;
	__u8 bytes[8];

	(void)state;
	for (s = 0; s < sizeof(scanners) / sizeof(scanners[0]); s++) {
		for (place = 0; place < 8; place++) {
			for (c = 0; c < 256; c++) {
				for (other = 0; other < 256; other++) {
					/* anything behind it: carries must not reach down */
					memset(bytes, scanners[s].harmless, place);
					memset(bytes + place, other, 8 - place);
					bytes[place] = c;
					if (http_count(scanners[s].scan(http_load8(bytes, 0))) !=
					    first_stop(bytes, scanners[s].stops))
						fail_msg("%s: %u at %u before %u", scanners[s].name,
							 c, place, other);
				}
			}
		}
	}
}

static void test_dots(void **state)
{
	static const char set[] = "/.a-0_?\xff";
	__u8 bytes[9];
	unsigned int n, i, v, want;
	__u64 found;

	(void)state;
	for (n = 0; n < 8 * 8 * 8 * 8; n++) {
		memset(bytes, 'a', sizeof(bytes));
		for (i = 0, v = n; i < 4; i++, v /= 8)
			bytes[i * 2 + (n & 1)] = bytes[i * 2 + 1 - (n & 1)] = set[v % 8];
		for (want = 0; want < 8; want++)
			if (bytes[want] == '/' &&
			    (bytes[want + 1] == '/' || bytes[want + 1] == '.'))
				break;
		found = http_dot_stops(http_load8(bytes, 0), http_load8(bytes, 1));
		assert_int_equal(http_count(found), want);
	}
}

static void test_host_stops(void **state)
{
	unsigned int place, c;
	__u8 bytes[8];
	bool stop;

	(void)state;
	for (place = 0; place < 8; place++) {
		for (c = 0; c < 256; c++) {
			memset(bytes, 'a', sizeof(bytes));
			bytes[place] = c;
			stop = stops_path(c) || c == '/';
			assert_int_equal(http_count(http_host_stops(http_load8(bytes, 0), 'a')),
					 stop ? place : 8);
		}
	}
	memcpy(bytes, "a..bcdef", 8);
	assert_int_equal(http_count(http_host_stops(http_load8(bytes, 0), 'a')), 2);
	memcpy(bytes, ".abcdefg", 8);
	assert_int_equal(http_count(http_host_stops(http_load8(bytes, 0), '.')), 0);
	assert_int_equal(http_count(http_host_stops(http_load8(bytes, 0), 'a')), 8);
}

static void test_masks(void **state)
{
	unsigned int place;
	__u64 stops;

	(void)state;
	assert_int_equal(http_below(0), ~0ULL);
	assert_int_equal(http_count(0), 8);
	for (place = 0; place < 8; place++) {
		stops = (HTTP_HIGH >> (8 * place)) << (8 * place);
		assert_int_equal(http_behind(stops), place + 1);
		assert_int_equal(http_count(stops), place);
		assert_int_equal(http_below(stops), (1ULL << (8 * place)) - 1);
	}
}

static void test_stops_at_colon(void **state)
{
	__u8 bytes[8];

	(void)state;
	memcpy(bytes, "abc:def:", 8);
	assert_true(
		http_stops_at_colon(http_load8(bytes, 0), http_name_stops(http_load8(bytes, 0))));
	memcpy(bytes, "abc :ef:", 8);
	assert_false(
		http_stops_at_colon(http_load8(bytes, 0), http_name_stops(http_load8(bytes, 0))));
	memcpy(bytes, "abc;:ef:", 8);
	assert_false(
		http_stops_at_colon(http_load8(bytes, 0), http_name_stops(http_load8(bytes, 0))));
	memcpy(bytes, "abcdefgh", 8);
	assert_false(
		http_stops_at_colon(http_load8(bytes, 0), http_name_stops(http_load8(bytes, 0))));
}

static void test_digits(void **state)
{
	__u8 bytes[9];
	unsigned int place, c, n;

	(void)state;
	for (n = 0; n < 100000000; n += 7919) {
		snprintf((char *)bytes, sizeof(bytes), "%08u", n);
		assert_int_equal(http_digits(http_load8(bytes, 0), 8), n);
		assert_int_equal(http_digits(http_load8(bytes, 0), 3), n / 100000);
		assert_int_equal(http_digits(http_load8(bytes, 0), 1), n / 10000000);
	}
	for (place = 0; place < 8; place++) {
		for (c = 0; c < 256; c++) {
			memset(bytes, '9', 8);
			bytes[place] = c;
			if (is_digit(c))
				assert_true(http_digits(http_load8(bytes, 0), 8) >= 0);
			else
				assert_int_equal(http_digits(http_load8(bytes, 0), 8), -1);
			/* bytes behind the number do not count */
			if (place)
				assert_int_equal(http_digits(http_load8(bytes, 0), place) % 10, 9);
		}
	}
}

/* The class table against the grammar's own words. */
static void test_classes(void **state)
{
	static const struct {
		__u8 class;
		bool alnum;
		const char *others;
	} classes[] = {
		{ HTTP_TOKEN, true, "!#$%&'*+-.^_`|~" }, /* RFC 9110, 5.6.2: tchar */
		{ HTTP_HOST, true, "-._~%!$&'()*+;=" },	 /* RFC 3986, 3.2.2, without ',' */
		{ HTTP_NAME, true, "-._" },
		{ HTTP_PATH, true, "-._~!$&'()*+,=:@/" }, /* RFC 3986, 3.3, without '%' and ';' */
		{ HTTP_TARGET, true, "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~" },
		{ HTTP_DIGIT, false, "0123456789" },
		{ HTTP_HEX, false, "0123456789abcdefABCDEF" },
	};
	size_t i;
	int c;

	(void)state;
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		for (c = 0; c < 256; c++)
			assert_int_equal(http_is(c, classes[i].class),
					 (classes[i].alnum && (is_letter(c) || is_digit(c))) ||
						 (c && strchr(classes[i].others, c)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_at_every_place),
		cmocka_unit_test(test_dots),
		cmocka_unit_test(test_host_stops),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_stops_at_colon),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
