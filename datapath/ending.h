/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How HTTP on a connection ends. Behind the last request nothing is read as one, answered or passed
 * on (RFC 9112, 9.6): LEG_CLOSE, set where request or response say so, where the response ends with
 * the connection (6.3), or where it cannot be followed. The backend's FIN then goes on to the
 * client. What comes behind a response whose end nobody knows ends the connection at once, so that
 * the client can ask again on another. Only another protocol pins a flow.
 */
#ifndef SLUICE_ENDING_H
#define SLUICE_ENDING_H

#include "open.h"

/* The response under way ends with the connection. */
static __always_inline void ending_close(struct leg *leg)
{
	count(STAT_LAST_CLOSE);
	leg->flags |= LEG_CLOSE;
	leg->rphase = RESPONSE_CLOSE;
}

/* The response under way cannot be followed; it is passed on as it is. */
static __always_inline void ending_lose(struct leg *leg)
{
	count(STAT_LAST_LOST);
	leg->flags |= LEG_CLOSE;
	leg->rphase = RESPONSE_LOST;
}

/* 101, or the answer to CONNECT: what follows is no HTTP. */
static __always_inline void ending_pin(struct flow *f, struct leg *leg)
{
	count(STAT_PINNED);
	f->flags |= FLOW_PINNED;
	leg->rphase = RESPONSE_CLOSE;
}

/* No request may follow on this connection. */
static __always_inline bool ending_is_near(const struct leg *leg)
{
	return leg && leg->flags & LEG_CLOSE;
}

/* Ends the leg, and the client's connection: with 400 if the leg has not begun to respond and the
 * client has all that it sent before. Uses up the packet. Returns a verdict. */
__noinline int ending_abort(struct __sk_buff *skb, struct run *r NONNULL, struct flow *f NONNULL)
{
	struct leg *leg = leg_of(r, f, f->active);
	bool can_say;

	if (!leg)
		return reply_abort(skb, r, f);
	can_say = leg->rphase == RESPONSE_HEAD && leg->sent == (__u16)(leg->done + 1) &&
		  leg->resp_pos == leg->snd_max && r->pkt.ack == leg->resp_pos + leg->delta_out;
	forward_bare(skb, r, f, leg, TCP_RST | TCP_ACK);
	leg->state = LEG_DEAD;
	f->snd_nxt = r->pkt.ack;
	if (!can_say)
		return reply_abort(skb, r, f);
	f->rcv_nxt = r->pkt.seq + r->pkt.payload_len;
	f->req_len = 0;
	r->reply_flags = TRANSMIT_TIMED;
	return open_error(skb, r, f, CANNED_400);
}

#endif
