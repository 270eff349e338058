// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything but routes: settings, cookie keys, pools, VIPs, uplinks, backends, trusted networks.
 * Entry points as in mapsync.h. In-between states are harmless: additions come before the switch
 * of `settings`, removals after it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "log.h"
#include "mapsync.h"

#define NS_PER_MS 1000000ull
#define NS_PER_SECOND 1000000000ll
#define ADDR_BITS 128
#define CLOCK_PERIOD_MS 1000

/* The key of `trusted`, as in maps.h. */
struct cidr_key {
	uint32_t prefixlen;
	struct ip_addr addr;
};

static int report(int err, const char *what)
{
	if (err)
		log_error("cannot write the map of %s: %s", what, strerror(-err));
	return err;
}

static int put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) ? -errno : 0;
}

static void copy_addr(struct ip_addr *out, const struct in6_addr *addr)
{
	memcpy(out->w, addr, sizeof(out->w));
}

/* Keys that shall stay; the rest of a map goes. */
struct keep {
	const void *keys;
	size_t n, size;
};

static bool is_not_kept(const void *key, const void *value, const void *arg)
{
	const struct keep *keep = arg;
	size_t i;

	(void)value;
	for (i = 0; i < keep->n; i++) {
		if (!memcmp((const char *)keep->keys + i * keep->size, key, keep->size))
			return false;
	}
	return true;
}

static int trim_map(int fd, const void *keys, size_t n, size_t size)
{
	struct keep keep = { keys, n, size };

	return mapset_delete_if(fd, is_not_kept, &keep, NULL);
}

int mapsync_read_settings(const struct mapset *maps, struct settings *out)
{
	uint32_t zero = 0;

	return report(bpf_map_lookup_elem(maps->settings, &zero, out) ? -errno : 0, "settings");
}

int mapsync_write_settings(const struct mapset *maps, const struct settings *settings)
{
	uint32_t zero = 0;

	return report(put(maps->settings, &zero, settings), "settings");
}

static int fill_random(void *out, size_t len)
{
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : -EIO;
}

int mapsync_write_clock(const struct mapset *maps)
{
	struct timespec tai, real;
	struct settings settings;
	uint32_t offset;
	int64_t ns;

	clock_gettime(CLOCK_TAI, &tai);
	clock_gettime(CLOCK_REALTIME, &real);
	/* The kernel's offset is of whole seconds; between the two readings little time passes. */
	ns = (tai.tv_sec - real.tv_sec) * NS_PER_SECOND + tai.tv_nsec - real.tv_nsec;
	offset = (uint32_t)((ns + NS_PER_SECOND / 2) / NS_PER_SECOND);
	if (!mapsync_read_settings(maps, &settings) && settings.tai_offset != offset) {
		settings.tai_offset = offset;
		mapsync_write_settings(maps, &settings);
	}
	return CLOCK_PERIOD_MS;
}

int mapsync_init(const struct mapset *maps, const struct loader_sizes *sizes)
{
	struct settings settings;
	int err;

	err = mapsync_read_settings(maps, &settings);
	if (!err && !settings.seed[0] && !settings.seed[1])
		err = report(fill_random(settings.seed, sizeof(settings.seed)), "settings");
	if (err)
		return err;
	settings.flow_mask = sizes->flows / FLOW_WAYS - 1;
	settings.leg_mask = sizes->legs / LEG_WAYS - 1;
	settings.stash_mask = sizes->stashes - 1;
	settings.sender_mask = sizes->senders - 1;
	err = mapsync_write_settings(maps, &settings);
	if (!err)
		mapsync_write_clock(maps);
	return err;
}

/* What is looked for: for a moment what either epoch needs. */
static void widen(struct settings *settings, const struct mapsync_epoch *epoch)
{
	settings->flags |= epoch->flags & (SETTINGS_HOSTS | SETTINGS_WILDCARDS | SETTINGS_DENY);
	settings->flags &= epoch->flags | ~(uint32_t)SETTINGS_RELAY;
	settings->depths |= epoch->depths;
	settings->long_depths |= epoch->long_depths;
}

int mapsync_switch(const struct mapset *maps, const struct mapsync_epoch *epoch)
{
	struct settings settings;
	int i, err;

	err = mapsync_read_settings(maps, &settings);
	if (err)
		return err;
	widen(&settings, epoch);
	err = mapsync_write_settings(maps, &settings);
	if (err)
		return err;
	settings.epoch = epoch->epoch;
	settings.any_scope = epoch->epoch << MAPSYNC_HOST_BITS;
	settings.header_timeout_ms = epoch->header_timeout_ms;
	settings.source_flows = epoch->source_flows;
	for (i = 0; i < CANNED_COUNT; i++) {
		settings.error_slot[i] = epoch->errors[i].slot;
		settings.error_gen[i] = epoch->errors[i].gen;
	}
	err = mapsync_write_settings(maps, &settings);
	if (err)
		return err;
	settings.flags = epoch->flags;
	settings.depths = epoch->depths;
	settings.long_depths = epoch->long_depths;
	return mapsync_write_settings(maps, &settings);
}

