// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flood syn|ack DEVICE MAC ADDRESS PORT RATE SECONDS: that many packets a second to ADDRESS:PORT
 * through the device, each from a random source address and port. Prints what it has sent as JSON.
 *
 *   syn  as Linux sends them, with MSS, SACK, timestamps and window scale
 *   ack  the end of a handshake that never was: sequence and acknowledgement numbers are random
 *
 * IPv4. Sources are in 11.0.0.0/8 to 126.0.0.0/8: nobody's here. Packets leave in bursts, one each
 * half millisecond; a burst that comes late is not left out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define BURST_NS 500000ull
#define BATCH 64 /* packets of one system call */
#define OPTIONS_MAX 20

static const uint8_t syn_options[20] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0,
					 0, 1, 0,    0,	   0, 0, 1, 3,	3, 7 };
static const uint8_t ack_options[12] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1 };

struct packet {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t options[OPTIONS_MAX];
} __attribute__((packed));

static struct {
	bool is_ack;
	uint64_t rate, seconds, random_state;
	struct packet packets[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	size_t len; /* of a packet */
	uint64_t sent, refused;
	int fd;
} flood;

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random64(void)
{
	uint64_t z = (flood.random_state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* RFC 1071 over an even number of bytes. */
static uint32_t sum_of(const void *bytes, size_t len, uint32_t sum)
{
	uint16_t word;

	for (size_t i = 0; i < len; i += 2) {
		memcpy(&word, (const uint8_t *)bytes + i, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* Another source and other numbers. */
static void packet_vary(struct packet *p)
{
	size_t tcp_len = flood.len - sizeof(p->eth) - sizeof(p->ip);
	uint64_t r = random64(), numbers = random64();

	p->ip.saddr = htonl((uint32_t)(11 + (r >> 48) % 116) << 24 | (uint32_t)(r & 0xffffff));
	p->ip.id = (uint16_t)(r >> 24);
	p->tcp.source = htons((uint16_t)(1024 + (r >> 32) % 64000));
	p->tcp.seq = (uint32_t)numbers;
	p->tcp.ack_seq = flood.is_ack ? (uint32_t)(numbers >> 32) : 0;
	p->ip.check = 0;
	p->ip.check = fold(sum_of(&p->ip, sizeof(p->ip), 0));
	p->tcp.check = 0;
	p->tcp.check = fold(sum_of(&p->tcp, tcp_len,
				   sum_of(&p->ip.saddr, 8, htons(IPPROTO_TCP) + htons(tcp_len))));
}

static void packet_init(struct packet *p, const struct ether_addr *to, struct in_addr address,
			uint16_t port)
{
	size_t options_len = flood.is_ack ? sizeof(ack_options) : sizeof(syn_options);

	memcpy(p->eth.ether_dhost, to, ETH_ALEN);
	p->eth.ether_shost[0] = 2; /* locally administered */
	p->eth.ether_type = htons(ETHERTYPE_IP);
	flood.len = sizeof(*p) - OPTIONS_MAX + options_len;
	p->ip.version = 4;
	p->ip.ihl = 5;
	p->ip.tot_len = htons((uint16_t)(flood.len - sizeof(p->eth)));
	p->ip.ttl = 64;
	p->ip.protocol = IPPROTO_TCP;
	p->ip.daddr = address.s_addr;
	p->tcp.dest = htons(port);
	p->tcp.doff = (sizeof(p->tcp) + options_len) / 4;
	p->tcp.syn = !flood.is_ack;
	p->tcp.ack = flood.is_ack;
	p->tcp.window = htons(64240);
	memcpy(p->options, flood.is_ack ? ack_options : syn_options, options_len);
}

/* At most BATCH packets. */
static void send_batch(uint64_t count)
{
	int sent;

	for (uint64_t i = 0; i < count; i++)
		packet_vary(&flood.packets[i]);
	sent = sendmmsg(flood.fd, flood.messages, (unsigned int)count, 0);
	if (sent > 0)
		flood.sent += (uint64_t)sent;
	flood.refused += count - (uint64_t)(sent > 0 ? sent : 0);
}

static void run(void)
{
	uint64_t start = now_ns(), total = flood.rate * flood.seconds, begun = 0;

	for (uint64_t due = start; begun < total; due += BURST_NS) {
		struct timespec at = { (time_t)(due / NS_PER_S), (long)(due % NS_PER_S) };
		uint64_t goal = (due - start + BURST_NS) * flood.rate / NS_PER_S;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		while (begun < goal && begun < total) {
			uint64_t count = goal - begun < BATCH ? goal - begun : BATCH;

			send_batch(count);
			begun += count;
		}
	}
	printf("{\"sent\": %llu, \"refused\": %llu, \"seconds\": %.3f}\n",
	       (unsigned long long)flood.sent, (unsigned long long)flood.refused,
	       (double)(now_ns() - start) / NS_PER_S);
}

/* Returns whether the socket is there, bound to the device. */
static bool socket_open(const char *device)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	const int on = 1;

	flood.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: receives nothing */
	address.sll_ifindex = (int)if_nametoindex(device);
	if (flood.fd >= 0 && address.sll_ifindex &&
	    !setsockopt(flood.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) &&
	    !bind(flood.fd, (struct sockaddr *)&address, sizeof(address)))
		return true;
	fprintf(stderr, "flood: %s: %s\n", device, strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	struct ether_addr *to = argc == 8 ? ether_aton(argv[3]) : NULL;
	struct in_addr address;

	if (!to || inet_pton(AF_INET, argv[4], &address) != 1 ||
	    (strcmp(argv[1], "syn") && strcmp(argv[1], "ack"))) {
		fprintf(stderr, "usage: flood syn|ack DEVICE MAC ADDRESS PORT RATE SECONDS\n");
		return 2;
	}
	flood.is_ack = !strcmp(argv[1], "ack");
	flood.rate = strtoull(argv[6], NULL, 10);
	flood.seconds = strtoull(argv[7], NULL, 10);
	flood.random_state = now_ns() ^ (uint64_t)getpid() << 32;
	if (!socket_open(argv[2]))
		return 1;
	for (int i = 0; i < BATCH; i++) {
		packet_init(&flood.packets[i], to, address, (uint16_t)atoi(argv[5]));
		flood.vectors[i].iov_base = &flood.packets[i];
		flood.vectors[i].iov_len = flood.len;
		flood.messages[i].msg_hdr.msg_iov = &flood.vectors[i];
		flood.messages[i].msg_hdr.msg_iovlen = 1;
	}
	prctl(PR_SET_TIMERSLACK, 1ul); /* ns; wake up on time */
	run();
	return 0;
}
