/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to config*.c: how an INI file becomes a struct config. config_ini.c makes sections and
 * entries of the lines, config_schema.c gives each entry to its reader, config_check.c looks at
 * the whole. Problems are collected, sorted by line and printed at the end; nothing stops at one.
 */
#ifndef SLUICE_CONFIG_PARSE_H
#define SLUICE_CONFIG_PARSE_H

#include "config.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#define LINE_BYTES 4096	 /* line buffer asked of libinih, if it can be asked */
#define NAME_BYTES 32	 /* longest name of a section */
#define MAX_TRUSTED 4096 /* elements of the map `trusted` */
#define MAX_PATHS 500000 /* routes and components; a reload holds two sets of them */
#define MAX_HOSTS 32768	 /* the same for host names */
#define MAX_FROM 1024	 /* networks of one route */
#define METHODS 9	 /* that can be named: enum rule_method */
#define FLOWS_DEFAULT 262144
#define HEADER_TIMEOUT_DEFAULT_MS 60000
#define FLOWS_MIN 64
#define HEADER_TIMEOUT_MIN_MS 100
#define HEADER_TIMEOUT_MAX_MS 3600000
#define FLOWS_MAX (1 << 24)
#define MARK_BASE_DEFAULT 0x5c000000u
#define MARK_MASK_DEFAULT 0xff000000u
#define TABLE_DEFAULT 5200
#define PRIORITY_DEFAULT 5200
#define PRIORITY_MAX 32765 /* 32766 is the rule of the main table */
#define WEIGHT_MAX 256
#define ADMIN_DEFAULT "/run/sluice/admin.sock"

enum section_kind {
	SECTION_GATEWAY,
	SECTION_BACKEND,
	SECTION_POOL,
	SECTION_ROUTE,
	SECTION_COMPONENT,
	SECTION_KINDS,
	SECTION_IGNORED, /* unknown, or before the first heading: an error is reported already */
};

/* One key. Lines of a continued value are joined by '\n', one for each line of the file. */
struct entry {
	char *key;
	char *value;
	int line;
	int last_line;
};

struct section {
	enum section_kind kind;
	char *name; /* empty for [gateway] */
	int line;
	size_t index; /* in the config's array of that kind */
	struct entry *entries;
	size_t n_entries;
};

struct problem {
	int line;
	size_t order;
	char *text;
};

/* Something that may stand once in a file; equal labels are duplicates. */
struct label {
	int line;
	char *text;
};

struct parser {
	const char *path;
	struct section *sections; /* the first one holds what stands nowhere */
	size_t n_sections;
	struct problem *problems;
	size_t n_problems;
	struct label *labels;
	size_t n_labels;
	struct config *config;
};

/* A value, or one item of a list, on its way into the config. */
struct value {
	struct parser *parser;
	const char *key; /* as it stands in messages */
	char *text;
	int line;
};

/* config_util.c: memory (aborts when there is none: the datapath does not need the daemon). */
void *config_alloc(size_t size);
char *config_strdup(const char *text);
char *config_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Makes room for element n of an array that only grows by this; returns the array. */
void *config_grow(void *array, size_t n, size_t size);

/* config_util.c: problems and duplicates. */
void report(struct parser *parser, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_once(struct parser *parser, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Reports equal labels, prints all problems by line; returns their number. */
int report_finish(struct parser *parser, FILE *err);
void parser_clear(struct parser *parser);

/* config_ini.c: the file's sections and entries. -errno: the file cannot be read to its end. */
int ini_read(struct parser *parser, FILE *file);
const struct entry *section_find(const struct section *section, const char *key);

/* config_schema.c: entries into parser->config. */
bool schema_has_key(enum section_kind kind, const char *key, size_t len);
const char *schema_kind_name(enum section_kind kind);
void schema_read(struct parser *parser);

/* config_check.c: what is missing or does not fit together. */
void check_config(struct parser *parser);
/* config_limits.c: how much of each there may be. */
bool check_counts(struct parser *parser);
void check_limits(struct parser *parser);
/* config_rules.c: routes with conditions. */
void check_rules(struct parser *parser);

/* config_value.c: 0 and *out, or -EINVAL and a problem reported. Strings belong to the caller. */
int value_error(const struct value *value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Items at commas and line ends, *n of them. Freed with values_free(). -EINVAL: an empty item. */
int value_split(const struct value *value, struct value **items, size_t *n);
void values_free(struct value *items, size_t n);
/* Each item goes to `add`; too many are an error of the first one more. */
void value_list(const struct value *value, size_t max,
		void (*add)(const struct value *item, void *object), void *object);
void value_unfold(char *text); /* line ends and blanks around them become one blank */
int parse_number(const char *text, uint32_t *out); /* decimal, or hexadecimal with 0x */
int value_number(const struct value *value, uint32_t min, uint32_t max, uint32_t *out);
int value_duration(const struct value *value, uint32_t min_ms, uint32_t max_ms, uint32_t *out_ms);
int value_choice(const struct value *value, const char *const *words, size_t n, size_t *out);
int value_name(const struct value *value, char **out);
bool is_name(const char *text);

/* config_net.c: addresses and other words of the network; returns as in config_value.c. */
#define ENDPOINT_TEXT_BYTES 56
int value_endpoint(const struct value *value, bool may_be_any, struct endpoint *out);
const char *endpoint_text(const struct endpoint *endpoint, char buf[ENDPOINT_TEXT_BYTES]);
int value_cidr(const struct value *value, struct cidr *out);
#define CIDR_TEXT_BYTES 64
const char *cidr_text(const struct cidr *cidr, char buf[CIDR_TEXT_BYTES]);
int value_mark(const struct value *value, uint32_t *base, uint32_t *mask);
int value_interface(const struct value *value, char **out);
int value_netns(const struct value *value, char **out);

/* config_http.c: words of HTTP; returns as in config_value.c. */
int value_path(const struct value *value, char **out);
int value_host(const struct value *value, char **out);
/* The bit of a method, enum rule_method, and its name. */
int value_method(const struct value *value, uint16_t *out);
const char *method_name(unsigned int bit);
int value_header(const struct value *value, char **out);
/* Header fields, one on each line of the value; *out has them with their CRLFs. */
int value_fields(const struct value *value, char **out);
int value_media_type(const struct value *value, char **out);
int value_redirect(const struct value *value, int *status, char **location);
int value_health(const struct value *value, struct health_check *out);
const char *media_type_of(const char *file);

/* Readers: one for each key; `object` is the section's struct. */
typedef void (*entry_reader)(const struct value *value, void *object);
struct schema_key {
	const char *name;
	entry_reader read; /* NULL: known, not in this version */
	bool is_list;	   /* line ends are kept */
};
extern const struct schema_key gateway_keys[], backend_keys[], pool_keys[]; /* end: no name */
extern const struct schema_key route_keys[], component_keys[];

#endif
