/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/ini.h"
#include "milter/nearest.h"
#include "milter/registry.h"
#include "milter/schema.h"

static const char *const type_names[] = {"string", "number", "boolean", "list", "object"};
static const char *const keys[] = {"type", "purpose", "sensitive", "used_for"};
static const char *const uses[] = {"mail", "caps", "predict"};

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

static const char *
read_uses(MrgSchemaField *field, const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t,", -1);
    field->uses = 0;
    for (char **word = words; *word; word++) {
        guint i = 0;
        while (i < G_N_ELEMENTS(uses) && !g_str_equal(uses[i], *word))
            i++;
        if (**word && i == G_N_ELEMENTS(uses))
            return "'used_for' is a list of mail, caps and predict";
        field->uses |= **word ? 1u << i : 0;
    }
    return NULL;
}

static gboolean
read_sensitive(MrgSchemaField *field, const char *text)
{
    field->is_sensitive = g_str_equal(text, "yes");
    return field->is_sensitive || g_str_equal(text, "no");
}

/* NULL, or what is wrong. */
static const char *
read_value(MrgSchemaField *field, const MrgIniEntry *entry, MrgArena *arena)
{
    if (g_str_equal(entry->key, "type"))
        return read_type(field, entry->value)
                   ? NULL
                   : "'type' must be string, number, boolean, list or object";
    if (g_str_equal(entry->key, "sensitive"))
        return read_sensitive(field, entry->value) ? NULL : "'sensitive' must be yes or no";
    if (g_str_equal(entry->key, "used_for"))
        return read_uses(field, entry->value);
    field->purpose = mrg_arena_strdup(arena, entry->value);
    return NULL;
}

static gboolean
is_key(const char *text)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i], text))
            return TRUE;
    return FALSE;
}

static gboolean
read_key(MrgSchemaField *field, const MrgIni *ini, const MrgIniEntry *entry,
         MrgArena *arena, GError **error)
{
    if (!is_key(entry->key)) {
        const char *near = mrg_nearest(entry->key, keys, G_N_ELEMENTS(keys));
        return mrg_ini_fail(ini, entry->line, error, "unknown setting '%s' in [field]%s%s",
                            entry->key, near ? "; did you mean " : "", near ? near : "");
    }
    const char *fault = read_value(field, entry, arena);
    return !fault || mrg_ini_fail(ini, entry->line, error, "%s", fault);
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
    fields[schema->n_fields++] = (MrgSchemaField){.purpose = "", .uses = MRG_USE_MAIL};
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

const char *
mrg_schema_type_name(MrgSchemaType type)
{
    return type_names[type];
}

const char *
mrg_schema_uses_text(const MrgSchemaField *field, MrgArena *arena)
{
    const char *text = "";
    for (guint i = 0; i < G_N_ELEMENTS(uses); i++)
        if (field->uses & 1u << i)
            text = mrg_arena_printf(arena, "%s%s%s", text, *text ? " " : "", uses[i]);
    return text;
}

const MrgSchemaField *
mrg_schema_field(const MrgSchema *schema, const char *name)
{
    for (gsize i = 0; i < schema->n_fields; i++)
        if (g_str_equal(schema->fields[i].name, name))
            return &schema->fields[i];
    return NULL;
}