int mapsync_rotate_keys(const struct mapset *maps)
{
	struct cookie_keys keys;
	struct timespec now;
	uint64_t now_ns, due_ns;
	uint32_t zero = 0;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &now); /* the clock of bpf_ktime_get_ns() */
	now_ns = (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
	if (bpf_map_lookup_elem(maps->cookie_keys, &zero, &keys))
		return report(-errno, "cookie keys");
	due_ns = keys.rotated_ns + MAPSYNC_KEY_PERIOD_MS * NS_PER_MS;
	if (keys.rotated_ns && now_ns < due_ns)
		return (int)((due_ns - now_ns) / NS_PER_MS) + 1;

	if (!keys.rotated_ns)
		err = fill_random(keys.key, sizeof(keys.key));
	else
		err = fill_random(keys.key[1 - keys.current], sizeof(keys.key[0]));
	if (err)
		return report(err, "cookie keys");
	keys.rotated_ns = now_ns;
	err = put(maps->cookie_keys, &zero, &keys);
	keys.current = 1 - keys.current;
	if (!err)
		err = put(maps->cookie_keys, &zero, &keys);
	return err ? report(err, "cookie keys") : MAPSYNC_KEY_PERIOD_MS;
}

static uint16_t pool_policy(enum config_policy policy)
{
	switch (policy) {
	case CONFIG_CLIENT_HASH:
		return POLICY_CLIENT_HASH;
	case CONFIG_LEAST_LATENCY:
		return POLICY_LEAST_LATENCY;
	default:
		return POLICY_ROUND_ROBIN;
	}
}

int mapsync_write_pools(const struct mapset *maps, const struct config *config,
			const struct plan *plan, uint32_t epoch)
{
	uint32_t weights[POOL_MEMBERS], id;
	const struct config_pool *from;
	struct pool pool;
	int err = 0;
	size_t i, j;

	for (i = 0; !err && i < MAX_POOLS; i++) {
		memset(&pool, 0, sizeof(pool));
		from = i < config->n_pools ? &config->pools[i] : NULL;
		for (j = 0; from && j < from->n_backends && j < POOL_MEMBERS; j++) {
			weights[j] = config->backends[from->backends[j]].weight;
			pool.weight[j] = (uint16_t)weights[j];
			pool.backend[j] = (uint16_t)plan->backend_ids[from->backends[j]];
			pool.members++;
		}
		pool.slots = (uint16_t)plan_sequence(weights, pool.members, pool.seq, POOL_SLOTS);
		pool.policy = from ? pool_policy(from->policy) : 0;
		if (from && from->cookie) {
			pool.cookie_len = (uint16_t)strlen(from->cookie);
			memcpy(pool.cookie, from->cookie, pool.cookie_len);
		}
		id = mapsync_pool_id(epoch, i);
		err = put(maps->pools, &id, &pool);
	}
	return report(err, "pools");
}

/* The pool that takes what no route of the VIP takes: its index, or SIZE_MAX. */
static size_t default_pool(const struct config *config, const struct endpoint *vip)
{
	size_t i, j;

	for (i = 0; i < config->n_pools; i++)
		for (j = 0; j < config->pools[i].n_default_of; j++)
			if (endpoint_equal(&config->pools[i].default_of[j], vip))
				return i;
	return config->default_pool;
}

int mapsync_write_vips(const struct mapset *maps, const struct config *config,
		       const struct plan *plan, uint32_t epoch, bool trim)
{
	struct vip_key keys[MAX_VIPS] = {};
	struct ip_addr addrs[MAX_VIPS] = {};
	size_t i, n = config->gateway.n_vips;
	uint32_t one = 1;
	int err = 0;

	for (i = 0; !err && i < n; i++) {
		const struct endpoint *endpoint = &config->gateway.vips[i];
		struct vip vip = { .id = plan->vip_ids[i], .default_pool = POOL_NONE };

		if (default_pool(config, endpoint) != SIZE_MAX)
			vip.default_pool = mapsync_pool_id(epoch, default_pool(config, endpoint));
		copy_addr(&addrs[i], &endpoint->addr);
		keys[i].addr = addrs[i];
		keys[i].port = htons(endpoint->port);
		err = put(maps->vip_list, &vip.id, &keys[i]);
		if (!err)
			err = put(maps->vip_addrs, &addrs[i], &one);
		if (!err)
			err = put(maps->vips, &keys[i], &vip);
	}
	if (!err && trim)
		err = trim_map(maps->vips, keys, n, sizeof(keys[0]));
	if (!err && trim)
		err = trim_map(maps->vip_addrs, addrs, n, sizeof(addrs[0]));
	return report(err, "VIPs");
}

