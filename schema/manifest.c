#include "schema/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "schema/decode.h"
#include "schema/problem.h"
#include "schema/yaml.h"

#define DEFAULT_OWNER "local"

/* All texts together. */
struct loader {
	struct cb_arena *arena;
	struct cb_desired *out;
	struct cb_problems *problems;
	struct cb_origin owner; /* of the first `owner:` */
};

/* One text. */
struct file {
	struct loader *loader;
	struct cb_decode decode;
	const char *source, *directory;
	bool says_something; /* has a key that clonebox acts on */
};

/* What stands at the top level of one document. */
struct root {
	bool has_vm, has_vms;
};

static const char *place_text(struct cb_arena *arena, const struct cb_origin *origin)
{
	return cb_arena_printf(arena, "%s:%u:%u", origin->file, origin->line, origin->column);
}

static void add_vm(struct file *file, const char *name, const struct cb_yaml_node *block,
		   const struct cb_spec *spec)
{
	struct loader *l = file->loader;
	struct cb_vm vm = {
		.name = name,
		.source = file->source,
		.directory = file->directory,
		.origin = cb_decode_origin(&file->decode, block),
		.spec = *spec,
	};

	cb_vec_push(l->arena, &l->out->vms, vm);
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
		name = cb_decode_name(d, name_node);
	else
		cb_decode_problem(d, pair->key, "manifest.missing", "for example: name: dev",
				  "'vm' needs a 'name'");
	d->target = name;
	cb_decode_vm(d, pair->value, &spec, &name_node);
	d->target = NULL;
	if (name && !pair->duplicate)
		add_vm(file, name, pair->key, &spec);
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
	name = cb_decode_name(d, pair->key);
	d->target = name;
	/* Nothing at all is fine: a VM made of defaults. */
	if (!cb_decode_is_null(pair->value) &&
	    cb_decode_is_map(d, pair->value,
			     cb_schema_quote(d->arena, pair->key->text, pair->key->len),
			     "the keys of a VM go below its name; {} takes the defaults"))
		cb_decode_vm(d, pair->value, &spec, &inner);
	if (inner && !cb_decode_is_null(inner)) {
		const char *again = cb_decode_name(d, inner);

		if (again && name && strcmp(again, name) != 0)
			cb_decode_problem(d, inner, "manifest.name",
					  "leave 'name' out here, or make both the same",
					  "the VM is called '%s' by its key and '%s' here", name,
					  again);
	}
	d->target = NULL;
	if (name && !duplicate)
		add_vm(file, name, pair->key, &spec);
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
	struct loader *l = file->loader;
	struct cb_value value = {0};

	if (!cb_decode_value(&file->decode, field, node, &value))
		return;
	if (!l->out->owner_given) {
		l->out->owner = cb_arena_strdup(l->arena, value.string);
		l->out->owner_given = true;
		l->owner = cb_decode_origin(&file->decode, node);
	} else if (strcmp(l->out->owner, value.string) != 0) {
		cb_decode_problem(&file->decode, node, "manifest.owner",
				  "load manifests of different owners one after the other",
				  "the owner is '%s' here and '%s' at %s", value.string,
				  l->out->owner, place_text(l->arena, &l->owner));
	}
}

/* CloneBox's keys beside `vm:` are about that VM; beside `vms:` nobody can tell about which. */
static void check_sibling(struct file *file, const struct root *root, const struct cb_field *field,
			  const struct cb_yaml_node *key)
{
	if (!root->has_vm && root->has_vms && cb_field_find(CB_SCOPE_VM, field->path))
		cb_decode_problem(&file->decode, key, "manifest.place",
				  "move it below the names of the VMs that it is for",
				  "'%s' cannot stand beside 'vms:'", field->path);
}

static bool is_key(const struct cb_yaml_node *node, const char *text)
{
	return node->kind == CB_YAML_SCALAR && strcmp(node->text, text) == 0;
}

