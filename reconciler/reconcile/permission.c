#include "reconciler/reconcile/permission.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* As libvirt does it: the groups that the user has in the host's database, too. */
static bool in_group(const struct cb_host *host, gid_t group)
{
	enum { MOST = 64 };

	struct passwd entry, *found = NULL;
	gid_t groups[MOST];
	char buffer[4096];
	int n = MOST;

	if (group == host->emulator_gid)
		return true;
	if (getpwuid_r(host->emulator_uid, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	if (getgrouplist(entry.pw_name, host->emulator_gid, groups, &n) < 0)
		n = MOST;
	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static bool may_enter(const struct cb_host *host, const char *directory)
{
	struct stat st;

	if (stat(directory, &st) < 0 || !S_ISDIR(st.st_mode))
		return true;
	/* What a list allows is not for the mode to say. */
	if (getxattr(directory, "system.posix_acl_access", NULL, 0) > 0)
		return true;
	if (st.st_uid == host->emulator_uid)
		return st.st_mode & S_IXUSR;
	if (in_group(host, st.st_gid))
		return st.st_mode & S_IXGRP;
	return st.st_mode & S_IXOTH;
}

const char *cb_permission_denied_at(struct cb_arena *arena, const struct cb_host *host,
				    const char *path)
{
	if (!host->local || !host->emulator_known || host->emulator_uid == 0)
		return NULL;
	for (const char *end = path; end && *end; end = strchr(end + 1, '/')) {
		const char *directory =
			end == path ? "/" : cb_arena_strndup(arena, path, (size_t)(end - path));

		if (!may_enter(host, directory))
			return directory;
	}
	return may_enter(host, path) ? NULL : path;
}
