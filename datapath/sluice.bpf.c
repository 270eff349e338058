/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs. Each finds out what a packet is, calls the room that knows what to do with it, and
 * lets verdict_finish() act. All of them return TCX_NEXT for what is not ours.
 */
#include "icmp.h"
#include "kick.h"
#include "relay_packet.h"

static __always_inline bool addr_is_vip(const struct ip_addr *addr)
{
	return bpf_map_lookup_elem(&vip_addrs, addr);
}

static __always_inline bool uplink_trusts(struct run *r)
{
	r->cidr_key.prefixlen = 128;
	r->cidr_key.addr = r->pkt.src;
	return bpf_map_lookup_elem(&trusted, &r->cidr_key);
}

/* A connection without a flow: the last step of its handshake, or its first request. */
static __always_inline int uplink_begin(struct __sk_buff *skb, struct run *r, struct flow_key *key,
					struct uplink *uplink)
{
	int inserted, verdict;
	struct flow *f;

	r->is_trusted = uplink_trusts(r);
	inserted = flow_insert(r, key);
	switch (inserted) {
	case INSERT_OK:
		break;
	case INSERT_REPLAY:
		return drop(STAT_COOKIE_REPLAY);
	case INSERT_FULL:
		count(STAT_FLOW_FULL);
		return relay_full(skb, r, uplink, true);
	case INSERT_SOURCE:
	case INSERT_SOURCE_TUPLE:
		count(STAT_SOURCE_FULL);
		return relay_full(skb, r, uplink, inserted == INSERT_SOURCE);
	default:
		return drop(STAT_OWNER_BUSY);
	}
	f = flow_at(r->flow_slot);
	if (!f)
		return VERDICT_DROP;
	begin_flow(r, f, uplink);
	r->uplink = uplink->id;
	count(STAT_COOKIE_OK);
	verdict = client_packet(skb, r, f);
	flow_release(r, f);
	return verdict;
}

/* A segment that belongs to no flow: the last step of a handshake, a relayed connection's, or a
 * stranger. */
static __always_inline int uplink_unknown(struct __sk_buff *skb, struct run *r,
					  const struct settings *s, struct flow_key *key,
					  struct uplink *uplink)
{
	struct pkt *p = &r->pkt;
	int verdict, cookie = 0;

	if (s->flags & SETTINGS_RELAY) {
		verdict = relay_client(skb, r, uplink);
		if (verdict != VERDICT_GO)
			return verdict;
	}
	if (p->flags & TCP_ACK && !(p->flags & TCP_RST))
		cookie = cookie_try(r);
	if (cookie > 0)
		return uplink_begin(skb, r, key, uplink);
	if (handshake_has_socket(skb, r))
		return VERDICT_NEXT;
	if (cookie == COOKIE_LIMITED)
		return drop(STAT_COOKIE_LIMITED);
	if (cookie < 0 && p->payload_len)
		return drop(STAT_OUT_OF_ORDER); /* the first segment will be repeated */
	count(STAT_COOKIE_BAD);
	return handshake_reset(skb, r);
}

/* True if a tombstone gives way to a new connection of its tuple (RFC 6191; RFC 9293, 3.6.1): a
 * SYN, or what follows one, with numbers that the old connection cannot have had. */
