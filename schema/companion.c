/* Files that others refer to: profiles, manifests of one VM, policy files. */
#include <string.h>

#include "schema/fleet_internal.h"
#include "schema/manifest_internal.h"
#include "schema/problem.h"

bool cb_reading_is_companion(const struct cb_reading *file)
{
	return file->kind == CB_TEXT_PROFILE || file->kind == CB_TEXT_CONFIG;
}

/* .clonebox-policy.yaml */
void cb_reading_rules(struct cb_reading *file, const struct cb_yaml_node *document)
{
	if (cb_decode_is_null(document))
		return;
	if (cb_decode_is_map(&file->decode, document, "a policy file",
			     "for example: operations: {require_approval: [vm.delete]}"))
		cb_decode_entry(&file->decode, CB_SCOPE_RULES, document, &file->fleet->out->rules);
}

/* What another manifest says of files starts where that stands, not where it is referred to. */
static void rebase(struct cb_reading *file)
{
	cb_vec_each (struct cb_entry, entry, &file->companion) {
		const struct cb_field *field = cb_field_find(CB_SCOPE_VM, entry->path);
		const char *text = entry->value.kind == CB_STRING ? entry->value.string : NULL;

		if (!field || !text || *text == '/' ||
		    !(field->type == CB_TYPE_FILE || strstr(field->unit, "path")) ||
		    (field->type != CB_TYPE_FILE && !strchr(text, '/')))
			continue;
		entry->value.string =
			cb_arena_printf(file->fleet->arena, "%s/%s", file->directory, text);
	}
}

/* Nobody would look further: what a companion says of other companions has to be told. */
static void check_alone(struct cb_reading *file, const char *key)
{
	const struct cb_entry *other = cb_spec_find(&file->companion, key);
	struct cb_schema_at at;

	if (!other)
		return;
	at = cb_fleet_at("manifest.place", NULL, &other->origin);
	cb_schema_report(file->fleet->arena, file->fleet->problems, &at,
			 "say it in the VM that this is for", "'%s' cannot stand in a file that %s",
			 key, file->kind == CB_TEXT_CONFIG ? "'config' names" : "is a profile");
}

/* A profile or a `config` is kept for who refers to it. */
void cb_reading_keep(struct cb_reading *file)
{
	struct cb_declared declared = {
		.name = file->as,
		.source = file->source,
		.directory = file->directory,
		.origin = {CB_FROM_MANIFEST, file->decode.file, 1, 1, false},
	};

	check_alone(file, "config");
	if (file->kind == CB_TEXT_PROFILE)
		check_alone(file, "profile");
	if (file->kind == CB_TEXT_CONFIG)
		rebase(file);
	declared.spec = file->companion;
	cb_vec_push(file->fleet->arena,
		    file->kind == CB_TEXT_CONFIG ? &file->fleet->configs : &file->fleet->companions,
		    declared);
}
