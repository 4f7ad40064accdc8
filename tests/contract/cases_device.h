/* cases_device.h: cases about boards, firmware, processors, disks, NICs, and another name for all
 * of it. A part of test_contract.c. */
#ifndef CB_TESTS_CONTRACT_CASES_DEVICE_H
#define CB_TESTS_CONTRACT_CASES_DEVICE_H

#include "tests/contract/contract.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cb_value absent = {.kind = CB_NONE};

static bool names_file(const struct cb_domain *domain, const char *path)
{
	cb_vec_each (const char *, file, &domain->files) {
		if (strcmp(*file, path) == 0)
			return true;
	}
	return false;
}

/* Where the text stands in the document; -1: nowhere. */
static long position(struct fixture *f, const char *text)
{
	cb_auto_str struct cb_str document = {0};
	const char *found;

	OK(f, domain_document, f->uuid, &document);
	found = strstr(document.text, text);
	return found ? (long)(found - document.text) : -1;
}

/* Adds to the domain's devices what a person would with an editor. */
static void add_by_hand(struct fixture *f, const char *devices)
{
	cb_auto_str struct cb_str document = {0};
	char *end;

	OK(f, domain_document, f->uuid, &document);
	end = strstr(document.text, "</devices>");
	assert_non_null(end);
	OK(f, domain_restore,
	   cb_arena_printf(&f->arena, "%.*s%s%s", (int)(end - document.text), document.text,
			   devices, end));
}

static void refuse(struct fixture *f, const char *path, struct cb_value value, int code)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	int r;

	cb_test_set(f, &set, path, value);
	edit = cb_test_edit(f, &set);
	r = CALL(f, domain_update, &edit);
	if (-r != code)
		print_error("%s = '%s'\n", path, cb_value_text(&f->arena, &value));
	cb_expect(f, r, code, "domain_update", __FILE__, __LINE__);
}

/* Disks. --------------------------------------------------------------------------------------- */

static void a_disk_comes_changes_and_goes(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain is;

	cb_test_define(f);
	cb_test_set(f, &set, "disks[data-1].source", cb_string("/a/data"));
	cb_test_set(f, &set, "disks[data-1].format", cb_string("qcow2"));
	cb_test_set(f, &set, "disks[data-1].bus", cb_string("scsi"));
	cb_test_set(f, &set, "disks[data-1].cache", cb_string("none"));
	cb_test_set(f, &set, "disks[data-1].serial", cb_string("one-1"));
	cb_test_set(f, &set, "disks[data-1].readonly", cb_bool(true));
	cb_test_set(f, &set, "disks[data-1].shareable", cb_bool(true));
	cb_test_set(f, &set, "disks[LOG_2].source", cb_string("/a/log"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	cb_test_string_is(&is.document, "disks[LOG_2].format", "raw");
	cb_test_string_is(&is.document, "disks[LOG_2].bus", "virtio");
	cb_test_string_is(&is.document, "disks[LOG_2].cache", NULL);
	assert_true(names_file(&is, "/a/data") && names_file(&is, "/a/log"));
	/* It is not the root disk. */
	cb_test_string_is(&is.document, "disks[root].source", NULL);

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "disks[data-1].source", cb_string("/another/data"));
	cb_test_set(f, &set, "disks[data-1].bus", absent);
	cb_test_set(f, &set, "disks[data-1].cache", absent);
	cb_test_set(f, &set, "disks[data-1].serial", cb_string(""));
	cb_test_set(f, &set, "disks[data-1].readonly", cb_bool(false));
	cb_test_set(f, &set, "disks[data-1].shareable", absent);
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_string_is(&is.document, "disks[data-1].source", "/another/data");
	cb_test_string_is(&is.document, "disks[data-1].format", "qcow2");
	cb_test_string_is(&is.document, "disks[data-1].bus", "virtio");
	cb_test_string_is(&is.document, "disks[data-1].cache", NULL);
	cb_test_string_is(&is.document, "disks[data-1].serial", NULL);
	assert_false(cb_spec_bool(&is.document, "disks[data-1].readonly", true));
	assert_false(cb_spec_bool(&is.document, "disks[data-1].shareable", true));

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "disks[data-1].source", absent);
	cb_test_set(f, &set, "disks[data-1].format", absent);
	cb_test_set(f, &set, "disks[data-1].bus", absent);
	cb_test_set(f, &set, "disks[data-1].readonly", absent);
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_string_is(&is.document, "disks[data-1].source", NULL);
	assert_null(cb_spec_find(&is.document, "disks[data-1].bus"));
	cb_test_string_is(&is.document, "disks[LOG_2].source", "/a/log");
	assert_false(names_file(&is, "/another/data"));
}

