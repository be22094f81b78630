/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "base/utf8.h"
#include "milter/registry.h"
#include "milter/store-check.h"

#define VALUE_BYTES_MAX (1024 * 1024) /* longer ones are no merge fields */
#define ADDRESS_BYTES_MAX 1024        /* more than RFC 5321, 4.5.3.1 allows, in UTF-8 */

gboolean
mrg_store_is_text(const char *text, gsize max)
{
    gsize length = text ? strnlen(text, max + 1) : 0;
    return text && length <= max && mrg_utf8_is_valid(text, length);
}

gboolean
mrg_store_is_word(const char *text, gsize max)
{
    return mrg_store_is_text(text, max) && text[0];
}

gboolean
mrg_store_fail(GError **error, const char *what)
{
    g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, what);
    return FALSE;
}

static gboolean
fail_person(GError **error, const MrgPersonKey *person, const char *what)
{
    char key[2 * MRG_KEY_BYTES + 1];
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        g_snprintf(key + 2 * i, 3, "%02x", person->bytes[i]);
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, "person %s: %s", key,
                what);
    return FALSE;
}

/* ---- fields ------------------------------------------------------------ */

/* RFC 8259, 6: the characters of a number, and something in it to count. */
static gboolean
is_number(const char *text, gsize length)
{
    gboolean has_digit = FALSE;
    for (gsize i = 0; i < length; i++) {
        if (g_ascii_isdigit(text[i]))
            has_digit = TRUE;
        else if (!text[i] || !strchr("+-.eE", text[i]))
            return FALSE;
    }
    return has_digit;
}

static gboolean
is_boolean(const MrgField *field)
{
    return (field->length == 4 && memcmp(field->text, "true", 4) == 0) ||
           (field->length == 5 && memcmp(field->text, "false", 5) == 0);
}

/* NULL when the field can be what it says. */
static const char *
field_fault(const MrgField *field)
{
    if (field->type == MRG_FIELD_MISSING || field->type == MRG_FIELD_NULL)
        return NULL;
    if ((guint) field->type > MRG_FIELD_JSON)
        return "has an unknown type";
    if (!field->text || field->length > VALUE_BYTES_MAX)
        return "is too long";
    if (!mrg_utf8_is_valid(field->text, field->length))
        return "is not UTF-8";
    if (field->type == MRG_FIELD_BOOLEAN && !is_boolean(field))
        return "is neither true nor false";
    if (field->type == MRG_FIELD_NUMBER && !is_number(field->text, field->length))
        return "is not a number";
    return NULL;
}

gboolean
mrg_store_check_field(const MrgPersonKey *person, const char *name, const MrgField *field,
                      GError **error)
{
    const char *fault = field_fault(field);
    if (!fault)
        return TRUE;
    g_autofree char *what = g_strdup_printf("field '%s' %s", name, fault);
    return fail_person(error, person, what);
}

/* ---- rows -------------------------------------------------------------- */

static gboolean
is_consent(const MrgConsent *consent)
{
    return (guint) consent->state <= MRG_CONSENT_DENIED &&
           mrg_store_is_word(consent->purpose, MRG_STORE_NAME_BYTES_MAX) &&
           (!consent->source ||
            mrg_store_is_text(consent->source, MRG_STORE_LINE_BYTES_MAX));
}

static gboolean
is_suppression(const MrgSuppression *suppression)
{
    return mrg_store_is_word(suppression->scope, MRG_STORE_NAME_BYTES_MAX) &&
           mrg_store_is_word(suppression->reason, MRG_STORE_WORD_BYTES_MAX);
}

static gboolean
is_kind(const char *kind, gsize length)
{
    static const char *const kinds[] = {"open", "click", "complaint"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strlen(kinds[i]) == length && memcmp(kinds[i], kind, length) == 0)
            return TRUE;
    return FALSE;
}

