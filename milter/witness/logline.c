/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/person/key.h"
#include "milter/verdict/disposition.h"
#include "milter/witness/logline.h"

static void
append_pair(GString *line, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    g_string_append_printf(line, ", %s=", name);
    for (const char *c = text; *c; c++)
        g_string_append_c(line, g_ascii_iscntrl(*c) ? '?' : *c);
}

static void
append_copy(GString *line, const MrgMessageKey *copy)
{
    char text[MRG_KEY_TEXT_BYTES];
    if (!copy)
        return;
    mrg_key_print(copy, text);
    append_pair(line, "copy", text);
}

char *
mrg_logline_format(const MrgRecord *record)
{
    GString *line = g_string_new(record->queue_id ? record->queue_id : "NOQUEUE");
    static const char *const kinds[] = {"verdict", "check", "stage"};
    g_string_append_printf(line, ": %s=%s", kinds[record->kind],
                           mrg_verdict_name(record->verdict));
    append_pair(line, "campaign", record->campaign);
    append_pair(line, "class", record->class_name);
    append_pair(line, "person", record->pseudonym);
    append_copy(line, record->copy);
    append_pair(line, "stamps", record->stamps);
    if (record->n_unsigned)
        g_string_append_printf(line, ", signatures_removed=%u", record->n_unsigned);
    append_pair(line, "repeat", record->is_repeat ? "yes" : NULL);
    g_string_append_printf(line, ", us=%" G_GINT64_FORMAT, record->took_us);
    append_pair(line, "reason", record->reason);
    return g_string_free(line, FALSE);
}
