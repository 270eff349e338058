// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kicks that come late or to the wrong place, the timer itself, and who holds a sender: the table
 * is small here, ROOM_SENDERS.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "download.h"
#include "peek.h"

#define POLL_MS 10
#define POLLS 500

/* Ten segments are under way. */
static void begin(void)
{
	download_expect(download_begin(false, GET("/big"), SLOT_BIG, false), 10);
}

static void begin_huge(void)
{
	download_expect(download_begin(false, GET("/huge"), SLOT_HUGE, false), 10);
}

static void expect_nothing(uint32_t slot, uint32_t gen)
{
	struct result *r = run_kick(slot, gen, false);

	expect_verdict(r, DROP);
	expect_counts(r, "");
	expect_no_clones(r);
}

/*
 * 500 bytes lie in 1,024 of the allocator's, beside which the kernel counts 256 for struct sk_buff:
 * a whole segment's share of that, 1,448 * 256 / 1,280, is 1 and 33/256 more.
 */
#define SMALL_FRAME 500
#define SMALL_TRUESIZE 1280

TEST(truesize, "no segment whose receiver would take it for next to no payload")
{
	struct result *r;

	begin();
	download_wait(1000);
	r = run_kick_sized(peek_flow_slot(&download.c), peek_flow(&download.c).gen, false,
			   SMALL_FRAME);
	EXPECT_TRUE(r->n_clones);
	EXPECT(r->clones[0].packet.len, SMALL_TRUESIZE - 1);
}

TEST(strangers, "a kick for another connection of the slot, or for no slot: nothing")
{
	uint32_t slot, gen;

	begin();
	slot = peek_flow_slot(&download.c);
	gen = peek_flow(&download.c).gen;
	download_wait(1000);
	expect_nothing(slot, gen + 1);
	expect_nothing(slot + 1, gen);
	expect_nothing(ROOM_FLOW_BUCKETS * FLOW_WAYS, gen);
	expect_nothing(~0U, gen);
	DOWNLOAD_SEGMENTS(download_kick(), 9); /* it was due */
}

TEST(ended, "a kick for a closed flow: nothing")
{
	begin();
	download_wait(1000);
	client_send(&download.c, TCP_RST, NULL, 0);
	EXPECT(peek_flow(&download.c).state, FLOW_CLOSED);
	expect_no_clones(download_kick());
}

TEST(over, "a kick when the answer is over: nothing")
{
	begin();
	EXPECT_TRUE(peek_sender(&download.c).deadline_ns);
	download_expect_over(download_ack(download.len));
	EXPECT(peek_sender(&download.c).deadline_ns, 0);
	expect_nothing(peek_flow_slot(&download.c), peek_flow(&download.c).gen);
}

TEST(on_a_leg, "a kick for a flow whose leg is active: nothing")
{
	struct sender s;

	begin();
	s = peek_sender(&download.c);
	download_expect_over(download_ack(download.len));
	EXPECT_TRUE(client_say(&download.c, GET("/1/"))->counts[STAT_LEG_NEW]);
	s.deadline_ns = 1;
	peek_set_sender(&download.c, &s);
	expect_nothing(peek_flow_slot(&download.c), peek_flow(&download.c).gen);
}

TEST(single, "an answer of one segment has no sender: a kick sends nothing")
{
	client_open(&download.c, false);
	client_expect_object(&download.c, client_say(&download.c, GET("/small")), SLOT_SMALL, false,
			     false);
	EXPECT(peek_sender_slot(&download.c), -1);
	expect_nothing(peek_flow_slot(&download.c), peek_flow(&download.c).gen);
}

/* The timer itself. Everything else in these tests does without. */

static int n_kicks;
static struct kick last_kick;

static int on_kick(void *context, void *data, size_t size)
{
	(void)context;
	EXPECT(size, sizeof(last_kick));
	memcpy(&last_kick, data, sizeof(last_kick));
	n_kicks++;
	return 0;
}

static void wait_for_kicks(struct ring_buffer *ring)
{
	int i;

	n_kicks = 0;
	for (i = 0; i < POLLS && !n_kicks; i++)
		ring_buffer__poll(ring, POLL_MS);
	EXPECT_TRUE(n_kicks > 0);
}

struct mode_row {
	const char *name;
	bool is_served, v6;
};

static const struct mode_row mode_rows[] = {
	{ "the daemon serves it", true, false },
	{ "the daemon serves it, IPv6", true, true },
	{ "the daemon is dead", false, false },
	{ "the daemon is dead, IPv6", false, true },
};

