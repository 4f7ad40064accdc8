/* plan, apply, destroy, trash, recover --take-over: doors to one pipeline, on one host or several.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/elsewhere.h"
#include "cmd/clonebox/lanes.h"
#include "cmd/clonebox/saved.h"
#include "reconciler/base/clock.h"
#include "reconciler/policy/guard.h"
#include "reconciler/policy/rules.h"

/* One run of a command. */
struct work {
	const struct cb_cli *cli;
	bool destroy;
	enum cb_trash trash;
	const char *take_from; /* an installation */
	struct cb_arena arena;
	struct cb_desired desired;
	struct cb_lanes lanes;
	bool rolled_back; /* a crashed run's transaction, before anything else */
};

static void release(struct work *work)
{
	cb_lanes_release(&work->lanes);
	cb_arena_release(&work->arena);
}

static struct cb_request request_of(const struct work *work, struct cb_lane *lane)
{
	const struct cb_cli *cli = work->cli;

	return (struct cb_request){
		.desired = &lane->desired,
		.names = lane->names,
		.n_names = lane->n_names,
		.destroy = work->destroy,
		.trash = work->trash,
		.trash_ttl = cli->trash_ttl,
		.prune = cli->prune,
		.take_over = cli->take_over,
		.take_from = work->take_from,
		.discard = work->take_from && cli->allow_destroy,
		.fail_fast = cli->fail_fast,
		.replan = cli->yes && !cli->plan,
		.settled = &lane->settled,
		.flags = (cli->allow_restart ? CB_PLAN_RESTART : 0u) |
			 (cli->allow_recreate ? CB_PLAN_RECREATE : 0u) |
			 (cli->allow_force_off ? CB_PLAN_FORCE_OFF : 0u) |
			 (cli->allow_unknown ? CB_PLAN_UNKNOWN : 0u) |
			 (cli->atomic ? CB_PLAN_ATOMIC : 0u),
		.shutdown_timeout = cli->shutdown_timeout,
	};
}

static size_t count_well(const struct cb_lanes *lanes)
{
	size_t n = 0;

	cb_vec_each (const struct cb_lane, lane, lanes)
		n += lane->code == 0;
	return n;
}

/* Problems that stand in the way: an exit code, or 0. */
static int verdict(const struct cb_lanes *lanes)
{
	int code = 0;

	cb_vec_each (const struct cb_lane, lane, lanes) {
		cb_vec_each (const struct cb_problem, problem, &lane->planned.plan.problems) {
			if (problem->severity != CB_PROBLEM)
				continue;
			if (strstr(problem->check, ".refused"))
				return CB_EXIT_REFUSED;
			code = CB_EXIT_FAILED;
		}
	}
	return code;
}

static void show_problems(const struct work *work)
{
	cb_auto_str struct cb_str text = {0};

	cb_vec_each (const struct cb_lane, lane, &work->lanes)
		cb_render_problems(&text, &lane->planned.plan.problems,
				   cb_ui_colour(work->cli, STDERR_FILENO));
	cb_ui_progress_end();
	fputs(cb_str_text(&text), stderr);
}

/* What was planned, of the lanes that are well. */
static size_t planned(const struct work *work, const struct cb_planned **out,
		      const struct cb_results **results)
{
	size_t n = 0;

	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		if (!lane->planned.plan.hash)
			continue;
		out[n] = &lane->planned;
		if (results)
			results[n] = &lane->results;
		n++;
	}
	return n;
}

static int show_json(struct work *work, bool with_results)
{
	const struct cb_planned **all =
		cb_arena_alloc(&work->arena, (work->lanes.len + 1) * sizeof(*all));
	const struct cb_results **results =
		cb_arena_alloc(&work->arena, (work->lanes.len + 1) * sizeof(*results));
	size_t n = planned(work, all, results);

	return cb_ui_print_json(with_results ? cb_render_results_json(all, results, n)
					     : cb_render_plan_json(all, n));
}

/* Results go to stdout; on the way to an apply the plan is talk. */
static int show_plan(const struct work *work, FILE *to)
{
	cb_auto_str struct cb_str text = {0};

	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		if (lane->code)
			continue;
		if (work->cli->markdown)
			cb_render_plan_markdown(&text, &lane->planned);
		else
			cb_render_plan(&text, &lane->planned, cb_ui_colour(work->cli, fileno(to)));
	}
	if (to == stdout)
		return cb_ui_print(cb_str_text(&text));
	fputs(cb_str_text(&text), to);
	return 0;
}

