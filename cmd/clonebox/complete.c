/* __complete: what may stand where the cursor is, from the tables of commands, options and
 * settings, the manifest and, where it answers at once, the host. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cmd/clonebox/ui.h"
#include "reconciler/journal/journal.h"
#include "reconciler/source/files.h"
#include "schema/explain.h"
#include "schema/json_schema.h"
#include "schema/manifest.h"

enum { PATIENCE_MS = 700 };

/* What stands on the line in front of the cursor. */
struct line {
	struct cb_arena arena;
	const struct cb_command *command;
	const struct cb_option *awaited; /* the word at the cursor is its argument */
	const char *current;             /* the word at the cursor */
	CB_VEC(const char *) words;      /* what is no option */
	CB_VEC(const char *) files;      /* -f */
	const char *config;
	struct cb_setting_value settings[CB_SETTINGS];
	bool piped;           /* -f -: not ours to read */
	bool no_more_options; /* -- */
};

/* Saying. -------------------------------------------------------------------------------------- */

static void begin(const char *kind)
{
	printf("%s\n", kind);
}

static void offer(const char *word, const char *doc)
{
	printf("%s\t%s\n", word, doc);
}

/* "text|json|PORT": what is no capital stands for itself. */
static void offer_words(const char *prefix, const char *words)
{
	for (const char *p = words; *p; p += *p == '|') {
		size_t len = strcspn(p, "|");

		if (islower((unsigned char)*p))
			printf("%s%.*s\t\n", prefix, (int)len, p);
		p += len;
	}
}

/* Names. --------------------------------------------------------------------------------------- */

/* Half of a manifest is good enough for names, and problems are for others to tell of. */
static void load(struct line *line, struct cb_desired *desired)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_source_texts texts = {0};
	struct cb_problems problems = {0};

	if (line->piped && line->files.len == 0)
		return;
	if (cb_source_files(&line->arena, line->files.items, line->files.len, &texts, &err) == 0)
		(void)!cb_manifest_load(&line->arena, texts.items, texts.len, desired, &problems);
}

static bool declares(const struct cb_desired *desired, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		if (strcmp(vm->name, name) == 0)
			return true;
	}
	return false;
}

/* Who waits for a host, or a file, that does not answer would rather type the name. What has been
 * offered until then stands. */
static void out_of_patience(int number)
{
	(void)number;
	_exit(0);
}

static void offer_domains(struct line *line, const struct cb_desired *desired, const char *uri,
			  bool trash)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_driver *driver = NULL;
	struct cb_domains domains = {0};

	if (cb_libvirt_open(uri, &driver, &err) < 0)
		return;
	if (driver->ops->domains(driver, &line->arena, &domains, &err) == 0) {
		cb_vec_each (const struct cb_domain, domain, &domains) {
			const struct cb_stamp *stamp = domain->stamp;

			if (!stamp || strcmp(stamp->uuid, domain->uuid) != 0 ||
			    cb_stamp_is_trash(stamp) != trash)
				continue;
			if (trash && cb_spec_string(&stamp->applied, CB_TRASH_WAS))
				offer(cb_spec_string(&stamp->applied, CB_TRASH_WAS),
				      "in the trash");
			else if (!trash && !declares(desired, stamp->name))
				offer(stamp->name, "on the host");
		}
	}
	cb_driver_close(driver);
}

static void offer_from_hosts(struct line *line, const struct cb_desired *desired, bool trash)
{
	const struct cb_setting_value *connect = &line->settings[CB_SET_CONNECT];
	bool asked = false;

	(void)fflush(stdout);
	cb_vec_each (const struct cb_declared, host, &desired->hosts) {
		const char *uri = cb_spec_string(&host->spec, "uri");

		if (!uri || connect->from == CB_SETTING_BY_FLAG)
			continue;
		offer_domains(line, desired, uri, trash);
		(void)fflush(stdout);
		asked = true;
	}
	if (!asked)
		offer_domains(line, desired, connect->text, trash);
}

static void offer_vms(struct line *line)
{
	struct cb_desired desired = {0};

	begin("words");
	(void)fflush(stdout);
	load(line, &desired);
	cb_vec_each (const struct cb_vm, vm, &desired.vms) {
		if (line->command->names != CB_NAMES_TRASH)
			offer(vm->name, "");
	}
	if (line->command->names != CB_NAMES_MANIFEST)
		offer_from_hosts(line, &desired, line->command->names == CB_NAMES_TRASH);
}

