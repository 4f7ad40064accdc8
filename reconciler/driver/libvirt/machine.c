/* What a machine is made of, but for its devices: memory, processors, acceleration, board,
 * firmware. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/driver/check.h"

/* Memory and processors. ----------------------------------------------------------------------- */

static void set_number(xmlNodePtr node, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	cb_xml_set_text(node, text);
}

/* What the guest gets: the balloon's size, which is all of the memory unless somebody changed it.
 * libvirt always prints KiB. */
struct cb_value cb_bind_get_memory(const struct cb_bound *at, struct cb_arena *arena)
{
	uint64_t all = cb_xml_number(cb_xml_child(at->domain, "memory"), 0);

	(void)arena;
	return cb_int(
		(int64_t)(cb_xml_number(cb_xml_child(at->domain, "currentMemory"), all) / 1024));
}

int cb_bind_set_memory(const struct cb_bound *at, const struct cb_value *value,
		       struct cb_error *err)
{
	static const char *const elements[] = {"memory", "currentMemory"};

	if (value->kind == CB_NONE)
		return cb_bound_needed(at, err);
	if (cb_xml_at(at->domain, "cpu/numa"))
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the memory of a domain with NUMA cells is not changed");
	for (size_t i = 0; i < CB_COUNT(elements); i++) {
		xmlNodePtr node = cb_xml_make(at->domain, elements[i]);

		cb_xml_set_attr(node, "unit", "MiB");
		set_number(node, value->integer);
	}
	return 0;
}

struct cb_value cb_bind_get_vcpus(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr vcpu = cb_xml_child(at->domain, "vcpu");
	const char *current = cb_xml_attr(arena, vcpu, "current");
	uint64_t count = 0;

	if (current && cb_parse_u64(current, &count) == 0)
		return cb_int((int64_t)count);
	return cb_int((int64_t)cb_xml_number(vcpu, 1));
}

int cb_bind_set_vcpus(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err)
{
	xmlNodePtr vcpu;

	if (value->kind == CB_NONE)
		return cb_bound_needed(at, err);
	vcpu = cb_xml_make(at->domain, "vcpu");
	cb_xml_drop_attr(vcpu, "current");
	/* The list of single processors says the same thing once more. */
	cb_xml_drop(cb_xml_child(at->domain, "vcpus"));
	set_number(vcpu, value->integer);
	return 0;
}

/* The processor. ------------------------------------------------------------------------------- */

static const char default_model[] = "qemu64";

static const char *model_of(struct cb_arena *arena, xmlNodePtr cpu)
{
	return cb_xml_text(arena, cb_xml_child(cpu, "model"));
}

/* libvirt writes QEMU's default model into a document that names none, and forbids others in its
 * place; where we were asked for that very model, we allow them (set_model). */
static bool is_plain_cpu(xmlNodePtr cpu)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *model = model_of(&arena, cpu);

	return !cpu || (cb_xml_attr_is(cpu, "mode", "custom") && model &&
			strcmp(model, default_model) == 0 && !cb_xml_child(cpu, "feature") &&
			!cb_xml_attr_is(cb_xml_child(cpu, "model"), "fallback", "allow"));
}

struct cb_value cb_bind_get_accel(const struct cb_bound *at, struct cb_arena *arena)
{
	if (cb_xml_attr_is(at->domain, "type", "qemu"))
		return cb_string("tcg");
	return cb_string(cb_xml_attr(arena, at->domain, "type"));
}

int cb_bind_set_accel(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err)
{
	xmlNodePtr cpu = cb_xml_child(at->domain, "cpu");

	if (cb_is_nothing(value))
		return cb_bound_needed(at, err);
	if (strcmp(value->string, "tcg") == 0) {
		cb_xml_set_attr(at->domain, "type", "qemu");
		/* Only KVM can give the host's processor to a guest. */
		if (cpu && !cb_xml_attr_is(cpu, "mode", "custom"))
			cb_xml_drop(cpu);
		return 0;
	}
	if (strcmp(value->string, "kvm") != 0)
		return cb_error_set(err, CB_E_INVALID, "'%s' is neither 'kvm' nor 'tcg'",
				    value->string);
	cb_xml_set_attr(at->domain, "type", "kvm");
	if (is_plain_cpu(cpu)) {
		cb_xml_drop(cpu);
		cb_xml_set_attr(cb_xml_make(at->domain, "cpu"), "mode", "host-model");
	}
	return 0;
}

struct cb_value cb_bind_get_cpu(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr cpu = cb_xml_child(at->domain, "cpu");
	const char *mode = cb_xml_attr(arena, cpu, "mode");

	if (is_plain_cpu(cpu))
		return cb_string(NULL);
	if (mode && strcmp(mode, "custom") != 0)
		return cb_string(mode);
	return cb_string(model_of(arena, cpu));
}

