#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/log.h"

int cb_domain_xml(struct cb_libvirt *host, virDomainPtr domain, unsigned flags, char **out,
		  struct cb_error *err)
{
	*out = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | flags);
	if (!*out)
		return cb_domain_error(host, domain, err, "cannot read its definition");
	return 0;
}

/* Defining something new. ---------------------------------------------------------------------- */

int cb_domain_check_name(struct cb_libvirt *host, const char *name, struct cb_error *err)
{
	cb_auto_domain virDomainPtr domain = virDomainLookupByName(host->conn, name);
	int r;

	if (domain)
		return cb_error_set(err, CB_E_EXISTS, "there is a domain '%s' already", name);
	r = cb_libvirt_error(host, err, "domain '%s'", name);
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return 0;
}

/* CB_E_EXISTS if name or UUID is taken. */
static int check_free(struct cb_libvirt *host, const char *uuid, const char *name,
		      struct cb_error *err)
{
	cb_auto_domain virDomainPtr domain = NULL;
	int r = cb_domain_lookup(host, uuid, &domain, err);

	if (r == 0)
		return cb_error_set(err, CB_E_EXISTS, "UUID %s belongs to domain '%s'", uuid,
				    virDomainGetName(domain));
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return cb_domain_check_name(host, name, err);
}

/* The last error of a definition. Some builds of libvirt know passt in their schema only. */
static int refused(struct cb_libvirt *host, const char *name, struct cb_error *err)
{
	int number = virGetLastErrorCode();

	(void)cb_libvirt_error(host, err, "cannot define '%s'", name);
	if (number == VIR_ERR_XML_ERROR && strstr(err->message, "'passt'"))
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "cannot define '%s': the host's libvirt forwards no ports to "
				    "NICs of type 'user', it was built without passt",
				    name);
	return -(int)err->code;
}

/* libvirt has one answer for a name that is taken and for much else: look again. */
static int classify(struct cb_libvirt *host, const char *uuid, const char *name,
		    struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};

	if (err->code == CB_E_FAILED && check_free(host, uuid, name, &second) == -CB_E_EXISTS)
		return cb_error_move(err, &second);
	return -(int)err->code;
}

/* Asks the host only if there is something to ask. */
static int check_cpu(struct cb_libvirt *host, const struct cb_spec *set, struct cb_error *err)
{
	const char *cpu = cb_spec_string(set, "cpu");

	if (!cpu || !*cpu || strcmp(cpu, "host-passthrough") == 0 || strcmp(cpu, "host-model") == 0)
		return 0;
	return cb_host_check_cpu(host, cpu, err);
}

int cb_libvirt_domain_define(struct cb_driver *driver, const struct cb_domain_new *spec,
			     struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_str struct cb_str text = {0};
	cb_auto_domain virDomainPtr domain = NULL;
	int r;

	if (!cb_xml_text_fits(spec->name))
		return cb_error_set(err, CB_E_INVALID, "libvirt cannot keep that name");
	if ((r = check_free(host, spec->uuid, spec->name, err)) < 0 ||
	    (r = check_cpu(host, spec->set, err)) < 0)
		return r;
	doc = cb_document_new(spec->uuid, spec->name);
	if ((r = cb_bind_write(xmlDocGetRootElement(doc), spec->set, err)) < 0 ||
	    (r = cb_stamp_write(xmlDocGetRootElement(doc), spec->stamp, err)) < 0)
		return cb_error_wrap(err, "domain '%s'", spec->name);
	cb_xml_dump(xmlDocGetRootElement(doc), &text);
	domain = virDomainDefineXMLFlags(host->conn, text.text, VIR_DOMAIN_DEFINE_VALIDATE);
	if (domain)
		return 0;
	(void)refused(host, spec->name, err);
	return classify(host, spec->uuid, spec->name, err);
}

/* Changing what is there. ---------------------------------------------------------------------- */

static int check_fingerprint(struct cb_libvirt *host, virDomainPtr domain, const char *expected,
			     struct cb_error *err)
{
	cb_auto_text char *text = NULL;
	char fingerprint[CB_SHA256_HEX];
	int r = cb_domain_xml(host, domain, 0, &text, err);

