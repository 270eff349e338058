/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet for a flow that has none: the daemon's, by bpf_prog_test_run(), or one that another
 * connection's run has no more use for. Only clones of it leave.
 */
#ifndef SLUICE_KICK_H
#define SLUICE_KICK_H

#include "client.h"
#include "probe.h"

/* The header block has not come in time: 408 (RFC 9110, 15.5.9). Returns a verdict. */
static __always_inline int kick_head(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct sender *s = sender_find(r, f) ? sender_of(r) : NULL;
	struct leg *leg = leg_of(r, f, f->active);

	if (!s || !s->deadline_ns || s->deadline_ns > r->now_ns)
		return VERDICT_DROP;
	s->deadline_ns = 0;
	r->pkt.src = f->key.client;
	r->pkt.ack = leg ? leg->resp_pos + leg->delta_out : f->snd_nxt;
	r->pkt.window = f->snd_wnd >> (f->wscale & 15);
	r->reply_flags = TRANSMIT_TIMED; /* all of the head is acknowledged */
	stash_drop(stash_get(r, f, f->stash, STASH_REQUEST), &f->stash);
	forward_park(skb, r, f, 0);
	f->req_len = 0;
	count(STAT_ERROR_408);
	return open_error(skb, r, f, CANNED_408);
}

/* Makes the packet look as if it were the flow's client's, for what goes to a leg. 0 or -1. */
static __always_inline int kick_as_client(struct run *r, const struct flow *f)
{
	__u32 uplink = f->uplink, id = f->key.vip;
	struct uplink_dev *dev = bpf_map_lookup_elem(&uplink_devs, &uplink);
	struct vip_key *key = bpf_map_lookup_elem(&vip_list, &id);
	struct vip *vip = key ? bpf_map_lookup_elem(&vips, key) : NULL;

	if (!dev || !vip)
		return -1;
	r->default_pool = vip->default_pool;
	r->uplink = uplink;
	r->inject = dev->ifindex;
	r->pkt.src = f->key.client;
	r->pkt.ack = queue_client_ack(f, leg_of(r, f, f->active));
	r->pkt.window = f->snd_wnd >> (f->wscale & 15);
	__builtin_memcpy(r->hdr, dev->mac, ETH_ALEN);
	__builtin_memcpy(r->hdr + ETH_ALEN, f->mac, ETH_ALEN);
	return 0;
}

/* Requests that had waited are acknowledged to the client, so nobody but the gateway can repeat
 * them until the leg has them. Returns a verdict. */
static __always_inline int kick_leg(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	struct stash *st = stash_get(r, f, f->stash, STASH_REQUEST);
	struct sender *s = sender_find(r, f) ? sender_of(r) : NULL;
	struct leg *leg = leg_of(r, f, f->active);

	if (!st || !s || !leg || !(s->flags & SENDER_LEG) || !s->deadline_ns ||
	    s->deadline_ns > r->now_ns)
		return VERDICT_DROP;
	s->deadline_ns = 0;
	if (st->len <= st->queued ||
	    !seq_before(leg->acked + leg->delta_in, st->start + st->len - st->queued) ||
	    r->now_ns - s->progress_ns > SENDER_GIVE_UP)
		return VERDICT_DROP;
	s->backoff += s->backoff < RTO_BACKOFF_MAX;
	sender_arm(r, RTO_MIN << (s->backoff & 7));
	return forward_stash(skb, r, f, leg);
}

/* What a flow with an active leg, or with requests that wait, may need. Returns a verdict. */
static __always_inline int kick_requests(struct __sk_buff *skb, struct run *r, struct flow *f)
{
	if (f->state == FLOW_CLOSED || kick_as_client(r, f))
		return VERDICT_DROP;
	return queue_is_due(r, f) ? client_data(skb, r, f, VERDICT_TAKE) : kick_leg(skb, r, f);
}

/* Does what the flow's timer has asked for. The packet is used up. */
static __always_inline int kick_flow(struct __sk_buff *skb, struct run *r, struct kick *kick)
{
	int verdict = VERDICT_DROP;
	struct flow *f;

	r->flow_slot = kick->flow;
	f = flow_at(r->flow_slot);
	if (!f || f->gen != kick->gen || !lock_take(&f->owner))
		return 0;
	r->pkt.payload_len = 0;
	r->pkt.has_ts = 0;
	r->pkt.sack_len = 0;
	r->cursor = 0;
	r->stashed = 0;
	r->rested = 0;
	if (f->gen == kick->gen && f->reply & REPLY_ACTIVE && f->active == ACTIVE_KERNEL &&
	    f->state != FLOW_CLOSED)
		verdict = probe_on_timer(skb, r, f);
	else if (f->gen == kick->gen && f->phase == REQUEST_HEAD && f->state == FLOW_OPEN)
		verdict = kick_head(skb, r, f);
	else if (f->gen == kick->gen)
		verdict = kick_requests(skb, r, f);
	r->inject = 0;
	flow_release(r, f);
	if (verdict == VERDICT_REDIRECT)
		bpf_clone_redirect(skb, r->out_ifindex, 0);
	return 1;
}

/* Serves one kick while no daemon does, with the packet of a run that has dropped it. */
static __always_inline void kick_pending(struct __sk_buff *skb, struct run *r)
{
	__u32 *pending = kick_pending_count();

	if (!pending || !*pending || bpf_map_pop_elem(&pending_kicks, &r->kick))
		return;
	__sync_fetch_and_add(pending, -1);
	if (r->kick.is_v6 == r->pkt.is_v6)
		kick_flow(skb, r, &r->kick);
	else if (!bpf_map_push_elem(&pending_kicks, &r->kick, 0)) /* for a packet of its family */
		__sync_fetch_and_add(pending, 1);
}

#endif
