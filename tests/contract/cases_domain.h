/* cases_domain.h: cases about domains. A part of test_contract.c. */
#ifndef CB_TESTS_CONTRACT_CASES_DOMAIN_H
#define CB_TESTS_CONTRACT_CASES_DOMAIN_H

#include "tests/contract/contract.h"

#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/fs.h"

static const char mac[] = "52:54:00:12:34:56";

/* Reading what there is. ----------------------------------------------------------------------- */

#define string_is cb_test_string_is

static void a_host_says_what_it_is(struct fixture *f)
{
	struct cb_host host;

	OK(f, host, &f->arena, &host);
	assert_non_null(host.uri);
	assert_non_null(host.hostname);
	assert_non_null(host.type);
	assert_true(host.libvirt_version >= 9000000);
	assert_true(host.cpus >= 1);
	assert_true(host.memory_mb >= 64);
	assert_true(host.free_memory_mb <= host.memory_mb);
	/* Paper has no firmware. */
	assert_true(host.uefi == ((f->world->offers & CB_WORLD_TRANSFER) != 0));
	assert_true(host.local == (strcmp(host.type, "Fake") != 0));
}

static void a_new_domain_reads_as_it_was_set(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	const char *source = cb_arena_printf(&f->arena, "%s/root.qcow2", f->pool_path);
	struct cb_domain domain;

	cb_test_set(f, &set, "description", cb_string("one & only <b>\n  \"two\" lines"));
	cb_test_set(f, &set, "ram_mb", cb_int(1000));
	cb_test_set(f, &set, "vcpus", cb_int(3));
	cb_test_set(f, &set, "boot.kernel", cb_string("/a/kernel"));
	cb_test_set(f, &set, "boot.initrd", cb_string("/an/initrd"));
	cb_test_set(f, &set, "boot.cmdline", cb_string("console=ttyS0 a=\"<&'>\""));
	cb_test_set(f, &set, "network_mode", cb_string("user"));
	cb_test_set(f, &set, "nics[nic0].mac", cb_string(mac));
	cb_test_set(f, &set, "gui", cb_bool(true));
	cb_test_set(f, &set, "disks[root].source", cb_string(source));
	cb_test_set(f, &set, "disks[root].format", cb_string("qcow2"));
	OK(f, domain_define, &new);
	domain = cb_test_read(f);
	assert_string_equal(domain.uuid, f->uuid);
	assert_string_equal(domain.name, f->name);
	assert_false(domain.active);
	assert_true(domain.persistent);
	assert_int_equal(domain.live.len, 0);
	cb_test_reads(f, &domain.document, &set);
	string_is(&domain.document, "state", "stopped");
	assert_false(cb_spec_bool(&domain.document, "autostart", true));
	cb_test_set(f, &set, "machine", cb_string("q35"));
	cb_test_set(f, &set, "firmware", cb_string("bios"));
	cb_test_set(f, &set, "nics[nic0].type", cb_string("user"));
	cb_test_set(f, &set, "nics[nic0].model", cb_string("virtio"));
	cb_test_set(f, &set, "nics[nic0].link", cb_bool(true));
	cb_test_set(f, &set, "disks[root].bus", cb_string("virtio"));
	cb_test_set(f, &set, "disks[root].readonly", cb_bool(false));
	cb_test_set(f, &set, "disks[root].shareable", cb_bool(false));
	cb_test_reads(f, &domain.document, &set);
	assert_int_equal(domain.document.len, set.len + 2);
}

static bool has_file(const struct cb_domain *domain, const char *path)
{
	cb_vec_each (const char *, file, &domain->files) {
		if (strcmp(*file, path) == 0)
			return true;
	}
	return false;
}

static void files_are_those_that_the_document_names(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain domain;

	cb_test_set(f, &set, "boot.kernel", cb_string("/a/kernel"));
	cb_test_set(f, &set, "boot.initrd", cb_string("/an/initrd"));
	cb_test_set(f, &set, "disks[root].source", cb_string("/a/disk"));
	cb_test_set(f, &set, "disks[root].format", cb_string("raw"));
	OK(f, domain_define, &new);
	domain = cb_test_read(f);
	assert_int_equal(domain.files.len, 3);
	assert_true(has_file(&domain, "/a/kernel"));
	assert_true(has_file(&domain, "/an/initrd"));
	assert_true(has_file(&domain, "/a/disk"));
}

static const struct cb_domain *in_list(struct fixture *f, struct cb_domains *all)
{
	const struct cb_domain *found = NULL;

	OK(f, domains, &f->arena, all);
	for (size_t i = 0; i < all->len; i++) {
		assert_true(i == 0 || strcmp(all->items[i - 1].name, all->items[i].name) < 0);
		if (strcmp(all->items[i].uuid, f->uuid) == 0)
			found = &all->items[i];
	}
	return found;
}

static void the_list_shows_what_one_domain_shows(struct fixture *f)
{
	const struct cb_domain *listed;
	struct cb_domains all;
	struct cb_domain one;

	assert_null(in_list(f, &all));
	cb_test_define(f);
	OK(f, domain_autostart, f->uuid, true);
	one = cb_test_read(f);
	listed = in_list(f, &all);
	assert_non_null(listed);
	assert_string_equal(listed->name, one.name);
	assert_string_equal(listed->fingerprint, one.fingerprint);
	assert_true(listed->persistent);
	assert_false(listed->active);
	assert_non_null(listed->stamp);
	assert_int_equal(listed->ownership, CB_FOREIGN);
	assert_true(cb_spec_bool(&listed->document, "autostart", false));
	assert_int_equal(listed->document.len, one.document.len);
	for (size_t i = 0; i < one.document.len; i++)
		assert_true(cb_value_equal(&listed->document.items[i].value,
					   &one.document.items[i].value));
}

