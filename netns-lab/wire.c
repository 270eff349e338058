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
 * Not here: VLAN tags, and frames larger than the MTU (the lab turns segmentation offloads off).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MS 1000000ull

enum {
	FRAME_MAX = 2048,	  /* bytes; a larger frame is dropped and counted */
	FRAMES_MAX = 65536,	  /* frames in memory, both directions together */
	BATCH = 64,		  /* frames a receive call */
	SOCKET_BUFFER = 64 << 20, /* bytes */
	HOLD_PASSES = 3,	  /* a reordered frame waits for so many others ... */
	HOLD_MS = 5,		  /* ... but not longer */
	RETRY_US = 100,		  /* the far device was busy: next try */
	RETRY_MAX_MS = 1000,	  /* ... and the last one */
};

struct settings {
	double loss, reorder, dup; /* percent */
	double delay;		   /* ms */
	double seed;
};

struct frame {
	struct frame *next;
	uint64_t due_ns;      /* of the queue that it is in */
	size_t length;	      /* bytes */
	unsigned passes_left; /* while held: frames that must still overtake it */
	bool is_held, is_duplicated;
	uint8_t data[FRAME_MAX];
};

struct queue {
	struct frame *head, **tail;
};

struct counters {
	uint64_t relayed, control, lost, duplicated, reordered;
	uint64_t dropped_receive, dropped_memory, dropped_oversize, dropped_send;
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

static struct frame *free_frames;
static unsigned frames_allocated;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Returns NULL when FRAMES_MAX frames are in use. */
static struct frame *frame_new(void)
{
	struct frame *frame = free_frames;

	if (frame) {
		free_frames = frame->next;
		return frame;
	}
	if (frames_allocated == FRAMES_MAX)
		return NULL;
	frame = malloc(sizeof(*frame));
	if (frame)
		frames_allocated++;
	return frame;
}

static void frame_free(struct frame *frame)
{
	frame->next = free_frames;
	free_frames = frame;
}

static void queue_init(struct queue *queue)
{
	queue->head = NULL;
	queue->tail = &queue->head;
}

static void queue_push(struct queue *queue, struct frame *frame)
{
	frame->next = NULL;
	*queue->tail = frame;
	queue->tail = &frame->next;
}

static struct frame *queue_pop(struct queue *queue)
{
	struct frame *frame = queue->head;

	queue->head = frame->next;
	if (!queue->head)
		queue->tail = &queue->head;
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
	if (send(dir->to_fd, frame->data, frame->length, 0) >= 0) {
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
	if (!dir->retries.head && direction_try_send(dir, frame)) {
		frame_free(frame);
		return;
	}
	frame->due_ns = now + RETRY_MAX_MS * NSEC_PER_MS;
	queue_push(&dir->retries, frame);
}

static void direction_retry(struct direction *dir, uint64_t now)
{
	while (dir->retries.head) {
		if (!direction_try_send(dir, dir->retries.head)) {
			if (dir->retries.head->due_ns > now)
				return;
			dir->counters.dropped_send++;
		}
		frame_free(queue_pop(&dir->retries));
	}
}

/* A frame has left the wire: those that it has overtaken may follow. */
static void direction_count_pass(struct direction *dir, uint64_t now)
{
	for (struct frame *frame = dir->held.head; frame; frame = frame->next)
		frame->passes_left--;
	while (dir->held.head && !dir->held.head->passes_left)
		direction_send(dir, queue_pop(&dir->held), now);
}

/* Sends all frames whose time has come. */
static void direction_release(struct direction *dir, uint64_t now)
{
	direction_retry(dir, now);
	while (dir->delayed.head && dir->delayed.head->due_ns <= now) {
		struct frame *frame = queue_pop(&dir->delayed);
		struct frame *copy = frame->is_duplicated ? frame_new() : NULL;

		if (copy) {
			memcpy(copy->data, frame->data, frame->length);
			copy->length = frame->length;
			dir->counters.duplicated++;
			direction_send(dir, copy, now);
		}
		if (frame->is_held) {
			frame->passes_left = HOLD_PASSES;
			frame->due_ns = now + HOLD_MS * NSEC_PER_MS;
			dir->counters.reordered++;
			queue_push(&dir->held, frame);
			continue;
		}
		direction_send(dir, frame, now);
		direction_count_pass(dir, now);
	}
	while (dir->held.head && dir->held.head->due_ns <= now)
		direction_send(dir, queue_pop(&dir->held), now);
}

/* Takes a received frame and decides on its fate. */
static void direction_admit(struct direction *dir, const struct settings *settings,
			    struct frame *frame, uint64_t now)
{
	bool is_lost;

	if (is_control(frame)) {
		dir->counters.control++;
		direction_send(dir, frame, now);
		return;
	}
	/* Always three draws, so that the n-th frame's fate depends on n and the seed only. */
	is_lost = chance(&dir->random_state, settings->loss);
	frame->is_duplicated = chance(&dir->random_state, settings->dup);
	frame->is_held = chance(&dir->random_state, settings->reorder);
	if (is_lost) {
		dir->counters.lost++;
		frame_free(frame);
		return;
	}
	frame->due_ns = now + (uint64_t)(settings->delay * NSEC_PER_MS);
	queue_push(&dir->delayed, frame);
}

/* Reads one batch. Every slot of `batch` holds a frame, before and after. */
static void direction_receive(struct direction *dir, const struct settings *settings,
			      struct frame **batch)
{
	struct mmsghdr messages[BATCH] = {};
	struct iovec vectors[BATCH];
	uint64_t now;
	int count;

	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ batch[i]->data, FRAME_MAX };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	/* Errors are EAGAIN, EINTR and ENETDOWN; the socket comes back with its interface. */
	count = recvmmsg(dir->from_fd, messages, BATCH, MSG_DONTWAIT, NULL);
	now = now_ns();
	for (int i = 0; i < count; i++) {
		struct frame *frame = batch[i], *fresh;

		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC) {
			dir->counters.dropped_oversize++;
			continue;
		}
		fresh = frame_new();
		if (!fresh) {
			dir->counters.dropped_memory++;
			continue;
		}
		batch[i] = fresh;
		frame->length = messages[i].msg_len;
		direction_admit(dir, settings, frame, now);
	}
}

