#include "reconciler/plan/codec.h"

#include <string.h>

json_t *cb_codec_value(const struct cb_value *value)
{
	switch (value->kind) {
	case CB_NONE:
		return json_null();
	case CB_BOOL:
		return json_boolean(value->boolean);
	case CB_INT:
		return json_integer(value->integer);
	case CB_STRING:
		return json_string(value->string);
	}
	return json_null();
}

json_t *cb_codec_spec(const struct cb_spec *spec)
{
	json_t *object = json_object();

	cb_vec_each (const struct cb_entry, entry, spec)
		json_object_set_new(object, entry->path, cb_codec_value(&entry->value));
	return object;
}

static json_t *stamp_json(const struct cb_stamp *stamp)
{
	json_t *volumes = json_array(), *said = json_object(), *defaults = json_object();

	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes)
		json_array_append_new(volumes,
				      json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "role", volume->role,
						"pool", volume->pool, "name", volume->name, "path",
						volume->path, "deletion",
						cb_deletion_name(volume->deletion), "digest",
						volume->digest));
	cb_vec_each (const struct cb_entry, entry, &stamp->applied)
		json_object_set_new(entry->origin.from == CB_FROM_DEFAULT ? defaults : said,
				    entry->path, cb_codec_value(&entry->value));
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:o,s:o}", "owner", stamp->owner, "name",
			 stamp->name, "source", stamp->source, "uuid", stamp->uuid, "controller",
			 stamp->controller, "transaction", stamp->transaction, "generation",
			 (json_int_t)stamp->generation, "volumes", volumes, "applied", said,
			 "defaults", defaults);
}

static json_t *step_json(const struct cb_step *step)
{
	json_t *json =
		json_pack("{s:i,s:s,s:s,s:b,s:o}", "n", (int)step->n, "action",
			  cb_step_name(step->kind), "target", step->target, "reversible",
			  step->reversible == CB_REVERSIBLE, "args", cb_codec_spec(&step->args));

	if (step->set.len)
		json_object_set_new(json, "set", cb_codec_spec(&step->set));
	if (step->stamp)
		json_object_set_new(json, "stamp", stamp_json(step->stamp));
	return json;
}

static json_t *members_json(const struct cb_transaction *transaction)
{
	json_t *out = json_array();

	cb_vec_each (const struct cb_member, member, &transaction->members)
		json_array_append_new(out, json_pack("{s:s,s:s,s:s,s:s}", "kind",
						     cb_target_name(member->target), "target",
						     member->name, "uuid", member->uuid, "action",
						     cb_action_name(member->action)));
	return out;
}

json_t *cb_codec_transaction(const struct cb_transaction *transaction)
{
	json_t *steps = json_array(), *locks = json_array(), *after = json_array(), *json;

	cb_vec_each (const struct cb_step, step, &transaction->steps)
		json_array_append_new(steps, step_json(step));
	cb_vec_each (const char *const, lock, &transaction->locks)
		json_array_append_new(locks, json_string(*lock));
	cb_vec_each (const char *const, id, &transaction->after)
		json_array_append_new(after, json_string(*id));
	json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:o,s:o,s:o}", "id", transaction->id, "host",
			 transaction->uri, "kind", cb_target_name(transaction->target), "target",
			 transaction->name, "uuid", transaction->uuid, "action",
			 cb_action_name(transaction->action), "point_of_no_return",
			 (int)transaction->point_of_no_return, "steps", steps, "locks", locks,
			 "after", after);
	if (transaction->provisional)
		json_object_set_new(json, "provisional", json_true());
	if (transaction->members.len)
		json_object_set_new(json, "members", members_json(transaction));
	return json;
}

static int bad(struct cb_error *err, const char *what)
{
	return cb_error_set(err, CB_E_CORRUPT, "the journaled plan does not read: %s", what);
}

static const char *text(struct cb_arena *arena, const json_t *json, const char *key)
{
	return cb_arena_strdup(arena, json_string_value(json_object_get(json, key)));
}

static void parse_spec(struct cb_arena *arena, const json_t *json, enum cb_from from,
		       struct cb_spec *out)
{
	const struct cb_origin origin = {.from = from};
	const char *key;
	json_t *value;

	/* jansson iterates over what it does not change, through a pointer that is not const. */
	json_object_foreach((json_t *)(uintptr_t)json, key, value)
	{
		struct cb_value v = {0};

		if (json_is_boolean(value))
			v = cb_bool(json_is_true(value));
		else if (json_is_integer(value))
			v = cb_int(json_integer_value(value));
		else if (json_is_string(value))
			v = cb_string(json_string_value(value));
		cb_spec_set(arena, out, key, v, origin);
	}
}

static int parse_stamp(struct cb_arena *arena, const json_t *json, const struct cb_stamp **out,
		       struct cb_error *err)
{
	struct cb_stamp *stamp = cb_arena_new(arena, struct cb_stamp);
	const json_t *volumes = json_object_get(json, "volumes");
	size_t i;
	json_t *item;

