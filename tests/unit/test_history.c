/*
 * What journals tell of the past: who changed what, and who set each field last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/journal.h"
#include "reconciler/render/history.h"

static char state[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int setup(void **unused)
{
	const char *tmp = getenv("TMPDIR");

	(void)unused;
	(void)snprintf(state, sizeof(state), "%s/cb-history-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(state) ? 0 : -1;
}

static int teardown(void **unused)
{
	(void)unused;
	(void)nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void ok(int r, const struct cb_error *err)
{
	if (r < 0)
		fail_msg("%s: %s", cb_code_name(err->code), err->message);
}

/* A transaction about a VM, as a run leaves it. `fields`: "path=new ..."; outcome NULL: open. */
static void past(const char *id, const char *host, const char *action, const char *name,
		 const char *fields, const char *outcome)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *list = json_array(), *begin = NULL, *plan = NULL;
	char text[256], *rest = NULL;
	struct cb_journal *j = NULL;

	(void)snprintf(text, sizeof(text), "%s", fields);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		json_array_append_new(list, json_pack("{s:s,s:n,s:s,s:s}", "path", word, "old",
						      "new", value, "source", "m.yaml:1"));
	}
	begin = json_pack("{s:{s:s,s:i,s:i,s:s},s:O,s:s,s:[{s:s,s:s}]}", "by", "user", "ann", "uid",
			  7, "pid", 8, "node", "n1", "fields", list, "source", "file:/m",
			  "manifests", "file", "m.yaml", "digest", "sha256:00");
	plan = json_pack("{s:s,s:s,s:s,s:s}", "host", host, "kind", "vm", "target", name, "action",
			 action);
	assert_non_null(begin);
	ok(cb_journal_create(state, id, begin, plan, (struct cb_journal_room){.steps = 1}, &j,
			     &err),
	   &err);
	if (outcome)
		ok(cb_journal_finish(j, outcome, &err), &err);
	cb_journal_free(j);
}

static struct cb_arena arena;
static struct cb_history history;

static void read_history(void)
{
	cb_auto_error struct cb_error err = {0};

	ok(cb_history_read(state, &arena, &history, &err), &err);
}

/* "path=value:transaction ..." of the only life, or of the one on `host`. */
static const char *blamed(const char *name, const char *host)
{
	struct cb_lives lives;
	const char *text = "";

	cb_history_blame(&arena, &history, name, &lives);
	for (size_t i = 0; i < lives.len; i++) {
		const struct cb_life *life = &lives.items[i];

		if (host && strcmp(life->uri, host) != 0)
			continue;
		for (size_t k = 0; k < life->fields.len; k++)
			text = cb_arena_printf(&arena, "%s%s%s=%s:%s", text, k ? " " : "",
					       life->fields.items[k].field->path,
					       life->fields.items[k].field->new.string,
					       life->fields.items[k].by->id);
		if (life->removed)
			text = cb_arena_printf(&arena, "removed:%s", life->removed->id);
	}
	return text;
}

static void the_newest_comes_first(void **unused)
{
	(void)unused;
	read_history();
	assert_int_equal(history.past.len, 0);
	past("zz", "qemu:///a", "create", "web", "vm.ram_mb=1", "committed");
	past("mm", "qemu:///a", "update", "web", "vm.ram_mb=2", "rolled-back");
	past("aa", "qemu:///a", "update", "db", "vm.ram_mb=3", NULL);
	read_history();
	assert_int_equal(history.past.len, 3);
	assert_int_equal(history.lost.len, 0);
	/* All of the same second: in the order in which they were begun. */
	assert_string_equal(history.past.items[0].id, "aa");
	assert_string_equal(history.past.items[0].outcome, "open");
	assert_null(history.past.items[0].finished);
	assert_string_equal(history.past.items[1].id, "mm");
	assert_string_equal(history.past.items[1].outcome, "rolled-back");
	assert_string_equal(history.past.items[2].id, "zz");
	assert_string_equal(history.past.items[2].user, "ann");
	assert_string_equal(history.past.items[2].node, "n1");
	assert_int_equal(history.past.items[2].uid, 7);
	assert_string_equal(history.past.items[2].source, "file:/m");
	assert_string_equal(history.past.items[2].files.items[0].digest, "sha256:00");
	assert_string_equal(history.past.items[2].fields.items[0].source, "m.yaml:1");
}

