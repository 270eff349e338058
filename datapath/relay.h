/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that found no room in the flow table: relayed, as a layer-4 balancer does it, to a
 * backend of the VIP's default pool for their whole life. The backend's socket is made of the first
 * request as in a hand-over, so sequence numbers pass unchanged. What may not be forwarded to it is
 * the same as for flows: every request's head is parsed, whole, where the one before it ends. What
 * would need more state (heads in pieces, chunked bodies, Upgrade) gets 503, or RST when a request
 * has been forwarded already. Only where no route restricts (SETTINGS_RELAY). Here: the table and
 * the first packet; the others are in relay_packet.h.
 */
#ifndef SLUICE_RELAY_H
#define SLUICE_RELAY_H

#include "backend.h"
#include "client.h"

#define RELAY_BODY_MAX (1u << 30) /* positions are compared within half the sequence space */
#define RELAY_WINDOW (1u << 30)

/* The relayed connection of the client, of flow_key layout; r->relay_key is its key then. */
static __always_inline struct relay *relay_find(struct run *r, const struct ip_addr *client,
						__be16 port, __u32 vip)
{
	r->relay_key.client = *client;
	r->relay_key.port = port;
	r->relay_key.vip = vip;
	return bpf_map_lookup_elem(&relays, &r->relay_key);
}

/* The same, found by backend. */
static __always_inline struct relay *relay_find_back(struct run *r, const struct ip_addr *client,
						     __be16 port, __u32 backend)
{
	struct relay *rel = relay_find(r, client, port, RELAY_BACK | backend);

	if (!rel)
		return NULL;
	r->relay_key.vip = rel->vip;
	rel = bpf_map_lookup_elem(&relays, &r->relay_key);
	return rel && rel->backend == backend ? rel : NULL;
}

/* Makes the entry's way back, unless it is there. r->relay_key stays that of the entry. */
static __always_inline int relay_put_back(struct run *r, struct relay *rel)
{
	__u16 vip = rel->vip;
	long err = 0;

	r->relay_key.vip = RELAY_BACK | rel->backend;
	if (!bpf_map_lookup_elem(&relays, &r->relay_key))
		err = bpf_map_update_elem(&relays, &r->relay_key, rel, BPF_ANY);
	r->relay_key.vip = vip;
	return err ? -1 : 0;
}

/* Fills r->stateless and r->relayed, with which a relay looks like a flow and its leg. */
__noinline int relay_load(struct run *r NONNULL, struct relay *rel NONNULL)
{
	struct flow *f = &r->stateless;
	struct leg *leg = &r->relayed;

	__builtin_memset(f, 0, sizeof(*f));
	__builtin_memset(leg, 0, sizeof(*leg));
	f->key = r->relay_key;
	f->state = FLOW_OPEN;
	f->flags = rel->flags;
	f->wscale = rel->wscale;
	f->mss = rel->mss;
	f->uplink = rel->uplink;
	__builtin_memcpy(f->mac, rel->mac, ETH_ALEN);
	f->rcv_nxt = rel->rnxt;
	f->snd_wnd = (__u32)r->pkt.window << (rel->wscale & 15);
	f->ts_recent = r->pkt.tsval;
	leg_key_make(&leg->key, &f->key.client, f->key.port, rel->backend);
	leg->state = rel->state == RELAY_OPENING ? LEG_OPENING : LEG_OPEN;
	leg->flags = rel->marks & RELAY_QUEUED ? LEG_QUEUED : 0;
	leg->start = rel->start;
	leg->base_in = rel->start;
	leg->base_out = rel->origin;
	leg->rnxt = rel->rnxt;
	leg->told = r->pkt.ack;
	leg->edge = rel->rnxt + WINDOW_BYTES;
	return 0;
}

