// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "kicker.h"
#include "log.h"

#define SERVED_MS 500 /* how long the datapath believes that this thread is alive */
#define WAIT_MS 100
#define NICE (-10) /* a tail is late already when the kick comes */

/* What the program gets: a frame of the flow's family, of which it keeps nothing. */
struct template
{
	struct ethhdr eth;
	union {
		char frame[KICK_FRAME_BYTES - sizeof(struct ethhdr)];
		struct {
			struct iphdr ip;
			struct tcphdr tcp;
		} __attribute__((packed)) v4;
		struct {
			struct ip6_hdr ip;
			struct tcphdr tcp;
		} __attribute__((packed)) v6;
	};
}
__attribute__((packed));

struct kicker {
	pthread_t thread;
	atomic_bool is_over;
	struct ring_buffer *ring;
	struct template template[2]; /* by kick.is_v6 */
	int program, served;
	bool has_failed;
};

static void make_templates(struct kicker *kicker)
{
	struct template *t4 = &kicker->template[0], *t6 = &kicker->template[1];

	t4->eth.h_proto = htons(ETH_P_IP);
	t4->v4.ip.version = 4;
	t4->v4.ip.ihl = 5;
	t4->v4.ip.tot_len = htons(sizeof(t4->v4));
	t4->v4.ip.protocol = IPPROTO_TCP;
	t4->v4.tcp.doff = 5;
	t6->eth.h_proto = htons(ETH_P_IPV6);
	t6->v6.ip.ip6_flow = htonl(6u << 28);
	t6->v6.ip.ip6_plen = htons(sizeof(t6->v6.tcp));
	t6->v6.ip.ip6_nxt = IPPROTO_TCP;
	t6->v6.tcp.doff = 5;
}

static int run(void *context, void *data, size_t size)
{
	struct kicker *kicker = context;
	const struct kick *kick = data;
	struct __sk_buff skb = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &skb, .ctx_size_in = sizeof(skb));
	int err;

	if (size < sizeof(*kick))
		return 0;
	skb.cb[0] = kick->flow;
	skb.cb[1] = kick->gen;
	opts.data_in = &kicker->template[!!kick->is_v6];
	opts.data_size_in = sizeof(kicker->template[0]);
	err = bpf_prog_test_run_opts(kicker->program, &opts);
	if (err && !kicker->has_failed)
		log_error("lost tails of answers are not repaired: program kick: %s",
			  strerror(-err));
	kicker->has_failed = err;
	return 0;
}

static void set_served(struct kicker *kicker, uint64_t ms)
{
	struct timespec now;
	uint32_t zero = 0;
	uint64_t until = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (ms)
		until = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + ms * 1000000;
	bpf_map_update_elem(kicker->served, &zero, &until, BPF_ANY);
}

static void *serve(void *context)
{
	struct kicker *kicker = context;

	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	while (!kicker->is_over) {
		set_served(kicker, SERVED_MS);
		ring_buffer__poll(kicker->ring, WAIT_MS);
	}
	set_served(kicker, 0);
	return NULL;
}

int kicker_open(const struct loader *loader, struct kicker **out)
{
	const struct mapset *maps = loader_maps(loader);
	struct kicker *kicker = calloc(1, sizeof(*kicker));
	int err;

	if (!kicker)
		return -ENOMEM;
	kicker->program = loader_programs(loader)->kick;
	kicker->served = maps->kicks_served;
	make_templates(kicker);
	kicker->ring = ring_buffer__new(maps->kicks, run, kicker, NULL);
	err = kicker->ring ? -pthread_create(&kicker->thread, NULL, serve, kicker) : -errno;
	if (err) {
		log_error("cannot wait for the datapath's timers: %s", strerror(-err));
		ring_buffer__free(kicker->ring);
		free(kicker);
		return err;
	}
	*out = kicker;
	return 0;
}

void kicker_close(struct kicker *kicker)
{
	if (!kicker)
		return;
	kicker->is_over = true;
	pthread_join(kicker->thread, NULL);
	ring_buffer__free(kicker->ring);
	free(kicker);
}
