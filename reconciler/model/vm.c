#include "reconciler/model/vm.h"

#include <string.h>

const struct cb_declared *cb_declared_find(const struct cb_declarations *declarations,
					   const char *name)
{
	cb_vec_each (const struct cb_declared, declared, declarations) {
		if (strcmp(declared->name, name) == 0)
			return declared;
	}
	return NULL;
}
