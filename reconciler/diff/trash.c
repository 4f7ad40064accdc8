/* VMs in the trash. */
#include <string.h>

#include "reconciler/diff/diff_internal.h"

void cb_diff_restore(struct cb_arena *arena, const struct cb_domain *domain,
		     const struct cb_domains *domains, struct cb_change *out)
{
	const char *was = cb_spec_string(&domain->stamp->applied, CB_TRASH_WAS);

	*out = (struct cb_change){.name = domain->name,
				  .domain = domain,
				  .action = CB_ACTION_UPDATE,
				  .decision = CB_CASE_TRASH_RESTORE,
				  .aim = CB_AIM_STOPPED,
				  .restore = true};
	cb_vec_each (const struct cb_domain, other, domains) {
		if (strcmp(other->name, was) == 0)
			cb_diff_refuse(
				out, CB_CASE_TRASH_NAME_TAKEN,
				cb_arena_printf(arena,
						"'%s' was called '%s', and there is a domain "
						"of that name again",
						domain->name, was),
				"destroy or rename that one first");
	}
	cb_vec_push(arena, &out->fields,
		    ((struct cb_field_change){.path = "name",
					      .old = cb_string(domain->name),
					      .new = cb_string(was),
					      .decision = CB_CASE_TRASH_RESTORE}));
}

void cb_diff_purge(const struct cb_domain *domain, bool due, struct cb_change *out)
{
	*out = (struct cb_change){.name = domain->name,
				  .domain = domain,
				  .action = CB_ACTION_DELETE,
				  .decision = due ? CB_CASE_TRASH_DUE : CB_CASE_DELETE,
				  .aim = CB_AIM_STOPPED,
				  .due = due,
				  .cost = CB_COST_RECREATE};
}
