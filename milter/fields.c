/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/fields.h"
#include "milter/message/copy.h"
#include "milter/message/mailbox.h"
#include "milter/message/words.h"
#include "render/render.h"

static const char *const mailbox_names[] = {"From", "Sender", "Reply-To"};

static gboolean
is_subject(const char *name)
{
    return g_ascii_strcasecmp(name, "Subject") == 0;
}

static gboolean
is_mailbox(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(mailbox_names); i++)
        if (g_ascii_strcasecmp(name, mailbox_names[i]) == 0)
            return TRUE;
    return FALSE;
}

/* A pattern may end in "*". */
static gboolean
fits(const char *pattern, const char *name)
{
    gsize length = strlen(pattern);
    if (length && pattern[length - 1] == '*')
        return g_ascii_strncasecmp(pattern, name, length - 1) == 0;
    return g_ascii_strcasecmp(pattern, name) == 0;
}

gboolean
mrg_fields_have(const MrgFieldRules *rules, const char *name)
{
    if (is_subject(name))
        return TRUE;
    for (const char *const *pattern = rules->names; *pattern; pattern++)
        if (fits(*pattern, name))
            return !mrg_copy_removes(name);
    return FALSE;
}

static gboolean
has_marker(const char *text, const MrgSchema *schema)
{
    return mrg_text_has_marker(text, strlen(text), schema->names);
}

/* As a reader sees it; NULL where it cannot be decoded. */
static const char *
decode(const char *value, MrgArena *arena)
{
    g_autofree char *text = mrg_words_decode(value, NULL);
    return text ? mrg_arena_strdup(arena, g_strchug(text)) : NULL;
}

static guint
count_before(const MrgEnvelope *envelope, guint index, const char *name)
{
    guint n = 0;
    for (guint i = 0; i < index; i++)
        n += g_ascii_strcasecmp(g_array_index(envelope->headers, MrgHeader, i).name,
                                name) == 0;
    return n;
}

/* FALSE where the header is no template, or none that can be rendered. */
static gboolean
read_field(const MrgFieldRules *rules, const MrgHeader *header, MrgArena *arena,
           MrgHeaderField *field)
{
    if (is_subject(header->name) || !mrg_fields_have(rules, header->name))
        return FALSE;
    field->kind = is_mailbox(header->name) ? MRG_FIELD_MAILBOX : MRG_FIELD_TEXT;
    if (field->kind == MRG_FIELD_TEXT)
        field->text = decode(header->value, arena);
    else if (!mrg_mailbox_split(header->value, arena, &field->text, &field->address))
        return FALSE;
    if (!field->text || !has_marker(field->text, rules->schema))
        return FALSE;
    field->name = mrg_arena_strdup(arena, header->name);
    field->label = mrg_arena_printf(arena, "header %.64s", header->name);
    field->length = strlen(field->text);
    return TRUE;
}

const MrgHeaderField *
mrg_fields_read(const MrgFieldRules *rules, const MrgEnvelope *envelope,
                const MrgLayout *layout, MrgArena *arena, gsize *n_fields)
{
    const GArray *headers = envelope->headers;
    const char *subject = mrg_layout_subject(layout);
    MrgHeaderField *fields = mrg_arena_array(arena, MrgHeaderField, headers->len + 2);
    gsize n = 0;
    if (subject)
        fields[n++] = (MrgHeaderField){.kind = MRG_FIELD_SUBJECT,
                                       .name = "Subject",
                                       .label = "subject",
                                       .text = subject,
                                       .length = strlen(subject)};
    if (*rules->recipient)
        fields[n++] = (MrgHeaderField){.kind = MRG_FIELD_RECIPIENT,
                                       .name = "To",
                                       .label = "[render] recipient_name",
                                       .text = rules->recipient,
                                       .length = strlen(rules->recipient)};
    for (guint i = 0; i < headers->len; i++) {
        const MrgHeader *header = &g_array_index(headers, MrgHeader, i);
        fields[n] = (MrgHeaderField){.kind = MRG_FIELD_TEXT};
        if (!read_field(rules, header, arena, &fields[n]))
            continue;
        fields[n].nth = count_before(envelope, i, header->name);
        n++;
    }
    *n_fields = n;
    return fields;
}

/* ---- what must not stay ---- */

static gboolean
is_field(const MrgHeaderField *fields, gsize n_fields, const MrgEnvelope *envelope,
         guint index)
{
    const char *name = g_array_index(envelope->headers, MrgHeader, index).name;
    for (gsize i = 0; i < n_fields; i++)
        if (fields[i].kind != MRG_FIELD_RECIPIENT &&
            g_ascii_strcasecmp(fields[i].name, name) == 0 &&
            (fields[i].kind == MRG_FIELD_SUBJECT ||
             fields[i].nth == count_before(envelope, index, name)))
            return TRUE;
    return FALSE;
}

static gboolean
is_stray(const MrgHeader *header, const MrgSchema *schema)
{
    gboolean has_brace = strchr(header->value, '{') != NULL;
    gboolean has_words = strstr(header->value, "=?") != NULL;
    if ((!has_brace && !has_words) || mrg_copy_removes(header->name))
        return FALSE;
    if (has_marker(header->value, schema))
        return TRUE;
    if (!has_words)
        return FALSE;
    /* What cannot be decoded here shows no template to a reader either. */
    g_autofree char *text = mrg_words_decode(header->value, NULL);
    return text && has_marker(text, schema);
}

gboolean
mrg_fields_refuse_stray(const MrgHeaderField *fields, gsize n_fields,
                        const MrgEnvelope *envelope, const MrgSchema *schema,
                        GError **error)
{
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        if (is_field(fields, n_fields, envelope, i) || !is_stray(header, schema))
            continue;
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_MARKER,
                    is_mailbox(header->name)
                        ? "header %.64s:1:1: a template marker, but of an address only the "
                          "name is rendered: \"{{name}}\" <news@example.com>"
                        : "header %.64s:1:1: a template marker, but this header is not "
                          "rendered; [render] headers names those that are",
                    header->name);
        return FALSE;
    }
    return TRUE;
}
