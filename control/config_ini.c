// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The INI file as sections and entries, read by libinih. Its handler is not told the line, nor of
 * headings, and only the first syntax error of a file is: so each line gets a parse of its own,
 * between lines that put inih into the state that it would be in. What they are: enum script_line.
 * Knows nothing of the keys' meaning.
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

/* A setting of libinih 55 as distributions build it; others have a fixed buffer (INI_MAX_LINE). */
extern int ini_max_line __attribute__((weak));

/* Control characters are errors in a file's lines, so these names cannot come from there. */
#define NO_SECTION "\001"
#define OPEN_KEY "\002"
#define END_MARK "\003"
#define UTF8_BOM "\xef\xbb\xbf"

enum script_line {
	SCRIPT_SECTION,	 /* [NO_SECTION]: a section of another name is a heading */
	SCRIPT_OPEN_KEY, /* OPEN_KEY=, if a key is open: a line that continues it has this name */
	SCRIPT_LINE,	 /* the line itself */
	SCRIPT_END,	 /* END_MARK=: shows the section after the line */
	SCRIPT_LINES,
};

struct ini_reader_state {
	struct parser *parser;
	int line;
	size_t section;
	struct entry *entry; /* last key: an indented line continues it */
	const char *script[SCRIPT_LINES];
	unsigned int next;
	size_t room; /* bytes of a line that inih's buffer can take, if the line is longer */
};

const struct entry *section_find(const struct section *section, const char *key)
{
	size_t i;

	for (i = 0; i < section->n_entries; i++)
		if (!strcmp(section->entries[i].key, key))
			return &section->entries[i];
	return NULL;
}

static struct section *add_section(struct ini_reader_state *state, enum section_kind kind,
				   const char *name)
{
	struct parser *parser = state->parser;
	struct section *section;

	parser->sections =
		config_grow(parser->sections, parser->n_sections, sizeof(*parser->sections));
	section = &parser->sections[parser->n_sections];
	memset(section, 0, sizeof(*section));
	section->kind = kind;
	section->name = config_strdup(name);
	section->line = state->line;
	state->section = parser->n_sections++;
	state->entry = NULL;
	return section;
}

static enum section_kind kind_by_name(const char *word, size_t len)
{
	enum section_kind kind;

	for (kind = 0; kind < SECTION_KINDS; kind++)
		if (strlen(schema_kind_name(kind)) == len &&
		    !strncmp(schema_kind_name(kind), word, len))
			break;
	return kind == SECTION_KINDS ? SECTION_IGNORED : kind;
}

/* NULL: the heading is right; else what is wrong with it. inih cuts a long one. */
static const char *heading_fault(enum section_kind kind, const char *name, bool is_cut)
{
	if (is_cut)
		return "is the beginning of a heading that is too long";
	if (kind == SECTION_IGNORED)
		return "is not a section";
	if (kind == SECTION_GATEWAY)
		return *name ? "takes no name" : NULL;
	if (!*name)
		return "has no name";
	return is_name(name) ? NULL : "has a bad name";
}

static bool is_first_gateway(const struct parser *parser)
{
	size_t i;

	for (i = 0; i < parser->n_sections; i++)
		if (parser->sections[i].kind == SECTION_GATEWAY)
			return false;
	return true;
}

/* `text` is what stands between the brackets. */
static void on_heading(struct ini_reader_state *state, const char *text)
{
	const char *start = strchr(state->script[SCRIPT_LINE], '[') + 1;
	const char *end = strchr(start, ']');
	char *name, *word = config_strdup(text);
	enum section_kind kind;
	const char *fault;
	size_t len;

	value_unfold(word);
	len = strcspn(word, " \t");
	name = word + len + strspn(word + len, " \t");
	kind = kind_by_name(word, len);
	fault = heading_fault(kind, name, strlen(text) != (size_t)(end - start));
	if (fault)
		report(state->parser, state->line,
		       "[%s] %s (allowed: [gateway] and [backend NAME], [pool NAME], [route NAME], "
		       "[component NAME]; a NAME is 1 to %d letters, digits, '.', '_' or '-')",
		       word, fault, NAME_BYTES);
	else
		report_once(state->parser, state->line, "section [%s%s%s]", schema_kind_name(kind),
			    *name ? " " : "", name);
	end += 1 + strspn(end + 1, " \t");
	if (*end && *end != ';' && *end != '#')
		report(state->parser, state->line,
		       "text after a heading: '%s' (allowed: a comment)", end);
	if (kind == SECTION_GATEWAY ? !is_first_gateway(state->parser) : fault != NULL)
		kind = SECTION_IGNORED;
	add_section(state, kind, name);
	free(word);
}