/* Whether whoever is to be succeeded is seen to be alive. */
static int check_gone(const struct work *work)
{
	int code = 0;

	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		if (work->take_from && !code && lane->planned.changes.len > 0)
			code = cb_elsewhere_check_gone(
				lane->planned.changes.items[0].domain->stamp->controller);
	}
	return code;
}

static bool has_changes(const struct work *work)
{
	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		if (!lane->code && lane->planned.plan.transactions.len > 0)
			return true;
	}
	return false;
}

static void plan_lane(const struct cb_cli *cli, struct cb_lane *lane)
{
	cb_auto_error struct cb_error err = {0};

	(void)cli;
	if (cb_session_plan(lane->session, &lane->request, &lane->arena, &lane->planned, &err) < 0)
		cb_lane_fail(lane, &err);
}

static void plan_all(struct work *work)
{
	cb_vec_each (struct cb_lane, lane, &work->lanes)
		lane->request = request_of(work, lane);
	cb_lanes_each(work->cli, &work->lanes, plan_lane);
}

/* What one host has done cannot be taken back for another. */
static int check_atomic(const struct work *work)
{
	cb_auto_error struct cb_error err = {0};
	size_t n = 0;

	cb_vec_each (const struct cb_lane, lane, &work->lanes)
		n += !lane->code && lane->planned.plan.transactions.len > 0;
	if (!work->cli->atomic || n < 2)
		return 0;
	(void)cb_error_set(&err, CB_E_UNSUPPORTED,
			   "--atomic is about one host, and %zu hosts would be changed", n);
	(void)cb_error_hint(&err, "name the vms of one host, or give each host's vms a `group:`");
	return cb_ui_error(&err);
}

static int plan_only(struct work *work)
{
	int r, unwell, code;

	plan_all(work);
	unwell = cb_lanes_report(&work->lanes);
	if ((code = check_atomic(work)))
		return code;
	if (count_well(&work->lanes) == 0)
		return unwell;
	r = work->cli->json ? show_json(work, false) : show_plan(work, stdout);
	show_problems(work);
	if (r || (r = unwell))
		return r;
	if ((code = verdict(&work->lanes)))
		return code;
	if (work->cli->out && (r = cb_saved_write(work->cli, &work->lanes)))
		return r;
	return work->cli->detailed_exitcode && has_changes(work) ? CB_EXIT_CHANGES : CB_EXIT_OK;
}

/* Whether this run is about the VM: then it must be settled before anything is planned. */
static bool concerns(const struct cb_lane *lane, const struct cb_result *result)
{
	if (result->target != CB_TARGET_VM)
		return true;
	for (size_t i = 0; i < lane->n_names; i++) {
		if (strcmp(lane->names[i], result->name) == 0)
			return true;
	}
	cb_vec_each (const struct cb_vm, vm, &lane->desired.vms) {
		if (strcmp(vm->name, result->name) == 0)
			return lane->n_names == 0;
	}
	return false;
}

/* An interrupted destroy is not finished by an apply that was not told to destroy. */
static void settle_lane(const struct cb_cli *cli, struct cb_lane *lane)
{
	cb_auto_error struct cb_error err = {0};
	enum cb_recovery recovery =
		lane->request.destroy || cli->allow_destroy ? CB_RECOVER_AUTO : CB_RECOVER_SPARING;

	const struct cb_late_consent consent = {.force_off = cli->allow_force_off,
						.shutdown_timeout = cli->shutdown_timeout,
						.about = &lane->request};

	cb_session_consent(lane->session, &consent);
	if (cb_session_settle(lane->session, NULL, recovery, &lane->arena, &lane->settled, &err) <
	    0)
		cb_lane_fail(lane, &err);
}

static void note_settled(struct work *work, struct cb_lane *lane)
{
	cb_vec_each (const struct cb_result, result, &lane->settled) {
		bool fatal = result->code == CB_E_UNAVAILABLE || result->code == CB_E_INTERRUPTED ||
			     result->code == CB_E_IO;

		work->rolled_back = work->rolled_back || result->outcome == CB_OUTCOME_ROLLED_BACK;
		if (result->outcome != CB_OUTCOME_OPEN)
			continue;
		fatal = fatal || concerns(lane, result);
		fprintf(stderr, "%s: transaction %s of %s '%s' could not be settled: %s%s%s\n",
			fatal ? "error" : "warning", result->id, cb_target_name(result->target),
			result->name, result->message, result->hint[0] ? "; " : "", result->hint);
		if (fatal && !lane->code)
			lane->code = cb_ui_open_code(result->code);
	}
}

