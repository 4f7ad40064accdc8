#include "reconciler/source/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "reconciler/source/variables.h"

#define MANIFEST ".clonebox.yaml"

/* Directories in directories: no tree of manifests is deeper, and descriptors are few. */
enum { DEPTH_MAX = 64 };

struct seen {
	dev_t device;
	ino_t inode;
};

struct seen_vec {
	struct seen *items;
	size_t len, cap;
};

struct walk {
	struct cb_arena *arena;
	struct cb_source_texts *out;
	struct cb_error *err;
	struct seen_vec files;       /* that have been read */
	struct seen_vec directories; /* that have been walked for this path */
	size_t met;                  /* manifests, those met again included */
	bool stdin_read;
};

static void release_directory(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
	*dir = NULL;
}

#define auto_directory CB_CLEANUP(release_directory)

/* As cb_error_errno, but a path that leads nowhere is CB_E_NOT_FOUND. */
static int path_error(struct cb_error *err, int errnum, const char *path)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return cb_error_set(err, CB_E_NOT_FOUND, "'%s' does not exist", path);
	return cb_error_errno(err, errnum, "cannot read '%s'", path);
}

/* Real path, in the arena. */
static int real_path(struct walk *w, const char *path, const char **real)
{
	char *found = realpath(path, NULL);

	if (!found)
		return path_error(w->err, errno, path);
	*real = cb_arena_strdup(w->arena, found);
	free(found);
	return 0;
}

/* Directory part of a path, as it was written. */
static const char *parent_of(struct cb_arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/" : cb_arena_strndup(arena, path, (size_t)(slash - path));
}

static bool first_time(struct walk *w, const struct stat *st)
{
	struct seen_vec *vec = S_ISDIR(st->st_mode) ? &w->directories : &w->files;

	cb_vec_each (const struct seen, seen, vec) {
		if (seen->device == st->st_dev && seen->inode == st->st_ino)
			return false;
	}
	cb_vec_push(w->arena, vec, ((struct seen){st->st_dev, st->st_ino}));
	return true;
}

static int add_text(struct walk *w, int fd, const char *name, const char *directory,
		    const char *source)
{
	cb_auto_str struct cb_str bytes = {0};
	struct cb_manifest_text text = {.directory = directory, .source = source};
	int r = cb_source_variables(w->arena, directory, w->out->lenient, &text.variables, w->err);

	if (r < 0)
		return r;
	r = cb_fs_read_fd(fd, name, CB_MANIFEST_MAX, &bytes, w->err);
	if (r == -CB_E_INVALID) {
		/* Too large: the loader says so, with all other problems. It sees a text that is.
		 */
		cb_error_release(w->err);
		cb_str_clear(&bytes);
		while (bytes.len <= CB_MANIFEST_MAX)
			cb_str_add(&bytes, "\n");
	} else if (r < 0) {
		return r;
	}
	text.name = cb_arena_strdup(w->arena, name);
	text.bytes = cb_arena_strndup(w->arena, cb_str_text(&bytes), bytes.len);
	text.len = bytes.len;
	cb_vec_push(w->arena, w->out, text);
	return 0;
}

static int add_stdin(struct walk *w)
{
	const char *here;
	int r;

	if (w->stdin_read)
		return cb_error_set(w->err, CB_E_USAGE,
				    "standard input ('-') can be given only once");
	w->stdin_read = true;
	if ((r = real_path(w, ".", &here)) < 0)
		return r;
	return add_text(w, STDIN_FILENO, "-", here, "stdin");
}

/* A regular file. Relative names in it start where its name stands, also where that is a symbolic
 * link: this is the place that its reader sees. `source` NULL: that place. */
static int add_file(struct walk *w, int fd, const char *path, const char *source)
{
	const char *directory;
	int r;

	if ((r = real_path(w, parent_of(w->arena, path), &directory)) < 0)
		return r;
	if (!source)
		source = cb_arena_printf(w->arena, "file:%s", directory);
	return add_text(w, fd, path, directory, source);
}

/* A pipe, as <(...) of a shell gives: it has no place of its own. */
static int add_pipe(struct walk *w, int fd, const char *path)
{
	const char *here;
	int r = real_path(w, ".", &here);

	if (r < 0)
		return r;
	return add_text(w, fd, path, here, cb_arena_printf(w->arena, "file:%s", path));
}

/* What a shell's *.clonebox.yaml finds, and .clonebox.yaml: the lock files and swap files of
 * editors are hidden. */
static bool is_manifest(const char *name)
{
	size_t len = strlen(name);

	if (strcmp(name, MANIFEST) == 0)
		return true;
	return name[0] != '.' && len > strlen(MANIFEST) &&
	       strcmp(name + len - strlen(MANIFEST), MANIFEST) == 0;
}

