#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <stdio.h>
#include <string.h>

#include "reconciler/driver/check.h"

static const struct cb_value none = {.kind = CB_NONE};

/* How it is connected. ------------------------------------------------------------------------- */

static xmlNodePtr new_nic(xmlNodePtr domain, const char *name)
{
	xmlNodePtr nic = cb_xml_add(cb_xml_make(domain, "devices"), "interface");

	cb_xml_set_attr(cb_xml_add(nic, "model"), "type", "virtio");
	cb_device_set_name(nic, "nic", name);
	return nic;
}

static void drop_forwards(xmlNodePtr nic)
{
	xmlNodePtr backend = cb_xml_child(nic, "backend"), forward;

	while ((forward = cb_xml_child(nic, "portForward")) != NULL)
		cb_xml_drop(forward);
	if (cb_xml_attr_is(backend, "type", "passt"))
		cb_xml_drop(backend);
}

/* What the old kind of connection needed means nothing to the new one. */
static void reconnect(xmlNodePtr nic, const char *type)
{
	static const char *const parts[] = {"source", "virtualport", "target", "ip", "route"};

	for (size_t i = 0; i < CB_COUNT(parts); i++)
		cb_xml_drop(cb_xml_child(nic, parts[i]));
	drop_forwards(nic);
	cb_xml_set_attr(nic, "type", type);
}

/* NULL where it does not say. */
static const char *type_of(struct cb_arena *arena, xmlNodePtr nic)
{
	const char *type = cb_xml_attr(arena, nic, "type");

	return type && *type ? type : NULL;
}

struct cb_value cb_bind_get_nic_type(const struct cb_bound *at, struct cb_arena *arena)
{
	return cb_string(type_of(arena, cb_bound_node(at)));
}

int cb_bind_set_nic_type(const struct cb_bound *at, const struct cb_value *value,
			 struct cb_error *err)
{
	xmlNodePtr nic = cb_bound_node(at);

	(void)err;
	if (cb_is_nothing(value)) {
		cb_xml_drop(nic);
		return 0;
	}
	if (!nic)
		nic = new_nic(at->domain, at->name);
	if (!cb_xml_attr_is(nic, "type", value->string))
		reconnect(nic, value->string);
	return 0;
}

/* The attribute that names what a NIC of this type is on; NULL: nothing that has a name. */
static const char *source_attribute(xmlNodePtr nic)
{
	if (cb_xml_attr_is(nic, "type", "network"))
		return "network";
	return cb_xml_attr_is(nic, "type", "bridge") ? "bridge" : NULL;
}

struct cb_value cb_bind_get_nic_source(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr nic = cb_bound_node(at);
	const char *attribute = source_attribute(nic);

	if (!attribute)
		return none;
	return cb_string(cb_xml_attr(arena, cb_xml_child(nic, "source"), attribute));
}

int cb_bind_set_nic_source(const struct cb_bound *at, const struct cb_value *value,
			   struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_nic_source(at, &arena);
	xmlNodePtr nic = cb_bound_node(at);
	const char *attribute = source_attribute(nic);

	if (cb_value_equal(&is, value) || (cb_is_nothing(value) && !attribute))
		return 0;
	if (!attribute)
		return cb_error_set(err, CB_E_INVALID, "'%s' means nothing to a NIC of this type",
				    at->path);
	/* A port group of another network is not one of this. */
	cb_xml_drop(cb_xml_child(nic, "source"));
	if (!cb_is_nothing(value))
		cb_xml_set_attr(cb_xml_add(nic, "source"), attribute, value->string);
	return 0;
}

struct cb_value cb_bind_get_nic_link(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr nic = cb_bound_node(at);

	(void)arena;
	return nic ? cb_bool(!cb_xml_attr_is(cb_xml_child(nic, "link"), "state", "down")) : none;
}

int cb_bind_set_nic_link(const struct cb_bound *at, const struct cb_value *value,
			 struct cb_error *err)
{
	xmlNodePtr nic = cb_bound_node(at);

	(void)err;
	if (value->boolean)
		cb_xml_drop_all(nic, "link");
	else
		cb_xml_set_attr(cb_xml_make(nic, "link"), "state", "down");
	return 0;
}