static void the_last_that_committed_has_set_it(void **unused)
{
	(void)unused;
	past("t1", "qemu:///a", "create", "web", "vm.ram_mb=1 vm.vcpus=1", "committed");
	past("t2", "qemu:///a", "update", "web", "vm.ram_mb=2", "committed");
	past("t3", "qemu:///a", "update", "web", "vm.vcpus=9", "rolled-back");
	past("t4", "qemu:///a", "update", "db", "vm.vcpus=8", "committed");
	past("t5", "qemu:///a", "update", "web", "vm.vcpus=7", "abandoned");
	past("t6", "qemu:///a", "update", "web", "vm.vcpus=6", NULL);
	read_history();
	assert_string_equal(blamed("web", NULL), "vm.ram_mb=2:t2 vm.vcpus=1:t1");
	assert_string_equal(blamed("db", NULL), "vm.vcpus=8:t4");
	assert_string_equal(blamed("nobody", NULL), "");
}

static void each_host_has_its_own(void **unused)
{
	(void)unused;
	past("t1", "qemu:///a", "create", "web", "vm.ram_mb=1", "committed");
	past("t2", "qemu:///b", "create", "web", "vm.ram_mb=2", "committed");
	read_history();
	assert_string_equal(blamed("web", "qemu:///a"), "vm.ram_mb=1:t1");
	assert_string_equal(blamed("web", "qemu:///b"), "vm.ram_mb=2:t2");
}

static void another_vm_of_that_name_is_another(void **unused)
{
	(void)unused;
	past("t1", "qemu:///a", "create", "web", "vm.ram_mb=1 vm.description=old", "committed");
	past("t2", "qemu:///a", "delete", "web", "", "committed");
	read_history();
	assert_string_equal(blamed("web", NULL), "removed:t2");
	past("t3", "qemu:///a", "create", "web", "vm.ram_mb=3", "committed");
	read_history();
	assert_string_equal(blamed("web", NULL), "vm.ram_mb=3:t3");
}

/* In the trash it has another name; it comes back as what it was. */
static void what_came_back_from_the_trash_is_the_same(void **unused)
{
	(void)unused;
	past("t1", "qemu:///a", "create", "web", "vm.ram_mb=1", "committed");
	past("t2", "qemu:///a", "delete", "web", "", "committed");
	past("t3", "qemu:///a", "update", "web-trash-1", "vm.name=web", "committed");
	read_history();
	assert_string_equal(blamed("web", NULL), "vm.name=web:t3 vm.ram_mb=1:t1");
}

/* Also where what was before is not kept any more. */
static void what_is_not_kept_is_not_told(void **unused)
{
	(void)unused;
	past("t2", "qemu:///a", "update", "web", "vm.ram_mb=2", "committed");
	read_history();
	assert_string_equal(blamed("web", NULL), "vm.ram_mb=2:t2");
}

static void a_damaged_one_is_named_and_the_others_are_read(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	const char *path;

	(void)unused;
	past("t1", "qemu:///a", "create", "web", "vm.ram_mb=1", "committed");
	past("t2", "qemu:///a", "update", "web", "vm.ram_mb=2", "committed");
	path = cb_arena_printf(&arena, "%s/journal/closed/t2.cbj", state);
	ok(cb_fs_write_atomic(path, "rubbish", 7, &err), &err);
	read_history();
	assert_int_equal(history.past.len, 1);
	assert_string_equal(history.past.items[0].id, "t1");
	assert_int_equal(history.lost.len, 1);
	assert_string_equal(history.lost.items[0].id, "t2");
	assert_non_null(strstr(history.lost.items[0].message, path));
}

static size_t told(const char *path)
{
	cb_auto_str struct cb_str text = {0};
	struct cb_lives lives;

	cb_history_blame(&arena, &history, "web", &lives);
	return cb_render_blame(&text, "web", &lives, path);
}

