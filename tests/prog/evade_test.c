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
	{ "half a SACK block", false, NULL, { 5, 6, 127, 1, 2, 3, 1, 1 }, 8 },
	{ "SACK block and a byte", true, NULL, { 5, 11, 127, 1, 2, 3, 127, 1, 2, 4, 1, 1 }, 12 },
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

/* --- numbers ---------------------------------------------------------------------------------- */

#define POST_CHUNKED "POST /1/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* RFC 5961, 5.2: Linux drops a segment whose ACK is older than SND.UNA - MAX.SND.WND, which may be
 * a few bytes. */
TEST(old_ack, "a request with an old ACK goes on with the highest one")
{
	const struct packet *out;
	struct packet p;
	struct client c;
	struct node n;

	client_open(&c, false);
	node_open(&n, 1, &c, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	node_ack(&n);
	p = client_packet(&c, TCP_PSH | TCP_ACK, ALLOWED, strlen(ALLOWED));
	p.ack -= strlen(OK_5);
	out = expect_out(client_run(&p), NET_NODE1);
	EXPECT(out->len, strlen(ALLOWED));
	EXPECT(out->ack, n.seq);
}

struct edge_row {
	const char *name;
	bool v6;
	uint16_t window; /* of the backend, in 128 bytes */
};

static const struct edge_row edge_rows[] = {
	{ "closed", false, 0 },
	{ "closed, IPv6", true, 0 },
	{ "smaller than the request", false, 0 },
};

/* Opens a leg that has offered `window` bytes more. */
static void open_narrow(struct client *c, struct node *n, const struct edge_row *row,
			const char *request)
{
	client_open(c, row->v6);
	node_open(n, 1, c, request);
	n->window = row->window;
}

static void narrow_edge(const struct client *c, uint32_t room)
{
	struct leg leg = peek_leg(c, 1);

	leg.edge = leg.rnxt + room;
	peek_set_leg(c, 1, &leg);
}

TEST_ROWS(edge_head, "a request behind the backend's window is not read: closed", edge_rows)
{
	const struct edge_row *row = row_;
	uint32_t room = row - edge_rows == 2 ? strlen(ALLOWED) - 1 : 0;
	const struct packet *out;
	struct result *r;
	struct client c;
	struct node n;

	open_narrow(&c, &n, row, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	node_ack(&n);
	narrow_edge(&c, room);
	r = client_say(&c, ALLOWED);
	c.seq -= strlen(ALLOWED);
	EXPECT(r->counts[STAT_REQUESTS], 0);
	out = expect_out(r, NET_NODE1);
	EXPECT(out->len, 0);
	EXPECT(out->seq, n.ack - 1); /* makes it say how large its window is (RFC 9293, 3.8.6.1) */
	expect_counts(client_say(&c, DENIED), "REQUESTS CANNED");
}

TEST_ROWS(edge_open, "and is when it has opened", edge_rows)
{
	const struct edge_row *row = row_;
	struct client c;
	struct node n;

	open_narrow(&c, &n, row, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	node_ack(&n);
	narrow_edge(&c, 0);
	EXPECT(client_say(&c, ALLOWED)->counts[STAT_EARLY], 1);
	c.seq -= strlen(ALLOWED);
	n.window = 501;
	node_ack(&n);
	node_expect_text(&n, client_say(&c, ALLOWED), ALLOWED);
}

TEST_ROWS(edge_parked, "while another leg was in use", edge_rows)
{
	const struct edge_row *row = row_;
	struct client c;
	struct node n;

	open_narrow(&c, &n, row, GET("/1/a"));
	node_reply(&n, &c, OK_5);
	node_ack(&n);
	narrow_edge(&c, 0);
	client_expect_object(&c, client_say(&c, GET("/small")), SLOT_SMALL, false, false);
	client_ack(&c);
	n.window = 501;
	node_ack(&n);
	expect_counts(client_say(&c, ALLOWED), "REQUESTS MISS_ROUTE LEG_REUSED");
}

TEST(edge_chunk, "the head of a chunk behind the backend's window is not read")
{
	const char chunk[] = "5\r\nhello\r\n";
	struct client c;
	struct node n;
	struct flow f;

	client_open(&c, false);
	node_open(&n, 1, &c, POST_CHUNKED);
	node_ack(&n);
	narrow_edge(&c, 3 + 2);
	client_say(&c, chunk);
	f = peek_flow(&c);
	EXPECT(f.rcv_nxt, c.seq - strlen(chunk) + 5);
	EXPECT(f.body.left, 3);
}
