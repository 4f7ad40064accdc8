/* Values with a form of their own: bytes, rates, durations, schedules, sets of processors. */
#include <inttypes.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "schema/decode_internal.h"
#include "schema/measure.h"
#include "schema/schedule.h"

/* How people write them, as a hint. */
static const char *how(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node)
{
	bool bare = !node->expanded && *node->text &&
		    node->text[strspn(node->text, "0123456789")] == '\0';

	if (field->type == CB_TYPE_DURATION)
		return bare ? cb_arena_printf(d->arena, "write %ss or %sm", node->text, node->text)
			    : "write a number and a unit: 90s, 15m, 12h, 5d, 4w";
	if (field->type == CB_TYPE_RATE)
		return bare ? cb_arena_printf(d->arena, "write %sMbps", node->text)
			    : "write a number and a unit: 500Kbps, 100Mbps, 1Gbps";
	return bare ? cb_arena_printf(d->arena, "write %sGiB or %sMiB", node->text, node->text)
		    : "write a number and a unit: 512MiB, 8G, 10GB";
}

/* In the unit that needs the least number: 10GB are 9765625KiB, too. */
void cb_typed_add(struct cb_str *out, enum cb_field_type type, int64_t value)
{
	static const struct {
		enum cb_field_type type;
		int64_t size;
		const char *name;
	} units[] = {
		{CB_TYPE_DURATION, 604800000, "w"},
		{CB_TYPE_DURATION, 86400000, "d"},
		{CB_TYPE_DURATION, 3600000, "h"},
		{CB_TYPE_DURATION, 60000, "m"},
		{CB_TYPE_DURATION, 1000, "s"},
		{CB_TYPE_DURATION, 1, "ms"},
		{CB_TYPE_RATE, 1000000000, "Gbps"},
		{CB_TYPE_RATE, 1000000, "Mbps"},
		{CB_TYPE_RATE, 1000, "Kbps"},
		{CB_TYPE_RATE, 1, "bps"},
		{CB_TYPE_BYTES, 1LL << 40, "TiB"},
		{CB_TYPE_BYTES, 1000000000000, "TB"},
		{CB_TYPE_BYTES, 1LL << 30, "GiB"},
		{CB_TYPE_BYTES, 1000000000, "GB"},
		{CB_TYPE_BYTES, 1LL << 20, "MiB"},
		{CB_TYPE_BYTES, 1000000, "MB"},
		{CB_TYPE_BYTES, 1LL << 10, "KiB"},
		{CB_TYPE_BYTES, 1000, "KB"},
		{CB_TYPE_BYTES, 1, "B"},
	};

	for (size_t i = 0; i < CB_COUNT(units) && value > 0; i++) {
		if (units[i].type == type && value % units[i].size == 0) {
			cb_str_printf(out, "%" PRId64 "%s", value / units[i].size, units[i].name);
			return;
		}
	}
	cb_str_printf(out, "%" PRId64, value);
}

void cb_typed_limits(const struct cb_field *field, struct cb_str *out)
{
	cb_typed_add(out, field->type, field->min);
	cb_str_add(out, " to ");
	cb_typed_add(out, field->type, field->max);
}

static bool decode_measure(const struct cb_decode *d, const struct cb_field *field,
			   const struct cb_yaml_node *node, struct cb_value *value)
{
	cb_auto_str struct cb_str limits = {0};
	int64_t number = 0;
	int r = -1;

	if (field->type == CB_TYPE_DURATION)
		r = cb_measure_duration(node->text, field->unit, &number);
	else if (field->type == CB_TYPE_RATE)
		r = cb_measure_rate(node->text, &number);
	else
		r = cb_measure_bytes(node->text, field->unit, &number);
	if (r < 0) {
		cb_decode_problem(d, node, "manifest.size", how(d, field, node),
				  "'%s' wants %s, found %s", field->path,
				  cb_decode_wanted(d, field), cb_decode_quote(d, node));
		return false;
	}
	if (number < field->min || number > field->max) {
		cb_typed_limits(field, &limits);
		cb_decode_problem(d, node, "manifest.range", NULL, "'%s' must be %s, found %s",
				  field->path, limits.text, cb_decode_quote(d, node));
		return false;
	}
	*value = cb_int(number);
	return true;
}

static bool decode_schedule(const struct cb_decode *d, const struct cb_field *field,
			    const struct cb_yaml_node *node, struct cb_value *value)
{
	const char *plain = NULL, *why = cb_schedule_parse(d->arena, node->text, &plain);

	if (why)
		cb_decode_problem(d, node, "manifest.schedule", cb_decode_example(d, field),
				  "'%s' is no schedule: %s", field->path,
				  node->expanded ? cb_decode_quote(d, node) : why);
	else
		*value = cb_string(plain);
	return !why;
}

/* "0-3,7", 2 or [0, 1, 2]. */
static bool decode_cpus(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node, struct cb_value *value)
{
	cb_auto_str struct cb_str text = {0}, plain = {0};
	bool fine = node->kind != CB_YAML_MAP;

	if (node->kind == CB_YAML_SCALAR)
		cb_str_add(&text, node->text);
	cb_vec_each (struct cb_yaml_node *const, item, &node->items) {
		fine = fine && (*item)->kind == CB_YAML_SCALAR;
		cb_str_printf(&text, "%s%s", text.len ? "," : "", (*item)->text);
	}
	fine = fine && cb_measure_cpus(cb_str_text(&text), &plain) == 0;
	if (fine)
		*value = cb_string(cb_arena_strdup(d->arena, plain.text));
	else
		cb_decode_problem(d, node, "manifest.value", "for example: \"0-3,7\" or [0, 1, 2]",
				  "'%s' wants numbers of processors, 0 to 4095", field->path);
	return fine;
}

bool cb_decode_typed(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, struct cb_value *value)
{
	if (field->type == CB_TYPE_CPUS)
		return decode_cpus(d, field, node, value);
	return field->type == CB_TYPE_SCHEDULE ? decode_schedule(d, field, node, value)
					       : decode_measure(d, field, node, value);
}
