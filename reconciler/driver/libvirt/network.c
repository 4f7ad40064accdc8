#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"

/* Finding. ------------------------------------------------------------------------------------- */

/* The last error of a lookup. A host that has no networks at all has not this one either. */
static int missing(struct cb_libvirt *host, const char *what, struct cb_error *err)
{
	bool has_none = virGetLastErrorCode() == VIR_ERR_NO_SUPPORT;
	int r = cb_libvirt_error(host, err, "network %s", what);

	if (!has_none || r == -CB_E_UNAVAILABLE)
		return r;
	return cb_error_set(err, CB_E_NOT_FOUND, "network %s: this host has no networks", what);
}

int cb_network_lookup(struct cb_libvirt *host, const char *uuid, virNetworkPtr *out,
		      struct cb_error *err)
{
	*out = virNetworkLookupByUUIDString(host->conn, uuid);
	return *out ? 0 : missing(host, uuid, err);
}

int cb_network_lookup_name(struct cb_libvirt *host, const char *name, virNetworkPtr *out,
			   struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	*out = virNetworkLookupByName(host->conn, name);
	return *out ? 0 : missing(host, cb_arena_printf(&arena, "'%s'", name), err);
}

/* As cb_libvirt_error, headed by the network's name. */
int cb_network_error(struct cb_libvirt *host, virNetworkPtr network, struct cb_error *err,
		     const char *what)
{
	(void)cb_libvirt_error(host, err, "%s", what);
	return cb_error_wrap(err, "network '%s'", virNetworkGetName(network));
}

int cb_network_is_active(struct cb_libvirt *host, virNetworkPtr network, bool *out,
			 struct cb_error *err)
{
	int active = virNetworkIsActive(network);

	if (active < 0)
		return cb_network_error(host, network, err, "cannot ask about it");
	*out = active == 1;
	return 0;
}

/* Reading. ------------------------------------------------------------------------------------- */

