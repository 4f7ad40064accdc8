/* cases_network.h: cases about networks. A part of test_contract.c. */
#ifndef CB_TESTS_CONTRACT_CASES_NETWORK_H
#define CB_TESTS_CONTRACT_CASES_NETWORK_H

#include "tests/contract/contract.h"

#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>

static const char first_host[] = "hosts[52:54:00:00:00:11].ip";
static const char first_name[] = "hosts[52:54:00:00:00:11].name";
static const char second_host[] = "hosts[52:54:00:00:00:12].ip";

static struct cb_spec network_spec(struct fixture *f)
{
	struct cb_spec set = {0};

	cb_test_set(f, &set, "mode", cb_string("nat"));
	cb_test_set(f, &set, "cidr", cb_string("10.77.3.1/24"));
	cb_test_set(f, &set, "dhcp.start", cb_string("10.77.3.100"));
	cb_test_set(f, &set, "dhcp.end", cb_string("10.77.3.199"));
	cb_test_set(f, &set, first_host, cb_string("10.77.3.11"));
	cb_test_set(f, &set, first_name, cb_string("one"));
	return set;
}

static void define_network(struct fixture *f)
{
	struct cb_spec set = network_spec(f);
	struct cb_network_new new = {f->uuid, f->name, &set};

	OK(f, network_define, &new);
}

static struct cb_network read_network(struct fixture *f)
{
	struct cb_network network = {0};

	OK(f, network, &f->arena, f->name, &network);
	return network;
}

static struct cb_network change_network(struct fixture *f, const struct cb_spec *set)
{
	struct cb_network_edit edit = {f->uuid, read_network(f).fingerprint, set};

	OK(f, network_update, &edit);
	return read_network(f);
}

/* The running network's XML, "" if it does not run. */
static const char *running_xml(struct fixture *f)
{
	virConnectPtr connection = virConnectOpen(f->world->uri);
	virNetworkPtr network;
	const char *copy = "";

	assert_non_null(connection);
	network = virNetworkLookupByName(connection, f->name);
	assert_non_null(network);
	if (virNetworkIsActive(network) == 1) {
		char *text = virNetworkGetXMLDesc(network, 0);

		copy = cb_arena_strdup(&f->arena, text);
		free(text);
	}
	(void)virNetworkFree(network);
	(void)virConnectClose(connection);
	return copy;
}

/* Being there. --------------------------------------------------------------------------------- */

static void an_absent_network_is_absent(struct fixture *f)
{
	struct cb_spec set = {0};
	struct cb_network_edit edit = {f->uuid, "", &set};
	cb_auto_str struct cb_str text = {0};
	struct cb_network network;

	FAILS(f, CB_E_NOT_FOUND, network, &f->arena, f->name, &network);
	FAILS(f, CB_E_NOT_FOUND, network_update, &edit);
	FAILS(f, CB_E_NOT_FOUND, network_document, f->uuid, &text);
	FAILS(f, CB_E_NOT_FOUND, network_start, f->uuid);
	FAILS(f, CB_E_NOT_FOUND, network_stop, f->uuid);
	FAILS(f, CB_E_NOT_FOUND, network_autostart, f->uuid, true);
	FAILS(f, CB_E_NOT_FOUND, network_undefine, f->uuid);
}

static const struct cb_network *listed_network(struct fixture *f, struct cb_networks *all)
{
	const struct cb_network *found = NULL;

	OK(f, networks, &f->arena, all);
	for (size_t i = 0; i < all->len; i++) {
		assert_true(i == 0 || strcmp(all->items[i - 1].name, all->items[i].name) < 0);
		if (strcmp(all->items[i].uuid, f->uuid) == 0)
			found = &all->items[i];
	}
	return found;
}

