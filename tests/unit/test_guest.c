/* What a guest is told: the files, the image, and that cloud-init itself would take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <crypt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/guest/guest.h"

#define UUID   "6f3c3a0e-5a36-4b5e-9d7e-0a4f1c2b3d4e"
#define SECRET "correct horse"
#define LIST(...)                                                                                  \
	{                                                                                          \
		.items = (const char *[]){__VA_ARGS__},                                            \
		.len = CB_COUNT(((const char *[]){__VA_ARGS__}))                                   \
	}
#define SET(vec, ...)                                                                              \
	((vec).items = (const char *[]){__VA_ARGS__},                                              \
	 (vec).len = CB_COUNT(((const char *[]){__VA_ARGS__})))

#define KEY  "ssh-ed25519 AAAAC3NzaC1lZDI1 a@example"
#define KEY2 "ssh-rsa AAAAB3NzaC1yc2E b@example"

static struct cb_guest_mount mounts[] = {{"mount0", "/src", CB_GUEST_VIRTIOFS, false},
					 {"mount1", "/a b\\c", CB_GUEST_9P, true}};
static struct cb_guest_nic nics[] = {
	{"nic0", "52:54:00:AA:BB:01", NULL, NULL},
	{"lan0", "52:54:00:aa:bb:02", "10.10.0.10/24", "10.10.0.1"},
	{"lan6", "52:54:00:aa:bb:03", "fd00::10/64", "fd00::1"},
};

static struct cb_guest least(void)
{
	return (struct cb_guest){
		.name = "dev", .uuid = UUID, .generation = 1, .username = "ubuntu"};
}

/* Everything that can be said. A macro, for its lists have to live in the test's block. */
#define FULL                                                                                       \
	{                                                                                          \
		.name = "dev", .uuid = UUID, .generation = 2, .hostname = "build.example",         \
		.timezone = "Europe/Berlin", .username = "ops",                                    \
		.auth = CB_GUEST_ONE_TIME_PASSWORD, .password = SECRET, .ssh_keys = LIST(KEY),     \
		.packages = LIST("git", "g++"), .snap_packages = LIST("chromium"),                 \
		.services = LIST("docker"),                                                        \
		.post_commands = LIST("echo 'one' > /x", "two\nthree"), .mounts = {mounts, 2, 2},  \
		.nics = {nics, 3, 3},                                                              \
		.cloud_init =                                                                      \
			"{\"write_files\": [{\"path\": \"/etc/motd\", \"content\": \"hi\"}]}"      \
	}

static json_t *parse(const struct cb_str *text)
{
	json_error_t at;
	json_t *value = json_loadb(text->text, text->len, 0, &at);

	if (!value)
		fail_msg("%s in %s", at.text, text->text);
	return value;
}

static void render(const struct cb_guest *guest, struct cb_guest_files *files)
{
	cb_auto_error struct cb_error err = {0};

	if (cb_guest_render(guest, files, &err) < 0)
		fail_msg("%s", err.message);
}

/* The user-data alone, read back. */
static json_t *told(const struct cb_guest *guest)
{
	struct cb_guest_files files;
	struct cb_str body;
	json_t *value;

	render(guest, &files);
	assert_memory_equal(files.user_data.text, "#cloud-config\n", 14);
	body = (struct cb_str){.text = files.user_data.text + 14, .len = files.user_data.len - 14};
	value = parse(&body);
	cb_guest_files_wipe(&files);
	assert_null(files.user_data.text);
	return value;
}

/* Takes single quotes for double ones. */
static void is(const json_t *value, const char *wanted)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS)
			   : strdup("absent");
	cb_auto_str struct cb_str json = {0};

	for (; *wanted; wanted++)
		cb_str_add_bytes(&json, *wanted == '`' ? "\"" : wanted, 1);
	assert_string_equal(text, json.text);
	free(text);
}

static void least_is_little(void **state)
{
	struct cb_guest guest = least();
	struct cb_guest_files files;
	json_auto_t *data = told(&guest), *meta = NULL;

	(void)state;
	is(data, "{`growpart`:{`devices`:[`/`],`mode`:`auto`},`hostname`:`dev`,"
		 "`preserve_hostname`:false,`resize_rootfs`:true,`ssh_pwauth`:false,"
		 "`users`:[{`groups`:[`adm`,`sudo`,`video`],`lock_passwd`:true,`name`:`ubuntu`,"
		 "`shell`:`/bin/bash`,`sudo`:`ALL=(ALL) NOPASSWD:ALL`}]}");
	render(&guest, &files);
	meta = parse(&files.meta_data);
	is(meta, "{`instance-id`:`" UUID "-1`,`local-hostname`:`dev`}");
	assert_int_equal(files.network_config.len, 0);
	cb_guest_files_wipe(&files);
}

