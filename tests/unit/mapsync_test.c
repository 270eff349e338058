// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a reload writes, in what order: `settings` while the epoch is switched, and where the rules
 * of an epoch lie, so that those of the epoch that still serves stay as they are. The functions of
 * bpf/bpf.h here win over libbpf's.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>

#include "config_fixture.h"
#include "mapsync.h"

enum fake_fd { SETTINGS_FD = 9001, PATHS_FD, LONG_PATHS_FD, RULES_FD };

#define GW "[gateway]\nuplink = gw0\nvip = 10.80.9.9:80\n"
#define WRITES_MAX 8

static const struct mapset maps = {
	.settings = SETTINGS_FD, .paths = PATHS_FD, .long_paths = LONG_PATHS_FD, .rules = RULES_FD
};
static struct settings written[WRITES_MAX], loaded;
static int n_written;
static struct rule rules[2 * MAX_RULES];
static struct target last_path;

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	(void)key;
	assert_int_equal(fd, SETTINGS_FD);
	memcpy(value, &loaded, sizeof(loaded));
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	assert_int_equal(flags, BPF_ANY);
	if (fd == SETTINGS_FD) {
		assert_true(n_written < WRITES_MAX);
		memcpy(&loaded, value, sizeof(loaded));
		written[n_written++] = loaded;
	} else if (fd == RULES_FD) {
		memcpy(&rules[*(const uint32_t *)key], value, sizeof(rules[0]));
	} else {
		assert_true(fd == PATHS_FD || fd == LONG_PATHS_FD);
		memcpy(&last_path, value, sizeof(last_path));
	}
	return 0;
}

/* At no moment is anything of either epoch not looked for, or a connection relayed that the new one
 * forbids. */
static void test_switch(void **state)
{
	const struct mapsync_epoch epoch = {
		.epoch = 5, .flags = SETTINGS_HOSTS, .depths = 0x14, .long_depths = 0x2
	};

	(void)state;
	n_written = 0;
	loaded = (struct settings){ .epoch = 4,
				    .any_scope = 4 << MAPSYNC_HOST_BITS,
				    .flags = SETTINGS_DENY | SETTINGS_RELAY,
				    .depths = 0x6,
				    .long_depths = 0x1 };
	assert_int_equal(mapsync_switch(&maps, &epoch), 0);
	assert_int_equal(n_written, 3);
	assert_int_equal(written[0].epoch, 4);
	assert_int_equal(written[0].any_scope, 4 << MAPSYNC_HOST_BITS);
	assert_int_equal(written[0].flags, SETTINGS_DENY | SETTINGS_HOSTS);
	assert_int_equal(written[0].depths, 0x16);
	assert_int_equal(written[0].long_depths, 0x3);
	assert_int_equal(written[1].epoch, 5);
	assert_int_equal(written[1].any_scope, 5 << MAPSYNC_HOST_BITS);
	assert_int_equal(written[1].flags, SETTINGS_DENY | SETTINGS_HOSTS);
	assert_int_equal(written[1].depths, 0x16);
	assert_int_equal(written[1].long_depths, 0x3);
	assert_int_equal(written[2].epoch, 5);
	assert_int_equal(written[2].flags, SETTINGS_HOSTS);
	assert_int_equal(written[2].depths, 0x14);
	assert_int_equal(written[2].long_depths, 0x2);
}

/* Two rules: POST, then everything. */
static void test_rules(void **state)
{
	struct config *config =
		load_good(GW "[route a]\npath = /a/b/\nmethod = POST\ndeny = 404\n"
			     "[route b]\npath = /a/\nredirect = 301 /x\nfrom = 10.0.0.0/9\n");
	struct target routes[2] = { { .kind = TARGET_DENY }, { .kind = TARGET_CANNED } };
	struct mapsync_epoch epoch = {};
	struct keymap hosts = {};
	const struct rule *first, *second;
	uint32_t number, base;

	(void)state;
	for (number = 6; number < 8; number++) {
		epoch = (struct mapsync_epoch){ .epoch = number };
		base = (number & 1) * MAX_RULES;
		memset(rules, 0, sizeof(rules));
		assert_int_equal(mapsync_write_rules(
					 &maps, &(struct mapsync_targets){ &epoch, config, &hosts,
									   routes, NULL }),
				 0);
		assert_int_equal(epoch.depths, 0x6);
		assert_int_equal(epoch.long_depths, 0);
		assert_int_equal(last_path.kind, TARGET_RULES); /* the normal form of a */
		first = &rules[last_path.slot];
		assert_true(last_path.slot > base && last_path.slot <= base + 4);
		assert_int_equal(first->next, 0);
		assert_int_equal(first->target.kind, TARGET_DENY);
		for (first = rules + base + 1; !first->next; first++)
			assert_true(first < rules + base + 4);
		second = &rules[first->next];
		assert_true(second > rules + base && second <= rules + base + 4);
		assert_int_equal(first->methods, RULE_POST);
		assert_int_equal(first->mask.w[0] | first->mask.w[3], 0);
		assert_int_equal(first->target.len, 5);
		assert_int_equal(second->methods, 0);
		assert_int_equal(second->mask.w[2], 0xffffffff);
		assert_int_equal(second->mask.w[3], htonl(0xff800000));
		assert_int_equal(second->addr.w[3], htonl(0x0a000000));
		assert_int_equal(second->target.kind, TARGET_CANNED);
		assert_int_equal(second->target.len, 3);
	}
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests_name("mapsync", tests, make_dir, remove_dir);
}