	if (r < 0)
		return r;
	cb_digest_of(text, strlen(text), fingerprint);
	if (strcmp(fingerprint, expected) == 0)
		return 0;
	(void)cb_error_set(err, CB_E_CONFLICT,
			   "the definition of '%s' is not what it was: somebody else is at work",
			   virDomainGetName(domain));
	return cb_error_hint(err, "apply again: it begins with what stands there now");
}

static int try_define(struct cb_libvirt *host, const char *text, unsigned flags)
{
	cb_auto_domain virDomainPtr domain = virDomainDefineXMLFlags(host->conn, text, flags);

	return domain ? VIR_ERR_OK : virGetLastErrorCode();
}

/* libvirt's schema does not accept everything that libvirt does, nor all that libvirt itself
 * prints: where already the document as found fails, the change is not to blame. */
int cb_domain_redefine(struct cb_libvirt *host, const char *name, const char *found,
		       const char *text, struct cb_error *err)
{
	int number = try_define(host, text, VIR_DOMAIN_DEFINE_VALIDATE);

	if (number == VIR_ERR_OK)
		return 0;
	/* The error is taken before another call replaces it. */
	(void)refused(host, name, err);
	if (number != VIR_ERR_XML_INVALID_SCHEMA)
		return -(int)err->code;
	if (found != text &&
	    try_define(host, found, VIR_DOMAIN_DEFINE_VALIDATE) != VIR_ERR_XML_INVALID_SCHEMA)
		return -(int)err->code;
	if (try_define(host, text, 0) != VIR_ERR_OK)
		return refused(host, name, err);
	cb_error_release(err);
	cb_log(CB_LOG_WARN, "domain-not-valid",
	       "the definition of '%s' does not follow libvirt's schema; it is kept as it is",
	       name);
	return 0;
}

static int patch(xmlNodePtr root, const char *name, const struct cb_domain_edit *edit,
		 struct cb_error *err)
{
	const char *renamed = cb_spec_string(edit->set, "name");
	int r;

	/* libvirt refuses a new name on an old UUID. */
	if (renamed && strcmp(renamed, name) != 0)
		return cb_error_set(err, CB_E_UNSUPPORTED, "a domain is not renamed so");
	if ((r = cb_bind_write(root, edit->set, err)) < 0)
		return r;
	return edit->stamp ? cb_stamp_write(root, edit->stamp, err) : 0;
}

/* libvirt has no compare-and-swap; what another writer did between our reading and our writing is
 * seen here. */
static int verify(struct cb_libvirt *host, virDomainPtr domain, const struct cb_domain_edit *edit,
		  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	const struct cb_stamp *stamp;
	const char *problem;
	int r;

	if ((r = cb_domain_xml(host, domain, 0, &text, err)) < 0 ||
	    (r = cb_xml_parse(text, &doc, err)) < 0 ||
	    (r = cb_bind_verify(xmlDocGetRootElement(doc), edit->set, err)) < 0)
		return r;
	if (!edit->stamp)
		return 0;
	stamp = cb_stamp_read(&arena, xmlDocGetRootElement(doc), &problem);
	if (!stamp || stamp->generation != edit->stamp->generation ||
	    strcmp(stamp->transaction, edit->stamp->transaction) != 0)
		return cb_error_set(err, CB_E_CONFLICT,
				    "the stamp does not read as written: somebody else is at work");
	return 0;
}

static int update(struct cb_libvirt *host, virDomainPtr domain, const struct cb_domain_edit *edit,
		  struct cb_error *err)
{
	cb_auto_secret char *found = NULL;
	cb_auto_xml xmlDocPtr doc = NULL;
	struct cb_str text = {0};
	int r;

	/* With the secrets: libvirt forgets a password that a new definition leaves out. */
	if ((r = cb_domain_xml(host, domain, VIR_DOMAIN_XML_SECURE, &found, err)) < 0 ||
	    (r = check_fingerprint(host, domain, edit->fingerprint, err)) < 0 ||
	    (r = check_cpu(host, edit->set, err)) < 0 || (r = cb_xml_parse(found, &doc, err)) < 0 ||
	    (r = patch(xmlDocGetRootElement(doc), virDomainGetName(domain), edit, err)) < 0)
		return r;
	cb_xml_dump(xmlDocGetRootElement(doc), &text);
	r = cb_domain_redefine(host, virDomainGetName(domain), found, text.text, err);
	cb_str_wipe(&text);
	return r < 0 ? r : verify(host, domain, edit, err);
}

