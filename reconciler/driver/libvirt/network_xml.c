/* Networks as values: driver.h's paths ⇄ places in the XML. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "reconciler/driver/check.h"

static const struct cb_value none = {.kind = CB_NONE};

/* The parts. ----------------------------------------------------------------------------------- */

static bool is_ipv4(xmlNodePtr ip)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *family = cb_xml_attr(&arena, ip, "family");

	return !family || strcmp(family, "ipv4") == 0;
}

xmlNodePtr cb_network_ip(xmlNodePtr network, int *index)
{
	xmlNodePtr ip = cb_xml_child(network, "ip");

	for (*index = 0; ip && !is_ipv4(ip); ip = cb_xml_next(ip))
		(*index)++;
	return ip;
}

static xmlNodePtr ip_of(xmlNodePtr network)
{
	int index;

	return cb_network_ip(network, &index);
}

xmlNodePtr cb_network_host(xmlNodePtr ip, const char *mac)
{
	cb_auto_arena struct cb_arena arena = {0};
	xmlNodePtr host = ip ? cb_xml_at(ip, "dhcp/host") : NULL;

	for (; host; host = cb_xml_next(host)) {
		const char *is = cb_xml_attr(&arena, host, "mac");

		if (is && strcasecmp(is, mac) == 0)
			return host;
	}
	return NULL;
}

static xmlNodePtr make_ip(xmlNodePtr network)
{
	xmlNodePtr ip = ip_of(network);

	return ip ? ip : cb_xml_add(network, "ip");
}

/* DHCP that neither gives out addresses nor knows a host is none. */
static void tidy(xmlNodePtr network)
{
	xmlNodePtr dhcp = cb_xml_child(ip_of(network), "dhcp");

	if (dhcp && !xmlFirstElementChild(dhcp))
		cb_xml_drop(dhcp);
}

/* How it is connected. ------------------------------------------------------------------------- */

static struct cb_value get_mode(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	xmlNodePtr forward = cb_xml_child(network, "forward");
	const char *mode = cb_xml_attr(arena, forward, "mode");

	(void)mac;
	if (!forward)
		return cb_string("isolated");
	return cb_string(mode ? mode : "nat");
}

/* The parts of the old mode mean nothing to the new one, but a bridge of libvirt's own making does
 * for all modes that need one. */
static void set_mode(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = get_mode(&arena, network, mac);
	bool was_bridge = strcmp(is.string, "bridge") == 0;
	const char *mode = cb_is_nothing(value) ? "nat" : value->string;

	if (strcmp(is.string, mode) == 0)
		return;
	cb_xml_drop(cb_xml_child(network, "forward"));
	if (was_bridge || strcmp(mode, "bridge") == 0) {
		cb_xml_drop(cb_xml_child(network, "bridge"));
		cb_xml_drop(cb_xml_child(network, "mac"));
	}
	if (strcmp(mode, "isolated") != 0)
		cb_xml_set_attr(cb_xml_add(network, "forward"), "mode", mode);
}

static bool is_bridge(struct cb_arena *arena, xmlNodePtr network)
{
	return strcmp(get_mode(arena, network, NULL).string, "bridge") == 0;
}

static struct cb_value get_bridge(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	(void)mac;
	/* Of other modes it is libvirt's own, and its name is libvirt's business. */
	if (!is_bridge(arena, network))
		return none;
	return cb_string(cb_xml_attr(arena, cb_xml_child(network, "bridge"), "name"));
}

static void set_bridge(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	cb_auto_arena struct cb_arena arena = {0};

	(void)mac;
	if (!is_bridge(&arena, network))
		return;
	if (cb_is_nothing(value))
		cb_xml_drop(cb_xml_child(network, "bridge"));
	else
		cb_xml_set_attr(cb_xml_make(network, "bridge"), "name", value->string);
}

/* Addresses. ----------------------------------------------------------------------------------- */

