#include "reconciler/model/change.h"

#include <string.h>

const char *cb_action_name(enum cb_action action)
{
	static const char *const names[] = {"noop", "create", "update", "delete"};

	return names[action];
}

const char *cb_cost_name(enum cb_cost cost)
{
	static const char *const names[] = {"none", "live", "restart", "recreate"};

	return names[cost];
}

static const char *const targets[] = {[CB_TARGET_VM] = "vm",
				      [CB_TARGET_NETWORK] = "network",
				      [CB_TARGET_POOL] = "pool",
				      [CB_TARGET_IMAGE] = "image",
				      [CB_TARGET_GROUP] = "group"};

const char *cb_target_name(enum cb_target target)
{
	return targets[target];
}

int cb_target_parse(const char *name, enum cb_target *target)
{
	for (size_t i = 0; i < CB_COUNT(targets); i++) {
		if (strcmp(targets[i], name) == 0) {
			*target = (enum cb_target)i;
			return 0;
		}
	}
	return -1;
}
