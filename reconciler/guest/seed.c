#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "reconciler/guest/guest_internal.h"

enum { SECTOR = 2048, FIRST_SECTOR = 16 };

struct file {
	const char *name;
	const struct cb_str *content;
	unsigned char filler;
};

static void close_archive(struct archive **archive)
{
	(void)archive_write_free(*archive);
}

static void free_entry(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

static int refused(struct archive *archive, struct cb_error *err)
{
	const char *why = archive_error_string(archive);

	return cb_error_set(err, CB_E_IO, "cannot make the seed image: %s",
			    why ? why : "libarchive does not say why");
}

static la_ssize_t take(struct archive *archive, void *ctx, const void *bytes, size_t len)
{
	(void)archive;
	cb_guest_room(ctx, len);
	cb_str_add_bytes(ctx, bytes, len);
	return (la_ssize_t)len;
}

/*
 * libarchive collects what goes into an ISO image in a temporary file, and what it holds here is
 * nobody else's business. So it gets filler of the same length, and the content takes its place
 * in the finished image, which has no checksums.
 */
static int add_filler(struct archive *archive, const struct file *file, struct cb_error *err)
{
	CB_CLEANUP(free_entry) struct archive_entry *entry = archive_entry_new();
	unsigned char block[SECTOR];

	if (!entry)
		cb_oom();
	memset(block, file->filler, sizeof(block));
	archive_entry_set_pathname(entry, file->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0400);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, (la_int64_t)file->content->len);
	if (archive_write_header(archive, entry) != ARCHIVE_OK)
		return refused(archive, err);
	for (size_t done = 0; done < file->content->len;) {
		size_t left = file->content->len - done;
		la_ssize_t n = archive_write_data(archive, block, left < SECTOR ? left : SECTOR);

		if (n <= 0)
			return refused(archive, err);
		done += (size_t)n;
	}
	return 0;
}

static bool is_filler(const struct cb_str *image, size_t at, const struct file *file)
{
	if (image->len - at < file->content->len)
		return false;
	for (size_t i = 0; i < file->content->len; i++) {
		if ((unsigned char)image->text[at + i] != file->filler)
			return false;
	}
	return true;
}

/* A file is one run of sectors. */
static int put_content(struct cb_str *image, const struct file *file, struct cb_error *err)
{
	for (size_t at = (size_t)FIRST_SECTOR * SECTOR; at < image->len; at += SECTOR) {
		if (is_filler(image, at, file)) {
			memcpy(image->text + at, file->content->text, file->content->len);
			return 0;
		}
	}
	return cb_error_set(err, CB_E_INTERNAL, "the seed image has no room for %s", file->name);
}

static int write_image(const struct file *files, size_t count, struct cb_str *out,
		       struct cb_error *err)
{
	CB_CLEANUP(close_archive) struct archive *archive = archive_write_new();
	int r;

	if (!archive)
		cb_oom();
	/* Joliet carries the label in lower case, as it is looked for; Rock Ridge the names, and in
	 * its strict form the modes: `useful` would have everybody in the guest read the files. */
	if (archive_write_set_format_iso9660(archive) != ARCHIVE_OK ||
	    archive_write_set_options(archive,
				      "iso9660:volume-id=cidata,iso9660:joliet,"
				      "iso9660:rockridge=strict,iso9660:!pad") != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open(archive, out, NULL, take, NULL) != ARCHIVE_OK)
		return refused(archive, err);
	for (size_t i = 0; i < count; i++) {
		r = add_filler(archive, &files[i], err);
		if (r < 0)
			return r;
	}
	return archive_write_close(archive) == ARCHIVE_OK ? 0 : refused(archive, err);
}

int cb_guest_seed(const struct cb_guest_files *files, struct cb_str *out, struct cb_error *err)
{
	const struct file all[] = {
		{"user-data", &files->user_data, 0xc1},
		{"meta-data", &files->meta_data, 0xc2},
		{"network-config", &files->network_config, 0xc3},
	};
	size_t count = files->network_config.len ? 3 : 2;
	int r;

	cb_str_wipe(out);
	r = write_image(all, count, out, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_content(out, &all[i], err);
	return r;
}
