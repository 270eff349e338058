/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of abi.h that is about connections: flows, legs, stashes. The datapath alone writes
 * these; the control plane reads them for `sluice status`. Included by abi.h.
 */
#ifndef SLUICE_ABI_CONN_H
#define SLUICE_ABI_CONN_H

/* One client connection. */
struct flow_key {
	struct ip_addr client;
	__be16 port;
	__u16 vip; /* vip id */
};

/* `flow_buckets`: ARRAY; way i of bucket b is flows[b * FLOW_WAYS + i]. */
struct flow_bucket {
	__u32 lock;	       /* CAS word of inserts */
	__u32 evicted;	       /* `seen` of the youngest entry that was given away; 0: none yet */
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
	FLOW_PINNED = 1 << 3,	  /* another protocol: every further byte goes to the active leg */
	FLOW_CLIENT_FIN = 1 << 4, /* the client's FIN was taken or forwarded */
	FLOW_TRUSTED = 1 << 5,
	FLOW_RECOVERY = 1 << 6, /* loss recovery until `recover` is acknowledged */
	FLOW_LEG_FIN = 1 << 7,	/* the active leg's FIN was forwarded to the client */
};

enum request_phase {
	REQUEST_START,	 /* rcv_nxt is the first byte of a request */
	REQUEST_HEAD,	 /* inside a header block; its bytes are in the stash */
	REQUEST_BODY,	 /* body_left bytes of a Content-Length body follow */
	REQUEST_CHUNKED, /* inside a chunked body; see struct http_chunks */
	REQUEST_QUEUED,	 /* the stash ends with requests that wait: stash.queued bytes */
};

enum reply_flag {
	REPLY_ACTIVE = 1 << 0,	/* tx_* describe an answer that is not wholly acknowledged */
	REPLY_CLOSE = 1 << 1,	/* FIN after the last byte */
	REPLY_HEAD = 1 << 2,	/* header block only */
	REPLY_DONE = 1 << 3,	/* a request of this connection has been answered */
	REPLY_AWAITED = 1 << 4, /* the active leg owes a response */
	REPLY_COUNTED = 1 << 5, /* the flow counts for its source (source.h) */
	REPLY_ONE = 1 << 6,	/* of one segment, which alone acknowledges the request */
	REPLY_RESET = 1 << 7,	/* tombstone of the client's RST: any SYN may follow */
};

#define ACTIVE_KERNEL 0xff
#define TX_STASH (1u << 31)
#define TX_NOT_MODIFIED (1u << 30) /* 304 of the object */
#define TX_SLOT (TX_NOT_MODIFIED - 1)

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
	__u32 rcv_nxt;	      /* first byte of the client's stream that is not yet parsed */
	__u32 snd_una;	      /* answers of the kernel: oldest byte not acknowledged */
	__u32 snd_nxt;	      /* next byte to send */
	__u32 snd_wnd;	      /* the client's window, bytes */
	__u32 ts_recent;      /* client's TSval to be echoed */
	__u32 legs[MAX_LEGS]; /* slot in `legs` + 1; 0: none */
	__u32 tx_slot;	      /* of the last answer: object, TX_NOT_MODIFIED; or TX_STASH | stash */
	__u32 tx_gen;
	__u32 tx_start; /* first byte of that answer */
	__u32 recover;	/* highest byte sent when the last loss was noticed (RFC 6582) */
	__u16 cwnd;	/* 1/CWND_UNIT segments (RFC 5681) */
	__u16 ssthresh;
	__u16 req_len; /* bytes of the answered request that are not acknowledged yet */
	__u16 stash;   /* slot in `stashes` + 1; 0: none */
	__u16 srtt;    /* RFC 6298, units of 2^RTT_SHIFT ns; 0: no sample yet */
	__u16 rttvar;
	union {
		struct http_chunks body;
		struct {
			__u32 body_words[3];
			__u32 tx_second; /* in the answer's Date; stands in body.pad */
		};
	};
};
#define RTT_SHIFT 17 /* 131 us */
#define CWND_UNIT 64
#define CWND_INITIAL (10 * CWND_UNIT) /* IW10, RFC 6928 */
#define CWND_MAX (1000 * CWND_UNIT)

/*
 * `senders`: ARRAY. An answer of several segments on its way: its scoreboard and its timer. An
 * answer is cut into blocks (one segment each, several where 64 would not be enough). Holder: the
 * flow with (owner_slot, owner_gen), or nobody. Writer: the run that holds the flow's owner word,
 * for `armed` and `fires_ns` the timer's callback too.
 */
#define SENDER_BLOCKS 64
enum sender_flag {
	SENDER_PROBED = 1 << 0,	  /* a probe is out: the next expiry is a timeout */
	SENDER_REPEATED = 1 << 1, /* ... and it was a repetition that ended at `probe` */
	SENDER_LEG = 1 << 2,	  /* it waits for a leg to acknowledge the stash */
};
struct sender {
	__u32 lock;	  /* CAS word of claims */
	__u32 owner_slot; /* flow slot + 1; 0: free */
	__u32 owner_gen;
	__u32 armed;	   /* CAS word: the timer runs */
	__u64 fires_ns;	   /* ... until then */
	__u64 deadline_ns; /* when something must be sent; 0: never */
	__u64 progress_ns; /* last acknowledgement of new bytes */
	__u64 timed_ns;	   /* when the segment before `timed` was sent; 0: none is timed */
	__u64 sacked;	   /* bit n: block n has arrived */
	__u64 lost;	   /* bit n: block n is lost and must be sent again */
	__u32 timed;
	__u32 probe;
	__u32 entered_ms; /* TSval when the recovery began */
	__u16 prior_cwnd; /* the windows before that */
	__u16 prior_ssthresh;
	__u32 block;	/* bytes */
	__u8 flags;	/* enum sender_flag */
	__u8 backoff;	/* timeouts since the last progress */
	__u8 sent;	/* transmissions of blocks, modulo 256 */
	__u8 delivered; /* number of the latest transmission that has arrived */
	__u8 entered;	/* number of the last transmission before the recovery */
	__u8 pad;
	__u16 mss; /* bytes of a segment of this answer */
	__u32 pad2;
	__u8 order[SENDER_BLOCKS]; /* number of each block's last transmission */
};
/* The timer stands apart: the verifier lets nobody touch it but the timer's own helpers. */
struct sender_entry {
#ifdef __bpf__
	struct bpf_timer timer;
#else
	__u64 timer[2];
#endif
	struct sender sender;
};