/* What crashed runs left comes first. */
static void settle_all(struct work *work)
{
	cb_vec_each (struct cb_lane, lane, &work->lanes)
		lane->request = request_of(work, lane);
	cb_lanes_each(work->cli, &work->lanes, settle_lane);
	cb_vec_each (struct cb_lane, lane, &work->lanes)
		note_settled(work, lane);
}

/* The worst of the transactions, in the words of cli.md. */
static int outcome_code(const struct cb_lanes *lanes)
{
	size_t committed = 0, others = 0, taken_back = 0;
	int open = 0, first = 0;

	cb_vec_each (const struct cb_lane, lane, lanes) {
		cb_vec_each (const struct cb_result, result, &lane->results) {
			if (result->outcome == CB_OUTCOME_OPEN)
				open = cb_ui_open_code(result->code);
			committed += result->outcome == CB_OUTCOME_COMMITTED;
			taken_back += result->outcome == CB_OUTCOME_ROLLED_BACK;
			others += result->outcome == CB_OUTCOME_NOT_BEGUN;
			/* Not begun, or done and then not seen to be so: the reason itself
			 * matters. */
			if (!first && result->code && result->outcome != CB_OUTCOME_ROLLED_BACK)
				first = cb_ui_exit_code(result->code);
		}
		if (lane->code && !first)
			first = lane->code;
		others += lane->code != 0;
	}
	if (open)
		return open;
	if (taken_back)
		return committed ? CB_EXIT_PARTLY : CB_EXIT_FAILED;
	/* What was not begun is not what failed. */
	if (cb_ui_interrupted() && first == CB_EXIT_INTERRUPTED)
		return first;
	return first && committed && committed + others > 1 ? CB_EXIT_PARTLY : first;
}

static int report(struct work *work)
{
	cb_auto_str struct cb_str text = {0};
	int r;

	cb_ui_progress_end();
	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		cb_vec_each (const struct cb_result, result, &lane->results) {
			if (result->code)
				fprintf(stderr, "error: %s '%s': %s%s%s\n",
					cb_target_name(result->target), result->name,
					result->message,
					result->hint && result->hint[0] ? "; " : "",
					result->hint ? result->hint : "");
		}
		if (lane->planned.plan.hash)
			cb_render_results(&text, &lane->planned, &lane->results);
	}
	(void)cb_lanes_report(&work->lanes);
	r = work->cli->json ? show_json(work, true) : cb_ui_print(cb_str_text(&text));
	return r ? r : outcome_code(&work->lanes);
}

/* Consent: flags, or a person who says yes. */
static int ask(struct work *work)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_cli *cli = work->cli;
	bool confirmed = !cli->yes && cb_ui_interactive();
	struct cb_consent consent = {
		.destroy = work->destroy || work->trash || cli->allow_destroy || cli->prune,
		.named = ((work->destroy || work->trash) && cli->n_words > 0) ||
			 ((work->destroy || work->trash || work->take_from) && confirmed),
		.max_deletions = cli->max_deletions,
	};
	unsigned deletions = 0;

	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		if (!lane->code)
			deletions += cb_guard_deletions(&lane->planned.plan);
	}
	if (cb_guard_check(deletions, &consent, &err) < 0)
		return cb_ui_error(&err);
	cb_vec_each (struct cb_lane, lane, &work->lanes) {
		if (!lane->code &&
		    cb_rules_approve(&work->arena, &lane->desired.rules, &lane->planned.changes,
				     cli->approvals, cli->n_approvals, &err) < 0)
			return cb_ui_error(&err);
	}
	if (cli->yes)
		return 0;
	if (!cb_ui_interactive()) {
		fprintf(stderr,
			"error: this would change the host, and there is no terminal to ask "
			"on; say --yes\n");
		return CB_EXIT_REFUSED;
	}
	if (!cb_ui_confirm(work->destroy     ? "Destroy?"
			   : work->take_from ? "Take over?"
					     : "Apply?")) {
		fprintf(stderr, "nothing was done\n");
		return cb_ui_interrupted() ? CB_EXIT_INTERRUPTED : CB_EXIT_REFUSED;
	}
	return 0;
}

