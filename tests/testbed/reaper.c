/*
 * reaper - the ancestor of everything that a test host runs.
 *
 *	reaper COMMAND [ARGUMENT]...
 *
 * Runs COMMAND, and once more upon each SIGUSR1. Daemons and guests that lose their parent
 * become its children, so that they are reaped at once (libvirt polls for the end of QEMU and
 * takes a zombie for a live process) and so that none can escape: SIGTERM kills every
 * descendant, waits for all of them and exits with 0.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(char **argv)
{
	sigset_t none;

	if (fork() != 0)
		return;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "reaper: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *rest;
	FILE *stat;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "re");
	if (!stat)
		return 0;
	/* The name in parentheses may itself hold spaces and parentheses. */
	if (fgets(line, sizeof(line), stat) && (rest = strrchr(line, ')')) != NULL &&
	    sscanf(rest, ") %*c %d", &parent) != 1)
		parent = 0;
	fclose(stat);
	return parent;
}

/*
 * Kills the direct children only: their children then are ours, and the next round finds them.
 * A process is no longer able to fork once it has been killed, so this comes to an end.
 */
static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t self = getpid();

	if (!proc)
		return;
	while ((entry = readdir(proc)) != NULL) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 1 && parent_of(pid) == self)
			kill(pid, SIGKILL);
	}
	closedir(proc);
}

int main(int argc, char **argv)
{
	sigset_t set;
	int ending = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: reaper COMMAND [ARGUMENT]...\n");
		return 2;
	}
	/* A shell's background job ignores these, and children would inherit that. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	/* Nothing may keep a caller's pipe or lock open for as long as the host lives. */
	close_range(3, ~0U, 0);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0) {
		perror("reaper: PR_SET_CHILD_SUBREAPER");
		return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run(argv + 1);

	for (;;) {
		/* While ending, look again soon: a grandchild may arrive without a signal. */
		struct timespec soon = {.tv_nsec = 10 * 1000 * 1000};
		int sig = ending ? sigtimedwait(&set, NULL, &soon) : sigwaitinfo(&set, NULL);
		pid_t pid;

		if (sig == SIGUSR1 && !ending)
			run(argv + 1);
		if (sig == SIGTERM)
			ending = 1;
		if (ending)
			kill_children();
		do
			pid = waitpid(-1, NULL, WNOHANG);
		while (pid > 0);
		if (ending && pid < 0 && errno == ECHILD)
			return 0;
	}
}
