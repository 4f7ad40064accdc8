/*
 * domain.define {uuid, name} + set, stamp
 * domain.update {uuid, fingerprint} + set, stamp     fingerprint: of the document that is changed
 * domain.undefine {uuid, fingerprint, autostart}
 */
#include <string.h>

#include "reconciler/apply/step.h"

static const struct cb_driver_ops *ops_of(const struct cb_run *run)
{
	return run->driver->ops;
}

/* Reads the step's domain; *found says whether it is there. */
static int look(struct cb_run *run, struct cb_arena *arena, const struct cb_step *step, bool *found,
		struct cb_domain *out, struct cb_error *err)
{
	int r = ops_of(run)->domain(run->driver, arena, cb_step_arg(step, "uuid"), out, err);

	*found = r == 0;
	return r == -CB_E_NOT_FOUND ? 0 : r;
}

static bool written_here(const struct cb_run *run, const struct cb_domain *domain)
{
	return domain->stamp && strcmp(domain->stamp->transaction, run->transaction->id) == 0;
}

/* The document as it stands after the effect: undo compares with it. */
static int learn_fingerprint(struct cb_run *run, const struct cb_step *step, json_t **out,
			     struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	*out = r == 0 && found && domain.fingerprint
		       ? json_pack("{s:s}", "fingerprint", domain.fingerprint)
		       : NULL;
	return r;
}

/* Whether a person has edited the document since this transaction wrote it. */
static int edited_since(struct cb_run *run, const struct cb_step *step, bool *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *written = json_string_value(
		json_object_get(cb_journal_detail(run->journal, step->n), "fingerprint"));
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	*out = r == 0 && found && written && domain.fingerprint &&
	       strcmp(domain.fingerprint, written) != 0;
	return r;
}

static int define_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	if (r < 0)
		return r;
	if (!found)
		*out = CB_PROBE_ABSENT;
	else
		*out = written_here(run, &domain) ? CB_PROBE_DONE : CB_PROBE_FOREIGN;
	return 0;
}

static int define(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_domain_new domain = {.uuid = cb_step_arg(step, "uuid"),
					     .name = cb_step_arg(step, "name"),
					     .set = &step->set,
					     .stamp = step->stamp};

	return ops_of(run)->domain_define(run->driver, &domain, err);
}

static int undefine(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = ops_of(run)->domain_undefine(run->driver, cb_step_arg(step, "uuid"), err);

	return r == -CB_E_NOT_FOUND ? 0 : r;
}

/* The pre-image, with its secrets, goes into a file of its own that the journal removes at close.
 */
static int save_document(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	struct cb_str document = {0};
	int r = ops_of(run)->domain_document(run->driver, cb_step_arg(step, "uuid"), &document,
					     err);

	if (r == 0)
		r = cb_journal_save(run->journal, step->n, cb_str_text(&document), document.len,
				    err);
	cb_str_wipe(&document);
	return r;
}

/* What the machine has is about to change: not behind the back of one that runs. */
static int prepare(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = cb_run_prepare_alone(run, step, err);

	return r < 0 ? r : save_document(run, step, err);
}

static int restore_document(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	struct cb_str document = {0};
	int r = cb_journal_load(run->journal, step->n, &document, err);

	if (r == 0)
		r = ops_of(run)->domain_restore(run->driver, cb_str_text(&document), err);
	cb_str_wipe(&document);
	return r;
}

/* A person's edit on top of ours is not thrown away. */
static int undo_update(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	bool edited;
	int r = edited_since(run, step, &edited, err);

	if (r < 0 || !edited)
		return r < 0 ? r : restore_document(run, step, err);
	cb_run_tell(run, CB_EVENT_KEPT, step, "the definition has been changed by hand since");
	return 0;
}

/* What is defined to start with the host runs again after a power cut, also while it is being taken
 * back: it is stopped once more. */
static int stop_again(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = run->recovering ? look(run, &arena, step, &found, &domain, err) : 0;

	if (r < 0 || !run->recovering || !found || !domain.active)
		return r;
	return ops_of(run)->domain_power_off(run->driver, cb_step_arg(step, "uuid"), err);
}

static int undo_define(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	bool edited;
	int r = edited_since(run, step, &edited, err);

	if (r == 0 && !edited)
		r = stop_again(run, step, err);
	if (r == 0 && !edited)
		r = cb_run_prepare_alone(run, step, err);
	if (r < 0 || !edited)
		return r < 0 ? r : undefine(run, step, err);
	(void)cb_error_set(err, CB_E_CONFLICT, "domain '%s' has been changed by hand since",
			   step->target);
	return cb_error_hint(err,
			     "finish with `clonebox transaction resume`, or undefine it yourself");
}

