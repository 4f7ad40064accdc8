#include <string.h>

#include "reconciler/render/colour.h"
#include "reconciler/render/render.h"

const char *cb_render_condition(const struct cb_change *change)
{
	if (change->domain && change->domain->stray)
		return "stray";
	if (change->refusal)
		return "refused";
	if (change->due)
		return "trash";
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

	if (domain->ownership != CB_OURS || cb_stamp_is_trash(domain->stamp))
		return false;
	cb_vec_each (const struct cb_change, change, changes) {
		if (change->domain == domain)
			return false;
		same_source = same_source || (change->vm && strcmp(change->vm->source,
								   domain->stamp->source) == 0);
	}
	return same_source;
}

/* One row, as text and JSON show it. */
struct row {
	const char *host, *name, *condition, *detail;
	const struct cb_domain *domain; /* NULL: it is not there */
	const struct cb_addresses *addresses;
};

static const char *state_of(const struct cb_domain *domain)
{
	if (!domain)
		return "-";
	return domain->active ? "running" : "stopped";
}

/* "20260131T125002Z-1a2b3c4d" began with a time. */
static const char *changed_at(struct cb_arena *arena, const struct cb_domain *domain)
{
	const char *id = domain && domain->stamp ? domain->stamp->transaction : "";

	if (strlen(id) < strlen("20260131T125002Z"))
		return "";
	return cb_arena_printf(arena,
			       "%.4s-%.2s-%.2s"
			       "T"
			       "%.2s:%.2s:%.2s"
			       "Z",
			       id, id + 4, id + 6, id + 9, id + 11, id + 13);
}

static void add_addresses(struct cb_str *out, const struct cb_addresses *addresses)
{
	cb_vec_each (const struct cb_address, address, addresses)
		cb_str_printf(out, "%s%s", address == addresses->items ? "" : ",",
			      address->address);
}

static void add_line(struct cb_str *out, const struct row *row, enum cb_colour colour)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str addresses = {0};
	size_t start = out->len;
	bool good = strcmp(row->condition, "in-sync") == 0;

	if (row->addresses)
		add_addresses(&addresses, row->addresses);
	cb_str_add(out, row->name);
	cb_pad(out, start, 24);
	cb_str_printf(out, " %s", state_of(row->domain));
	cb_pad(out, start, 34);
	cb_str_add(out, addresses.len ? addresses.text : "-");
	cb_pad(out, start, 52);
	cb_str_printf(out, " %s", row->domain ? changed_at(&arena, row->domain) : "-");
	cb_pad(out, start, 75);
	cb_tint(out, colour, good ? CB_TINT_ADD : CB_TINT_CHANGE, row->condition);
	if (row->detail[0])
		cb_str_printf(out, "  %s", row->detail);
	cb_str_add(out, "\n");
}

/* It runs behind libvirt's back. */
static void add_stray(struct cb_str *out, const struct cb_domain *domain)
{
	cb_str_printf(out, CB_STRAY_SAYS "; " CB_STRAY_TRY, domain->stray, domain->name,
		      domain->stray, domain->stray);
}

static void detail_of(struct cb_str *out, const struct cb_change *change)
{
	if (change->domain && change->domain->stray) {
		add_stray(out, change->domain);
		return;
	}
	if (change->refusal) {
		cb_str_add(out, change->refusal);
		return;
	}
	if (!change->domain || change->action == CB_ACTION_NOOP)
		return;
	cb_vec_each (const struct cb_field_change, field, &change->fields)
		cb_str_printf(out, "%s%s", out->len ? ", " : "", field->path);
}

/* Every VM of the manifests, then what they had made and do not speak of any more. */
static void each_row(const struct cb_status *status, void (*show)(void *ctx, const struct row *row),
		     void *ctx)
{
	struct row row = {.host = status->host};

	cb_vec_each (const struct cb_change, change, status->changes) {
		cb_auto_str struct cb_str detail = {0};

		if (change->target != CB_TARGET_VM || change->due)
			continue;
		detail_of(&detail, change);
		row.name = change->name;
		row.condition = cb_render_condition(change);
		row.domain = change->domain;
		row.detail = cb_str_text(&detail);
		row.addresses = change->domain ? &status->addresses[change->domain -
								    status->observed->domains.items]
					       : NULL;
		show(ctx, &row);
	}
	cb_vec_each (const struct cb_domain, domain, &status->observed->domains) {
		cb_auto_str struct cb_str detail = {0};

		if (!is_orphan(domain, status->changes))
			continue;
		if (domain->stray)
			add_stray(&detail, domain);
		row.name = domain->name;
		row.condition = domain->stray ? "stray" : "orphan";
		row.domain = domain;
		row.detail = domain->stray ? detail.text : "not in the manifest any more";
		row.addresses = &status->addresses[domain - status->observed->domains.items];
		show(ctx, &row);
	}
}

