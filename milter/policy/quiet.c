/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/policy/quiet.h"

/* Whether a stretch that begins on the day before, or on this day, covers the time.  Its
 * ends are instants, so that an hour which a clock put back repeats makes no hole in it. */
static gboolean
covers(const MrgQuiet *quiet, const MrgZone *zone, gint64 at_us, gint64 *until_us)
{
    gint64 length_s = quiet->to_s - quiet->from_s;
    if (length_s <= 0)
        length_s += MRG_DAY_S;
    gint64 wall_s = mrg_zone_wall(zone, at_us);
    gint64 midnight_s = wall_s - ((wall_s % MRG_DAY_S) + MRG_DAY_S) % MRG_DAY_S;
    for (int days_ago = 1; days_ago >= 0; days_ago--) {
        gint64 day_s = midnight_s - days_ago * MRG_DAY_S;
        gint64 start_s = day_s + quiet->from_s;
        if (!(quiet->days & 1u << mrg_weekday(day_s)) ||
            at_us < mrg_zone_instant(zone, start_s))
            continue;
        *until_us = mrg_zone_instant(zone, start_s + length_s);
        if (at_us < *until_us)
            return TRUE;
    }
    return FALSE;
}

const MrgQuiet *
mrg_quiet_at(const MrgPolicy *policy, const MrgCandidate *candidate, gint64 at_us,
             gint64 *until_us)
{
    for (gsize i = 0; i < policy->n_quiets; i++) {
        const MrgQuiet *quiet = &policy->quiets[i];
        if (mrg_classes_fit(quiet->classes, candidate->class_name) &&
            covers(quiet, candidate->zone, at_us, until_us))
            return quiet;
    }
    return NULL;
}
