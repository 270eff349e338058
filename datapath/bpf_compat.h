/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's BTF does not carry (macros) or libbpf 1.1 does not know yet, and the few
 * compiler tricks that the verifier asks for. Nothing here knows about HTTP or flows.
 */
#ifndef SLUICE_BPF_COMPAT_H
#define SLUICE_BPF_COMPAT_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_HLEN 14
#define ETH_ALEN 6
#define AF_INET 2
#define AF_INET6 10
#define IFINDEX_LO 1 /* of every netns */
#define PACKET_HOST 0
#define CHECKSUM_UNNECESSARY 1
#define CHECKSUM_PARTIAL 3

#define TCX_NEXT -1
#define TCX_DROP 2
#define TC_ACT_REDIRECT 7

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* Global functions: a pointer argument that is never NULL (kernel 6.8, btf_prepare_func_args). */
#define NONNULL __attribute__((btf_decl_tag("arg:nonnull")))

/*
 * True if 0 < n <= max, as two comparisons of the register that is used afterwards: clang would
 * make one of them, `n - max - 1 < -max`, from which Linux 6.12 learns nothing about n ("R4 invalid
 * zero-sized read").
 */
#define is_length(n, max)                                                                          \
	({                                                                                         \
		bool is_one = false;                                                               \
		if (n) {                                                                           \
			barrier_var(n);                                                            \
			if (n <= (max))                                                            \
				is_one = true;                                                     \
		}                                                                                  \
		is_one;                                                                            \
	})

/* `if (can_loop)`: a loop that the verifier need not unroll (may_goto, kernel 6.9). */
#define can_loop                                                                                   \
	({                                                                                         \
		__label__ l_break, l_continue;                                                     \
		bool ret = true;                                                                   \
		asm volatile goto("may_goto %l[l_break]" ::: : l_break);                           \
		goto l_continue;                                                                   \
	l_break:                                                                                   \
		ret = false;                                                                       \
	l_continue:;                                                                               \
		ret;                                                                               \
	})

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk,
				   struct bpf_tcp_req_attrs *attrs, int attrs__sz) __ksym;
extern void *bpf_cast_to_kern_ctx(void *obj) __ksym;

#endif
