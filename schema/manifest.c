#include "schema/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "schema/decode.h"
#include "schema/fleet.h"
#include "schema/problem.h"
#include "schema/yaml.h"

#define DEFAULT_OWNER "local"

/* One text. */
struct file {
	struct cb_fleet *fleet;
	struct cb_decode decode;
	const char *source, *directory;
	size_t expanded;     /* bytes that variables made */
	bool says_something; /* has a key that clonebox acts on */
};

/* What stands at the top level of one document. */
struct root {
	bool has_vm, has_vms;
	struct cb_spec beside; /* guest content beside `vm:` */
	size_t first_block;    /* of this document */
};

static struct cb_block *add_block(struct file *file, const char *name,
				  const struct cb_yaml_node *key, const struct cb_spec *spec)
{
	struct cb_fleet *fleet = file->fleet;
	struct cb_block block = {
		.name = name,
		.source = file->source,
		.directory = file->directory,
		.origin = cb_decode_origin(&file->decode, key),
		.spec = *spec,
	};

	cb_vec_push(fleet->arena, &fleet->blocks, block);
	return &fleet->blocks.items[fleet->blocks.len - 1];
}

/* Form 1: the name stands inside. `key` is where the block begins. */
static void load_vm(struct file *file, const struct cb_yaml_pair *pair)
{
	struct cb_decode *d = &file->decode;
	const struct cb_yaml_node *name_node = NULL;
	const char *name = NULL;
	struct cb_spec spec = {0};

	if (!cb_decode_is_map(d, pair->value, "'vm'", "for example: vm: {name: dev}"))
		return;
	/* The name goes first: it stands in the messages about the rest. */
	cb_vec_each (const struct cb_yaml_pair, p, &pair->value->pairs) {
		if (p->key->kind == CB_YAML_SCALAR && strcmp(p->key->text, "name") == 0 &&
		    !p->duplicate)
			name_node = p->value;
	}
	if (name_node)
		name = cb_decode_name(d, "VM", name_node);
	else
		cb_decode_problem(d, pair->key, "manifest.missing", "for example: name: dev",
				  "'vm' needs a 'name'");
	d->target = name;
	cb_decode_vm(d, pair->value, &spec, &name_node);
	d->target = NULL;
	if (name && !pair->duplicate)
		add_block(file, name, pair->key, &spec)->form1 = true;
}

/* Form 2: the key is the name. */
static void load_entry(struct file *file, const struct cb_yaml_pair *pair, bool duplicate)
{
	struct cb_decode *d = &file->decode;
	const struct cb_yaml_node *inner = NULL;
	const char *name;
	struct cb_spec spec = {0};

	if (pair->key->kind != CB_YAML_SCALAR) {
		cb_decode_problem(d, pair->key, "manifest.type", "write 'name: {...}'",
				  "a VM name has to be text, found %s",
				  cb_yaml_kind_name(pair->key->kind));
		return;
	}
	name = cb_decode_name(d, "VM", pair->key);
	d->target = name;
	/* Nothing at all is fine: a VM made of defaults. */
	if (!cb_decode_is_null(pair->value) &&
	    cb_decode_is_map(d, pair->value,
			     cb_schema_quote(d->arena, pair->key->text, pair->key->len),
			     "the keys of a VM go below its name; {} takes the defaults"))
		cb_decode_vm(d, pair->value, &spec, &inner);
	if (inner && !cb_decode_is_null(inner)) {
		const char *again = cb_decode_name(d, "VM", inner);

		if (again && name && strcmp(again, name) != 0)
			cb_decode_problem(d, inner, "manifest.name",
					  "leave 'name' out here, or make both the same",
					  "the VM is called '%s' by its key and '%s' here", name,
					  again);
	}
	d->target = NULL;
	if (name && !duplicate)
		(void)add_block(file, name, pair->key, &spec);
}

static void load_vms(struct file *file, const struct cb_yaml_pair *pair)
{
	if (!cb_decode_is_map(&file->decode, pair->value, "'vms'",
			      "put each VM's keys below its name: vms: {dev: {ram_mb: 4096}}; "
			      "write {} for no VM at all"))
		return;
	cb_vec_each (const struct cb_yaml_pair, entry, &pair->value->pairs)
		load_entry(file, entry, entry->duplicate);
}

