/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-value: values of fields, typed by the schema.
 */
#include "config.h"

#include <string.h>

#include "ctl/people-file.h"
#include "milter/json.h"

/* A number as JSON writes it (RFC 8259, 6), so that codes such as 007 stay texts. */
static gboolean
is_json_number(const char *text)
{
    const char *c = text + (*text == '-');
    if (!g_ascii_isdigit(*c) || (*c == '0' && g_ascii_isdigit(c[1])))
        return FALSE;
    c += strspn(c, "0123456789");
    if (*c == '.') {
        gsize digits = strspn(c + 1, "0123456789");
        if (!digits)
            return FALSE;
        c += 1 + digits;
    }
    return !*c;
}

static gboolean
is_boolean(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static MrgFieldType
type_of_text(const MrgSchemaField *declared, const char *text)
{
    if (declared && declared->type == MRG_TYPE_STRING)
        return MRG_FIELD_STRING;
    if (declared && (declared->type == MRG_TYPE_LIST || declared->type == MRG_TYPE_OBJECT))
        return MRG_FIELD_JSON;
    if (is_json_number(text))
        return MRG_FIELD_NUMBER;
    return is_boolean(text) ? MRG_FIELD_BOOLEAN : MRG_FIELD_STRING;
}

const char *
mrg_field_from_text(const MrgSchemaField *declared, const char *text, MrgArena *arena,
                    MrgField *value)
{
    *value = (MrgField){type_of_text(declared, text), text, strlen(text)};
    return mrg_field_fault(declared, value, arena);
}

/* What the store would take and nobody could read again would defer mail for ever. */
static const char *
json_fault(const MrgSchemaField *declared, const MrgField *field, MrgArena *arena)
{
    MrgValue value;
    if (!mrg_json_read(&value, field->text, field->length, arena, NULL))
        return *field->text == '[' || *field->text == '{'
                   ? "is not valid JSON, or nested too deep"
                   : "must be JSON";
    if (!declared)
        return NULL;
    if (declared->type == MRG_TYPE_LIST)
        return value.type == MRG_VALUE_LIST ? NULL : "must be a list";
    return value.type == MRG_VALUE_OBJECT ? NULL : "must be an object";
}

const char *
mrg_field_fault(const MrgSchemaField *declared, const MrgField *value, MrgArena *arena)
{
    static const struct {
        MrgFieldType type;
        const char *fault;
    } wanted[] = {
        [MRG_TYPE_STRING] = {MRG_FIELD_STRING, "must be a text"},
        [MRG_TYPE_NUMBER] = {MRG_FIELD_NUMBER, "must be a number"},
        [MRG_TYPE_BOOLEAN] = {MRG_FIELD_BOOLEAN, "must be true or false"},
        [MRG_TYPE_LIST] = {MRG_FIELD_JSON, "must be a list"},
        [MRG_TYPE_OBJECT] = {MRG_FIELD_JSON, "must be an object"},
    };
    if (value->type == MRG_FIELD_NULL)
        return NULL;
    if (declared && value->type != wanted[declared->type].type)
        return wanted[declared->type].fault;
    return value->type == MRG_FIELD_JSON ? json_fault(declared, value, arena) : NULL;
}
