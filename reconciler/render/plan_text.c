#include <string.h>

#include "reconciler/model/field.h"
#include "reconciler/render/colour.h"
#include "reconciler/render/render.h"

enum { FIELD_COLUMN = 20, VALUE_COLUMN = 50 };

void cb_render_origin(struct cb_str *out, const struct cb_origin *origin)
{
	/* A default has a place where it was set by the person, in a file or the environment. */
	if (origin->file && origin->line)
		cb_str_printf(out, "%s:%u", origin->file, origin->line);
	else if (origin->file)
		cb_str_add(out, origin->file);
	else
		cb_str_add(out, "default");
}

/* The line as it stands in the file, and below it where the problem is. */
static void excerpt(struct cb_str *out, const struct cb_excerpt *excerpt, enum cb_colour colour)
{
	cb_auto_str struct cb_str gutter = {0};
	size_t start;

	cb_str_printf(&gutter, "%6u | ", excerpt->line);
	cb_tint(out, colour, CB_TINT_DIM, gutter.text);
	cb_str_printf(out, "%s\n", excerpt->text);
	cb_tint(out, colour, CB_TINT_DIM, "       | ");
	start = out->len;
	if (excerpt->caret)
		cb_pad(out, start, excerpt->caret);
	cb_tint(out, colour, CB_TINT_BOLD, "^");
	cb_str_add(out, "\n");
}

void cb_render_problems(struct cb_str *out, const struct cb_problems *problems,
			enum cb_colour colour)
{
	cb_vec_each (const struct cb_problem, problem, problems) {
		bool bad = problem->severity == CB_PROBLEM;

		if (problem->origin.file)
			cb_str_printf(out, "%s:%u:%u: ", problem->origin.file, problem->origin.line,
				      problem->origin.column);
		cb_tint(out, colour, bad ? CB_TINT_REMOVE : CB_TINT_CHANGE,
			bad ? "error: " : "warning: ");
		if (problem->target && problem->target[0])
			cb_str_printf(out, "%s '%s': ", problem->kind ? problem->kind : "vm",
				      problem->target);
		cb_str_add(out, problem->message);
		if (problem->fix && problem->fix[0])
			cb_str_printf(out, "; %s", problem->fix);
		cb_str_add(out, "\n");
		if (problem->excerpt.text)
			excerpt(out, &problem->excerpt, colour);
	}
}

static void value_text(struct cb_str *out, const char *path, const struct cb_value *value,
		       bool sensitive)
{
	cb_auto_arena struct cb_arena arena = {0};
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, path);
	const char *text = cb_value_text(&arena, value);

	if (value->kind == CB_NONE || !text[0])
		cb_str_add(out, "(none)");
	else if (sensitive)
		cb_str_add(out, "(sensitive)");
	else if (field && field->type == CB_TYPE_SIZE && value->kind == CB_INT)
		cb_str_size(out, (uint64_t)value->integer);
	else if (value->kind == CB_STRING && strpbrk(text, " \n\t"))
		cb_str_printf(out, "\"%.60s%s\"", text, strlen(text) > 60 ? "..." : "");
	else
		cb_str_add(out, text);
	if (field && field->unit[0] && value->kind == CB_INT && !sensitive)
		cb_str_printf(out, " %s", field->unit);
}

