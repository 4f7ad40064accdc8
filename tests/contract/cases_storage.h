/* cases_storage.h: cases about pools, volumes and their bytes. A part of test_contract.c. */
#ifndef CB_TESTS_CONTRACT_CASES_STORAGE_H
#define CB_TESTS_CONTRACT_CASES_STORAGE_H

#include "tests/contract/contract.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void make_pool(struct fixture *f)
{
	OK(f, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool_start, f->pool);
}

/* Pools. --------------------------------------------------------------------------------------- */

static void a_pool_lives(struct fixture *f)
{
	struct cb_pool pool;

	FAILS(f, CB_E_NOT_FOUND, pool, &f->arena, f->pool, &pool);
	FAILS(f, CB_E_NOT_FOUND, pool_start, f->pool);
	FAILS(f, CB_E_NOT_FOUND, pool_refresh, f->pool);
	FAILS(f, CB_E_NOT_FOUND, pool_autostart, f->pool, true);
	FAILS(f, CB_E_NOT_FOUND, pool_undefine, f->pool);
	OK(f, pool_define, f->pool, f->pool_path, NULL);
	FAILS(f, CB_E_EXISTS, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool, &f->arena, f->pool, &pool);
	assert_string_equal(pool.name, f->pool);
	assert_string_equal(pool.type, "dir");
	assert_string_equal(pool.path, f->pool_path);
	assert_false(pool.active);
	assert_false(pool.autostart);
	assert_true(pool.capacity == 0);
	OK(f, pool_start, f->pool);
	OK(f, pool_start, f->pool);
	OK(f, pool_autostart, f->pool, true);
	OK(f, pool, &f->arena, f->pool, &pool);
	assert_true(pool.active);
	assert_true(pool.autostart);
	assert_true(pool.capacity > 0);
	assert_true(pool.available <= pool.capacity);
	OK(f, pool_autostart, f->pool, false);
	OK(f, pool, &f->arena, f->pool, &pool);
	assert_false(pool.autostart);
	OK(f, pool_undefine, f->pool);
	FAILS(f, CB_E_NOT_FOUND, pool, &f->arena, f->pool, &pool);
}

static void a_directory_has_one_pool(struct fixture *f)
{
	make_pool(f);
	FAILS(f, CB_E_FAILED, pool_define, "contract-second", f->pool_path, NULL);
}

static void a_directory_outlives_its_pool(struct fixture *f)
{
	struct cb_volume_new new = {f->pool, "kept", "raw", 4096, NULL, NULL};
	struct cb_volume volume;

	make_pool(f);
	OK(f, volume_create, &new);
	OK(f, pool_undefine, f->pool);
	make_pool(f);
	OK(f, volume, &f->arena, f->pool, "kept", &volume);
	assert_true(volume.capacity == 4096);
}

static void a_pool_has_a_uuid(struct fixture *f)
{
	char other[CB_UUID_SIZE];
	struct cb_pool pool;

	OK(f, pool_define, f->pool, f->pool_path, f->uuid);
	OK(f, pool, &f->arena, f->pool, &pool);
	assert_string_equal(pool.uuid, f->uuid);
	FAILS(f, CB_E_EXISTS, pool_define, "contract-second", "/contract/second", f->uuid);
	cb_random_uuid(other);
	FAILS(f, CB_E_EXISTS, pool_define, f->pool, "/contract/second", other);
	OK(f, pool_undefine, f->pool);
	OK(f, pool_define, f->pool, f->pool_path, NULL);
	OK(f, pool, &f->arena, f->pool, &pool);
	assert_non_null(pool.uuid);
	assert_string_not_equal(pool.uuid, f->uuid);
}

/* Volumes. ------------------------------------------------------------------------------------- */