static void the_root_disk_is_the_first(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};

	cb_test_set(f, &set, "disks[a].source", cb_string("/a/a"));
	cb_test_set(f, &set, "disks[b].source", cb_string("/a/b"));
	cb_test_set(f, &set, "disks[b].bus", cb_string("sata"));
	OK(f, domain_define, &new);
	(void)cb_test_change(f, "disks[root].source", cb_string("/a/root"));
	assert_true(position(f, "/a/root") > 0);
	assert_true(position(f, "/a/root") < position(f, "/a/a"));
	assert_true(position(f, "/a/root") < position(f, "/a/b"));
	assert_true(position(f, "dev='vda'") < position(f, "dev='vdb'"));
}

static void make_volume(struct fixture *f, struct cb_spec *set, const char *name, const char *bus)
{
	const char *file = cb_arena_printf(&f->arena, "%s.qcow2", name);
	struct cb_volume_new new = {f->pool, file, "qcow2", 1 << 20, NULL, NULL};

	OK(f, volume_create, &new);
	cb_test_set(f, set, cb_arena_printf(&f->arena, "disks[%s].source", name),
		    cb_string(cb_arena_printf(&f->arena, "%s/%s", f->pool_path, file)));
	cb_test_set(f, set, cb_arena_printf(&f->arena, "disks[%s].format", name),
		    cb_string("qcow2"));
	if (bus)
		cb_test_set(f, set, cb_arena_printf(&f->arena, "disks[%s].bus", name),
			    cb_string(bus));
}

static void make_volumes(struct fixture *f, struct cb_spec *set)
{
	OK(f, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool_start, f->pool);
	make_volume(f, set, "root", NULL);
	make_volume(f, set, "data", "virtio");
	/* More than libvirt itself would put on one controller. */
	for (int i = 0; i < 9; i++)
		make_volume(f, set, cb_arena_printf(&f->arena, "scsi%d", i), "scsi");
	make_volume(f, set, "sata", "sata");
}

static void disks_of_every_bus_run(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f), all = {0};
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_volume volume;
	struct cb_domain is;

	make_volumes(f, &set);
	cb_test_set(f, &set, "disks[data].cache", cb_string("writeback"));
	cb_test_set(f, &set, "disks[data].serial", cb_string("DATA"));
	OK(f, domain_define, &new);
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	cb_vec_each (const struct cb_entry, entry, &set) {
		if (strncmp(entry->path, "disks[", 6) == 0)
			cb_test_set(f, &all, entry->path, entry->value);
	}
	cb_test_reads(f, &is.live, &all);
	cb_test_reads(f, &is.document, &all);
	OK(f, domain_power_off, f->uuid);

	/* What is taken away is taken away from the machine alone. */
	is = cb_test_change(f, "disks[data].source", absent);
	OK(f, domain_start, f->uuid);
	OK(f, pool_refresh, f->pool);
	OK(f, volume, &f->arena, f->pool, "data.qcow2", &volume);
	is = cb_test_read(f);
	assert_null(cb_spec_find(&is.live, "disks[data].source"));
	OK(f, domain_power_off, f->uuid);
}

/* NICs. ---------------------------------------------------------------------------------------- */

