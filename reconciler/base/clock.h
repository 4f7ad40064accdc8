/*
 * clock.h: the only place that asks for the time or for random bytes.
 *
 * Pure modules get both as arguments.
 */
#ifndef CB_BASE_CLOCK_H
#define CB_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { CB_UUID_SIZE = 37, CB_TIME_SIZE = 24 };

/* Milliseconds on a clock that never jumps. */
uint64_t cb_clock_ms(void);

/* Seconds since the epoch. */
int64_t cb_clock_now(void);

/* "2026-01-31T12:50:02Z" */
void cb_clock_format(int64_t when, char out[CB_TIME_SIZE]);

void cb_clock_sleep_ms(unsigned ms);

/* Random bytes from the kernel; ends the program if there are none. */
void cb_random_bytes(void *out, size_t len);

/* A random (version 4) UUID as text. */
void cb_random_uuid(char out[CB_UUID_SIZE]);

/* The same from 16 bytes that the caller has. */
void cb_uuid_format(unsigned char bytes[16], char out[CB_UUID_SIZE]);

#endif