static void everything_is_told(void **state)
{
	struct cb_guest guest = FULL;
	json_auto_t *data = told(&guest);

	(void)state;
	is(json_object_get(data, "hostname"), "`build.example`");
	is(json_object_get(data, "timezone"), "`Europe/Berlin`");
	is(json_object_get(data, "packages"), "[`git`,`g++`,`snapd`]");
	is(json_object_get(data, "package_update"), "true");
	is(json_object_get(data, "write_files"), "[{`content`:`hi`,`path`:`/etc/motd`}]");
	is(json_object_get(data, "runcmd"),
	   "[[`passwd`,`--expire`,`ops`],"
	   "[`sh`,`-c`,`sed -i '/[ ,]x-clonebox /d' /etc/fstab`],"
	   "[`sh`,`-c`,`mkdir -p -- \\`$1\\` && printf '%s\\\\n' \\`$2\\` >>/etc/fstab && "
	   "{ mountpoint -q -- \\`$1\\` || mount -- \\`$1\\`; }`,`sh`,`/src`,"
	   "`mount0 /src virtiofs rw,nofail,x-clonebox 0 0`],"
	   "[`sh`,`-c`,`mkdir -p -- \\`$1\\` && printf '%s\\\\n' \\`$2\\` >>/etc/fstab && "
	   "{ mountpoint -q -- \\`$1\\` || mount -- \\`$1\\`; }`,`sh`,`/a b\\\\c`,"
	   "`mount1 /a\\\\040b\\\\134c 9p trans=virtio,version=9p2000.L,ro,nofail,x-clonebox 0 0`],"
	   "[`sh`,`-c`,`snap wait system seed.loaded`],"
	   "[`sh`,`-c`,`snap install \\`$1\\` || snap install --classic \\`$1\\``,`sh`,`chromium`],"
	   "[`systemctl`,`enable`,`--now`,`--`,`docker`],"
	   "[`sh`,`-c`,`echo 'one' > /x`],[`sh`,`-c`,`two\\nthree`]]");
}

static json_t *login(const struct cb_guest *guest, json_t **data)
{
	*data = told(guest);
	return json_array_get(json_object_get(*data, "users"), 0);
}

static void a_password_logs_in(void **state)
{
	struct cb_guest guest = least();
	json_auto_t *key = NULL, *password = NULL, *once = NULL;
	const json_t *user, *change;

	(void)state;
	guest.password = SECRET;
	user = login(&guest, &key);
	is(json_object_get(user, "lock_passwd"), "false");
	is(json_object_get(key, "ssh_pwauth"), "false");
	guest.auth = CB_GUEST_PASSWORD;
	user = login(&guest, &password);
	is(json_object_get(password, "ssh_pwauth"), "true");
	is(json_object_get(password, "chpasswd"), "absent");
	guest.auth = CB_GUEST_ONE_TIME_PASSWORD;
	SET(guest.ssh_keys, KEY, KEY2);
	user = login(&guest, &once);
	is(json_object_get(user, "ssh_authorized_keys"), "[`" KEY "`,`" KEY2 "`]");
	is(json_object_get(once, "ssh_pwauth"), "true");
	is(json_object_get(once, "runcmd"), "[[`passwd`,`--expire`,`ubuntu`]]");
	change = json_object_get(once, "chpasswd");
	is(json_object_get(change, "expire"), "true");
	change = json_array_get(json_object_get(change, "users"), 0);
	is(json_object_get(change, "name"), "`ubuntu`");
	is(json_object_get(change, "type"), "`hash`");
	assert_string_equal(json_string_value(json_object_get(change, "password")),
			    json_string_value(json_object_get(user, "hashed_passwd")));
}

static void hashes_verify(void **state)
{
	cb_auto_str struct cb_str one = {0}, again = {0}, other = {0}, none = {0};
	cb_auto_error struct cb_error err = {0};
	char *longest;

	(void)state;
	assert_int_equal(cb_guest_hash_password(SECRET, UUID, &one, &err), 0);
	assert_memory_equal(one.text, "$y$j9T$", 7);
	assert_string_equal(crypt(SECRET, one.text), one.text);
	assert_string_not_equal(crypt("correct horsE", one.text), one.text);
	assert_int_equal(cb_guest_hash_password(SECRET, UUID, &again, &err), 0);
	assert_string_equal(one.text, again.text);
	assert_int_equal(cb_guest_hash_password(SECRET, "another", &other, &err), 0);
	assert_string_not_equal(one.text, other.text);
	longest = calloc(1, 1000);
	assert_non_null(longest);
	memset(longest, 'x', 999);
	assert_int_equal(cb_guest_hash_password(longest, UUID, &none, &err), -CB_E_INVALID);
	assert_non_null(strstr(err.message, "password: it is longer than 512 bytes"));
	free(longest);
}

