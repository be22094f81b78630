/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <gmime/gmime.h>
#include <string.h>

#include "milter/error.h"
#include "milter/message/charset.h"

#define NAME_MAX_BYTES 40
#define NAME_CHARACTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.:+()"

static gboolean
is_ascii_name(const char *charset)
{
    static const char *const names[] = {"us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(charset, names[i]) == 0)
            return TRUE;
    return FALSE;
}

static gboolean
is_utf8_name(const char *charset)
{
    return g_ascii_strcasecmp(charset, "utf-8") == 0 ||
           g_ascii_strcasecmp(charset, "utf8") == 0;
}

static gboolean
is_open(const char *charset)
{
    return !charset || !*charset || is_ascii_name(charset);
}

gboolean
mrg_charset_keeps_ascii(const char *charset)
{
    return is_open(charset) || is_utf8_name(charset) ||
           g_ascii_strncasecmp(charset, "iso-8859-", strlen("iso-8859-")) == 0 ||
           g_ascii_strncasecmp(charset, "windows-125", strlen("windows-125")) == 0;
}

/* iconv takes orders behind the name ("//IGNORE"), which a message must not give. */
static gboolean
is_charset_name(const char *charset)
{
    gsize length = strspn(charset, NAME_CHARACTERS);
    return length > 0 && length <= NAME_MAX_BYTES && charset[length] == '\0';
}

static void
set_unknown(GError **error, const char *charset)
{
    g_autofree char *name = g_strndup(charset, NAME_MAX_BYTES);
    g_strcanon(name, NAME_CHARACTERS, '?');
    g_set_error(error, MRG_ERROR, MRG_ERROR_CHARSET, "unknown charset '%s'", name);
}

static void
set_misfit(GError **error, const char *charset)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CHARSET, "bytes that are not in charset '%s'",
                charset);
}

static char *
convert(const char *charset, const char *bytes, gsize length, gsize *text_length,
        GError **error)
{
    if (!is_charset_name(charset)) {
        set_unknown(error, charset);
        return NULL;
    }
    g_autoptr(GError) reason = NULL;
    const char *iconv_name = g_mime_charset_iconv_name(charset);
    gsize converted = 0;
    g_autofree char *text =
        g_convert(bytes, (gssize) length, "UTF-8", iconv_name ? iconv_name : charset, NULL,
                  &converted, &reason);
    if (g_error_matches(reason, G_CONVERT_ERROR, G_CONVERT_ERROR_NO_CONVERSION)) {
        set_unknown(error, charset);
        return NULL;
    }
    if (!text || !g_utf8_validate_len(text, converted, NULL)) {
        set_misfit(error, charset);
        return NULL;
    }
    *text_length = converted;
    return g_steal_pointer(&text);
}

char *
mrg_charset_decode(const char *charset, const char *bytes, gsize length, gsize *text_length,
                   GError **error)
{
    if (!is_open(charset) && !is_utf8_name(charset))
        return convert(charset, bytes, length, text_length, error);
    if (!g_utf8_validate_len(bytes, length, NULL)) {
        if (is_open(charset))
            return convert("windows-1252", bytes, length, text_length, error);
        set_misfit(error, charset);
        return NULL;
    }
    *text_length = length;
    return g_strndup(bytes, length);
}