static void a_nic_comes_changes_and_goes(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain is;

	cb_test_define(f);
	cb_test_set(f, &set, "nics[lan].type", cb_string("network"));
	cb_test_set(f, &set, "nics[lan].source", cb_string("some-lan"));
	cb_test_set(f, &set, "nics[lan].mac", cb_string("52:54:00:12:34:57"));
	cb_test_set(f, &set, "nics[lan].model", cb_string("e1000e"));
	cb_test_set(f, &set, "nics[lan].link", cb_bool(false));
	cb_test_set(f, &set, "nics[up].type", cb_string("bridge"));
	cb_test_set(f, &set, "nics[up].source", cb_string("br7"));
	cb_test_set(f, &set, "nics[nat].type", cb_string("user"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	cb_test_string_is(&is.document, "nics[up].model", "virtio");
	assert_true(cb_spec_bool(&is.document, "nics[up].link", false));
	assert_non_null(cb_spec_string(&is.document, "nics[up].mac"));
	cb_test_string_is(&is.document, "nics[nat].source", NULL);
	/* None of them is the one that the mode is about. */
	cb_test_string_is(&is.document, "network_mode", "none");
	assert_int_equal(is.macs.len, 3);
	assert_string_equal(is.macs.items[0], "52:54:00:12:34:57");
	assert_int_equal(is.networks.len, 1);
	assert_string_equal(is.networks.items[0], "some-lan");

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "nics[lan].type", cb_string("bridge"));
	cb_test_set(f, &set, "nics[lan].source", cb_string("br8"));
	cb_test_set(f, &set, "nics[lan].model", absent);
	cb_test_set(f, &set, "nics[lan].link", cb_bool(true));
	cb_test_set(f, &set, "nics[up].type", cb_string("user"));
	cb_test_set(f, &set, "nics[nat].type", absent);
	cb_test_set(f, &set, "nics[nat].mac", absent);
	cb_test_set(f, &set, "nics[nat].link", absent);
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_string_is(&is.document, "nics[lan].source", "br8");
	cb_test_string_is(&is.document, "nics[lan].mac", "52:54:00:12:34:57");
	cb_test_string_is(&is.document, "nics[lan].model", "virtio");
	assert_true(cb_spec_bool(&is.document, "nics[lan].link", false));
	cb_test_string_is(&is.document, "nics[up].type", "user");
	cb_test_string_is(&is.document, "nics[up].source", NULL);
	assert_null(cb_spec_find(&is.document, "nics[nat].type"));
	assert_null(cb_spec_find(&is.document, "nics[nat].mac"));
	assert_int_equal(is.networks.len, 0);
}

static void a_mode_is_about_nic0(struct fixture *f)
{
	struct cb_domain is;

	cb_test_define(f);
	is = cb_test_change(f, "network_mode", cb_string("default"));
	cb_test_string_is(&is.document, "nics[nic0].type", "network");
	cb_test_string_is(&is.document, "nics[nic0].source", "default");
	is = cb_test_change(f, "nics[nic0].source", cb_string("other"));
	cb_test_string_is(&is.document, "network_mode", "network:other");
	is = cb_test_change(f, "nics[nic0].type", cb_string("user"));
	cb_test_string_is(&is.document, "network_mode", "user");
	is = cb_test_change(f, "network_mode", absent);
	assert_null(cb_spec_find(&is.document, "nics[nic0].type"));
	assert_int_equal(is.macs.len, 0);
}

/* Not every libvirt can; then it says so, and nothing is left half done. */
static void ports_are_forwarded_or_it_is_said(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain is;
	int r;

	cb_test_set(f, &set, "nics[nic0].type", cb_string("user"));
	cb_test_set(f, &set, "nics[nic0].forwards", cb_string("tcp:2222:22 udp:5353:53"));
	r = CALL(f, domain_define, &new);
	if (r == -CB_E_UNSUPPORTED) {
		assert_non_null(strstr(f->err.message, "passt"));
		cb_error_release(&f->err);
		FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, f->uuid, &is);
		cb_test_define(f);
		(void)cb_test_change(f, "nics[nic0].type", cb_string("user"));
		refuse(f, "nics[nic0].forwards", cb_string("tcp:2222:22"), CB_E_UNSUPPORTED);
		return;
	}
	cb_expect(f, r, 0, "domain_define", __FILE__, __LINE__);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	is = cb_test_change(f, "nics[nic0].forwards", cb_string("tcp:80:8080"));
	cb_test_string_is(&is.document, "nics[nic0].forwards", "tcp:80:8080");
	is = cb_test_change(f, "nics[nic0].forwards", absent);
	cb_test_string_is(&is.document, "nics[nic0].forwards", NULL);
	cb_test_string_is(&is.document, "nics[nic0].type", "user");
}

/* Shared directories. -------------------------------------------------------------------------- */

