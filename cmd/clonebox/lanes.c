#include "cmd/clonebox/lanes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/model/field.h"

/* Selecting. ---------------------------------------------------------------------------------- */

static const struct cb_vm *find_vm(const struct cb_desired *desired, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

static bool has_label(struct cb_arena *arena, const struct cb_vm *vm, const char *label)
{
	const char *equals = strchr(label, '=');
	const char *value = cb_spec_string(
		&vm->spec, cb_arena_printf(arena, "labels[%.*s]", (int)(equals - label), label));

	return value && strcmp(value, equals + 1) == 0;
}

static bool has_labels(struct cb_arena *arena, const struct cb_cli *cli, const struct cb_vm *vm)
{
	for (size_t i = 0; i < cli->n_labels; i++) {
		if (!has_label(arena, vm, cli->labels[i]))
			return false;
	}
	return true;
}

static bool named(const struct cb_cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->n_words; i++) {
		if (strcmp(cli->words[i], name) == 0)
			return true;
	}
	return cli->n_words == 0;
}

static bool selected(struct cb_arena *arena, const struct cb_cli *cli, const struct cb_vm *vm)
{
	return named(cli, vm->name) && has_labels(arena, cli, vm);
}

/* Dividing. ----------------------------------------------------------------------------------- */

static const char *host_of(const struct cb_cli *cli, const char *host)
{
	/* A host on the command line is meant for everything. */
	return cli->connect || !host ? "" : host;
}

static struct cb_lane *lane_of(struct cb_arena *arena, struct cb_lanes *lanes,
			       const struct cb_desired *desired, const char *host)
{
	const struct cb_declared *declared = cb_declared_find(&desired->hosts, host);
	struct cb_lane lane = {.name = host};

	cb_vec_each (struct cb_lane, known, lanes) {
		if (strcmp(known->name, host) == 0)
			return known;
	}
	lane.uri = declared ? cb_spec_string(&declared->spec, "uri") : NULL;
	lane.desired = (struct cb_desired){
		.owner = desired->owner,
		.owner_given = desired->owner_given,
		.hosts = desired->hosts,
		.sources = {desired->sources.items, desired->sources.len, desired->sources.cap},
		.files = desired->files,
		.images = desired->images,
		.policies = desired->policies,
		.rules = desired->rules};
	cb_vec_push(arena, lanes, lane);
	return &lanes->items[lanes->len - 1];
}

static bool uses(struct cb_arena *arena, const struct cb_vm *vm, const char *key, const char *name)
{
	cb_vec_each (const struct cb_entry, entry, &vm->spec) {
		const char *end = strstr(entry->path, "]."), *leaf = end ? end + 2 : entry->path;

		if (strcmp(leaf, key) == 0 && entry->value.kind == CB_STRING &&
		    strcmp(entry->value.string, name) == 0)
			return true;
	}
	(void)arena;
	return false;
}

/* Networks and pools of one host: said so, or left open and used there. With a selection, only what
 * the selected VMs use. */
static void divide_declared(struct cb_arena *arena, const struct cb_cli *cli, const char *key,
			    const struct cb_declarations *all, struct cb_lanes *lanes)
{
	cb_vec_each (const struct cb_declared, declared, all) {
		const char *host = cb_spec_string(&declared->spec, "host");

		cb_vec_each (struct cb_lane, lane, lanes) {
			bool used = false, wanted;

			cb_vec_each (const struct cb_vm, vm, &lane->desired.vms)
				used = used || (selected(arena, cli, vm) &&
						uses(arena, vm, key, declared->name));
			wanted = host && !cli->connect ? strcmp(host, lane->name) == 0
						       : used || lanes->len == 1;
			if (cli->n_words + cli->n_labels > 0)
				wanted = wanted && used;
			if (wanted && strcmp(key, "network") == 0)
				cb_vec_push(arena, &lane->desired.networks, *declared);
			else if (wanted)
				cb_vec_push(arena, &lane->desired.pools, *declared);
		}
	}
}

