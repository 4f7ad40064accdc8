#include "reconciler/driver/check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/address.h"

/* Paths. --------------------------------------------------------------------------------------- */

struct cb_path cb_path_of(struct cb_arena *arena, const char *path)
{
	const char *open = strchr(path, '['), *close = open ? strchr(open, ']') : NULL;
	struct cb_path none = {"", NULL};

	if (!open)
		return (struct cb_path){cb_arena_strdup(arena, path), NULL};
	if (!close || close == open + 1)
		return none;
	return (struct cb_path){
		.pattern = cb_arena_printf(arena, "%.*s[]%s", (int)(open - path), path, close + 1),
		.name = cb_arena_strndup(arena, open + 1, (size_t)(close - open - 1)),
	};
}

bool cb_is_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";

	return *text && text[strspn(text, allowed)] == '\0';
}

bool cb_is_mac(const char *text)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *mac = cb_address_mac(&arena, text);

	return mac && strcmp(mac, text) == 0;
}

bool cb_is_nothing(const struct cb_value *value)
{
	return value->kind == CB_NONE || (value->kind == CB_STRING && !*value->string);
}

/* Values of domains. --------------------------------------------------------------------------- */

static const struct {
	const char *pattern;
	const char *words[6];
} words[] = {
	{"machine", {"q35", "pc"}},
	{"firmware", {"bios", "uefi"}},
	{"nics[].type", {"network", "bridge", "user"}},
	{"disks[].format", {"qcow2", "raw"}},
	{"disks[].bus", {"virtio", "scsi", "sata"}},
	{"mounts[].kind", {"9p", "virtiofs"}},
	{"disks[].cache", {"none", "writeback", "writethrough", "directsync", "unsafe"}},
};

static bool is_word(const char *pattern, const char *text)
{
	for (size_t i = 0; i < CB_COUNT(words); i++) {
		if (strcmp(words[i].pattern, pattern) != 0)
			continue;
		for (size_t k = 0; k < CB_COUNT(words[i].words) && words[i].words[k]; k++) {
			if (strcmp(words[i].words[k], text) == 0)
				return true;
		}
		return false;
	}
	return true;
}

/* A port number and what is behind it; NULL for anything else. */
static const char *port(const char *text, unsigned *out)
{
	char *end;
	unsigned long value;

	if (*text < '1' || *text > '9')
		return NULL;
	value = strtoul(text, &end, 10);
	*out = (unsigned)value;
	return value <= UINT16_MAX ? end : NULL;
}

const char *cb_forward_next(const char *text, struct cb_forward *out)
{
	const char *rest = strncmp(text, "tcp:", 4) == 0 || strncmp(text, "udp:", 4) == 0
				   ? port(text + 4, &out->host)
				   : NULL;

	if (!rest || *rest != ':' || !(rest = port(rest + 1, &out->guest)))
		return NULL;
	memcpy(out->protocol, text, 3);
	out->protocol[3] = '\0';
	if (*rest == ' ' && rest[1])
		return rest + 1;
	return *rest ? NULL : rest;
}

static bool is_forwards(const char *text)
{
	struct cb_forward forward;

	while (text && *text)
		text = cb_forward_next(text, &forward);
	return text != NULL;
}

/* As libvirt's schema has it. */
static bool is_serial(const char *text)
{
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("_.+- ", *text))
			return false;
	}
	return true;
}

static bool is_bus_name(const char *text)
{
	return !strpbrk(text, "/\n\t ");
}

static bool is_absolute(const char *text)
{
	return *text == '/';
}

static const struct {
	const char *pattern;
	bool (*fits)(const char *text);
	const char *what;
} forms[] = {
	{"nics[].mac", cb_is_mac, "a MAC address in lower case"},
	{"nics[].model", cb_is_name, "a model of a network card"},
	{"nics[].source", is_bus_name, "the name of a network or bridge"},
	{"nics[].forwards", is_forwards, "a list like 'tcp:2222:22 udp:5353:53'"},
	{"mounts[].source", is_absolute, "an absolute path"},
	{"disks[].serial", is_serial, "a serial number"},
	{"cpu", is_bus_name, "a model of a processor"},
};

static int check_value(const char *pattern, const struct cb_entry *entry, struct cb_error *err)
{
	const char *text = entry->value.string;

	if (entry->value.kind != CB_STRING || !*text)
		return 0;
	if (!is_word(pattern, text))
		return cb_error_set(err, CB_E_INVALID, "'%s' cannot be '%s'", entry->path, text);
	for (size_t i = 0; i < CB_COUNT(forms); i++) {
		if (strcmp(forms[i].pattern, pattern) == 0 && !forms[i].fits(text))
			return cb_error_set(err, CB_E_INVALID, "'%s': '%s' is not %s", entry->path,
					    text, forms[i].what);
	}
	return 0;
}

