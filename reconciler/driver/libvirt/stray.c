#include "reconciler/driver/libvirt/libvirt_internal.h"

#include "reconciler/base/clock.h"

/* libvirt calls a machine shut off a moment before its process has ended. What is about to be done
 * is taken back for nothing if that is not waited for; a mere look can be repeated. */
enum { LEAVE_MS = 5000, LOOK_MS = 1000, PAUSE_MS = 50 };

/* Whether libvirt has it running now. One that it does not know is not. */
static int is_running(struct cb_libvirt *host, const char *uuid, bool *out, struct cb_error *err)
{
	cb_auto_domain virDomainPtr domain = NULL;
	int r = cb_domain_lookup(host, uuid, &domain, err);

	*out = false;
	if (r == 0)
		r = cb_domain_is_active(host, domain, out, err);
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return 0;
}

static int find(const char *uuid)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_processes processes = {0};

	cb_processes_read(&arena, "/proc", &processes);
	return cb_processes_find(&processes, uuid);
}

/* The process is looked for again after libvirt was asked: a machine that somebody starts at this
 * moment is not one that libvirt has lost. */
static int look(struct cb_libvirt *host, const char *uuid, unsigned limit_ms, int *pid,
		struct cb_error *err)
{
	uint64_t until = cb_clock_ms() + limit_ms;
	bool running;
	int r;

	*pid = 0;
	while (host->processes && (*pid = find(uuid)) != 0) {
		if ((r = is_running(host, uuid, &running, err)) < 0)
			return r;
		if (running)
			*pid = 0;
		if (running || cb_clock_ms() >= until)
			return 0;
		cb_watch_hold(host->watch);
		cb_clock_sleep_ms(PAUSE_MS);
		cb_watch_moved(host->watch);
	}
	return 0;
}

int cb_libvirt_domain_stray(struct cb_driver *driver, const char *uuid, int *pid,
			    struct cb_error *err)
{
	return look(cb_libvirt_of(driver), uuid, LEAVE_MS, pid, err);
}

int cb_strays_mark(struct cb_libvirt *host, struct cb_domains *domains, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_processes processes = {0};
	bool stopped = false;
	int r = 0;

	cb_vec_each (const struct cb_domain, domain, domains)
		stopped = stopped || !domain->active;
	if (!host->processes || !stopped)
		return 0;
	cb_processes_read(&arena, "/proc", &processes);
	cb_vec_each (struct cb_domain, domain, domains) {
		if (!domain->active && cb_processes_find(&processes, domain->uuid) != 0)
			r = look(host, domain->uuid, LOOK_MS, &domain->stray, err);
		if (r < 0)
			return r;
	}
	return 0;
}
