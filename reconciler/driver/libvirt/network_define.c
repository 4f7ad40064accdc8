#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/driver/check.h"

/* Defining. ------------------------------------------------------------------------------------ */

/* libvirt has one answer for a name that is taken and for much else: look again. */
static int define(struct cb_libvirt *host, xmlNodePtr root, const char *uuid, const char *name,
		  struct cb_error *err)
{
	cb_auto_network virNetworkPtr network = NULL, other = NULL;
	cb_auto_error struct cb_error second = {0};
	cb_auto_str struct cb_str text = {0};
	char found[VIR_UUID_STRING_BUFLEN];
	int r;

	cb_xml_dump(root, &text);
	network = virNetworkDefineXMLFlags(host->conn, text.text, VIR_NETWORK_DEFINE_VALIDATE);
	if (network)
		return 0;
	r = cb_libvirt_error(host, err, "cannot define network '%s'", name);
	if (r == -CB_E_FAILED && cb_network_lookup_name(host, name, &other, &second) == 0 &&
	    virNetworkGetUUIDString(other, found) == 0 && strcmp(found, uuid) != 0)
		return cb_error_set(err, CB_E_EXISTS, "there is another network '%s'", name);
	return r;
}

/* 0 if both are free. */
static int check_free(struct cb_libvirt *host, const char *uuid, const char *name,
		      struct cb_error *err)
{
	cb_auto_network virNetworkPtr by_uuid = NULL, by_name = NULL;
	int r = cb_network_lookup(host, uuid, &by_uuid, err);

	if (r == 0)
		return cb_error_set(err, CB_E_EXISTS, "UUID %s belongs to network '%s'", uuid,
				    virNetworkGetName(by_uuid));
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	r = cb_network_lookup_name(host, name, &by_name, err);
	if (r == 0)
		return cb_error_set(err, CB_E_EXISTS, "there is a network '%s' already", name);
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return 0;
}

int cb_libvirt_network_define(struct cb_driver *driver, const struct cb_network_new *spec,
			      struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_xml xmlDocPtr doc = cb_xml_new("network");
	xmlNodePtr root = xmlDocGetRootElement(doc);
	int r;

	if (!cb_xml_text_fits(spec->name))
		return cb_error_set(err, CB_E_INVALID, "libvirt cannot keep that name");
	if ((r = check_free(host, spec->uuid, spec->name, err)) < 0)
		return r;
	cb_xml_set_text(cb_xml_add(root, "name"), spec->name);
	cb_xml_set_text(cb_xml_add(root, "uuid"), spec->uuid);
	if ((r = cb_network_write(root, spec->set, err)) < 0)
		return cb_error_wrap(err, "network '%s'", spec->name);
	return define(host, root, spec->uuid, spec->name, err);
}

/* Changing. ------------------------------------------------------------------------------------ */

static int send_host(struct cb_libvirt *host, virNetworkPtr network, unsigned flags,
		     unsigned command, xmlNodePtr node, int ip, struct cb_error *err)
{
	cb_auto_str struct cb_str text = {0};

	cb_xml_dump(node, &text);
	if (virNetworkUpdate(network, command, VIR_NETWORK_SECTION_IP_DHCP_HOST, ip, text.text,
			     flags) < 0)
		return cb_network_error(host, network, err,
					flags & VIR_NETWORK_UPDATE_AFFECT_LIVE
						? "cannot change a host while it is active"
						: "cannot change a host");
	return 0;
}

static bool same_host(xmlNodePtr a, xmlNodePtr b)
{
	cb_auto_arena struct cb_arena arena = {0};
	static const char *const attributes[] = {"ip", "name"};

	for (size_t i = 0; i < CB_COUNT(attributes); i++) {
		struct cb_value left = cb_string(cb_xml_attr(&arena, a, attributes[i]));
		struct cb_value right = cb_string(cb_xml_attr(&arena, b, attributes[i]));

		if (!cb_value_equal(&left, &right))
			return false;
	}
	return (a == NULL) == (b == NULL);
}

