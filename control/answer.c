// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Builds answers as HTTP/1.1 text (RFC 9112). Entry points: answer_component(), answer_route(),
 * answer_uri(), answer_error(). Where the bytes go is the store's business.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"

#define CONNECTION_CLOSE "connection: close\r\n"

static const int canned_status[CANNED_COUNT] = {
	[CANNED_400] = 400, [CANNED_403] = 403, [CANNED_404] = 404, [CANNED_408] = 408,
	[CANNED_414] = 414, [CANNED_431] = 431, [CANNED_503] = 503, [CANNED_505] = 505,
};

/* RFC 9110, section 15, and RFC 6585 (431). */
static const struct {
	int status;
	const char *text;
} status_texts[] = {
	{ 200, "OK" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 408, "Request Timeout" },
	{ 414, "URI Too Long" },
	{ 431, "Request Header Fields Too Large" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *status_text(int status)
{
	size_t i;

	for (i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++) {
		if (status_texts[i].status == status)
			return status_texts[i].text;
	}
	return "Unknown";
}

struct head {
	int status;
	const char *type;
	size_t length;
	const char *cache_control; /* NULL: none */
	const char *location;	   /* NULL: none */
};

/* Writes a header block with one more line `extra`. Its length, or -E2BIG. */
static int write_head(char *out, const struct head *head, const char *extra)
{
	int len;

	len = snprintf(out, HEAD_MAX + 1,
		       "HTTP/1.1 %d %s\r\nserver: sluice\r\n%s%s%scontent-type: %s\r\n"
		       "content-length: %zu\r\n%s%s%s%s\r\n",
		       head->status, status_text(head->status), head->location ? "location: " : "",
		       head->location ? head->location : "", head->location ? "\r\n" : "",
		       head->type, head->length, head->cache_control ? "cache-control: " : "",
		       head->cache_control ? head->cache_control : "",
		       head->cache_control ? "\r\n" : "", extra);
	return len > HEAD_MAX ? -E2BIG : len;
}

/* Both variants; `is_final`: the connection ends with either. */
static int finish(struct answer *out, const struct head *head, const void *body, bool is_final)
{
	int head_len = write_head(out->head, head, is_final ? CONNECTION_CLOSE : "");
	int close_len = write_head(out->close_head, head, CONNECTION_CLOSE);

	if (head_len < 0 || close_len < 0)
		return -E2BIG;
	out->source = (struct object_source){
		.head = out->head,
		.head_len = (size_t)head_len,
		.close_head = out->close_head,
		.close_len = (size_t)close_len,
		.body = body,
		.body_len = head->length,
	};
	return 0;
}

static int finish_text(struct answer *out, int status, const char *location, bool is_final)
{
	struct head head = {
		.status = status,
		.type = "text/plain; charset=utf-8",
		.location = location,
	};

	head.length = (size_t)snprintf(out->body, sizeof(out->body), "%d %s\n", status,
				       status_text(status));
	return finish(out, &head, out->body, is_final);
}

int answer_component(struct answer *out, const struct config_component *component, const void *body,
		     size_t len)
{
	struct head head = {
		.status = 200,
		.type = component->type,
		.length = len,
		.cache_control = component->cache_control,
	};

	return finish(out, &head, body, false);
}

int answer_route(struct answer *out, int status, const char *location)
{
	return finish_text(out, status, location, false);
}

static int write_uri_head(char *out, int status, const char *location, const char *extra)
{
	int len;

	len = snprintf(out, HEAD_MAX + 1,
		       "HTTP/1.1 %d %s\r\nserver: sluice\r\ncontent-length: 0\r\n%s"
		       "location: %.*s",
		       status, status_text(status), extra,
		       (int)(strstr(location, REDIRECT_URI) - location), location);
	return len > HEAD_MAX ? -E2BIG : len;
}

int answer_uri(struct answer *out, int status, const char *location)
{
	int head_len = write_uri_head(out->head, status, location, "");
	int close_len = write_uri_head(out->close_head, status, location, CONNECTION_CLOSE);
	int len = snprintf(out->body, sizeof(out->body), "%s\r\n\r\n",
			   strstr(location, REDIRECT_URI) + strlen(REDIRECT_URI));

	if (head_len < 0 || close_len < 0 || len >= (int)sizeof(out->body))
		return -E2BIG;
	out->source = (struct object_source){
		.head = out->head,
		.head_len = (size_t)head_len,
		.close_head = out->close_head,
		.close_len = (size_t)close_len,
		.body = out->body,
		.body_len = (size_t)len,
	};
	return 0;
}

int answer_error(struct answer *out, enum canned which)
{
	return finish_text(out, canned_status[which], NULL, true);
}
