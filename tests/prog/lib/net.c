// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the network namespace with `ip -batch`, and captures with one packet socket. That nothing
 * more is to come is told by a marker frame sent behind what the programs have sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "net.h"

#define ETHERTYPE_MARKER 0x88b5 /* IEEE 802: local experiments */
#define CAPTURE_TIMEOUT_MS 2000

static const char *const names[NET_DEVS] = { "up0", "n1", "n2", "n3", "n4", "n5" };
static uint32_t ifindexes[NET_DEVS], peer_ifindexes[NET_DEVS];
static uint8_t macs[NET_DEVS][6], peer_macs[NET_DEVS][6];
static int capture_fd, send_fd;
static bool is_marked;

static void write_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	file = fopen(path, "w");
	if (!file || fputs(value, file) < 0 || fclose(file))
		check_die("cannot write %s: %s", path, strerror(errno));
}

static FILE *ip_begin(const char *family)
{
	char command[32];
	FILE *ip;

	snprintf(command, sizeof(command), "ip %s -batch -", family);
	ip = popen(command, "w");
	if (!ip)
		check_die("cannot run ip: %s", strerror(errno));
	return ip;
}

static void ip_end(FILE *ip)
{
	if (pclose(ip))
		check_die("`ip -batch` failed: are iproute2 and root there?");
}

const char *net_node_addr(int node, bool v6)
{
	static char text[32];

	snprintf(text, sizeof(text), v6 ? "fd80:%d::2" : "10.80.%d.2", node);
	return text;
}

