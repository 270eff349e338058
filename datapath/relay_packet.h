/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of relayed connections, of the client and of the backend, after the first; the first one
 * when a backend refuses it, and where it becomes a socket.
 */
#ifndef SLUICE_RELAY_PACKET_H
#define SLUICE_RELAY_PACKET_H

#include "relay.h"

/* What came next cannot be followed: RST both ways. */
static __always_inline int relay_abort(struct __sk_buff *skb, struct run *r, struct relay *rel)
{
	struct flow *f = &r->stateless;

	count(STAT_RELAY_ENDED);
	rel->state = RELAY_CLOSED;
	forward_bare(skb, r, f, &r->relayed, TCP_RST | TCP_ACK);
	if (segment_to_client(r, f))
		return drop(STAT_DROP_OTHER);
	return segment_bare(skb, r, r->pkt.ack, rel->rnxt, TCP_RST | TCP_ACK);
}

/* Payload, or a FIN. Bytes before rel->end belong to requests that were accepted: they pass by
 * their position, in any order. */
static __always_inline int relay_data(struct __sk_buff *skb, struct run *r, struct relay *rel)
{
	struct pkt *p = &r->pkt;

	if (seq_before(p->seq, rel->start))
		return drop(STAT_DROP_STALE);
	if (seq_after(p->seq, rel->end))
		return drop(STAT_OUT_OF_ORDER);
	r->cursor = p->payload_len;
	if (seq_after(p->seq + p->payload_len, rel->end)) {
		if (rel->marks & RELAY_FIN)
			return drop(STAT_DROP_STALE);
		r->cursor = rel->end - p->seq;
		r->first = r->cursor;
		r->len = p->payload_len;
		relay_scan(skb, r, rel);
		if (r->cursor == r->first) {
			if (!(rel->marks & RELAY_LAST))
				return relay_abort(skb, r, rel);
			if (!r->cursor)
				return drop(STAT_DROP_STALE);
		}
	}
	relay_note(r, rel);
	/* Positions of a long connection: `start` follows, once it has opened. */
	if (rel->state == RELAY_OPEN && rel->rnxt - rel->start > RELAY_WINDOW)
		rel->start = rel->rnxt - RELAY_WINDOW / 2;
	return VERDICT_GO;
}

/* RST: believed at the exact next byte only (RFC 5961, 3.2), as one of both sides has it. */
static __always_inline int relay_reset(struct run *r, struct relay *rel)
{
	if (r->pkt.seq != rel->rnxt && r->pkt.seq != rel->acked)
		return drop(STAT_DROP_STALE);
	rel->state = RELAY_CLOSED;
	r->cursor = r->pkt.payload_len;
	return VERDICT_GO;
}

/* A packet of the client, with the entry's owner word held. */
static __always_inline int relay_packet(struct __sk_buff *skb, struct run *r, struct relay *rel,
					const struct uplink *uplink)
{
	struct pkt *p = &r->pkt;
	int verdict = VERDICT_GO;

	if (rel->state == RELAY_CLOSED)
		return handshake_reset(skb, r);
	if (!(p->flags & (TCP_ACK | TCP_RST)) ||
	    (rel->flags & FLOW_TS && !p->has_ts && !(p->flags & TCP_RST))) /* RFC 7323, 3.2 */
		return drop(STAT_DROP_STALE);
	if (relay_put_back(r, rel)) /* it may have been evicted alone */
		return drop(STAT_DROP_OTHER);
	relay_load(r, rel);
	r->cursor = 0;
	if (p->flags & TCP_RST)
		verdict = relay_reset(r, rel);
	else if (p->payload_len || p->flags & TCP_FIN)
		verdict = relay_data(skb, r, rel);
	if (verdict != VERDICT_GO)
		return verdict;
	if (!seq_before(p->seq, rel->start) && !seq_after(p->seq, rel->rnxt)) { /* no blind one */
		__builtin_memcpy(rel->mac, r->hdr + ETH_ALEN, ETH_ALEN);
		rel->uplink = uplink->id;
	}
	verdict = relay_forward(skb, r, rel);
	return verdict == VERDICT_REFUSED ? relay_refused(skb, r, rel) : verdict;
}

/* True if the packet begins another connection of the same tuple: a younger handshake
 * (RFC 7323, 4.1), without timestamps numbers that this one has not come to, and a cookie. */
