/* VMs of another installation: their stamps change hands. */
#include <string.h>

#include "reconciler/diff/diff_internal.h"

bool cb_diff_between_names(const struct cb_domain *domain)
{
	return strcmp(domain->name, domain->stamp->name) != 0 &&
	       (strstr(domain->name, CB_TRASH_MARK) || strstr(domain->stamp->name, CB_TRASH_MARK));
}

/* The name that the stamp says, if it is to be had and can be given. */
static void finish_rename(struct cb_arena *arena, const struct cb_domains *domains,
			  struct cb_change *out)
{
	const struct cb_domain *domain = out->domain;
	struct cb_field_change name = {.path = "name",
				       .old = cb_string(domain->name),
				       .new = cb_string(domain->stamp->name),
				       .decision = CB_CASE_OTHER_INSTALLATION};

	if (!cb_diff_between_names(domain) || domain->active)
		return;
	cb_vec_each (const struct cb_domain, other, domains) {
		if (strcmp(other->name, domain->stamp->name) == 0)
			return;
	}
	cb_vec_push(arena, &out->fields, name);
}

void cb_diff_hand_over(struct cb_arena *arena, const struct cb_domain *domain,
		       const struct cb_domains *domains, bool discard, struct cb_change *out)
{
	*out = (struct cb_change){.name = domain->name,
				  .domain = domain,
				  .action = CB_ACTION_UPDATE,
				  .decision = CB_CASE_OTHER_INSTALLATION,
				  .aim = CB_AIM_AS_FOUND,
				  .hand_over = true};
	if (!domain->persistent) {
		cb_diff_refuse(
			out, CB_CASE_TRANSIENT,
			cb_arena_printf(arena,
					"domain '%s' is transient: it has no definition to change",
					domain->name),
			"somebody undefined it while it ran; shut it down, then take over again");
		return;
	}
	if (!discard || cb_diff_is_protected(NULL, domain)) {
		finish_rename(arena, domains, out);
		return;
	}
	out->action = CB_ACTION_DELETE;
	out->decision = CB_CASE_NEVER_USED;
	out->aim = CB_AIM_STOPPED;
	out->cost = CB_COST_RECREATE;
}