int mapsync_write_trusted(const struct mapset *maps, const struct config *config)
{
	size_t i, n = config->gateway.n_trusted;
	struct cidr_key *keys;
	uint32_t one = 1;
	int err = 0;

	keys = calloc(n + 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (i = 0; !err && i < n; i++) {
		keys[i].prefixlen = config->gateway.trusted[i].prefixlen;
		copy_addr(&keys[i].addr, &config->gateway.trusted[i].addr);
		err = put(maps->trusted, &keys[i], &one);
	}
	if (!err)
		err = trim_map(maps->trusted, keys, n, sizeof(*keys));
	free(keys);
	return report(err, "trusted networks");
}

int mapsync_write_uplinks(const struct mapset *maps, const struct mapsync_uplink *uplinks, size_t n,
			  bool trim)
{
	uint32_t keys[MAX_UPLINKS];
	int err = 0;
	size_t i;

	for (i = 0; !err && i < n; i++) {
		struct uplink uplink = { .id = uplinks[i].id, .mtu = uplinks[i].mtu };
		struct uplink_dev dev = { .ifindex = uplinks[i].ifindex };

		memcpy(dev.mac, uplinks[i].mac, sizeof(dev.mac));
		keys[i] = uplinks[i].ifindex;
		err = put(maps->uplink_devs, &uplink.id, &dev);
		if (!err)
			err = put(maps->uplinks, &keys[i], &uplink);
	}
	if (!err && trim)
		err = trim_map(maps->uplinks, keys, n, sizeof(keys[0]));
	return report(err, "uplinks");
}

/* The keys of one backend in `backend_addrs`; returns how many. */
static size_t backend_keys(const struct backend *backend, struct backend_addr_key keys[2])
{
	size_t n = 0;

	memset(keys, 0, 2 * sizeof(keys[0]));
	if (backend->flags & BACKEND_LOCAL) {
		keys[n++].port = backend->port;
		return n;
	}
	if (backend->flags & BACKEND_IPV4) {
		keys[n].addr = backend->addr4;
		keys[n++].port = backend->port;
	}
	if (backend->flags & BACKEND_IPV6) {
		keys[n].addr = backend->addr6;
		keys[n++].port = backend->port;
	}
	return n;
}

/* Writes the addresses of one backend; what is there already stays when it drains. */
static int put_addrs(const struct mapset *maps, const struct backend_addr_key *keys, size_t n,
		     uint32_t id, bool is_draining)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (bpf_map_update_elem(maps->backend_addrs, &keys[i], &id,
					is_draining ? BPF_NOEXIST : BPF_ANY) &&
		    errno != EEXIST)
			return -errno;
	}
	return 0;
}

int mapsync_write_backends(const struct mapset *maps, const struct backend backends[MAX_BACKENDS],
			   const struct state *state, bool trim)
{
	struct backend_addr_key keys[2 * MAX_BACKENDS];
	size_t n = 0, own;
	int turn, err = 0;
	uint32_t id;

	for (id = 0; !err && id < MAX_BACKENDS; id++)
		err = put(maps->backends, &id, &backends[id]);
	for (turn = 0; turn < 2; turn++) {
		for (id = 0; !err && id < MAX_BACKENDS; id++) {
			if (!(backends[id].flags & BACKEND_USED) ||
			    state->backends[id].draining != (turn == 1))
				continue;
			own = backend_keys(&backends[id], &keys[n]);
			err = put_addrs(maps, &keys[n], own, id, turn == 1);
			n += own;
		}
	}
	if (!err && trim)
		err = trim_map(maps->backend_addrs, keys, n, sizeof(keys[0]));
	return report(err, "backends");
}

int mapsync_read_backends(const struct mapset *maps, struct backend backends[MAX_BACKENDS])
{
	uint32_t id;

	for (id = 0; id < MAX_BACKENDS; id++) {
		if (bpf_map_lookup_elem(maps->backends, &id, &backends[id]))
			return report(-errno, "backends");
	}
	return 0;
}

int mapsync_write_backend(const struct mapset *maps, uint32_t id, const struct backend *backend)
{
	return report(put(maps->backends, &id, backend), "backends");
}
