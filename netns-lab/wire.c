// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire: a bad wire between two interfaces. It relays Ethernet frames both ways with loss,
 * duplicates, reordering and delay, chosen by a seeded generator: the n-th frame of a direction
 * meets the same fate in each run with the same seed.
 *
 *   wire IF_A IF_B "loss=5 reorder=2 dup=1 delay=10 seed=1"   (percent, milliseconds, each way)
 *
 * Prints `ready` when frames pass and the counters of both directions at SIGTERM or SIGINT.
 * ARP, IPv6 neighbour discovery and all that is not IP pass at once and cost no random number.
 * Nothing is lost in silence: each frame that could not be relayed is counted as dropped.
 * Frames keep their virtio_net_hdr (packet(7), PACKET_VNET_HDR), so that a checksum that is still
 * to be made is one behind the wire too. With offload=1 this goes for segments that are still to be
 * cut (GSO), and each of those is one frame: lost, repeated and delayed whole. Without it they are
 * dropped, since whoever counts frames then counts on the MTU.
 * Not here: VLAN tags.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire_settings.h"

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MS 1000000ull
#define NSEC_PER_US 1000ull

enum {
	FRAME_MAX = 2048,      /* bytes; a larger frame is dropped and counted */
	GSO_FRAME_MAX = 65550, /* the same with offload=1: an IP packet and its Ethernet header */
	BATCH = 64,	       /* frames of one direction before it is the turn of the other */
	SOCKET_BUFFER = 64 << 20, /* bytes */
	HOLD_PASSES = 3,	  /* a reordered frame waits for so many others ... */
	HOLD_MS = 5,		  /* ... but not longer */
	RETRY_US = 100,		  /* the far device was busy: next try */
	RETRY_MAX_MS = 1000,	  /* ... and the last one */
	IDLE_MS = 500,		  /* the longest sleep */
};

struct frame {
	STAILQ_ENTRY(frame) link;
	uint64_t due_ns;      /* its meaning is the queue's */
	size_t length;	      /* bytes */
	unsigned passes_left; /* while held: frames that must still overtake it */
	bool is_held, is_duplicated;
	struct virtio_net_hdr vnet;
	uint8_t data[]; /* follows the header without a gap: they are sent as one */
};

_Static_assert(offsetof(struct frame, data) ==
		       offsetof(struct frame, vnet) + sizeof(struct virtio_net_hdr),
	       "frame.data follows frame.vnet");

STAILQ_HEAD(queue, frame);

struct counters {
	unsigned long long relayed, control, lost, duplicated, reordered;
	unsigned long long gso, longest; /* frames; bytes */
	unsigned long long dropped_oversize, dropped_memory, dropped_send;
};

struct direction {
	const char *from_name, *to_name;
	int from_fd, to_fd;
	uint64_t random_state;
	struct queue delayed; /* due_ns: when the frame leaves the wire; in order of arrival */
	struct queue held;    /* due_ns: the end of the hold */
	struct queue retries; /* due_ns: when to give up; frames that the far device refused */
	struct counters counters;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static struct frame *queue_pop(struct queue *queue)
{
	struct frame *frame = STAILQ_FIRST(queue);

	STAILQ_REMOVE_HEAD(queue, link);
	return frame;
}

/* splitmix64 (Steele, Lea, Flood 2014). Returns true in `percent` of 100 calls. */
static bool chance(uint64_t *state, double percent)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53 * 100 < percent;
}

/* What keeps the link itself alive: all but IPv4 and IPv6, ND (RFC 4861) and MLD (hop-by-hop). */
static bool is_control(const struct frame *frame)
{
	const struct ether_header *eth = (const void *)frame->data;
	const struct ip6_hdr *ip6 = (const void *)(eth + 1);
	const struct icmp6_hdr *icmp6 = (const void *)(ip6 + 1);

	if (frame->length < sizeof(*eth))
		return true;
	if (ntohs(eth->ether_type) == ETHERTYPE_IP)
		return false;
	if (ntohs(eth->ether_type) != ETHERTYPE_IPV6)
		return true;
	if (frame->length < sizeof(*eth) + sizeof(*ip6) + sizeof(*icmp6))
		return false;
	if (ip6->ip6_nxt == IPPROTO_HOPOPTS)
		return true;
	return ip6->ip6_nxt == IPPROTO_ICMPV6 && icmp6->icmp6_type >= ND_ROUTER_SOLICIT &&
	       icmp6->icmp6_type <= ND_REDIRECT;
}

