/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/policy/cap.h"
#include "milter/policy/history.h"

static gboolean
is_name(const char *name)
{
    gsize length = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-");
    return !name[length] && length >= 1 && length <= 64;
}

/* ---- what is kept ------------------------------------------------------- */

gint64
mrg_policy_horizon_us(const MrgPolicy *policy)
{
    gint64 horizon_us = policy->has_wishes ? MRG_WISH_SPAN_US : 0;
    for (gsize i = 0; i < policy->n_caps; i++) {
        const MrgCap *cap = &policy->caps[i];
        horizon_us = MAX(horizon_us, mrg_cap_span_us(cap));
        horizon_us = MAX(horizon_us, cap->adaptive_window_us);
    }
    return horizon_us;
}

/* As many of the newest as make the limit are all that it takes to reach it: at any time
 * from now on, what is newer than a copy that counts, counts too. */
static guint
newest_of(const MrgCap *cap)
{
    guint limit = cap->is_adaptive ? MAX(cap->limit, cap->limit_max) : cap->limit;
    return MAX(limit == MRG_UNLIMITED ? 0 : limit, cap->min_gap_us ? 1 : 0);
}

static void
mark(const MrgCap *cap, const MrgSends *sends, gint64 now_us, gboolean *is_needed)
{
    guint n_left = newest_of(cap);
    gint64 until_us = now_us - mrg_cap_span_us(cap);
    for (gsize i = sends->n; i-- > 0 && sends->list[i].at_us > until_us;) {
        gboolean is_held = sends->list[i].kind == MRG_SEND_HELD;
        if ((is_held || n_left) && mrg_cap_counts(cap, &sends->list[i])) {
            is_needed[i] = TRUE;
            n_left -= !is_held;
        }
    }
}

/* Somebody without a household has what counts for one on their own account. */
static gboolean
looks_at(const MrgCap *cap, const MrgSends *sends)
{
    return cap->scope == sends->scope || sends->scope == MRG_SCOPE_PERSON;
}

gboolean
mrg_history_forget(MrgSend *list, gsize *n, gsize n_most, MrgScope scope,
                   const MrgPolicy *policy, gint64 now_us, MrgArena *arena)
{
    static const MrgPreference any = {MRG_WISH_MAX, MRG_WISH_SPAN_US};
    if (*n <= n_most)
        return TRUE;
    const MrgSends all = {.list = list, .n = *n, .scope = scope};
    gboolean *is_needed = mrg_arena_array(arena, gboolean, *n);
    const MrgCap wish = mrg_preference_cap(&any);
    gsize n_kept = 0, n_over = *n - n_most;
    for (gsize i = 0; i < *n; i++) /* of release, which asks what it was */
        is_needed[i] = list[i].kind == MRG_SEND_HELD && scope == MRG_SCOPE_PERSON;
    for (gsize i = 0; i < policy->n_caps; i++)
        if (looks_at(&policy->caps[i], &all))
            mark(&policy->caps[i], &all, now_us, is_needed);
    if (policy->has_wishes && looks_at(&wish, &all))
        mark(&wish, &all, now_us, is_needed);
    for (gsize i = 0; i < *n; i++) {
        if (n_over && !is_needed[i])
            n_over--;
        else
            list[n_kept++] = list[i];
    }
    *n = n_kept;
    return !n_over;
}

/* ---- how it is written --------------------------------------------------- */

static const char *
or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void
write_send(GString *text, const MrgSend *send)
{
    gboolean is_plain = send->kind == MRG_SEND_SENT && (!send->sender || !*send->sender) &&
                        (!send->tags || !*send->tags);
    g_string_append_printf(text, "%" G_GINT64_FORMAT " %s %s", send->at_us,
                           send->class_name, send->campaign);
    if (!is_plain)
        g_string_append_printf(text, " %s %s %c", or_dash(send->sender),
                               or_dash(send->tags), MRG_SEND_KINDS[send->kind]);
    g_string_append_c(text, '\n');
}

static gint64
time_of_new(const MrgSends *sends, const MrgSend *send)
{
    gint64 at_us = MAX(send->at_us, 0);
    for (gsize i = sends->n; send->kind != MRG_SEND_HELD && i-- > 0;)
        if (sends->list[i].kind != MRG_SEND_HELD)
            return MAX(at_us, sends->list[i].at_us);
    return at_us;
}

/* The list with the new one in its place; returns their number. */
static gsize
insert(MrgSend *list, const MrgSends *sends, const MrgSend *send, gint64 forgotten_us)
{
    MrgSend new = *send;
    gboolean is_in = FALSE;
    gsize n = 0;
    new.at_us = time_of_new(sends, send);
    for (gsize i = 0; i < sends->n; i++) {
        const MrgSend *old = &sends->list[i];
        if (!is_in && old->at_us > new.at_us) {
            list[n++] = new;
            is_in = TRUE;
        }
        if (old != sends->copy && old->at_us > forgotten_us)
            list[n++] = *old;
    }
    if (!is_in)
        list[n++] = new;
    return n;
}

const char *
mrg_history_append(const MrgSends *sends, const MrgSend *send, const MrgPolicy *policy,
                   gint64 now_us, MrgArena *arena, GError **error)
{
    g_assert(is_name(send->class_name) && is_name(send->campaign));
    gint64 forgotten_us = MAX(now_us, 0) - mrg_policy_horizon_us(policy);
    MrgSend *list = mrg_arena_array(arena, MrgSend, sends->n + 1);
    gsize n = insert(list, sends, send, forgotten_us);
    if (!mrg_history_forget(list, &n, MRG_HISTORY_MAX, sends->scope, policy, now_us,
                            arena)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_HISTORY,
                    "caps look at each of %d copies, and one more is more than are kept",
                    MRG_HISTORY_MAX);
        return NULL;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        write_send(text, &list[i]);
    return mrg_arena_dup(arena, text->str, text->len);
}
