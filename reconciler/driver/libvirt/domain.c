#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <stdlib.h>

#include "reconciler/base/digest.h"

int cb_domain_error(struct cb_libvirt *host, virDomainPtr domain, struct cb_error *err,
		    const char *what)
{
	(void)cb_libvirt_error(host, err, "%s", what);
	return cb_error_wrap(err, "domain '%s'", virDomainGetName(domain));
}

int cb_domain_lookup(struct cb_libvirt *host, const char *uuid, virDomainPtr *out,
		     struct cb_error *err)
{
	*out = virDomainLookupByUUIDString(host->conn, uuid);
	return *out ? 0 : cb_libvirt_error(host, err, "domain %s", uuid);
}

int cb_domain_is_active(struct cb_libvirt *host, virDomainPtr domain, bool *out,
			struct cb_error *err)
{
	int active = virDomainIsActive(domain);

	if (active < 0)
		return cb_domain_error(host, domain, err, "cannot ask about it");
	*out = active == 1;
	return 0;
}

/* Reading. ------------------------------------------------------------------------------------- */

static int read_live(struct cb_libvirt *host, struct cb_arena *arena, virDomainPtr domain,
		     struct cb_domain *out, struct cb_error *err)
{
	cb_auto_text char *text = virDomainGetXMLDesc(domain, 0);
	cb_auto_xml xmlDocPtr doc = NULL;
	int r;

	if (!text) {
		r = cb_domain_error(host, domain, err, "cannot read the running machine");
		/* It ended between two questions, and if it was transient there is nothing left. */
		if (err->code != CB_E_NOT_FOUND)
			return r;
		cb_error_release(err);
		return 0;
	}
	if ((r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	cb_bind_read(arena, xmlDocGetRootElement(doc), &out->live);
	cb_bind_read_limits(arena, xmlDocGetRootElement(doc), &out->live);
	cb_document_nics(arena, xmlDocGetRootElement(doc), out);
	return cb_document_files(host, arena, xmlDocGetRootElement(doc), out, err);
}

static void read_document(struct cb_arena *arena, xmlNodePtr root, const char *text, bool autostart,
			  struct cb_domain *out)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	char fingerprint[CB_SHA256_HEX];
	cb_auto_str struct cb_str bytes = {0};

	cb_str_add(&bytes, text);
	cb_digest_of(bytes.text, bytes.len, fingerprint);
	out->fingerprint = cb_arena_strdup(arena, fingerprint);
	cb_bind_read(arena, root, &out->document);
	cb_spec_set(arena, &out->document, "autostart", cb_bool(autostart), origin);
	cb_spec_set(arena, &out->document, "state", cb_string(out->active ? "running" : "stopped"),
		    origin);
}

int cb_domain_read(struct cb_libvirt *host, struct cb_arena *arena, virDomainPtr domain,
		   const char *text, enum cb_domain_detail detail, bool autostart,
		   struct cb_domain *out, struct cb_error *err)
{
	cb_auto_xml xmlDocPtr doc = NULL;
	char uuid[VIR_UUID_STRING_BUFLEN];
	xmlNodePtr root;
	int r;

