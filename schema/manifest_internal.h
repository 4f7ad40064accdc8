/* manifest_internal.h: what manifest.c (documents), beside.c (what stands beside a VM) and
 * companion.c (files that others refer to) share. */
#ifndef CB_SCHEMA_MANIFEST_INTERNAL_H
#define CB_SCHEMA_MANIFEST_INTERNAL_H

#include "reconciler/model/text.h"
#include "schema/decode.h"
#include "schema/fleet.h"

/* One text. */
struct cb_reading {
	struct cb_fleet *fleet;
	struct cb_decode decode;
	const char *source, *directory;
	size_t expanded;     /* bytes that variables made */
	bool says_something; /* has a key that clonebox acts on */
	enum cb_text_kind kind;
	const char *as;
	bool fragment;
	struct cb_spec companion; /* what a profile or a `config` says of a VM */
};

/* What stands at the top level of one document. */
struct cb_top {
	bool has_vm, has_vms;
	struct cb_spec beside;    /* what stands beside `vm:` and is about that VM */
	struct cb_yaml_node flat; /* keys of a VM that do not stand below `vm:` */
	size_t first_block;       /* of this document */
};

/* Whether the text is a profile or a `config`: about a VM that others name. */
bool cb_reading_is_companion(const struct cb_reading *file);

/* Keeps what a profile or a `config` says for who refers to it. */
void cb_reading_keep(struct cb_reading *file);

/* A document of .clonebox-policy.yaml. */
void cb_reading_rules(struct cb_reading *file, const struct cb_yaml_node *document);

/* Reads a key of VMs that stands elsewhere; `field` is its row there. */
void cb_reading_vm_key(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_pair *pair, struct cb_spec *spec);

/* Reads a key that stands beside `vm:` or `vms:` and is no container of its own. */
void cb_reading_beside(struct cb_reading *file, struct cb_top *root, const struct cb_field *field,
		       const struct cb_yaml_pair *pair);

/* Whether it is a key of a VM that may stand at the top of this text. */
bool cb_reading_is_flat(const struct cb_reading *file, const struct cb_yaml_pair *pair);

/* Gives what stands beside to the VM that it is about. */
void cb_reading_add_beside(struct cb_reading *file, const struct cb_top *root);

#endif
