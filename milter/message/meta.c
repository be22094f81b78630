/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/message/meta.h"

static const char spaces[] = " \t\n\f\r";

static gboolean
starts_with(const char *at, const char *end, const char *word)
{
    gsize length = strlen(word);
    return (gsize) (end - at) >= length && g_ascii_strncasecmp(at, word, length) == 0;
}

static const char *
skip_spaces(const char *at, const char *end)
{
    while (at < end && strchr(spaces, *at))
        at++;
    return at;
}

/* The inside of the next <meta ...> from at, its end in *end; NULL for none. */
static const char *
find_meta(const char *at, const char *text_end, const char **end)
{
    while (at < text_end && (at = memchr(at, '<', (gsize) (text_end - at)))) {
        at++;
        if (!starts_with(at, text_end, "meta"))
            continue;
        at += strlen("meta");
        *end = memchr(at, '>', (gsize) (text_end - at));
        if (*end && strchr(" \t\n\f\r/", *at))
            return at;
    }
    return NULL;
}

/* The name behind "charset=", its length in *length; NULL where the tag has none. */
static const char *
find_charset(const char *at, const char *end, gsize *length)
{
    for (; at < end; at++) {
        if (!starts_with(at, end, "charset"))
            continue;
        const char *value = skip_spaces(at + strlen("charset"), end);
        if (value == end || *value != '=')
            continue;
        value = skip_spaces(value + 1, end);
        if (value < end && (*value == '"' || *value == '\''))
            value++;
        for (at = value; at < end && (g_ascii_isalnum(*at) || strchr("-_.:+", *at));)
            at++;
        *length = (gsize) (at - value);
        if (*length)
            return value;
    }
    return NULL;
}

char *
mrg_meta_set_utf8(const char *text, gsize length, gsize *new_length)
{
    const char *end = text + length, *done = text, *tag_end;
    GString *out = NULL;
    for (const char *at = text; (at = find_meta(at, end, &tag_end)); at = tag_end) {
        gsize n = 0;
        const char *charset = find_charset(at, tag_end, &n);
        if (!charset || (n == 5 && g_ascii_strncasecmp(charset, "utf-8", n) == 0))
            continue;
        if (!out)
            out = g_string_sized_new(length + 8);
        g_string_append_len(out, done, (gssize) (charset - done));
        g_string_append(out, "utf-8");
        done = charset + n;
    }
    if (!out)
        return NULL;
    g_string_append_len(out, done, (gssize) (end - done));
    *new_length = out->len;
    return g_string_free(out, FALSE);
}
