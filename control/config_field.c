// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Header fields that a configuration adds to answers: entry point value_fields(). What frames a
 * message or concerns its connection is nobody's to set (RFC 9110, 7.6.1), nor what Sluice makes.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_parse.h"

#define FIELDS_BYTES 2048 /* of all fields of a component: HEAD_MAX has room for them */

/* Names that may not be set, and what says them instead. */
static const struct {
	const char *name, *why;
} forbidden[] = {
	{ "connection", "it belongs to the connection" },
	{ "keep-alive", "it belongs to the connection" },
	{ "proxy-connection", "it belongs to the connection" },
	{ "transfer-encoding", "it frames the answer" },
	{ "te", "it belongs to the connection" },
	{ "trailer", "it frames the answer" },
	{ "upgrade", "it belongs to the connection" },
	{ "content-length", "it frames the answer" },
	{ "content-encoding", "it is made with the variants" },
	{ "content-range", "there are no partial answers" },
	{ "content-type", "its key is 'type'" },
	{ "cache-control", "its key is 'cache-control'" },
	{ "date", "it is made for each answer" },
	{ "server", "it is always there" },
	{ "etag", "it is made of the bytes" },
	{ "last-modified", "it is the file's" },
	{ "vary", "it is made with the variants" },
};

static const char *forbidden_reason(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(forbidden); i++)
		if (!strcasecmp(forbidden[i].name, name))
			return forbidden[i].why;
	return NULL;
}

/* RFC 9110, 5.6.2 */
static size_t token_len(const char *text)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) ||
	       (text[len] && strchr("!#$%&'*+-.^_`|~", text[len])))
		len++;
	return len;
}

/* One field: its line is appended to *out. */
static int add_field(const struct value *value, char **out)
{
	size_t len = token_len(value->text);
	struct value content = *value;
	char *name, *checked, *longer;
	const char *why;

	if (!len || value->text[len] != ':')
		return value_error(value, "'%s' is not a header field (allowed: NAME: VALUE)",
				   value->text);
	content.text += len + 1;
	content.text += strspn(content.text, " \t");
	name = config_format("%.*s", (int)len, value->text);
	why = forbidden_reason(name);
	if (why) {
		value_error(value, "'%s' cannot be set: %s", name, why);
		free(name);
		return -EINVAL;
	}
	if (value_header(&content, &checked)) {
		free(name);
		return -EINVAL;
	}
	longer = config_format("%s%s: %s\r\n", *out ? *out : "", name, checked);
	free(checked);
	free(name);
	free(*out);
	*out = longer;
	if (strlen(longer) > FIELDS_BYTES)
		return value_error(value, "the header fields have %zu bytes (allowed: %d)",
				   strlen(longer), FIELDS_BYTES);
	return 0;
}

int value_fields(const struct value *value, char **out)
{
	struct value field = *value;
	char *end;
	int err = 0;

	for (; !err && field.text; field.text = end ? end + 1 : NULL, field.line++) {
		end = strchr(field.text, '\n');
		if (end)
			*end = '\0';
		field.text += strspn(field.text, " \t");
		if (*field.text)
			err = add_field(&field, out);
	}
	return err;
}