static void directories_are_shared_as_written(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain is;

	cb_test_define(f);
	cb_test_set(f, &set, "mounts[src-56c9e1c4].source", cb_string("/home/me/a, b & <c>"));
	cb_test_set(f, &set, "mounts[src-56c9e1c4].kind", cb_string("virtiofs"));
	cb_test_set(f, &set, "mounts[data].source", cb_string("/srv/data"));
	cb_test_set(f, &set, "mounts[data].kind", cb_string("9p"));
	cb_test_set(f, &set, "mounts[data].readonly", cb_bool(true));
	cb_test_set(f, &set, "mounts[plain].source", cb_string("/srv/plain"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	cb_test_string_is(&is.document, "mounts[plain].kind", "9p");
	assert_false(cb_spec_bool(&is.document, "mounts[plain].readonly", true));
	assert_false(cb_spec_bool(&is.document, "mounts[src-56c9e1c4].readonly", true));
	/* They are no files of the domain's: nobody who looks for disks finds them. */
	assert_int_equal(is.files.len, 0);

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "mounts[src-56c9e1c4].source", cb_string("/elsewhere"));
	cb_test_set(f, &set, "mounts[src-56c9e1c4].kind", cb_string("9p"));
	cb_test_set(f, &set, "mounts[data].readonly", cb_bool(false));
	cb_test_set(f, &set, "mounts[plain].kind", cb_string("virtiofs"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	cb_test_string_is(&is.document, "mounts[data].source", "/srv/data");

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "mounts[src-56c9e1c4].source", absent);
	cb_test_set(f, &set, "mounts[data].source", absent);
	cb_test_set(f, &set, "mounts[plain].source", absent);
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	is = cb_test_read(f);
	cb_vec_each (const struct cb_entry, entry, &is.document)
		assert_null(strstr(entry->path, "mounts["));
}

/* Of what was made for a mount nothing is left when it goes. */
static void memory_is_as_before_when_the_last_goes(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;

	cb_test_define(f);
	assert_true(position(f, "memoryBacking") < 0);
	cb_test_set(f, &set, "mounts[src].source", cb_string("/src"));
	cb_test_set(f, &set, "mounts[src].kind", cb_string("virtiofs"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	assert_true(position(f, "memfd") >= 0 && position(f, "'shared'") >= 0);
	(void)cb_test_change(f, "mounts[src].source", absent);
	assert_true(position(f, "memoryBacking") < 0);
}

/* With the real daemon, on a host that says that it has it. */
static void a_machine_with_shared_directories_starts(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_host host;
	struct cb_domain is;

	OK(f, host, &f->arena, &host);
	assert_true(host.virtiofs);
	cb_test_set(f, &set, "mounts[a].source", cb_string(cb_test_directory()));
	cb_test_set(f, &set, "mounts[a].kind", cb_string("virtiofs"));
	cb_test_set(f, &set, "mounts[b].source", cb_string(cb_test_directory()));
	cb_test_set(f, &set, "mounts[b].kind", cb_string("9p"));
	cb_test_set(f, &set, "mounts[b].readonly", cb_bool(true));
	OK(f, domain_define, &new);
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	assert_true(is.active);
	cb_test_string_is(&is.live, "mounts[a].kind", "virtiofs");
	cb_test_string_is(&is.live, "mounts[b].source", cb_test_directory());
	OK(f, domain_power_off, f->uuid);
}

static void directories_that_cannot_be_shared_are_refused(struct fixture *f)
{
	cb_test_define(f);
	refuse(f, "mounts[src].source", cb_string("src"), CB_E_INVALID);
	refuse(f, "mounts[a/b].source", cb_string("/src"), CB_E_INTERNAL);
	refuse(f, "mounts[0123456789-0123456789-0123456789].source", cb_string("/src"),
	       CB_E_INVALID);
	refuse(f, "mounts[src].kind", cb_string("9p"), CB_E_INVALID);
	refuse(f, "mounts[src].readonly", cb_bool(true), CB_E_INVALID);
	(void)cb_test_change(f, "mounts[src].source", cb_string("/src"));
	(void)cb_test_change(f, "mounts[src].kind", cb_string("virtiofs"));
	refuse(f, "mounts[src].kind", cb_string("nfs"), CB_E_INVALID);
	refuse(f, "mounts[src].readonly", cb_bool(true), CB_E_INVALID);
}

/* What people added. --------------------------------------------------------------------------- */

static const char added_by_hand[] =
	"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='unsafe'/>"
	"<source file='/hand/disk'/><target dev='vdz' bus='virtio'/></disk>"
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
	"<source file='/hand/named'/><target dev='vdy' bus='virtio'/>"
	"<alias name='ua-mine'/></disk>"
	"<interface type='user'><mac address='52:54:00:AA:BB:CC'/><model type='rtl8139'/>"
	"</interface>"
	"<graphics type='vnc' autoport='yes' passwd='s3cret'/>";

static void has_what_was_added(struct fixture *f)
{
	static const char *const texts[] = {"/hand/disk", "cache='unsafe'", "/hand/named",
					    "ua-mine",    "rtl8139",        "s3cret"};

	for (size_t i = 0; i < CB_COUNT(texts); i++) {
		if (position(f, texts[i]) < 0)
			fail_msg("'%s' is gone", texts[i]);
	}
}

/* Also where nothing of ours is left whose place it could take. */
static void what_people_add_stays_theirs(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f), less = {0};
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain_edit edit;
	struct cb_domain is;

	cb_test_set(f, &set, "disks[root].source", cb_string("/a/root"));
	cb_test_set(f, &set, "disks[data].source", cb_string("/a/data"));
	cb_test_set(f, &set, "network_mode", cb_string("user"));
	OK(f, domain_define, &new);
	add_by_hand(f, added_by_hand);
	is = cb_test_change(f, "disks[data].cache", cb_string("writeback"));
	has_what_was_added(f);
	is = cb_test_change(f, "disks[more].source", cb_string("/a/more"));
	has_what_was_added(f);
	assert_int_equal(is.macs.len, 2);
	assert_string_equal(is.macs.items[1], "52:54:00:aa:bb:cc");
	cb_test_set(f, &less, "disks[root].source", absent);
	cb_test_set(f, &less, "disks[data].source", absent);
	cb_test_set(f, &less, "disks[more].source", absent);
	cb_test_set(f, &less, "network_mode", cb_string("none"));
	for (int i = 0; i < 2; i++) {
		edit = cb_test_edit(f, &less);
		OK(f, domain_update, &edit);
		has_what_was_added(f);
		is = cb_test_read(f);
		cb_test_string_is(&is.document, "network_mode", "none");
		cb_test_string_is(&is.document, "disks[root].source", NULL);
		assert_int_equal(position(f, "/a/root"), -1);
	}
	is = cb_test_change(f, "disks[root].source", cb_string("/a/new"));
	is = cb_test_change(f, "network_mode", cb_string("default"));
	has_what_was_added(f);
	assert_int_equal(is.macs.len, 2);
}

static void the_macs_and_networks_of_strangers_are_known(struct fixture *f)
{
	struct cb_domain listed = {0};
	struct cb_domains all;

	OK(f, domain_restore,
	   cb_arena_printf(&f->arena,
			   "<domain type='qemu'><name>%s</name><uuid>%s</uuid>"
			   "<memory unit='MiB'>64</memory>"
			   "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
			   "<interface type='network'><mac address='52:54:00:AB:CD:EF'/>"
			   "<source network='one'/></interface>"
			   "<interface type='network'><mac address='52:54:00:00:00:02'/>"
			   "<source network='one'/></interface>"
			   "<interface type='bridge'><mac address='52:54:00:00:00:03'/>"
			   "<source bridge='br0'/></interface></devices></domain>",
			   f->name, f->uuid));
	OK(f, domains, &f->arena, &all);
	cb_vec_each (const struct cb_domain, domain, &all) {
		if (strcmp(domain->uuid, f->uuid) == 0)
			listed = *domain;
	}
	assert_non_null(listed.uuid);
	assert_int_equal(listed.document.len, 0);
	assert_int_equal(listed.macs.len, 3);
	assert_string_equal(listed.macs.items[0], "52:54:00:ab:cd:ef");
	assert_int_equal(listed.networks.len, 1);
	assert_string_equal(listed.networks.items[0], "one");
}

/* Wrong values. -------------------------------------------------------------------------------- */

static void a_wrong_device_is_refused_and_changes_nothing(struct fixture *f)
{
	static const struct {
		const char *path, *value;
		int code;
	} cases[] = {
		{"disks[data].format", "vmdk", CB_E_INVALID},
		{"disks[data].bus", "ide", CB_E_INVALID},
		{"disks[data].cache", "fast", CB_E_INVALID},
		{"disks[data].cache", "default", CB_E_INVALID},
		{"disks[data].serial", "a/b", CB_E_INVALID},
		{"disks[other].format", "raw", CB_E_INVALID},
		{"disks[other].bus", "scsi", CB_E_INVALID},
		{"disks[other].serial", "x", CB_E_INVALID},
		{"nics[nic0].type", "wireless", CB_E_INVALID},
		{"nics[nic0].type", "network", CB_E_INVALID}, /* which one? */
		{"nics[nic0].type", "bridge", CB_E_INVALID},
		{"nics[nic0].source", "default", CB_E_INVALID},
		{"nics[nic0].mac", "52:54:00:12:34", CB_E_INVALID},
		{"nics[nic0].mac", "53:54:00:12:34:56", CB_E_INVALID},
		{"nics[nic0].mac", "52:54:00:AA:BB:CC", CB_E_INVALID},
		{"nics[nic0].model", "a b", CB_E_INVALID},
		{"nics[nic0].forwards", "tcp:22", CB_E_INVALID},
		{"nics[nic0].forwards", "tcp:0:22", CB_E_INVALID},
		{"nics[nic0].forwards", "tcp:65536:22", CB_E_INVALID},
		{"nics[nic0].forwards", "sctp:1:2", CB_E_INVALID},
		{"nics[nic0].forwards", "tcp:1:2  tcp:3:4", CB_E_INVALID},
		{"nics[nic0].forwards", "tcp:1:2 ", CB_E_INVALID},
		{"nics[other].mac", "52:54:00:12:34:56", CB_E_INVALID},
		{"nics[other].source", "default", CB_E_INVALID},
		{"nics[other].type", "network", CB_E_INVALID},
		{"nics[o,r].type", "user", CB_E_INTERNAL},
		{"nics[nic0].speed", "fast", CB_E_INTERNAL},
		{"machine", "isa", CB_E_INVALID},
		{"firmware", "coreboot", CB_E_INVALID},
		{"cpu", "a b", CB_E_INVALID},
	};
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain before, after;

	cb_test_set(f, &set, "disks[data].source", cb_string("/a/data"));
	cb_test_set(f, &set, "network_mode", cb_string("user"));
	OK(f, domain_define, &new);
	before = cb_test_read(f);
	for (size_t i = 0; i < CB_COUNT(cases); i++)
		refuse(f, cases[i].path, cb_string(cases[i].value), cases[i].code);
	refuse(f, "nics[nic0].link", cb_string("up"), CB_E_INTERNAL);
	refuse(f, "nics[other].link", cb_bool(false), CB_E_INVALID);
	refuse(f, "disks[other].readonly", cb_bool(true), CB_E_INVALID);
	after = cb_test_read(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
}

/* Boards, firmware, processors. ---------------------------------------------------------------- */

static void boards_are_families(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain is;

	cb_test_set(f, &set, "machine", cb_string("pc"));
	cb_test_set(f, &set, "network_mode", cb_string("user"));
	OK(f, domain_define, &new);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	cb_test_string_is(&is.live, "machine", "pc");
	OK(f, domain_power_off, f->uuid);
	/* Nothing sits where it sat. */
	is = cb_test_change(f, "machine", absent);
	cb_test_string_is(&is.document, "machine", "q35");
	cb_test_string_is(&is.document, "network_mode", "user");
	OK(f, domain_start, f->uuid);
	OK(f, domain_power_off, f->uuid);
	is = cb_test_change(f, "machine", cb_string("pc"));
	OK(f, domain_start, f->uuid);
	OK(f, domain_power_off, f->uuid);
}

static void processors_are_modes_or_models(struct fixture *f)
{
	static const char *const models[] = {"Nehalem", "qemu64", "host-model"};
	struct cb_domain is;

	cb_test_define(f);
	is = cb_test_read(f);
	cb_test_string_is(&is.document, "cpu", NULL);
	for (size_t i = 0; i < CB_COUNT(models); i++) {
		is = cb_test_change(f, "cpu", cb_string(models[i]));
		cb_test_string_is(&is.document, "cpu", models[i]);
	}
	is = cb_test_change(f, "cpu", absent);
	cb_test_string_is(&is.document, "cpu", NULL);
	if (f->world->offers & CB_WORLD_QEMU)
		refuse(f, "cpu", cb_string("Babbage"), CB_E_INVALID);
}

static void firmware_is_chosen(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain is;

	cb_test_set(f, &set, "firmware", cb_string("uefi"));
	OK(f, domain_define, &new);
	is = cb_test_read(f);
	cb_test_reads(f, &is.document, &set);
	assert_true(is.nvram);
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	cb_test_string_is(&is.live, "firmware", "uefi");
	OK(f, domain_power_off, f->uuid);
	is = cb_test_change(f, "firmware", absent);
	cb_test_string_is(&is.document, "firmware", "bios");
	assert_false(is.nvram);
	/* libvirt's test driver would not undefine it. */
	if (!(f->world->offers & CB_WORLD_TRANSFER))
		return;
	(void)cb_test_change(f, "firmware", cb_string("uefi"));
	OK(f, domain_undefine, f->uuid);
}

static void uefi_is_without_secure_boot(struct fixture *f)
{
	struct cb_domain is;

	cb_test_define(f);
	(void)cb_test_change(f, "firmware", cb_string("uefi"));
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	OK(f, domain_power_off, f->uuid);
	cb_vec_each (const char *, file, &is.files) {
		assert_null(strstr(*file, "secboot"));
		assert_null(strstr(*file, ".ms."));
	}
	assert_int_equal(is.files.len, 2);
}

/* Another name. -------------------------------------------------------------------------------- */

static void a_stopped_domain_gets_another_name(struct fixture *f)
{
	const char *name = cb_arena_printf(&f->arena, "%s-renamed", f->name);
	struct cb_stamp *stamp = cb_test_stamp(f);
	struct cb_spec set = cb_test_spec(f);
	char other[CB_UUID_SIZE];
	struct cb_domain_new new = {other, "contract-taken", &set, cb_test_stamp(f)};
	struct cb_domain before, is;

	stamp->generation = 7;
	FAILS(f, CB_E_NOT_FOUND, domain_rename, f->uuid, name, stamp);
	cb_test_define(f);
	OK(f, domain_autostart, f->uuid, true);
	before = cb_test_read(f);
	FAILS(f, CB_E_INVALID, domain_rename, f->uuid, "a\x01z", stamp);
	OK(f, domain_start, f->uuid);
	FAILS(f, CB_E_CONFLICT, domain_rename, f->uuid, name, stamp);
	OK(f, domain_power_off, f->uuid);

	cb_random_uuid(other);
	cb_test_set(f, &set, "name", cb_string("contract-taken"));
	OK(f, domain_define, &new);
	FAILS(f, CB_E_EXISTS, domain_rename, f->uuid, "contract-taken", stamp);
	OK(f, domain_undefine, other);
	is = cb_test_read(f);
	assert_string_equal(is.fingerprint, before.fingerprint);

	OK(f, domain_rename, f->uuid, name, stamp);
	is = cb_test_read(f);
	assert_string_equal(is.name, name);
	cb_test_string_is(&is.document, "name", name);
	assert_true(is.stamp && is.stamp->generation == 7);
	assert_true(cb_spec_bool(&is.document, "autostart", false));
	/* Again, as after a crash, and without another stamp. */
	OK(f, domain_rename, f->uuid, name, stamp);
	OK(f, domain_rename, f->uuid, f->name, NULL);
	is = cb_test_read(f);
	assert_string_equal(is.name, f->name);
	assert_true(is.stamp && is.stamp->generation == 7);
	assert_int_equal(is.document.len, before.document.len);
}

static void a_renamed_machine_keeps_its_firmware_settings(struct fixture *f)
{
	const char *name = cb_arena_printf(&f->arena, "%s-renamed", f->name);
	const char *nvram = NULL;
	struct cb_domain is;

	cb_test_define(f);
	(void)cb_test_change(f, "firmware", cb_string("uefi"));
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	cb_vec_each (const char *, file, &is.files) {
		if (strstr(*file, f->name))
			nvram = *file;
	}
	assert_non_null(nvram);
	OK(f, domain_power_off, f->uuid);
	OK(f, domain_rename, f->uuid, name, NULL);
	is = cb_test_read(f);
	assert_true(is.nvram);
	assert_true(names_file(&is, nvram));
	cb_test_string_is(&is.document, "firmware", "uefi");
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	assert_true(names_file(&is, nvram));
	assert_int_equal(is.files.len, 2);
	OK(f, domain_power_off, f->uuid);
	OK(f, domain_rename, f->uuid, f->name, NULL);
	OK(f, domain_undefine, f->uuid);
}

/* Guests. -------------------------------------------------------------------------------------- */

static void a_guest_that_says_nothing_has_no_addresses(struct fixture *f)
{
	struct cb_addresses addresses;
	bool answers = true;

	FAILS(f, CB_E_NOT_FOUND, domain_addresses, &f->arena, f->uuid, &addresses);
	FAILS(f, CB_E_NOT_FOUND, domain_agent, f->uuid, &answers);
	cb_test_define(f);
	FAILS(f, CB_E_CONFLICT, domain_addresses, &f->arena, f->uuid, &addresses);
	OK(f, domain_agent, f->uuid, &answers);
	assert_false(answers);
	OK(f, domain_start, f->uuid);
	OK(f, domain_addresses, &f->arena, f->uuid, &addresses);
	assert_int_equal(addresses.len, 0);
	if (f->world->offers & CB_WORLD_TRANSFER) {
		OK(f, domain_agent, f->uuid, &answers);
		assert_false(answers);
	}
}

static bool wait_for_agent(struct fixture *f)
{
	bool answers = false;

	for (int i = 0; i < 600 && !answers; i++) {
		OK(f, domain_agent, f->uuid, &answers);
		if (!answers)
			(void)usleep(100000);
	}
	return answers;
}

static bool has_address(struct fixture *f, const char *mac_of, const char *text, bool from_agent)
{
	struct cb_addresses all;
	bool found = false;

	OK(f, domain_addresses, &f->arena, f->uuid, &all);
	cb_vec_each (const struct cb_address, address, &all) {
		if (strncmp(address->address, "127.", 4) == 0)
			fail_msg("the loopback is told");
		found = found ||
			(strcmp(address->address, text) == 0 && strcmp(address->mac, mac_of) == 0 &&
			 address->from_agent == from_agent);
	}
	return found;
}

static void guest_network(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_network_new new = {f->uuid, f->name, &set};

	cb_test_set(f, &set, "mode", cb_string("isolated"));
	cb_test_set(f, &set, "cidr", cb_string("10.77.5.1/24"));
	cb_test_set(f, &set, "hosts[52:54:00:00:00:21].ip", cb_string("10.77.5.21"));
	OK(f, network_define, &new);
	OK(f, network_start, f->uuid);
}

/* CB_TEST_GUEST is where the host has a kernel and an initrd whose guest runs an agent and asks for
 * an address. */
static void a_guest_says_its_addresses(struct fixture *f)
{
	const char *boot = getenv("CB_TEST_GUEST");
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	bool found = false;

	if (!boot)
		return;
	guest_network(f);
	cb_test_set(f, &set, "ram_mb", cb_int(192));
	cb_test_set(f, &set, "boot.kernel",
		    cb_string(cb_arena_printf(&f->arena, "%s/vmlinuz", boot)));
	cb_test_set(f, &set, "boot.initrd",
		    cb_string(cb_arena_printf(&f->arena, "%s/initrd", boot)));
	cb_test_set(f, &set, "boot.cmdline", cb_string("console=ttyS0 quiet"));
	cb_test_set(f, &set, "nics[lan].type", cb_string("network"));
	cb_test_set(f, &set, "nics[lan].source", cb_string(f->name));
	cb_test_set(f, &set, "nics[lan].mac", cb_string("52:54:00:00:00:21"));
	OK(f, domain_define, &new);
	OK(f, domain_start, f->uuid);
	assert_true(wait_for_agent(f));
	for (int i = 0; i < 100 && !found; i++) {
		found = has_address(f, "52:54:00:00:00:21", "10.77.5.21", true);
		if (!found)
			(void)usleep(100000);
	}
	assert_true(found);
	/* Nobody in the next machine speaks for itself; the network remembers. */
	OK(f, domain_power_off, f->uuid);
	(void)cb_test_change(f, "boot.kernel", absent);
	(void)cb_test_change(f, "boot.initrd", absent);
	(void)cb_test_change(f, "boot.cmdline", absent);
	OK(f, domain_start, f->uuid);
	assert_true(has_address(f, "52:54:00:00:00:21", "10.77.5.21", false));
}

static const struct test_case device_cases[] = {
	CASE(a_disk_comes_changes_and_goes, 0),
	CASE(the_root_disk_is_the_first, CB_WORLD_XML),
	CASE(disks_of_every_bus_run, CB_WORLD_TRANSFER),
	CASE(a_nic_comes_changes_and_goes, 0),
	CASE(a_mode_is_about_nic0, 0),
	CASE(ports_are_forwarded_or_it_is_said, 0),
	CASE(directories_are_shared_as_written, 0),
	CASE(memory_is_as_before_when_the_last_goes, CB_WORLD_XML),
	CASE(a_machine_with_shared_directories_starts, CB_WORLD_QEMU),
	CASE(directories_that_cannot_be_shared_are_refused, 0),
	CASE(what_people_add_stays_theirs, CB_WORLD_XML),
	CASE(the_macs_and_networks_of_strangers_are_known, CB_WORLD_XML),
	CASE(a_wrong_device_is_refused_and_changes_nothing, 0),
	CASE(boards_are_families, 0),
	CASE(processors_are_modes_or_models, 0),
	CASE(firmware_is_chosen, 0),
	CASE(uefi_is_without_secure_boot, CB_WORLD_QEMU),
	CASE(a_stopped_domain_gets_another_name, 0),
	CASE(a_renamed_machine_keeps_its_firmware_settings, CB_WORLD_QEMU),
	CASE(a_guest_that_says_nothing_has_no_addresses, 0),
	CASE(a_guest_says_its_addresses, CB_WORLD_QEMU),
};

#endif
