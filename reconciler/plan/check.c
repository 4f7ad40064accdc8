/* Preflight: what can be seen beforehand to go wrong, all of it at once. What concerns one step
 * only is found where that step is planned. */
#include <inttypes.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/field.h"
#include "reconciler/plan/plan_internal.h"

struct checker {
	struct cb_arena *arena;
	const struct cb_plan_input *input;
	struct cb_plan *plan;
	const struct cb_change *change; /* NULL: the host as a whole */
};

static void report(const struct checker *checker, enum cb_severity severity, const char *check,
		   const char *message, const char *fix)
{
	struct cb_problem problem = {.severity = severity,
				     .check = check,
				     .target = checker->change ? checker->change->name : "",
				     .message = message,
				     .fix = fix};

	if (checker->change && checker->change->vm)
		problem.origin = checker->change->vm->origin;
	cb_vec_push(checker->arena, &checker->plan->problems, problem);
}

/* Logging in. --------------------------------------------------------------------------------- */

/* CloneBox's files have this one; everybody knows it. */
static bool is_default_password(const char *password)
{
	return strcmp(password, "ubuntu") == 0;
}

static bool is_empty_list(const char *json)
{
	return !json || strcmp(json, "[]") == 0;
}

/* A guest that nobody can log in to is found out minutes later, and has to be made anew. */
static void check_login(const struct checker *checker)
{
	const struct cb_spec *wanted = &checker->change->wanted;
	const char *method = cb_spec_string(wanted, "auth_method");
	const char *password = cb_spec_string(wanted, "password");

	if (!method || (checker->change->domain && !checker->change->reseed))
		return;
	if (strcmp(method, "ssh_key") == 0) {
		/* The manifest's own user-data may bring users of its own. */
		if (!cb_spec_string(wanted, "ssh_public_key") &&
		    is_empty_list(cb_spec_string(wanted, "ssh_keys")) &&
		    !cb_spec_string(wanted, "cloud_init"))
			report(checker, CB_PROBLEM, "guest.login",
			       "nobody could log in: auth_method is ssh_key, and there is no key",
			       "give ssh_public_key or ssh_keys, or another auth_method");
	} else if (!password) {
		report(checker, CB_PROBLEM, "guest.login",
		       cb_arena_printf(checker->arena,
				       "nobody could log in: auth_method is %s, and there is no "
				       "password",
				       method),
		       "give a password by reference: password: ${VM_PASSWORD}");
	} else if (is_default_password(password)) {
		report(checker, CB_PROBLEM, "guest.login",
		       "anybody could log in: the password is the one of CloneBox's examples",
		       "give another one by reference: password: ${VM_PASSWORD}");
	}
}

/* Networks. ----------------------------------------------------------------------------------- */

static const struct cb_network *find_network(const struct cb_networks *networks, const char *name)
{
	cb_vec_each (const struct cb_network, network, networks) {
		if (strcmp(network->name, name) == 0)
			return network;
	}
	return NULL;
}

static void check_network(const struct checker *checker, const char *name)
{
	const struct cb_network *network = find_network(checker->input->networks, name);

	if (cb_declared_find(&checker->input->desired->networks, name))
		return;
	if (!network)
		report(checker, CB_PROBLEM, "network.missing",
		       cb_arena_printf(checker->arena, "there is no network '%s' on the host",
				       name),
		       "declare it in `networks`, or check the name: virsh net-list --all");
	else if (!network->active && checker->change->aim != CB_AIM_STOPPED)
		report(checker, CB_PROBLEM, "network.inactive",
		       cb_arena_printf(checker->arena, "network '%s' is not active", name),
		       cb_arena_printf(checker->arena, "start it: virsh net-start %s", name));
}

static void check_networks(const struct checker *checker)
{
	const struct cb_change *change = checker->change;

	cb_vec_each (const struct cb_entry, entry, &change->wanted) {
		if (cb_field_element(checker->arena, "nics", entry->path) &&
		    strstr(entry->path, "].network"))
			check_network(checker, entry->value.string);
	}
}

/* A MAC that another domain of the host has: both would lose packets. */
static void check_macs(const struct checker *checker, const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		cb_vec_each (const struct cb_entry, entry, &step->set) {
			if (!strstr(entry->path, "].mac") || entry->value.kind != CB_STRING)
				continue;
			cb_vec_each (const struct cb_domain, domain, checker->input->domains) {
				bool taken = false;

				cb_vec_each (const char *const, mac, &domain->macs)
					taken = taken || strcmp(*mac, entry->value.string) == 0;
				if (taken && domain != checker->change->domain)
					report(checker, CB_PROBLEM, "nic.mac",
					       cb_arena_printf(checker->arena,
							       "MAC address %s is that of domain "
							       "'%s' already",
							       entry->value.string, domain->name),
					       "give the NIC another `mac`, or leave it out");
			}
		}
	}
}