/* Identity. ------------------------------------------------------------------------------------ */

static void a_taken_name_or_uuid_is_refused(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	char other[CB_UUID_SIZE];
	struct cb_domain_new same_uuid = {f->uuid, "contract-another", &set, cb_test_stamp(f)};
	struct cb_domain_new same_name = {other, f->name, &set, cb_test_stamp(f)};
	struct cb_domain_new same_both = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain before, after, none;

	cb_random_uuid(other);
	cb_test_define(f);
	before = cb_test_read(f);
	cb_test_set(f, &set, "ram_mb", cb_int(128));
	FAILS(f, CB_E_EXISTS, domain_define, &same_both);
	FAILS(f, CB_E_EXISTS, domain_define, &same_name);
	cb_test_set(f, &set, "name", cb_string("contract-another"));
	FAILS(f, CB_E_EXISTS, domain_define, &same_uuid);
	after = cb_test_read(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
	FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, other, &none);
}

static void what_is_not_there_is_not_found(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit = {f->uuid, "", &set, cb_test_stamp(f)};
	struct cb_value value = cb_int(32);
	cb_auto_str struct cb_str text = {0};
	struct cb_domain domain;

	FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, f->uuid, &domain);
	FAILS(f, CB_E_NOT_FOUND, domain_update, &edit);
	FAILS(f, CB_E_NOT_FOUND, domain_document, f->uuid, &text);
	FAILS(f, CB_E_NOT_FOUND, domain_undefine, f->uuid);
	FAILS(f, CB_E_NOT_FOUND, domain_autostart, f->uuid, true);
	FAILS(f, CB_E_NOT_FOUND, domain_live, f->uuid, "ram_mb", &value);
	FAILS(f, CB_E_NOT_FOUND, domain_start, f->uuid);
	FAILS(f, CB_E_NOT_FOUND, domain_shutdown, f->uuid, CB_SHUTDOWN_ACPI);
	FAILS(f, CB_E_NOT_FOUND, domain_power_off, f->uuid);
}

static void nonsense_is_refused_and_leaves_nothing(struct fixture *f)
{
	static const struct {
		const char *path, *value;
		enum cb_code code;
	} cases[] = {
		{"description", "a\x01z", CB_E_INVALID},
		{"description", "a\rz", CB_E_INVALID},
		{"description", "a\xffz", CB_E_INVALID},
		{"network_mode", "wireless", CB_E_INVALID},
		{"nics[nic0].mac", "52:54:00:12:34:56", CB_E_INVALID},
		{"disks[root].format", "raw", CB_E_INVALID},
		{"disks[da ta].source", "/x", CB_E_INTERNAL},
		{"disks[].source", "/x", CB_E_INTERNAL},
		{"disks[data.source", "/x", CB_E_INTERNAL},
		{"disks[data].size", "1", CB_E_INTERNAL},
		{"disks[data].readonly", "yes", CB_E_INTERNAL},
		{"ram_mb", "many", CB_E_INTERNAL},
	};
	struct cb_domain domain;

	for (size_t i = 0; i < CB_COUNT(cases); i++) {
		struct cb_spec set = cb_test_spec(f);
		struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};

		cb_test_set(f, &set, cases[i].path, cb_string(cases[i].value));
		FAILS(f, (int)cases[i].code, domain_define, &new);
		FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, f->uuid, &domain);
	}
}

/* Stamps. -------------------------------------------------------------------------------------- */

static const char nasty[] =
	"&<>\"' \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7\n\ttab ]]> <!-- &amp; %s\r\n";

static void fill_stamp(struct fixture *f, struct cb_stamp *stamp)
{
	struct cb_stamp_volume root = {"root", "pool", nasty, "/a/path", CB_DELETE_WITH_VM, ""};
	struct cb_stamp_volume base = {"base", "pool", "base", "/b", CB_SHARED, "0123abcd"};
	struct cb_origin manifest = {.from = CB_FROM_MANIFEST}, initial = {.from = CB_FROM_DEFAULT};
	struct cb_value none = {.kind = CB_NONE};

	stamp->owner = nasty;
	stamp->source = "a/b.yaml#1";
	stamp->generation = UINT64_C(1) << 40;
	cb_vec_push(&f->arena, &stamp->volumes, root);
	cb_vec_push(&f->arena, &stamp->volumes, base);
	cb_spec_set(&f->arena, &stamp->applied, "description", cb_string(nasty), manifest);
	cb_spec_set(&f->arena, &stamp->applied, "gui", cb_bool(false), initial);
	cb_spec_set(&f->arena, &stamp->applied, "ram_mb", cb_int(-64), manifest);
	cb_spec_set(&f->arena, &stamp->applied, "empty", cb_string(""), initial);
	cb_spec_set(&f->arena, &stamp->applied, "none", none, manifest);
}

