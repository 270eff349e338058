// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Entry points as in component.h. A component with variants is an object that names the objects of
 * its variants; these are written first, and live as long as it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "component.h"
#include "log.h"
#include "variant.h"

struct component_maker {
	struct answer answer;
	uint8_t body[BODY_MAX + 1];
	uint8_t coded[CODINGS][BODY_MAX];
	size_t coded_len[CODINGS]; /* 0: this coding does not pay */
};

struct component_maker *component_maker_new(void)
{
	return malloc(sizeof(struct component_maker));
}

void component_maker_free(struct component_maker *maker)
{
	free(maker);
}

/* Last-Modified of the file: not of a time that is still to come (RFC 9110, 8.8.2.1). */
static uint32_t modified_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_mtime <= 0 || st.st_mtime > time(NULL) ||
	    st.st_mtime > UINT32_MAX)
		return 0;
	return (uint32_t)st.st_mtime;
}

/* Reads a component's file into `body`. Its length or -errno. */
static ssize_t read_body(uint8_t *body, const char *path, uint32_t *modified)
{
	ssize_t n, len = 0;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*modified = modified_of(fd);
	while (len <= BODY_MAX && (n = read(fd, body + len, BODY_MAX + 1 - (size_t)len)) != 0) {
		if (n < 0) {
			err = -errno;
			break;
		}
		len += n;
	}
	close(fd);
	if (!err && len > BODY_MAX)
		err = -EFBIG;
	return err ? err : len;
}

/* The same bytes with the same header block, as an earlier load has left them. */
static bool find_stored(struct component_maker *maker, struct store *store,
			const struct config_component *component, struct answer_body *body,
			struct object_ref *out)
{
	int i;

	for (i = 0; i < 2; i++) {
		body->has_variants = i;
		if (!answer_component(&maker->answer, component, body) &&
		    store_keep(store, &maker->answer.source, out))
			return true;
	}
	return false;
}

/* Variants first: their slots are part of the object. */
static int put_variants(struct component_maker *maker, struct store *store,
			const struct config_component *component, const struct answer_body *body,
			uint32_t variants[CODINGS])
{
	struct answer_body coded = *body;
	struct object_ref ref;
	enum coding coding;
	int err;

	for (coding = 0; coding < CODINGS; coding++) {
		variants[coding] = 0;
		if (!maker->coded_len[coding])
			continue;
		coded.bytes = maker->coded[coding];
		coded.len = maker->coded_len[coding];
		coded.coding = variant_name(coding);
		err = answer_component(&maker->answer, component, &coded);
		if (!err)
			err = store_put(store, &maker->answer.source, &ref);
		if (err)
			return err;
		variants[coding] = ref.slot + 1;
	}
	return 0;
}

static int put_new(struct component_maker *maker, struct store *store,
		   const struct config_component *component, struct answer_body *body,
		   struct object_ref *out)
{
	uint32_t variants[CODINGS];
	enum coding coding;
	int err;

	body->has_variants = false;
	for (coding = 0; coding < CODINGS; coding++) {
		maker->coded_len[coding] =
			variant_make(coding, body->bytes, body->len, maker->coded[coding]);
		body->has_variants |= maker->coded_len[coding] > 0;
	}
	err = put_variants(maker, store, component, body, variants);
	if (!err)
		err = answer_component(&maker->answer, component, body);
	if (err)
		return err;
	memcpy(maker->answer.source.variants, variants, sizeof(variants));
	return store_put(store, &maker->answer.source, out);
}

int component_put(struct component_maker *maker, struct store *store,
		  const struct config_component *component, struct object_ref *out)
{
	struct answer_body body = { .bytes = maker->body };
	ssize_t len;
	int err;

	len = read_body(maker->body, component->file, &body.modified);
	if (len < 0) {
		log_error("component %s: cannot read %s: %s", component->name, component->file,
			  strerror((int)-len));
		return (int)len;
	}
	body.len = (size_t)len;
	if (find_stored(maker, store, component, &body, out))
		return 0;
	err = put_new(maker, store, component, &body, out);
	if (err == -E2BIG)
		log_error("component %s: its header block is larger than %d bytes", component->name,
			  HEAD_MAX);
	else if (err)
		log_error("component %s: no room for its %zu bytes: %s", component->name, body.len,
			  strerror(-err));
	return err;
}
