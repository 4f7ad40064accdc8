/*
 * The floor that a plan is measured against: one connection, the list of all domains, and each
 * one's inactive document. Prints the milliseconds; opens the connection inside the measured time,
 * as the program does.
 */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	double begun = now_ms();
	virConnectPtr conn = virConnectOpen(argc > 1 ? argv[1] : NULL);
	virDomainPtr *domains = NULL;
	int n = conn ? virConnectListAllDomains(conn, &domains, 0) : -1;

	for (int i = 0; i < n; i++) {
		char *xml = virDomainGetXMLDesc(domains[i], VIR_DOMAIN_XML_INACTIVE);

		if (!xml)
			return 1;
		free(xml);
		(void)virDomainFree(domains[i]);
	}
	free(domains);
	if (conn)
		(void)virConnectClose(conn);
	if (n < 0)
		return 1;
	printf("%.1f\n", now_ms() - begun);
	return 0;
}
