/*
 * What is told of the keys: every row of the table is sound, `explain` finds it, and the manual has
 * it. UPDATE_GOLDEN=1 writes the tables of the manual anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "reconciler/model/field.h"
#include "schema/explain.h"
#include "tests/unit/loaded.h"

#define MANUAL      "docs/manifest.md"
#define FIRST_TABLE "## Top level\n"

/* ---- the table ---- */

/* The example in its place, and what it refers to in another file. */
static void load_example(struct loaded *l, const struct cb_field *f)
{
	static const char *const others[] = {
		"policies: {nightly: {keep_daily: 7}}\n",
		"hosts: {lab: {uri: 'qemu:///system'}}\n",
		"profiles: {small: {vcpus: 1}}\n",
		"networks: {lan: {cidr: 10.10.0.0/24}}\n",
		"vms: {db: {}}\n",
	};
	const char *const variables[] = {"VM_PASSWORD=x", NULL};
	cb_auto_str struct cb_str yaml = {0}, rest = {0};
	static const char config[] = "vm: {name: c}\n";
	struct cb_manifest_text texts[3];

	if (f->scope == CB_SCOPE_RULES)
		cb_str_printf(&yaml, "%s\n", f->example);
	else if (f->scope == CB_SCOPE_VM)
		cb_str_printf(&yaml, "vm:\n%s  %s\n",
			      strcmp(f->path, "name") == 0 ? "" : "  name: a\n", f->example);
	else
		cb_str_printf(&yaml, "%s\n%s", f->example,
			      strncmp(f->example, "vm: ", 4) == 0 ? "" : "vm: {name: a}\n");
	for (size_t i = 0; i < CB_COUNT(others); i++) {
		size_t key = strcspn(others[i], ":") + 1;

		if (strncmp(f->example, others[i], key) != 0)
			cb_str_add(&rest, others[i]);
	}
	texts[0] = (struct cb_manifest_text){"t.yaml",  "/srv",   "file:/srv",
					     yaml.text, yaml.len, variables};
	texts[1] =
		(struct cb_manifest_text){"u.yaml", "/srv", "file:/srv", rest.text, rest.len, NULL};
	if (f->scope == CB_SCOPE_RULES)
		texts[0].kind = CB_TEXT_RULES;
	/* What `config` names in its example. */
	texts[2] = (struct cb_manifest_text){
		"c.yaml",       "/srv", "file:/srv",    config,
		strlen(config), NULL,   CB_TEXT_CONFIG, "/srv/./db/.clonebox.yaml",
		false,          false};
	*l = (struct loaded){0};
	l->count = cb_manifest_load(&l->arena, texts, 3, &l->desired, &l->problems);
}

/* Whether the spec has the field, or something below it. */
static bool says(const struct cb_spec *spec, const struct cb_field *f)
{
	size_t len;

	/* A map may consist of other spellings. */
	if (f->type == CB_TYPE_MAP)
		return spec->len > 0;
	if (f->target)
		f = cb_field_find(f->scope, f->target);
	assert_non_null(f);
	len = strlen(f->path);
	cb_vec_each (const struct cb_entry, entry, spec) {
		if (cb_field_find(CB_SCOPE_VM, entry->path) == f ||
		    (strncmp(entry->path, f->path, len) == 0 && strchr(".[", entry->path[len])))
			return true;
	}
	return false;
}

/* The row at the beginning of its path. */
static const struct cb_field *top_of(const struct cb_field *f)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(f->path, ".["), f->path);
	return cb_field_find(f->scope, path);
}

static bool is_quiet(const struct cb_field *f)
{
	enum cb_class class = cb_field_class(f), top = cb_field_class(top_of(f));

	if (f->scope == CB_SCOPE_POLICY)
		return false;
	return (class == CB_CLASS_REALISED || class == CB_CLASS_GUEST) &&
	       (top == CB_CLASS_REALISED || top == CB_CLASS_GUEST);
}

/* Only of the example: what it refers to stands in another file. */
static bool warns_of(const struct loaded *l)
{
	cb_vec_each (const struct cb_problem, problem, &l->problems) {
		if (strcmp(problem->origin.file, "t.yaml") == 0)
			return true;
	}
	return false;
}