static void load_owner(struct file *file, const struct cb_field *field,
		       const struct cb_yaml_node *node)
{
	struct cb_fleet *fleet = file->fleet;
	struct cb_value value = {0};
	struct cb_origin origin;

	if (!cb_decode_value(&file->decode, field, node, &value, &origin))
		return;
	if (!fleet->out->owner_given) {
		fleet->out->owner = cb_arena_strdup(fleet->arena, value.string);
		fleet->out->owner_given = true;
		fleet->out->owner_origin = origin;
	} else if (strcmp(fleet->out->owner, value.string) != 0) {
		cb_decode_problem(&file->decode, node, "manifest.owner",
				  "load manifests of different owners one after the other",
				  "the owner is '%s' here and '%s' at %s", value.string,
				  fleet->out->owner,
				  cb_fleet_place(fleet, &fleet->out->owner_origin));
	}
}

/* `defaults:` holds for everything that is loaded together, so there can be one only. */
static void load_defaults(struct file *file, const struct cb_yaml_pair *pair)
{
	struct cb_fleet *fleet = file->fleet;
	struct cb_decode *d = &file->decode;

	if (!cb_decode_is_map(d, pair->value, "'defaults'",
			      "for example: defaults: {vm: {gui: false}}"))
		return;
	if (fleet->defaults_origin.file && !pair->duplicate)
		cb_decode_problem(d, pair->key, "manifest.duplicate-key", "make one of them",
				  "'defaults' is given here and at %s",
				  cb_fleet_place(fleet, &fleet->defaults_origin));
	fleet->defaults_origin = cb_decode_origin(d, pair->key);
	cb_vec_each (const struct cb_yaml_pair, inner, &pair->value->pairs) {
		const struct cb_field *field = cb_decode_key(d, CB_SCOPE_DEFAULTS, "", inner->key);
		const struct cb_yaml_node *name = NULL;
		struct cb_value value = {0};
		struct cb_origin origin;

		if (!field || cb_decode_is_null(inner->value))
			continue;
		if (field->type != CB_TYPE_MAP) {
			if (!cb_decode_value(d, field, inner->value, &value, &origin))
				continue;
			origin.via = "defaults";
			cb_spec_set(fleet->arena, &fleet->defaults, field->path, value, origin);
		} else if (cb_decode_is_map(d, inner->value, "'defaults.vm'",
					    "for example: defaults: {vm: {gui: false}}")) {
			cb_decode_vm(d, inner->value, &fleet->defaults, &name);
			if (name)
				cb_decode_problem(d, name, "manifest.place", "leave it out",
						  "a default cannot be the name of a VM");
		}
	}
}

static struct cb_declarations *declarations_of(struct cb_fleet *fleet, const char *key)
{
	if (strcmp(key, "hosts") == 0)
		return &fleet->out->hosts;
	if (strcmp(key, "images") == 0)
		return &fleet->out->images;
	if (strcmp(key, "networks") == 0)
		return &fleet->out->networks;
	return strcmp(key, "pools") == 0 ? &fleet->out->pools : &fleet->profiles;
}

/* What has no place in a profile: it is about one VM, or would be another profile. */
static void check_profile(const struct cb_decode *d, const struct cb_declared *profile,
			  const struct cb_yaml_node *name)
{
	const struct cb_entry *other = cb_spec_find(&profile->spec, "profile");
	struct cb_schema_at at;

	if (name)
		cb_decode_problem(d, name, "manifest.place", "leave it out",
				  "a profile cannot have the name of a VM");
	if (!other)
		return;
	at = (struct cb_schema_at){CB_PROBLEM,         "manifest.place",   d->target,
				   other->origin.file, other->origin.line, other->origin.column};
	cb_schema_report(d->arena, d->problems, &at,
			 "write the other profile's keys out, or share them with a YAML anchor",
			 "a profile cannot stand on another one");
}

