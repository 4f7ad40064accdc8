#include "reconciler/observe/observe_internal.h"

#include <string.h>

static const struct cb_origin from_host = {.from = CB_FROM_HOST};

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

/* Data disks: what the manifest said of a volume stands for it as long as the domain uses it. */
static void restore_disks(struct cb_arena *arena, const struct cb_stamp *stamp,
			  struct cb_spec *document)
{
	static const char *const keys[] = {"size", "base_image", "pool"};

	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes) {
		const char *disk, *now;

		if (strncmp(volume->role, CB_ROLE_DISK, strlen(CB_ROLE_DISK)) != 0)
			continue;
		disk = volume->role + strlen(CB_ROLE_DISK);
		now = cb_spec_string(document, cb_arena_printf(arena, "disks[%s].source", disk));
		if (!now || strcmp(now, volume->path) != 0)
			continue;
		for (size_t i = 0; i < CB_COUNT(keys); i++)
			restore_applied(arena, stamp, document,
					cb_arena_printf(arena, "disks[%s].%s", disk, keys[i]));
	}
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
	restore_disks(arena, domain->stamp, &domain->document);
	cb_observe_devices(arena, &domain->document);
	cb_observe_mounts(arena, domain->stamp, &domain->document);
}

void cb_observe_one(struct cb_arena *arena, const char *owner, const struct cb_networks *networks,
		    struct cb_domain *domain)
{
	cb_observe_classify(arena, owner, domain);
	if (domain->ownership == CB_OURS && networks->len > 0)
		cb_observe_addresses(arena, networks, domain);
}

/* Networks are looked at only where the manifests, or stamps, speak of some. */
static bool needs_networks(const struct cb_desired *desired)
{
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		cb_vec_each (const struct cb_entry, entry, &vm->spec) {
			if (strncmp(entry->path, "nics[", 5) == 0 &&
			    strstr(entry->path, "].network"))
				return true;
		}
	}
	return desired->networks.len > 0;
}

/* Whether networks keep addresses for what clonebox made. */
static bool any_address(const struct cb_domains *domains)
{
	cb_vec_each (const struct cb_domain, domain, domains) {
		if (!domain->stamp)
			continue;
		cb_vec_each (const struct cb_entry, entry, &domain->stamp->applied) {
			if (strncmp(entry->path, "nics[", 5) == 0 && strstr(entry->path, "].ip"))
				return true;
		}
	}
	return false;
}

int cb_observe(struct cb_driver *driver, struct cb_arena *arena, const struct cb_desired *desired,
	       struct cb_observed *out, struct cb_error *err)
{
	struct cb_network network = {0};
	int r;

	if ((r = driver->ops->host(driver, arena, &out->host, err)) < 0)
		return cb_error_wrap(err, "cannot read the host's capabilities");
	if ((r = driver->ops->domains(driver, arena, &out->domains, err)) < 0)
		return cb_error_wrap(err, "cannot list the domains of %s", out->host.uri);
	if ((r = driver->ops->network(driver, arena, "default", &network, err)) < 0 &&
	    r != -CB_E_NOT_FOUND)
		return cb_error_wrap(err, "cannot look up network 'default'");
	out->default_network = r == 0 && network.active;
	cb_error_release(err);
	if ((needs_networks(desired) || any_address(&out->domains)) &&
	    (r = driver->ops->networks(driver, arena, &out->networks, err)) < 0)
		return cb_error_wrap(err, "cannot list the networks of %s", out->host.uri);
	cb_vec_each (struct cb_domain, domain, &out->domains)
		cb_observe_one(arena, desired->owner, &out->networks, domain);
	return 0;
}
