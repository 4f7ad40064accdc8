/*
 * libshim.so: watches a program from outside.
 *
 * Loaded with LD_PRELOAD, it stands between a program and libvirt, and between the program and
 * libc, numbers every call that changes something, and can kill the program or let a call fail at
 * any of these numbers. The program knows nothing of it and needs no hooks of its own. With it a
 * test can say "this command changed nothing" (the log is empty) and "killed before or after any
 * effect, the next run repairs it" (kill at 1, 2, 3 ... until a run survives).
 *
 * An effect is
 *   - a call of a function that calls.def marks `modify`, made by the program, not by libvirt;
 *   - a libc call that changes a file below CB_SHIM_STATE, whoever makes it, and every sync().
 *     A call that cannot change anything is none: mkdir of what exists, unlink of what does not,
 *     open without creating or truncating.
 * All of them share one order: 1, 2, 3 ...
 *
 * Environment. It is read once at start, then removed, as is the library's own entry in LD_PRELOAD:
 * helpers that the program starts run free. So the innermost command must be given the variables,
 * as in `timeout 10 env LD_PRELOAD=... program`, or CB_SHIM_EXE must be set.
 *
 *   CB_SHIM_EXE=NAME
 *       Only in the program of this (short) name; others pass all of it on.
 *   CB_SHIM_STATE=DIR[:DIR...]
 *       The directories whose files are watched; they need not exist yet.
 *   CB_SHIM_LOG=FILE
 *       Append a line per effect and side, see below.
 *   CB_SHIM_LOG_ALL=1
 *       Also log what is no effect: calls that read, and libvirt's own nested ones.
 *   CB_SHIM_KILL=before:N | after:N | before:NAME | after:NAME (the first effect of that name)
 *       SIGKILL when the N-th effect is about to happen, or when it has happened and the program
 *       does not know yet.
 *   CB_SHIM_SIGNAL=STOP | INT | TERM
 *       Sent there instead of KILL; when the program goes on, the effect goes on, too.
 *   CB_SHIM_FAIL=N[:sticky][:late]
 *       The N-th effect is not performed and its caller told so. sticky: every later call of that
 *       function neither. late: performed, but the caller is told that it failed (a lost reply).
 *       sync() returns nothing: it is skipped.
 *   CB_SHIM_FAIL_NAME=NAME[:K][:late]
 *       The same for each call, or the K-th one, of a function, also of one that only reads. libc
 *       names are those of the log (write, not pwrite64).
 *   CB_SHIM_ERRNO=EIO | 5
 *       What a failing libc call says (EIO).
 *   CB_SHIM_VIR_ERROR=CODE[:DOMAIN]
 *       What a failing libvirt call says, in the numbers of virterror.h (9:0, operation failed);
 *       virGetLastError() and the error callback see it.
 *
 *   CB_SHIM_GATE=FIFO
 *       At each effect and side, once it is in the log, wait for a byte of this pipe: whoever
 * writes it has the time between to itself. It must hold the pipe open for reading and writing.
 *   CB_SHIM_SYNC=DIR[:DIR...]
 *       sync() reaches the file systems of these directories only.
 *   CB_SHIM_SITES=FILE
 *       Append a line per sync: its name, a tab, and the calls in the program that led to it,
 * innermost first, joined by +, as addresses that addr2line understands. CB_SHIM_DROP=all |
 * ADDRESS[+ADDRESS...][:ADDRESS...] A sync that was called through all the addresses of one such
 * word does nothing, and succeeds.
 *
 * A variable that makes no sense ends the program with status 125 at once: a typing error must not
 * make a test pass.
 *
 * The log: tab-separated, each line one append, in the file before anything else happens:
 *
 *   number  name  before  detail
 *   number  name  after   detail  ok|fail|injected|late
 *   0       name  read|nested                          with CB_SHIM_LOG_ALL
 *   number  total exit    libvirt=N libc=N             no such line, no regular end
 *
 * The detail is the file, `old -> new` for two of them, nothing for libvirt. Threads may log a
 * little out of order; the numbers are the order.
 *
 * Limits
 *   - x86-64 and glibc only. A libvirt function may have up to 16 words of arguments on the stack
 *     (check-calls watches that), no long double.
 *   - Only calls through the dynamic linker are seen: not those inside one library (libvirt to
 *     itself where it does not use its PLT, libc to itself), not a static program, not raw system
 *     calls, not what dlsym() finds by a handle of libvirt. So data that goes through stdio is not
 *     seen, though fopen, remove and mkstemp are; nor are writes through mmap, io_uring or splice,
 *     attributes, time stamps and locks.
 *   - libvirt called by libvirt is recognised by where the return address lies, so a callback of
 *     the program counts, even inside virStreamSendAll.
 *   - A program that forks itself into the background is not watched there (a child never is).
 *   - SIGKILL hits all threads, but not at one instant: others may get a few instructions further.
 *   - A late failure loses what the call returned: expect a leak.
 *   - virConnGetLastError() does not see an injected error. Setting one needs virSetError of
 *     libvirt's private exports; without it the call fails with no error set.
 *   - A program with gcc's shared AddressSanitizer wants that library preloaded as well, and first.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct cb_shim_config cb_shim = {.error = EIO, .vir_code = 9};

static struct {
	unsigned long kill_before;
	unsigned long kill_after;
	const char *kill_name; /* the first effect of this name sets one of the two */
	bool kill_name_after;
	int signal;
	unsigned long fail;
	bool fail_sticky;
	bool fail_late;
	unsigned long fail_name_k;
	bool fail_name_late;
	char gate[CB_SHIM_DETAIL];
} config = {.signal = SIGKILL};