/* `show` is the only one for those that are closed. */
static void offer_transactions(struct line *line)
{
	const char *state = line->settings[CB_SET_STATE_DIR].text;
	bool all = line->words.len > 0 && strcmp(line->words.items[0], "show") == 0;

	begin("words");
	for (int which = CB_JOURNALS_OPEN; state && which <= CB_JOURNALS_CLOSED; which++) {
		cb_auto_error struct cb_error err = {0};
		struct cb_journal_ids ids = {0};
		bool open = which == CB_JOURNALS_OPEN;

		if ((!open && !all) || cb_journal_list(state, (enum cb_journal_which)which,
						       &line->arena, &ids, &err) < 0)
			return;
		cb_vec_each (const char *const, id, &ids)
			offer(*id, open ? "open" : "closed");
	}
}

/* Words that stand for something. -------------------------------------------------------------- */

static void offer_setting_value(const struct line *line)
{
	const struct cb_setting *setting =
		line->words.len > 1 ? cb_setting_find(line->words.items[1]) : NULL;

	if (setting && setting->type == CB_SETTING_DIRECTORY) {
		begin("directories");
	} else if (setting && setting->type == CB_SETTING_IMAGE) {
		begin("files");
	} else {
		begin("words");
		if (setting && setting->words)
			offer_words("", setting->words);
	}
}

static void offer_settings(void)
{
	begin("words");
	for (size_t i = 0; i < CB_SETTINGS; i++) {
		const struct cb_setting *setting = cb_setting_at((enum cb_setting_id)i);

		offer(setting->name, setting->doc);
	}
}

static void offer_keys(void)
{
	cb_auto_str struct cb_str keys = {0};

	begin("words");
	cb_explain_keys(&keys);
	(void)fputs(cb_str_text(&keys), stdout);
}

static void offer_schemas(void)
{
	const char *kind;

	begin("words");
	for (size_t i = 0; (kind = cb_json_schema_kind(i)); i++)
		offer(kind, "");
}

/* `kind` is `len` bytes of "[VM]...", "SETTING". */
static void offer_kind(struct line *line, const char *kind, size_t len)
{
	static const char *const kinds[] = {"VM", "ID", "KEY", "SETTING", "VALUE", "KIND"};
	size_t which = 0;

	while (len > 0 && strchr("[]. ", kind[len - 1]))
		len--;
	if (len > 0 && *kind == '[') {
		kind++;
		len--;
	}
	while (which < CB_COUNT(kinds) &&
	       (strlen(kinds[which]) != len || strncmp(kinds[which], kind, len) != 0))
		which++;
	switch (which) {
	case 0:
		offer_vms(line);
		break;
	case 1:
		offer_transactions(line);
		break;
	case 2:
		offer_keys();
		break;
	case 3:
		offer_settings();
		break;
	case 4:
		offer_setting_value(line);
		break;
	case 5:
		offer_schemas();
		break;
	default:
		begin("words");
	}
}

/* The n-th word of an alternative that ends at `end`; the last one where it may be repeated. NULL
 * where nothing more may follow. */
static const char *nth(const char *words, const char *end, size_t n, size_t *len)
{
	for (;;) {
		*len = strcspn(words, " ");
		if (words + *len > end)
			*len = (size_t)(end - words);
		if (n == 0)
			return *len > 0 ? words : NULL;
		if (words + *len >= end || words[*len + 1] == '|')
			return *len > 3 && strncmp(words + *len - 3, "...", 3) == 0 ? words : NULL;
		words += *len + 1;
		n--;
	}
}

static const char *end_of(const char *alternative)
{
	const char *bar = strstr(alternative, " | ");

	return bar ? bar : alternative + strlen(alternative);
}

/* Commands whose first word is one of several: those, or what follows the one that was said. */
static void offer_alternatives(struct line *line)
{
	const char *said = line->words.len ? line->words.items[0] : NULL, *found;
	size_t len;

	if (!said)
		begin("words");
	for (const char *p = line->command->words; *p; p = *end_of(p) ? end_of(p) + 3 : end_of(p)) {
		const char *end = end_of(p);

		len = strcspn(p, " ");
		if (!said) {
			printf("%.*s\t\n", (int)len, p);
		} else if (strlen(said) == len && strncmp(said, p, len) == 0) {
			found = nth(p, end, line->words.len, &len);
			if (found)
				offer_kind(line, found, len);
			else
				begin("words");
			return;
		}
	}
	if (said)
		begin("words");
}

static void offer_word(struct line *line)
{
	const char *words = line->command->words, *found;
	size_t len;

	if (islower((unsigned char)*words)) {
		offer_alternatives(line);
		return;
	}
	found = nth(words, words + strlen(words), line->words.len, &len);
	if (found)
		offer_kind(line, found, len);
	else
		begin("words");
}

/* Options. ------------------------------------------------------------------------------------- */

static void offer_options(const struct line *line)
{
	const struct cb_option *options;
	size_t n;

	begin("words");
	options = cb_options(&n);
	for (size_t i = 0; i < n; i++) {
		if (cb_command_takes(line->command, &options[i]))
			printf("--%s\t%s\n", options[i].name, options[i].help);
	}
}