static void volumes_are_made_listed_and_deleted(struct fixture *f)
{
	struct cb_volume_new raw = {f->pool, "b.raw", "raw", 1 << 20, NULL, NULL};
	struct cb_volume_new qcow2 = {f->pool, "a.qcow2", "qcow2", 8 << 20, NULL, NULL};
	struct cb_volumes volumes;
	struct cb_volume volume;

	make_pool(f);
	OK(f, volumes, &f->arena, f->pool, &volumes);
	assert_int_equal(volumes.len, 0);
	FAILS(f, CB_E_NOT_FOUND, volume, &f->arena, f->pool, "b.raw", &volume);
	OK(f, volume_create, &raw);
	OK(f, volume_create, &qcow2);
	FAILS(f, CB_E_EXISTS, volume_create, &raw);
	FAILS(f, CB_E_EXISTS, volume_create, &qcow2);
	OK(f, pool_refresh, f->pool);
	OK(f, volumes, &f->arena, f->pool, &volumes);
	assert_int_equal(volumes.len, 2);
	assert_string_equal(volumes.items[0].name, "a.qcow2");
	assert_string_equal(volumes.items[0].path,
			    cb_arena_printf(&f->arena, "%s/a.qcow2", f->pool_path));
	assert_string_equal(volumes.items[1].name, "b.raw");
	OK(f, volume, &f->arena, f->pool, "a.qcow2", &volume);
	assert_string_equal(volume.pool, f->pool);
	assert_string_equal(volume.format, "qcow2");
	assert_true(volume.capacity == 8 << 20);
	assert_null(volume.backing);
	OK(f, volume, &f->arena, f->pool, "b.raw", &volume);
	assert_string_equal(volume.format, "raw");
	assert_true(volume.capacity == 1 << 20);
	assert_true(volume.allocation <= 64 * 1024);
	OK(f, volume_delete, f->pool, "b.raw");
	FAILS(f, CB_E_NOT_FOUND, volume_delete, f->pool, "b.raw");
	FAILS(f, CB_E_NOT_FOUND, volume, &f->arena, f->pool, "b.raw", &volume);
}

static void an_overlay_knows_its_base(struct fixture *f)
{
	struct cb_volume_new base = {f->pool, "base", "raw", 1 << 20, NULL, NULL};
	struct cb_volume_new overlay = {f->pool, "overlay", "qcow2", 2 << 20, NULL, "raw"};
	struct cb_volume volume;

	make_pool(f);
	OK(f, volume_create, &base);
	OK(f, volume, &f->arena, f->pool, "base", &volume);
	overlay.backing = volume.path;
	OK(f, volume_create, &overlay);
	OK(f, pool_refresh, f->pool);
	OK(f, volume, &f->arena, f->pool, "overlay", &volume);
	assert_string_equal(volume.format, "qcow2");
	assert_string_equal(volume.backing, overlay.backing);
	assert_string_equal(volume.backing_format, "raw");
	assert_true(volume.capacity == 2 << 20);
}

static void without_its_pool_nothing_is_known_of_a_volume(struct fixture *f)
{
	struct cb_volume_new new = {f->pool, "v", "raw", 4096, NULL, NULL};
	struct cb_volumes volumes;
	struct cb_volume volume;

	FAILS(f, CB_E_FAILED, volume, &f->arena, f->pool, "v", &volume);
	FAILS(f, CB_E_FAILED, volumes, &f->arena, f->pool, &volumes);
	FAILS(f, CB_E_FAILED, volume_create, &new);
	FAILS(f, CB_E_FAILED, volume_delete, f->pool, "v");
	OK(f, pool_define, f->pool, f->pool_path, NULL);
	FAILS(f, CB_E_FAILED, volume, &f->arena, f->pool, "v", &volume);
	FAILS(f, CB_E_FAILED, volumes, &f->arena, f->pool, &volumes);
	FAILS(f, CB_E_FAILED, volume_create, &new);
	FAILS(f, CB_E_FAILED, volume_delete, f->pool, "v");
	FAILS(f, CB_E_FAILED, pool_refresh, f->pool);
}

static void a_foreign_file_shows_after_a_refresh_and_is_not_overwritten(struct fixture *f)
{
	static const char *const formats[] = {"raw", "qcow2"};
	struct cb_volume volume;

	make_pool(f);
	OK(f, pool_refresh, f->pool);
	for (size_t i = 0; i < CB_COUNT(formats); i++) {
		const char *name = formats[i];
		struct cb_volume_new new = {f->pool, name, name, 1 << 20, NULL, NULL};

		cb_test_foreign_file(f, name, "somebody's data");
		FAILS(f, CB_E_NOT_FOUND, volume, &f->arena, f->pool, name, &volume);
		FAILS(f, CB_E_EXISTS, volume_create, &new);
		OK(f, pool_refresh, f->pool);
		OK(f, volume, &f->arena, f->pool, name, &volume);
		FAILS(f, CB_E_EXISTS, volume_create, &new);
		assert_true(cb_test_has_content(f, name, "somebody's data"));
	}
}

/* Bytes. --------------------------------------------------------------------------------------- */

enum { MIB = 1024 * 1024 };

struct source {
	const unsigned char *bytes;
	size_t len, at, part, fail_at;
	uint64_t progress;
};