TEST_ROWS(timer, "the timer fires and asks for a packet, again and again", mode_rows)
{
	const struct mode_row *row = row_;
	struct ring_buffer *ring = ring_buffer__new(room_map("kicks"), on_kick, NULL, NULL);
	struct flow f;
	struct kick kick;

	ring_buffer__consume(ring); /* of tests before this one */
	room_serve_kicks(row->is_served);
	room_run_timers(true);
	download_expect(download_begin(row->v6, GET("/big"), SLOT_BIG, false), 10);
	f = peek_flow(&download.c);
	wait_for_kicks(ring);
	EXPECT(last_kick.flow, peek_flow_slot(&download.c));
	EXPECT(last_kick.gen, f.gen);
	EXPECT(last_kick.is_v6, row->v6);
	wait_for_kicks(ring);
	ring_buffer__free(ring);
	errno = 0;
	EXPECT(bpf_map_lookup_and_delete_elem(room_map("pending_kicks"), NULL, &kick),
	       row->is_served ? -ENOENT : 0);
	download_wait(1000);
	EXPECT(download_kick()->counts[STAT_PROBES], 1);
}

struct end_row {
	const char *name;
	void (*end)(void);
};

static void end_acked(void)
{
	download_expect_over(download_ack(download.len));
}

static void end_reset(void)
{
	client_send(&download.c, TCP_RST, NULL, 0);
}

static void end_stale(void)
{
	room_set_object_gen(SLOT_BIG, 2);
	download_ack(DOWNLOAD_MSS);
}

static void end_evicted(void)
{
	struct flow f = peek_flow(&download.c);

	f.gen++;
	peek_set_flow(&download.c, &f);
}

static const struct end_row end_rows[] = {
	{ "the answer is over", end_acked },
	{ "the client resets the connection", end_reset },
	{ "the object is replaced: the gateway resets it", end_stale },
	{ "the flow is evicted", end_evicted },
};

TEST_ROWS(timer_ends, "a timer that nobody needs stops", end_rows)
{
	const struct end_row *row = row_;
	struct sender_entry e = {};
	uint32_t slot, i;

	room_run_timers(true);
	begin();
	slot = peek_sender_slot(&download.c);
	row->end();
	for (i = 0; i < POLLS; i++) {
		bpf_map_lookup_elem(room_map("senders"), &slot, &e);
		if (!e.sender.armed)
			break;
		usleep(POLL_MS * 1000);
	}
	EXPECT(e.sender.armed, 0);
}

/* The queue of a dead daemon: the next dropped packet of another connection serves it. */

static void push_kick(void)
{
	struct kick kick = { .flow = peek_flow_slot(&download.c),
			     .gen = peek_flow(&download.c).gen,
			     .is_v6 = download.c.v6 };
	uint32_t zero = 0, one = 1;

	room_map_update("pending_kicks", NULL, &kick);
	room_map_update("kicks_pending", &zero, &one);
}

struct pending_row {
	const char *name;
	bool flow_v6, packet_v6, is_served;
};

static const struct pending_row pending_rows[] = {
	{ "IPv4 by IPv4", false, false, true },
	{ "IPv6 by IPv6", true, true, true },
	{ "IPv4 by IPv6: not", false, true, false },
	{ "IPv6 by IPv4: not", true, false, false },
};

TEST_ROWS(pending, "a kick is served by another connection's packet", pending_rows)
{
	const struct pending_row *row = row_;
	struct client other;
	struct result *r;
	uint32_t pending, zero = 0;

	room_serve_kicks(false);
	client_open(&other, row->packet_v6);
	download_expect_new(download_begin(row->flow_v6, GET("/huge"), SLOT_HUGE, false));
	download_wait(1000);
	push_kick();
	r = client_send(&other, TCP_SYN | TCP_ACK, NULL, 0); /* answered: no packet to spare */
	expect_verdict(r, REDIRECT);
	expect_no_clones(r);
	other.seq--;
	r = client_ack(&other);
	expect_verdict(r, DROP);
	EXPECT(r->counts[STAT_PROBES], row->is_served);
	EXPECT(r->n_clones, row->is_served);
	if (row->is_served)
		DOWNLOAD_SEGMENTS(r, 10);
	bpf_map_lookup_elem(room_map("kicks_pending"), &zero, &pending);
	EXPECT(pending, !row->is_served); /* it waits for one of its family */
	expect_no_clones(client_ack(&other));
}

