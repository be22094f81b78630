/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duration: "90s", "30m", "24h", "7d", "4w", and microseconds.
 */
#ifndef MRG_DURATION_H
#define MRG_DURATION_H

#include "base/arena.h"

/* FALSE for anything else than a whole number and one of the units. */
gboolean mrg_duration_parse(const char *text, gint64 *duration_us);

/* The largest unit that says it exactly, in the arena; a day is 24h, weeks are days, and
 * what is no whole second is microseconds. */
const char *mrg_duration_print(gint64 duration_us, MrgArena *arena);

#endif
