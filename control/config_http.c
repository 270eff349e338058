// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Words of HTTP: paths, host names, header values, redirects, health checks, media types. Paths
 * are compared byte for byte with request targets, so one that no client sends as it stands (RFC
 * 3986; the URL standard's percent-encode sets) is an error. Nothing is decoded.
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "config_parse.h"

#define LABEL_BYTES 63 /* RFC 1035, 2.3.4 */
#define HEALTH_INTERVAL_MS 2000
#define HEALTH_TIMEOUT_MS 1000
#define HEALTH_FALL_COUNT 3
#define HEALTH_RISE_COUNT 2
#define HEALTH_MIN_MS 10
#define HEALTH_MAX_MS 3600000
#define HEALTH_MAX_COUNT 100

static bool is_visible(char c)
{
	return c > ' ' && c < 0x7f;
}

/* The first byte of a path that a client does not send as it stands. */
static const char *find_escaped(const char *path)
{
	while (is_visible(*path) && !strchr("\"#%<>?\\^`{}", *path))
		path++;
	return path;
}

static bool is_dot_segment(const char *segment, size_t len)
{
	return (len == 1 && segment[0] == '.') || (len == 2 && !strncmp(segment, "..", 2));
}

/* Segments after the first slash: none empty but the last, no dots, no parameters. */
static const char *segments_fault(const char *path)
{
	const char *segment;
	size_t len;

	for (segment = path + 1;; segment += len + 1) {
		len = strcspn(segment, "/");
		if (!len && segment[len])
			return "has an empty segment ('//'), which is never matched literally";
		if (is_dot_segment(segment, len))
			return "has a dot segment, which is never matched literally";
		if (*segment == ':')
			return "has a ':param' segment, which is not supported in this version";
		if (!segment[len])
			return NULL;
	}
}

int value_path(const struct value *value, char **out)
{
	const char *path = value->text, *bad = find_escaped(path), *fault;

	if (*path != '/')
		return value_error(value, "'%s' is not a path (allowed: begins with '/')", path);
	if (is_visible(*bad) || *bad == ' ')
		return value_error(
			value,
			"'%s' has '%c' in it, which is never matched literally (allowed: "
			"a path as clients send it, without query and escapes)",
			path, *bad);
	if (*bad)
		return value_error(value,
				   "'%s' has the byte 0x%02x in it, which is never matched "
				   "literally (allowed: visible ASCII)",
				   path, (unsigned char)*bad);
	fault = segments_fault(path);
	if (fault)
		return value_error(value, "'%s' %s (allowed: plain segments)", path, fault);
	if (strlen(path) > PATH_MAX_CONF)
		return value_error(value, "the path has %zu bytes (allowed: %d)", strlen(path),
				   PATH_MAX_CONF);
	*out = config_strdup(path);
	return 0;
}

static bool is_host(const char *name)
{
	size_t len, i;

	for (;; name += len + 1) {
		len = strcspn(name, ".");
		if (!len || len > LABEL_BYTES || name[0] == '-' || name[len - 1] == '-')
			return false;
		for (i = 0; i < len; i++)
			if (!isalnum((unsigned char)name[i]) && !strchr("-_", name[i]))
				return false;
		if (!name[len])
			return true;
	}
}

int value_host(const struct value *value, char **out)
{
	bool is_wildcard = !strncmp(value->text, "*.", 2);
	const char *stored = value->text + is_wildcard;
	char *at;

	if (!is_host(stored + is_wildcard))
		return value_error(
			value,
			"'%s' is not a host name (allowed: labels of letters, digits, "
			"'-' and '_' with dots between them, without port; '*.' in front "
			"for any name below)",
			value->text);
	if (strlen(stored) > HOST_BYTES)
		return value_error(value, "the host name has %zu bytes (allowed: %d)",
				   strlen(stored), HOST_BYTES);
	*out = config_strdup(stored);
	for (at = *out; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return 0;
}

static const char *const methods[METHODS] = { "GET",	 "HEAD",  "POST",    "PUT",  "DELETE",
					      "OPTIONS", "PATCH", "CONNECT", "TRACE" };
_Static_assert(RULE_TRACE == 1 << (METHODS - 1), "enum rule_method");

int value_method(const struct value *value, uint16_t *out)
{
	size_t bit;

	if (value_choice(value, methods, METHODS, &bit))
		return -EINVAL;
	*out = (uint16_t)(1u << bit);
	return 0;
}

const char *method_name(unsigned int bit)
{
	return methods[bit];
}

int value_header(const struct value *value, char **out)
{
	const char *at = value->text;

	while (*at == ' ' || is_visible(*at))
		at++;
	if (*at)
		return value_error(value,
				   "the byte 0x%02x in a header value (allowed: visible ASCII and "
				   "blanks)",
				   (unsigned char)*at);
	if (strlen(value->text) > HEADER_VALUE_BYTES)
		return value_error(value, "the header value has %zu bytes (allowed: %d)",
				   strlen(value->text), HEADER_VALUE_BYTES);
	*out = config_strdup(value->text);
	return 0;
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

int value_media_type(const struct value *value, char **out)
{
	size_t type = token_len(value->text), subtype;

	subtype = value->text[type] == '/' ? token_len(value->text + type + 1) : 0;
	if (!type || !subtype || !strchr("; ", value->text[type + 1 + subtype]))
		return value_error(value,
				   "'%s' is not a media type (allowed: TYPE/SUBTYPE, as in "
				   "text/html; charset=utf-8)",
				   value->text);
	return value_header(value, out);
}

static bool is_location(const char *text)
{
	const char *host = text;

	while (is_visible(*host))
		host++;
	if (*host)
		return false;
	if (*text == '/')
		return true;
	if (!strncmp(text, "https://", 8))
		host = text + 8;
	else if (!strncmp(text, "http://", 7))
		host = text + 7;
	return isalnum((unsigned char)*host) || *host == '[';
}

/* What is put in begins with '/': behind nothing but one, it would begin with a host. */
static const char *uri_fault(const char *location)
{
	const char *uri = strstr(location, REDIRECT_URI);

	if (!uri)
		return NULL;
	if (strstr(uri + 1, REDIRECT_URI))
		return "has " REDIRECT_URI " twice (allowed: once)";
	return uri == location + 1 ? "has nothing but '/' before " REDIRECT_URI
				     ": clients could name a host there (allowed: http://, "
				     "https:// or a path before it)" :
				     NULL;
}

int value_redirect(const struct value *value, int *status, char **location)
{
	static const int statuses[] = { 301, 302, 303, 307, 308 };
	char *end = value->text;
	long number = strtol(value->text, &end, 10);
	struct value target = *value;
	const char *fault;
	size_t i;

	for (i = 0; i < ARRAY_LEN(statuses); i++)
		if (isdigit((unsigned char)*value->text) && number == statuses[i])
			break;
	target.text = end + strspn(end, " \t");
	if (i == ARRAY_LEN(statuses) || target.text == end || !is_location(target.text))
		return value_error(
			value,
			"'%s' is not a redirect (allowed: STATUS LOCATION; the status is "
			"301, 302, 303, 307 or 308, the location visible ASCII that "
			"begins with '/', http:// or https://)",
			value->text);
	fault = uri_fault(target.text);
	if (fault)
		return value_error(value, "'%s' %s", target.text, fault);
	if (value_header(&target, location))
		return -EINVAL;
	*status = (int)number;
	return 0;
}

enum health_option { HEALTH_INTERVAL, HEALTH_TIMEOUT, HEALTH_FALL, HEALTH_RISE };

/* One NAME=NUMBER; *given has a bit for each name that was there. */
static int read_health_option(const struct value *value, struct health_check *check,
			      unsigned int *given)
{
	static const char *const names[] = { "interval", "timeout", "fall", "rise" };
	struct value option = *value;
	char *sign = strchr(value->text, '=');
	size_t which;
	char key[32];

	if (!sign)
		return value_error(value, "'%s' has no number (allowed: NAME=NUMBER)", value->text);
	*sign = '\0';
	if (value_choice(value, names, ARRAY_LEN(names), &which))
		return -EINVAL;
	if (*given & 1u << which)
		return value_error(value, "'%s' is given twice (allowed: once)", names[which]);
	*given |= 1u << which;
	snprintf(key, sizeof(key), "health %s", names[which]);
	option.key = key;
	option.text = sign + 1;
	if (which == HEALTH_INTERVAL)
		return value_duration(&option, HEALTH_MIN_MS, HEALTH_MAX_MS, &check->interval_ms);
	if (which == HEALTH_TIMEOUT)
		return value_duration(&option, HEALTH_MIN_MS, HEALTH_MAX_MS, &check->timeout_ms);
	return value_number(&option, 1, HEALTH_MAX_COUNT,
			    which == HEALTH_FALL ? &check->fall : &check->rise);
}

static int read_health_options(const struct value *value, char *words, struct health_check *check)
{
	struct value word = *value;
	unsigned int given = 0;
	char *rest = NULL;

	for (word.text = strtok_r(words, " \t", &rest); word.text;
	     word.text = strtok_r(NULL, " \t", &rest))
		if (read_health_option(&word, check, &given))
			return -EINVAL;
	if (!(given & 1u << HEALTH_TIMEOUT) && check->timeout_ms > check->interval_ms)
		check->timeout_ms = check->interval_ms;
	if (check->timeout_ms > check->interval_ms)
		return value_error(value,
				   "the timeout is %ums (allowed: at most the interval, %ums)",
				   check->timeout_ms, check->interval_ms);
	return 0;
}

int value_health(const struct value *value, struct health_check *out)
{
	struct health_check check = { .enabled = true,
				      .interval_ms = HEALTH_INTERVAL_MS,
				      .timeout_ms = HEALTH_TIMEOUT_MS,
				      .fall = HEALTH_FALL_COUNT,
				      .rise = HEALTH_RISE_COUNT };
	char *copy = config_strdup(value->text), *rest = NULL, *method;
	struct value path = *value;
	int err;

	method = strtok_r(copy, " \t", &rest);
	path.text = strtok_r(NULL, " \t", &rest);
	if (strcmp(method, "GET") || !path.text || *path.text != '/' || strchr(path.text, '#'))
		err = value_error(value,
				  "'%s' is not a health check (allowed: GET /PATH interval=2s "
				  "timeout=1s fall=3 rise=2)",
				  value->text);
	else
		err = read_health_options(value, rest, &check);
	if (!err)
		err = value_header(&path, &check.path);
	if (!err)
		*out = check;
	free(copy);
	return err;
}

const char *media_type_of(const char *file)
{
	static const struct {
		const char *extension, *type;
	} types[] = {
		{ "html", "text/html; charset=utf-8" },
		{ "css", "text/css; charset=utf-8" },
		{ "js", "text/javascript; charset=utf-8" },
		{ "mjs", "text/javascript; charset=utf-8" },
		{ "txt", "text/plain; charset=utf-8" },
		{ "json", "application/json" },
		{ "svg", "image/svg+xml" },
		{ "xml", "application/xml" },
		{ "png", "image/png" },
		{ "jpg", "image/jpeg" },
		{ "webp", "image/webp" },
		{ "ico", "image/vnd.microsoft.icon" },
		{ "woff2", "font/woff2" },
	};
	const char *dot = strrchr(file, '.');
	size_t i;

	for (i = 0; dot && i < ARRAY_LEN(types); i++)
		if (!strcasecmp(dot + 1, types[i].extension))
			return types[i].type;
	return "application/octet-stream";
}
