/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/clock.h"
#include "milter/duration.h"

#define DAY_S 86400

static const struct {
    char suffix;
    gint64 seconds;
} units[] = {{'w', 7 * DAY_S}, {'d', DAY_S}, {'h', 3600}, {'m', 60}, {'s', 1}};

gboolean
mrg_duration_parse(const char *text, gint64 *duration_us)
{
    char *end;
    guint64 n = g_ascii_strtoull(text, &end, 10);
    if (!g_ascii_isdigit(*text) || !*end || end[1])
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
        gint64 unit_us = units[i].seconds * MRG_SECOND_US;
        if (*end == units[i].suffix && n <= (guint64) (G_MAXINT64 / 4 / unit_us)) {
            *duration_us = (gint64) n * unit_us;
            return TRUE;
        }
    }
    return FALSE;
}

const char *
mrg_duration_print(gint64 duration_us, MrgArena *arena)
{
    gint64 seconds = duration_us / MRG_SECOND_US;
    if (duration_us % MRG_SECOND_US)
        return mrg_arena_printf(arena, "%" G_GINT64_FORMAT "us", duration_us);
    for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
        gboolean is_spoken =
            units[i].suffix != 'w' && !(units[i].suffix == 'd' && seconds == DAY_S);
        if (is_spoken && seconds && seconds % units[i].seconds == 0)
            return mrg_arena_printf(arena, "%" G_GINT64_FORMAT "%c",
                                    seconds / units[i].seconds, units[i].suffix);
    }
    return "0s";
}
