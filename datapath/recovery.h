/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has arrived of an answer, what is lost, and how much may be under way: the scoreboard of a
 * sender (RFC 6675) and the congestion window of its flow (RFC 5681). Losses are found by the order
 * of transmissions, as in RACK (RFC 8985), so a lost repetition is found too; without SACK by
 * duplicate and partial ACKs (RFC 6582). Nothing here sends.
 */
#ifndef SLUICE_RECOVERY_H
#define SLUICE_RECOVERY_H

#include "reply.h"
#include "sender.h"

#define DUP_THRESHOLD 3	   /* RFC 5681, 3.2 */
#define SLOW_START_LIMIT 8 /* segments of growth per ACK (RFC 9406, 4.2) */
#define MIN_SSTHRESH (2 * CWND_UNIT)

static __always_inline __u64 bits_below(__u32 n)
{
	return n >= 64 ? ~0ULL : (1ULL << n) - 1;
}

static __always_inline __u32 bits_count(__u64 x)
{
	return __builtin_popcountll(x);
}

/* Segments that so many bytes make. */
static __always_inline __u32 recovery_segments(const struct sender *s, __u32 bytes)
{
	__u32 mss = s->mss ? s->mss : 1;

	return (bytes + mss - 1) / mss;
}

/* Bytes of a block: one segment, or as many as it takes to make do with SENDER_BLOCKS. */
static __always_inline __u32 recovery_block(const struct sender *s, __u32 len)
{
	return s->mss * ((recovery_segments(s, len) + SENDER_BLOCKS - 1) / SENDER_BLOCKS);
}

/* End of the answer's bytes that have been sent, from its start: a FIN is no byte. */
static __always_inline __u32 recovery_sent(const struct run *r, const struct flow *f)
{
	__u32 sent = f->snd_nxt - f->tx_start;

	return sent > r->tx_len ? r->tx_len : sent;
}

/* The block of the oldest byte that is not acknowledged; a FIN belongs to the last block. */
static __always_inline __u32 recovery_first(const struct run *r, const struct flow *f,
					    const struct sender *s)
{
	__u32 first = (f->snd_una - f->tx_start) / s->block, last = (r->tx_len - 1) / s->block;

	return first < last ? first : last;
}

/* Blocks that were sent and are not wholly acknowledged. */
static __always_inline __u64 recovery_out(const struct run *r, const struct flow *f,
					  const struct sender *s)
{
	__u32 end = (recovery_sent(r, f) + s->block - 1) / s->block;

	if (f->snd_nxt == f->snd_una)
		return 0;
	return bits_below(end) & ~bits_below(recovery_first(r, f, s));
}

/* Sets r->pipe: segments that are thought to be under way (RFC 6675, SetPipe). */
static __always_inline void recovery_pipe(struct run *r, const struct flow *f,
					  const struct sender *s)
{
	__u64 gone = recovery_out(r, f, s) & (s->sacked | s->lost);
	__u32 bytes = f->snd_nxt - f->snd_una, less = bits_count(gone) * s->block;

	bytes = less < bytes ? bytes - less : 0;
	r->pipe = recovery_segments(s, bytes);
	if (!(f->flags & FLOW_SACK)) /* each duplicate ACK says that one has left the network */
		r->pipe -= f->dupacks < r->pipe ? f->dupacks : r->pipe;
}

/* Notes that the blocks in `mask` have arrived. */
__noinline int recovery_delivered(struct run *r NONNULL, struct sender *s NONNULL, __u64 mask)
{
	for (r->block_at = 0; r->block_at < SENDER_BLOCKS && can_loop; r->block_at++) {
		__u32 i = r->block_at;

		barrier_var(i);
		i &= SENDER_BLOCKS - 1;
		if (mask >> i & 1 && (__s8)(s->order[i] - s->delivered) > 0)
			s->delivered = s->order[i];
	}
	return 0;
}

/* The blocks that the packet's SACK option reports (RFC 2018). */
__noinline __u64 recovery_sack(struct run *r NONNULL, struct flow *f NONNULL,
			       struct sender *s NONNULL)
{
	__u32 at = r->pkt.l4_off + r->pkt.sack_off, sent = f->snd_nxt - f->tx_start;
	__u64 mask = 0;

