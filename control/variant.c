// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gzip (RFC 1952) by zlib and br (RFC 7932) by libbrotlienc. Slow and small: a body is coded once
 * and sent many times.
 */
#include <brotli/encode.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "variant.h"

#define BODY_MIN 256 /* below, the header block is most of the answer */
#define BROTLI_EFFORT 9
#define GZIP_WINDOW (MAX_WBITS + 16) /* 16: gzip's header and trailer in place of zlib's */
#define GZIP_MEMORY 9

const char *variant_name(enum coding coding)
{
	return coding == CODING_BROTLI ? "br" : "gzip";
}

static size_t make_brotli(const void *body, size_t len, void *out, size_t size)
{
	if (!BrotliEncoderCompress(BROTLI_EFFORT, BROTLI_DEFAULT_WINDOW, BROTLI_DEFAULT_MODE, len,
				   body, &size, out))
		return 0;
	return size;
}

static size_t make_gzip(const void *body, size_t len, void *out, size_t size)
{
	z_stream stream = { .next_in = (z_const Bytef *)(uintptr_t)body,
			    .avail_in = (uInt)len,
			    .next_out = out,
			    .avail_out = (uInt)size };
	bool is_whole;

	if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	is_whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
	deflateEnd(&stream);
	return is_whole ? stream.total_out : 0;
}

size_t variant_make(enum coding coding, const void *body, size_t len, void *out)
{
	size_t size = len - len / 10; /* more than that is not worth it */

	if (len < BODY_MIN)
		return 0;
	return coding == CODING_BROTLI ? make_brotli(body, len, out, size) :
					 make_gzip(body, len, out, size);
}
