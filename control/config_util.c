// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What all of config*.c stands on: memory, the list of problems, and one way to find duplicates of
 * any kind (each thing that may stand once is noted as a label; equal labels are a problem).
 */
#define _GNU_SOURCE 1
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

static void *must(void *memory)
{
	if (!memory) {
		fputs("error: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *config_alloc(size_t size)
{
	return must(calloc(1, size ? size : 1));
}

char *config_strdup(const char *text)
{
	return must(strdup(text));
}

static char *format_text(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	return must(text);
}

char *config_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = format_text(format, args);
	va_end(args);
	return text;
}

void *config_grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return must(reallocarray(array, n ? 2 * n : 1, size));
}

void report(struct parser *parser, int line, const char *format, ...)
{
	struct problem *problem;
	va_list args;

	parser->problems =
		config_grow(parser->problems, parser->n_problems, sizeof(*parser->problems));
	problem = &parser->problems[parser->n_problems];
	problem->line = line;
	problem->order = parser->n_problems++;
	va_start(args, format);
	problem->text = format_text(format, args);
	va_end(args);
}

void report_once(struct parser *parser, int line, const char *format, ...)
{
	struct label *label;
	va_list args;

	parser->labels = config_grow(parser->labels, parser->n_labels, sizeof(*parser->labels));
	label = &parser->labels[parser->n_labels++];
	label->line = line;
	va_start(args, format);
	label->text = format_text(format, args);
	va_end(args);
}

static int compare_labels(const void *a, const void *b)
{
	const struct label *one = a, *two = b;
	int order = strcmp(one->text, two->text);

	return order ? order : (one->line > two->line) - (one->line < two->line);
}

static void report_duplicates(struct parser *parser)
{
	const struct label *first, *label;
	size_t i;

	if (!parser->n_labels)
		return;
	qsort(parser->labels, parser->n_labels, sizeof(*parser->labels), compare_labels);
	first = parser->labels;
	for (i = 1; i < parser->n_labels; i++) {
		label = &parser->labels[i];
		if (strcmp(label->text, first->text))
			first = label;
		else
			report(parser, label->line, "%s is given twice: first in line %d",
			       label->text, first->line);
	}
}

static int compare_problems(const void *a, const void *b)
{
	const struct problem *one = a, *two = b;

	if (one->line != two->line)
		return one->line < two->line ? -1 : 1;
	return one->order < two->order ? -1 : 1;
}

int report_finish(struct parser *parser, FILE *err)
{
	size_t i;

	report_duplicates(parser);
	if (!parser->n_problems)
		return 0;
	qsort(parser->problems, parser->n_problems, sizeof(*parser->problems), compare_problems);
	for (i = 0; i < parser->n_problems; i++)
		fprintf(err, "%s:%d: %s\n", parser->path, parser->problems[i].line,
			parser->problems[i].text);
	return (int)parser->n_problems;
}

static void section_clear(struct section *section)
{
	size_t i;

	for (i = 0; i < section->n_entries; i++) {
		free(section->entries[i].key);
		free(section->entries[i].value);
	}
	free(section->entries);
	free(section->name);
}

void parser_clear(struct parser *parser)
{
	size_t i;

	for (i = 0; i < parser->n_sections; i++)
		section_clear(&parser->sections[i]);
	for (i = 0; i < parser->n_problems; i++)
		free(parser->problems[i].text);
	for (i = 0; i < parser->n_labels; i++)
		free(parser->labels[i].text);
	free(parser->sections);
	free(parser->problems);
	free(parser->labels);
	memset(parser, 0, sizeof(*parser));
}