static void a_network_goes_by_mac(void **state)
{
	struct cb_guest guest = least();
	struct cb_guest_files files;
	json_auto_t *config = NULL;

	(void)state;
	guest.nics.items = nics;
	guest.nics.len = CB_COUNT(nics);
	render(&guest, &files);
	config = parse(&files.network_config);
	is(config,
	   "{`ethernets`:{"
	   "`lan0`:{`addresses`:[`10.10.0.10/24`],`dhcp4`:false,`gateway4`:`10.10.0.1`,"
	   "`match`:{`macaddress`:`52:54:00:aa:bb:02`}},"
	   "`lan6`:{`addresses`:[`fd00::10/64`],`dhcp4`:false,`gateway6`:`fd00::1`,"
	   "`match`:{`macaddress`:`52:54:00:aa:bb:03`}},"
	   "`nic0`:{`dhcp4`:true,`match`:{`macaddress`:`52:54:00:aa:bb:01`}}},`version`:2}");
	cb_guest_files_wipe(&files);
}

static void their_own_is_merged_over(void **state)
{
	struct cb_guest guest = least();
	json_auto_t *data = NULL;
	const json_t *user;

	(void)state;
	SET(guest.ssh_keys, KEY);
	SET(guest.packages, "git");
	SET(guest.post_commands, "last");
	guest.cloud_init =
		"{\"users\": [\"default\"], \"packages\": [\"vim\", [\"jq\", \"1.6\"]],"
		" \"runcmd\": [[\"after\"]], \"bootcmd\": [\"early\"], \"mounts\": [],"
		" \"ssh_authorized_keys\": [\"" KEY2 "\"], \"growpart\": {\"mode\": \"off\"},"
		" \"apt\": {\"sources\": {\"a\": {\"source\": \"deb x y\"}}}, \"timezone\": "
		"\"UTC\","
		" \"package_update\": false, \"ntp\": {\"servers\": [\"n\"]}, \"hostname\": null}";
	user = login(&guest, &data);
	is(json_object_get(user, "ssh_authorized_keys"), "[`" KEY "`,`" KEY2 "`]");
	is(json_array_get(json_object_get(data, "users"), 1), "`default`");
	is(json_object_get(data, "packages"), "[`git`,`vim`,[`jq`,`1.6`]]");
	is(json_object_get(data, "package_update"), "false");
	is(json_object_get(data, "runcmd"), "[[`sh`,`-c`,`last`],[`after`]]");
	is(json_object_get(data, "bootcmd"), "[`early`]");
	is(json_object_get(data, "mounts"), "absent");
	is(json_object_get(data, "ssh_authorized_keys"), "absent");
	is(json_object_get(data, "growpart"), "{`devices`:[`/`],`mode`:`off`}");
	is(json_object_get(data, "apt"), "{`sources`:{`a`:{`source`:`deb x y`}}}");
	is(json_object_get(data, "timezone"), "`UTC`");
	is(json_object_get(data, "ntp"), "{`servers`:[`n`]}");
	is(json_object_get(data, "hostname"), "null");
}

static void no_password_is_written_down(void **state)
{
	struct cb_guest guest = FULL;
	cb_auto_error struct cb_error err = {0};
	char digest[CB_SHA256_HEX];
	struct cb_guest_files files;
	struct cb_str image = {0};

	(void)state;
	render(&guest, &files);
	assert_null(strstr(files.user_data.text, SECRET));
	assert_non_null(strstr(files.user_data.text, "$y$"));
	assert_null(strstr(files.meta_data.text, SECRET));
	assert_int_equal(cb_guest_seed(&files, &image, &err), 0);
	assert_null(memmem(image.text, image.len, SECRET, strlen(SECRET)));
	cb_str_wipe(&image);
	cb_guest_files_wipe(&files);
	/* Nor what else may be secret, when it is wrong. */
	guest.password = SECRET "\n";
	assert_int_equal(cb_guest_render(&guest, &files, &err), -CB_E_INVALID);
	assert_null(strstr(err.message, SECRET));
	guest.password = SECRET;
	guest.cloud_init = "{\"x\": " SECRET "}";
	assert_int_equal(cb_guest_digest(&guest, digest, &err), -CB_E_INVALID);
	assert_null(strstr(err.message, "correct"));
	SET(guest.post_commands, "login " SECRET "\x01");
	assert_int_equal(cb_guest_digest(&guest, digest, &err), -CB_E_INVALID);
	assert_null(strstr(err.message, SECRET));
}

