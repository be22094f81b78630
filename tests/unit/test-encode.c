/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <gmime/gmime.h>
#include <string.h>

#include "milter/message/encode.h"
#include "milter/message/mime.h"
#include "milter/message/words.h"

typedef void Encoder(MrgBuffer *out, const char *text, gsize length);

static char *
encode(Encoder *encoder, const char *text, gsize length)
{
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 1 << 24);
    encoder(&out, text, length);
    g_assert_false(out.is_full);
    return mrg_buffer_dup(&out);
}

static GString *
decode(const char *text, GMimeContentEncoding encoding)
{
    GMimeEncoding state;
    gsize length = strlen(text);
    g_mime_encoding_init_decode(&state, encoding);
    GString *out = g_string_sized_new(g_mime_encoding_outlen(&state, length) + 1);
    gsize n = g_mime_encoding_step(&state, text, length, out->str);
    n += g_mime_encoding_flush(&state, "", 0, out->str + n);
    g_string_set_size(out, n);
    return out;
}

/* LF and CRLF to CRLF, as text travels. */
static GString *
canonical(const char *text, gsize length)
{
    GString *out = g_string_new(NULL);
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
            g_string_append_c(out, '\r');
        g_string_append_c(out, text[i]);
    }
    return out;
}

static void
assert_lines_fit(const char *encoded, gsize columns)
{
    g_auto(GStrv) lines = g_strsplit(encoded, "\n", -1);
    for (char **line = lines; *line; line++) {
        gsize length = strcspn(*line, "\r");
        g_assert_cmpuint(length, <=, columns);
        g_assert_true(line[1] == NULL || (*line)[length] == '\r');
        g_assert_true(length == 0 || !strchr(" \t", (*line)[length - 1]));
        g_assert_false(g_str_has_prefix(*line, "."));
        g_assert_false(g_str_has_prefix(*line, "From "));
        g_assert_false(g_str_has_prefix(*line, "--"));
        for (gsize i = 0; i < length; i++)
            g_assert_true(g_ascii_isprint((*line)[i]) || (*line)[i] == '\t');
    }
}

static void
assert_round_trip(Encoder *encoder, GMimeContentEncoding encoding, const char *text,
                  gsize length)
{
    g_autofree char *encoded = encode(encoder, text, length);
    assert_lines_fit(encoded, 76);
    GString *decoded = decode(encoded, encoding);
    GString *expected = canonical(text, length);
    g_assert_cmpmem(decoded->str, decoded->len, expected->str, expected->len);
    g_string_free(decoded, TRUE);
    g_string_free(expected, TRUE);
}

