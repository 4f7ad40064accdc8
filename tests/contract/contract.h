/*
 * contract.h: one suite over every host that driver.h promises the same of.
 *
 * A world is a kind of host together with what can be tried on it. Every case runs in every world
 * that offers what it needs, with a domain name, a UUID and a pool of its own.
 */
#ifndef CB_TESTS_CONTRACT_H
#define CB_TESTS_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/digest.h"
#include "reconciler/driver/driver.h"

/* What a world offers. */
enum {
	CB_WORLD_TRANSFER = 1 << 0, /* bytes go into volumes and come back */
	CB_WORLD_XML = 1 << 1,      /* documents are domain XML */
	CB_WORLD_QEMU = 1 << 2,     /* ... and libvirt means them seriously */
	CB_WORLD_FILES = 1 << 3,    /* files can be put behind the host's back */
	CB_WORLD_TROUBLE = 1 << 4,  /* somebody can stand between (trouble.h) */
};

struct world {
	const char *name;
	unsigned offers;
	const char *uri;
	int (*open)(const struct world *world, struct cb_driver **out, struct cb_error *err);
};

struct fixture {
	const struct world *world;
	struct cb_driver *host;
	struct cb_error err;
	struct cb_arena arena;
	char uuid[CB_UUID_SIZE];
	const char *name; /* of a domain, and of a network, that are not there yet */
	const char *pool; /* likewise */
	const char *pool_path;
};

struct test_case {
	const char *name; /* a sentence */
	unsigned needs;
	void (*run)(struct fixture *f);
};

#define CASE(function, needs)                                                                      \
	{                                                                                          \
#		function, needs, function                                                         \
	}

/* A call of an operation: CALL(f, domain_start, f->uuid). */
#define CALL(f, op, ...) ((f)->host->ops->op((f)->host, __VA_ARGS__, &(f)->err))
/* It succeeds; it fails with that code. */
#define OK(f, op, ...) cb_expect((f), CALL(f, op, __VA_ARGS__), 0, #op, __FILE__, __LINE__)
#define FAILS(f, code, op, ...)                                                                    \
	cb_expect((f), CALL(f, op, __VA_ARGS__), (code), #op, __FILE__, __LINE__)
void cb_expect(struct fixture *f, int r, int code, const char *what, const char *file, int line);

/* Where files of this run may lie. */
const char *cb_test_directory(void);
/* Puts a file beside the volumes, unknown to the host. */
void cb_test_foreign_file(struct fixture *f, const char *name, const char *content);
/* Something that runs the fixture's machine as far as anybody can see, and that the host has not
 * started: its process. It ends with this program at the latest. */
int cb_test_begin_stray(struct fixture *f);
void cb_test_end_stray(struct fixture *f, int pid);
/* The file's content, as the digest of its first `size` bytes; false where it is not there. */
bool cb_test_has_content(struct fixture *f, const char *name, const char *content);

/* A small domain: 64 MiB, one processor, no disk, no network. */
void cb_test_define(struct fixture *f);
struct cb_spec cb_test_spec(struct fixture *f);
struct cb_stamp *cb_test_stamp(struct fixture *f);
struct cb_domain cb_test_read(struct fixture *f);
void cb_test_set(struct fixture *f, struct cb_spec *spec, const char *path, struct cb_value value);
/* An edit of the domain as it is now. */
struct cb_domain_edit cb_test_edit(struct fixture *f, const struct cb_spec *set);
/* One path set, and the domain as it is then. */
struct cb_domain cb_test_change(struct fixture *f, const char *path, struct cb_value value);

/* The string at the path is that; NULL: nothing is there. */
void cb_test_string_is(const struct cb_spec *spec, const char *path, const char *value);
/* Every value of `set` is in `is`. */
void cb_test_reads(struct fixture *f, const struct cb_spec *is, const struct cb_spec *set);

#endif
