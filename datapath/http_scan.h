/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte scanning for the HTTP parsers: eight bytes a step (SWAR) on 64-bit loads, byte classes, and
 * the loop guard that keeps the verifier content. Compiles for BPF and natively; the including BPF
 * program brings vmlinux.h and bpf_helpers.h.
 *
 * Every *_stops() returns a mask with bit 7 set in bytes that end the run. Only its lowest set bit
 * is exact: carries and borrows go upwards, from bytes that are flagged themselves.
 */
#ifndef SLUICE_HTTP_SCAN_H
#define SLUICE_HTTP_SCAN_H

#ifndef __bpf__
#include <linux/types.h>
#include <stdbool.h>
#include <string.h>
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/*
 * Functions off the fast path are global ones in BPF: the verifier looks at each once, whoever
 * calls them, and their pointer argument is not NULL (6.8+).
 */
#ifdef __bpf__
#define HTTP_FUNC __attribute__((noinline))
#define HTTP_NONNULL __attribute__((btf_decl_tag("arg:nonnull")))
#else
#define HTTP_FUNC static __attribute__((noinline, unused))
#define HTTP_NONNULL
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the scanners load little-endian words"
#endif

#define HTTP_BUF_BYTES 16384 /* longest head that is parsed; Node's own limit is 16 KB */
#define HTTP_BUF_SLACK 64    /* readable bytes behind it, of any content */

#define HTTP_ONES 0x0101010101010101ULL
#define HTTP_REP(byte) (HTTP_ONES * (byte))
#define HTTP_HIGH HTTP_REP(0x80)
#define HTTP_CRLF ('\r' | '\n' << 8) /* as a little-endian number */

/* Results of the parsers. */
enum http_result {
	HTTP_INCOMPLETE,
	HTTP_COMPLETE,
	HTTP_BAD,
};

/* Loop guard: `while (cond && HTTP_CAN_LOOP)`. The kernel ends it after millions of rounds. */
#ifdef __bpf__
#define HTTP_CAN_LOOP                                                                              \
	({                                                                                         \
		__label__ l_break, l_go;                                                           \
		bool go_on = true;                                                                 \
		asm volatile goto("may_goto %l[l_break]" : : : : l_break);                         \
		goto l_go;                                                                         \
	l_break:                                                                                   \
		go_on = false;                                                                     \
	l_go:;                                                                                     \
		go_on;                                                                             \
	})
#else
#define HTTP_CAN_LOOP true
#endif

/*
 * Hides where a value comes from: clang would check one expression and access memory with another
 * ("R3 max value is outside of the allowed memory range", clang 19, 6.18). Costs nothing.
 */
#ifdef __bpf__
#define HTTP_OPAQUE(value) asm volatile("" : "+r"(value))
#else
#define HTTP_OPAQUE(value) ((void)(value))
#endif

static __always_inline __u64 http_load8(const __u8 *buf, __u64 off)
{
#ifdef __bpf__
	return *(const __u64 *)(buf + off);
#else
	__u64 word;

	memcpy(&word, buf + off, sizeof(word));
	return word;
#endif
}

static __always_inline __u16 http_load2(const __u8 *buf, __u64 off)
{
#ifdef __bpf__
	return *(const __u16 *)(buf + off);
#else
	__u16 half;

	memcpy(&half, buf + off, sizeof(half));
	return half;
#endif
}

/*
 * Is `pos` beyond what can be read? A comparison with a constant bounds it for the verifier; one
 * with the length does not for long: may_goto widens the register that holds it.
 */
static __always_inline bool http_beyond(__u64 pos)
{
	return pos >= HTTP_BUF_BYTES;
}

/*
 * An index into the buffer that the verifier accepts wherever it comes from. Comparing with the
 * length does not bound it for long: may_goto widens the register that holds the length.
 */
static __always_inline __u64 http_masked(__u64 index)
{
	HTTP_OPAQUE(index); /* clang may know better and drop the mask */
	return index & (HTTP_BUF_BYTES - 1);
}

/*
 * Is `pos` before `end` (<= HTTP_BUF_BYTES)? Then it is masked in place, which gives each round of
 * a loop the same bounds: `while (http_before(&pos, end) && HTTP_CAN_LOOP)`.
 */