static int give(void *ctx, void *buffer, size_t len, struct cb_error *err)
{
	struct source *source = ctx;
	size_t left = source->len - source->at;

	if (source->fail_at && source->at >= source->fail_at)
		return cb_error_set(err, CB_E_INTERRUPTED, "enough");
	if (len > source->part)
		len = source->part;
	if (len > left)
		len = left;
	memcpy(buffer, source->bytes + source->at, len);
	source->at += len;
	return (int)len;
}

static void note(void *ctx, uint64_t bytes)
{
	struct source *source = ctx;

	assert_true(bytes >= source->progress);
	source->progress = bytes;
}

/* Data, a hole of several chunks, data, and a hole at the end. */
static unsigned char *image(struct fixture *f, size_t len)
{
	unsigned char *bytes = cb_arena_alloc(&f->arena, len);

	cb_random_bytes(bytes, 100000);
	cb_random_bytes(bytes + 4 * MIB + 7, 2 * MIB);
	return bytes;
}

static void write_all(struct fixture *f, const char *name, const unsigned char *bytes, size_t len,
		      size_t part)
{
	struct source source = {bytes, len, 0, part, 0, 0};
	struct cb_upload upload = {.read = give, .progress = note, .ctx = &source, .size = len};
	char wanted[CB_SHA256_HEX], found[CB_SHA256_HEX];

	OK(f, volume_write, f->pool, name, &upload);
	assert_true(source.progress == len);
	cb_digest_of(bytes, len, wanted);
	OK(f, volume_digest, f->pool, name, (&(struct cb_extent){.size = len}), found);
	assert_string_equal(wanted, found);
}

static void what_is_written_is_read_back(struct fixture *f)
{
	size_t len = 9 * MIB + 13;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = image(f, len), *zeros = cb_arena_alloc(&f->arena, len);
	struct cb_volume volume;
	char found[CB_SHA256_HEX];

	make_pool(f);
	OK(f, volume_create, &new);
	write_all(f, "image", bytes, len, 64 * 1024);
	OK(f, pool_refresh, f->pool);
	OK(f, volume, &f->arena, f->pool, "image", &volume);
	assert_true(volume.capacity == len);
	if (f->world->offers & CB_WORLD_QEMU)
		assert_true(volume.allocation < len / 2);
	/* Zeros over data are zeros, not holes that the old data shows through. */
	write_all(f, "image", zeros, len, len);
	write_all(f, "image", bytes, len, 1000);
	FAILS(f, CB_E_CONFLICT, volume_digest, f->pool, "image",
	      (&(struct cb_extent){.size = len + 1}), found);
	FAILS(f, CB_E_NOT_FOUND, volume_digest, f->pool, "none", (&(struct cb_extent){.size = len}),
	      found);
}

static void an_empty_image_is_an_image(struct fixture *f)
{
	struct cb_volume_new new = {f->pool, "empty", "raw", 4096, NULL, NULL};
	unsigned char none = 0;
	char found[CB_SHA256_HEX], wanted[CB_SHA256_HEX];

	make_pool(f);
	OK(f, volume_create, &new);
	write_all(f, "empty", &none, 0, 1);
	cb_digest_of("", 0, wanted);
	OK(f, volume_digest, f->pool, "empty", (&(struct cb_extent){.size = 0}), found);
	assert_string_equal(wanted, found);
}

static void a_source_that_fails_is_told_and_can_be_tried_again(struct fixture *f)
{
	size_t len = 9 * MIB + 13;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = image(f, len);
	struct source broken = {bytes, len, 0, MIB, 5 * MIB, 0};
	struct source shorter = {bytes, MIB, 0, MIB, 0, 0};
	struct cb_upload upload = {.read = give, .ctx = &broken, .size = len};
	char wanted[CB_SHA256_HEX], found[CB_SHA256_HEX];
	int r;

	make_pool(f);
	FAILS(f, CB_E_NOT_FOUND, volume_write, f->pool, "image", &upload);
	OK(f, volume_create, &new);
	FAILS(f, CB_E_INTERRUPTED, volume_write, f->pool, "image", &upload);
	/* What there is now is not the image, and may be shorter. */
	cb_digest_of(bytes, len, wanted);
	r = CALL(f, volume_digest, f->pool, "image", (&(struct cb_extent){.size = len}), found);
	assert_true(r == -CB_E_CONFLICT || (r == 0 && strcmp(wanted, found) != 0));
	upload.ctx = &shorter;
	FAILS(f, CB_E_IO, volume_write, f->pool, "image", &upload);
	write_all(f, "image", bytes, len, MIB);
}