/* The bits of "255.255.255.0". */
static uint64_t prefix_of(const char *netmask)
{
	unsigned part[4] = {0};
	uint64_t bits = 0;

	if (sscanf(netmask, "%3u.%3u.%3u.%3u", &part[0], &part[1], &part[2], &part[3]) != 4)
		return 0;
	for (size_t i = 0; i < CB_COUNT(part); i++)
		bits += (uint64_t)__builtin_popcount(part[i]);
	return bits;
}

static struct cb_value get_cidr(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	xmlNodePtr ip = ip_of(network);
	const char *address = cb_xml_attr(arena, ip, "address");
	const char *prefix = cb_xml_attr(arena, ip, "prefix");
	const char *netmask = cb_xml_attr(arena, ip, "netmask");

	(void)mac;
	if (!address)
		return none;
	if (!prefix)
		prefix = cb_arena_printf(arena, "%u",
					 (unsigned)prefix_of(netmask ? netmask : "255.255.255.0"));
	return cb_string(cb_arena_printf(arena, "%s/%s", address, prefix));
}

static void set_cidr(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *slash = value->string ? strchr(value->string, '/') : NULL;
	xmlNodePtr ip;

	(void)mac;
	if (cb_is_nothing(value)) {
		cb_xml_drop(ip_of(network));
		return;
	}
	ip = make_ip(network);
	cb_xml_drop_attr(ip, "netmask");
	cb_xml_set_attr(
		ip, "address",
		cb_arena_strndup(&arena, value->string,
				 slash ? (size_t)(slash - value->string) : strlen(value->string)));
	cb_xml_set_attr(ip, "prefix", slash ? slash + 1 : "");
}

static struct cb_value get_range(struct cb_arena *arena, xmlNodePtr network, const char *end)
{
	xmlNodePtr ip = ip_of(network);

	return cb_string(cb_xml_attr(arena, ip ? cb_xml_at(ip, "dhcp/range") : NULL, end));
}

static void set_range(xmlNodePtr network, const char *end, const struct cb_value *value)
{
	xmlNodePtr ip = ip_of(network), range = ip ? cb_xml_at(ip, "dhcp/range") : NULL;

	if (!cb_is_nothing(value)) {
		cb_xml_set_attr(cb_xml_make(make_ip(network), "dhcp/range"), end, value->string);
		return;
	}
	cb_xml_drop_attr(range, end);
	if (range && !range->properties)
		cb_xml_drop(range);
	tidy(network);
}

static struct cb_value get_start(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	(void)mac;
	return get_range(arena, network, "start");
}

static void set_start(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	(void)mac;
	set_range(network, "start", value);
}

static struct cb_value get_end(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	(void)mac;
	return get_range(arena, network, "end");
}

static void set_end(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	(void)mac;
	set_range(network, "end", value);
}

/* Hosts. --------------------------------------------------------------------------------------- */

static struct cb_value get_host_ip(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	return cb_string(cb_xml_attr(arena, cb_network_host(ip_of(network), mac), "ip"));
}

static struct cb_value get_host_name(struct cb_arena *arena, xmlNodePtr network, const char *mac)
{
	return cb_string(cb_xml_attr(arena, cb_network_host(ip_of(network), mac), "name"));
}

static xmlNodePtr make_host(xmlNodePtr network, const char *mac)
{
	xmlNodePtr host = cb_network_host(ip_of(network), mac);

	if (!host) {
		host = cb_xml_add(cb_xml_make(make_ip(network), "dhcp"), "host");
		cb_xml_set_attr(host, "mac", mac);
	}
	return host;
}

static void set_host_ip(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	if (!cb_is_nothing(value)) {
		cb_xml_set_attr(make_host(network, mac), "ip", value->string);
		return;
	}
	cb_xml_drop(cb_network_host(ip_of(network), mac));
	tidy(network);
}

static void set_host_name(xmlNodePtr network, const char *mac, const struct cb_value *value)
{
	if (!cb_is_nothing(value))
		cb_xml_set_attr(make_host(network, mac), "name", value->string);
	else
		cb_xml_drop_attr(cb_network_host(ip_of(network), mac), "name");
}

