#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cb_volume_pool(struct cb_libvirt *host, const char *name, virStoragePoolPtr *out,
		   struct cb_error *err)
{
	int r = cb_pool_lookup(host, name, out, err);

	/* Without its pool nothing can be said about a volume. */
	if (r == -CB_E_NOT_FOUND)
		return cb_error_set(err, CB_E_FAILED, "there is no pool '%s'", name);
	return r;
}

int cb_volume_lookup(struct cb_libvirt *host, const char *pool_name, const char *name,
		     virStorageVolPtr *out, struct cb_error *err)
{
	cb_auto_pool virStoragePoolPtr pool = NULL;
	int r = cb_volume_pool(host, pool_name, &pool, err);

	if (r < 0)
		return r;
	*out = virStorageVolLookupByName(pool, name);
	if (!*out)
		return cb_libvirt_error(host, err, "volume '%s' in pool '%s'", name, pool_name);
	return 0;
}

/* Listing. ------------------------------------------------------------------------------------- */

static void release_list(virStorageVolPtr **list)
{
	for (size_t i = 0; *list && (*list)[i]; i++)
		(void)virStorageVolFree((*list)[i]);
	free(*list);
	*list = NULL;
}

#define auto_list CB_CLEANUP(release_list)

static int by_name(const void *a, const void *b)
{
	const struct cb_volume *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* In a directory libvirt's key of a volume is its path, and came with the list; asking for the path
 * would be one more call per volume. */
static int read_path(struct cb_libvirt *host, struct cb_arena *arena, virStorageVolPtr volume,
		     const char **out, struct cb_error *err)
{
	const char *key = virStorageVolGetKey(volume);
	cb_auto_text char *path = NULL;

	if (key && *key == '/') {
		*out = cb_arena_strdup(arena, key);
		return 0;
	}
	path = virStorageVolGetPath(volume);
	*out = cb_arena_strdup(arena, path);
	return path ? 0 : cb_libvirt_error(host, err, "cannot read a volume's path");
}

int cb_libvirt_volumes(struct cb_driver *driver, struct cb_arena *arena, const char *pool_name,
		       struct cb_volumes *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_pool virStoragePoolPtr pool = NULL;
	auto_list virStorageVolPtr *list = NULL;
	const char *in_pool = cb_arena_strdup(arena, pool_name);
	int count, r;

	*out = (struct cb_volumes){0};
	if ((r = cb_volume_pool(host, pool_name, &pool, err)) < 0)
		return r;
	count = virStoragePoolListAllVolumes(pool, &list, 0);
	if (count < 0)
		return cb_libvirt_error(host, err, "cannot list the volumes of pool '%s'",
					pool_name);
	for (int i = 0; i < count; i++) {
		struct cb_volume volume = {.pool = in_pool};

		volume.name = cb_arena_strdup(arena, virStorageVolGetName(list[i]));
		if ((r = read_path(host, arena, list[i], &volume.path, err)) < 0)
			return r;
		cb_vec_push(arena, out, volume);
	}
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), by_name);
	return 0;
}

int cb_libvirt_volume(struct cb_driver *driver, struct cb_arena *arena, const char *pool,
		      const char *name, struct cb_volume *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_volume virStorageVolPtr volume = NULL;
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	xmlNodePtr root;
	int r;

	*out = (struct cb_volume){.pool = cb_arena_strdup(arena, pool),
				  .name = cb_arena_strdup(arena, name)};
	if ((r = cb_volume_lookup(host, pool, name, &volume, err)) < 0)
		return r;
	text = virStorageVolGetXMLDesc(volume, 0);
	if (!text)
		return cb_libvirt_error(host, err, "cannot read volume '%s'", name);
	if ((r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	out->path = cb_xml_text(arena, cb_xml_at(root, "target/path"));
	out->format = cb_xml_attr(arena, cb_xml_at(root, "target/format"), "type");
	out->backing = cb_xml_text(arena, cb_xml_at(root, "backingStore/path"));
	out->backing_format = cb_xml_attr(arena, cb_xml_at(root, "backingStore/format"), "type");
	out->capacity = cb_xml_number(cb_xml_child(root, "capacity"), 0);
	out->allocation = cb_xml_number(cb_xml_child(root, "allocation"), 0);
	return 0;
}

/* Making and removing. ------------------------------------------------------------------------- */

static void set_bytes(xmlNodePtr node, uint64_t bytes)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, bytes);
	cb_xml_set_attr(node, "unit", "bytes");
	cb_xml_set_text(node, text);
}

