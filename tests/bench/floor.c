/*
 * The floor under clonebox: the bare libvirt calls that its work cannot do without, on one
 *connection.
 *
 *	floor URI read          list all domains, read every persistent document
 *	floor URI define N KIND N documents defined under names KIND-1, ...: two disks, one NIC
 *	floor URI start N KIND  starts the first N of them
 */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_all(virConnectPtr conn)
{
	virDomainPtr *list = NULL;
	int n = virConnectListAllDomains(conn, &list, 0);
	size_t bytes = 0;

	for (int i = 0; i < n; i++) {
		char *text = virDomainGetXMLDesc(list[i], VIR_DOMAIN_XML_INACTIVE);

		if (!text)
			return 1;
		bytes += strlen(text);
		free(text);
		(void)virDomainFree(list[i]);
	}
	free(list);
	printf("%d domains, %zu bytes\n", n, bytes);
	return n < 0;
}

static int define(virConnectPtr conn, int n, const char *kind)
{
	static const char document[] =
		"<domain type='qemu'><name>%s-%d</name><memory unit='MiB'>16</memory>"
		"<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
		"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
		"<source file='/var/lib/libvirt/images/%s-%d-a.qcow2'/>"
		"<target dev='vda' bus='virtio'/></disk>"
		"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
		"<source file='/var/lib/libvirt/images/%s-%d-b.qcow2'/>"
		"<target dev='vdb' bus='virtio'/></disk>"
		"<interface type='user'><model type='virtio'/></interface></devices></domain>";

	for (int i = 1; i <= n; i++) {
		char text[2048];
		virDomainPtr domain;

		(void)snprintf(text, sizeof(text), document, kind, i, kind, i, kind, i);
		domain = virDomainDefineXMLFlags(conn, text, VIR_DOMAIN_DEFINE_VALIDATE);
		if (!domain)
			return 1;
		(void)virDomainFree(domain);
	}
	return 0;
}

static int start(virConnectPtr conn, int n, const char *kind)
{
	for (int i = 1; i <= n; i++) {
		char name[64];
		virDomainPtr domain;

		(void)snprintf(name, sizeof(name), "%s-%d", kind, i);
		domain = virDomainLookupByName(conn, name);
		if (!domain || virDomainCreateWithFlags(domain, VIR_DOMAIN_START_PAUSED) < 0)
			return 1;
		(void)virDomainFree(domain);
	}
	return 0;
}

int main(int argc, char **argv)
{
	virConnectPtr conn = argc > 2 ? virConnectOpen(argv[1]) : NULL;
	int n = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
	int r = 2;

	if (!conn)
		return 2;
	if (strcmp(argv[2], "read") == 0)
		r = read_all(conn);
	else if (argc == 5 && strcmp(argv[2], "define") == 0)
		r = define(conn, n, argv[4]);
	else if (argc == 5 && strcmp(argv[2], "start") == 0)
		r = start(conn, n, argv[4]);
	(void)virConnectClose(conn);
	return r;
}
