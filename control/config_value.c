// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plain values: lists, numbers, durations, words of a fixed set, names. Each reader says itself
 * what is wrong and what is allowed. Not here: addresses (config_net.c), HTTP (config_http.c).
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

int value_error(const struct value *value, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	report(value->parser, value->line, "%s: %s", value->key, text);
	free(text);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

void value_unfold(char *text)
{
	char *out = text, *in = text;
	size_t blanks;

	while (*in) {
		blanks = strspn(in, " \t\n");
		if (memchr(in, '\n', blanks)) {
			*out++ = ' ';
			in += blanks;
		} else {
			*out++ = *in++;
		}
	}
	while (out > text && is_blank(out[-1]))
		out--;
	*out = '\0';
	blanks = strspn(text, " \t");
	memmove(text, text + blanks, strlen(text + blanks) + 1);
}

int value_split(const struct value *value, struct value **items, size_t *n)
{
	const char *at = value->text, *end;
	int line = value->line, err = 0;
	struct value *item;

	*items = NULL;
	*n = 0;
	for (;; at = end + 1) {
		for (; is_blank(*at); at++)
			line += *at == '\n';
		end = strchrnul(at, ',');
		*items = config_grow(*items, *n, sizeof(**items));
		item = &(*items)[(*n)++];
		*item = *value;
		item->line = line;
		item->text = config_format("%.*s", (int)(end - at), at);
		value_unfold(item->text);
		if (!*item->text)
			err = value_error(item, "an empty item in the list (allowed: items with a "
						"comma between them)");
		if (!*end)
			break;
		for (; at < end; at++)
			line += *at == '\n';
	}
	return err;
}

void values_free(struct value *items, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(items[i].text);
	free(items);
}

void value_list(const struct value *value, size_t max,
		void (*add)(const struct value *item, void *object), void *object)
{
	struct value *items;
	size_t n, i;

	if (!value_split(value, &items, &n)) {
		for (i = 0; i < n && i < max; i++)
			add(&items[i], object);
		if (n > max)
			value_error(&items[max], "%zu items (allowed: %zu)", n, max);
	}
	values_free(items, n);
}

int parse_number(const char *text, uint32_t *out)
{
	bool is_hex = !strncmp(text, "0x", 2);
	const char *digits = text + (is_hex ? 2 : 0);
	unsigned long long number;

	if (!*digits || digits[strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return -EINVAL;
	errno = 0;
	number = strtoull(digits, NULL, is_hex ? 16 : 10);
	if (errno || number > UINT32_MAX)
		return -ERANGE;
	*out = (uint32_t)number;
	return 0;
}

int value_number(const struct value *value, uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t number;

	if (parse_number(value->text, &number) || number < min || number > max)
		return value_error(value, "'%s' is not a number that fits (allowed: %u to %u)",
				   value->text, min, max);
	*out = number;
	return 0;
}

int value_duration(const struct value *value, uint32_t min_ms, uint32_t max_ms, uint32_t *out_ms)
{
	static const struct {
		const char *name;
		unsigned long long ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	unsigned long long number;
	char *unit = value->text;
	size_t i = ARRAY_LEN(units);

	errno = 0;
	number = strtoull(value->text, &unit, 10);
	if (isdigit((unsigned char)*value->text) && !errno && number <= max_ms)
		for (i = 0; i < ARRAY_LEN(units); i++)
			if (!strcmp(unit, units[i].name))
				break;
	if (i == ARRAY_LEN(units) || number * units[i].ms < min_ms || number * units[i].ms > max_ms)
		return value_error(value,
				   "'%s' is not a duration that fits (allowed: %ums to %us, with "
				   "the unit ms, s, m or h)",
				   value->text, min_ms, max_ms / 1000);
	*out_ms = (uint32_t)(number * units[i].ms);
	return 0;
}

int value_choice(const struct value *value, const char *const *words, size_t n, size_t *out)
{
	char *allowed, *longer;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!strcmp(value->text, words[i])) {
			*out = i;
			return 0;
		}
	}
	allowed = config_strdup(words[0]);
	for (i = 1; i < n; i++) {
		longer = config_format("%s, %s", allowed, words[i]);
		free(allowed);
		allowed = longer;
	}
	value_error(value, "'%s' is not a choice (allowed: %s)", value->text, allowed);
	free(allowed);
	return -EINVAL;
}

bool is_name(const char *text)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) || (len && text[len] && strchr("._-", text[len])))
		len++;
	return len && len <= NAME_BYTES && !text[len];
}

int value_name(const struct value *value, char **out)
{
	if (!is_name(value->text))
		return value_error(value,
				   "'%s' is not a name (allowed: 1 to %d letters, digits, '.', '_' "
				   "or '-', the first one a letter or digit)",
				   value->text, NAME_BYTES);
	*out = config_strdup(value->text);
	return 0;
}