static void a_network_lives(struct fixture *f)
{
	struct cb_spec set = network_spec(f);
	const struct cb_network *listed;
	struct cb_networks all;
	struct cb_network is;

	define_network(f);
	is = read_network(f);
	assert_string_equal(is.uuid, f->uuid);
	assert_string_equal(is.name, f->name);
	assert_true(is.persistent);
	assert_false(is.active || is.autostart);
	cb_test_reads(f, &is.document, &set);
	assert_int_equal(is.document.len, set.len + 1);
	OK(f, network_autostart, f->uuid, true);
	OK(f, network_start, f->uuid);
	OK(f, network_start, f->uuid);
	is = read_network(f);
	assert_true(is.active && is.autostart);
	assert_true(cb_spec_bool(&is.document, "autostart", false));
	listed = listed_network(f, &all);
	assert_non_null(listed);
	assert_true(listed->active && listed->persistent && listed->autostart);
	assert_string_equal(listed->fingerprint, is.fingerprint);
	assert_int_equal(listed->document.len, is.document.len);
	FAILS(f, CB_E_CONFLICT, network_undefine, f->uuid);
	OK(f, network_stop, f->uuid);
	OK(f, network_stop, f->uuid);
	OK(f, network_autostart, f->uuid, false);
	is = read_network(f);
	assert_false(is.active || is.autostart);
	OK(f, network_undefine, f->uuid);
	FAILS(f, CB_E_NOT_FOUND, network, &f->arena, f->name, &is);
	assert_null(listed_network(f, &all));
}

static void a_taken_network_is_refused(struct fixture *f)
{
	struct cb_spec set = network_spec(f);
	char other[CB_UUID_SIZE];
	struct cb_network_new same_uuid = {f->uuid, "contract-other", &set};
	struct cb_network_new same_name = {other, f->name, &set};
	struct cb_network before, after;

	cb_random_uuid(other);
	define_network(f);
	before = read_network(f);
	cb_test_set(f, &set, "cidr", cb_string("10.77.3.2/24"));
	FAILS(f, CB_E_EXISTS, network_define, &same_uuid);
	FAILS(f, CB_E_EXISTS, network_define, &same_name);
	after = read_network(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
}

/* What it is. ---------------------------------------------------------------------------------- */

static void a_network_has_a_mode(struct fixture *f)
{
	struct cb_value none = {.kind = CB_NONE};
	struct cb_spec set = {0};
	struct cb_network_new new = {f->uuid, f->name, &set};
	struct cb_network is;

	cb_test_set(f, &set, "mode", cb_string("bridge"));
	cb_test_set(f, &set, "bridge", cb_string("br7"));
	OK(f, network_define, &new);
	is = read_network(f);
	cb_test_reads(f, &is.document, &set);
	assert_int_equal(is.document.len, 3);

	set = network_spec(f);
	cb_test_set(f, &set, "mode", cb_string("isolated"));
	is = change_network(f, &set);
	cb_test_reads(f, &is.document, &set);
	cb_test_string_is(&is.document, "bridge", NULL);
	if (f->world->offers & CB_WORLD_TRANSFER)
		OK(f, network_start, f->uuid);
	OK(f, network_stop, f->uuid);

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "mode", cb_string("nat"));
	is = change_network(f, &set);
	cb_test_string_is(&is.document, "mode", "nat");
	cb_test_string_is(&is.document, "cidr", "10.77.3.1/24");

	cb_test_set(f, &set, "mode", cb_string("bridge"));
	cb_test_set(f, &set, "bridge", cb_string("br8"));
	cb_test_set(f, &set, "cidr", none);
	cb_test_set(f, &set, "dhcp.start", none);
	cb_test_set(f, &set, "dhcp.end", none);
	cb_test_set(f, &set, first_host, none);
	is = change_network(f, &set);
	cb_test_string_is(&is.document, "bridge", "br8");
	assert_int_equal(is.document.len, 3);
}