static struct {
	int fd;
	char path[CB_SHIM_DETAIL];
	dev_t dev;
	ino_t ino;
} logfile = {.fd = -1};

static atomic_ulong effects;
static atomic_ulong libvirt_effects;
static _Atomic(struct cb_shim_row *) sticky_row;
static atomic_flag summed = ATOMIC_FLAG_INIT;

/* Our own output goes around the wrappers of this very library. */
static void raw_write(int fd, const char *text, size_t length)
{
	if (syscall(SYS_write, fd, text, length) == (long)length || fd == STDERR_FILENO)
		return;
	static const char message[] = "shim: cannot write the log\n";
	syscall(SYS_write, STDERR_FILENO, message, sizeof(message) - 1);
	syscall(SYS_exit_group, 125);
}

__attribute__((noreturn, format(printf, 1, 2))) static void refuse(const char *format, ...)
{
	char text[512] = "shim: ";
	size_t used = strlen(text);

	va_list args;
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used - 1, format, args);
	va_end(args);
	strcat(text, "\n");
	raw_write(STDERR_FILENO, text, strlen(text));
	syscall(SYS_exit_group, 125);
	__builtin_unreachable();
}

/* ---- the log ---- */

/*
 * The descriptor stands high, out of the way of the program's own numbers. A program may close what
 * it did not open, and open something else there: so it is looked at before each line.
 */
static void log_open(void)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, logfile.path,
			      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		refuse("CB_SHIM_LOG=%s: %s", logfile.path, strerror(errno));
	logfile.dev = st.st_dev;
	logfile.ino = st.st_ino;

	int high = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	if (high >= 0) {
		syscall(SYS_close, fd);
		fd = high;
	}
	__atomic_store_n(&logfile.fd, fd, __ATOMIC_RELEASE);
}

void cb_shim_log(unsigned long number, const char *name, const char *when, const char *detail,
		 const char *result)
{
	if (!logfile.path[0])
		return;

	struct stat st;
	if (fstat(logfile.fd, &st) < 0 || st.st_dev != logfile.dev || st.st_ino != logfile.ino)
		log_open();

	char line[CB_SHIM_DETAIL + 256];
	char clean[CB_SHIM_DETAIL];
	size_t i = 0;

	for (; detail && detail[i] && i < sizeof(clean) - 1; i++)
		clean[i] = (unsigned char)detail[i] < ' ' ? '?' : detail[i];
	clean[i] = '\0';
	int length = snprintf(line, sizeof(line), "%lu\t%s\t%s\t%s%s%s\n", number, name, when,
			      clean, result ? "\t" : "", result ? result : "");
	raw_write(logfile.fd, line, (size_t)length);
}

