/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/message/encode.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* RFC 2045, 6.7 (5) and 6.8. */
#define LINE_MAX_COLUMNS 76
#define BASE64_LINE_BYTES (LINE_MAX_COLUMNS / 4 * 3)
/* RFC 2047, 2: an encoded word has at most 75 characters. */
#define WORD_MAX 75
#define WORD_FRAME 12 /* =?utf-8?Q? and ?= */
#define WORD_ROOM_MIN 12
/* RFC 5322, 2.1.1 allows 998; a single long word stays below it with its name. */
#define PLAIN_WORD_MAX 800
#define QUOTED_MAX 50

static const char hex[] = "0123456789ABCDEF";

static inline gboolean
is_literal(guchar c)
{
    return c >= 33 && c <= 126 && c != '=';
}

gsize
mrg_encode_count_escapes(const char *text, gsize length)
{
    gsize n = 0;
    for (gsize i = 0; i < length; i++) {
        guchar c = (guchar) text[i];
        n += !is_literal(c) && c != ' ' && c != '\t' && c != '\n' && c != '\r';
    }
    return n;
}

/* Output collects in a block, so that the buffer is asked once per block. */
typedef struct Quoter {
    MrgBuffer *out;
    gsize used;
    gsize column;
    char block[4096];
} Quoter;

static inline void
reserve(Quoter *quoter, gsize length)
{
    if (quoter->used + length > sizeof quoter->block) {
        mrg_buffer_append(quoter->out, quoter->block, quoter->used);
        quoter->used = 0;
    }
}

static inline void
put(Quoter *quoter, const char *text, gsize length)
{
    reserve(quoter, length);
    memcpy(quoter->block + quoter->used, text, length);
    quoter->used += length;
}

static inline void
put_line_end(Quoter *quoter, gboolean is_soft)
{
    put(quoter, is_soft ? "=\r\n" : "\r\n", is_soft ? 3 : 2);
    quoter->column = 0;
}

static gsize
line_end_length(const char *at, const char *end)
{
    if (at == end)
        return 0;
    if (*at == '\n')
        return 1;
    return *at == '\r' && end - at > 1 && at[1] == '\n' ? 2 : 0;
}

/* White space before a line end, the dot that SMTP doubles and the "From " that mailboxes
 * quote do not survive every transport; a line that begins with "--" could be a boundary
 * of the message around, and a value must not end its part. */
static gboolean
needs_escape(const Quoter *quoter, const char *at, const char *end)
{
    if (*at == ' ' || *at == '\t')
        return at + 1 == end || line_end_length(at + 1, end) > 0;
    if (quoter->column == 0 && *at == '.')
        return TRUE;
    if (quoter->column == 0 && *at == '-')
        return end - at >= 2 && at[1] == '-';
    if (quoter->column == 0 && *at == 'F')
        return end - at >= 5 && memcmp(at, "From ", 5) == 0;
    return !is_literal((guchar) *at);
}

#define CHUNK 16

/* CHUNK bytes, all of which are written; how many are printable ASCII and not '=', before
 * the first that is not. */
static inline gsize
copy_chunk(char *out, const char *at)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *) (gconstpointer) at);
    _mm_storeu_si128((__m128i *) (gpointer) out, bytes);
    /* Compared with a sign: bytes from 0x80 on are below a space, too. */
    __m128i odd = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                               _mm_cmpeq_epi8(bytes, _mm_set1_epi8('=')));
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    guint bits = (guint) _mm_movemask_epi8(odd);
    return bits ? (gsize) __builtin_ctz(bits) : CHUNK;
#else
    gsize n = 0;
    memcpy(out, at, CHUNK);
    while (n < CHUNK && (is_literal((guchar) at[n]) || at[n] == ' '))
        n++;
    return n;
#endif
}

static inline gsize
copy_plain(char *out, const char *at, const char *end)
{
    gsize n = 0;
    if (end - at >= CHUNK)
        return copy_chunk(out, at);
    for (; at + n < end && (is_literal((guchar) at[n]) || at[n] == ' '); n++)
        out[n] = at[n];
    return n;
}

static inline char *
write_escape(char *out, guchar c)
{
    out[0] = '=';
    out[1] = hex[c >> 4];
    out[2] = hex[c & 15];
    return out + 3;
}

/* The usual case, anywhere but at the start of a line: as much as the line holds, up to a
 * line end, a tab, or a space that ends the line.  Gives the number of characters taken. */
static gsize
put_most(Quoter *quoter, const char *text, const char *end)
{
    reserve(quoter, LINE_MAX_COLUMNS + CHUNK);
    char *start = quoter->block + quoter->used, *out = start;
    const char *limit = start + (LINE_MAX_COLUMNS - 1 - quoter->column);
    const char *at = text;
    for (;;) {
        gsize n = copy_plain(out, at, end);
        n = MIN(n, (gsize) (limit - out));
        at += n;
        out += n;
        if (n == CHUNK)
            continue;
        if (at == end || *at == '\n' || *at == '\r' || *at == '\t' || limit - out < 3)
            break;
        out = write_escape(out, (guchar) *at++);
    }
    if (out > start && out[-1] == ' ' && (at == end || line_end_length(at, end))) {
        out--;
        at--;
    }
    quoter->used += (gsize) (out - start);
    quoter->column += (gsize) (out - start);
    return (gsize) (at - text);
}

