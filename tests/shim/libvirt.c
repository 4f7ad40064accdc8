/*
 * The libvirt half of the shim: what the trampolines call before and after a function of calls.def.
 * Nothing here knows a signature.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CB_CALL(n, c, r)                                                                           \
	__attribute__((visibility("hidden"))) struct cb_shim_row cb_shim_row_##n = {               \
		.name = #n, .class = CB_SHIM_##c, .returns = CB_SHIM_##r};
#include "calls.def"
#undef CB_CALL

static struct cb_shim_row *const rows[] = {
#define CB_CALL(n, c, r) &cb_shim_row_##n,
#include "calls.def"
#undef CB_CALL
};

/* One call, as it lies in the trampoline's frame: trampoline.S knows the offsets. */
struct cb_shim_call {
	void *caller;     /*  0: where the call returns to */
	uintptr_t value;  /*  8: what it returns, in rax */
	uintptr_t counts; /* 16: come back to cb_shim_after */
	struct cb_effect effect;
};

_Static_assert(offsetof(struct cb_shim_call, value) == 8, "trampoline.S");
_Static_assert(offsetof(struct cb_shim_call, counts) == 16, "trampoline.S");
_Static_assert(sizeof(struct cb_shim_call) <= 64, "trampoline.S");

struct cb_shim_row *cb_shim_libvirt_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i]->name, name))
			return rows[i];
	return NULL;
}

/* In libvirt's own libraries: also those that a program loaded for itself alone (RTLD_LOCAL). */
static void *find(void **slot, const char *name)
{
	static const char *const libraries[] = {"libvirt.so.0", "libvirt-qemu.so.0"};
	void *found = cb_shim_next(slot, name);

	for (size_t i = 0; !found && i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
		if (!library)
			continue;
		found = dlsym(library, name);
		dlclose(library);
	}
	if (found)
		__atomic_store_n(slot, found, __ATOMIC_RELEASE);
	return found;
}

/*
 * Does libvirt call itself? Not the depth of the call says so but the place it comes from: a
 * callback of the program below virStreamSendAll is the program's, a driver's own thread is not. A
 * place in this very library is libvirt too: a counted function ended by jumping into another one
 * (virDomainCreateLinux does).
 */
static bool from_libvirt(void *caller)
{
	struct dl_find_object object, self;

	if (_dl_find_object(caller, &object) != 0)
		return false;
	if (_dl_find_object(&cb_shim, &self) == 0 && object.dlfo_link_map == self.dlfo_link_map)
		return true;
	const char *path = object.dlfo_link_map->l_name;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	static const char *const ours[] = {
		"libvirt.so", "libvirt_", "libvirt-qemu.so", "libvirt-lxc.so", "libvirt-admin.so",
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strncmp(name, ours[i], strlen(ours[i])))
			return true;
	return false;
}

/* As a public function of libvirt leaves it: the thread's last error set, the callback told. */
static uintptr_t fail(const struct cb_shim_row *row)
{
	static void *set_slot, *dispatch_slot;
	void (*set)(virErrorPtr) = (void (*)(virErrorPtr))find(&set_slot, "virSetError");
	void (*dispatch)(virConnectPtr) =
		(void (*)(virConnectPtr))find(&dispatch_slot, "virDispatchError");
	char message[128];

	snprintf(message, sizeof(message), "injected failure of %s", row->name);
	if (set) {
		virError error = {
			.code = cb_shim.vir_code,
			.domain = cb_shim.vir_domain,
			.level = VIR_ERR_ERROR,
			.message = message,
			.str1 = message,
			.int1 = -1,
			.int2 = -1,
		};
		set(&error);
		if (dispatch)
			dispatch(NULL);
	}
	errno = cb_shim.error;
	return row->returns == CB_SHIM_int ? UINTPTR_MAX : 0;
}

/* What to call, or NULL: return call->value at once. */
void *cb_shim_before(struct cb_shim_call *call, struct cb_shim_row *row)
{
	int saved = errno;
	void *next = find(&row->next, row->name);
	bool read = row->class == CB_SHIM_read;

	if (!next) {
		fprintf(stderr, "shim: nobody defines %s\n", row->name);
		abort();
	}
	call->counts = 0;
	errno = saved;
	if (read && !cb_shim.log_all && row != cb_shim.fail_row)
		return next;
	if (!cb_shim_watching())
		return next;
	if (read || from_libvirt(call->caller)) {
		bool nested = from_libvirt(call->caller);
		if (cb_shim.log_all)
			cb_shim_log(0, row->name, nested ? "nested" : "read", "", NULL);
		errno = saved;
		if (nested || !cb_shim_fails_by_name(row))
			return next;
		call->value = fail(row);
		return NULL;
	}

	call->effect = (struct cb_effect){.row = row};
	if (!cb_shim_begin(&call->effect)) {
		call->value = fail(row);
		return NULL;
	}
	call->counts = 1;
	return next;
}

void cb_shim_after(struct cb_shim_call *call)
{
	const struct cb_shim_row *row = call->effect.row;
	bool good = row->returns == CB_SHIM_int ? (int)call->value >= 0 : call->value != 0;

	if (!cb_shim_end(&call->effect, good))
		call->value = fail(row);
}