/* Sends [begin, end) of the bytes to where they belong. */
static void write_part(struct fixture *f, const unsigned char *bytes, size_t begin, size_t end,
		       bool keep)
{
	struct source source = {bytes, end, begin, MIB, 0, 0};
	struct cb_upload upload = {.read = give,
				   .progress = note,
				   .ctx = &source,
				   .size = end - begin,
				   .offset = begin,
				   .keep = keep};

	OK(f, volume_write, f->pool, "image", &upload);
	assert_true(source.progress == end - begin);
}

static bool part_is(struct fixture *f, const unsigned char *bytes, size_t begin, size_t end)
{
	const struct cb_extent extent = {.offset = begin, .size = end - begin};
	char wanted[CB_SHA256_HEX], found[CB_SHA256_HEX];

	cb_digest_of(bytes + begin, end - begin, wanted);
	OK(f, volume_digest, f->pool, "image", &extent, found);
	return strcmp(wanted, found) == 0;
}

/* Data, data with a hole, a hole, data, and a hole at the end. */
static void what_is_sent_in_parts_is_whole_and_sparse(struct fixture *f)
{
	static const size_t ends[] = {1 * MIB, 5 * MIB, 6 * MIB, 8 * MIB, 9 * MIB + 13};
	const size_t len = 9 * MIB + 13;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, len);
	size_t begin = 0;
	struct cb_volume volume;

	cb_random_bytes(bytes, 1 * MIB + 4096);
	cb_random_bytes(bytes + 6 * MIB, MIB);
	make_pool(f);
	OK(f, volume_create, &new);
	for (size_t i = 0; i < CB_COUNT(ends); begin = ends[i++])
		write_part(f, bytes, begin, ends[i], false);
	assert_true(part_is(f, bytes, 0, len));
	OK(f, pool_refresh, f->pool);
	OK(f, volume, &f->arena, f->pool, "image", &volume);
	assert_true(volume.capacity == len);
	if (f->world->offers & CB_WORLD_QEMU)
		assert_true(volume.allocation < 4 * MIB);
}

/* Also zeros over data: neither does the old show through nor is the rest cut off. */
static void a_part_can_be_sent_again(struct fixture *f)
{
	const size_t len = 4 * MIB + 13;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, len);

	cb_random_bytes(bytes, len);
	make_pool(f);
	OK(f, volume_create, &new);
	write_part(f, bytes, 0, 2 * MIB, false);
	write_part(f, bytes, 2 * MIB, len, false);
	memset(bytes + MIB, 0, MIB);
	assert_false(part_is(f, bytes, 0, 2 * MIB));
	assert_true(part_is(f, bytes, 2 * MIB, len));
	write_part(f, bytes, 0, 2 * MIB, true);
	assert_true(part_is(f, bytes, 0, len));
	/* The last ones, with nothing behind. */
	memset(bytes + 3 * MIB, 0, len - 3 * MIB);
	write_part(f, bytes, 2 * MIB, len, false);
	assert_true(part_is(f, bytes, 0, len));
}

/* What was sent before stands; what was half sent can be sent again, and is not taken for a hole.
 */
static void a_part_that_fails_leaves_those_before(struct fixture *f)
{
	const size_t len = 6 * MIB;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, len);
	struct source broken = {bytes, len, 2 * MIB, MIB, 5 * MIB, 0};
	struct cb_upload upload = {
		.read = give, .ctx = &broken, .size = len - 2 * MIB, .offset = 2 * MIB};

	cb_random_bytes(bytes, len);
	make_pool(f);
	OK(f, volume_create, &new);
	write_part(f, bytes, 0, 2 * MIB, false);
	FAILS(f, CB_E_INTERRUPTED, volume_write, f->pool, "image", &upload);
	assert_true(part_is(f, bytes, 0, 2 * MIB));
	memset(bytes + 2 * MIB, 0, 2 * MIB);
	write_part(f, bytes, 2 * MIB, len, false);
	assert_true(part_is(f, bytes, 0, len));
}

