// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan.c: ids that stay over reloads and restarts, marks inside the mask, keys that a reload cannot
 * change, and the pools' sequences.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct endpoint endpoint(const char *text, uint16_t port)
{
	struct endpoint out = { .port = port, .is_ipv4 = !strchr(text, ':') };
	char mapped[64];

	snprintf(mapped, sizeof(mapped), "%s%s", out.is_ipv4 ? "::ffff:" : "", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, &out.addr), 1);
	return out;
}

static struct config_backend backend(const char *text, const char *netns)
{
	return (struct config_backend){
		.name = (char *)"n",
		.address = endpoint(text, 3000),
		.netns = (char *)netns,
		.interface = (char *)(netns ? "eth0" : NULL),
		.weight = 1,
	};
}

/* Enters a backend into the state, as gateway_apply() does. */
static void note(struct state *state, uint32_t id, const struct config_backend *from)
{
	struct state_backend *out = &state->backends[id];

	out->used = true;
	out->address = from->address;
	out->address6 = from->address6;
	out->netns = from->netns ? strdup(from->netns) : NULL;
	out->interface = from->interface ? strdup(from->interface) : NULL;
}

struct fixture {
	struct state *state;
	struct config config;
	struct config_backend backends[4];
	struct endpoint vips[MAX_VIPS];
	char *uplinks[MAX_UPLINKS];
	struct plan plan;
	const char *what;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->state = state_new();
	f->config.backends = f->backends;
	f->config.gateway.vips = f->vips;
	f->config.gateway.uplinks = f->uplinks;
	f->config.gateway.mark_base = 0x5c000000;
	f->config.gateway.mark_mask = 0xff000000;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	state_free(f->state);
	free(f);
	return 0;
}

static int make(struct fixture *f)
{
	return plan_make(&f->plan, f->state, &f->config, &f->what);
}

static void test_backend_ids(void **state)
{
	struct fixture *f = *state;
	struct config_backend gone = backend("10.0.0.9", "x");

	f->backends[0] = backend("10.0.0.1", "a");
	f->backends[1] = backend("10.0.0.2", "b");
	f->config.n_backends = 2;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.backend_ids[0], 0);
	assert_int_equal(f->plan.backend_ids[1], 1);

	/* The same backends keep their ids in another order; the one that left drains. */
	note(f->state, 0, &gone);
	note(f->state, 3, &f->backends[0]);
	note(f->state, 1, &f->backends[1]);
	f->backends[2] = backend("10.0.0.3", NULL);
	f->config.n_backends = 3;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.backend_ids[0], 3);
	assert_int_equal(f->plan.backend_ids[1], 1);
	assert_int_equal(f->plan.backend_ids[2], 2);
	assert_true(f->plan.drains[0]);
	assert_false(f->plan.drains[1] || f->plan.drains[2] || f->plan.drains[3]);
}

static void test_backend_identity(void **state)
{
	struct fixture *f = *state;
	struct config_backend base = backend("10.0.0.1", "a"), changed[5];
	size_t i;

	for (i = 0; i < ARRAY_LEN(changed); i++)
		changed[i] = base;
	changed[0].address.port = 3001;
	changed[1].address = endpoint("10.0.0.2", 3000);
	changed[2].address6 = endpoint("fd00::1", 3000);
	changed[3].netns = (char *)"b";
	changed[4].interface = (char *)"eth1";
	note(f->state, 0, &base);
	f->config.n_backends = 1;
	for (i = 0; i < ARRAY_LEN(changed); i++) {
		f->backends[0] = changed[i];
		assert_int_equal(make(f), 0);
		assert_int_equal(f->plan.backend_ids[0], 1);
		assert_true(f->plan.drains[0]);
	}
	/* Name and weight are no part of it. */
	f->backends[0] = base;
	f->backends[0].name = (char *)"renamed";
	f->backends[0].weight = 7;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.backend_ids[0], 0);
}

/* Without a state file the maps tell addresses alone. */
static void test_backend_partial(void **state)
{
	struct fixture *f = *state;

	f->state->backends[5] = (struct state_backend){
		.used = true,
		.partial = true,
		.address = endpoint("10.0.0.1", 3000),
		.address6 = endpoint("fd00::1", 3000),
	};
	f->backends[0] = backend("10.0.0.1", "a");
	f->config.n_backends = 1;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.backend_ids[0], 5);
	f->backends[0].address = endpoint("fd00::1", 3000);
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.backend_ids[0], 5);
	f->backends[0].address = endpoint("fd00::2", 3000);
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.backend_ids[0], 0);
}

static void test_ids_run_out(void **state)
{
	struct fixture *f = *state;

	f->config.gateway.mark_base = 0x100;
	f->config.gateway.mark_mask = 0x300;
	f->backends[0] = backend("10.0.0.1", "a");
	f->backends[1] = backend("10.0.0.2", "b");
	f->backends[2] = backend("10.0.0.3", "c");
	f->backends[3] = backend("10.0.0.4", "d");
	f->config.n_backends = 3;
	assert_int_equal(make(f), 0);
	f->config.n_backends = 4;
	assert_int_equal(make(f), -ENOSPC);
	assert_non_null(strstr(f->what, "backends"));
}