static void add_entry(struct ini_reader_state *state, const char *key, const char *value)
{
	struct section *section = &state->parser->sections[state->section];
	const struct entry *twin = section_find(section, key);
	struct entry *entry;

	if (!state->section) {
		report(state->parser, state->line,
		       "key '%s' stands before the first section (allowed: only comments)", key);
	} else if (twin && section->kind != SECTION_IGNORED) {
		report(state->parser, state->line, "key '%s' is given twice: first in line %d", key,
		       twin->line);
		section = &state->parser->sections[0];
	}
	section->entries = config_grow(section->entries, section->n_entries, sizeof(*entry));
	entry = &section->entries[section->n_entries++];
	entry->key = config_strdup(key);
	entry->value = config_strdup(value);
	entry->line = state->line;
	entry->last_line = state->line;
	state->entry = entry;
}

/* inih 55 leaves an inline comment in a continuation line, later ones take it away: so do we. */
static void cut_inline_comment(char *text)
{
	char *comment;

	for (comment = strchr(text, ';'); comment; comment = strchr(comment + 1, ';'))
		if (comment > text && isspace((unsigned char)comment[-1]))
			break;
	if (!comment)
		return;
	while (comment > text && isspace((unsigned char)comment[-1]))
		comment--;
	*comment = '\0';
}

static void continue_entry(struct ini_reader_state *state, const char *text)
{
	const struct section *section = &state->parser->sections[state->section];
	struct entry *entry = state->entry;
	size_t word = strcspn(text, " \t=:");
	size_t sign = word + strspn(text + word, " \t");
	char *joined;

	if ((text[sign] == '=' || text[sign] == ':') && schema_has_key(section->kind, text, word)) {
		report(state->parser, state->line,
		       "key '%.*s' is indented: an indented line continues the key above it, '%s' "
		       "(allowed: keys at the line's start)",
		       (int)word, text, entry->key);
		return;
	}
	joined = config_format("%s%*s%s", entry->value, state->line - entry->last_line, "", text);
	memset(joined + strlen(entry->value), '\n', (size_t)(state->line - entry->last_line));
	cut_inline_comment(joined + strlen(entry->value) + state->line - entry->last_line);
	free(entry->value);
	entry->value = joined;
	entry->last_line = state->line;
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct ini_reader_state *state = user;
	enum script_line at = (enum script_line)(state->next - 1);

	if (at == SCRIPT_LINE && !strcmp(name, OPEN_KEY))
		continue_entry(state, value);
	else if (at == SCRIPT_LINE)
		add_entry(state, name, value);
	else if (at == SCRIPT_END && strcmp(section, NO_SECTION))
		on_heading(state, section);
	return 1;
}

/* inih's reader: fgets() for the script. A line that does not fit is left out, never cut. */
static char *next_script_line(char *buf, int size, void *stream)
{
	struct ini_reader_state *state = stream;
	const char *line;

	if (state->next == SCRIPT_LINES)
		return NULL;
	line = state->script[state->next++];
	if (strlen(line) + sizeof("\n") > (size_t)size) {
		state->room = (size_t)size - sizeof("\n");
		line = "";
	}
	snprintf(buf, (size_t)size, "%s\n", line);
	return buf;
}

static void read_line(struct ini_reader_state *state, const char *line)
{
	int err;

	state->script[SCRIPT_SECTION] = "[" NO_SECTION "]";
	state->script[SCRIPT_OPEN_KEY] = state->entry ? OPEN_KEY "=" : "";
	state->script[SCRIPT_LINE] = line;
	state->script[SCRIPT_END] = END_MARK "=";
	state->next = 0;
	state->room = 0;
	err = ini_parse_stream(next_script_line, state, on_pair, state);
	if (state->room)
		report(state->parser, state->line,
		       "the line is %zu bytes long (allowed: %zu; an indented line continues a "
		       "value)",
		       strlen(line), state->room);
	else if (err > 0)
		report(state->parser, state->line,
		       "syntax error (allowed: [SECTION], KEY = VALUE, comments with ';' or '#')");
	else if (err < 0)
		report(state->parser, state->line, "libinih fails with %d: out of memory", err);
}

/* Index of the first control character but tab, or len. */
static size_t find_control(const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			break;
	return i;
}

static void read_raw_line(struct ini_reader_state *state, char *line, size_t len)
{
	size_t bad;

	if (len && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len && line[len - 1] == '\r')
		line[--len] = '\0';
	if (state->line == 1 && !strncmp(line, UTF8_BOM, strlen(UTF8_BOM))) {
		line += strlen(UTF8_BOM);
		len -= strlen(UTF8_BOM);
	}
	bad = find_control(line, len);
	if (bad < len)
		report(state->parser, state->line,
		       "control character 0x%02x in column %zu (allowed: printable text)",
		       (unsigned char)line[bad], bad + 1);
	else
		read_line(state, line);
}

int ini_read(struct parser *parser, FILE *file)
{
	struct ini_reader_state state = { .parser = parser };
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	if (&ini_max_line)
		ini_max_line = LINE_BYTES;
	add_section(&state, SECTION_IGNORED, "");
	for (;;) {
		len = getline(&line, &size, file);
		if (len < 0)
			break;
		state.line++;
		read_raw_line(&state, line, (size_t)len);
	}
	if (ferror(file)) {
		err = -errno;
		report(parser, state.line, "cannot be read: %s", strerror(-err));
	}
	free(line);
	return err;
}
