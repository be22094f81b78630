/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <gmime/gmime.h>
#include <string.h>

#include "milter/error.h"
#include "tests/unit/mail.h"

#define MULTIPART(kind, boundary) \
    "Content-Type: multipart/" kind "; boundary=\"" boundary "\"\n"

/* What the structures are made of; each says in which texts its parts are. */
typedef struct Structure {
    const char *name;
    const char *message;
    const char *texts[5]; /* NAME=TEXT of each template part */
} Structure;

static const Structure structures[] = {
    {"plain without MIME", "Subject: x\n\nHello\n", {"part text/plain=Hello\n"}},
    {"no newline at the end", "Subject: x\n\nHello", {"part text/plain=Hello"}},
    {"empty", "Subject: x\n\n", {"part text/plain="}},
    {"html", "Content-Type: TEXT/HTML\n\n<b>\n", {"part text/html=<b>\n"}},
    {"amp", "Content-Type: text/x-amp-html\n\n<b>\n", {"part text/x-amp-html=<b>\n"}},
    {"alternative",
     MULTIPART("alternative",
               "b") "\npreamble {{x}}\n--b\nContent-Type: text/plain\n\none\n"
                    "--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n",
     {"part text/plain=one", "part text/html=two\n"}},
    {"nested, with an attachment",
     MULTIPART("mixed", "out") "\n--out\n" MULTIPART(
         "related",
         "mid") "\n--mid\n" MULTIPART("alternative",
                                      "in") "\n--in\n\none\n--in\n"
                                            "Content-Transfer-Encoding: "
                                            "base64\nContent-Type: text/html;\n"
                                            "\tcharset=utf-8\n\nw6QK\n--in--\n\n--"
                                            "mid\nContent-Type: image/gif\n"
                                            "\nGIF89\n--mid--\n--out\nContent-Type: "
                                            "text/plain\n"
                                            "Content-Disposition: attachment; "
                                            "filename=a.txt\n\nkeep {{me}}\n"
                                            "--out\nContent-Disposition: "
                                            "inline\n\nlast\n--out--\n",
     {"part text/plain=one", "part text/html=\xc3\xa4\n", "part 2 text/plain=last"}},
    {"forwarded message stays",
     MULTIPART("mixed", "b") "\n--b\n\nours\n--b\nContent-Type: message/rfc822\n\n"
                             "Content-Type: multipart/signed; boundary=s\n\n--s\n\ntheirs\n"
                             "--s--\n--b--\n",
     {"part text/plain=ours"}},
    {"digest",
     MULTIPART("digest",
               "b") "\n--b\n\nSubject: x\n\nnot ours\n--b\nContent-Type: text/plain\n"
                    "\nours\n--b--\n",
     {"part text/plain=ours"}},
    {"no final boundary",
     MULTIPART("mixed", "b") "\n--b\n\none\n--b\n\ntwo\n",
     {"part text/plain=one", "part 2 text/plain=two\n"}},
    {"inner boundary not closed",
     MULTIPART("mixed", "b") "\n--b\n" MULTIPART("mixed",
                                                 "c") "\n--c\n\none\n--b\n\ntwo\n--b--\n",
     {"part text/plain=one", "part 2 text/plain=two"}},
    {"empty parts",
     MULTIPART("mixed", "b") "\n--b\n\n--b\n\n\n--b\n\n\n\n--b--\n",
     {"part text/plain=", "part 2 text/plain=", "part 3 text/plain=\n"}},
    {"boundary is a prefix of a line",
     MULTIPART("mixed", "b") "\n--b\n\n--bc\n--\n-- b\n--b \t\n\ntwo\n--b--  \n",
     {"part text/plain=--bc\n--\n-- b", "part 2 text/plain=two"}},
    {"boundary without quotes, folded",
     "Content-Type: multipart/mixed;\n boundary=b\n\n--b\n\none\n--b--\n",
     {"part text/plain=one"}},
    {"text types that are no templates",
     MULTIPART("mixed", "b") "\n--b\nContent-Type: text/calendar\n\ncal\n--b\n"
                             "Content-Type: text/csv\n\na,b\n--b\n\none\n--b--\n",
     {"part text/plain=one"}},
};

static MrgLayout *
layout(const MrgEnvelope *envelope)
{
    GError *error = NULL;
    MrgLayout *result = mrg_layout_new(envelope, &error);
    g_assert_no_error(error);
    return result;
}

