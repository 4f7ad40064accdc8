#include "cmd/clonebox/ui.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/digest.h"
#include "reconciler/journal/retention.h"
#include "reconciler/source/companions.h"
#include "reconciler/source/files.h"
#include "schema/manifest.h"

#ifndef CB_VERSION
#	define CB_VERSION "0"
#endif

static volatile sig_atomic_t interrupted;

int cb_ui_exit_code(enum cb_code code)
{
	switch (code) {
	case CB_E_INVALID:
		return CB_EXIT_INVALID;
	case CB_E_USAGE:
		return CB_EXIT_USAGE;
	case CB_E_REFUSED:
	case CB_E_CONFLICT:
		return CB_EXIT_REFUSED;
	case CB_E_BUSY:
		return CB_EXIT_LOCKED;
	case CB_E_UNAVAILABLE:
		return CB_EXIT_UNAVAILABLE;
	case CB_E_DENIED:
		return CB_EXIT_DENIED;
	case CB_E_IO:
	case CB_E_CORRUPT:
		return CB_EXIT_IO;
	case CB_E_INTERRUPTED:
		return CB_EXIT_INTERRUPTED;
	case CB_E_INTERNAL:
		return CB_EXIT_BUG;
	case CB_E_NOT_FOUND:
	case CB_E_EXISTS:
	case CB_E_TIMEOUT:
	case CB_E_UNCLEAR:
	case CB_E_UNSUPPORTED:
	case CB_E_FAILED:
		return CB_EXIT_FAILED;
	}
	return CB_EXIT_FAILED;
}

int cb_ui_open_code(enum cb_code code)
{
	int exit_code = cb_ui_exit_code(code);
	bool told = exit_code == CB_EXIT_UNAVAILABLE || exit_code == CB_EXIT_INTERRUPTED ||
		    exit_code == CB_EXIT_IO || exit_code == CB_EXIT_BUG;

	return told ? exit_code : CB_EXIT_UNFINISHED;
}

int cb_ui_error(const struct cb_error *err)
{
	cb_ui_progress_end();
	/* In one piece: others may write to the same terminal. */
	fprintf(stderr, "error: %s%s%s\n", err->message ? err->message : "unknown error",
		err->hint && err->hint[0] ? "; " : "", err->hint ? err->hint : "");
	return cb_ui_exit_code(err->code);
}

enum cb_colour cb_ui_colour(const struct cb_cli *cli, int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cli->color == CB_COLOR_ALWAYS)
		return CB_COLOURED;
	if (cli->color == CB_COLOR_NEVER || (no && no[0]) || !isatty(fd) ||
	    (term && strcmp(term, "dumb") == 0))
		return CB_PLAIN;
	return CB_COLOURED;
}

int cb_ui_print(const char *text)
{
	cb_ui_progress_end();
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
		perror("error: cannot write to standard output");
		return CB_EXIT_IO;
	}
	return 0;
}

int cb_ui_print_json(json_t *json)
{
	cb_auto_str struct cb_str text = {0};
	char *dump = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);

	if (!dump)
		cb_oom();
	cb_str_printf(&text, "%s\n", dump);
	free(dump);
	json_decref(json);
	return cb_ui_print(text.text);
}