static void log_total(void)
{
	if (!cb_shim_watching() || atomic_flag_test_and_set(&summed))
		return;

	unsigned long n = atomic_load(&effects), vir = atomic_load(&libvirt_effects);
	char detail[64];

	snprintf(detail, sizeof(detail), "libvirt=%lu libc=%lu", vir, n - vir);
	cb_shim_log(n, "total", "exit", detail, NULL);
}

/* ---- effects ---- */

bool cb_shim_watching(void)
{
	return cb_shim.ready && getpid() == cb_shim.pid;
}

static void die(void)
{
	syscall(SYS_kill, cb_shim.pid, config.signal);
	while (config.signal == SIGKILL)
		pause();
}

/* Whoever watches looks at the world while it stands still. */
static void pass_gate(void)
{
	char byte;

	if (!config.gate[0])
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, config.gate, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_read, fd, &byte, 1) != 1)
		refuse("CB_SHIM_GATE=%s: nobody there", config.gate);
	syscall(SYS_close, fd);
}

bool cb_shim_fails_by_name(struct cb_shim_row *row)
{
	unsigned long k = __atomic_add_fetch(&row->calls, 1, __ATOMIC_RELAXED);

	return row == cb_shim.fail_row && (!config.fail_name_k || k == config.fail_name_k);
}

bool cb_shim_begin(struct cb_effect *effect)
{
	int saved = errno;
	struct cb_shim_row *row = effect->row;
	unsigned long n = atomic_fetch_add(&effects, 1) + 1;

	effect->number = n;
	if (row->class == CB_SHIM_modify)
		atomic_fetch_add(&libvirt_effects, 1);
	cb_shim_log(n, row->name, "before", effect->detail, NULL);
	pass_gate();
	if (config.kill_name && !strcmp(row->name, config.kill_name)) {
		*(config.kill_name_after ? &config.kill_after : &config.kill_before) = n;
		config.kill_name = NULL;
	}
	if (n == config.kill_before)
		die();

	bool by_name = cb_shim_fails_by_name(row);
	bool by_number = n == config.fail || row == atomic_load(&sticky_row);
	if (n == config.fail && config.fail_sticky)
		atomic_store(&sticky_row, row);
	effect->late = (by_name && config.fail_name_late) || (by_number && config.fail_late);
	errno = saved;
	if ((!by_name && !by_number) || effect->late)
		return true;

	cb_shim_log(n, row->name, "after", effect->detail, "injected");
	pass_gate();
	if (n == config.kill_after)
		die();
	errno = cb_shim.error;
	return false;
}

bool cb_shim_end(struct cb_effect *effect, bool good)
{
	int saved = errno;
	const char *result = effect->late ? "late" : good ? "ok" : "fail";

	cb_shim_log(effect->number, effect->row->name, "after", effect->detail, result);
	pass_gate();
	if (effect->number == config.kill_after)
		die();
	errno = effect->late ? cb_shim.error : saved;
	return !effect->late;
}

/* ---- looking things up ---- */

void *cb_shim_next(void **slot, const char *name)
{
	void *found = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	if (found)
		return found;
	found = dlsym(RTLD_NEXT, name);
	if (found)
		__atomic_store_n(slot, found, __ATOMIC_RELEASE);
	return found;
}

bool cb_shim_canonical(int dirfd, const char *path, char out[static CB_SHIM_DETAIL])
{
	char joined[PATH_MAX], resolved[PATH_MAX], link[64];
	int saved = errno;
	ssize_t used = 0;

	if (!path)
		return false;
	if (path[0] != '/' && dirfd == AT_FDCWD) {
		used = getcwd(joined, sizeof(joined)) ? (ssize_t)strlen(joined) : -1;
	} else if (path[0] != '/') {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
		used = readlink(link, joined, sizeof(joined) - 1);
	}
	if (used < 0 || (size_t)used + strlen(path) + 2 > sizeof(joined)) {
		errno = saved;
		return false;
	}
	if (path[0] != '/')
		joined[used++] = '/';
	strcpy(joined + used, path);

	/* The last name stays as it is (a call may be about the link itself), what is above not. */
	size_t end = strlen(joined);
	while (end > 1 && joined[end - 1] == '/')
		joined[--end] = '\0';
	char *tail = strrchr(joined, '/');
	if (!strcmp(tail, "/.") || !strcmp(tail, "/.."))
		tail = joined + end;

	/* What does not exist yet stays as it is, too. The root does exist. */
	for (;; tail = memrchr(joined, '/', (size_t)(tail - joined))) {
		char cut = *tail;
		*tail = '\0';
		const char *found = realpath(tail > joined ? joined : "/", resolved);
		*tail = cut;
		if (found)
			break;
	}
	int length =
		snprintf(out, CB_SHIM_DETAIL, "%s%s", resolved[1] || !*tail ? resolved : "", tail);
	errno = saved;
	return length < CB_SHIM_DETAIL;
}