	for (int i = 0; i + 8 <= 32; i += 8) {
		__u32 off = at + i, left, right, first;

		if (i + 8 > r->pkt.sack_len)
			break;
		barrier_var(off);
		if (off > HDR_MAX)
			break;
		left = bpf_ntohl(load_u32(r->hdr + off)) - f->tx_start;
		right = bpf_ntohl(load_u32(r->hdr + off + 4)) - f->tx_start;
		if (left >= right || right > sent)
			continue; /* D-SACK of an earlier answer, or nonsense */
		first = (left + s->block - 1) / s->block;
		if (right >= r->tx_len)
			right += s->block - 1; /* the last block may be short */
		mask |= bits_below(right / s->block) & ~bits_below(first);
	}
	return mask & recovery_out(r, f, s);
}

/* The first block reports bytes that came twice (RFC 2883, 4). */
static __always_inline bool recovery_is_dsack(const struct run *r)
{
	__u32 off = r->pkt.l4_off + r->pkt.sack_off;

	barrier_var(off);
	return r->pkt.sack_len >= 8 && off <= HDR_MAX &&
	       seq_before(bpf_ntohl(load_u32(r->hdr + off)), r->pkt.ack);
}

/* Marks blocks that were sent before one that has arrived. True if there are any. */
__noinline int recovery_detect(struct run *r NONNULL, struct flow *f NONNULL,
			       struct sender *s NONNULL)
{
	__u64 all = recovery_out(r, f, s), out = all & ~s->sacked & ~s->lost, lost = 0;
	__u32 need = DUP_THRESHOLD, n = bits_count(all), sent = recovery_sent(r, f);

	if (sent < r->tx_len) /* what is sent in part cannot be judged yet */
		out &= bits_below(sent / s->block);
	/* Nothing more can be sent that would be acknowledged: early retransmit (RFC 5827). */
	if (sent == r->tx_len && n <= DUP_THRESHOLD)
		need = n > 1 ? n - 1 : 1;
	if (!(f->flags & FLOW_SACK)) {
		/* RFC 6582, 3.2: what was repeated for nothing causes duplicates, too. */
		if (f->dupacks == need && !(f->flags & FLOW_RECOVERY) &&
		    seq_after(f->snd_una, f->recover))
			lost = all & -all;
	} else if (f->flags & FLOW_RECOVERY || bits_count(s->sacked & all) >= need) {
		for (r->block_at = 0; r->block_at < SENDER_BLOCKS && can_loop; r->block_at++) {
			__u32 i = r->block_at;

			barrier_var(i);
			i &= SENDER_BLOCKS - 1;
			if (out >> i & 1 && (__s8)(s->delivered - s->order[i]) > 0)
				lost |= 1ULL << i;
		}
	}
	s->lost |= lost;
	return !!lost;
}

/* Halves the window for the time after a timeout (RFC 5681, 3.1). It does not grow beyond what is
 * used (RFC 7661, 4.4), so it need not be compared with what is under way. */
static __always_inline void recovery_halve(struct flow *f)
{
	f->ssthresh = f->cwnd / 2 > MIN_SSTHRESH ? f->cwnd / 2 : MIN_SSTHRESH;
}

/* Where ACKs still come the window shrinks as CUBIC's (RFC 9438, 4.6): half of it is less than
 * others leave each other at a few per cent of loss. */
static __always_inline void recovery_reduce(struct flow *f)
{
	__u32 window = f->cwnd * 7 / 10;

	f->ssthresh = window > MIN_SSTHRESH ? window : MIN_SSTHRESH;
	f->cwnd = f->ssthresh;
}

/* Before the first repetition: what the Eifel detection and its undoing have to know. */
static __always_inline void recovery_note(const struct run *r, const struct flow *f,
					  struct sender *s)
{
	s->entered = s->sent;
	s->entered_ms = run_tsval(r);
	s->prior_cwnd = f->cwnd;
	s->prior_ssthresh = f->ssthresh;
}

/* The packet's ACK was caused by what was sent before the recovery: nothing of that was lost (RFC
 * 3522). SACK alone echoes old timestamps, so this holds for ACKs that move snd_una. */
static __always_inline bool recovery_is_needless(const struct run *r, const struct flow *f,
						 const struct sender *s)
{
	return f->flags & FLOW_RECOVERY && r->pkt.has_ts && seq_before(r->pkt.tsecr, s->entered_ms);
}

/* A loss was noticed: once in a window the congestion window is reduced (RFC 5681, 3.2). */
static __always_inline void recovery_enter(const struct run *r, struct flow *f, struct sender *s)
{
	if (f->flags & FLOW_RECOVERY)
		return;
	recovery_note(r, f, s);
	recovery_reduce(f);
	f->recover = f->snd_nxt;
	f->flags |= FLOW_RECOVERY;
}

