/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing of chunked bodies (RFC 9112, 7.1), cut at any byte. The state, struct http_chunks of
 * abi.h, is all that is kept; zeroed it expects the first chunk. http_chunked_step() consumes a
 * window of bytes; http_body.h walks a packet with it and jumps over the chunks' data.
 *
 * Strict: CRLF only, no white space around sizes, extensions and trailers of plain bytes, trailers
 * without framing fields. llhttp refuses more (malformed extensions); what it takes is framed
 * alike.
 */
#ifndef SLUICE_HTTP_CHUNKED_H
#define SLUICE_HTTP_CHUNKED_H

#include "abi.h"
#include "http_scan.h"

#define HTTP_CHUNK_DIGITS 16   /* of a size, leading zeros included */
#define HTTP_CHUNK_EXTRA 16384 /* bytes of extensions and trailers of one body; Node's limit */

enum http_body_result {
	HTTP_BODY_MORE,	    /* all bytes belong to the body, and it goes on */
	HTTP_BODY_DONE,	    /* the body ended; bytes behind it may be left */
	HTTP_BODY_BAD,	    /* malformed: nothing behind it can be trusted */
	HTTP_BODY_TOO_MANY, /* too many chunks for one run; all counted bytes belong to the body */
};

/* http_chunks.phase. Zero is the start. */
enum chunk_phase {
	CHUNK_SIZE,
	CHUNK_EXTENSION, /* behind ';', up to CR: enum chunk_extension */
	CHUNK_SIZE_LF,
	CHUNK_DATA, /* `left` bytes to come */
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* first byte of a trailer line */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_DONE,
};

/* http_chunks.digits in CHUNK_EXTENSION (RFC 9112, 7.1.1; no white space: llhttp takes none). */
enum chunk_extension {
	EXTENSION_BEGIN, /* a name is due */
	EXTENSION_NAME,
	EXTENSION_EQUALS, /* a value is due */
	EXTENSION_VALUE,
	EXTENSION_QUOTED,
	EXTENSION_ESCAPED,
	EXTENSION_CLOSED, /* behind the second quote */
};

/* Read and written in memory each time: in registers the state would be too much to verify. */
typedef volatile struct http_chunks http_chunks_state;

/* A byte of a chunk's size, or behind it. */
static __always_inline bool http_chunk_size(http_chunks_state *c, __u8 byte)
{
	__u64 digit = byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10;

	if (http_is(byte, HTTP_HEX)) {
		if (c->digits >= HTTP_CHUNK_DIGITS || c->left >> 58)
			return false;
		c->digits++;
		c->left = c->left << 4 | digit;
		return true;
	}
	if (!c->digits || (byte != '\r' && byte != ';'))
		return false;
	c->digits = 0;
	c->phase = byte == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
	return true;
}

/* A byte of a trailer's value: `end` is the phase behind CR. */
static __always_inline bool http_chunk_text(http_chunks_state *c, __u8 byte, __u8 end)
{
	if (byte == '\r')
		c->phase = end;
	else if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
		return false;
	return c->trailer++ < HTTP_CHUNK_EXTRA;
}

/* The state behind this byte of an extension, from which neither a quote nor CR is near; or -1. */
static __always_inline int http_chunk_extension_next(__u8 state, __u8 byte)
{
	bool is_whole = state == EXTENSION_NAME || state == EXTENSION_VALUE ||
			state == EXTENSION_CLOSED;

	if (byte == ';')
		return is_whole ? EXTENSION_BEGIN : -1;
	if (byte == '=')
		return state == EXTENSION_NAME ? EXTENSION_EQUALS : -1;
	if (byte == '"')
		return state == EXTENSION_EQUALS ? EXTENSION_QUOTED : -1;
	if (state == EXTENSION_CLOSED || !http_is(byte, HTTP_TOKEN))
		return -1;
	return state <= EXTENSION_NAME ? EXTENSION_NAME : EXTENSION_VALUE;
}

/* A byte of a chunk's extensions. */
static __always_inline bool http_chunk_extension(http_chunks_state *c, __u8 byte)
{
	__u8 state = c->digits;
	int next;

	if (state == EXTENSION_QUOTED || state == EXTENSION_ESCAPED) {
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return false;
		next = EXTENSION_QUOTED;
		if (state == EXTENSION_QUOTED && byte == '"')
			next = EXTENSION_CLOSED;
		else if (state == EXTENSION_QUOTED && byte == '\\')
			next = EXTENSION_ESCAPED;
	} else if (byte == '\r') {
		if (state == EXTENSION_BEGIN || state == EXTENSION_EQUALS)
			return false;
		c->phase = CHUNK_SIZE_LF;
		next = 0;
	} else {
		next = http_chunk_extension_next(state, byte);
		if (next < 0)
			return false;
	}
	c->digits = next;
	return c->trailer++ < HTTP_CHUNK_EXTRA;
}

