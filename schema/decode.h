/*
 * decode.h: from YAML nodes to values, as the rows of fields.def say.
 */
#ifndef CB_SCHEMA_DECODE_H
#define CB_SCHEMA_DECODE_H

#include "reconciler/model/field.h"
#include "schema/yaml.h"

/* What all of one file's decoding shares. */
struct cb_decode {
	struct cb_arena *arena;
	const char *file;
	struct cb_problems *problems;
	const char *target;           /* the VM at hand, or NULL */
	const char *kind;             /* of the target, where it is no VM */
	enum cb_scope scope;          /* whose keys are read; set inside */
	const char *const *variables; /* as in struct cb_manifest_text */
	size_t *expanded;             /* bytes that variables made so far */
	struct cb_desired *out;       /* where found keys are noted; NULL: nowhere */
	bool lenient;                 /* as in struct cb_manifest_text */
	bool inside;                  /* below a key that has been warned of */
};

/* In a spec that is being loaded, a value of no kind says something, too:
 * - null, which takes back what a profile or the defaults say, and everything below it;
 * - a list was given, perhaps an empty one: the entry at the path of the list itself;
 * - the value is there but wrong, which has been reported (CB_FROM_DEFAULT): what needs it need not
 *   be reported as well.
 * fleet.c takes them out. */

/* Reports a problem at a node. `fix` may be NULL. */
void cb_decode_problem(const struct cb_decode *d, const struct cb_yaml_node *node,
		       const char *check, const char *fix, const char *fmt, ...) CB_PRINTF(5, 6);

/* The same for what need not stop anybody. */
void cb_decode_warn(const struct cb_decode *d, const struct cb_yaml_node *node, const char *check,
		    const char *fix, const char *fmt, ...) CB_PRINTF(5, 6);

/* The place of a node. */
struct cb_origin cb_decode_origin(const struct cb_decode *d, const struct cb_yaml_node *node);

/* Whether the node is a map, reported where it is not. `what` names it: "'vm'". */
bool cb_decode_is_map(const struct cb_decode *d, const struct cb_yaml_node *node, const char *what,
		      const char *fix);

/* Whether it says nothing: empty, ~ or null. */
bool cb_decode_is_null(const struct cb_yaml_node *node);

/* The row of a key below `map` ("" or "boot"). NULL where there is none: reported, with what the
 * person may have meant. Keys that are only known get their warning here, too. */
const struct cb_field *cb_decode_key(const struct cb_decode *d, enum cb_scope scope,
				     const char *map, const struct cb_yaml_node *key);

/* Reads the value of a field that has no rows below it. False if it says nothing or is wrong; the
 * latter is reported. `origin` says where it stands and whether it must not be shown. */
bool cb_decode_value(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, struct cb_value *value,
		     struct cb_origin *origin);

/* Reads one key of a scope and what stands behind it, for a row of its top; `spec` gets it. */
void cb_decode_pair(const struct cb_decode *d, const struct cb_field *field,
		    const struct cb_yaml_pair *pair, struct cb_spec *spec);

/* Reads the keys of a VM into the spec, except its name: `name` gets that node. */
void cb_decode_vm(const struct cb_decode *d, const struct cb_yaml_node *map, struct cb_spec *spec,
		  const struct cb_yaml_node **name);

/* Reads the keys of an entry of `hosts:`, `networks:` and the like. */
void cb_decode_entry(const struct cb_decode *d, enum cb_scope scope, const struct cb_yaml_node *map,
		     struct cb_spec *spec);

/* Reads `paths`, the field, into the spec. */
void cb_decode_paths(const struct cb_decode *d, const struct cb_yaml_node *node,
		     const struct cb_field *field, struct cb_spec *spec);

/* Reads the name of a VM, or of `what` ("host"), from a value or from a key of `vms:`. NULL where
 * it is none: reported. */
const char *cb_decode_name(const struct cb_decode *d, const char *what,
			   const struct cb_yaml_node *node);

#endif
