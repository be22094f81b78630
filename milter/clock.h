/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: the only place that asks what time it is.
 *
 * Tests set MERGANSER_NOW (microseconds since 1970) before the program starts, and the
 * wall clock then stands still; deadlines run on the monotonic clock and are never faked.
 */
#ifndef MRG_CLOCK_H
#define MRG_CLOCK_H

#include <glib.h>

#define MRG_SECOND_US G_GINT64_CONSTANT(1000000)

/* Reads MERGANSER_NOW; once, before any thread. */
void mrg_clock_init(void);

/* Microseconds since 1970-01-01 UTC. */
gint64 mrg_clock_now_us(void);

#endif