static void
put_character(Quoter *quoter, const char *at, const char *end)
{
    gboolean is_escaped = needs_escape(quoter, at, end);
    if (quoter->column + (is_escaped ? 3 : 1) > LINE_MAX_COLUMNS - 1) {
        put_line_end(quoter, TRUE);
        is_escaped = needs_escape(quoter, at, end);
    }
    if (is_escaped) {
        char escape[3];
        write_escape(escape, (guchar) *at);
        put(quoter, escape, sizeof escape);
    } else {
        put(quoter, at, 1);
    }
    quoter->column += is_escaped ? 3 : 1;
}

void
mrg_encode_quoted_printable(MrgBuffer *out, const char *text, gsize length)
{
    Quoter quoter;
    quoter.out = out;
    quoter.used = quoter.column = 0;
    const char *end = text + length;
    while (text < end) {
        gsize taken = quoter.column ? put_most(&quoter, text, end) : 0;
        gsize line_end = taken ? 0 : line_end_length(text, end);
        if (line_end)
            put_line_end(&quoter, FALSE);
        else if (!taken)
            put_character(&quoter, text, end);
        text += taken ? taken : MAX(line_end, 1);
    }
    mrg_buffer_append(out, quoter.block, quoter.used);
}

/* 3 bytes as 4 characters; fewer are padded. */
static void
put_triple(char *out, const guchar *bytes, gsize n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    guint32 bits = (guint32) bytes[0] << 16 | (n > 1 ? (guint32) bytes[1] << 8 : 0) |
                   (n > 2 ? bytes[2] : 0);
    out[0] = alphabet[bits >> 18];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
    out[3] = n > 2 ? alphabet[bits & 63] : '=';
}

static gsize
base64_encode(char *out, const guchar *bytes, gsize n)
{
    gsize used = 0;
    for (gsize i = 0; i < n; i += 3, used += 4)
        put_triple(out + used, bytes + i, MIN(n - i, 3));
    return used;
}

/* A line's worth of bytes in canonical form, where every line end is CRLF; it may be one
 * more, which belongs to the next line. */
typedef struct Canonical {
    guchar bytes[BASE64_LINE_BYTES + 1];
    gsize used;
} Canonical;

static const char *
take_canonical(Canonical *line, const char *at, const char *start, const char *end)
{
    for (; at < end && line->used < BASE64_LINE_BYTES; at++) {
        if (*at == '\n' && (at == start || at[-1] != '\r'))
            line->bytes[line->used++] = '\r';
        line->bytes[line->used++] = (guchar) *at;
    }
    return at;
}

void
mrg_encode_base64(MrgBuffer *out, const char *text, gsize length)
{
    Canonical line = {.used = 0};
    const char *end = text + length;
    const char *at = take_canonical(&line, text, text, end);
    while (line.used > 0) {
        char encoded[LINE_MAX_COLUMNS];
        gsize n = MIN(line.used, BASE64_LINE_BYTES);
        mrg_buffer_append(out, encoded, base64_encode(encoded, line.bytes, n));
        line.used -= n;
        line.bytes[0] = line.bytes[BASE64_LINE_BYTES];
        at = take_canonical(&line, at, text, end);
        if (line.used > 0)
            mrg_buffer_append(out, "\r\n", 2);
    }
}

/* Valid UTF-8 without control characters and without white space around it. */
static char *
clean_header_text(MrgArena *arena, const char *text, gsize length)
{
    char *clean = mrg_arena_dup(arena, text, length);
    for (gsize i = 0; i < length; i++)
        if ((guchar) clean[i] < ' ' || clean[i] == 127)
            clean[i] = ' ';
    if (!g_utf8_validate(clean, (gssize) length, NULL)) {
        g_autofree char *valid = g_utf8_make_valid(clean, (gssize) length);
        clean = mrg_arena_strdup(arena, valid);
    }
    return g_strstrip(clean);
}

static gboolean
can_stay_plain(const char *text)
{
    gsize word = 0;
    for (const char *at = text; *at; at++) {
        if ((guchar) *at > 126 || (at[0] == '=' && at[1] == '?'))
            return FALSE;
        /* A fold goes before the spaces, so they count with the word behind them. */
        word = *at == ' ' && at > text && at[-1] != ' ' ? 1 : word + 1;
        if (word > PLAIN_WORD_MAX)
            return FALSE;
    }
    return TRUE;
}

/* Folded at white space only, so that unfolding gives the text again. */
static char *
fold_plain(MrgArena *arena, gsize name_length, const char *text)
{
    char *out = mrg_arena_alloc(arena, strlen(text) * 2 + 2);
    gsize n = 0;
    gsize column = name_length + 2;
    out[n++] = ' ';
    for (const char *at = text; *at;) {
        gsize word = strspn(at, " ");
        word += strcspn(at + word, " ");
        if (at > text && column + word > LINE_MAX_COLUMNS) {
            out[n++] = '\n';
            column = 0;
        }
        memcpy(out + n, at, word);
        n += word;
        column += word;
        at += word;
    }
    out[n] = '\0';
    return out;
}

