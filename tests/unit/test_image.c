/* What the first bytes of an image say, and which images are refused before any tool opens them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/storage/image.h"

/* A sound qcow2 header of version 3, 64 MiB. */
static void sound(unsigned char head[512])
{
	memset(head, 0, 512);
	memcpy(head, "QFI\xfb", 4);
	head[7] = 3;
	head[24 + 4] = 4; /* 0x04000000 */
	head[103] = 104;
}

static int look(const unsigned char *head, size_t len, const char **format, uint64_t *capacity,
		struct cb_error *err)
{
	return cb_image_header(head, len, "x.img", 1000, format, capacity, err);
}

static void accepts(const unsigned char *head, size_t len, const char *wanted, uint64_t size)
{
	cb_auto_error struct cb_error err = {0};
	const char *format = NULL;
	uint64_t capacity = 0;

	assert_int_equal(look(head, len, &format, &capacity, &err), 0);
	assert_string_equal(format, wanted);
	assert_int_equal(capacity, size);
}

static void refuses(const unsigned char *head, size_t len, const char *why)
{
	cb_auto_error struct cb_error err = {0};
	const char *format = NULL;
	uint64_t capacity = 0;

	assert_int_equal(look(head, len, &format, &capacity, &err), -CB_E_INVALID);
	if (!strstr(err.message, why))
		fail_msg("'%s' does not say '%s'", err.message, why);
	assert_non_null(strstr(err.message, "x.img"));
}

static void sound_headers_are_read(void **state)
{
	unsigned char head[512];

	(void)state;
	sound(head);
	accepts(head, sizeof(head), "qcow2", 64 << 20);
	head[79] = 1; /* dirty: QEMU repairs it at the next open */
	accepts(head, sizeof(head), "qcow2", 64 << 20);
	head[7] = 2;
	accepts(head, 72, "qcow2", 64 << 20);
	memset(head, 0, sizeof(head));
	accepts(head, sizeof(head), "raw", 1000);
	accepts((const unsigned char *)"QF", 2, "raw", 1000);
}

static void images_that_name_other_files_are_refused(void **state)
{
	unsigned char head[512];

	(void)state;
	sound(head);
	head[15] = 200;
	refuses(head, sizeof(head), "overlay on another file");
	sound(head);
	head[79] = 4;
	refuses(head, sizeof(head), "keeps its data in another file");
}

static void images_that_cannot_be_read_are_refused(void **state)
{
	unsigned char head[512];

	(void)state;
	sound(head);
	head[79] = 2;
	refuses(head, sizeof(head), "marked as corrupt");
	sound(head);
	head[72] = 0x80;
	refuses(head, sizeof(head), "features that are not known");
	sound(head);
	head[35] = 1;
	refuses(head, sizeof(head), "encrypted");
	sound(head);
	head[7] = 4;
	refuses(head, sizeof(head), "damaged");
	sound(head);
	refuses(head, 71, "damaged");
	refuses(head, 103, "damaged");
	refuses((const unsigned char *)"QFI\xfb", 4, "damaged");
}

static void other_formats_are_named(void **state)
{
	cb_auto_error struct cb_error err = {0};
	const char *format;
	uint64_t capacity;

	(void)state;
	refuses((const unsigned char *)"KDMV0000", 8, "VMDK");
	refuses((const unsigned char *)"vhdxfile", 8, "VHDX");
	refuses((const unsigned char *)"conectix", 8, "VHD");
	assert_int_equal(look((const unsigned char *)"QED\0", 4, &format, &capacity, &err),
			 -CB_E_INVALID);
	assert_non_null(strstr(err.hint, "qemu-img convert -O qcow2"));
}

static int inspect(const char *path, struct cb_image *image, struct cb_arena *arena,
		   struct cb_error *err)
{
	const struct cb_progress silent = {0};

	*image = (struct cb_image){0};
	return cb_image_inspect(arena, path, image, &silent, err);
}

static void files_are_inspected(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	char path[] = "/tmp/cb-image-XXXXXX";
	int fd = mkstemp(path);
	struct cb_image image;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(inspect(path, &image, &arena, &err), -CB_E_INVALID);
	assert_non_null(strstr(err.message, "is empty"));
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(inspect(path, &image, &arena, &err), 0);
	assert_string_equal(image.format, "raw");
	assert_int_equal(image.size, 3);
	assert_int_equal(image.capacity, 3);
	/* SHA-256 of "abc", FIPS 180-2 */
	assert_string_equal(image.digest,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(inspect(path, &image, &arena, &err), -CB_E_NOT_FOUND);
	assert_int_equal(inspect("/tmp", &image, &arena, &err), -CB_E_INVALID);
	assert_non_null(strstr(err.message, "not a regular file"));
	/* Opening a pipe must not wait for its writer. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(inspect(path, &image, &arena, &err), -CB_E_INVALID);
	assert_int_equal(unlink(path), 0);
}

static void an_interrupt_ends_the_reading(void **state)
{
	static const volatile sig_atomic_t flag = 1;
	const struct cb_progress progress = {.interrupted = &flag};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_image image = {0};

	(void)state;
	assert_int_equal(
		cb_image_inspect(&arena, "tests/golden/images/base.raw", &image, &progress, &err),
		-CB_E_INTERRUPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_headers_are_read),
		cmocka_unit_test(images_that_name_other_files_are_refused),
		cmocka_unit_test(images_that_cannot_be_read_are_refused),
		cmocka_unit_test(other_formats_are_named),
		cmocka_unit_test(files_are_inspected),
		cmocka_unit_test(an_interrupt_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
