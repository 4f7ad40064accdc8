#include "reconciler/guest/guest.h"

#include "reconciler/guest/guest_internal.h"

enum { READABLE = JSON_INDENT(1) };

const char *cb_guest_hostname(const struct cb_guest *guest)
{
	return guest->hostname ? guest->hostname : guest->name;
}

static void dump(const json_t *value, struct cb_str *out)
{
	cb_guest_json_dump(value, READABLE, out);
	cb_guest_room(out, 1);
	cb_str_add(out, "\n");
}

static json_t *meta_data(const struct cb_guest *guest)
{
	cb_auto_str struct cb_str id = {0};
	json_t *data = json_object();

	/* cloud-init does its work once per id: a new generation has it done again. */
	cb_str_printf(&id, "%s-%u", guest->uuid, guest->generation);
	cb_guest_json_put(data, "instance-id", cb_guest_json_text(id.text));
	cb_guest_json_put(data, "local-hostname", cb_guest_json_text(cb_guest_hostname(guest)));
	return data;
}

static int render_user_data(const struct cb_guest *guest, struct cb_str *out, struct cb_error *err)
{
	cb_auto_json_wipe json_t *theirs = NULL, *ours = NULL;
	CB_CLEANUP(cb_str_wipe) struct cb_str hash = {0};
	int r = cb_guest_theirs(guest, &theirs, err);

	if (r < 0)
		return r;
	r = cb_guest_hash(guest, &hash, err);
	if (r < 0)
		return r;
	ours = cb_guest_user_data(guest, hash.text);
	cb_guest_merge(ours, theirs);
	cb_str_add(out, "#cloud-config\n");
	dump(ours, out);
	return 0;
}

int cb_guest_render(const struct cb_guest *guest, struct cb_guest_files *out, struct cb_error *err)
{
	json_auto_t *meta = NULL, *network = NULL;
	int r = cb_guest_check(guest, err);

	*out = (struct cb_guest_files){0};
	if (r < 0)
		return r;
	r = render_user_data(guest, &out->user_data, err);
	if (r < 0)
		return r;
	meta = meta_data(guest);
	dump(meta, &out->meta_data);
	if (guest->nics.len) {
		network = cb_guest_network(guest);
		dump(network, &out->network_config);
	}
	return 0;
}

void cb_guest_files_wipe(struct cb_guest_files *files)
{
	cb_str_wipe(&files->user_data);
	cb_str_wipe(&files->meta_data);
	cb_str_wipe(&files->network_config);
}