/* A selection that leaves out what one of its VMs waits for. */
static void check_dependencies(const struct checker *checker)
{
	const struct cb_change *change = checker->change;

	if (!change->vm || change->action != CB_ACTION_CREATE)
		return;
	cb_vec_each (const char *const, name, &change->vm->depends_on) {
		bool here = false, known = false;

		/* One of another host is not ours to wait for. */
		cb_vec_each (const struct cb_vm, vm, &checker->input->desired->vms)
			here = here || strcmp(vm->name, *name) == 0;
		if (!here)
			continue;
		cb_vec_each (const struct cb_change, other, checker->input->changes)
			known = known ||
				(other->target == CB_TARGET_VM && strcmp(other->name, *name) == 0);
		cb_vec_each (const struct cb_domain, domain, checker->input->domains)
			known = known || strcmp(domain->name, *name) == 0;
		if (!known)
			report(checker, CB_PROBLEM, "vm.dependency",
			       cb_arena_printf(checker->arena,
					       "it depends on '%s', which is not there and was not "
					       "selected",
					       *name),
			       cb_arena_printf(checker->arena, "apply both: clonebox apply %s %s",
					       *name, change->name));
	}
}

/* The host. ----------------------------------------------------------------------------------- */

static void check_processors(const struct checker *checker)
{
	const struct cb_host *host = checker->input->host;
	const char *cpu = cb_spec_string(&checker->change->wanted, "cpu");
	const char *accel = cb_spec_string(&checker->change->wanted, "accel");
	int64_t vcpus = cb_spec_int(&checker->change->wanted, "vcpus", 0);

	if (host->cpus && vcpus > (int64_t)host->cpus)
		report(checker, CB_WARNING, "host.cpus",
		       cb_arena_printf(checker->arena,
				       "%" PRId64 " vCPUs are wanted, the host has %u processors",
				       vcpus, host->cpus),
		       "lower vcpus: more than the host has make the guest slower");
	if (cpu && accel && strcmp(cpu, "host-passthrough") == 0 && strcmp(accel, "tcg") == 0)
		report(checker, CB_PROBLEM, "host.cpu",
		       "`cpu: host-passthrough` needs KVM, and this vm is emulated",
		       "leave `cpu` out, or use a host with KVM");
}

static void check_paths(const struct checker *checker)
{
	const struct cb_spec *wanted = &checker->change->wanted;

	cb_vec_each (const struct cb_entry, entry, wanted) {
		const char *guest = cb_field_element(checker->arena, "paths", entry->path);
		const char *path;

		if (!guest || !strstr(entry->path, "].kind") ||
		    strcmp(entry->value.string, "virtiofs") != 0)
			continue;
		path = cb_arena_printf(checker->arena, "paths[%s]", guest);
		if (!checker->input->host->virtiofs)
			report(checker, CB_PROBLEM, "host.virtiofs",
			       cb_arena_printf(checker->arena,
					       "%s cannot be shared by virtiofs: this host has "
					       "none, or runs libvirt as a user and before 10.0",
					       path),
			       "use a host with it, like qemu:///system; or say `kind: 9p`, if "
			       "the guest's kernel has that");
		if (cb_spec_bool(wanted, cb_arena_printf(checker->arena, "%s.readonly", path),
				 false))
			report(checker, CB_WARNING, "path.readonly",
			       cb_arena_printf(checker->arena,
					       "%s is read-only because the guest mounts it so: "
					       "virtiofs does not keep the guest's root from "
					       "writing",
					       path),
			       "`kind: 9p` does, if the guest's kernel has that");
	}
}

static bool is_changed(const struct cb_plan *plan, const struct cb_domain *domain)
{
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		if (strcmp(transaction->uuid, domain->uuid) == 0)
			return true;
		cb_vec_each (const struct cb_member, member, &transaction->members) {
			if (strcmp(member->uuid, domain->uuid) == 0)
				return true;
		}
	}
	return false;
}

