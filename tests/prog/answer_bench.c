// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Run time of a hit by what its answer takes: Date, a choice of variants, a condition. Ways take
 * turns, medians of the rounds. Not a test: `make bench-answers`.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prog_client.h"
#include "prog_node.h"

#define ROUNDS 9
#define REQUESTS 5000
#define BODY 1000
#define TAG "\"0123456789abcdef\""
#define BROWSER                                                                                    \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"   \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"              \
	"Accept-Language: en-US,en;q=0.5\r\n"
#define OWN(fields) "GET /own HTTP/1.1\r\nHost: a\r\n" BROWSER fields "\r\n"
#define CODINGS_USUAL "Accept-Encoding: gzip, deflate, br, zstd\r\n"

enum object_kind { PLAIN, DATED, VARIANTS };

static const struct way {
	const char *name;
	enum object_kind object;
	const char *request;
} ways[] = {
	{ "neither Date nor variants", PLAIN, OWN("") },
	{ "Date", DATED, OWN("") },
	{ "Date, Accept-Encoding, no variants", DATED, OWN(CODINGS_USUAL) },
	{ "Date, br of a browser's codings", VARIANTS, OWN(CODINGS_USUAL) },
	{ "Date, gzip of weighted codings", VARIANTS,
	  OWN("Accept-Encoding: br;q=0.1, gzip;q=0.5, *;q=0\r\n") },
	{ "304 by tag", DATED, OWN("If-None-Match: W/" TAG "\r\n") },
	{ "304 by date", DATED, OWN("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n") },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static double times[WAYS][ROUNDS];
static int program_fd;
static struct client client;

static void set_object(enum object_kind kind)
{
	if (kind == PLAIN) {
		room_own_object(BODY);
		return;
	}
	room_dated_object(0, 0, BODY, 0x0123456789abcdefULL, 784111777);
	if (kind == DATED)
		return;
	room_dated_object(1, 0, BODY, 1, 1);
	room_dated_object(2, 0, BODY, 2, 1);
	room_set_variant(CODING_BROTLI, SLOT_OWN + 1);
	room_set_variant(CODING_GZIP, SLOT_OWN + 2);
}

static void ask(const char *text)
{
	static uint8_t in[2048], out[4096];
	struct __sk_buff ctx = { .ifindex = net_ifindex(NET_UPLINK) };
	struct packet p = client_packet(&client, TCP_PSH | TCP_ACK, text, strlen(text));
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .data_out = out, .data_size_out = sizeof(out));

	opts.data_size_in = packet_build(&p, in);
	if (bpf_prog_test_run_opts(program_fd, &opts))
		check_die("bpf_prog_test_run: %s", strerror(errno));
	if (opts.retval != REDIRECT)
		check_die("%s: not answered", text);
	client.seq += (uint32_t)strlen(text);
	client.ack += opts.data_size_out - 66; /* Ethernet, IPv4, TCP with timestamps */
}

static void read_stats(uint64_t *ns, uint64_t *runs)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &len))
		check_die("program info: %s", strerror(errno));
	*ns = info.run_time_ns;
	*runs = info.run_cnt;
}

static double measure(const struct way *way)
{
	uint64_t ns[2], runs[2];
	int i;

	room_reset();
	set_object(way->object);
	client_open(&client, false);
	ask(way->request);
	read_stats(&ns[0], &runs[0]);
	for (i = 0; i < REQUESTS; i++)
		ask(way->request);
	read_stats(&ns[1], &runs[1]);
	return (double)(ns[1] - ns[0]) / (double)(runs[1] - runs[0]);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

TEST(answers, "run time by what an answer takes")
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), round;
	size_t i;

	program_fd = room_program("uplink_ingress");
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < WAYS; i++)
			times[i][round] = measure(&ways[i]);
	printf("ns per run of uplink_ingress, medians of %d rounds of %d requests, %d bytes\n",
	       ROUNDS, REQUESTS, BODY);
	for (i = 0; i < WAYS; i++) {
		qsort(times[i], ROUNDS, sizeof(times[i][0]), compare);
		printf("%-36s %5.0f\n", ways[i].name, times[i][ROUNDS / 2]);
	}
	close(stats);
}
