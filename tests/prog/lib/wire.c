// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packet sockets with a virtio_net_hdr, and tcx links.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "room.h"
#include "wire.h"

#define ATTACH_TCX_INGRESS 46 /* BPF_TCX_INGRESS; Debian 12's headers lack it */
#define LINKS_MAX 8
#define RECEIVE_MS 2000
#define QUIET_MS 50
#define FRAME_MAX 70000

static int links[LINKS_MAX], n_links, receive_fd = -1, send_fd = -1;

void wire_attach(enum run_program program, enum net_dev dev, bool peer)
{
	uint32_t ifindex = peer ? net_peer_ifindex(dev) : net_ifindex(dev);
	int fd = bpf_link_create(run_program_fd(program), ifindex, ATTACH_TCX_INGRESS, NULL);

	if (fd < 0 || n_links == LINKS_MAX)
		check_die("cannot attach program %d: %s", program, strerror(errno));
	links[n_links++] = fd;
}

void wire_detach(void)
{
	while (n_links)
		close(links[--n_links]);
	close(receive_fd);
	close(send_fd);
	receive_fd = send_fd = -1;
}

static int open_socket(int protocol)
{
	int fd = socket(AF_PACKET, SOCK_RAW, htons(protocol)), one = 1, size = 8 << 20;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		check_die("packet socket: %s", strerror(errno));
	return fd;
}

/* The field as a sender with checksum offload leaves it. */
static void make_partial(uint8_t *frame, size_t len, const struct packet *p)
{
	size_t l4 = packet_l4(p->v6), off = PACKET_ETH + (p->v6 ? 8 : 12);
	uint32_t sum = 6 + len - l4;

	for (; off < l4; off += 2)
		sum += frame[off] << 8 | frame[off + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	frame[l4 + 16] = sum >> 8;
	frame[l4 + 17] = sum;
}

void wire_send(const struct packet *p, enum net_dev dev, bool peer, bool is_partial,
	       uint16_t gso_size)
{
	static uint8_t frame[FRAME_MAX];
	struct virtio_net_hdr hdr = {};
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { frame, packet_build(p, frame) } };
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 2
	};

	if (receive_fd < 0) {
		receive_fd = open_socket(ETH_P_ALL);
		send_fd = open_socket(0);
	}
	to.sll_ifindex = peer ? net_ifindex(dev) : net_peer_ifindex(dev);
	if (is_partial || gso_size) {
		make_partial(frame, iov[1].iov_len, p);
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = packet_l4(p->v6);
		hdr.csum_offset = 16;
	}
	if (gso_size) {
		hdr.gso_type = p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		hdr.gso_size = gso_size;
		hdr.hdr_len = packet_l4(p->v6) + 20 + p->options_len;
	}
	if (sendmsg(send_fd, &msg, 0) < 0)
		check_die("cannot send a frame: %s", strerror(errno));
}

/* Next TCP frame that arrives at a device's other end within `ms`; 0: none. */
static size_t next_frame(struct virtio_net_hdr *hdr, uint8_t *frame, int *dev, int ms)
{
	struct iovec iov[2] = { { hdr, sizeof(*hdr) }, { frame, FRAME_MAX } };
	struct pollfd wait = { .fd = receive_fd, .events = POLLIN };
	struct sockaddr_ll from;
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = iov, .msg_iovlen = 2
	};
	ssize_t n;
	int i;

	while (poll(&wait, 1, ms) == 1) {
		n = recvmsg(receive_fd, &msg, 0);
		if (n < 0)
			check_die("cannot receive: %s", strerror(errno));
		for (i = 0; i < NET_DEVS; i++) {
			if (net_peer_ifindex(i) != (uint32_t)from.sll_ifindex)
				continue;
			*dev = i;
			if (net_is_tcp(frame, n - sizeof(*hdr)))
				return n - sizeof(*hdr);
		}
	}
	return 0;
}

struct wire_frame wire_receive(void)
{
	static uint8_t frames[4][FRAME_MAX], whole[FRAME_MAX];
	static int turn; /* the last few frames stay readable */
	uint8_t *frame = frames[turn++ & 3];
	struct virtio_net_hdr hdr;
	struct wire_frame f = {};
	const char *complaint;
	uint16_t field, wanted;
	size_t len, l4;

	len = next_frame(&hdr, frame, &f.dev, RECEIVE_MS);
	if (!len)
		check_fail("frame: expected one, actual none");
	f.is_partial = hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f.gso_size = hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : hdr.gso_size;
	if (f.is_partial) {
		l4 = packet_l4(frame[12] == 0x86);
		field = frame[l4 + 16] << 8 | frame[l4 + 17];
		memcpy(whole, frame, len);
		packet_seal(frame, len);
		complaint = packet_parse(frame, len, &f.packet);
		if (complaint)
			check_fail("frame: %s", complaint);
		make_partial(whole, len, &f.packet);
		wanted = whole[l4 + 16] << 8 | whole[l4 + 17];
		expect_number("pseudo header's sum", field, wanted);
		expect_number("start of the sum", hdr.csum_start, l4);
		return f;
	}
	complaint = packet_parse(frame, len, &f.packet);
	if (complaint)
		check_fail("frame: %s", complaint);
	return f;
}

void wire_expect_nothing(void)
{
	static uint8_t frame[FRAME_MAX];
	struct virtio_net_hdr hdr;
	int dev;

	if (next_frame(&hdr, frame, &dev, QUIET_MS))
		check_fail("frames: expected none, actual one by device %d", dev);
}