static void
structures_are_found(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(structures); i++) {
        g_test_message("%s", structures[i].name);
        g_autoptr(MrgEnvelope) envelope = mail_read(structures[i].message);
        g_autoptr(MrgLayout) found = layout(envelope);
        gsize n = 0;
        const MrgPart *parts = mrg_layout_parts(found, &n);
        for (gsize j = 0; j < n; j++) {
            g_autofree char *text = g_strdup_printf("%s=%s", parts[j].name, parts[j].text);
            g_assert_cmpstr(text, ==, structures[i].texts[j]);
            g_assert_cmpuint(strlen(parts[j].text), ==, parts[j].length);
        }
        g_assert_null(structures[i].texts[n]);
    }
}

/* The texts as GMime's own parser finds them. */
static void
collect(GMimeObject *parent, GMimeObject *object, gpointer data)
{
    GString *texts = data;
    const char *disposition = g_mime_object_get_disposition(object);
    GMimeContentType *type = g_mime_object_get_content_type(object);
    if (!GMIME_IS_TEXT_PART(object) || g_strcmp0(disposition, "attachment") == 0 ||
        GMIME_IS_MESSAGE(parent) ||
        !(g_mime_content_type_is_type(type, "text", "plain") ||
          g_mime_content_type_is_type(type, "text", "html")))
        return;
    g_autofree char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(object));
    g_string_append_printf(texts, "[%s]", text ? text : "");
}

static char *
texts_by_gmime(const char *message)
{
    g_autofree char *crlf = mail_crlf(message);
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(crlf, strlen(crlf));
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    GString *texts = g_string_new(NULL);
    GMimeObject *top = g_mime_message_get_mime_part(parsed);
    if (GMIME_IS_MULTIPART(top))
        g_mime_multipart_foreach(GMIME_MULTIPART(top), collect, texts);
    else
        collect(NULL, top, texts);
    g_object_unref(parsed);
    g_object_unref(parser);
    g_object_unref(stream);
    char *text = g_string_free(texts, FALSE);
    g_auto(GStrv) pieces = g_strsplit(text, "\r\n", -1);
    g_free(text);
    return g_strjoinv("\n", pieces);
}

/* The scanner is ours, so somebody else has to say that it is right. */
static void
gmime_finds_the_same_texts(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(structures); i++) {
        g_test_message("%s", structures[i].name);
        if (strstr(structures[i].message, "x-amp-html"))
            continue;
        g_autofree char *theirs = texts_by_gmime(structures[i].message);
        g_autoptr(GString) ours = g_string_new(NULL);
        g_autoptr(MrgEnvelope) envelope = mail_read(structures[i].message);
        g_autoptr(MrgLayout) found = layout(envelope);
        gsize n = 0;
        const MrgPart *parts = mrg_layout_parts(found, &n);
        for (gsize j = 0; j < n; j++)
            g_string_append_printf(ours, "[%s]", parts[j].text);
        g_assert_cmpstr(ours->str, ==, theirs);
    }
}

/* Every part changed, with either order of the fields, either missing, or folded. */
static void
every_header_block_takes_new_fields(void)
{
    static const char *const types[] = {"", "Content-Type: text/plain; charset=us-ascii\n",
                                        "content-type:\n text/plain;\n\tname=\"a b\"\n"};
    static const char *const encodings[] = {"", "Content-Transfer-Encoding: 8bit\n",
                                            "CONTENT-TRANSFER-ENCODING :\n 7bit\n"};
    static const char *const others[] = {"", "X-Other: 1\n"};
    for (gsize i = 0; i < 3 * 3 * 2 * 2 * 2; i++) {
        const char *type = types[i % 3];
        const char *encoding = encodings[i / 3 % 3];
        const char *first = others[i / 9 % 2];
        const char *last = others[i / 18 % 2];
        gboolean is_swapped = i / 36 % 2;
        g_autofree char *message = g_strdup_printf(
            MULTIPART("mixed", "b") "\n--b\n%s%s%s%s\nold\n--b--\n", first,
            is_swapped ? encoding : type, is_swapped ? type : encoding, last);
        g_autoptr(MrgEnvelope) envelope = mail_read(message);
        g_autoptr(MrgLayout) found = layout(envelope);
        const char *texts[] = {"new \xc3\xa4\n"};
        g_autofree char *copy = mail_copy(envelope, found, texts);
        g_autoptr(MrgEnvelope) again = mail_read(copy);
        g_autoptr(MrgLayout) copied = layout(again);
        gsize n = 0;
        const MrgPart *part = mrg_layout_parts(copied, &n);
        g_assert_cmpuint(n, ==, 1);
        g_assert_cmpstr(part->text, ==, "new \xc3\xa4\n");
        g_auto(GStrv) pieces = g_strsplit(copy, "\nX-Other: 1\r", -1);
        g_assert_cmpuint(g_strv_length(pieces), ==,
                         1u + (*first != '\0') + (*last != '\0'));
    }
}

