// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dates, Accept-Encoding and conditions, on the native build of the datapath's own headers. Each
 * request is parsed first, as in the datapath.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <time.h>

#include "http_rows.h"

#include "http_negotiate.h"

#define ETAG 0x00000000deadbeefULL
#define TAG "\"00000000deadbeef\""
#define MODIFIED 784111777
#define MODIFIED_TEXT "Sun, 06 Nov 1994 08:49:37 GMT"
#define DAY 86400u

/* A GET with these field lines, parsed. */
static void parse(const char *fields)
{
	char text[1024];
	int len = snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

	http_native_put(&scratch, text, (size_t)len, 'x');
	if (http_request_run(&scratch) != HTTP_COMPLETE)
		fail_msg("not parsed: \"%s\"", fields);
}

static void expect_date(__u32 second)
{
	__u8 text[HTTP_DATE_LEN + 1] = { 0 };
	time_t when = second;
	char wanted[64];
	__u32 read;

	strftime(wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&when));
	http_date_format(text, second);
	if (strcmp((char *)text, wanted))
		fail_msg("second %u is \"%s\", not \"%s\"", second, text, wanted);
	http_native_put(&scratch, wanted, HTTP_DATE_LEN, 'x');
	read = http_date_parse(&scratch, 0, HTTP_DATE_LEN);
	if (read != second && second && second < 4291747200u) /* 2106 is not read */
		fail_msg("\"%s\" is read as %u, not %u", wanted, read, second);
}

static void test_date(void **state)
{
	__u32 day, i;

	(void)state;
	for (day = 0; day < UINT32_MAX / DAY; day++)
		expect_date(day * DAY + day * 7919 % DAY);
	for (i = 0; i < DAY; i++)
		expect_date(1000 * DAY + i);
	expect_date(UINT32_MAX);
}

static void test_date_bad(void **state)
{
	static const char *const bad[] = {
		"Sunday, 06-Nov-94 08:49:37 GMT", /* the obsolete forms */
		"Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 GM",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 Nov 1994 08:49:37gGMT",
		"Sun, 06 Nov 1994 08-49:37 GMT",
		"Sun, 06 Nov 1994 08:49-37 GMT",
		"Sun, 06 Nov 1994x08:49:37 GMT",
		"Sun, 06 Nov-1994 08:49:37 GMT",
		"Sun, 06-Nov 1994 08:49:37 GMT",
		"Sun; 06 Nov 1994 08:49:37 GMT",
		"Sun,x06 Nov 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT",
		"Sun, 06 NOV 1994 08:49:37 GMT",
		"Sun, 06 Nov 1969 08:49:37 GMT",
		"Sun, 06 Nov 2106 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov 1994 08:4a:37 GMT",
	};
	size_t i, len;

	(void)state;
	for (i = 0; i < ROWS(bad); i++) {
		len = strlen(bad[i]);
		http_native_put(&scratch, bad[i], len, 'x');
		if (http_date_parse(&scratch, 0, (__u32)len))
			fail_msg("\"%s\" is read as %u", bad[i],
				 http_date_parse(&scratch, 0, (__u32)len));
	}
}

#define B HTTP_WISH_BROTLI
#define G HTTP_WISH_GZIP
#define I HTTP_WISH_IDENTITY
#define NOTHING HTTP_WISHES
#define AE "Accept-Encoding: "

