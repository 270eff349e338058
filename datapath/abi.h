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

#define SLUICE_ABI_VERSION 3

/* Limits. */
#define MAX_UPLINKS 16
#define MAX_VIPS 64
#define MAX_BACKENDS 256
#define MAX_POOLS 256	       /* per configuration epoch; the map holds two epochs */
#define POOL_SLOTS 256	       /* length of a pool's weighted round-robin sequence */
#define POOL_MEMBERS 64	       /* distinct backends of a pool: one bit each in leg.tried */
#define POOL_COOKIE 64	       /* longest name of a sticky cookie, and one */
#define MAX_LEGS 4	       /* backends that one client connection can hold open */
#define LEG_OUTSTANDING 32     /* pipelined requests of a leg that are not answered yet */
#define FLOW_WAYS 8	       /* entries of a bucket of the flow table */
#define LEG_WAYS 8	       /* entries of a bucket of the leg table */
#define HOST_BYTES 124	       /* longest configured host name */
#define PATH_SHORT 60	       /* longest path in `paths`; longer ones are in `long_paths` */
#define PATH_BYTES 252	       /* longest path in `long_paths` */
#define PATH_DEPTHS 32	       /* a prefix has fewer segments */
#define PATH_MAX_CONF 251      /* a path's longest usable form: PATH_BYTES less the appended '/' */
#define STASH_BYTES 16384      /* one buffered, unfinished head; Node's own limit is 16 KB */
#define STASH_PIECE 2048       /* a stash is filled in pieces of this size: slack behind its end */
#define REGION_BYTES (4 << 20) /* one element of `regions`: memory for component bytes */
#define REGION_USABLE                                                                              \
	(REGION_BYTES - 16384) /* objects end here: room for a whole segment's read  \
					      */
#define MAX_REGIONS 1024
#define BODY_MAX 65536 /* bytes of one component's body */
#define HEAD_MAX 4096  /* bytes of one component's header block */
#define MAX_OBJECTS (1 << 20)
#define MAX_RULES 131072  /* per configuration epoch; the map holds two epochs */
#define RULES_PER_PATH 32 /* rules that one request may be compared with */

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
	__u32 id;	    /* < MAX_VIPS, stable over reloads */
	__u32 default_pool; /* pool id, or POOL_NONE */
};
#define POOL_NONE 0xffffffffu

/* `vip_list`: ARRAY, vip id -> struct vip_key: the way back from a flow to its address. */

/* `vip_addrs`: HASH, struct ip_addr -> __u32 1. Any VIP address, whatever the port. */

/* `uplinks`: HASH, __u32 ifindex -> struct uplink. Writer: daemon. */
struct uplink {
	__u32 id;  /* < MAX_UPLINKS, stable over reloads; index into `uplink_devs` */
	__u32 mtu; /* bytes of an IP packet that fit here and on the way to every backend */
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
	__u32 sender_mask; /* elements of `senders` - 1 */
	__u32 header_timeout_ms; /* for a whole header block, from its first byte on */
	__u32 error_slot[8];	 /* object slots of the canned errors, by enum canned */
	__u32 error_gen[8];
	__u32 source_flows; /* connections that one source may have; 0: as many as it likes */
	__u32 depths;	    /* bit n: there are prefixes of n segments in `paths` */
	__u32 long_depths;  /* ... in `long_paths` */
	__u32 tai_offset;   /* seconds that CLOCK_TAI is ahead of the wall clock */
};

enum settings_flag {
	SETTINGS_HOSTS = 1 << 0,     /* `hosts` has entries */
	SETTINGS_WILDCARDS = 1 << 1, /* some of them are wildcards: keys that begin with '.' */
	SETTINGS_FORWARDED_PASS = 1 << 2,
	SETTINGS_RELAY = 1 << 3, /* no route restricts: connections without a flow may be relayed */
	SETTINGS_DENY = 1 << 4,	 /* there are denials */
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
	__u64 key[2][2];  /* SipHash keys */
	__u64 rotated_ns; /* bpf_ktime_get_ns() of the last rotation; the other key is valid 32 s */
	__u32 current;	  /* 0 or 1 */
	__u32 pad;
};

/* `hosts`: HASH -> __u32 scope. `*.example` is stored as `.example`, lower case. */
struct host_key {
	__u32 epoch;
	__u8 name[HOST_BYTES]; /* zero padded */
};

/* `paths`, `long_paths`: HASH -> struct target. Paths, zero padded. */
struct path_key {
	__u32 scope;
	__u8 path[PATH_SHORT];
};
struct long_path_key {
	__u32 scope;
	__u8 path[PATH_BYTES];
};

/* Beside a scope in these keys: prefixes, which end with '/'; and denials once more, by the normal
 * form of their paths. */
#define SCOPE_PREFIX (1u << 18)
#define SCOPE_DENY (1u << 19)

/* What a path leads to. 16 bytes, replaced whole. */
struct target {
	__u8 kind;   /* enum target_kind */
	__u8 len;    /* bytes of the path that leads here: a prefix with its '/', or TARGET_EXACT */
	__u16 pool;  /* TARGET_POOL; also where a component request goes that the kernel must not
			answer */
	__u32 slot;  /* index into `objects`; TARGET_RULES: into `rules` */
	__u32 gen;   /* must equal objects[slot].gen */
	__u32 ident; /* low 32 bits of the key's route_hash: guards against a recycled map element
		      */
};
#define TARGET_POOL_NONE 0xffff
#define TARGET_POOL_ROUTE 0xfffe /* of a component: what the path's other routes say */
#define TARGET_EXACT 0xff

