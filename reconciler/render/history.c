#include "reconciler/render/history.h"

#include <inttypes.h>
#include <string.h>

#include "reconciler/plan/codec.h"

static void add_value(struct cb_str *out, const struct cb_value *value)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_str_add(out, value->kind == CB_NONE ? "none" : cb_value_text(&arena, value));
}

/* "alice as root on node1" */
static void add_who(struct cb_str *out, const struct cb_past *past)
{
	if (past->login)
		cb_str_printf(out, "%s as ", past->login);
	if (past->user)
		cb_str_add(out, past->user);
	else
		cb_str_printf(out, "uid %" PRId64, past->uid);
	if (past->node)
		cb_str_printf(out, " on %s", past->node);
}

static void add_field(struct cb_str *out, const struct cb_past_field *field)
{
	cb_str_printf(out, "    %s: ", field->path);
	add_value(out, &field->old);
	cb_str_add(out, " -> ");
	add_value(out, &field->new);
	cb_str_printf(out, "  %s\n", field->source ? field->source : "default");
}

static void add_past(struct cb_str *out, const struct cb_past *past)
{
	bool create = past->action && strcmp(past->action, "create") == 0;

	cb_str_printf(out, "%s  %s  %s of %s '%s' on %s: %s", past->id,
		      past->begun ? past->begun : "?", past->action ? past->action : "?",
		      cb_target_name(past->target), past->name ? past->name : "?",
		      past->uri ? past->uri : "?", past->outcome);
	if (past->group)
		cb_str_printf(out, ", with group '%s'", past->group);
	cb_str_add(out, "\n");
	cb_str_add(out, "    by ");
	add_who(out, past);
	if (past->source)
		cb_str_printf(out, ", from %s", past->source);
	cb_vec_each (const struct cb_read_file, file, &past->files)
		cb_str_printf(out, "%s %s (%.19s)", file == past->files.items ? ":" : ",",
			      file->name, file->digest);
	cb_str_add(out, "\n");
	if (past->why)
		cb_str_printf(out, "    why: %s\n", past->why);
	/* Of what is new everything is. */
	if (create && past->fields.len > 0)
		cb_str_printf(out, "    %zu fields\n", past->fields.len);
	if (!create) {
		cb_vec_each (const struct cb_past_field, field, &past->fields)
			add_field(out, field);
	}
}

static bool is_about(const struct cb_past *past, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cb_past_is_about(past, names[i]))
			return true;
	}
	return n == 0;
}

void cb_render_history(struct cb_str *out, const struct cb_history *history,
		       const struct cb_history_filter *filter)
{
	size_t shown = 0;

	cb_vec_each (const struct cb_past, past, &history->past) {
		if (!is_about(past, filter->names, filter->n_names))
			continue;
		if (filter->limit && shown == filter->limit)
			break;
		add_past(out, past);
		shown++;
	}
	if (shown == 0)
		cb_str_add(out, "no transactions\n");
}

static void set_text(json_t *json, const char *key, const char *text)
{
	json_object_set_new(json, key, text ? json_string(text) : json_null());
}

static json_t *who_json(const struct cb_past *past)
{
	json_t *json =
		json_pack("{s:I,s:I}", "uid", (json_int_t)past->uid, "pid", (json_int_t)past->pid);

	set_text(json, "user", past->user);
	set_text(json, "login", past->login);
	set_text(json, "node", past->node);
	return json;
}

static json_t *past_json(const struct cb_past *past)
{
	json_t *json = json_object(), *files = json_array(), *fields = json_array();

	cb_vec_each (const struct cb_read_file, file, &past->files)
		json_array_append_new(
			files, json_pack("{s:s,s:s}", "file", file->name, "digest", file->digest));
	cb_vec_each (const struct cb_past_field, field, &past->fields) {
		json_t *item =
			json_pack("{s:s,s:o,s:o}", "path", field->path, "old",
				  cb_codec_value(&field->old), "new", cb_codec_value(&field->new));

		set_text(item, "source", field->source);
		json_array_append_new(fields, item);
	}
	set_text(json, "id", past->id);
	set_text(json, "host", past->uri);
	set_text(json, "kind", cb_target_name(past->target));
	set_text(json, "target", past->name);
	set_text(json, "group", past->group);
	set_text(json, "action", past->action);
	set_text(json, "begun", past->begun);
	set_text(json, "finished", past->finished);
	set_text(json, "result", past->outcome);
	set_text(json, "why", past->why);
	set_text(json, "version", past->version);
	set_text(json, "owner", past->owner);
	set_text(json, "plan_hash", past->plan_hash);
	set_text(json, "source", past->source);
	json_object_set_new(json, "by", who_json(past));
	json_object_set_new(json, "manifests", files);
	json_object_set_new(json, "fields", fields);
	return json;
}

