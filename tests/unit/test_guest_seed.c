/* The seed image reads back as it was made, and cloud-init itself takes what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/guest/guest.h"

#define UUID "6f3c3a0e-5a36-4b5e-9d7e-0a4f1c2b3d4e"

enum { SECTOR = 2048, PRIMARY = 16, LABEL = 40 };

static void text(struct cb_str *str, const char *what)
{
	cb_str_add(str, what);
}

static void make(const struct cb_guest_files *files, struct cb_str *image)
{
	cb_auto_error struct cb_error err = {0};

	if (cb_guest_seed(files, image, &err) < 0)
		fail_msg("%s", err.message);
}

/* Checks one file of the image, which is the next one of its kind in `files`. */
static void check_entry(struct archive *archive, struct archive_entry *entry,
			const struct cb_guest_files *files)
{
	const struct cb_str *const contents[] = {&files->user_data, &files->meta_data,
						 &files->network_config};
	const char *const names[] = {"user-data", "meta-data", "network-config"};
	const char *name = archive_entry_pathname(entry);
	const struct cb_str *wanted = NULL;
	char *bytes;

	for (size_t i = 0; i < CB_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0)
			wanted = contents[i];
	}
	if (!wanted || wanted->len == 0)
		fail_msg("%s is in the image", name);
	assert_int_equal(archive_entry_perm(entry), 0400);
	assert_int_equal(archive_entry_size(entry), wanted->len);
	bytes = malloc(wanted->len + 1);
	assert_non_null(bytes);
	assert_int_equal(archive_read_data(archive, bytes, wanted->len + 1), wanted->len);
	assert_memory_equal(bytes, wanted->text, wanted->len);
	free(bytes);
}

/* Reads an image by `options` (which of the two name spaces); returns how many files it holds. */
static int read_back(const struct cb_str *image, const char *options,
		     const struct cb_guest_files *files)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	int count = 0;

	assert_int_equal(archive_read_support_format_iso9660(archive), ARCHIVE_OK);
	assert_int_equal(archive_read_set_options(archive, options), ARCHIVE_OK);
	assert_int_equal(archive_read_open_memory(archive, image->text, image->len), ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		if (archive_entry_filetype(entry) == AE_IFDIR)
			continue;
		count++;
		if (strstr(options, "!joliet"))
			check_entry(archive, entry, files);
	}
	assert_int_equal(archive_read_free(archive), ARCHIVE_OK);
	return count;
}

/* The volume label of a descriptor, of its `width` bytes per character. */
static void check_label(const struct cb_str *image, size_t sector, int type, size_t width,
			const char *wanted)
{
	const char *head = image->text + sector * SECTOR;

	assert_true(image->len > (sector + 1) * SECTOR);
	assert_int_equal(head[0], type);
	assert_memory_equal(head + 1, "CD001", 5);
	for (size_t i = 0; i < 32 / width; i++)
		assert_int_equal(head[LABEL + i * width + width - 1],
				 i < strlen(wanted) ? wanted[i] : ' ');
}

static void check_image(const struct cb_guest_files *files, int count)
{
	struct cb_str image = {0};

	/* What was there goes. */
	cb_str_add(&image, "something else");
	make(files, &image);
	assert_int_equal(image.len % SECTOR, 0);
	check_label(&image, PRIMARY, 1, 1, "CIDATA");
	check_label(&image, PRIMARY + 1, 2, 2, "cidata");
	assert_int_equal(read_back(&image, "iso9660:!joliet,iso9660:rockridge", files), count);
	assert_int_equal(read_back(&image, "iso9660:joliet,iso9660:!rockridge", files), count);
	cb_str_wipe(&image);
}

static void an_image_holds_the_files(void **state)
{
	struct cb_guest_files files = {0};

	(void)state;
	text(&files.user_data, "#cloud-config\n{}\n");
	text(&files.meta_data, "{\"instance-id\": \"x\"}\n");
	check_image(&files, 2);
	text(&files.network_config, "x");
	check_image(&files, 3);
	cb_guest_files_wipe(&files);
}

/* Many sectors, and the bounds of one. */
static void size_is_no_matter(void **state)
{
	static const size_t sizes[] = {1, SECTOR - 1, SECTOR, SECTOR + 1, 65536, 300001};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(sizes); i++) {
		struct cb_guest_files files = {0};

		for (size_t n = 0; n < sizes[i]; n++)
			cb_str_add_bytes(&files.user_data, &"0123456789abcdef\n"[n % 17], 1);
		for (size_t n = 0; n < sizes[CB_COUNT(sizes) - 1 - i]; n++)
			cb_str_add_bytes(&files.meta_data, &"ABC"[n % 3], 1);
		check_image(&files, 2);
		cb_guest_files_wipe(&files);
	}
}