static int unknown_name(const char *name, bool destroy, struct cb_error *err)
{
	(void)cb_error_set(err, CB_E_USAGE, "there is no vm '%s' in the manifest", name);
	return cb_error_hint(err, destroy ? "with several hosts, only vms of the manifest can be "
					    "named"
					  : "check the name, or the file given with -f");
}

/* Names of the command line that no manifest knows: a typo must not be a success. */
static int check_names(const struct cb_cli *cli, const struct cb_desired *desired,
		       const struct cb_lanes *lanes, bool destroy, struct cb_error *err)
{
	for (size_t i = 0; i < cli->n_words; i++) {
		if (!find_vm(desired, cli->words[i]) && (!destroy || lanes->len > 1))
			return unknown_name(cli->words[i], destroy, err);
	}
	return 0;
}

static void select_names(struct cb_arena *arena, const struct cb_cli *cli, struct cb_lane *lane,
			 const struct cb_desired *desired)
{
	CB_VEC(const char *) names = {0};

	cb_vec_each (const struct cb_vm, vm, &lane->desired.vms) {
		if (selected(arena, cli, vm))
			cb_vec_push(arena, &names, vm->name);
	}
	for (size_t i = 0; i < cli->n_words; i++) {
		if (!find_vm(desired, cli->words[i]))
			cb_vec_push(arena, &names, cli->words[i]);
	}
	lane->names = names.items;
	lane->n_names = names.len;
}

static int check_labels(const struct cb_cli *cli, struct cb_error *err)
{
	for (size_t i = 0; i < cli->n_labels; i++) {
		if (!strchr(cli->labels[i], '=') || cli->labels[i][0] == '=')
			return cb_error_set(err, CB_E_USAGE, "-l wants KEY=VALUE, found '%s'",
					    cli->labels[i]);
	}
	return 0;
}

int cb_lanes_narrow(struct cb_arena *arena, const struct cb_cli *cli, struct cb_desired *desired,
		    struct cb_error *err)
{
	struct cb_lanes none = {0};
	size_t kept = 0;
	int r = check_labels(cli, err);

	if (r < 0 || (r = check_names(cli, desired, &none, false, err)) < 0)
		return r;
	for (size_t i = 0; i < desired->vms.len; i++) {
		if (selected(arena, cli, &desired->vms.items[i]))
			desired->vms.items[kept++] = desired->vms.items[i];
	}
	if (kept == 0 && cli->n_labels > 0)
		return cb_error_set(err, CB_E_USAGE, "no vm of the manifest has these labels");
	desired->vms.len = kept;
	return 0;
}

int cb_lanes_divide(struct cb_arena *arena, const struct cb_cli *cli,
		    const struct cb_desired *desired, bool destroy, struct cb_lanes *out,
		    struct cb_error *err)
{
	bool narrowed = cli->n_words + cli->n_labels > 0;
	size_t kept = 0;
	int r = check_labels(cli, err);

	if (r < 0)
		return r;
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		struct cb_lane *lane = lane_of(arena, out, desired, host_of(cli, vm->host));

		cb_vec_push(arena, &lane->desired.vms, *vm);
	}
	/* A host whose last vm was taken out of the manifest is still to be pruned. */
	for (size_t i = 0; cli->prune && !cli->connect && i < desired->hosts.len; i++)
		(void)lane_of(arena, out, desired, desired->hosts.items[i].name);
	if (out->len == 0)
		(void)lane_of(arena, out, desired, "");
	divide_declared(arena, cli, "network", &desired->networks, out);
	divide_declared(arena, cli, "pool", &desired->pools, out);
	if (!narrowed)
		return 0;
	if ((r = check_names(cli, desired, out, destroy, err)) < 0)
		return r;
	/* Hosts that nothing was selected of are left alone. */
	for (size_t i = 0; i < out->len; i++) {
		select_names(arena, cli, &out->items[i], desired);
		if (out->items[i].n_names > 0)
			out->items[kept++] = out->items[i];
	}
	out->len = kept;
	if (kept == 0)
		return cb_error_set(err, CB_E_USAGE, "no vm of the manifest has these labels");
	return 0;
}

