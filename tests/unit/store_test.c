// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c, store_open.c and extent.c against the maps of fake_maps.h. A restart is store_close()
 * and store_open() over the same maps.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "extent.h"
#include "fake_maps.h"
#include "store.h"

static struct store *store;

static int set_up(void **state)
{
	(void)state;
	objects = calloc(MAX_OBJECTS, sizeof(*objects));
	n_regions = 0;
	return store_open(&store, OBJECTS_FD, REGIONS_FD);
}

static int tear_down(void **state)
{
	(void)state;
	store_close(store);
	while (n_regions > 0)
		close(regions[--n_regions]);
	free(objects);
	return 0;
}

static void restart(void)
{
	store_close(store);
	assert_int_equal(store_open(&store, OBJECTS_FD, REGIONS_FD), 0);
}

static int put_bytes(const char *head, const char *close_head, const void *body, size_t len,
		     struct object_ref *out)
{
	struct object_source source = {
		.head = head,
		.head_len = strlen(head),
		.close_head = close_head,
		.close_len = strlen(close_head),
		.body = body,
		.body_len = len,
	};

	return store_put(store, &source, out);
}

static struct object_ref put(const char *body)
{
	struct object_ref ref;

	assert_int_equal(put_bytes("head\r\n\r\n", "close head\r\n\r\n", body, strlen(body), &ref),
			 0);
	return ref;
}

static void expect_span(uint32_t region, struct span span, const char *text)
{
	char *bytes = mmap(NULL, REGION_BYTES, PROT_READ, MAP_SHARED, regions[region], 0);

	assert_ptr_not_equal(bytes, MAP_FAILED);
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(bytes + span.off, text, span.len);
	munmap(bytes, REGION_BYTES);
}

static void expect_body(struct object_ref ref, const char *body)
{
	const struct object *object = &objects[ref.slot];

	assert_int_equal(object->gen, ref.gen);
	expect_span(object->region, object->head, "head\r\n\r\n");
	expect_span(object->region, object->close, "close head\r\n\r\n");
	expect_span(object->region, object->body, body);
	assert_int_equal(object->body.off, object->head.off + object->head.len);
	assert_int_equal(object->head.off % 8, 0);
	assert_int_equal(object->close.off % 8, 0);
}

static struct store_usage usage(void)
{
	struct store_usage out;

	store_usage(store, &out);
	return out;
}

static void test_put(void **state)
{
	struct object_ref a = put("one"), b = put("two"), again = put("one");

	(void)state;
	expect_body(a, "one");
	expect_body(b, "two");
	assert_int_equal(a.slot, again.slot);
	assert_int_equal(a.gen, again.gen);
	assert_int_not_equal(a.gen, 0);
	assert_int_equal(usage().objects, 2);
	assert_int_equal(usage().bytes_reserved, REGION_BYTES);
}

/* An object with variants that is found again keeps them, also after a restart. */
static void test_variants(void **state)
{
	struct object_source source = { .head = "head",
					.head_len = 4,
					.close_head = "close",
					.close_len = 5,
					.body = "plain",
					.body_len = 5,
					.etag = 7,
					.modified = 8,
					.date = 9,
					.shared = 10 };
	struct object_ref coded = put("coded"), ref, other, found;
	const struct object *object;

	(void)state;
	source.variants[CODING_GZIP] = coded.slot + 1;
	assert_int_equal(store_put(store, &source, &ref), 0);
	object = &objects[ref.slot];
	assert_int_equal(object->etag, 7);
	assert_int_equal(object->modified, 8);
	assert_int_equal(object->date, 9);
	assert_int_equal(object->shared, 10);
	assert_int_equal(object->variants[CODING_GZIP], coded.slot + 1);
	restart();
	store_begin(store);
	source.variants[CODING_GZIP] = 0;
	assert_true(store_keep(store, &source, &found));
	assert_int_equal(found.slot, ref.slot);
	assert_int_equal(found.gen, ref.gen);
	store_commit(store, 1);
	store_expire(store, 2 * STORE_GRACE_MS);
	expect_body(coded, "coded");
	/* put with other variants, it is another object */
	assert_int_equal(store_put(store, &source, &other), 0);
	assert_int_not_equal(other.slot, ref.slot);
	source.body = "other";
	assert_false(store_keep(store, &source, &found));
}

