/*
 * checkpoint.h: how far a long transfer of a step has come, kept in the journal so that the next
 * run goes on there (docs/journal.md, docs/adr/0006).
 *
 * A checkpoint is a hint like every record: what it says has arrived is compared with what the
 * volume holds before it is relied on.
 */
#ifndef CB_APPLY_CHECKPOINT_H
#define CB_APPLY_CHECKPOINT_H

#include "reconciler/apply/step.h"
#include "reconciler/storage/chunks.h"

/* The size of a step's chunks. */
uint64_t cb_checkpoint_size(const struct cb_run *run, uint64_t total);

/* How many records a transfer may write: none for one that is a single chunk. */
unsigned cb_checkpoint_room(const struct cb_run *run, uint64_t total);

/* What the journal says has arrived since the step's last intent. */
void cb_checkpoint_read(const struct cb_run *run, const struct cb_step *step, uint64_t total,
			struct cb_arena *arena, struct cb_chunks *out);

/* Whether that is all of it. */
bool cb_checkpoint_complete(const struct cb_run *run, const struct cb_step *step, uint64_t total);

/* Drops what the volume does not hold as it was sent. CB_E_INTERRUPTED; what else stops it. */
CB_CHECKED int cb_checkpoint_verify(struct cb_run *run, const struct cb_step *step,
				    struct cb_chunks *chunks, struct cb_error *err);

/* Durable on return, unless the journal says so already or has no room left for it: then that part
 * is sent again, should it come to that. */
CB_CHECKED int cb_checkpoint_write(struct cb_run *run, const struct cb_step *step, uint64_t total,
				   const struct cb_chunk *chunk, struct cb_error *err);

#endif
