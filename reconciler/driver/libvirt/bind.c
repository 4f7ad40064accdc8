#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct cb_value none = {.kind = CB_NONE};

static int needed(const struct cb_bind *bind, struct cb_error *err)
{
	return cb_error_set(err, CB_E_INVALID, "a domain cannot be without '%s'", bind->path);
}

/* Text and attributes. ------------------------------------------------------------------------- */

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

struct cb_value cb_bind_get_text(const struct cb_bind *bind, struct cb_arena *arena,
				 xmlNodePtr domain)
{
	const char *attribute;
	char element[64];
	xmlNodePtr node = bind->anchor(domain);

	if (node)
		node = cb_xml_at(node, split(bind->place, element, &attribute));
	if (!node)
		return none;
	return cb_string(attribute ? cb_xml_attr(arena, node, attribute)
				   : cb_xml_text(arena, node));
}

int cb_bind_set_text(const struct cb_bind *bind, xmlNodePtr domain, const struct cb_value *value,
		     struct cb_error *err)
{
	const char *attribute, *element;
	char buffer[64];
	xmlNodePtr anchor = bind->anchor(domain);

	element = split(bind->place, buffer, &attribute);
	if (value->kind == CB_NONE || !*value->string) {
		xmlNodePtr node = anchor ? cb_xml_at(anchor, element) : NULL;

		if (attribute)
			cb_xml_drop_attr(node, attribute);
		else
			cb_xml_drop(node);
		return 0;
	}
	if (!anchor)
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' cannot be set: the domain has no such device",
				    bind->path);
	if (attribute)
		cb_xml_set_attr(cb_xml_make(anchor, element), attribute, value->string);
	else
		cb_xml_set_text(cb_xml_make(anchor, element), value->string);
	return 0;
}

static int cb_bind_set_name(const struct cb_bind *bind, xmlNodePtr domain,
			    const struct cb_value *value, struct cb_error *err)
{
	if (value->kind == CB_NONE || !*value->string)
		return needed(bind, err);
	return cb_bind_set_text(bind, domain, value, err);
}

/* Memory, processors, acceleration. ------------------------------------------------------------ */

static void set_number(xmlNodePtr node, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	cb_xml_set_text(node, text);
}

/* What the guest gets: the balloon's size, which is all of the memory unless somebody changed it.
 * libvirt always prints KiB. */
static struct cb_value cb_bind_get_memory(const struct cb_bind *bind, struct cb_arena *arena,
					  xmlNodePtr domain)
{
	uint64_t all = cb_xml_number(cb_xml_child(domain, "memory"), 0);

	(void)bind;
	(void)arena;
	return cb_int((int64_t)(cb_xml_number(cb_xml_child(domain, "currentMemory"), all) / 1024));
}

static int cb_bind_set_memory(const struct cb_bind *bind, xmlNodePtr domain,
			      const struct cb_value *value, struct cb_error *err)
{
	static const char *const elements[] = {"memory", "currentMemory"};

	if (value->kind == CB_NONE)
		return needed(bind, err);
	if (cb_xml_at(domain, "cpu/numa"))
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the memory of a domain with NUMA cells is not changed");
	for (size_t i = 0; i < CB_COUNT(elements); i++) {
		xmlNodePtr node = cb_xml_make(domain, elements[i]);

		cb_xml_set_attr(node, "unit", "MiB");
		set_number(node, value->integer);
	}
	return 0;
}

static struct cb_value cb_bind_get_vcpus(const struct cb_bind *bind, struct cb_arena *arena,
					 xmlNodePtr domain)
{
	xmlNodePtr vcpu = cb_xml_child(domain, "vcpu");
	const char *current = cb_xml_attr(arena, vcpu, "current");
	uint64_t count = 0;

	(void)bind;
	if (current && cb_parse_u64(current, &count) == 0)
		return cb_int((int64_t)count);
	return cb_int((int64_t)cb_xml_number(vcpu, 1));
}

static int cb_bind_set_vcpus(const struct cb_bind *bind, xmlNodePtr domain,
			     const struct cb_value *value, struct cb_error *err)
{
	xmlNodePtr vcpu;

	if (value->kind == CB_NONE)
		return needed(bind, err);
	vcpu = cb_xml_make(domain, "vcpu");
	cb_xml_drop_attr(vcpu, "current");
	/* The list of single processors says the same thing once more. */
	cb_xml_drop(cb_xml_child(domain, "vcpus"));
	set_number(vcpu, value->integer);
	return 0;
}

