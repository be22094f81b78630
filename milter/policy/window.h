/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window: calendar days, weeks and months of a time zone, and wall times in it.
 *
 * A wall time is in seconds since 1970-01-01 00:00 as the clock on the wall counts them.
 * One that a change to summer time skips is the first instant after the gap; one that comes
 * twice is the first of the two.  Weeks begin on Monday (ISO 8601).
 *
 * OWNERSHIP  zones live as long as the process; there are as many as names that are asked
 *            for, and IANA's are a few hundred.
 * THREADS    any.
 */
#ifndef MRG_WINDOW_H
#define MRG_WINDOW_H

#include <glib.h>

typedef struct MrgZone MrgZone;

typedef enum {
    MRG_PERIOD_ROLLING,
    MRG_PERIOD_DAY,
    MRG_PERIOD_WEEK,
    MRG_PERIOD_MONTH
} MrgPeriod;

#define MRG_DAY_S 86400

/* By IANA's name, else the fallback's, else UTC.  Either may be NULL. */
const MrgZone *mrg_zone_find(const char *name, const char *fallback);

/* A zone that is NULL is UTC, here and below.
 * The wall clock's time at an instant, and the first instant that has a wall time. */
gint64 mrg_zone_wall(const MrgZone *zone, gint64 at_us);
gint64 mrg_zone_instant(const MrgZone *zone, gint64 wall_s);

/* The first instant of the calendar period that at_us lies in, and of the next one. */
gint64 mrg_period_start(MrgPeriod period, const MrgZone *zone, gint64 at_us);
gint64 mrg_period_next(MrgPeriod period, const MrgZone *zone, gint64 at_us);

/* 0 is Monday. */
guint mrg_weekday(gint64 wall_s);

/* "21:30" in seconds of the day; "24:00" too. */
gboolean mrg_clock_time_parse(const char *text, gint64 *second);

#endif
