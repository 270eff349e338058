/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "maps.h"
SEC("tc") int uplink_ingress(struct __sk_buff *skb) { return -1; }
SEC("tc") int uplink_egress(struct __sk_buff *skb) { return -1; }
SEC("tc") int backend_return(struct __sk_buff *skb) { return -1; }
SEC("tc") int backend_accept(struct __sk_buff *skb) { return -1; }
char _license[] SEC("license") = "GPL";
