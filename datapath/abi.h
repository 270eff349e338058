/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only header that datapath and control plane share: map keys, values, limits and enums.
 * Fixed-width types, explicit padding, sizes asserted. A change here that an old pinned map cannot
 * survive must raise SLUICE_ABI_VERSION: the loader then starts with fresh maps.
 */
#ifndef SLUICE_ABI_H
#define SLUICE_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define SLUICE_ABI_VERSION 1

/* Limits. */
#define MAX_UPLINKS 16
#define MAX_VIPS 64
#define MAX_BACKENDS 256
#define MAX_POOLS 256	      /* per configuration epoch; the map holds two epochs */
#define POOL_SLOTS 256	      /* length of a pool's weighted round-robin sequence */
#define POOL_MEMBERS 64	      /* distinct backends of a pool: one bit each in leg.tried */
#define MAX_LEGS 4	      /* backends that one client connection can hold open */
#define LEG_OUTSTANDING 32    /* pipelined requests of a leg that are not answered yet */
#define FLOW_WAYS 8	      /* entries of a bucket of the flow table */
#define LEG_WAYS 8	      /* entries of a bucket of the leg table */
#define HOST_BYTES 124	      /* longest configured host name */
#define PATH_SHORT 60	      /* longest path in `paths`; longer ones are in `long_paths` */
#define PATH_BYTES 252	      /* LPM_DATA_SIZE_MAX (256) less the scope */
#define PATH_MAX_CONF 251     /* a path's longest usable form: PATH_BYTES less the appended '/' */
#define STASH_BYTES 16384     /* one buffered, unfinished head; Node's own limit is 16 KB */
#define STASH_PIECE 2048      /* a stash is filled in pieces of this size: slack behind its end */
#define REGION_BYTES (4 << 20) /* one element of `regions`: memory for component bytes */
#define REGION_USABLE (REGION_BYTES - 16384) /* objects end here: room for a whole segment's read */
#define MAX_REGIONS 1024
#define BODY_MAX 65536	      /* bytes of one component's body */
#define HEAD_MAX 4096	      /* bytes of one component's header block */
#define MAX_OBJECTS (1 << 20)

/* An IPv6 address, or an IPv4 address in its mapped form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
struct ip_addr {
	__be32 w[4];
};
#define IP_ADDR_MAPPED_W2 0x0000ffffu /* host order */

/* `vips`: HASH, address and port that the gateway serves. Writer: daemon. */
struct vip_key {
	struct ip_addr addr;
	__be16 port;
	__u16 pad;
};

struct vip {
	__u32 id;	   /* < MAX_VIPS, stable over reloads */
	__u32 default_pool; /* pool id, or POOL_NONE */
};
#define POOL_NONE 0xffffffffu

/* `vip_list`: ARRAY, vip id -> struct vip_key: the way back from a flow to its address. */

/* `vip_addrs`: HASH, struct ip_addr -> __u32 1. Any VIP address, whatever the port. */

/* `uplinks`: HASH, __u32 ifindex -> struct uplink. Writer: daemon. */
struct uplink {
	__u32 id;  /* < MAX_UPLINKS, stable over reloads; index into `uplink_devs` */
	__u32 mtu; /* bytes of an IP packet */
};

/* `uplink_devs`: ARRAY, uplink id -> device. Writer: daemon. */
struct uplink_dev {
	__u32 ifindex;
	__u8 mac[6];
	__u16 pad;
};

/* `settings`: ARRAY of 1. Writer: daemon; `epoch` and `any_scope` are switched by one update. */
struct settings {
	__u64 seed[2];	   /* keys the flow and leg hash; written once, when the map is made */
	__u32 epoch;	   /* configuration epoch: part of every host key, high bits of scopes */
	__u32 any_scope;   /* scope of routes without a host */
	__u32 flags;	   /* enum settings_flag */
	__u32 flow_mask;   /* buckets of `flow_buckets` - 1 */
	__u32 leg_mask;	   /* buckets of `leg_buckets` - 1 */
	__u32 stash_mask;  /* elements of `stashes` - 1 */
	__u32 error_slot[8]; /* object slots of the canned errors, by enum canned */
	__u32 error_gen[8];
};

enum settings_flag {
	SETTINGS_HOSTS = 1 << 0,     /* `hosts` has entries */
	SETTINGS_WILDCARDS = 1 << 1, /* some of them are wildcards: keys that begin with '.' */
	SETTINGS_FORWARDED_PASS = 1 << 2,
};

/* Kernel-made error answers. Order is ABI: index into settings.error_slot. */
enum canned {
	CANNED_400,
	CANNED_403,
	CANNED_404,
	CANNED_408,
	CANNED_414,
	CANNED_431,
	CANNED_503,
	CANNED_505,
	CANNED_COUNT,
};