static int compare_names(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

struct names {
	char **items;
	size_t len, cap;
};

/* All names in a directory that matter, sorted. */
static int list(struct walk *w, int fd, const char *path, struct names *names)
{
	auto_directory DIR *dir = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy < 0 || !(dir = fdopendir(copy))) {
		int errnum = errno;

		if (copy >= 0)
			(void)close(copy);
		return path_error(w->err, errnum, path);
	}
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		if (!(entry = readdir(dir)))
			break;
		/* Of the hidden names, only .clonebox.yaml counts. */
		if (entry->d_name[0] != '.' || is_manifest(entry->d_name))
			cb_vec_push(w->arena, names, cb_arena_strdup(w->arena, entry->d_name));
	}
	if (errno)
		return cb_error_errno(w->err, errno, "cannot list '%s'", path);
	if (names->len > 1)
		qsort(names->items, names->len, sizeof(*names->items), compare_names);
	return 0;
}

static int walk_directory(struct walk *w, int fd, const char *path, const char *source,
			  unsigned depth);

/* One name in a directory: a manifest, a directory, or nothing that matters. */
static int walk_entry(struct walk *w, int dir, const char *name, const char *path,
		      const char *source, unsigned depth)
{
	bool wanted = is_manifest(name);
	cb_auto_fd int fd = -1;
	struct stat st;

	if (fstatat(dir, name, &st, 0) < 0) {
		/* Other files may come and go, and links may dangle. */
		return wanted ? path_error(w->err, errno, path) : 0;
	}
	if (S_ISDIR(st.st_mode) ? name[0] == '.' : !wanted)
		return 0;
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return cb_error_set(w->err, CB_E_INVALID, "'%s' is not a regular file", path);
	/* O_NONBLOCK: should it have become a pipe since. */
	fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return path_error(w->err, errno, path);
	if (fstat(fd, &st) < 0)
		return path_error(w->err, errno, path);
	w->met += S_ISREG(st.st_mode);
	if (!first_time(w, &st))
		return 0;
	return S_ISDIR(st.st_mode) ? walk_directory(w, fd, path, source, depth + 1)
				   : add_file(w, fd, path, source);
}

static int walk_directory(struct walk *w, int fd, const char *path, const char *source,
			  unsigned depth)
{
	struct names names = {0};
	int r;

	if (depth > DEPTH_MAX)
		return cb_error_set(w->err, CB_E_INVALID,
				    "'%s': directories are nested more than %d deep", path,
				    DEPTH_MAX);
	if ((r = list(w, fd, path, &names)) < 0)
		return r;
	cb_vec_each (char *, name, &names) {
		const char *below = *name;

		/* What people type: a.clonebox.yaml for one in '.', and no double slashes. */
		if (strcmp(path, ".") != 0)
			below = cb_arena_printf(w->arena, "%s%s%s", path,
						path[strlen(path) - 1] == '/' ? "" : "/", *name);
		if ((r = walk_entry(w, fd, *name, below, source, depth)) < 0)
			return r;
	}
	return 0;
}

static int add_directory(struct walk *w, int fd, const struct stat *st, const char *path)
{
	size_t before = w->met, len = strlen(path);
	const char *real;
	int r;

	w->directories.len = 0;
	(void)first_time(w, st);
	while (len > 1 && path[len - 1] == '/')
		len--;
	path = cb_arena_strndup(w->arena, path, len);
	if ((r = real_path(w, path, &real)) < 0)
		return r;
	if ((r = walk_directory(w, fd, path, cb_arena_printf(w->arena, "file:%s", real), 0)) < 0)
		return r;
	if (w->met > before)
		return 0;
	(void)cb_error_set(w->err, CB_E_INVALID, "there is no manifest in directory '%s'", path);
	return cb_error_hint(w->err, "manifests are called '" MANIFEST "' or end in '" MANIFEST
				     "'; hidden directories are not looked into");
}

static int add_path(struct walk *w, const char *path)
{
	cb_auto_fd int fd = -1;
	struct stat st;

	if (strcmp(path, "-") == 0)
		return add_stdin(w);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return path_error(w->err, errno, path);
	if (S_ISDIR(st.st_mode))
		return add_directory(w, fd, &st, path);
	if (!S_ISREG(st.st_mode))
		return add_pipe(w, fd, path);
	return first_time(w, &st) ? add_file(w, fd, path, NULL) : 0;
}

int cb_source_files(struct cb_arena *arena, const char *const *paths, size_t n,
		    struct cb_source_texts *out, struct cb_error *err)
{
	struct walk w = {.arena = arena, .out = out, .err = err};
	int r;

	if (n == 0) {
		r = add_path(&w, MANIFEST);
		if (r == -CB_E_NOT_FOUND)
			return cb_error_hint(err,
					     "name a manifest with -f FILE or -f DIRECTORY, or "
					     "write one here; for example:\nvm:\n  name: dev\n  "
					     "base_image: ./debian-12.qcow2");
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		if ((r = add_path(&w, paths[i])) < 0)
			return r;
	}
	return 0;
}