static void field_note(struct cb_str *out, const struct cb_field_change *field,
		       const struct cb_change *change)
{
	if (field->decision == CB_CASE_RECORD)
		cb_str_add(out, "recorded only; the vm is so already");
	else if (field->decision == CB_CASE_GUEST_CHANGED && !change->reseed)
		cb_str_add(out, "not told to the guest again");
	else if (field->decision == CB_CASE_START || field->decision == CB_CASE_STOP)
		return;
	else if (field->decision == CB_CASE_PENDING_RESTART)
		cb_str_add(out, "for what is staged");
	else if (field->decision == CB_CASE_RECREATE)
		cb_str_add(out, "with a new root disk");
	else if (field->staged)
		cb_str_add(out, "at the next start");
	else if (field->cost == CB_COST_LIVE)
		cb_str_add(out, "live");
	if (field->decision == CB_CASE_DRIFT)
		cb_str_add(out, " (was changed outside clonebox)");
	else if (field->decision == CB_CASE_CHANGED_AND_DRIFT)
		cb_str_add(out, " (was also changed outside clonebox)");
	else if (field->decision == CB_CASE_REMOVED)
		cb_str_add(out, " (not in the manifest any more)");
	else if (field->decision == CB_CASE_DEVICE_DRIFT && strstr(field->path, "].name"))
		cb_str_add(out, " (was taken off outside clonebox)");
	else if (field->decision == CB_CASE_DEVICE_REMOVED && strncmp(field->path, "disks", 5) == 0)
		cb_str_add(out, " (its volume stays)");
}

static void render_field(struct cb_str *out, const struct cb_field_change *field,
			 const struct cb_change *change, enum cb_colour colour)
{
	enum cb_action action = change->action;
	cb_auto_str struct cb_str origin = {0};
	size_t start = out->len;

	cb_str_printf(out, "      %s", field->path);
	cb_pad(out, start, FIELD_COLUMN + 4);
	if (action != CB_ACTION_CREATE && field->decision != CB_CASE_RECORD) {
		value_text(out, field->path, &field->old, field->origin.sensitive);
		cb_str_add(out, " -> ");
	}
	value_text(out, field->path, &field->new, field->origin.sensitive);
	cb_pad(out, start, VALUE_COLUMN);
	if (action != CB_ACTION_CREATE) {
		field_note(out, field, change);
		cb_str_add(out, " ");
	}
	cb_render_origin(&origin, &field->origin);
	cb_tint(out, colour, CB_TINT_DIM, origin.text);
	cb_str_add(out, "\n");
}

static const char *verb_of(const struct cb_step *step)
{
	if (step->kind == CB_STEP_KIND_NETWORK_HOST && !cb_spec_string(&step->args, "ip"))
		return "give back the address of";
	if (step->kind == CB_STEP_KIND_POOL_ENSURE && !cb_spec_bool(&step->args, "define", false))
		return "start storage pool";
	return cb_step_verb(step->kind);
}

void cb_render_step(struct cb_str *out, const struct cb_step *step)
{
	const struct cb_spec *args = &step->args;

	cb_str_printf(out, "%s '%s'", verb_of(step), step->target);
	switch (step->kind) {
	case CB_STEP_KIND_IMAGE_IMPORT:
		cb_str_add(out, " (");
		cb_str_size(out, (uint64_t)cb_spec_int(args, "size", 0));
		cb_str_printf(out, ") into pool '%s'", cb_spec_string(args, "pool"));
		break;
	case CB_STEP_KIND_VOLUME_CREATE:
		cb_str_add(out, " (");
		cb_str_size(out, (uint64_t)cb_spec_int(args, "capacity", 0));
		cb_str_printf(out, "%s) in pool '%s'",
			      cb_spec_string(args, "backing") ? ", on the base image" : "",
			      cb_spec_string(args, "pool"));
		break;
	case CB_STEP_KIND_VOLUME_DELETE:
		cb_str_printf(out, " from pool '%s'%s", cb_spec_string(args, "pool"),
			      cb_spec_bool(args, "data", false) ? ": DATA LOSS" : "");
		break;
	case CB_STEP_KIND_SEED_CREATE:
		cb_str_printf(out, " in pool '%s'", cb_spec_string(args, "pool"));
		break;
	case CB_STEP_KIND_NETWORK_HOST:
		cb_str_printf(out, " in network '%s'", cb_spec_string(args, "network"));
		if (cb_spec_string(args, "ip"))
			cb_str_printf(out, ": %s", cb_spec_string(args, "ip"));
		break;
	case CB_STEP_KIND_DOMAIN_RENAME:
		cb_str_printf(out, " to '%s'", cb_spec_string(args, "name"));
		break;
	case CB_STEP_KIND_NETWORK_AUTOSTART:
	case CB_STEP_KIND_DOMAIN_AUTOSTART:
		cb_str_add(out, cb_spec_bool(args, "on", false) ? " to on" : " to off");
		break;
	case CB_STEP_KIND_DOMAIN_LIVE:
		cb_str_printf(out, ": %s", cb_spec_string(args, "path"));
		break;
	case CB_STEP_KIND_DOMAIN_SHUTDOWN:
		cb_str_printf(out, " (within %lld s%s)", (long long)cb_spec_int(args, "timeout", 0),
			      cb_spec_bool(args, "force", false) ? ", then pull the plug" : "");
		break;
	case CB_STEP_KIND_POOL_ENSURE:
	case CB_STEP_KIND_NETWORK_DEFINE:
	case CB_STEP_KIND_NETWORK_UPDATE:
	case CB_STEP_KIND_NETWORK_START:
	case CB_STEP_KIND_NETWORK_REMOVE:
	case CB_STEP_KIND_DOMAIN_DEFINE:
	case CB_STEP_KIND_DOMAIN_UPDATE:
	case CB_STEP_KIND_DOMAIN_UNDEFINE:
	case CB_STEP_KIND_DOMAIN_START:
		break;
	}
}