/* The retransmission timer has run out: everything is lost, back to one segment (RFC 5681, 3.1). */
static __always_inline void recovery_timeout(const struct run *r, struct flow *f, struct sender *s)
{
	__u64 out = recovery_out(r, f, s);

	if (!(f->flags & FLOW_RECOVERY))
		recovery_note(r, f, s);
	if (!s->backoff && out)
		recovery_halve(f);
	if (s->sacked >> recovery_first(r, f, s) & 1)
		s->sacked = 0; /* the receiver has thrown away what it reported (RFC 2018, 8) */
	s->lost = out & ~s->sacked;
	s->flags = SENDER_PROBED; /* no probe before the next ACK (RFC 8985, 7.2) */
	s->timed_ns = 0;
	f->cwnd = CWND_UNIT;
	f->dupacks = 0;
	f->recover = f->snd_nxt;
	f->flags |= FLOW_RECOVERY;
}

/* `acked` bytes were acknowledged when `before` segments were under way. Bytes count, not ACKs (RFC
 * 3465, 2): a client could cut them into as many as it likes. */
static __always_inline void recovery_grow(struct flow *f, const struct sender *s, __u32 acked,
					  __u32 before)
{
	__u32 grown = acked * CWND_UNIT / (s->mss ? s->mss : 1), cwnd = f->cwnd;

	if (f->flags & FLOW_RECOVERY && cwnd >= f->ssthresh)
		return;
	if (2 * before * CWND_UNIT < cwnd) /* not used: says nothing about the network */
		return;
	if (cwnd < f->ssthresh)
		cwnd += grown > SLOW_START_LIMIT * CWND_UNIT ? SLOW_START_LIMIT * CWND_UNIT : grown;
	else if (cwnd) /* with that factor, as fast on average as RFC 5681 (RFC 9438, 4.3) */
		cwnd += CWND_UNIT * (grown > CWND_UNIT ? CWND_UNIT : grown) * 9 / 17 / cwnd;
	f->cwnd = cwnd > CWND_MAX ? CWND_MAX : cwnd;
}

/*
 * The packet's ACK moves snd_una. Without SACK each ACK inside a recovery shows the next hole (RFC
 * 6582, 3.2).
 */
static __always_inline void recovery_advance(struct run *r, struct flow *f, struct sender *s)
{
	__u64 out = recovery_out(r, f, s), gone;
	__u32 acked = r->pkt.ack - f->snd_una, segments = recovery_segments(s, acked);

	recovery_pipe(r, f, s);
	if (s->timed_ns && !seq_before(r->pkt.ack, s->timed)) {
		sender_sample(f, r->now_ns - s->timed_ns);
		s->timed_ns = 0;
	}
	f->snd_una = r->pkt.ack;
	/* One for each segment but the repeated one (as Linux does, tcp_remove_reno_sacks). */
	f->dupacks -= segments - 1 < f->dupacks ? segments - 1 : f->dupacks;
	gone = out & bits_below((f->snd_una - f->tx_start) / s->block);
	if (recovery_is_needless(r, f, s)) { /* RFC 4015, 3.2; the repetition has told nothing */
		f->cwnd = f->cwnd > s->prior_cwnd ? f->cwnd : s->prior_cwnd;
		f->ssthresh = s->prior_ssthresh;
		f->flags &= ~FLOW_RECOVERY;
		s->lost = 0;
	} else if (f->flags & FLOW_SACK && (s->sacked || f->flags & FLOW_RECOVERY)) {
		recovery_delivered(r, s, gone & ~s->sacked);
	}
	s->sacked &= ~gone;
	/* A block that was sent in part is not gone, though nothing of it is missing. */
	s->lost = f->snd_una == f->snd_nxt ? 0 : s->lost & ~gone;
	/* The probe has filled the hole in silence: a loss all the same (RFC 8985, 7.4). */
	if (s->flags & SENDER_REPEATED && !seq_before(f->snd_una, s->probe) &&
	    !recovery_is_dsack(r) && !(f->flags & FLOW_RECOVERY))
		recovery_reduce(f);
	s->flags = 0;
	s->backoff = 0;
	recovery_grow(f, s, acked, r->pipe);
	if (!seq_before(f->snd_una, f->recover))
		f->flags &= ~FLOW_RECOVERY;
	if (!(f->flags & FLOW_RECOVERY))
		f->dupacks = 0;
	else if (!(f->flags & FLOW_SACK) && f->cwnd >= f->ssthresh)
		s->lost |= 1ULL << (recovery_first(r, f, s) & 63);
}

#endif
