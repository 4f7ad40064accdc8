/*
 * main for a fuzz target without libFuzzer: runs it once over each file given, and over each file
 * in the directories given. What the fuzzer found stays a test in every build.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"
#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 * 1024 * 1024 };

static int replay(const char *path, size_t *count);

static int replay_file(const char *path, size_t *count)
{
	cb_auto_str struct cb_str bytes = {0};
	cb_auto_error struct cb_error err = {0};
	uint8_t *copy;

	if (cb_fs_read(path, INPUT_MAX, &bytes, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	/* Exactly as large as the input, so that reading behind it is seen. */
	copy = malloc(bytes.len ? bytes.len : 1);
	if (!copy)
		cb_oom();
	if (bytes.len)
		memcpy(copy, bytes.text, bytes.len);
	/* Before, not after: it names the file that crashes. */
	(void)fprintf(stderr, "replay: %s\n", path);
	(void)LLVMFuzzerTestOneInput(copy, bytes.len);
	free(copy);
	++*count;
	return 0;
}

static int replay_directory(const char *path, size_t *count)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort), r = 0;

	if (n < 0) {
		(void)fprintf(stderr, "cannot list '%s'\n", path);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		cb_auto_arena struct cb_arena arena = {0};
		const char *name = names[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    replay(cb_arena_printf(&arena, "%s/%s", path, name), count) < 0)
			r = -1;
		free(names[i]);
	}
	free(names);
	return r;
}

static int replay(const char *path, size_t *count)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return replay_directory(path, count);
	return replay_file(path, count);
}

int main(int argc, char **argv)
{
	size_t count = 0;
	int status = 0;

	for (int i = 1; i < argc; i++) {
		if (replay(argv[i], &count) < 0)
			status = 1;
	}
	/* An empty corpus must not pass for a good one. */
	if (count == 0) {
		(void)fprintf(stderr, "usage: %s FILE|DIRECTORY...; nothing was replayed\n",
			      argv[0]);
		return 1;
	}
	printf("%zu inputs replayed\n", count);
	return status;
}