	stamp->version = CB_STAMP_VERSION;
	stamp->owner = text(arena, json, "owner");
	stamp->name = text(arena, json, "name");
	stamp->source = text(arena, json, "source");
	stamp->uuid = text(arena, json, "uuid");
	stamp->controller = text(arena, json, "controller");
	stamp->transaction = text(arena, json, "transaction");
	stamp->generation = (uint64_t)json_integer_value(json_object_get(json, "generation"));
	if (!stamp->owner || !stamp->name || !stamp->source || !stamp->uuid || !stamp->controller ||
	    !stamp->transaction)
		return bad(err, "a stamp is not whole");
	json_array_foreach(volumes, i, item)
	{
		struct cb_stamp_volume volume = {
			.role = text(arena, item, "role"),
			.pool = text(arena, item, "pool"),
			.name = text(arena, item, "name"),
			.path = text(arena, item, "path"),
			.digest = text(arena, item, "digest"),
		};
		const char *deletion = json_string_value(json_object_get(item, "deletion"));

		if (!volume.role || !volume.pool || !volume.name || !volume.path ||
		    !volume.digest || !deletion ||
		    cb_deletion_parse(deletion, &volume.deletion) < 0)
			return bad(err, "a volume of a stamp is not whole");
		cb_vec_push(arena, &stamp->volumes, volume);
	}
	parse_spec(arena, json_object_get(json, "defaults"), CB_FROM_DEFAULT, &stamp->applied);
	parse_spec(arena, json_object_get(json, "applied"), CB_FROM_MANIFEST, &stamp->applied);
	*out = stamp;
	return 0;
}

static int parse_step(struct cb_arena *arena, const json_t *json, struct cb_step *out,
		      struct cb_error *err)
{
	const char *action = json_string_value(json_object_get(json, "action"));
	const json_t *stamp = json_object_get(json, "stamp");

	*out = (struct cb_step){
		.n = (unsigned)json_integer_value(json_object_get(json, "n")),
		.target = text(arena, json, "target"),
		.reversible = json_is_true(json_object_get(json, "reversible")) ? CB_REVERSIBLE
										: CB_IRREVERSIBLE,
	};
	if (!action || cb_step_parse(action, &out->kind) < 0)
		return bad(err, "a step of a kind that this version does not know");
	if (!out->target)
		return bad(err, "a step without target");
	parse_spec(arena, json_object_get(json, "args"), CB_FROM_DEFAULT, &out->args);
	parse_spec(arena, json_object_get(json, "set"), CB_FROM_DEFAULT, &out->set);
	return stamp ? parse_stamp(arena, stamp, &out->stamp, err) : 0;
}

static int parse_action(const char *name, enum cb_action *action)
{
	for (int i = CB_ACTION_NOOP; name && i <= CB_ACTION_DELETE; i++) {
		if (strcmp(name, cb_action_name((enum cb_action)i)) == 0) {
			*action = (enum cb_action)i;
			return 0;
		}
	}
	return -1;
}

static int parse_member(struct cb_arena *arena, const json_t *json, struct cb_transaction *out,
			struct cb_error *err)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	struct cb_member member = {.name = text(arena, json, "target"),
				   .uuid = text(arena, json, "uuid")};

	if (!member.name || !member.uuid || !kind || cb_target_parse(kind, &member.target) < 0 ||
	    parse_action(json_string_value(json_object_get(json, "action")), &member.action) < 0)
		return bad(err, "a member of a group is not whole");
	cb_vec_push(arena, &out->members, member);
	return 0;
}

int cb_codec_parse(struct cb_arena *arena, const json_t *json, struct cb_transaction *out,
		   struct cb_error *err)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	size_t i;
	json_t *item;
	int r;

	*out = (struct cb_transaction){
		.id = text(arena, json, "id"),
		.uri = text(arena, json, "host"),
		.name = text(arena, json, "target"),
		.uuid = text(arena, json, "uuid"),
		.point_of_no_return =
			(unsigned)json_integer_value(json_object_get(json, "point_of_no_return")),
		.provisional = json_is_true(json_object_get(json, "provisional")),
	};
	if (!out->id || !out->uri || !out->name || !out->uuid ||
	    parse_action(json_string_value(json_object_get(json, "action")), &out->action) < 0 ||
	    !kind || cb_target_parse(kind, &out->target) < 0)
		return bad(err, "it is not a transaction");
	json_array_foreach(json_object_get(json, "locks"), i, item)
	{
		const char *lock = cb_arena_strdup(arena, json_string_value(item));

		if (!lock)
			return bad(err, "a lock without name");
		cb_vec_push(arena, &out->locks, lock);
	}
	json_array_foreach(json_object_get(json, "members"), i, item)
	{
		if ((r = parse_member(arena, item, out, err)) < 0)
			return r;
	}
	json_array_foreach(json_object_get(json, "after"), i, item)
	{
		const char *id = cb_arena_strdup(arena, json_string_value(item));

		if (!id)
			return bad(err, "a transaction before it without id");
		cb_vec_push(arena, &out->after, id);
	}
	json_array_foreach(json_object_get(json, "steps"), i, item)
	{
		struct cb_step step;

		if ((r = parse_step(arena, item, &step, err)) < 0)
			return r;
		if (step.n != i + 1)
			return bad(err, "steps out of order");
		cb_vec_push(arena, &out->steps, step);
	}
	return 0;
}