/* `cookie_keys`: ARRAY of 1. Writer: daemon; read by every SYN and every unknown ACK. */
struct cookie_keys {
	__u64 key[2][2]; /* SipHash keys */
	__u64 rotated_ns; /* bpf_ktime_get_ns() of the last rotation; the other key is valid 32 s */
	__u32 current;	 /* 0 or 1 */
	__u32 pad;
};

/* `hosts`: HASH -> __u32 scope. `*.example` is stored as `.example`, lower case. */
struct host_key {
	__u32 epoch;
	__u8 name[HOST_BYTES]; /* zero padded */
};

/* `paths`, `long_paths`: HASH -> struct target. Exact paths, zero padded. */
struct path_key {
	__u32 scope;
	__u8 path[PATH_SHORT];
};
struct long_path_key {
	__u32 scope;
	__u8 path[PATH_BYTES];
};

/* `prefixes`: LPM_TRIE -> struct target. Paths end with '/'. prefixlen in bits, scope included. */
struct prefix_key {
	__u32 prefixlen;
	__u32 scope;
	__u8 path[PATH_BYTES];
};

/* What a path leads to. 16 bytes, replaced whole. */
struct target {
	__u8 kind; /* enum target_kind */
	__u8 flags;
	__u16 pool;  /* TARGET_POOL; also where a component request goes that the kernel must not answer */
	__u32 slot;  /* TARGET_OBJECT: index into `objects` */
	__u32 gen;   /* must equal objects[slot].gen */
	__u32 ident; /* low 32 bits of the key's route_hash: guards against a recycled map element */
};
#define TARGET_POOL_NONE 0xffff

enum target_kind {
	TARGET_NONE,
	TARGET_POOL,
	TARGET_OBJECT, /* component: answered when the request is beyond doubt, else `pool` */
	TARGET_CANNED, /* deny or redirect: answered whatever the request's method; connection ends
			  when the request has a body */
};

/* Bytes inside one region. */
struct span {
	__u32 off;
	__u32 len;
};

/* `objects`: ARRAY. Writer: daemon. A slot's bytes change only when its grace period is over. */
struct object {
	__u32 gen; /* 0: free */
	__u32 region;
	struct span head;  /* status line and header block for keep-alive; the body follows it at once */
	struct span close; /* the same with `connection: close` */
	struct span body;
	__u32 hits_pad[2];
};

/* `pools`: ARRAY of 2 * MAX_POOLS; pool id = (epoch & 1) * MAX_POOLS + index. Writer: daemon. */
struct pool {
	__u16 slots;   /* used length of seq; 0: empty pool */
	__u16 members; /* distinct backends */
	__u16 policy;  /* enum pool_policy */
	__u16 pad;
	__u8 seq[POOL_SLOTS];	     /* weighted sequence of member numbers */
	__u16 backend[POOL_MEMBERS]; /* member number -> backend id */
};

enum pool_policy {
	POLICY_ROUND_ROBIN,
	POLICY_CLIENT_HASH,
	POLICY_LEAST_LATENCY,
};

/* `backends`: ARRAY, index is the backend id. Writer: daemon. */
struct backend {
	struct ip_addr addr4; /* mapped; where Node listens, for IPv4 clients */
	struct ip_addr addr6; /* the same for IPv6 clients */
	__be16 port;
	__u16 flags;	      /* enum backend_flag */
	__u32 mark;	      /* fwmark that its policy rule matches */
	__u32 ifindex;	      /* gateway's interface towards it; 0 for local ones */
	__u32 mtu;	      /* of that interface, bytes of an IP packet */
};

enum backend_flag {
	BACKEND_UP = 1 << 0,	/* may get new legs */
	BACKEND_LOCAL = 1 << 1, /* in the gateway's own netns */
	BACKEND_IPV4 = 1 << 2,	/* addr4 is set (local: can be reached over IPv4) */
	BACKEND_IPV6 = 1 << 3,
	BACKEND_PEER = 1 << 4,	/* bpf_redirect_peer may be used */
	BACKEND_USED = 1 << 5,	/* the id is taken (also while draining) */
};

/* `backend_addrs`: HASH -> __u32 backend id. Address and port of remote backends, both families;
 * for local ones the key's address is all zero and only the port counts. */
struct backend_addr_key {
	struct ip_addr addr;
	__be16 port;
	__u16 pad;
};

/* One client connection. */
struct flow_key {
	struct ip_addr client;
	__be16 port;
	__u16 vip; /* vip id */
};