static const struct {
	const char *fields;
	__u32 both, gzip, none; /* what is chosen, where both, gzip alone, no variants are stored */
} coding_rows[] = {
	/* RFC 9110, 12.5.3: an empty value wants nothing coded */
	{ AE "\r\n", I, I, I },
	{ AE "gzip\r\n", G, G, I },
	{ AE "GZip\r\n", G, G, I },
	{ AE "x-gzip\r\n", G, G, I },
	{ AE "br\r\n", B, I, I },
	{ AE "gzip, deflate\r\n", G, G, I },
	{ AE "gzip, deflate, br\r\n", B, G, I },
	{ AE "gzip, deflate, br, zstd\r\n", B, G, I },
	{ AE "gzip, deflate, bx\r\n", G, G, I },
	{ AE "gzip, deflate, br, zst\r\n", B, G, I },
	{ AE "gzip, deflatx\r\n", G, G, I },
	{ AE "gzip, deflate, br;q=0.5, x\r\n", G, G, I },
	{ AE "br,gzip\r\n", B, G, I },
	{ AE " ,gzip ,, br\t, \r\n", B, G, I },
	{ AE "deflate\r\n", I, I, I },
	{ AE "gzipped\r\n", I, I, I },
	{ AE "identity\r\n", I, I, I },
	/* weights */
	{ AE "gzip;q=1.0, br;q=0.8\r\n", G, G, I },
	{ AE "gzip;q=0.8, br;q=0.801\r\n", B, G, I },
	{ AE "gzip;q=0.8, br;q=0.80\r\n", B, G, I },
	{ AE "gzip ; Q=0.5\t,br; q=0.4\r\n", G, G, I },
	{ AE "gzip;q=0, br;q=0.000\r\n", I, I, I },
	{ AE "gzip;q=0.001\r\n", G, G, I },
	{ AE "gzip;q=0.5, identity;q=0.6\r\n", I, I, I },
	{ AE "gzip;q=0.5, identity;q=0.5\r\n", G, G, I },
	{ AE "gzip;q=0.5, identity\r\n", I, I, I },
	/* refusals */
	{ AE "identity;q=0\r\n", NOTHING, NOTHING, NOTHING },
	{ AE "identity;q=0, br\r\n", B, NOTHING, NOTHING },
	{ AE "identity;q=0, gzip;q=0.1\r\n", G, G, NOTHING },
	{ AE "*;q=0\r\n", NOTHING, NOTHING, NOTHING },
	{ AE "*;q=0, identity\r\n", I, I, I },
	{ AE "*;q=0, identity;q=0.1\r\n", I, I, I },
	{ AE "gzip, *;q=0\r\n", G, G, NOTHING },
	/* any other: what is named comes first, then the bytes as they are */
	{ AE "*\r\n", I, I, I },
	{ AE "gzip, *\r\n", G, G, I },
	{ AE "gzip;q=0, *\r\n", I, I, I },
	{ AE "identity;q=0, *\r\n", B, G, NOTHING },
	{ AE "identity;q=0.5, *\r\n", B, G, I },
	/* malformed members are not there */
	{ AE "gzip;q=2\r\n", I, I, I },
	{ AE "gzip;q=1.001\r\n", I, I, I },
	{ AE "gzip;q=0.1234\r\n", I, I, I },
	{ AE "gzip;q=\r\n", I, I, I },
	{ AE "gzip;q\r\n", I, I, I },
	{ AE "gzip;r=1\r\n", I, I, I },
	{ AE "gzip;q=0x5\r\n", I, I, I },
	{ AE "gzip;q=0.x\r\n", I, I, I },
	{ AE "gzip x\r\n", I, I, I },
	{ AE "gzip;q=., br\r\n", B, I, I },
	/* several lines are one list (RFC 9110, 5.3) */
	{ AE "gzip\r\n" AE "br\r\n", B, G, I },
	{ AE "br;q=0.1\r\nAccept: br\r\n" AE "gzip;q=0.2\r\n", G, G, I },
	{ AE "identity;q=0\r\n" AE "zstd\r\n", NOTHING, NOTHING, NOTHING },
};

static void test_coding(void **state)
{
	static const __u32 stored[] = { 1 << B | 1 << G, 1 << G, 0 };
	size_t i, j;

	(void)state;
	for (i = 0; i < ROWS(coding_rows); i++) {
		const __u32 wanted[] = { coding_rows[i].both, coding_rows[i].gzip,
					 coding_rows[i].none };

		for (j = 0; j < ROWS(stored); j++) {
			__u32 chosen;

			parse(coding_rows[i].fields);
			memset(&scratch.wishes, 0xff, sizeof(scratch.wishes)); /* of another */
			chosen = http_coding_choose(&scratch, stored[j]);
			if (chosen != wanted[j])
				fail_msg("%u of stored %#x, not %u: \"%s\"", chosen, stored[j],
					 wanted[j], coding_rows[i].fields);
		}
	}
}

