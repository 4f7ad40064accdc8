#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <limits.h>
#include <string.h>

/* libxml2's strings are UTF-8 in unsigned char. */
static const xmlChar *in(const char *text)
{
	return (const xmlChar *)text;
}

static const char *out_of(const xmlChar *text)
{
	return (const char *)text;
}

static void *must(void *p)
{
	if (!p)
		cb_oom();
	return p;
}

void cb_xml_release(xmlDocPtr *doc)
{
	xmlFreeDoc(*doc);
	*doc = NULL;
}

int cb_xml_parse(const char *text, xmlDocPtr *out, struct cb_error *err)
{
	size_t len = strlen(text);
	xmlDocPtr doc = NULL;

	if (len <= INT_MAX)
		doc = xmlReadMemory(text, (int)len, "libvirt.xml", NULL,
				    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
					    XML_PARSE_COMPACT);
	if (!doc || !xmlDocGetRootElement(doc)) {
		xmlFreeDoc(doc);
		return cb_error_set(err, CB_E_FAILED, "the host's answer is not XML");
	}
	*out = doc;
	return 0;
}

xmlDocPtr cb_xml_new(const char *root)
{
	xmlDocPtr doc = must(xmlNewDoc(in("1.0")));

	xmlDocSetRootElement(doc, must(xmlNewDocNode(doc, NULL, in(root), NULL)));
	return doc;
}

static xmlNodePtr named(xmlNodePtr node, const xmlChar *name, size_t len)
{
	for (; node; node = node->next) {
		if (node->type == XML_ELEMENT_NODE && !node->ns &&
		    xmlStrncmp(node->name, name, (int)len) == 0 && node->name[len] == '\0')
			return node;
	}
	return NULL;
}

xmlNodePtr cb_xml_child(xmlNodePtr node, const char *name)
{
	return node ? named(node->children, in(name), strlen(name)) : NULL;
}

xmlNodePtr cb_xml_next(xmlNodePtr node)
{
	return named(node->next, node->name, strlen(out_of(node->name)));
}

xmlNodePtr cb_xml_at(xmlNodePtr node, const char *path)
{
	while (node && *path) {
		size_t len = strcspn(path, "/");

		node = named(node->children, in(path), len);
		path += len;
		path += *path == '/';
	}
	return node;
}

xmlNodePtr cb_xml_make(xmlNodePtr node, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");
		xmlNodePtr child = named(node->children, in(path), len);

		if (!child) {
			xmlChar *name = must(xmlStrndup(in(path), (int)len));

			child = cb_xml_add(node, out_of(name));
			xmlFree(name);
		}
		node = child;
		path += len;
		path += *path == '/';
	}
	return node;
}

xmlNodePtr cb_xml_add(xmlNodePtr node, const char *name)
{
	xmlNodePtr child = must(xmlNewDocNode(node->doc, NULL, in(name), NULL));

	return must(xmlAddChild(node, child));
}

void cb_xml_add_copy(xmlNodePtr node, xmlNodePtr part)
{
	(void)must(xmlAddChild(node, must(xmlDocCopyNode(part, node->doc, 1))));
}

void cb_xml_move(xmlNodePtr node, xmlNodePtr next)
{
	(void)must(xmlAddPrevSibling(next, node));
}

const char *cb_xml_attr(struct cb_arena *arena, xmlNodePtr node, const char *name)
{
	xmlChar *value = node ? xmlGetNoNsProp(node, in(name)) : NULL;
	const char *copy = cb_arena_strdup(arena, out_of(value));

	xmlFree(value);
	return copy;
}

const char *cb_xml_text(struct cb_arena *arena, xmlNodePtr node)
{
	xmlChar *value = node ? xmlNodeGetContent(node) : NULL;
	const char *copy = cb_arena_strdup(arena, out_of(value));

	xmlFree(value);
	return copy;
}

bool cb_xml_attr_is(xmlNodePtr node, const char *name, const char *value)
{
	xmlChar *found = node ? xmlGetNoNsProp(node, in(name)) : NULL;
	bool same = found && strcmp(out_of(found), value) == 0;

	xmlFree(found);
	return same;
}

uint64_t cb_xml_number(xmlNodePtr node, uint64_t otherwise)
{
	xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
	uint64_t value = otherwise;

	if (text && cb_parse_u64(out_of(text), &value) < 0)
		value = otherwise;
	xmlFree(text);
	return value;
}

void cb_xml_set_attr(xmlNodePtr node, const char *name, const char *value)
{
	(void)must(xmlSetProp(node, in(name), in(value)));
}

void cb_xml_set_text(xmlNodePtr node, const char *text)
{
	/* Not xmlNodeSetContent with the text: that one takes entities for entities. */
	xmlNodeSetContent(node, NULL);
	(void)must(xmlAddChild(node, must(xmlNewDocText(node->doc, in(text)))));
}

void cb_xml_drop(xmlNodePtr node)
{
	if (!node)
		return;
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

void cb_xml_drop_all(xmlNodePtr node, const char *name)
{
	xmlNodePtr child;

	while ((child = cb_xml_child(node, name)))
		cb_xml_drop(child);
}

void cb_xml_drop_attr(xmlNodePtr node, const char *name)
{
	xmlAttrPtr attr = node ? xmlHasNsProp(node, in(name), NULL) : NULL;

	if (attr)
		(void)xmlRemoveProp(attr);
}

void cb_xml_dump(xmlNodePtr node, struct cb_str *out)
{
	xmlBufferPtr buffer = must(xmlBufferCreate());

	if (xmlNodeDump(buffer, node->doc, node, 0, 0) < 0)
		cb_oom();
	cb_str_add(out, out_of(xmlBufferContent(buffer)));
	xmlBufferFree(buffer);
}

/* UTF-8 without the characters that XML has no way to write. */
bool cb_xml_attr_fits(const char *text)
{
	const unsigned char *p = in(text);
	int left = (int)strlen(text);

	while (left > 0) {
		int len = left;
		int ch = xmlGetUTF8Char(p, &len);

		if (ch < 0 || !xmlIsCharQ((unsigned)ch))
			return false;
		p += len;
		left -= len;
	}
	return true;
}

bool cb_xml_text_fits(const char *text)
{
	/* libvirt prints a carriage return bare, and the next reader takes it for a line end. */
	return !strchr(text, '\r') && cb_xml_attr_fits(text);
}