enum target_kind {
	TARGET_NONE,
	TARGET_POOL,
	TARGET_OBJECT, /* component: answered when the request is beyond doubt, else `pool` */
	TARGET_CANNED, /* deny or redirect: answered whatever the request's method; connection ends
			  when the request has a body */
	TARGET_DENY,   /* as TARGET_CANNED, and it holds for other forms of the path (guard.h) */
	TARGET_REDIRECT, /* as TARGET_CANNED; path and query go between header block and body */
	TARGET_RULES,	 /* routes with conditions: the first rule that matches */
};

/*
 * `rules`: ARRAY of 2 * MAX_RULES; rule i, from 1, of an epoch is element (epoch & 1) * MAX_RULES
 * + i. A path's rules in the order in which they are tried, those of its shorter prefixes behind
 * its own. Writer: daemon.
 */
struct rule {
	struct ip_addr addr; /* of the client, where `mask` has bits */
	struct ip_addr mask;
	__u16 methods; /* enum rule_method; 0: any */
	__u16 pad;
	__u32 next; /* element; 0: the last one */
	struct target target;
};

/* In the order of enum http_method. */
enum rule_method {
	RULE_GET = 1 << 0,
	RULE_HEAD = 1 << 1,
	RULE_POST = 1 << 2,
	RULE_PUT = 1 << 3,
	RULE_DELETE = 1 << 4,
	RULE_OPTIONS = 1 << 5,
	RULE_PATCH = 1 << 6,
	RULE_CONNECT = 1 << 7,
	RULE_TRACE = 1 << 8,
};

/* Content codings that components are stored in, beside identity; the preferred one first. */
enum coding {
	CODING_BROTLI,
	CODING_GZIP,
	CODINGS,
};

/* Bytes inside one region. */
struct span {
	__u32 off;
	__u32 len;
};

/*
 * `objects`: ARRAY. Writer: daemon. A slot's bytes change only when its grace period is over.
 *
 * A header block, and its twin for closed connections, is laid out as
 *
 *	status line, fields of a 200 alone    [0, shared)
 *	server, date, fields of a 304, too    [shared, len), the empty line included
 *
 * so that a 304 is another status line and the rest as it stands (RFC 9110, 15.4.5). `date` is
 * where the HTTP_DATE_LEN bytes of the Date value stand, in both blocks: they are put in as the
 * block is sent (date.h). What composes an answer copies the block and does the same.
 */
struct object {
	__u32 gen; /* 0: free */
	__u32 region;
	struct span head;  /* status line and header block for keep-alive; the body follows it at
			      once */
	struct span close; /* the same with `connection: close` */
	struct span body;
	__u64 etag;	/* its entity tag is this number in 16 hexadecimal digits; 0: it has none */
	__u32 modified; /* Last-Modified, seconds since 1970; 0: none */
	__u16 date;	/* offset in either header block; 0: no Date */
	__u16 shared;	/* offset of the part that a 304 has, too */
	__u32 variants[CODINGS]; /* slot + 1 of the object with the same body in another coding;
				    0: none. They live as long as this object. */
};

/* `pools`: ARRAY of 2 * MAX_POOLS; pool id = (epoch & 1) * MAX_POOLS + index. Writer: daemon. */
struct pool {
	__u16 slots;   /* used length of seq; 0: empty pool */
	__u16 members; /* distinct backends */
	__u16 policy;  /* enum pool_policy */
	__u16 cookie_len;
	__u8 seq[POOL_SLOTS];	     /* weighted sequence of member numbers */
	__u16 backend[POOL_MEMBERS]; /* member number -> backend id */
	__u16 weight[POOL_MEMBERS];
	__u8 cookie[POOL_COOKIE]; /* requests with one value of it go to one member */
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
	__u16 flags;   /* enum backend_flag */
	__u32 mark;    /* fwmark that its policy rule matches */
	__u32 ifindex; /* gateway's interface towards it; 0 for local ones */
	__u32 mtu;     /* of that interface, bytes of an IP packet */
};

enum backend_flag {
	BACKEND_UP = 1 << 0,	/* may get new legs */
	BACKEND_LOCAL = 1 << 1, /* in the gateway's own netns */
	BACKEND_IPV4 = 1 << 2,	/* addr4 is set (local: can be reached over IPv4) */
	BACKEND_IPV6 = 1 << 3,
	BACKEND_PEER = 1 << 4, /* bpf_redirect_peer may be used */
	BACKEND_USED = 1 << 5, /* the id is taken (also while draining) */
};

/* `backend_addrs`: HASH -> __u32 backend id. Address and port of remote backends, both families;
 * for local ones the key's address is all zero and only the port counts. */
struct backend_addr_key {
	struct ip_addr addr;
	__be16 port;
	__u16 pad;
};

#include "abi_conn.h"

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
SLUICE_ASSERT_SIZE(struct settings, 128);
SLUICE_ASSERT_SIZE(struct host_key, 128);
SLUICE_ASSERT_SIZE(struct path_key, 64);
SLUICE_ASSERT_SIZE(struct long_path_key, 256);
SLUICE_ASSERT_SIZE(struct target, 16);
SLUICE_ASSERT_SIZE(struct rule, 56);
SLUICE_ASSERT_SIZE(struct object, 56);
SLUICE_ASSERT_SIZE(struct pool, 584);
SLUICE_ASSERT_SIZE(struct backend, 48);
SLUICE_ASSERT_SIZE(struct flow_key, 20);
SLUICE_ASSERT_SIZE(struct http_chunks, 16);
SLUICE_ASSERT_SIZE(struct flow, 128);
SLUICE_ASSERT_SIZE(struct leg, 128);
SLUICE_ASSERT_SIZE(struct sender_entry, 176);
SLUICE_ASSERT_SIZE(struct kick, 16);
SLUICE_ASSERT_SIZE(struct relay, 64);

#endif
