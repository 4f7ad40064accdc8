#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

#include "reconciler/driver/check.h"

static const struct cb_value none = {.kind = CB_NONE};

xmlNodePtr cb_bound_node(const struct cb_bound *at)
{
	return at->bind->anchor(at->domain, at->name);
}

int cb_bound_needed(const struct cb_bound *at, struct cb_error *err)
{
	return cb_error_set(err, CB_E_INVALID, "a domain cannot be without '%s'", at->path);
}

/* Text, attributes, flags. --------------------------------------------------------------------- */

/* Splits "mac/@address" into "mac" and "address"; attribute is NULL for a plain element. */
static const char *split(const char *place, char element[64], const char **attribute)
{
	const char *at = strstr(place, "/@");
	size_t len = at ? (size_t)(at - place) : strlen(place);

	CB_ASSERT(len < 64);
	memcpy(element, place, len);
	element[len] = '\0';
	*attribute = at ? at + 2 : NULL;
	return element;
}

struct cb_value cb_bind_get_text(const struct cb_bound *at, struct cb_arena *arena)
{
	const char *attribute;
	char element[64];
	xmlNodePtr node = cb_bound_node(at);

	if (node)
		node = cb_xml_at(node, split(at->bind->place, element, &attribute));
	if (!node)
		return none;
	return cb_string(attribute ? cb_xml_attr(arena, node, attribute)
				   : cb_xml_text(arena, node));
}

int cb_bind_set_text(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err)
{
	const char *attribute, *element;
	char buffer[64];
	xmlNodePtr anchor = cb_bound_node(at);

	(void)err;
	element = split(at->bind->place, buffer, &attribute);
	if (cb_is_nothing(value)) {
		xmlNodePtr node = cb_xml_at(anchor, element);

		if (attribute)
			cb_xml_drop_attr(node, attribute);
		else
			cb_xml_drop(node);
	} else if (attribute) {
		cb_xml_set_attr(cb_xml_make(anchor, element), attribute, value->string);
	} else {
		cb_xml_set_text(cb_xml_make(anchor, element), value->string);
	}
	return 0;
}

static int cb_bind_set_name(const struct cb_bound *at, const struct cb_value *value,
			    struct cb_error *err)
{
	if (cb_is_nothing(value))
		return cb_bound_needed(at, err);
	return cb_bind_set_text(at, value, err);
}

/* An element that says something by being there. */
static struct cb_value cb_bind_get_flag(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr node = cb_bound_node(at);

	(void)arena;
	return node ? cb_bool(cb_xml_child(node, at->bind->place) != NULL) : none;
}

static int cb_bind_set_flag(const struct cb_bound *at, const struct cb_value *value,
			    struct cb_error *err)
{
	xmlNodePtr node = cb_bound_node(at);

	(void)err;
	if (value->boolean)
		(void)cb_xml_make(node, at->bind->place);
	else
		cb_xml_drop_all(node, at->bind->place);
	return 0;
}

/* The table. ----------------------------------------------------------------------------------- */

static xmlNodePtr anchor_domain(xmlNodePtr domain, const char *name)
{
	(void)name;
	return domain;
}

#define anchor_nic       cb_device_nic
#define anchor_new_nic   cb_device_nic
#define anchor_disk      cb_device_disk
#define anchor_new_disk  cb_device_disk
#define anchor_mount     cb_device_mount
#define anchor_new_mount cb_device_mount
#define names_domain     NULL
#define names_nic        cb_device_nic_names
#define names_new_nic    cb_device_nic_names
#define names_disk       cb_device_disk_names
#define names_new_disk   cb_device_disk_names
#define names_mount      cb_device_mount_names
#define names_new_mount  cb_device_mount_names

enum { makes_domain, makes_nic = 0, makes_disk = 0, makes_mount = 0 };

enum { makes_new_nic = 1, makes_new_disk = 1, makes_new_mount = 1 };

#define cb_bind_get_name cb_bind_get_text
#define live_never       NULL
#define live_memory      cb_live_memory
#define live_vcpus       cb_live_vcpus
#define live_description cb_live_description

static const struct cb_bind binds[] = {
#define CB_BIND(path_, kind_, from_, place_, half_, otherwise_, change_)                           \
	{                                                                                          \
		.path = (path_),                                                                   \
		.kind = (kind_),                                                                   \
		.anchor = anchor_##from_,                                                          \
		.names = names_##from_,                                                            \
		.makes = makes_##from_ != 0,                                                       \
		.place = (place_),                                                                 \
		.get = cb_bind_get_##half_,                                                        \
		.set = cb_bind_set_##half_,                                                        \
		.otherwise = (otherwise_),                                                         \
		.live = live_##change_,                                                            \
	},
#include "reconciler/driver/libvirt/bind.def"
#undef CB_BIND
};

/* The row of a path, and which device it is about. */
static int find(struct cb_arena *arena, const char *path, struct cb_bound *out,
		struct cb_error *err)
{
	struct cb_path parts = cb_path_of(arena, path);

	for (size_t i = 0; i < CB_COUNT(binds); i++) {
		if (strcmp(binds[i].path, parts.pattern) != 0)
			continue;
		if (parts.name && !cb_is_name(parts.name))
			break;
		out->bind = &binds[i];
		out->path = path;
		out->name = parts.name;
		return 0;
	}
	return cb_error_set(err, CB_E_INTERNAL, "'%s' stands nowhere in a domain", path);
}

