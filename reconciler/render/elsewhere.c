/* What other installations have on a host, or left there. */
#include <inttypes.h>
#include <string.h>

#include "reconciler/render/render.h"

/* "3 days": one unit is enough. */
static void add_age(struct cb_str *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};

	size_t i = 0;
	int64_t n;

	if (seconds < 0)
		seconds = 0;
	while (i + 1 < CB_COUNT(units) && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	cb_str_printf(out, "%" PRId64 " %s%s ago", n, units[i].name, n == 1 ? "" : "s");
}

/* What a person should know of the state besides its name. */
static const char *words_of(const struct cb_stranger *vm)
{
	static const struct {
		const char *state, *words;
	} rows[] = {
		{"trash", "in the trash"},
		{"never-used", "stopped, and no guest has ever written to its disks"},
		{"between-names", "on the way to the trash or back"},
	};

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (strcmp(vm->state, rows[i].state) == 0)
			return rows[i].words;
	}
	return vm->state;
}

static void add_vm(struct cb_str *out, const struct cb_stranger *vm)
{
	const struct cb_stamp *stamp = vm->domain->stamp;

	cb_str_printf(out, "  vm '%s' of owner '%s', %s: transaction %s", vm->domain->name,
		      stamp->owner, words_of(vm), stamp->transaction);
	if (vm->since[0]) {
		cb_str_add(out, ", ");
		add_age(out, vm->age);
	}
	cb_str_printf(out, ", from %s\n", stamp->source);
}

void cb_render_elsewhere(struct cb_str *out, const struct cb_elsewhere *elsewhere)
{
	cb_vec_each (const struct cb_installation, installation, &elsewhere->installations) {
		cb_str_printf(out, "of another installation, %s:\n", installation->controller);
		cb_vec_each (const struct cb_stranger, vm, &installation->vms)
			add_vm(out, vm);
		cb_str_printf(out,
			      "  if its state directory is gone for good: clonebox recover "
			      "--take-over %.8s\n",
			      installation->controller);
	}
	if (elsewhere->unclaimed.len > 0)
		cb_str_add(out, "volumes that nothing refers to, named as clonebox names them; "
				"whose they are cannot be proven (another installation may be "
				"making them just now), so only a person may delete them:\n");
	cb_vec_each (const struct cb_unclaimed, volume, &elsewhere->unclaimed) {
		cb_str_printf(out, "  virsh vol-delete --pool %s %s    # ", volume->pool,
			      volume->name);
		cb_str_size(out, volume->bytes);
		cb_str_add(out, "\n");
	}
	cb_vec_each (const struct cb_unseen, unseen, &elsewhere->unseen)
		cb_str_printf(out, "pool '%s' was not looked into: %s\n", unseen->pool,
			      unseen->why);
}

void cb_render_elsewhere_json(json_t *into, const struct cb_elsewhere *elsewhere)
{
	json_t *installations = json_array(), *unclaimed = json_array(), *unseen = json_array();

	cb_vec_each (const struct cb_installation, installation, &elsewhere->installations) {
		json_t *vms = json_array();

		cb_vec_each (const struct cb_stranger, vm, &installation->vms) {
			const struct cb_stamp *stamp = vm->domain->stamp;

			json_array_append_new(
				vms, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "name",
					       vm->domain->name, "uuid", vm->domain->uuid, "owner",
					       stamp->owner, "source", stamp->source, "state",
					       vm->state, "transaction", stamp->transaction,
					       "since", vm->since, "age", (json_int_t)vm->age));
		}
		json_array_append_new(
			installations,
			json_pack("{s:s,s:o}", "controller", installation->controller, "vms", vms));
	}
	cb_vec_each (const struct cb_unclaimed, volume, &elsewhere->unclaimed)
		json_array_append_new(unclaimed,
				      json_pack("{s:s,s:s,s:s,s:I}", "pool", volume->pool, "name",
						volume->name, "path", volume->path, "bytes",
						(json_int_t)volume->bytes));
	json_object_set_new(into, "installations", installations);
	cb_vec_each (const struct cb_unseen, one, &elsewhere->unseen)
		json_array_append_new(unseen,
				      json_pack("{s:s,s:s}", "pool", one->pool, "why", one->why));
	json_object_set_new(into, "unclaimed", unclaimed);
	json_object_set_new(into, "unseen", unseen);
}
