/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/mail.h"
#include "milter/message/words.h"
#include "milter/stamp/html.h"

/* ---- HTML to text ------------------------------------------------------ */

typedef struct Text {
    GString *out;
    gboolean has_space; /* white space waits for a word behind it */
    gboolean has_break;
} Text;

typedef struct Entity {
    const char *name;
    gunichar character;
} Entity;

/* Those that mails are full of; others stay as they are written. */
static const Entity entities[] = {
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},        {"quot", '"'},
    {"apos", '\''},    {"nbsp", 0xa0},    {"copy", 0xa9},     {"reg", 0xae},
    {"shy", 0xad},     {"middot", 0xb7},  {"times", 0xd7},    {"ndash", 0x2013},
    {"mdash", 0x2014}, {"lsquo", 0x2018}, {"rsquo", 0x2019},  {"ldquo", 0x201c},
    {"rdquo", 0x201d}, {"bull", 0x2022},  {"hellip", 0x2026}, {"euro", 0x20ac},
    {"zwnj", 0x200c},  {"zwj", 0x200d},   {"trade", 0x2122},  {"rarr", 0x2192},
    {"auml", 0xe4},    {"ouml", 0xf6},    {"uuml", 0xfc},     {"szlig", 0xdf},
    {"eacute", 0xe9},  {"egrave", 0xe8},  {"deg", 0xb0},      {"pound", 0xa3},
};

/* Fillers behind a preheader are as good as nothing. */
static gboolean
is_invisible(gunichar c)
{
    return c == 0xad || c == 0x34f || (c >= 0x200b && c <= 0x200f) || c == 0x2060 ||
           c == 0xfeff;
}

static void
put_character(Text *text, gunichar c)
{
    if (is_invisible(c))
        return;
    if (g_unichar_isspace(c) || c < 0x20) {
        text->has_space = TRUE;
        return;
    }
    if (text->out->len && text->has_break)
        g_string_append_c(text->out, '\n');
    else if (text->out->len && text->has_space)
        g_string_append_c(text->out, ' ');
    text->has_break = text->has_space = FALSE;
    g_string_append_unichar(text->out, c);
}

/* The bytes that the entity takes, or 0 where this is none. */
static gsize
read_entity(const char *at, const char *end, gunichar *character)
{
    const char *semicolon = memchr(at, ';', MIN((gsize) (end - at), 12));
    if (!semicolon)
        return 0;
    gsize length = (gsize) (semicolon - at) - 1;
    if (at[1] == '#') {
        gboolean is_hex = at[2] == 'x' || at[2] == 'X';
        guint64 number = g_ascii_strtoull(at + (is_hex ? 3 : 2), NULL, is_hex ? 16 : 10);
        if (!number || number > 0x10ffff || !g_unichar_validate((gunichar) number))
            return 0;
        *character = (gunichar) number;
        return length + 2;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(entities); i++)
        if (strlen(entities[i].name) == length &&
            memcmp(entities[i].name, at + 1, length) == 0) {
            *character = entities[i].character;
            return length + 2;
        }
    return 0;
}

static void
put_text(Text *text, const char *at, const char *end)
{
    while (at < end) {
        gunichar c = 0;
        gsize taken = *at == '&' ? read_entity(at, end, &c) : 0;
        if (!taken) {
            c = g_utf8_get_char(at);
            taken = (gsize) (g_utf8_next_char(at) - at);
        }
        put_character(text, c);
        at += taken;
    }
}

static gboolean
is_inline(const char *name, gsize length)
{
    static const char *const names[] = {"a",      "abbr", "b",   "bdi",  "big",   "cite",
                                        "code",   "del",  "em",  "font", "i",     "img",
                                        "ins",    "mark", "q",   "s",    "small", "span",
                                        "strong", "sub",  "sup", "tt",   "u",     "wbr"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strlen(names[i]) == length && g_ascii_strncasecmp(names[i], name, length) == 0)
            return TRUE;
    return FALSE;
}

