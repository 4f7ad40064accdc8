/*
 * The values that everything is made of: errors, arenas, strings, digests, specs, files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/clock.h"
#include "reconciler/base/digest.h"
#include "reconciler/base/error.h"
#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "reconciler/model/spec.h"

/* --- error --- */

static void an_error_gains_a_noun_per_layer(void **unused)
{
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	assert_int_equal(cb_error_set(&err, CB_E_FAILED, "no %s", "memory"), -CB_E_FAILED);
	assert_int_equal(cb_error_wrap(&err, "step %d", 4), -CB_E_FAILED);
	assert_int_equal(cb_error_wrap(&err, "vm '%s'", "dev"), -CB_E_FAILED);
	assert_string_equal(err.message, "vm 'dev': step 4: no memory");
	assert_null(err.hint);
	assert_int_equal(err.sys_errno, 0);
}

static void the_deepest_hint_stays(void **unused)
{
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	(void)cb_error_set(&err, CB_E_BUSY, "busy");
	assert_int_equal(cb_error_hint(&err, "wait %ds", 3), -CB_E_BUSY);
	assert_int_equal(cb_error_hint(&err, "give up"), -CB_E_BUSY);
	assert_string_equal(err.hint, "wait 3s");
	/* A new error has nothing of the old one. */
	(void)cb_error_set(&err, CB_E_IO, "%s again", err.message);
	assert_string_equal(err.message, "busy again");
	assert_null(err.hint);
}

static void errno_decides_who_has_to_act(void **unused)
{
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	assert_int_equal(cb_error_errno(&err, ENOSPC, "cannot write '%s'", "x"), -CB_E_IO);
	assert_int_equal(err.sys_errno, ENOSPC);
	assert_string_equal(err.message, "cannot write 'x': No space left on device");
	assert_int_equal(cb_error_errno(&err, EACCES, "x"), -CB_E_DENIED);
	assert_int_equal(cb_error_errno(&err, EPERM, "x"), -CB_E_DENIED);
}

static void an_error_moves_as_a_whole(void **unused)
{
	cb_auto_error struct cb_error from = {0}, to = {0};

	(void)unused;
	(void)cb_error_set(&to, CB_E_IO, "old");
	(void)cb_error_set(&from, CB_E_TIMEOUT, "late");
	(void)cb_error_hint(&from, "wait");
	assert_int_equal(cb_error_move(&to, &from), -CB_E_TIMEOUT);
	assert_string_equal(to.message, "late");
	assert_string_equal(to.hint, "wait");
	assert_null(from.message);
	assert_int_equal(from.code, 0);
	cb_error_release(&to);
	cb_error_release(&to);
	assert_null(to.message);
}

static void every_code_has_a_name_of_its_own(void **unused)
{
	(void)unused;
	for (int a = CB_E_INVALID; a <= CB_E_INTERNAL; a++) {
		assert_string_not_equal(cb_code_name((enum cb_code)a), "unknown");
		for (int b = CB_E_INVALID; b < a; b++)
			assert_string_not_equal(cb_code_name((enum cb_code)a),
						cb_code_name((enum cb_code)b));
	}
}

