#include <string.h>

#include "schema/write_internal.h"

static json_t *origin_json(const struct cb_origin *origin)
{
	json_t *json;

	if (origin->from == CB_FROM_DEFAULT)
		return json_pack("{s:s}", "from", "default");
	json = json_pack("{s:s,s:s,s:i,s:i}", "from", "manifest", "file",
			 origin->file ? origin->file : "", "line", (int)origin->line, "column",
			 (int)origin->column);
	if (json && origin->via)
		json_object_set_new(json, "via", json_string(origin->via));
	return json;
}

static json_t *value_json(const struct cb_field *field, const struct cb_entry *entry)
{
	json_t *json;

	if (entry->origin.sensitive)
		return json_string(CB_WRITE_SECRET);
	if (cb_write_is_json(field, entry) && (json = json_loads(entry->value.string, 0, NULL)))
		return json;
	switch (entry->value.kind) {
	case CB_NONE:
		break;
	case CB_BOOL:
		return json_boolean(entry->value.boolean);
	case CB_INT:
		return json_integer(entry->value.integer);
	case CB_STRING:
		return json_string(entry->value.string);
	}
	return json_null();
}

static json_t *entry_json(const struct cb_field *field, const struct cb_entry *entry)
{
	json_t *json = json_pack("{s:o,s:o}", "value", value_json(field, entry), "origin",
				 origin_json(&entry->origin));

	if (entry->origin.sensitive)
		json_object_set_new(json, "sensitive", json_true());
	return json;
}

static json_t *thing_json(struct cb_arena *arena, const char *name, enum cb_scope scope,
			  const struct cb_origin *origin, const struct cb_spec *spec)
{
	struct cb_spec complete = cb_write_complete(arena, scope, spec);
	json_t *values = json_object();

	cb_vec_each (const struct cb_entry, entry, &complete)
		json_object_set_new(values, entry->path,
				    entry_json(cb_field_find(scope, entry->path), entry));
	return json_pack("{s:s,s:o,s:o}", "name", name, "origin", origin_json(origin), "values",
			 values);
}

static json_t *vm_json(struct cb_arena *arena, const struct cb_vm *vm)
{
	json_t *json = thing_json(arena, vm->name, CB_SCOPE_VM, &vm->origin, &vm->spec);
	json_t *needs = json_array();

	for (size_t i = 0; i < vm->depends_on.len; i++)
		json_array_append_new(needs, json_string(vm->depends_on.items[i]));
	json_object_set_new(json, "depends_on", needs);
	if (vm->host) {
		struct cb_entry host = {"host", cb_string(vm->host), vm->host_origin};

		json_object_set_new(json_object_get(json, "values"), "host",
				    entry_json(NULL, &host));
	}
	return json;
}

json_t *cb_write_json(const struct cb_desired *desired)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_entry owner = {"owner", cb_string(desired->owner), desired->owner_origin};
	const struct cb_field *fields;
	json_t *out, *vms = json_array();
	size_t n;

	if (!desired->owner_given)
		owner.origin.from = CB_FROM_DEFAULT;
	cb_vec_each (const struct cb_vm, vm, &desired->vms)
		json_array_append_new(vms, vm_json(&arena, vm));
	out = json_pack("{s:s,s:o,s:o}", "schema", "clonebox/render/v1", "owner",
			entry_json(NULL, &owner), "vms", vms);
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		const struct cb_declarations *all = cb_write_declarations(desired, fields[i].path);
		bool named;
		json_t *list;

		if (fields[i].scope != CB_SCOPE_ROOT || !all)
			continue;
		list = json_array();
		cb_vec_each (const struct cb_declared, declared, all)
			json_array_append_new(
				list, thing_json(&arena, declared->name,
						 cb_field_scope_below(CB_SCOPE_ROOT, fields[i].path,
								      &named),
						 &declared->origin, &declared->spec));
		json_object_set_new(out, fields[i].path, list);
	}
	return out;
}