/* Running. ------------------------------------------------------------------------------------ */

struct job {
	const struct cb_cli *cli;
	struct cb_lane *lane;
	void (*work)(const struct cb_cli *cli, struct cb_lane *lane);
};

static void *run_job(void *ctx)
{
	const struct job *job = ctx;

	job->work(job->cli, job->lane);
	return NULL;
}

void cb_lanes_each(const struct cb_cli *cli, struct cb_lanes *lanes,
		   void (*work)(const struct cb_cli *cli, struct cb_lane *lane))
{
	cb_auto_arena struct cb_arena arena = {0};
	struct job *jobs = cb_arena_alloc(&arena, (lanes->len + 1) * sizeof(*jobs));
	pthread_t *threads = cb_arena_alloc(&arena, (lanes->len + 1) * sizeof(*threads));
	bool *started = cb_arena_alloc(&arena, lanes->len + 1);

	for (size_t i = 0; i < lanes->len; i++) {
		jobs[i] = (struct job){cli, &lanes->items[i], work};
		started[i] = false;
		if (lanes->items[i].code)
			continue;
		if (lanes->len > 1)
			started[i] = pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0;
		if (!started[i])
			(void)run_job(&jobs[i]);
	}
	for (size_t i = 0; i < lanes->len; i++) {
		if (started[i])
			(void)pthread_join(threads[i], NULL);
	}
}

void cb_lane_fail(struct cb_lane *lane, struct cb_error *err)
{
	if (!lane->code) {
		lane->code = cb_ui_exit_code(err->code);
		(void)cb_error_move(&lane->err, err);
	}
	cb_error_release(err);
}

void cb_lane_open(const struct cb_cli *cli, struct cb_lane *lane)
{
	cb_auto_error struct cb_error err = {0};

	if (cb_ui_session(cli, lane->uri, &lane->arena, &lane->session, &err) < 0)
		cb_lane_fail(lane, &err);
}

int cb_lanes_report(const struct cb_lanes *lanes)
{
	int code = 0;

	cb_vec_each (const struct cb_lane, lane, lanes) {
		if (!lane->err.message)
			continue;
		if (lane->name[0])
			fprintf(stderr, "host '%s': ", lane->name);
		code = cb_ui_error(&lane->err);
	}
	return code;
}

void cb_lanes_release(struct cb_lanes *lanes)
{
	cb_vec_each (struct cb_lane, lane, lanes) {
		cb_session_close(lane->session);
		cb_error_release(&lane->err);
		cb_arena_release(&lane->arena);
	}
}

static void look(const struct cb_cli *cli, struct cb_lane *lane)
{
	cb_auto_error struct cb_error err = {0};

	(void)cli;
	lane->request = (struct cb_request){.desired = &lane->desired};
	if (cb_session_compare(lane->session, &lane->request, &lane->arena, &lane->planned.observed,
			       &lane->planned.changes, &err) < 0)
		cb_lane_fail(lane, &err);
}

int cb_lanes_look(const struct cb_cli *cli, struct cb_arena *arena, struct cb_lanes *out)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_desired *desired = cb_arena_new(arena, struct cb_desired);
	int code;

	*desired = (struct cb_desired){.owner = "local"};
	if ((cli->n_files || access(".clonebox.yaml", F_OK) == 0) &&
	    (code = cb_ui_load(cli, arena, desired)))
		return code;
	if (cb_lanes_divide(arena, cli, desired, true, out, &err) < 0)
		return cb_ui_error(&err);
	cb_lanes_each(cli, out, cb_lane_open);
	cb_lanes_each(cli, out, look);
	return 0;
}
