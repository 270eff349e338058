/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parsers find out about a request or a response, and the memory in which a BPF program
 * hands them a message: one per-CPU array element of struct http_scratch.
 *
 * Offsets count from the first byte of the buffer. Fields are valid when the parser returned
 * HTTP_COMPLETE, except `status` and `reason`, which are valid when it returned HTTP_BAD.
 */
#ifndef SLUICE_HTTP_MESSAGE_H
#define SLUICE_HTTP_MESSAGE_H

#include "http_scan.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_PATCH,
	HTTP_CONNECT,
	HTTP_TRACE,
	HTTP_OTHER, /* any other token; Node knows some more, and answers 400 to the rest */
};

enum http_request_flag {
	HTTP_KEEP_ALIVE = 1 << 0,   /* the connection persists (RFC 9112, 9.3) */
	HTTP_CONN_CLOSE = 1 << 1,   /* Connection: close */
	HTTP_CONN_KEEP = 1 << 2,    /* Connection: keep-alive */
	HTTP_CONN_UPGRADE = 1 << 3, /* Connection: upgrade */
	HTTP_UPGRADE = 1 << 4,	    /* an Upgrade field */
	HTTP_HAS_CL = 1 << 5,	    /* a Content-Length field */
	HTTP_CHUNKED = 1 << 6,	    /* Transfer-Encoding: chunked */
	HTTP_BODY = 1 << 7,	    /* bytes of a body follow: chunked, or content_length > 0 */
	HTTP_EXPECT = 1 << 8,
	HTTP_AUTHORIZATION = 1 << 9,
	HTTP_RANGE = 1 << 10,
	HTTP_COOKIE = 1 << 11,
	HTTP_COOKIES = 1 << 12,	     /* several Cookie fields; cookie_off is the first */
	HTTP_CONDITIONAL = 1 << 13,  /* If-None-Match, If-Modified-Since */
	HTTP_PRECONDITION = 1 << 14, /* If-Match, If-Unmodified-Since, If-Range */
	HTTP_ACCEPT_ENCODING = 1 << 15,
	HTTP_ACCEPT_ENCODINGS = 1 << 16, /* several; accept_encoding_len is 0 then */
	HTTP_FORWARDED = 1 << 17,	 /* Forwarded, X-Forwarded-*, X-Real-IP */
	HTTP_RSC = 1 << 18,		 /* RSC, Next-Router-*: not the page is wanted */
	HTTP_QUERY = 1 << 19,		 /* the target has a '?' */
	HTTP_ORIGIN_FORM = 1 << 20,
	HTTP_ABSOLUTE_FORM = 1 << 21,
	HTTP_AUTHORITY_FORM = 1 << 22, /* CONNECT */
	HTTP_ASTERISK_FORM = 1 << 23,  /* OPTIONS * */
	/*
	 * Origin form, and the path can be compared with a configured one byte by byte: visible
	 * ASCII without '%', '\', ';' and what RFC 3986 forbids, no "//", no dot segment.
	 */
	HTTP_PLAIN_PATH = 1 << 24,
	HTTP_HOST_SEEN = 1 << 25,
	HTTP_HOST_UNUSUAL = 1 << 26, /* trailing dot, or bytes that host names do not have */
	HTTP_EMPTY_LINES = 1 << 27,  /* empty lines before the request line (RFC 9112, 2.2) */
};

/* The kernel answers only requests that have all of these ... */
#define HTTP_ANSWER_NEEDS (HTTP_ORIGIN_FORM | HTTP_PLAIN_PATH | HTTP_HOST_SEEN)
/* ... and none of these. */
#define HTTP_ANSWER_FORBIDS                                                                        \
	(HTTP_CHUNKED | HTTP_BODY | HTTP_UPGRADE | HTTP_CONN_UPGRADE | HTTP_EXPECT |               \
	 HTTP_AUTHORIZATION | HTTP_RANGE | HTTP_PRECONDITION | HTTP_RSC | HTTP_HOST_UNUSUAL)

struct http_request {
	__u64 content_length; /* 0 without Content-Length */
	__u32 flags;	      /* enum http_request_flag */
	__u16 target_off;
	__u16 target_len;
	__u32 head_len; /* bytes up to and including the empty line */
	__u16 path_off; /* the target's path; in absolute form behind the authority, maybe empty */
	__u16 path_len; /* up to '?' */
	__u16 host_off; /* value of Host; without that field, the target's authority */
	__u16 host_len;
	__u16 host_name_len; /* without port and trailing dot */
	__u16 authority_off; /* absolute and authority form */
	__u16 authority_len;
	__u16 authority_name_len;
	__u16 cookie_off;
	__u16 cookie_len;
	__u16 accept_encoding_off;
	__u16 accept_encoding_len;
	__u16 status;	/* of the answer to a bad request: 400, 414, 431 or 505 */
	__u8 method;	/* enum http_method */
	__u8 minor;	/* of the version HTTP/1.minor: 0 or 1 */
	__u8 reason;	/* enum http_reject */
	__u8 start;	/* first byte of the request line: length of the empty lines before it */
	__u8 is_normal; /* a plain path of lower-case letters, digits, '-', '.', '_' and '/' */
	__u8 pad;
};

