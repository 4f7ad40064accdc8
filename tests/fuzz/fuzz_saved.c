/*
 * Any file as a saved plan: refused, or read as words of the right kinds; comparing it with what
 * was planned now does no harm, and nothing that a terminal acts on is said.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/clonebox/saved.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const char *path)
{
	struct cb_cli cli = {.plan = path}, effective = {.max_deletions = 1};
	struct cb_saved *saved = NULL;
	struct cb_lanes lanes = {0};

	if (cb_saved_read(&cli, &effective, &saved) != 0)
		return;
	for (size_t i = 0; i < effective.n_files; i++)
		CB_ASSERT(effective.files[i]);
	for (size_t i = 0; i < effective.n_words; i++)
		CB_ASSERT(effective.words[i]);
	for (size_t i = 0; i < effective.n_labels; i++)
		CB_ASSERT(effective.labels[i]);
	/* Nothing was planned: whatever the file says, it holds no more. */
	CB_ASSERT(cb_saved_check(&effective, &lanes) != 0);
	cb_saved_free(saved);
}

static void check_said(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		CB_ASSERT(((unsigned char)text[i] >= 0x20 || text[i] == '\n') && text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bounds bounds = bounds_begin();
	int fd = memfd_create("saved", MFD_CLOEXEC);
	FILE *terminal = stderr;
	char path[64], *said = NULL;
	size_t len = 0;

	CB_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* The fuzzer and the checkers write to the descriptor, not to the stream. */
	stderr = open_memstream(&said, &len);
	CB_ASSERT(stderr != NULL);
	use(path);
	(void)fclose(stderr);
	stderr = terminal;
	check_said(said, len);
	free(said);
	(void)close(fd);
	bounds_check(&bounds);
	return 0;
}
