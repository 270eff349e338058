// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration's maps: settings, addresses, backends, pools, routes.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "prog_client.h"
#include "room.h"
#include "room_internal.h"
#include "net.h"
#include "packet.h"
#include "socket.h"
#include "wire.h"

#define VIP4_ID 0
#define VIP6_ID 1
#define UPLINK_ID 0

void room_map_update(const char *name, const void *key, const void *value)
{
	if (bpf_map_update_elem(room_map(name), key, value, BPF_ANY))
		check_die("map %s: cannot set: %s", name, strerror(errno));
}

void room_map_delete(const char *name, const void *key)
{
	if (bpf_map_delete_elem(room_map(name), key))
		check_die("map %s: cannot delete: %s", name, strerror(errno));
}

static void map_get(const char *name, const void *key, void *value)
{
	if (bpf_map_lookup_elem(room_map(name), key, value))
		check_die("map %s: cannot read: %s", name, strerror(errno));
}

/* Deletes every element of a hash or trie. */
static void map_clear(const char *name)
{
	uint8_t key[sizeof(struct long_path_key)];
	int fd = room_map(name);

	while (!bpf_map_get_next_key(fd, NULL, key))
		room_map_delete(name, key);
}

/* Zeroes the first `n` elements of an array. */
static void array_clear(const char *name, size_t value_size, uint32_t n)
{
	void *zero = calloc(1, value_size);
	uint32_t i;

	for (i = 0; i < n; i++)
		room_map_update(name, &i, zero);
	free(zero);
}

struct settings room_settings(void)
{
	struct settings settings;
	uint32_t zero = 0;

	map_get("settings", &zero, &settings);
	return settings;
}

void room_set_settings(const struct settings *settings)
{
	uint32_t zero = 0;

	room_map_update("settings", &zero, settings);
}

void room_one_bucket(void)
{
	struct settings settings = room_settings();

	settings.flow_mask = 0;
	room_set_settings(&settings);
}

static void reset_settings(void)
{
	struct settings settings = {
		.seed = { 0x0123456789abcdef, 0xfedcba9876543210 },
		.epoch = ROOM_EPOCH,
		.any_scope = ROOM_ANY,
		.flow_mask = ROOM_FLOW_BUCKETS - 1,
		.leg_mask = ROOM_LEG_BUCKETS - 1,
		.stash_mask = ROOM_STASHES - 1,
		.sender_mask = ROOM_SENDERS - 1,
	};
	int i;

	for (i = 0; i < CANNED_COUNT; i++) {
		settings.error_slot[i] = SLOT_ERRORS + i;
		settings.error_gen[i] = 1;
	}
	room_set_settings(&settings);
}

void room_default_pool(uint32_t pool)
{
	struct vip_key key = { .port = htons(CLIENT_VIP_PORT) };
	struct vip vip = { .id = VIP4_ID, .default_pool = pool };

	key.addr = packet_addr(CLIENT_VIP4);
	room_map_update("vips", &key, &vip);
	vip.id = VIP6_ID;
	key.addr = packet_addr(CLIENT_VIP6);
	room_map_update("vips", &key, &vip);
}

void room_uplink_mtu(uint32_t mtu)
{
	struct uplink uplink = { .id = UPLINK_ID, .mtu = mtu };
	uint32_t ifindex = net_ifindex(NET_UPLINK);

	room_map_update("uplinks", &ifindex, &uplink);
}

static void reset_addresses(void)
{
	struct vip_key keys[2] = { { .port = htons(CLIENT_VIP_PORT) },
				   { .port = htons(CLIENT_VIP_PORT) } };
	struct uplink_dev dev = { .ifindex = net_ifindex(NET_UPLINK) };
	uint32_t one = 1, i;

	map_clear("uplinks");
	keys[0].addr = packet_addr(CLIENT_VIP4);
	keys[1].addr = packet_addr(CLIENT_VIP6);
	for (i = 0; i < 2; i++) {
		room_map_update("vip_list", &i, &keys[i]);
		room_map_update("vip_addrs", &keys[i].addr, &one);
	}
	room_default_pool(POOL_1);
	room_uplink_mtu(1500);
	memcpy(dev.mac, net_mac(NET_UPLINK), 6);
	i = UPLINK_ID;
	room_map_update("uplink_devs", &i, &dev);
}