static void digest(const struct cb_guest *guest, char *out)
{
	cb_auto_error struct cb_error err = {0};

	if (cb_guest_digest(guest, out, &err) < 0)
		fail_msg("%s", err.message);
}

static void compare(const struct cb_guest *guest, bool same, const char *what)
{
	const struct cb_guest full = FULL;
	char one[CB_SHA256_HEX], two[CB_SHA256_HEX];

	digest(&full, one);
	digest(guest, two);
	if ((strcmp(one, two) == 0) != same)
		fail_msg("the digest is %s after %s", same ? "another" : "the same", what);
}

#define CHANGED(same, ...)                                                                         \
	do {                                                                                       \
		struct cb_guest guest = FULL;                                                      \
		__VA_ARGS__;                                                                       \
		compare(&guest, same, #__VA_ARGS__);                                               \
	} while (0)

static void a_digest_knows_every_input(void **state)
{
	struct cb_guest_mount moved[] = {mounts[0], {"mount1", "/elsewhere", CB_GUEST_9P, true}};
	struct cb_guest_mount tagged[] = {mounts[0],
					  {"mount2", mounts[1].where, CB_GUEST_9P, true}};
	struct cb_guest_mount otherwise[] = {mounts[0], mounts[1]};
	struct cb_guest_nic cards[] = {nics[2], nics[1], nics[0]};

	(void)state;
	CHANGED(true, (void)guest);
	CHANGED(false, guest.uuid = "6f3c3a0e-5a36-4b5e-9d7e-0a4f1c2b3d4f");
	CHANGED(false, guest.generation = 3);
	CHANGED(false, guest.hostname = "other");
	CHANGED(false, guest.hostname = NULL);
	CHANGED(true, guest.name = "not-told");
	CHANGED(false, guest.timezone = NULL);
	CHANGED(false, guest.username = "other");
	CHANGED(false, guest.auth = CB_GUEST_PASSWORD);
	CHANGED(false, guest.password = "other");
	CHANGED(false, SET(guest.ssh_keys, KEY, KEY2));
	CHANGED(false, SET(guest.packages, "g++", "git"));
	CHANGED(false, SET(guest.snap_packages, "firefox"));
	CHANGED(false, guest.services.len = 0);
	CHANGED(false, SET(guest.post_commands, "two\nthree", "echo 'one' > /x"));
	CHANGED(false, guest.mounts.items = moved);
	CHANGED(false, guest.mounts.items = tagged);
	otherwise[1].share = CB_GUEST_VIRTIOFS;
	CHANGED(false, guest.mounts.items = otherwise);
	otherwise[1] = mounts[1];
	otherwise[1].readonly = false;
	CHANGED(false, guest.mounts.items = otherwise);
	CHANGED(true, guest.nics.items = cards);
	cards[0].name = "lan7";
	CHANGED(false, guest.nics.items = cards);
	cards[0].name = nics[2].name;
	cards[1].address = "10.10.0.11/24";
	CHANGED(false, guest.nics.items = cards);
	cards[1] = nics[1];
	cards[1].gateway = NULL;
	CHANGED(false, guest.nics.items = cards);
	cards[1] = nics[1];
	cards[2].mac = "52:54:00:aa:bb:01";
	CHANGED(true, guest.nics.items = cards);
	cards[2].mac = "52:54:00:aa:bb:09";
	CHANGED(false, guest.nics.items = cards);
	CHANGED(false, guest.cloud_init = NULL);
	CHANGED(true, guest.cloud_init = "{ \"write_files\":\n[{\"content\":\"hi\","
					 "\"path\":\"/etc/motd\"}]}");
	CHANGED(false, guest.cloud_init = "{\"write_files\": []}");
}

#define REFUSED(why, ...)                                                                          \
	do {                                                                                       \
		cb_auto_error struct cb_error err = {0};                                           \
		struct cb_guest guest = FULL;                                                      \
		struct cb_guest_files files;                                                       \
                                                                                                   \
		__VA_ARGS__;                                                                       \
		assert_int_equal(cb_guest_render(&guest, &files, &err), -CB_E_INVALID);            \
		assert_non_null(err.message);                                                      \
		if (!strstr(err.message, why))                                                     \
			fail_msg("'%s' does not say '%s'", err.message, why);                      \
		cb_guest_files_wipe(&files);                                                       \
	} while (0)

static void what_cannot_be_told_is_refused(void **state)
{
	struct cb_guest_nic card[2] = {nics[1], nics[0]};
	struct cb_guest_mount share[2] = {mounts[0], mounts[1]};

	(void)state;
	REFUSED("username: it is empty", guest.username = "");
	REFUSED("username: 'Ops'", guest.username = "Ops");
	REFUSED("username: '-x'", guest.username = "-x");
	REFUSED("username: '", guest.username = "a123456789012345678901234567890123");
	REFUSED("hostname: 'a b' is not", guest.hostname = "a b");
	REFUSED("hostname: 'a..b' is not", guest.hostname = "a..b");
	REFUSED("hostname: '-a' is not", guest.hostname = "-a");
	REFUSED("hostname: the name '.x' of the VM", guest.hostname = NULL, guest.name = ".x");
	REFUSED("timezone: '../x'", guest.timezone = "../x");
	REFUSED("password: auth_method one_time_password needs one", guest.password = NULL);
	REFUSED("password: it is empty", guest.password = "");
	REFUSED("ssh_keys: key 2 has to be one line", SET(guest.ssh_keys, KEY, KEY "\n" KEY));
	REFUSED("ssh_keys: key 1 is a private key", SET(guest.ssh_keys, "-----BEGIN X"));
	REFUSED("ssh_keys: key 1 is not a public key", SET(guest.ssh_keys, "AAAAB3"));
	REFUSED("ssh_keys: key 1 is not UTF-8", SET(guest.ssh_keys, "ssh-rsa AAAA \xff"));
	REFUSED("packages: entry 2 is empty", SET(guest.packages, "git", ""));
	REFUSED("packages: '--force'", SET(guest.packages, "--force"));
	REFUSED("snap_packages: 'a b'", SET(guest.snap_packages, "a b"));
	REFUSED("services: '$(x)'", SET(guest.services, "$(x)"));
	REFUSED("post_commands: command 1", SET(guest.post_commands, "\xc3("));
	REFUSED("cloud_init: it has to be a map", guest.cloud_init = "[1]");
	REFUSED("cloud_init: it cannot be read (line 2", guest.cloud_init = "{\n]");
	REFUSED("cloud_init.users: it has to be a list", guest.cloud_init = "{\"users\": {}}");
	share[1].where = "src";
	REFUSED("paths: 'src' is not an absolute", guest.mounts.items = share);
	share[1].where = "/src";
	REFUSED("paths: '/src' is there twice", guest.mounts.items = share);
	share[1].where = "//";
	REFUSED("paths: the guest's '/'", guest.mounts.items = share);
	share[1] = (struct cb_guest_mount){"LABEL=x", "/x", CB_GUEST_VIRTIOFS, false};
	REFUSED("paths: 'LABEL=x'", guest.mounts.items = share);
	card[1].mac = "52:54:00:aa:bb";
	REFUSED("nics[nic0].mac: '52:54:00:aa:bb' is", guest.nics.items = card, guest.nics.len = 2);
	card[1].mac = "52:54:00:AA:BB:02";
	REFUSED("nics[nic0].mac: 'lan0' has the same", guest.nics.items = card, guest.nics.len = 2);
	card[1].name = "lan0";
	REFUSED("nics: 'lan0' is there twice", guest.nics.items = card, guest.nics.len = 2);
	card[0].name = "../x";
	REFUSED("nics: '../x'", guest.nics.items = card, guest.nics.len = 1);
	card[0] = nics[1];
	card[0].gateway = "fd00::1";
	REFUSED("nics[lan0]: gateway 'fd00::1'", guest.nics.items = card, guest.nics.len = 1);
	card[0].address = "10.10.0.10/33";
	REFUSED("nics[lan0].ip: '10.10.0.10/33'", guest.nics.items = card, guest.nics.len = 1);
	card[0].address = NULL;
	REFUSED("does not go with DHCP", guest.nics.items = card, guest.nics.len = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(least_is_little),
		cmocka_unit_test(everything_is_told),
		cmocka_unit_test(a_password_logs_in),
		cmocka_unit_test(hashes_verify),
		cmocka_unit_test(a_network_goes_by_mac),
		cmocka_unit_test(their_own_is_merged_over),
		cmocka_unit_test(no_password_is_written_down),
		cmocka_unit_test(a_digest_knows_every_input),
		cmocka_unit_test(what_cannot_be_told_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
