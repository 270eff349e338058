// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Streams, and the packets of both ends.
 */
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "peek.h"

static const char *place; /* of the packet in the script, for messages */

static void expect_stream(const char *what, const struct stream *s, const struct packet *p)
{
	uint32_t at = p->seq - s->start;

	if (!p->len)
		return;
	check_step("%s: %s: %u bytes at %d of %u", place, what, p->len, (int)at, s->len);
	EXPECT_TRUE(at <= s->len && p->len <= s->len - at);
	expect_bytes("payload", p->payload, p->len, s->bytes + at, p->len);
}

static void expect_between(const char *what, uint32_t value, uint32_t low, uint32_t high)
{
	if (value - low > high - low)
		check_fail("%s: expected %u to %u, actual %u", what, low, high, value);
}

static void expect_to_client(const struct conn *k, const struct packet *p)
{
	uint32_t start = k->to_client.start, end = start + k->to_client.len;

	expect_stream("to the client", &k->to_client, p);
	check_step("%s: to the client, flags %x, %u bytes", place, p->flags, p->len);
	if (p->flags & TCP_RST)
		check_fail("a RST");
	expect_between("seq", p->seq, start - 1, end);
	expect_between("ack", p->ack, k->req_start, k->req_end);
}

static void expect_to_leg(const struct leg_side *leg, const struct packet *p)
{
	expect_stream("to the backend", &leg->to, p);
	check_step("%s: to the backend, flags %x, %u bytes", place, p->flags, p->len);
	if (p->flags & TCP_RST)
		return;
	expect_between("seq", p->seq, leg->to.start - 1, leg->to.start + leg->to.len);
	expect_between("ack", p->ack, leg->from, leg->node.seq);
}

static struct conn *conn_of(struct conn *conns, int n, uint16_t port)
{
	int i;

	for (i = 0; i < n; i++)
		if (conns[i].c.port == port)
			return &conns[i];
	return NULL; /* of a batch before */
}

void conns_expect(struct conn *conns, int n, const char *where, const uint8_t *frame, size_t len)
{
	const char *complaint;
	struct packet p;
	struct conn *k;
	int id;

	place = where;
	complaint = packet_parse(frame, len, &p);
	if (complaint)
		check_fail("packet out: %s", complaint);
	if (p.dport != NET_NODE_PORT) {
		k = conn_of(conns, n, p.dport);
		if (k)
			expect_to_client(k, &p);
		return;
	}
	k = conn_of(conns, n, p.sport);
	for (id = 1; k && id <= 2; id++) {
		struct ip_addr addr = packet_addr(net_node_addr(id, p.v6));

		if (!memcmp(&addr, &p.dst, sizeof(addr)) && k->legs[id].is_open)
			expect_to_leg(&k->legs[id], &p);
	}
}

void job_ack(struct job *job, struct conn *k)
{
	struct packet p = client_packet(&k->c, TCP_ACK, NULL, 0);

	job_packet(job, UPLINK_INGRESS, &p, NET_UPLINK);
}

void job_kick(struct job *job, const struct conn *k)
{
	struct packet template = { .v6 = k->c.v6, .flags = TCP_ACK };

	job_packet(job, KICK, &template, NET_UPLINK);
	job->ifindex = 0;
	job->cb[0] = peek_flow_slot(&k->c);
	job->cb[1] = peek_flow(&k->c).gen;
}

void job_request(struct job *job, struct conn *k, const char *path)
{
	int n = snprintf(k->text, sizeof(k->text),
			 "GET %s HTTP/1.1\r\nHost: a\r\nX-Connection: %u at %u\r\n\r\n", path,
			 k->c.port, k->c.seq - k->req_start);

	k->request = client_packet(&k->c, TCP_PSH | TCP_ACK, k->text, n);
	k->c.seq += n;
	k->req_end = k->c.seq;
	job_packet(job, UPLINK_INGRESS, &k->request, NET_UPLINK);
}

void job_request_again(struct job *job, const struct conn *k)
{
	job_packet(job, UPLINK_INGRESS, &k->request, NET_UPLINK);
}

void conn_asks(struct conn *k, int id)
{
	struct leg_side *leg = &k->legs[id];

	if (!leg->is_open) {
		node_accept(&leg->node, id, &k->request);
		leg->to.start = k->request.seq;
		leg->to.len = 0;
		leg->from = k->request.ack;
		leg->is_open = true;
	} else {
		leg->node.ack += k->request.len;
	}
	leg->delta_in = k->request.seq - (leg->to.start + leg->to.len);
	leg->delta_out = k->request.ack - leg->node.seq;
	stream_put(&leg->to, k->request.payload, k->request.len);
}

struct packet conn_response(struct conn *k, int id)
{
	struct leg_side *leg = &k->legs[id];
	static uint8_t bytes[512];
	uint32_t word[2] = { k->c.port, k->to_client.len };
	size_t n = sprintf((char *)bytes, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 320);
	struct packet p;
	int i;

	for (i = 0; i < 40; i++, n += 8, word[1] += 8)
		memcpy(bytes + n, word, 8);
	p = node_packet(&leg->node, TCP_PSH | TCP_ACK, bytes, n);
	leg->node.seq += n;
	stream_put(&k->to_client, bytes, n);
	return p;
}

void conn_has_all(struct conn *k)
{
	k->c.ack = k->to_client.start + k->to_client.len;
}

void job_node(struct job *job, const struct packet *p, int id)
{
	job_packet(job, BACKEND_RETURN, p, id);
}

void job_probe(struct job *job, struct conn *k, int id)
{
	struct packet p = node_packet(&k->legs[id].node, TCP_ACK, NULL, 0);

	p.seq--;
	job_node(job, &p, id);
}