static void a_network_changes_what_it_is_told(struct fixture *f)
{
	struct cb_value none = {.kind = CB_NONE};
	struct cb_spec set = {0};
	struct cb_network_edit edit;
	struct cb_network before, is;

	define_network(f);
	before = read_network(f);
	cb_test_set(f, &set, "cidr", cb_string("10.77.3.1/25"));
	cb_test_set(f, &set, "dhcp.start", cb_string("10.77.3.50"));
	cb_test_set(f, &set, "dhcp.end", cb_string("10.77.3.60"));
	cb_test_set(f, &set, second_host, cb_string("10.77.3.12"));
	cb_test_set(f, &set, first_name, none);
	edit = (struct cb_network_edit){f->uuid, before.fingerprint, &set};
	OK(f, network_update, &edit);
	is = read_network(f);
	assert_string_not_equal(before.fingerprint, is.fingerprint);
	cb_test_string_is(&is.document, "cidr", "10.77.3.1/25");
	cb_test_string_is(&is.document, "dhcp.end", "10.77.3.60");
	cb_test_string_is(&is.document, first_host, "10.77.3.11");
	cb_test_string_is(&is.document, first_name, NULL);
	cb_test_string_is(&is.document, second_host, "10.77.3.12");
	/* The fingerprint is the old one. */
	FAILS(f, CB_E_CONFLICT, network_update, &edit);

	set = (struct cb_spec){0};
	cb_test_set(f, &set, "dhcp.start", none);
	cb_test_set(f, &set, "dhcp.end", cb_string(""));
	cb_test_set(f, &set, first_host, none);
	cb_test_set(f, &set, second_host, none);
	is = change_network(f, &set);
	assert_int_equal(is.document.len, 3);
	cb_test_string_is(&is.document, "cidr", "10.77.3.1/25");
}

