/*
 * compiler.h: the few compiler extensions that the code relies on.
 */
#ifndef CB_BASE_COMPILER_H
#define CB_BASE_COMPILER_H

/* A caller that ignores the result is a bug; overridable so that checkers without it can blank it.
 */
#ifndef CB_CHECKED
#	define CB_CHECKED __attribute__((warn_unused_result))
#endif

#define CB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CB_CLEANUP(fn)       __attribute__((cleanup(fn)))
#define CB_NORETURN          __attribute__((noreturn))
#define CB_UNUSED            __attribute__((unused))

/* Hands out an owned pointer and forgets it: `return CB_STEAL(p);`. */
#define CB_STEAL(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(p) cb_stolen_ = (p);                                                    \
		(p) = NULL;                                                                        \
		cb_stolen_;                                                                        \
	})

#define CB_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
