/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/held.h"
#include "ctl/words.h"

/* "merganser.field" is the table "field". */
static const char *
bare_name(const char *table)
{
    const char *dot = strrchr(table, '.');
    return dot ? dot + 1 : table;
}

static gboolean
add_row(const char *table, const char *const *names, const char *const *values, gsize n,
        gpointer context)
{
    json_t *tables = context, *row = json_object();
    const char *name = bare_name(table);
    if (!json_object_get(tables, name))
        json_object_set_new(tables, name, json_array());
    for (gsize i = 0; i < n; i++) {
        if (values[i])
            mrg_json_set_bytes(row, names[i], values[i], strlen(values[i]));
        else
            json_object_set_new(row, names[i], json_null());
    }
    json_array_append_new(json_object_get(tables, name), row);
    return TRUE;
}

int
mrg_held_read(MrgHeld *held, MrgPeople *people, const MrgPersonKey *person)
{
    g_autoptr(GError) error = NULL;
    *held = (MrgHeld){.person = *person, .rows = json_object()};
    if (!mrg_store_rows_of(people->store, person, add_row, held->rows, &error))
        return mrg_verb_fail(error);
    return mrg_people_load(people, person, &held->state);
}

void
mrg_held_clear(MrgHeld *held)
{
    g_clear_pointer(&held->rows, json_decref);
}

static const char *
text_of(json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

static gint64
number_of(json_t *row, const char *name)
{
    return g_ascii_strtoll(text_of(row, name), NULL, 10);
}

gboolean
mrg_held_has_profile(const MrgHeld *held)
{
    return json_array_size(json_object_get(held->rows, "profile")) > 0;
}

static json_t *
value_json(MrgFieldType type, const char *text)
{
    json_t *value = type == MRG_FIELD_STRING
                        ? NULL
                        : json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return value ? value : json_string(text);
}

json_t *
mrg_held_fields(const MrgHeld *held)
{
    json_t *fields = json_object(), *row;
    gsize i;
    json_array_foreach(json_object_get(held->rows, "field"), i, row)
    {
        MrgFieldType type = (MrgFieldType) number_of(row, "type");
        json_object_set_new(fields, text_of(row, "name"),
                            value_json(type, text_of(row, "value")));
    }
    return fields;
}

static json_t *
time_json(gint64 at_us)
{
    g_autofree char *text = mrg_time_exact(at_us);
    return json_string(text);
}

static json_t *
consent_json(json_t *row)
{
    g_autofree char *source = NULL, *text_version = NULL;
    mrg_source_split(text_of(row, "source"), &source, &text_version);
    gint64 at_us = number_of(row, "at");
    json_t *record =
        json_pack("{s:s,s:b,s:o}", "purpose", text_of(row, "purpose"), "granted",
                  number_of(row, "state") == MRG_CONSENT_GRANTED, "at",
                  at_us == MRG_UNDATED_US ? json_null() : time_json(at_us));
    if (*source)
        json_object_set_new(record, "source", json_string(source));
    if (text_version)
        json_object_set_new(record, "text_version", json_string(text_version));
    return record;
}

/* The time of a record; those are ISO 8601 in UTC, which sorts as text does. */
static int
compare_records(const void *a, const void *b)
{
    int order =
        strcmp(text_of(*(json_t *const *) a, "at"), text_of(*(json_t *const *) b, "at"));
    return order ? order
                 : strcmp(text_of(*(json_t *const *) a, "purpose"),
                          text_of(*(json_t *const *) b, "purpose"));
}

json_t *
mrg_held_consents(const MrgHeld *held)
{
    json_t *row, *list = json_array();
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    gsize i;
    json_array_foreach(json_object_get(held->rows, "consent_log"), i, row)
        g_ptr_array_add(records, consent_json(row));
    g_ptr_array_sort(records, compare_records);
    for (guint r = 0; r < records->len; r++)
        json_array_append_new(list, g_ptr_array_index(records, r));
    return list;
}

json_t *
mrg_held_suppressions(const MrgHeld *held)
{
    json_t *list = json_array();
    for (gsize i = 0; i < held->state.n_suppressions; i++) {
        const MrgSuppression *one = &held->state.suppressions[i];
        json_t *record = json_pack("{s:s,s:s,s:o}", "scope", one->scope, "reason",
                                   one->reason, "at", time_json(one->at_us));
        if (one->until_us)
            json_object_set_new(record, "until", time_json(one->until_us));
        json_array_append_new(list, record);
    }
    return list;
}

json_t *
mrg_held_engagement(const MrgHeld *held, const char *kind)
{
    json_t *list = json_array();
    g_autofree char *text =
        g_strndup(held->state.engagement_length ? held->state.engagement : "",
                  held->state.engagement_length);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *word = NULL;
        gint64 at_us = g_ascii_strtoll(*line, &word, 10);
        if (*word == ' ' && strcmp(word + 1, kind) == 0)
            json_array_append_new(list, time_json(at_us));
    }
    return list;
}