static void same_stamp(const struct cb_stamp *a, const struct cb_stamp *b)
{
	assert_non_null(b);
	assert_int_equal(b->version, CB_STAMP_VERSION);
	assert_string_equal(a->owner, b->owner);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->source, b->source);
	assert_string_equal(a->uuid, b->uuid);
	assert_string_equal(a->controller, b->controller);
	assert_string_equal(a->transaction, b->transaction);
	assert_true(a->generation == b->generation);
	assert_int_equal(a->volumes.len, b->volumes.len);
	for (size_t i = 0; i < a->volumes.len; i++) {
		assert_string_equal(a->volumes.items[i].role, b->volumes.items[i].role);
		assert_string_equal(a->volumes.items[i].pool, b->volumes.items[i].pool);
		assert_string_equal(a->volumes.items[i].name, b->volumes.items[i].name);
		assert_string_equal(a->volumes.items[i].path, b->volumes.items[i].path);
		assert_string_equal(a->volumes.items[i].digest, b->volumes.items[i].digest);
		assert_int_equal(a->volumes.items[i].deletion, b->volumes.items[i].deletion);
	}
	assert_int_equal(a->applied.len, b->applied.len);
	for (size_t i = 0; i < a->applied.len; i++) {
		assert_string_equal(a->applied.items[i].path, b->applied.items[i].path);
		assert_true(cb_value_equal(&a->applied.items[i].value, &b->applied.items[i].value));
		assert_int_equal(a->applied.items[i].origin.from, b->applied.items[i].origin.from);
	}
}

static void a_stamp_reads_as_it_was_written(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f), nothing = {0};
	struct cb_stamp *stamp = cb_test_stamp(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, stamp};
	struct cb_domain_edit edit;
	struct cb_domain domain;

	fill_stamp(f, stamp);
	OK(f, domain_define, &new);
	domain = cb_test_read(f);
	assert_null(domain.stamp_problem);
	same_stamp(stamp, domain.stamp);

	edit = cb_test_edit(f, &nothing);
	stamp->generation++;
	stamp->volumes.len = 1;
	edit.stamp = stamp;
	OK(f, domain_update, &edit);
	domain = cb_test_read(f);
	same_stamp(stamp, domain.stamp);
}

static void a_stamp_that_cannot_be_kept_is_refused(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_stamp *stamp = cb_test_stamp(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, stamp};
	struct cb_origin origin = {.from = CB_FROM_MANIFEST};
	char *big = cb_arena_alloc(&f->arena, CB_STAMP_MAX + 2);
	struct cb_domain domain;

	stamp->source = "a\x02z";
	FAILS(f, CB_E_INVALID, domain_define, &new);
	stamp->source = "";
	memset(big, 'x', CB_STAMP_MAX + 1);
	cb_spec_set(&f->arena, &stamp->applied, "description", cb_string(big), origin);
	FAILS(f, CB_E_INVALID, domain_define, &new);
	FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, f->uuid, &domain);
}

static void restore_xml(struct fixture *f, const char *metadata, const char *devices)
{
	OK(f, domain_restore,
	   cb_arena_printf(&f->arena,
			   "<domain type='qemu'><name>%s</name><uuid>%s</uuid>"
			   "<title>by hand</title><metadata>%s</metadata>"
			   "<memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>"
			   "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
			   "<features><acpi/><apic/></features>"
			   "<devices>%s</devices></domain>",
			   f->name, f->uuid, metadata, devices));
}

static void a_stamp_of_another_version_is_a_problem_not_a_stamp(struct fixture *f)
{
	static const char *const unreadable[] = {
		"<cb:vm xmlns:cb='urn:clonebox:stamp:2' version='2' owner='local'/>",
		"<cb:vm xmlns:cb='urn:clonebox:stamp:2' version='1' owner='' name='' source='' "
		"uuid='' controller='' transaction='' generation='1'/>",
		"<cb:vm xmlns:cb='urn:clonebox:stamp:1' version='1' owner='' name='' source='' "
		"uuid='' controller='' transaction='' generation='1'/>"
		"<cb:vm xmlns:cb='urn:clonebox:stamp:2' version='2'/>",
		"<cb:vm xmlns:cb='urn:clonebox:stamp:1' version='7' owner='local'/>",
		"<cb:vm xmlns:cb='urn:clonebox:stamp:1' version='1' owner='local'/>",
		"<cb:vm xmlns:cb='urn:clonebox:stamp:1' version='1' owner='' name='' source='' "
		"uuid='' controller='' transaction='' generation='x'/>",
		"<cb:vm xmlns:cb='urn:clonebox:stamp:1' version='1' owner='' name='' source='' "
		"uuid='' controller='' transaction='' generation='1'>"
		"<cb:field path='ram_mb' kind='int' value='much' from='manifest'/></cb:vm>",
	};
	struct cb_domains all;

	for (size_t i = 0; i < CB_COUNT(unreadable); i++) {
		const struct cb_domain *listed;

		restore_xml(f, unreadable[i], "");
		listed = in_list(f, &all);
		assert_non_null(listed);
		assert_null(listed->stamp);
		assert_non_null(listed->stamp_problem);
	}
}

static void a_domain_without_stamp_is_listed_briefly(struct fixture *f)
{
	const struct cb_domain *listed;
	struct cb_domains all;
	struct cb_domain one;

	restore_xml(f, "<x:other xmlns:x='urn:x'/>",
		    "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
		    "<source file='/a/disc'/><target dev='sda' bus='sata'/></disk>");
	listed = in_list(f, &all);
	assert_non_null(listed);
	assert_string_equal(listed->name, f->name);
	assert_null(listed->stamp);
	assert_null(listed->stamp_problem);
	assert_null(listed->fingerprint);
	assert_int_equal(listed->document.len, 0);
	assert_true(has_file(listed, "/a/disc"));
	one = cb_test_read(f);
	assert_non_null(one.fingerprint);
	assert_int_equal(cb_spec_int(&one.document, "ram_mb", 0), 64);
	/* A CD-ROM is not the root disk. */
	string_is(&one.document, "disks[root].source", NULL);
}

/* Changing. ------------------------------------------------------------------------------------ */

