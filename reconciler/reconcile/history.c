#include "reconciler/reconcile/history.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/journal/journal.h"

/* Reading. ------------------------------------------------------------------------------------- */

/* NULL where there is no text. */
static const char *text_of(struct cb_arena *arena, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? cb_arena_strdup(arena, text) : NULL;
}

static struct cb_value value_of(struct cb_arena *arena, const json_t *json)
{
	if (json_is_boolean(json))
		return cb_bool(json_is_true(json));
	if (json_is_integer(json))
		return cb_int(json_integer_value(json));
	return cb_string(json_is_string(json) ? cb_arena_strdup(arena, json_string_value(json))
					      : NULL);
}

/* What was changed, and what said so. */
static void read_change(struct cb_arena *arena, const json_t *begin, struct cb_past *out)
{
	size_t i;
	json_t *item;

	out->source = text_of(arena, begin, "source");
	json_array_foreach(json_object_get(begin, "manifests"), i, item)
	{
		struct cb_read_file file = {text_of(arena, item, "file"),
					    text_of(arena, item, "digest")};

		if (file.name && file.digest)
			cb_vec_push(arena, &out->files, file);
	}
	json_array_foreach(json_object_get(begin, "fields"), i, item)
	{
		struct cb_past_field field = {
			.path = text_of(arena, item, "path"),
			.source = text_of(arena, item, "source"),
			.old = value_of(arena, json_object_get(item, "old")),
			.new = value_of(arena, json_object_get(item, "new")),
		};

		if (field.path)
			cb_vec_push(arena, &out->fields, field);
	}
}

static void read_begin(struct cb_arena *arena, const json_t *begin, struct cb_past *out)
{
	const json_t *by = json_object_get(begin, "by");

	out->user = text_of(arena, by, "user");
	out->login = text_of(arena, by, "login");
	out->node = text_of(arena, by, "node");
	out->uid = json_integer_value(json_object_get(by, "uid"));
	out->pid = json_integer_value(json_object_get(by, "pid"));
	out->version = text_of(arena, begin, "version");
	out->owner = text_of(arena, begin, "owner");
	out->plan_hash = text_of(arena, begin, "plan_hash");
	read_change(arena, begin, out);
}

static bool is_type(const json_t *record, const char *type)
{
	return strcmp(json_string_value(json_object_get(record, "type")), type) == 0;
}

/* A step that could not even be begun has this one record. */
static bool is_not_begun(const json_t *records, size_t at)
{
	const json_t *record = json_array_get(records, at);
	const json_t *step = json_object_get(record, "step");

	if (!is_type(record, "undone"))
		return false;
	for (size_t i = 0; i < at; i++) {
		const json_t *earlier = json_array_get(records, i);

		if (is_type(earlier, "intent") &&
		    json_equal(json_object_get(earlier, "step"), step))
			return false;
	}
	return true;
}

/* When it began and ended, and what is said of its failure. */
static void read_course(struct cb_arena *arena, const json_t *records, struct cb_past *out)
{
	size_t i;
	json_t *record;

	json_array_foreach(records, i, record)
	{
		const json_t *detail = json_object_get(record, "detail");
		bool close = is_type(record, "close");

		if (i == 0)
			out->begun = text_of(arena, record, "time");
		if (close)
			out->finished = text_of(arena, record, "time");
		if ((close || is_type(record, "failed") || is_not_begun(records, i)) &&
		    json_object_get(detail, "why"))
			out->why = text_of(arena, detail, "why");
	}
}

static void read_name(struct cb_arena *arena, const json_t *plan, struct cb_past *out)
{
	const char *kind = json_string_value(json_object_get(plan, "kind"));

	out->name = text_of(arena, plan, "target");
	out->action = text_of(arena, plan, "action");
	if (!kind || cb_target_parse(kind, &out->target) < 0)
		out->target = CB_TARGET_VM;
}

static void read_journal(struct cb_arena *arena, const struct cb_journal *journal,
			 struct cb_past *out)
{
	const json_t *plan = cb_journal_plan(journal);
	json_t *records = cb_journal_dump(journal);

	out->uri = text_of(arena, plan, "host");
	read_name(arena, plan, out);
	out->outcome = cb_journal_outcome(journal)
			       ? cb_arena_strdup(arena, cb_journal_outcome(journal))
			       : "open";
	read_begin(arena, cb_journal_begin(journal), out);
	read_course(arena, records, out);
	json_decref(records);
}

/* Of a group each member has a past of its own. */
static void push_members(struct cb_arena *arena, const struct cb_journal *journal,
			 const struct cb_past *past, struct cb_history *out)
{
	const json_t *said = json_object_get(cb_journal_begin(journal), "members");
	size_t i;
	json_t *member;

	json_array_foreach(json_object_get(cb_journal_plan(journal), "members"), i, member)
	{
		struct cb_past one = *past;

		one.group = past->name;
		read_name(arena, member, &one);
		read_change(arena, json_array_get(said, i), &one);
		cb_vec_push(arena, &out->past, one);
	}
}

static int read_all(const char *state_dir, enum cb_journal_which which, struct cb_arena *arena,
		    struct cb_history *out, struct cb_error *err)
{
	struct cb_journal_ids ids = {0};
	int r = cb_journal_list(state_dir, which, arena, &ids, err);

