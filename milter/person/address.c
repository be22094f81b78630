/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "base/utf8.h"
#include "milter/person/key.h"

#define ADDRESS_MIN 3
#define ADDRESS_MAX 254 /* RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets */

static void
trim(const char **text, gsize *length)
{
    while (*length && g_ascii_isspace(**text)) {
        (*text)++;
        (*length)--;
    }
    while (*length && g_ascii_isspace((*text)[*length - 1]))
        (*length)--;
}

static gboolean
has_control(const char *text, gsize length)
{
    for (const char *c = text; c < text + length; c = g_utf8_next_char(c))
        if ((guchar) *c > 127 ? g_unichar_iscntrl(g_utf8_get_char(c)) : g_ascii_iscntrl(*c))
            return TRUE;
    return FALSE;
}

/* Exactly one '@' outside quotes, with something on both sides; nothing else there that
 * only quotes allow (RFC 5322, 3.2.3). */
static gboolean
is_mailbox(const char *text, gsize length)
{
    gboolean is_quoted = FALSE;
    gsize at = 0;
    for (gsize i = 0; i < length; i++) {
        if (g_ascii_isalnum(text[i])) {
            continue;
        } else if (text[i] == '\\' && is_quoted) {
            i++;
        } else if (text[i] == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted && text[i] == '@') {
            if (at || i == 0)
                return FALSE;
            at = i;
        } else if (!is_quoted && strchr(" <>,;\\", text[i])) {
            return FALSE;
        }
    }
    return !is_quoted && at && at + 1 < length;
}

static gboolean
is_atom_character(char c)
{
    return (guchar) c > 127 || g_ascii_isalnum(c) ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* What needs no quotes (RFC 5322, 3.2.3). */
static gboolean
is_dot_atom(const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (!is_atom_character(text[i]) &&
            (text[i] != '.' || i == 0 || i + 1 == length || text[i - 1] == '.'))
            return FALSE;
    return length > 0;
}

/* A quoted local part is the same person with fewer quotes: it must meet the same caps and
 * suppressions (RFC 5321, 4.1.2).  Each character is quoted only where it must be. */
static void
simplify_quotes(char *address, MrgArena *arena)
{
    gsize length = strlen(address);
    char *at = strrchr(address, '@');
    if (address[0] != '"' || at[-1] != '"' || at - address < 2)
        return;
    char *bare = mrg_arena_alloc(arena, length + 1);
    gsize n = 0;
    for (const char *c = address + 1; c < at - 1; c++) {
        if (*c == '"')
            return; /* "a"."b" */
        c += *c == '\\';
        bare[n++] = *c;
    }
    char *out = address;
    gboolean is_quoted = !is_dot_atom(bare, n);
    if (is_quoted)
        *out++ = '"';
    for (gsize i = 0; i < n; i++) {
        if (bare[i] == '"' || bare[i] == '\\')
            *out++ = '\\';
        *out++ = bare[i];
    }
    if (is_quoted)
        *out++ = '"';
    memmove(out, at, strlen(at) + 1);
}

const char *
mrg_address_normalise(const char *address, MrgArena *arena)
{
    gsize length = strlen(address);
    trim(&address, &length);
    if (length >= 2 && address[0] == '<' && address[length - 1] == '>') {
        address++;
        length -= 2;
        trim(&address, &length);
    }
    if (length < ADDRESS_MIN || length > ADDRESS_MAX ||
        !mrg_utf8_is_valid(address, length) || has_control(address, length) ||
        !is_mailbox(address, length))
        return NULL;
    /* The root of all domains, which nobody writes. */
    if (address[length - 1] == '.' && address[length - 2] != '@')
        length--;
    char *normal = mrg_arena_dup(arena, address, length);
    for (gsize i = 0; i < length; i++)
        normal[i] |= g_ascii_isupper(normal[i]) ? 0x20 : 0;
    simplify_quotes(normal, arena);
    return normal;
}