/* RFC 2047, 5 (3): what may stand as it is in a phrase, and so everywhere. */
static gboolean
is_word_literal(guchar c)
{
    return g_ascii_isalnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static gsize
word_cost(const char *text, gsize length)
{
    gsize cost = 0;
    for (gsize i = 0; i < length; i++)
        cost += is_word_literal((guchar) text[i]) || text[i] == ' ' ? 1 : 3;
    return cost;
}

/* As many whole characters as room holds. */
static gsize
take_word(const char *text, gsize room, gboolean is_base64)
{
    gsize taken = 0;
    gsize cost = 0;
    while (text[taken]) {
        gsize next = taken + (gsize) (g_utf8_next_char(text + taken) - (text + taken));
        cost =
            is_base64 ? (next + 2) / 3 * 4 : cost + word_cost(text + taken, next - taken);
        if (cost > room)
            break;
        taken = next;
    }
    return taken;
}

static void
put_word(GString *out, const char *text, gsize length, gboolean is_base64)
{
    char encoded[WORD_MAX];
    g_string_append(out, is_base64 ? "=?utf-8?B?" : "=?utf-8?Q?");
    if (is_base64) {
        gsize n = base64_encode(encoded, (const guchar *) text, length);
        g_string_append_len(out, encoded, (gssize) n);
    }
    for (gsize i = 0; i < length && !is_base64; i++) {
        guchar c = (guchar) text[i];
        if (is_word_literal(c))
            g_string_append_c(out, (char) c);
        else if (c == ' ')
            g_string_append_c(out, '_');
        else
            g_string_append_printf(out, "=%02X", c);
    }
    g_string_append(out, "?=");
}

static char *
encode_words(MrgArena *arena, gsize name_length, const char *text)
{
    gsize length = strlen(text);
    /* An escape costs two more bytes; over a third of them, as for bodies. */
    gboolean is_base64 = (word_cost(text, length) - length) / 2 > length / 3;
    g_autoptr(GString) out = g_string_new(" ");
    gsize before = name_length + 2 + WORD_FRAME;
    gsize room = before + WORD_ROOM_MIN < LINE_MAX_COLUMNS ? LINE_MAX_COLUMNS - before
                                                           : WORD_ROOM_MIN;
    while (*text) {
        if (out->len > 1)
            g_string_append(out, "\n ");
        gsize taken = take_word(text, MIN(room, WORD_MAX - WORD_FRAME), is_base64);
        put_word(out, text, taken, is_base64);
        text += taken;
        room = WORD_MAX - WORD_FRAME;
    }
    return mrg_arena_dup(arena, out->str, out->len);
}

/* Whether all of it is visible ASCII: in the top bit of each byte, eight at a time.  The
 * first byte that is none shows there whatever it borrows from those above it. */
static gboolean
is_visible(const char *text, gsize length)
{
    const guint64 ones = G_GUINT64_CONSTANT(0x0101010101010101);
    guint64 seen = 0;
    for (; length >= sizeof seen; text += sizeof seen, length -= sizeof seen) {
        guint64 bytes;
        memcpy(&bytes, text, sizeof bytes);
        seen |= bytes | (bytes - '!' * ones) | (bytes + ones);
    }
    for (; length; text++, length--)
        seen |= (guchar) (*text - '!') > '~' - '!' ? 0x80 : 0;
    return (seen & 0x80 * ones) == 0;
}

/* A single word that stays as it is, as tokens and addresses do; without '?' no part of it
 * is an encoded word. */
static gboolean
is_plain_word(const char *text, gsize length)
{
    return length > 0 && length <= PLAIN_WORD_MAX && is_visible(text, length) &&
           !memchr(text, '?', length);
}

static char *
put_behind_space(MrgArena *arena, const char *text, gsize length)
{
    char *out = mrg_arena_alloc(arena, length + 2);
    out[0] = ' ';
    memcpy(out + 1, text, length);
    out[length + 1] = '\0';
    return out;
}

char *
mrg_encode_header(MrgArena *arena, gsize name_length, const char *text, gsize length)
{
    if (is_plain_word(text, length))
        return put_behind_space(arena, text, length);
    const char *clean = clean_header_text(arena, text, length);
    return can_stay_plain(clean) ? fold_plain(arena, name_length, clean)
                                 : encode_words(arena, name_length, clean);
}

char *
mrg_encode_phrase(MrgArena *arena, gsize name_length, const char *text, gsize length)
{
    const char *clean = clean_header_text(arena, text, length);
    if (!can_stay_plain(clean) || strlen(clean) > QUOTED_MAX)
        return encode_words(arena, name_length, clean);
    char *out = mrg_arena_alloc(arena, 2 * QUOTED_MAX + sizeof " \"\"");
    gsize n = 0;
    out[n++] = ' ';
    out[n++] = '"';
    for (; *clean; clean++) {
        if (*clean == '"' || *clean == '\\')
            out[n++] = '\\';
        out[n++] = *clean;
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}