/*
 * Names that a trailer must not have (RFC 9110, 6.5.1): llhttp 6 (Node 18) reads another body
 * behind them, later ones refuse. They are hashed byte by byte, in `left`, which is 0 at the end of
 * a body; another name with one of these hashes would be refused as well.
 */
#define HTTP_TRAILER_HASH(hash, byte) ((hash) * 131 + ((byte) | 0x20))
#define HTTP_TRAILER_LENGTH 0x32a989edf5322ddaULL /* content-length */
#define HTTP_TRAILER_CODING 0x23e53dcc3aed110dULL /* transfer-encoding */

/* A byte of a trailer's name, or of the end of the body. */
static __always_inline bool http_chunk_trailer(http_chunks_state *c, __u8 byte)
{
	__u64 hash = c->left;

	if (c->phase == CHUNK_TRAILER && byte == '\r') {
		c->phase = CHUNK_END_LF;
	} else if (http_is(byte, HTTP_TOKEN)) {
		c->phase = CHUNK_TRAILER_NAME;
		c->left = HTTP_TRAILER_HASH(hash, byte);
	} else if (c->phase == CHUNK_TRAILER_NAME && byte == ':') {
		c->phase = CHUNK_TRAILER_VALUE;
		c->left = 0;
		if (hash == HTTP_TRAILER_LENGTH || hash == HTTP_TRAILER_CODING)
			return false;
	} else {
		return false;
	}
	return c->trailer++ < HTTP_CHUNK_EXTRA;
}

/* One byte, not of a chunk's data. False: malformed. */
static __always_inline bool http_chunk_byte(http_chunks_state *c, __u8 byte)
{
	switch (c->phase) {
	case CHUNK_SIZE:
		return http_chunk_size(c, byte);
	case CHUNK_EXTENSION:
		return http_chunk_extension(c, byte);
	case CHUNK_SIZE_LF:
		c->phase = c->left ? CHUNK_DATA : CHUNK_TRAILER;
		return byte == '\n';
	case CHUNK_DATA_CR:
		c->phase = CHUNK_DATA_LF;
		return byte == '\r';
	case CHUNK_DATA_LF:
		c->phase = CHUNK_SIZE;
		return byte == '\n';
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_NAME:
		return http_chunk_trailer(c, byte);
	case CHUNK_TRAILER_VALUE:
		return http_chunk_text(c, byte, CHUNK_TRAILER_LF);
	case CHUNK_TRAILER_LF:
		c->phase = CHUNK_TRAILER;
		return byte == '\n';
	case CHUNK_END_LF:
		c->phase = CHUNK_DONE;
		return byte == '\n';
	default:
		return false;
	}
}

/* Counts up to `len` bytes of the chunk's data as seen. Returns how many there are. */
static __always_inline __u32 http_chunk_skip(http_chunks_state *c, __u32 len)
{
	__u64 left = c->left;
	__u32 n = left < len ? left : len;

	if (c->phase != CHUNK_DATA)
		return 0;
	c->left = left - n;
	if (left == n)
		c->phase = CHUNK_DATA_CR;
	return n;
}

#define HTTP_WINDOW 64 /* bytes that http_chunked_step() looks at; a power of two */

/*
 * Consumes window[0, len), len <= HTTP_WINDOW, and adds to `consumed` how many of its bytes belong
 * to the body: all, unless that ended or is malformed. Returns enum http_body_result but TOO_MANY.
 * In BPF `consumed` is no stack memory: as a cursor of which the verifier knows nothing.
 */
static __always_inline int http_chunked_step(http_chunks_state *c, const __u8 *window, __u32 len,
					     volatile __u32 *consumed)
{
	__u32 start = *consumed;
	__u32 at;

	while (HTTP_CAN_LOOP) {
		at = *consumed - start;
		if (at >= len)
			break;
		if (c->phase == CHUNK_DATA) {
			*consumed += http_chunk_skip(c, len - at);
			continue;
		}
		*consumed += 1;
		HTTP_OPAQUE(at);
		if (!http_chunk_byte(c, window[at & (HTTP_WINDOW - 1)]))
			return HTTP_BODY_BAD;
		if (c->phase == CHUNK_DONE)
			return HTTP_BODY_DONE;
	}
	return HTTP_BODY_MORE;
}

#endif
