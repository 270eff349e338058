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

#include "check.h"
#include "room.h"
#include "room_internal.h"

#define SLOTS_MAX 64
#define REGION_FIRST 64

static uint8_t *region;
static uint32_t region_used;
static struct object contents[SLOTS_MAX];

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
