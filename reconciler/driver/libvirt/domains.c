#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <stdlib.h>
#include <string.h>

/* The UUIDs of the domains that a list filter lets through, sorted. One call instead of a question
 * per domain. */
struct set {
	unsigned char (*uuids)[VIR_UUID_BUFLEN];
	size_t len;
};

static void release_list(virDomainPtr **list)
{
	for (size_t i = 0; *list && (*list)[i]; i++)
		(void)virDomainFree((*list)[i]);
	free(*list);
	*list = NULL;
}

#define auto_list CB_CLEANUP(release_list)

static int by_uuid(const void *a, const void *b)
{
	return memcmp(a, b, VIR_UUID_BUFLEN);
}

static int read_set(struct cb_libvirt *host, struct cb_arena *arena, unsigned filter,
		    struct set *out, struct cb_error *err)
{
	auto_list virDomainPtr *list = NULL;
	int count = virConnectListAllDomains(host->conn, &list, filter);

	if (count < 0) {
		int r = cb_libvirt_error(host, err, "cannot list domains");

		/* A filter that this kind of host does not know lets nothing through. */
		if (err->code != CB_E_UNSUPPORTED)
			return r;
		cb_error_release(err);
		return 0;
	}
	out->len = (size_t)count;
	out->uuids = cb_arena_alloc(arena, out->len * sizeof(*out->uuids));
	for (size_t i = 0; i < out->len; i++) {
		if (virDomainGetUUID(list[i], out->uuids[i]) < 0)
			return cb_libvirt_error(host, err, "cannot list domains");
	}
	if (out->len > 0)
		qsort(out->uuids, out->len, sizeof(*out->uuids), by_uuid);
	return 0;
}

static bool contains(const struct set *set, virDomainPtr domain)
{
	unsigned char uuid[VIR_UUID_BUFLEN];

	return set->len > 0 && virDomainGetUUID(domain, uuid) == 0 &&
	       bsearch(uuid, set->uuids, set->len, sizeof(*set->uuids), by_uuid) != NULL;
}

enum { TRANSIENT, AUTOSTART, MANAGED_SAVE, SNAPSHOT, CHECKPOINT, SETS };

static const unsigned filters[SETS] = {
	[TRANSIENT] = VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
	[AUTOSTART] = VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
	[MANAGED_SAVE] = VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
	[SNAPSHOT] = VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT,
	[CHECKPOINT] = VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT,
};

/* 1 if it was read, 0 if it went away meanwhile. */
static int read_one(struct cb_libvirt *host, struct cb_arena *arena, const struct set *sets,
		    virDomainPtr domain, const struct cb_fetched *document, struct cb_domain *out,
		    struct cb_error *err)
{
	int r;

	*out = (struct cb_domain){
		/* The list's answer carries the number that a running domain has. */
		.active = virDomainGetID(domain) != (unsigned)-1,
		.persistent = !contains(&sets[TRANSIENT], domain),
		.managed_save = contains(&sets[MANAGED_SAVE], domain),
		.snapshots = contains(&sets[SNAPSHOT], domain),
		.checkpoints = contains(&sets[CHECKPOINT], domain),
	};
	if (document->text) {
		r = cb_domain_read(host, arena, domain, document->text, CB_DOMAIN_BRIEF,
				   contains(&sets[AUTOSTART], domain), out, err);
	} else {
		(void)cb_libvirt_saved_error(host, err, document->error,
					     "cannot read its definition");
		r = cb_error_wrap(err, "domain '%s'", virDomainGetName(domain));
	}
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	return r < 0 ? r : 1;
}

static int by_name(const void *a, const void *b)
{
	const struct cb_domain *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int cb_libvirt_domains(struct cb_driver *driver, struct cb_arena *arena, struct cb_domains *out,
		       struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_arena struct cb_arena scratch = {0};
	struct set sets[SETS] = {{0}};
	auto_list virDomainPtr *list = NULL;
	/* Stopped before the list is freed: declared after it. */
	cb_auto_prefetch struct cb_prefetch *prefetch = NULL;
	int count, r;

	*out = (struct cb_domains){0};
	count = virConnectListAllDomains(host->conn, &list, 0);
	if (count < 0)
		return cb_libvirt_error(host, err, "cannot list domains");
	for (size_t i = 0; i < SETS; i++) {
		if ((r = read_set(host, &scratch, filters[i], &sets[i], err)) < 0)
			return r;
	}
	prefetch = cb_prefetch_start(host, list, (size_t)count);
	for (int i = 0; i < count; i++) {
		struct cb_fetched document = cb_prefetch_next(prefetch);
		struct cb_domain domain;

		r = read_one(host, arena, sets, list[i], &document, &domain, err);
		free(document.text);
		if (document.error)
			virFreeError(document.error);
		if (r < 0)
			return r;
		if (r == 1)
			cb_vec_push(arena, out, domain);
	}
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), by_name);
	return cb_strays_mark(host, out, err);
}