#define INM "If-None-Match: "
#define IMS "If-Modified-Since: "

static const struct {
	const char *fields;
	bool not_modified;
} condition_rows[] = {
	{ INM TAG "\r\n", true },
	{ INM "W/" TAG "\r\n", true },
	{ INM " \t" TAG "\t \r\n", true },
	{ INM "*\r\n", true },
	{ INM "\"a\", " TAG "\r\n", true },
	{ INM TAG ",\"a\"\r\n", true },
	{ INM "\"a,b\",W/" TAG "\r\n", true },
	{ INM ", ,\"\"," TAG ",\r\n", true },
	{ INM "\"a\"\r\n" INM TAG "\r\n", true },
	{ INM TAG "\r\nIf-Foo: a\r\n" INM "\"a\"\r\n", true },
	{ INM "\"a\"\r\n", false },
	{ INM "\"\"\r\n", false },
	{ INM "\r\n", false },
	{ INM "00000000deadbeef\r\n", false },
	{ INM "\"00000000deadbeef\r\n", false },
	{ INM "\"00000000DEADBEEF\"\r\n", false },
	{ INM "\"0000000deadbeef\"\r\n", false },
	{ INM "\"000000000deadbeef\"\r\n", false },
	{ INM "\"deadbeef\"\r\n", false },
	{ INM "\"0000000gdeadbeef\"\r\n", false },
	{ INM "\"0000000000000000000000000000000000000000deadbeef\"\r\n", false },
	{ INM "\"a\"00000000deadbeef\"b\"\r\n", false },
	{ INM "*, \"a\"\r\n", false },
	{ INM "\"*\"\r\n", false },
	{ IMS MODIFIED_TEXT "\r\n", true },
	{ IMS "  " MODIFIED_TEXT "  \r\n", true },
	{ IMS "Sun, 06 Nov 1994 08:49:38 GMT\r\n", true },
	{ IMS "Sun, 06 Nov 1994 08:49:36 GMT\r\n", false },
	{ IMS "yesterday\r\n", false },
	{ IMS MODIFIED_TEXT "\r\n" IMS MODIFIED_TEXT "\r\n", false },
	/* RFC 9110, 13.2.2: the tags decide alone */
	{ INM "\"a\"\r\n" IMS MODIFIED_TEXT "\r\n", false },
	{ IMS MODIFIED_TEXT "\r\n" INM "\"a\"\r\n", false },
	{ IMS "Sun, 06 Nov 1994 08:49:36 GMT\r\n" INM TAG "\r\n", true },
};

static void test_condition(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(condition_rows); i++) {
		parse(condition_rows[i].fields);
		if (http_is_not_modified(&scratch, ETAG, MODIFIED) !=
		    condition_rows[i].not_modified)
			fail_msg("304 is %s: \"%s\"", condition_rows[i].not_modified ? "due" : "wrong",
				 condition_rows[i].fields);
	}
}

/* What has neither tag nor date is not compared with either. */
static void test_condition_unknown(void **state)
{
	(void)state;
	parse(INM "\"0000000000000000\"\r\n");
	assert_false(http_is_not_modified(&scratch, 0, 0));
	parse(INM TAG "\r\n");
	assert_false(http_is_not_modified(&scratch, 0, 0));
	parse(IMS MODIFIED_TEXT "\r\n");
	assert_false(http_is_not_modified(&scratch, ETAG, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_date),	  cmocka_unit_test(test_date_bad),
		cmocka_unit_test(test_coding),	  cmocka_unit_test(test_condition),
		cmocka_unit_test(test_condition_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