static void a_broken_invariant_ends_the_program(void **unused)
{
	int status = 0, silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid = fork();

	(void)unused;
	if (pid == 0) {
		(void)dup2(silent, STDERR_FILENO);
		CB_ASSERT(1 + 1 == 2);
		CB_ASSERT(1 + 1 == 3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 70);
	(void)close(silent);
}

/* --- arena --- */

static void arena_memory_is_zeroed_aligned_and_apart(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	unsigned char *all[200];

	(void)unused;
	for (size_t i = 0; i < CB_COUNT(all); i++) {
		size_t size = i * i; /* small ones and some larger than a chunk */

		all[i] = cb_arena_alloc(&arena, size);
		assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
		for (size_t n = 0; n < size; n++)
			assert_int_equal(all[i][n], 0);
		memset(all[i], (int)i, size);
	}
	for (size_t i = 0; i < CB_COUNT(all); i++)
		for (size_t n = 0; n < i * i; n++)
			assert_int_equal(all[i][n], (unsigned char)i);
	assert_true(arena.bytes >= 199 * 199);
	cb_arena_release(&arena);
	assert_null(arena.chunks);
	assert_non_null(cb_arena_alloc(&arena, 1));
}

static void arena_strings_are_copies(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	char text[] = "abcdef";
	const char *copy = cb_arena_strdup(&arena, text), *part = cb_arena_strndup(&arena, text, 3);

	(void)unused;
	text[0] = 'X';
	assert_string_equal(copy, "abcdef");
	assert_string_equal(part, "abc");
	assert_null(cb_arena_strdup(&arena, NULL));
	assert_string_equal(cb_arena_printf(&arena, "%s-%05d", "a", 42), "a-00042");
	assert_string_equal(cb_arena_printf(&arena, "%s", ""), "");
}

static void vectors_grow_and_keep_their_items(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	CB_VEC(int) numbers = {0};
	int want = 0;

	(void)unused;
	cb_vec_each (int, n, &numbers)
		fail_msg("an empty vector has %d", *n);
	for (int i = 0; i < 1000; i++)
		cb_vec_push(&arena, &numbers, i);
	assert_int_equal(numbers.len, 1000);
	cb_vec_each (int, n, &numbers)
		assert_int_equal(*n, want++);
	assert_int_equal(want, 1000);
}

/* --- str --- */

static void strings_grow(void **unused)
{
	cb_auto_str struct cb_str str = {0};

	(void)unused;
	assert_string_equal(cb_str_text(&str), "");
	for (int i = 0; i < 100; i++) {
		cb_str_printf(&str, "%02d", i);
		cb_str_add(&str, "");
		cb_str_add_bytes(&str, "\0", 1);
	}
	assert_int_equal(str.len, 300);
	assert_memory_equal(str.text + 297, "99\0", 4);
	cb_str_clear(&str);
	assert_string_equal(cb_str_text(&str), "");
	assert_int_equal(str.len, 0);
	cb_str_add(&str, "secret");
	cb_str_wipe(&str);
	assert_null(str.text);
	cb_str_clear(&str);
	cb_str_wipe(&str);
	cb_str_add_bytes(&str, NULL, 0);
	assert_string_equal(cb_str_text(&str), "");
}

static void numbers_are_whole_and_in_range(void **unused)
{
	static const char *const bad[] = {"",
					  " 1",
					  "+1",
					  "-1",
					  "1 ",
					  "1x",
					  "0x10",
					  "1.",
					  "x",
					  "18446744073709551616",
					  "99999999999999999999"};
	uint64_t value = 1;

	(void)unused;
	for (size_t i = 0; i < CB_COUNT(bad); i++)
		assert_int_equal(cb_parse_u64(bad[i], &value), -1);
	assert_int_equal(cb_parse_u64("0", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(cb_parse_u64("0042", &value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(cb_parse_u64("18446744073709551615", &value), 0);
	assert_true(value == UINT64_MAX);
}

static void sizes_are_for_people(void **unused)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1 KiB"},
		{1536, "1.5 KiB"},
		{UINT64_C(100) << 30, "100 GiB"},
		{UINT64_C(3) << 40, "3 TiB"},
		{UINT64_C(5000) << 50, "5000 PiB"},
	};

	(void)unused;
	for (size_t i = 0; i < CB_COUNT(sizes); i++) {
		cb_auto_str struct cb_str str = {0};

		cb_str_size(&str, sizes[i].bytes);
		assert_string_equal(str.text, sizes[i].text);
	}
}

/* --- digest, clock --- */

static void digests_match_the_published_vectors(void **unused)
{
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const char none[] =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	struct cb_digest *digest = cb_digest_new();
	char out[CB_SHA256_HEX];

	(void)unused;
	cb_digest_add(digest, "a", 1);
	cb_digest_add(digest, "", 0);
	cb_digest_add(digest, "bc", 2);
	cb_digest_finish(digest, out);
	assert_string_equal(out, abc);
	cb_digest_of("abc", 3, out);
	assert_string_equal(out, abc);
	cb_digest_of("", 0, out);
	assert_string_equal(out, none);
	cb_digest_free(cb_digest_new());
	cb_digest_free(NULL);
}

static void times_are_written_in_utc(void **unused)
{
	char out[CB_TIME_SIZE];
	uint64_t before = cb_clock_ms();

	(void)unused;
	cb_clock_format(0, out);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	cb_clock_format(1769863802, out);
	assert_string_equal(out, "2026-01-31T12:50:02Z");
	cb_clock_format(INT64_MAX, out);
	assert_string_equal(out, "?");
	cb_clock_sleep_ms(5);
	assert_true(cb_clock_ms() >= before + 5);
	assert_true(cb_clock_now() > 1700000000);
}

static void uuids_are_random_and_well_formed(void **unused)
{
	char a[CB_UUID_SIZE], b[CB_UUID_SIZE];

	(void)unused;
	cb_random_uuid(a);
	cb_random_uuid(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
}

/* --- spec --- */

static const struct cb_origin manifest = {CB_FROM_MANIFEST, "a.yaml", 3, 5, false};

static void a_spec_is_sorted_whatever_the_order(void **unused)
{
	static const char *const paths[] = {"ram_mb", "disks[root].size", "boot.kernel", "zz",
					    "a",      "disks[data].size"};
	cb_auto_arena struct cb_arena arena = {0};

	(void)unused;
	for (size_t first = 0; first < CB_COUNT(paths); first++) {
		struct cb_spec spec = {0};

		for (size_t i = 0; i < CB_COUNT(paths); i++)
			cb_spec_set(&arena, &spec, paths[(first + i) % CB_COUNT(paths)],
				    cb_int((int64_t)i), manifest);
		assert_int_equal(spec.len, CB_COUNT(paths));
		for (size_t i = 1; i < spec.len; i++)
			assert_true(strcmp(spec.items[i - 1].path, spec.items[i].path) < 0);
		for (size_t i = 0; i < CB_COUNT(paths); i++)
			assert_string_equal(cb_spec_find(&spec, paths[i])->path, paths[i]);
		assert_null(cb_spec_find(&spec, "disks"));
		assert_null(cb_spec_find(&spec, "zzz"));
		assert_null(cb_spec_find(&spec, ""));
	}
}

static void a_spec_copies_and_replaces(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	char path[] = "name", value[] = "dev";
	struct cb_spec spec = {0};

	(void)unused;
	assert_null(cb_spec_find(&spec, "name"));
	cb_spec_set(&arena, &spec, path, cb_string(value), manifest);
	path[0] = value[0] = 'X';
	assert_string_equal(cb_spec_string(&spec, "name"), "dev");
	assert_int_equal(cb_spec_find(&spec, "name")->origin.line, 3);
	cb_spec_set(&arena, &spec, "name", cb_bool(true), (struct cb_origin){.from = CB_FROM_HOST});
	assert_int_equal(spec.len, 1);
	assert_null(cb_spec_string(&spec, "name"));
	assert_true(cb_spec_bool(&spec, "name", false));
	assert_int_equal(cb_spec_find(&spec, "name")->origin.from, CB_FROM_HOST);
}

static void values_of_the_wrong_kind_are_absent(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_spec spec = {0};

	(void)unused;
	cb_spec_set(&arena, &spec, "int", cb_int(-7), manifest);
	cb_spec_set(&arena, &spec, "bool", cb_bool(false), manifest);
	cb_spec_set(&arena, &spec, "string", cb_string("1"), manifest);
	cb_spec_set(&arena, &spec, "none", cb_string(NULL), manifest);
	assert_int_equal(cb_spec_int(&spec, "int", 1), -7);
	assert_int_equal(cb_spec_int(&spec, "string", 1), 1);
	assert_int_equal(cb_spec_int(&spec, "missing", 9), 9);
	assert_false(cb_spec_bool(&spec, "bool", true));
	assert_true(cb_spec_bool(&spec, "int", true));
	assert_null(cb_spec_string(&spec, "int"));
	assert_null(cb_spec_string(&spec, "none"));
	assert_int_equal(cb_spec_find(&spec, "none")->value.kind, CB_NONE);
}

static void values_compare_by_kind_and_content(void **unused)
{
	const struct cb_value values[] = {cb_bool(false), cb_bool(true),  cb_int(0),      cb_int(1),
					  cb_string(""),  cb_string("1"), cb_string(NULL)};
	static const char *const texts[] = {"false", "true", "0", "1", "", "1", ""};
	cb_auto_arena struct cb_arena arena = {0};

	(void)unused;
	for (size_t a = 0; a < CB_COUNT(values); a++) {
		for (size_t b = 0; b < CB_COUNT(values); b++)
			assert_int_equal(cb_value_equal(&values[a], &values[b]), a == b);
		assert_string_equal(cb_value_text(&arena, &values[a]), texts[a]);
	}
}

/* --- files --- */

static char dir[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int setup(void **unused)
{
	const char *tmp = getenv("TMPDIR");

	(void)unused;
	(void)snprintf(dir, sizeof(dir), "%s/cb-base-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **unused)
{
	(void)unused;
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static const char *in_dir(struct cb_arena *arena, const char *name)
{
	return cb_arena_printf(arena, "%s/%s", dir, name);
}

static void directories_are_made_with_their_parents(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	const char *path = in_dir(&arena, "a/b//c/");
	struct stat st;

	(void)unused;
	assert_int_equal(cb_fs_mkdirs(path, &err), 0);
	assert_int_equal(cb_fs_mkdirs(path, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(cb_fs_write_atomic(in_dir(&arena, "file"), "x", 1, &err), 0);
	assert_int_equal(cb_fs_mkdirs(in_dir(&arena, "file"), &err), -CB_E_IO);
	assert_int_equal(err.sys_errno, ENOTDIR);
	assert_int_equal(cb_fs_mkdirs(in_dir(&arena, "file/x"), &err), -CB_E_IO);
}

static void a_written_file_reads_back(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str out = {0};
	size_t size = 100 * 1000;
	char *bytes = cb_arena_alloc(&arena, size);
	const char *path = in_dir(&arena, "file");
	struct stat st;

	(void)unused;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7);
	assert_int_equal(cb_fs_read(path, size, &out, &err), -CB_E_NOT_FOUND);
	assert_int_equal(cb_fs_write_atomic(path, "old", 3, &err), 0);
	assert_int_equal(cb_fs_write_atomic(path, bytes, size, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(cb_fs_read(path, size, &out, &err), 0);
	assert_int_equal(out.len, size);
	assert_memory_equal(out.text, bytes, size);
	cb_str_clear(&out);
	assert_int_equal(cb_fs_read(path, size - 1, &out, &err), -CB_E_INVALID);
	assert_int_equal(cb_fs_unlink(path, &err), 0);
	assert_int_equal(cb_fs_unlink(path, &err), 0);
	assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
}

static void a_write_that_fails_leaves_the_old_file(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	assert_int_equal(cb_fs_mkdirs(in_dir(&arena, "is/full"), &err), 0);
	/* A directory with something in it cannot be replaced. */
	assert_int_equal(cb_fs_write_atomic(in_dir(&arena, "is"), "x", 1, &err), -CB_E_IO);
	assert_int_equal(access(in_dir(&arena, "is/full"), F_OK), 0);
	assert_int_equal(rmdir(in_dir(&arena, "is/full")), 0);
	assert_int_equal(rmdir(in_dir(&arena, "is")), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(cb_fs_write_atomic(in_dir(&arena, "x"), "x", 1, &err), -CB_E_IO);
	assert_int_equal(err.sys_errno, ENOENT);
}

static struct cb_str text_of(char *text)
{
	return (struct cb_str){.text = text, .len = strlen(text)};
}

static void a_replaced_file_keeps_what_is_its_own(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str out = {0};
	const char *path = in_dir(&arena, "file"), *link = in_dir(&arena, "link");
	const struct cb_str old = text_of((char[]){"old"}), other = text_of((char[]){"odd"}),
			    longer = text_of((char[]){"older"});
	struct stat st;

	(void)unused;
	assert_int_equal(cb_fs_create(path, 0640, "old", 3, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(cb_fs_create(path, 0640, "new", 3, &err), -CB_E_EXISTS);
	assert_int_equal(chmod(path, 0464), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 12, 34), 0);
	assert_int_equal(symlink("file", link), 0);
	/* Somebody else was there. */
	assert_int_equal(cb_fs_replace(link, &other, "new", 3, &err), -CB_E_CONFLICT);
	assert_int_equal(cb_fs_replace(link, &longer, "new", 3, &err), -CB_E_CONFLICT);
	assert_int_equal(cb_fs_replace(link, &old, "newer", 5, &err), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0464);
	if (geteuid() == 0)
		assert_true(st.st_uid == 12 && st.st_gid == 34);
	assert_int_equal(cb_fs_read(path, 10, &out, &err), 0);
	assert_string_equal(out.text, "newer");
	assert_int_equal(cb_fs_unlink(path, &err), 0);
	assert_int_equal(cb_fs_replace(link, &old, "x", 1, &err), -CB_E_IO);
	assert_int_equal(cb_fs_unlink(link, &err), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(cb_fs_replace(path, &old, "x", 1, &err), -CB_E_INVALID);
	assert_int_equal(cb_fs_unlink(path, &err), 0);
	assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
}

static void writes_go_to_their_place(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str out = {0};
	const char *path = in_dir(&arena, "file");
	cb_auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cb_auto_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)unused;
	assert_int_equal(cb_fs_pwrite(fd, path, "world", 5, 6, &err), 0);
	assert_int_equal(cb_fs_pwrite(fd, path, "hello,", 6, 0, &err), 0);
	assert_int_equal(cb_fs_pwrite(fd, path, "", 0, 99, &err), 0);
	assert_int_equal(cb_fs_sync(fd, path, &err), 0);
	assert_int_equal(cb_fs_read_fd(fd, path, 100, &out, &err), 0);
	assert_string_equal(out.text, "hello,world");
	assert_int_equal(cb_fs_pwrite(full, "full", "x", 1, 0, &err), -CB_E_IO);
	assert_int_equal(err.sys_errno, ENOSPC);
	assert_int_equal(cb_fs_pwrite(-1, "none", "x", 1, 0, &err), -CB_E_IO);
	assert_int_equal(cb_fs_sync(-1, "none", &err), -CB_E_IO);
	cb_fd_release(&fd);
	assert_int_equal(fd, -1);
	cb_fd_release(&fd);
}

static void files_move_between_directories(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	assert_int_equal(cb_fs_mkdirs(in_dir(&arena, "to"), &err), 0);
	assert_int_equal(cb_fs_write_atomic(in_dir(&arena, "file"), "x", 1, &err), 0);
	assert_int_equal(cb_fs_rename(in_dir(&arena, "file"), in_dir(&arena, "to/file"), &err), 0);
	assert_int_equal(access(in_dir(&arena, "to/file"), F_OK), 0);
	assert_int_equal(cb_fs_rename(in_dir(&arena, "file"), in_dir(&arena, "x"), &err), -CB_E_IO);
	assert_int_equal(cb_fs_sync_dir(in_dir(&arena, "none"), &err), -CB_E_IO);
	assert_int_equal(cb_fs_sync_dir(in_dir(&arena, "to/file"), &err), -CB_E_IO);
	assert_int_equal(cb_fs_unlink(in_dir(&arena, "to"), &err), -CB_E_IO);
}

#define FILES(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_gains_a_noun_per_layer),
		cmocka_unit_test(the_deepest_hint_stays),
		cmocka_unit_test(errno_decides_who_has_to_act),
		cmocka_unit_test(an_error_moves_as_a_whole),
		cmocka_unit_test(every_code_has_a_name_of_its_own),
		cmocka_unit_test(a_broken_invariant_ends_the_program),
		cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(arena_strings_are_copies),
		cmocka_unit_test(vectors_grow_and_keep_their_items),
		cmocka_unit_test(strings_grow),
		cmocka_unit_test(numbers_are_whole_and_in_range),
		cmocka_unit_test(sizes_are_for_people),
		cmocka_unit_test(digests_match_the_published_vectors),
		cmocka_unit_test(times_are_written_in_utc),
		cmocka_unit_test(uuids_are_random_and_well_formed),
		cmocka_unit_test(a_spec_is_sorted_whatever_the_order),
		cmocka_unit_test(a_spec_copies_and_replaces),
		cmocka_unit_test(values_of_the_wrong_kind_are_absent),
		cmocka_unit_test(values_compare_by_kind_and_content),
		FILES(directories_are_made_with_their_parents),
		FILES(a_written_file_reads_back),
		FILES(a_write_that_fails_leaves_the_old_file),
		FILES(a_replaced_file_keeps_what_is_its_own),
		FILES(writes_go_to_their_place),
		FILES(files_move_between_directories),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