static struct cb_value cb_bind_get_accel(const struct cb_bind *bind, struct cb_arena *arena,
					 xmlNodePtr domain)
{
	(void)bind;
	if (cb_xml_attr_is(domain, "type", "qemu"))
		return cb_string("tcg");
	return cb_string(cb_xml_attr(arena, domain, "type"));
}

/* libvirt writes QEMU's default model into a document that names none. */
static bool is_plain_cpu(xmlNodePtr cpu)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *model = cb_xml_text(&arena, cb_xml_child(cpu, "model"));

	return !cpu || (cb_xml_attr_is(cpu, "mode", "custom") && model &&
			strcmp(model, "qemu64") == 0 && !cb_xml_child(cpu, "feature"));
}

static int cb_bind_set_accel(const struct cb_bind *bind, xmlNodePtr domain,
			     const struct cb_value *value, struct cb_error *err)
{
	xmlNodePtr cpu = cb_xml_child(domain, "cpu");

	if (value->kind == CB_NONE)
		return needed(bind, err);
	if (strcmp(value->string, "tcg") == 0) {
		cb_xml_set_attr(domain, "type", "qemu");
		/* Only KVM can give the host's processor to a guest. */
		if (cpu && !cb_xml_attr_is(cpu, "mode", "custom"))
			cb_xml_drop(cpu);
		return 0;
	}
	if (strcmp(value->string, "kvm") != 0)
		return cb_error_set(err, CB_E_INVALID, "'%s' is neither 'kvm' nor 'tcg'",
				    value->string);
	cb_xml_set_attr(domain, "type", "kvm");
	if (is_plain_cpu(cpu)) {
		cb_xml_drop(cpu);
		cb_xml_set_attr(cb_xml_make(domain, "cpu"), "mode", "host-model");
	}
	return 0;
}

/* Live. ---------------------------------------------------------------------------------------- */

/* The balloon moves between nothing and what the machine was started with. Whether the guest
 * follows is for the guest to say: a later look at the domain tells. */
static int live_memory(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
		       struct cb_error *err)
{
	unsigned long max = virDomainGetMaxMemory(domain);
	uint64_t kib = (uint64_t)value->integer * 1024;

	if (max == 0)
		return cb_libvirt_error(host, err, "cannot read how much memory there is");
	if (kib > max)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the machine was started with %lu MiB: more needs a restart",
				    max / 1024);
	if (virDomainSetMemoryFlags(domain, (unsigned long)kib, VIR_DOMAIN_AFFECT_LIVE) == 0)
		return 0;
	/* No balloon, or no driver for it in the guest. */
	if (virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the memory cannot change while the machine runs: %s",
				    virGetLastErrorMessage());
	return cb_libvirt_error(host, err, "cannot change the memory");
}

/* Only upwards: QEMU 7.2 may crash after a processor was unplugged. */
static int live_vcpus(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
		      struct cb_error *err)
{
	int now = virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_LIVE);
	int max = now < 0 ? now
			  : virDomainGetVcpusFlags(domain,
						   VIR_DOMAIN_VCPU_LIVE | VIR_DOMAIN_VCPU_MAXIMUM);

	if (max < 0)
		return cb_libvirt_error(host, err, "cannot read how many processors there are");
	if (value->integer == now)
		return 0;
	if (value->integer < now || value->integer > max)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the machine runs with %d processors of at most %d: "
				    "%" PRId64 " needs a restart",
				    now, max, value->integer);
	if (virDomainSetVcpusFlags(domain, (unsigned)value->integer, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return cb_libvirt_error(host, err, "cannot add processors");
	return 0;
}

static int live_description(struct cb_libvirt *host, virDomainPtr domain,
			    const struct cb_value *value, struct cb_error *err)
{
	const char *text = value->kind == CB_STRING && *value->string ? value->string : NULL;

	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, text, NULL, NULL,
				 VIR_DOMAIN_AFFECT_LIVE) < 0)
		return cb_libvirt_error(host, err, "cannot change the description");
	return 0;
}

/* The table. ----------------------------------------------------------------------------------- */

static xmlNodePtr anchor_domain(xmlNodePtr domain)
{
	return domain;
}

#define anchor_nic       cb_device_nic
#define anchor_root_disk cb_device_root_disk
#define cb_bind_get_name cb_bind_get_text
#define live_never       NULL

