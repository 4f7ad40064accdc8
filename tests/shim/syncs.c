/*
 * Syncs, one by one: where they are called from, which of them do nothing, and how far sync() goes.
 * (shim.c says what the variables mean.)
 */
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAMES = 24, CALLS = 8 };

/* Where in the program a sync was called, innermost first: the last bytes of the call instructions.
 */
struct calls {
	unsigned long at[CALLS];
	int n;
};

static void find_calls(struct calls *calls)
{
	void *frames[FRAMES];
	int n = backtrace(frames, FRAMES);

	calls->n = 0;
	for (int i = 0; i < n && calls->n < CALLS; i++) {
		struct dl_find_object object;

		/* The program itself is the one without a name. */
		if (_dl_find_object(frames[i], &object) != 0 || object.dlfo_link_map->l_name[0])
			continue;
		calls->at[calls->n++] = (unsigned long)frames[i] - object.dlfo_link_map->l_addr - 1;
	}
}

/* All of the addresses of one `A+B+C` are in the chain. */
static bool matches(char *word, const struct calls *calls)
{
	for (char *one; (one = strsep(&word, "+"));) {
		char have[32];
		bool found = false;

		for (int i = 0; i < calls->n && !found; i++) {
			snprintf(have, sizeof(have), "%lx", calls->at[i]);
			found = !strcmp(have, one);
		}
		if (!found)
			return false;
	}
	return true;
}

static void list(const char *name, const struct calls *calls)
{
	char line[512];
	int used = snprintf(line, sizeof(line), "%s\t", name);

	for (int i = 0; i < calls->n; i++)
		used += snprintf(line + used, sizeof(line) - (size_t)used, "%s%lx", i ? "+" : "",
				 calls->at[i]);
	line[used++] = '\n';

	int fd = (int)syscall(SYS_openat, AT_FDCWD, cb_shim.sites,
			      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || syscall(SYS_write, fd, line, (size_t)used) != used) {
		static const char message[] = "shim: cannot write CB_SHIM_SITES\n";
		syscall(SYS_write, STDERR_FILENO, message, sizeof(message) - 1);
		syscall(SYS_exit_group, 125);
	}
	syscall(SYS_close, fd);
}

bool cb_shim_drops_sync(const char *name)
{
	char words[CB_SHIM_DETAIL];
	struct calls calls;
	int saved = errno;
	bool drops = false;

	if (!cb_shim.sites[0] && !cb_shim.drop[0])
		return false;
	find_calls(&calls);
	if (cb_shim.sites[0])
		list(name, &calls);
	strcpy(words, cb_shim.drop);
	char *rest = words;
	for (char *word; !drops && (word = strsep(&rest, ":"));)
		drops = word[0] && (!strcmp(word, "all") || matches(word, &calls));
	errno = saved;
	return drops;
}

bool cb_shim_sync_some(void)
{
	char words[CB_SHIM_DETAIL];

	if (!cb_shim.sync[0])
		return false;
	strcpy(words, cb_shim.sync);
	char *rest = words;
	for (char *word; (word = strsep(&rest, ":"));) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, word,
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || syscall(SYS_syncfs, fd) != 0) {
			static const char message[] =
				"shim: cannot sync a directory of CB_SHIM_SYNC\n";
			syscall(SYS_write, STDERR_FILENO, message, sizeof(message) - 1);
			syscall(SYS_exit_group, 125);
		}
		syscall(SYS_close, fd);
	}
	return true;
}
