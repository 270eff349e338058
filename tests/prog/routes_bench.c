// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Run time of uplink_ingress for requests that the kernel answers, by the number of routes and by
 * who is asked for (`make bench-routes`). Every request is on one connection and asks for another
 * path: the kernel counts the runs and their time (BPF_ENABLE_STATS), bpf_prog_test_run() makes
 * them. Tables of all sizes stand side by side, in scopes of their own, and take turns.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prog_client.h"

#define ROUNDS 7
#define WARM_UP 2000
#define REQUESTS 10000
#define SCOPE_BASE 0x500000

static const int sizes[] = { 10, 1000, 100000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define SIZE_MAX_ROUTES 100000
#define SCATTER 7919u /* no divisor of a size: popular paths lie anywhere */

enum kind { EXACT, PREFIX, DEEP, RULES, KINDS };
static const char *const kind_names[] = { "exact path, component", "prefix, redirect",
					  "prefix of 1 to 5 segments",
					  "prefix with conditions, redirect" };

enum spread { ZIPF, UNIFORM, SPREADS };
static const char *const spread_names[] = { "Zipf(1.0)", "uniform" };

static double times[KINDS][SPREADS][SIZES][ROUNDS];
static double harmonic[SIZE_MAX_ROUTES]; /* sums of 1 / n */
static uint32_t program_fd, stats_of;
static struct client client;

static uint32_t random_below(uint32_t n)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state % n);
}

static uint32_t scope_of(enum kind kind, size_t size)
{
	return SCOPE_BASE + kind * SIZES + size;
}

/* A path as shops have them; `is_asked`: in a request, behind a prefix. */
static void write_path(char *out, size_t room, enum kind kind, uint32_t i, bool is_asked)
{
	static const char *const tails[] = { "/", "/b/", "/b/c/", "/b/c/d/", "/b/c/d/e/" };

	if (kind == DEEP)
		snprintf(out, room, "/a-%u%s%s", i, tails[i % 5], is_asked ? "x/y/z" : "");
	else
		snprintf(out, room, "/shop/category-%u/product-%u%s", i % 97, i,
			 kind == EXACT ? "" :
			 is_asked      ? "/details" :
					 "/");
}

static void make_table(enum kind kind, size_t size)
{
	struct target redirect = room_to_canned(SLOT_MOVED);
	uint32_t scope = scope_of(kind, size), i, rule;
	char path[128];

	redirect.len = 20;
	for (i = 0; i < (uint32_t)sizes[size]; i++) {
		write_path(path, sizeof(path), kind, i, false);
		if (kind == EXACT) {
			room_exact(scope, path, room_to_object(SLOT_SMALL, POOL_1));
		} else if (kind != RULES) {
			room_prefix(scope, path, redirect);
		} else {
			rule = 1 + 2 * (i % 60000);
			room_rule(rule, "192.0.2.0", 120, 0, rule + 1, redirect);
			room_rule(rule + 1, "10.80.0.0", 120, RULE_GET, 0, redirect);
			room_prefix(scope, path, room_to_rules(rule));
		}
	}
}

static void set_scope(uint32_t scope)
{
	struct settings settings = room_settings();

	settings.any_scope = scope;
	room_set_settings(&settings);
}

static uint32_t pick(enum spread spread, uint32_t n)
{
	uint32_t low = 0, high = n - 1, middle;
	double at;

	if (spread == UNIFORM)
		return random_below(n);
	at = harmonic[n - 1] * random_below(1u << 31) / (1u << 31);
	while (low < high) {
		middle = (low + high) / 2;
		if (harmonic[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low * SCATTER % n;
}

/* One request and its answer on the connection. */
static void ask(const char *path)
{
	static uint8_t in[2048], out[4096];
	struct __sk_buff ctx = { .ifindex = net_ifindex(NET_UPLINK) };
	char text[512];
	int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	struct packet p = client_packet(&client, TCP_PSH | TCP_ACK, text, (size_t)len);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .data_out = out, .data_size_out = sizeof(out));

	opts.data_size_in = packet_build(&p, in);
	if (bpf_prog_test_run_opts((int)program_fd, &opts))
		check_die("bpf_prog_test_run: %s", strerror(errno));
	if (opts.retval != REDIRECT)
		check_die("%s: not answered", path);
	client.seq += (uint32_t)len;
	client.ack += opts.data_size_out - 66; /* Ethernet, IPv4, TCP with timestamps */
}

static void read_stats(uint64_t *ns, uint64_t *runs)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd((int)program_fd, &info, &len))
		check_die("program info: %s", strerror(errno));
	*ns = info.run_time_ns;
	*runs = info.run_cnt;
}

static double measure(enum kind kind, enum spread spread, size_t size)
{
	uint64_t ns[2] = {}, runs[2] = {};
	char path[128];
	int i;

	set_scope(scope_of(kind, size));
	for (i = -WARM_UP; i < REQUESTS; i++) {
		if (!i)
			read_stats(&ns[0], &runs[0]);
		write_path(path, sizeof(path), kind, pick(spread, (uint32_t)sizes[size]), true);
		ask(path);
	}
	read_stats(&ns[1], &runs[1]);
	return (double)(ns[1] - ns[0]) / (double)(runs[1] - runs[0]);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void prepare(void)
{
	uint32_t i;
	int kind;
	size_t size;

	client_open(&client, false);
	program_fd = (uint32_t)room_program("uplink_ingress");
	stats_of = (uint32_t)bpf_enable_stats(BPF_STATS_RUN_TIME);
	for (i = 0; i < SIZE_MAX_ROUTES; i++)
		harmonic[i] = (i ? harmonic[i - 1] : 0) + 1.0 / (i + 1);
	for (kind = 0; kind < KINDS; kind++)
		for (size = 0; size < SIZES; size++)
			make_table(kind, size);
}

static void print_table(void)
{
	double first, last;
	int kind, spread;
	size_t size;

	printf("ns per run of uplink_ingress, medians of %d rounds of %d requests\n\n", ROUNDS,
	       REQUESTS);
	printf("%-34s %-10s", "answered by", "requests");
	for (size = 0; size < SIZES; size++)
		printf(" %7d", sizes[size]);
	printf("  routes: last / first\n");
	for (kind = 0; kind < KINDS; kind++) {
		for (spread = 0; spread < SPREADS; spread++) {
			printf("%-34s %-10s", kind_names[kind], spread_names[spread]);
			for (size = 0; size < SIZES; size++)
				printf(" %7.0f", median(times[kind][spread][size]));
			first = times[kind][spread][0][ROUNDS / 2];
			last = times[kind][spread][SIZES - 1][ROUNDS / 2];
			printf("  %.2f\n", last / first);
		}
	}
}

TEST(routes, "run time by number of routes")
{
	int kind, spread, round;
	size_t size;

	prepare();
	for (round = 0; round < ROUNDS; round++)
		for (kind = 0; kind < KINDS; kind++)
			for (spread = 0; spread < SPREADS; spread++)
				for (size = 0; size < SIZES; size++)
					times[kind][spread][size][round] =
						measure(kind, spread, size);
	print_table();
	close((int)stats_of);
}
