/*
 * Any text as a stamp: it is read, or said to be wrong, or there is none; and what was read is
 * written and read again without a change. Text that is no document of its own is put where a stamp
 * stands, so that the fuzzer need not find that.
 */
#include <stdint.h>
#include <string.h>

#include "reconciler/driver/libvirt/libvirt_internal.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const struct cb_spec *a, const struct cb_spec *b)
{
	CB_ASSERT(a->len == b->len);
	for (size_t i = 0; i < a->len; i++) {
		CB_ASSERT(strcmp(a->items[i].path, b->items[i].path) == 0);
		CB_ASSERT(a->items[i].origin.from == b->items[i].origin.from);
		CB_ASSERT(cb_value_equal(&a->items[i].value, &b->items[i].value));
	}
}

static void check_equal(const struct cb_stamp *a, const struct cb_stamp *b)
{
	CB_ASSERT(strcmp(a->owner, b->owner) == 0 && strcmp(a->name, b->name) == 0);
	CB_ASSERT(strcmp(a->source, b->source) == 0 && strcmp(a->uuid, b->uuid) == 0);
	CB_ASSERT(strcmp(a->controller, b->controller) == 0);
	CB_ASSERT(strcmp(a->transaction, b->transaction) == 0);
	CB_ASSERT(a->generation == b->generation && a->volumes.len == b->volumes.len);
	for (size_t i = 0; i < a->volumes.len; i++) {
		const struct cb_stamp_volume *x = &a->volumes.items[i], *y = &b->volumes.items[i];

		CB_ASSERT(strcmp(x->role, y->role) == 0 && strcmp(x->pool, y->pool) == 0);
		CB_ASSERT(strcmp(x->name, y->name) == 0 && strcmp(x->path, y->path) == 0);
		CB_ASSERT(x->deletion == y->deletion && strcmp(x->digest, y->digest) == 0);
	}
	check_fields(&a->applied, &b->applied);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	cb_auto_xml xmlDocPtr doc = NULL, fresh = NULL;
	struct bounds bounds = bounds_begin();
	const char *text = cb_arena_strndup(&arena, (const char *)data, size), *problem;
	const struct cb_stamp *stamp, *again;

	if (!strstr(text, "<domain"))
		text = cb_arena_printf(&arena,
				       "<domain><metadata><cb:vm xmlns:cb='" CB_STAMP_NAMESPACE
				       "' version='1' %s</metadata></domain>",
				       text);
	if (cb_xml_parse(text, &doc, &err) < 0)
		return 0;
	stamp = cb_stamp_read(&arena, xmlDocGetRootElement(doc), &problem);
	CB_ASSERT(!stamp || !problem);
	if (!stamp)
		return 0;
	(void)cb_stamp_is_trash(stamp);
	(void)cb_stamp_wants_trash(stamp);
	fresh = cb_xml_new("domain");
	if (cb_stamp_write(xmlDocGetRootElement(fresh), stamp, &err) < 0)
		return 0;
	again = cb_stamp_read(&arena, xmlDocGetRootElement(fresh), &problem);
	CB_ASSERT(again && !problem);
	check_equal(stamp, again);
	bounds_check(&bounds);
	return 0;
}
