/*
 * Kills libvirtd in the middle of its work: stands in front of the calls with which a daemon
 *changes what outlives it (names and lengths of files, modes, children, signals), counts them while
 *it is told to, and ends the process before the n-th. A library of its own, for libvirtd alone; the
 *rest of this directory is for its clients.
 *
 *	tests/testbed/host start DIR, with CB_TESTBED_PRELOAD=LIB in the environment
 *	echo 'NAME 0' >DIR/points.arm          from now on count; the numbers begin anew for each
 *NAME echo 'NAME 7' >DIR/points.arm          the same, and die before the seventh DIR/points what
 *was counted, one line each: "NUMBER CALL PATH"
 *
 * CB_DAEMON_POINTS is that path (of points). It and LD_PRELOAD are taken out of the environment at
 * once: qemu-img, QEMU and dnsmasq are not libvirtd, and must not die in its place. A child that
 *has not yet begun another program has another process id, and is left alone as well.
 *
 * No point is what can make no difference: the removal of what is not there, the opening of what
 * is, a look whether a process lives, logs, caches, and what is nobody's file. Of several children
 *in a row only the first is one: they are the commands that set up a packet filter.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

enum { TEXT = 512 };

static char points[TEXT], arm[TEXT + 4];
static pid_t self;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char counting[TEXT]; /* the NAME that the number is about */
static unsigned number;
static bool forked; /* last */

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CB_DAEMON_POINTS");

	if (!path || strlen(path) >= sizeof(points))
		return;
	strcpy(points, path);
	snprintf(arm, sizeof(arm), "%s.arm", points);
	self = getpid();
	unsetenv("CB_DAEMON_POINTS");
	unsetenv("LD_PRELOAD");
}

static void *next(void **slot, const char *name)
{
	if (!*slot)
		*slot = dlsym(RTLD_NEXT, name);
	return *slot;
}