static void load_root_key(struct file *file, const struct root *root,
			  const struct cb_yaml_pair *pair)
{
	const struct cb_field *field = cb_decode_key(&file->decode, CB_SCOPE_ROOT, "", pair->key);
	struct cb_value ignored = {0};

	if (!field)
		return;
	if (field->mutability == CB_MUT_LATER) {
		check_sibling(file, root, field, pair->key);
		return;
	}
	file->says_something = file->says_something || strcmp(field->path, "version") != 0;
	if (strcmp(field->path, "vm") == 0)
		load_vm(file, pair);
	else if (strcmp(field->path, "vms") == 0)
		load_vms(file, pair);
	else if (strcmp(field->path, "owner") == 0)
		load_owner(file, field, pair->value);
	else
		(void)cb_decode_value(&file->decode, field, pair->value, &ignored);
}

static void load_document(struct file *file, const struct cb_yaml_node *document)
{
	struct root root = {0};

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
}

static size_t count_problems(const struct cb_problems *problems)
{
	size_t n = 0;

	cb_vec_each (const struct cb_problem, problem, problems)
		n += problem->severity == CB_PROBLEM;
	return n;
}

static void load_text(struct loader *l, const struct cb_manifest_text *text)
{
	struct file file = {
		.loader = l,
		.decode = {.arena = l->arena,
			   .file = cb_arena_strdup(l->arena, text->name),
			   .problems = l->problems},
		.source = cb_arena_strdup(l->arena, text->source),
		.directory = cb_arena_strdup(l->arena, text->directory),
	};
	struct cb_schema_at at = {
		.severity = CB_PROBLEM,
		.check = "manifest.empty",
		.file = file.decode.file,
		.line = 1,
		.column = 1,
	};
	size_t before = count_problems(l->problems);
	struct cb_yaml yaml = {0};

	cb_yaml_parse(l->arena, file.decode.file, text, &yaml, l->problems);
	cb_vec_each (struct cb_yaml_node *const, document, &yaml.documents)
		load_document(&file, *document);
	/* An empty file is a mistake, or half written: taken for "no VMs", it would orphan them. */
	if (!file.says_something && count_problems(l->problems) == before)
		cb_schema_report(l->arena, l->problems, &at,
				 "for example: vm: {name: dev}; for no VM at all write 'vms: {}'",
				 "there is neither 'vm:' nor 'vms:' in this manifest");
}

static int compare_vms(const void *left, const void *right)
{
	const struct cb_vm *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = strcmp(a->origin.file, b->origin.file);
	if (order == 0)
		order = (a->origin.line > b->origin.line) - (a->origin.line < b->origin.line);
	if (order == 0)
		order = (a->origin.column > b->origin.column) -
			(a->origin.column < b->origin.column);
	return order;
}

/* Sorts the VMs by name and finds names that are taken twice. */
static void settle_vms(struct loader *l)
{
	size_t kept = 0;

	if (l->out->vms.len == 0)
		return;
	qsort(l->out->vms.items, l->out->vms.len, sizeof(*l->out->vms.items), compare_vms);
	for (size_t i = 1; i < l->out->vms.len; i++) {
		const struct cb_vm *first = &l->out->vms.items[kept], *vm = &l->out->vms.items[i];
		struct cb_schema_at at = {
			.severity = CB_PROBLEM,
			.check = "manifest.duplicate-vm",
			.target = vm->name,
			.file = vm->origin.file,
			.line = vm->origin.line,
			.column = vm->origin.column,
		};

		if (strcmp(first->name, vm->name) != 0)
			l->out->vms.items[++kept] = *vm;
		else
			cb_schema_report(l->arena, l->problems, &at,
					 "remove one of them, or rename it",
					 "the VM '%s' is declared here and at %s", vm->name,
					 place_text(l->arena, &first->origin));
	}
	l->out->vms.len = kept + 1;
}

int cb_manifest_load(struct cb_arena *arena, const struct cb_manifest_text *texts, size_t n,
		     struct cb_desired *out, struct cb_problems *problems)
{
	struct loader loader = {.arena = arena, .out = out, .problems = problems};
	size_t before = count_problems(problems);

	*out = (struct cb_desired){.owner = DEFAULT_OWNER};
	for (size_t i = 0; i < n; i++)
		load_text(&loader, &texts[i]);
	settle_vms(&loader);
	cb_schema_sort(problems);
	return (int)(count_problems(problems) - before);
}
