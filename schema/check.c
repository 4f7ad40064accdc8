#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/address.h"
#include "schema/fleet_internal.h"
#include "schema/suggest.h"

static void report(struct cb_fleet *fleet, const char *check, const char *target,
		   const struct cb_origin *origin, const char *fix, const char *message)
{
	struct cb_schema_at at = cb_fleet_at(check, target, origin);

	at.kind = fleet->about;

	cb_schema_report(fleet->arena, fleet->problems, &at, fix, "%s", message);
}

/* References. ---------------------------------------------------------------------------------- */

const char *cb_fleet_quote(const struct cb_fleet *fleet, const struct cb_entry *entry)
{
	if (entry->origin.sensitive)
		return "(sensitive)";
	return cb_schema_quote(fleet->arena, entry->value.string, strlen(entry->value.string));
}

const char *cb_fleet_meant(struct cb_fleet *fleet, const char *all, size_t n, const char *wanted)
{
	const char *near = cb_suggest_word(fleet->arena, all, wanted);

	if (near)
		return cb_arena_printf(fleet->arena, "did you mean '%s'?", near);
	if (n > CB_FLEET_LISTED)
		return "";
	return n ? cb_arena_printf(fleet->arena, "there are: %s", all) : "none is declared";
}

const char *cb_fleet_known(struct cb_fleet *fleet, const struct cb_declarations *declarations,
			   const struct cb_entry *wanted)
{
	cb_auto_str struct cb_str all = {0};

	if (wanted->origin.sensitive || declarations->len > CB_FLEET_COMPARED)
		return "";
	cb_vec_each (const struct cb_declared, declared, declarations)
		cb_str_printf(&all, "%s%s", all.len ? " " : "", declared->name);
	return cb_fleet_meant(fleet, cb_str_text(&all), declarations->len, wanted->value.string);
}

void cb_fleet_check_host(struct cb_fleet *fleet, const char *target, const struct cb_entry *host)
{
	if (host->value.kind == CB_STRING &&
	    !cb_declared_find(&fleet->out->hosts, host->value.string))
		report(fleet, "manifest.reference", target, &host->origin,
		       cb_fleet_known(fleet, &fleet->out->hosts, host),
		       cb_arena_printf(fleet->arena, "there is no host %s in 'hosts'",
				       cb_fleet_quote(fleet, host)));
}

/* One VM. -------------------------------------------------------------------------------------- */

static const struct cb_entry *below(struct cb_fleet *fleet, const struct cb_vm *vm,
				    const char *element, const char *key)
{
	return cb_spec_find(&vm->spec, cb_arena_printf(fleet->arena, "%s.%s", element, key));
}

/* Whether something was said; it may have been wrong, and reported. */
static bool given(const struct cb_entry *entry)
{
	return entry && (entry->value.kind != CB_NONE || entry->origin.from == CB_FROM_DEFAULT);
}

/* Whether it holds that text. */
static bool is(const struct cb_entry *entry, const char *text)
{
	return entry && entry->value.kind == CB_STRING && strcmp(entry->value.string, text) == 0;
}

static bool is_true(const struct cb_entry *entry)
{
	return entry && entry->value.kind == CB_BOOL && entry->value.boolean;
}

/* A wrong value may have been the right one. */
static bool is_wrong(const struct cb_entry *entry)
{
	return given(entry) && entry->value.kind == CB_NONE;
}