/* The persistent document. libvirt's test driver knows only one, and no flag for it. */
int cb_network_xml(struct cb_libvirt *host, virNetworkPtr network, char **out, struct cb_error *err)
{
	*out = virNetworkGetXMLDesc(network, VIR_NETWORK_XML_INACTIVE);
	if (!*out && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
		*out = virNetworkGetXMLDesc(network, 0);
	if (!*out)
		return cb_network_error(host, network, err, "cannot read its definition");
	return 0;
}

static int read_document(struct cb_libvirt *host, struct cb_arena *arena, virNetworkPtr network,
			 struct cb_network *out, struct cb_error *err)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	char fingerprint[CB_SHA256_HEX], uuid[VIR_UUID_STRING_BUFLEN];
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	int r;

	if (virNetworkGetUUIDString(network, uuid) < 0)
		return cb_network_error(host, network, err, "cannot ask about it");
	out->uuid = cb_arena_strdup(arena, uuid);
	out->name = cb_arena_strdup(arena, virNetworkGetName(network));
	if ((r = cb_network_xml(host, network, &text, err)) < 0 ||
	    (r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	cb_digest_of(text, strlen(text), fingerprint);
	out->fingerprint = cb_arena_strdup(arena, fingerprint);
	cb_network_read(arena, xmlDocGetRootElement(doc), &out->document);
	cb_spec_set(arena, &out->document, "autostart", cb_bool(out->autostart), origin);
	return 0;
}

/* What it does now: a definition that was changed need not have got that far. */
static int read_live(struct cb_libvirt *host, struct cb_arena *arena, virNetworkPtr network,
		     struct cb_network *out, struct cb_error *err)
{
	cb_auto_text char *text = virNetworkGetXMLDesc(network, 0);
	cb_auto_xml xmlDocPtr doc = NULL;
	int r;

	if (!text)
		return cb_network_error(host, network, err, "cannot read its running state");
	if ((r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	cb_network_read(arena, xmlDocGetRootElement(doc), &out->live);
	return 0;
}

int cb_libvirt_network(struct cb_driver *driver, struct cb_arena *arena, const char *name,
		       struct cb_network *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_network virNetworkPtr network = NULL;
	int persistent, starts = 0, r;

	*out = (struct cb_network){0};
	if ((r = cb_network_lookup_name(host, name, &network, err)) < 0 ||
	    (r = cb_network_is_active(host, network, &out->active, err)) < 0)
		return r;
	/* A transient one has no autostart, and asking is an error. */
	if ((persistent = virNetworkIsPersistent(network)) < 0 ||
	    (persistent && virNetworkGetAutostart(network, &starts) < 0))
		return cb_network_error(host, network, err, "cannot ask about it");
	out->persistent = persistent;
	out->autostart = starts;
	r = read_document(host, arena, network, out, err);
	return r < 0 || !out->active ? r : read_live(host, arena, network, out, err);
}

/* All of the host: a list per question instead of a question per network. ---------------------- */

static void release_list(virNetworkPtr **list)
{
	for (size_t i = 0; *list && (*list)[i]; i++)
		(void)virNetworkFree((*list)[i]);
	free(*list);
	*list = NULL;
}

#define auto_list CB_CLEANUP(release_list)

static int list_networks(struct cb_libvirt *host, unsigned filter, virNetworkPtr **out,
			 struct cb_error *err)
{
	int r;

	if (virConnectListAllNetworks(host->conn, out, filter) >= 0)
		return 0;
	r = cb_libvirt_error(host, err, "cannot list networks");
	/* A host that has no networks at all. */
	if (r != -CB_E_UNSUPPORTED)
		return r;
	cb_error_release(err);
	return 0;
}

static bool contains(virNetworkPtr *list, virNetworkPtr network)
{
	for (; list && *list; list++) {
		if (strcmp(virNetworkGetName(*list), virNetworkGetName(network)) == 0)
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct cb_network *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int cb_libvirt_networks(struct cb_driver *driver, struct cb_arena *arena, struct cb_networks *out,
			struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	auto_list virNetworkPtr *all = NULL, *active = NULL, *persistent = NULL, *starting = NULL;
	int r;

	*out = (struct cb_networks){0};
	if ((r = list_networks(host, 0, &all, err)) < 0 ||
	    (r = list_networks(host, VIR_CONNECT_LIST_NETWORKS_ACTIVE, &active, err)) < 0 ||
	    (r = list_networks(host, VIR_CONNECT_LIST_NETWORKS_PERSISTENT, &persistent, err)) < 0 ||
	    (r = list_networks(host, VIR_CONNECT_LIST_NETWORKS_AUTOSTART, &starting, err)) < 0)
		return r;
	for (virNetworkPtr *network = all; network && *network; network++) {
		struct cb_network one = {
			.active = contains(active, *network),
			.persistent = contains(persistent, *network),
			.autostart = contains(starting, *network),
		};

		r = read_document(host, arena, *network, &one, err);
		cb_watch_moved(host->watch);
		if (r == 0)
			cb_vec_push(arena, out, one);
		else if (r != -CB_E_NOT_FOUND) /* it went away meanwhile */
			return r;
		cb_error_release(err);
	}
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), by_name);
	return 0;
}

/* State. --------------------------------------------------------------------------------------- */

/* Brings it into the wanted state with `change`; being there is success, also if somebody else got
 * it there meanwhile. */
static int change_state(struct cb_libvirt *host, const char *uuid, bool wanted,
			int (*change)(virNetworkPtr network), const char *what,
			struct cb_error *err)
{
	cb_auto_network virNetworkPtr network = NULL;
	cb_auto_error struct cb_error second = {0};
	bool active = false;
	int r;

	if ((r = cb_network_lookup(host, uuid, &network, err)) < 0 ||
	    (r = cb_network_is_active(host, network, &active, err)) < 0 || active == wanted)
		return r;
	if (change(network) == 0)
		return 0;
	r = cb_network_error(host, network, err, what);
	if (r == -CB_E_FAILED && cb_network_is_active(host, network, &active, &second) == 0 &&
	    active == wanted) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

/* Whether some network has the bridge, or that cannot be said. */
static bool has_network(struct cb_libvirt *host, const char *bridge)
{
	cb_auto_error struct cb_error err = {0};
	auto_list virNetworkPtr *all = NULL;
	bool found = false;

	if (list_networks(host, 0, &all, &err) < 0)
		return true;
	for (virNetworkPtr *network = all; !found && network && *network; network++) {
		cb_auto_text char *its = NULL;

		/* One that is only defined has not made it. */
		if (virNetworkIsActive(*network) == 0)
			continue;
		its = virNetworkGetBridgeName(*network);
		found = its && strcmp(its, bridge) == 0;
	}
	return found;
}

/* libvirt 9.0 that dies while it starts a network knows nothing of the bridge, the address and the
 * dnsmasq that it has made by then, and no call of its API takes them away; they are in the way of
 * every later start. Only a bridge with a name of libvirt's own choice is spoken of. */
static int left_by_the_dead(struct cb_libvirt *host, struct cb_error *err)
{
	static const char word[] = "interface ", prefix[] = "virbr";
	const char *found = strstr(err->message, word);
	char bridge[16] = "";

	if (found)
		(void)snprintf(bridge, sizeof(bridge), "%.*s",
			       (int)strcspn(found + strlen(word), ": ;"), found + strlen(word));
	if (strncmp(bridge, prefix, strlen(prefix)) != 0 || has_network(host, bridge))
		return -(int)err->code;
	return cb_error_hint(
		err,
		"no active network has '%s': if libvirt died while it started one, that is left of "
		"it; on the host, end the dnsmasq that serves it, if there is one (its --conf-file "
		"is "
		"/var/lib/libvirt/dnsmasq/NETWORK.conf), run `ip link delete %s`, and apply again",
		bridge, bridge);
}

int cb_libvirt_network_start(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	int r = change_state(host, uuid, true, virNetworkCreate, "cannot start it", err);

	return r == -CB_E_FAILED ? left_by_the_dead(host, err) : r;
}

/* "Destroy" is libvirt's word for stop. */
int cb_libvirt_network_stop(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	return change_state(cb_libvirt_of(driver), uuid, false, virNetworkDestroy, "cannot stop it",
			    err);
}

int cb_libvirt_network_autostart(struct cb_driver *driver, const char *uuid, bool on,
				 struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_network virNetworkPtr network = NULL;
	int r = cb_network_lookup(host, uuid, &network, err);

	if (r < 0)
		return r;
	if (virNetworkSetAutostart(network, on) < 0)
		return cb_network_error(host, network, err, "cannot set autostart");
	return 0;
}

int cb_libvirt_network_undefine(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_network virNetworkPtr network = NULL;
	bool active = false;
	int r;

	if ((r = cb_network_lookup(host, uuid, &network, err)) < 0 ||
	    (r = cb_network_is_active(host, network, &active, err)) < 0)
		return r;
	if (active)
		return cb_error_set(err, CB_E_CONFLICT, "network '%s' is active",
				    virNetworkGetName(network));
	if (virNetworkUndefine(network) < 0)
		return cb_network_error(host, network, err, "cannot undefine it");
	return 0;
}
