/* What stands beside a VM and is about it; keys of a VM at the top. */
#include <string.h>

#include "schema/fleet_internal.h"
#include "schema/manifest_internal.h"
#include "schema/problem.h"

/* A key of VMs that stands elsewhere: `field` is its row there. */
void cb_reading_vm_key(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_pair *pair, struct cb_spec *spec)
{
	struct cb_decode inner = *d;

	/* The row that it was found by has had its warning. */
	inner.inside = true;
	cb_decode_pair(&inner, cb_field_find(CB_SCOPE_VM, field->path), pair, spec);
}

/* What is checked, and is about no VM. */
static void load_unused(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_pair *pair, struct cb_spec *spec)
{
	cb_decode_pair(d, field, pair, spec);
}

/* CloneBox's keys beside `vm:` are about that VM; beside `vms:` nobody can tell about which. */
void cb_reading_beside(struct cb_reading *file, struct cb_top *root, const struct cb_field *field,
		       const struct cb_yaml_pair *pair)
{
	struct cb_decode *d = &file->decode;
	bool of_vm = cb_field_find(CB_SCOPE_VM, field->path) != NULL;
	struct cb_spec ignored = {0};

	if (root->has_vm || !root->has_vms || !of_vm || cb_field_class(field) == CB_CLASS_UNMANAGED)
		(of_vm ? cb_reading_vm_key : load_unused)(d, field, pair,
							  of_vm ? &root->beside : &ignored);
	else if (d->lenient)
		cb_decode_warn(d, pair->key, "manifest.place",
			       "move it below the names of the VMs that it is for",
			       "'%s' beside 'vms:' is not looked at, as in CloneBox", field->path);
	else
		cb_decode_problem(d, pair->key, "manifest.place",
				  "move it below the names of the VMs that it is for",
				  "'%s' cannot stand beside 'vms:'", field->path);
}

/* CloneBox also takes the keys of a VM at the top; in a profile they may stand there anyway. A map
 * where the key wants none is something else: a piece of another file. */
bool cb_reading_is_flat(const struct cb_reading *file, const struct cb_yaml_pair *pair)
{
	const struct cb_yaml_node *key = pair->key;
	const struct cb_field *field;

	if ((!file->decode.lenient && !cb_reading_is_companion(file)) ||
	    key->kind != CB_YAML_SCALAR || strlen(key->text) != key->len ||
	    strpbrk(key->text, ".[") || cb_field_find(CB_SCOPE_ROOT, key->text) ||
	    !(field = cb_field_find(CB_SCOPE_VM, key->text)))
		return false;
	return pair->value->kind != CB_YAML_MAP || !file->fragment || field->type == CB_TYPE_MAP ||
	       field->type == CB_TYPE_JSON || field->type == CB_TYPE_PAIRS;
}

/* Lost otherwise, without a word; a file with nothing else has its own problem. */
static void report_beside(struct cb_reading *file, const struct cb_top *root)
{
	struct cb_fleet *fleet = file->fleet;
	const char *last = "";

	cb_vec_each (const struct cb_entry, entry, &root->beside) {
		/* The directories of `paths` came from one key. */
		const char *key =
			cb_arena_strndup(fleet->arena, entry->path, strcspn(entry->path, "["));
		struct cb_schema_at at = {file->fragment ? CB_WARNING : CB_PROBLEM,
					  "manifest.place",
					  NULL,
					  entry->origin.file,
					  entry->origin.line,
					  entry->origin.column};

		if (strcmp(key, last) != 0)
			cb_schema_report(fleet->arena, fleet->problems, &at,
					 "move it below the VM, profile or default that it is for",
					 "'%s' needs a 'vm:' beside it", key);
		last = key;
	}
}

/* Whether a list of the VM's own takes the place of the one that the entry belongs to. */
static bool replaced(struct cb_fleet *fleet, const struct cb_spec *own,
		     const struct cb_spec *beside, const struct cb_entry *entry)
{
	const char *list = cb_arena_strndup(fleet->arena, entry->path, strcspn(entry->path, "["));
	const struct cb_entry *theirs = cb_spec_find(beside, list), *said;

	if (!strchr(entry->path, '[') || !(said = cb_spec_find(own, list)))
		return false;
	return !theirs || cb_fleet_by_place(&said->origin, &theirs->origin) != 0;
}

/* One entry of what stands beside a VM. What the VM says itself comes first, but what clonebox has
 * to hold to may not be said in two ways. */
static void add_entry(struct cb_reading *file, struct cb_spec *own, const struct cb_spec *beside,
		      const struct cb_entry *entry)
{
	struct cb_fleet *fleet = file->fleet;
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, entry->path);
	const struct cb_entry *said = cb_spec_find(own, entry->path);
	struct cb_schema_at at = {CB_PROBLEM,         "manifest.conflict", NULL,
				  entry->origin.file, entry->origin.line,  entry->origin.column};

	if (!said && !replaced(fleet, own, beside, entry))
		cb_spec_set(fleet->arena, own, entry->path, entry->value, entry->origin);
	else if (said && field && cb_field_class(field) != CB_CLASS_GUEST &&
		 said->value.kind != CB_NONE && entry->value.kind != CB_NONE &&
		 !cb_value_equal(&said->value, &entry->value))
		cb_schema_report(fleet->arena, fleet->problems, &at, "keep one of the two",
				 "'%s' is said otherwise here than in the VM, at %s", entry->path,
				 cb_fleet_place(fleet, &said->origin));
}

/* The VM of form 1 gets what stands beside it, where it does not say so itself. */
void cb_reading_add_beside(struct cb_reading *file, const struct cb_top *root)
{
	struct cb_fleet *fleet = file->fleet;

	if (cb_reading_is_companion(file)) {
		cb_vec_each (const struct cb_entry, entry, &root->beside)
			add_entry(file, &file->companion, &root->beside, entry);
		return;
	}
	if (!root->has_vm && root->flat.pairs.len == 0 && (file->says_something || file->fragment))
		report_beside(file, root);
	for (size_t i = root->first_block; i < fleet->blocks.len; i++) {
		struct cb_block *block = &fleet->blocks.items[i];

		if (!block->form1)
			continue;
		cb_vec_each (const struct cb_entry, entry, &root->beside)
			add_entry(file, &block->spec, &root->beside, entry);
	}
}
