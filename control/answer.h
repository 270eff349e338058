/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Header blocks and small bodies of the answers that the kernel gives. */
#ifndef SLUICE_ANSWER_H
#define SLUICE_ANSWER_H

#include "abi.h"
#include "config.h"
#include "store.h"

struct answer {
	char head[HEAD_MAX + 1], close_head[HEAD_MAX + 1];
	char body[HEADER_VALUE_BYTES + sizeof("\r\n\r\n")];
	struct object_source source; /* points into this struct, and to a component's bytes */
};

/* What a component is answered with. */
struct answer_body {
	const void *bytes; /* must outlive the answer */
	size_t len;
	const char *coding; /* Content-Encoding; NULL: none */
	uint32_t modified;  /* Last-Modified, seconds since 1970; 0: none */
	bool has_variants;  /* in other codings */
};

/* 200, with an ETag of its own. 0 or -E2BIG. */
int answer_component(struct answer *out, const struct config_component *component,
		     const struct answer_body *body);
/* A deny or redirect route's answer (location NULL: no redirect). 0 or -E2BIG. */
int answer_route(struct answer *out, int status, const char *location);
/* A redirect's answer whose location has REDIRECT_URI in it: the header blocks end before it, the
 * body is what comes behind it. 0 or -E2BIG. */
int answer_uri(struct answer *out, int status, const char *location);
/* One of the datapath's own errors; it always ends the connection. */
int answer_error(struct answer *out, enum canned which);

#endif