static void an_undefined_network_is_restored_as_it_was(struct fixture *f)
{
	cb_auto_str struct cb_str document = {0};
	struct cb_spec set = network_spec(f);
	char other[CB_UUID_SIZE];
	struct cb_network_new new = {other, f->name, &set};
	struct cb_network before, after;

	define_network(f);
	before = read_network(f);
	OK(f, network_document, f->uuid, &document);
	cb_test_set(f, &set, "mode", cb_string("isolated"));
	(void)change_network(f, &set);
	OK(f, network_restore, document.text);
	after = read_network(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
	OK(f, network_undefine, f->uuid);
	OK(f, network_restore, document.text);
	after = read_network(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
	assert_string_equal(after.uuid, f->uuid);

	OK(f, network_undefine, f->uuid);
	cb_random_uuid(other);
	OK(f, network_define, &new);
	FAILS(f, CB_E_EXISTS, network_restore, document.text);
	OK(f, network_undefine, other);
	FAILS(f, CB_E_INVALID, network_restore, "neither this nor that");
}

static void a_wrong_network_is_refused_and_changes_nothing(struct fixture *f)
{
	static const struct {
		const char *path, *value;
		int code;
	} cases[] = {
		{"mode", "route", CB_E_INVALID},
		{"mode", "bridge", CB_E_INVALID},
		{"bridge", "br7", CB_E_INVALID},
		{"cidr", "10.77.3.0/24", CB_E_INVALID},
		{"cidr", "10.77.3.255/24", CB_E_INVALID},
		{"cidr", "10.77.3.1", CB_E_INVALID},
		{"cidr", "10.77.3.1/", CB_E_INVALID},
		{"cidr", "10.77.3.1/31", CB_E_INVALID},
		{"cidr", "10.77.3.1/024", CB_E_INVALID},
		{"cidr", "10.77.3.01/24", CB_E_INVALID},
		{"cidr", "10.77.3/24", CB_E_INVALID},
		{"cidr", "fd00::1/64", CB_E_INVALID},
		{"cidr", "10.77.4.1/24", CB_E_INVALID}, /* its hosts are elsewhere */
		{"cidr", "", CB_E_INVALID},
		{"dhcp.start", "10.77.3.200", CB_E_INVALID},
		{"dhcp.start", "10.77.3.0", CB_E_INVALID},
		{"dhcp.end", "10.77.3.255", CB_E_INVALID},
		{"dhcp.end", "", CB_E_INVALID},
		{"dhcp.end", "far", CB_E_INVALID},
		{first_host, "10.77.4.11", CB_E_INVALID},
		{first_host, "10.77.3.1", CB_E_INVALID},
		{second_host, "10.77.3.11", CB_E_INVALID},
		{"hosts[52:54:00:00:00:12].name", "two", CB_E_INVALID},
		{"hosts[52:54:00:00:00].ip", "10.77.3.20", CB_E_INVALID},
		{"hosts[x].name", "y", CB_E_INVALID},
		{first_name, "a b", CB_E_INVALID},
		{first_name, "a\x01z", CB_E_INVALID},
		{"speed", "fast", CB_E_INTERNAL},
		{"autostart", "yes", CB_E_INTERNAL},
		{"hosts[52:54:00:00:00:12].age", "3", CB_E_INTERNAL},
	};
	struct cb_network before, after;

	define_network(f);
	before = read_network(f);
	for (size_t i = 0; i < CB_COUNT(cases); i++) {
		struct cb_network_edit edit = {f->uuid, before.fingerprint, NULL};
		struct cb_spec set = {0};
		int r;

		cb_test_set(f, &set, cases[i].path, cb_string(cases[i].value));
		edit.set = &set;
		r = CALL(f, network_update, &edit);
		if (-r != cases[i].code)
			print_error("%s = '%s'\n", cases[i].path, cases[i].value);
		cb_expect(f, r, cases[i].code, "network_update", __FILE__, __LINE__);
	}
	after = read_network(f);
	assert_string_equal(before.fingerprint, after.fingerprint);
}

/* What people added. --------------------------------------------------------------------------- */

static void a_network_keeps_what_people_added(struct fixture *f)
{
	static const char *const texts[] = {"lan.test", "fd00:77::1", "10.77.9.1", "3389",
					    "10.77.3.240"};
	cb_auto_str struct cb_str document = {0};
	struct cb_spec set = {0};
	struct cb_network is;

	OK(f, network_restore,
	   cb_arena_printf(&f->arena,
			   "<network><name>%s</name><uuid>%s</uuid>"
			   "<forward mode='nat'><nat><port start='1024' end='3389'/></nat>"
			   "</forward><domain name='lan.test' localOnly='yes'/>"
			   "<ip family='ipv6' address='fd00:77::1' prefix='64'/>"
			   "<ip address='10.77.3.1' netmask='255.255.255.0'><dhcp>"
			   "<range start='10.77.3.100' end='10.77.3.199'/>"
			   "<range start='10.77.3.230' end='10.77.3.240'/>"
			   "<host mac='52:54:00:00:00:1A' ip='10.77.3.26'/></dhcp></ip>"
			   "<ip address='10.77.9.1' prefix='24'/></network>",
			   f->name, f->uuid));
	is = read_network(f);
	cb_test_string_is(&is.document, "cidr", "10.77.3.1/24");
	cb_test_string_is(&is.document, "hosts[52:54:00:00:00:1a].ip", "10.77.3.26");
	cb_test_set(f, &set, "cidr", cb_string("10.77.3.2/24"));
	cb_test_set(f, &set, "dhcp.start", cb_string("10.77.3.101"));
	cb_test_set(f, &set, first_host, cb_string("10.77.3.11"));
	is = change_network(f, &set);
	cb_test_reads(f, &is.document, &set);
	cb_test_string_is(&is.document, "hosts[52:54:00:00:00:1a].ip", "10.77.3.26");
	OK(f, network_document, f->uuid, &document);
	for (size_t i = 0; i < CB_COUNT(texts); i++)
		assert_non_null(strstr(document.text, texts[i]));
}

/* Running. ------------------------------------------------------------------------------------- */

static void hosts_reach_a_running_network(struct fixture *f)
{
	cb_auto_str struct cb_str document = {0};
	struct cb_value none = {.kind = CB_NONE};
	struct cb_spec set = {0};
	struct cb_network is;
	const char *live;

	define_network(f);
	OK(f, network_start, f->uuid);
	OK(f, network_document, f->uuid, &document);
	/* An address that moves to another host, and what acts at the next start only. */
	cb_test_set(f, &set, first_host, cb_string("10.77.3.12"));
	cb_test_set(f, &set, first_name, cb_string("moved"));
	cb_test_set(f, &set, second_host, cb_string("10.77.3.11"));
	cb_test_set(f, &set, "dhcp.end", cb_string("10.77.3.150"));
	is = change_network(f, &set);
	cb_test_reads(f, &is.document, &set);
	live = running_xml(f);
	assert_non_null(strstr(live, "mac='52:54:00:00:00:11' name='moved' ip='10.77.3.12'"));
	assert_non_null(strstr(live, "mac='52:54:00:00:00:12' ip='10.77.3.11'"));
	assert_non_null(strstr(live, "10.77.3.199"));

	set = (struct cb_spec){0};
	cb_test_set(f, &set, first_host, none);
	is = change_network(f, &set);
	live = running_xml(f);
	assert_null(strstr(live, "52:54:00:00:00:11"));
	assert_non_null(strstr(live, "52:54:00:00:00:12"));

	OK(f, network_restore, document.text);
	live = running_xml(f);
	assert_non_null(strstr(live, "mac='52:54:00:00:00:11' name='one' ip='10.77.3.11'"));
	assert_null(strstr(live, "52:54:00:00:00:12"));
	OK(f, network_stop, f->uuid);
	OK(f, network_start, f->uuid);
}

static void a_machine_runs_on_a_network(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain is;

	define_network(f);
	cb_test_set(f, &set, "nics[lan].type", cb_string("network"));
	cb_test_set(f, &set, "nics[lan].source", cb_string(f->name));
	cb_test_set(f, &set, "nics[lan].link", cb_bool(false));
	OK(f, domain_define, &new);
	FAILS(f, CB_E_FAILED, domain_start, f->uuid);
	OK(f, network_start, f->uuid);
	OK(f, domain_start, f->uuid);
	is = cb_test_read(f);
	cb_test_string_is(&is.live, "nics[lan].source", f->name);
	assert_false(cb_spec_bool(&is.live, "nics[lan].link", true));
	assert_int_equal(is.networks.len, 1);
	assert_int_equal(is.macs.len, 1);
	OK(f, domain_power_off, f->uuid);
}

static void a_transient_network_is_seen_but_not_changed(struct fixture *f)
{
	virConnectPtr connection = virConnectOpen(f->world->uri);
	struct cb_networks all;
	const struct cb_network *listed;
	struct cb_spec set = {0};
	struct cb_network_edit edit;
	virNetworkPtr network;
	struct cb_network is;

	define_network(f);
	OK(f, network_start, f->uuid);
	network = virNetworkLookupByName(connection, f->name);
	assert_int_equal(virNetworkUndefine(network), 0);
	is = read_network(f);
	assert_true(is.active);
	assert_false(is.persistent);
	listed = listed_network(f, &all);
	assert_true(listed && listed->active && !listed->persistent && !listed->autostart);
	edit = (struct cb_network_edit){f->uuid, is.fingerprint, &set};
	FAILS(f, CB_E_CONFLICT, network_update, &edit);
	FAILS(f, CB_E_CONFLICT, network_undefine, f->uuid);
	OK(f, network_stop, f->uuid);
	assert_null(listed_network(f, &all));
	(void)virNetworkFree(network);
	(void)virConnectClose(connection);
}

static const struct test_case network_cases[] = {
	CASE(an_absent_network_is_absent, 0),
	CASE(a_network_lives, 0),
	CASE(a_taken_network_is_refused, 0),
	CASE(a_network_has_a_mode, 0),
	CASE(a_network_changes_what_it_is_told, 0),
	CASE(an_undefined_network_is_restored_as_it_was, 0),
	CASE(a_wrong_network_is_refused_and_changes_nothing, 0),
	CASE(a_network_keeps_what_people_added, CB_WORLD_XML),
	CASE(hosts_reach_a_running_network, CB_WORLD_QEMU),
	CASE(a_machine_runs_on_a_network, CB_WORLD_TRANSFER),
	CASE(a_transient_network_is_seen_but_not_changed, CB_WORLD_QEMU),
};

#endif