static void check_disk(struct cb_fleet *fleet, const struct cb_vm *vm, const char *disk,
		       const struct cb_entry *name)
{
	const char *text = name->value.string;
	const struct cb_entry *format = below(fleet, vm, disk, "format");
	const struct cb_entry *shareable = below(fleet, vm, disk, "shareable");

	if (strcmp(text, "root") == 0 || strcmp(text, "seed") == 0)
		report(fleet, "manifest.name", vm->name, &name->origin,
		       "the root disk is `disk_size_gb` and `base_image` of the VM; call this one "
		       "otherwise",
		       cb_arena_printf(fleet->arena, "'%s' is a name of clonebox's own", text));
	if (!given(below(fleet, vm, disk, "size")) && !given(below(fleet, vm, disk, "base_image")))
		report(fleet, "manifest.missing", vm->name, &name->origin,
		       "for example: size: 10GiB",
		       cb_arena_printf(fleet->arena, "the disk '%s' has neither 'size' nor %s",
				       text, "'base_image'"));
	if (is_true(shareable) && !is_wrong(format) && !is(format, "raw"))
		report(fleet, "manifest.value", vm->name, &shareable->origin, "add `format: raw`",
		       "only a raw disk can be shared: two writers of a qcow2 file destroy it");
}

/* The address is one of the network's, and of a network that the manifest makes. */
static void check_ip(struct cb_fleet *fleet, const struct cb_vm *vm, const struct cb_entry *ip,
		     const struct cb_entry *network)
{
	const struct cb_declared *declared;
	const struct cb_entry *cidr;

	if (is_wrong(network))
		return;
	declared = given(network) ? cb_declared_find(&fleet->out->networks, network->value.string)
				  : NULL;
	cidr = declared ? cb_spec_find(&declared->spec, "cidr") : NULL;
	if (is_wrong(cidr))
		return;
	if (!given(cidr))
		report(fleet, "manifest.value", vm->name, &ip->origin,
		       "declare the network below 'networks', with a 'cidr'",
		       "'ip' is for an interface on one of the manifest's own networks");
	else if (!cb_address_in(cidr->value.string, ip->value.string) ||
		 strcmp(ip->value.string, cb_address_nth(fleet->arena, cidr->value.string, 1)) == 0)
		report(fleet, "manifest.value", vm->name, &ip->origin,
		       "the first address is the host's",
		       cb_arena_printf(fleet->arena, "%s is no address for a VM in %s, %s",
				       cb_fleet_quote(fleet, ip), cb_fleet_quote(fleet, network),
				       cb_fleet_quote(fleet, cidr)));
}

/* What a NIC is on: exactly one of three. */
static void check_nic(struct cb_fleet *fleet, const struct cb_vm *vm, const char *nic,
		      const struct cb_entry *name)
{
	const struct cb_entry *network = below(fleet, vm, nic, "network");
	const struct cb_entry *user = below(fleet, vm, nic, "user");
	const struct cb_entry *ip = below(fleet, vm, nic, "ip");
	const struct cb_entry *forwards = below(fleet, vm, nic, "forwards");
	bool is_user = is_true(user) || is_wrong(user);
	int on = given(network) + given(below(fleet, vm, nic, "bridge")) + is_user;

	if (strcmp(name->value.string, "nic0") == 0)
		report(fleet, "manifest.name", vm->name, &name->origin,
		       "call it otherwise, for example lan0",
		       "'nic0' is the interface of 'network_mode'");
	if (on != 1 && !is_wrong(user))
		report(fleet, "manifest.value", vm->name, &name->origin,
		       "for example: {name: lan0, network: lan}",
		       cb_arena_printf(fleet->arena,
				       "the interface '%s' has to have one of 'network', 'bridge' "
				       "and 'user: true'",
				       name->value.string));
	if (given(forwards) && !is_user)
		report(fleet, "manifest.value", vm->name, &forwards->origin, "leave it out",
		       "'forwards' needs 'user: true': other interfaces are reached directly");
	if (ip && ip->value.kind == CB_STRING)
		check_ip(fleet, vm, ip, network);
}

