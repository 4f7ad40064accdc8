/*
 * measure.h: texts with a unit as numbers: durations, bytes, rates; and sets of processors.
 *
 * Numbers may have a fraction ("1.5h"). A bare number counts in `bare`, the name of one of the
 * units; "" takes none, except 0, which is the same in all of them. All return 0, or -1 where the
 * text is none of that kind; what is more than fits is INT64_MAX.
 */
#ifndef CB_SCHEMA_MEASURE_H
#define CB_SCHEMA_MEASURE_H

#include <stdint.h>

#include "reconciler/base/str.h"

/* "500ms", "90s", "15m", "12h", "5d", "4w" in milliseconds. */
int cb_measure_duration(const char *text, const char *bare, int64_t *ms);

/* "8G", "512MiB" (both binary: CloneBox's G is), "10GB" (decimal) in bytes. */
int cb_measure_bytes(const char *text, const char *bare, int64_t *bytes);

/* "100Mbps" in bits per second, decimal as networks have it. */
int cb_measure_rate(const char *text, int64_t *bits);

/* Appends the plain form of "0-3, 7": sorted, ranges joined. -1 where it is none. */
int cb_measure_cpus(const char *text, struct cb_str *out);

#endif