/* ---- start and end ---- */

static const char *take(const char *name, char buffer[static CB_SHIM_DETAIL])
{
	const char *value = getenv(name);

	if (!value || !value[0])
		return NULL;
	if (strlen(value) >= CB_SHIM_DETAIL)
		refuse("%s is too long", name);
	return strcpy(buffer, value);
}

static unsigned long number(const char *variable, const char *text)
{
	char *end;
	unsigned long n = text ? strtoul(text, &end, 10) : 0;

	if (!n || *end)
		refuse("%s: a number from 1 was expected, not '%s'", variable, text ? text : "");
	return n;
}

static void read_kill(char *value)
{
	char *colon = strchr(value, ':');

	if (colon)
		*colon++ = '\0';
	if (colon && (*colon < '0' || *colon > '9')) {
		config.kill_name = strdup(colon);
		config.kill_name_after = !strcmp(value, "after");
	} else if (!strcmp(value, "before"))
		config.kill_before = number("CB_SHIM_KILL", colon);
	else if (!strcmp(value, "after"))
		config.kill_after = number("CB_SHIM_KILL", colon);
	else
		refuse("CB_SHIM_KILL: before:N or after:N, not '%s'", value);
}

static void read_signal(const char *value)
{
	config.signal = !strcmp(value, "STOP")   ? SIGSTOP
			: !strcmp(value, "INT")  ? SIGINT
			: !strcmp(value, "TERM") ? SIGTERM
						 : 0;
	if (!config.signal)
		refuse("CB_SHIM_SIGNAL: STOP, INT or TERM, not '%s'", value);
}

static void read_fail(char *value)
{
	char *rest = value;

	config.fail = number("CB_SHIM_FAIL", strsep(&rest, ":"));
	for (char *word; (word = strsep(&rest, ":"));) {
		if (!strcmp(word, "sticky"))
			config.fail_sticky = true;
		else if (!strcmp(word, "late"))
			config.fail_late = true;
		else
			refuse("CB_SHIM_FAIL: sticky or late, not '%s'", word);
	}
}

static void read_fail_name(char *value)
{
	char *rest = value;
	const char *name = strsep(&rest, ":");

	cb_shim.fail_row = cb_shim_libvirt_row(name);
	if (!cb_shim.fail_row)
		cb_shim.fail_row = cb_shim_libc_row(name);
	if (!cb_shim.fail_row || cb_shim.fail_row->returns == CB_SHIM_none)
		refuse("CB_SHIM_FAIL_NAME: no function '%s' that could fail", name);
	for (char *word; (word = strsep(&rest, ":"));) {
		if (!strcmp(word, "late"))
			config.fail_name_late = true;
		else
			config.fail_name_k = number("CB_SHIM_FAIL_NAME", word);
	}
	if (config.fail_name_late && cb_shim.fail_row->class == CB_SHIM_read)
		refuse("CB_SHIM_FAIL_NAME: %s has no effect that could come late", name);
}

static void read_errno(const char *value)
{
	for (int i = 1; i < 200; i++) {
		const char *name = strerrorname_np(i);
		if (name && !strcmp(name, value)) {
			cb_shim.error = i;
			return;
		}
	}
	cb_shim.error = (int)number("CB_SHIM_ERRNO", value);
}