static void apply_lane(const struct cb_cli *cli, struct cb_lane *lane)
{
	cb_auto_error struct cb_error err = {0};

	(void)cli;
	if (lane->planned.plan.transactions.len > 0 &&
	    cb_session_apply(lane->session, &lane->request, &lane->planned, &lane->arena,
			     &lane->results, &err) < 0)
		cb_lane_fail(lane, &err);
}

static bool is_started(const struct cb_transaction *transaction, const char *uuid)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind == CB_STEP_KIND_DOMAIN_START &&
		    strcmp(cb_spec_string(&step->args, "uuid"), uuid) == 0)
			return true;
	}
	return false;
}

/* A guest that was begun by this run, and runs now. */
static int wait_for(struct cb_lane *lane, const struct cb_transaction *transaction,
		    const struct cb_member *vm, const struct cb_wait *wait, struct cb_error *err)
{
	if (vm->target != CB_TARGET_VM || !is_started(transaction, vm->uuid))
		return 0;
	return cb_session_wait(lane->session, vm->name, vm->uuid, wait, err);
}

static int wait_for_all(struct cb_lane *lane, const struct cb_transaction *transaction,
			const struct cb_wait *wait, struct cb_error *err)
{
	const struct cb_member alone = {transaction->target, transaction->name, transaction->uuid,
					transaction->action};
	int r = wait_for(lane, transaction, &alone, wait, err);

	for (size_t i = 0; r == 0 && i < transaction->members.len; i++)
		r = wait_for(lane, transaction, &transaction->members.items[i], wait, err);
	return r;
}

static void wait_lane(const struct cb_cli *cli, struct cb_lane *lane)
{
	static const enum cb_up what[] = {[CB_UP_AGENT] = CB_WAIT_AGENT,
					  [CB_UP_ADDRESS] = CB_WAIT_ADDRESS,
					  [CB_UP_PORT] = CB_WAIT_PORT};
	const struct cb_wait wait = {.what = what[cli->wait_for],
				     .port = cli->wait_port,
				     .until_ms = cb_clock_ms() + cli->wait_timeout * 1000u};

	cb_vec_each (const struct cb_result, result, &lane->results) {
		cb_vec_each (const struct cb_transaction, transaction,
			     &lane->planned.plan.transactions) {
			cb_auto_error struct cb_error err = {0};

			if (result->outcome != CB_OUTCOME_COMMITTED ||
			    strcmp(transaction->id, result->id) != 0 ||
			    wait_for_all(lane, transaction, &wait, &err) == 0)
				continue;
			cb_lane_fail(lane, &err);
			return;
		}
	}
}

static int change(struct work *work)
{
	const struct cb_cli *cli = work->cli;
	int code;

	settle_all(work);
	plan_all(work);
	if (count_well(&work->lanes) == 0) {
		code = cb_lanes_report(&work->lanes);
		return code ? code : work->lanes.items[0].code;
	}
	if ((code = check_atomic(work)) || (code = check_gone(work)))
		return code;
	if (!cli->json && !(cli->quiet && cli->yes) &&
	    (code = show_plan(work, has_changes(work) ? stderr : stdout)))
		return code;
	show_problems(work);
	if ((code = verdict(&work->lanes))) {
		if (cli->json)
			(void)show_json(work, true);
		return work->rolled_back ? CB_EXIT_FAILED : code;
	}
	if (cli->plan && (code = cb_saved_check(cli, &work->lanes)))
		return code;
	if (!has_changes(work)) {
		code = cb_lanes_report(&work->lanes);
		if (cli->json)
			(void)show_json(work, true);
		return code;
	}
	if ((code = ask(work)))
		return code;
	cb_lanes_each(cli, &work->lanes, apply_lane);
	if (cli->wait)
		cb_lanes_each(cli, &work->lanes, wait_lane);
	cb_ui_sweep_history(cli);
	return report(work);
}

/* What a mistake could cost: a typo, half of the manifests, somebody else's vms. */
static int check_prune(const struct cb_cli *cli, const struct cb_desired *desired,
		       struct cb_error *err)
{
	if (!desired->owner_given) {
		(void)cb_error_set(
			err, CB_E_REFUSED,
			"--prune needs an `owner:` in the manifest: it destroys what that "
			"owner has and the manifest does not speak of");
		return cb_error_hint(err, "for example: owner: team-a");
	}
	if (cli->n_words + cli->n_labels > 0) {
		(void)cb_error_set(err, CB_E_REFUSED,
				   "--prune needs all of the manifest, not a selection");
		return cb_error_hint(err, "leave out the names and labels, or --prune");
	}
	if (desired->vms.len == 0) {
		(void)cb_error_set(err, CB_E_REFUSED,
				   "--prune with no vm in the manifest would destroy all of them");
		return cb_error_hint(err, "name them: clonebox destroy VM...");
	}
	return 0;
}