/* cloud-init: the package as tests/testbed/deps unpacks it, else the machine's own. -------------
 */

static bool cloud_init_dir(struct cb_str *dir)
{
	const char *given = getenv("CB_CLOUD_INIT_DIR"), *cache = getenv("CB_TESTBED_CACHE");
	cb_auto_str struct cb_str probe = {0};

	if (given)
		cb_str_add(dir, given);
	else
		cb_str_printf(dir, "%s/deb/cloud-init", cache ? cache : "build/testbed/cache");
	cb_str_printf(&probe, "%s/usr/lib/python3/dist-packages/cloudinit", dir->text);
	return access(probe.text, R_OK) == 0 || given;
}

/* Runs a program with python's modules of cloud-init at hand; its words go to `log`. */
static int run(const char *what, const char *file, const char *log)
{
	cb_auto_str struct cb_str dir = {0}, line = {0};
	bool unpacked = cloud_init_dir(&dir);
	int status;

	/* A sanitizer's options are not for python. */
	cb_str_add(&line, "unset LD_PRELOAD ASAN_OPTIONS; ");
	if (unpacked)
		cb_str_printf(&line, "export PYTHONPATH='%s/usr/lib/python3/dist-packages'; ",
			      dir.text);
	cb_str_add(&line, "export PYTHONDONTWRITEBYTECODE=1; /usr/bin/python3 ");
	cb_str_printf(&line, "%s '%s' >>'%s' 2>&1", what, file, log);
	status = system(line.text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* YAML has to mean what the JSON meant, and every renderer has to make sense of the network. */
static const char alike[] =
	"import json, os, sys, yaml\n"
	"from cloudinit.net import eni, netplan, network_state, networkd\n"
	"os.chdir(sys.argv[1])\n"
	"for name in 'user-data', 'meta-data', 'network-config':\n"
	"    text = open(name, encoding='utf-8').read()\n"
	"    told = yaml.safe_load(text)\n"
	"    assert told == json.loads(text.replace('#cloud-config\\n', '', 1)), name\n"
	"state = network_state.parse_net_config_data(told)\n"
	"renderer = eni.Renderer({'eni_path': 'interfaces'})\n"
	"renderer.render_network_state(state, target='out')\n"
	"renderer = netplan.Renderer({'netplan_path': 'netplan.yaml'})\n"
	"renderer.render_network_state(state, target='out')\n"
	"renderer = networkd.Renderer({})\n"
	/* Not to files: they would be given to a user whom this machine may not have. */
	"networkd = ''.join(renderer._render_content(state).values())\n"
	"eni = open('out/interfaces').read()\n"
	"netplan = open('out/netplan.yaml').read()\n"
	"for gateway in '10.10.0.1', 'fd00::1':\n"
	"    assert 'gateway ' + gateway + '\\n' in eni, eni\n"
	"    assert ' ' + gateway + '\\n' in netplan, netplan\n"
	"    assert '[Route]\\nGateway=' + gateway + '\\n' in networkd, networkd\n"
	"assert 'iface nic0 inet dhcp\\n' in eni, eni\n"
	"for mac in '52:54:00:aa:bb:01', '52:54:00:aa:bb:02', '52:54:00:aa:bb:03':\n"
	"    assert mac in netplan and 'MACAddress=' + mac in networkd, networkd\n";

static const char schema[] = "-m cloudinit.cmd.main schema --config-file";

static void write_file(const char *dir, const char *name, const struct cb_str *content)
{
	cb_auto_str struct cb_str path = {0};
	FILE *file;

	cb_str_printf(&path, "%s/%s", dir, name);
	file = fopen(path.text, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(content->text, 1, content->len, file), content->len);
	assert_int_equal(fclose(file), 0);
}

static void show(const char *dir)
{
	cb_auto_str struct cb_str line = {0};

	cb_str_printf(&line, "cat '%s'/log '%s'/user-data", dir, dir);
	if (system(line.text) != 0)
		return;
}

struct scratch {
	char dir[32];
	struct cb_str user_data, log;
};

static void open_scratch(struct scratch *s)
{
	*s = (struct scratch){.dir = "/tmp/cb-guest-XXXXXX"};
	assert_non_null(mkdtemp(s->dir));
	cb_str_printf(&s->user_data, "%s/user-data", s->dir);
	cb_str_printf(&s->log, "%s/log", s->dir);
}

static void close_scratch(struct scratch *s)
{
	cb_auto_str struct cb_str line = {0};

	cb_str_printf(&line, "rm -rf '%s'", s->dir);
	assert_int_equal(system(line.text), 0);
	cb_str_release(&s->user_data);
	cb_str_release(&s->log);
}

static void takes(const struct cb_guest *guest)
{
	cb_auto_str struct cb_str script = {0}, what = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_guest_files files;
	struct scratch s;

	cb_str_add(&script, alike);
	open_scratch(&s);
	if (cb_guest_render(guest, &files, &err) < 0)
		fail_msg("%s", err.message);
	write_file(s.dir, "user-data", &files.user_data);
	write_file(s.dir, "meta-data", &files.meta_data);
	if (run(schema, s.user_data.text, s.log.text) != 0) {
		show(s.dir);
		fail_msg("cloud-init does not take the user-data (tests/testbed/deps gets it)");
	}
	if (files.network_config.len) {
		write_file(s.dir, "network-config", &files.network_config);
		write_file(s.dir, "alike.py", &script);
		cb_str_printf(&what, "'%s/alike.py'", s.dir);
		if (run(what.text, s.dir, s.log.text) != 0) {
			show(s.dir);
			fail_msg("cloud-init reads something else than was written");
		}
	}
	cb_guest_files_wipe(&files);
	close_scratch(&s);
}

#define LIST(...)                                                                                  \
	{                                                                                          \
		.items = (const char *[]){__VA_ARGS__},                                            \
		.len = CB_COUNT(((const char *[]){__VA_ARGS__}))                                   \
	}

static void cloud_init_takes_what_it_is_told(void **state)
{
	struct cb_guest_mount mounts[] = {{"mount0", "/src", CB_GUEST_VIRTIOFS, false},
					  {"mount1", "/a b", CB_GUEST_9P, true}};
	struct cb_guest_nic nics[] = {
		{"nic0", "52:54:00:AA:BB:01", NULL, NULL},
		{"lan0", "52:54:00:aa:bb:02", "10.10.0.10/24", "10.10.0.1"},
		{"lan6", "52:54:00:aa:bb:03", "fd00::10/64", "fd00::1"},
	};
	const struct cb_guest least = {
		.name = "dev", .uuid = UUID, .generation = 1, .username = "ubuntu"};
	struct cb_guest full = {
		.name = "dev",
		.uuid = UUID,
		.generation = 2,
		.timezone = "Europe/Berlin",
		.username = "ops",
		.auth = CB_GUEST_ONE_TIME_PASSWORD,
		.password = "secret",
		.ssh_keys = LIST("ssh-ed25519 AAAAC3NzaC1lZDI1 a@example"),
		.packages = LIST("git", "g++"),
		.snap_packages = LIST("chromium"),
		.services = LIST("docker"),
		/* What YAML reads otherwise than JSON, unless it is escaped. */
		.post_commands =
			LIST("echo \"a: 'b' # c\" \\d\n\tno", "- {x}: &y *z",
			     "\x7f \xc2\x85 \xc2\x9f \xe2\x80\xa8 \xe2\x80\xa9 \xef\xbb\xbf "
			     "\xef\xbf\xbf \xc2\xa0 \xf0\x9f\x98\x80 \xc3\xa4"),
		.mounts = {mounts, 2, 2},
		.nics = {nics, 3, 3},
		.cloud_init = "{\"write_files\": [{\"path\": \"/etc/motd\", \"content\": \"~\"}],"
			      " \"bootcmd\": [\"no\"], \"users\": [\"default\"]}",
	};

	(void)state;
	takes(&least);
	full.post_commands.items[2]++; /* the delete character is refused, below */
	takes(&full);
	full.auth = CB_GUEST_PASSWORD;
	full.cloud_init = "{\"final_message\": \"\\u007f\\u0085\\u2028\\ud83d\\ude00\"}";
	takes(&full);
}

/* Were it not so, the test above would prove nothing. */
static void cloud_init_refuses_what_is_wrong(void **state)
{
	cb_auto_str struct cb_str wrong = {0};
	struct scratch s;

	(void)state;
	open_scratch(&s);
	cb_str_add(&wrong, "#cloud-config\n{\"users\": [{\"name\": 7}]}\n");
	write_file(s.dir, "user-data", &wrong);
	assert_int_equal(run(schema, s.user_data.text, s.log.text), 1);
	close_scratch(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_holds_the_files),
		cmocka_unit_test(size_is_no_matter),
		cmocka_unit_test(cloud_init_takes_what_it_is_told),
		cmocka_unit_test(cloud_init_refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
