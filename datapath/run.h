/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of one program run: parsed packet, scratch for headers and payload. Per CPU; a run is
 * never preempted by another of the same kind, but uplink_egress nests inside the others (a clone
 * redirected to the uplink), so it has an element of its own.
 */
#ifndef SLUICE_RUN_H
#define SLUICE_RUN_H

#include "bpf_compat.h"

#include "maps.h"

#include "http_cookie.h"
#include "http_normal.h"
#include "http_request.h"

#define HDR_MAX (ETH_HLEN + 40 + 60)

/* One TCP packet. Numbers in host order unless the type says otherwise. */
struct pkt {
	struct ip_addr src, dst;
	__be16 sport, dport;
	__u32 seq, ack;
	__u32 tsval, tsecr; /* valid if has_ts */
	__u32 payload_len;
	__u32 truesize; /* see segment_fit(); 0: the kernel counts what the packet grows by */
	__u16 l4_off;	/* from the start of the Ethernet header */
	__u16 payload_off;
	__u16 window; /* unscaled */
	__u16 mss;    /* SYN only; 0: no option */
	__u8 flags;   /* TCP_FIN ... */
	__u8 is_v6;
	__u8 has_ts;
	__u8 ts_off;	   /* of the TS option's TSval from the TCP header's start; 0: none */
	__u8 sack_off;	   /* of the first SACK block, likewise */
	__u8 sack_len;	   /* bytes of SACK blocks */
	__u8 wscale;	   /* SYN only; 0xff: no option */
	__u8 sack_ok;	   /* SYN only */
	__u8 csum_partial; /* the checksum field holds the pseudo header's sum alone */
	__u8 ip_summed;	   /* the kernel's CHECKSUM_* */
	__u8 pad[2];
};

/* What a SYN cookie has kept of the client's options. */
struct cookie_options {
	__u16 mss;
	__u8 wscale; /* 0xff: none */
	__u8 sack;
};

/* A segment that the gateway makes itself. */
struct segment {
	struct ip_addr src, dst;
	__be16 sport, dport;
	__u32 seq, ack;
	__u32 tsval, tsecr;
	__u32 payload_len;
	__u32 sack_base;   /* translation: SACK blocks before it are removed */
	__u32 options_len; /* of `options`, which replace the timestamp option (SYN-ACK) */
	__u16 window;	   /* as on the wire */
	__u8 flags;
	__u8 has_ts;
	__u8 mac_dst[6], mac_src[6];
	__u8 options[20];
};

#define PIECE_BYTES 512 /* bpf_csum_diff()'s limit before Linux 6.13 */