/* A kernel has to be there for what is only of use to a kernel. */
static void check_boot(struct cb_fleet *fleet, const struct cb_vm *vm)
{
	static const char *const need_kernel[] = {"boot.initrd", "boot.cmdline"};

	for (size_t i = 0; i < CB_COUNT(need_kernel); i++) {
		const struct cb_entry *entry = cb_spec_find(&vm->spec, need_kernel[i]);

		if (given(entry) && !given(cb_spec_find(&vm->spec, "boot.kernel")))
			report(fleet, "manifest.boot", vm->name, &entry->origin,
			       "add boot.kernel, or leave this out",
			       cb_arena_printf(fleet->arena, "'%s' is given without 'boot.kernel'",
					       need_kernel[i]));
	}
}

void cb_fleet_check_vm(struct cb_fleet *fleet, const struct cb_vm *vm)
{
	const struct cb_entry *mode = cb_spec_find(&vm->spec, "network_mode");
	const struct cb_entry *firmware = cb_spec_find(&vm->spec, "firmware");
	bool nics = false;

	cb_vec_each (const struct cb_entry, entry, &vm->spec) {
		const char *dot = strstr(entry->path, "].name"), *element;

		if (!dot || strcmp(dot, "].name") != 0 || entry->value.kind != CB_STRING)
			continue;
		element = cb_arena_strndup(fleet->arena, entry->path,
					   (size_t)(dot - entry->path) + 1);
		if (strncmp(element, "disks[", 6) == 0) {
			check_disk(fleet, vm, element, entry);
		} else if (strncmp(element, "nics[", 5) == 0) {
			check_nic(fleet, vm, element, entry);
			nics = true;
		}
	}
	if (nics && given(mode))
		report(fleet, "manifest.value", vm->name, &mode->origin,
		       "leave one of them out; 'network_mode: null' takes back what a profile or "
		       "the defaults say",
		       "'network_mode' and 'nics' cannot both be given");
	if (is(firmware, "uefi") && is(cb_spec_find(&vm->spec, "machine"), "pc"))
		report(fleet, "manifest.value", vm->name, &firmware->origin, "use machine: q35",
		       "'firmware: uefi' needs the machine q35");
	check_boot(fleet, vm);
}

/* What only one may have. ---------------------------------------------------------------------- */

struct claim {
	const char *what; /* "mac 52:54:...", "ip 10.10.0.10 lan lab" */
	const char *said; /* the same for people */
	const struct cb_vm *vm;
	const struct cb_origin *origin;
};

struct claims {
	struct claim *items;
	size_t len, cap;
};

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = strcmp(a->what, b->what);

	if (order == 0)
		order = strcmp(a->vm->name, b->vm->name);
	return order ? order : cb_fleet_by_place(a->origin, b->origin);
}

static void claim(struct cb_fleet *fleet, struct claims *claims, const struct cb_vm *vm,
		  const struct cb_entry *entry)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, entry->path);
	struct claim made = {.vm = vm, .origin = &entry->origin};
	const struct cb_entry *network;

	if (!field || (field->type != CB_TYPE_MAC && field->type != CB_TYPE_IP))
		return;
	if (field->type == CB_TYPE_MAC) {
		made.what = cb_arena_printf(fleet->arena, "mac %s", entry->value.string);
		made.said = cb_arena_printf(fleet->arena, "the MAC address %s",
					    cb_fleet_quote(fleet, entry));
		cb_vec_push(fleet->arena, claims, made);
		return;
	}
	network = below(fleet, vm,
			cb_arena_strndup(fleet->arena, entry->path, strcspn(entry->path, "]") + 1),
			"network");
	if (!network)
		return;
	/* Each host has a network of its own. */
	made.what = cb_arena_printf(fleet->arena, "ip %s\n%s\n%s", entry->value.string,
				    network->value.string, vm->host ? vm->host : "");
	made.said = cb_arena_printf(fleet->arena, "the address %s of network %s",
				    cb_fleet_quote(fleet, entry), cb_fleet_quote(fleet, network));
	cb_vec_push(fleet->arena, claims, made);
}

