/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request says of the answer that it would like: content codings (RFC 9110, 12.5.3) and
 * conditions (13.1.2, 13.1.3). Called for a complete request in a struct http_scratch, whose field
 * lines are walked through once more: the parser keeps no offsets of what few requests have.
 */
#ifndef SLUICE_HTTP_NEGOTIATE_H
#define SLUICE_HTTP_NEGOTIATE_H

#include "http_date.h"
#include "http_field.h"
#include "http_value.h"

#define HTTP_WEIGHT_NONE 0xffff /* not a weight */
#define HTTP_TAG_DIGITS 16

#define HTTP_IF_NONE_MATCH_LEN 13 /* of the names that share HTTP_FIELD_CONDITION */

static __always_inline bool http_is_weight_end(__u8 byte)
{
	return byte == ';' || http_is_space(byte);
}

/* The first byte in [pos, end) that is no white space; `end` if there is none. */
static __always_inline __u64 http_space_end(const struct http_scratch *s, __u64 pos, __u64 end)
{
	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		if (!http_is_space(s->buf[pos]))
			break;
		pos++;
	}
	return pos;
}

/* The weight [pos, end), as in `;q=0.5`, in thousandths; 1000 where there is none. */
static __always_inline __u32 http_weight(const struct http_scratch *s, __u64 pos, __u64 end)
{
	__u32 weight, digit, unit = 100;

	pos = http_space_end(s, pos, end);
	if (pos >= end)
		return 1000;
	if (http_byte(s, pos) != ';')
		return HTTP_WEIGHT_NONE;
	pos = http_space_end(s, pos + 1, end);
	if (pos + 3 > end || (http_half(s, pos) | 0x20) != ('q' | '=' << 8))
		return HTTP_WEIGHT_NONE;
	weight = http_byte(s, pos + 2) - '0';
	if (weight > 1 || (pos + 3 < end && http_byte(s, pos + 3) != '.') || pos + 7 < end)
		return HTTP_WEIGHT_NONE;
	weight *= 1000;
	for (pos += 4; http_before(&pos, end) && HTTP_CAN_LOOP; pos++) {
		digit = http_byte(s, pos) - '0';
		if (digit > 9)
			return HTTP_WEIGHT_NONE;
		weight += digit * unit;
		unit /= 10;
	}
	return weight <= 1000 ? weight : HTTP_WEIGHT_NONE;
}

/* Which of struct http_wishes' weights the name [start, end) has; HTTP_WISHES: none. */
static __always_inline __u32 http_coding_id(const struct http_scratch *s, __u64 start, __u64 end)
{
	__u64 word = http_word(s, start) | HTTP_REP(0x20);

	switch (end - start) {
	case 1:
		return http_byte(s, start) == '*' ? HTTP_WISH_ANY : HTTP_WISHES;
	case 2:
		return (word & 0xffff) == ('b' | 'r' << 8) ? HTTP_WISH_BROTLI : HTTP_WISHES;
	case 4:
		return word << 32 == HTTP_WORD(0, 0, 0, 0, 'g', 'z', 'i', 'p') ? HTTP_WISH_GZIP :
										 HTTP_WISHES;
	case 6: /* RFC 9110, 8.4.1.3 */
		return word << 16 == HTTP_WORD(0, 0, 'x', '-', 'g', 'z', 'i', 'p') ?
			       HTTP_WISH_GZIP :
			       HTTP_WISHES;
	case 8:
		return word == HTTP_WORD('i', 'd', 'e', 'n', 't', 'i', 't', 'y') ?
			       HTTP_WISH_IDENTITY :
			       HTTP_WISHES;
	}
	return HTTP_WISHES;
}

/* One member of Accept-Encoding. What is malformed is as if it were not there. */
HTTP_FUNC int http_coding_read(struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	struct http_value v = http_value_strip(s, start, end);
	__u64 pos = v.start;
	__u32 id, weight;

	while (http_before(&pos, v.end) && HTTP_CAN_LOOP) {
		if (http_is_weight_end(s->buf[pos]))
			break;
		pos++;
	}
	id = http_coding_id(s, v.start, pos);
	weight = http_weight(s, pos, v.end);
	HTTP_OPAQUE(id);
	if (id < HTTP_WISHES && weight != HTTP_WEIGHT_NONE)
		s->wishes.weights[id] = weight + 1;
	return 0;
}