enum http_response_flag {
	HTTP_RESPONSE_CLOSE = 1 << 0, /* the connection ends with this response */
	HTTP_RESPONSE_KEEP = 1 << 1,  /* Connection: keep-alive */
	HTTP_RESPONSE_HAS_CL = 1 << 2,
	HTTP_RESPONSE_CHUNKED = 1 << 3, /* Transfer-Encoding */
	HTTP_RESPONSE_CODED = 1 << 4,	/* another one than a single `chunked` */
	HTTP_RESPONSE_UPGRADE = 1 << 5,
};

struct http_response {
	__u64 content_length; /* 0 without Content-Length */
	__u32 head_len;	      /* bytes up to and including the empty line */
	__u16 status;
	__u16 flags; /* enum http_response_flag */
	__u8 minor;
	__u8 reason; /* enum http_reject when bad */
	__u16 pad;
};

/* An IPv6 address that is being read: in memory, where the verifier does not follow its values. */
struct http_ip6 {
	__u8 groups; /* completed ones */
	__u8 digits; /* of the group under way, or of the IPv4 byte */
	__u8 dots;
	__u8 gaps; /* "::" */
	__u8 last; /* byte before */
	__u8 pad;
	__u16 value; /* of the IPv4 byte */
};

/* Weights of struct http_wishes; the stored codings stand first, in the order of enum coding. */
enum http_wish {
	HTTP_WISH_BROTLI,
	HTTP_WISH_GZIP,
	HTTP_WISH_IDENTITY,
	HTTP_WISH_ANY, /* `*` */
	HTTP_WISHES,
};

enum http_condition {
	HTTP_CONDITION_TAGS = 1 << 0,	 /* If-None-Match */
	HTTP_CONDITION_MATCHED = 1 << 1, /* ... names the tag, or any */
	HTTP_CONDITION_SINCE = 1 << 2,	 /* If-Modified-Since */
};

/* What a request says of its answer, while it is read (http_negotiate.h). */
struct http_wishes {
	__u64 etag;  /* that is looked for */
	__u64 tag;   /* digits read so far */
	__u32 since; /* If-Modified-Since; 0: none that is valid */
	__u8 digits;
	__u8 is_quoted;
	__u8 conditions; /* enum http_condition */
	__u8 pad;
	__u32 cursor; /* in a list that ends at `end` */
	__u32 end;
	__u16 weights[HTTP_WISHES]; /* thousandths + 1; 0: not named */
};

struct http_scratch {
	struct http_request req;
	struct http_response resp;
	struct http_ip6 ip6;
	struct http_wishes wishes;
	__u32 len;  /* bytes of `buf` that hold the message, at most HTTP_BUF_BYTES */
	__u32 zero; /* always 0; see http_unknown() */
	__u8 buf[HTTP_BUF_BYTES + HTTP_BUF_SLACK];
};

_Static_assert(sizeof(struct http_request) == 56, "struct http_request");
_Static_assert(sizeof(struct http_response) == 24, "struct http_response");

/*
 * `value`, of which the verifier knows no bounds any more: a sum with a number from memory that may
 * have overflowed; the number is zero. Cursors that start from a known value are followed value by
 * value, one state a round ("The sequence of 8193 jumps is too complex", 6.12 and 6.18), and from
 * several known ranges once for each; unknown ones converge in the second round.
 */
static __always_inline __u32 http_unknown(const struct http_scratch *s, __u32 value)
{
	value += *(const volatile __u32 *)&s->zero;
	HTTP_OPAQUE(value);
	return value;
}

/* One, two and eight bytes of the buffer at any position. */
static __always_inline __u8 http_byte(const struct http_scratch *s, __u64 pos)
{
	return s->buf[http_masked(pos)];
}

static __always_inline __u16 http_half(const struct http_scratch *s, __u64 pos)
{
	return http_load2(s->buf, http_masked(pos));
}

static __always_inline __u64 http_word(const struct http_scratch *s, __u64 pos)
{
	return http_load8(s->buf, http_masked(pos));
}

#endif
