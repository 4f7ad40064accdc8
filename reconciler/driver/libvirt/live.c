/* What of a running machine can change. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <inttypes.h>

/* The balloon moves between nothing and what the machine was started with. Whether the guest
 * follows is for the guest to say: a later look at the domain tells. */
int cb_live_memory(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
		   struct cb_error *err)
{
	unsigned long max = virDomainGetMaxMemory(domain);
	uint64_t kib = (uint64_t)value->integer * 1024;

	if (max == 0)
		return cb_libvirt_error(host, err, "cannot read how much memory there is");
	if (kib > max)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the machine was started with %lu MiB: more needs a restart",
				    max / 1024);
	if (virDomainSetMemoryFlags(domain, (unsigned long)kib, VIR_DOMAIN_AFFECT_LIVE) == 0)
		return 0;
	/* No balloon, or no driver for it in the guest. */
	if (virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the memory cannot change while the machine runs: %s",
				    virGetLastErrorMessage());
	return cb_libvirt_error(host, err, "cannot change the memory");
}

/* Only upwards: QEMU 7.2 may crash after a processor was unplugged. */
int cb_live_vcpus(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
		  struct cb_error *err)
{
	int now = virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_LIVE);
	int max = now < 0 ? now
			  : virDomainGetVcpusFlags(domain,
						   VIR_DOMAIN_VCPU_LIVE | VIR_DOMAIN_VCPU_MAXIMUM);

	if (max < 0)
		return cb_libvirt_error(host, err, "cannot read how many processors there are");
	if (value->integer == now)
		return 0;
	if (value->integer < now || value->integer > max)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "the machine runs with %d processors of at most %d: "
				    "%" PRId64 " needs a restart",
				    now, max, value->integer);
	if (virDomainSetVcpusFlags(domain, (unsigned)value->integer, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return cb_libvirt_error(host, err, "cannot add processors");
	return 0;
}

int cb_live_description(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
			struct cb_error *err)
{
	const char *text = value->kind == CB_STRING && *value->string ? value->string : NULL;

	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, text, NULL, NULL,
				 VIR_DOMAIN_AFFECT_LIVE) < 0)
		return cb_libvirt_error(host, err, "cannot change the description");
	return 0;
}
