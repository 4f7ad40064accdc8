#include "reconciler/apply/checkpoint.h"

#include <string.h>

#include "reconciler/base/log.h"

uint64_t cb_checkpoint_size(const struct cb_run *run, uint64_t total)
{
	uint64_t least = run->context->chunk_least;

	return cb_chunk_size(total, least ? least : cb_chunk_least);
}

unsigned cb_checkpoint_room(const struct cb_run *run, uint64_t total)
{
	unsigned chunks = cb_chunk_count(total, cb_checkpoint_size(run, total));

	/* What was found damaged and was sent in other parts is noted anew. */
	return chunks > 1 ? chunks + 2 * CB_CHUNKS_ODD : 0;
}

/* False for what no run has written. */
static bool parse(const json_t *detail, uint64_t total, struct cb_chunk *out)
{
	json_int_t offset = json_integer_value(json_object_get(detail, "offset"));
	json_int_t size = json_integer_value(json_object_get(detail, "length"));
	const char *digest = json_string_value(json_object_get(detail, "digest"));

	if (offset < 0 || size <= 0 || !digest || strlen(digest) != CB_SHA256_HEX - 1 ||
	    (uint64_t)size > total || (uint64_t)offset > total - (uint64_t)size)
		return false;
	*out = (struct cb_chunk){.offset = (uint64_t)offset, .size = (uint64_t)size};
	memcpy(out->digest, digest, CB_SHA256_HEX);
	return true;
}

void cb_checkpoint_read(const struct cb_run *run, const struct cb_step *step, uint64_t total,
			struct cb_arena *arena, struct cb_chunks *out)
{
	const json_t *detail;

	*out = (struct cb_chunks){0};
	for (size_t n = 0; (detail = cb_journal_progress(run->journal, step->n, n)); n++) {
		struct cb_chunk chunk;

		if (parse(detail, total, &chunk))
			cb_chunks_add(arena, out, &chunk);
	}
}

bool cb_checkpoint_complete(const struct cb_run *run, const struct cb_step *step, uint64_t total)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_chunks chunks;

	cb_checkpoint_read(run, step, total, &arena, &chunks);
	return cb_chunks_bytes(&chunks) == total;
}

/* Whether the volume holds the chunk; the transfer of what a host cannot read back begins again. */
static int holds(struct cb_run *run, const struct cb_step *step, const struct cb_chunk *chunk,
		 bool *out, struct cb_error *err)
{
	const struct cb_extent extent = {chunk->offset, chunk->size,
					 run->context->progress.interrupted};
	char digest[CB_SHA256_HEX];
	int r = run->driver->ops->volume_digest(run->driver, cb_step_arg(step, "pool"),
						cb_step_arg(step, "volume"), &extent, digest, err);

	*out = r == 0 && strcmp(digest, chunk->digest) == 0;
	if (r != -CB_E_CONFLICT && r != -CB_E_FAILED)
		return r;
	cb_log(CB_LOG_INFO, "chunk-unreadable", "%s", err->message);
	cb_error_release(err);
	return 0;
}

int cb_checkpoint_verify(struct cb_run *run, const struct cb_step *step, struct cb_chunks *chunks,
			 struct cb_error *err)
{
	for (size_t i = 0; i < chunks->len;) {
		bool good;
		int r = holds(run, step, &chunks->items[i], &good, err);

		if (r < 0)
			return r;
		if (good) {
			i++;
			continue;
		}
		cb_log(CB_LOG_WARN, "chunk-differs",
		       "'%s' from byte %llu on is not as it was sent: that part is sent again",
		       cb_step_arg(step, "volume"), (unsigned long long)chunks->items[i].offset);
		cb_chunks_remove(chunks, i);
	}
	return 0;
}

static bool is_odd(const struct cb_chunk *chunk, uint64_t size, uint64_t total)
{
	uint64_t end = chunk->offset + chunk->size;

	return end % size != 0 && end != total;
}

int cb_checkpoint_write(struct cb_run *run, const struct cb_step *step, uint64_t total,
			const struct cb_chunk *chunk, struct cb_error *err)
{
	uint64_t size = cb_checkpoint_size(run, total);
	unsigned n = 0, odd = 0;
	const json_t *detail;
	json_auto_t *record = NULL;

	for (; (detail = cb_journal_progress(run->journal, step->n, n)); n++) {
		struct cb_chunk other;

		if (!parse(detail, total, &other))
			continue;
		if (other.offset == chunk->offset && other.size == chunk->size &&
		    strcmp(other.digest, chunk->digest) == 0)
			return 0;
		odd += is_odd(&other, size, total);
	}
	if (n >= cb_checkpoint_room(run, total) ||
	    (odd >= CB_CHUNKS_ODD && is_odd(chunk, size, total)))
		return 0;
	record = json_pack("{s:I,s:I,s:s}", "offset", (json_int_t)chunk->offset, "length",
			   (json_int_t)chunk->size, "digest", chunk->digest);
	if (!record)
		cb_oom();
	return cb_journal_step(run->journal, CB_RECORD_PROGRESS, step->n, record, err);
}
