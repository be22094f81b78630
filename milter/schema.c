/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/ini.h"
#include "milter/nearest.h"
#include "milter/registry.h"
#include "milter/schema.h"

static const char *const type_names[] = {"string", "number", "boolean", "list", "object"};
static const char *const keys[] = {"type", "purpose", "sensitive"};

static gboolean
read_type(MrgSchemaField *field, const char *text)
{
    for (guint i = 0; i < G_N_ELEMENTS(type_names); i++) {
        if (g_str_equal(type_names[i], text)) {
            field->type = (MrgSchemaType) i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
read_key(MrgSchemaField *field, const MrgIni *ini, const MrgIniEntry *entry,
         MrgArena *arena, GError **error)
{
    if (g_str_equal(entry->key, "type")) {
        if (!read_type(field, entry->value))
            return mrg_ini_fail(ini, entry->line, error,
                                "'type' must be string, number, boolean, list or object");
    } else if (g_str_equal(entry->key, "purpose")) {
        field->purpose = mrg_arena_strdup(arena, entry->value);
    } else if (g_str_equal(entry->key, "sensitive")) {
        field->is_sensitive = g_str_equal(entry->value, "yes");
        if (!field->is_sensitive && !g_str_equal(entry->value, "no"))
            return mrg_ini_fail(ini, entry->line, error, "'sensitive' must be yes or no");
    } else {
        const char *near = mrg_nearest(entry->key, keys, G_N_ELEMENTS(keys));
        return mrg_ini_fail(ini, entry->line, error, "unknown setting '%s' in [field]%s%s",
                            entry->key, near ? "; did you mean " : "", near ? near : "");
    }
    return TRUE;
}

static gboolean
read_entry(MrgSchema *schema, MrgSchemaField *fields, const MrgIni *ini,
           const MrgIniEntry *entry, GError **error)
{
    if (!g_str_equal(entry->section, "field"))
        return mrg_ini_fail(ini, entry->line, error, "expected a section [field NAME]");
    if (!mrg_field_is_name(entry->name))
        return mrg_ini_fail(
            ini, entry->line, error,
            "a field name is a letter or _, then at most 63 letters, digits "
            "or _");
    fields[schema->n_fields++].purpose = "";
    return TRUE;
}

static void
collect_names(MrgSchema *schema, MrgArena *arena)
{
    const char **names = mrg_arena_array(arena, const char *, schema->n_fields + 1);
    gsize n = 0;
    for (gsize i = 0; i < schema->n_fields; i++)
        if (!schema->fields[i].is_sensitive)
            names[n++] = schema->fields[i].name;
    schema->names = names;
}

const MrgSchema *
mrg_schema_load(const char *path, MrgArena *arena, GError **error)
{
    MrgSchema *schema = mrg_arena_array(arena, MrgSchema, 1);
    if (!*path) {
        collect_names(schema, arena);
        return schema;
    }
    g_autoptr(MrgIni) ini = mrg_ini_load(path, error);
    if (!ini)
        return NULL;
    MrgSchemaField *fields = mrg_arena_array(arena, MrgSchemaField, ini->entries->len);
    for (guint i = 0; i < ini->entries->len; i++) {
        const MrgIniEntry *entry = &g_array_index(ini->entries, MrgIniEntry, i);
        gboolean is_read;
        if (entry->key) {
            is_read = read_key(&fields[schema->n_fields - 1], ini, entry, arena, error);
        } else {
            is_read = read_entry(schema, fields, ini, entry, error);
            if (is_read)
                fields[schema->n_fields - 1].name = mrg_arena_strdup(arena, entry->name);
        }
        if (!is_read)
            return NULL;
    }
    schema->fields = fields;
    collect_names(schema, arena);
    return schema;
}

const MrgSchemaField *
mrg_schema_field(const MrgSchema *schema, const char *name)
{
    for (gsize i = 0; i < schema->n_fields; i++)
        if (g_str_equal(schema->fields[i].name, name))
            return &schema->fields[i];
    return NULL;
}