/* Who holds a sender. */

static struct client holders[ROOM_SENDERS];

/* Opens connections until one gets a sender for a long answer. */
static void take_sender(struct client *c)
{
	int i;

	for (i = 0; i < 4 * ROOM_SENDERS; i++) {
		client_open(c, false);
		if (!client_say(c, GET("/huge"))->counts[STAT_SENDER_FULL])
			return;
		client_send(c, TCP_RST, NULL, 0);
	}
	check_fail("sender: expected a free one, actual none");
}

static void set_silent(const struct client *c, int seconds)
{
	struct sender s = peek_sender(c);

	s.progress_ns = peek_now() - seconds * 1000000000ULL;
	peek_set_sender(c, &s);
}

TEST(full, "no sender is free: the request is put off; repeated later it is answered")
{
	struct packet again;
	struct result *r;
	struct flow f;
	int i;

	for (i = 0; i < ROOM_SENDERS; i++)
		take_sender(&holders[i]);
	client_open(&download.c, false);
	again = client_packet(&download.c, TCP_PSH | TCP_ACK, GET("/huge"), strlen(GET("/huge")));
	r = download_ask(GET("/huge"), SLOT_HUGE, false);
	expect_verdict(r, DROP); /* no ACK either */
	expect_counts(r, "REQUESTS HIT SENDER_FULL");
	expect_no_clones(r);
	r = client_run(&again);
	expect_verdict(r, DROP);
	expect_counts(r, "SENDER_FULL");
	room_run_timers(false); /* all are free */
	r = client_run(&again);
	download_run(r);
	download_expect_over(download_ack(download.len));
	f = peek_flow(&download.c);
	EXPECT(f.rcv_nxt, download.c.seq);
}

TEST(stolen, "a sender without progress is given away; its answer goes on when the client speaks")
{
	int i, n = 0;

	room_serve_kicks(false);
	begin_huge();
	for (i = 1; i < ROOM_SENDERS; i++)
		take_sender(&holders[i]);
	EXPECT_TRUE(peek_sender_slot(&download.c) >= 0);
	set_silent(&download.c, 1);
	take_sender(&holders[0]);
	EXPECT(peek_sender_slot(&download.c), -1);
	expect_no_clones(download_ack(10 * DOWNLOAD_MSS)); /* none is free for it either */
	for (i = 0; i < ROOM_SENDERS; i++)
		set_silent(&holders[i], 1);
	download_expect_new(download_ack(10 * DOWNLOAD_MSS));
	for (i = 0; i < ROOM_SENDERS; i++)
		n += peek_sender_slot(&holders[i]) < 0;
	EXPECT(n, 1);
	download_run(download_ack(download.sent));
	download_expect_over(download_ack(download.len));
}

/* Its request is acknowledged: without a timer nobody would ever repeat anything. */
TEST(robbed, "a served sender is kept for 10 s, then its connection ends with it")
{
	struct result *r;
	int i;

	begin_huge();
	for (i = 1; i < ROOM_SENDERS; i++)
		take_sender(&holders[i]);
	set_silent(&download.c, 9);
	for (i = 0; i < ROOM_SENDERS; i++) {
		client_open(&holders[0], false);
		EXPECT(client_say(&holders[0], GET("/huge"))->counts[STAT_SENDER_FULL], 1);
		client_send(&holders[0], TCP_RST, NULL, 0);
	}
	set_silent(&download.c, 11);
	take_sender(&holders[0]);
	r = download_ack(10 * DOWNLOAD_MSS);
	EXPECT(expect_out(r, NET_UPLINK)->flags, TCP_RST);
}

TEST(locked, "a sender whose holder is being served is not taken")
{
	struct flow f;
	int i;

	begin_huge();
	for (i = 1; i < ROOM_SENDERS; i++)
		take_sender(&holders[i]);
	set_silent(&download.c, 1);
	f = peek_flow(&download.c);
	f.owner = 1;
	peek_set_flow(&download.c, &f);
	for (i = 0; i < ROOM_SENDERS; i++) {
		client_open(&holders[0], false);
		EXPECT(client_say(&holders[0], GET("/huge"))->counts[STAT_SENDER_FULL], 1);
		client_send(&holders[0], TCP_RST, NULL, 0);
	}
	EXPECT_TRUE(peek_sender_slot(&download.c) >= 0);
}