static void load_named(struct file *file, const struct cb_field *field, enum cb_scope scope,
		       const struct cb_yaml_pair *entry)
{
	struct cb_decode *d = &file->decode;
	const struct cb_yaml_node *name = NULL;
	const char *what = scope == CB_SCOPE_VM ? "profile" : cb_scope_name(scope);
	struct cb_declared declared = {
		.source = file->source,
		.directory = file->directory,
		.origin = cb_decode_origin(d, entry->key),
	};

	if (entry->key->kind != CB_YAML_SCALAR) {
		cb_decode_problem(d, entry->key, "manifest.type", "write 'name: {...}'",
				  "the name of a %s has to be text, found %s", what,
				  cb_yaml_kind_name(entry->key->kind));
		return;
	}
	if (!(declared.name = cb_decode_name(d, what, entry->key)))
		return;
	if (!cb_decode_is_null(entry->value) &&
	    !cb_decode_is_map(d, entry->value,
			      cb_schema_quote(d->arena, entry->key->text, entry->key->len),
			      cb_arena_printf(d->arena, "for example: %s", field->example)))
		return;
	d->target = declared.name;
	if (scope == CB_SCOPE_VM) {
		cb_decode_vm(d, entry->value, &declared.spec, &name);
		check_profile(d, &declared, name);
	} else {
		cb_decode_entry(d, scope, entry->value, &declared.spec);
	}
	d->target = NULL;
	if (!entry->duplicate)
		cb_vec_push(file->fleet->arena, declarations_of(file->fleet, field->path),
			    declared);
}

/* Entries with a name: of `hosts:`, `profiles:`, ... */
static void load_entries(struct file *file, const struct cb_field *field, enum cb_scope scope,
			 const struct cb_yaml_pair *pair)
{
	struct cb_decode *d = &file->decode;

	if (!cb_decode_is_map(d, pair->value, cb_arena_printf(d->arena, "'%s'", field->path),
			      cb_arena_printf(d->arena, "for example: %s", field->example)))
		return;
	cb_vec_each (const struct cb_yaml_pair, entry, &pair->value->pairs)
		load_named(file, field, scope, entry);
}

/* CloneBox's keys beside `vm:` are about that VM; beside `vms:` nobody can tell about which. */
static void load_beside(struct file *file, struct root *root, const struct cb_field *field,
			const struct cb_yaml_pair *pair)
{
	struct cb_value value = {0};
	struct cb_origin origin;

	if (!root->has_vm && root->has_vms && cb_field_find(CB_SCOPE_VM, field->path))
		cb_decode_problem(&file->decode, pair->key, "manifest.place",
				  "move it below the names of the VMs that it is for",
				  "'%s' cannot stand beside 'vms:'", field->path);
	else if (field->mutability != CB_MUT_LATER &&
		 cb_decode_value(&file->decode, field, pair->value, &value, &origin))
		cb_spec_set(file->fleet->arena, &root->beside, field->path, value, origin);
}

static bool is_key(const struct cb_yaml_node *node, const char *text)
{
	return node->kind == CB_YAML_SCALAR && strcmp(node->text, text) == 0;
}

static void load_root_key(struct file *file, struct root *root, const struct cb_yaml_pair *pair)
{
	const struct cb_field *field = cb_decode_key(&file->decode, CB_SCOPE_ROOT, "", pair->key);
	struct cb_value ignored = {0};
	struct cb_origin origin;
	enum cb_scope scope;
	bool named = false;

	if (!field)
		return;
	if (field->mutability == CB_MUT_LATER || field->mutability == CB_MUT_SEED) {
		load_beside(file, root, field, pair);
		return;
	}
	scope = cb_field_scope_below(CB_SCOPE_ROOT, field->path, &named);
	file->says_something = file->says_something || strcmp(field->path, "version") != 0;
	if (strcmp(field->path, "vm") == 0)
		load_vm(file, pair);
	else if (strcmp(field->path, "vms") == 0)
		load_vms(file, pair);
	else if (strcmp(field->path, "owner") == 0)
		load_owner(file, field, pair->value);
	else if (scope == CB_SCOPE_DEFAULTS)
		load_defaults(file, pair);
	else if (named)
		load_entries(file, field, scope, pair);
	else
		(void)cb_decode_value(&file->decode, field, pair->value, &ignored, &origin);
}

