#include "reconciler/journal/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/clock.h"
#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "reconciler/journal/statedir.h"

enum { POLL_MS = 50, LONG_NAME = 160, KEPT_OF_LONG_NAME = 80, OWNER_MAX = 4096 };

/* Different names give different files: '%' and '~' stand for themselves in none. */
static const char *file_name(struct cb_arena *arena, const char *name)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	cb_auto_str struct cb_str out = {0};
	char digest[CB_SHA256_HEX];

	for (const char *p = name; *p; p++) {
		if (strchr(safe, *p) && !(p == name && *p == '.'))
			cb_str_add_bytes(&out, p, 1);
		else
			cb_str_printf(&out, "%%%02X", (unsigned)(unsigned char)*p);
	}
	if (out.len <= LONG_NAME)
		return cb_arena_printf(arena, "%s.lock", *name ? out.text : "%");
	cb_digest_of(name, strlen(name), digest);
	return cb_arena_printf(arena, "%.*s~%s.lock", KEPT_OF_LONG_NAME, out.text, digest);
}

/* When a process started, in clock ticks since boot; 0 where there is no such process. A pid alone
 * could have been given to another one meanwhile. */
static uint64_t started(long pid)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error ignored = {0};
	cb_auto_str struct cb_str text = {0};
	char *p, *save = NULL;
	uint64_t ticks = 0;

	if (cb_fs_read(cb_arena_printf(&arena, "/proc/%ld/stat", pid), OWNER_MAX, &text, &ignored) <
	    0)
		return 0;
	/* Field 2 is the program's name in brackets and may hold anything; the start is field 22.
	 */
	p = text.text ? strrchr(text.text, ')') : NULL;
	if (!p)
		return 0;
	p = strtok_r(p + 1, " ", &save);
	for (int field = 3; p && field < 22; field++)
		p = strtok_r(NULL, " ", &save);
	return p && cb_parse_u64(p, &ticks) == 0 ? ticks : 0;
}

/* For the message of others only, so nothing depends on whether it can be written. */
static void write_owner(int fd, const char *purpose)
{
	cb_auto_error struct cb_error ignored = {0};
	long pid = (long)getpid();
	char since[CB_TIME_SIZE];
	cb_auto_str struct cb_str text = {0};
	json_auto_t *owner = NULL;
	char *line;

	cb_clock_format(cb_clock_now(), since);
	owner = json_pack("{s:I, s:I, s:s, s:s}", "pid", (json_int_t)pid, "start",
			  (json_int_t)started(pid), "purpose", purpose, "since", since);
	line = owner ? json_dumps(owner, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII) : NULL;
	if (line)
		cb_str_printf(&text, "%s\n", line);
	free(line);
	if (ftruncate(fd, 0) < 0 || cb_fs_pwrite(fd, "", text.text, text.len, 0, &ignored) < 0)
		return;
}

/* "process 1234 (apply of vm 'dev', since 2026-01-31T12:50:02Z)". What the file says may be of an
 * earlier holder: it counts only if the lock is held exclusively and that process still lives. */
static const char *holder(struct cb_arena *arena, int fd)
{
	static const char unknown[] = "another run";
	struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const char *purpose = NULL, *since = NULL;
	json_int_t pid = 0, start = 0;
	json_auto_t *owner = NULL;
	char text[OWNER_MAX];
	ssize_t len;

	if (fcntl(fd, F_OFD_GETLK, &probe) < 0 || probe.l_type != F_WRLCK)
		return unknown;
	len = pread(fd, text, sizeof(text), 0);
	if (len <= 0)
		return unknown;
	owner = json_loadb(text, (size_t)len, JSON_DISABLE_EOF_CHECK, NULL);
	if (!owner || json_unpack(owner, "{s:I, s:I, s:s, s:s}", "pid", &pid, "start", &start,
				  "purpose", &purpose, "since", &since) < 0)
		return unknown;
	if (pid <= 0 || start <= 0 || started((long)pid) != (uint64_t)start)
		return unknown;
	return cb_arena_printf(arena, "process %" JSON_INTEGER_FORMAT " (%s, since %s)", pid,
			       purpose, since);
}

/* 1: taken, 0: somebody else has it. */
static int try_lock(int fd, enum cb_lock_mode mode, const char *path, struct cb_error *err)
{
	struct flock lock = {.l_type = mode == CB_LOCK_SHARED ? F_RDLCK : F_WRLCK,
			     .l_whence = SEEK_SET};

	for (;;) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return 1;
		if (errno == EAGAIN || errno == EACCES)
			return 0;
		if (errno != EINTR)
			return cb_error_errno(err, errno, "cannot lock '%s'", path);
	}
}

int cb_lock_take(const char *state_dir, const char *name, enum cb_lock_mode mode,
		 unsigned timeout_ms, const char *purpose, struct cb_lock *out,
		 struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	uint64_t start = cb_clock_ms();
	const char *path;
	cb_auto_fd int fd = -1;
	int r;

	out->fd = -1;
	if ((r = cb_statedir_make(state_dir, "locks", err)) < 0)
		return r;
	path = cb_arena_printf(&arena, "%s/locks/%s", state_dir, file_name(&arena, name));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		(void)cb_error_errno(err, errno, "cannot open lock '%s'", path);
		return cb_error_hint(
			err, "mend the state directory, or name another one with --state-dir");
	}
	for (unsigned pause = 1;; pause = pause * 2 < POLL_MS ? pause * 2 : POLL_MS) {
		uint64_t waited;

		if ((r = try_lock(fd, mode, path, err)) < 0)
			return r;
		if (r > 0)
			break;
		waited = cb_clock_ms() - start;
		if (waited >= timeout_ms) {
			(void)cb_error_set(err, CB_E_BUSY, "%s is locked by %s", name,
					   holder(&arena, fd));
			return cb_error_hint(
				err,
				"wait until that run has ended, or give a longer --lock-timeout");
		}
		if (pause > timeout_ms - waited)
			pause = (unsigned)(timeout_ms - waited);
		cb_clock_sleep_ms(pause);
	}
	if (mode == CB_LOCK_EXCLUSIVE)
		write_owner(fd, purpose);
	out->fd = fd;
	fd = -1;
	return 0;
}

int cb_lock_holder(const char *state_dir, const char *name, struct cb_arena *arena,
		   const char **out, struct cb_error *err)
{
	struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const char *path = cb_arena_printf(arena, "%s/locks/%s", state_dir, file_name(arena, name));
	/* Only asked: that works where nothing can be written, too. */
	cb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*out = NULL;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &probe) < 0)
		return cb_error_errno(err, errno, "cannot look at lock '%s'", path);
	if (probe.l_type != F_UNLCK)
		*out = holder(arena, fd);
	return 0;
}

void cb_lock_release(struct cb_lock *lock)
{
	struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	/* Said in words: closing alone leaves the lock to a child that was just being forked. */
	if (lock->fd >= 0)
		(void)fcntl(lock->fd, F_OFD_SETLK, &none);
	cb_fd_release(&lock->fd);
}
