// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: the normal form of paths (http_normal.h). Each input is a path; what comes out is
 * compared with a second implementation, which decodes the whole path again and again and then
 * takes it apart segment by segment.
 * build: clang-19 -g -O1 -fsanitize=fuzzer,address,undefined -I datapath tests/fuzz/fuzz_normal.c
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_native.h"

#include "http_normal.h"

#define PATH_MAX_BYTES 2000

static struct http_scratch scratch;
static struct http_normal normal;

/* What the second implementation finds. */
struct form {
	bool is_bad;
	unsigned int stops;
	size_t len;
	__u8 bytes[PATH_MAX_BYTES + 2];
};

static int hex_of(const __u8 *at, const __u8 *end)
{
	unsigned int value;

	if (end - at < 3 || at[0] != '%' || !isxdigit(at[1]) || !isxdigit(at[2]))
		return -1;
	sscanf((const char[3]){ (char)at[1], (char)at[2], 0 }, "%x", &value);
	return (int)value;
}

/* One pass over the path. True if it found an escape. */
static bool decode(__u8 *path, size_t *len)
{
	size_t in, out = 0;
	bool found = false;
	int value;

	for (in = 0; in < *len; in++) {
		value = hex_of(path + in, path + *len);
		path[out++] = value < 0 ? path[in] : (__u8)value;
		in += value < 0 ? 0 : 2;
		found |= value >= 0;
	}
	*len = out;
	return found;
}

/* RFC 3629, 3: the first byte says how many bits follow, and these would be too few. */
static bool is_overlong(__u8 a, __u8 b)
{
	static const struct {
		__u8 first, below;
	} rows[] = { { 0xc0, 0xc0 }, { 0xc1, 0xc0 }, { 0xe0, 0xa0 },
		     { 0xf0, 0x90 }, { 0xf8, 0x88 }, { 0xfc, 0x84 } };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (a == rows[i].first && b >= 0x80 && b < rows[i].below)
			return true;
	return false;
}

static void take_segment(struct form *f, const __u8 *at, size_t len)
{
	const __u8 *param = memchr(at, ';', len);
	size_t size = param ? (size_t)(param - at) : len, i;

	f->stops += param != NULL;
	for (i = 0; i < len; i++)
		f->stops += at[i] == '?' || at[i] == '#';
	if (!size || (size == 1 && at[0] == '.'))
		return;
	if (size == 2 && at[0] == '.' && at[1] == '.') {
		f->stops++;
		while (f->len && f->bytes[f->len - 1] != '/')
			f->len--;
		f->len -= f->len != 0;
		return;
	}
	f->bytes[f->len++] = '/';
	memcpy(f->bytes + f->len, at, size);
	f->len += size;
}

static void make_form(struct form *f, const __u8 *data, size_t len)
{
	__u8 path[PATH_MAX_BYTES];
	size_t i, at;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < len; i++)
		f->is_bad |= data[i] == '%' && hex_of(data + i, data + len) < 0;
	memcpy(path, data, len);
	while (decode(path, &len))
		;
	for (i = 0; i < len; i++) {
		f->is_bad |= path[i] < 0x20 || path[i] == 0x7f ||
			     (i && is_overlong(path[i - 1], path[i]));
		path[i] = path[i] == '\\' ? '/' : path[i] < 0x80 ? (__u8)tolower(path[i]) : path[i];
	}
	for (i = 1; i <= len; i = at + 1) {
		for (at = i; at < len && path[at] != '/'; at++)
			;
		take_segment(f, path + i, at - i);
	}
	f->is_bad |= f->stops > HTTP_NORMAL_STEPS;
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t len)
{
	static char text[PATH_MAX_BYTES + 64];
	int step = HTTP_NORMAL_MORE, rounds = 0;
	struct form form;
	size_t i;

	if (!len || len > PATH_MAX_BYTES || data[0] != '/')
		return 0;
	for (i = 0; i < len; i++)
		if (!http_is(data[i], HTTP_TARGET) || data[i] == '?')
			return 0;
	i = (size_t)snprintf(text, sizeof(text), "GET %.*s HTTP/1.0\r\n\r\n", (int)len, data);
	http_native_put(&scratch, text, (__u32)i, '%');
	if (http_request_run(&scratch) != HTTP_COMPLETE || scratch.req.path_len != len)
		abort();
	memset(normal.buf, '%', sizeof(normal.buf));
	http_normal_begin(&normal, &scratch.req);
	while (step != HTTP_NORMAL_END && step != HTTP_NORMAL_BAD) {
		step = http_normal_next(&scratch, &normal);
		if (++rounds > HTTP_NORMAL_STEPS + 1)
			abort();
	}
	make_form(&form, data, len);
	if (form.is_bad != (step == HTTP_NORMAL_BAD))
		abort();
	if (!form.is_bad && (form.len != normal.seen || memcmp(form.bytes, normal.buf, form.len)))
		abort();
	/* what the parser calls normal is */
	if (scratch.req.is_normal && (form.is_bad || form.len + (data[len - 1] == '/') != len ||
				      memcmp(form.bytes, data, form.len)))
		abort();
	return 0;
}