	if (virDomainGetUUIDString(domain, uuid) < 0)
		return cb_domain_error(host, domain, err, "cannot read its definition");
	out->name = cb_arena_strdup(arena, virDomainGetName(domain));
	out->uuid = cb_arena_strdup(arena, uuid);
	if ((r = cb_xml_parse(text, &doc, err)) < 0)
		return cb_error_wrap(err, "domain '%s'", out->name);
	root = xmlDocGetRootElement(doc);
	out->stamp = cb_stamp_read(arena, root, &out->stamp_problem);
	out->nvram = cb_document_has_nvram(root);
	cb_document_nics(arena, root, out);
	if ((r = cb_document_files(host, arena, root, out, err)) < 0)
		return r;
	if (!out->stamp && detail == CB_DOMAIN_BRIEF)
		return 0;
	read_document(arena, root, text, autostart, out);
	return out->active ? read_live(host, arena, domain, out, err) : 0;
}

/* 1, 0 or a failure. Hosts that do not know checkpoints have none. */
static int has_checkpoints(struct cb_libvirt *host, virDomainPtr domain, struct cb_error *err)
{
	int count = virDomainListAllCheckpoints(domain, NULL, 0), r;

	if (count >= 0)
		return count > 0;
	r = cb_domain_error(host, domain, err, "cannot list its checkpoints");
	if (r == -CB_E_UNSUPPORTED) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

static int read_flags(struct cb_libvirt *host, virDomainPtr domain, struct cb_domain *out,
		      bool *autostart, struct cb_error *err)
{
	int active, persistent, saved, snapshots, checkpoints, starts = 0, state = 0, reason = 0;

	/* One after the other: the next call forgets the error of the last. A transient domain has
	 * no autostart, and asking is an error. */
	if ((active = virDomainIsActive(domain)) < 0 ||
	    (persistent = virDomainIsPersistent(domain)) < 0 ||
	    (saved = virDomainHasManagedSaveImage(domain, 0)) < 0 ||
	    (snapshots = virDomainSnapshotNum(domain, 0)) < 0 ||
	    (persistent && virDomainGetAutostart(domain, &starts) < 0))
		return cb_domain_error(host, domain, err, "cannot ask about it");
	if ((checkpoints = has_checkpoints(host, domain, err)) < 0)
		return checkpoints;
	out->active = active;
	out->starting = active && virDomainGetState(domain, &state, &reason, 0) == 0 &&
			state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP;
	out->persistent = persistent;
	out->managed_save = saved;
	out->snapshots = snapshots > 0;
	out->checkpoints = checkpoints;
	*autostart = starts;
	return 0;
}

int cb_libvirt_domain(struct cb_driver *driver, struct cb_arena *arena, const char *uuid,
		      struct cb_domain *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	cb_auto_text char *text = NULL;
	bool autostart = false;
	int r;

	*out = (struct cb_domain){0};
	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = read_flags(host, domain, out, &autostart, err)) < 0)
		return r;
	text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
	if (!text)
		return cb_domain_error(host, domain, err, "cannot read its definition");
	return cb_domain_read(host, arena, domain, text, CB_DOMAIN_FULL, autostart, out, err);
}

/* Changing its state. -------------------------------------------------------------------------- */

int cb_libvirt_domain_autostart(struct cb_driver *driver, const char *uuid, bool on,
				struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	int r = cb_domain_lookup(host, uuid, &domain, err);

	if (r < 0)
		return r;
	if (virDomainSetAutostart(domain, on) < 0)
		return cb_domain_error(host, domain, err, "cannot set autostart");
	return 0;
}

int cb_libvirt_domain_live(struct cb_driver *driver, const char *uuid, const char *path,
			   const struct cb_value *value, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	bool active = false;
	int r;

	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_is_active(host, domain, &active, err)) < 0)
		return r;
	if (!active)
		return cb_error_set(err, CB_E_CONFLICT, "domain '%s' does not run",
				    virDomainGetName(domain));
	r = cb_bind_live(host, domain, path, value, err);
	return r < 0 ? cb_error_wrap(err, "domain '%s'", virDomainGetName(domain)) : 0;
}

/* After a refusal: whether the domain is in the wanted state nevertheless. The error stays for the
 * case that it is not. */
static int unless(struct cb_libvirt *host, virDomainPtr domain, bool wanted, struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};
	bool active = false;

	if (err->code == CB_E_FAILED && cb_domain_is_active(host, domain, &active, &second) == 0 &&
	    active == wanted) {
		cb_error_release(err);
		return 0;
	}
	return -(int)err->code;
}

int cb_libvirt_domain_start(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	bool active = false;
	int r;

	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_is_active(host, domain, &active, err)) < 0 || active)
		return r;
	if (virDomainCreate(domain) == 0)
		return 0;
	(void)cb_domain_error(host, domain, err, "cannot start it");
	return unless(host, domain, true, err);
}

int cb_libvirt_domain_shutdown(struct cb_driver *driver, const char *uuid, enum cb_shutdown how,
			       struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	unsigned flags = how == CB_SHUTDOWN_AGENT ? VIR_DOMAIN_SHUTDOWN_GUEST_AGENT
						  : VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN;
	bool active = false;
	int number, r;

	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_is_active(host, domain, &active, err)) < 0 || !active)
		return r;
	if (virDomainShutdownFlags(domain, flags) == 0)
		return 0;
	number = virGetLastErrorCode();
	(void)cb_domain_error(host, domain, err, "cannot ask it to shut down");
	/* Configured but nobody answers: as good as not there. */
	if (number == VIR_ERR_AGENT_UNRESPONSIVE && err->code == CB_E_FAILED)
		err->code = CB_E_UNSUPPORTED;
	return unless(host, domain, false, err);
}

int cb_libvirt_domain_power_off(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	bool active = false;
	int r;

	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_is_active(host, domain, &active, err)) < 0 || !active)
		return r;
	if (virDomainDestroy(domain) == 0)
		return 0;
	(void)cb_domain_error(host, domain, err, "cannot stop it");
	return unless(host, domain, false, err);
}
