/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>

#include "ctl/people-file.h"
#include "milter/error.h"
#include "milter/json.h"
#include "milter/message/campaign.h"
#include "milter/registry.h"

#define FIELD_NAME_SHOWN 64
#define FIELDS_MAX 1000

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

/* What spreadsheets put before UTF-8. */
static void
skip_byte_order_mark(FILE *file)
{
    static const char mark[] = "\xef\xbb\xbf";
    for (const char *c = mark; *c; c++) {
        int got = getc(file);
        if (got == (guchar) *c)
            continue;
        /* A part of it is no UTF-8, whatever follows; the reader will say so. */
        if (got != EOF)
            ungetc(c == mark ? got : 0xff, file);
        return;
    }
}

gboolean
mrg_people_file_next(MrgPeopleFile *people, GError **error)
{
    if (people->line == 0)
        skip_byte_order_mark(people->file);
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

/* As it may stand on a terminal; a file without a head has an address where a name should
 * be, and those are not shown. */
static char *
printable_name(const char *name)
{
    char *text = g_strndup(name, FIELD_NAME_SHOWN);
    return g_strcanon(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS " _-.", '?');
}

static gboolean
check_name(const MrgPeopleFile *people, const char *name, GError **error)
{
    g_autofree char *shown = printable_name(name);
    if (!mrg_field_is_name(name))
        return mrg_people_fail(people, error,
                               "'%s' cannot be a field name: a letter or _, "
                               "then at most 63 letters, digits or _",
                               shown);
    if (people->fields->len >= FIELDS_MAX)
        return mrg_people_fail(people, error, "over %d fields in a row", FIELDS_MAX);
    for (guint i = 0; i < people->fields->len; i++)
        if (g_str_equal(g_array_index(people->fields, MrgProfileField, i).name, name))
            return mrg_people_fail(people, error, "the field '%s' is given twice", shown);
    return TRUE;
}

/* What the store would take and nobody could read again would defer mail for ever. */
static gboolean
check_value(const MrgPeopleFile *people, const MrgProfileField *field, GError **error)
{
    MrgValue value;
    return field->value.type != MRG_FIELD_JSON ||
           mrg_json_read(&value, field->value.text, field->value.length, people->arena,
                         NULL) ||
           mrg_people_fail(people, error, "the value of '%s' is nested too deep",
                           field->name);
}

gboolean
mrg_people_add_field(MrgPeopleFile *people, const char *name, MrgField value,
                     GError **error)
{
    MrgProfileField field = {
        mrg_arena_strdup(people->arena, declared_name(people->schema, name)), value};
    if (!check_name(people, field.name, error) || !check_value(people, &field, error))
        return FALSE;
    g_array_append_val(people->fields, field);
    return TRUE;
}

gboolean
mrg_people_add_consent(MrgPeopleFile *people, const char *purpose, gboolean is_granted,
                       GError **error)
{
    static const char *const purposes[] = {"receive", "track_open", "track_click",
                                           "profile", "predict",    NULL};
    gboolean is_for_class = g_str_has_prefix(purpose, "receive:") &&
                            mrg_campaign_is_name(purpose + strlen("receive:"));
    if (!g_strv_contains(purposes, purpose) && !is_for_class)
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
