/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-jsonl: a JSON object a line.
 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "ctl/json-exact.h"
#include "ctl/people-file.h"
#include "ctl/words.h"

static const struct {
    const char *name, *kind;
} engagements[] = {{"opens", "open"}, {"clicks", "click"}, {"complaints", "complaint"}};

static MrgField
text_field(MrgFieldType type, const char *text, MrgArena *arena)
{
    return (MrgField){type, mrg_arena_strdup(arena, text), strlen(text)};
}

static MrgField
to_field(json_t *value, MrgArena *arena)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return (MrgField){MRG_FIELD_NULL, NULL, 0};
    case JSON_TRUE:
        return text_field(MRG_FIELD_BOOLEAN, "true", arena);
    case JSON_FALSE:
        return text_field(MRG_FIELD_BOOLEAN, "false", arena);
    case JSON_STRING:
        return text_field(MRG_FIELD_STRING, json_string_value(value), arena);
    default:
        break;
    }
    MrgFieldType type = json_is_number(value) ? MRG_FIELD_NUMBER : MRG_FIELD_JSON;
    g_autofree char *text = mrg_json_exact(value, JSON_COMPACT);
    return text_field(type, text, arena);
}

/* A member that need not be there; FALSE where it is no time. */
static gboolean
read_time(const MrgPeopleFile *people, json_t *value, gint64 *at_us, GError **error)
{
    if (!value || json_is_null(value) ||
        (json_is_string(value) && mrg_time_parse(json_string_value(value), at_us)))
        return TRUE;
    return mrg_rows_fail(&people->rows, error,
                         "a time must be a text such as 2026-11-23T22:55:00Z");
}

/* A member that need not be there; FALSE where it is no text. */
static gboolean
read_text(const MrgPeopleFile *people, json_t *object, const char *name, const char **text,
          GError **error)
{
    json_t *value = json_object_get(object, name);
    if (value && !json_is_string(value))
        return mrg_rows_fail(&people->rows, error, "\"%s\" must be a text", name);
    if (value)
        *text = json_string_value(value);
    return TRUE;
}

/* ---- consents ---- */

static gboolean
read_record(const MrgPeopleFile *people, json_t *record, MrgConsent *consent,
            GError **error)
{
    json_t *granted = json_is_object(record) ? json_object_get(record, "granted") : record;
    const char *source = "import", *text_version = NULL;
    if (!json_is_boolean(granted))
        return mrg_rows_fail(&people->rows, error,
                             "a consent must be true or false, or an object with "
                             "\"granted\"");
    consent->state = json_is_true(granted) ? MRG_CONSENT_GRANTED : MRG_CONSENT_DENIED;
    consent->at_us = mrg_consent_undated(consent->state, people->rules.now_us);
    if (!read_time(people, json_object_get(record, "at"), &consent->at_us, error) ||
        !read_text(people, record, "source", &source, error) ||
        !read_text(people, record, "text_version", &text_version, error))
        return FALSE;
    if (!mrg_word_is_source(source) || (text_version && !mrg_word_is_source(text_version)))
        return mrg_rows_fail(&people->rows, error,
                             "source and text version of a consent are 1 to %d printable "
                             "bytes without ;",
                             MRG_SOURCE_BYTES_MAX);
    g_autofree char *joined = mrg_source_join(source, text_version);
    consent->source = mrg_arena_strdup(people->arena, joined);
    return TRUE;
}

static gboolean
add_record(MrgPeopleFile *people, const char *purpose, json_t *record, GError **error)
{
    MrgConsent consent = {.purpose = purpose};
    return read_record(people, record, &consent, error) &&
           mrg_people_add_consent(people, &consent, error);
}

static gboolean
add_consents(MrgPeopleFile *people, json_t *consents, GError **error)
{
    const char *purpose;
    json_t *record;
    if (!json_is_object(consents))
        return mrg_rows_fail(&people->rows, error, "\"consent\" must be an object");
    json_object_foreach(consents, purpose, record)
    {
        if (!json_is_array(record) && !add_record(people, purpose, record, error))
            return FALSE;
        for (gsize i = 0; i < json_array_size(record); i++)
            if (!add_record(people, purpose, json_array_get(record, i), error))
                return FALSE;
    }
    return TRUE;
}

