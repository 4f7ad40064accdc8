/*
 * What selftest lets the shim watch: a program against libvirt's test driver, one behaviour per
 * word on the command line. Says on stdout what it believes has happened.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char document[] =
	"<domain type='test'><name>probe</name><memory unit='MiB'>16</memory>"
	"<os><type>hvm</type></os></domain>";

static virConnectPtr connection;
static const char *state;

static void say(const char *what, int good)
{
	if (good)
		printf("%s: ok\n", what);
	else
		printf("%s: %s (%d)\n", what, virGetLastErrorMessage(), virGetLastErrorCode());
	fflush(stdout);
}

static void say_errno(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : strerrorname_np(errno));
	fflush(stdout);
}

static void quiet(void *data, virErrorPtr error)
{
	(void)data;
	printf("callback: %s\n", error->message);
}

static void look(void)
{
	virDomainPtr *all;
	int n = virConnectListAllDomains(connection, &all, 0);

	for (int i = 0; i < n; i++) {
		char *xml = virDomainGetXMLDesc(all[i], 0);
		say("look", xml != NULL);
		free(xml);
		virDomainFree(all[i]);
	}
	if (n >= 0)
		free(all);
}

static void define_undefine(void)
{
	virDomainPtr domain = virDomainDefineXML(connection, document);

	say("define", domain != NULL);
	if (!domain)
		domain = virDomainLookupByName(connection, "probe");
	say("exists", domain != NULL);
	if (!domain)
		return;
	say("undefine", virDomainUndefine(domain) == 0);
	say("undefine again", virDomainUndefine(domain) == 0);
	virDomainFree(domain);
}

/* libvirt ends this one by jumping into virDomainCreateXML. */
static void create_linux(void)
{
	virDomainPtr domain = virDomainCreateLinux(connection, document, 0);

	say("create", domain != NULL);
	if (domain) {
		say("destroy", virDomainDestroy(domain) == 0);
		virDomainFree(domain);
	}
}

static int source(virStreamPtr stream, char *data, size_t n, void *opaque)
{
	(void)stream;
	memset(data, 'x', n);
	say("autostart within", virDomainSetAutostart(opaque, 1) == 0);
	return 10;
}

/* A stream that goes nowhere: the first send fails and libvirt aborts it, all by itself. */
static void stream(void)
{
	virDomainPtr domain = virDomainLookupByName(connection, "test");
	virStreamPtr nowhere = virStreamNew(connection, 0);

	say("send all", virStreamSendAll(nowhere, source, domain) == 0);
	virStreamFree(nowhere);
	virDomainFree(domain);
}

static void *worker(void *number)
{
	virDomainPtr domain = virDomainLookupByName(connection, "test");
	char path[4096];

	snprintf(path, sizeof(path), "%s/thread%ld", state, (long)number);
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	for (int i = 0; i < 200; i++) {
		if (virDomainSetAutostart(domain, i & 1) < 0)
			virResetLastError();
		if (write(fd, "x", 1) != 1)
			break;
	}
	close(fd);
	virDomainFree(domain);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[8];

	for (long i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, worker, (void *)i);
	for (long i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	printf("threads: ok\n");
}

/* What a journal and an atomic file write do; then what is no effect at all. */
static void files(void)
{
	mkdir(state, 0755);
	if (chdir(state) < 0)
		exit(1);
	int fd = open("new", O_CREAT | O_EXCL | O_RDWR, 0600);
	say_errno("open", fd >= 0);
	say_errno("write", write(fd, "hello", 5) == 5);
	say_errno("pwrite", pwrite(fd, "J", 1, 0) == 1);
	say_errno("fallocate", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
	int r = posix_fallocate(fd, 0, 8192);
	errno = r;
	say_errno("posix_fallocate", r == 0);
	say_errno("ftruncate", ftruncate(fd, 5) == 0);
	say_errno("fsync", fsync(fd) == 0);
	say_errno("fdatasync", fdatasync(fd) == 0);
	say_errno("syncfs", syncfs(fd) == 0);
	say_errno("rename", rename("new", "now") == 0);
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	say_errno("fsync dir", fsync(dir) == 0);
	say_errno("link", linkat(dir, "now", dir, "link", 0) == 0);
	say_errno("renameat2", renameat2(dir, "link", dir, "other", RENAME_NOREPLACE) == 0);
	say_errno("unlinkat", unlinkat(dir, "other", 0) == 0);
	say_errno("mkdirat", mkdirat(dir, "sub", 0755) == 0);
	say_errno("rmdir", unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
	int unnamed = openat(dir, ".", O_TMPFILE | O_RDWR, 0600);
	say_errno("tmpfile", unnamed >= 0);
	close(unnamed);
	close(open("now", O_WRONLY | O_TRUNC));
	say_errno("unlink", unlink("now") == 0);
	sync();
	puts("-- none of these counts");
	mkdir(state, 0755);
	unlink("absent");
	close(open("/tmp", O_RDONLY));
	int zero = open("/dev/null", O_WRONLY | O_CREAT, 0600);
	if (write(zero, "x", 1) != 1 || write(STDOUT_FILENO, "", 0) != 0)
		exit(1);
	close(zero);
	close(dir);
	close(fd);
	fd = open("/proc/self/exe", O_RDONLY | O_CREAT, 0600);
	close(fd);
}

static void children(void)
{
	char path[4096];
	int status;

	snprintf(path, sizeof(path), "%s/child", state);
	pid_t pid = fork();
	if (pid == 0) {
		close(open(path, O_CREAT | O_WRONLY, 0644));
		unlink(path);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	pid = vfork();
	if (pid == 0) {
		unlink(path);
		mkdir(path, 0700);
		rmdir(path);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	char *argv[] = {"sh", "-c", "cd \"$STATE\" && echo x >y && mkdir z && mv y z", NULL};
	if (posix_spawnp(&pid, "sh", NULL, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	say("children", WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fflush(stdout);
	if (system("env | grep -E 'CB_SHIM|LD_PRELOAD'") == 0)
		puts("the environment still has us");
}

/* As a daemon does that closes what it does not know, and opens something else in its place. */
static void close_all(void)
{
	close_range(3, ~0U, 0);
	for (int i = 0; i < 1000; i++)
		if (open("/dev/null", O_WRONLY) < 0)
			break;
	define_undefine();
}

static void leave(void)
{
	fflush(stdout);
	_exit(7);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		void (*run)(void);
	} behaviours[] = {
		{"look", look},         {"define", define_undefine}, {"linux", create_linux},
		{"stream", stream},     {"threads", threads},        {"files", files},
		{"children", children}, {"close-all", close_all},    {"leave", leave},
	};

	state = getenv("STATE");
	virSetErrorFunc(NULL, quiet);
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(behaviours) / sizeof(behaviours[0]); k++) {
			if (strcmp(behaviours[k].word, argv[i]) != 0)
				continue;
			if (!connection && !strstr("files children", argv[i]))
				connection = virConnectOpen("test:///default");
			behaviours[k].run();
		}
	if (connection)
		virConnectClose(connection);
	return 0;
}
