/* Several spellings of one key: where their values go, as what, and what if they differ. */
#include <string.h>

#include "schema/decode_internal.h"

const char *cb_spelling_path(const struct cb_decode *d, const struct cb_field *field,
			     const char *map)
{
	const char *path = field->target ? field->target : field->path;
	const char *dot = strrchr(path, '.'), *leaf = dot ? dot + 1 : path;

	/* Another spelling of a key of an element is one of the same element. */
	if (field->target && !strstr(path, "[]"))
		return path;
	return *map ? cb_arena_printf(d->arena, "%s.%s", map, leaf) : leaf;
}

void cb_spelling_set(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, const char *path, struct cb_value value,
		     struct cb_origin origin, struct cb_spec *spec)
{
	const struct cb_entry *said = cb_spec_find(spec, path);

	if (!said || (said->value.kind == CB_NONE && said->origin.from != CB_FROM_DEFAULT)) {
		cb_spec_set(d->arena, spec, path, value, origin);
		return;
	}
	/* A key twice in one map has been reported: these are two keys that mean one thing. */
	if (said->value.kind != CB_NONE && !cb_value_equal(&said->value, &value))
		cb_decode_problem(d, node, "manifest.conflict", "keep one of the two",
				  "'%s' says otherwise than what stands at %s:%u:%u, and both are "
				  "'%s'",
				  field->path, said->origin.file, said->origin.line,
				  said->origin.column, path);
}

/* "02:30" to every day then. */
static bool convert_time(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node, struct cb_value *value)
{
	const char *t = value->string;
	unsigned hour, minute;

	if (strspn(t, "0123456789:") == 5 && t[2] == ':' && !strchr(t + 3, ':') && t[1] != ':') {
		hour = (unsigned)(t[0] - '0') * 10 + (unsigned)(t[1] - '0');
		minute = (unsigned)(t[3] - '0') * 10 + (unsigned)(t[4] - '0');
		*value = cb_string(cb_arena_printf(d->arena, "%u %u * * *", minute, hour));
		if (hour < 24 && minute < 60)
			return true;
	}
	cb_decode_problem(d, node, "manifest.schedule", cb_decode_example(d, field),
			  "'%s' wants the time of a day, 00:00 to 23:59, found %s", field->path,
			  cb_decode_quote(d, node));
	return false;
}

bool cb_spelling_convert(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node, struct cb_value *value)
{
	enum { PERIOD = 100 * 1000 }; /* microseconds, libvirt's own */

	switch (field->convert) {
	case CB_CONVERT_PERCENT:
		*value = cb_int(value->integer * (PERIOD / 100));
		break;
	case CB_CONVERT_TIME:
		return convert_time(d, field, node, value);
	case CB_CONVERT_DRIVER:
		if (strcmp(value->string, "bridge") == 0)
			*value = cb_string("nat");
		else if (strcmp(value->string, "none") == 0)
			*value = cb_string("isolated");
		break;
	case CB_CONVERT_SAME:
	case CB_CONVERT_INTO:
		break;
	}
	return true;
}

/* A share of the time is one of a period. */
void cb_spelling_imply(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node, struct cb_spec *spec)
{
	if (field->convert == CB_CONVERT_PERCENT)
		cb_spelling_set(d, field, node, "resources.cpu.period", cb_int(100 * 1000),
				cb_decode_origin(d, node), spec);
}
