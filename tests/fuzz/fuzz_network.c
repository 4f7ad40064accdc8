/*
 * Any text as the document of a network: it is read without harm, and what can be written back
 * reads as it was.
 */
#include <stdint.h>
#include <string.h>

#include "reconciler/driver/libvirt/libvirt_internal.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0}, why = {0};
	cb_auto_xml xmlDocPtr doc = NULL;
	struct bounds bounds = bounds_begin();
	const char *text = cb_arena_strndup(&arena, (const char *)data, size);
	struct cb_spec spec = {0}, again = {0};
	xmlNodePtr network;

	if (cb_xml_parse(text, &doc, &err) < 0)
		return 0;
	network = xmlDocGetRootElement(doc);
	cb_network_read(&arena, network, &spec);
	for (size_t i = 0; i < spec.len; i++)
		CB_ASSERT(spec.items[i].value.kind == CB_STRING);
	if (cb_network_write(network, &spec, &err) == 0) {
		CB_ASSERT(cb_network_verify(network, &spec, &why) == 0);
		cb_network_read(&arena, network, &again);
		CB_ASSERT(again.len == spec.len);
	}
	bounds_check(&bounds);
	return 0;
}
