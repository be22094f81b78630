/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <jansson.h>

#include "ctl/people-file.h"

#define ROW_BYTES_MAX (1024 * 1024)

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
    g_autofree char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return text_field(type, text, arena);
}

static gboolean
add_consents(MrgPeopleFile *people, json_t *consents, GError **error)
{
    const char *purpose;
    json_t *is_granted;
    if (!json_is_object(consents))
        return mrg_people_fail(people, error, "\"consent\" must be an object");
    json_object_foreach(consents, purpose, is_granted)
    {
        if (!json_is_boolean(is_granted))
            return mrg_people_fail(people, error, "a consent must be true or false");
        if (!mrg_people_add_consent(people, purpose, json_is_true(is_granted), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
add_member(MrgPeopleFile *people, const char *name, json_t *value, GError **error)
{
    if (g_str_equal(name, "consent"))
        return add_consents(people, value, error);
    if (g_str_equal(name, "address") || g_str_equal(name, "suppressed")) {
        if (!json_is_string(value))
            return mrg_people_fail(people, error, "\"%s\" must be a text", name);
        if (*name == 's')
            return mrg_people_add_suppression(people, json_string_value(value), error);
        people->address = mrg_arena_strdup(people->arena, json_string_value(value));
        return TRUE;
    }
    return mrg_people_add_field(people, name, to_field(value, people->arena), error);
}

static gboolean
add_row(MrgPeopleFile *people, json_t *row, GError **error)
{
    const char *name;
    json_t *value;
    if (!json_is_object(row))
        return mrg_people_fail(people, error, "a row must be a JSON object");
    json_object_foreach(row, name,
                        value) if (!add_member(people, name, value, error)) return FALSE;
    return TRUE;
}

static gboolean
is_blank(const char *line)
{
    return line[strspn(line, " \t\r\n")] == '\0';
}

gboolean
mrg_jsonl_next(MrgPeopleFile *people, GError **error)
{
    g_autofree char *line = NULL;
    size_t size = 0;
    ssize_t length;
    do {
        length = getline(&line, &size, people->file);
        if (length < 0)
            return FALSE;
        people->line++;
        if (length > ROW_BYTES_MAX)
            return mrg_people_fail(people, error, "the row is over 1 MiB long");
    } while (is_blank(line));

    json_error_t problem;
    json_t *row = json_loadb(line, (size_t) length, JSON_REJECT_DUPLICATES, &problem);
    if (!row)
        return mrg_people_fail(people, error, "not valid JSON at column %d",
                               problem.column);
    gboolean is_added = add_row(people, row, error);
    json_decref(row);
    return is_added;
}