static __always_inline bool http_before(__u64 *pos, __u64 end)
{
	if (*pos >= end)
		return false;
	*pos = http_masked(*pos);
	return true;
}

/* All bits of the bytes below the first stop; everything when there is none. */
static __always_inline __u64 http_below(__u64 stops)
{
	stops >>= 7;
	return (stops - 1) & ~stops;
}

/* One more than the index of the byte that holds the first stop; there is one. */
static __always_inline __u64 http_behind(__u64 stops)
{
	/* the lowest stop, 1 << (8 * i + 7), moves i + 1 to the topmost four bits */
	return ((stops & (0 - stops)) * 0x0020406080a0c0e1ULL) >> 60;
}

/* Number of bytes before the first stop; 8 when there is none. */
static __always_inline __u64 http_count(__u64 stops)
{
	return stops ? http_behind(stops) - 1 : 8;
}

/*
 * Not visible ASCII, not SP: control bytes, DEL, and obs-text, which the callers tell apart. The
 * other bits of the bytes are noise.
 */
static __always_inline __u64 http_value_flags(__u64 word)
{
	return (word - HTTP_REP(0x20)) | (word + HTTP_ONES);
}

/* Control bytes but HTAB: what may not occur in a field value (RFC 9110, 5.5). */
static __always_inline __u64 http_control_stops(__u64 word)
{
	__u64 low = word & ~HTTP_HIGH;
	__u64 visible = ((low + HTTP_ONES) & ~HTTP_HIGH) + HTTP_REP(0x5f);
	__u64 tab = (low ^ HTTP_REP('\t')) + HTTP_REP(0x7f);

	return ~(visible | word) & tab & HTTP_HIGH;
}

/* Letters and '-': what nearly all field names consist of. Other token bytes: http_classes. */
static __always_inline __u64 http_name_stops(__u64 word)
{
	__u64 lower = word | HTTP_REP(0x20);
	__u64 other = (HTTP_REP(0xe0) - lower) | (lower + HTTP_REP(0x05));
	__u64 dash = (word ^ HTTP_REP('-')) + HTTP_REP(0x7f);

	return ((other & dash) | word) & HTTP_HIGH;
}

/* Is the first stop, if there is one, a colon? */
static __always_inline bool http_stops_at_colon(__u64 word, __u64 stops)
{
	return stops & (0 - stops) & ((word ^ HTTP_REP(':')) - HTTP_ONES);
}

/* Letters, digits, '-', '.', '/' and '_'. */
static __always_inline __u64 http_path_stops(__u64 word)
{
	__u64 lower = word | HTTP_REP(0x20);
	__u64 letter = (HTTP_REP(0xe0) - lower) | (lower + HTTP_REP(0x05));
	__u64 digit = (HTTP_REP(0xac) - word) | (word + HTTP_REP(0x46));
	__u64 line = (word ^ HTTP_REP('_')) + HTTP_REP(0x7f);

	return ((letter & digit & line) | word) & HTTP_HIGH;
}

/* Upper-case letters, among what http_path_stops() lets pass: no bit 5, and not '_'. */
static __always_inline __u64 http_upper(__u64 word)
{
	return ((word ^ HTTP_REP('_')) + HTTP_REP(0x7f)) & ~(word << 2) & HTTP_HIGH;
}

/* Not letters, digits, '-', '_' or a dot behind something else; `before`: byte before the word. */
static __always_inline __u64 http_host_stops(__u64 word, __u64 before)
{
	__u64 dots = (word ^ HTTP_REP('.')) | ((word << 8 | before) ^ HTTP_REP('.'));
	__u64 slash = (word ^ HTTP_REP('/')) - HTTP_ONES;

	return http_path_stops(word) | ((((dots - HTTP_ONES) & ~dots) | slash) & HTTP_HIGH);
}

/* Not visible ASCII, and '#'. */
static __always_inline __u64 http_query_stops(__u64 word)
{
	__u64 hash = (word ^ HTTP_REP('#')) - HTTP_ONES;

	return ((word - HTTP_REP(0x21)) | (word + HTTP_ONES) | hash) & HTTP_HIGH;
}