struct backend room_backend(uint32_t id)
{
	struct backend backend;

	map_get("backends", &id, &backend);
	return backend;
}

void room_set_backend(uint32_t id, const struct backend *backend)
{
	room_map_update("backends", &id, backend);
}

static void reset_backend(uint32_t id)
{
	struct backend backend = {
		.addr4 = packet_addr(net_node_addr(id, false)),
		.addr6 = packet_addr(net_node_addr(id, true)),
		.port = htons(id == BACKEND_HERE ? ROOM_HERE_PORT : NET_NODE_PORT),
		.flags = BACKEND_USED | BACKEND_UP | BACKEND_IPV4 | BACKEND_IPV6 |
			 (id == BACKEND_HERE ? BACKEND_LOCAL : 0),
		.mark = NET_MARK_BASE + id,
		.mtu = 1500,
	};
	struct backend_addr_key key = { .port = backend.port };

	if (id < NET_DEVS)
		backend.ifindex = net_ifindex(id);
	else if (id != BACKEND_HERE)
		backend.ifindex = net_ifindex(NET_NODE1);
	room_set_backend(id, &backend);
	if (id != BACKEND_HERE)
		key.addr = backend.addr4;
	room_map_update("backend_addrs", &key, &id);
	if (id != BACKEND_HERE)
		key.addr = backend.addr6;
	room_map_update("backend_addrs", &key, &id);
}

void room_pool(uint32_t id, uint16_t policy, const uint16_t *backends, size_t n)
{
	struct pool pool = { .slots = n, .members = n, .policy = policy };
	size_t i;

	for (i = 0; i < n; i++) {
		pool.seq[i] = i;
		pool.backend[i] = backends[i];
		pool.weight[i] = 1;
	}
	room_map_update("pools", &id, &pool);
}

static void reset_backends(void)
{
	uint16_t id, both[] = { 1, 2 };

	map_clear("backend_addrs");
	for (id = BACKEND_NODE1; id <= BACKEND_HERE; id++) {
		reset_backend(id);
		room_pool(id, POLICY_ROUND_ROBIN, &id, 1);
	}
	room_pool(POOL_BOTH, POLICY_ROUND_ROBIN, both, 2);
	room_pool(POOL_EMPTY, POLICY_ROUND_ROBIN, both, 0);
	array_clear("pool_cursors", sizeof(uint32_t), POOL_EMPTY + 1);
}

struct target room_to_pool(uint16_t pool)
{
	return (struct target){ .kind = TARGET_POOL, .pool = pool };
}

struct target room_to_object(uint32_t slot, uint16_t pool)
{
	return (struct target){ .kind = TARGET_OBJECT, .pool = pool, .slot = slot, .gen = 1 };
}

struct target room_to_canned(uint32_t slot)
{
	return (struct target){
		.kind = TARGET_CANNED, .pool = TARGET_POOL_NONE, .slot = slot, .gen = 1
	};
}

void room_exact(uint32_t scope, const char *path, struct target target)
{
	struct path_key key = { .scope = scope };
	struct long_path_key long_key = { .scope = scope };
	size_t len = strlen(path);

	if (len <= PATH_SHORT) {
		memcpy(key.path, path, len);
		room_map_update("paths", &key, &target);
		return;
	}
	if (len > PATH_BYTES)
		check_die("path of %zu bytes", len);
	memcpy(long_key.path, path, len);
	room_map_update("long_paths", &long_key, &target);
}

void room_prefix(uint32_t scope, const char *path, struct target target)
{
	struct settings settings = room_settings();
	size_t len = strlen(path), i;
	uint32_t depth = 0;

	if (path[len - 1] != '/')
		check_die("prefix %s", path);
	for (i = 1; i < len; i++)
		depth += path[i] == '/';
	*(len <= PATH_SHORT ? &settings.depths : &settings.long_depths) |= 1u << depth;
	room_set_settings(&settings);
	room_exact(scope | SCOPE_PREFIX, path, target);
}

void room_rule(uint32_t index, const char *from, unsigned int len, uint16_t methods, uint32_t next,
	       struct target target)
{
	struct rule rule = {
		.addr = packet_addr(from), .methods = methods, .next = next, .target = target
	};
	unsigned int bit;

