/*
 * An upload of several chunks that ends in between: what the next run sends, and what it does with
 * a volume, a source or a journal that is not as the first one left it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "tests/support/fixture.h"

enum { CHUNK = 1000, CHUNKS = 5, SIZE = CHUNK * CHUNKS - 300 };

#define MANIFEST                                                                                   \
	"vm:\n  name: dev\n  ram_mb: 64\n  state: stopped\n  disk_size_gb: 1\n"                    \
	"  base_image: image.raw\n"

struct world {
	struct fixture f;
	unsigned char source[SIZE];
	struct cb_str said;
};

static const char *in(struct world *w, const char *name)
{
	return cb_arena_printf(&w->f.arena, "%s/%s", w->f.dir, name);
}

static void write_source(struct world *w)
{
	cb_auto_error struct cb_error err = {0};

	assert_int_equal(cb_fs_write_atomic(in(w, "image.raw"), w->source, SIZE, &err), 0);
}

static void listen(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		   const struct cb_step *step, const char *text)
{
	struct cb_str *said = ctx;

	(void)transaction;
	(void)step;
	if (event == CB_EVENT_WAITING)
		cb_str_printf(said, "%s\n", text);
}

static void begin(struct world *w)
{
	fixture_init(&w->f, NULL);
	w->said = (struct cb_str){0};
	w->f.chunk_least = CHUNK;
	w->f.event = listen;
	w->f.event_ctx = &w->said;
	cb_random_bytes(w->source, SIZE);
	write_source(w);
	fixture_load(&w->f, MANIFEST, w->f.dir);
}

static void end(struct world *w)
{
	assert_int_equal(fixture_open_journals(&w->f), 0);
	assert_int_equal(fixture_pending(&w->f), 0);
	cb_str_release(&w->said);
	fixture_release(&w->f);
}

/* One run, undisturbed; how many calls it made that change something. */
static unsigned run(struct world *w)
{
	cb_auto_error struct cb_error err = {0};

	/* At 0 never comes, but calls are counted. */
	w->f.fault = CB_FAULT_BEFORE;
	w->f.at = 0;
	cb_str_release(&w->said);
	if (fixture_apply(&w->f, &err) < 0)
		fail_msg("%s", err.message);
	return w->f.calls;
}

static int run_until(struct world *w, enum cb_fault fault, unsigned at)
{
	w->f.fault = fault;
	w->f.at = at;
	return fixture_apply_forked(&w->f);
}

