/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <gmime/gmime.h>
#include <string.h>

#include "milter/message/charset.h"
#include "milter/message/words.h"

/* RFC 2047, 2, gives 75 to a whole word; charset names are shorter still. */
#define CHARSET_MAX 40
/* Far more than 75: some senders put a whole text into one. */
#define WORD_MAX 8192

typedef struct Word {
    char charset[CHARSET_MAX + 1];
    gboolean is_base64;
    const char *text;
    gsize text_length;
    gsize length; /* of the whole word */
} Word;

typedef struct Decoder {
    GString *out;
    GString *bytes; /* of the words so far that have one charset */
    char charset[CHARSET_MAX + 1];
} Decoder;

static gboolean
read_word(const char *at, Word *word)
{
    if (strncmp(at, "=?", 2) != 0)
        return FALSE;
    const char *charset = at + 2;
    gsize charset_length = strcspn(charset, "? \t\n");
    /* A language may stand behind the charset (RFC 2231, 5). */
    gsize name_length = strcspn(charset, "*? \t\n");
    const char *encoding = charset + charset_length;
    if (name_length == 0 || name_length > CHARSET_MAX || encoding[0] != '?' ||
        !encoding[1] || !strchr("BbQq", encoding[1]) || encoding[2] != '?')
        return FALSE;
    word->text = encoding + 3;
    /* Senders leave spaces and question marks in; only the end mark ends a word. */
    const char *end = g_strstr_len(word->text, WORD_MAX, "?=");
    if (!end || memchr(word->text, '\n', (gsize) (end - word->text)))
        return FALSE;
    word->text_length = (gsize) (end - word->text);
    memcpy(word->charset, charset, name_length);
    word->charset[name_length] = '\0';
    word->is_base64 = g_ascii_tolower(encoding[1]) == 'b';
    word->length = (gsize) (word->text + word->text_length + 2 - at);
    return TRUE;
}

static void
decode_q(GString *out, const Word *word)
{
    for (gsize i = 0; i < word->text_length; i++) {
        const char *at = word->text + i;
        if (*at == '=' && i + 2 < word->text_length && g_ascii_isxdigit(at[1]) &&
            g_ascii_isxdigit(at[2])) {
            g_string_append_c(out, (char) (g_ascii_xdigit_value(at[1]) << 4 |
                                           g_ascii_xdigit_value(at[2])));
            i += 2;
        } else {
            g_string_append_c(out, *at == '_' ? ' ' : *at);
        }
    }
}

static void
decode_b(GString *out, const Word *word)
{
    GMimeEncoding state;
    g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_BASE64);
    gsize before = out->len;
    g_string_set_size(out, before + g_mime_encoding_outlen(&state, word->text_length) + 4);
    gsize n =
        g_mime_encoding_step(&state, word->text, word->text_length, out->str + before);
    n += g_mime_encoding_flush(&state, "", 0, out->str + before + n);
    g_string_set_size(out, before + n);
}

static gboolean
append_decoded(Decoder *decoder, const char *charset, const char *bytes, gsize length,
               GError **error)
{
    gsize text_length = 0;
    g_autofree char *text = mrg_charset_decode(charset, bytes, length, &text_length, error);
    if (!text)
        return FALSE;
    g_string_append_len(decoder->out, text, (gssize) text_length);
    return TRUE;
}

static gboolean
flush(Decoder *decoder, GError **error)
{
    gboolean is_done = append_decoded(decoder, decoder->charset, decoder->bytes->str,
                                      decoder->bytes->len, error);
    g_string_truncate(decoder->bytes, 0);
    return is_done;
}

static gboolean
add_word(Decoder *decoder, const Word *word, GError **error)
{
    if (g_ascii_strcasecmp(decoder->charset, word->charset) != 0) {
        if (!flush(decoder, error))
            return FALSE;
        g_strlcpy(decoder->charset, word->charset, sizeof decoder->charset);
    }
    if (word->is_base64)
        decode_b(decoder->bytes, word);
    else
        decode_q(decoder->bytes, word);
    return TRUE;
}

/* Up to what looks like a word; at least a byte. */
static gsize
measure_text(const char *at)
{
    const char *next = strstr(at + 1, "=?");
    return next ? (gsize) (next - at) : strlen(at);
}

/* The white space between two words is theirs, not the text's (RFC 2047, 6.2). */
static gsize
measure_gap(const char *at)
{
    Word word;
    gsize gap = strspn(at, " \t\n");
    return gap && read_word(at + gap, &word) ? gap : 0;
}

static gboolean
decode(Decoder *decoder, const char *at, GError **error)
{
    Word word;
    while (*at) {
        if (read_word(at, &word)) {
            if (!add_word(decoder, &word, error))
                return FALSE;
            at += word.length;
            at += measure_gap(at);
            continue;
        }
        gsize length = measure_text(at);
        if (!flush(decoder, error) || !append_decoded(decoder, NULL, at, length, error))
            return FALSE;
        at += length;
    }
    return flush(decoder, error);
}

/* Unfolding takes the line end away; other controls are nothing to show. */
static char *
clean(const char *text)
{
    char *copy = g_strdup(text);
    gsize n = 0;
    for (const char *c = text; *c; c++)
        if (*c != '\n' || (c[1] != ' ' && c[1] != '\t'))
            copy[n++] = (guchar) *c < ' ' || *c == 127 ? ' ' : *c;
    copy[n] = '\0';
    return copy;
}

char *
mrg_words_decode(const char *value, GError **error)
{
    Decoder decoder = {g_string_new(NULL), g_string_new(NULL), "us-ascii"};
    gboolean is_done = decode(&decoder, value, error);
    char *text = is_done ? clean(decoder.out->str) : NULL;
    g_string_free(decoder.out, TRUE);
    g_string_free(decoder.bytes, TRUE);
    return text;
}
