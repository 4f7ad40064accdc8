/* Graphics: a VNC screen for this machine's people only, with what makes it usable. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

/* <graphics> cannot have an alias: there is at most one of these that we make, so its kind
 * identifies it. */
static const char alias_video[] = "ua-video";
static const char alias_tablet[] = "ua-tablet";

struct cb_value cb_bind_get_gui(const struct cb_bound *at, struct cb_arena *arena)
{
	(void)arena;
	return cb_bool(cb_device_first(at->domain, "graphics") != NULL);
}

static void need_usb(xmlNodePtr devices)
{
	xmlNodePtr controller = cb_xml_child(devices, "controller");

	while (controller && !cb_xml_attr_is(controller, "type", "usb"))
		controller = cb_xml_next(controller);
	if (!controller) {
		controller = cb_xml_add(devices, "controller");
		cb_xml_set_attr(controller, "type", "usb");
		cb_xml_set_attr(controller, "model", "qemu-xhci");
	} else if (cb_xml_attr_is(controller, "model", "none")) {
		cb_xml_set_attr(controller, "model", "qemu-xhci");
	}
}

static void add_gui(xmlNodePtr domain)
{
	xmlNodePtr devices = cb_xml_make(domain, "devices");
	xmlNodePtr graphics = cb_xml_add(devices, "graphics"), node;

	cb_xml_set_attr(graphics, "type", "vnc");
	cb_xml_set_attr(graphics, "autoport", "yes");
	node = cb_xml_add(graphics, "listen");
	cb_xml_set_attr(node, "type", "address");
	cb_xml_set_attr(node, "address", "127.0.0.1");
	if (!cb_xml_child(devices, "video")) {
		node = cb_xml_add(devices, "video");
		cb_xml_set_attr(cb_xml_add(node, "model"), "type", "virtio");
		cb_device_set_alias(node, alias_video);
	}
	need_usb(devices);
	/* A pointer that says where it is, not how it moved, stays in step with the viewer's. */
	node = cb_xml_add(devices, "input");
	cb_xml_set_attr(node, "type", "tablet");
	cb_xml_set_attr(node, "bus", "usb");
	cb_device_set_alias(node, alias_tablet);
}

static void drop_all(xmlNodePtr domain, const char *kind, const char *alias)
{
	xmlNodePtr next;

	for (xmlNodePtr node = cb_device_first(domain, kind); node; node = next) {
		next = cb_xml_next(node);
		if (!alias || cb_device_has_alias(node, alias))
			cb_xml_drop(node);
	}
}

int cb_bind_set_gui(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err)
{
	xmlNodePtr domain = at->domain;
	bool is = cb_device_first(domain, "graphics") != NULL;

	(void)err;
	if (value->boolean && !is) {
		add_gui(domain);
	} else if (!value->boolean && is) {
		drop_all(domain, "graphics", NULL);
		drop_all(domain, "video", NULL);
		drop_all(domain, "input", alias_tablet);
	}
	return 0;
}
