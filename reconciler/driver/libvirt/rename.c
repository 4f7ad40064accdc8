/* Another name for a domain. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

/* The firmware's memory. ----------------------------------------------------------------------- */

/* Where libvirt chooses the firmware, its document does not name the file with the machine's
 * settings either: that is made up from the domain's name at each start. Under another name the
 * machine would begin with a new one. */
static bool has_unnamed_nvram(xmlNodePtr domain)
{
	return cb_xml_attr_is(cb_xml_child(domain, "os"), "firmware", "efi") &&
	       !cb_xml_at(domain, "os/nvram");
}

/* The least that has this firmware under this name: nothing else may keep libvirt from answering.
 */
static void firmware_only(xmlNodePtr domain, struct cb_str *out)
{
	static const char *const parts[] = {"name", "uuid", "memory", "os", "features"};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_xml xmlDocPtr doc = cb_xml_new("domain");
	xmlNodePtr root = xmlDocGetRootElement(doc);

	cb_xml_set_attr(root, "type", cb_xml_attr(&arena, domain, "type"));
	for (size_t i = 0; i < CB_COUNT(parts); i++) {
		xmlNodePtr part = cb_xml_child(domain, parts[i]);

		if (part)
			cb_xml_add_copy(root, part);
	}
	cb_xml_dump(root, out);
}

/* The name of the file that QEMU would get as its second flash memory, out of its command line. */
static const char *nvram_of(struct cb_arena *arena, const char *command)
{
	static const char key[] = "\"filename\":\"";
	const char *node = strstr(command, "\"libvirt-pflash1-storage\""), *begin = NULL, *end;

	for (const char *p = command; node && (p = strstr(p, key)) != NULL && p < node; p++)
		begin = p + sizeof(key) - 1;
	end = begin ? strchr(begin, '"') : NULL;
	/* Quoting, of JSON or the shell, is not undone. */
	if (!end || *begin != '/' || strcspn(begin, "\\'") < (size_t)(end - begin))
		return NULL;
	return cb_arena_strndup(arena, begin, (size_t)(end - begin));
}

static int name_nvram(struct cb_libvirt *host, xmlNodePtr domain, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	cb_auto_text char *command = NULL;
	const char *path;

	if (!has_unnamed_nvram(domain))
		return 0;
	firmware_only(domain, &text);
	command = virConnectDomainXMLToNative(host->conn, "qemu-argv", text.text, 0);
	if (!command) {
		(void)cb_libvirt_error(host, err, "cannot find the settings of its firmware");
		/* libvirt's test driver has machines of this kind only on paper. */
		if (err->code != CB_E_UNSUPPORTED)
			return -(int)err->code;
		cb_error_release(err);
		return 0;
	}
	path = nvram_of(&arena, command);
	if (!path)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "cannot find where libvirt keeps the settings of its firmware");
	cb_xml_set_text(cb_xml_make(domain, "os/nvram"), path);
	return 0;
}

/* The name. ------------------------------------------------------------------------------------ */

/* What libvirt refuses to rename, with a better reason. */
static int check(const struct cb_domain *is, struct cb_error *err)
{
	if (is->active)
		return cb_error_set(err, CB_E_CONFLICT, "domain '%s' is running", is->name);
	if (is->managed_save || is->snapshots || is->checkpoints)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "domain '%s' has snapshots or saved memory under that name",
				    is->name);
	return 0;
}

/* Everything else that changes with the name, before it: until it is taken, this is the same
 * machine. */
static int prepare(struct cb_libvirt *host, const char *name, const char *found,
		   const struct cb_stamp *stamp, struct cb_error *err)
{
	cb_auto_xml xmlDocPtr doc = NULL;
	struct cb_str text = {0};
	int r;

	if ((r = cb_xml_parse(found, &doc, err)) < 0 ||
	    (r = name_nvram(host, xmlDocGetRootElement(doc), err)) < 0 ||
	    (stamp && (r = cb_stamp_write(xmlDocGetRootElement(doc), stamp, err)) < 0))
		return r;
	cb_xml_dump(xmlDocGetRootElement(doc), &text);
	r = cb_domain_redefine(host, name, found, text.text, err);
	cb_str_wipe(&text);
	return r;
}

static int rename_it(struct cb_libvirt *host, virDomainPtr domain, const char *name,
		     struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};

	if (virDomainRename(domain, name, 0) == 0)
		return 0;
	(void)cb_domain_error(host, domain, err, "cannot rename it");
	/* Somebody was faster. */
	if (err->code == CB_E_FAILED && cb_domain_check_name(host, name, &second) == -CB_E_EXISTS)
		return cb_error_move(err, &second);
	return -(int)err->code;
}

int cb_libvirt_domain_rename(struct cb_driver *driver, const char *uuid, const char *name,
			     const struct cb_stamp *stamp, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error second = {0};
	cb_auto_domain virDomainPtr domain = NULL;
	cb_auto_secret char *found = NULL;
	struct cb_domain is;
	bool same;
	int r;

	if (!cb_xml_text_fits(name) || !*name)
		return cb_error_set(err, CB_E_INVALID, "libvirt cannot keep that name");
	if ((r = cb_libvirt_domain(driver, &arena, uuid, &is, err)) < 0 ||
	    (r = check(&is, err)) < 0)
		return r;
	same = strcmp(is.name, name) == 0;
	if ((!same && (r = cb_domain_check_name(host, name, err)) < 0) ||
	    (r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_xml(host, domain, VIR_DOMAIN_XML_SECURE, &found, err)) < 0 ||
	    (r = prepare(host, is.name, found, stamp, err)) < 0 || same)
		return r < 0 ? cb_error_wrap(err, "domain '%s'", is.name) : 0;
	r = rename_it(host, domain, name, err);
	/* Then nothing has changed. */
	if (r < 0 && r != -CB_E_UNAVAILABLE && r != -CB_E_TIMEOUT)
		(void)!cb_domain_redefine(host, is.name, found, found, &second);
	return r;
}