static __always_inline bool uplink_reuses(struct run *r, struct flow *f)
{
	const struct pkt *p = &r->pkt;

	/* A client that has been started anew does not know the old numbers: it has answered our
	 * ACK with RST, and repeats its SYN (RFC 9293, 3.5.1, figure 9). */
	if (f->state == FLOW_CLOSED && f->reply & REPLY_RESET &&
	    (p->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		f->state = FLOW_FREE;
		return true;
	}
	if (!flow_is_tombstone(f) || p->flags & TCP_RST ||
	    !(seq_after(p->seq, f->rcv_nxt) || (p->has_ts && seq_after(p->tsval, f->ts_recent))))
		return false;
	return p->flags & TCP_SYN || cookie_try(r) > 0;
}

/* True if the flow's last packet came in here too: the lookup of the uplink can be spared. */
static __always_inline bool uplink_is_same(const struct __sk_buff *skb, const struct flow *f)
{
	__u32 id = f->uplink;
	struct uplink_dev *dev = bpf_map_lookup_elem(&uplink_devs, &id);

	return dev && dev->ifindex == skb->ifindex;
}

static __always_inline int uplink_packet(struct __sk_buff *skb, struct run *r,
					 const struct vip *vip)
{
	struct settings *s = settings_get();
	struct pkt *p = &r->pkt;
	struct uplink *uplink;
	__u32 ifindex;
	struct flow_key *key = &r->flow_key;
	struct flow *f;
	int verdict;

	if (!s)
		return VERDICT_NEXT;
	key->client = p->src;
	key->port = p->sport;
	key->vip = vip->id;
	r->default_pool = vip->default_pool;
	f = flow_find(r, s, key);
	if (f && !lock_take(&f->owner))
		return drop(STAT_OWNER_BUSY);
	if (f && (!flow_matches(r, f, key) || uplink_reuses(r, f))) {
		flow_release(r, f);
		f = NULL;
	}
	if (f && (f->state == FLOW_CLOSED || uplink_is_same(skb, f))) {
		r->uplink = f->uplink;
		verdict = client_packet(skb, r, f);
		flow_release(r, f);
		return verdict;
	}
	ifindex = skb->ifindex;
	uplink = bpf_map_lookup_elem(&uplinks, &ifindex);
	if (f) {
		if (uplink)
			r->uplink = uplink->id;
		verdict = uplink ? client_packet(skb, r, f) : VERDICT_NEXT;
		flow_release(r, f);
		return verdict;
	}
	if (!uplink)
		return VERDICT_NEXT;
	if (addr_is_vip(&p->src))
		return drop(STAT_DROP_SPOOFED);
	if ((p->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
		return handshake_syn(skb, r, uplink->mtu);
	return uplink_unknown(skb, r, s, key, uplink);
}

/* The backend at an address and port; without address: the local backend on that port. */
static __always_inline __u32 *backend_id(struct run *r, const struct ip_addr *addr, __be16 port)
{
	struct backend_addr_key *key = &r->backend_key;

	if (addr)
		key->addr = *addr;
	else
		__builtin_memset(&key->addr, 0, sizeof(key->addr));
	key->port = port;
	return bpf_map_lookup_elem(&backend_addrs, key);
}

/* The first packet of a relayed connection on a local backend, second pass. */
static __always_inline int uplink_local_relay(struct __sk_buff *skb, struct run *r, __u32 id)
{
	switch (relay_accept(skb, r, id)) {
	case ACCEPT_OK:
		return VERDICT_NEXT;
	case ACCEPT_REFUSED:
		return relay_bounce(skb, r, id, true);
	}
	return drop(STAT_DROP_STALE);
}

/* The opening packet of a leg on a local backend, second pass: made from a stash. */
static __always_inline int uplink_local(struct __sk_buff *skb, struct run *r)
{
	__u32 *id = backend_id(r, NULL, r->pkt.dport);
	struct settings *s = settings_get();
	struct pkt *p = &r->pkt;
	struct leg_key *key = &r->leg_key;
	struct leg *leg;
	struct flow *f;
	int result;

	if (!id || !s)
		return VERDICT_NEXT;
	leg_key_make(key, &p->src, p->sport, *id);
	leg = leg_find(s, key);
	if (!leg || leg->state != LEG_OPENING)
		return uplink_local_relay(skb, r, *id);
	r->flow_slot = leg->flow;
	f = flow_at(r->flow_slot);
	if (!f || f->gen != leg->flow_gen)
		return uplink_local_relay(skb, r, *id);
	result = accept_arrived(skb, r, f, leg);
	if (result == ACCEPT_OK)
		return VERDICT_NEXT;
	if (result == ACCEPT_WAIT)
		return drop(STAT_DROP_STALE);
	if (!lock_take(&f->owner))
		return drop(STAT_OWNER_BUSY);
	if (leg_still(leg, key, f) && leg->state == LEG_OPENING && f->active == leg->index &&
	    p->seq == leg->start)
		result = open_refused(skb, r, f);
	else
		result = drop(STAT_DROP_STALE);
	flow_release(r, f);
	return result;
}

SEC("tc")
int uplink_ingress(struct __sk_buff *skb)
{
	struct run *r = run_get(RUN_INGRESS);
	struct vip_key *at;
	struct vip *vip;
	int kind, verdict;

	if (!r)
		return TCX_NEXT;
	at = &r->vip_key;
	kind = pkt_parse(skb, r);
	if (kind == PKT_OTHER)
		return verdict_finish(skb, r, icmp_packet(skb, r));
	at->addr = r->pkt.dst;
	if (kind != PKT_TCP) {
		if (!addr_is_vip(&at->addr))
			return TCX_NEXT;
		count(kind == PKT_FRAGMENT ? STAT_DROP_FRAGMENT : STAT_DROP_MALFORMED);
		return TCX_DROP;
	}
	at->port = r->pkt.dport;
	vip = bpf_map_lookup_elem(&vips, at);
	if (!vip && !addr_is_vip(&at->addr))
		return TCX_NEXT;
	if (!vip)
		return verdict_finish(skb, r,
				      addr_is_vip(&r->pkt.src) ? drop(STAT_DROP_SPOOFED) :
								 uplink_local(skb, r));
	verdict = csum_is_right(skb, r) ? uplink_packet(skb, r, vip) : drop(STAT_DROP_MALFORMED);
	if (verdict == VERDICT_DROP)
		kick_pending(skb, r);
	return verdict_finish(skb, r, verdict);
}

/* A packet from backend `id` to a client: of a leg, or of a relayed connection. */
static __always_inline int return_packet(struct __sk_buff *skb, struct run *r, __u32 id, bool local)
{
	int verdict = backend_packet(skb, r, id, local), relayed;

	if (verdict != VERDICT_NO_LEG && verdict != VERDICT_OLD_LEG)
		return verdict;
	relayed = relay_return(skb, r, id, local);
	if (relayed != VERDICT_GO)
		return relayed;
	return verdict == VERDICT_OLD_LEG ? backend_reset(skb, r, local) : VERDICT_NEXT;
}

/* A hand-over that backend `id` sent back. */
static __always_inline int return_bounce(struct __sk_buff *skb, struct run *r, __u32 id)
{
	int verdict = backend_bounce(skb, r, id), relayed;

	if (verdict != VERDICT_NO_LEG && verdict != VERDICT_OLD_LEG)
		return verdict;
	relayed = relay_bounce(skb, r, id, false);
	if (relayed != VERDICT_GO)
		return relayed;
	return verdict == VERDICT_OLD_LEG ? drop(STAT_DROP_FORGED) : VERDICT_NEXT;
}

/* Only attached where a backend lives in the gateway's own netns. */
SEC("tc")
int uplink_egress(struct __sk_buff *skb)
{
	struct run *r = run_get(RUN_EGRESS);
	__u32 *id;

	if (!r || pkt_parse(skb, r) != PKT_TCP)
		return TCX_NEXT;
	id = backend_id(r, NULL, r->pkt.sport);
	if (!id || !addr_is_vip(&r->pkt.src))
		return TCX_NEXT;
	return verdict_finish(skb, r, return_packet(skb, r, *id, true));
}

SEC("tc")
int backend_return(struct __sk_buff *skb)
{
	struct run *r = run_get(RUN_INGRESS);
	__u32 *id;

	if (!r || pkt_parse(skb, r) != PKT_TCP)
		return TCX_NEXT;
	id = backend_id(r, &r->pkt.src, r->pkt.sport);
	if (id && !csum_is_right(skb, r))
		return verdict_finish(skb, r, drop(STAT_DROP_MALFORMED));
	if (id)
		return verdict_finish(skb, r, return_packet(skb, r, *id, false));
	if (addr_is_vip(&r->pkt.src))
		return verdict_finish(skb, r, drop(STAT_DROP_FORGED));
	id = backend_id(r, &r->pkt.dst, r->pkt.dport);
	if (id)
		return verdict_finish(skb, r, return_bounce(skb, r, *id));
	return TCX_NEXT;
}

SEC("tc")
int backend_accept(struct __sk_buff *skb)
{
	struct settings *s = settings_get();
	struct leg_key *key;
	struct leg *leg;
	struct flow *f;
	struct run *r;
	int result;
	__u32 *id;

	if (skb->tc_index == ACCEPT_PASS)
		return TCX_NEXT;
	r = run_get(RUN_INGRESS);
	if (!r || !s || pkt_parse(skb, r) != PKT_TCP)
		return TCX_NEXT;
	id = backend_id(r, &r->pkt.dst, r->pkt.dport);
	if (!id)
		return TCX_NEXT;
	key = &r->leg_key;
	leg_key_make(key, &r->pkt.src, r->pkt.sport, *id);
	leg = leg_find(s, key);
	f = leg && leg->state == LEG_OPENING ? flow_at(leg->flow) : NULL;
	if (f && f->gen == leg->flow_gen)
		result = accept_arrived(skb, r, f, leg);
	else
		result = relay_accept(skb, r, *id);
	switch (result) {
	case ACCEPT_OK:
		return TCX_NEXT;
	case ACCEPT_REFUSED:
		r->out_ifindex = skb->ifindex;
		return verdict_finish(skb, r, VERDICT_REDIRECT);
	}
	return verdict_finish(skb, r, drop(STAT_DROP_STALE));
}

/* Run by the daemon when a timer asks for it; cb[0], cb[1]: slot and gen of the flow. The packet is
 * a template of the flow's family. */
SEC("tc")
int kick(struct __sk_buff *skb)
{
	struct run *r = run_get(RUN_KICK);
	struct sk_buff *kskb;

	if (!r || pkt_parse(skb, r) != PKT_TCP)
		return TCX_DROP;
	kskb = bpf_cast_to_kern_ctx(skb);
	r->pkt.truesize = kskb->truesize; /* bpf_prog_test_run() gives it a socket, too */
	r->kick.flow = skb->cb[0];
	r->kick.gen = skb->cb[1];
	kick_flow(skb, r, &r->kick);
	return TCX_DROP;
}

char _license[] SEC("license") = "GPL";