/* Returns false when the far device is busy and the frame should be tried again. */
static bool direction_try_send(struct direction *dir, const struct frame *frame)
{
	if (send(dir->to_fd, &frame->vnet, sizeof(frame->vnet) + frame->length, 0) >= 0) {
		dir->counters.relayed++;
		return true;
	}
	if (errno == EAGAIN || errno == ENOBUFS)
		return false;
	dir->counters.dropped_send++;
	return true;
}

/* Takes the frame. */
static void direction_send(struct direction *dir, struct frame *frame, uint64_t now)
{
	if (STAILQ_EMPTY(&dir->retries) && direction_try_send(dir, frame)) {
		free(frame);
		return;
	}
	frame->due_ns = now + RETRY_MAX_MS * NSEC_PER_MS;
	STAILQ_INSERT_TAIL(&dir->retries, frame, link);
}

static void direction_retry(struct direction *dir, uint64_t now)
{
	struct frame *frame;

	while ((frame = STAILQ_FIRST(&dir->retries))) {
		if (!direction_try_send(dir, frame)) {
			if (frame->due_ns > now)
				return;
			dir->counters.dropped_send++;
		}
		free(queue_pop(&dir->retries));
	}
}

/* A frame has left the wire: those that it has overtaken may follow. */
static void direction_count_pass(struct direction *dir, uint64_t now)
{
	struct frame *frame;

	STAILQ_FOREACH(frame, &dir->held, link)
	frame->passes_left--;
	while ((frame = STAILQ_FIRST(&dir->held)) && !frame->passes_left)
		direction_send(dir, queue_pop(&dir->held), now);
}

static bool queue_is_due(const struct queue *queue, uint64_t now)
{
	return !STAILQ_EMPTY(queue) && STAILQ_FIRST(queue)->due_ns <= now;
}

/* Returns a frame of its own, or NULL. */
static struct frame *frame_copy(const struct frame *frame)
{
	struct frame *copy = malloc(sizeof(*copy) + frame->length);

	if (copy)
		memcpy(copy, frame, sizeof(*copy) + frame->length);
	return copy;
}

/* Sends all frames whose time has come. */
static void direction_release(struct direction *dir, uint64_t now)
{
	direction_retry(dir, now);
	while (queue_is_due(&dir->delayed, now)) {
		struct frame *frame = queue_pop(&dir->delayed);
		struct frame *copy = frame->is_duplicated ? frame_copy(frame) : NULL;

		if (copy) {
			dir->counters.duplicated++;
			direction_send(dir, copy, now);
		}
		if (frame->is_held) {
			frame->passes_left = HOLD_PASSES;
			frame->due_ns = now + HOLD_MS * NSEC_PER_MS;
			dir->counters.reordered++;
			STAILQ_INSERT_TAIL(&dir->held, frame, link);
			continue;
		}
		direction_send(dir, frame, now);
		direction_count_pass(dir, now);
	}
	while (queue_is_due(&dir->held, now))
		direction_send(dir, queue_pop(&dir->held), now);
}

/* Takes a received frame and decides on its fate. */
static void direction_admit(struct direction *dir, struct frame *frame, uint64_t now)
{
	bool is_lost;

	if (is_control(frame)) {
		dir->counters.control++;
		direction_send(dir, frame, now);
		return;
	}
	/* Always three draws, so that the n-th frame's fate depends on n and the seed only. */
	is_lost = chance(&dir->random_state, settings[LOSS]);
	frame->is_duplicated = chance(&dir->random_state, settings[DUP]);
	frame->is_held = chance(&dir->random_state, settings[REORDER]);
	if (is_lost) {
		dir->counters.lost++;
		free(frame);
		return;
	}
	frame->due_ns = now + (uint64_t)(settings[DELAY] * NSEC_PER_MS);
	STAILQ_INSERT_TAIL(&dir->delayed, frame, link);
}