/* Two VMs of one `count`: that has been reported. */
static bool same_block(const struct claim *a, const struct claim *b)
{
	return a->vm != b->vm && cb_fleet_by_place(&a->vm->origin, &b->vm->origin) == 0;
}

static void check_claims(struct cb_fleet *fleet)
{
	struct claims claims = {0};

	cb_vec_each (const struct cb_vm, vm, &fleet->out->vms) {
		cb_vec_each (const struct cb_entry, entry, &vm->spec)
			claim(fleet, &claims, vm, entry);
	}
	if (claims.len > 0)
		qsort(claims.items, claims.len, sizeof(*claims.items), compare_claims);
	for (size_t i = 1; i < claims.len; i++) {
		const struct claim *one = &claims.items[i - 1], *other = &claims.items[i];

		if (strcmp(one->what, other->what) == 0 && !same_block(one, other))
			report(fleet, "manifest.duplicate-address", other->vm->name, other->origin,
			       "give one of them another",
			       cb_arena_printf(fleet->arena, "%s is taken twice: here and at %s",
					       other->said, cb_fleet_place(fleet, one->origin)));
	}
}

/* Declarations. -------------------------------------------------------------------------------- */

/* An address of the network that DHCP may give out. */
static void check_dhcp(struct cb_fleet *fleet, const struct cb_declared *network,
		       const struct cb_entry *entry, const struct cb_entry *cidr)
{
	if (!entry || entry->value.kind != CB_STRING || !cidr || cidr->value.kind != CB_STRING)
		return;
	if (!cb_address_in(cidr->value.string, entry->value.string))
		report(fleet, "manifest.value", network->name, &entry->origin, "",
		       cb_arena_printf(fleet->arena, "%s does not lie in %s",
				       cb_fleet_quote(fleet, entry), cb_fleet_quote(fleet, cidr)));
	else if (strcmp(entry->value.string, cb_address_nth(fleet->arena, cidr->value.string, 1)) ==
		 0)
		report(fleet, "manifest.value", network->name, &entry->origin,
		       "begin with the second address, or later",
		       cb_arena_printf(fleet->arena, "%s is the host's own address",
				       cb_fleet_quote(fleet, entry)));
}

/* Modes that need no addresses. */
static bool bridge_or_isolated(const struct cb_declared *network)
{
	const struct cb_entry *mode = cb_spec_find(&network->spec, "mode");

	return is(mode, "bridge") || is(mode, "isolated");
}

static void check_dhcp_range(struct cb_fleet *fleet, const struct cb_declared *network,
			     const struct cb_entry *cidr)
{
	const struct cb_entry *start = cb_spec_find(&network->spec, "dhcp.start");
	const struct cb_entry *end = cb_spec_find(&network->spec, "dhcp.end");

	if (given(start) != given(end))
		report(fleet, "manifest.missing", network->name,
		       given(start) ? &start->origin : &end->origin, "give both, or neither",
		       "'dhcp' needs a 'start' and an 'end'");
	if ((given(start) || given(end)) && !given(cidr) && bridge_or_isolated(network))
		report(fleet, "manifest.missing", network->name,
		       given(start) ? &start->origin : &end->origin,
		       "for example: cidr: 10.10.0.0/24", "'dhcp' needs a 'cidr'");
	check_dhcp(fleet, network, start, cidr);
	check_dhcp(fleet, network, end, cidr);
	if (start && end && start->value.kind == CB_STRING && end->value.kind == CB_STRING &&
	    cb_address_compare(start->value.string, end->value.string) > 0)
		report(fleet, "manifest.value", network->name, &end->origin, "swap them",
		       "'dhcp.end' lies before 'dhcp.start'");
}

