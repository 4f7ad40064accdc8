#include "reconciler/observe/observe.h"

#include <string.h>

static const struct cb_origin from_host = {CB_FROM_HOST, NULL, 0, 0};

static enum cb_ownership ownership_of(const char *owner, const struct cb_domain *domain)
{
	if (domain->stamp_problem)
		return CB_UNREADABLE;
	if (!domain->stamp)
		return CB_FOREIGN;
	/* virt-clone and "virsh dumpxml | define" copy metadata along: only the UUID that a stamp
	 * was issued for makes it true. */
	if (strcmp(domain->stamp->uuid, domain->uuid) != 0)
		return CB_COPIED_STAMP;
	return strcmp(domain->stamp->owner, owner) == 0 ? CB_OURS : CB_OTHER_OWNER;
}

/* The value that was applied last stands for the host's file as long as the host still uses the
 * very file that was made for it. */
static void restore_applied(struct cb_arena *arena, const struct cb_stamp *stamp,
			    struct cb_spec *spec, const char *path)
{
	const struct cb_entry *applied = cb_spec_find(&stamp->applied, path);

	if (applied)
		cb_spec_set(arena, spec, path, applied->value, from_host);
}

/* A row of the table below: the field that a document path stands for, while the file at that path
 * is the volume of this role. */
struct file_field {
	const char *role, *document;
	const char *fields[4];
};

static void restore_fields(struct cb_arena *arena, const struct cb_stamp *stamp,
			   const struct file_field *row, struct cb_spec *spec)
{
	const struct cb_stamp_volume *volume = cb_stamp_volume_of(stamp, row->role);
	const char *now = cb_spec_string(spec, row->document);

	/* Where nothing was made, what a person added is theirs. */
	if (volume && (!now || strcmp(now, volume->path) != 0))
		return;
	for (size_t k = 0; k < CB_COUNT(row->fields) && row->fields[k]; k++)
		restore_applied(arena, stamp, spec, row->fields[k]);
}

void cb_observe_classify(struct cb_arena *arena, const char *owner, struct cb_domain *domain)
{
	static const struct file_field rows[] = {
		{"kernel", "boot.kernel", {"boot.kernel"}},
		{"initrd", "boot.initrd", {"boot.initrd"}},
		{"root", "disks[root].source", {"base_image", "disk_size_gb", "pool"}},
	};

	domain->ownership = ownership_of(owner, domain);
	if (domain->ownership != CB_OURS)
		return;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		restore_fields(arena, domain->stamp, &rows[i], &domain->document);
		if (domain->active)
			restore_fields(arena, domain->stamp, &rows[i], &domain->live);
	}
}

int cb_observe(struct cb_driver *driver, struct cb_arena *arena, const char *owner,
	       struct cb_observed *out, struct cb_error *err)
{
	enum cb_net_state network;
	int r;

	if ((r = driver->ops->host(driver, arena, &out->host, err)) < 0)
		return cb_error_wrap(err, "cannot read the host's capabilities");
	if ((r = driver->ops->domains(driver, arena, &out->domains, err)) < 0)
		return cb_error_wrap(err, "cannot list the domains of %s", out->host.uri);
	if ((r = driver->ops->network(driver, "default", &network, err)) < 0)
		return cb_error_wrap(err, "cannot look up network 'default'");
	out->default_network = network == CB_NET_ACTIVE;
	cb_vec_each (struct cb_domain, domain, &out->domains)
		cb_observe_classify(arena, owner, domain);
	return 0;
}
