/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/duration.h"
#include "milter/policy/cap.h"
#include "milter/policy/consent.h"

gboolean
mrg_cap_applies(const MrgCap *cap, const char *class_name)
{
    if (cap->class_name)
        return strcmp(cap->class_name, class_name) == 0;
    return strcmp(class_name, MRG_CLASS_TRANSACTIONAL) != 0;
}

guint
mrg_cap_used(const MrgCap *cap, const MrgStateView *state, gint64 now_us)
{
    guint used = 0;
    for (gsize i = state->n_sends; i-- > 0;) {
        if (state->sends[i].at_us <= now_us - cap->per_us)
            break;
        used += mrg_cap_applies(cap, state->sends[i].class_name);
    }
    return used;
}

/* The nth copy that the cap looks at, the newest is 1; NULL when there are fewer. */
static const MrgSend *
nth_newest(const MrgCap *cap, const MrgStateView *state, guint n)
{
    for (gsize i = state->n_sends; i-- > 0;)
        if (mrg_cap_applies(cap, state->sends[i].class_name) && --n == 0)
            return &state->sends[i];
    return NULL;
}

/* When the limit lets one more through: when the copy that now stands at the limit from
 * the newest has left the window. */
static gint64
limit_passes_at(const MrgCap *cap, const MrgStateView *state)
{
    const MrgSend *send = cap->limit ? nth_newest(cap, state, cap->limit) : NULL;
    return send ? send->at_us + cap->per_us : 0;
}

const char *
mrg_cap_reason(const MrgCap *cap, const MrgStateView *state, gint64 now_us,
               gint64 *retry_at_us, MrgArena *arena)
{
    const MrgSend *last = nth_newest(cap, state, 1);
    gint64 gap_ends_us = last && cap->min_gap_us ? last->at_us + cap->min_gap_us : 0;
    guint used = mrg_cap_used(cap, state, now_us);
    *retry_at_us = 0;
    if (used >= cap->limit) {
        if (cap->limit)
            *retry_at_us = MAX(limit_passes_at(cap, state), gap_ends_us);
        return mrg_arena_printf(arena, "cap: %s (%u of %u in %s)", cap->name, used,
                                cap->limit, mrg_duration_print(cap->per_us, arena));
    }
    if (gap_ends_us > now_us) {
        *retry_at_us = gap_ends_us;
        return mrg_arena_printf(arena, "cap: %s (the last one under %s ago)", cap->name,
                                mrg_duration_print(cap->min_gap_us, arena));
    }
    return NULL;
}
