/* The first record of a journal: who changes what, from which manifest. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"
#include "reconciler/plan/codec.h"
#include "reconciler/reconcile/session_internal.h"

/* Texts that are longer stand there as their digest: whole scripts belong to the manifest. */
enum { TEXT_MAX = 200 };

/* NULL for a user without a name. */
static const char *name_of(struct cb_arena *arena, uid_t uid)
{
	char space[4096];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, space, sizeof(space), &found) != 0 || !found)
		return NULL;
	return cb_arena_strdup(arena, entry.pw_name);
}

/* Who logged in, before sudo or su: the kernel's word. Returns whether it says so. */
static bool login_of(uid_t *out)
{
	cb_auto_error struct cb_error ignored = {0};
	cb_auto_str struct cb_str text = {0};
	uint64_t uid;

	if (cb_fs_read("/proc/self/loginuid", 32, &text, &ignored) < 0 || !text.len ||
	    cb_parse_u64(text.text, &uid) < 0 || uid >= UINT32_MAX)
		return false;
	*out = (uid_t)uid;
	return true;
}

json_t *cb_session_who(void)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *user = name_of(&arena, getuid()), *login;
	json_t *who = json_pack("{s:i,s:i}", "uid", (int)getuid(), "pid", (int)getpid());
	struct utsname names;
	uid_t uid;

	if (!who)
		cb_oom();
	if (user)
		json_object_set_new(who, "user", json_string(user));
	if (uname(&names) == 0)
		json_object_set_new(who, "node", json_string(names.nodename));
	if (login_of(&uid) && uid != getuid()) {
		login = name_of(&arena, uid);
		json_object_set_new(
			who, "login",
			json_string(login ? login
					  : cb_arena_printf(&arena, "uid %u", (unsigned)uid)));
	}
	return who;
}

static json_t *value_json(const struct cb_field_change *field, const struct cb_value *value)
{
	if (field->origin.sensitive && value->kind != CB_NONE)
		return json_string("(sensitive)");
	if (value->kind == CB_STRING && strlen(value->string) > TEXT_MAX) {
		char digest[CB_SHA256_HEX];

		cb_digest_of(value->string, strlen(value->string), digest);
		return json_sprintf("(sha256 %s)", digest);
	}
	return cb_codec_value(value);
}

static json_t *fields_json(const struct cb_change *change)
{
	json_t *fields = json_array();

	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		json_t *json = json_pack(
			"{s:o,s:o,s:o}", "path",
			json_sprintf("%s.%s", cb_target_name(change->target), field->path), "old",
			value_json(field, &field->old), "new", value_json(field, &field->new));

		if (field->origin.file)
			json_object_set_new(
				json, "source",
				json_sprintf("%s:%u", field->origin.file, field->origin.line));
		json_array_append_new(fields, json);
	}
	return fields;
}

/* Adds the file with its digest, once. */
static void add_file(json_t *files, const struct cb_desired *desired, const char *name)
{
	size_t i;
	json_t *known;

	if (!name)
		return;
	json_array_foreach(files, i, known)
	{
		if (strcmp(json_string_value(json_object_get(known, "file")), name) == 0)
			return;
	}
	cb_vec_each (const struct cb_read_file, file, &desired->files) {
		if (strcmp(file->name, name) != 0)
			continue;
		json_array_append_new(files, json_pack("{s:s,s:o}", "file", name, "digest",
						       json_sprintf("sha256:%s", file->digest)));
		return;
	}
}

static const struct cb_change *change_of(const struct cb_planned *planned, enum cb_target target,
					 const char *name)
{
	cb_vec_each (const struct cb_change, change, &planned->changes) {
		if (change->target == target && strcmp(change->name, name) == 0)
			return change;
	}
	return NULL;
}

/* The manifest, those of its files that had a say, and the fields. */
static void add_change(json_t *begin, const struct cb_desired *desired,
		       const struct cb_change *change)
{
	const char *source = change->vm         ? change->vm->source
			     : change->declared ? change->declared->source
						: NULL;
	json_t *files;

	json_object_set_new(begin, "fields", fields_json(change));
	if (!source)
		return;
	files = json_array();
	add_file(files, desired,
		 change->vm ? change->vm->origin.file : change->declared->origin.file);
	cb_vec_each (const struct cb_field_change, field, &change->fields)
		add_file(files, desired, field->origin.file);
	json_object_set_new(begin, "source", json_string(source));
	json_object_set_new(begin, "manifests", files);
}

/* One entry for each member, in their order. */
static json_t *members_json(const struct cb_desired *desired, const struct cb_planned *planned,
			    const struct cb_transaction *transaction)
{
	json_t *out = json_array();

	cb_vec_each (const struct cb_member, member, &transaction->members) {
		const struct cb_change *change = change_of(planned, member->target, member->name);
		json_t *entry = json_object();

		if (change)
			add_change(entry, desired, change);
		json_array_append_new(out, entry);
	}
	return out;
}

json_t *cb_session_begin_record(struct cb_session *session, const struct cb_request *request,
				const struct cb_planned *planned,
				const struct cb_transaction *transaction)
{
	const struct cb_change *change = change_of(planned, transaction->target, transaction->name);
	json_t *begin = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "version",
				  session->config.version, "controller", session->controller,
				  "host", session->host.uri, "hostname", session->host.hostname,
				  "owner", request->desired->owner, "plan_hash", planned->plan.hash,
				  "by", json_deep_copy(session->who)); /* workers share it */

	if (!begin)
		cb_oom();
	if (change)
		add_change(begin, request->desired, change);
	if (transaction->members.len)
		json_object_set_new(begin, "members",
				    members_json(request->desired, planned, transaction));
	return begin;
}