static json_t *lost_json(const struct cb_history *history)
{
	json_t *array = json_array();

	cb_vec_each (const struct cb_lost, lost, &history->lost)
		json_array_append_new(
			array, json_pack("{s:s,s:s}", "id", lost->id, "message", lost->message));
	return array;
}

json_t *cb_render_history_json(const struct cb_history *history,
			       const struct cb_history_filter *filter)
{
	json_t *array = json_array();

	cb_vec_each (const struct cb_past, past, &history->past) {
		if (!is_about(past, filter->names, filter->n_names))
			continue;
		if (filter->limit && json_array_size(array) == filter->limit)
			break;
		json_array_append_new(array, past_json(past));
	}
	return json_pack("{s:s,s:o,s:o}", "schema", "clonebox/history/v1", "transactions", array,
			 "damaged", lost_json(history));
}

/* Blame. --------------------------------------------------------------------------------------- */

/* "vm.disks[root].size_gb" is meant by itself, by "disks[root].size_gb", and by what it is a part
 * of: "disks[root]", "vm.disks". */
static bool is_meant(const char *path, const char *wanted)
{
	static const char prefix[] = "vm.";
	size_t len;

	if (!wanted)
		return true;
	if (strncmp(path, prefix, strlen(prefix)) == 0)
		path += strlen(prefix);
	if (strncmp(wanted, prefix, strlen(prefix)) == 0)
		wanted += strlen(prefix);
	len = strlen(wanted);
	return strncmp(path, wanted, len) == 0 &&
	       (!path[len] || path[len] == '.' || path[len] == '[');
}

static size_t count_meant(const struct cb_life *life, const char *path)
{
	size_t n = 0;

	cb_vec_each (const struct cb_blame, blame, &life->fields)
		n += is_meant(blame->field->path, path);
	return n;
}

size_t cb_render_blame(struct cb_str *out, const char *name, const struct cb_lives *lives,
		       const char *path)
{
	size_t told = 0;

	cb_vec_each (const struct cb_life, life, lives) {
		size_t n = count_meant(life, path);

		if (n == 0 && !life->removed)
			continue;
		told += life->removed ? 1 : n;
		cb_str_printf(out, "vm '%s' on %s", name, life->uri);
		if (life->removed) {
			cb_str_printf(out, ": removed %s, by ", life->removed->finished);
			add_who(out, life->removed);
			cb_str_printf(out, ", %s\n", life->removed->id);
			continue;
		}
		cb_str_add(out, "\n");
		cb_vec_each (const struct cb_blame, blame, &life->fields) {
			if (!is_meant(blame->field->path, path))
				continue;
			cb_str_printf(out, "  %s  %s  ", blame->by->id, blame->by->finished);
			add_who(out, blame->by);
			cb_str_printf(out, "  %s: ", blame->field->path);
			add_value(out, &blame->field->new);
			cb_str_printf(out, "  %s\n",
				      blame->field->source ? blame->field->source : "default");
		}
	}
	return told;
}

static json_t *blame_json(const struct cb_blame *blame)
{
	json_t *json = json_pack("{s:s,s:o,s:s,s:o}", "path", blame->field->path, "value",
				 cb_codec_value(&blame->field->new), "transaction", blame->by->id,
				 "by", who_json(blame->by));

	set_text(json, "source", blame->field->source);
	set_text(json, "when", blame->by->finished);
	set_text(json, "manifest", blame->by->source);
	return json;
}

json_t *cb_render_blame_json(const char *name, const struct cb_lives *lives, const char *path)
{
	json_t *hosts = json_array();

	cb_vec_each (const struct cb_life, life, lives) {
		json_t *fields = json_array(), *host;

		cb_vec_each (const struct cb_blame, blame, &life->fields) {
			if (is_meant(blame->field->path, path))
				json_array_append_new(fields, blame_json(blame));
		}
		host = json_pack("{s:s,s:o}", "host", life->uri, "fields", fields);
		json_object_set_new(host, "removed",
				    life->removed ? past_json(life->removed) : json_null());
		json_array_append_new(hosts, host);
	}
	return json_pack("{s:s,s:s,s:o}", "schema", "clonebox/blame/v1", "vm", name, "hosts",
			 hosts);
}
