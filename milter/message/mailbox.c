/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/message/encode.h"
#include "milter/message/mailbox.h"
#include "milter/message/words.h"

#define LINE_MAX_COLUMNS 76

/* The inside of a text that is quoted from end to end; NULL for others. */
static char *
unquote(MrgArena *arena, const char *text)
{
    gsize length = strlen(text), n = 0;
    if (length < 2 || text[0] != '"' || text[length - 1] != '"')
        return NULL;
    char *inside = mrg_arena_alloc(arena, length);
    for (gsize i = 1; i + 1 < length; i++) {
        if (text[i] == '"')
            return NULL;
        if (text[i] == '\\' && ++i + 1 >= length)
            return NULL;
        inside[n++] = text[i];
    }
    inside[n] = '\0';
    return inside;
}

gboolean
mrg_mailbox_split(const char *value, MrgArena *arena, const char **name,
                  const char **address)
{
    char *text = g_strstrip(mrg_arena_strdup(arena, value));
    char *open = strrchr(text, '<'), *close = strrchr(text, '>');
    for (char *c = text; *c; c++)
        if (*c == '\r' || *c == '\n' || *c == '\t')
            *c = ' ';
    if (!open || !close || close[1] || close < open || strpbrk(open, " {}\""))
        return FALSE;
    *address = mrg_arena_strdup(arena, open);
    *open = '\0';
    g_strchomp(text);
    char *inside = unquote(arena, text);
    if (strpbrk(inside ? inside : text, "<>"))
        return FALSE;
    g_autofree char *decoded = mrg_words_decode(inside ? inside : text, NULL);
    *name = decoded ? mrg_arena_strdup(arena, decoded) : NULL;
    return decoded != NULL;
}

const char *
mrg_mailbox_value(MrgArena *arena, gsize field_length, const char *name, gsize length,
                  const char *address)
{
    gsize start = 0;
    while (start < length && g_ascii_isspace(name[start]))
        start++;
    if (start == length)
        return mrg_arena_printf(arena, " %s", address);
    const char *phrase = mrg_encode_phrase(arena, field_length, name, length);
    const char *last_line = strrchr(phrase, '\n');
    gsize column =
        last_line ? strlen(last_line + 1) : field_length + strlen(":") + strlen(phrase);
    gboolean is_folded = column + strlen(" ") + strlen(address) > LINE_MAX_COLUMNS;
    return mrg_arena_printf(arena, "%s%s %s", phrase, is_folded ? "\n" : "", address);
}
