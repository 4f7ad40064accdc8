#include "reconciler/model/change.h"

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
