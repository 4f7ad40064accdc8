#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/base/error.h"

/* The namespace ends in the version of the format; a later clonebox will write another number. */
static const char family[] = "urn:clonebox:stamp:";

static const char *const kinds[] = {
	[CB_NONE] = "none", [CB_BOOL] = "bool", [CB_INT] = "int", [CB_STRING] = "string"};

static const char *href(xmlNodePtr node)
{
	return node->ns && node->ns->href ? (const char *)node->ns->href : "";
}

static bool is_stamp(xmlNodePtr node)
{
	return node->type == XML_ELEMENT_NODE &&
	       strncmp(href(node), family, sizeof(family) - 1) == 0;
}

/* Writing. ------------------------------------------------------------------------------------- */

static xmlNodePtr element(xmlNodePtr parent, xmlNsPtr ns, const char *name)
{
	xmlNodePtr node = cb_xml_add(parent, name);

	xmlSetNs(node, ns);
	return node;
}

/* Sets an attribute; false where XML cannot carry the value. An absent text becomes "". */
static bool put(xmlNodePtr node, const char *name, const char *value)
{
	if (!value)
		value = "";
	if (!cb_xml_attr_fits(value))
		return false;
	cb_xml_set_attr(node, name, value);
	return true;
}

static bool put_number(xmlNodePtr node, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return put(node, name, text);
}

static bool put_volume(xmlNodePtr node, const struct cb_stamp_volume *volume)
{
	return put(node, "role", volume->role) && put(node, "pool", volume->pool) &&
	       put(node, "name", volume->name) && put(node, "path", volume->path) &&
	       put(node, "deletion", cb_deletion_name(volume->deletion)) &&
	       put(node, "digest", volume->digest);
}

static bool put_field(xmlNodePtr node, const struct cb_entry *entry)
{
	cb_auto_arena struct cb_arena arena = {0};

	return put(node, "path", entry->path) && put(node, "kind", kinds[entry->value.kind]) &&
	       put(node, "value", cb_value_text(&arena, &entry->value)) &&
	       put(node, "from", entry->origin.from == CB_FROM_MANIFEST ? "manifest" : "default");
}

static bool fill(xmlNodePtr node, xmlNsPtr ns, const struct cb_stamp *stamp)
{
	bool fits = put_number(node, "version", CB_STAMP_VERSION) &&
		    put(node, "owner", stamp->owner) && put(node, "name", stamp->name) &&
		    put(node, "source", stamp->source) && put(node, "uuid", stamp->uuid) &&
		    put(node, "controller", stamp->controller) &&
		    put(node, "transaction", stamp->transaction) &&
		    put_number(node, "generation", stamp->generation);

	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes)
		fits = fits && put_volume(element(node, ns, "volume"), volume);
	cb_vec_each (const struct cb_entry, entry, &stamp->applied)
		fits = fits && put_field(element(node, ns, "field"), entry);
	return fits;
}

static void drop_stamps(xmlNodePtr metadata)
{
	xmlNodePtr next;

	for (xmlNodePtr node = metadata->children; node; node = next) {
		next = node->next;
		if (is_stamp(node))
			cb_xml_drop(node);
	}
}

int cb_stamp_write(xmlNodePtr domain, const struct cb_stamp *stamp, struct cb_error *err)
{
	xmlNodePtr metadata = cb_xml_make(domain, "metadata");
	cb_auto_str struct cb_str text = {0};
	xmlNodePtr node;
	xmlNsPtr ns;

	drop_stamps(metadata);
	node = cb_xml_add(metadata, "vm");
	ns = xmlNewNs(node, (const xmlChar *)CB_STAMP_NAMESPACE, (const xmlChar *)"cb");
	if (!ns)
		cb_oom();
	xmlSetNs(node, ns);
	if (!fill(node, ns, stamp))
		return cb_error_set(err, CB_E_INVALID,
				    "a value holds characters that XML has no way to write");
	cb_xml_dump(node, &text);
	if (text.len > CB_STAMP_MAX)
		return cb_error_set(
			err, CB_E_INVALID,
			"what is to be remembered of '%s' takes %zu bytes, more than %d",
			stamp->name, text.len, CB_STAMP_MAX);
	return 0;
}

/* Reading. ------------------------------------------------------------------------------------- */

struct reader {
	struct cb_arena *arena;
	const char *problem; /* the first one */
};

static const char *get(struct reader *reader, xmlNodePtr node, const char *name)
{
	const char *value = cb_xml_attr(reader->arena, node, name);

	if (!value && !reader->problem)
		reader->problem = cb_arena_printf(reader->arena, "<%s> has no '%s'",
						  (const char *)node->name, name);
	return value ? value : "";
}

