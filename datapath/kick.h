/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet for a flow that has none: the daemon's, by bpf_prog_test_run(), or one that another
 * connection's run has no more use for. Only clones of it leave.
 */
#ifndef SLUICE_KICK_H
#define SLUICE_KICK_H

#include "transmit.h"

/* Does what the flow's timer has asked for. The packet is used up. */
__noinline int kick_flow(struct __sk_buff *skb, struct run *r NONNULL, struct kick *kick NONNULL)
{
	int verdict = VERDICT_DROP;
	struct flow *f;

	r->flow_slot = kick->flow;
	f = flow_at(r->flow_slot);
	if (!f || f->gen != kick->gen || !lock_take(&f->owner))
		return 0;
	r->pkt.payload_len = 0;
	if (f->gen == kick->gen && f->reply & REPLY_ACTIVE && f->active == ACTIVE_KERNEL &&
	    f->state != FLOW_CLOSED)
		verdict = transmit_on_timer(skb, r, f);
	lock_release(&f->owner);
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
}

#endif