	if (r < 0)
		return r;
	cb_vec_each (const char *const, id, &ids) {
		cb_auto_error struct cb_error why = {0};
		struct cb_past past = {.id = *id};
		struct cb_journal *journal = NULL;

		r = cb_journal_peek(state_dir, *id, &journal, &why);
		if (r == -CB_E_NOT_FOUND)
			continue; /* swept meanwhile */
		if (r < 0) {
			struct cb_lost lost = {*id, cb_arena_strdup(arena, why.message),
					       cb_arena_strdup(arena, why.hint)};

			cb_vec_push(arena, &out->lost, lost);
			continue;
		}
		read_journal(arena, journal, &past);
		if (past.target == CB_TARGET_GROUP)
			push_members(arena, journal, &past, out);
		else
			cb_vec_push(arena, &out->past, past);
		cb_journal_free(journal);
	}
	return 0;
}

/* Texts of times compare as the times do; within a second they stay in the order of their files. */
struct numbered {
	struct cb_past past;
	size_t n;
};

static int newer(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	const char *one = x->past.begun ? x->past.begun : "",
		   *other = y->past.begun ? y->past.begun : "";
	int order = strcmp(other, one);

	return order ? order : x->n < y->n ? 1 : -1;
}

static void sort_past(struct cb_history *history)
{
	cb_auto_arena struct cb_arena arena = {0};
	size_t len = history->past.len;
	struct numbered *all = cb_arena_alloc(&arena, (len + 1) * sizeof(*all));

	for (size_t i = 0; i < len; i++)
		all[i] = (struct numbered){history->past.items[i], i};
	qsort(all, len, sizeof(*all), newer);
	for (size_t i = 0; i < len; i++)
		history->past.items[i] = all[i].past;
}

int cb_history_read(const char *state_dir, struct cb_arena *arena, struct cb_history *out,
		    struct cb_error *err)
{
	int r;

	*out = (struct cb_history){0};
	/* The open ones last: of the same second they are the newer ones. */
	if ((r = read_all(state_dir, CB_JOURNALS_CLOSED, arena, out, err)) < 0 ||
	    (r = read_all(state_dir, CB_JOURNALS_OPEN, arena, out, err)) < 0)
		return r;
	sort_past(out);
	return 0;
}

/* Blame. --------------------------------------------------------------------------------------- */

bool cb_past_is_about(const struct cb_past *past, const char *name)
{
	if (past->name && strcmp(past->name, name) == 0)
		return true;
	cb_vec_each (const struct cb_past_field, field, &past->fields) {
		if (strcmp(field->path, "vm.name") == 0 && field->new.kind == CB_STRING &&
		    strcmp(field->new.string, name) == 0)
			return true;
	}
	return false;
}

struct telling {
	struct cb_life life;
	bool alive; /* something newer than its removal has been met */
	bool begun; /* its creation has been met: what is older is of another VM of that name */
};

struct tellings {
	struct telling *items;
	size_t len, cap;
};

static struct telling *telling_of(struct cb_arena *arena, struct tellings *all, const char *uri)
{
	cb_vec_each (struct telling, known, all) {
		if (strcmp(known->life.uri, uri) == 0)
			return known;
	}
	cb_vec_push(arena, all, (struct telling){.life = {.uri = uri}});
	return &all->items[all->len - 1];
}

static bool is_told(const struct cb_life *life, const char *path)
{
	cb_vec_each (const struct cb_blame, blame, &life->fields) {
		if (strcmp(blame->field->path, path) == 0)
			return true;
	}
	return false;
}

static bool is_action(const struct cb_past *past, enum cb_action action)
{
	return strcmp(past->action, cb_action_name(action)) == 0;
}

/* From new to old: the first that speaks of a field is the last that set it. */
static void tell(struct cb_arena *arena, const struct cb_past *past, struct telling *telling)
{
	if (telling->begun)
		return;
	if (is_action(past, CB_ACTION_DELETE)) {
		/* Else it has come back from the trash. */
		if (!telling->alive && !telling->life.removed)
			telling->life.removed = past;
		return;
	}
	telling->alive = true;
	telling->begun = is_action(past, CB_ACTION_CREATE);
	cb_vec_each (const struct cb_past_field, field, &past->fields) {
		if (!is_told(&telling->life, field->path))
			cb_vec_push(arena, &telling->life.fields, ((struct cb_blame){field, past}));
	}
}

static int by_path(const void *a, const void *b)
{
	const struct cb_blame *x = a, *y = b;

	return strcmp(x->field->path, y->field->path);
}

void cb_history_blame(struct cb_arena *arena, const struct cb_history *history, const char *name,
		      struct cb_lives *out)
{
	struct tellings all = {0};

	*out = (struct cb_lives){0};
	cb_vec_each (const struct cb_past, past, &history->past) {
		if (past->target == CB_TARGET_VM && past->uri && past->action &&
		    strcmp(past->outcome, "committed") == 0 && cb_past_is_about(past, name))
			tell(arena, past, telling_of(arena, &all, past->uri));
	}
	cb_vec_each (struct telling, telling, &all) {
		struct cb_life *life = &telling->life;

		if (life->fields.len)
			qsort(life->fields.items, life->fields.len, sizeof(*life->fields.items),
			      by_path);
		cb_vec_push(arena, out, *life);
	}
}