/* Case 33: what libvirt says of such a machine is not so. */
static void check_stray(const struct checker *checker)
{
	const struct cb_domain *domain = checker->change->domain;

	if (checker->change->target != CB_TARGET_VM || !domain || !domain->stray)
		return;
	report(checker, is_changed(checker->plan, domain) ? CB_PROBLEM : CB_WARNING, "vm.stray",
	       cb_arena_printf(checker->arena, CB_STRAY_SAYS, domain->stray, domain->name),
	       cb_arena_printf(checker->arena, CB_STRAY_TRY, domain->stray, domain->stray));
}

static bool starts(const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind == CB_STEP_KIND_DOMAIN_START)
			return true;
	}
	return false;
}

static const struct cb_change *change_of(const struct cb_plan_input *input,
					 const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_change, change, input->changes) {
		if (change->target == transaction->target &&
		    strcmp(change->name, transaction->name) == 0)
			return change;
	}
	return NULL;
}

/* What cannot be compared is no reason to go on as if it were enough. */
static void check_known(const struct checker *checker)
{
	const struct cb_host *host = checker->input->host;

	const struct {
		bool known;
		const char *what;
	} facts[] = {
		{host->memory_mb > 0, "how much memory it has"},
		{host->free_memory_mb > 0, "how much memory is free"},
		{host->cpus > 0, "how many processors it has"},
	};

	for (size_t i = 0; i < CB_COUNT(facts); i++) {
		if (facts[i].known)
			continue;
		report(checker, checker->input->flags & CB_PLAN_UNKNOWN ? CB_WARNING : CB_PROBLEM,
		       "host.unknown",
		       cb_arena_printf(checker->arena, "the host does not say %s", facts[i].what),
		       "look at the host; --allow-unknown goes on without knowing");
	}
}

/* Thin disks and ballooning guests may fit all the same: only said. */
static void check_memory(const struct checker *checker)
{
	const struct cb_host *host = checker->input->host;
	uint64_t need = 0;

	cb_vec_each (const struct cb_transaction, transaction, &checker->plan->transactions) {
		const struct cb_change *change = change_of(checker->input, transaction);

		if (starts(transaction) && !(change->domain && change->domain->active))
			need += (uint64_t)cb_spec_int(&change->wanted, "ram_mb", 0);
	}
	if (need > 0)
		check_known(checker);
	if (host->free_memory_mb && need > host->free_memory_mb)
		report(checker, CB_WARNING, "host.free-memory",
		       cb_arena_printf(checker->arena,
				       "the vms that will be started have %" PRIu64
				       " MiB of memory, the host has %" PRIu64 " MiB free",
				       need, host->free_memory_mb),
		       "start fewer of them, lower ram_mb, or add memory to the host");
}

/* What disks may grow to. */
static void check_overcommit(const struct checker *checker)
{
	cb_vec_each (const struct cb_plan_pool, pool, checker->input->pools) {
		cb_auto_str struct cb_str need_text = {0}, have_text = {0};
		uint64_t need = 0;

		if (!pool->exists || !pool->pool.active)
			continue;
		cb_vec_each (const struct cb_transaction, transaction,
			     &checker->plan->transactions) {
			cb_vec_each (const struct cb_step, step, &transaction->steps) {
				const char *name = cb_spec_string(&step->args, "pool");

				if (name && strcmp(name, pool->name) == 0)
					need += (uint64_t)cb_spec_int(&step->args, "capacity", 0);
			}
		}
		if (need <= pool->pool.available)
			continue;
		cb_str_size(&need_text, need);
		cb_str_size(&have_text, pool->pool.available);
		report(checker, CB_WARNING, "pool.overcommit",
		       cb_arena_printf(checker->arena,
				       "the new disks in pool '%s' may grow to %s, it has %s free",
				       pool->name, need_text.text, have_text.text),
		       "watch the pool: a guest whose disk cannot grow is paused");
	}
}

void cb_plan_check(struct cb_arena *arena, const struct cb_plan_input *input, struct cb_plan *plan)
{
	struct checker checker = {.arena = arena, .input = input, .plan = plan};

	cb_vec_each (const struct cb_change, change, input->changes) {
		checker.change = change;
		check_stray(&checker);
	}
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		checker.change = change_of(input, transaction);
		if (transaction->target != CB_TARGET_VM || transaction->action == CB_ACTION_DELETE)
			continue;
		check_dependencies(&checker);
		check_login(&checker);
		check_networks(&checker);
		check_macs(&checker, transaction);
		check_processors(&checker);
		check_paths(&checker);
	}
	checker.change = NULL;
	check_memory(&checker);
	check_overcommit(&checker);
}
