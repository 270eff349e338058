// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Full flow tables and relays.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>

#include "peek.h"
#include "prog_relay.h"

void relay_allow(bool is_allowed)
{
	struct settings settings = room_settings();

	settings.flags &= ~SETTINGS_RELAY;
	if (is_allowed)
		settings.flags |= SETTINGS_RELAY;
	room_set_settings(&settings);
}

void relay_setup(uint32_t pool)
{
	struct client c;
	struct flow f;
	int i;

	room_one_bucket();
	room_default_pool(pool);
	for (i = 0; i < FLOW_WAYS; i++) {
		client_open(&c, i & 1);
		f = peek_flow(&c);
		f.reply |= REPLY_AWAITED;
		f.active = 0;
		peek_set_flow(&c, &f);
	}
	relay_allow(true);
}

void relay_trust_client(void)
{
	struct {
		uint32_t prefixlen;
		struct ip_addr addr;
	} key = { 120, packet_addr("10.80.0.0") };
	uint32_t one = 1;

	room_map_update("trusted", &key, &one);
}

void relay_handshake(struct client *c)
{
	client_init(c, false);
	client_syn(c);
	expect_counts(client_ack(c), "FLOW_FULL");
}

void relay_open(struct client *c, struct node *n)
{
	relay_setup(POOL_1);
	relay_handshake(c);
	node_open(n, 1, c, GET("/a"));
	node_reply(n, c, OK_5);
}

int relay_flow(const struct client *c)
{
	return peek_flow_slot(c);
}

int relay_entries(void)
{
	int fd = room_map("relays"), n = 0;
	struct flow_key key, *at = NULL;

	while (!bpf_map_get_next_key(fd, at, &key)) {
		at = &key;
		n++;
	}
	return n;
}

static struct flow_key key_of(const struct client *c, uint16_t backend)
{
	return (struct flow_key){
		.client = c->addr,
		.port = htons(c->port),
		.vip = backend ? RELAY_BACK | backend : c->v6,
	};
}

bool relay_get(const struct client *c, uint16_t backend, struct relay *out)
{
	struct flow_key key = key_of(c, backend);

	return !bpf_map_lookup_elem(room_map("relays"), &key, out);
}

void relay_delete(const struct client *c, uint16_t backend)
{
	struct flow_key key = key_of(c, backend);

	room_map_delete("relays", &key);
}
