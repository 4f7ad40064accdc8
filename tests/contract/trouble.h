/*
 * trouble.h: what comes between a client and its host, the same on the fake and on a real one. A
 *part of test_contract.c.
 *
 *	cb_trouble_late(f, PROC)        the next such change gets no answer, and is not yet done
 *	cb_trouble_lose(f, PROC)        the next such change is done, its answer is lost
 *	cb_trouble_halfway(f)           the connection breaks when cb_trouble_break is called
 *	... the call ...
 *	cb_trouble_goes_on(f)           what was held up is done now
 *	cb_trouble_over(f)              a fresh connection, with nothing between
 *
 * On the fake that is driver/fault. Before a real libvirtd it is tests/e2e/proxy, which knows the
 * procedure by its number.
 */
#ifndef CB_TESTS_CONTRACT_TROUBLE_H
#define CB_TESTS_CONTRACT_TROUBLE_H

#include "tests/contract/contract.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of remote_protocol.x, which keeps them for ever. */
enum procedure { PROC_DOMAIN_CREATE = 9, PROC_VOL_CREATE = 93, PROC_DOMAIN_DEFINE = 350 };

static struct {
	struct cb_fault_plan plan;
	pid_t proxy;
	char socket[4200], count[4200], met[4208], file[4200];
} trouble;

static bool is_real(const struct fixture *f)
{
	return f->world->offers & CB_WORLD_QEMU;
}

/* Only a world with a socket can have somebody in between. */
static bool cb_trouble_possible(const char *uri)
{
	return uri && strstr(uri, "socket=");
}

static void open_with(struct fixture *f, enum cb_fault fault)
{
	trouble.plan = (struct cb_fault_plan){.fault = fault, .at = 1};
	if (fault == CB_FAULT_LATE)
		assert_int_equal(pipe(trouble.plan.gate), 0);
	f->host = cb_fault_open(f->host, &trouble.plan);
}

static void open_through_proxy(struct fixture *f, const char *mode, enum procedure procedure)
{
	const char *real = strstr(f->world->uri, "socket=") + strlen("socket=");
	const char *directory = cb_test_directory();
	char number[16];
	const char *uri;

	(void)snprintf(trouble.socket, sizeof(trouble.socket), "%s/proxy", directory);
	(void)snprintf(trouble.count, sizeof(trouble.count), "%s/count", directory);
	(void)snprintf(trouble.met, sizeof(trouble.met), "%s/count.met", directory);
	(void)snprintf(trouble.file, sizeof(trouble.file), "%s/go", directory);
	(void)snprintf(number, sizeof(number), "%d", (int)procedure);
	trouble.proxy = fork();
	assert_true(trouble.proxy >= 0);
	if (trouble.proxy == 0) {
		(void)execl("tests/e2e/proxy", "proxy", trouble.socket, real, trouble.count, mode,
			    number, mode && strcmp(mode, "--hold") == 0 ? trouble.file : NULL,
			    NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && access(trouble.socket, F_OK) < 0; i++)
		cb_clock_sleep_ms(20);
	/* It is there a moment before somebody listens. */
	uri = cb_arena_printf(&f->arena, "qemu+unix:///system?socket=%s", trouble.socket);
	cb_driver_close(f->host);
	for (int i = 0; cb_libvirt_open(uri, &f->host, &f->err) < 0; i++) {
		assert_true(i < 100);
		cb_error_release(&f->err);
		cb_clock_sleep_ms(20);
	}
	f->host->patience_ms = 1000;
}

static void cb_trouble_late(struct fixture *f, enum procedure procedure)
{
	if (is_real(f))
		open_through_proxy(f, "--hold", procedure);
	else
		open_with(f, CB_FAULT_LATE);
}

static void cb_trouble_lose(struct fixture *f, enum procedure procedure)
{
	if (is_real(f))
		open_through_proxy(f, "--lose", procedure);
	else
		open_with(f, CB_FAULT_LOST);
}

static void cb_trouble_halfway(struct fixture *f)
{
	if (is_real(f))
		open_through_proxy(f, NULL, 0);
	else
		open_with(f, CB_FAULT_GONE_HALFWAY);
}

static void end_proxy(void)
{
	if (trouble.proxy <= 0)
		return;
	(void)kill(trouble.proxy, SIGKILL);
	(void)waitpid(trouble.proxy, NULL, 0);
	trouble.proxy = 0;
}

/* The fake breaks by itself, when half of it was read. */
static void cb_trouble_break(const struct fixture *f)
{
	if (is_real(f))
		end_proxy();
}

static void cb_trouble_goes_on(struct fixture *f)
{
	if (is_real(f)) {
		assert_int_equal(access(trouble.met, F_OK), 0);
		fclose(fopen(trouble.file, "w"));
		return;
	}
	assert_int_equal(write(trouble.plan.gate[1], "", 1), 1);
	(void)close(trouble.plan.gate[0]);
	(void)close(trouble.plan.gate[1]);
	trouble.plan.gate[1] = -1;
	(void)waitpid(-1, NULL, 0);
}

/* A fresh connection, past all trouble; what is held up stays so. */
static void cb_trouble_reopen(struct fixture *f)
{
	cb_driver_close(f->host);
	f->host = NULL;
	assert_int_equal(f->world->open(f->world, &f->host, &f->err), 0);
}

static void cb_trouble_over(struct fixture *f)
{
	if (is_real(f)) {
		end_proxy();
		(void)unlink(trouble.socket);
		(void)unlink(trouble.count);
		(void)unlink(trouble.met);
		(void)unlink(trouble.file);
	}
	cb_trouble_reopen(f);
}

#endif
