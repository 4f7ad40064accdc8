/*
 * Any text as a transaction of a journal or a saved plan: it is refused, or what was read is
 * written as JSON that reads as the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/plan/codec.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct bounds bounds = bounds_begin();
	json_auto_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	json_auto_t *once = NULL, *twice = NULL;
	struct cb_transaction transaction, again;

	if (!json || cb_codec_parse(&arena, json, &transaction, &err) < 0)
		return 0;
	once = cb_codec_transaction(&transaction);
	CB_ASSERT(once != NULL);
	CB_ASSERT(cb_codec_parse(&arena, once, &again, &err) == 0);
	twice = cb_codec_transaction(&again);
	CB_ASSERT(twice && json_equal(once, twice));
	bounds_check(&bounds);
	return 0;
}