static void refuse(struct reader *reader, const char *name, const char *value)
{
	if (!reader->problem)
		reader->problem =
			cb_arena_printf(reader->arena, "'%s' cannot be '%s'", name, value);
}

static uint64_t get_number(struct reader *reader, xmlNodePtr node, const char *name)
{
	const char *text = get(reader, node, name);
	uint64_t value = 0;

	if (cb_parse_u64(text, &value) < 0)
		refuse(reader, name, text);
	return value;
}

static struct cb_stamp_volume get_volume(struct reader *reader, xmlNodePtr node)
{
	const char *deletion = get(reader, node, "deletion");
	struct cb_stamp_volume volume = {
		.role = get(reader, node, "role"),
		.pool = get(reader, node, "pool"),
		.name = get(reader, node, "name"),
		.path = get(reader, node, "path"),
		.deletion = CB_RETAIN,
		.digest = get(reader, node, "digest"),
	};

	if (cb_deletion_parse(deletion, &volume.deletion) < 0)
		refuse(reader, "deletion", deletion);
	return volume;
}

static int64_t parse_int(struct reader *reader, const char *text)
{
	bool negative = *text == '-';
	uint64_t value = 0;

	if (cb_parse_u64(text + negative, &value) < 0 || value > INT64_MAX)
		refuse(reader, "value", text);
	else if (negative)
		return -(int64_t)value;
	return (int64_t)value;
}

static struct cb_value get_value(struct reader *reader, xmlNodePtr node)
{
	const char *kind = get(reader, node, "kind"), *text = get(reader, node, "value");
	struct cb_value none = {.kind = CB_NONE};

	if (strcmp(kind, kinds[CB_STRING]) == 0)
		return cb_string(text);
	if (strcmp(kind, kinds[CB_INT]) == 0)
		return cb_int(parse_int(reader, text));
	if (strcmp(kind, kinds[CB_BOOL]) == 0) {
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			refuse(reader, "value", text);
		return cb_bool(strcmp(text, "true") == 0);
	}
	if (strcmp(kind, kinds[CB_NONE]) != 0)
		refuse(reader, "kind", kind);
	return none;
}

static void get_field(struct reader *reader, xmlNodePtr node, struct cb_spec *out)
{
	const char *path = get(reader, node, "path"), *from = get(reader, node, "from");
	struct cb_origin origin = {.from = CB_FROM_DEFAULT};

	if (strcmp(from, "manifest") == 0)
		origin.from = CB_FROM_MANIFEST;
	else if (strcmp(from, "default") != 0)
		refuse(reader, "from", from);
	cb_spec_set(reader->arena, out, path, get_value(reader, node), origin);
}

static const struct cb_stamp *read_stamp(struct reader *reader, xmlNodePtr node)
{
	struct cb_stamp *stamp = cb_arena_new(reader->arena, struct cb_stamp);

	stamp->version = CB_STAMP_VERSION;
	stamp->owner = get(reader, node, "owner");
	stamp->name = get(reader, node, "name");
	stamp->source = get(reader, node, "source");
	stamp->uuid = get(reader, node, "uuid");
	stamp->controller = get(reader, node, "controller");
	stamp->transaction = get(reader, node, "transaction");
	stamp->generation = get_number(reader, node, "generation");
	for (xmlNodePtr child = node->children; child; child = child->next) {
		if (!is_stamp(child))
			continue;
		if (strcmp((const char *)child->name, "volume") == 0)
			cb_vec_push(reader->arena, &stamp->volumes, get_volume(reader, child));
		else if (strcmp((const char *)child->name, "field") == 0)
			get_field(reader, child, &stamp->applied);
		else
			refuse(reader, "element", (const char *)child->name);
	}
	return stamp;
}

const struct cb_stamp *cb_stamp_read(struct cb_arena *arena, xmlNodePtr domain,
				     const char **problem)
{
	xmlNodePtr metadata = cb_xml_child(domain, "metadata"), found = NULL;
	struct reader reader = {.arena = arena};
	const struct cb_stamp *stamp;
	const char *version;

	*problem = NULL;
	for (xmlNodePtr node = metadata ? metadata->children : NULL; node; node = node->next) {
		if (!is_stamp(node))
			continue;
		if (found)
			*problem = "there is more than one";
		found = node;
	}
	if (!found || *problem)
		return NULL;
	version = get(&reader, found, "version");
	if (strcmp(href(found), CB_STAMP_NAMESPACE) != 0 || strcmp(version, "1") != 0) {
		*problem = cb_arena_printf(arena, "format '%s', version '%s' is not known here",
					   href(found), version);
		return NULL;
	}
	stamp = read_stamp(&reader, found);
	*problem = reader.problem;
	return reader.problem ? NULL : stamp;
}