static void test_shared_head(void **state)
{
	struct object_ref ref;

	(void)state;
	assert_int_equal(put_bytes("same", "same", "body", 4, &ref), 0);
	assert_int_equal(objects[ref.slot].head.off, objects[ref.slot].close.off);
	assert_int_equal(usage().bytes_used, 8);
	restart();
	assert_int_equal(usage().bytes_used, 8);
}

static void test_limits(void **state)
{
	static char body[BODY_MAX + 1];
	struct object_ref ref;

	(void)state;
	assert_int_equal(put_bytes("h", "c", body, BODY_MAX, &ref), 0);
	assert_int_equal(put_bytes("h", "c", body, BODY_MAX + 1, &ref), -E2BIG);
	assert_int_equal(put_bytes("", "c", body, 1, &ref), -E2BIG);
	assert_int_equal(put_bytes("h", "c", body, 0, &ref), 0);
}

/* What a reload does not put again lives for its grace, then goes; its generation never returns. */
static void test_reload(void **state)
{
	struct object_ref a, b, c;

	(void)state;
	store_begin(store);
	a = put("one");
	b = put("two");
	store_commit(store, 1000);
	assert_int_equal(store_expire(store, 1000), -1);

	store_begin(store);
	put("two");
	store_commit(store, 2000);
	expect_body(a, "one");
	assert_int_equal(store_expire(store, 2000), STORE_GRACE_MS);
	assert_int_equal(store_expire(store, 2000 + STORE_GRACE_MS - 1), 1);
	expect_body(a, "one");
	assert_int_equal(store_expire(store, 2000 + STORE_GRACE_MS), -1);
	assert_int_equal(objects[a.slot].gen, 0);
	expect_body(b, "two");

	c = put("three");
	assert_int_equal(c.slot, a.slot);
	assert_true(c.gen > a.gen);
	expect_body(c, "three");
	expect_body(b, "two");
}

static void test_revival(void **state)
{
	struct object_ref a;

	(void)state;
	store_begin(store);
	a = put("one");
	store_commit(store, 0);
	store_begin(store);
	store_commit(store, 1); /* dying now */
	store_begin(store);
	assert_int_equal(put("one").gen, a.gen);
	store_commit(store, 2);
	store_expire(store, 10 * STORE_GRACE_MS);
	expect_body(a, "one");
}

static void test_abort(void **state)
{
	struct object_ref a, b, c;

	(void)state;
	store_begin(store);
	a = put("one");
	b = put("two");
	store_commit(store, 0);
	store_begin(store);
	put("one");
	store_commit(store, 1000); /* two is dying */

	store_begin(store);
	c = put("three");
	put("two");
	store_abort(store);
	assert_int_equal(objects[c.slot].gen, 0);
	expect_body(a, "one");
	expect_body(b, "two");
	store_expire(store, 1000 + STORE_GRACE_MS);
	expect_body(a, "one");
	assert_int_equal(objects[b.slot].gen, 0);
	assert_int_equal(usage().objects, 1);
}

static void test_restart(void **state)
{
	struct object_ref a, b, c, d;
	uint64_t used;

	(void)state;
	store_begin(store);
	a = put("one");
	b = put("two");
	c = put("a longer one, to be dropped");
	store_commit(store, 0);
	used = usage().bytes_used;
	restart();
	assert_int_equal(usage().objects, 3);
	assert_int_equal(usage().bytes_used, used);

	store_begin(store);
	assert_int_equal(put("one").gen, a.gen);
	assert_int_equal(put("two").slot, b.slot);
	store_commit(store, 0);
	store_expire(store, STORE_GRACE_MS);
	assert_int_equal(objects[c.slot].gen, 0);
	restart();
	assert_int_equal(usage().objects, 2);
	d = put("new");
	assert_int_equal(d.slot, c.slot);
	expect_body(a, "one");
	expect_body(b, "two");
	expect_body(d, "new");
}

