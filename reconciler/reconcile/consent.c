/* Consent that comes after a transaction was begun: said by whoever runs the command now, written
 * into the journal of what is settled. */
#include <string.h>

#include "reconciler/reconcile/session_internal.h"

/* Whether a request is about the VM: it is named, or nothing is and the manifests have it. */
static bool asks_for(const struct cb_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_names; i++) {
		if (strcmp(request->names[i], name) == 0)
			return true;
	}
	cb_vec_each (const struct cb_vm, vm, &request->desired->vms) {
		if (request->n_names == 0 && strcmp(vm->name, name) == 0)
			return true;
	}
	return false;
}

json_t *cb_session_consents(void *ctx, const struct cb_step *step)
{
	struct cb_session *session = ctx;
	const struct cb_late_consent *consent = &session->consent;
	json_t *detail;

	if (!consent->force_off || (consent->about && !asks_for(consent->about, step->target)))
		return NULL;
	detail = json_pack("{s:s,s:i,s:o}", "why", "the plug may be pulled (--allow-force-off)",
			   "timeout", (int)consent->shutdown_timeout, "by", cb_session_who());
	if (!detail)
		cb_oom();
	return detail;
}

void cb_session_consent(struct cb_session *session, const struct cb_late_consent *consent)
{
	session->consent = *consent;
}
