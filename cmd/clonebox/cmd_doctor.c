/* doctor: what a host has and has not, before anything is asked of it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/lanes.h"
#include "reconciler/journal/lock.h"

enum grade { GOOD, WARNING, BAD };

struct finding {
	const char *check, *message, *fix;
	enum grade grade;
};

struct findings {
	struct finding *items;
	size_t len, cap;
};

static void find(struct cb_lane *lane, struct findings *out, enum grade grade, const char *check,
		 const char *message, const char *fix)
{
	struct finding finding = {check, message, fix, grade};

	cb_vec_push(&lane->arena, out, finding);
}

static const char *version(struct cb_arena *arena, unsigned long number)
{
	return cb_arena_printf(arena, "%lu.%lu.%lu", number / 1000000, number / 1000 % 1000,
			       number % 1000);
}

static void examine_host(struct cb_lane *lane, struct findings *out)
{
	const struct cb_host *host = &lane->planned.observed.host;
	struct cb_arena *a = &lane->arena;

	find(lane, out, host->libvirt_version >= 9000000 ? GOOD : WARNING, "libvirt",
	     cb_arena_printf(a, "libvirt %s, %s %s", version(a, host->libvirt_version), host->type,
			     version(a, host->hypervisor_version)),
	     "clonebox is tested with libvirt 9.0 and newer");
	find(lane, out, host->kvm ? GOOD : WARNING, "kvm",
	     host->kvm ? "KVM can be used" : "no KVM: vms are emulated, which is slow",
	     "enable virtualisation in the firmware, and let libvirt use /dev/kvm");
	find(lane, out, host->uefi ? GOOD : WARNING, "uefi",
	     host->uefi ? "firmware for UEFI is installed" : "no firmware for `firmware: uefi`",
	     "install it (Debian: ovmf)");
	find(lane, out, host->virtiofs ? GOOD : WARNING, "virtiofs",
	     host->virtiofs ? "`paths` are shared by virtiofs"
			    : "no virtiofs: `paths` are shared by 9p, which not every guest has",
	     "use a libvirt that runs as root, or 10.0 or later");
	find(lane, out, GOOD, "processors", cb_arena_printf(a, "%u processors", host->cpus), "");
	find(lane, out, host->free_memory_mb >= 512 ? GOOD : WARNING, "memory",
	     cb_arena_printf(a, "%llu MiB of memory, %llu MiB free",
			     (unsigned long long)host->memory_mb,
			     (unsigned long long)host->free_memory_mb),
	     "stop something, or add memory");
	find(lane, out, lane->planned.observed.default_network ? GOOD : WARNING, "network",
	     lane->planned.observed.default_network
		     ? "libvirt's network 'default' is active"
		     : "libvirt's network 'default' is not active: `network_mode: auto` means user",
	     "virsh net-start default; or give the vms `nics`");
}

static void examine_strays(struct cb_lane *lane, struct findings *out)
{
	const struct cb_observed *observed = &lane->planned.observed;
	struct cb_arena *a = &lane->arena;
	bool any = false;

	cb_vec_each (const struct cb_domain, domain, &observed->domains) {
		any = any || domain->stray;
		if (domain->stray)
			find(lane, out, BAD, "stray",
			     cb_arena_printf(a, CB_STRAY_SAYS, domain->stray, domain->name),
			     cb_arena_printf(a, CB_STRAY_TRY, domain->stray, domain->stray));
	}
	if (!observed->host.processes)
		find(lane, out, WARNING, "stray",
		     "whether a machine runs that libvirt has lost sight of cannot be seen from "
		     "here",
		     "run clonebox on the host, as root where /proc is mounted with hidepid");
	else if (!any)
		find(lane, out, GOOD, "stray", "libvirt knows of every machine that runs", "");
}

static void examine_pool(struct cb_lane *lane, struct findings *out)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str room = {0};
	struct cb_pool pool;
	int r = cb_session_pool(lane->session, &lane->arena, "default", &pool, &err);

	if (r == -CB_E_NOT_FOUND) {
		find(lane, out, GOOD, "pool", "there is no pool 'default'; the first vm makes it",
		     "");
		return;
	}
	if (r < 0) {
		find(lane, out, BAD, "pool", cb_arena_strdup(&lane->arena, err.message), "");
		return;
	}
	cb_str_size(&room, pool.available);
	if (!pool.active)
		find(lane, out, WARNING, "pool", "pool 'default' is not active",
		     "virsh pool-start default");
	else
		find(lane, out, pool.available > (UINT64_C(1) << 30) ? GOOD : WARNING, "pool",
		     cb_arena_printf(&lane->arena, "pool 'default' (%s) has %s free", pool.path,
				     cb_str_text(&room)),
		     "free space in it, or use another pool");
}

/* Taking a lock makes what is missing, and meets what would be met later. */
static void examine_state(const struct cb_cli *cli, struct cb_lane *lane, struct findings *out)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {-1};
	const char *dir;

	if (cb_ui_state_dir(cli, &lane->arena, &dir, &err) < 0 ||
	    cb_lock_take(dir, "doctor", CB_LOCK_EXCLUSIVE, 1000, "doctor", &lock, &err) < 0)
		find(lane, out, BAD, "state", cb_arena_strdup(&lane->arena, err.message),
		     err.hint ? cb_arena_strdup(&lane->arena, err.hint) : "");
	else
		find(lane, out, GOOD, "state",
		     cb_arena_printf(&lane->arena, "state directory %s can be used", dir), "");
}