static void an_update_changes_what_it_is_told(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain before, after;

	cb_test_define(f);
	before = cb_test_read(f);
	cb_test_set(f, &set, "ram_mb", cb_int(96));
	cb_test_set(f, &set, "vcpus", cb_int(2));
	cb_test_set(f, &set, "description", cb_string("it & <that>"));
	cb_test_set(f, &set, "network_mode", cb_string("user"));
	cb_test_set(f, &set, "nics[nic0].mac", cb_string(mac));
	cb_test_set(f, &set, "boot.kernel", cb_string("/a/kernel"));
	cb_test_set(f, &set, "gui", cb_bool(true));
	cb_test_set(f, &set, "disks[root].source", cb_string("/a/disk"));
	cb_test_set(f, &set, "disks[root].format", cb_string("qcow2"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	assert_string_not_equal(before.fingerprint, after.fingerprint);
	assert_true(after.stamp->generation == 2);
	cb_vec_each (struct cb_entry, entry, &set)
		assert_true(cb_value_equal(&entry->value,
					   &cb_spec_find(&after.document, entry->path)->value));
	/* A NIC has type, model and link besides, a disk bus and two flags. */
	assert_int_equal(after.document.len, before.document.len + 5 + 6);
}

static void an_update_takes_away(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f), less = {0};
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_value none = {.kind = CB_NONE};
	struct cb_domain_edit edit;
	struct cb_domain after;

	cb_test_set(f, &set, "description", cb_string("text"));
	cb_test_set(f, &set, "boot.kernel", cb_string("/a/kernel"));
	cb_test_set(f, &set, "boot.cmdline", cb_string("quiet"));
	cb_test_set(f, &set, "network_mode", cb_string("user"));
	cb_test_set(f, &set, "gui", cb_bool(true));
	cb_test_set(f, &set, "disks[root].source", cb_string("/a/disk"));
	OK(f, domain_define, &new);
	cb_test_set(f, &less, "description", none);
	cb_test_set(f, &less, "boot.kernel", none);
	cb_test_set(f, &less, "boot.cmdline", cb_string(""));
	cb_test_set(f, &less, "network_mode", cb_string("none"));
	cb_test_set(f, &less, "gui", cb_bool(false));
	cb_test_set(f, &less, "disks[root].source", none);
	edit = cb_test_edit(f, &less);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	string_is(&after.document, "description", NULL);
	string_is(&after.document, "boot.kernel", NULL);
	string_is(&after.document, "boot.cmdline", NULL);
	string_is(&after.document, "network_mode", "none");
	string_is(&after.document, "nics[nic0].mac", NULL);
	string_is(&after.document, "disks[root].source", NULL);
	string_is(&after.document, "disks[root].format", NULL);
	assert_false(cb_spec_bool(&after.document, "gui", true));
}

static void a_new_disk_and_network_replace_the_old(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f), more = {0};
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain_edit edit;
	struct cb_domain after;

	cb_test_set(f, &set, "network_mode", cb_string("user"));
	cb_test_set(f, &set, "nics[nic0].mac", cb_string(mac));
	cb_test_set(f, &set, "disks[root].source", cb_string("/a/disk"));
	cb_test_set(f, &set, "disks[root].format", cb_string("raw"));
	OK(f, domain_define, &new);
	cb_test_set(f, &more, "network_mode", cb_string("default"));
	cb_test_set(f, &more, "disks[root].source", cb_string("/another/disk"));
	cb_test_set(f, &more, "disks[root].format", cb_string("qcow2"));
	edit = cb_test_edit(f, &more);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	string_is(&after.document, "network_mode", "default");
	string_is(&after.document, "nics[nic0].mac", mac);
	string_is(&after.document, "disks[root].source", "/another/disk");
	string_is(&after.document, "disks[root].format", "qcow2");
	assert_false(has_file(&after, "/a/disk"));
	cb_test_set(f, &more, "network_mode", cb_string("user"));
	edit = cb_test_edit(f, &more);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	string_is(&after.document, "network_mode", "user");
	string_is(&after.document, "nics[nic0].mac", mac);
}