/* Takes the member at the cursor. */
HTTP_FUNC int http_coding_next(struct http_scratch *s HTTP_NONNULL)
{
	__u32 first = s->wishes.cursor;
	__u64 pos = first;

	while (http_before(&pos, s->wishes.end) && HTTP_CAN_LOOP) {
		if (s->buf[pos] == ',')
			break;
		pos++;
	}
	s->wishes.cursor = pos + 1;
	return http_coding_read(s, first, pos);
}

/*
 * An Accept-Encoding field's value, white space included. The cursor is in memory: in a register
 * that lives across a call it is "verifier bug: global subprog unexpected regs" (6.18).
 */
HTTP_FUNC int http_codings_read(struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	s->wishes.cursor = start;
	s->wishes.end = end;
	while (s->wishes.cursor < s->wishes.end && HTTP_CAN_LOOP)
		http_coding_next(s);
	return 0;
}

/* What browsers send: `gzip, deflate`, with `, br` and `, zstd` behind it. */
static __always_inline bool http_codings_usual(struct http_scratch *s, __u64 start, __u64 len)
{
	__u64 more = http_word(s, start + 8);

	if (http_word(s, start) != HTTP_WORD('g', 'z', 'i', 'p', ',', ' ', 'd', 'e'))
		return false;
	if (len == 13 && more << 24 == HTTP_WORD(0, 0, 0, 'f', 'l', 'a', 't', 'e')) {
		s->wishes.weights[HTTP_WISH_GZIP] = 1001;
		return true;
	}
	if (len < 17 || more != HTTP_WORD('f', 'l', 'a', 't', 'e', ',', ' ', 'b') ||
	    http_byte(s, start + 16) != 'r')
		return false;
	if (len != 17 && (len != 23 || http_word(s, start + 15) !=
					       HTTP_WORD('b', 'r', ',', ' ', 'z', 's', 't', 'd')))
		return false;
	s->wishes.weights[HTTP_WISH_BROTLI] = 1001;
	s->wishes.weights[HTTP_WISH_GZIP] = 1001;
	return true;
}

/*
 * If-None-Match's value: is `*`, or has the tag, weak or not, in its list (weak comparison, RFC
 * 9110, 8.8.3.2)? A member's quotes hold no escapes. State is kept in memory, where the verifier
 * does not follow its values.
 */
HTTP_FUNC int http_tag_listed(struct http_scratch *s HTTP_NONNULL, __u32 start, __u32 end)
{
	struct http_wishes *w = &s->wishes;
	__u64 pos = start;
	__u8 byte;

	w->digits = 0;
	w->is_quoted = 0;
	if (start + 1 == end && http_byte(s, start) == '*')
		return 1;
	while (http_before(&pos, end) && HTTP_CAN_LOOP) {
		byte = http_byte(s, pos);
		pos++;
		if (byte == '"') {
			if (w->is_quoted && w->digits == HTTP_TAG_DIGITS && w->tag == w->etag)
				return 1;
			w->is_quoted = !w->is_quoted;
			w->digits = 0;
			w->tag = 0;
			continue;
		}
		if (byte >= 'a' && byte <= 'f')
			byte -= 'a' - 10;
		else if (byte >= '0' && byte <= '9')
			byte -= '0';
		else
			w->digits = HTTP_TAG_DIGITS; /* no tag of ours */
		w->tag = w->tag << 4 | byte;
		w->digits += w->digits <= HTTP_TAG_DIGITS;
	}
	return 0;
}

/* One condition: notes what it says in s->wishes. */
static __always_inline void http_condition(struct http_scratch *s, const struct http_field *f)
{
	struct http_value v = http_value_strip(s, f->name + f->len + 1, f->next - 2);
	struct http_wishes *w = &s->wishes;

	if (f->len == HTTP_IF_NONE_MATCH_LEN) {
		w->conditions |= HTTP_CONDITION_TAGS;
		if (w->etag && http_tag_listed(s, v.start, v.end))
			w->conditions |= HTTP_CONDITION_MATCHED;
		return;
	}
	w->since = w->conditions & HTTP_CONDITION_SINCE ? 0 : http_date_parse(s, v.start, v.end);
	w->conditions |= HTTP_CONDITION_SINCE; /* a second one makes it invalid */
}

