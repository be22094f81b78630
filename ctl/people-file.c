/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>

#include "ctl/people-file.h"
#include "milter/error.h"
#include "milter/registry.h"

void
mrg_people_file_init(MrgPeopleFile *people, FILE *file, const char *path,
                     const MrgSchema *schema, gint64 now_us)
{
    *people = (MrgPeopleFile){
        .file = file,
        .path = path,
        .schema = schema,
        .now_us = now_us,
        .arena = mrg_arena_new(),
        .fields = g_array_new(FALSE, FALSE, sizeof(MrgProfileField)),
        .consents = g_array_new(FALSE, FALSE, sizeof(MrgConsent)),
        .suppressions = g_array_new(FALSE, FALSE, sizeof(MrgSuppression)),
    };
}

void
mrg_people_file_clear(MrgPeopleFile *people)
{
    mrg_arena_free(people->arena);
    g_array_unref(people->fields);
    g_array_unref(people->consents);
    g_array_unref(people->suppressions);
    g_strfreev(people->columns);
}

gboolean
mrg_people_file_next(MrgPeopleFile *people, GError **error)
{
    mrg_arena_reset(people->arena);
    g_array_set_size(people->fields, 0);
    g_array_set_size(people->consents, 0);
    g_array_set_size(people->suppressions, 0);
    people->address = NULL;
    return g_str_has_suffix(people->path, ".csv") ? mrg_csv_next(people, error)
                                                  : mrg_jsonl_next(people, error);
}

gboolean
mrg_people_fail(const MrgPeopleFile *people, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "%s:%" G_GUINT64_FORMAT ":1: %s",
                people->path, people->line, what);
    return FALSE;
}

/* FirstName and first_name are one name: the declared spelling. */
static const char *
declared_name(const MrgSchema *schema, const char *name)
{
    for (gsize i = 0; i < schema->n_fields; i++) {
        const char *a = schema->fields[i].name, *b = name;
        while (*a && *b && g_ascii_tolower(*a) == g_ascii_tolower(*b)) {
            a++;
            b++;
            a += *a == '_';
            b += *b == '_';
        }
        if (!*a && !*b)
            return schema->fields[i].name;
    }
    return name;
}

gboolean
mrg_people_add_field(MrgPeopleFile *people, const char *name, MrgField value,
                     GError **error)
{
    MrgProfileField field = {
        mrg_arena_strdup(people->arena, declared_name(people->schema, name)), value};
    if (!mrg_field_is_name(field.name))
        return mrg_people_fail(people, error,
                               "'%.64s' cannot be a field name: a letter or _, "
                               "then at most 63 letters, digits or _",
                               name);
    g_array_append_val(people->fields, field);
    return TRUE;
}

gboolean
mrg_people_add_consent(MrgPeopleFile *people, const char *purpose, gboolean is_granted,
                       GError **error)
{
    static const char *const purposes[] = {"receive", "track_open", "track_click",
                                           "profile", "predict",    NULL};
    if (!g_strv_contains(purposes, purpose) && !g_str_has_prefix(purpose, "receive:"))
        return mrg_people_fail(
            people, error,
            "unknown purpose of a consent; there are receive, track_open, "
            "track_click, profile and predict");
    MrgConsent consent = {mrg_arena_strdup(people->arena, purpose),
                          is_granted ? MRG_CONSENT_GRANTED : MRG_CONSENT_DENIED,
                          people->now_us, "import"};
    g_array_append_val(people->consents, consent);
    return TRUE;
}

gboolean
mrg_people_add_suppression(MrgPeopleFile *people, const char *reason, GError **error)
{
    static const char *const reasons[] = {"unsubscribed", "complained", "bounced", "manual",
                                          NULL};
    if (!g_strv_contains(reasons, reason))
        return mrg_people_fail(people, error,
                               "\"suppressed\" must be unsubscribed, "
                               "complained, bounced or manual");
    MrgSuppression suppression = {"all", mrg_arena_strdup(people->arena, reason),
                                  people->now_us, 0};
    g_array_append_val(people->suppressions, suppression);
    return TRUE;
}
