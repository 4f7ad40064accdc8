#include <string.h>

#include "reconciler/render/colour.h"
#include "reconciler/render/render.h"

const char *cb_render_condition(const struct cb_change *change)
{
	if (change->refusal)
		return "refused";
	if (!change->domain)
		return "missing";
	if (change->action != CB_ACTION_NOOP)
		return "drift";
	return cb_diff_pending_restart(change->domain) ? "pending-restart" : "in-sync";
}

/* Ours, from the manifests that were read, but in none of them. */
static bool is_orphan(const struct cb_domain *domain, const struct cb_changes *changes)
{
	bool same_source = false;

	if (domain->ownership != CB_OURS)
		return false;
	cb_vec_each (const struct cb_change, change, changes) {
		if (change->domain == domain)
			return false;
		same_source = same_source || (change->vm && strcmp(change->vm->source,
								   domain->stamp->source) == 0);
	}
	return same_source;
}

static void line(struct cb_str *out, const char *name, const char *condition, const char *state,
		 const char *detail, enum cb_colour colour)
{
	size_t start = out->len;
	bool good = strcmp(condition, "in-sync") == 0;

	cb_str_add(out, name);
	cb_pad(out, start, 24);
	cb_str_add(out, state);
	cb_pad(out, start, 34);
	cb_tint(out, colour, good ? CB_TINT_ADD : CB_TINT_CHANGE, condition);
	if (detail[0])
		cb_str_printf(out, "  %s", detail);
	cb_str_add(out, "\n");
}

static const char *state_of(const struct cb_domain *domain)
{
	if (!domain)
		return "-";
	return domain->active ? "running" : "stopped";
}

static void detail_of(struct cb_str *out, const struct cb_change *change)
{
	if (change->refusal) {
		cb_str_add(out, change->refusal);
		return;
	}
	if (!change->domain)
		return;
	cb_vec_each (const struct cb_field_change, field, &change->fields)
		cb_str_printf(out, "%s%s", out->len ? ", " : "", field->path);
}

void cb_render_status(struct cb_str *out, const struct cb_observed *observed,
		      const struct cb_changes *changes, enum cb_colour colour)
{
	cb_vec_each (const struct cb_change, change, changes) {
		cb_auto_str struct cb_str detail = {0};

		detail_of(&detail, change);
		line(out, change->name, cb_render_condition(change), state_of(change->domain),
		     cb_str_text(&detail), colour);
	}
	cb_vec_each (const struct cb_domain, domain, &observed->domains) {
		if (is_orphan(domain, changes))
			line(out, domain->name, "orphan", state_of(domain),
			     "not in the manifest any more", colour);
	}
	if (out->len == 0)
		cb_str_add(out, "no vms\n");
}

static json_t *status_entry(const char *name, const struct cb_domain *domain, const char *condition,
			    const char *detail)
{
	return json_pack("{s:s,s:s,s:s,s:s?,s:s}", "name", name, "condition", condition, "state",
			 domain ? state_of(domain) : "absent", "uuid", domain ? domain->uuid : NULL,
			 "detail", detail);
}

json_t *cb_render_status_json(const struct cb_observed *observed, const struct cb_changes *changes)
{
	json_t *vms = json_array();

	cb_vec_each (const struct cb_change, change, changes) {
		cb_auto_str struct cb_str detail = {0};

		detail_of(&detail, change);
		json_array_append_new(vms, status_entry(change->name, change->domain,
							cb_render_condition(change),
							cb_str_text(&detail)));
	}
	cb_vec_each (const struct cb_domain, domain, &observed->domains) {
		if (is_orphan(domain, changes))
			json_array_append_new(vms,
					      status_entry(domain->name, domain, "orphan", ""));
	}
	return json_pack("{s:s,s:s,s:o}", "schema", "clonebox/status/v1", "host",
			 observed->host.uri, "vms", vms);
}

void cb_render_unfinished(struct cb_str *out, const struct cb_unfinished_list *list)
{
	cb_vec_each (const struct cb_unfinished, item, list) {
		cb_str_printf(out, "%s  %s of vm '%s' on %s, begun %s: %u of %u steps done%s%s%s\n",
			      item->id, item->action, item->name, item->uri, item->begun,
			      item->done, item->steps, item->going_back ? ", going back" : "",
			      item->holder ? "; running: " : "", item->holder ? item->holder : "");
	}
	if (list->len == 0)
		cb_str_add(out, "no unfinished transactions\n");
}

json_t *cb_render_unfinished_json(const struct cb_unfinished_list *list)
{
	json_t *array = json_array();

	cb_vec_each (const struct cb_unfinished, item, list)
		json_array_append_new(
			array,
			json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:b,s:s?}", "id", item->id, "host",
				  item->uri, "target", item->name, "action", item->action, "begun",
				  item->begun, "done", (int)item->done, "steps", (int)item->steps,
				  "going_back", (int)item->going_back, "holder", item->holder));
	return json_pack("{s:s,s:o}", "schema", "clonebox/recover/v1", "transactions", array);
}