static void
quoted_printable_golden(void)
{
    static const struct {
        const char *text, *encoded;
    } cases[] = {
        {"", ""},
        {"plain\n", "plain\r\n"},
        {"plain\r\nno end", "plain\r\nno end"},
        {"a=b", "a=3Db"},
        {"gr\xc3\xbc\xc3\x9f", "gr=C3=BC=C3=9F"},
        {"end \nend\t\r\nend ", "end=20\r\nend=09\r\nend=20"},
        {"in between", "in between"},
        {"From me\nFrom\n.dot\na.b From ", "=46rom me\r\nFrom\r\n=2Edot\r\na.b From=20"},
        {"cr\rlf", "cr=0Dlf"},
        {"--b\n-b\n---\na--\n-", "=2D-b\r\n-b\r\n=2D--\r\na--\r\n-"},
        {"\x7f\x01", "=7F=01"},
        {"123456789012345678901234567890123456789012345678901234567890123456789012345.x",
         "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n"
         "=2Ex"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *encoded =
            encode(mrg_encode_quoted_printable, cases[i].text, strlen(cases[i].text));
        g_assert_cmpstr(encoded, ==, cases[i].encoded);
    }
}

static void
base64_golden(void)
{
    static const struct {
        const char *text, *encoded;
    } cases[] = {
        {"", ""},          {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"},   {"foob", "Zm9vYg=="}, {"a\n", "YQ0K"},
        {"a\r\n", "YQ0K"}, {"\n", "DQo="},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *encoded =
            encode(mrg_encode_base64, cases[i].text, strlen(cases[i].text));
        g_assert_cmpstr(encoded, ==, cases[i].encoded);
    }
}

/* Line ends of both kinds at every column around a line's end. */
static void
line_ends_at_every_column(void)
{
    for (gsize width = 40; width < 160; width++) {
        g_autofree char *filler = g_strnfill(width, 'x');
        const char *ends[] = {"\n",  "\r\n",       " \n", "\t\r\n",
                              "=\n", "\xc3\xa4\n", " ",   ".\n.\n"};
        for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
            g_autofree char *text = g_strconcat(filler, ends[i], filler, ends[i], NULL);
            assert_round_trip(mrg_encode_quoted_printable,
                              GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE, text, strlen(text));
            assert_round_trip(mrg_encode_base64, GMIME_CONTENT_ENCODING_BASE64, text,
                              strlen(text));
        }
    }
}

static gsize
random_text(char *text, gsize room)
{
    static const char *const pieces[] = {"a",
                                         " ",
                                         "\t",
                                         "\n",
                                         "\r\n",
                                         "=",
                                         ".",
                                         "?",
                                         "From ",
                                         "word",
                                         "_",
                                         "--",
                                         "\xc3\xa4",
                                         "=?",
                                         "\"",
                                         "\xe2\x82\xac",
                                         ",",
                                         "<>",
                                         "\xf0\x9f\x98\x80"};
    gsize n = 0;
    for (int i = g_test_rand_int_range(0, 200); i > 0 && n + 8 < room; i--) {
        const char *piece = pieces[g_test_rand_int_range(0, G_N_ELEMENTS(pieces))];
        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    text[n] = '\0';
    return n;
}

static void
random_texts_come_back(void)
{
    char text[2048];
    for (int i = 0; i < 3000; i++) {
        gsize length = random_text(text, sizeof text);
        assert_round_trip(mrg_encode_quoted_printable,
                          GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE, text, length);
        assert_round_trip(mrg_encode_base64, GMIME_CONTENT_ENCODING_BASE64, text, length);
    }
}

static void
a_large_text_fills_many_blocks(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 20000; i++)
        g_string_append_printf(text, "%d \xc3\xa4 %s", i, i % 7 ? "" : "\n");
    assert_round_trip(mrg_encode_quoted_printable, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE,
                      text->str, text->len);
    assert_round_trip(mrg_encode_base64, GMIME_CONTENT_ENCODING_BASE64, text->str,
                      text->len);
}

static void
a_full_buffer_says_so(void)
{
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 10);
    mrg_encode_quoted_printable(&out, "12345678901", 11);
    g_assert_true(out.is_full);
}

static void
assert_header_is_one_field(const char *name, const char *value)
{
    g_assert_cmpint(value[0], ==, ' ');
    gsize column = strlen(name) + 1;
    gboolean has_text = FALSE;
    for (const char *c = value; *c; c++) {
        g_assert_true(*c == '\n' || g_ascii_isprint(*c));
        if (*c == '\n') {
            g_assert_cmpint(c[1], ==, ' ');
            g_assert_true(has_text);
            has_text = FALSE;
            column = 0;
            continue;
        }
        has_text |= *c != ' ';
        g_assert_cmpuint(++column, <, 998);
    }
}

static char *
clean(const char *text)
{
    char *copy = g_strdup(text);
    for (char *c = copy; *c; c++)
        if ((guchar) *c < ' ')
            *c = ' ';
    return g_strstrip(copy);
}

static char *
decode_header(const char *value)
{
    GError *error = NULL;
    char *decoded = mrg_words_decode(value, &error);
    g_assert_no_error(error);
    return g_strstrip(decoded);
}

static void
header_texts_come_back_and_never_break_out(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    char text[2048];
    for (int i = 0; i < 3000; i++) {
        gsize length = random_text(text, sizeof text);
        const char *value = mrg_encode_header(arena, strlen("Subject"), text, length);
        if (strspn(value, " ") == strlen(value))
            continue;
        assert_header_is_one_field("Subject", value);
        g_autofree char *expected = clean(text);
        g_autofree char *decoded = decode_header(value);
        g_assert_cmpstr(decoded, ==, expected);
    }
}