static void a_source_may_end_early(struct fixture *f)
{
	const size_t len = 4 * MIB;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, len);
	struct source shorter = {bytes, 3 * MIB, MIB, MIB, 0, 0};
	uint64_t taken = 0;
	struct cb_upload upload = {
		.read = give, .ctx = &shorter, .size = 3 * MIB, .offset = MIB, .taken = &taken};

	cb_random_bytes(bytes, len);
	make_pool(f);
	OK(f, volume_create, &new);
	write_part(f, bytes, 0, MIB, false);
	OK(f, volume_write, f->pool, "image", &upload);
	assert_true(taken == 2 * MIB);
	assert_true(part_is(f, bytes, 0, 3 * MIB));
	write_part(f, bytes, 3 * MIB, len, false);
	assert_true(part_is(f, bytes, 0, len));
}

/* As after a power cut that has lost the end of the file. */
static void a_part_behind_the_end_is_not_there(struct fixture *f)
{
	const struct cb_extent across = {.offset = 0, .size = 4 * MIB};
	const struct cb_extent at = {.offset = 2 * MIB, .size = MIB};
	const struct cb_extent behind = {.offset = 3 * MIB, .size = MIB};
	struct cb_volume_new new = {f->pool, "image", "raw", 2 * MIB, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, 2 * MIB);
	char found[CB_SHA256_HEX];

	cb_random_bytes(bytes, 2 * MIB);
	make_pool(f);
	OK(f, volume_create, &new);
	write_part(f, bytes, 0, 2 * MIB, false);
	FAILS(f, CB_E_CONFLICT, volume_digest, f->pool, "image", &across, found);
	FAILS(f, CB_E_CONFLICT, volume_digest, f->pool, "image", &at, found);
	/* libvirt itself would say that there are zeros. */
	FAILS(f, CB_E_CONFLICT, volume_digest, f->pool, "image", &behind, found);
	assert_true(part_is(f, bytes, 0, 2 * MIB));
}

/* A qcow2 file is uploaded into a raw volume of its length; what it is, the host sees then. */
static void an_uploaded_image_is_recognised(struct fixture *f)
{
	struct cb_volume_new new = {f->pool, "image.qcow2", "raw", 128 * 1024, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, 128 * 1024);
	static const unsigned char head[] = {
		'Q', 'F', 'I', 0xfb, 0,    0, 0, 3,             /* version 3 */
		0,   0,   0,   0,    0,    0, 0, 0, 0, 0, 0, 0, /* no backing file */
		0,   0,   0,   16,                              /* 64 KiB clusters */
		0,   0,   0,   0,    0x40, 0, 0, 0,             /* 1 GiB */
	};
	struct cb_volume volume;

	memcpy(bytes, head, sizeof(head));
	bytes[103] = 104; /* length of the header */
	bytes[99] = 4;    /* 16-bit reference counts */
	make_pool(f);
	OK(f, volume_create, &new);
	write_all(f, "image.qcow2", bytes, 128 * 1024, MIB);
	OK(f, pool_refresh, f->pool);
	OK(f, volume, &f->arena, f->pool, "image.qcow2", &volume);
	assert_string_equal(volume.format, "qcow2");
	assert_true(volume.capacity == UINT64_C(1) << 30);
	assert_null(volume.backing);
}

#define CASE(function, needs)                                                                      \
	{                                                                                          \
#		function, needs, function                                                         \
	}

static const struct test_case storage_cases[] = {
	CASE(a_pool_lives, 0),
	CASE(a_pool_has_a_uuid, 0),
	CASE(a_directory_has_one_pool, 0),
	CASE(a_directory_outlives_its_pool, CB_WORLD_TRANSFER),
	CASE(volumes_are_made_listed_and_deleted, CB_WORLD_TRANSFER),
	CASE(an_overlay_knows_its_base, CB_WORLD_TRANSFER),
	CASE(without_its_pool_nothing_is_known_of_a_volume, 0),
	CASE(a_foreign_file_shows_after_a_refresh_and_is_not_overwritten, CB_WORLD_FILES),
	CASE(what_is_written_is_read_back, CB_WORLD_TRANSFER),
	CASE(an_empty_image_is_an_image, CB_WORLD_TRANSFER),
	CASE(a_source_that_fails_is_told_and_can_be_tried_again, CB_WORLD_TRANSFER),
	CASE(what_is_sent_in_parts_is_whole_and_sparse, CB_WORLD_TRANSFER),
	CASE(a_part_can_be_sent_again, CB_WORLD_TRANSFER),
	CASE(a_part_that_fails_leaves_those_before, CB_WORLD_TRANSFER),
	CASE(a_source_may_end_early, CB_WORLD_TRANSFER),
	CASE(a_part_behind_the_end_is_not_there, CB_WORLD_TRANSFER),
	CASE(an_uploaded_image_is_recognised, CB_WORLD_TRANSFER),
};

#endif