/* Reads what has arrived, at most BATCH frames. */
static void direction_receive(struct direction *dir)
{
	static _Alignas(struct frame) uint8_t buffer[sizeof(struct frame) + GSO_FRAME_MAX];
	const size_t max = settings[OFFLOAD] ? GSO_FRAME_MAX : FRAME_MAX;
	struct frame *received = (void *)buffer;

	for (int i = 0; i < BATCH; i++) {
		/* Errors are EAGAIN and ENETDOWN; the socket comes back with its interface. */
		ssize_t length = recv(dir->from_fd, &received->vnet, sizeof(received->vnet) + max,
				      MSG_TRUNC);
		struct frame *frame;

		if (length < (ssize_t)sizeof(received->vnet))
			return;
		received->length = (size_t)length - sizeof(received->vnet);
		if (received->length > max) {
			dir->counters.dropped_oversize++;
			continue;
		}
		frame = frame_copy(received);
		if (!frame) {
			dir->counters.dropped_memory++;
			continue;
		}
		dir->counters.gso += frame->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE;
		if (frame->length > dir->counters.longest)
			dir->counters.longest = frame->length;
		direction_admit(dir, frame, now_ns());
	}
}

/* Returns the earlier of `next` and the time when the direction has work. */
static uint64_t direction_next(const struct direction *dir, uint64_t now, uint64_t next)
{
	if (!STAILQ_EMPTY(&dir->retries) && now + RETRY_US * NSEC_PER_US < next)
		next = now + RETRY_US * NSEC_PER_US;
	if (queue_is_due(&dir->delayed, next))
		next = STAILQ_FIRST(&dir->delayed)->due_ns;
	if (queue_is_due(&dir->held, next))
		next = STAILQ_FIRST(&dir->held)->due_ns;
	return next;
}

static void direction_print(const struct direction *dir)
{
	const struct counters *c = &dir->counters;
	struct tpacket_stats kernel = {};
	socklen_t size = sizeof(kernel);

	getsockopt(dir->from_fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &size);
	printf("%s->%s: relayed %llu control %llu lost %llu duplicated %llu reordered %llu; ",
	       dir->from_name, dir->to_name, c->relayed, c->control, c->lost, c->duplicated,
	       c->reordered);
	printf("gso %llu longest %llu; ", c->gso, c->longest);
	printf("dropped: receive %u oversize %llu memory %llu send %llu\n", kernel.tp_drops,
	       c->dropped_oversize, c->dropped_memory, c->dropped_send);
}

/* Returns a socket for all frames that arrive at the interface, or ends the program. */
static int socket_open(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq promiscuous = { .mr_type = PACKET_MR_PROMISC };
	const int size = SOCKET_BUFFER, on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address.sll_ifindex = (int)if_nametoindex(name);
	promiscuous.mr_ifindex = address.sll_ifindex;
	if (fd < 0 || !address.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "wire: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

/* Relays until a signal arrives. */
static void relay(struct direction directions[2], int signal_fd)
{
	struct pollfd polled[3] = { { directions[0].from_fd, POLLIN, 0 },
				    { directions[1].from_fd, POLLIN, 0 },
				    { signal_fd, POLLIN, 0 } };

	while (!(polled[2].revents & POLLIN)) {
		uint64_t now = now_ns(), next = now + IDLE_MS * NSEC_PER_MS;
		struct timespec timeout = {};

		for (int i = 0; i < 2; i++) {
			direction_release(&directions[i], now);
			next = direction_next(&directions[i], now, next);
		}
		now = now_ns();
		if (next > now)
			timeout.tv_nsec = (long)(next - now);
		if (ppoll(polled, 3, &timeout, NULL) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			if (polled[i].revents)
				direction_receive(&directions[i]);
		}
	}
}

static void direction_init(struct direction *dir, const char *from_name, const char *to_name)
{
	dir->from_name = from_name;
	dir->to_name = to_name;
	dir->from_fd = socket_open(from_name);
	STAILQ_INIT(&dir->delayed);
	STAILQ_INIT(&dir->held);
	STAILQ_INIT(&dir->retries);
}

int main(int argc, char **argv)
{
	struct direction directions[2] = {};
	sigset_t signals;

	if (argc != 4 || settings_parse(argv[3])) {
		fprintf(stderr, "usage: wire IF_A IF_B \"loss=PERCENT reorder=PERCENT dup=PERCENT "
				"delay=MS seed=N offload=0|1\"\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	prctl(PR_SET_TIMERSLACK, 1);
	direction_init(&directions[0], argv[1], argv[2]);
	direction_init(&directions[1], argv[2], argv[1]);
	for (int i = 0; i < 2; i++) {
		directions[i].to_fd = directions[1 - i].from_fd;
		directions[i].random_state = (uint64_t)settings[SEED] * 2 + (uint64_t)i;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	relay(directions, signalfd(-1, &signals, SFD_CLOEXEC));
	direction_print(&directions[0]);
	direction_print(&directions[1]);
	return 0;
}