int cb_libvirt_domain_update(struct cb_driver *driver, const struct cb_domain_edit *edit,
			     struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	int persistent, r;

	if ((r = cb_domain_lookup(host, edit->uuid, &domain, err)) < 0)
		return r;
	persistent = virDomainIsPersistent(domain);
	if (persistent < 0)
		return cb_domain_error(host, domain, err, "cannot ask about it");
	if (!persistent)
		return cb_error_set(err, CB_E_CONFLICT,
				    "domain '%s' is transient: it has no definition to change",
				    virDomainGetName(domain));
	r = update(host, domain, edit, err);
	return r < 0 ? cb_error_wrap(err, "domain '%s'", virDomainGetName(domain)) : 0;
}

/* Pre-images. ---------------------------------------------------------------------------------- */

int cb_libvirt_domain_document(struct cb_driver *driver, const char *uuid, struct cb_str *out,
			       struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	cb_auto_secret char *text = NULL;
	int r;

	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_xml(host, domain, VIR_DOMAIN_XML_SECURE, &text, err)) < 0)
		return r;
	cb_str_add(out, text);
	return 0;
}

int cb_libvirt_domain_restore(struct cb_driver *driver, const char *document, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_domain virDomainPtr taken = NULL;
	const char *name, *uuid;
	int r;

	if ((r = cb_xml_parse(document, &doc, err)) < 0)
		return cb_error_set(err, CB_E_INVALID, "not a definition of a domain");
	name = cb_xml_text(&arena, cb_xml_child(xmlDocGetRootElement(doc), "name"));
	uuid = cb_xml_text(&arena, cb_xml_child(xmlDocGetRootElement(doc), "uuid"));
	if (!name || !uuid)
		return cb_error_set(err, CB_E_INVALID, "a definition without name or UUID");
	if (cb_domain_redefine(host, name, document, document, err) == 0)
		return 0;
	taken = err->code == CB_E_FAILED ? virDomainLookupByName(host->conn, name) : NULL;
	if (taken) {
		char found[VIR_UUID_STRING_BUFLEN];

		if (virDomainGetUUIDString(taken, found) == 0 && strcmp(found, uuid) != 0)
			return cb_error_set(err, CB_E_EXISTS, "there is another domain '%s'", name);
	}
	return cb_error_wrap(err, "domain '%s'", name);
}

/* Undefining. ---------------------------------------------------------------------------------- */

/* What libvirt has to be told of, or it refuses. Disks are not among it. */
static unsigned undefine_flags(const struct cb_domain *is, xmlNodePtr root)
{
	unsigned flags = 0;

	if (is->managed_save)
		flags |= VIR_DOMAIN_UNDEFINE_MANAGED_SAVE;
	if (is->snapshots)
		flags |= VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
	if (is->checkpoints)
		flags |= VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
	if (cb_document_has_nvram(root))
		flags |= VIR_DOMAIN_UNDEFINE_NVRAM;
	if (cb_document_has_tpm(root))
		flags |= VIR_DOMAIN_UNDEFINE_TPM;
	return flags;
}

int cb_libvirt_domain_undefine(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_domain virDomainPtr domain = NULL;
	cb_auto_xml xmlDocPtr doc = NULL;
	cb_auto_text char *text = NULL;
	struct cb_domain is;
	int r;

	if ((r = cb_libvirt_domain(driver, &arena, uuid, &is, err)) < 0)
		return r;
	if (is.active)
		return cb_error_set(err, CB_E_CONFLICT, "domain '%s' is running", is.name);
	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_xml(host, domain, 0, &text, err)) < 0 ||
	    (r = cb_xml_parse(text, &doc, err)) < 0)
		return r;
	if (virDomainUndefineFlags(domain, undefine_flags(&is, xmlDocGetRootElement(doc))) < 0)
		return cb_libvirt_error(host, err, "cannot undefine '%s'", is.name);
	return 0;
}
