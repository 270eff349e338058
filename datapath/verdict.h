/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: what a stage wants done with the packet. Stages return one of these; only
 * verdict_finish() turns it into a TC action. VERDICT_GO means: not decided, go on.
 */
#ifndef SLUICE_VERDICT_H
#define SLUICE_VERDICT_H

#include "run.h"

enum verdict {
	VERDICT_GO,
	VERDICT_NEXT, /* not ours, or the stack's to deliver */
	VERDICT_DROP,
	VERDICT_REDIRECT, /* out of run.out_ifindex, layer 2 is written */
	VERDICT_PEER,	  /* the same, straight into the netns at the other end of a veth */
	VERDICT_NEIGH,	  /* out of run.out_ifindex, the kernel resolves run.next_hop */
	VERDICT_INGRESS,  /* into the stack through run.out_ifindex */
	VERDICT_REFUSED,  /* internal: a local backend does not take the hand-over */
	VERDICT_DATA,	  /* internal: the payload is to be looked at */
	VERDICT_TAKE,	  /* internal: the way is free for requests that wait */
	VERDICT_NO_LEG,	  /* internal: no leg has this tuple */
	VERDICT_OLD_LEG,  /* internal: one has, whose flow is gone */
};

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		(*value)++;
}

/* Counts the reason and drops. */
static __always_inline int drop(__u32 counter)
{
	count(counter);
	return VERDICT_DROP;
}

static __always_inline int verdict_finish(struct __sk_buff *skb, struct run *r, int verdict)
{
	switch (verdict) {
	case VERDICT_NEXT:
		return TCX_NEXT;
	case VERDICT_REDIRECT:
		return bpf_redirect(r->out_ifindex, 0);
	case VERDICT_PEER:
		return bpf_redirect_peer(r->out_ifindex, 0);
	case VERDICT_NEIGH:
		return bpf_redirect_neigh(r->out_ifindex, &r->next_hop, sizeof(r->next_hop), 0);
	case VERDICT_INGRESS:
		return bpf_redirect(r->out_ifindex, BPF_F_INGRESS);
	default:
		return TCX_DROP;
	}
}

#endif
