#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

int cb_pool_lookup(struct cb_libvirt *host, const char *name, virStoragePoolPtr *out,
		   struct cb_error *err)
{
	*out = virStoragePoolLookupByName(host->conn, name);
	return *out ? 0 : cb_libvirt_error(host, err, "pool '%s'", name);
}

static int read_document(struct cb_libvirt *host, virStoragePoolPtr pool, xmlDocPtr *out,
			 struct cb_error *err)
{
	cb_auto_text char *text = virStoragePoolGetXMLDesc(pool, 0);

	if (!text)
		return cb_libvirt_error(host, err, "cannot read a pool's definition");
	return cb_xml_parse(text, out, err);
}

int cb_pool_path(struct cb_libvirt *host, struct cb_arena *arena, virStoragePoolPtr pool,
		 const char **out, struct cb_error *err)
{
	cb_auto_xml xmlDocPtr doc = NULL;
	int r = read_document(host, pool, &doc, err);

	if (r < 0)
		return r;
	*out = cb_xml_text(arena, cb_xml_at(xmlDocGetRootElement(doc), "target/path"));
	if (!*out)
		*out = "";
	return 0;
}

static int read_state(struct cb_libvirt *host, virStoragePoolPtr pool, struct cb_pool *out,
		      struct cb_error *err)
{
	virStoragePoolInfo info;
	int autostart;

	if (virStoragePoolGetInfo(pool, &info) < 0 ||
	    virStoragePoolGetAutostart(pool, &autostart) < 0)
		return cb_libvirt_error(host, err, "pool '%s'", out->name);
	out->active = info.state == VIR_STORAGE_POOL_RUNNING;
	out->autostart = autostart == 1;
	if (out->active) {
		out->capacity = info.capacity;
		out->available = info.available;
	}
	return 0;
}