#define NEXT(name)                                                                                 \
	({                                                                                         \
		static void *slot;                                                                 \
		(__typeof__(&name))next(&slot, #name);                                             \
	})

/* Past ourselves: these are not libvirtd's. */
static int raw_open(const char *path, int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

static bool exists(int at, const char *path)
{
	struct stat st;
	int kept = errno;
	bool is = fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	errno = kept;
	return is;
}

static bool concerns(const char *path)
{
	static const char *const roots[] = {"/etc/", "/run/", "/var/lib/", "/var/run/"};

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (strncmp(path, roots[i], strlen(roots[i])) == 0)
			return true;
	}
	return path[0] != '/';
}

/* What to do now: the name that is counted, and where it ends. */
static bool told(char *name, unsigned *at)
{
	char text[TEXT] = "";
	int fd = raw_open(arm, O_RDONLY);

	if (fd < 0)
		return false;
	(void)!read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	return sscanf(text, "%500s %u", name, at) == 2;
}

static void count(const char *call, const char *what, unsigned at)
{
	bool forks = strcmp(call, "fork") == 0;
	char line[3 * TEXT];
	int fd;

	if (forks && forked)
		return;
	forked = forks;
	snprintf(line, sizeof(line), "%u %s%s%s\n", ++number, call, *what ? " " : "", what);
	fd = raw_open(points, O_WRONLY | O_CREAT | O_APPEND);
	(void)!write(fd, line, strlen(line));
	(void)close(fd);
	if (number == at)
		syscall(SYS_kill, self, SIGKILL);
}

static void point(const char *call, const char *what)
{
	int kept = errno;
	char name[TEXT];
	unsigned at;

	if (!*points || getpid() != self)
		return;
	pthread_mutex_lock(&mutex);
	if (told(name, &at)) {
		if (strcmp(name, counting) != 0) {
			strcpy(counting, name);
			number = 0;
			forked = false;
		}
		count(call, what, at);
	}
	pthread_mutex_unlock(&mutex);
	errno = kept;
}

static void of_path(const char *call, int at, const char *path, bool there)
{
	if (*points && path && concerns(path) && exists(at, path) == there)
		point(call, path);
}

static void of_two(const char *call, const char *from, const char *to)
{
	char what[2 * TEXT];

	if (!*points || !concerns(to))
		return;
	snprintf(what, sizeof(what), "%s -> %s", from, to);
	point(call, what);
}

static void of_fd(const char *call, int fd)
{
	char link[64], path[TEXT];
	ssize_t n;

	if (!*points)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	if (path[0] == '/' && concerns(path))
		point(call, path);
}

/* Files that come to be. */

#define OPEN(name)                                                                                 \
	PUBLIC int name(const char *path, int flags, ...)                                          \
	{                                                                                          \
		mode_t mode = 0;                                                                   \
		va_list ap;                                                                        \
                                                                                                   \
		if (flags & (O_CREAT | __O_TMPFILE)) {                                             \
			va_start(ap, flags);                                                       \
			mode = va_arg(ap, mode_t);                                                 \
			va_end(ap);                                                                \
		}                                                                                  \
		if (flags & O_CREAT)                                                               \
			of_path("creat", AT_FDCWD, path, false);                                   \
		return NEXT(name)(path, flags, mode);                                              \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
	PUBLIC int name(int at, const char *path, int flags, ...)                                  \
	{                                                                                          \
		mode_t mode = 0;                                                                   \
		va_list ap;                                                                        \
                                                                                                   \
		if (flags & (O_CREAT | __O_TMPFILE)) {                                             \
			va_start(ap, flags);                                                       \
			mode = va_arg(ap, mode_t);                                                 \
			va_end(ap);                                                                \
		}                                                                                  \
		if (flags & O_CREAT)                                                               \
			of_path("creat", at, path, false);                                         \
		return NEXT(name)(at, path, flags, mode);                                          \
	}
OPENAT(openat)
OPENAT(openat64)

PUBLIC int creat(const char *path, mode_t mode)
{
	of_path("creat", AT_FDCWD, path, false);
	return NEXT(creat)(path, mode);
}

PUBLIC int creat64(const char *path, mode_t mode)
{
	of_path("creat", AT_FDCWD, path, false);
	return NEXT(creat64)(path, mode);
}

#define FOPEN(name)                                                                                \
	PUBLIC FILE *name(const char *path, const char *mode)                                      \
	{                                                                                          \
		if (*mode != 'r')                                                                  \
			of_path("creat", AT_FDCWD, path, false);                                   \
		return NEXT(name)(path, mode);                                                     \
	}
FOPEN(fopen)
FOPEN(fopen64)

PUBLIC int mkdir(const char *path, mode_t mode)
{
	of_path("mkdir", AT_FDCWD, path, false);
	return NEXT(mkdir)(path, mode);
}

/* Names. */

PUBLIC int rename(const char *from, const char *to)
{
	of_two("rename", from, to);
	return NEXT(rename)(from, to);
}

PUBLIC int renameat2(int at, const char *from, int to_at, const char *to, unsigned flags)
{
	of_two("rename", from, to);
	return NEXT(renameat2)(at, from, to_at, to, flags);
}

PUBLIC int link(const char *from, const char *to)
{
	of_two("link", from, to);
	return NEXT(link)(from, to);
}

PUBLIC int symlink(const char *to, const char *path)
{
	of_two("symlink", path, to);
	return NEXT(symlink)(to, path);
}

PUBLIC int unlink(const char *path)
{
	of_path("unlink", AT_FDCWD, path, true);
	return NEXT(unlink)(path);
}

PUBLIC int unlinkat(int at, const char *path, int flags)
{
	of_path("unlink", at, path, true);
	return NEXT(unlinkat)(at, path, flags);
}

PUBLIC int remove(const char *path)
{
	of_path("unlink", AT_FDCWD, path, true);
	return NEXT(remove)(path);
}

PUBLIC int rmdir(const char *path)
{
	of_path("rmdir", AT_FDCWD, path, true);
	return NEXT(rmdir)(path);
}

/* Lengths and modes. */

PUBLIC int ftruncate(int fd, off_t length)
{
	of_fd("truncate", fd);
	return NEXT(ftruncate)(fd, length);
}

PUBLIC int ftruncate64(int fd, off64_t length)
{
	of_fd("truncate", fd);
	return NEXT(ftruncate64)(fd, length);
}

PUBLIC int fallocate(int fd, int mode, off_t offset, off_t length)
{
	of_fd("allocate", fd);
	return NEXT(fallocate)(fd, mode, offset, length);
}

PUBLIC int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	of_fd("allocate", fd);
	return NEXT(fallocate64)(fd, mode, offset, length);
}

PUBLIC int posix_fallocate(int fd, off_t offset, off_t length)
{
	of_fd("allocate", fd);
	return NEXT(posix_fallocate)(fd, offset, length);
}

PUBLIC int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
	of_fd("allocate", fd);
	return NEXT(posix_fallocate64)(fd, offset, length);
}

PUBLIC int fchmod(int fd, mode_t mode)
{
	of_fd("chmod", fd);
	return NEXT(fchmod)(fd, mode);
}

PUBLIC int chmod(const char *path, mode_t mode)
{
	of_path("chmod", AT_FDCWD, path, true);
	return NEXT(chmod)(path, mode);
}

/* Processes. */

PUBLIC pid_t fork(void)
{
	point("fork", "");
	return NEXT(fork)();
}

PUBLIC int kill(pid_t pid, int sig)
{
	if (*points && sig != 0)
		point("kill", sigabbrev_np(sig));
	return NEXT(kill)(pid, sig);
}