/* The row for a value that is to be written. */
static int check(struct cb_arena *arena, const char *path, const struct cb_value *value,
		 struct cb_bound *out, struct cb_error *err)
{
	int r = find(arena, path, out, err);

	if (r < 0)
		return r;
	if (value->kind != CB_NONE && value->kind != out->bind->kind)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' has a value of the wrong kind", path);
	if (value->kind == CB_STRING && !cb_xml_text_fits(value->string))
		return cb_error_set(err, CB_E_INVALID,
				    "the value of '%s' has characters that libvirt cannot keep",
				    path);
	if (value->kind == CB_INT && value->integer < 0)
		return cb_error_set(err, CB_E_INVALID, "'%s' cannot be negative", path);
	return 0;
}

/* Reading. ------------------------------------------------------------------------------------- */

void cb_bind_read_limits(struct cb_arena *arena, xmlNodePtr domain, struct cb_spec *out)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	uint64_t memory = cb_xml_number(cb_xml_child(domain, "memory"), 0) / 1024;
	uint64_t vcpus = cb_xml_number(cb_xml_child(domain, "vcpu"), 1);

	cb_spec_set(arena, out, "ram_mb.max", cb_int((int64_t)memory), origin);
	cb_spec_set(arena, out, "vcpus.max", cb_int((int64_t)vcpus), origin);
}

static void read_one(struct cb_arena *arena, const struct cb_bound *at, struct cb_spec *out)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	struct cb_value value = at->bind->get(at, arena);

	if (value.kind != CB_NONE)
		cb_spec_set(arena, out, at->path, value, origin);
}

/* A row of devices is read once for each of them. */
static void read_row(struct cb_arena *arena, const struct cb_bind *bind, xmlNodePtr domain,
		     struct cb_spec *out)
{
	struct cb_bound at = {.bind = bind, .domain = domain, .path = bind->path};
	const char *brackets = strstr(bind->path, "[]");
	struct cb_names names = {0};

	if (!bind->names || !brackets) {
		read_one(arena, &at, out);
		return;
	}
	bind->names(arena, domain, &names);
	cb_vec_each (const char *, name, &names) {
		at.name = *name;
		at.path = cb_arena_printf(arena, "%.*s[%s]%s", (int)(brackets - bind->path),
					  bind->path, *name, brackets + 2);
		read_one(arena, &at, out);
	}
}

void cb_bind_read(struct cb_arena *arena, xmlNodePtr domain, struct cb_spec *out)
{
	for (size_t i = 0; i < CB_COUNT(binds); i++)
		read_row(arena, &binds[i], domain, out);
}

/* Writing. ------------------------------------------------------------------------------------- */

/* What is to stand in the document for that value. */
static struct cb_value meant(const struct cb_bind *bind, const struct cb_value *value)
{
	if (!cb_is_nothing(value) || !*bind->otherwise)
		return *value;
	return bind->kind == CB_BOOL ? cb_bool(strcmp(bind->otherwise, "true") == 0)
				     : cb_string(bind->otherwise);
}

static int write_one(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err)
{
	struct cb_value wanted = meant(at->bind, value);

	if (!at->bind->makes && !cb_bound_node(at)) {
		if (cb_is_nothing(value))
			return 0;
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' cannot be set: the domain has no such device", at->path);
	}
	return at->bind->set(at, &wanted, err);
}

static int write_row(xmlNodePtr domain, const struct cb_bind *bind, const struct cb_spec *set,
		     struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_bound at = {.domain = domain};
		int r = find(&arena, entry->path, &at, err);

		if (r == 0 && at.bind == bind)
			r = write_one(&at, &entry->value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cb_bind_write(xmlNodePtr domain, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_spec document = {0};
	struct cb_bound at;
	int r;

	cb_vec_each (const struct cb_entry, entry, set) {
		if ((r = check(&arena, entry->path, &entry->value, &at, err)) < 0)
			return r;
	}
	if ((r = cb_check_values(set, err)) < 0)
		return r;
	for (size_t i = 0; i < CB_COUNT(binds); i++) {
		if ((r = write_row(domain, &binds[i], set, err)) < 0)
			return r;
	}
	cb_bind_read(&arena, domain, &document);
	if ((r = cb_check_nics(&document, set, err)) < 0)
		return r;
	return cb_check_mounts(&document, set, err);
}

int cb_bind_verify(xmlNodePtr domain, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_bound at = {.domain = domain};
		struct cb_value is, wanted;
		int r = check(&arena, entry->path, &entry->value, &at, err);

		if (r < 0)
			return r;
		is = at.bind->get(&at, &arena);
		wanted = meant(at.bind, &entry->value);
		/* A device that is not there has not even what no value stands for. */
		if (cb_value_equal(&is, &wanted) ||
		    (cb_is_nothing(&is) && cb_is_nothing(&entry->value)))
			continue;
		return cb_error_set(err, CB_E_CONFLICT,
				    "'%s' was set to '%s' but reads '%s': somebody else is at work",
				    entry->path, cb_value_text(&arena, &wanted),
				    cb_value_text(&arena, &is));
	}
	return 0;
}

int cb_bind_live(struct cb_libvirt *host, virDomainPtr domain, const char *path,
		 const struct cb_value *value, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_bound at = {0};
	int r = check(&arena, path, value, &at, err);

	if (r < 0)
		return r;
	if (!at.bind->live || (value->kind == CB_NONE && at.bind->kind == CB_INT))
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "'%s' cannot change while the machine runs", path);
	return at.bind->live(host, domain, value, err);
}
