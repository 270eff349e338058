/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a valid cookie to a flow: what the handshake has told of the client. */
#ifndef SLUICE_BEGIN_H
#define SLUICE_BEGIN_H

#include "handshake.h"
#include "sender.h"

#define HANDSHAKE_MSEC 34000 /* a cookie's life: no echo is older */

/* Makes a flow of a valid cookie. The packet may carry data already. */
static __always_inline void begin_flow(struct run *r, struct flow *f, const struct uplink *uplink)
{
	const struct cookie_options *options = &r->cookie;
	struct pkt *p = &r->pkt;
	__u32 mss = uplink->mtu - (p->is_v6 ? 60 : 40);

	f->state = FLOW_OPEN;
	f->uplink = uplink->id;
	__builtin_memcpy(f->mac, r->hdr + ETH_ALEN, ETH_ALEN);
	f->active = ACTIVE_KERNEL;
	f->mss = options->mss < mss ? options->mss : mss;
	f->wscale = options->wscale == 0xff ? 0 : options->wscale;
	f->flags = (p->has_ts ? FLOW_TS : 0) | (options->sack ? FLOW_SACK : 0) |
		   (options->wscale == 0xff ? 0 : FLOW_WSCALE);
	if (r->is_trusted)
		f->flags |= FLOW_TRUSTED;
	f->rcv_nxt = p->seq;
	f->snd_una = p->ack;
	f->snd_nxt = p->ack;
	f->snd_wnd = (__u32)p->window << f->wscale;
	f->ts_recent = p->tsval;
	/* The echo of the SYN-ACK's timestamp, if this is the ACK and nothing later. */
	if (p->has_ts && !p->payload_len && run_tsval(r) - p->tsecr < HANDSHAKE_MSEC)
		sender_sample(f, (__u64)(run_tsval(r) - p->tsecr) * MSEC);
}

#endif
