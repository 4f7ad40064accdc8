/* What a request of a dead run has brought after its transaction was taken back: volumes under the
 * names that it had chosen, and the domain with its stamp. Nothing else of it can be told from what
 * came after. Without records: it is looked at again by each sweep, and a sweep that dies has done
 * a part of its work. */
#include "reconciler/apply/step.h"

static int sweep_volume(struct cb_run *run, const struct cb_step *step, bool remove, bool *found,
			struct cb_error *err)
{
	bool there;
	int r = cb_run_name_taken(run, step, &there, err);

	/* No pool, no volume: nobody could have made it since. */
	if (r == -CB_E_CONFLICT) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0 || !there)
		return r;
	*found = true;
	if (!remove)
		return 0;
	cb_run_tell(run, CB_EVENT_UNDO, step, NULL);
	return cb_run_delete_volume(run, step, err);
}

static int sweep_domain(struct cb_run *run, const struct cb_step *step, bool remove, bool *found,
			struct cb_error *err)
{
	enum cb_probe state;
	int r = cb_step_DOMAIN_DEFINE.probe(run, step, &state, err);

	if (r < 0 || (state != CB_PROBE_DONE && state != CB_PROBE_PARTIAL))
		return r;
	*found = true;
	if (!remove)
		return 0;
	cb_run_tell(run, CB_EVENT_UNDO, step, NULL);
	return cb_step_DOMAIN_DEFINE.undo(run, step, err);
}

int cb_apply_sweep(struct cb_apply_context *context, struct cb_journal *journal,
		   const struct cb_transaction *transaction, bool remove, bool *found,
		   struct cb_error *err)
{
	struct cb_run run = {.context = context,
			     .driver = context->driver,
			     .journal = journal,
			     .transaction = transaction,
			     .recovering = true};
	int r = 0;

	*found = false;
	for (size_t i = transaction->steps.len; r == 0 && i-- > 0;) {
		const struct cb_step *step = &transaction->steps.items[i];

		/* What was never intended was never asked for. */
		if (cb_journal_state(journal, step->n) != CB_STEP_UNDONE)
			continue;
		if (step->kind == CB_STEP_KIND_VOLUME_CREATE ||
		    step->kind == CB_STEP_KIND_IMAGE_IMPORT ||
		    step->kind == CB_STEP_KIND_SEED_CREATE)
			r = sweep_volume(&run, step, remove, found, err);
		else if (step->kind == CB_STEP_KIND_DOMAIN_DEFINE)
			r = sweep_domain(&run, step, remove, found, err);
	}
	return r;
}