static void read_vir_error(char *value)
{
	char *rest = value;

	cb_shim.vir_code = (int)number("CB_SHIM_VIR_ERROR", strsep(&rest, ":"));
	if (rest)
		cb_shim.vir_domain = (int)strtoul(rest, NULL, 10);
}

static void read_state(char *value)
{
	char *rest = value, full[PATH_MAX];

	for (char *word; (word = strsep(&rest, ":"));) {
		if (!word[0])
			continue;
		if (cb_shim.n_prefixes == CB_SHIM_PREFIXES)
			refuse("CB_SHIM_STATE: more than %d directories", CB_SHIM_PREFIXES);
		char *prefix = cb_shim.prefix[cb_shim.n_prefixes++];
		if (!cb_shim_canonical(AT_FDCWD, realpath(word, full) ? full : word, prefix))
			refuse("CB_SHIM_STATE: %s: too long", word);
	}
}

/* Helpers must not find us: they would count from 1 again, into the same log. */
static void leave_environment(const char *const *variables)
{
	Dl_info self;
	const char *preload = getenv("LD_PRELOAD");
	char kept[CB_SHIM_DETAIL] = "", all[CB_SHIM_DETAIL];

	for (; *variables; variables++)
		unsetenv(*variables);
	if (!preload || strlen(preload) >= sizeof(all) || !dladdr(&cb_shim, &self))
		return;
	strcpy(all, preload);
	char *rest = all;
	for (char *word; (word = strsep(&rest, ": "));) {
		if (!word[0] || !strcmp(word, self.dli_fname))
			continue;
		if (kept[0])
			strcat(kept, ":");
		strcat(kept, word);
	}
	if (kept[0])
		setenv("LD_PRELOAD", kept, 1);
	else
		unsetenv("LD_PRELOAD");
}

__attribute__((constructor)) static void start(void)
{
	static const char *const variables[] = {
		"CB_SHIM_EXE",       "CB_SHIM_STATE", "CB_SHIM_LOG",
		"CB_SHIM_LOG_ALL",   "CB_SHIM_KILL",  "CB_SHIM_FAIL",
		"CB_SHIM_FAIL_NAME", "CB_SHIM_ERRNO", "CB_SHIM_VIR_ERROR",
		"CB_SHIM_SIGNAL",    "CB_SHIM_GATE",  "CB_SHIM_SYNC",
		"CB_SHIM_SITES",     "CB_SHIM_DROP",  NULL,
	};
	char value[CB_SHIM_DETAIL];

	if (take("CB_SHIM_EXE", value) && strcmp(value, program_invocation_short_name) != 0)
		return;
	if (take("CB_SHIM_STATE", value))
		read_state(value);
	if (take("CB_SHIM_KILL", value))
		read_kill(value);
	if (take("CB_SHIM_SIGNAL", value))
		read_signal(value);
	if (take("CB_SHIM_FAIL", value))
		read_fail(value);
	if (take("CB_SHIM_FAIL_NAME", value))
		read_fail_name(value);
	if (take("CB_SHIM_ERRNO", value))
		read_errno(value);
	if (take("CB_SHIM_VIR_ERROR", value))
		read_vir_error(value);
	if (take("CB_SHIM_LOG", value)) {
		if (!cb_shim_canonical(AT_FDCWD, value, logfile.path))
			refuse("CB_SHIM_LOG: too long");
		log_open();
	}
	take("CB_SHIM_GATE", config.gate);
	take("CB_SHIM_SYNC", cb_shim.sync);
	take("CB_SHIM_SITES", cb_shim.sites);
	take("CB_SHIM_DROP", cb_shim.drop);
	cb_shim.log_all = take("CB_SHIM_LOG_ALL", value) && strcmp(value, "0") != 0;
	leave_environment(variables);
	cb_shim.pid = getpid();
	cb_shim.ready = true;
}

__attribute__((destructor)) static void stop(void)
{
	log_total();
}

/* A program may leave without running destructors. */
#define LEAVE(name)                                                                                \
	__attribute__((visibility("default"), noreturn)) void name(int status)                     \
	{                                                                                          \
		log_total();                                                                       \
		syscall(SYS_exit_group, status);                                                   \
		__builtin_unreachable();                                                           \
	}
LEAVE(_exit)
LEAVE(_Exit)