/* The VM of form 1 gets what stands beside it, where it does not say so itself. */
static void add_beside(struct file *file, const struct root *root)
{
	struct cb_fleet *fleet = file->fleet;

	/* Lost otherwise, without a word; a file with nothing else has its own problem. */
	if (!root->has_vm && file->says_something) {
		cb_vec_each (const struct cb_entry, entry, &root->beside) {
			struct cb_schema_at at = {
				CB_PROBLEM,         "manifest.place",   NULL,
				entry->origin.file, entry->origin.line, entry->origin.column};

			cb_schema_report(fleet->arena, fleet->problems, &at,
					 "move it below the VM, profile or default that it is for",
					 "'%s' needs a 'vm:' beside it", entry->path);
		}
	}
	for (size_t i = root->first_block; i < fleet->blocks.len; i++) {
		struct cb_block *block = &fleet->blocks.items[i];

		if (!block->form1)
			continue;
		cb_vec_each (const struct cb_entry, entry, &root->beside) {
			if (!cb_spec_find(&block->spec, entry->path))
				cb_spec_set(fleet->arena, &block->spec, entry->path, entry->value,
					    entry->origin);
		}
	}
}

static void load_document(struct file *file, const struct cb_yaml_node *document)
{
	struct root root = {.first_block = file->fleet->blocks.len};

	if (cb_decode_is_null(document))
		return;
	if (!cb_decode_is_map(&file->decode, document, "a manifest",
			      "start with 'vm:' or 'vms:', see 'clonebox explain'"))
		return;
	cb_vec_each (const struct cb_yaml_pair, pair, &document->pairs) {
		root.has_vm = root.has_vm || is_key(pair->key, "vm");
		root.has_vms = root.has_vms || is_key(pair->key, "vms");
	}
	cb_vec_each (const struct cb_yaml_pair, pair, &document->pairs)
		load_root_key(file, &root, pair);
	add_beside(file, &root);
}

static size_t count_problems(const struct cb_problems *problems)
{
	size_t n = 0;

	cb_vec_each (const struct cb_problem, problem, problems)
		n += problem->severity == CB_PROBLEM;
	return n;
}

static void load_text(struct cb_fleet *fleet, const struct cb_manifest_text *text)
{
	struct file file = {
		.fleet = fleet,
		.decode = {.arena = fleet->arena,
			   .file = cb_arena_strdup(fleet->arena, text->name),
			   .problems = fleet->problems,
			   .variables = text->variables},
		.source = cb_arena_strdup(fleet->arena, text->source),
		.directory = cb_arena_strdup(fleet->arena, text->directory),
	};
	struct cb_schema_at at = {
		.severity = CB_PROBLEM,
		.check = "manifest.empty",
		.file = file.decode.file,
		.line = 1,
		.column = 1,
	};
	size_t before = count_problems(fleet->problems);
	struct cb_yaml yaml = {0};

	file.decode.expanded = &file.expanded;
	cb_vec_push(fleet->arena, &fleet->out->sources, file.source);
	cb_yaml_parse(fleet->arena, file.decode.file, text, &yaml, fleet->problems);
	cb_vec_each (struct cb_yaml_node *const, document, &yaml.documents)
		load_document(&file, *document);
	/* An empty file is a mistake, or half written: taken for "no VMs", it would orphan them. */
	if (!file.says_something && count_problems(fleet->problems) == before)
		cb_schema_report(fleet->arena, fleet->problems, &at,
				 "for example: vm: {name: dev}; for no VM at all write 'vms: {}'",
				 "there is neither 'vm:' nor 'vms:' in this manifest");
}

int cb_manifest_load(struct cb_arena *arena, const struct cb_manifest_text *texts, size_t n,
		     struct cb_desired *out, struct cb_problems *problems)
{
	struct cb_fleet fleet = {.arena = arena, .out = out, .problems = problems};
	size_t before = count_problems(problems);

	*out = (struct cb_desired){.owner = DEFAULT_OWNER};
	for (size_t i = 0; i < n; i++)
		load_text(&fleet, &texts[i]);
	cb_fleet_settle(&fleet);
	cb_schema_sort(problems);
	return (int)(count_problems(problems) - before);
}
