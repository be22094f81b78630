/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-csv: rows of comma-separated values under a head line.
 */
#include "config.h"

#include <string.h>

#include "ctl/people-file.h"
#include "ctl/words.h"

#define CONSENT_PREFIX "consent."

typedef enum { COLUMN_ADDRESS, COLUMN_SUPPRESSED, COLUMN_CONSENT, COLUMN_FIELD } Kind;

typedef struct Column {
    char *name; /* as it is written */
    Kind kind;
    const char *field; /* the name as it is declared */
    const MrgSchemaField *declared;
    gboolean has_twin; /* another column is the same field */
} Column;

static void
clear_column(gpointer column)
{
    g_free(((Column *) column)->name);
}

/* ---- the head ---- */

static Kind
kind_of(const char *name)
{
    return g_str_equal(name, "address")             ? COLUMN_ADDRESS
           : g_str_equal(name, "suppressed")        ? COLUMN_SUPPRESSED
           : g_str_has_prefix(name, CONSENT_PREFIX) ? COLUMN_CONSENT
                                                    : COLUMN_FIELD;
}

static void
add_column(GArray *columns, const MrgSchema *schema, const char *name)
{
    Column column = {.name = g_strdup(name), .kind = kind_of(name)};
    column.field = mrg_people_declared_name(schema, column.name);
    column.declared = mrg_schema_field(schema, column.field);
    for (guint i = 0; i < columns->len; i++) {
        Column *other = &g_array_index(columns, Column, i);
        if (other->kind == COLUMN_FIELD && g_str_equal(other->field, column.field))
            other->has_twin = column.has_twin = TRUE;
    }
    g_array_append_val(columns, column);
}

static gboolean
check_column(const MrgPeopleFile *people, const Column *column, GError **error)
{
    if (column->kind == COLUMN_CONSENT &&
        !mrg_word_is_purpose(column->name + strlen(CONSENT_PREFIX)))
        return mrg_rows_fail(&people->rows, error,
                             "unknown purpose of a consent; there are " MRG_PURPOSES_TEXT);
    return column->kind != COLUMN_FIELD ||
           mrg_people_check_name(people, column->name, error);
}

static gboolean
check_columns(const MrgPeopleFile *people, GError **error)
{
    gboolean has_address = FALSE;
    const Column *columns = (const Column *) (gpointer) people->columns->data;
    for (guint i = 0; i < people->columns->len; i++) {
        has_address |= columns[i].kind == COLUMN_ADDRESS;
        for (guint other = 0; other < i; other++)
            if (g_str_equal(columns[i].name, columns[other].name))
                return mrg_rows_fail(&people->rows, error, "two columns of one name");
    }
    if (!has_address)
        return mrg_rows_fail(&people->rows, error, "there is no column 'address'");
    for (guint i = 0; i < people->columns->len; i++)
        if (!check_column(people, &columns[i], error))
            return FALSE;
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
    const GPtrArray *cells = people->rows.cells;
    people->columns = g_array_sized_new(FALSE, FALSE, sizeof(Column), cells->len);
    g_array_set_clear_func(people->columns, clear_column);
    for (guint i = 0; i < cells->len; i++)
        add_column(people->columns, people->rules.schema, g_ptr_array_index(cells, i));
    people->rows.is_over = !check_columns(people, error);
    return !people->rows.is_over;
}

/* ---- a row ---- */

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

/* The name is checked, and the value is of the declared type: nothing else of what
 * mrg_people_add_field() looks for can be wrong where a field has one column. */
static gboolean
add_value(MrgPeopleFile *people, const Column *column, const char *text, GError **error)
{
    MrgProfileField field = {.name = column->field};
    const char *fault =
        mrg_field_from_text(column->declared, text, people->arena, &field.value);
    if (fault)
        return mrg_rows_fail(&people->rows, error, "the value of '%s' %s", column->name,
                             fault);
    if (column->has_twin)
        return mrg_people_add_field(people, column->name, field.value, error);
    g_array_append_val(people->fields, field);
    return TRUE;
}

static gboolean
add_cell(MrgPeopleFile *people, const Column *column, const char *text, GError **error)
{
    const MrgSuppression suppression = {"all", text, people->rules.now_us, 0};
    if (!*text)
        return TRUE;
    switch (column->kind) {
    case COLUMN_ADDRESS:
        people->address = text;
        return TRUE;
    case COLUMN_SUPPRESSED:
        return mrg_people_add_suppression(people, &suppression, error);
    case COLUMN_CONSENT:
        return add_consent(people, column->name, text, error);
    case COLUMN_FIELD:
        break;
    }
    return add_value(people, column, text, error);
}

gboolean
mrg_csv_next(MrgPeopleFile *people, GError **error)
{
    if (!people->columns && !read_head(people, error))
        return FALSE;
    if (!mrg_rows_csv(&people->rows, error))
        return FALSE;
    const GPtrArray *cells = people->rows.cells;
    guint n = people->columns->len;
    if (cells->len != n)
        return mrg_rows_fail(&people->rows, error, "%u cells where the head has %u",
                             cells->len, n);
    for (guint i = 0; i < n; i++)
        if (!add_cell(people, &g_array_index(people->columns, Column, i),
                      g_ptr_array_index(cells, i), error))
            return FALSE;
    return TRUE;
}
