// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Builds answers as HTTP/1.1 text (RFC 9112). Entry points: answer_component(), answer_route(),
 * answer_uri(), answer_error(). Where the bytes go is the store's business.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "hash.h"
#include "http_date.h"

#define CONNECTION_CLOSE "connection: close\r\n"
#define DATE_ROOM "Thu, 01 Jan 1970 00:00:00 GMT" /* the same bytes at each load */

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

/* Strings may be NULL, numbers 0: no such field. */
struct head {
	int status;
	const char *type;
	size_t length;
	const char *coding;
	const char *cache_control;
	const char *location;
	const char *headers; /* whole lines */
	uint64_t etag;
	uint32_t modified;
	bool varies;
};

/* Appends to the header block of `*len` bytes; what is too long is counted, not written. */
static void __attribute__((format(printf, 3, 4))) append(char *out, int *len, const char *format,
							 ...)
{
	int room = *len < HEAD_MAX + 1 ? HEAD_MAX + 1 - *len : 0;
	va_list args;

	va_start(args, format);
	*len += vsnprintf(room ? out + *len : NULL, (size_t)room, format, args);
	va_end(args);
}

static void append_field(char *out, int *len, const char *name, const char *value)
{
	if (value)
		append(out, len, "%s: %s\r\n", name, value);
}

/* `server` and `date`; the datapath puts the time into the latter. Returns its offset. */
static int append_date(char *out, int *len)
{
	int at;

	append(out, len, "server: sluice\r\ndate: ");
	at = *len;
	append(out, len, DATE_ROOM "\r\n");
	return at;
}

/* Writes a header block with one more line `extra`, laid out as abi.h says. Length or -E2BIG. */
static int write_head(char *out, const struct head *head, const char *extra,
		      struct object_source *source)
{
	uint8_t date[HTTP_DATE_LEN];
	int len = 0;

	append(out, &len, "HTTP/1.1 %d %s\r\n", head->status, status_text(head->status));
	append_field(out, &len, "location", head->location);
	append_field(out, &len, "content-type", head->type);
	append(out, &len, "content-length: %zu\r\n", head->length);
	append_field(out, &len, "content-encoding", head->coding);
	source->shared = (uint16_t)len;
	source->date = (uint16_t)append_date(out, &len);
	if (head->etag)
		append(out, &len, "etag: \"%016" PRIx64 "\"\r\n", head->etag);
	if (head->modified) {
		http_date_format(date, head->modified);
		append(out, &len, "last-modified: %.*s\r\n", HTTP_DATE_LEN, (const char *)date);
	}
	if (head->varies)
		append(out, &len, "vary: accept-encoding\r\n");
	append_field(out, &len, "cache-control", head->cache_control);
	append(out, &len, "%s%s\r\n", head->headers ? head->headers : "", extra);
	return len > HEAD_MAX ? -E2BIG : len;
}

/* Both variants; `is_final`: the connection ends with either. */
static int finish(struct answer *out, const struct head *head, const void *body, bool is_final)
{
	struct object_source *source = &out->source;
	int head_len, close_len;

	*source = (struct object_source){
		.head = out->head,
		.close_head = out->close_head,
		.body = body,
		.body_len = head->length,
		.etag = head->etag,
		.modified = head->modified,
	};
	head_len = write_head(out->head, head, is_final ? CONNECTION_CLOSE : "", source);
	close_len = write_head(out->close_head, head, CONNECTION_CLOSE, source);
	if (head_len < 0 || close_len < 0)
		return -E2BIG;
	source->head_len = (size_t)head_len;
	source->close_len = (size_t)close_len;
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

/* Another one for other bytes, and for the same bytes as another type or coding: never 0. */
static uint64_t etag_of(const struct config_component *component, const struct answer_body *body)
{
	uint64_t hash = hash_bytes(0, component->type, strlen(component->type));

	if (body->coding)
		hash = hash_bytes(hash, body->coding, strlen(body->coding));
	hash = hash_bytes(hash, body->bytes, body->len);
	return hash ? hash : 1;
}

int answer_component(struct answer *out, const struct config_component *component,
		     const struct answer_body *body)
{
	struct head head = {
		.status = 200,
		.type = component->type,
		.length = body->len,
		.coding = body->coding,
		.cache_control = component->cache_control,
		.headers = component->headers,
		.etag = etag_of(component, body),
		.modified = body->modified,
		.varies = body->has_variants,
	};

	return finish(out, &head, body->bytes, false);
}

int answer_route(struct answer *out, int status, const char *location)
{
	return finish_text(out, status, location, false);
}

static int write_uri_head(char *out, int status, const char *location, const char *extra,
			  uint16_t *date)
{
	int len = 0;

	append(out, &len, "HTTP/1.1 %d %s\r\ncontent-length: 0\r\n", status, status_text(status));
	*date = (uint16_t)append_date(out, &len);
	append(out, &len, "%slocation: %.*s", extra,
	       (int)(strstr(location, REDIRECT_URI) - location), location);
	return len > HEAD_MAX ? -E2BIG : len;
}

int answer_uri(struct answer *out, int status, const char *location)
{
	uint16_t date;
	int head_len = write_uri_head(out->head, status, location, "", &date);
	int close_len = write_uri_head(out->close_head, status, location, CONNECTION_CLOSE, &date);
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
		.date = date,
	};
	return 0;
}

int answer_error(struct answer *out, enum canned which)
{
	return finish_text(out, canned_status[which], NULL, true);
}
