/*
 * schedule.h: when something is due: "minute hour day-of-month month day-of-week", as cron has it.
 *
 * Numbers, `*`, lists, ranges, steps, names of months and days; 7 is Sunday as 0 is; @hourly,
 * @daily, @midnight, @weekly, @monthly, @yearly and @annually.
 */
#ifndef CB_SCHEMA_SCHEDULE_H
#define CB_SCHEMA_SCHEDULE_H

#include "reconciler/base/arena.h"

/*
 * NULL, and the schedule's plain form: five fields of numbers, a blank between each two. Else what
 * is wrong, to be put behind the name of the key; in the arena.
 */
const char *cb_schedule_parse(struct cb_arena *arena, const char *text, const char **plain);

#endif
