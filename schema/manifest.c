#include "schema/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "schema/decode.h"
#include "schema/excerpt.h"
#include "schema/fleet.h"
#include "schema/manifest_internal.h"
#include "schema/problem.h"
#include "schema/yaml.h"

#define DEFAULT_OWNER "local"

static struct cb_block *add_block(struct cb_reading *file, const char *name,
				  const struct cb_yaml_node *key, const struct cb_spec *spec)
{
	struct cb_fleet *fleet = file->fleet;
	struct cb_block block = {
		.name = name,
		.source = file->source,
		.directory = file->directory,
		.origin = cb_decode_origin(&file->decode, key),
		.spec = *spec,
		.fragment = file->fragment,
	};

	cb_vec_push(fleet->arena, &fleet->blocks, block);
	return &fleet->blocks.items[fleet->blocks.len - 1];
}

/* Leniently, a key that comes again takes the place of the first one, whatever that holds. */
static bool overridden(const struct cb_reading *file, const struct cb_yaml_pair *pair)
{
	return pair->duplicate && file->decode.lenient;
}

/* Form 1: the name stands inside. `key` is where the block begins. */
static void load_vm(struct cb_reading *file, const struct cb_yaml_pair *pair)
{
	struct cb_decode *d = &file->decode;
	const struct cb_yaml_node *name_node = NULL;
	const char *name = NULL;
	struct cb_spec spec = {0};

	if (!cb_decode_is_map(d, pair->value, "'vm'", "for example: vm: {name: dev}"))
		return;
	if (cb_reading_is_companion(file)) {
		/* Who refers to it has the name. */
		cb_decode_vm(d, pair->value, &file->companion, &name_node);
		return;
	}
	/* The name goes first: it stands in the messages about the rest. */
	cb_vec_each (const struct cb_yaml_pair, p, &pair->value->pairs) {
		if (p->key->kind == CB_YAML_SCALAR && strcmp(p->key->text, "name") == 0 &&
		    !p->duplicate)
			name_node = p->value;
	}
	if (name_node)
		name = cb_decode_name(d, "VM", name_node);
	else if (file->fragment)
		cb_decode_warn(d, pair->key, "manifest.fragment", "for example: name: dev",
			       "without a 'name' this makes no VM");
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
static void load_entry(struct cb_reading *file, const struct cb_yaml_pair *pair, bool duplicate)
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

static void load_vms(struct cb_reading *file, const struct cb_yaml_pair *pair)
{
	if (!cb_decode_is_map(&file->decode, pair->value, "'vms'",
			      "put each VM's keys below its name: vms: {dev: {ram_mb: 4096}}; "
			      "write {} for no VM at all"))
		return;
	cb_vec_each (const struct cb_yaml_pair, entry, &pair->value->pairs) {
		if (!overridden(file, entry))
			load_entry(file, entry, entry->duplicate);
	}
}

static void load_owner(struct cb_reading *file, const struct cb_field *field,
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
static void load_defaults(struct cb_reading *file, const struct cb_yaml_pair *pair)
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
		if (cb_field_find(CB_SCOPE_VM, field->path) && field->type == CB_TYPE_MAP &&
		    strcmp(field->path, "vm") != 0) {
			cb_reading_vm_key(d, field, inner, &fleet->defaults);
		} else if (field->type != CB_TYPE_MAP) {
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
	if (strcmp(key, "policies") == 0)
		return &fleet->out->policies;
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
	at = (struct cb_schema_at){
		CB_PROBLEM,         "manifest.place",     d->target, other->origin.file,
		other->origin.line, other->origin.column, d->kind};
	cb_schema_report(d->arena, d->problems, &at,
			 "write the other profile's keys out, or share them with a YAML anchor",
			 "a profile cannot stand on another one");
}

static void load_named(struct cb_reading *file, const struct cb_field *field, enum cb_scope scope,
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
	d->kind = what;
	if (scope == CB_SCOPE_VM) {
		cb_decode_vm(d, entry->value, &declared.spec, &name);
		check_profile(d, &declared, name);
	} else {
		cb_decode_entry(d, scope, entry->value, &declared.spec);
	}
	d->target = d->kind = NULL;
	if (!entry->duplicate)
		cb_vec_push(file->fleet->arena, declarations_of(file->fleet, field->path),
			    declared);
}

/* Entries with a name: of `hosts:`, `profiles:`, ... */
static void load_entries(struct cb_reading *file, const struct cb_field *field, enum cb_scope scope,
			 const struct cb_yaml_pair *pair)
{
	struct cb_decode *d = &file->decode;

	if (!cb_decode_is_map(d, pair->value, cb_arena_printf(d->arena, "'%s'", field->path),
			      cb_arena_printf(d->arena, "for example: %s", field->example)))
		return;
	d->inside = cb_field_class(field) == CB_CLASS_POLICY;
	cb_vec_each (const struct cb_yaml_pair, entry, &pair->value->pairs) {
		if (!overridden(file, entry))
			load_named(file, field, scope, entry);
	}
	d->inside = false;
}

static bool is_key(const struct cb_yaml_node *node, const char *text)
{
	return node->kind == CB_YAML_SCALAR && strcmp(node->text, text) == 0;
}

/* The keys of a VM at the top, read as if they stood below `vm:`. */
static void load_flat(struct cb_reading *file, const struct cb_top *root)
{
	struct cb_yaml_node map = root->flat;
	struct cb_yaml_pair pair = {.value = &map};

	if (root->flat.pairs.len == 0)
		return;
	pair.key = root->flat.pairs.items[0].key;
	map.kind = CB_YAML_MAP;
	map.line = pair.key->line;
	map.column = pair.key->column;
	if (!cb_reading_is_companion(file))
		cb_decode_warn(&file->decode, pair.key, "manifest.lenient", "put them below 'vm:'",
			       "keys of a VM stand at the top, and are read as CloneBox does");
	file->says_something = true;
	load_vm(file, &pair);
}

static void load_root_key(struct cb_reading *file, struct cb_top *root,
			  const struct cb_yaml_pair *pair)
{
	const struct cb_field *field;
	struct cb_value ignored = {0};
	struct cb_origin origin;
	enum cb_scope scope;
	bool named = false;

	if (overridden(file, pair))
		return;
	if (cb_reading_is_flat(file, pair)) {
		cb_vec_push(file->fleet->arena, &root->flat.pairs, *pair);
		return;
	}
	if (!(field = cb_decode_key(&file->decode, CB_SCOPE_ROOT, "", pair->key)))
		return;
	scope = cb_field_scope_below(CB_SCOPE_ROOT, field->path, &named);
	if (scope == CB_SCOPE_ROOT && strcmp(field->path, "version") != 0 &&
	    strcmp(field->path, "owner") != 0) {
		cb_reading_beside(file, root, field, pair);
		return;
	}
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

static void load_document(struct cb_reading *file, const struct cb_yaml_node *document)
{
	struct cb_top root = {.first_block = file->fleet->blocks.len};

	if (cb_decode_is_null(document))
		return;
	if (file->fragment && document->kind != CB_YAML_MAP) {
		cb_decode_warn(&file->decode, document, "manifest.fragment", NULL,
			       "this is no manifest, and is not looked at");
		return;
	}
	if (!cb_decode_is_map(&file->decode, document, "a manifest",
			      "start with 'vm:' or 'vms:', see 'clonebox explain'"))
		return;
	cb_vec_each (const struct cb_yaml_pair, pair, &document->pairs) {
		root.has_vm = root.has_vm || is_key(pair->key, "vm");
		root.has_vms = root.has_vms || is_key(pair->key, "vms");
	}
	cb_vec_each (const struct cb_yaml_pair, pair, &document->pairs)
		load_root_key(file, &root, pair);
	load_flat(file, &root);
	cb_reading_add_beside(file, &root);
}

static size_t count_problems(const struct cb_problems *problems)
{
	size_t n = 0;

	cb_vec_each (const struct cb_problem, problem, problems)
		n += problem->severity == CB_PROBLEM;
	return n;
}

static void report_empty(struct cb_reading *file)
{
	struct cb_schema_at at = {
		.severity = file->fragment ? CB_WARNING : CB_PROBLEM,
		.check = "manifest.empty",
		.file = file->decode.file,
		.line = 1,
		.column = 1,
	};

	cb_schema_report(file->fleet->arena, file->fleet->problems, &at,
			 "for example: vm: {name: dev}; for no VM at all write 'vms: {}'",
			 "there is neither 'vm:' nor 'vms:' in this manifest");
}

static void load_text(struct cb_fleet *fleet, const struct cb_manifest_text *text,
		      struct cb_excerpt_texts *texts)
{
	struct cb_reading file = {
		.fleet = fleet,
		.decode = {.arena = fleet->arena,
			   .file = cb_arena_strdup(fleet->arena, text->name),
			   .problems = fleet->problems,
			   .variables = text->variables,
			   .out = fleet->out,
			   .lenient = text->lenient},
		.source = cb_arena_strdup(fleet->arena, text->source),
		.directory = cb_arena_strdup(fleet->arena, text->directory),
		.kind = text->kind,
		.as = cb_arena_strdup(fleet->arena, text->as),
		.fragment = text->fragment,
	};
	size_t before = count_problems(fleet->problems);
	struct cb_yaml yaml = {0};

	file.decode.expanded = &file.expanded;
	if (text->kind == CB_TEXT_MANIFEST)
		cb_vec_push(fleet->arena, &fleet->out->sources, file.source);
	cb_yaml_parse(fleet->arena, file.decode.file, text, &yaml, fleet->problems);
	cb_vec_push(fleet->arena, texts,
		    ((struct cb_excerpt_text){file.decode.file, text, yaml.secrets, yaml.broken}));
	cb_vec_each (struct cb_yaml_node *const, document, &yaml.documents) {
		if (text->kind == CB_TEXT_RULES)
			cb_reading_rules(&file, *document);
		else
			load_document(&file, *document);
	}
	if (cb_reading_is_companion(&file))
		cb_reading_keep(&file);
	/* An empty file is a mistake, or half written: taken for "no VMs", it would orphan them. */
	else if (text->kind == CB_TEXT_MANIFEST && !file.says_something &&
		 count_problems(fleet->problems) == before)
		report_empty(&file);
}

/* One place for each row, so that noting a key costs nothing. */
static void begin_keys(struct cb_arena *arena, struct cb_desired *out)
{
	size_t n;

	(void)cb_fields(&n);
	for (size_t i = 0; i < n; i++)
		cb_vec_push(arena, &out->keys, (struct cb_found_key){0});
}

static void end_keys(struct cb_desired *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < out->keys.len; i++) {
		if (out->keys.items[i].count)
			out->keys.items[kept++] = out->keys.items[i];
	}
	out->keys.len = kept;
}

int cb_manifest_load(struct cb_arena *arena, const struct cb_manifest_text *texts, size_t n,
		     struct cb_desired *out, struct cb_problems *problems)
{
	struct cb_fleet fleet = {.arena = arena, .out = out, .problems = problems};
	struct cb_excerpt_texts read = {0};
	size_t before = count_problems(problems);

	*out = (struct cb_desired){.owner = DEFAULT_OWNER};
	begin_keys(arena, out);
	for (size_t i = 0; i < n; i++)
		load_text(&fleet, &texts[i], &read);
	cb_fleet_settle(&fleet);
	end_keys(out);
	cb_schema_sort(problems);
	cb_schema_excerpts(arena, &read, problems);
	return (int)(count_problems(problems) - before);
}
