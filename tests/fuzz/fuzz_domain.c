/*
 * Any text as the document of a domain: it is read without harm, the same text gives the same
 * values, and what was read can be written back and reads as it was.
 */
#include <stdint.h>
#include <string.h>

#include "reconciler/driver/libvirt/libvirt_internal.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(const struct cb_spec *spec)
{
	for (size_t i = 0; i < spec->len; i++) {
		CB_ASSERT(spec->items[i].value.kind != CB_NONE);
		CB_ASSERT(i == 0 || strcmp(spec->items[i - 1].path, spec->items[i].path) < 0);
	}
}

static void check_same(const struct cb_spec *a, const struct cb_spec *b)
{
	CB_ASSERT(a->len == b->len);
	for (size_t i = 0; i < a->len; i++)
		CB_ASSERT(strcmp(a->items[i].path, b->items[i].path) == 0 &&
			  cb_value_equal(&a->items[i].value, &b->items[i].value));
}

/* What can be written has to read as what was to be written. */
static void check_write(struct cb_arena *arena, xmlNodePtr domain, const struct cb_spec *spec)
{
	cb_auto_error struct cb_error err = {0}, why = {0};
	cb_auto_str struct cb_str dump = {0};
	struct cb_spec again = {0};

	if (cb_bind_write(domain, spec, &err) < 0)
		return;
	CB_ASSERT(cb_bind_verify(domain, spec, &why) == 0);
	cb_xml_dump(domain, &dump);
	cb_bind_read(arena, domain, &again);
	check_order(&again);
}

static void check_rest(struct cb_arena *arena, xmlNodePtr domain)
{
	struct cb_domain found = {0};
	struct cb_spec limits = {0};
	const struct cb_stamp *stamp;
	const char *problem;

	cb_document_nics(arena, domain, &found);
	(void)cb_document_has_nvram(domain);
	(void)cb_document_has_tpm(domain);
	cb_bind_read_limits(arena, domain, &limits);
	stamp = cb_stamp_read(arena, domain, &problem);
	CB_ASSERT(!stamp || !problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	cb_auto_xml xmlDocPtr doc = NULL, other = NULL;
	struct bounds bounds = bounds_begin();
	const char *text = cb_arena_strndup(&arena, (const char *)data, size);
	struct cb_spec spec = {0}, same = {0}, set = {0};

	if (cb_xml_parse(text, &doc, &err) < 0)
		return 0;
	CB_ASSERT(cb_xml_parse(text, &other, &err) == 0);
	cb_bind_read(&arena, xmlDocGetRootElement(doc), &spec);
	cb_bind_read(&arena, xmlDocGetRootElement(other), &same);
	check_order(&spec);
	check_same(&spec, &same);
	/* It is written in MiB and read in KiB: libvirt stands between the two. */
	cb_vec_each (const struct cb_entry, entry, &spec) {
		if (strcmp(entry->path, "ram_mb") != 0)
			cb_spec_set(&arena, &set, entry->path, entry->value, entry->origin);
	}
	check_rest(&arena, xmlDocGetRootElement(doc));
	check_write(&arena, xmlDocGetRootElement(other), &set);
	bounds_check(&bounds);
	return 0;
}