/* One pass over the hosts that were set. `now` is the document that is changed. */
static int send_pass(struct cb_libvirt *host, virNetworkPtr network, unsigned flags,
		     unsigned command, xmlNodePtr wanted, xmlNodePtr now, const struct cb_spec *set,
		     struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *last = "";
	int index, unused, r;
	xmlNodePtr from = cb_network_ip(now, &index), to = cb_network_ip(wanted, &unused);

	cb_vec_each (const struct cb_entry, entry, set) {
		const char *mac = cb_path_of(&arena, entry->path).name;
		xmlNodePtr is, should;

		/* Sorted: the paths of a host are neighbours. */
		if (!mac || strcmp(mac, last) == 0)
			continue;
		last = mac;
		is = cb_network_host(from, mac);
		should = cb_network_host(to, mac);
		if (same_host(is, should))
			continue;
		if (command == VIR_NETWORK_UPDATE_COMMAND_ADD_LAST)
			is = should;
		if (is && (r = send_host(host, network, flags, command, is, index, err)) < 0)
			return r;
	}
	return 0;
}

/* First what has to go, or an address that moved from one to the other would be taken. */
static int send_hosts(struct cb_libvirt *host, virNetworkPtr network, unsigned flags,
		      xmlNodePtr wanted, xmlNodePtr now, const struct cb_spec *set,
		      struct cb_error *err)
{
	int r = send_pass(host, network, flags, VIR_NETWORK_UPDATE_COMMAND_DELETE, wanted, now, set,
			  err);

	return r < 0 ? r
		     : send_pass(host, network, flags, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, wanted,
				 now, set, err);
}

