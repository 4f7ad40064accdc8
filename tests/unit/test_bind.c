/* Bindings on documents alone: what hosts here cannot show, or would repair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "reconciler/driver/libvirt/libvirt_internal.h"

struct document {
	struct cb_arena arena;
	struct cb_error err;
	xmlDocPtr doc;
	xmlNodePtr root;
};

static struct document parse(const char *text)
{
	struct document d = {0};

	assert_int_equal(cb_xml_parse(text, &d.doc, &d.err), 0);
	d.root = xmlDocGetRootElement(d.doc);
	return d;
}

static void end(struct document *d)
{
	cb_xml_release(&d->doc);
	cb_error_release(&d->err);
	cb_arena_release(&d->arena);
}

static int set(struct document *d, const char *path, const char *value)
{
	struct cb_origin origin = {.from = CB_FROM_MANIFEST};
	struct cb_spec spec = {0};
	int r;

	cb_error_release(&d->err);
	cb_spec_set(&d->arena, &spec, path, cb_string(value), origin);
	r = cb_bind_write(d->root, &spec, &d->err);
	return r < 0 ? r : cb_bind_verify(d->root, &spec, &d->err);
}

static const char *get(struct document *d, const char *path)
{
	struct cb_spec spec = {0};

	cb_bind_read(&d->arena, d->root, &spec);
	return cb_spec_string(&spec, path);
}

static bool has(struct document *d, const char *text)
{
	cb_auto_str struct cb_str whole = {0};

	cb_xml_dump(d->root, &whole);
	return strstr(whole.text, text) != NULL;
}

/* Debian's libvirt knows passt in its schema only. */
static void ports_are_forwarded_by_passt(void **state)
{
	struct document d = parse("<domain type='qemu'><devices/></domain>");

	(void)state;
	assert_int_equal(set(&d, "nics[n].type", "user"), 0);
	assert_int_equal(set(&d, "nics[n].forwards", "tcp:2222:22 udp:5353:53"), 0);
	assert_string_equal(get(&d, "nics[n].forwards"), "tcp:2222:22 udp:5353:53");
	assert_true(has(&d, "<backend type=\"passt\"/>"
			    "<portForward proto=\"tcp\" address=\"127.0.0.1\">"
			    "<range start=\"2222\" to=\"22\"/></portForward>"
			    "<portForward proto=\"udp\" address=\"127.0.0.1\">"
			    "<range start=\"5353\" to=\"53\"/></portForward>"));
	assert_int_equal(set(&d, "nics[n].forwards", "tcp:80:80"), 0);
	assert_false(has(&d, "2222"));
	assert_int_equal(set(&d, "nics[n].forwards", NULL), 0);
	assert_false(has(&d, "passt") || has(&d, "portForward"));
	/* They go with the connection that they need. */
	assert_int_equal(set(&d, "nics[n].forwards", "tcp:80:80"), 0);
	assert_int_equal(set(&d, "nics[n].type", "bridge"), -CB_E_INVALID);
	assert_false(has(&d, "passt") || has(&d, "portForward"));
	end(&d);
}

/* What others wrote can be longer than what we write, and has to differ from it. */
static void a_range_of_ports_shows(void **state)
{
	struct document d = parse("<domain><devices><interface type='user'>"
				  "<portForward proto='tcp'><range start='10' end='12' to='20'/>"
				  "<range start='30'/></portForward>"
				  "<alias name='ua-nic-n'/></interface></devices></domain>");

	(void)state;
	assert_string_equal(get(&d, "nics[n].forwards"), "tcp:10-12:20 tcp:30:30");
	end(&d);
}

/* A document that nothing of ours is in may be one that clonebox is to take over. */
static void what_has_no_name_is_found_in_documents_of_others_only(void **state)
{
	static const char others[] =
		"<domain><devices>"
		"<disk type='file' device='cdrom'><source file='/cd'/><target dev='sda' "
		"bus='sata'/>"
		"</disk><disk type='file'><source file='/first'/><target dev='sdb' bus='sata'/>"
		"</disk><disk type='file'><source file='/second'/><target dev='vda' bus='virtio'/>"
		"</disk><interface type='user'/></devices></domain>";
	static const char ours[] =
		"<domain><devices><disk type='file'><source file='/first'/>"
		"<target dev='sdb' bus='sata'/></disk><interface type='user'/>"
		"<channel type='unix'><alias name='ua-agent'/></channel></devices></domain>";
	static const char named[] =
		"<domain><devices><interface type='user'/><interface type='user'>"
		"<alias name='ua-nic-lan'/></interface></devices></domain>";
	struct document d = parse(others);

	(void)state;
	assert_string_equal(get(&d, "disks[root].source"), "/first");
	assert_string_equal(get(&d, "network_mode"), "user");
	assert_string_equal(get(&d, "nics[nic0].type"), "user");
	/* A new disk gets the next free name, and leaves the one that was found. */
	assert_int_equal(set(&d, "disks[new].source", "/new"), 0);
	assert_true(has(&d, "<target dev=\"vdb\" bus=\"virtio\"/>"));
	assert_string_equal(get(&d, "disks[root].source"), "/first");
	end(&d);
	d = parse(ours);
	assert_null(get(&d, "disks[root].source"));
	assert_string_equal(get(&d, "network_mode"), "none");
	end(&d);
	d = parse(named);
	assert_string_equal(get(&d, "network_mode"), "none");
	assert_string_equal(get(&d, "nics[lan].type"), "user");
	end(&d);
}

