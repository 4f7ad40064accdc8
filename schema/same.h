/*
 * same.h: whether two manifests say the same.
 */
#ifndef CB_SCHEMA_SAME_H
#define CB_SCHEMA_SAME_H

#include "reconciler/model/vm.h"
#include "schema/yaml.h"

/* The same documents: maps without regard to order, texts with their kind (4 is not "4"), also
 * where clonebox does not look into them, and whatever variables stand for. */
bool cb_yaml_same(struct cb_arena *arena, const struct cb_yaml *a, const struct cb_yaml *b);

/* The same things with the same values, wherever they stand in the files. */
bool cb_desired_same(const struct cb_desired *a, const struct cb_desired *b);

#endif
