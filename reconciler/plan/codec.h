/*
 * codec.h: transactions as JSON and back: what the journal keeps, and what `plan -o json` shows.
 * Pure.
 */
#ifndef CB_PLAN_CODEC_H
#define CB_PLAN_CODEC_H

#include <jansson.h>

#include "reconciler/base/error.h"
#include "reconciler/model/plan.h"

/* The caller owns the result. */
json_t *cb_codec_transaction(const struct cb_transaction *transaction);
json_t *cb_codec_value(const struct cb_value *value);
json_t *cb_codec_spec(const struct cb_spec *spec);

/* CB_E_CORRUPT where the JSON is not what cb_codec_transaction writes. */
CB_CHECKED int cb_codec_parse(struct cb_arena *arena, const json_t *json,
			      struct cb_transaction *out, struct cb_error *err);

#endif
