/* plan, apply, destroy: three doors to one pipeline. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/ui.h"
#include "reconciler/policy/guard.h"

/* One run of a command. */
struct work {
	const struct cb_cli *cli;
	struct cb_arena arena;
	struct cb_desired desired;
	struct cb_session *session;
	struct cb_request request;
	struct cb_planned planned;
};

static void release(struct work *work)
{
	cb_session_close(work->session);
	cb_arena_release(&work->arena);
}

static struct cb_request request_of(struct work *work, bool destroy)
{
	const struct cb_cli *cli = work->cli;

	return (struct cb_request){
		.desired = &work->desired,
		.names = cli->words,
		.n_names = cli->n_words,
		.destroy = destroy,
		.take_over = cli->take_over,
		.replan = cli->yes,
		.flags = (cli->allow_restart ? CB_PLAN_RESTART : 0u) |
			 (cli->allow_force_off ? CB_PLAN_FORCE_OFF : 0u),
		.shutdown_timeout = cli->shutdown_timeout,
	};
}

/* Problems that stand in the way: an exit code, or 0. */
static int verdict(const struct cb_plan *plan)
{
	int code = 0;

	cb_vec_each (const struct cb_problem, problem, &plan->problems) {
		if (problem->severity != CB_PROBLEM)
			continue;
		if (strcmp(problem->check, "vm.refused") == 0)
			return CB_EXIT_REFUSED;
		code = CB_EXIT_FAILED;
	}
	return code;
}

static void show_problems(const struct work *work)
{
	cb_auto_str struct cb_str text = {0};

	cb_render_problems(&text, &work->planned.plan.problems,
			   cb_ui_colour(work->cli, STDERR_FILENO));
	cb_ui_progress_end();
	fputs(cb_str_text(&text), stderr);
}

/* Results go to stdout; on the way to an apply the plan is talk. */
static int show_plan(const struct work *work, FILE *to)
{
	cb_auto_str struct cb_str text = {0};

	cb_render_plan(&text, &work->planned, cb_ui_colour(work->cli, fileno(to)));
	if (to == stdout)
		return cb_ui_print(cb_str_text(&text));
	fputs(cb_str_text(&text), to);
	return 0;
}

static bool has_changes(const struct cb_plan *plan)
{
	return plan->transactions.len > 0;
}

static int plan_only(struct work *work)
{
	cb_auto_error struct cb_error err = {0};
	int r = cb_session_plan(work->session, &work->request, &work->arena, &work->planned, &err);
	int code;

	if (r < 0)
		return cb_ui_error(&err);
	r = work->cli->json ? cb_ui_print_json(cb_render_plan_json(&work->planned))
			    : show_plan(work, stdout);
	show_problems(work);
	if (r)
		return r;
	if ((code = verdict(&work->planned.plan)))
		return code;
	return work->cli->detailed_exitcode && has_changes(&work->planned.plan) ? CB_EXIT_CHANGES
										: CB_EXIT_OK;
}

/* Whether this run is about the VM: then it must be settled before anything is planned. */
static bool concerns(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->request.n_names; i++) {
		if (strcmp(work->request.names[i], name) == 0)
			return true;
	}
	cb_vec_each (const struct cb_vm, vm, &work->desired.vms) {
		if (strcmp(vm->name, name) == 0)
			return work->request.n_names == 0;
	}
	return false;
}

/* What crashed runs left comes first. Returns an exit code; 0 to go on. */
static int settle(struct work *work, bool destroy, bool *rolled_back)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_results results = {0};
	/* An interrupted destroy is not finished by an apply that was not told to destroy. */
	enum cb_recovery recovery =
		destroy || work->cli->allow_destroy ? CB_RECOVER_AUTO : CB_RECOVER_SPARING;

	*rolled_back = false;
	if (cb_session_settle(work->session, NULL, recovery, &work->arena, &results, &err) < 0)
		return cb_ui_error(&err);
	cb_vec_each (const struct cb_result, result, &results) {
		bool fatal = result->code == CB_E_UNAVAILABLE || result->code == CB_E_INTERRUPTED ||
			     result->code == CB_E_IO;

		*rolled_back = *rolled_back || result->outcome == CB_OUTCOME_ROLLED_BACK;
		if (result->outcome != CB_OUTCOME_OPEN)
			continue;
		fatal = fatal || concerns(work, result->name);
		fprintf(stderr, "%s: transaction %s of vm '%s' could not be settled: %s%s%s\n",
			fatal ? "error" : "warning", result->id, result->name, result->message,
			result->hint[0] ? "; " : "", result->hint);
		if (fatal)
			return cb_ui_open_code(result->code);
	}
	return 0;
}

