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

/* A profile or a `config` is kept for who refers to it. */
void cb_reading_keep(struct cb_reading *file)
{
	struct cb_declared declared = {
		.name = file->as,
		.source = file->source,
		.directory = file->directory,
		.origin = {CB_FROM_MANIFEST, file->decode.file, 1, 1, false},
	};

	if (file->kind == CB_TEXT_CONFIG)
		rebase(file);
	declared.spec = file->companion;
	cb_vec_push(file->fleet->arena,
		    file->kind == CB_TEXT_CONFIG ? &file->fleet->configs : &file->fleet->companions,
		    declared);
}