static int update_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	if (r < 0)
		return r;
	if (found && written_here(run, &domain))
		*out = CB_PROBE_DONE;
	else if (found && domain.fingerprint &&
		 strcmp(domain.fingerprint, cb_step_arg(step, "fingerprint")) == 0)
		*out = CB_PROBE_ABSENT;
	else
		*out = CB_PROBE_FOREIGN; /* gone, or edited by a person in between */
	return 0;
}

static int update(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_domain_edit edit = {.uuid = cb_step_arg(step, "uuid"),
					    .fingerprint = cb_step_arg(step, "fingerprint"),
					    .set = &step->set,
					    .stamp = step->stamp};

	return ops_of(run)->domain_update(run->driver, &edit, err);
}

static int undefine_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	if (r < 0)
		return r;
	*out = found ? CB_PROBE_ABSENT : CB_PROBE_DONE;
	return 0;
}

/* What a run that died has put back already may have been edited by a person since. */
static int undo_undefine(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	if (r == 0 && !(found && domain.persistent))
		r = restore_document(run, step, err);
	if (r == 0 && cb_spec_bool(&step->args, "autostart", false))
		r = ops_of(run)->domain_autostart(run->driver, cb_step_arg(step, "uuid"), true,
						  err);
	return r;
}

/* The document must still be the one that was planned on: a person's edit is not thrown away. */
static int undefine_checked(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	if (r < 0 || !found)
		return r;
	if (!domain.fingerprint ||
	    strcmp(domain.fingerprint, cb_step_arg(step, "fingerprint")) != 0) {
		(void)cb_error_set(err, CB_E_CONFLICT,
				   "domain '%s' has been changed since it was planned",
				   domain.name);
		return cb_error_hint(err, "look at it, then plan again");
	}
	if ((r = undefine(run, step, err)) < 0 ||
	    (r = look(run, &arena, step, &found, &domain, err)) < 0 || !found)
		return r;
	/* libvirt undefines what somebody has started meanwhile, too; it would be gone with its
	 * next shutdown, and nobody would know of its volumes. */
	if ((r = undo_undefine(run, step, err)) < 0)
		return r;
	(void)cb_error_set(err, CB_E_CONFLICT, "domain '%s' was started by somebody else meanwhile",
			   domain.name);
	return cb_error_hint(err, "ask them, then run the same command again");
}

/* Which is written first: a machine under its old name with its new stamp is halfway there. */
static bool has_stamp(const struct cb_domain *domain, const struct cb_stamp *stamp)
{
	return stamp && domain->stamp && domain->stamp->generation == stamp->generation &&
	       strcmp(domain->stamp->transaction, stamp->transaction) == 0;
}

static int rename_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	bool found;
	int r = look(run, &arena, step, &found, &domain, err);

	if (r < 0)
		return r;
	if (found && strcmp(domain.name, cb_step_arg(step, "name")) == 0)
		*out = CB_PROBE_DONE;
	else if (found && strcmp(domain.name, cb_step_arg(step, "old")) == 0)
		*out = has_stamp(&domain, step->stamp) ? CB_PROBE_PARTIAL : CB_PROBE_ABSENT;
	else
		*out = CB_PROBE_FOREIGN;
	return 0;
}

static int rename_domain(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return ops_of(run)->domain_rename(run->driver, cb_step_arg(step, "uuid"),
					  cb_step_arg(step, "name"), step->stamp, err);
}

/* The name goes back first: the document that was saved bears the old one. */
static int undo_rename(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = ops_of(run)->domain_rename(run->driver, cb_step_arg(step, "uuid"),
					   cb_step_arg(step, "old"), NULL, err);

	return r < 0 ? r : restore_document(run, step, err);
}

const struct cb_step_ops cb_step_DOMAIN_RENAME = {
	.probe = rename_probe, .prepare = prepare, .perform = rename_domain, .undo = undo_rename};
const struct cb_step_ops cb_step_DOMAIN_DEFINE = {
	.probe = define_probe, .perform = define, .learn = learn_fingerprint, .undo = undo_define};
const struct cb_step_ops cb_step_DOMAIN_UPDATE = {.probe = update_probe,
						  .prepare = prepare,
						  .perform = update,
						  .learn = learn_fingerprint,
						  .undo = undo_update};
const struct cb_step_ops cb_step_DOMAIN_UNDEFINE = {.undone_in_parts = true,
						    .probe = undefine_probe,
						    .prepare = prepare,
						    .perform = undefine_checked,
						    .undo = undo_undefine};