/* Returns the earlier of `next` and the time when the direction has work. */
static uint64_t direction_next(const struct direction *dir, uint64_t now, uint64_t next)
{
	if (dir->retries.head && now + RETRY_US * 1000 < next)
		next = now + RETRY_US * 1000;
	if (dir->delayed.head && dir->delayed.head->due_ns < next)
		next = dir->delayed.head->due_ns;
	if (dir->held.head && dir->held.head->due_ns < next)
		next = dir->held.head->due_ns;
	return next;
}

static void direction_print(struct direction *dir)
{
	const struct counters *c = &dir->counters;
	struct tpacket_stats kernel = {};
	socklen_t size = sizeof(kernel);

	getsockopt(dir->from_fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &size);
	dir->counters.dropped_receive = kernel.tp_drops;
	printf("%s->%s: relayed %" PRIu64 " control %" PRIu64 " lost %" PRIu64 " duplicated %" PRIu64
	       " reordered %" PRIu64 "; dropped: receive %" PRIu64 " memory %" PRIu64
	       " oversize %" PRIu64 " send %" PRIu64 "\n",
	       dir->from_name, dir->to_name, c->relayed, c->control, c->lost, c->duplicated,
	       c->reordered, c->dropped_receive, c->dropped_memory, c->dropped_oversize,
	       c->dropped_send);
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
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "wire: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

/* Reads "key=number ..." with spaces or commas between. Returns 0 or -EINVAL. */
static int settings_parse(struct settings *settings, char *text)
{
	const struct {
		const char *name;
		double *value, max;
	} keys[] = {
		{ "loss", &settings->loss, 100 },      { "reorder", &settings->reorder, 100 },
		{ "dup", &settings->dup, 100 },	       { "delay", &settings->delay, 10000 },
		{ "seed", &settings->seed, 0x1p53 },
	};
	const size_t key_count = sizeof(keys) / sizeof(keys[0]);

	for (char *word = strtok(text, " ,"); word; word = strtok(NULL, " ,")) {
		char *number = strchr(word, '='), *end = NULL;
		size_t i = 0;

		if (!number)
			return -EINVAL;
		*number++ = '\0';
		while (i < key_count && strcmp(keys[i].name, word))
			i++;
		if (i == key_count)
			return -EINVAL;
		*keys[i].value = strtod(number, &end);
		if (end == number || *end || !(*keys[i].value >= 0 && *keys[i].value <= keys[i].max))
			return -EINVAL;
	}
	return 0;
}

static void relay(struct direction directions[2], const struct settings *settings, int signal_fd)
{
	struct pollfd polled[3] = { { directions[0].from_fd, POLLIN, 0 },
				    { directions[1].from_fd, POLLIN, 0 },
				    { signal_fd, POLLIN, 0 } };
	struct frame *batch[BATCH];

	for (int i = 0; i < BATCH; i++) {
		batch[i] = frame_new();
		if (!batch[i])
			return;
	}
	while (!(polled[2].revents & POLLIN)) {
		uint64_t now = now_ns(), next = now + NSEC_PER_SEC;
		struct timespec timeout = {};

		for (int i = 0; i < 2; i++) {
			direction_release(&directions[i], now);
			next = direction_next(&directions[i], now, next);
		}
		now = now_ns();
		if (next > now)
			timeout.tv_nsec = (long)(next - now) % (long)NSEC_PER_SEC;
		if (ppoll(polled, 3, &timeout, NULL) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			if (polled[i].revents)
				direction_receive(&directions[i], settings, batch);
		}
	}
}

int main(int argc, char **argv)
{
	struct direction directions[2] = {};
	struct settings settings = { .seed = 1 };
	sigset_t signals;

	if (argc != 4 || settings_parse(&settings, argv[3])) {
		fprintf(stderr, "usage: wire IF_A IF_B \"loss=PERCENT reorder=PERCENT dup=PERCENT "
				"delay=MS seed=N\"\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	prctl(PR_SET_TIMERSLACK, 1);
	for (int i = 0; i < 2; i++) {
		struct direction *dir = &directions[i];

		dir->from_name = argv[1 + i];
		dir->to_name = argv[2 - i];
		dir->from_fd = socket_open(dir->from_name);
		dir->random_state = (uint64_t)settings.seed * 2 + (uint64_t)i;
		queue_init(&dir->delayed);
		queue_init(&dir->held);
		queue_init(&dir->retries);
	}
	directions[0].to_fd = directions[1].from_fd;
	directions[1].to_fd = directions[0].from_fd;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	relay(directions, &settings, signalfd(-1, &signals, SFD_CLOEXEC));
	direction_print(&directions[0]);
	direction_print(&directions[1]);
	return 0;
}
