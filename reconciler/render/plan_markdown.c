/* A plan for a pull request: what matters on one screen, the steps folded away. */
#include <string.h>

#include "reconciler/render/render.h"

/* Text in a table's cell. */
static void cell(struct cb_str *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '|' || *p == '`' || *p == '<')
			cb_str_printf(out, "\\%c", *p);
		else if (*p == '\n')
			cb_str_add(out, " ");
		else
			cb_str_add_bytes(out, p, 1);
	}
}

static void value(struct cb_str *out, const struct cb_field_change *field,
		  const struct cb_value *shown)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *text = cb_value_text(&arena, shown);

	if (shown->kind == CB_NONE || !text[0])
		cb_str_add(out, "(none)");
	else
		cell(out, field->origin.sensitive ? "(sensitive)" : text);
}

static const struct cb_transaction *transaction_of(const struct cb_plan *plan,
						   const struct cb_change *change)
{
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		if (cb_transaction_is_about(transaction, change->target, change->name))
			return transaction;
	}
	return NULL;
}

static bool loses_data(const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (cb_spec_bool(&step->args, "data", false))
			return true;
	}
	return false;
}

static void change_row(struct cb_str *out, const struct cb_change *change,
		       const struct cb_transaction *transaction)
{
	cb_str_printf(out, "| %s | %s `%s` | ",
		      change->refusal ? "**refused**" : cb_action_name(change->action),
		      cb_target_name(change->target), change->name);
	if (transaction && loses_data(transaction))
		cb_str_add(out, "**data loss**");
	else
		cb_str_add(out, cb_cost_name(change->cost));
	cb_str_add(out, " | ");
	if (change->refusal)
		cell(out, change->refusal);
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (change->action != CB_ACTION_UPDATE || change->refusal)
			break;
		cb_str_printf(out, "%s`%s`: ", field == change->fields.items ? "" : "<br>",
			      field->path);
		value(out, field, &field->old);
		cb_str_add(out, " → ");
		value(out, field, &field->new);
	}
	cb_str_add(out, " |\n");
}

static void steps(struct cb_str *out, const struct cb_plan *plan)
{
	cb_str_add(out, "\n<details><summary>Steps</summary>\n\n");
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		cb_str_printf(out, "%s `%s`:\n\n", cb_target_name(transaction->target),
			      transaction->name);
		cb_vec_each (const struct cb_step, step, &transaction->steps) {
			cb_auto_str struct cb_str line = {0};

			cb_render_step(&line, step);
			cb_str_printf(out, "%u. ", step->n);
			cell(out, cb_str_text(&line));
			cb_str_add(out, step->n == transaction->point_of_no_return
						? " (from here on it cannot be taken back)\n"
						: "\n");
		}
		cb_str_add(out, "\n");
	}
	cb_str_add(out, "</details>\n");
}

void cb_render_plan_markdown(struct cb_str *out, const struct cb_planned *planned)
{
	const struct cb_plan *plan = &planned->plan;
	const struct cb_summary *sum = &plan->summary;

	cb_str_printf(out, "### clonebox plan for `%s`\n\n", plan->uri);
	cb_str_printf(out, "%u to create, %u to change, %u to destroy, %u as wanted", sum->create,
		      sum->update, sum->delete, sum->noop);
	if (sum->refused)
		cb_str_printf(out, ", **%u refused**", sum->refused);
	if (sum->data_loss)
		cb_str_printf(out, "; **data loss on %u**", sum->data_loss);
	cb_str_add(out, "\n");
	if (sum->create + sum->update + sum->delete + sum->refused > 0) {
		cb_str_add(out, "\n| action | what | cost | fields |\n|--|--|--|--|\n");
		cb_vec_each (const struct cb_change, change, &planned->changes) {
			if (change->action != CB_ACTION_NOOP || change->refusal)
				change_row(out, change, transaction_of(plan, change));
		}
	}
	cb_vec_each (const struct cb_problem, problem, &plan->problems) {
		cb_str_printf(out, "%s- **%s** ", problem == plan->problems.items ? "\n" : "",
			      problem->severity == CB_PROBLEM ? "error" : "warning");
		cell(out, problem->message);
		cb_str_add(out, "; ");
		cell(out, problem->fix ? problem->fix : "");
		cb_str_add(out, "\n");
	}
	if (plan->transactions.len > 0)
		steps(out, plan);
}
