/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "milter/error.h"
#include "milter/json.h"

#define DEPTH_MAX 64

static gboolean convert(MrgValue *value, json_t *json, MrgArena *arena, int depth);

static gboolean
convert_list(MrgValue *value, json_t *json, MrgArena *arena, int depth)
{
    gsize n = json_array_size(json);
    MrgValue *items = mrg_arena_array(arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        if (!convert(&items[i], json_array_get(json, i), arena, depth))
            return FALSE;
    *value = mrg_value_list(items, n);
    return TRUE;
}

static gboolean
convert_object(MrgValue *value, json_t *json, MrgArena *arena, int depth)
{
    MrgMember *members = mrg_arena_array(arena, MrgMember, json_object_size(json));
    gsize n = 0;
    const char *name;
    json_t *member;
    json_object_foreach(json, name, member)
    {
        gsize length = strlen(name);
        members[n].name = mrg_arena_dup(arena, name, length);
        members[n].name_length = (guint32) length;
        if (!convert(&members[n].value, member, arena, depth))
            return FALSE;
        n++;
    }
    *value = mrg_value_object(members, n);
    return TRUE;
}

static gboolean
convert(MrgValue *value, json_t *json, MrgArena *arena, int depth)
{
    if (depth > DEPTH_MAX)
        return FALSE;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return convert_object(value, json, arena, depth + 1);
    case JSON_ARRAY:
        return convert_list(value, json, arena, depth + 1);
    case JSON_STRING: {
        gsize length = json_string_length(json);
        *value =
            mrg_value_string(mrg_arena_dup(arena, json_string_value(json), length), length);
        return TRUE;
    }
    case JSON_INTEGER: {
        char text[32];
        int length = g_snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT,
                                json_integer_value(json));
        *value = mrg_value_number_text(text, (gsize) length, arena);
        return TRUE;
    }
    case JSON_REAL:
        *value = mrg_value_number(json_real_value(json), arena);
        return TRUE;
    case JSON_TRUE:
    case JSON_FALSE:
        *value = mrg_value_boolean(json_is_true(json));
        return TRUE;
    case JSON_NULL:
        *value = mrg_value_null();
        return TRUE;
    }
    return FALSE;
}

gboolean
mrg_json_read(MrgValue *value, const char *text, gsize length, MrgArena *arena,
              GError **error)
{
    json_error_t problem;
    json_t *json =
        json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &problem);
    if (!json) {
        /* jansson's own text quotes what it read, and that may be personal. */
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "%d:%d: not valid JSON",
                    problem.line, problem.column);
        return FALSE;
    }
    gboolean is_done = convert(value, json, arena, 0);
    json_decref(json);
    if (!is_done)
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "1:1: JSON is nested over %d deep",
                    DEPTH_MAX);
    return is_done;
}
