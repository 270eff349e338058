// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects: header blocks and bodies in one region, as store.c lays them out, and what a client must
 * get of each. Bodies repeat with no period that a segment could hide.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "check.h"
#include "http_date.h"
#include "room.h"
#include "room_internal.h"

#define SLOTS_MAX 64
#define REGION_FIRST 64

static uint8_t *region;
static uint32_t region_used;
static struct object contents[SLOTS_MAX];
static char date_text[HTTP_DATE_LEN];

void room_make_region(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "region", 4, REGION_BYTES, 1, &opts);
	uint32_t zero = 0;

	if (fd < 0)
		check_die("cannot make a region: %s", strerror(errno));
	region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (region == MAP_FAILED)
		check_die("cannot map the region: %s", strerror(errno));
	room_map_update("regions", &zero, &fd);
}

static uint8_t pattern(uint32_t i)
{
	return (i * 31 + (i >> 8) * 7 + (i >> 16)) & 0xff;
}

static struct span put_head(const char *status, uint32_t body_len, const char *more)
{
	struct span span = { .off = region_used };

	span.len = sprintf((char *)region + region_used,
			   "HTTP/1.1 %s\r\nserver: sluice\r\ncontent-length: %u\r\n%s\r\n", status,
			   body_len, more);
	region_used += span.len;
	return span;
}

void room_object(uint32_t slot, uint32_t gen, const char *status, uint32_t body_len)
{
	struct object *o = &contents[slot];
	uint32_t i;

	if (slot >= SLOTS_MAX || region_used + body_len + HEAD_MAX > REGION_USABLE)
		check_die("no room for object %u", slot);
	memset(o, 0, sizeof(*o));
	o->gen = gen;
	o->close = put_head(status, body_len, "connection: close\r\n");
	o->head = put_head(status, body_len, "");
	o->body.off = region_used;
	o->body.len = body_len;
	for (i = 0; i < body_len; i++)
		region[region_used + i] = pattern(i + slot);
	region_used += body_len;
	room_map_update("objects", &slot, o);
}

void room_own_object(uint32_t body_len)
{
	room_object(SLOT_OWN, 1, "200 OK", body_len);
	room_exact(ROOM_ANY, "/own", room_to_object(SLOT_OWN, POOL_1));
}

void room_uri_object(uint32_t slot, const char *before, const char *behind)
{
	static const char start[] = "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n";
	struct object *o = &contents[slot];
	char *at = (char *)region;

	memset(o, 0, sizeof(*o));
	o->gen = 1;
	o->head.off = region_used;
	o->head.len = sprintf(at + region_used, "%slocation: %s", start, before);
	region_used += o->head.len + 1;
	o->close.off = region_used;
	o->close.len =
		sprintf(at + region_used, "%sconnection: close\r\nlocation: %s", start, before);
	region_used += o->close.len + 1;
	o->body.off = region_used;
	o->body.len = sprintf(at + region_used, "%s\r\n\r\n", behind);
	region_used += o->body.len + 1;
	room_map_update("objects", &slot, o);
}

/* One header block of a dated object. */
static struct span put_dated(struct object *o, uint32_t lead, uint32_t body_len, const char *more)
{
	static const char status[] = "HTTP/1.1 200 OK\r\nx-lead: ";
	struct span span = { .off = region_used };
	char *at = (char *)region + region_used;

	span.len = sprintf(at, "%s", status);
	while (span.len + strlen("\r\nserver: sluice\r\ndate: ") < lead)
		at[span.len++] = 'x';
	o->shared = span.len + 2;
	span.len += sprintf(at + span.len, "\r\nserver: sluice\r\ndate: ");
	o->date = span.len;
	span.len += sprintf(at + span.len, "%029d\r\ncontent-length: %u\r\n%s\r\n", 0, body_len,
			    more);
	region_used += span.len;
	return span;
}

void room_dated_object(uint32_t index, uint32_t lead, uint32_t body_len, uint64_t etag,
		       uint32_t modified)
{
	uint32_t slot = SLOT_OWN + index, i;
	struct object *o = &contents[slot];

	memset(o, 0, sizeof(*o));
	o->gen = 1;
	o->etag = etag;
	o->modified = modified;
	o->close = put_dated(o, lead, body_len, "connection: close\r\n");
	o->head = put_dated(o, lead, body_len, "");
	o->body.off = region_used;
	o->body.len = body_len;
	for (i = 0; i < body_len; i++)
		region[region_used + i] = pattern(i + slot);
	region_used += body_len;
	room_map_update("objects", &slot, o);
	if (!index)
		room_exact(ROOM_ANY, "/own", room_to_object(SLOT_OWN, POOL_1));
}

void room_set_variant(uint32_t coding, uint32_t slot)
{
	uint32_t own = SLOT_OWN;

	contents[own].variants[coding] = slot + 1;
	room_map_update("objects", &own, &contents[own]);
}

void room_set_date(uint32_t second)
{
	time_t when = second;
	char text[HTTP_DATE_LEN + 1];

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&when));
	memcpy(date_text, text, sizeof(date_text));
}

size_t room_not_modified(uint32_t slot, bool close, uint8_t *out, size_t size)
{
	static const char line[] = "HTTP/1.1 304 Not Modified\r\n";
	uint32_t shared = contents[slot].shared, at = strlen(line);
	size_t len = room_answer(slot, close, true, out, size) - shared;

	memmove(out + at, out + shared, len);
	memcpy(out, line, at);
	return at + len;
}

void room_set_object_gen(uint32_t slot, uint32_t gen)
{
	contents[slot].gen = gen;
	room_map_update("objects", &slot, &contents[slot]);
}

size_t room_answer(uint32_t slot, bool close, bool head_only, uint8_t *out, size_t size)
{
	const struct object *o = &contents[slot];
	const struct span *head = close ? &o->close : &o->head;
	size_t body_len = head_only ? 0 : o->body.len;

	if (head->len + body_len > size)
		check_die("buffer too small for object %u", slot);
	memcpy(out, region + head->off, head->len);
	if (o->date)
		memcpy(out + o->date, date_text, HTTP_DATE_LEN);
	memcpy(out + head->len, region + o->body.off, body_len);
	return head->len + body_len;
}

void room_reset_objects(void)
{
	static const char *const errors[CANNED_COUNT] = {
		[CANNED_400] = "400 Bad Request",	  [CANNED_403] = "403 Forbidden",
		[CANNED_404] = "404 Not Found",		  [CANNED_408] = "408 Request Timeout",
		[CANNED_414] = "414 URI Too Long",	  [CANNED_431] = "431 Fields Too Large",
		[CANNED_503] = "503 Service Unavailable", [CANNED_505] = "505 Version",
	};
	int i;

	region_used = REGION_FIRST;
	room_object(SLOT_SMALL, 1, "200 OK", 1001);
	room_object(SLOT_BIG, 1, "200 OK", 14 * 1024);
	room_object(SLOT_HUGE, 1, "200 OK", BODY_MAX);
	room_object(SLOT_MOVED, 1, "301 Moved\r\nlocation: /elsewhere", 0);
	for (i = 0; i < CANNED_COUNT; i++)
		room_object(SLOT_ERRORS + i, 1, errors[i], 20 + i);
}