/* The worst of the transactions, in the words of cli.md. */
static int outcome_code(const struct cb_results *results)
{
	size_t committed = 0, others = 0, taken_back = 0;
	int open = 0, first = 0;

	cb_vec_each (const struct cb_result, result, results) {
		if (result->outcome == CB_OUTCOME_OPEN)
			open = cb_ui_open_code(result->code);
		committed += result->outcome == CB_OUTCOME_COMMITTED;
		taken_back += result->outcome == CB_OUTCOME_ROLLED_BACK;
		others += result->outcome == CB_OUTCOME_NOT_BEGUN;
		/* Not begun, or done and then not seen to be so: the reason itself matters. */
		if (!first && result->code && result->outcome != CB_OUTCOME_ROLLED_BACK)
			first = cb_ui_exit_code(result->code);
	}
	if (open)
		return open;
	if (taken_back)
		return committed ? CB_EXIT_PARTLY : CB_EXIT_FAILED;
	return first && committed && committed + others > 1 ? CB_EXIT_PARTLY : first;
}

static int report(struct work *work, const struct cb_results *results)
{
	cb_auto_str struct cb_str text = {0};
	int r;

	cb_ui_progress_end();
	cb_vec_each (const struct cb_result, result, results) {
		if (result->code)
			fprintf(stderr, "error: vm '%s': %s%s%s\n", result->name, result->message,
				result->hint && result->hint[0] ? "; " : "",
				result->hint ? result->hint : "");
	}
	if (work->cli->json) {
		r = cb_ui_print_json(cb_render_results_json(&work->planned, results));
	} else {
		cb_render_results(&text, &work->planned, results);
		r = cb_ui_print(cb_str_text(&text));
	}
	return r ? r : outcome_code(results);
}

/* Consent: flags, or a person who says yes. */
static int ask(struct work *work, bool destroy)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_cli *cli = work->cli;
	bool confirmed = !cli->yes && cb_ui_interactive();
	struct cb_consent consent = {
		.destroy = destroy || cli->allow_destroy,
		.named = destroy && (cli->n_words > 0 || confirmed),
		.max_deletions = cli->max_deletions,
	};

	if (cb_guard_check(&work->planned.plan, &consent, &err) < 0)
		return cb_ui_error(&err);
	if (cli->yes)
		return 0;
	if (!cb_ui_interactive()) {
		fprintf(stderr,
			"error: this would change the host, and there is no terminal to ask "
			"on; say --yes\n");
		return CB_EXIT_REFUSED;
	}
	if (!cb_ui_confirm(destroy ? "Destroy?" : "Apply?")) {
		fprintf(stderr, "nothing was done\n");
		return cb_ui_interrupted() ? CB_EXIT_INTERRUPTED : CB_EXIT_REFUSED;
	}
	return 0;
}

static int change(struct work *work, bool destroy)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_results results = {0};
	bool rolled_back;
	int r, code = settle(work, destroy, &rolled_back);

	if (code)
		return code;
	r = cb_session_plan(work->session, &work->request, &work->arena, &work->planned, &err);
	if (r < 0)
		return cb_ui_error(&err);
	if (!work->cli->json && !(work->cli->quiet && work->cli->yes) &&
	    (code = show_plan(work, has_changes(&work->planned.plan) ? stderr : stdout)))
		return code;
	show_problems(work);
	if ((code = verdict(&work->planned.plan))) {
		if (work->cli->json)
			(void)cb_ui_print_json(cb_render_results_json(&work->planned, &results));
		return rolled_back ? CB_EXIT_FAILED : code;
	}
	if (!has_changes(&work->planned.plan))
		return work->cli->json
			       ? cb_ui_print_json(cb_render_results_json(&work->planned, &results))
			       : CB_EXIT_OK;
	if ((code = ask(work, destroy)))
		return code;
	r = cb_session_apply(work->session, &work->request, &work->planned, &work->arena, &results,
			     &err);
	return r < 0 ? cb_ui_error(&err) : report(work, &results);
}

static int open_work(struct work *work, const struct cb_cli *cli, bool destroy)
{
	cb_auto_error struct cb_error err = {0};
	int code;

	work->cli = cli;
	/* `destroy VM` works where there is no manifest: the stamps say whose they are. */
	if (destroy && cli->n_words && !cli->n_files && access(".clonebox.yaml", F_OK) != 0)
		work->desired.owner = "local";
	else if ((code = cb_ui_load(cli, &work->arena, &work->desired)))
		return code;
	cb_ui_catch_signals();
	if (cb_ui_session(cli, &work->arena, &work->session, &err) < 0)
		return cb_ui_error(&err);
	work->request = request_of(work, destroy);
	return 0;
}

int cb_cmd_plan(const struct cb_cli *cli)
{
	struct work work = {0};
	int code = open_work(&work, cli, false);

	if (!code)
		code = plan_only(&work);
	release(&work);
	return code;
}

int cb_cmd_apply(const struct cb_cli *cli)
{
	struct work work = {0};
	int code = open_work(&work, cli, false);

	if (!code)
		code = cli->dry_run ? plan_only(&work) : change(&work, false);
	release(&work);
	return code;
}

int cb_cmd_destroy(const struct cb_cli *cli)
{
	struct work work = {0};
	int code = open_work(&work, cli, true);

	if (!code)
		code = change(&work, true);
	release(&work);
	return code;
}