static void processors_keep_what_people_say_of_them(void **state)
{
	struct document d = parse("<domain type='kvm'><cpu mode='custom' match='exact' "
				  "check='partial'><model fallback='forbid'>Nehalem</model>"
				  "<vendor>Intel</vendor><topology sockets='1' cores='2'/>"
				  "<feature policy='disable' name='vmx'/></cpu></domain>");

	(void)state;
	assert_string_equal(get(&d, "cpu"), "Nehalem");
	assert_int_equal(set(&d, "cpu", "host-passthrough"), 0);
	assert_true(has(&d, "<cpu mode=\"host-passthrough\"><topology"));
	assert_true(has(&d, "vmx"));
	assert_int_equal(set(&d, "cpu", NULL), 0);
	assert_true(has(&d, "<topology"));
	/* libvirt takes features only beside a model or a mode. */
	assert_false(has(&d, "vmx"));
	assert_int_equal(set(&d, "accel", "tcg"), 0);
	end(&d);
}

static void boards_are_read_by_family(void **state)
{
	static const char *const rows[][2] = {{"pc-q35-7.2", "q35"},
					      {"q35", "q35"},
					      {"pc-i440fx-2.9", "pc"},
					      {"pc", "pc"},
					      {"microvm", "microvm"}};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		struct document d = parse("<domain><os><type>hvm</type></os></domain>");

		cb_xml_set_attr(cb_xml_at(d.root, "os/type"), "machine", rows[i][0]);
		assert_string_equal(get(&d, "machine"), rows[i][1]);
		/* The family that it is of: the version stays. */
		if (i < 4) {
			assert_int_equal(set(&d, "machine", rows[i][1]), 0);
			assert_true(has(&d, rows[i][0]));
		}
		end(&d);
	}
}

static void firmware_of_others_is_seen(void **state)
{
	struct document d = parse("<domain><os><type>hvm</type>"
				  "<loader readonly='yes' type='pflash'>/f</loader>"
				  "<nvram>/n</nvram></os></domain>");

	(void)state;
	assert_string_equal(get(&d, "firmware"), "uefi");
	assert_int_equal(set(&d, "firmware", "uefi"), 0);
	assert_true(has(&d, "/f") && has(&d, "/n"));
	assert_int_equal(set(&d, "firmware", "bios"), 0);
	assert_false(has(&d, "/f") || has(&d, "/n"));
	end(&d);
}

/* Memory is shared for as long as a mount needs that, and what people say of memory stays. */
static void memory_is_shared_where_a_mount_needs_it(void **state)
{
	static const char ours[] = "<channel><alias name='ua-agent'/></channel>";

	static const struct {
		const char *memory, *devices;
		bool stays, memfd;
	} rows[] = {
		{"", ours, false, true},
		{"", "", true, true}, /* a document of others: who knows whose it was */
		{"<memoryBacking><locked/></memoryBacking>", ours, true, true},
		{"<memoryBacking><hugepages/></memoryBacking>", ours, true, false},
		{"<memoryBacking><source type='file'/></memoryBacking>", ours, true, false},
		{"",
		 "<channel><alias name='ua-agent'/></channel><filesystem type='mount'>"
		 "<driver type='virtiofs'/><target dir='hand'/></filesystem>",
		 true, true},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		struct cb_arena arena = {0};
		struct document d =
			parse(cb_arena_printf(&arena, "<domain>%s<devices>%s</devices></domain>",
					      rows[i].memory, rows[i].devices));

		assert_int_equal(set(&d, "mounts[a].source", "/a"), 0);
		assert_false(has(&d, "shared"));
		assert_int_equal(set(&d, "mounts[a].kind", "virtiofs"), 0);
		assert_true(has(&d, "<access mode=\"shared\"/>"));
		assert_true(has(&d, "memfd") == rows[i].memfd);
		assert_int_equal(set(&d, "mounts[b].source", "/b"), 0);
		assert_int_equal(set(&d, "mounts[b].kind", "virtiofs"), 0);
		assert_int_equal(set(&d, "mounts[a].source", NULL), 0);
		assert_true(has(&d, "shared"));
		assert_int_equal(set(&d, "mounts[b].kind", "9p"), 0);
		assert_true(has(&d, "shared") == rows[i].stays);
		assert_true(has(&d, "<memoryBacking") == rows[i].stays);
		assert_string_equal(get(&d, "mounts[b].source"), "/b");
		end(&d);
		cb_arena_release(&arena);
	}
}

/* libvirt would define such a machine, or not start it: it counts as taken off. */
static void a_mount_that_cannot_work_is_none(void **state)
{
	struct document d = parse("<domain><devices/></domain>");

	(void)state;
	assert_int_equal(set(&d, "mounts[a].source", "/a"), 0);
	assert_int_equal(set(&d, "mounts[a].kind", "virtiofs"), 0);
	cb_xml_drop(cb_xml_at(d.root, "memoryBacking/access"));
	assert_null(get(&d, "mounts[a].source"));
	assert_int_equal(set(&d, "mounts[a].source", "/a"), -CB_E_CONFLICT);
	assert_int_equal(set(&d, "mounts[a].kind", "virtiofs"), 0);
	assert_string_equal(get(&d, "mounts[a].source"), "/a");
	cb_xml_set_attr(cb_xml_at(d.root, "devices/filesystem/target"), "dir", "other");
	assert_null(get(&d, "mounts[a].source"));
	assert_int_equal(set(&d, "mounts[a].source", "/a"), 0);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_forwarded_by_passt),
		cmocka_unit_test(a_range_of_ports_shows),
		cmocka_unit_test(what_has_no_name_is_found_in_documents_of_others_only),
		cmocka_unit_test(processors_keep_what_people_say_of_them),
		cmocka_unit_test(boards_are_read_by_family),
		cmocka_unit_test(firmware_of_others_is_seen),
		cmocka_unit_test(memory_is_shared_where_a_mount_needs_it),
		cmocka_unit_test(a_mount_that_cannot_work_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