static gboolean
is_event(const MrgEvent *event)
{
    return (guint) event->verdict <= MRG_VERDICT_HOLD &&
           mrg_store_is_word(event->campaign, MRG_STORE_NAME_BYTES_MAX) &&
           mrg_store_is_text(event->class_name, MRG_STORE_NAME_BYTES_MAX) &&
           mrg_store_is_text(event->sender, MRG_STORE_NAME_BYTES_MAX) &&
           mrg_store_is_text(event->tags, MRG_STORE_LINE_BYTES_MAX) &&
           mrg_store_is_text(event->reason, MRG_STORE_LINE_BYTES_MAX) &&
           event->tracked <= (MRG_TRACKED_OPENS | MRG_TRACKED_CLICKS);
}

static gboolean
is_history(const char *history, gsize length)
{
    return length <= MRG_STORE_HISTORY_BYTES_MAX &&
           (length == 0 || (history && mrg_utf8_is_valid(history, length)));
}

/* ---- what goes in ------------------------------------------------------ */

static gboolean
check_fields(const MrgProfile *profile, GError **error)
{
    for (gsize i = 0; i < profile->n_fields; i++) {
        const MrgProfileField *field = &profile->fields[i];
        if (!mrg_field_is_name(field->name))
            return fail_person(error, &profile->person, "a field name is malformed");
        if (!mrg_store_check_field(&profile->person, field->name, &field->value, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
mrg_store_check_profile(const MrgProfile *profile, GError **error)
{
    const MrgPersonKey *person = &profile->person;
    if (profile->address ? !mrg_store_is_word(profile->address, ADDRESS_BYTES_MAX)
                         : profile->n_fields != 0)
        return fail_person(error, person, "address is missing, too long or not UTF-8");
    if (!check_fields(profile, error))
        return FALSE;
    for (gsize i = 0; i < profile->n_consents; i++)
        if (!is_consent(&profile->consents[i]) || profile->consents[i].at_us < 0)
            return fail_person(error, person, "a consent is malformed");
    for (gsize i = 0; i < profile->n_suppressions; i++)
        if (!is_suppression(&profile->suppressions[i]) ||
            profile->suppressions[i].at_us < 0 || profile->suppressions[i].until_us < 0)
            return fail_person(error, person, "a suppression is malformed");
    for (gsize i = 0; i < profile->n_engagements; i++) {
        const MrgEngagement *engagement = &profile->engagements[i];
        if (!engagement->kind || !is_kind(engagement->kind, strlen(engagement->kind)) ||
            engagement->at_us < 0)
            return fail_person(error, person, "an engagement is malformed");
    }
    return TRUE;
}

gboolean
mrg_store_check_account(const MrgAccount *account, GError **error)
{
    return is_history(account->history, account->history_length) ||
           fail_person(error, &account->key, "history is malformed");
}

/* The versions of one account cannot be compared twice. */
static gboolean
is_apart(const MrgOutcome *outcome, gsize i)
{
    const MrgPersonKey *key = &outcome->shared[i].key;
    if (memcmp(key, &outcome->person, sizeof *key) == 0)
        return FALSE;
    for (gsize j = 0; j < i; j++)
        if (memcmp(key, &outcome->shared[j].key, sizeof *key) == 0)
            return FALSE;
    return TRUE;
}

gboolean
mrg_store_check_outcome(const MrgOutcome *outcome, GError **error)
{
    const MrgPersonKey *person = &outcome->person;
    if (!is_event(&outcome->event) || outcome->event.at_us < 0 || outcome->until_us < 0)
        return fail_person(error, person, "an event to record is malformed");
    if (!is_history(outcome->history, outcome->history ? outcome->history_length : 0))
        return fail_person(error, person, "the new history is malformed");
    if (outcome->list && !mrg_store_is_text(outcome->list, MRG_STORE_NAME_BYTES_MAX))
        return fail_person(error, person, "the list of a held copy is malformed");
    if (outcome->n_shared > MRG_SHARED_MAX)
        return fail_person(error, person, "there are too many shared accounts");
    for (gsize i = 0; i < outcome->n_shared; i++)
        if (!is_apart(outcome, i) || !mrg_store_check_account(&outcome->shared[i], NULL))
            return fail_person(error, person, "a shared account is malformed");
    return TRUE;
}

gboolean
mrg_store_check_place(const MrgPersonKey *person, const char *host, const char *queue_id,
                      GError **error)
{
    return (mrg_store_is_word(host, MRG_STORE_NAME_BYTES_MAX) &&
            mrg_store_is_word(queue_id, MRG_STORE_WORD_BYTES_MAX)) ||
           fail_person(error, person, "the host or queue id of a held copy is malformed");
}

/* ---- what comes out ---------------------------------------------------- */

/* A line of engagement, after which *text stands. */
static gboolean
read_line(const char **text, const char *end, guint64 *at_us)
{
    const char *at = *text;
    guint64 number = 0;
    for (; at < end && g_ascii_isdigit(*at) && number < G_MAXINT64 / 10; at++)
        number = 10 * number + (guint64) (*at - '0');
    const char *kind = at + 1;
    const char *line_end = memchr(at, '\n', (gsize) (end - at));
    if (at == *text || !line_end || *at != ' ' || !is_kind(kind, (gsize) (line_end - kind)))
        return FALSE;
    *text = line_end + 1;
    *at_us = number;
    return TRUE;
}

static gboolean
is_engagement(const char *text, gsize length)
{
    const char *end = text + length;
    guint64 last_us = 0;
    for (guint n = 0; text < end; n++) {
        guint64 at_us;
        if (n == MRG_ENGAGEMENT_MAX || !read_line(&text, end, &at_us) || at_us < last_us)
            return FALSE;
        last_us = at_us;
    }
    return TRUE;
}

gboolean
mrg_store_check_engagement(const MrgPersonKey *person, const char *lines, GError **error)
{
    return (lines && is_engagement(lines, strlen(lines))) ||
           fail_person(error, person, "engagement is malformed");
}

static gboolean
is_repeat_sound(const MrgState *state)
{
    return !state->is_repeat ||
           ((guint) state->repeat_verdict <= MRG_VERDICT_HOLD &&
            mrg_store_is_text(state->repeat_reason, MRG_STORE_LINE_BYTES_MAX));
}

static const char *
state_fault(const MrgState *state)
{
    if (!is_history(state->own.history, state->own.history_length))
        return "history is malformed";
    if (state->engagement_length &&
        (!state->engagement || !is_engagement(state->engagement, state->engagement_length)))
        return "engagement is malformed";
    if (!is_repeat_sound(state))
        return "recorded verdict is unknown";
    for (gsize i = 0; i < state->n_consents; i++)
        if (!is_consent(&state->consents[i]))
            return "a consent is malformed";
    for (gsize i = 0; i < state->n_suppressions; i++)
        if (!is_suppression(&state->suppressions[i]))
            return "a suppression is malformed";
    return NULL;
}

gboolean
mrg_store_check_state(const MrgPersonKey *person, const MrgPersonKey *shared,
                      gsize n_shared, const MrgState *state, GError **error)
{
    const char *fault = state_fault(state);
    if (fault)
        return fail_person(error, person, fault);
    if (state->n_shared != n_shared)
        return fail_person(error, person, "a shared account is missing");
    for (gsize i = 0; i < n_shared; i++) {
        const MrgAccount *account = &state->shared[i];
        if (memcmp(&account->key, &shared[i], sizeof shared[i]) != 0)
            return fail_person(error, person, "a shared account is another one");
        if (!mrg_store_check_account(account, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
mrg_store_check_event(const MrgPersonKey *person, const MrgEvent *event, GError **error)
{
    return is_event(event) || fail_person(error, person, "an event is malformed");
}

gboolean
mrg_store_check_suppression(const MrgPersonKey *person, const MrgSuppression *suppression,
                            GError **error)
{
    return is_suppression(suppression) ||
           fail_person(error, person, "a suppression is malformed");
}

gboolean
mrg_store_check_hold(const MrgHold *hold, GError **error)
{
    gboolean is_sound =
        mrg_store_is_word(hold->campaign, MRG_STORE_NAME_BYTES_MAX) &&
        mrg_store_is_text(hold->class_name, MRG_STORE_NAME_BYTES_MAX) &&
        (!hold->list || mrg_store_is_text(hold->list, MRG_STORE_NAME_BYTES_MAX)) &&
        (!hold->is_settled || hold->settlement == MRG_VERDICT_DELIVER ||
         hold->settlement == MRG_VERDICT_DROP);
    if (!is_sound)
        return fail_person(error, &hold->person, "a held copy is malformed");
    return mrg_store_check_place(&hold->person, hold->host, hold->queue_id, error);
}

/* ---- what the world answers -------------------------------------------- */

static gboolean
fail_hit(GError **error, const char *what)
{
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, "%s is malformed", what);
    return FALSE;
}

gboolean
mrg_store_check_hit(const MrgHitRow *hit, GError **error)
{
    return (hit->at_us >= 0 && hit->kind < 256 && hit->flags < 256 &&
            (hit->network_bytes == 0 || hit->network_bytes == 3 ||
             hit->network_bytes == 6) &&
            (guint) hit->hit_class <= MRG_CLASS_LAST &&
            mrg_store_is_text(hit->agent, MRG_STORE_AGENT_BYTES_MAX) &&
            mrg_store_is_text(hit->reason, MRG_STORE_AGENT_BYTES_MAX)) ||
           fail_hit(error, "a hit");
}

gboolean
mrg_store_check_delivery(const MrgDelivery *delivery, GError **error)
{
    return (delivery->message && delivery->at_us >= 0 &&
            (guint) delivery->state <= MRG_DELIVERY_LAST &&
            mrg_store_is_text(delivery->code, MRG_STORE_WORD_BYTES_MAX)) ||
           fail_hit(error, "a delivery");
}

static gboolean
check_web_event(const MrgWebEvent *event, GError **error)
{
    return (event->at_us >= 0 && event->kind < 256 &&
            mrg_store_is_word(event->site, MRG_STORE_NAME_BYTES_MAX) &&
            mrg_store_is_text(event->name, MRG_STORE_NAME_BYTES_MAX) &&
            mrg_store_is_text(event->anonymous_id, MRG_STORE_NAME_BYTES_MAX) &&
            mrg_store_is_text(event->event_id, MRG_STORE_NAME_BYTES_MAX) &&
            mrg_store_is_text(event->data, MRG_STORE_DATA_BYTES_MAX)) ||
           fail_hit(error, "a web event");
}

gboolean
mrg_store_check_batch(const MrgHitBatch *batch, GError **error)
{
    if (batch->journal && !mrg_store_is_word(batch->journal, MRG_STORE_WORD_BYTES_MAX))
        return fail_hit(error, "the id of a journal");
    for (gsize i = 0; i < batch->n_hits; i++)
        if (!mrg_store_check_hit(&batch->hits[i], error))
            return FALSE;
    for (gsize i = 0; i < batch->n_web_events; i++)
        if (!check_web_event(&batch->web_events[i], error))
            return FALSE;
    for (gsize i = 0; i < batch->n_deliveries; i++)
        if (!mrg_store_check_delivery(&batch->deliveries[i], error))
            return FALSE;
    for (gsize i = 0; i < batch->n_people; i++)
        if (batch->people[i].address)
            return fail_hit(error, "a person's ledger");
        else if (!mrg_store_check_profile(&batch->people[i], error))
            return FALSE;
    return TRUE;
}
