#include "cmd/clonebox/elsewhere.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/fs.h"

bool cb_elsewhere_look(const struct cb_cli *cli, struct cb_arena *arena, struct cb_elsewhere *out)
{
	enum { PATIENCE = 5 }; /* seconds: it is not what was asked for first */

	cb_auto_error struct cb_error err = {0};
	struct cb_cli hasty = *cli;
	struct cb_session *session = NULL;
	int r;

	if (!hasty.connect_timeout || hasty.connect_timeout > PATIENCE)
		hasty.connect_timeout = PATIENCE;
	r = cb_ui_session(&hasty, NULL, arena, &session, &err);
	if (r == 0)
		r = cb_session_elsewhere(session, arena, out, &err);
	cb_session_close(session);
	if (r < 0)
		fprintf(stderr,
			"note: what other installations left on the host was not looked for: %s\n",
			err.message);
	return r == 0;
}

/* Is it on this machine? ------------------------------------------------------------------------
 */

/* Whether the installation's state is in this directory. */
static bool lives_in(const char *dir, const char *controller)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error ignored = {0};
	cb_auto_str struct cb_str text = {0};

	return cb_fs_read(cb_arena_printf(&arena, "%s/controller-id", dir), CB_UUID_SIZE, &text,
			  &ignored) == 0 &&
	       strcmp(cb_str_text(&text), controller) == 0;
}

/* The state directory that a file is a lock of; NULL if it is none. */
static const char *state_of_lock(struct cb_arena *arena, const char *path)
{
	const char *name = strrchr(path, '/');
	const char *dot = strrchr(path, '.');
	const size_t room = strlen("/locks");

	if (path[0] != '/' || !dot || strcmp(dot, ".lock") != 0 || (size_t)(name - path) <= room ||
	    strncmp(name - room, "/locks", room) != 0)
		return NULL;
	return cb_arena_printf(arena, "%.*s", (int)((size_t)(name - path) - room), path);
}

/* Whether a process holds a lock of that installation open; those of others can only be seen by
 * root. */
static const char *find_open_lock(struct cb_arena *arena, const char *pid, const char *controller)
{
	const char *fds = cb_arena_printf(arena, "/proc/%s/fd", pid), *found = NULL;
	struct dirent *entry;
	DIR *dir = opendir(fds);

	while (dir && !found && (entry = readdir(dir))) {
		char target[4096];
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = '\0';
		found = state_of_lock(arena, target);
		if (found && !lives_in(found, controller))
			found = NULL;
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

static const char *find_by_process(struct cb_arena *arena, const char *controller)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	const char *found = NULL;

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			found = find_open_lock(arena, entry->d_name, controller);
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

/* Root's, and those of the user who runs this, as sudo may have changed who that is. */
static const char *find_by_place(struct cb_arena *arena, const char *controller)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const char *places[] = {"/var/lib/clonebox", NULL, NULL};

	if (xdg && xdg[0])
		places[1] = cb_arena_printf(arena, "%s/clonebox", xdg);
	if (home && home[0])
		places[2] = cb_arena_printf(arena, "%s/.local/state/clonebox", home);
	for (size_t i = 0; i < CB_COUNT(places); i++) {
		if (places[i] && lives_in(places[i], controller))
			return places[i];
	}
	return NULL;
}

int cb_elsewhere_check_gone(const char *controller)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	const char *dir = find_by_place(&arena, controller);

	if (!dir)
		dir = find_by_process(&arena, controller);
	if (!dir)
		return 0;
	(void)cb_error_set(&err, CB_E_REFUSED, "installation %s is on this machine, in '%s'",
			   controller, dir);
	(void)cb_error_hint(&err,
			    "work with it (--state-dir %s); or, if it is to be no more, end what "
			    "runs with it, settle what it has begun (recover), and remove that "
			    "directory",
			    dir);
	return cb_ui_error(&err);
}