static void every_row_is_sound_and_its_example_loads(void **state)
{
	const struct cb_field *fields;
	size_t n;

	(void)state;
	fields = cb_fields(&n);
	assert_true(n > 20);
	for (size_t i = 0; i < n; i++) {
		const struct cb_field *f = &fields[i];
		auto_loaded struct loaded l;
		struct cb_value initial = cb_field_default(f);

		assert_ptr_equal(cb_field_find(f->scope, f->path), f);
		assert_true(strlen(f->doc) > 5 && f->doc[strlen(f->doc) - 1] == '.');
		assert_int_equal(initial.kind != CB_NONE, f->initial != NULL);
		if (f->type == CB_TYPE_INT && f->initial) {
			assert_int_equal(initial.kind, CB_INT);
			assert_true(initial.integer >= f->min && initial.integer <= f->max);
		}
		if (f->type == CB_TYPE_ENUM && f->initial)
			assert_non_null(strstr(f->values, f->initial));
		load_example(&l, f);
		if (l.count != 0) {
			dump(&l);
			fail_msg("the example of '%s' does not load", f->path);
		}
		if (is_quiet(f) != !warns_of(&l)) {
			dump(&l);
			fail_msg("the example of '%s' should %swarn", f->path,
				 is_quiet(f) ? "not " : "");
		}
		if (f->scope == CB_SCOPE_VM && cb_field_class(f) != CB_CLASS_UNMANAGED &&
		    f->mutability != CB_MUT_LATER && (f->target || f->mutability != CB_MUT_LOAD) &&
		    f->type != CB_TYPE_NAME)
			assert_true(says(&l.desired.vms.items[0].spec, f));
	}
	assert_null(cb_field_find(CB_SCOPE_ROOT, "ram_mb"));
}

/* ---- explain ---- */

static void check_explained(const char *path, const char *const *fragments)
{
	cb_auto_str struct cb_str out = {0};
	cb_auto_error struct cb_error err = {0};

	assert_int_equal(cb_explain(path, &out, &err), 0);
	for (size_t i = 0; fragments[i]; i++) {
		if (!strstr(out.text, fragments[i]))
			fail_msg("no '%s' in:\n%s", fragments[i], out.text);
	}
}

static void explain_tells_what_a_key_means(void **state)
{
	static const char *const ram[] = {"vm.ram_mb\n",         "Memory.",
					  "whole number of MiB", "4096",
					  "16 to 16777216",      "live: takes effect at once",
					  "ram_mb: 4096",        NULL};
	static const char *const ways[] = {"ram_mb", "vm.ram_mb", "vms.db.ram_mb",
					   "vms.a.b.ram_mb"};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(ways); i++)
		check_explained(ways[i], ram);
	check_explained("boot", (const char *[]){"vm.boot\n", "restart", "vm.boot.kernel", NULL});
	check_explained("vms.x.boot.kernel", (const char *[]){"vm.boot.kernel\n", "path", NULL});
	check_explained("vm", (const char *[]){"vm\n", "vm.ram_mb", "vm.boot.kernel", NULL});
	check_explained("state", (const char *[]){"running, stopped, absent", "none", NULL});
	check_explained("owner", (const char *[]){"owner\n", "default   local", NULL});
	check_explained("packages", (const char *[]){"list of texts", "seed: told to", NULL});
	check_explained("copy_paths", (const char *[]){"known from CloneBox", NULL});
	check_explained("paths", (const char *[]){"directory of the host to directory",
						  "vm.paths[].kind", "told to the guest", NULL});
	check_explained("", (const char *[]){"owner", "vm.ram_mb", "vm.boot.cmdline", NULL});
	check_explained(NULL, (const char *[]){"owner", "vm.ram_mb", "vm.boot.cmdline", NULL});
}