/* A plan with errors is not carried out: its steps would only mislead. */
static bool has_error(const struct cb_problems *problems, const char *name)
{
	cb_vec_each (const struct cb_problem, problem, problems) {
		if (problem->severity == CB_PROBLEM && strcmp(problem->target, name) == 0)
			return true;
	}
	return false;
}

/* What has to be there, or gone, before. */
static void render_after(struct cb_str *out, const struct cb_plan *plan,
			 const struct cb_transaction *transaction)
{
	const char *before = ", after";

	cb_vec_each (const struct cb_transaction, other, &plan->transactions) {
		cb_vec_each (const char *const, id, &transaction->after) {
			if (strcmp(*id, other->id) != 0)
				continue;
			cb_str_printf(out, "%s %s '%s'", before, cb_target_name(other->target),
				      other->name);
			before = ",";
		}
	}
}

static void render_steps(struct cb_str *out, const struct cb_plan *plan,
			 const struct cb_transaction *transaction, enum cb_colour colour)
{
	cb_str_add(out, "    steps");
	render_after(out, plan, transaction);
	cb_str_add(out, "\n");
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->n == transaction->point_of_no_return && step->n > 1)
			cb_tint(out, colour, CB_TINT_DIM,
				"      -- point of no return: until the next step is done, a "
				"failure takes everything back --\n");
		else if (step->n == transaction->point_of_no_return)
			cb_tint(out, colour, CB_TINT_DIM,
				"      -- point of no return: this cannot be taken back --\n");
		cb_str_printf(out, "      %u. ", step->n);
		cb_render_step(out, step);
		cb_str_add(out, "\n");
	}
}

/* Whether what goes away is gone then: not where it goes to the trash. */
static bool removes(const struct cb_transaction *transaction, const char *vm)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind == CB_STEP_KIND_DOMAIN_RENAME && strcmp(step->target, vm) == 0)
			return false;
	}
	return true;
}

/* What else than "will be changed" is to be said of a change; NULL if nothing. */
static const char *words_of(const struct cb_change *change)
{
	if (change->decision == CB_CASE_ALREADY_ABSENT)
		return "is not there";
	if (change->decision == CB_CASE_PROTECTED)
		return "stays: it is protected";
	if (change->decision == CB_CASE_NETWORK_IN_USE)
		return "stays: others are on it";
	if (change->decision == CB_CASE_NETWORK_FOREIGN)
		return "stays: clonebox did not make it";
	if (change->decision == CB_CASE_NETWORK_INACTIVE ||
	    (change->decision == CB_CASE_POOL_CREATE && change->action == CB_ACTION_UPDATE))
		return "is there, but not active: it will be started";
	return NULL;
}

