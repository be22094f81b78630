/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-csv: rows of comma-separated values under a head line.
 */
#include "config.h"

#include <string.h>

#include "ctl/people-file.h"
#include "ctl/words.h"

#define CONSENT_PREFIX "consent."

static gboolean
is_reserved(const char *name)
{
    return g_str_equal(name, "address") || g_str_equal(name, "suppressed") ||
           g_str_has_prefix(name, CONSENT_PREFIX);
}

static gboolean
check_columns(const MrgPeopleFile *people, GError **error)
{
    gboolean has_address = FALSE;
    for (char **name = people->columns; *name; name++) {
        has_address |= g_str_equal(*name, "address");
        for (char **other = people->columns; other < name; other++)
            if (g_str_equal(*name, *other))
                return mrg_rows_fail(&people->rows, error, "two columns of one name");
    }
    if (!has_address)
        return mrg_rows_fail(&people->rows, error, "there is no column 'address'");
    for (char **name = people->columns; *name; name++) {
        if (g_str_has_prefix(*name, CONSENT_PREFIX) &&
            !mrg_word_is_purpose(*name + strlen(CONSENT_PREFIX)))
            return mrg_rows_fail(
                &people->rows, error,
                "unknown purpose of a consent; there are " MRG_PURPOSES_TEXT);
        if (!is_reserved(*name) && !mrg_people_check_name(people, *name, error))
            return FALSE;
    }
    return TRUE;
}

/* Without a head no row can be understood. */
static gboolean
read_head(MrgPeopleFile *people, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (!mrg_rows_csv(&people->rows, &problem)) {
        people->rows.is_over = TRUE;
        if (!problem)
            return mrg_rows_fail(&people->rows, error,
                                 "the file is empty, or has no head line");
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    g_ptr_array_add(people->rows.cells, NULL);
    people->columns = g_strdupv((char **) people->rows.cells->pdata);
    people->rows.is_over = !check_columns(people, error);
    return !people->rows.is_over;
}

static gboolean
add_consent(MrgPeopleFile *people, const char *name, const char *text, GError **error)
{
    if (!g_str_equal(text, "true") && !g_str_equal(text, "false"))
        return mrg_rows_fail(&people->rows, error, "column '%s' takes true or false", name);
    MrgConsentState state = *text == 't' ? MRG_CONSENT_GRANTED : MRG_CONSENT_DENIED;
    const MrgConsent consent = {.purpose = name + strlen(CONSENT_PREFIX),
                                .state = state,
                                .at_us = mrg_consent_undated(state, people->rules.now_us)};
    return mrg_people_add_consent(people, &consent, error);
}

static gboolean
add_cell(MrgPeopleFile *people, const char *name, const char *text, GError **error)
{
    if (!*text)
        return TRUE;
    if (g_str_equal(name, "address")) {
        people->address = mrg_arena_strdup(people->arena, text);
        return TRUE;
    }
    if (g_str_equal(name, "suppressed")) {
        const MrgSuppression suppression = {"all", text, people->rules.now_us, 0};
        return mrg_people_add_suppression(people, &suppression, error);
    }
    if (g_str_has_prefix(name, CONSENT_PREFIX))
        return add_consent(people, name, text, error);
    const MrgSchema *schema = people->rules.schema;
    MrgField value;
    const char *fault = mrg_field_from_text(
        mrg_schema_field(schema, mrg_people_declared_name(schema, name)), text,
        people->arena, &value);
    if (fault)
        return mrg_rows_fail(&people->rows, error, "the value of '%s' %s", name, fault);
    return mrg_people_add_field(people, name, value, error);
}

gboolean
mrg_csv_next(MrgPeopleFile *people, GError **error)
{
    if (!people->columns && !read_head(people, error))
        return FALSE;
    if (!mrg_rows_csv(&people->rows, error))
        return FALSE;
    GPtrArray *cells = people->rows.cells;
    guint n = g_strv_length(people->columns);
    if (cells->len != n)
        return mrg_rows_fail(&people->rows, error, "%u cells where the head has %u",
                             cells->len, n);
    for (guint i = 0; i < n; i++)
        if (!add_cell(people, people->columns[i], g_ptr_array_index(cells, i), error))
            return FALSE;
    return TRUE;
}