/* What a relay does not carry, or a peer may not say. Returns enum canned, or -1. */
static __always_inline int relay_refuses(struct run *r, const struct relay *rel)
{
	const struct http_request *q = &r->http.req;

	if (q->flags & HTTP_FORWARDED && !request_may_claim(&r->stateless)) {
		count(STAT_FORWARDED);
		return CANNED_400;
	}
	if (q->flags & (HTTP_CHUNKED | HTTP_UPGRADE) || q->method == HTTP_CONNECT ||
	    q->content_length > RELAY_BODY_MAX)
		return CANNED_503;
	return -1;
}

/* A head at the cursor. Returns enum scan. */
static __always_inline int relay_head(struct __sk_buff *skb, struct run *r, struct relay *rel)
{
	const struct http_request *q = &r->http.req;
	__u32 left;
	int canned;

	r->canned = CANNED_503;
	if (stash_load(skb, r, NULL, r->pkt.payload_off + r->cursor, r->len - r->cursor))
		return SCAN_STOP;
	switch (http_request_run(&r->http)) {
	case HTTP_COMPLETE:
		break;
	case HTTP_INCOMPLETE:
		return SCAN_STOP;
	default:
		r->canned = request_canned(r);
		count(r->canned == CANNED_431 ? STAT_ERROR_431 : STAT_ERROR_400);
		return SCAN_ERROR;
	}
	canned = relay_refuses(r, rel);
	if (canned >= 0) {
		r->canned = canned;
		return SCAN_ERROR;
	}
	if (q->method == HTTP_HEAD && rel->end == rel->start)
		rel->marks |= RELAY_HEAD;
	if (!(q->flags & HTTP_KEEP_ALIVE))
		rel->marks |= RELAY_LAST;
	r->cursor += q->head_len;
	rel->end = r->pkt.seq + r->cursor + (__u32)q->content_length;
	left = r->len - r->cursor;
	r->cursor += q->content_length < left ? (__u32)q->content_length : left;
	count(STAT_REQUESTS);
	count(STAT_RELAY_REQUESTS);
	return SCAN_GO;
}

/* Requests from r->cursor on, where one must begin. What lies before the cursor afterwards may be
 * forwarded. Returns enum scan; not SCAN_GO: the rest may not. */
static __always_inline int relay_scan(struct __sk_buff *skb, struct run *r, struct relay *rel)
{
	int requests = 0, result = SCAN_GO;

	while (r->cursor < r->len && result == SCAN_GO && can_loop) {
		if (rel->marks & RELAY_LAST || requests++ >= REQUESTS_PER_PACKET)
			result = SCAN_STOP;
		else
			result = relay_head(skb, r, rel);
	}
	return result;
}

/* Gives the first packet to the pool's next backend. 0 or -1: none is left. */
__noinline int relay_assign(struct run *r NONNULL, struct relay *rel NONNULL)
{
	__u32 pool_id = rel->pool, member;
	struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	int picked = pool_pick(r, pool_id, rel->tried);

	if (!pool || picked < 0)
		return -1;
	member = picked;
	barrier_var(member);
	member &= POOL_MEMBERS - 1;
	rel->tried |= 1ULL << member;
	rel->backend = pool->backend[member];
	return relay_put_back(r, rel);
}

/* Notes what of the packet goes on to the backend: r->cursor bytes, and a FIN behind the last. */
static __always_inline void relay_note(struct run *r, struct relay *rel)
{
	struct pkt *p = &r->pkt;
	__u32 end = p->seq + r->cursor;

	if (r->cursor < p->payload_len) {
		rel->marks |= RELAY_QUEUED;
	} else if (p->flags & TCP_FIN) {
		rel->marks |= RELAY_FIN;
		end++;
	}
	if (seq_after(end, rel->rnxt))
		rel->rnxt = end;
}

/* The packet, or what of it is accepted, to the backend. Returns a verdict, VERDICT_REFUSED too. */
static __always_inline int relay_forward(struct __sk_buff *skb, struct run *r, struct relay *rel)
{
	relay_load(r, rel);
	if (r->cursor < r->pkt.payload_len)
		return forward_cut(skb, r, &r->stateless, &r->relayed, r->cursor);
	return forward_whole(skb, r, &r->stateless, &r->relayed);
}