struct run {
	struct pkt pkt;
	struct segment seg;
	struct cookie_options cookie;
	__u8 hdr[HDR_MAX + 10]; /* the packet's headers as they came */
	__u8 out[HDR_MAX + 10]; /* headers being built */
	__u64 now_ns;
	__u32 flow_slot;
	__u32 uplink; /* id of the one that the packet came in by */
	__u32 out_ifindex;
	struct bpf_redir_neigh next_hop;
	/* Request scan: offsets from the payload's first byte. */
	__u32 first;		    /* first byte that is new */
	__u32 cursor;		    /* next byte to parse: what lies before is accepted */
	__u32 len;		    /* bytes that may be taken from this packet */
	__u32 stashed;		    /* bytes of the unfinished head that came before this packet */
	__u32 replay;		    /* what is accepted goes through the stash */
	__u32 canned;		    /* SCAN_ERROR: enum canned */
	__u32 reason;		    /* SCAN_POOL: counter that says why */
	__u32 reply_flags;	    /* SCAN_ANSWER: enum reply_flag */
	__u32 batch;		    /* requests that batch.h answers together */
	__u32 batch_flags;	    /* enum reply_flag */
	__u32 batch_stash;	    /* slot of their answers, where there are two or more */
	__u32 kept;		    /* bytes that follow, and wait in the queue */
	__u32 taken;		    /* the packet's bytes come from the queue */
	__u32 inject;		    /* kicks: the client's uplink, for a backend of this netns */
	__u32 default_pool;	    /* of the VIP */
	__u32 is_trusted;	    /* the client is in `trusted` */
	__u32 label_off, label_len; /* rest of the host name being looked up */
	__u32 scope;		    /* of the request's host, or 0 */
	__u32 stage;		    /* enum route_stage that run.target was found in */
	__u32 slashes;		    /* number of `slash` in use */
	__u32 probe;		    /* prefix being looked up: one more than its index there */
	__u32 rule;		    /* being compared: index into `rules` */
	/* Loop counters live here: on the stack each round would be a new state for the verifier.
	 */
	__u32 pick, opens, refusals, sent;
	__u32 rst_seq; /* ACCEPT_CLOSING */
	__u32 sender;  /* slot + 1 of the flow's sender, or 0 */
	__u32 rested;  /* since the flow's packet before: coarse clock */
	__u32 tx_len;  /* bytes of the answer under way */
	__u32 tx_seq;  /* segment to be sent */
	__u32 tx_left; /* bytes of its block from there on */
	__u32 tx_fin;  /* it is nothing but a FIN */
	__u32 pipe;    /* segments under way */
	__u32 urgent;  /* one lost block goes out whatever the window says */
	__u32 block_at;
	__s32 picked; /* pool_pick(): the best candidate so far */
	__u32 picked_latency;
	__u32 picked_cost, picked_weight; /* rendezvous.h */
	__u32 sticky; /* hash of the request's cookie, where its pool asks for one; or 0 */
	__u32 want;   /* backend that it leads to; WANT_ANY */
	struct http_cookie_scan cookie_scan;
	/* Keys and arguments of helpers: out of the stack, of which a chain of calls has 512 bytes.
	 */
	struct vip_key vip_key;
	struct flow_key flow_key;
	struct cidr_key cidr_key;
	struct leg_key leg_key;
	struct leg_key open_key;
	struct backend_addr_key backend_key;
	struct flow_key relay_key;
	struct relay relay_new;
	struct ip_addr source;
	struct bpf_sock_tuple tuple;
	struct bpf_tcp_req_attrs attrs;
	struct target target;
	struct target batch_first; /* the first of a batch */
	__u64 date_until_ns;	   /* date.h: `date_now` is right until then */
	__u32 date_now;
	__u32 date_second; /* that `date` is the text of */
	__u8 date[64];	   /* HTTP_DATE_LEN bytes, and room for the verifier's doubts */
	struct kick kick;
	struct bpf_fib_lookup fib;
	struct path_key path_key;
	struct long_path_key long_key;
	__u8 slash[PATH_DEPTHS]; /* where the segments of a path end */
	struct host_key host_key;
	__u8 piece[PIECE_BYTES + 8];
	struct flow stateless; /* stands in for a flow where none may be spent */
	struct leg relayed;    /* the same for a leg */
	struct http_normal normal;
	struct http_scratch http;
	__u8 slack[STASH_PIECE]; /* behind http.buf: see forward_pieces() */
};

enum run_slot { RUN_INGRESS, RUN_EGRESS, RUN_KICK, RUN_SLOTS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct run);
	__uint(max_entries, RUN_SLOTS);
} runs SEC(".maps");

#define CLOCK_SHIFT 26 /* coarse clock: 2^26 ns = 67 ms */

static __always_inline struct run *run_get(__u32 slot)
{
	struct run *r = bpf_map_lookup_elem(&runs, &slot);

	if (r) {
		r->now_ns = bpf_ktime_get_ns();
		r->taken = 0;
		r->sticky = 0;
	}
	return r;
}

static __always_inline __u32 run_clock(const struct run *r)
{
	return r->now_ns >> CLOCK_SHIFT;
}

/* TSval of packets that the gateway makes: the clock that Linux uses for its own sockets
 * (tcp_clock_ms, include/net/tcp.h), so that a leg's TSval goes on where the gateway's ended. */
static __always_inline __u32 run_tsval(const struct run *r)
{
	return r->now_ns / 1000000;
}

#endif
