// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments that Node's TCP would throw away must not be read as requests: the client could send
 * other bytes in their place afterwards, which pass as a repetition, past `deny` and the rules of
 * what may be forwarded.
 */
#include <string.h>

#include "peek.h"
#include "prog_node.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define ALLOWED GET("/1/aa")
#define DENIED GET("/deny") /* as long */

struct lie_row {
	const char *name;
	bool v6;
	void (*lie)(uint8_t *frame, size_t l4);
	uint8_t options[28]; /* behind the timestamps */
	uint8_t options_len;
};

static void tcp_sum(uint8_t *frame, size_t l4)
{
	frame[l4 + 17] ^= 0x10;
}

static void tcp_sum_payload(uint8_t *frame, size_t l4)
{
	frame[l4 + 32 + 5] ^= 0x02; /* the path */
}

static void ip_sum(uint8_t *frame, size_t l4)
{
	(void)l4;
	frame[PACKET_ETH + 10] ^= 0x01;
}

static void ip_version(uint8_t *frame, size_t l4)
{
	(void)l4;
	frame[PACKET_ETH] ^= 0x10;
}

static const struct lie_row lie_rows[] = {
	{ "wrong TCP checksum", false, tcp_sum, {}, 0 },
	{ "wrong TCP checksum, IPv6", true, tcp_sum, {}, 0 },
	{ "a byte changed on the way", false, tcp_sum_payload, {}, 0 },
	{ "a byte changed on the way, IPv6", true, tcp_sum_payload, {}, 0 },
	{ "wrong IPv4 checksum", false, ip_sum, {}, 0 },
	{ "IPv6 with version 7", true, ip_version, {}, 0 },
	{ "MD5 signature (RFC 2385)", false, NULL, { 1, 1, 19, 18 }, 20 },
	{ "MD5 signature, IPv6", true, NULL, { 1, 1, 19, 18 }, 20 },
	{ "authentication option (RFC 5925)", false, NULL, { 29, 16 }, 16 },
	{ "option of length 0", false, NULL, { 77, 0, 0, 0 }, 4 },
	{ "option of length 1", true, NULL, { 77, 1, 0, 0 }, 4 },
	{ "option beyond the header", false, NULL, { 77, 255, 0, 0, 0, 0, 0, 0 }, 8 },
	{ "option at the header's end, IPv6",
	  true,
	  NULL,
	  { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 77, 9 },
	  28 },
	{ "option one byte too long", true, NULL, { 77, 9, 0, 0, 0, 0, 0, 0 }, 8 },
};

static struct result *run_lie(struct client *c, const struct lie_row *row)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p =
		client_packet(c, TCP_PSH | TCP_ACK, (const uint8_t *)ALLOWED, strlen(ALLOWED));
	size_t len;

	packet_option(&p, row->options, row->options_len);
	len = packet_build(&p, frame);
	if (row->lie)
		row->lie(frame, packet_l4(p.v6));
	return run_frame(UPLINK_INGRESS, frame, len, net_ifindex(NET_UPLINK), 0);
}

static void expect_unread(const struct result *r)
{
	expect_verdict(r, DROP);
	expect_counts(r, "DROP_MALFORMED");
	expect_no_clones(r);
}

TEST_ROWS(lies_kernel, "kernel is the destination, not read", lie_rows)
{
	const struct lie_row *row = row_;
	struct client c;

	client_open(&c, row->v6);
	expect_unread(run_lie(&c, row));
	expect_counts(client_say(&c, DENIED), "REQUESTS CANNED");
}

TEST_ROWS(lies_leg, "a leg is, not read", lie_rows)
{
	const struct lie_row *row = row_;
	struct client c;
	struct node n;

	client_open(&c, row->v6);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	node_ack(&n);
	expect_unread(run_lie(&c, row));
	expect_counts(client_say(&c, DENIED), "REQUESTS CANNED");
}

TEST_ROWS(lies_begin, "first data of a connection, not read", lie_rows)
{
	const struct lie_row *row = row_;
	struct client c;

	client_init(&c, row->v6);
	client_syn(&c);
	expect_unread(run_lie(&c, row));
	EXPECT(peek_flow_slot(&c), -1);
	expect_counts(client_say(&c, DENIED), "COOKIE_OK REQUESTS CANNED");
}
