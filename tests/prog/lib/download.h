/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A component of many segments on its way to a client: what a run sends (its clones) is compared,
 * byte for byte and number for number, with what must come.
 */
#ifndef PROG_DOWNLOAD_H
#define PROG_DOWNLOAD_H

#include "prog_client.h"

#define DOWNLOAD_MSS 1448 /* IPv4 with timestamps */

struct download {
	struct client c;
	uint32_t first;	  /* seq of the answer's first byte */
	uint32_t req_ack; /* of the answer's segments: the request's end, or start if it is held */
	uint32_t sent;	  /* end of what has been seen, from `first` */
	uint32_t mss;	  /* payload bytes of a full segment */
	size_t len;
	bool close;
	bool is_held; /* kicks are not served: the request is acknowledged at the end */
	uint8_t wanted[BODY_MAX + HEAD_MAX];
};

extern struct download download;

/* Asks for the object; begin: on a connection of its own. */
struct result *download_ask(const char *text, uint32_t slot, bool close);
struct result *download_begin(bool v6, const char *text, uint32_t slot, bool close);

/* One segment at any place of the answer. */
void download_expect_one(const struct packet *p, uint32_t offset);

/* The clones continue the answer: `n` segments, full ones but for the last of the answer, which
 * comes twice where the request is held. */
void download_expect(const struct result *r, int n);

/* The same, as many as came. */
void download_expect_new(const struct result *r);

/* The clones are these segments of the answer, by number. */
void download_expect_segments(const struct result *r, const int *segments, int n);
#define DOWNLOAD_SEGMENTS(r, ...)                                                                  \
	download_expect_segments(r, (int[]){ __VA_ARGS__ },                                        \
				 sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

/* A pure ACK of `segment` segments with SACK blocks: pairs of segments, [first, behind the last).
 */
struct result *download_sack(int segment, const int *edges, int n);
#define DOWNLOAD_SACK(segment, ...)                                                                \
	download_sack(segment, (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

/* A connection without SACK, timestamps and window scale as always. */
void download_open_without_sack(bool v6);

/* A pure ACK of everything up to `offset` of the answer. */
struct result *download_ack(uint32_t offset);
/* The same, and its timestamp says that something sent before the recovery has caused it. */
struct result *download_ack_of_original(uint32_t offset);

/* Time passes: the last progress was `ms` ago, and what was to be sent then is due. */
void download_wait(uint32_t ms);

/* The timer's kick, when it is due; whatever its deadline was. */
struct result *download_kick(void);

/* Takes and acknowledges segments up to the last one. */
void download_run(struct result *r);

/* The client's last ACK: answered with the ACK of the request, if that was held. */
void download_expect_over(const struct result *r);

#endif