char *
mrg_html_to_text(const char *html, gsize length)
{
    MrgHtml scanner;
    MrgHtmlToken token;
    Text text = {.out = g_string_new(NULL)};
    mrg_html_init(&scanner, html, length);
    while (mrg_html_next(&scanner, &token)) {
        const char *at = html + token.start;
        if (token.type == MRG_HTML_TEXT)
            put_text(&text, at, html + token.end);
        else if (token.type == MRG_HTML_START_TAG || token.type == MRG_HTML_END_TAG)
            text.has_break |= !is_inline(at + (token.type == MRG_HTML_START_TAG ? 1 : 2),
                                         token.name_length);
    }
    return g_string_free(text.out, FALSE);
}

/* ---- headers ----------------------------------------------------------- */

char *
mrg_mail_header(const char *value)
{
    char *text = mrg_words_decode(value, NULL);
    if (!text)
        text = g_utf8_make_valid(value, -1);
    return g_strstrip(text);
}

static char *
header(const MrgMail *mail, const char *name)
{
    const char *value = mrg_envelope_header(mail->envelope, name);
    return value ? mrg_mail_header(value) : g_strdup("");
}

/* The name where there is one: what stands before the address, without its quotes. */
static char *
sender_name(const MrgMail *mail)
{
    g_autofree char *from = header(mail, "From");
    const char *angle = strrchr(from, '<');
    g_autofree char *name = g_strstrip(g_strndup(from, angle ? (gsize) (angle - from) : 0));
    if (!*name)
        return g_steal_pointer(&from);
    gsize length = strlen(name);
    if (length < 2 || name[0] != '"' || name[length - 1] != '"')
        return g_steal_pointer(&name);
    name[length - 1] = '\0';
    return g_strcompress(name + 1);
}

/* ---- the mail ---------------------------------------------------------- */

/* Inboxes take it from the HTML where there is any. */
static char *
preheader(const MrgMail *mail)
{
    const MrgPart *part = mail->n_parts ? &mail->parts[0] : NULL;
    for (gsize i = 0; i < mail->n_parts; i++)
        if (mail->parts[i].is_html && !mail->parts[i].is_amp) {
            part = &mail->parts[i];
            break;
        }
    if (!part)
        return g_strdup("");
    g_autofree char *text = part->is_html ? mrg_html_to_text(part->text, part->length)
                                          : g_strndup(part->text, part->length);
    Text line = {.out = g_string_new(NULL)};
    for (const char *at = text; *at; at = g_utf8_next_char(at))
        put_character(&line, g_utf8_get_char(at));
    g_autofree char *all = g_string_free(line.out, FALSE);
    return g_utf8_substring(all, 0, MIN(g_utf8_strlen(all, -1), MRG_PREHEADER_CHARACTERS));
}

void
mrg_mail_read(MrgMail *mail, const char *text, gsize length)
{
    /* What the pipeline let out is in bounds; what it added may be over its own. */
    const MrgEnvelopeLimits limits = {100000, G_MAXINT32, G_MAXINT32, 1};
    *mail = (MrgMail){.envelope = mrg_envelope_new(MRG_ROLE_NONE, "")};
    if (mrg_envelope_read(mail->envelope, &limits, text, length, NULL))
        mail->layout = mrg_layout_new(mail->envelope, NULL);
    if (mail->layout)
        mail->parts = mrg_layout_parts(mail->layout, &mail->n_parts);
    mail->from = sender_name(mail);
    mail->subject = header(mail, "Subject");
    mail->preheader = preheader(mail);
}

void
mrg_mail_clear(MrgMail *mail)
{
    g_free(mail->from);
    g_free(mail->subject);
    g_free(mail->preheader);
    g_clear_pointer(&mail->layout, mrg_layout_unref);
    g_clear_pointer(&mail->envelope, mrg_envelope_free);
}