static __always_inline bool relay_is_over(struct run *r, const struct relay *rel)
{
	const struct pkt *p = &r->pkt;

	if ((p->flags & (TCP_ACK | TCP_RST)) != TCP_ACK ||
	    p->seq - rel->start <= rel->rnxt - rel->start)
		return false;
	if (p->has_ts && rel->flags & FLOW_TS ? !seq_after(p->tsecr, rel->begun) :
						!seq_after(p->seq, rel->rnxt))
		return false;
	return cookie_try(r) > 0;
}

/* A packet of a client that has no flow. VERDICT_GO: no relay either. */
__noinline int relay_client(struct __sk_buff *skb, struct run *r NONNULL,
			    struct uplink *uplink NONNULL)
{
	struct relay *rel = relay_find(r, &r->flow_key.client, r->flow_key.port, r->flow_key.vip);
	int verdict;

	if (!rel)
		return VERDICT_GO;
	if (!lock_take(&rel->owner))
		return drop(STAT_OWNER_BUSY);
	if (relay_is_over(r, rel)) {
		__u32 backend = rel->backend;

		lock_release(&rel->owner);
		bpf_map_delete_elem(&relays, &r->relay_key);
		r->relay_key.vip = RELAY_BACK | backend;
		bpf_map_delete_elem(&relays, &r->relay_key);
		return VERDICT_GO;
	}
	verdict = relay_packet(skb, r, rel, uplink);
	lock_release(&rel->owner);
	return verdict;
}

/* A packet of backend `id` that belongs to no leg. VERDICT_GO: to no relay either. */
__noinline int relay_return(struct __sk_buff *skb, struct run *r NONNULL, __u32 id, __u32 local)
{
	struct relay *rel = relay_find_back(r, &r->pkt.dst, r->pkt.dport, id);
	struct settings *s = settings_get();
	struct backend *b = backend_at(id);
	struct pkt *p = &r->pkt;
	__u32 end = p->seq + p->payload_len + !!(p->flags & TCP_FIN);

	if (!rel || !s || !b)
		return VERDICT_GO;
	if (!local && b->ifindex != skb->ifindex)
		return drop(STAT_DROP_FORGED);
	if (!(s->flags & SETTINGS_RELAY) || rel->state == RELAY_CLOSED)
		return backend_reset(skb, r, local);
	if (p->flags & TCP_SYN || (p->flags & TCP_ACK && seq_after(p->ack, rel->rnxt)) ||
	    p->seq - rel->snd_max + RELAY_WINDOW > 2 * RELAY_WINDOW)
		return drop(STAT_DROP_FORGED);
	if (p->flags & TCP_RST)
		rel->state = RELAY_CLOSED;
	else if (rel->state == RELAY_OPENING)
		rel->state = RELAY_OPEN;
	if (p->flags & TCP_ACK && seq_after(p->ack, rel->acked))
		rel->acked = p->ack;
	if (seq_after(end, rel->snd_max))
		rel->snd_max = end;
	relay_load(r, rel);
	return backend_to_client(skb, r, local, &r->stateless, &r->relayed);
}

/* A first packet that backend `id` refused. VERDICT_GO: none of a relay. */
__noinline int relay_bounce(struct __sk_buff *skb, struct run *r NONNULL, __u32 id, __u32 local)
{
	struct relay *rel = relay_find_back(r, &r->pkt.src, r->pkt.sport, id);
	struct backend *b = backend_at(id);
	int verdict;

	if (!rel || !b)
		return VERDICT_GO;
	if (!local && b->ifindex != skb->ifindex)
		return drop(STAT_DROP_FORGED);
	if (!lock_take(&rel->owner))
		return drop(STAT_OWNER_BUSY);
	if (rel->backend == id && rel->state == RELAY_OPENING && r->pkt.seq == rel->start &&
	    r->pkt.flags & TCP_ACK) {
		bpf_skb_change_type(skb, PACKET_HOST);
		verdict = relay_refused(skb, r, rel);
	} else {
		verdict = drop(STAT_DROP_FORGED);
	}
	lock_release(&rel->owner);
	return verdict;
}

/* The first packet where it becomes a socket. Returns enum accept_result; ACCEPT_OK also for what
 * is not a relay's: to the stack. */
__noinline int relay_accept(struct __sk_buff *skb, struct run *r NONNULL, __u32 id)
{
	struct relay *rel = relay_find_back(r, &r->pkt.src, r->pkt.sport, id);

	if (!rel || rel->state != RELAY_OPENING)
		return ACCEPT_OK;
	relay_load(r, rel);
	return accept_arrived(skb, r, &r->stateless, &r->relayed);
}

#endif
