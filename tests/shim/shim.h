/*
 * What the parts of the shim share; shim.c says what the shim is for.
 *
 * Calling sequence around anything that counts:
 *
 *     struct cb_effect effect = {.row = row, .detail = "..."};
 *     if (!cb_shim_begin(&effect))
 *             return failure;                     not performed: a failure was asked for
 *     result = perform();
 *     if (!cb_shim_end(&effect, result is good))
 *             return failure;                     performed, but the caller must not learn it
 *     return result;
 *
 * Both may end the process, that is their purpose. Both keep errno, except that a false return
 * leaves the injected one.
 */
#ifndef CB_TESTS_SHIM_H
#define CB_TESTS_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Seen by the other files of this library, not by the program. */
#pragma GCC visibility push(hidden)

#define CB_SHIM_DETAIL   2048
#define CB_SHIM_PREFIXES 8

enum cb_shim_class { CB_SHIM_read, CB_SHIM_modify, CB_SHIM_libc };

enum cb_shim_returns { CB_SHIM_int, CB_SHIM_ptr, CB_SHIM_zero, CB_SHIM_none };

/* One function that is watched. */
struct cb_shim_row {
	const char *name;
	enum cb_shim_class class;
	enum cb_shim_returns returns;
	void *next;          /* what we stand in front of; looked up at the first call */
	unsigned long calls; /* so far, of those that can be made to fail */
};

/* One call of such a function. */
struct cb_effect {
	struct cb_shim_row *row;
	const char *detail;
	unsigned long number; /* in the one order of all effects, from 1 */
	bool late;            /* perform it, then deny it */
};

/* What the environment asked for; constant once the program runs. */
struct cb_shim_config {
	bool ready;
	bool log_all;
	pid_t pid; /* a child has another one, also a child of vfork, which shares our memory */
	int error;
	int vir_code;
	int vir_domain;
	size_t n_prefixes;
	char prefix[CB_SHIM_PREFIXES][CB_SHIM_DETAIL];
	struct cb_shim_row *fail_row;
	char sites[CB_SHIM_DETAIL]; /* the paths and words of the variables about syncs, or "" */
	char drop[CB_SHIM_DETAIL];
	char sync[CB_SHIM_DETAIL];
};

extern struct cb_shim_config cb_shim;

bool cb_shim_watching(void);
bool cb_shim_begin(struct cb_effect *effect);
bool cb_shim_end(struct cb_effect *effect, bool good);

/* A call that is not an effect: counted towards CB_SHIM_FAIL_NAME only; true: let it fail. */
bool cb_shim_fails_by_name(struct cb_shim_row *row);

void cb_shim_log(unsigned long number, const char *name, const char *when, const char *detail,
		 const char *result);

/* The next definition of a symbol behind this library, or NULL. */
void *cb_shim_next(void **slot, const char *name);

/* Whether this very sync shall do nothing and succeed; notes where it was called from. */
bool cb_shim_drops_sync(const char *name);
/* Stands in for sync() where that is confined; false: it is not. */
bool cb_shim_sync_some(void);

struct cb_shim_call;
void *cb_shim_before(struct cb_shim_call *call, struct cb_shim_row *row);
void cb_shim_after(struct cb_shim_call *call);

struct cb_shim_row *cb_shim_libvirt_row(const char *name);
struct cb_shim_row *cb_shim_libc_row(const char *name);

/* The path without symbolic links, also if its end does not exist; false: cannot be said. */
bool cb_shim_canonical(int dirfd, const char *path, char out[static CB_SHIM_DETAIL]);

#pragma GCC visibility pop

#endif
