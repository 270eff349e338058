// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The HTTP parsers as BPF programs, for http_parse_load.c: each copies the packet's bytes from
 * PAYLOAD_OFF on into the per-CPU scratch and parses them. They return enum http_result.
 * `copy_only` does everything but parse: what is to be subtracted from the others' run time.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "http_body.h"
#include "http_request.h"
#include "http_response.h"

#define PAYLOAD_OFF 54 /* Ethernet, IPv4 and TCP headers */

struct scratch {
	struct http_scratch http;
	struct http_chunks chunks;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct http_scratch *scratch_fill(struct __sk_buff *skb)
{
	struct http_scratch *s;
	__u32 key = 0;
	__u32 len;

	s = bpf_map_lookup_elem(&scratches, &key); /* http is its first member */
	if (!s || skb->len <= PAYLOAD_OFF)
		return NULL;
	len = skb->len - PAYLOAD_OFF;
	if (len > HTTP_BUF_BYTES)
		len = HTTP_BUF_BYTES;
	if (!len || bpf_skb_load_bytes(skb, PAYLOAD_OFF, s->buf, len))
		return NULL;
	s->len = len;
	return s;
}

SEC("tc")
int copy_only(struct __sk_buff *skb)
{
	struct http_scratch *s = scratch_fill(skb);

	return s ? s->len : 0;
}

SEC("tc")
int parse_request(struct __sk_buff *skb)
{
	struct http_scratch *s = scratch_fill(skb);

	return s ? http_request_run(s) : HTTP_BAD;
}

SEC("tc")
int parse_response(struct __sk_buff *skb)
{
	struct http_scratch *s = scratch_fill(skb);

	return s ? http_response_run(s) : HTTP_BAD;
}

/* Frames the packet as a chunked body, from its first byte on. Returns enum http_body_result. */
SEC("tc")
int walk_chunks(struct __sk_buff *skb)
{
	struct scratch *s;
	__u32 used = 0;
	__u32 key = 0;

	s = bpf_map_lookup_elem(&scratches, &key);
	if (!s || skb->len <= PAYLOAD_OFF)
		return HTTP_BODY_BAD;
	__builtin_memset(&s->chunks, 0, sizeof(s->chunks));
	return http_body_advance(skb, PAYLOAD_OFF, skb->len - PAYLOAD_OFF, &s->chunks, true, &used);
}

char _license[] SEC("license") = "GPL";