static void set_model(xmlNodePtr cpu, const char *model)
{
	xmlNodePtr node = cb_xml_make(cpu, "model");

	cb_xml_set_attr(cpu, "mode", "custom");
	cb_xml_set_attr(cpu, "match", "exact");
	cb_xml_set_attr(node, "fallback", strcmp(model, default_model) == 0 ? "allow" : "forbid");
	cb_xml_set_text(node, model);
}

/* What a person says of the topology, and of single features, stays. */
int cb_bind_set_cpu(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err)
{
	static const char *const attributes[] = {"mode", "match", "check", "migratable"};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_cpu(at, &arena);
	xmlNodePtr cpu;

	(void)err;
	if (cb_value_equal(&is, value) || (cb_is_nothing(&is) && cb_is_nothing(value)))
		return 0;
	cpu = cb_xml_make(at->domain, "cpu");
	for (size_t i = 0; i < CB_COUNT(attributes); i++)
		cb_xml_drop_attr(cpu, attributes[i]);
	cb_xml_drop(cb_xml_child(cpu, "model"));
	cb_xml_drop(cb_xml_child(cpu, "vendor"));
	if (cb_is_nothing(value)) {
		/* Features are of a model, or of the host's. */
		while (cb_xml_child(cpu, "feature"))
			cb_xml_drop(cb_xml_child(cpu, "feature"));
		if (!cb_xml_child(cpu, "topology") && !cb_xml_child(cpu, "numa"))
			cb_xml_drop(cpu);
	} else if (strcmp(value->string, "host-passthrough") == 0 ||
		   strcmp(value->string, "host-model") == 0) {
		cb_xml_set_attr(cpu, "mode", value->string);
	} else {
		set_model(cpu, value->string);
	}
	return 0;
}

/* The board. ----------------------------------------------------------------------------------- */

/* "pc-q35-7.2" is a "q35", "pc-i440fx-7.2" a "pc". */
struct cb_value cb_bind_get_machine(const struct cb_bound *at, struct cb_arena *arena)
{
	const char *machine = cb_xml_attr(arena, cb_xml_at(at->domain, "os/type"), "machine");

	if (machine && strncmp(machine, "pc-q35", 6) == 0)
		return cb_string("q35");
	if (machine && strncmp(machine, "pc-i440fx", 9) == 0)
		return cb_string("pc");
	return cb_string(machine);
}

/* On another board every card sits elsewhere: libvirt finds new slots for all of them. */
static void drop_slots(xmlNodePtr domain)
{
	xmlNodePtr devices = cb_xml_child(domain, "devices"), next;

	for (xmlNodePtr node = devices ? devices->children : NULL; node; node = next) {
		xmlNodePtr address = cb_xml_child(node, "address");

		next = node->next;
		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (strcmp((const char *)node->name, "controller") == 0 &&
		    cb_xml_attr_is(node, "type", "pci"))
			cb_xml_drop(node);
		else if (cb_xml_attr_is(address, "type", "pci"))
			cb_xml_drop(address);
	}
}

int cb_bind_set_machine(const struct cb_bound *at, const struct cb_value *value,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_machine(at, &arena);

	(void)err;
	if (cb_value_equal(&is, value))
		return 0;
	cb_xml_set_attr(cb_xml_make(at->domain, "os/type"), "machine", value->string);
	drop_slots(at->domain);
	return 0;
}

/* Firmware. ------------------------------------------------------------------------------------ */

struct cb_value cb_bind_get_firmware(const struct cb_bound *at, struct cb_arena *arena)
{
	(void)arena;
	if (cb_xml_attr_is(cb_xml_child(at->domain, "os"), "firmware", "efi") ||
	    cb_xml_attr_is(cb_xml_at(at->domain, "os/loader"), "type", "pflash"))
		return cb_string("uefi");
	return cb_string("bios");
}

int cb_bind_set_firmware(const struct cb_bound *at, const struct cb_value *value,
			 struct cb_error *err)
{
	static const char *const parts[] = {"firmware", "loader", "nvram"};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_firmware(at, &arena);
	xmlNodePtr os = cb_xml_make(at->domain, "os"), feature;

	(void)err;
	if (cb_value_equal(&is, value))
		return 0;
	for (size_t i = 0; i < CB_COUNT(parts); i++)
		cb_xml_drop(cb_xml_child(os, parts[i]));
	cb_xml_drop_attr(os, "firmware");
	if (strcmp(value->string, "uefi") != 0)
		return 0;
	cb_xml_set_attr(os, "firmware", "efi");
	/* Or libvirt picks the build that boots signed systems alone. */
	feature = cb_xml_make(os, "firmware/feature");
	cb_xml_set_attr(feature, "enabled", "no");
	cb_xml_set_attr(feature, "name", "secure-boot");
	return 0;
}