static int open_work(struct work *work, const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	bool by_stamp = (work->destroy && cli->n_words) || work->trash;
	int code;

	work->cli = cli;
	/* `destroy VM` works where there is no manifest: the stamps say whose they are; and an
	 * installation is no manifest's. */
	if (work->take_from) {
		work->desired.owner = "local";
	} else if (by_stamp && !cli->n_files && access(".clonebox.yaml", F_OK) != 0) {
		work->desired.owner = "local";
		if ((code = cb_ui_load_rules(cli, &work->arena, &work->desired)))
			return code;
	} else if ((code = cb_ui_load(cli, &work->arena, &work->desired)))
		return code;
	if (cli->prune && check_prune(cli, &work->desired, &err) < 0)
		return cb_ui_error(&err);
	if (cb_lanes_divide(&work->arena, cli, &work->desired, by_stamp, &work->lanes, &err) < 0)
		return cb_ui_error(&err);
	cb_ui_catch_signals();
	cb_lanes_each(cli, &work->lanes, cb_lane_open);
	return count_well(&work->lanes) ? 0 : cb_lanes_report(&work->lanes);
}

int cb_cmd_plan(const struct cb_cli *cli)
{
	struct work work = {0};
	int code = open_work(&work, cli);

	if (!code)
		code = plan_only(&work);
	release(&work);
	return code;
}

int cb_cmd_apply(const struct cb_cli *cli)
{
	struct cb_cli effective = *cli;
	struct cb_saved *saved = NULL;
	struct work work = {0};
	int code = cli->plan ? cb_saved_read(cli, &effective, &saved) : 0;

	if (!code)
		code = open_work(&work, &effective);
	if (!code)
		code = cli->dry_run ? plan_only(&work) : change(&work);
	release(&work);
	cb_saved_free(saved);
	return code;
}

int cb_cmd_destroy(const struct cb_cli *cli)
{
	struct work work = {.destroy = true};
	int code = open_work(&work, cli);

	if (!code)
		code = change(&work);
	release(&work);
	return code;
}

static int list_trash(struct work *work)
{
	cb_auto_str struct cb_str text = {0};
	json_t *vms = json_array();
	int unwell, r;

	plan_all(work);
	unwell = cb_lanes_report(&work->lanes);
	cb_vec_each (const struct cb_lane, lane, &work->lanes) {
		if (lane->code)
			continue;
		cb_render_trash(&text, &lane->planned.observed.domains);
		cb_render_trash_json(vms, &lane->planned.observed.domains);
	}
	if (count_well(&work->lanes) == 0 || !work->cli->json) {
		json_decref(vms);
		r = text.len ? cb_ui_print(cb_str_text(&text)) : 0;
	} else {
		r = cb_ui_print_json(
			json_pack("{s:s,s:o}", "schema", "clonebox/trash/v1", "vms", vms));
	}
	return r ? r : unwell;
}

int cb_cmd_trash(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_cli effective = *cli;
	struct work work = {.trash = CB_TRASH_PURGE};
	const char *verb = cli->words[0];
	bool list = strcmp(verb, "list") == 0, restore = strcmp(verb, "restore") == 0;
	int code;

	if ((!list && !restore && strcmp(verb, "purge") != 0) || (restore && cli->n_words != 2) ||
	    (list && cli->n_words != 1)) {
		(void)cb_error_set(&err, CB_E_USAGE,
				   "trash wants: list, restore VM, or purge [VM]...");
		return cb_ui_error(&err);
	}
	effective.words++;
	effective.n_words--;
	if (restore)
		work.trash = CB_TRASH_RESTORE;
	code = open_work(&work, &effective);
	if (!code)
		code = list ? list_trash(&work) : change(&work);
	release(&work);
	return code;
}

int cb_cmd_take_over(const struct cb_cli *cli)
{
	struct work work = {.take_from = cli->take_from};
	int code = open_work(&work, cli);

	if (!code)
		code = change(&work);
	release(&work);
	return code;
}
