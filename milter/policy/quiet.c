/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/policy/quiet.h"

/* Whether a stretch that begins on the day before, or on this day, covers the time; its end
 * in wall time. */
static gboolean
covers(const MrgQuiet *quiet, gint64 wall_s, gint64 *end_s)
{
    gint64 length_s = quiet->to_s - quiet->from_s;
    if (length_s <= 0)
        length_s += MRG_DAY_S;
    gint64 midnight_s = wall_s - ((wall_s % MRG_DAY_S) + MRG_DAY_S) % MRG_DAY_S;
    for (int days_ago = 1; days_ago >= 0; days_ago--) {
        gint64 start_s = midnight_s - days_ago * MRG_DAY_S + quiet->from_s;
        *end_s = start_s + length_s;
        if (wall_s >= start_s && wall_s < *end_s &&
            (quiet->days & 1u << mrg_weekday(midnight_s - days_ago * MRG_DAY_S)))
            return TRUE;
    }
    return FALSE;
}

const MrgQuiet *
mrg_quiet_at(const MrgPolicy *policy, const MrgCandidate *candidate, gint64 at_us,
             gint64 *until_us)
{
    const MrgZone *zone = candidate->zone;
    for (gsize i = 0; i < policy->n_quiets; i++) {
        const MrgQuiet *quiet = &policy->quiets[i];
        gint64 end_s;
        if (!mrg_classes_fit(quiet->classes, candidate->class_name) ||
            !covers(quiet, mrg_zone_wall(zone, at_us), &end_s))
            continue;
        *until_us = mrg_zone_instant(zone, end_s);
        /* In the hour that a clock put back repeats, the end has been once before. */
        if (*until_us > at_us)
            return quiet;
    }
    return NULL;
}