static void check_network(struct cb_fleet *fleet, const struct cb_declared *network)
{
	const struct cb_entry *mode = cb_spec_find(&network->spec, "mode");
	const struct cb_entry *cidr = cb_spec_find(&network->spec, "cidr");
	const struct cb_entry *bridge = cb_spec_find(&network->spec, "bridge");
	bool bridged = is(mode, "bridge");

	if (!is_wrong(mode) && bridged != given(bridge))
		report(fleet, "manifest.value", network->name,
		       given(bridge) ? &bridge->origin : &network->origin,
		       "for example: {mode: bridge, bridge: br0}",
		       "'bridge' is needed for 'mode: bridge', and only for that");
	/* An isolated network may leave the addresses to its VMs. */
	if (!given(cidr) && (!given(mode) || is(mode, "nat")))
		report(fleet, "manifest.missing", network->name, &network->origin,
		       "for example: cidr: 10.10.0.0/24",
		       cb_arena_printf(fleet->arena, "the network '%s' needs a 'cidr'",
				       network->name));
	if (bridged && given(cidr))
		report(fleet, "manifest.value", network->name, &cidr->origin, "leave it out",
		       "'cidr' cannot be given with 'mode: bridge': whoever runs that network "
		       "gives its addresses");
	check_dhcp_range(fleet, network, cidr);
}

static void check_image(struct cb_fleet *fleet, const struct cb_declared *image)
{
	const struct cb_entry *digest = cb_spec_find(&image->spec, "sha256");

	if (digest && digest->value.kind == CB_STRING &&
	    digest->value.string[strspn(digest->value.string, "0123456789abcdefABCDEF")])
		report(fleet, "manifest.value", image->name, &digest->origin,
		       "'sha256sum FILE' tells it", "'sha256' has to be hexadecimal digits");
}

/* The directory is one of the host, where nothing says what it would be relative to. */
static void check_pool(struct cb_fleet *fleet, const struct cb_declared *pool)
{
	const struct cb_entry *path = cb_spec_find(&pool->spec, "path");

	if (path && path->value.kind == CB_STRING && path->value.string[0] != '/')
		report(fleet, "manifest.value", pool->name, &path->origin,
		       "for example: path: /srv/fast", "'path' of a pool has to begin with '/'");
}

static void need_key(struct cb_fleet *fleet, const struct cb_declarations *declarations,
		     const char *key, const char *fix)
{
	cb_vec_each (const struct cb_declared, declared, declarations) {
		if (!given(cb_spec_find(&declared->spec, key)))
			report(fleet, "manifest.missing", declared->name, &declared->origin, fix,
			       cb_arena_printf(fleet->arena, "'%s' needs a '%s'", declared->name,
					       key));
	}
}

static void check_hosts_of(struct cb_fleet *fleet, const struct cb_declarations *declarations)
{
	cb_vec_each (const struct cb_declared, declared, declarations) {
		const struct cb_entry *host = cb_spec_find(&declared->spec, "host");

		if (host)
			cb_fleet_check_host(fleet, declared->name, host);
	}
}

void cb_fleet_check(struct cb_fleet *fleet)
{
	cb_fleet_check_needs(fleet);
	cb_fleet_check_groups(fleet);
	check_claims(fleet);
	fleet->about = "network";
	cb_vec_each (const struct cb_declared, network, &fleet->out->networks)
		check_network(fleet, network);
	check_hosts_of(fleet, &fleet->out->networks);
	fleet->about = "pool";
	cb_vec_each (const struct cb_declared, pool, &fleet->out->pools)
		check_pool(fleet, pool);
	need_key(fleet, &fleet->out->pools, "path", "for example: path: /srv/fast");
	check_hosts_of(fleet, &fleet->out->pools);
	fleet->about = "image";
	cb_vec_each (const struct cb_declared, image, &fleet->out->images)
		check_image(fleet, image);
	need_key(fleet, &fleet->out->images, "path", "for example: path: ./debian-12.qcow2");
	fleet->about = "host";
	need_key(fleet, &fleet->out->hosts, "uri", "for example: uri: qemu:///system");
	fleet->about = NULL;
}