/* libvirt changes a running network in few respects; hosts are one of them. */
static int update_live(struct cb_libvirt *host, virNetworkPtr network, xmlNodePtr wanted,
		       const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_text char *text = virNetworkGetXMLDesc(network, 0);
	cb_auto_xml xmlDocPtr doc = NULL;
	xmlNodePtr live;
	int index, r;

	if (!text)
		return cb_network_error(host, network, err, "cannot read its running state");
	if ((r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	live = xmlDocGetRootElement(doc);
	/* It was started without addresses: there is nobody who would give them out. */
	if (!cb_network_ip(live, &index))
		return 0;
	return send_hosts(host, network, VIR_NETWORK_UPDATE_AFFECT_LIVE, wanted, live, set, err);
}

static bool only_hosts(const struct cb_spec *set)
{
	cb_vec_each (const struct cb_entry, entry, set) {
		if (strncmp(entry->path, "hosts[", strlen("hosts[")) != 0)
			return false;
	}
	return true;
}

/* Hosts of VMs come and go at the same time: to define the whole document anew would take back what
 * another one has just written. */
static int update_hosts(struct cb_libvirt *host, virNetworkPtr network, const char *text,
			xmlNodePtr wanted, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_xml xmlDocPtr doc = NULL;
	int r = cb_xml_parse(text, &doc, err);

	return r < 0 ? r
		     : send_hosts(host, network, VIR_NETWORK_UPDATE_AFFECT_CONFIG, wanted,
				  xmlDocGetRootElement(doc), set, err);
}

/* Reads the document back: what another writer did meanwhile is seen here. */
static int verify(struct cb_libvirt *host, virNetworkPtr network, const struct cb_spec *set,
		  struct cb_error *err)
{
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	bool active = false;
	int r;

	if ((r = cb_network_xml(host, network, &text, err)) < 0 ||
	    (r = cb_xml_parse(text, &doc, err)) < 0 ||
	    (r = cb_network_verify(xmlDocGetRootElement(doc), set, err)) < 0 ||
	    (r = cb_network_is_active(host, network, &active, err)) < 0)
		return r;
	return active ? update_live(host, network, xmlDocGetRootElement(doc), set, err) : 0;
}

static int update(struct cb_libvirt *host, virNetworkPtr network,
		  const struct cb_network_edit *edit, struct cb_error *err)
{
	const char *name = virNetworkGetName(network);
	char fingerprint[CB_SHA256_HEX];
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	int r;

	if ((r = cb_network_xml(host, network, &text, err)) < 0)
		return r;
	cb_digest_of(text, strlen(text), fingerprint);
	if (edit->fingerprint && strcmp(fingerprint, edit->fingerprint) != 0)
		return cb_error_set(err, CB_E_CONFLICT,
				    "its definition is not what it was: somebody else is at work");
	if ((r = cb_xml_parse(text, &doc, err)) < 0 ||
	    (r = cb_network_write(xmlDocGetRootElement(doc), edit->set, err)) < 0)
		return r;
	if (!edit->fingerprint && only_hosts(edit->set))
		r = update_hosts(host, network, text, xmlDocGetRootElement(doc), edit->set, err);
	else
		r = define(host, xmlDocGetRootElement(doc), edit->uuid, name, err);
	return r < 0 ? r : verify(host, network, edit->set, err);
}

int cb_libvirt_network_update(struct cb_driver *driver, const struct cb_network_edit *edit,
			      struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_network virNetworkPtr network = NULL;
	int persistent, r;

	if ((r = cb_network_lookup(host, edit->uuid, &network, err)) < 0)
		return r;
	persistent = virNetworkIsPersistent(network);
	if (persistent < 0)
		return cb_network_error(host, network, err, "cannot ask about it");
	if (!persistent)
		return cb_error_set(err, CB_E_CONFLICT,
				    "network '%s' is transient: it has no definition to change",
				    virNetworkGetName(network));
	r = update(host, network, edit, err);
	return r < 0 ? cb_error_wrap(err, "network '%s'", virNetworkGetName(network)) : 0;
}

/* Pre-images. ---------------------------------------------------------------------------------- */

int cb_libvirt_network_document(struct cb_driver *driver, const char *uuid, struct cb_str *out,
				struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_network virNetworkPtr network = NULL;
	cb_auto_text char *text = NULL;
	int r;

	if ((r = cb_network_lookup(host, uuid, &network, err)) < 0 ||
	    (r = cb_network_xml(host, network, &text, err)) < 0)
		return r;
	cb_str_add(out, text);
	return 0;
}

/* The hosts that it has now: those that an update added go again. */
static int read_hosts(struct cb_libvirt *host, struct cb_arena *arena, virNetworkPtr network,
		      struct cb_spec *out, struct cb_error *err)
{
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	struct cb_spec now = {0};
	int r;

	if ((r = cb_network_xml(host, network, &text, err)) < 0 ||
	    (r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	cb_network_read(arena, xmlDocGetRootElement(doc), &now);
	cb_vec_each (const struct cb_entry, entry, &now)
		cb_spec_set(arena, out, entry->path, entry->value, entry->origin);
	return 0;
}

int cb_libvirt_network_restore(struct cb_driver *driver, const char *document, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_network virNetworkPtr network = NULL;
	cb_auto_xml xmlDocPtr doc = NULL;
	const char *name, *uuid;
	struct cb_spec hosts = {0};
	xmlNodePtr root;
	bool active = false;
	int r;

	if (cb_xml_parse(document, &doc, err) < 0)
		return cb_error_set(err, CB_E_INVALID, "not a definition of a network");
	root = xmlDocGetRootElement(doc);
	name = cb_xml_text(&arena, cb_xml_child(root, "name"));
	uuid = cb_xml_text(&arena, cb_xml_child(root, "uuid"));
	if (!name || !uuid)
		return cb_error_set(err, CB_E_INVALID, "a definition without name or UUID");
	r = cb_network_lookup(host, uuid, &network, err);
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return define(host, root, uuid, name, err);
	}
	cb_network_read(&arena, root, &hosts);
	if (r < 0 || (r = read_hosts(host, &arena, network, &hosts, err)) < 0 ||
	    (r = define(host, root, uuid, name, err)) < 0 ||
	    (r = cb_network_is_active(host, network, &active, err)) < 0 || !active)
		return r;
	return update_live(host, network, root, &hosts, err);
}
