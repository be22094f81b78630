/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/limits.h"
#include "render/singles.h"

/* FirstName, first_name and FIRST_NAME are one; FALSE when too long for a name. */
static gboolean
fold_name(const char *text, gsize length, char *folded, gsize size)
{
    gsize n = 0;
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '_')
            continue;
        if (n + 1 >= size)
            return FALSE;
        folded[n++] = g_ascii_tolower(text[i]);
    }
    folded[n] = '\0';
    return n > 0;
}

GHashTable *
mrg_singles_fold(const char *const *names)
{
    GHashTable *declared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    char folded[MRG_LIMIT_NAME_BYTES];
    for (; names && *names; names++)
        if (fold_name(*names, strlen(*names), folded, sizeof folded) &&
            !g_hash_table_contains(declared, folded))
            g_hash_table_insert(declared, g_strdup(folded), (gpointer) *names);
    return declared;
}

static gboolean
is_name_byte(char c)
{
    return g_ascii_isalnum(c) || c == '_';
}

/* Whether a tag of that name begins at text: "<style" and then no more name. */
static gboolean
is_tag(MrgSlice text, gsize at, const char *tag)
{
    gsize n = strlen(tag);
    return text.length - at >= n && g_ascii_strncasecmp(text.text + at, tag, n) == 0 &&
           (text.length - at == n || !g_ascii_isalnum(text.text[at + n]));
}

static void
enter_element(MrgSingles *singles, MrgSlice text, gsize at)
{
    if (is_tag(text, at, "<style"))
        singles->element = "</style";
    else if (is_tag(text, at, "<script"))
        singles->element = "</script";
}

/* Behind the end of the element that text is in, or the end of the text. */
static gsize
leave_element(MrgSingles *singles, MrgSlice text, gsize at)
{
    while (at < text.length) {
        const char *angle = memchr(text.text + at, '<', text.length - at);
        if (!angle)
            break;
        at = (gsize) (angle - text.text);
        if (is_tag(text, at, singles->element)) {
            singles->element = NULL;
            return at + 1;
        }
        at++;
    }
    return text.length;
}

/* Up to the closing brace, or to what cannot stand in a fallback. */
static void
read_fallback(MrgSlice text, gsize *at, MrgSingle *found)
{
    gsize start = *at, most = MIN(text.length, start + MRG_LIMIT_FALLBACK_BYTES);
    while (*at < most && !strchr("{}\r\n", text.text[*at]))
        (*at)++;
    found->has_fallback = TRUE;
    found->fallback = (MrgSlice){text.text + start, *at - start};
}

static gboolean
read_single(const MrgSingles *singles, MrgSlice text, gsize start, MrgSingle *found)
{
    char folded[MRG_LIMIT_NAME_BYTES];
    gsize at = start + 1, most = MIN(text.length, at + sizeof folded);
    while (at < most && is_name_byte(text.text[at]))
        at++;
    if (at == most ||
        !fold_name(text.text + start + 1, at - start - 1, folded, sizeof folded))
        return FALSE;
    *found =
        (MrgSingle){.start = start, .name = g_hash_table_lookup(singles->declared, folded)};
    if (!found->name)
        return FALSE;
    if (text.text[at] == '|') {
        at++;
        read_fallback(text, &at, found);
    }
    found->end = at + 1;
    return at < text.length && text.text[at] == '}';
}

gboolean
mrg_singles_next(MrgSingles *singles, MrgSlice text, gsize start, MrgSingle *found)
{
    if (!singles->declared || !g_hash_table_size(singles->declared))
        return FALSE;
    for (gsize at = start; at < text.length; at++) {
        if (singles->element)
            at = leave_element(singles, text, at);
        if (at >= text.length)
            break;
        if (text.text[at] == '<' && singles->is_html)
            enter_element(singles, text, at);
        /* {{Name}} that an escape left in the text is no token. */
        if (text.text[at] == '{' && !(at && text.text[at - 1] == '{') &&
            read_single(singles, text, at, found))
            return TRUE;
    }
    return FALSE;
}

gboolean
mrg_text_has_marker(const char *text, gsize length, const char *const *declared)
{
    MrgSingle found;
    if (!memchr(text, '{', length))
        return FALSE;
    if (g_strstr_len(text, (gssize) length, "{{"))
        return TRUE;
    g_autoptr(GHashTable) folded = mrg_singles_fold(declared);
    MrgSingles singles = {.declared = folded};
    return mrg_singles_next(&singles, (MrgSlice){text, length}, 0, &found);
}