/* `flow_buckets`: ARRAY; way i of bucket b is flows[b * FLOW_WAYS + i]. */
struct flow_bucket {
	__u32 lock; /* CAS word of inserts */
	__u32 pad;
	__u32 tags[FLOW_WAYS]; /* high hash bits | 1; 0: never used */
};

enum flow_state {
	FLOW_FREE,
	FLOW_OPEN,
	FLOW_CLOSING, /* the gateway's FIN is sent */
	FLOW_CLOSED,  /* tombstone */
};

enum flow_flag {
	FLOW_TS = 1 << 0,
	FLOW_SACK = 1 << 1,
	FLOW_WSCALE = 1 << 2,
	FLOW_PINNED = 1 << 3,	  /* every further byte goes to the active leg */
	FLOW_CLIENT_FIN = 1 << 4, /* the client's FIN was taken or forwarded */
	FLOW_TRUSTED = 1 << 5,
	FLOW_RECOVERY = 1 << 6, /* fast recovery (RFC 6582) until `recover` is acknowledged */
	FLOW_LEG_FIN = 1 << 7,	/* the active leg's FIN was forwarded to the client */
};

enum request_phase {
	REQUEST_START, /* rcv_nxt is the first byte of a request */
	REQUEST_HEAD,  /* inside a header block; its bytes are in the stash */
	REQUEST_BODY,  /* body_left bytes of a Content-Length body follow */
	REQUEST_CHUNKED, /* inside a chunked body; see struct http_chunks */
};

enum reply_flag {
	REPLY_ACTIVE = 1 << 0, /* tx_* describe an answer that is not wholly acknowledged */
	REPLY_CLOSE = 1 << 1,  /* FIN after the last byte */
	REPLY_HEAD = 1 << 2,   /* header block only */
	REPLY_DONE = 1 << 3,   /* a request of this connection has been answered */
	REPLY_AWAITED = 1 << 4, /* the active leg owes a response */
};

#define ACTIVE_KERNEL 0xff

/* State of a chunked body (RFC 9112, 7.1), cut at any byte. */
struct http_chunks {
	__u64 left; /* bytes of the chunk, or of a Content-Length body, still to come */
	__u8 phase; /* enum chunk_phase in http_chunked.h */
	__u8 digits;
	__u16 trailer; /* bytes of trailer seen */
	__u32 pad;
};

/*
 * `flows`: ARRAY. Every run that touches a flow or its legs holds `owner`. Sequence numbers are in
 * the client's own space: rcv_* count what the client sends, snd_* what it gets.
 */
struct flow {
	struct flow_key key;
	__u32 owner; /* CAS word: cpu + 1 of the run that holds it */
	__u32 gen;   /* raised when the slot is given to another connection */
	__u32 seen;  /* last packet of either side: coarse clock, units of 2^26 ns (67 ms) */
	__u8 state;  /* enum flow_state */
	__u8 active; /* index of the leg that the client talks to, or ACTIVE_KERNEL */
	__u8 flags;  /* enum flow_flag */
	__u8 wscale; /* shift of the client's window */
	__u16 mss;   /* the client's MSS option, or the default */
	__u8 uplink; /* id */
	__u8 phase;  /* enum request_phase */
	__u8 mac[6]; /* source of the client's last packet: next hop of answers */
	__u8 reply;  /* enum reply_flag */
	__u8 dupacks;
	__u32 rcv_nxt;	 /* first byte of the client's stream that is not yet parsed */
	__u32 snd_una;	 /* answers of the kernel: oldest byte not acknowledged */
	__u32 snd_nxt;	 /* next byte to send */
	__u32 snd_wnd;	 /* the client's window, bytes */
	__u32 ts_recent; /* client's TSval to be echoed */
	__u32 legs[MAX_LEGS]; /* slot in `legs` + 1; 0: none */
	__u32 tx_slot;	 /* object of the current or last answer */
	__u32 tx_gen;
	__u32 tx_start; /* first byte of that answer */
	__u32 recover;	/* highest byte sent when the last loss was noticed (RFC 6582) */
	__u16 cwnd;	/* 1/CWND_UNIT segments (RFC 5681) */
	__u16 ssthresh;
	__u16 req_len; /* bytes of the request that is answered: it began at rcv_nxt - req_len */
	__u16 stash;   /* slot in `stashes` + 1; 0: none */
	struct http_chunks body;
};
#define CWND_UNIT 64
#define CWND_INITIAL (10 * CWND_UNIT) /* IW10, RFC 6928 */
#define CWND_MAX (1000 * CWND_UNIT)

/* One backend's share of a flow. Sequence numbers are in the leg's space unless said otherwise. */
struct leg_key {
	struct ip_addr client;
	__be16 port;
	__u16 backend;
};