bool cb_ui_interactive(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool cb_ui_confirm(const char *question)
{
	char answer[16];

	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
}

bool cb_ui_interrupted(void)
{
	return interrupted != 0;
}

static void on_signal(int number)
{
	static const char text[] =
		"\ninterrupted: stopping as soon as possible; once more to stop at once\n";

	if (interrupted)
		_exit(128 + number);
	interrupted = 1;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

void cb_ui_catch_signals(void)
{
	/* No SA_RESTART: waits end early. */
	struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}

/* Hosts are worked on at the same time. */
static pthread_mutex_t speaking = PTHREAD_MUTEX_INITIALIZER;

/* One line of progress at a time: a bar on a terminal, a line every few seconds elsewhere. */
static struct {
	const char *what;
	uint64_t begun, last;
	uint64_t first; /* what was done already when it began */
	bool open;      /* a line without newline stands on the terminal */
	bool quiet;
} progress;

enum { BAR_EVERY_MS = 100, LINE_EVERY_MS = 5000, BAR_WIDTH = 30 };

void cb_ui_progress_end(void)
{
	if (progress.open)
		fprintf(stderr, "\n");
	progress.open = false;
	progress.what = NULL;
}

static void progress_line(struct cb_str *out, const char *what, uint64_t done, uint64_t total,
			  uint64_t elapsed, bool bar)
{
	uint64_t now_done = done - progress.first;
	unsigned percent = total ? (unsigned)(done * 100 / total) : 0;

	cb_str_printf(out, "    %s: ", what);
	if (bar) {
		unsigned full = percent * BAR_WIDTH / 100;

		cb_str_add(out, "[");
		for (unsigned i = 0; i < BAR_WIDTH; i++)
			cb_str_add(out, i < full ? "#" : ".");
		cb_str_add(out, "] ");
	}
	cb_str_printf(out, "%u%% ", percent);
	cb_str_size(out, done);
	cb_str_add(out, " of ");
	cb_str_size(out, total);
	/* What an earlier run has done says nothing of the rate. */
	if (elapsed >= 1000 && now_done > 0 && done < total)
		cb_str_printf(out, ", %" PRIu64 " s left",
			      (total - done) * elapsed / now_done / 1000 + 1);
}

static void report_progress(const char *what, uint64_t done, uint64_t total)
{
	cb_auto_str struct cb_str line = {0};
	bool terminal = isatty(STDERR_FILENO);
	uint64_t now = cb_clock_ms();

	/* Less than before: it begins again. */
	if (!progress.what || strcmp(progress.what, what) != 0 || done < progress.first) {
		cb_ui_progress_end();
		progress.what = what;
		progress.begun = progress.last = now;
		progress.first = done;
	}
	if (now - progress.last < (terminal ? BAR_EVERY_MS : LINE_EVERY_MS) &&
	    !(terminal && progress.open && done == total))
		return;
	progress.last = now;
	progress_line(&line, what, done, total, now - progress.begun, terminal);
	if (terminal)
		fprintf(stderr, "\r\033[K%s", line.text);
	else
		fprintf(stderr, "%s\n", line.text);
	progress.open = terminal;
}

static void on_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	(void)ctx;
	if (progress.quiet)
		return;
	(void)pthread_mutex_lock(&speaking);
	report_progress(what, done, total);
	(void)pthread_mutex_unlock(&speaking);
}

struct cb_progress cb_ui_progress(const struct cb_cli *cli)
{
	progress.quiet = cli->quiet;
	return (struct cb_progress){.report = on_progress, .interrupted = &interrupted};
}

void cb_ui_event(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		 const struct cb_step *step, const char *text)
{
	cb_auto_str struct cb_str line = {0};
	const struct cb_cli *cli = ctx;

	if (cli->quiet && event != CB_EVENT_FAILED && event != CB_EVENT_KEPT)
		return;
	cb_str_printf(&line, "  %s '%s': ", cb_target_name(transaction->target), transaction->name);
	switch (event) {
	case CB_EVENT_STEP:
		cb_str_printf(&line, "[%u/%zu] ", step->n, transaction->steps.len);
		cb_render_step(&line, step);
		break;
	case CB_EVENT_DONE:
		return;
	case CB_EVENT_FAILED:
		cb_str_printf(&line, "failed: %s", text);
		break;
	case CB_EVENT_UNDO:
		cb_str_add(&line, "taking back: ");
		cb_render_step(&line, step);
		break;
	case CB_EVENT_KEPT:
		cb_str_printf(&line, "left as it is: '%s': %s", step->target, text);
		break;
	case CB_EVENT_WAITING:
		cb_str_add(&line, text);
		break;
	case CB_EVENT_RECOVERY:
		cb_str_printf(&line, "%s transaction %s, which was not finished", text,
			      transaction->id);
		break;
	}
	(void)pthread_mutex_lock(&speaking);
	cb_ui_progress_end();
	fprintf(stderr, "%s\n", line.text);
	(void)pthread_mutex_unlock(&speaking);
}

int cb_ui_state_dir(const struct cb_cli *cli, struct cb_arena *arena, const char **out,
		    struct cb_error *err)
{
	(void)arena;
	if (!cli->state_dir)
		return cb_error_set(err, CB_E_USAGE,
				    "no state directory: neither --state-dir nor HOME is set");
	*out = cli->state_dir;
	return 0;
}

void cb_ui_sweep_history(const struct cb_cli *cli)
{
	const struct cb_retention keep = {cli->history_age, cli->history_bytes};
	cb_auto_error struct cb_error err = {0};
	unsigned swept = 0;

	if (cli->state_dir &&
	    cb_journal_sweep(cli->state_dir, &keep, cb_clock_now(), &swept, &err) < 0)
		fprintf(stderr,
			"warning: old journals are not removed: %s; see to the state directory, "
			"or keep more (history_age, history_mb)\n",
			err.message);
	if (swept)
		cb_log(CB_LOG_INFO, "history-swept",
		       "removed the journals of %u finished transactions", swept);
}

int cb_ui_session(const struct cb_cli *cli, const char *uri, struct cb_arena *arena,
		  struct cb_session **out, struct cb_error *err)
{
	struct cb_session_config config = {
		.uri = cli->connect ? cli->connect
		       : uri        ? uri
				    : cli->connect_otherwise,
		.parallel = cli->parallel,
		.version = CB_VERSION,
		.lock_timeout_ms = cli->lock_timeout * 1000,
		.connect_timeout_ms = cli->connect_timeout * 1000,
		.call_timeout_ms = cli->call_timeout * 1000,
		.reopen_timeout_ms = 30000,
		.settle_ms = 200,
		.progress = cb_ui_progress(cli),
		.event = cb_ui_event,
		.event_ctx = (void *)(uintptr_t)cli,
		.open = cb_libvirt_open,
	};
	int r = cb_ui_state_dir(cli, arena, &config.state_dir, err);

	if (r < 0)
		return r;
	/* libvirt itself falls back to LIBVIRT_DEFAULT_URI. */
	return cb_session_open(&config, out, err);
}

/* What new VMs take where the manifest is silent. It is a default like the built-in one that it
 * takes the place of: VMs that are there do not follow it. */
static void set_default(struct cb_arena *arena, const struct cb_cli *cli, struct cb_vm *vm,
			enum cb_setting_id id)
{
	const struct cb_setting_value *value = &cli->settings[id];
	const char *path = cb_setting_at(id)->name;

	if (value->from != CB_SETTING_BY_DEFAULT && !cb_spec_find(&vm->spec, path))
		cb_spec_set(arena, &vm->spec, path, cb_string(value->text),
			    (struct cb_origin){.from = CB_FROM_DEFAULT,
					       .file = value->where,
					       .line = value->line});
}

static void set_defaults(struct cb_arena *arena, const struct cb_cli *cli,
			 struct cb_desired *desired)
{
	cb_vec_each (struct cb_vm, vm, &desired->vms) {
		set_default(arena, cli, vm, CB_SET_POOL);
		/* Where there is no root disk, or a kernel is booted, none is missing. */
		if (!cb_spec_find(&vm->spec, "boot.kernel") &&
		    cb_spec_int(&vm->spec, "disk_size_gb", 1) > 0)
			set_default(arena, cli, vm, CB_SET_BASE_IMAGE);
	}
}

/* Loads the texts with all that they refer to: each round finds more of it. */
static int load_all(const struct cb_cli *cli, bool fragment, struct cb_arena *arena,
		    struct cb_source_texts *texts, struct cb_desired *desired,
		    struct cb_problems *problems, struct cb_error *err)
{
	const char *home = getenv("HOME");
	int bad, more = cb_source_rules(arena, home, texts, err);

	if (more < 0)
		return more;
	do {
		cb_vec_each (struct cb_manifest_text, text, texts) {
			text->lenient = cli->lenient;
			text->fragment = fragment && cli->lenient;
		}
		*problems = (struct cb_problems){0};
		bad = cb_manifest_load(arena, texts->items, texts->len, desired, problems);
		more = cb_source_companions(arena, desired, home, texts, err);
	} while (more > 0);
	return more < 0 ? more : bad;
}

int cb_ui_texts(const struct cb_cli *cli, struct cb_arena *arena, struct cb_source_texts *texts)
{
	cb_auto_error struct cb_error err = {0};
	int code;

	if (cb_source_files(arena, cli->files, cli->n_files, texts, &err) == 0)
		return 0;
	code = cb_ui_error(&err);
	return err.code == CB_E_NOT_FOUND ? CB_EXIT_USAGE : code;
}

int cb_ui_problems(const struct cb_cli *cli, const struct cb_problems *problems, int bad)
{
	cb_auto_str struct cb_str text = {0};

	cb_render_problems(&text, problems, cb_ui_colour(cli, STDERR_FILENO));
	if (!cli->quiet || bad)
		fputs(cb_str_text(&text), stderr);
	if (bad)
		fprintf(stderr, "error: %d problem%s in the manifest; nothing was done\n", bad,
			bad == 1 ? "" : "s");
	return bad ? CB_EXIT_INVALID : 0;
}

/* Of manifests alone: what ${} stands for may be short and secret, and then its digest tells it. */
static void note_files(struct cb_arena *arena, const struct cb_source_texts *texts,
		       struct cb_desired *desired)
{
	cb_vec_each (const struct cb_manifest_text, text, texts) {
		char digest[CB_SHA256_HEX];

		cb_digest_of(text->bytes, text->len, digest);
		cb_vec_push(arena, &desired->files,
			    ((struct cb_read_file){cb_arena_strdup(arena, text->name),
						   cb_arena_strdup(arena, digest)}));
	}
}

static int load(const struct cb_cli *cli, bool fragment, struct cb_arena *arena,
		struct cb_desired *desired)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_source_texts texts = {.lenient = cli->lenient};
	struct cb_problems problems = {0};
	int bad, code = cb_ui_texts(cli, arena, &texts);

	if (code)
		return code;
	bad = load_all(cli, fragment, arena, &texts, desired, &problems, &err);
	set_defaults(arena, cli, desired);
	note_files(arena, &texts, desired);
	return bad < 0 ? cb_ui_error(&err) : cb_ui_problems(cli, &problems, bad);
}

int cb_ui_load(const struct cb_cli *cli, struct cb_arena *arena, struct cb_desired *desired)
{
	return load(cli, false, arena, desired);
}

int cb_ui_look_at(const struct cb_cli *cli, struct cb_arena *arena, struct cb_desired *desired)
{
	return load(cli, true, arena, desired);
}

int cb_ui_load_rules(const struct cb_cli *cli, struct cb_arena *arena, struct cb_desired *desired)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_source_texts texts = {0};
	struct cb_problems problems = {0};
	struct cb_desired loaded = {0};
	int bad = load_all(cli, false, arena, &texts, &loaded, &problems, &err);

	desired->rules = loaded.rules;
	return bad < 0 ? cb_ui_error(&err) : cb_ui_problems(cli, &problems, bad);
}