/* The table; rows are written in this order. --------------------------------------------------- */

static const struct row {
	const char *pattern;
	struct cb_value (*get)(struct cb_arena *arena, xmlNodePtr network, const char *mac);
	void (*set)(xmlNodePtr network, const char *mac, const struct cb_value *value);
} rows[] = {
	{"mode", get_mode, set_mode},
	{"bridge", get_bridge, set_bridge},
	{"cidr", get_cidr, set_cidr},
	{"dhcp.start", get_start, set_start},
	{"dhcp.end", get_end, set_end},
	{"hosts[].ip", get_host_ip, set_host_ip},
	{"hosts[].name", get_host_name, set_host_name},
};

static const struct row *find(const char *pattern)
{
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (strcmp(rows[i].pattern, pattern) == 0)
			return &rows[i];
	}
	return NULL;
}

static void put(struct cb_arena *arena, struct cb_spec *out, const char *path,
		struct cb_value value)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};

	if (!cb_is_nothing(&value))
		cb_spec_set(arena, out, path, value, origin);
}

static const char *lower(struct cb_arena *arena, const char *mac)
{
	char *text = cb_arena_strdup(arena, mac);

	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

static void read_hosts(struct cb_arena *arena, xmlNodePtr network, struct cb_spec *out)
{
	xmlNodePtr ip = ip_of(network), host = ip ? cb_xml_at(ip, "dhcp/host") : NULL;

	for (; host; host = cb_xml_next(host)) {
		const char *mac = cb_xml_attr(arena, host, "mac");

		if (!mac)
			continue;
		mac = lower(arena, mac);
		put(arena, out, cb_arena_printf(arena, "hosts[%s].ip", mac),
		    get_host_ip(arena, network, mac));
		put(arena, out, cb_arena_printf(arena, "hosts[%s].name", mac),
		    get_host_name(arena, network, mac));
	}
}

void cb_network_read(struct cb_arena *arena, xmlNodePtr network, struct cb_spec *out)
{
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (!strchr(rows[i].pattern, '['))
			put(arena, out, rows[i].pattern, rows[i].get(arena, network, NULL));
	}
	read_hosts(arena, network, out);
}

/* Every path is one, with a value that XML can hold. */
static int check(struct cb_arena *arena, const struct cb_spec *set, struct cb_error *err)
{
	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_path path = cb_path_of(arena, entry->path);

		if (!find(path.pattern))
			return cb_error_set(err, CB_E_INTERNAL, "'%s' stands nowhere in a network",
					    entry->path);
		if (entry->value.kind != CB_NONE && entry->value.kind != CB_STRING)
			return cb_error_set(err, CB_E_INTERNAL,
					    "'%s' has a value of the wrong kind", entry->path);
		if (entry->value.kind == CB_STRING && !cb_xml_text_fits(entry->value.string))
			return cb_error_set(err, CB_E_INVALID,
					    "the value of '%s' has characters that libvirt "
					    "cannot keep",
					    entry->path);
	}
	return 0;
}

int cb_network_write(xmlNodePtr network, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_spec document = {0};
	int r = check(&arena, set, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_vec_each (const struct cb_entry, entry, set) {
			struct cb_path path = cb_path_of(&arena, entry->path);

			if (find(path.pattern) == &rows[i])
				rows[i].set(network, path.name, &entry->value);
		}
	}
	cb_network_read(&arena, network, &document);
	return cb_check_network(&document, set, err);
}

int cb_network_verify(xmlNodePtr network, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		struct cb_path path = cb_path_of(&arena, entry->path);
		const struct row *row = find(path.pattern);
		struct cb_value is = row ? row->get(&arena, network, path.name) : none;

		if (cb_value_equal(&is, &entry->value) || cb_is_nothing(&entry->value))
			continue;
		return cb_error_set(err, CB_E_CONFLICT,
				    "'%s' was set to '%s' but reads '%s': somebody else is at work",
				    entry->path, cb_value_text(&arena, &entry->value),
				    cb_value_text(&arena, &is));
	}
	return 0;
}