/* Disks that stay where their VM goes. */
static void render_kept(struct cb_str *out, const struct cb_change *change)
{
	cb_vec_each (const struct cb_stamp_volume, volume, &change->domain->stamp->volumes) {
		if (volume->deletion == CB_RETAIN &&
		    strncmp(volume->role, CB_ROLE_DISK, strlen(CB_ROLE_DISK)) == 0)
			cb_str_printf(out, "    volume '%s' stays in pool '%s'\n", volume->name,
				      volume->pool);
	}
}

static void render_change(struct cb_str *out, const struct cb_plan *plan,
			  const struct cb_change *change, const struct cb_transaction *transaction,
			  enum cb_colour colour)
{
	static const struct {
		const char *mark, *words;
		enum cb_tint tint;
	} rows[] = {
		[CB_ACTION_NOOP] = {"=", "is as wanted", CB_TINT_DIM},
		[CB_ACTION_CREATE] = {"+", "will be created", CB_TINT_ADD},
		[CB_ACTION_UPDATE] = {"~", "will be changed in place", CB_TINT_CHANGE},
		[CB_ACTION_DELETE] = {"-", "will be destroyed", CB_TINT_REMOVE},
	};
	cb_auto_str struct cb_str head = {0};

	if (change->refusal) {
		cb_str_printf(&head, "! %s '%s' is refused\n", cb_target_name(change->target),
			      change->name);
		cb_tint(out, colour, CB_TINT_REMOVE, head.text);
		return;
	}
	cb_str_printf(&head, "%s %s '%s' %s", rows[change->action].mark,
		      cb_target_name(change->target), change->name,
		      words_of(change) ? words_of(change) : rows[change->action].words);
	if (change->recreate) {
		cb_str_clear(&head);
		cb_str_printf(&head,
			      "~ vm '%s' will start afresh on a new root disk; the old one goes "
			      "to the trash",
			      change->name);
	}
	if (change->restore) {
		cb_str_clear(&head);
		cb_str_printf(&head, "+ vm '%s' will come back from the trash", change->name);
	}
	if (change->hand_over) {
		cb_str_clear(&head);
		cb_str_printf(&head,
			      change->action == CB_ACTION_DELETE
				      ? "- vm '%s' will be destroyed: no guest has ever used it"
				      : "~ vm '%s' will be this installation's",
			      change->name);
	}
	if (change->action == CB_ACTION_DELETE && transaction &&
	    !removes(transaction, change->name)) {
		cb_str_clear(&head);
		cb_str_printf(&head, "- vm '%s' will go to the trash", change->name);
	}
	cb_tint(out, colour, rows[change->action].tint, head.text);
	if (change->action == CB_ACTION_UPDATE && change->cost == CB_COST_RESTART &&
	    !change->recreate)
		cb_str_add(out, "; some of it acts at the next start");
	if (change->taken_over)
		cb_str_printf(out, "; taken over from %s", change->domain->stamp->source);
	cb_str_add(out, "\n");
	if (change->action == CB_ACTION_NOOP)
		return;
	cb_vec_each (const struct cb_field_change, field, &change->fields)
		render_field(out, field, change, colour);
	if (transaction && transaction->members.len)
		cb_str_printf(out, "    in group '%s', below\n", transaction->name);
	else if (transaction && transaction->steps.len)
		render_steps(out, plan, transaction, colour);
	if (change->target == CB_TARGET_VM && change->action == CB_ACTION_DELETE && transaction &&
	    removes(transaction, change->name))
		render_kept(out, change);
}

static const struct cb_transaction *transaction_of(const struct cb_plan *plan,
						   enum cb_target target, const char *name)
{
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		if (cb_transaction_is_about(transaction, target, name))
			return transaction;
	}
	return NULL;
}