int cb_check_values(const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_path path = cb_path_of(&arena, entry->path);
		int r = check_value(path.pattern, entry, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static const char *of_nic(struct cb_arena *arena, const struct cb_spec *spec, const char *name,
			  const char *key)
{
	const char *text = cb_spec_string(spec, cb_arena_printf(arena, "nics[%s].%s", name, key));

	return text && *text ? text : NULL;
}

static int check_nic(struct cb_arena *arena, const struct cb_spec *document,
		     const struct cb_spec *set, const char *name, struct cb_error *err)
{
	const char *type = of_nic(arena, document, name, "type");
	bool user = type && strcmp(type, "user") == 0;
	bool named = type && (strcmp(type, "network") == 0 || strcmp(type, "bridge") == 0);

	if (named && !of_nic(arena, document, name, "source"))
		return cb_error_set(err, CB_E_INVALID, "'nics[%s].source' has to name the %s", name,
				    type);
	if (user && of_nic(arena, set, name, "source"))
		return cb_error_set(err, CB_E_INVALID,
				    "'nics[%s].source' means nothing to a NIC of type 'user'",
				    name);
	if (!user && of_nic(arena, set, name, "forwards"))
		return cb_error_set(err, CB_E_INVALID,
				    "'nics[%s].forwards' is for NICs of type 'user' alone", name);
	return 0;
}

int cb_check_nics(const struct cb_spec *document, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_path path = cb_path_of(&arena, entry->path);
		int r = 0;

		if (path.name && strncmp(path.pattern, "nics[]", 6) == 0)
			r = check_nic(&arena, document, set, path.name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* 9p has no room for more, and what no read-only mount is must not be taken for one. */
static int check_mount(struct cb_arena *arena, const struct cb_spec *document, const char *name,
		       struct cb_error *err)
{
	enum { TAG_MAX = 31 };

	const char *kind =
		cb_spec_string(document, cb_arena_printf(arena, "mounts[%s].kind", name));

	if (strlen(name) > TAG_MAX)
		return cb_error_set(err, CB_E_INVALID, "'mounts[%s]' has more than %d letters",
				    name, TAG_MAX);
	if (kind && strcmp(kind, "virtiofs") == 0 &&
	    cb_spec_bool(document, cb_arena_printf(arena, "mounts[%s].readonly", name), false))
		return cb_error_set(err, CB_E_INVALID,
				    "'mounts[%s].readonly' is for kind '9p' alone", name);
	return 0;
}

int cb_check_mounts(const struct cb_spec *document, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_path path = cb_path_of(&arena, entry->path);
		int r = 0;

		if (path.name && strncmp(path.pattern, "mounts[]", 8) == 0)
			r = check_mount(&arena, document, path.name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Networks. ------------------------------------------------------------------------------------ */

struct subnet {
	uint32_t address, mask; /* of the host, in its own byte order */
};

static bool parse_address(const char *text, uint32_t *out)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*out = ntohl(address.s_addr);
	return true;
}

/* Whether a guest or the host can have the address: not that of the subnet itself, nor of all. */
static bool is_in(const struct subnet *net, uint32_t address)
{
	uint32_t rest = address & ~net->mask;

	return (address & net->mask) == (net->address & net->mask) && rest != 0 &&
	       rest != ~net->mask;
}

static bool parse_cidr(const char *text, struct subnet *out)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	uint64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address) ||
	    cb_parse_u64(slash + 1, &prefix) < 0 || prefix < 1 || prefix > 30 || slash[1] == '0')
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	out->mask = ~(uint32_t)0 << (32 - prefix);
	return parse_address(address, &out->address) && is_in(out, out->address);
}

static int refuse(const char *path, const char *text, const char *why, struct cb_error *err)
{
	return cb_error_set(err, CB_E_INVALID, "'%s': '%s' %s", path, text, why);
}

/* An address that has to be in the network's subnet; one that is not there is fine. */
static int check_inside(const struct cb_spec *document, const char *path, const struct subnet *net,
			uint32_t *out, struct cb_error *err)
{
	const char *text = cb_spec_string(document, path);

	*out = 0;
	if (!text)
		return 0;
	if (!net)
		return cb_error_set(err, CB_E_INVALID, "'%s' needs 'cidr'", path);
	if (!parse_address(text, out))
		return refuse(path, text, "is not an IPv4 address", err);
	if (!is_in(net, *out))
		return refuse(path, text, "is not an address of the network's 'cidr'", err);
	return 0;
}

static int check_range(const struct cb_spec *document, const struct subnet *net,
		       struct cb_error *err)
{
	uint32_t start, end;
	int r;

	if ((r = check_inside(document, "dhcp.start", net, &start, err)) < 0 ||
	    (r = check_inside(document, "dhcp.end", net, &end, err)) < 0)
		return r;
	if ((start == 0) != (end == 0))
		return cb_error_set(err, CB_E_INVALID,
				    "'dhcp.start' and 'dhcp.end' go with each other");
	if (start > end)
		return refuse("dhcp.end", cb_spec_string(document, "dhcp.end"),
			      "is before 'dhcp.start'", err);
	return 0;
}

/* Whether an earlier host has the address; documents are sorted, so each pair is met once. */
static bool is_taken(const struct cb_spec *document, const struct cb_entry *host, uint32_t address)
{
	cb_auto_arena struct cb_arena arena = {0};

	for (const struct cb_entry *other = document->items; other < host; other++) {
		struct cb_path path = cb_path_of(&arena, other->path);
		uint32_t has;

		if (strcmp(path.pattern, "hosts[].ip") == 0 &&
		    parse_address(other->value.string, &has) && has == address)
			return true;
	}
	return false;
}

static int check_host(const struct cb_spec *document, const struct cb_entry *entry,
		      const struct cb_path *path, const struct subnet *net, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *text = entry->value.string;
	uint32_t address;
	int r;

	if (strcmp(path->pattern, "hosts[].name") == 0) {
		if (!cb_spec_find(document, cb_arena_printf(&arena, "hosts[%s].ip", path->name)))
			return cb_error_set(err, CB_E_INVALID, "'%s' needs an address beside it",
					    entry->path);
		return 0;
	}
	if ((r = check_inside(document, entry->path, net, &address, err)) < 0)
		return r;
	if (net && address == net->address)
		return refuse(entry->path, text, "is the host's own address", err);
	if (is_taken(document, entry, address))
		return refuse(entry->path, text, "belongs to another host", err);
	return 0;
}

static int check_hosts(const struct cb_spec *document, const struct subnet *net,
		       struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, document) {
		struct cb_path path = cb_path_of(&arena, entry->path);
		int r = 0;

		if (path.name && entry->value.kind == CB_STRING)
			r = check_host(document, entry, &path, net, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A bridge of the host's has its addresses from elsewhere. */
static int check_bridge(const struct cb_spec *document, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	if (!cb_spec_string(document, "bridge"))
		return cb_error_set(err, CB_E_INVALID, "'bridge' has to name the host's bridge");
	cb_vec_each (const struct cb_entry, entry, document) {
		struct cb_path path = cb_path_of(&arena, entry->path);

		if (path.name || strcmp(path.pattern, "cidr") == 0 ||
		    strncmp(path.pattern, "dhcp.", 5) == 0)
			return cb_error_set(err, CB_E_INVALID,
					    "'%s' means nothing to a network of mode 'bridge'",
					    entry->path);
	}
	return 0;
}

/* What is given, each by itself. Names of hosts go to dnsmasq, of bridges to the kernel. */
static int check_given(const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_path path = cb_path_of(&arena, entry->path);
		const char *text = entry->value.string;

		if (path.name && !cb_is_mac(path.name))
			return refuse(entry->path, path.name, "is not a MAC address in lower case",
				      err);
		if (cb_is_nothing(&entry->value))
			continue;
		if (strcmp(path.pattern, "mode") == 0 && strcmp(text, "nat") != 0 &&
		    strcmp(text, "isolated") != 0 && strcmp(text, "bridge") != 0)
			return refuse("mode", text, "is not one of 'nat', 'isolated' and 'bridge'",
				      err);
		if (strcmp(path.pattern, "bridge") == 0 &&
		    (strlen(text) > 15 || strpbrk(text, "/: \n\t")))
			return refuse("bridge", text, "is not the name of a bridge", err);
		if (strcmp(path.pattern, "hosts[].name") == 0 &&
		    (strlen(text) > 253 || strspn(text, "abcdefghijklmnopqrstuvwxyz"
							"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							"0123456789-.") != strlen(text)))
			return refuse(entry->path, text, "is not the name of a host", err);
	}
	return 0;
}

int cb_check_network(const struct cb_spec *document, const struct cb_spec *set,
		     struct cb_error *err)
{
	const char *mode = cb_spec_string(document, "mode");
	const char *cidr = cb_spec_string(document, "cidr"), *bridge;
	struct subnet net;
	int r;

	if ((r = check_given(set, err)) < 0)
		return r;
	if (mode && strcmp(mode, "bridge") == 0)
		return check_bridge(document, err);
	bridge = cb_spec_string(set, "bridge");
	if (bridge && *bridge)
		return refuse("bridge", bridge, "is for networks of mode 'bridge' alone", err);
	if (!cidr && mode && strcmp(mode, "nat") == 0)
		return cb_error_set(err, CB_E_INVALID,
				    "'cidr' has to give the addresses that mode 'nat' translates");
	if (cidr && !parse_cidr(cidr, &net))
		return refuse("cidr", cidr,
			      "is not the host's address and the size, "
			      "like '10.10.0.1/24'",
			      err);
	if ((r = check_range(document, cidr ? &net : NULL, err)) < 0)
		return r;
	return check_hosts(document, cidr ? &net : NULL, err);
}