/* Of other installations; which may be alive, so that it is no fault. */
static void examine_elsewhere(struct cb_lane *lane, struct findings *out)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_elsewhere elsewhere;
	size_t vms = 0;

	if (cb_session_elsewhere(lane->session, &lane->arena, &elsewhere, &err) < 0) {
		find(lane, out, BAD, "installations", cb_arena_strdup(&lane->arena, err.message),
		     "");
		return;
	}
	cb_vec_each (const struct cb_installation, installation, &elsewhere.installations)
		vms += installation->vms.len;
	if (vms + elsewhere.unclaimed.len > 0)
		find(lane, out, GOOD, "installations",
		     cb_arena_printf(&lane->arena,
				     "%zu vms are another installation's, %zu volumes are perhaps "
				     "nobody's: `clonebox recover --list` shows them",
				     vms, elsewhere.unclaimed.len),
		     "");
	cb_vec_each (const struct cb_unseen, unseen, &elsewhere.unseen)
		find(lane, out, WARNING, "pool",
		     cb_arena_printf(&lane->arena, "pool '%s' was not looked into: %s",
				     unseen->pool, unseen->why),
		     "what is in it and nobody's is not seen; start it, or see what it is at");
}

static json_t *finding_json(const struct cb_lane *lane, const struct finding *finding)
{
	static const char *const grades[] = {"good", "warning", "error"};

	return json_pack("{s:s,s:s,s:s,s:s,s:s}", "host", lane->planned.observed.host.uri, "check",
			 finding->check, "grade", grades[finding->grade], "message",
			 finding->message, "fix", finding->grade == GOOD ? "" : finding->fix);
}

static int print(const struct cb_cli *cli, struct cb_lanes *lanes)
{
	static const char *const marks[] = {"ok  ", "warn", "BAD "};
	cb_auto_str struct cb_str text = {0};
	json_t *all = json_array();
	bool bad = false;
	int r;

	cb_vec_each (struct cb_lane, lane, lanes) {
		struct findings findings = {0};

		if (lane->code)
			continue;
		examine_host(lane, &findings);
		examine_strays(lane, &findings);
		examine_pool(lane, &findings);
		examine_state(cli, lane, &findings);
		examine_elsewhere(lane, &findings);
		cb_str_printf(&text, "%s\n", lane->planned.observed.host.uri);
		cb_vec_each (const struct finding, finding, &findings) {
			bad = bad || finding->grade == BAD;
			cb_str_printf(&text, "  %s  %s%s%s\n", marks[finding->grade],
				      finding->message, finding->grade == GOOD ? "" : "; ",
				      finding->grade == GOOD ? "" : finding->fix);
			json_array_append_new(all, finding_json(lane, finding));
		}
	}
	if (cli->json) {
		r = cb_ui_print_json(
			json_pack("{s:s,s:o}", "schema", "clonebox/doctor/v1", "findings", all));
	} else {
		json_decref(all);
		r = cb_ui_print(cb_str_text(&text));
	}
	return r ? r : bad ? CB_EXIT_FAILED : 0;
}

int cb_cmd_doctor(const struct cb_cli *cli)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_lanes lanes = {0};
	int unwell, code = cb_lanes_look(cli, &arena, &lanes);

	if (code)
		return code;
	unwell = cb_lanes_report(&lanes);
	if (!unwell || lanes.len > 1)
		code = print(cli, &lanes);
	cb_lanes_release(&lanes);
	return unwell ? unwell : code;
}
