/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/form.h"

const char *
mrg_form_decode(const char *start, gsize length, MrgArena *arena)
{
    char *text = mrg_arena_alloc(arena, length + 1), *to = text;
    const char *end = start + length;
    for (const char *at = start; at < end; at++) {
        int high = end - at > 2 ? g_ascii_xdigit_value(at[1]) : -1;
        int low = end - at > 2 ? g_ascii_xdigit_value(at[2]) : -1;
        if (*at == '%' && high >= 0 && low >= 0) {
            *to++ = (char) (high * 16 + low);
            at += 2;
        } else {
            *to++ = *at == '+' ? ' ' : *at;
        }
    }
    *to = '\0';
    /* A NUL is no valid text here. */
    return g_utf8_validate(text, to - text, NULL) ? text : NULL;
}

gboolean
mrg_form_parse(MrgForm *form, const char *text, gsize length, MrgArena *arena)
{
    MrgFormField *fields = mrg_arena_array(arena, MrgFormField, MRG_FORM_FIELDS_MAX);
    *form = (MrgForm){fields, 0};
    if (!length)
        return TRUE; /* text may be NULL */
    const char *end = text + length;
    while (text < end) {
        const char *stop = memchr(text, '&', (gsize) (end - text));
        if (!stop)
            stop = end;
        const char *equals = memchr(text, '=', (gsize) (stop - text));
        if (stop > text) {
            if (form->n == MRG_FORM_FIELDS_MAX)
                return FALSE;
            MrgFormField *field = &fields[form->n++];
            field->name =
                mrg_form_decode(text, (gsize) ((equals ? equals : stop) - text), arena);
            field->value =
                equals ? mrg_form_decode(equals + 1, (gsize) (stop - equals - 1), arena)
                       : "";
            if (!field->name || !field->value)
                return FALSE;
        }
        text = stop < end ? stop + 1 : end;
    }
    return TRUE;
}

const char *
mrg_form_get(const MrgForm *form, const char *name)
{
    for (gsize i = 0; i < form->n; i++)
        if (g_str_equal(form->fields[i].name, name))
            return form->fields[i].value;
    return NULL;
}
