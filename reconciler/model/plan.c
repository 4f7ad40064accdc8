#include "reconciler/model/plan.h"

#include <string.h>

static const struct {
	const char *name, *verb;
	enum cb_reversible reversible;
} kinds[] = {

#define STEP(identifier, name, reversible, verb) {name, verb, reversible},
#include "reconciler/model/steps.def"
#undef STEP
};

const char *cb_step_name(enum cb_step_kind kind)
{
	return kinds[kind].name;
}

const char *cb_step_verb(enum cb_step_kind kind)
{
	return kinds[kind].verb;
}

enum cb_reversible cb_step_reversible(enum cb_step_kind kind)
{
	return kinds[kind].reversible;
}

bool cb_transaction_is_about(const struct cb_transaction *transaction, enum cb_target target,
			     const char *name)
{
	if (transaction->target == target && strcmp(transaction->name, name) == 0)
		return true;
	cb_vec_each (const struct cb_member, member, &transaction->members) {
		if (member->target == target && strcmp(member->name, name) == 0)
			return true;
	}
	return false;
}

int cb_step_parse(const char *name, enum cb_step_kind *kind)
{
	for (size_t i = 0; i < CB_COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*kind = (enum cb_step_kind)i;
			return 0;
		}
	}
	return -1;
}