static xmlDocPtr new_document(const struct cb_volume_new *spec)
{
	xmlDocPtr doc = cb_xml_new("volume");
	xmlNodePtr root = xmlDocGetRootElement(doc);

	cb_xml_set_text(cb_xml_add(root, "name"), spec->name);
	set_bytes(cb_xml_add(root, "capacity"), spec->capacity);
	set_bytes(cb_xml_add(root, "allocation"), 0);
	cb_xml_set_attr(cb_xml_make(root, "target/format"), "type", spec->format);
	/* libvirt's own default is the format of 2007. */
	if (strcmp(spec->format, "qcow2") == 0)
		cb_xml_set_text(cb_xml_make(root, "target/compat"), "1.1");
	if (spec->backing) {
		cb_xml_set_text(cb_xml_make(root, "backingStore/path"), spec->backing);
		/* Explicit, or QEMU guesses the format from what a guest may have written. */
		cb_xml_set_attr(cb_xml_make(root, "backingStore/format"), "type",
				spec->backing_format ? spec->backing_format : "raw");
	}
	return doc;
}

/* libvirt refuses a file that it has not listed, too, and has no code of its own for that. */
static int unseen(struct cb_libvirt *host, virStoragePoolPtr pool, const struct cb_volume_new *spec,
		  struct cb_error *err)
{
	cb_auto_volume virStorageVolPtr volume = NULL;
	cb_auto_error struct cb_error second = {0};

	if (cb_pool_refresh(host, pool, &second) < 0 ||
	    !(volume = virStorageVolLookupByName(pool, spec->name)))
		return -(int)err->code;
	return cb_error_set(err, CB_E_EXISTS, "there is a volume '%s' in pool '%s' already",
			    spec->name, spec->pool);
}

int cb_libvirt_volume_create(struct cb_driver *driver, const struct cb_volume_new *spec,
			     struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_volume virStorageVolPtr volume = NULL;
	cb_auto_pool virStoragePoolPtr pool = NULL;
	cb_auto_str struct cb_str text = {0};
	cb_auto_xml xmlDocPtr doc = NULL;
	int r;

	if (!cb_xml_text_fits(spec->name) || (spec->backing && !cb_xml_text_fits(spec->backing)))
		return cb_error_set(err, CB_E_INVALID, "libvirt cannot keep that name");
	if ((r = cb_volume_pool(host, spec->pool, &pool, err)) < 0)
		return r;
	doc = new_document(spec);
	cb_xml_dump(xmlDocGetRootElement(doc), &text);
	volume = virStorageVolCreateXML(pool, text.text, 0);
	if (volume)
		return 0;
	r = cb_libvirt_error(host, err, "cannot create volume '%s' in pool '%s'", spec->name,
			     spec->pool);
	return r == -CB_E_FAILED ? unseen(host, pool, spec, err) : r;
}

int cb_libvirt_volume_delete(struct cb_driver *driver, const char *pool, const char *name,
			     struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_volume virStorageVolPtr volume = NULL;
	int r = cb_volume_lookup(host, pool, name, &volume, err);

	if (r < 0)
		return r;
	if (virStorageVolDelete(volume, 0) < 0)
		return cb_libvirt_error(host, err, "cannot delete volume '%s' in pool '%s'", name,
					pool);
	return 0;
}