static void a_domain_keeps_what_it_cannot_be_without(struct fixture *f)
{
	static const char *const needed[] = {"name", "ram_mb", "vcpus", "accel"};
	struct cb_value none = {.kind = CB_NONE};
	struct cb_domain before, after;

	cb_test_define(f);
	before = cb_test_read(f);
	for (size_t i = 0; i < CB_COUNT(needed); i++) {
		struct cb_spec set = {0};
		struct cb_domain_edit edit;

		cb_test_set(f, &set, needed[i], none);
		edit = cb_test_edit(f, &set);
		FAILS(f, CB_E_INVALID, domain_update, &edit);
	}
	after = cb_test_read(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
}

static void a_domain_is_not_renamed(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;

	cb_test_define(f);
	cb_test_set(f, &set, "name", cb_string(f->name));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	cb_test_set(f, &set, "name", cb_string("contract-renamed"));
	edit = cb_test_edit(f, &set);
	FAILS(f, CB_E_UNSUPPORTED, domain_update, &edit);
}

static void a_stale_fingerprint_is_a_conflict(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain first, second;

	cb_test_define(f);
	first = cb_test_read(f);
	cb_test_set(f, &set, "ram_mb", cb_int(96));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	second = cb_test_read(f);
	cb_test_set(f, &set, "ram_mb", cb_int(128));
	FAILS(f, CB_E_CONFLICT, domain_update, &edit);
	assert_int_equal(cb_spec_int(&second.document, "ram_mb", 0), 96);
	assert_string_not_equal(first.fingerprint, second.fingerprint);
	second = cb_test_read(f);
	assert_int_equal(cb_spec_int(&second.document, "ram_mb", 0), 96);
}

static void a_fingerprint_is_of_the_definition_alone(struct fixture *f)
{
	struct cb_domain before, now;

	cb_test_define(f);
	before = cb_test_read(f);
	now = cb_test_read(f);
	assert_string_equal(before.fingerprint, now.fingerprint);
	OK(f, domain_autostart, f->uuid, true);
	OK(f, domain_start, f->uuid);
	now = cb_test_read(f);
	assert_string_equal(before.fingerprint, now.fingerprint);
	OK(f, domain_power_off, f->uuid);
	now = cb_test_read(f);
	assert_string_equal(before.fingerprint, now.fingerprint);
}

static void autostart_is_switched(struct fixture *f)
{
	struct cb_domain domain;

	cb_test_define(f);
	OK(f, domain_autostart, f->uuid, true);
	OK(f, domain_autostart, f->uuid, true);
	domain = cb_test_read(f);
	assert_true(cb_spec_bool(&domain.document, "autostart", false));
	OK(f, domain_autostart, f->uuid, false);
	domain = cb_test_read(f);
	assert_false(cb_spec_bool(&domain.document, "autostart", true));
}

static void an_undefined_domain_is_restored_as_it_was(struct fixture *f)
{
	cb_auto_str struct cb_str document = {0};
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain before, after;

	cb_test_define(f);
	before = cb_test_read(f);
	OK(f, domain_document, f->uuid, &document);
	OK(f, domain_undefine, f->uuid);
	FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, f->uuid, &after);
	OK(f, domain_restore, document.text);
	after = cb_test_read(f);
	assert_string_equal(before.fingerprint, after.fingerprint);

	/* And over a changed one. */
	cb_test_set(f, &set, "ram_mb", cb_int(96));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	OK(f, domain_restore, document.text);
	after = cb_test_read(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
}

static void a_restored_domain_takes_no_name_away(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	cb_auto_str struct cb_str document = {0};
	char other[CB_UUID_SIZE];
	struct cb_domain_new new = {other, f->name, &set, cb_test_stamp(f)};
	struct cb_domain none;

	cb_random_uuid(other);
	cb_test_define(f);
	OK(f, domain_document, f->uuid, &document);
	OK(f, domain_undefine, f->uuid);
	OK(f, domain_define, &new);
	FAILS(f, CB_E_EXISTS, domain_restore, document.text);
	FAILS(f, CB_E_NOT_FOUND, domain, &f->arena, f->uuid, &none);
	OK(f, domain_undefine, other);
	FAILS(f, CB_E_INVALID, domain_restore, "neither this nor that");
}

/* Running. ------------------------------------------------------------------------------------- */

static void a_domain_starts_and_stops(struct fixture *f)
{
	const struct cb_domain *listed;
	struct cb_domains all;
	struct cb_domain domain;

	cb_test_define(f);
	OK(f, domain_power_off, f->uuid);
	OK(f, domain_shutdown, f->uuid, CB_SHUTDOWN_ACPI);
	OK(f, domain_start, f->uuid);
	OK(f, domain_start, f->uuid);
	domain = cb_test_read(f);
	assert_true(domain.active);
	string_is(&domain.document, "state", "running");
	assert_int_equal(cb_spec_int(&domain.live, "vcpus", 0), 1);
	assert_int_equal(cb_spec_int(&domain.live, "ram_mb", 0), 64);
	listed = in_list(f, &all);
	assert_true(listed && listed->active);
	assert_int_equal(listed->live.len, domain.live.len);
	FAILS(f, CB_E_CONFLICT, domain_undefine, f->uuid);
	OK(f, domain_power_off, f->uuid);
	OK(f, domain_power_off, f->uuid);
	domain = cb_test_read(f);
	assert_false(domain.active);
	assert_int_equal(domain.live.len, 0);
	string_is(&domain.document, "state", "stopped");
	OK(f, domain_undefine, f->uuid);
	assert_null(in_list(f, &all));
}

static int stray_of(struct fixture *f)
{
	int pid = -1;

	OK(f, domain_stray, f->uuid, &pid);
	return pid;
}

static void a_machine_that_the_host_runs_is_no_stray(struct fixture *f)
{
	struct cb_domains all;

	assert_int_equal(stray_of(f), 0);
	cb_test_define(f);
	assert_int_equal(stray_of(f), 0);
	OK(f, domain_start, f->uuid);
	assert_int_equal(stray_of(f), 0);
	assert_int_equal(in_list(f, &all)->stray, 0);
	OK(f, domain_power_off, f->uuid);
	assert_int_equal(stray_of(f), 0);
	assert_int_equal(in_list(f, &all)->stray, 0);
}

static void a_machine_behind_the_hosts_back_is_found(struct fixture *f)
{
	struct cb_domains all;
	struct cb_host host;
	int pid;

	OK(f, host, &f->arena, &host);
	assert_true(host.processes);
	cb_test_define(f);
	pid = cb_test_begin_stray(f);
	assert_true(pid > 0);
	assert_int_equal(stray_of(f), pid);
	assert_int_equal(in_list(f, &all)->stray, pid);
	/* What it runs stays what it is, also where the definition goes. */
	OK(f, domain_undefine, f->uuid);
	assert_int_equal(stray_of(f), pid);
	cb_test_end_stray(f, pid);
	assert_int_equal(stray_of(f), 0);
}

static void a_running_machine_keeps_its_old_definition(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain domain;

	cb_test_define(f);
	OK(f, domain_start, f->uuid);
	cb_test_set(f, &set, "vcpus", cb_int(2));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	domain = cb_test_read(f);
	assert_int_equal(cb_spec_int(&domain.document, "vcpus", 0), 2);
	assert_int_equal(cb_spec_int(&domain.live, "vcpus", 0), 1);
	OK(f, domain_power_off, f->uuid);
	OK(f, domain_start, f->uuid);
	domain = cb_test_read(f);
	assert_int_equal(cb_spec_int(&domain.live, "vcpus", 0), 2);
}

static void what_changes_live_leaves_the_definition(struct fixture *f)
{
	struct cb_value text = cb_string("now & <then>"), none = {.kind = CB_NONE};
	struct cb_value more = cb_int(128), two = cb_int(2), one = cb_int(1), user;
	struct cb_domain before, now;

	user = cb_string("user");
	cb_test_define(f);
	before = cb_test_read(f);
	FAILS(f, CB_E_CONFLICT, domain_live, f->uuid, "description", &text);
	OK(f, domain_start, f->uuid);
	OK(f, domain_live, f->uuid, "description", &text);
	now = cb_test_read(f);
	string_is(&now.live, "description", "now & <then>");
	assert_string_equal(before.fingerprint, now.fingerprint);
	OK(f, domain_live, f->uuid, "description", &none);
	now = cb_test_read(f);
	string_is(&now.live, "description", NULL);
	OK(f, domain_live, f->uuid, "vcpus", &one);
	FAILS(f, CB_E_UNSUPPORTED, domain_live, f->uuid, "vcpus", &two);
	FAILS(f, CB_E_UNSUPPORTED, domain_live, f->uuid, "ram_mb", &more);
	FAILS(f, CB_E_UNSUPPORTED, domain_live, f->uuid, "network_mode", &user);
}

static void without_an_agent_nobody_is_asked(struct fixture *f)
{
	struct cb_domain domain;

	cb_test_define(f);
	OK(f, domain_start, f->uuid);
	FAILS(f, CB_E_UNSUPPORTED, domain_shutdown, f->uuid, CB_SHUTDOWN_AGENT);
	OK(f, domain_shutdown, f->uuid, CB_SHUTDOWN_ACPI);
	OK(f, domain_power_off, f->uuid);
	domain = cb_test_read(f);
	assert_false(domain.active);
}

static void a_start_without_disk_fails_for_good(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain domain;

	OK(f, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool_start, f->pool);
	cb_test_set(f, &set, "disks[root].source",
		    cb_string(cb_arena_printf(&f->arena, "%s/none.qcow2", f->pool_path)));
	cb_test_set(f, &set, "disks[root].format", cb_string("qcow2"));
	OK(f, domain_define, &new);
	FAILS(f, CB_E_FAILED, domain_start, f->uuid);
	domain = cb_test_read(f);
	assert_false(domain.active);
}

static void a_volume_becomes_a_disk(struct fixture *f)
{
	struct cb_volume_new overlay = {f->pool, "root.qcow2", "qcow2", 8 << 20, NULL, NULL};
	struct cb_volume_new base = {f->pool, "base.raw", "raw", 4 << 20, NULL, NULL};
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_volume volume;
	struct cb_domain domain;

	OK(f, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool_start, f->pool);
	OK(f, volume_create, &base);
	OK(f, volume, &f->arena, f->pool, "base.raw", &volume);
	overlay.backing = volume.path;
	overlay.backing_format = "raw";
	OK(f, volume_create, &overlay);
	OK(f, volume, &f->arena, f->pool, "root.qcow2", &volume);
	cb_test_set(f, &set, "disks[root].source", cb_string(volume.path));
	cb_test_set(f, &set, "disks[root].format", cb_string("qcow2"));
	OK(f, domain_define, &new);
	OK(f, domain_start, f->uuid);
	domain = cb_test_read(f);
	string_is(&domain.live, "disks[root].source", volume.path);
	assert_true(has_file(&domain, volume.path));
	/* The running machine tells its chain. */
	if (f->world->offers & CB_WORLD_QEMU)
		assert_true(has_file(&domain, overlay.backing));
	OK(f, domain_power_off, f->uuid);
}

/* Documents of somebody else's. ---------------------------------------------------------------- */

static const char by_hand[] =
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
	"<source file='/hand/system'/><target dev='sda' bus='sata'/></disk>"
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
	"<source file='/hand/data'/><target dev='vdb' bus='virtio'/>"
	"<alias name='ua-data'/></disk>"
	"<interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='e1000e'/>"
	"</interface>"
	"<graphics type='vnc' autoport='yes' passwd='s3cret&amp;'/>"
	"<video><model type='vga'/></video>";

static bool document_has(struct fixture *f, const char *text)
{
	cb_auto_str struct cb_str document = {0};

	OK(f, domain_document, f->uuid, &document);
	return strstr(document.text, text) != NULL;
}

static void an_update_leaves_the_rest_alone(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain after;

	restore_xml(f, "<x:other xmlns:x='urn:x'><x:deep a='1'>t</x:deep></x:other>", by_hand);
	cb_test_set(f, &set, "ram_mb", cb_int(96));
	cb_test_set(f, &set, "disks[root].source", cb_string("/hand/new"));
	cb_test_set(f, &set, "disks[root].format", cb_string("qcow2"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	assert_non_null(after.stamp);
	assert_int_equal(cb_spec_int(&after.document, "ram_mb", 0), 96);
	string_is(&after.document, "disks[root].source", "/hand/new");
	string_is(&after.document, "nics[nic0].mac", "52:54:00:aa:bb:cc");
	/* One of two processors is plugged in, and stays so. */
	assert_int_equal(cb_spec_int(&after.document, "vcpus", 0), 1);
	assert_true(document_has(f, "current='1'>2</vcpu>"));
	assert_true(document_has(f, "<title>by hand</title>"));
	assert_true(document_has(f, "urn:x"));
	assert_true(document_has(f, "/hand/data"));
	assert_true(document_has(f, "bus='sata'"));
	assert_true(document_has(f, "e1000e"));
	assert_false(document_has(f, "/hand/system"));
	assert_true(has_file(&after, "/hand/new"));
	assert_true(has_file(&after, "/hand/data"));
}

static void a_password_survives_and_shows_nowhere(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	cb_auto_str struct cb_str document = {0};
	struct cb_domain before, after;

	restore_xml(f, "", by_hand);
	before = cb_test_read(f);
	cb_test_set(f, &set, "description", cb_string("changed"));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	assert_true(document_has(f, "s3cret&amp;"));
	after = cb_test_read(f);
	assert_string_not_equal(before.fingerprint, after.fingerprint);
	/* It does not count: another password is the same fingerprint. */
	OK(f, domain_document, f->uuid, &document);
	memcpy(strstr(document.text, "s3cret"), "S3CRET", 6);
	OK(f, domain_restore, document.text);
	before = cb_test_read(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
	assert_true(document_has(f, "S3CRET&amp;"));
}

static void vcpus_set_once_are_all_plugged_in(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain after;

	restore_xml(f, "", "");
	cb_test_set(f, &set, "vcpus", cb_int(3));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	assert_int_equal(cb_spec_int(&after.document, "vcpus", 0), 3);
	assert_true(document_has(f, "<vcpu placement='static'>3</vcpu>"));
}

/* The schema wants absolute paths, libvirt keeps any. */
static void a_document_that_does_not_validate_is_kept(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	struct cb_domain after;

	restore_xml(f, "",
		    "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
		    "<source file='relative/disk'/><target dev='vda' bus='virtio'/></disk>");
	cb_test_set(f, &set, "ram_mb", cb_int(96));
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	after = cb_test_read(f);
	assert_int_equal(cb_spec_int(&after.document, "ram_mb", 0), 96);
}

/* libvirt refuses to undefine a domain that has any of these, unless it is told of each. */
static virDomainPtr handle(struct fixture *f, virConnectPtr *connection)
{
	virDomainPtr domain;

	*connection = virConnectOpen(f->world->uri);
	assert_non_null(*connection);
	domain = virDomainLookupByUUIDString(*connection, f->uuid);
	assert_non_null(domain);
	return domain;
}

static void define_with_disk(struct fixture *f)
{
	struct cb_volume_new disk = {f->pool, "root.qcow2", "qcow2", 1 << 20, NULL, NULL};
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};

	OK(f, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool_start, f->pool);
	OK(f, volume_create, &disk);
	cb_test_set(f, &set, "disks[root].source",
		    cb_string(cb_arena_printf(&f->arena, "%s/root.qcow2", f->pool_path)));
	cb_test_set(f, &set, "disks[root].format", cb_string("qcow2"));
	OK(f, domain_define, &new);
}

static void a_domain_with_snapshots_is_undefined(struct fixture *f)
{
	const struct cb_domain *listed;
	virConnectPtr connection;
	virDomainPtr domain;
	virDomainSnapshotPtr snapshot;
	struct cb_domains all;

	/* QEMU keeps a snapshot in a disk. */
	define_with_disk(f);
	domain = handle(f, &connection);
	snapshot = virDomainSnapshotCreateXML(domain, "<domainsnapshot/>", 0);
	assert_non_null(snapshot);
	assert_true(cb_test_read(f).snapshots);
	listed = in_list(f, &all);
	assert_true(listed && listed->snapshots && !listed->managed_save);
	OK(f, domain_undefine, f->uuid);
	assert_null(in_list(f, &all));
	(void)virDomainSnapshotFree(snapshot);
	(void)virDomainFree(domain);
	(void)virConnectClose(connection);
}

static void a_domain_with_saved_memory_is_undefined(struct fixture *f)
{
	const struct cb_domain *listed;
	virConnectPtr connection;
	virDomainPtr domain;
	struct cb_domains all;

	cb_test_define(f);
	OK(f, domain_start, f->uuid);
	domain = handle(f, &connection);
	assert_int_equal(virDomainManagedSave(domain, 0), 0);
	assert_true(cb_test_read(f).managed_save);
	listed = in_list(f, &all);
	assert_true(listed && listed->managed_save && !listed->snapshots && !listed->active);
	OK(f, domain_undefine, f->uuid);
	assert_null(in_list(f, &all));
	(void)virDomainFree(domain);
	(void)virConnectClose(connection);
}

static void a_domain_with_firmware_settings_is_undefined(struct fixture *f)
{
	const char *nvram = cb_arena_printf(&f->arena, "%s/%s.fd", cb_test_directory(), f->name);
	struct cb_domain domain;

	OK(f, domain_restore,
	   cb_arena_printf(&f->arena,
			   "<domain type='qemu'><name>%s</name><uuid>%s</uuid>"
			   "<memory unit='MiB'>64</memory>"
			   "<os><type arch='x86_64' machine='q35'>hvm</type>"
			   "<loader readonly='yes' type='pflash'>/a/firmware</loader>"
			   "<nvram>%s</nvram></os><features><acpi/></features></domain>",
			   f->name, f->uuid, nvram));
	cb_expect(f, cb_fs_write_atomic(nvram, "x", 1, &f->err), 0, "write", __FILE__, __LINE__);
	domain = cb_test_read(f);
	assert_true(domain.nvram);
	assert_true(has_file(&domain, nvram));
	assert_true(has_file(&domain, "/a/firmware"));
	OK(f, domain_undefine, f->uuid);
	assert_int_equal(access(nvram, F_OK), -1);
}

static void a_transient_domain_is_seen_but_not_changed(struct fixture *f)
{
	const struct cb_domain *listed;
	struct cb_spec set = {0};
	struct cb_domain_edit edit;
	virConnectPtr connection;
	virDomainPtr domain;
	struct cb_domains all;
	struct cb_domain is;

	cb_test_define(f);
	OK(f, domain_start, f->uuid);
	domain = handle(f, &connection);
	assert_int_equal(virDomainUndefine(domain), 0);
	is = cb_test_read(f);
	assert_true(is.active);
	assert_false(is.persistent);
	listed = in_list(f, &all);
	assert_true(listed && listed->active && !listed->persistent);
	edit = cb_test_edit(f, &set);
	FAILS(f, CB_E_CONFLICT, domain_update, &edit);
	FAILS(f, CB_E_CONFLICT, domain_undefine, f->uuid);
	OK(f, domain_power_off, f->uuid);
	assert_null(in_list(f, &all));
	(void)virDomainFree(domain);
	(void)virConnectClose(connection);
}

static void volumes_named_by_pool_are_files(struct fixture *f)
{
	struct cb_domain domain;

	OK(f, pool_define, f->pool, f->pool_path, NULL);
	restore_xml(f, "",
		    cb_arena_printf(&f->arena,
				    "<disk type='volume' device='disk'>"
				    "<driver name='qemu' type='qcow2'/>"
				    "<source pool='%s' volume='x.qcow2'/>"
				    "<backingStore type='file'><format type='raw'/>"
				    "<source file='/a/base'/></backingStore>"
				    "<target dev='vda' bus='virtio'/></disk>"
				    "<disk type='volume' device='disk'>"
				    "<source pool='contract-none' volume='x.qcow2'/>"
				    "<target dev='vdb' bus='virtio'/></disk>"
				    "<disk type='block' device='disk'><source dev='/dev/block'/>"
				    "<target dev='vdc' bus='virtio'/></disk>",
				    f->pool));
	domain = cb_test_read(f);
	assert_true(has_file(&domain, cb_arena_printf(&f->arena, "%s/x.qcow2", f->pool_path)));
	assert_true(has_file(&domain, "/a/base"));
	assert_true(has_file(&domain, "/dev/block"));
	assert_int_equal(domain.files.len, 3);
}

#define CASE(function, needs)                                                                      \
	{                                                                                          \
#		function, needs, function                                                         \
	}

static const struct test_case domain_cases[] = {
	CASE(a_host_says_what_it_is, 0),
	CASE(a_new_domain_reads_as_it_was_set, 0),
	CASE(files_are_those_that_the_document_names, 0),
	CASE(the_list_shows_what_one_domain_shows, 0),
	CASE(a_taken_name_or_uuid_is_refused, 0),
	CASE(what_is_not_there_is_not_found, 0),
	CASE(nonsense_is_refused_and_leaves_nothing, 0),
	CASE(a_stamp_reads_as_it_was_written, 0),
	CASE(a_stamp_that_cannot_be_kept_is_refused, 0),
	CASE(a_stamp_of_another_version_is_a_problem_not_a_stamp, CB_WORLD_XML),
	CASE(a_domain_without_stamp_is_listed_briefly, CB_WORLD_XML),
	CASE(an_update_changes_what_it_is_told, 0),
	CASE(an_update_takes_away, 0),
	CASE(a_new_disk_and_network_replace_the_old, 0),
	CASE(a_domain_keeps_what_it_cannot_be_without, 0),
	CASE(a_domain_is_not_renamed, 0),
	CASE(a_stale_fingerprint_is_a_conflict, 0),
	CASE(a_fingerprint_is_of_the_definition_alone, 0),
	CASE(autostart_is_switched, 0),
	CASE(an_undefined_domain_is_restored_as_it_was, 0),
	CASE(a_restored_domain_takes_no_name_away, 0),
	CASE(a_domain_starts_and_stops, 0),
	CASE(a_machine_that_the_host_runs_is_no_stray, 0),
	CASE(a_machine_behind_the_hosts_back_is_found, CB_WORLD_FILES),
	CASE(a_running_machine_keeps_its_old_definition, 0),
	CASE(what_changes_live_leaves_the_definition, 0),
	CASE(without_an_agent_nobody_is_asked, CB_WORLD_TRANSFER),
	CASE(a_start_without_disk_fails_for_good, CB_WORLD_TRANSFER),
	CASE(a_volume_becomes_a_disk, CB_WORLD_TRANSFER),
	CASE(an_update_leaves_the_rest_alone, CB_WORLD_XML),
	CASE(a_password_survives_and_shows_nowhere, CB_WORLD_XML),
	CASE(vcpus_set_once_are_all_plugged_in, CB_WORLD_XML),
	CASE(a_document_that_does_not_validate_is_kept, CB_WORLD_XML),
	CASE(a_domain_with_snapshots_is_undefined, CB_WORLD_XML),
	CASE(a_domain_with_saved_memory_is_undefined, CB_WORLD_XML),
	CASE(a_domain_with_firmware_settings_is_undefined, CB_WORLD_QEMU | CB_WORLD_FILES),
	CASE(a_transient_domain_is_seen_but_not_changed, CB_WORLD_XML),
	CASE(volumes_named_by_pool_are_files, CB_WORLD_XML),
};

#endif