/* Walks through the field lines for Accept-Encoding, or else for the conditions. */
HTTP_FUNC int http_wishes_walk(struct http_scratch *s HTTP_NONNULL, __u32 for_codings)
{
	__u64 len = s->len, pos = http_unknown(s, s->req.target_off + s->req.target_len + 11);
	struct http_field f;

	if (len > HTTP_BUF_BYTES)
		return 0;
	HTTP_OPAQUE(len);
	while (HTTP_CAN_LOOP) {
		if (http_field_next(s, pos, len, &f) < 0)
			break;
		pos = f.next;
		if (for_codings && f.id == HTTP_FIELD_ACCEPT_ENCODING)
			http_codings_read(s, f.name + f.len + 1, f.next - 2);
		else if (!for_codings && f.id == HTTP_FIELD_CONDITION)
			http_condition(s, &f);
	}
	return 0;
}

/* How much a coding is wished for: 0 is refused, ties go to the coding that is named. */
static __always_inline __u32 http_wish_rank(const struct http_wishes *w, __u32 id)
{
	bool is_named = w->weights[id];
	__u32 weight = w->weights[is_named ? id : HTTP_WISH_ANY];

	if (!weight)
		return id == HTTP_WISH_IDENTITY;
	if (weight == 1)
		return 0;
	return weight * 4 + (id == HTTP_WISH_IDENTITY ? 1 : is_named ? 2 : 0);
}

/*
 * The coding for a request with Accept-Encoding, of identity and the mask `stored`. Returns
 * an HTTP_WISH_* up to IDENTITY, or HTTP_WISHES when nothing is acceptable.
 */
static __always_inline __u32 http_coding_choose(struct http_scratch *s, __u32 stored)
{
	struct http_request *q = &s->req;
	struct http_wishes *w = &s->wishes;
	__u32 best, rank, chosen = HTTP_WISH_IDENTITY;

	w->weights[HTTP_WISH_BROTLI] = 0;
	w->weights[HTTP_WISH_GZIP] = 0;
	w->weights[HTTP_WISH_IDENTITY] = 0;
	w->weights[HTTP_WISH_ANY] = 0;
	if (q->flags & HTTP_ACCEPT_ENCODINGS)
		http_wishes_walk(s, 1);
	else if (!http_codings_usual(s, q->accept_encoding_off, q->accept_encoding_len))
		http_codings_read(s, q->accept_encoding_off,
				  q->accept_encoding_off + q->accept_encoding_len);
	best = http_wish_rank(w, HTTP_WISH_IDENTITY);
	rank = http_wish_rank(w, HTTP_WISH_GZIP);
	if (stored & 1 << HTTP_WISH_GZIP && rank > best) {
		best = rank;
		chosen = HTTP_WISH_GZIP;
	}
	rank = http_wish_rank(w, HTTP_WISH_BROTLI);
	if (stored & 1 << HTTP_WISH_BROTLI && rank && rank >= best) {
		best = rank;
		chosen = HTTP_WISH_BROTLI;
	}
	return best ? chosen : HTTP_WISHES;
}

/*
 * Does a conditional GET or HEAD ask for nothing that has `etag` and was changed at `modified`, so
 * that 304 is the answer? Either may be 0: not known. If-None-Match overrules If-Modified-Since
 * (RFC 9110, 13.2.2).
 */
static __always_inline bool http_is_not_modified(struct http_scratch *s, __u64 etag, __u32 modified)
{
	struct http_wishes *w = &s->wishes;

	w->etag = etag;
	w->conditions = 0;
	http_wishes_walk(s, 0);
	if (w->conditions & HTTP_CONDITION_TAGS)
		return w->conditions & HTTP_CONDITION_MATCHED;
	return w->since && modified && modified <= w->since;
}

#endif