/* `leg_buckets`, `legs`: ARRAYs, as for flows. A leg whose flow slot has another gen is free. */
struct leg_bucket {
	__u32 lock;
	__u32 pad;
	__u32 tags[LEG_WAYS];
};

enum leg_state {
	LEG_FREE,
	LEG_OPENING, /* handed over, nothing came back yet */
	LEG_OPEN,
	LEG_DEAD, /* ended with RST; late packets of it are dropped */
};

enum leg_flag {
	LEG_CLOSE = 1 << 0,	 /* the response, or the request, said `Connection: close` */
	LEG_FIN = 1 << 1,	 /* the backend's FIN has been seen */
	LEG_HEAD_STASHED = 1 << 2, /* part of a response's header block is in the stash */
	LEG_REPLAY = 1 << 4, /* the request under way is in the stash, should the leg be closing */
	LEG_UPGRADE = 1 << 5, /* the last request asks for another protocol */
	LEG_QUEUED = 1 << 3, /* packets went through the veth's queue: none may overtake them */
};

struct leg {
	struct leg_key key;
	__u32 flow;	/* slot */
	__u32 flow_gen;
	__u8 state; /* enum leg_state */
	__u8 index; /* in flow.legs */
	__u8 flags; /* enum leg_flag */
	__u8 rphase; /* enum response_phase */
	__u32 delta_in;	 /* leg seq of client's bytes = client seq - delta_in */
	__u32 delta_out; /* client seq of backend's bytes = leg seq + delta_out */
	__u32 base_in;	 /* first byte of the client since the leg was last resumed */
	__u32 base_out;	 /* first byte of the backend since then */
	__u32 start;	 /* seq of the packet that opens the leg */
	__u32 rnxt;	 /* end of the client's bytes that this leg was given */
	__u32 resp_pos;	 /* next byte of the response to be parsed */
	__u32 snd_max;	 /* end of the backend's bytes seen */
	__u32 acked;	 /* highest ack of the backend */
	__u32 heads;	 /* bit n % LEG_OUTSTANDING: request number n is a HEAD */
	__u16 sent;	 /* requests forwarded, modulo 2^16 */
	__u16 done;	 /* final responses seen whole */
	__u16 pool;	 /* id: where a refused request goes next */
	__u16 member;	 /* number of this backend in that pool */
	__u64 tried;	 /* members of the pool that refused this request */
	struct http_chunks body;
	__u32 told;	/* last ack of the client that the backend was given */
	__u32 asked_us; /* when the last request went out on an idle leg */
	__u16 stash;
	__u16 pad[3];
};

enum response_phase {
	RESPONSE_IDLE,	/* nothing outstanding */
	RESPONSE_HEAD,	/* a status line is due, or part of a header block was seen */
	RESPONSE_BODY,	/* body.left bytes to come */
	RESPONSE_CHUNKED,
	RESPONSE_CLOSE, /* ends with the connection, or cannot be followed: the flow is pinned */
};

/* `stashes`: ARRAY. Holder: the flow or leg with (owner_slot, owner_gen), or nobody. */
struct stash {
	__u32 lock;
	__u32 owner_slot; /* flow slot + 1; 0: free */
	__u32 owner_gen;
	__u32 seen;   /* coarse clock of the last append */
	__u32 start;  /* seq of the first byte */
	__u32 len;    /* bytes used */
	__u32 kind;   /* 0: request, 1: response */
	__u32 pad;
	__u8 bytes[STASH_BYTES + STASH_PIECE];
};

/* Counters: PERCPU_ARRAY `counters` of __u64, by enum counter; texts in stats.h. */
enum counter {
#define STAT(name, text) STAT_##name,
#include "stats.h"
#undef STAT
	STAT_COUNT,
};

#define SLUICE_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
SLUICE_ASSERT_SIZE(struct ip_addr, 16);
SLUICE_ASSERT_SIZE(struct vip_key, 20);
SLUICE_ASSERT_SIZE(struct settings, 104);
SLUICE_ASSERT_SIZE(struct host_key, 128);
SLUICE_ASSERT_SIZE(struct path_key, 64);
SLUICE_ASSERT_SIZE(struct long_path_key, 256);
SLUICE_ASSERT_SIZE(struct prefix_key, 260);
SLUICE_ASSERT_SIZE(struct target, 16);
SLUICE_ASSERT_SIZE(struct object, 40);
SLUICE_ASSERT_SIZE(struct pool, 392);
SLUICE_ASSERT_SIZE(struct backend, 48);
SLUICE_ASSERT_SIZE(struct flow_key, 20);
SLUICE_ASSERT_SIZE(struct http_chunks, 16);
SLUICE_ASSERT_SIZE(struct flow, 128);
SLUICE_ASSERT_SIZE(struct leg, 120);

#endif
