/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/policy/consent.h"

#define RECEIVE "receive"
#define RECEIVE_CLASS "receive:"
#define CLASS_SCOPE "class:"
#define LIST_SCOPE "list:"
#define REASON_MAX 32

static const MrgConsent none = {"", MRG_CONSENT_UNKNOWN, 0, ""};

/* That of the purpose, or of prefix and purpose; the strictest, where one is recorded
 * twice: denied is the greatest. */
static const MrgConsent *
recorded(const MrgState *state, const char *prefix, const char *purpose)
{
    const MrgConsent *found = &none;
    gsize length = strlen(prefix);
    for (gsize i = 0; i < state->n_consents; i++) {
        const MrgConsent *consent = &state->consents[i];
        if (strncmp(consent->purpose, prefix, length) == 0 &&
            strcmp(consent->purpose + length, purpose) == 0 &&
            consent->state > found->state)
            found = consent;
    }
    return found;
}

gboolean
mrg_consent_is_granted(const MrgStateView *state, const char *purpose,
                       MrgConsentState fallback)
{
    MrgConsentState found = recorded(state->state, "", purpose)->state;
    return (found == MRG_CONSENT_UNKNOWN ? fallback : found) == MRG_CONSENT_GRANTED;
}

static gboolean
is_transactional(const char *class_name)
{
    return strcmp(class_name, MRG_CLASS_TRANSACTIONAL) == 0;
}

/* Mail of one class has a consent of its own, which counts before the general one; but
 * whoever withdrew the general one after granting this means this, too. */
static gboolean
decides_alone(const MrgConsent *of_class, const MrgConsent *of_all)
{
    return of_class->state == MRG_CONSENT_DENIED ||
           (of_class->state == MRG_CONSENT_GRANTED &&
            (of_all->state != MRG_CONSENT_DENIED || of_all->at_us <= of_class->at_us));
}

const char *
mrg_consent_reason(const MrgStateView *state, const char *class_name,
                   MrgConsentState fallback)
{
    const MrgConsent *of_class = recorded(state->state, RECEIVE_CLASS, class_name);
    const MrgConsent *of_all = recorded(state->state, "", RECEIVE);
    if (decides_alone(of_class, of_all))
        return of_class->state == MRG_CONSENT_DENIED
                   ? "consent: receive denied for this class"
                   : NULL;
    switch (of_all->state) {
    case MRG_CONSENT_GRANTED:
        return NULL;
    case MRG_CONSENT_DENIED:
        return "consent: receive denied";
    case MRG_CONSENT_UNKNOWN:
        break;
    }
    if (fallback == MRG_CONSENT_GRANTED || is_transactional(class_name))
        return NULL;
    return "consent: receive not granted";
}

static gboolean
is_one_of(const char *word, const char *const *words)
{
    return g_strv_contains(words, word);
}

/* Whether this suppression is about mail of this class; expired ones stop nothing. */
static gboolean
stops(const MrgSuppression *suppression, const MrgCandidate *candidate, gint64 now_us)
{
    static const char *const also_receipts[] = {"bounced", "erased", "manual", NULL};
    const char *class_name = candidate->class_name;
    if (suppression->until_us && suppression->until_us <= now_us)
        return FALSE;
    if (g_str_has_prefix(suppression->scope, CLASS_SCOPE))
        return strcmp(suppression->scope + strlen(CLASS_SCOPE), class_name) == 0;
    if (g_str_has_prefix(suppression->scope, LIST_SCOPE))
        return candidate->list &&
               strcmp(suppression->scope + strlen(LIST_SCOPE), candidate->list) == 0;
    return !is_transactional(class_name) || is_one_of(suppression->reason, also_receipts);
}

/* The reason stands in logs, so nothing but a plain word gets there. */
static const char *
plain_reason(const char *reason)
{
    gsize length = strspn(reason, "abcdefghijklmnopqrstuvwxyz_-");
    return length && length <= REASON_MAX && !reason[length] ? reason : "other";
}

const char *
mrg_suppression_reason(const MrgStateView *state, const MrgCandidate *candidate,
                       gint64 now_us, MrgArena *arena)
{
    for (gsize i = 0; i < state->state->n_suppressions; i++) {
        const MrgSuppression *suppression = &state->state->suppressions[i];
        if (stops(suppression, candidate, now_us))
            return mrg_arena_printf(arena, "suppressed: %s",
                                    plain_reason(suppression->reason));
    }
    return NULL;
}

static gboolean
is_young(gint64 at_us, gint64 pause_us, gint64 now_us)
{
    return pause_us && at_us > now_us - pause_us;
}

/* What the collector heard of, besides what suppressed the person. */
static gboolean
complained(const MrgState *state, gint64 pause_us, gint64 now_us)
{
    const char *text = pause_us && state->engagement ? state->engagement : "";
    while (*text) {
        char *kind;
        gint64 at_us = g_ascii_strtoll(text, &kind, 10);
        if (g_str_has_prefix(kind, " complaint\n") && is_young(at_us, pause_us, now_us))
            return TRUE;
        text = kind + strcspn(kind, "\n");
        text += *text == '\n';
    }
    return FALSE;
}

const char *
mrg_pause_reason(const MrgPolicy *policy, const MrgStateView *state,
                 const MrgCandidate *candidate, gint64 now_us)
{
    if (is_transactional(candidate->class_name))
        return NULL;
    for (gsize i = 0; i < state->state->n_suppressions; i++) {
        const MrgSuppression *suppression = &state->state->suppressions[i];
        if (strcmp(suppression->reason, "complained") == 0 &&
            is_young(suppression->at_us, policy->pause_complaint_us, now_us))
            return "paused: complained";
        if (strcmp(suppression->reason, "unsubscribed") == 0 &&
            is_young(suppression->at_us, policy->pause_unsubscribe_us, now_us))
            return "paused: unsubscribed";
    }
    return complained(state->state, policy->pause_complaint_us, now_us)
               ? "paused: complained"
               : NULL;
}
