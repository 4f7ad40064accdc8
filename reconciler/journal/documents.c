#include "reconciler/journal/journal_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/fs.h"

enum { DOCUMENT_MAX = 16 * 1024 * 1024 }; /* libvirt takes 4 MiB */

static const char *document_path(struct cb_arena *arena, const struct cb_journal *j, unsigned step)
{
	return cb_arena_printf(arena, "%s/%u.xml", j->document_dir, step);
}

int cb_journal_save(struct cb_journal *journal, unsigned step, const void *bytes, size_t len,
		    struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *path = document_path(&arena, journal, step);
	int r;

	if ((r = cb_journal_check_poison(journal, err)) < 0)
		return r;
	if (cb_journal_outcome(journal))
		return cb_error_set(err, CB_E_INTERNAL, "transaction '%s' is closed", journal->id);
	if (len > DOCUMENT_MAX)
		return cb_error_set(err, CB_E_UNSUPPORTED, "the document of step %u is too large",
				    step);
	if (access(path, F_OK) == 0) {
		/* Kept, and made durable: the run that wrote it may have been killed before. That
		 * of the directory itself is, since the journal was opened. */
		r = cb_fs_sync_dir(journal->document_dir, err);
	} else {
		r = cb_fs_mkdirs(journal->document_dir, err);
		if (r == 0)
			r = cb_fs_write_atomic(path, bytes, len, err);
	}
	return r < 0 ? cb_journal_poison(journal, err) : 0;
}

int cb_journal_load(struct cb_journal *journal, unsigned step, struct cb_str *out,
		    struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	return cb_fs_read(document_path(&arena, journal, step), DOCUMENT_MAX, out, err);
}

/* Gone for good on return: they may hold secrets, and nobody looks for them once the journal is in
 * closed/. */
int cb_journal_remove_documents(const struct cb_journal *j, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int fd = open(j->document_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", j->document_dir);
	dir = fdopendir(fd);
	if (!dir)
		cb_oom();
	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = cb_fs_unlink(
				cb_arena_printf(&arena, "%s/%s", j->document_dir, entry->d_name),
				err);
	(void)closedir(dir);
	if (r < 0)
		return r;
	if (rmdir(j->document_dir) < 0)
		return cb_error_errno(err, errno, "cannot remove '%s'", j->document_dir);
	return cb_fs_sync_dir(j->open_dir, err);
}