static void test_damage(void **state)
{
	struct object_ref a = put("one");

	(void)state;
	objects[a.slot].body.off += 4;
	store_close(store);
	store = NULL;
	assert_int_equal(store_open(&store, OBJECTS_FD, REGIONS_FD), -EINVAL);
	objects[a.slot].body.off -= 4;
	assert_int_equal(store_open(&store, OBJECTS_FD, REGIONS_FD), 0);
}

/* More than a region holds; nothing reaches into a region's end. */
static void test_regions(void **state)
{
	struct object_ref refs[200];
	static char body[40000];
	size_t i;

	(void)state;
	for (i = 0; i < 200; i++) {
		memset(body, (int)i, sizeof(body));
		assert_int_equal(put_bytes("h", "c", body, sizeof(body), &refs[i]), 0);
	}
	assert_int_equal(n_regions, 2);
	for (i = 0; i < 200; i++)
		assert_true(objects[refs[i].slot].close.off + 1 <= REGION_USABLE);
	restart();
	assert_int_equal(usage().objects, 200);
	store_begin(store);
	store_commit(store, 0);
	store_expire(store, STORE_GRACE_MS);
	assert_int_equal(usage().bytes_used, 0);
	for (i = 0; i < 200; i++)
		assert_int_equal(put_bytes("H", "C", body, sizeof(body) - i, &refs[i]), 0);
	assert_int_equal(n_regions, 2);
}

/* Random takes and gives against a map of bytes. */
static void test_extents(void **state)
{
	enum { SIZE = 4096, PIECES = 64 };
	uint32_t offs[PIECES], lens[PIECES] = {}, off;
	static uint8_t taken[SIZE];
	struct extents extents;
	unsigned int seed = 1;
	size_t i, j, turn;

	(void)state;
	assert_int_equal(extents_init(&extents, SIZE), 0);
	for (turn = 0; turn < 20000; turn++) {
		i = (size_t)rand_r(&seed) % PIECES;
		if (lens[i]) {
			memset(taken + offs[i], 0, lens[i]);
			assert_int_equal(extents_give(&extents, offs[i], lens[i]), 0);
			lens[i] = 0;
			continue;
		}
		lens[i] = extent_round((size_t)rand_r(&seed) % 200 + 1);
		off = extents_take(&extents, lens[i]);
		if (off == EXTENT_NONE) {
			lens[i] = 0;
			continue;
		}
		assert_true(off + lens[i] <= SIZE);
		for (j = 0; j < lens[i]; j++)
			assert_int_equal(taken[off + j], 0);
		memset(taken + off, 1, lens[i]);
		offs[i] = off;
	}
	for (i = 0; i < PIECES; i++) {
		if (lens[i])
			extents_give(&extents, offs[i], lens[i]);
	}
	assert_int_equal(extents.n, 1);
	assert_int_equal(extents_take(&extents, SIZE), 0);
	assert_int_equal(extents_carve(&extents, 0, 8), -EBUSY);
	extents_give(&extents, 0, SIZE);
	assert_int_equal(extents_carve(&extents, 8, 16), 0);
	assert_int_equal(extents_carve(&extents, 16, 16), -EBUSY);
	assert_int_equal(extents_carve(&extents, SIZE - 8, 16), -EBUSY);
	assert_int_equal(extents_carve(&extents, 24, SIZE - 24), 0);
	assert_int_equal(extents_take(&extents, 16), EXTENT_NONE);
	assert_int_equal(extents_take(&extents, 8), 0);
	extents_free(&extents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_variants, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shared_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revival, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_abort, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_regions, set_up, tear_down),
		cmocka_unit_test(test_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
