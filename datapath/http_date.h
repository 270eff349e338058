/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IMF-fixdate, the form of dates that is sent (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
 * Seconds since 1970 in 32 unsigned bits: up to 2106. The two obsolete forms are not read. Compiles
 * for BPF and natively.
 */
#ifndef SLUICE_HTTP_DATE_H
#define SLUICE_HTTP_DATE_H

#include "http_message.h"

#define HTTP_DATE_LEN 29
#define HTTP_DAY_SECONDS 86400
#define HTTP_DAYS_TO_1970 719468 /* from the first of March of the year 0 */
#define HTTP_DAYS_400 146097	 /* of 400 years */

#define HTTP_THREE(a, b, c) ((a) | (b) << 8 | (c) << 16)

static const __u32 http_weekdays[8] = {
	HTTP_THREE('S', 'u', 'n'), HTTP_THREE('M', 'o', 'n'), HTTP_THREE('T', 'u', 'e'),
	HTTP_THREE('W', 'e', 'd'), HTTP_THREE('T', 'h', 'u'), HTTP_THREE('F', 'r', 'i'),
	HTTP_THREE('S', 'a', 't'),
};

/* From March on: a leap day is the last of its year. */
static const __u32 http_months[16] = {
	HTTP_THREE('M', 'a', 'r'), HTTP_THREE('A', 'p', 'r'), HTTP_THREE('M', 'a', 'y'),
	HTTP_THREE('J', 'u', 'n'), HTTP_THREE('J', 'u', 'l'), HTTP_THREE('A', 'u', 'g'),
	HTTP_THREE('S', 'e', 'p'), HTTP_THREE('O', 'c', 't'), HTTP_THREE('N', 'o', 'v'),
	HTTP_THREE('D', 'e', 'c'), HTTP_THREE('J', 'a', 'n'), HTTP_THREE('F', 'e', 'b'),
};

static __always_inline void http_date_name(__u8 *out, __u32 name)
{
	out[0] = name;
	out[1] = name >> 8;
	out[2] = name >> 16;
}

static __always_inline void http_date_two(__u8 *out, __u32 value)
{
	out[0] = '0' + value / 10;
	out[1] = '0' + value % 10;
}

/* Writes HTTP_DATE_LEN bytes. */
static __always_inline void http_date_format(__u8 *out, __u32 second)
{
	__u32 days = second / HTTP_DAY_SECONDS, clock = second % HTTP_DAY_SECONDS;
	__u32 since = days + HTTP_DAYS_TO_1970, era = since / HTTP_DAYS_400;
	__u32 day = since % HTTP_DAYS_400, month, year, weekday = (days + 4) % 7;

	HTTP_OPAQUE(weekday);
	http_date_name(out, http_weekdays[weekday & 7]);
	/* Whole years in `day`: the days of leap years before it are taken out. */
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153; /* from March on, months come in fives of 153 days */
	day -= (153 * month + 2) / 5;
	year += era * 400 + (month >= 10);
	out[3] = ',';
	out[4] = ' ';
	http_date_two(out + 5, day + 1);
	out[7] = ' ';
	http_date_name(out + 8, http_months[month & 15]);
	out[11] = ' ';
	http_date_two(out + 12, year / 100);
	http_date_two(out + 14, year % 100);
	out[16] = ' ';
	http_date_two(out + 17, clock / 3600);
	out[19] = ':';
	http_date_two(out + 20, clock / 60 % 60);
	out[22] = ':';
	http_date_two(out + 23, clock % 60);
	out[25] = ' ';
	http_date_name(out + 26, HTTP_THREE('G', 'M', 'T'));
}

/* Two digits; 100 when they are none. */
static __always_inline __u32 http_date_digits(const struct http_scratch *s, __u64 pos)
{
	__u32 tens = http_byte(s, pos) - '0', ones = http_byte(s, pos + 1) - '0';

	return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

static __always_inline __u32 http_date_three(const struct http_scratch *s, __u64 pos)
{
	return http_half(s, pos) | (__u32)http_byte(s, pos + 2) << 16;
}

/* Number of a month's name from March on; 12: none. */
static __always_inline __u32 http_date_month(__u32 name)
{
	__u32 month = 0;

	while (month < 12 && HTTP_CAN_LOOP) {
		if (http_months[month & 15] == name)
			return month;
		month++;
	}
	return 12;
}

/* The IMF-fixdate that is [start, end), in seconds; 0: it is none, or not between 1970 and 2105. */
HTTP_FUNC __u32 http_date_parse(const struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	__u32 day = http_date_digits(s, start + 5), month, year, hour, minute, second;

	year = http_date_digits(s, start + 12) * 100 + http_date_digits(s, start + 14);
	hour = http_date_digits(s, start + 17);
	minute = http_date_digits(s, start + 20);
	second = http_date_digits(s, start + 23);
	month = http_date_month(http_date_three(s, start + 8));
	if (end - start != HTTP_DATE_LEN || http_half(s, start + 3) != (',' | ' ' << 8) ||
	    http_byte(s, start + 7) != ' ' || http_byte(s, start + 11) != ' ' ||
	    http_byte(s, start + 16) != ' ' || http_byte(s, start + 19) != ':' ||
	    http_byte(s, start + 22) != ':' || http_byte(s, start + 25) != ' ' ||
	    http_date_three(s, start + 26) != HTTP_THREE('G', 'M', 'T'))
		return 0;
	if (!day || day > 31 || month > 11 || hour > 23 || minute > 59 || second > 60 ||
	    year < 1970 || year > 2105)
		return 0;
	year -= month >= 10;
	day += year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - 1;
	return (day - HTTP_DAYS_TO_1970) * HTTP_DAY_SECONDS + hour * 3600 + minute * 60 + second;
}

#endif