static void format_mac(char *text, const uint8_t *mac)
{
	sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

static void make_links(void)
{
	FILE *ip = ip_begin("");
	char mac[18], peer[18];
	int i;

	fprintf(ip, "link set lo up\n");
	for (i = 0; i < NET_DEVS; i++) {
		memcpy(macs[i], (uint8_t[]){ 2, 0, 0, 0, i, 1 }, 6);
		memcpy(peer_macs[i], (uint8_t[]){ 2, 0, 0, 0, i, 2 }, 6);
		format_mac(mac, macs[i]);
		format_mac(peer, peer_macs[i]);
		fprintf(ip, "link add %s address %s type veth peer name %s-peer address %s\n",
			names[i], mac, names[i], peer);
		fprintf(ip, "link set %s addrgenmode none mtu 9000 up\n", names[i]);
		fprintf(ip, "link set %s-peer addrgenmode none mtu 9000 up\n", names[i]);
	}
	fprintf(ip, "addr add 10.80.0.1/24 dev up0\naddr add fd80::1/64 dev up0 nodad\n");
	/* The client's neighbour stays unknown: what the stack itself would send is not seen. */
	fprintf(ip, "addr add 10.80.9.9/32 dev lo\naddr add fd80:9::9/128 dev lo nodad\n");
	ip_end(ip);
}

/* Rule, table and neighbour of each backend, as the daemon and the kernel would have them. */
static void make_steering(bool v6)
{
	FILE *ip = ip_begin(v6 ? "-6" : "-4");
	char mac[18];
	int i;

	for (i = NET_NODE1; i < NET_DEVS; i++) {
		format_mac(mac, peer_macs[i]);
		fprintf(ip, "rule add fwmark 0x%x table %d priority %d\n", NET_MARK_BASE + i,
			5200 + i, 5200 + i);
		fprintf(ip, "route add %s dev %s table %d\n", net_node_addr(i, v6), names[i],
			5200 + i);
		fprintf(ip, "neigh add %s lladdr %s dev %s nud permanent\n", net_node_addr(i, v6),
			mac, names[i]);
	}
	/* Backend 6: a route, but its neighbour is not known. */
	fprintf(ip, "rule add fwmark 0x%x table 5206 priority 5206\n", NET_MARK_BASE + 6);
	fprintf(ip, "route add %s dev n1 table 5206\n", net_node_addr(6, v6));
	ip_end(ip);
}

static void open_sockets(void)
{
	int one = 1, size = 32 << 20;

	capture_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
	send_fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (capture_fd < 0 || send_fd < 0 ||
	    setsockopt(capture_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(capture_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		check_die("packet sockets: %s", strerror(errno));
}

void net_setup(void)
{
	char peer[IF_NAMESIZE];
	int i;

	if (unshare(CLONE_NEWNET))
		check_die("cannot make a network namespace: %s", strerror(errno));
	write_sysctl("ipv4/conf/all/rp_filter", "0");
	write_sysctl("ipv4/conf/default/rp_filter", "0");
	write_sysctl("ipv4/conf/lo/forwarding", "1");
	write_sysctl("ipv6/conf/lo/forwarding", "1");
	make_links();
	make_steering(false);
	make_steering(true);
	for (i = 0; i < NET_DEVS; i++) {
		snprintf(peer, sizeof(peer), "%s-peer", names[i]);
		ifindexes[i] = if_nametoindex(names[i]);
		peer_ifindexes[i] = if_nametoindex(peer);
	}
	open_sockets();
}

uint32_t net_ifindex(enum net_dev dev)
{
	return ifindexes[dev];
}

uint32_t net_peer_ifindex(enum net_dev dev)
{
	return peer_ifindexes[dev];
}

const uint8_t *net_mac(enum net_dev dev)
{
	return macs[dev];
}

const uint8_t *net_peer_mac(enum net_dev dev)
{
	return peer_macs[dev];
}

static void send_marker(void)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = ifindexes[NET_UPLINK],
		.sll_halen = 6,
	};
	uint8_t frame[60] = {};

	memcpy(frame, peer_macs[NET_UPLINK], 6);
	memcpy(frame + 6, macs[NET_UPLINK], 6);
	frame[12] = ETHERTYPE_MARKER >> 8;
	frame[13] = ETHERTYPE_MARKER & 0xff;
	if (sendto(send_fd, frame, sizeof(frame), 0, (void *)&to, sizeof(to)) != sizeof(frame))
		check_die("cannot send the marker: %s", strerror(errno));
}

static int captured_dev(int ifindex)
{
	int i;

	for (i = 0; i < NET_DEVS; i++)
		if (peer_ifindexes[i] == (uint32_t)ifindex)
			return i;
	return ifindexes[NET_UPLINK] == (uint32_t)ifindex ? NET_UPLINK_INGRESS : -1;
}

static bool is_protocol(const uint8_t *frame, size_t len, uint8_t v4, uint8_t v6)
{
	uint16_t type = frame[12] << 8 | frame[13];

	return (type == ETH_P_IP && len > 34 && frame[14 + 9] == v4) ||
	       (type == ETH_P_IPV6 && len > 54 && frame[14 + 6] == v6);
}

bool net_is_tcp(const uint8_t *frame, size_t len)
{
	return is_protocol(frame, len, 6, 6);
}

bool net_is_icmp(const uint8_t *frame, size_t len)
{
	return is_protocol(frame, len, 1, 58);
}

size_t net_captured(uint8_t *frame, size_t size, int *dev)
{
	struct pollfd wait = { .fd = capture_fd, .events = POLLIN };
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t n;

	if (!is_marked)
		send_marker();
	is_marked = true;
	for (;;) {
		from_len = sizeof(from);
		n = recvfrom(capture_fd, frame, size, 0, (void *)&from, &from_len);
		if (n < 0 && errno == EAGAIN && poll(&wait, 1, CAPTURE_TIMEOUT_MS) == 1)
			continue;
		if (n < 14)
			check_die("the marker was not captured: %s", strerror(errno));
		if ((frame[12] << 8 | frame[13]) == ETHERTYPE_MARKER) {
			is_marked = false;
			return 0;
		}
		*dev = captured_dev(from.sll_ifindex);
		if (*dev >= 0 && net_is_tcp(frame, n))
			return n;
	}
}

void net_flush(void)
{
	static uint8_t frame[65536];
	int dev;

	while (net_captured(frame, sizeof(frame), &dev))
		;
}