static void explain_tells_of_lists_and_of_other_places(void **state)
{
	static const struct {
		const char *path, *want[6];
	} rows[] = {
		{"vm.disks", {"vm.disks\n", "list, each entry with a `name`", "vm.disks[].size"}},
		{"disks", {"vm.disks\n", "vm.disks[].deletion"}},
		{"vms.db.disks", {"vm.disks\n"}},
		{"disks.size",
		 {"vm.disks[].size\n", "size with its unit: 512MiB", "1MiB to 64TiB"}},
		{"disks[].size", {"vm.disks[].size\n"}},
		{"disks[data].size", {"vm.disks[].size\n"}},
		{"vm.disks.size", {"vm.disks[].size\n"}},
		{"vms.db.nics.mac", {"vm.nics[].mac\n", "MAC address"}},
		{"labels", {"vm.labels\n", "vm.labels[]"}},
		{"networks", {"networks\n", "networks.NAME.cidr", "networks.NAME.dhcp.start"}},
		{"networks.lan.cidr", {"networks.NAME.cidr\n", "IPv4 network with its size"}},
		{"networks.cidr", {"networks.NAME.cidr\n"}},
		{"networks.lan.dhcp.end", {"networks.NAME.dhcp.end\n", "IPv4 address"}},
		{"profiles.small.ram_mb", {"vm.ram_mb\n"}},
		{"profiles.small.disks.size", {"vm.disks[].size\n"}},
		{"defaults.vm.ram_mb", {"vm.ram_mb\n"}},
		{"defaults.host", {"defaults.host\n"}},
		{"hosts.lab.uri", {"hosts.NAME.uri\n"}},
		{"images.debian-12.sha256", {"images.NAME.sha256\n"}},
		{"pools.fast.path", {"pools.NAME.path\n"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++)
		check_explained(rows[i].path, rows[i].want);
}

static void explain_suggests_for_what_is_no_key(void **state)
{
	static const struct {
		const char *path, *hint;
	} rows[] = {
		{"memory", "'vm.ram_mb'"},
		{"vm.vcpu", "'vm.vcpus'"},
		{"kernel", "'vm.boot.kernel'"},
		{"ownr", "'owner'"},
		{"vms.db.cpus", "'vm.vcpus'"},
		{"xyzzy", "lists all keys"},
		{"networks.lan.cdir", "'networks.NAME.cidr'"},
		{"pools.fast.typ", "'pools.NAME.type'"},
		{"defaults.hots", "'defaults.host'"},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_auto_str struct cb_str out = {0};
		cb_auto_error struct cb_error err = {0};

		assert_int_equal(cb_explain(rows[i].path, &out, &err), -CB_E_USAGE);
		assert_int_equal(out.len, 0);
		assert_non_null(strstr(err.message, rows[i].path));
		if (!strstr(err.hint, rows[i].hint))
			fail_msg("'%s': %s", rows[i].path, err.hint);
	}
}

static void write_manual(const struct cb_str *text)
{
	FILE *file = fopen(MANUAL, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text->text, 1, text->len, file), text->len);
	assert_int_equal(fclose(file), 0);
}

static void the_manual_is_that_of_the_table(void **state)
{
	cb_auto_str struct cb_str want = {0}, have = {0};
	cb_auto_error struct cb_error err = {0};

	(void)state;
	cb_explain_markdown(&want);
	if (cb_fs_read(MANUAL, CB_MANIFEST_MAX, &have, &err) < 0) {
		print_message(MANUAL " is not here: run from the top of the tree\n");
		skip();
	}
	assert_non_null(strstr(have.text, FIRST_TABLE));
	if (getenv("UPDATE_GOLDEN")) {
		have.len = (size_t)(strstr(have.text, FIRST_TABLE) - have.text);
		cb_str_add(&have, want.text);
		write_manual(&have);
	}
	if (!strstr(have.text, want.text))
		fail_msg("%s is not that of schema/fields.def: run with UPDATE_GOLDEN=1", MANUAL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_sound_and_its_example_loads),
		cmocka_unit_test(explain_tells_what_a_key_means),
		cmocka_unit_test(explain_tells_of_lists_and_of_other_places),
		cmocka_unit_test(explain_suggests_for_what_is_no_key),
		cmocka_unit_test(the_manual_is_that_of_the_table),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
