/* Directories that are to be shared, looked at before planning. They are the host's: on another
 * machine they cannot be looked at, and a libvirt on this one may still see other files than we do.
 * So nothing is refused here; a machine that cannot start for the lack of one is rolled back. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "reconciler/model/field.h"
#include "reconciler/reconcile/session_internal.h"

static void warn(struct cb_arena *arena, const struct cb_change *change,
		 const struct cb_field_change *field, const char *check, const char *message,
		 const char *fix, struct cb_problems *problems)
{
	struct cb_problem problem = {.severity = CB_WARNING,
				     .check = check,
				     .target = change->name,
				     .message = message,
				     .fix = fix,
				     .origin = field->origin};

	cb_vec_push(arena, problems, problem);
}

static void look_at(const struct cb_session *session, struct cb_arena *arena,
		    const struct cb_change *change, const struct cb_field_change *field,
		    struct cb_problems *problems)
{
	const char *path = field->new.string, *why = NULL;
	struct stat st;

	if (!session->host.local) {
		warn(arena, change, field, "path.unseen",
		     cb_arena_printf(arena,
				     "whether the host '%s' has the directory '%s' is not known",
				     session->host.hostname, path),
		     "it is the host's own, not one of this machine: make sure that it is there",
		     problems);
		return;
	}
	if (stat(path, &st) == 0)
		why = S_ISDIR(st.st_mode) ? NULL : "is not a directory";
	else if (errno == ENOENT || errno == ENOTDIR)
		why = "is not there";
	/* Whoever may not look may still share it. */
	if (why)
		warn(arena, change, field, "path.missing",
		     cb_arena_printf(arena,
				     "the directory '%s' %s, as this machine sees it: the vm will "
				     "not start",
				     path, why),
		     cb_arena_printf(arena, "check the path, or make it: mkdir -p '%s'", path),
		     problems);
}

void cb_session_look_at_paths(const struct cb_session *session, struct cb_arena *arena,
			      const struct cb_changes *changes, struct cb_problems *problems)
{
	cb_vec_each (const struct cb_change, change, changes) {
		if (change->refusal || change->target != CB_TARGET_VM ||
		    (change->action != CB_ACTION_CREATE && change->action != CB_ACTION_UPDATE))
			continue;
		cb_vec_each (const struct cb_field_change, field, &change->fields) {
			if (cb_field_element(arena, "paths", field->path) &&
			    !strchr(field->path, ']')[1] && field->new.kind == CB_STRING)
				look_at(session, arena, change, field, problems);
		}
	}
}
