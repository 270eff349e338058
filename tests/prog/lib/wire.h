/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs where they belong: attached to devices (tcx), with frames that really come in and go
 * out. Shows what bpf_prog_test_run cannot: CHECKSUM_PARTIAL, GSO packets, where a redirect goes,
 * and a hand-over that becomes a socket. Checksums and segmentation are told by the virtio_net_hdr
 * of packet sockets.
 */
#ifndef PROG_WIRE_H
#define PROG_WIRE_H

#include "prog_run.h"

struct wire_frame {
	int dev;	 /* gateway's device that it left by */
	bool is_partial; /* checksum left to the device: its field holds the pseudo header's sum */
	uint16_t gso_size; /* 0: one segment */
	struct packet packet;
};

/* Until the end of the test. `peer`: at the other end of the device. */
void wire_attach(enum run_program program, enum net_dev dev, bool peer);
void wire_detach(void);

/* A frame that comes in by `dev` (peer: by its other end). gso_size 0: one segment. */
void wire_send(const struct packet *p, enum net_dev dev, bool peer, bool is_partial,
	       uint16_t gso_size);

/* Waits for the next frame that leaves; the test fails without one. Its checksums are verified. */
struct wire_frame wire_receive(void);

/* That nothing has left until now. */
void wire_expect_nothing(void);

#endif