	for (bit = 0; bit < len; bit++)
		((uint8_t *)&rule.mask)[bit / 8] |= 0x80 >> bit % 8;
	room_map_update("rules", &index, &rule);
}

struct target room_to_rules(uint32_t first)
{
	return (struct target){ .kind = TARGET_RULES, .slot = first };
}

void room_host(const char *name, uint32_t scope)
{
	struct settings settings = room_settings();
	struct host_key key = { .epoch = ROOM_EPOCH };

	memcpy(key.name, name, strlen(name));
	room_map_update("hosts", &key, &scope);
	settings.flags |= SETTINGS_HOSTS | (name[0] == '.' ? SETTINGS_WILDCARDS : 0);
	room_set_settings(&settings);
}

static void reset_routes(void)
{
	static const char *const maps[] = { "hosts", "paths", "long_paths", "trusted" };
	size_t i;

	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		map_clear(maps[i]);
	room_exact(ROOM_ANY, "/small", room_to_object(SLOT_SMALL, POOL_1));
	room_exact(ROOM_ANY, "/big", room_to_object(SLOT_BIG, POOL_1));
	room_exact(ROOM_ANY, "/huge", room_to_object(SLOT_HUGE, POOL_1));
	room_exact(ROOM_ANY, "/deny", room_to_canned(SLOT_ERRORS + CANNED_403));
	room_exact(ROOM_ANY, "/moved", room_to_canned(SLOT_MOVED));
	room_prefix(ROOM_ANY, "/1/", room_to_pool(POOL_1));
	room_prefix(ROOM_ANY, "/2/", room_to_pool(POOL_2));
	room_prefix(ROOM_ANY, "/3/", room_to_pool(POOL_3));
	room_prefix(ROOM_ANY, "/4/", room_to_pool(POOL_4));
	room_prefix(ROOM_ANY, "/5/", room_to_pool(POOL_5));
	room_prefix(ROOM_ANY, "/far/", room_to_pool(POOL_FAR));
	room_prefix(ROOM_ANY, "/lost/", room_to_pool(POOL_LOST));
	room_prefix(ROOM_ANY, "/here/", room_to_pool(POOL_HERE));
	room_prefix(ROOM_ANY, "/both/", room_to_pool(POOL_BOTH));
	room_prefix(ROOM_ANY, "/empty/", room_to_pool(POOL_EMPTY));
}

void room_serve_kicks(bool is_served)
{
	uint64_t until = is_served ? UINT64_MAX : 0;
	uint32_t zero = 0;

	room_map_update("kicks_served", &zero, &until);
}

bool room_kicks_are_served(void)
{
	uint32_t zero = 0;
	uint64_t until;

	map_get("kicks_served", &zero, &until);
	return until;
}

void room_run_timers(bool are_running)
{
	struct sender_entry entry = { .sender.armed = !are_running };
	uint32_t i;

	for (i = 0; i < ROOM_SENDERS; i++)
		room_map_update("senders", &i, &entry);
}

static void forget_kicks(void)
{
	struct kick kick;

	while (!bpf_map_lookup_and_delete_elem(room_map("pending_kicks"), NULL, &kick))
		;
	array_clear("kicks_pending", sizeof(uint32_t), 1);
}

static void reset_connections(void)
{
	int cpus = libbpf_num_possible_cpus();

	array_clear("flow_buckets", sizeof(struct flow_bucket), ROOM_FLOW_BUCKETS);
	array_clear("flows", sizeof(struct flow), ROOM_FLOW_BUCKETS * FLOW_WAYS);
	array_clear("leg_buckets", sizeof(struct leg_bucket), ROOM_LEG_BUCKETS);
	array_clear("legs", sizeof(struct leg), ROOM_LEG_BUCKETS * LEG_WAYS);
	array_clear("stashes", sizeof(struct stash), ROOM_STASHES);
	room_run_timers(false);
	forget_kicks();
	array_clear("rst_budgets", 8 * cpus, 1);
	room_serve_kicks(true);
	array_clear("cookie_budgets", 8, 1);
	map_clear("relays");
	map_clear("sources");
}

void room_reset(void)
{
	wire_detach();
	socket_close_all();
	net_flush();
	reset_settings();
	room_set_cookie_keys(0, 0);
	reset_addresses();
	reset_backends();
	reset_routes();
	room_reset_objects();
	reset_connections();
}