/* '/' followed by '/' or '.'; `before` is the word one byte earlier. */
static __always_inline __u64 http_dot_stops(__u64 before, __u64 word)
{
	__u64 pair = (before ^ HTTP_REP('/')) | ((word ^ HTTP_REP('.')) & HTTP_REP(0xfe));

	return (pair - HTTP_ONES) & ~pair & HTTP_HIGH;
}

/* Number written by the first `count` (1 to 8) bytes of `word`; -1 when one is no digit. */
static __always_inline int http_digits(__u64 word, __u64 count)
{
	__u64 shift = (8 - count) * 8 & 63;

	word = word << shift | (((1ULL << shift) - 1) & HTTP_REP('0')); /* zeros in front */
	word ^= HTTP_REP('0');
	if ((word | (word + HTTP_REP(0x06))) & HTTP_REP(0xf0))
		return -1;
	word = word * 10 + (word >> 8); /* pairs, in every second byte */
	return (((word & 0x000000ff000000ffULL) * 0x000f424000000064ULL) +
		((word >> 16 & 0x000000ff000000ffULL) * 0x0000271000000001ULL)) >>
	       32;
}

enum http_class {
	HTTP_TOKEN = 1 << 0, /* tchar (RFC 9110, 5.6.2) */
	HTTP_HOST = 1 << 1,  /* reg-name (RFC 3986, 3.2.2), without ',' which joins two fields */
	HTTP_NAME = 1 << 2,  /* what host names consist of in practice */
	HTTP_HEX = 1 << 3,
	HTTP_DIGIT = 1 << 4,
	HTTP_PATH = 1 << 5,   /* path bytes that mean themselves; see HTTP_PLAIN_PATH */
	HTTP_TARGET = 1 << 6, /* allowed in a target: visible ASCII without '#' */
};

#define HTTP_C_WORD (HTTP_TOKEN | HTTP_HOST | HTTP_NAME | HTTP_PATH | HTTP_TARGET)
#define HTTP_C_MARK (HTTP_TOKEN | HTTP_HOST | HTTP_PATH | HTTP_TARGET)

static const __u8 http_classes[256] = {
	['0' ... '9'] = HTTP_C_WORD | HTTP_HEX | HTTP_DIGIT,
	['A' ... 'F'] = HTTP_C_WORD | HTTP_HEX,
	['G' ... 'Z'] = HTTP_C_WORD,
	['a' ... 'f'] = HTTP_C_WORD | HTTP_HEX,
	['g' ... 'z'] = HTTP_C_WORD,
	['-'] = HTTP_C_WORD,
	['.'] = HTTP_C_WORD,
	['_'] = HTTP_C_WORD,
	['~'] = HTTP_C_MARK,
	['!'] = HTTP_C_MARK,
	['$'] = HTTP_C_MARK,
	['&'] = HTTP_C_MARK,
	['\''] = HTTP_C_MARK,
	['*'] = HTTP_C_MARK,
	['+'] = HTTP_C_MARK,
	['#'] = HTTP_TOKEN,
	['%'] = HTTP_TOKEN | HTTP_HOST | HTTP_TARGET,
	['^'] = HTTP_TOKEN | HTTP_TARGET,
	['`'] = HTTP_TOKEN | HTTP_TARGET,
	['|'] = HTTP_TOKEN | HTTP_TARGET,
	['('] = HTTP_HOST | HTTP_PATH | HTTP_TARGET,
	[')'] = HTTP_HOST | HTTP_PATH | HTTP_TARGET,
	['='] = HTTP_HOST | HTTP_PATH | HTTP_TARGET,
	[';'] = HTTP_HOST | HTTP_TARGET,
	[','] = HTTP_PATH | HTTP_TARGET,
	[':'] = HTTP_PATH | HTTP_TARGET,
	['@'] = HTTP_PATH | HTTP_TARGET,
	['/'] = HTTP_PATH | HTTP_TARGET,
	['"'] = HTTP_TARGET,
	['<'] = HTTP_TARGET,
	['>'] = HTTP_TARGET,
	['?'] = HTTP_TARGET,
	['['] = HTTP_TARGET,
	['\\'] = HTTP_TARGET,
	[']'] = HTTP_TARGET,
	['{'] = HTTP_TARGET,
	['}'] = HTTP_TARGET,
};

static __always_inline bool http_is(__u8 byte, __u8 classes)
{
	return http_classes[byte] & classes;
}

#endif