/* The first packet was refused: on to the next backend, or 503. */
__noinline int relay_refused(struct __sk_buff *skb, struct run *r NONNULL,
			     struct relay *rel NONNULL)
{
	int verdict;

	r->cursor = r->pkt.payload_len;
	for (r->refusals = 0; r->refusals < POOL_MEMBERS && can_loop; r->refusals++) {
		count(STAT_LEG_REFUSED);
		if (relay_assign(r, rel))
			break;
		verdict = relay_forward(skb, r, rel);
		if (verdict != VERDICT_REFUSED)
			return verdict;
	}
	rel->state = RELAY_CLOSED;
	relay_load(r, rel);
	r->reply_flags = rel->marks & RELAY_HEAD ? REPLY_HEAD : 0;
	count(STAT_ERROR_503);
	return open_error(skb, r, &r->stateless, CANNED_503);
}

/* Enters the relay that r->relay_new describes and sends its first packet. */
static __always_inline int relay_begin(struct __sk_buff *skb, struct run *r)
{
	struct relay *rel = &r->relay_new;
	int verdict;

	relay_note(r, rel);
	if (relay_assign(r, rel) || bpf_map_update_elem(&relays, &r->relay_key, rel, BPF_ANY))
		return VERDICT_GO;
	count(STAT_RELAY_NEW);
	count(STAT_LEG_NEW);
	verdict = relay_forward(skb, r, rel);
	if (verdict != VERDICT_REFUSED)
		return verdict;
	rel = bpf_map_lookup_elem(&relays, &r->relay_key);
	return rel ? relay_refused(skb, r, rel) : drop(STAT_DROP_OTHER);
}

/* Scans the first packet of a connection that may be relayed. Returns enum scan. */
static __always_inline int relay_first(struct __sk_buff *skb, struct run *r, const struct flow *f)
{
	struct relay *rel = &r->relay_new;

	__builtin_memset(rel, 0, sizeof(*rel));
	r->relay_key = f->key;
	rel->vip = f->key.vip;
	rel->pool = r->default_pool;
	rel->mss = f->mss;
	rel->flags = f->flags;
	rel->wscale = f->wscale;
	rel->uplink = f->uplink;
	__builtin_memcpy(rel->mac, f->mac, ETH_ALEN);
	rel->start = r->pkt.seq;
	rel->end = r->pkt.seq;
	rel->rnxt = r->pkt.seq;
	rel->acked = r->pkt.seq;
	rel->origin = r->pkt.ack;
	rel->begun = r->pkt.tsecr;
	rel->snd_max = r->pkt.ack;
	return relay_scan(skb, r, rel);
}

/*
 * No room for a flow: the handshake's ACK is forgotten; the first request is relayed if
 * `may_relay`, else it gets 503 without a flow. Returns a verdict.
 */
__noinline int relay_full(struct __sk_buff *skb, struct run *r NONNULL,
			  struct uplink *uplink NONNULL, __u32 may_relay)
{
	struct settings *s = settings_get();
	struct flow *f = &r->stateless;
	int verdict;

	if (!s || !r->pkt.payload_len)
		return VERDICT_DROP;
	__builtin_memset(f, 0, sizeof(*f));
	__builtin_memcpy(&f->key, &r->flow_key, sizeof(f->key));
	begin_flow(r, f, uplink);
	f->rcv_nxt = r->pkt.seq + r->pkt.payload_len;
	r->reply_flags = 0;
	r->canned = CANNED_503;
	if (may_relay && s->flags & SETTINGS_RELAY && r->default_pool != POOL_NONE &&
	    accept_has_mss(r, f->mss)) {
		r->cursor = 0;
		r->len = r->pkt.payload_len;
		relay_first(skb, r, f);
		if (r->cursor) {
			verdict = relay_begin(skb, r);
			if (verdict != VERDICT_GO)
				return verdict;
			r->canned = CANNED_503;
		}
	}
	if (r->canned == CANNED_503)
		count(STAT_ERROR_503);
	return open_error(skb, r, f, r->canned);
}

#endif