struct text {
	struct cb_str *out;
	enum cb_colour colour;
	unsigned rows;
};

static void show_text(void *ctx, const struct row *row)
{
	struct text *text = ctx;

	if (text->rows++ == 0)
		cb_tint(text->out, text->colour, CB_TINT_DIM,
			"NAME                     STATE    ADDRESS            CHANGED              "
			" "
			"CONDITION\n");
	add_line(text->out, row, text->colour);
}

/* Networks and pools are told of where they are not as wanted. */
static void add_others(struct cb_str *out, const struct cb_status *status, enum cb_colour colour)
{
	cb_vec_each (const struct cb_change, change, status->changes) {
		cb_auto_str struct cb_str line = {0};

		if (change->target == CB_TARGET_VM ||
		    (change->action == CB_ACTION_NOOP && !change->refusal))
			continue;
		cb_str_printf(&line, "%s '%s': %s\n", cb_target_name(change->target), change->name,
			      change->refusal                      ? change->refusal
			      : change->action == CB_ACTION_CREATE ? "missing"
								   : "not as wanted");
		cb_tint(out, colour, CB_TINT_CHANGE, line.text);
	}
}

void cb_render_status(struct cb_str *out, const struct cb_status *status, enum cb_colour colour)
{
	struct text text = {out, colour, 0};

	each_row(status, show_text, &text);
	if (text.rows == 0)
		cb_str_add(out, "no vms\n");
	add_others(out, status, colour);
}

static void show_json(void *ctx, const struct row *row)
{
	cb_auto_arena struct cb_arena arena = {0};
	const struct cb_domain *domain = row->domain;
	json_t *addresses = json_array(), *json;

	for (size_t i = 0; row->addresses && i < row->addresses->len; i++)
		json_array_append_new(addresses, json_string(row->addresses->items[i].address));
	json = json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:o,s:s}", "name", row->name, "host", row->host,
			 "condition", row->condition, "state", domain ? state_of(domain) : "absent",
			 "uuid", domain ? domain->uuid : NULL, "detail", row->detail, "addresses",
			 addresses, "changed", changed_at(&arena, domain));
	if (domain && domain->stamp)
		json_object_set_new(json, "generation",
				    json_integer((json_int_t)domain->stamp->generation));
	json_array_append_new(ctx, json);
}

void cb_render_status_json(json_t *vms, const struct cb_status *status)
{
	each_row(status, show_json, vms);
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

void cb_render_trash(struct cb_str *out, const struct cb_domains *domains)
{
	size_t rows = 0;

	cb_vec_each (const struct cb_domain, domain, domains) {
		size_t start;

		if (domain->ownership != CB_OURS || !cb_stamp_is_trash(domain->stamp))
			continue;
		if (rows++ == 0)
			cb_str_add(out, "WAS                      KEPT UNTIL            NAME\n");
		start = out->len;
		cb_str_add(out, cb_spec_string(&domain->stamp->applied, CB_TRASH_WAS));
		cb_pad(out, start, 24);
		cb_str_printf(out, " %s", cb_spec_string(&domain->stamp->applied, CB_TRASH_UNTIL));
		cb_pad(out, start, 46);
		cb_str_printf(out, " %s\n", domain->name);
	}
	if (rows == 0)
		cb_str_add(out, "the trash is empty\n");
}

void cb_render_trash_json(json_t *vms, const struct cb_domains *domains)
{
	cb_vec_each (const struct cb_domain, domain, domains) {
		json_t *volumes = json_array();

		if (domain->ownership != CB_OURS || !cb_stamp_is_trash(domain->stamp)) {
			json_decref(volumes);
			continue;
		}
		cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes)
			json_array_append_new(volumes, json_string(volume->path));
		json_array_append_new(
			vms,
			json_pack("{s:s,s:s,s:s,s:s,s:o}", "name", domain->name, "was",
				  cb_spec_string(&domain->stamp->applied, CB_TRASH_WAS), "until",
				  cb_spec_string(&domain->stamp->applied, CB_TRASH_UNTIL), "uuid",
				  domain->uuid, "volumes", volumes));
	}
}
