/* What a running guest says of itself. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Only within one machine, or one wire. */
static bool is_local(const char *text)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1) {
		uint32_t address = ntohl(four.s_addr);

		return address >> 24 == 127 || address >> 16 == 0xa9fe;
	}
	if (inet_pton(AF_INET6, text, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_LINKLOCAL(&six);
	return true;
}

static const char *lower(struct cb_arena *arena, const char *mac)
{
	char *text = cb_arena_strdup(arena, mac ? mac : "");

	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

static void read_addresses(struct cb_arena *arena, virDomainInterfacePtr interface, bool from_agent,
			   struct cb_addresses *out)
{
	for (unsigned i = 0; i < interface->naddrs; i++) {
		struct cb_address address = {
			.mac = lower(arena, interface->hwaddr),
			.address = cb_arena_strdup(arena, interface->addrs[i].addr),
			.from_agent = from_agent,
		};

		if (!is_local(address.address))
			cb_vec_push(arena, out, address);
	}
}

/* 1 if somebody answered. */
static int ask(struct cb_libvirt *host, struct cb_arena *arena, virDomainPtr domain,
	       unsigned source, struct cb_addresses *out, struct cb_error *err)
{
	virDomainInterfacePtr *list = NULL;
	int count = virDomainInterfaceAddresses(domain, &list, source, 0), r;

	if (count < 0) {
		r = cb_domain_error(host, domain, err, "cannot ask for its addresses");
		/* Nobody there, or it knows nothing: only a lost host is worse than that. */
		if (r == -CB_E_UNAVAILABLE || r == -CB_E_NOT_FOUND || r == -CB_E_DENIED ||
		    cb_watch_expired(host->watch))
			return r;
		cb_error_release(err);
		return 0;
	}
	for (int i = 0; i < count; i++) {
		read_addresses(arena, list[i], source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
			       out);
		virDomainInterfaceFree(list[i]);
	}
	free(list);
	return 1;
}

int cb_libvirt_domain_addresses(struct cb_driver *driver, struct cb_arena *arena, const char *uuid,
				struct cb_addresses *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	bool active = false;
	int r;

	*out = (struct cb_addresses){0};
	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0 ||
	    (r = cb_domain_is_active(host, domain, &active, err)) < 0)
		return r;
	if (!active)
		return cb_error_set(err, CB_E_CONFLICT, "domain '%s' does not run",
				    virDomainGetName(domain));
	r = ask(host, arena, domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, out, err);
	if (r == 0)
		r = ask(host, arena, domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, out, err);
	return r < 0 ? r : 0;
}

/* With a question that every agent can answer, and that changes nothing; libvirt's way to send a
 * command of one's own marks the machine as tampered with. */
int cb_libvirt_domain_agent(struct cb_driver *driver, const char *uuid, bool *out,
			    struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_domain virDomainPtr domain = NULL;
	cb_auto_text char *name = NULL;
	int number, r;

	*out = false;
	if ((r = cb_domain_lookup(host, uuid, &domain, err)) < 0)
		return r;
	name = virDomainGetHostname(domain, VIR_DOMAIN_GET_HOSTNAME_AGENT);
	*out = name != NULL;
	if (name)
		return 0;
	number = virGetLastErrorCode();
	r = cb_domain_error(host, domain, err, "cannot ask its agent");
	if (r == -CB_E_UNAVAILABLE || r == -CB_E_NOT_FOUND || r == -CB_E_DENIED ||
	    cb_watch_expired(host->watch))
		return r;
	/* An agent that refuses is there; libvirt has no other word for that. */
	*out = number == VIR_ERR_INTERNAL_ERROR;
	cb_error_release(err);
	return 0;
}