static void
charsets_and_encodings_decode(void)
{
    static const struct {
        const char *charset, *encoding, *content, *text;
    } cases[] = {
        {"utf-8", "8bit", "\xc3\xa4", "\xc3\xa4"},
        {"iso-8859-1", "8bit", "\xe4", "\xc3\xa4"},
        {"iso-8859-1", "quoted-printable", "=E4=\n=e4", "\xc3\xa4\xc3\xa4"},
        {"windows-1252", "quoted-printable", "=80", "\xe2\x82\xac"},
        {"koi8-r", "base64", "7dXS", "\xd0\x9c\xd1\x83\xd1\x80"},
        {"shift_jis", "base64", "k/o=", "\xe6\x97\xa5"},
        {"iso-2022-jp", "7bit", "\x1b$BF|\x1b(B", "\xe6\x97\xa5"},
        {"gb18030", "base64", "xOM=", "\xe4\xbd\xa0"},
        {"utf-16le", "base64", "QQANAAoA", "A\n"},
        {"us-ascii", "8bit", "\xc3\xa4", "\xc3\xa4"},
        {"us-ascii", "8bit", "\xe4 \x80", "\xc3\xa4 \xe2\x82\xac"},
        {"us-ascii", "Base64", "YQ0KYg1jCg==", "a\nb\nc\n"},
        {"\"utf-8\"", "Quoted-Printable", "a\n=20b", "a\n b"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = g_strdup_printf(
            "Content-Type: text/plain; charset=%s\nContent-Transfer-Encoding: %s\n\n%s",
            cases[i].charset, cases[i].encoding, cases[i].content);
        g_autoptr(MrgEnvelope) envelope = mail_read(message);
        g_autoptr(MrgLayout) found = layout(envelope);
        gsize n = 0;
        g_assert_cmpstr(mrg_layout_parts(found, &n)->text, ==, cases[i].text);
    }
}

static void
what_cannot_be_read_is_refused(void)
{
    static const struct {
        const char *message;
        MrgError code;
        const char *text;
    } cases[] = {
        {"Content-Type: text/plain; charset=x-none\n\na", MRG_ERROR_CHARSET,
         "part text/plain: unknown charset 'x-none'"},
        {"Content-Type: text/html; charset=\"a'b//IGNORE \x01\"\n\na", MRG_ERROR_CHARSET,
         "part text/html: unknown charset 'a?b?"
         "?IGNORE?"
         "?'"},
        {"Content-Type: text/html; charset=utf-8//IGNORE\n\na\xff", MRG_ERROR_CHARSET,
         "part text/html: unknown charset 'utf-8??IGNORE'"},
        {"Content-Type: text/plain; charset=utf-8\n\na\xe4", MRG_ERROR_CHARSET,
         "part text/plain: bytes that are not in charset 'utf-8'"},
        {"Content-Type: text/plain; charset=shift_jis\n\na\xfd", MRG_ERROR_CHARSET,
         "part text/plain: bytes that are not in charset 'shift_jis'"},
        {"Content-Transfer-Encoding: base64\n\nAGE=", MRG_ERROR_CHARSET,
         "part text/plain: bytes that are not in charset 'windows-1252'"},
        {"Content-Transfer-Encoding: binary\n\na", MRG_ERROR_STRUCTURE,
         "part text/plain: its transfer encoding is none of 7bit, 8bit, quoted-printable, "
         "base64"},
        {"Content-Transfer-Encoding: x-uuencode\n\na", MRG_ERROR_STRUCTURE,
         "part text/plain: its transfer encoding is none of 7bit, 8bit, quoted-printable, "
         "base64"},
        {MULTIPART("signed", "b") "\n--b\n\na\n--b--\n", MRG_ERROR_SIGNED, NULL},
        {MULTIPART("encrypted", "b") "\n--b\n\na\n--b--\n", MRG_ERROR_SIGNED, NULL},
        {MULTIPART("mixed", "a") "\n--a\n" MULTIPART("signed",
                                                     "b") "\n--b\n\na\n--b--\n--a--\n",
         MRG_ERROR_SIGNED, NULL},
        {"Content-Type: application/pkcs7-mime; smime-type=signed-data\n\na",
         MRG_ERROR_SIGNED, NULL},
        {"Subject: x\n\n\n -----BEGIN PGP SIGNED MESSAGE-----\n", MRG_ERROR_SIGNED, NULL},
        {"Content-Type: text\n\na", MRG_ERROR_STRUCTURE,
         "a Content-Type field is malformed"},
        {"Content-Type: text/plain html\n\na", MRG_ERROR_STRUCTURE,
         "a Content-Type field is malformed"},
        {"Content-Type: text/plain\nContent-Type: text/html\n\na", MRG_ERROR_STRUCTURE,
         "the message has several Content-Type fields"},
        {"Subject: =?x-none?Q?a?=\n\na", MRG_ERROR_CHARSET,
         "subject: unknown charset 'x-none'"},
        {"Subject: =?utf-8?Q?a=00?=\n\na", MRG_ERROR_CHARSET,
         "subject: bytes that are not in charset 'utf-8'"},
        {"Subject: a\nSubject: b\n\na", MRG_ERROR_STRUCTURE,
         "the message has several Subject fields"},
        {MULTIPART("mixed", "b") "\n--b\nContent-Type: text/plain\nX: y\n"
                                 "Content-Type: text/html\n\na\n--b--\n",
         MRG_ERROR_STRUCTURE, "a part has several Content-Type fields"},
        {"Content-Type: multipart/mixed\n\na", MRG_ERROR_STRUCTURE,
         "a multipart has no boundary, or a malformed one"},
        {MULTIPART("mixed", "b") "\nno part\n", MRG_ERROR_STRUCTURE,
         "a multipart has no parts"},
        {MULTIPART("mixed", "b") "\n--b--\n", MRG_ERROR_STRUCTURE,
         "a multipart has no parts"},
        {MULTIPART("mixed", "b") "\n--b\nX: y\n--b--\n", MRG_ERROR_STRUCTURE,
         "a part has no empty line behind its fields"},
        {MULTIPART("mixed", "b") "\n--b\n X: y\n\na\n--b--\n", MRG_ERROR_STRUCTURE,
         "the fields of a part begin with white space"},
        {MULTIPART("mixed", "b") "\n--b\nX: y", MRG_ERROR_STRUCTURE,
         "a part has no empty line behind its fields"},
        {MULTIPART("mixed", "b") "\n--b\n" MULTIPART("mixed", "b") "\n--b\n\na\n--b--\n",
         MRG_ERROR_STRUCTURE, "a multipart has the boundary of one around it"},
        {MULTIPART("mixed", "b") "\n--b\n" MULTIPART("mixed", "b--") "\n--b\n\na\n--b--\n",
         MRG_ERROR_STRUCTURE, "a multipart has the boundary of one around it"},
        {MULTIPART("mixed", "b") "Content-Transfer-Encoding: base64\n\nLS1iCgphCi0tYi0t\n",
         MRG_ERROR_STRUCTURE, "a multipart has a transfer encoding"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MrgEnvelope) envelope = mail_read(cases[i].message);
        g_autoptr(GError) error = NULL;
        g_assert_null(mrg_layout_new(envelope, &error));
        g_assert_error(error, MRG_ERROR, (gint) cases[i].code);
        if (cases[i].text)
            g_assert_cmpstr(error->message, ==, cases[i].text);
        else
            g_assert_nonnull(strstr(error->message, "signing comes after merging"));
    }
}

static MrgEnvelope *
nested(int depth)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < depth; i++)
        g_string_append_printf(
            text, "Content-Type: multipart/mixed; boundary=b%dx\n\n--b%dx\n", i, i);
    g_string_append(text, "\nin\n");
    return mail_read(text->str);
}