static void test_vips(void **state)
{
	struct fixture *f = *state;
	size_t i;

	f->state->vips[2] = (struct state_vip){ true, endpoint("10.0.0.1", 80) };
	f->state->vips[0] = (struct state_vip){ true, endpoint("10.0.0.1", 81) };
	f->vips[0] = endpoint("10.0.0.1", 82);
	f->vips[1] = endpoint("10.0.0.1", 80);
	f->vips[2] = endpoint("10.0.0.2", 80);
	f->config.gateway.n_vips = 3;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.vip_ids[0], 1); /* not 0: flows of port 81 may still live */
	assert_int_equal(f->plan.vip_ids[1], 2);
	assert_int_equal(f->plan.vip_ids[2], 3);

	memset(f->state->vips, 0, sizeof(f->state->vips));
	f->state->vips[63] = (struct state_vip){ true, endpoint("10.0.0.9", 80) };
	for (i = 0; i < MAX_VIPS; i++)
		f->vips[i] = endpoint("10.0.1.1", (uint16_t)(i + 1));
	f->config.gateway.n_vips = MAX_VIPS;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.vip_ids[62], 62);
	assert_int_equal(f->plan.vip_ids[63], 63); /* no other is left */
	f->config.gateway.n_vips = MAX_VIPS + 1;
	assert_int_equal(make(f), -ENOSPC);
	assert_string_equal(f->what, "VIPs");
}

static void test_uplinks(void **state)
{
	struct fixture *f = *state;

	strcpy(f->state->uplinks[1], "eth0");
	strcpy(f->state->uplinks[0], "eth9");
	f->uplinks[0] = (char *)"eth1";
	f->uplinks[1] = (char *)"eth0";
	f->config.gateway.n_uplinks = 2;
	assert_int_equal(make(f), 0);
	assert_int_equal(f->plan.uplink_ids[0], 2);
	assert_int_equal(f->plan.uplink_ids[1], 1);
}

static void test_marks(void **state)
{
	static const struct {
		uint32_t base, mask, count, last;
	} rows[] = {
		{ 0x5c000000, 0xff000000, 164, 0xff000000 },
		{ 0x100, 0xff00, 255, 0xff00 },
		{ 0x1, 0xffffffff, 256, 0x100 },
		{ 0xf0, 0xf0, 1, 0xf0 },
		{ 0x10, 0x30, 3, 0x30 },
		{ 0x80000000, 0x80000000, 1, 0x80000000 },
		{ 0x1, 0, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(plan_mark_count(rows[i].base, rows[i].mask), rows[i].count);
		if (rows[i].count)
			assert_int_equal(plan_mark(rows[i].base, rows[i].mask, rows[i].count - 1),
					 rows[i].last);
	}
}

static void test_fixed_keys(void **state)
{
	struct config old = { .gateway = { .flows = 8, .admin = (char *)"/a" } }, new;

	(void)state;
#define EXPECT_KEY(field, value, key)                                                              \
	do {                                                                                       \
		new = old;                                                                         \
		new.gateway.field = value;                                                         \
		assert_string_equal(plan_fixed_key(&old, &new), key);                              \
	} while (0)
	EXPECT_KEY(flows, 16, "flows");
	EXPECT_KEY(mark_base, 1, "fwmark");
	EXPECT_KEY(mark_mask, 1, "fwmark");
	EXPECT_KEY(table, 1, "table");
	EXPECT_KEY(priority, 1, "priority");
	EXPECT_KEY(instance, (char *)"x", "instance");
	EXPECT_KEY(admin, (char *)"/b", "admin");
	new = old;
	new.gateway.n_vips = 7;
	new.gateway.forwarded_pass = true;
	new.gateway.source_flows = 5;
	assert_null(plan_fixed_key(&old, &new));
}

static void expect_sequence(const uint32_t *weights, size_t n, const char *expected)
{
	char text[POOL_SLOTS + 1];
	uint8_t seq[POOL_SLOTS];
	size_t len = plan_sequence(weights, n, seq, POOL_SLOTS), i;

	for (i = 0; i < len; i++)
		text[i] = (char)('a' + seq[i]);
	text[len] = '\0';
	assert_string_equal(text, expected);
}

static void test_sequences(void **state)
{
	(void)state;
	expect_sequence(NULL, 0, "");
	expect_sequence((uint32_t[]){ 3 }, 1, "a");
	expect_sequence((uint32_t[]){ 1, 1 }, 2, "ab");
	expect_sequence((uint32_t[]){ 100, 100, 100 }, 3, "abc");
	/* nginx's own example: 5, 1, 1. */
	expect_sequence((uint32_t[]){ 5, 1, 1 }, 3, "aabacaa");
	expect_sequence((uint32_t[]){ 4, 2 }, 2, "aba");
}

/* Weights that do not fit are scaled, and nobody is left out. */
static void test_sequence_limits(void **state)
{
	uint32_t weights[POOL_MEMBERS];
	size_t shares[POOL_MEMBERS] = {};
	uint8_t seq[POOL_SLOTS];
	size_t i, len;

	(void)state;
	for (i = 0; i < POOL_MEMBERS; i++)
		weights[i] = i ? 1 : 256;
	len = plan_sequence(weights, POOL_MEMBERS, seq, POOL_SLOTS);
	assert_in_range(len, 1, POOL_SLOTS);
	for (i = 0; i < len; i++)
		shares[seq[i]]++;
	for (i = 0; i < POOL_MEMBERS; i++)
		assert_in_range(shares[i], 1, POOL_SLOTS);
	assert_true(shares[0] > 100);

	for (i = 0; i < POOL_MEMBERS; i++)
		weights[i] = 255 + i % 2;
	assert_in_range(plan_sequence(weights, POOL_MEMBERS, seq, POOL_SLOTS), POOL_MEMBERS,
			POOL_SLOTS);
	assert_int_equal(plan_sequence(weights, POOL_MEMBERS + 1, seq, POOL_SLOTS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_backend_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_backend_identity, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_backend_partial, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ids_run_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vips, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_uplinks, set_up, tear_down),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_fixed_keys),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_sequence_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