/* Length of the packet that the daemon kicks with: its memory is the share that segments made of it
 * are measured by (segment_fit()). */
#define KICK_FRAME_BYTES 3072

/* `kicks`: RINGBUF, from the timer to the daemon; `pending_kicks`: QUEUE, from the timer to other
 * connections' runs while no daemon listens. */
struct kick {
	__u32 flow; /* slot */
	__u32 gen;
	__u32 is_v6;
	__u32 pad;
};

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
	LEG_CLOSE = 1 << 0, /* the request under way is the connection's last: see ending.h */
	LEG_FIN = 1 << 1,   /* the backend's FIN has been seen */
	LEG_HEAD_STASHED = 1 << 2, /* part of a response's header block is in the stash */
	LEG_REPLAY = 1 << 4,  /* the request under way is in the stash, should the leg be closing */
	LEG_UPGRADE = 1 << 5, /* the last request asks for another protocol */
	LEG_QUEUED = 1 << 3,  /* packets went through the veth's queue: none may overtake them */
};

struct leg {
	struct leg_key key;
	__u32 flow; /* slot */
	__u32 flow_gen;
	__u8 state;	 /* enum leg_state */
	__u8 index;	 /* in flow.legs */
	__u8 flags;	 /* enum leg_flag */
	__u8 rphase;	 /* enum response_phase */
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
	__u16 pad;
	__u32 sticky; /* hash of the cookie that the last request came with; 0: none */
	__u32 pad2;
	__u32 edge; /* right edge of the window that the backend has offered */
};

enum response_phase {
	RESPONSE_IDLE, /* nothing outstanding */
	RESPONSE_HEAD, /* a status line is due, or part of a header block was seen */
	RESPONSE_BODY, /* body.left bytes to come */
	RESPONSE_CHUNKED,
	RESPONSE_CLOSE, /* ends with the connection */
	RESPONSE_LOST,	/* cannot be followed: nobody knows where it ends */
};

/*
 * `relays`: LRU_HASH. A connection that found no room in the flow table and goes to a backend of
 * the default pool as it is: numbers pass unchanged, requests are followed by position. Two
 * entries: under the flow's key, and under struct leg_key with RELAY_BACK in `backend` (the way
 * back), which names the first by `vip`.
 */
#define RELAY_BACK 0x8000

enum relay_state {
	RELAY_OPENING, /* nothing came back yet */
	RELAY_OPEN,
	RELAY_CLOSED, /* ended with RST, or with an error in place of the request */
};

enum relay_mark {
	RELAY_LAST = 1 << 0,   /* no request follows the one under way */
	RELAY_HEAD = 1 << 1,   /* the first request is a HEAD */
	RELAY_QUEUED = 1 << 2, /* as LEG_QUEUED */
	RELAY_FIN = 1 << 3,    /* the client's FIN has passed */
};

struct relay {
	__u32 owner; /* CAS word of runs in the client's direction */
	__u16 vip;
	__u16 backend;
	__u16 pool;  /* id: where a refused request goes next */
	__u16 mss;   /* of the client */
	__u8 state;  /* enum relay_state */
	__u8 flags;  /* enum flow_flag: TS, SACK, WSCALE, TRUSTED */
	__u8 marks;  /* enum relay_mark */
	__u8 wscale; /* shift of the client's window */
	__u8 mac[6]; /* source of the client's last packet */
	__u8 uplink; /* id */
	__u8 pad;
	__u32 start;  /* seq of the client's first byte */
	__u32 end;    /* seq of the next request's first byte */
	__u32 rnxt;   /* end of what the client has sent; writer: its direction */
	__u32 origin; /* seq of the backend's first byte */
	__u32 acked;  /* highest ack of the backend; writer: the way back, as snd_max */
	__u32 snd_max;
	__u32 begun; /* TSecr of the first packet: when the gateway sent the SYN-ACK, ms */
	__u32 pad2;
	__u64 tried; /* members of the pool that refused the first packet */
};

/* `stashes`: ARRAY. Holder: the flow or leg with (owner_slot, owner_gen), or nobody. */
struct stash {
	__u32 lock;
	__u32 owner_slot; /* flow slot + 1; 0: free */
	__u32 owner_gen;
	__u32 seen;   /* coarse clock of the last append */
	__u32 start;  /* seq of the first byte */
	__u32 len;    /* bytes used */
	__u32 kind;   /* 0: request, 1: response, 2: answer; then `start` is its own slot */
	__u32 queued; /* bytes at the end that wait (queue.h) */
	__u8 bytes[STASH_BYTES + STASH_PIECE];
};

#endif
