// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: the request parser. Checks on each input: no access outside the buffer, nothing
 * depends on bytes behind the end, no prefix is complete early or bad for another reason, and what
 * is complete passes a second, byte-wise reading of the head that shares no code with the parser.
 * build: clang-19 -g -O1 -fsanitize=fuzzer,address,undefined -I datapath tests/fuzz/fuzz_request.c
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "http_native.h"

static struct http_scratch scratch;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "failed: %s\n", #what);                                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static int parse(const __u8 *data, size_t len, int fill)
{
	http_native_put(&scratch, data, len, fill);
	return http_request_run(&scratch);
}

/* What the second reading counts. */
struct census {
	unsigned int hosts;
	unsigned int lengths;
	unsigned int codings;
	unsigned int cookies;
};

static bool is_tchar(__u8 byte)
{
	return isalnum(byte) || (byte && strchr("!#$%&'*+-.^_`|~", byte));
}

/* A field line without its CRLF. */
static void read_line(const __u8 *line, size_t len, struct census *seen)
{
	size_t name = 0, i;

	while (name < len && is_tchar(line[name]))
		name++;
	CHECK(name > 0 && name < len && line[name] == ':');
	for (i = name + 1; i < len; i++)
		CHECK(line[i] == '\t' || (line[i] >= 0x20 && line[i] != 0x7f));
	seen->hosts += name == 4 && !strncasecmp((const char *)line, "host", 4);
	seen->cookies += name == 6 && !strncasecmp((const char *)line, "cookie", 6);
	seen->lengths += name == 14 && !strncasecmp((const char *)line, "content-length", 14);
	seen->codings += name == 17 && !strncasecmp((const char *)line, "transfer-encoding", 17);
}

/* End of the line at `at`: the first CRLF. No other CR or LF may come before it. */
static size_t line_end(const __u8 *data, size_t at, size_t len)
{
	while (at < len && data[at] != '\r' && data[at] != '\n')
		at++;
	CHECK(at + 1 < len && data[at] == '\r' && data[at + 1] == '\n');
	return at;
}

static void read_request_line(const __u8 *line, size_t len, const struct http_request *r)
{
	const __u8 *target = memchr(line, ' ', len);
	const __u8 *version;
	size_t i;

	CHECK(target && target > line);
	for (i = 0; line + i < target; i++)
		CHECK(is_tchar(line[i]));
	target++;
	version = memchr(target, ' ', line + len - target);
	CHECK(version && version > target && line + len - version == 9);
	CHECK(!memcmp(version, r->minor ? " HTTP/1.1" : " HTTP/1.0", 9));
	CHECK(version - target == r->target_len && target - line == r->target_off - r->start);
	for (i = 0; i < r->target_len; i++)
		CHECK(target[i] > 0x20 && target[i] < 0x7f && target[i] != '#');
	CHECK((line[0] == 'G' && !memcmp(line, "GET ", 4)) == (r->method == HTTP_GET));
	CHECK((line[0] == 'H' && !memcmp(line, "HEAD ", 5)) == (r->method == HTTP_HEAD));
	CHECK((target[0] == '/') == !!(r->flags & HTTP_ORIGIN_FORM));
	CHECK(!!memchr(target, '?', r->target_len) == !!(r->flags & HTTP_QUERY));
}

/* The path as a second reader sees it. */
static bool path_is_plain(const __u8 *path, size_t len)
{
	size_t i, segment = 0;

	for (i = 0; i <= len; i++) {
		if (i < len && path[i] != '/') {
			if (!isalnum(path[i]) && !strchr("-._~!$&'()*+,=:@", path[i]))
				return false;
			continue;
		}
		if (i && i < len && i == segment)
			return false;
		if (i == segment + 1 && path[segment] == '.')
			return false;
		if (i == segment + 2 && path[segment] == '.' && path[segment + 1] == '.')
			return false;
		segment = i + 1;
	}
	return true;
}

static void read_head(const __u8 *data, size_t len)
{
	const struct http_request *r = &scratch.req;
	struct census seen = {};
	size_t at = r->start, end;

	CHECK(r->start <= 4 && r->head_len <= len);
	end = line_end(data, at, r->head_len);
	read_request_line(data + at, end - at, r);
	for (at = end + 2; (end = line_end(data, at, r->head_len)) != at; at = end + 2)
		read_line(data + at, end - at, &seen);
	CHECK(at + 2 == r->head_len);
	CHECK(seen.hosts == !!(r->flags & HTTP_HOST_SEEN) && (seen.hosts || !r->minor));
	CHECK(seen.lengths == !!(r->flags & HTTP_HAS_CL));
	CHECK(seen.codings == !!(r->flags & HTTP_CHUNKED));
	CHECK(seen.lengths + seen.codings <= 1);
	CHECK((seen.cookies > 0) == !!(r->flags & HTTP_COOKIE));
	CHECK((seen.cookies > 1) == !!(r->flags & HTTP_COOKIES));
	CHECK(r->host_off + r->host_len <= r->head_len && r->host_name_len <= r->host_len);
	CHECK(r->cookie_off + r->cookie_len <= r->head_len);
	CHECK(r->accept_encoding_off + r->accept_encoding_len <= r->head_len);
	CHECK(r->path_off + r->path_len <= r->target_off + r->target_len);
	if (r->flags & HTTP_ORIGIN_FORM)
		CHECK(path_is_plain(data + r->path_off, r->path_len) ==
		      !!(r->flags & HTTP_PLAIN_PATH));
	if (http_request_answerable(r))
		CHECK(!(r->flags & HTTP_BODY) && seen.hosts == 1 && r->method <= HTTP_HEAD);
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t len)
{
	size_t n, step, head;
	__u8 reason;
	int result, again;

	if (len > HTTP_BUF_BYTES)
		len = HTTP_BUF_BYTES;
	result = parse(data, len, 'a');
	reason = scratch.req.reason;
	head = scratch.req.head_len;
	if (result == HTTP_COMPLETE)
		read_head(data, len);
	CHECK(parse(data, len, '\r') == result && scratch.req.reason == reason);
	CHECK(parse(data, len, 0) == result && scratch.req.head_len == head);
	step = 1 + len / 64;
	for (n = len % step; n < len; n += step) {
		again = parse(data, n, 'x');
		if (result == HTTP_COMPLETE)
			CHECK(again == (n < head ? HTTP_INCOMPLETE : HTTP_COMPLETE));
		else
			CHECK(again != HTTP_COMPLETE);
		CHECK(again != HTTP_BAD || (result == HTTP_BAD && scratch.req.reason == reason));
	}
	return 0;
}