static MrgEnvelope *
with_parts(int n)
{
    g_autoptr(GString) text = g_string_new(MULTIPART("mixed", "b") "\n");
    for (int i = 0; i < n; i++)
        g_string_append(text, "--b\nContent-Type: image/gif\n\nx\n");
    g_string_append(text, "--b--\n");
    return mail_read(text->str);
}

static void
bounds_hold(void)
{
    g_autoptr(MrgEnvelope) ten = nested(10);
    g_autoptr(MrgLayout) deepest = layout(ten);
    g_autoptr(MrgEnvelope) hundred = with_parts(100);
    g_autoptr(MrgLayout) longest = layout(hundred);
    g_assert_nonnull(deepest);
    g_assert_nonnull(longest);
    MrgEnvelope *tried[] = {nested(11), with_parts(101), nested(20000)};
    for (gsize i = 0; i < G_N_ELEMENTS(tried); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(mrg_layout_new(tried[i], &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_STRUCTURE);
        mrg_envelope_free(tried[i]);
    }
}

static void
subjects_are_decoded(void)
{
    static const struct {
        const char *field, *subject;
    } cases[] = {
        {"Subject: Hello\n", "Hello"},
        {"To: x\n", NULL},
        {"Subject:\n", ""},
        {"Subject: a\n\tb\n c\n", "a b c"},
        {"Subject: =?utf-8?Q?Hello_{{first?=\n =?utf-8?Q?_name}}?=\n",
         "Hello {{first name}}"},
        {"Subject: =?utf-8?B?w6Q=?= =?iso-8859-1?Q?=E4?= x\n", "\xc3\xa4\xc3\xa4 x"},
        {"Subject: =?utf-8?B?4oI=?=\n =?utf-8?B?rA==?=\n", "\xe2\x82\xac"},
        {"Subject: =?utf-8?B?w6Q=?= =?UTF-8*de?B?w6Q=?=\n =?utf-8?q?a_=3d?=\n",
         "\xc3\xa4\xc3\xa4"
         "a ="},
        {"Subject: =?utf-8?Q?Really?\?=\n", "Really?"},
        {"Subject: Re: =?utf-8?Q?a?= b =?utf-8?Q?c?=d\n", "Re: a b cd"},
        {"Subject: =?utf-8?Q?a=0D=0ABcc:_x=7F?=\n", "a  Bcc: x "},
        {"Subject: =?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=\n",
         "\xe6\x97\xa5\xe6\x9c\xac"},
        {"Subject: =?utf-8?X?a?= =? =?? =?utf-8?Q?open\n",
         "=?utf-8?X?a?= =? =?? =?utf-8?Q?open"},
        {"Subject: \xe4 \xe2\x82\xac\n", "\xc3\xa4 \xc3\xa2\xe2\x80\x9a\xc2\xac"},
        {"Subject: \xe2\x82\xac\n", "\xe2\x82\xac"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = g_strconcat(cases[i].field, "\n", NULL);
        g_autoptr(MrgEnvelope) envelope = mail_read(message);
        g_autoptr(MrgLayout) found = layout(envelope);
        g_assert_cmpstr(mrg_layout_subject(found), ==, cases[i].subject);
    }
}

static void
the_type_keeps_its_other_parameters(void)
{
    static const struct {
        const char *type, *value;
    } cases[] = {
        {"text/plain", "text/plain; charset=utf-8"},
        {"text/plain; format=flowed; delsp=yes; charset=iso-8859-1",
         "text/plain; charset=utf-8"},
        {"TEXT/Plain; name=\"a \\\"b\"; charset=us-ascii; x=y",
         "text/plain; charset=utf-8;\n name=\"a \\\"b\";\n x=\"y\""},
        {"text/html; name*=utf-8''a%0D%0AX%3A%20y", "text/html; charset=utf-8"},
        {"text/html; name*=utf-8''%C3%A4", "text/html; charset=utf-8"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = g_strdup_printf("Content-Type: %s\n\n", cases[i].type);
        g_autoptr(MrgEnvelope) envelope = mail_read(message);
        g_autoptr(MrgLayout) found = layout(envelope);
        gsize n = 0;
        const MrgPart *part = mrg_layout_parts(found, &n);
        g_assert_cmpstr(part->type_value, ==, cases[i].value);
    }
}

static void
the_encoding_follows_the_text(void)
{
    g_autoptr(MrgEnvelope) latin = mail_read("Subject: x\n\nGr\xc3\xbc\xc3\x9f Gott\n");
    g_autoptr(MrgLayout) quoted = layout(latin);
    g_autoptr(MrgEnvelope) japanese =
        mail_read("Subject: x\n\n\xe6\x97\xa5\xe6\x9c\xac{{a}}\n");
    g_autoptr(MrgLayout) base64 = layout(japanese);
    gsize n = 0;
    g_assert_cmpstr(mrg_layout_parts(quoted, &n)->encoding_value, ==, "quoted-printable");
    g_assert_cmpstr(mrg_layout_parts(base64, &n)->encoding_value, ==, "base64");
}

/* An envelope always has CRLF; the scanner must not depend on it. */
static void
line_ends_do_not_matter(void)
{
    const char *body = "--b\n\none\r\n--b\r\n\r\ntwo\n--b\r\n\nthree\n--b--";
    g_autoptr(MrgEnvelope) envelope = mail_read(MULTIPART("mixed", "b") "\n");
    g_byte_array_append(envelope->body, (const guint8 *) body, (guint) strlen(body));
    g_autoptr(MrgLayout) found = layout(envelope);
    gsize n = 0;
    const MrgPart *parts = mrg_layout_parts(found, &n);
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpstr(parts[0].text, ==, "one");
    g_assert_cmpstr(parts[1].text, ==, "two");
    g_assert_cmpstr(parts[2].text, ==, "three");
}

static void
a_body_cut_within_a_line_end_is_refused(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read("Subject: x\n\n");
    mrg_envelope_add_body(envelope, &mail_limits, (const guint8 *) "a\r", 2);
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_layout_new(envelope, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_DEFECT);
}

/* Of a part that is not written anew nothing changes; this is what is written otherwise. */
static void
html_says_the_charset_that_it_will_have(void)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"<meta charset=iso-8859-1>", "<meta charset=utf-8>"},
        {"<META\nCharset = 'x-sjis' />", "<META\nCharset = 'utf-8' />"},
        {"<meta http-equiv=\"Content-Type\" content=\"text/html; "
         "charset=windows-1252\">\xe4",
         "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\xc3\xa4"},
        {"<meta charset=koi8-r><p><meta charset=\"koi8-r\">",
         "<meta charset=utf-8><p><meta charset=\"utf-8\">"},
        {"<meta charset=UTF-8>", "<meta charset=UTF-8>"},
        {"<meta name=charset content=x>", "<meta name=charset content=x>"},
        {"<meta charset={{x}}>", "<meta charset={{x}}>"},
        {"<metal charset=x> <meta", "<metal charset=x> <meta"},
        {"charset=x <meta charset=>", "charset=x <meta charset=>"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = g_strconcat("Content-Type: text/html; "
                                               "charset=iso-8859-1\n\n",
                                               cases[i].text, NULL);
        g_autoptr(MrgEnvelope) envelope = mail_read(message);
        g_autoptr(MrgLayout) found = layout(envelope);
        gsize n = 0;
        const MrgPart *parts = mrg_layout_parts(found, &n);
        g_assert_cmpstr(parts[0].text, ==, cases[i].expected);
        g_assert_cmpuint(strlen(parts[0].text), ==, parts[0].length);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/mime/structures", structures_are_found);
    g_test_add_func("/mime/as-gmime", gmime_finds_the_same_texts);
    g_test_add_func("/mime/header-blocks", every_header_block_takes_new_fields);
    g_test_add_func("/mime/charsets", charsets_and_encodings_decode);
    g_test_add_func("/mime/refused", what_cannot_be_read_is_refused);
    g_test_add_func("/mime/bounds", bounds_hold);
    g_test_add_func("/mime/subject", subjects_are_decoded);
    g_test_add_func("/mime/type-value", the_type_keeps_its_other_parameters);
    g_test_add_func("/mime/encoding-value", the_encoding_follows_the_text);
    g_test_add_func("/mime/line-ends", line_ends_do_not_matter);
    g_test_add_func("/mime/cut", a_body_cut_within_a_line_end_is_refused);
    g_test_add_func("/mime/meta", html_says_the_charset_that_it_will_have);
    return g_test_run();
}
