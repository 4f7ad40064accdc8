/*
 * Any bytes as a manifest to format: no crash, and what can be read is formatted, says the same
 * with the same comments (cb_format looks itself), and stays as it is when it is formatted again.
 * What it comes to, written as a manifest, comes to the same.
 */
#include <stdint.h>
#include <string.h>

#include "schema/format.h"
#include "schema/manifest.h"
#include "schema/same.h"
#include "schema/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int format(struct cb_arena *arena, const char *bytes, size_t len, struct cb_str *out)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_manifest_text text = {"t", "/", "file:/", bytes, len, NULL};
	struct cb_problems problems = {0};
	int r = cb_format(arena, &text, out, &problems, &err);

	CB_ASSERT(r == 0 || r == -CB_E_INVALID || r == -CB_E_UNSUPPORTED);
	CB_ASSERT((r == -CB_E_INVALID) == (problems.len > 0));
	return r;
}

static bool is_secret(const struct cb_desired *desired)
{
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		cb_vec_each (const struct cb_entry, entry, &vm->spec) {
			if (entry->origin.sensitive)
				return true;
		}
	}
	return false;
}

static void check_written(struct cb_arena *arena, const struct cb_desired *desired,
			  enum cb_write_origins origins)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str out = {0};
	struct cb_manifest_text text = {"t", "/", "file:/", NULL, 0, NULL};
	struct cb_desired back;
	struct cb_problems problems = {0};
	int r = cb_write_manifest(desired, origins, &out, &err);

	/* It may be larger than a manifest may be. */
	CB_ASSERT(r == 0 || r == -CB_E_UNSUPPORTED);
	if (r < 0)
		return;
	text.bytes = cb_str_text(&out);
	text.len = out.len;
	CB_ASSERT(cb_manifest_load(arena, &text, 1, &back, &problems) == 0);
	CB_ASSERT(cb_desired_same(desired, &back));
}

/* The same desired state, or the same number of problems. */
static void check_meaning(struct cb_arena *arena, const char *bytes, size_t len,
			  const struct cb_str *out)
{
	struct cb_manifest_text before = {"t", "/", "file:/", bytes, len, NULL};
	struct cb_manifest_text after = {"t", "/", "file:/", cb_str_text(out), out->len, NULL};
	struct cb_desired a, b;
	struct cb_problems x = {0}, y = {0};
	int n = cb_manifest_load(arena, &before, 1, &a, &x);

	CB_ASSERT(n == cb_manifest_load(arena, &after, 1, &b, &y));
	CB_ASSERT(n > 0 || cb_desired_same(&a, &b));
	if (n > 0 || is_secret(&a) || a.vms.len > 50)
		return;
	check_written(arena, &a, CB_WRITE_BARE);
	check_written(arena, &a, CB_WRITE_ORIGINS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str once = {0}, twice = {0};

	if (format(&arena, (const char *)data, size, &once) < 0)
		return 0;
	check_meaning(&arena, (const char *)data, size, &once);
	CB_ASSERT(format(&arena, cb_str_text(&once), once.len, &twice) == 0);
	CB_ASSERT(once.len == twice.len &&
		  memcmp(cb_str_text(&once), cb_str_text(&twice), once.len) == 0);
	return 0;
}