/* Where the fake keeps the bytes of the one image. */
static char *image_of(struct world *w)
{
	glob_t found;
	char *path;

	assert_int_equal(glob(in(w, "host.json.bytes/*image-*"), 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	path = cb_arena_strdup(&w->f.arena, found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static void assert_uploaded(struct world *w)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str bytes = {0};

	assert_int_equal(cb_fs_read(image_of(w), 1 << 20, &bytes, &err), 0);
	assert_int_equal(bytes.len, SIZE);
	assert_memory_equal(bytes.text, w->source, SIZE);
}

/* As many calls as a whole run makes, and the one of them that creates the volume. */
struct plain {
	unsigned calls, first; /* `first`: the call that sends the first chunk */
};

/* Dies before each call in turn, until what is left is one chunk less than all. */
static struct plain measure(void)
{
	struct world w;
	struct plain plain = {0};

	begin(&w);
	plain.calls = run(&w);
	assert_uploaded(&w);
	end(&w);
	for (plain.first = 1; plain.first < plain.calls; plain.first++) {
		bool there;
		glob_t found;

		begin(&w);
		assert_int_equal(run_until(&w, CB_FAULT_DIE_AFTER, plain.first), 137);
		there = glob(in(&w, "host.json.bytes/*image-*"), 0, NULL, &found) == 0;
		if (there)
			globfree(&found);
		(void)run(&w);
		end(&w);
		if (there)
			break;
	}
	assert_true(plain.first + CHUNKS <= plain.calls);
	return plain;
}

static struct plain plain;

static int measure_once(void **state)
{
	(void)state;
	plain = measure();
	return 0;
}

/* The run that is killed when `sent` chunks have arrived: the record of the last is missing. */
static void kill_after(struct world *w, unsigned sent)
{
	begin(w);
	assert_int_equal(run_until(w, CB_FAULT_DIE_AFTER, plain.first + sent - 1), 137);
}

/* Of the calls of a whole run these are not made again: all that came before the upload, and the
 * chunks that are kept. */
static void assert_sent(unsigned calls, unsigned chunks)
{
	assert_int_equal(calls, plain.calls - (plain.first - 1) - (CHUNKS - chunks));
}

static void what_was_noted_is_not_sent_again(void **state)
{
	(void)state;
	for (unsigned sent = 1; sent <= CHUNKS; sent++) {
		struct world w;

		kill_after(&w, sent);
		assert_sent(run(&w), CHUNKS - (sent - 1));
		assert_uploaded(&w);
		assert_int_equal(strstr(cb_str_text(&w.said), "are not sent again") != NULL,
				 sent > 1);
		end(&w);
	}
}

/* Also of the chunk that was half sent nothing is left out. */
static void a_lost_connection_is_not_the_end(void **state)
{
	(void)state;
	for (unsigned sent = 1; sent <= CHUNKS; sent++) {
		cb_auto_error struct cb_error err = {0};
		struct world w;

		begin(&w);
		w.f.fault = CB_FAULT_GONE_HALFWAY;
		w.f.at = plain.first + sent - 1;
		if (fixture_apply(&w.f, &err) < 0)
			fail_msg("%s", err.message);
		/* The fresh connection counts no more: the first one had come so far. */
		assert_int_equal(w.f.calls, plain.first + sent - 1);
		assert_non_null(strstr(cb_str_text(&w.said), "libvirt went away"));
		assert_int_equal(strstr(cb_str_text(&w.said), "are not sent again") != NULL,
				 sent > 1);
		assert_uploaded(&w);
		end(&w);
	}
}

static void change_byte(const char *path, long at)
{
	FILE *file = fopen(path, "r+");
	int byte;

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	byte = fgetc(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_true(fputc(byte ^ 1, file) != EOF);
	assert_int_equal(fclose(file), 0);
}

static void a_damaged_chunk_is_sent_again_and_no_other(void **state)
{
	(void)state;
	for (long damaged = 0; damaged < 3; damaged++) {
		struct world w;

		kill_after(&w, 4);
		change_byte(image_of(&w), damaged * CHUNK + 17);
		assert_sent(run(&w), 1 + CHUNKS - 3);
		assert_uploaded(&w);
		end(&w);
	}
}

static void a_volume_that_was_cut_off_is_sent_from_there(void **state)
{
	struct world w;

	(void)state;
	kill_after(&w, 4);
	assert_int_equal(truncate(image_of(&w), CHUNK + 5), 0);
	assert_sent(run(&w), CHUNKS - 1);
	assert_uploaded(&w);
	end(&w);
}

/* Wherever it has changed: what was planned is taken back, and the new content sent whole. */
static void a_source_that_has_changed_is_sent_whole(void **state)
{
	/* What was noted shows at once, the rest when it has been sent. */
	static const struct {
		long at;
		unsigned in_vain;
	} places[] = {{3, 0}, {CHUNK + 3, 0}, {SIZE - 1, 2}};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(places); i++) {
		struct world w;
		unsigned calls;

		kill_after(&w, 4);
		w.source[places[i].at] ^= 1;
		write_source(&w);
		calls = run(&w);
		/* Volume and pool are taken back; then all of the new one. */
		assert_int_equal(calls, places[i].in_vain + 2 + plain.calls);
		assert_uploaded(&w);
		end(&w);
	}
}

static void a_source_of_another_length_sends_nothing_in_vain(void **state)
{
	cb_auto_error struct cb_error err = {0};
	struct world w;

	(void)state;
	kill_after(&w, 4);
	assert_int_equal(cb_fs_write_atomic(in(&w, "image.raw"), w.source, SIZE - CHUNK, &err), 0);
	/* Volume and pool are taken back; then all of the new one, which is a chunk less. */
	assert_int_equal(run(&w), 2 + plain.calls - 1);
	end(&w);
}

/* Nobody may take what a person made under that name for what was sent. */
static void a_volume_that_is_gone_is_made_afresh(void **state)
{
	struct world w;
	json_t *host, *files, *file;
	const char *name;
	void *next;

	(void)state;
	kill_after(&w, 4);
	assert_int_equal(unlink(image_of(&w)), 0);
	host = json_load_file(w.f.host_path, 0, NULL);
	files = json_object_get(json_object_get(host, "directories"), "/var/lib/libvirt/images");
	json_object_foreach_safe(files, next, name, file)
	{
		if (strstr(name, "image-"))
			json_object_del(files, name);
	}
	assert_int_equal(json_dump_file(host, w.f.host_path, 0), 0);
	json_decref(host);
	/* Made, and all of its chunks. */
	assert_sent(run(&w), 1 + CHUNKS);
	assert_uploaded(&w);
	end(&w);
}

/* Killed in each run after one more chunk. */
static void it_comes_to_its_end_however_often_it_is_killed(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(run_until(&w, CB_FAULT_DIE_HALFWAY, plain.first), 137);
	/* Each sends one, and dies when it is about to go on. */
	for (unsigned deaths = 0; deaths < CHUNKS - 1; deaths++)
		assert_int_equal(run_until(&w, CB_FAULT_DIE_BEFORE, 2), 137);
	assert_sent(run(&w), 1);
	assert_uploaded(&w);
	end(&w);
}

static volatile sig_atomic_t interrupted;

/* Between two chunks: what has arrived is noted, the transaction open, and the error says so. */
static void interrupt_at(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	uint64_t *at = ctx;

	(void)total;
	if (done >= *at && strcmp(what, "reading image") != 0)
		interrupted = 1;
}

static void an_interrupt_ends_it_soon_and_keeps_what_arrived(void **state)
{
	cb_auto_error struct cb_error err = {0};
	uint64_t at = 2 * CHUNK - 1;
	struct world w;

	(void)state;
	begin(&w);
	w.f.progress = (struct cb_progress){interrupt_at, &at, &interrupted};
	interrupted = 0;
	assert_int_equal(fixture_apply(&w.f, &err), -CB_E_INTERRUPTED);
	assert_int_equal(fixture_open_journals(&w.f), 1);
	w.f.progress = (struct cb_progress){0};
	assert_sent(run(&w), CHUNKS - 2);
	assert_uploaded(&w);
	end(&w);
}

/* The offset and length of the n-th part that the one open journal notes, in MiB; 0 without. */
static int noted(struct world *w, size_t n)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids = {0};
	struct cb_journal *journal;
	const json_t *part = NULL;
	int sum = 0;

	assert_int_equal(cb_journal_list(w->f.state_dir, CB_JOURNALS_OPEN, &w->f.arena, &ids, &err),
			 0);
	assert_int_equal(ids.len, 1);
	assert_int_equal(cb_journal_peek(w->f.state_dir, ids.items[0], &journal, &err), 0);
	for (unsigned step = 1; step <= 4 && !part; step++)
		part = cb_journal_progress(journal, step, n);
	if (part)
		sum = (int)(json_integer_value(json_object_get(part, "offset")) >> 20) * 100 +
		      (int)(json_integer_value(json_object_get(part, "length")) >> 20);
	cb_journal_free(journal);
	return sum;
}

/* A chunk may be gigabytes: nobody waits for its end, and what is there of it counts. */
static void an_interrupt_within_a_chunk_keeps_its_beginning(void **state)
{
	enum { MIB = 1 << 20 };

	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str bytes = {0};
	unsigned char *source = malloc(7 * MIB);
	uint64_t at = 4 * MIB + 1;
	struct world w;

	(void)state;
	begin(&w);
	cb_random_bytes(source, 7 * MIB);
	assert_int_equal(cb_fs_write_atomic(in(&w, "image.raw"), source, 7 * MIB, &err), 0);
	w.f.chunk_least = 3 * MIB;
	w.f.progress = (struct cb_progress){interrupt_at, &at, &interrupted};
	interrupted = 0;
	assert_int_equal(fixture_apply(&w.f, &err), -CB_E_INTERRUPTED);
	cb_error_release(&err);
	assert_int_equal(noted(&w, 0), 3);
	assert_int_equal(noted(&w, 1), 302);
	assert_int_equal(noted(&w, 2), 0);
	w.f.progress = (struct cb_progress){0};
	assert_int_equal(run_until(&w, CB_FAULT_DIE_BEFORE, 2), 137);
	assert_int_equal(noted(&w, 2), 501);
	(void)run(&w);
	assert_int_equal(cb_fs_read(image_of(&w), 16 * MIB, &bytes, &err), 0);
	assert_int_equal(bytes.len, 7 * MIB);
	assert_memory_equal(bytes.text, source, 7 * MIB);
	free(source);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_noted_is_not_sent_again),
		cmocka_unit_test(a_lost_connection_is_not_the_end),
		cmocka_unit_test(a_damaged_chunk_is_sent_again_and_no_other),
		cmocka_unit_test(a_volume_that_was_cut_off_is_sent_from_there),
		cmocka_unit_test(a_source_that_has_changed_is_sent_whole),
		cmocka_unit_test(a_source_of_another_length_sends_nothing_in_vain),
		cmocka_unit_test(a_volume_that_is_gone_is_made_afresh),
		cmocka_unit_test(it_comes_to_its_end_however_often_it_is_killed),
		cmocka_unit_test(an_interrupt_ends_it_soon_and_keeps_what_arrived),
		cmocka_unit_test(an_interrupt_within_a_chunk_keeps_its_beginning),
	};

	return cmocka_run_group_tests(tests, measure_once, NULL);
}
