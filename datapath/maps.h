/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every map. The comment says writer, reader, lifetime. All are pinned by the loader under the
 * instance's bpffs directory and survive the daemon. Sizes marked "loader" are set from the
 * configuration when the map is made and stay for its life.
 */
#ifndef SLUICE_MAPS_H
#define SLUICE_MAPS_H

#include "abi.h"

#define MAP(map_type, key_type, value_type, entries, name)                                         \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(max_entries, entries);                                                      \
	} name SEC(".maps")

/* Configuration. Writer: daemon; read by every run. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct settings, 1, settings);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct cookie_keys, 1, cookie_keys);
MAP(BPF_MAP_TYPE_HASH, struct vip_key, struct vip, MAX_VIPS, vips);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct vip_key, MAX_VIPS, vip_list);
MAP(BPF_MAP_TYPE_HASH, struct ip_addr, __u32, MAX_VIPS, vip_addrs);
MAP(BPF_MAP_TYPE_HASH, __u32, struct uplink, MAX_UPLINKS, uplinks);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct uplink_dev, MAX_UPLINKS, uplink_devs);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct pool, 2 * MAX_POOLS, pools);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct backend, MAX_BACKENDS, backends);
MAP(BPF_MAP_TYPE_HASH, struct backend_addr_key, __u32, 2 * MAX_BACKENDS, backend_addrs);

/* Client networks of `trusted`. Writer: daemon. Key: prefixlen (of 128) and address. */
struct cidr_key {
	__u32 prefixlen;
	struct ip_addr addr;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct cidr_key);
	__type(value, __u32);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} trusted SEC(".maps");

/* Routes. Writer: daemon, a whole new epoch before `settings` switches to it. Sizes: upper bounds;
 * elements are allocated on demand. */
#define ROUTES_MAX (1 << 20)
#define HASH_ON_DEMAND(key_type, value_type, entries, name)                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(max_entries, entries);                                                      \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
	} name SEC(".maps")

HASH_ON_DEMAND(struct host_key, __u32, 65536, hosts);
HASH_ON_DEMAND(struct path_key, struct target, ROUTES_MAX, paths);
HASH_ON_DEMAND(struct long_path_key, struct target, ROUTES_MAX, long_paths);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct rule, 2 * MAX_RULES, rules);

/* Components. Writer: daemon (store.c); a region is added when the bytes need it. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct object, MAX_OBJECTS, objects);
struct content_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, REGION_BYTES);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_REGIONS);
	__type(key, __u32);
	__array(values, struct content_map);
} regions SEC(".maps");

/* Connections. Writer: datapath alone; they live as long as the pins. Sizes: loader. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct flow_bucket, 1, flow_buckets);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct flow, FLOW_WAYS, flows);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct leg_bucket, 1, leg_buckets);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct leg, LEG_WAYS, legs);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct stash, 1, stashes);
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct sender_entry, 1, senders);

/* Expired timers. Writer: the timers' callback; reader: the daemon (control/kicker.c), or while it
 * is dead the runs of other connections. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} kicks SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__type(value, struct kick);
	__uint(max_entries, 4096);
} pending_kicks SEC(".maps");
/* Number of elements in `pending_kicks`. Writer: datapath. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, __u32, 1, kicks_pending);
/* The daemon serves kicks until then, ns of bpf_ktime_get_ns(). Writer: daemon. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, __u64, 1, kicks_served);
MAP(BPF_MAP_TYPE_LRU_HASH, struct flow_key, struct relay, 1, relays);

/* Flows that are not closed, by source: an IPv4 address or the first 64 bits of an IPv6 one.
 * Writer: datapath. What falls out of it counts as 0. Size: loader. */
MAP(BPF_MAP_TYPE_LRU_HASH, struct ip_addr, __u32, 1, sources);

/* Next member of a pool (round robin), by pool id. Writer: datapath. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, __u32, 2 * MAX_POOLS, pool_cursors);

/* Time to the first byte of a response, microseconds, moving average; by backend id. Writer:
 * datapath, which chooses by it where the policy is least-latency. */
MAP(BPF_MAP_TYPE_ARRAY, __u32, __u32, MAX_BACKENDS, latencies);

/* Counters by enum counter. Writer: datapath; reader: `sluice status`. */
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, STAT_COUNT, counters);

#endif
