// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog_client.h"
TEST(first, "first light")
{
	struct client c;
	struct result *r;

	client_init(&c, false);
	r = client_syn(&c);
	expect_counts(r, "SYN");
	r = client_ack(&c);
	expect_verdict(r, DROP);
	expect_counts(r, "COOKIE_OK");
	r = client_say(&c, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
	expect_counts(r, "REQUESTS HIT");
	client_expect_object(&c, r, SLOT_SMALL, false, false);
}
