/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/events.h"

static const struct {
    const char *type;
    MrgHitKind kind;
    const char *data;
} types[] = {{"track", MRG_HIT_TRACK, "properties"},
             {"page", MRG_HIT_PAGE, "properties"},
             {"screen", MRG_HIT_PAGE, "properties"},
             {"identify", MRG_HIT_IDENTIFY, "traits"}};

json_t *
mrg_events_parse(const char *text, gsize length)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

/* "" where it is not there; FALSE where it is no text, or a long one. */
static gboolean
get_text(json_t *object, const char *name, const char **text)
{
    json_t *value = json_object_get(object, name);
    *text = json_is_string(value) ? json_string_value(value) : "";
    return (!value || json_is_string(value) || json_is_null(value)) &&
           strlen(*text) <= MRG_HIT_NAME_MAX;
}

static gboolean
get_data(json_t *object, const char *name, const char **data, MrgArena *arena)
{
    json_t *value = json_object_get(object, name);
    *data = "";
    if (!value || json_is_null(value))
        return TRUE;
    if (!json_is_object(value))
        return FALSE;
    gsize length = json_dumpb(value, NULL, 0, JSON_COMPACT);
    if (length == 0 || length > MRG_EVENT_BYTES_MAX)
        return FALSE;
    char *text = mrg_arena_alloc(arena, length + 1);
    json_dumpb(value, text, length, JSON_COMPACT);
    text[length] = '\0';
    *data = text;
    return TRUE;
}

static gboolean
read_identity(MrgTagEvent *event, json_t *object)
{
    json_t *value = json_object_get(object, "mrgId");
    event->identity = json_string_value(value);
    return !value || json_is_string(value) || json_is_null(value);
}

gboolean
mrg_tag_event_read(MrgTagEvent *event, json_t *object, const char *type, MrgArena *arena)
{
    gsize i = 0;
    if (!json_is_object(object))
        return FALSE;
    if (!type)
        type = json_string_value(json_object_get(object, "type"));
    while (i < G_N_ELEMENTS(types) && (!type || !g_str_equal(types[i].type, type)))
        i++;
    if (i == G_N_ELEMENTS(types))
        return FALSE;
    *event = (MrgTagEvent){.kind = types[i].kind};
    const char *name = event->kind == MRG_HIT_TRACK ? "event" : "name";
    return get_text(object, name, &event->name) &&
           (event->kind != MRG_HIT_TRACK || *event->name) &&
           get_text(object, "anonymousId", &event->anonymous_id) &&
           get_text(object, "messageId", &event->event_id) &&
           get_data(object, types[i].data, &event->data, arena) &&
           read_identity(event, object);
}