/* `prefix`: "--output=", or "". */
static void offer_argument(struct line *line, const struct cb_option *option, const char *prefix)
{
	if (strcmp(option->argument, "FILE") == 0 || strcmp(option->argument, "PATH") == 0) {
		begin("files");
	} else if (strcmp(option->argument, "DIR") == 0) {
		begin("directories");
	} else if (strcmp(option->argument, "ID") == 0 && !*prefix) {
		offer_transactions(line);
	} else {
		begin("words");
		offer_words(prefix, option->argument);
	}
}

static const struct cb_option *find_option(const struct cb_command *command, const char *name,
					   size_t len, char letter)
{
	const struct cb_option *options;
	size_t n;

	options = cb_options(&n);
	for (size_t i = 0; i < n; i++) {
		if (!cb_command_takes(command, &options[i]))
			continue;
		if (name ? strlen(options[i].name) == len &&
				    strncmp(options[i].name, name, len) == 0
			 : options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

/* What the argument of an option means for what is offered. */
static void note(struct line *line, const struct cb_option *option, const char *argument)
{
	const struct cb_setting *setting = cb_setting_of_option(option->name);

	if (setting)
		line->settings[setting->id] =
			(struct cb_setting_value){argument, CB_SETTING_BY_FLAG, option->name, 0};
	else if (strcmp(option->name, "config") == 0)
		line->config = argument;
	else if (strcmp(option->name, "file") == 0 && strcmp(argument, "-") == 0)
		line->piped = true;
	else if (strcmp(option->name, "file") == 0)
		cb_vec_push(&line->arena, &line->files, argument);
}

/* An option in front of the cursor; line->awaited is set where its argument is still to come. */
static void read_option(struct line *line, const char *word)
{
	const struct cb_option *option;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		option = find_option(line->command, word + 2, len, 0);
		if (option && option->argument && word[2 + len])
			note(line, option, word + 3 + len);
		else if (option && option->argument)
			line->awaited = option;
		return;
	}
	for (const char *p = word + 1; *p; p++) {
		option = find_option(line->command, NULL, 0, *p);
		if (!option || !option->argument)
			continue;
		if (p[1])
			note(line, option, p + 1);
		else
			line->awaited = option;
		return;
	}
}

static void read_line(struct line *line, size_t n, char **words)
{
	for (size_t i = 1; i + 1 < n; i++) {
		const char *word = words[i];

		if (line->awaited) {
			note(line, line->awaited, word);
			line->awaited = NULL;
		} else if (!line->no_more_options && strcmp(word, "--") == 0) {
			line->no_more_options = true;
		} else if (!line->no_more_options && word[0] == '-' && word[1]) {
			read_option(line, word);
		} else {
			cb_vec_push(&line->arena, &line->words, word);
		}
	}
	line->current = words[n - 1];
}

static void offer_commands(bool options)
{
	const struct cb_command *commands;
	size_t n;

	begin("words");
	commands = cb_commands(&n);
	for (size_t i = 0; i < n; i++)
		offer(commands[i].name, commands[i].summary);
	if (options) {
		offer("help", "help for a command");
		offer("--help", "");
		offer("--version", "");
	}
}

static void answer(struct line *line)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_option *option;
	const char *current = line->current;
	size_t len = strcspn(current, "=");

	/* What is wrong there is not to be told here. */
	(void)!cb_settings_resolve(&line->arena, line->config, line->settings, &err);
	if (line->awaited) {
		offer_argument(line, line->awaited, "");
	} else if (!line->no_more_options && strncmp(current, "--", 2) == 0 && current[len]) {
		option = find_option(line->command, current + 2, len - 2, 0);
		if (option && option->argument)
			offer_argument(line, option,
				       cb_arena_strndup(&line->arena, current, len + 1));
		else
			begin("words");
	} else if (!line->no_more_options && current[0] == '-') {
		offer_options(line);
	} else {
		offer_word(line);
	}
}

int cb_cmd_complete(size_t n, char **words)
{
	const struct itimerval patience = {.it_value = {.tv_usec = PATIENCE_MS * 1000}};
	struct line line = {0};

	(void)signal(SIGALRM, out_of_patience);
	(void)setitimer(ITIMER_REAL, &patience, NULL);
	if (n < 2 || (n == 2 && strcmp(words[0], "help") == 0)) {
		offer_commands(n < 2);
		return 0;
	}
	line.command = cb_command_find(words[0]);
	if (line.command) {
		read_line(&line, n, words);
		answer(&line);
	} else {
		begin("words");
	}
	cb_arena_release(&line.arena);
	return fflush(stdout) == EOF ? CB_EXIT_IO : 0;
}