int cb_libvirt_pool(struct cb_driver *driver, struct cb_arena *arena, const char *name,
		    struct cb_pool *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_pool virStoragePoolPtr pool = NULL;
	cb_auto_xml xmlDocPtr doc = NULL;
	xmlNodePtr root;
	int r;

	*out = (struct cb_pool){.name = cb_arena_strdup(arena, name)};
	if ((r = cb_pool_lookup(host, name, &pool, err)) < 0 ||
	    (r = read_document(host, pool, &doc, err)) < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	out->uuid = cb_xml_text(arena, cb_xml_child(root, "uuid"));
	out->type = cb_xml_attr(arena, root, "type");
	out->path = cb_xml_text(arena, cb_xml_at(root, "target/path"));
	return read_state(host, pool, out, err);
}

static void new_document(const char *name, const char *path, const char *uuid, struct cb_str *out)
{
	cb_auto_xml xmlDocPtr doc = cb_xml_new("pool");
	xmlNodePtr root = xmlDocGetRootElement(doc);

	cb_xml_set_attr(root, "type", "dir");
	cb_xml_set_text(cb_xml_add(root, "name"), name);
	cb_xml_set_text(cb_xml_add(root, "uuid"), uuid);
	cb_xml_set_text(cb_xml_make(root, "target/path"), path);
	cb_xml_dump(root, out);
}

/* 0 if the host is certain that it has not found the pool. */
static int expect_none(struct cb_libvirt *host, virStoragePoolPtr pool, const char *what,
		       struct cb_error *err)
{
	int r;

	if (pool)
		return cb_error_set(err, CB_E_EXISTS, "%s belongs to pool '%s' already", what,
				    virStoragePoolGetName(pool));
	r = cb_libvirt_error(host, err, "pool");
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return 0;
}

/* CB_E_EXISTS if there is a pool of that name or UUID. */
static int check_free(struct cb_libvirt *host, const char *name, const char *uuid,
		      struct cb_error *err)
{
	cb_auto_pool virStoragePoolPtr by_name = virStoragePoolLookupByName(host->conn, name);
	cb_auto_pool virStoragePoolPtr by_uuid = NULL;
	int r = expect_none(host, by_name, "the name", err);

	if (r < 0 || !uuid)
		return r;
	by_uuid = virStoragePoolLookupByUUIDString(host->conn, uuid);
	return expect_none(host, by_uuid, "the UUID", err);
}

int cb_libvirt_pool_define(struct cb_driver *driver, const char *name, const char *path,
			   const char *uuid, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_error struct cb_error second = {0};
	cb_auto_pool virStoragePoolPtr pool = NULL;
	cb_auto_str struct cb_str text = {0};
	char random[CB_UUID_SIZE];
	int r;

	if (!cb_xml_text_fits(name) || !cb_xml_text_fits(path))
		return cb_error_set(err, CB_E_INVALID, "libvirt cannot keep that name");
	if ((r = check_free(host, name, uuid, err)) < 0)
		return r;
	if (!uuid) {
		cb_random_uuid(random);
		uuid = random;
	}
	new_document(name, path, uuid, &text);
	pool = virStoragePoolDefineXML(host->conn, text.text, VIR_STORAGE_POOL_DEFINE_VALIDATE);
	if (pool)
		return 0;
	r = cb_libvirt_error(host, err, "cannot define pool '%s'", name);
	if (r != -CB_E_FAILED)
		return r;
	/* Done, and reported as failed: the UUID was free. Or somebody was faster. */
	if ((pool = virStoragePoolLookupByUUIDString(host->conn, uuid))) {
		cb_error_release(err);
		return 0;
	}
	if (check_free(host, name, NULL, &second) == -CB_E_EXISTS)
		return cb_error_move(err, &second);
	return r;
}

static int is_active(struct cb_libvirt *host, const char *name, virStoragePoolPtr pool, bool *out,
		     struct cb_error *err)
{
	int active = virStoragePoolIsActive(pool);

	if (active < 0)
		return cb_libvirt_error(host, err, "pool '%s'", name);
	*out = active == 1;
	return 0;
}

int cb_libvirt_pool_start(struct cb_driver *driver, const char *name, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_pool virStoragePoolPtr pool = NULL;
	bool active = false;
	int r;

	if ((r = cb_pool_lookup(host, name, &pool, err)) < 0 ||
	    (r = is_active(host, name, pool, &active, err)) < 0 || active)
		return r;
	/* Building makes the directory; one that is there stays as it is. */
	if (virStoragePoolBuild(pool, VIR_STORAGE_POOL_BUILD_NEW) < 0)
		return cb_libvirt_error(host, err, "cannot make the directory of pool '%s'", name);
	if (virStoragePoolCreate(pool, 0) < 0)
		return cb_libvirt_error(host, err, "cannot start pool '%s'", name);
	return 0;
}

int cb_libvirt_pool_autostart(struct cb_driver *driver, const char *name, bool on,
			      struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_pool virStoragePoolPtr pool = NULL;
	int r = cb_pool_lookup(host, name, &pool, err);

	if (r < 0)
		return r;
	if (virStoragePoolSetAutostart(pool, on) < 0)
		return cb_libvirt_error(host, err, "cannot set autostart of pool '%s'", name);
	return 0;
}

int cb_libvirt_pool_undefine(struct cb_driver *driver, const char *name, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_pool virStoragePoolPtr pool = NULL;
	bool active = false;
	int r;

	if ((r = cb_pool_lookup(host, name, &pool, err)) < 0 ||
	    (r = is_active(host, name, pool, &active, err)) < 0)
		return r;
	/* "Destroy" is libvirt's word for stop; the directory is for virStoragePoolDelete, which is
	 * never called. */
	if (active && virStoragePoolDestroy(pool) < 0)
		return cb_libvirt_error(host, err, "cannot stop pool '%s'", name);
	if (virStoragePoolUndefine(pool) < 0)
		return cb_libvirt_error(host, err, "cannot undefine pool '%s'", name);
	return 0;
}

int cb_pool_refresh(struct cb_libvirt *host, virStoragePoolPtr pool, struct cb_error *err)
{
	/* Asked for now: every call of libvirt's API forgets the last error. */
	const char *name = virStoragePoolGetName(pool);

	if (virStoragePoolRefresh(pool, 0) == 0)
		return 0;
	(void)cb_libvirt_error(host, err, "cannot refresh pool '%s'", name);
	/* libvirt has no code of its own for a pool that a volume is being written to. */
	if (strstr(err->message, "asynchronous jobs running"))
		err->code = CB_E_BUSY;
	/* A refresh that fails makes the pool inactive. */
	else if (err->code == CB_E_FAILED || err->code == CB_E_CONFLICT)
		(void)cb_error_hint(
			err, "see to its directory on the host, then: virsh pool-start %s", name);
	return -(int)err->code;
}

int cb_libvirt_pool_refresh(struct cb_driver *driver, const char *name, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_pool virStoragePoolPtr pool = NULL;
	int r = cb_pool_lookup(host, name, &pool, err);

	return r < 0 ? r : cb_pool_refresh(host, pool, err);
}