/* What is made for several, and belongs to no change. */
static void render_provisional(struct cb_str *out, const struct cb_planned *planned,
			       enum cb_colour colour)
{
	cb_vec_each (const struct cb_transaction, transaction, &planned->plan.transactions) {
		if (!transaction->provisional)
			continue;
		cb_tint(out, colour, CB_TINT_ADD, "+");
		cb_str_printf(out, " %s '%s' will be made for those that wait for it\n",
			      cb_target_name(transaction->target), transaction->name);
		render_steps(out, &planned->plan, transaction, colour);
	}
}

/* What several changes belong to. */
static void render_groups(struct cb_str *out, const struct cb_plan *plan, enum cb_colour colour)
{
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		if (!transaction->members.len)
			continue;
		cb_tint(out, colour, CB_TINT_CHANGE, "~");
		cb_str_printf(out, " group '%s': all of these or none:", transaction->name);
		cb_vec_each (const struct cb_member, member, &transaction->members)
			cb_str_printf(out, "%s %s '%s'",
				      member == transaction->members.items ? "" : ",",
				      cb_target_name(member->target), member->name);
		cb_str_add(out, "\n");
		render_steps(out, plan, transaction, colour);
	}
}

void cb_render_plan(struct cb_str *out, const struct cb_planned *planned, enum cb_colour colour)
{
	const struct cb_summary *sum = &planned->plan.summary;
	unsigned vms = 0;

	cb_vec_each (const struct cb_change, change, &planned->changes)
		vms += change->target == CB_TARGET_VM;
	render_provisional(out, planned, colour);
	cb_vec_each (const struct cb_change, change, &planned->changes)
		render_change(
			out, &planned->plan, change,
			has_error(&planned->plan.problems, change->name)
				? NULL
				: transaction_of(&planned->plan, change->target, change->name),
			colour);
	render_groups(out, &planned->plan, colour);
	if (sum->create + sum->update + sum->delete + sum->refused == 0) {
		cb_str_printf(out, "Nothing to do: %u vm%s as wanted on %s\n", vms,
			      vms == 1 ? " is" : "s are", planned->plan.uri);
		return;
	}
	cb_str_printf(out, "Plan for %s: %u to create, %u to change, %u to destroy, %u as wanted",
		      planned->plan.uri, sum->create, sum->update, sum->delete, sum->noop);
	if (sum->refused)
		cb_str_printf(out, ", %u refused", sum->refused);
	if (sum->restart)
		cb_str_printf(out, "; %u restart%s", sum->restart, sum->restart == 1 ? "" : "s");
	if (sum->data_loss)
		cb_str_printf(out, "; DATA LOSS on %u vm%s", sum->data_loss,
			      sum->data_loss == 1 ? "" : "s");
	cb_str_add(out, "\n");
}

void cb_render_results(struct cb_str *out, const struct cb_planned *planned,
		       const struct cb_results *results)
{
	static const char *const done[] = {"is as wanted", "created", "changed", "destroyed"};

	cb_vec_each (const struct cb_result, result, results) {
		const struct cb_transaction *transaction =
			transaction_of(&planned->plan, result->target, result->name);
		const char *what = cb_target_name(result->target);

		if (result->outcome == CB_OUTCOME_NOT_BEGUN)
			cb_str_printf(out, "%s '%s': not begun\n", what, result->name);
		else if (result->outcome == CB_OUTCOME_COMMITTED && transaction)
			cb_str_printf(out, "%s '%s': %s\n", what, result->name,
				      done[transaction->action]);
		else if (result->outcome == CB_OUTCOME_ROLLED_BACK && !result->code)
			cb_str_printf(out, "%s '%s': taken back; nothing has come to need it\n",
				      what, result->name);
		else if (result->outcome == CB_OUTCOME_ROLLED_BACK)
			cb_str_printf(out, "%s '%s': failed and taken back; it is as before\n",
				      what, result->name);
		else
			cb_str_printf(out, "%s '%s': stopped in between; transaction %s is open\n",
				      what, result->name, result->id);
	}
}
