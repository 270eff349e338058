// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an earlier daemon has left: its state file, and what the maps tell where the file is missing
 * or silent. Entry point: gateway_adopt(), after the maps are open and before the first
 * gateway_apply().
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "gateway_internal.h"
#include "log.h"

static bool is_mapped(const struct ip_addr *addr)
{
	return !addr->w[0] && !addr->w[1] && addr->w[2] == htonl(IP_ADDR_MAPPED_W2);
}

static void read_endpoint(struct endpoint *out, const struct ip_addr *addr, __be16 port)
{
	memcpy(&out->addr, addr->w, sizeof(out->addr));
	out->port = ntohs(port);
	out->is_ipv4 = is_mapped(addr);
}

/* A backend that only the map knows: it is recognised by its addresses, or else it drains. */
static void adopt_backend(struct state_backend *out, const struct backend *entry)
{
	out->used = true;
	out->partial = true;
	if (entry->flags & BACKEND_IPV4) {
		read_endpoint(&out->address, &entry->addr4, entry->port);
		if (entry->flags & BACKEND_IPV6)
			read_endpoint(&out->address6, &entry->addr6, entry->port);
	} else {
		read_endpoint(&out->address, &entry->addr6, entry->port);
	}
}

static int adopt_vip(const void *key, void *value, void *arg)
{
	struct vip_key vip_key;
	struct state *state = arg;
	struct vip vip;

	memcpy(&vip_key, key, sizeof(vip_key));
	memcpy(&vip, value, sizeof(vip));
	if (vip.id >= MAX_VIPS)
		return 0;
	state->vips[vip.id].used = true;
	read_endpoint(&state->vips[vip.id].endpoint, &vip_key.addr, vip_key.port);
	return 0;
}

static int adopt_uplink(const void *key, void *value, void *arg)
{
	struct state *state = arg;
	struct uplink uplink;
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	memcpy(&uplink, value, sizeof(uplink));
	if (uplink.id < MAX_UPLINKS && !state->uplinks[uplink.id][0] &&
	    !if_indextoname(ifindex, state->uplinks[uplink.id]))
		state->uplinks[uplink.id][0] = '\0';
	return 0;
}

int gateway_adopt(struct gateway *gw)
{
	const struct mapset *maps = loader_maps(gw->loader);
	struct state *state = gw->state;
	uint32_t id;
	int err;

	err = mapsync_read_backends(maps, gw->layout.backends);
	if (err)
		return err;
	for (id = 0; id < MAX_BACKENDS; id++) {
		if (!state->backends[id].used && gw->layout.backends[id].flags & BACKEND_USED)
			adopt_backend(&state->backends[id], &gw->layout.backends[id]);
		if (state->backends[id].draining)
			gw->drain_until_ms[id] = gateway_now_ms() + GATEWAY_DRAIN_MS;
	}
	memset(state->vips, 0, sizeof(state->vips));
	err = mapset_walk(maps->vips, adopt_vip, state);
	if (!err)
		err = mapset_walk(maps->uplinks, adopt_uplink, state);
	if (err)
		log_error("cannot read what is loaded: %s", strerror(-err));
	return err;
}