static void
header_golden(void)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"Hello Ann", " Hello Ann"},
        {"  two  spaces ", " two  spaces"},
        {"a\r\nBcc: x", " a  Bcc: x"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e an Ann",
         " =?utf-8?Q?Gr=C3=BC=C3=9Fe_an_Ann?="},
        {"\xe6\x97\xa5\xe6\x9c\xac", " =?utf-8?B?5pel5pys?="},
        {"=?utf-8?Q?x?=", " =?utf-8?B?PT91dGYtOD9RP3g/PQ==?="},
        {"\xff", " =?utf-8?B?77+9?="},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpstr(mrg_encode_header(arena, strlen("Subject"), cases[i].text,
                                          strlen(cases[i].text)),
                        ==, cases[i].value);
}

/* Wherever it stands: bytes are looked at one by one and eight at a time. */
static void
a_word_stays_if_all_of_it_is_visible(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize at = 0; at < 19; at++)
        for (guint c = 1; c < 256; c++) {
            char text[] = " abcdefghijklmnopqrs";
            text[1 + at] = (char) c;
            const char *value = mrg_encode_header(arena, strlen("X"), text + 1, 19);
            assert_header_is_one_field("X", value);
            g_assert_cmpint(strcmp(value, text) == 0, ==,
                            (c > ' ' && c < 127) || (c == ' ' && at > 0 && at < 18));
        }
}

static void
long_headers_fold_at_76(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GString) words = g_string_new("start");
    for (int i = 0; i < 60; i++)
        g_string_append_printf(words, " word%d", i);
    for (int is_ascii = 0; is_ascii < 2; is_ascii++) {
        const char *value =
            mrg_encode_header(arena, strlen("Subject"), words->str, words->len);
        g_auto(GStrv) lines = g_strsplit(value, "\n", -1);
        g_assert_cmpuint(strlen("Subject:") + strlen(lines[0]), <=, 76);
        for (char **line = lines + 1; *line; line++)
            g_assert_cmpuint(strlen(*line), <=, 76);
        g_string_append(words, "\xc3\xa4");
    }
    g_autofree char *wide = g_strnfill(5000, 'x');
    const char *value = mrg_encode_header(arena, strlen("Subject"), wide, 5000);
    assert_header_is_one_field("Subject", value);
}

static void
phrases_are_quoted(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_assert_cmpstr(mrg_encode_phrase(arena, 2, "Ann O'Hara, \"A\\\"", 17), ==,
                    " \"Ann O'Hara, \\\"A\\\\\\\"\"");
    g_assert_cmpstr(mrg_encode_phrase(arena, 2, "Zo\xc3\xab, Ann", 9), ==,
                    " =?utf-8?Q?Zo=C3=AB=2C_Ann?=");
}

static void
escapes_are_counted(void)
{
    g_assert_cmpuint(mrg_encode_count_escapes("a=\xc3\xa4 \r\n\t.", 9), ==, 3);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/encode/quoted-printable", quoted_printable_golden);
    g_test_add_func("/encode/base64", base64_golden);
    g_test_add_func("/encode/every-column", line_ends_at_every_column);
    g_test_add_func("/encode/random", random_texts_come_back);
    g_test_add_func("/encode/header/word", a_word_stays_if_all_of_it_is_visible);
    g_test_add_func("/encode/large", a_large_text_fills_many_blocks);
    g_test_add_func("/encode/full", a_full_buffer_says_so);
    g_test_add_func("/encode/header", header_golden);
    g_test_add_func("/encode/header-random", header_texts_come_back_and_never_break_out);
    g_test_add_func("/encode/header-fold", long_headers_fold_at_76);
    g_test_add_func("/encode/phrase", phrases_are_quoted);
    g_test_add_func("/encode/escapes", escapes_are_counted);
    return g_test_run();
}