static void a_path_means_all_below_it(void **unused)
{
	(void)unused;
	past("t1", "qemu:///a", "create", "web",
	     "vm.disks[root].size_gb=1 vm.disks[data].size_gb=2 vm.disk_size_gb=3 vm.ram_mb=4",
	     "committed");
	read_history();
	assert_int_equal(told(NULL), 4);
	assert_int_equal(told("ram_mb"), 1);
	assert_int_equal(told("vm.ram_mb"), 1);
	assert_int_equal(told("disks"), 2);
	assert_int_equal(told("vm.disks[root]"), 1);
	assert_int_equal(told("disk"), 0);
	assert_int_equal(told("ram"), 0);
}

static void the_limit_counts_what_is_shown(void **unused)
{
	static const char *const web[] = {"web"};
	json_auto_t *json = NULL;
	const json_t *all;

	(void)unused;
	past("t1", "qemu:///a", "create", "web", "", "committed");
	past("t2", "qemu:///a", "create", "db", "", "committed");
	past("t3", "qemu:///a", "update", "web", "", "committed");
	past("t4", "qemu:///a", "update", "db", "", "committed");
	read_history();
	json = cb_render_history_json(&history, &(struct cb_history_filter){web, 1, 1});
	all = json_object_get(json, "transactions");
	assert_int_equal(json_array_size(all), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "id")), "t3");
}

static void note(struct cb_journal *j, enum cb_record type, unsigned step, const char *why)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail = why ? json_pack("{s:s}", "why", why) : NULL;

	ok(cb_journal_step(j, type, step, detail, &err), &err);
}

/* One journal, a past for each member; and why it failed, although its second step never began. */
static void a_group_is_told_of_each_member(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *begin = json_pack("{s:[{s:[{s:s,s:s}]},{s:[]}]}", "members", "fields", "path",
				       "vm.ram_mb", "new", "64", "fields");
	json_auto_t *plan = json_pack("{s:s,s:s,s:s,s:s,s:[{s:s,s:s,s:s},{s:s,s:s,s:s}]}", "host",
				      "h", "kind", "group", "target", "shop", "action", "update",
				      "members", "kind", "vm", "target", "db", "action", "create",
				      "kind", "network", "target", "lan", "action", "update");
	struct cb_journal *j = NULL;

	(void)unused;
	assert_non_null(begin);
	assert_non_null(plan);
	ok(cb_journal_create(state, "20260101T000000Z-00000001", begin, plan,
			     (struct cb_journal_room){.steps = 2}, &j, &err),
	   &err);
	note(j, CB_RECORD_INTENT, 1, NULL);
	note(j, CB_RECORD_DONE, 1, NULL);
	note(j, CB_RECORD_UNDONE, 2, "the name is taken");
	note(j, CB_RECORD_UNDONE, 1, "absent");
	ok(cb_journal_finish(j, "rolled-back", &err), &err);
	cb_journal_free(j);
	read_history();
	assert_int_equal(history.past.len, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct cb_past *item = &history.past.items[i];
		bool vm = item->target == CB_TARGET_VM;

		assert_string_equal(item->group, "shop");
		assert_string_equal(item->name, vm ? "db" : "lan");
		assert_string_equal(item->action, vm ? "create" : "update");
		assert_int_equal(item->fields.len, vm ? 1 : 0);
		assert_string_equal(item->why, "the name is taken");
	}
	assert_ptr_not_equal(history.past.items[0].name, history.past.items[1].name);
}

static int release(void **unused)
{
	cb_arena_release(&arena);
	return teardown(unused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, release)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_newest_comes_first),
		TEST(the_last_that_committed_has_set_it),
		TEST(each_host_has_its_own),
		TEST(another_vm_of_that_name_is_another),
		TEST(what_came_back_from_the_trash_is_the_same),
		TEST(what_is_not_kept_is_not_told),
		TEST(a_damaged_one_is_named_and_the_others_are_read),
		TEST(a_path_means_all_below_it),
		TEST(the_limit_counts_what_is_shown),
		TEST(a_group_is_told_of_each_member),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