/* ---- suppressions and engagement ---- */

static gboolean
add_suppression(MrgPeopleFile *people, json_t *value, GError **error)
{
    MrgSuppression suppression = {"all", "", people->rules.now_us, 0};
    if (json_is_string(value)) {
        suppression.reason = json_string_value(value);
    } else if (!json_is_object(value)) {
        return mrg_rows_fail(&people->rows, error,
                             "\"suppressed\" must be a text, or a list of objects");
    } else if (!read_text(people, value, "scope", &suppression.scope, error) ||
               !read_text(people, value, "reason", &suppression.reason, error) ||
               !read_time(people, json_object_get(value, "at"), &suppression.at_us,
                          error) ||
               !read_time(people, json_object_get(value, "until"), &suppression.until_us,
                          error)) {
        return FALSE;
    }
    return mrg_people_add_suppression(people, &suppression, error);
}

static gboolean
add_suppressions(MrgPeopleFile *people, json_t *value, GError **error)
{
    if (!json_is_array(value))
        return add_suppression(people, value, error);
    for (gsize i = 0; i < json_array_size(value); i++)
        if (!add_suppression(people, json_array_get(value, i), error))
            return FALSE;
    return TRUE;
}

static gboolean
add_engagements(MrgPeopleFile *people, const char *kind, json_t *times, GError **error)
{
    if (!json_is_array(times))
        return mrg_rows_fail(&people->rows, error, "\"%ss\" must be a list of times", kind);
    for (gsize i = 0; i < json_array_size(times); i++) {
        MrgEngagement engagement = {kind, G_MAXINT64};
        if (!read_time(people, json_array_get(times, i), &engagement.at_us, error))
            return FALSE;
        if (engagement.at_us > people->rules.now_us)
            return mrg_rows_fail(&people->rows, error, "\"%ss\": a time in the future",
                                 kind);
        g_array_append_val(people->engagements, engagement);
    }
    return TRUE;
}

/* ---- a row ---- */

static gboolean
add_member(MrgPeopleFile *people, const char *name, json_t *value, GError **error)
{
    if (g_str_equal(name, "consent"))
        return add_consents(people, value, error);
    if (g_str_equal(name, "suppressed"))
        return add_suppressions(people, value, error);
    for (gsize i = 0; i < G_N_ELEMENTS(engagements); i++)
        if (g_str_equal(name, engagements[i].name))
            return add_engagements(people, engagements[i].kind, value, error);
    if (!g_str_equal(name, "address"))
        return mrg_people_check_name(people, name, error) &&
               mrg_people_add_field(people, name, to_field(value, people->arena), error);
    if (!json_is_string(value))
        return mrg_rows_fail(&people->rows, error, "\"address\" must be a text");
    people->address = mrg_arena_strdup(people->arena, json_string_value(value));
    return TRUE;
}

static gboolean
add_row(MrgPeopleFile *people, json_t *row, GError **error)
{
    const char *name;
    json_t *value;
    if (!json_is_object(row))
        return mrg_rows_fail(&people->rows, error, "a row must be a JSON object");
    json_object_foreach(row, name, value)
    {
        if (!add_member(people, name, value, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
mrg_jsonl_next(MrgPeopleFile *people, GError **error)
{
    json_error_t problem;
    if (!mrg_rows_line(&people->rows, error))
        return FALSE;
    json_t *row = json_loadb(people->rows.row->str, people->rows.row->len,
                             JSON_REJECT_DUPLICATES, &problem);
    if (!row)
        return mrg_rows_fail(&people->rows, error, "%s at column %d",
                             json_error_code(&problem) == json_error_invalid_utf8
                                 ? "not valid UTF-8"
                                 : "not valid JSON",
                             problem.column);
    gboolean is_added = add_row(people, row, error);
    json_decref(row);
    return is_added;
}