static const struct cb_bind binds[] = {
#define CB_BIND(path_, kind_, from_, place_, half_, change_)                                       \
	{                                                                                          \
		.path = (path_),                                                                   \
		.kind = (kind_),                                                                   \
		.anchor = anchor_##from_,                                                          \
		.place = (place_),                                                                 \
		.get = cb_bind_get_##half_,                                                        \
		.set = cb_bind_set_##half_,                                                        \
		.live = live_##change_,                                                            \
	},
#include "reconciler/driver/libvirt/bind.def"
#undef CB_BIND
};

static const struct cb_bind *find(const char *path)
{
	for (size_t i = 0; i < CB_COUNT(binds); i++) {
		if (strcmp(binds[i].path, path) == 0)
			return &binds[i];
	}
	return NULL;
}

/* The row for a value that is to be written. */
static int check(const char *path, const struct cb_value *value, const struct cb_bind **out,
		 struct cb_error *err)
{
	const struct cb_bind *bind = find(path);

	if (!bind)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' stands nowhere in a domain", path);
	if (value->kind != CB_NONE && value->kind != bind->kind)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' has a value of the wrong kind", path);
	if (value->kind == CB_STRING && !cb_xml_text_fits(value->string))
		return cb_error_set(err, CB_E_INVALID,
				    "the value of '%s' has characters that libvirt cannot keep",
				    path);
	if (value->kind == CB_INT && value->integer < 0)
		return cb_error_set(err, CB_E_INVALID, "'%s' cannot be negative", path);
	*out = bind;
	return 0;
}

void cb_bind_read_limits(struct cb_arena *arena, xmlNodePtr domain, struct cb_spec *out)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	uint64_t memory = cb_xml_number(cb_xml_child(domain, "memory"), 0) / 1024;
	uint64_t vcpus = cb_xml_number(cb_xml_child(domain, "vcpu"), 1);

	cb_spec_set(arena, out, "ram_mb.max", cb_int((int64_t)memory), origin);
	cb_spec_set(arena, out, "vcpus.max", cb_int((int64_t)vcpus), origin);
}

void cb_bind_read(struct cb_arena *arena, xmlNodePtr domain, struct cb_spec *out)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};

	for (size_t i = 0; i < CB_COUNT(binds); i++) {
		struct cb_value value = binds[i].get(&binds[i], arena, domain);

		if (value.kind != CB_NONE)
			cb_spec_set(arena, out, binds[i].path, value, origin);
	}
}

int cb_bind_write(xmlNodePtr domain, const struct cb_spec *set, struct cb_error *err)
{
	const struct cb_bind *bind;
	int r;

	cb_vec_each (const struct cb_entry, entry, set) {
		if ((r = check(entry->path, &entry->value, &bind, err)) < 0)
			return r;
	}
	for (size_t i = 0; i < CB_COUNT(binds); i++) {
		const struct cb_entry *entry = cb_spec_find(set, binds[i].path);

		if (entry && (r = binds[i].set(&binds[i], domain, &entry->value, err)) < 0)
			return r;
	}
	return 0;
}

/* No value, and the values that mean the same. */
static bool is_nothing(const struct cb_value *value)
{
	switch (value->kind) {
	case CB_NONE:
		return true;
	case CB_BOOL:
		return !value->boolean;
	case CB_INT:
		return false;
	case CB_STRING:
		return !*value->string || strcmp(value->string, "none") == 0;
	}
	return false;
}

int cb_bind_verify(xmlNodePtr domain, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		const struct cb_bind *bind;
		struct cb_value is;
		int r = check(entry->path, &entry->value, &bind, err);

		if (r < 0)
			return r;
		is = bind->get(bind, &arena, domain);
		if (cb_value_equal(&is, &entry->value) ||
		    (is_nothing(&is) && is_nothing(&entry->value)))
			continue;
		return cb_error_set(err, CB_E_CONFLICT,
				    "'%s' was set to '%s' but reads '%s': somebody else is at work",
				    entry->path, cb_value_text(&arena, &entry->value),
				    cb_value_text(&arena, &is));
	}
	return 0;
}

int cb_bind_live(struct cb_libvirt *host, virDomainPtr domain, const char *path,
		 const struct cb_value *value, struct cb_error *err)
{
	const struct cb_bind *bind;
	int r = check(path, value, &bind, err);

	if (r < 0)
		return r;
	if (!bind->live || (value->kind == CB_NONE && bind->kind == CB_INT))
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "'%s' cannot change while the machine runs", path);
	return bind->live(host, domain, value, err);
}