/* Ports of the host that lead to the guest; of libvirt's user networks only passt has them. ------
 */

static void read_forward(xmlNodePtr forward, struct cb_str *out)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *protocol = cb_xml_attr(&arena, forward, "proto");

	for (xmlNodePtr range = cb_xml_child(forward, "range"); range; range = cb_xml_next(range)) {
		const char *start = cb_xml_attr(&arena, range, "start");
		const char *end = cb_xml_attr(&arena, range, "end");
		const char *to = cb_xml_attr(&arena, range, "to");

		/* Longer ranges are not ours, but they show. */
		cb_str_printf(out, "%s%s:%s%s%s:%s", out->len > 0 ? " " : "",
			      protocol ? protocol : "", start ? start : "", end ? "-" : "",
			      end ? end : "",
			      to      ? to
			      : start ? start
				      : "");
	}
}

struct cb_value cb_bind_get_nic_forwards(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr forward = cb_xml_child(cb_bound_node(at), "portForward");
	cb_auto_str struct cb_str text = {0};

	for (; forward; forward = cb_xml_next(forward))
		read_forward(forward, &text);
	return text.len > 0 ? cb_string(cb_arena_strdup(arena, text.text)) : none;
}

static void add_forward(xmlNodePtr nic, const struct cb_forward *forward)
{
	xmlNodePtr node = cb_xml_add(nic, "portForward"), range;
	char number[16];

	cb_xml_set_attr(node, "proto", forward->protocol);
	cb_xml_set_attr(node, "address", "127.0.0.1");
	range = cb_xml_add(node, "range");
	(void)snprintf(number, sizeof(number), "%u", forward->host);
	cb_xml_set_attr(range, "start", number);
	(void)snprintf(number, sizeof(number), "%u", forward->guest);
	cb_xml_set_attr(range, "to", number);
}

int cb_bind_set_nic_forwards(const struct cb_bound *at, const struct cb_value *value,
			     struct cb_error *err)
{
	const char *rest = cb_is_nothing(value) ? NULL : value->string;
	xmlNodePtr nic = cb_bound_node(at);
	struct cb_forward forward;

	(void)err;
	drop_forwards(nic);
	if (rest)
		cb_xml_set_attr(cb_xml_make(nic, "backend"), "type", "passt");
	while (rest && *rest) {
		rest = cb_forward_next(rest, &forward);
		add_forward(nic, &forward);
	}
	return 0;
}

/* The one NIC of simple machines. "default" and "user" are the manifest's words; "network:NAME" is
 * another network of libvirt's, and the rest is libvirt's own word for the type ("bridge",
 * "direct"). ------------------------------------------------------------------------------------
 */

static const char nic0[] = "nic0";

struct cb_value cb_bind_get_network_mode(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr nic = cb_device_nic(at->domain, nic0);
	const char *type = type_of(arena, nic), *network;

	if (!nic)
		return cb_string("none");
	if (!type || strcmp(type, "network") != 0)
		return cb_string(type);
	network = cb_xml_attr(arena, cb_xml_child(nic, "source"), "network");
	if (network && strcmp(network, "default") == 0)
		return cb_string("default");
	return cb_string(cb_arena_printf(arena, "network:%s", network ? network : ""));
}

int cb_bind_set_network_mode(const struct cb_bound *at, const struct cb_value *value,
			     struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_network_mode(at, &arena);
	xmlNodePtr nic = cb_device_nic(at->domain, nic0);
	const char *mode = value->string;

	if (cb_value_equal(&is, value))
		return 0;
	if (strcmp(mode, "none") == 0) {
		cb_xml_drop(nic);
		return 0;
	}
	if (strcmp(mode, "default") != 0 && strcmp(mode, "user") != 0)
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' is not one of 'default', 'user' and 'none'", mode);
	if (!nic)
		nic = new_nic(at->domain, nic0);
	if (strcmp(mode, "user") == 0) {
		reconnect(nic, "user");
		return 0;
	}
	reconnect(nic, "network");
	cb_xml_set_attr(cb_xml_add(nic, "source"), "network", "default");
	return 0;
}
