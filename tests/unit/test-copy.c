/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/message/mime.h"
#include "tests/unit/mail.h"

static const char campaign[] = "Received: from a by b;\n\tMon\n"
                               "X-Campaign: spring\n"
                               "X-Campaign-Data: {}\n"
                               "From: Shop <shop@example.com>\n"
                               "To: all@example.com, others@example.com\n"
                               "Cc: boss@example.com\n"
                               "bcc: secret@example.com\n"
                               "Resent-To: r@example.com\n"
                               "Mail-Followup-To: all@example.com, others@example.com\n"
                               "Delivered-To: others@example.com\n"
                               "X-Original-To: others@example.com\n"
                               "Thread-Topic: Hello {FirstName}\n"
                               "DKIM-Signature: v=1;\n b=abc\n"
                               "ARC-Seal: i=1\n"
                               "Subject:  Hello\n   there\n"
                               "TO: again@example.com\n"
                               "MIME-Version: 1.0\n"
                               "Content-Type: multipart/mixed;\n boundary=b\n"
                               "\n"
                               "preamble\n"
                               "--b\n"
                               "Content-Type: text/plain; charset=iso-8859-1\n"
                               "Content-Transfer-Encoding: quoted-printable\n"
                               "\n"
                               "Gr=FC=DF Gott und guten Tag\n"
                               "--b  \n"
                               "Content-Disposition: inline\n"
                               "\n"
                               "second\n"
                               "--b\n"
                               "Content-Type: application/octet-stream\n"
                               "Content-Transfer-Encoding: base64\n"
                               "\n"
                               "AAEC\n"
                               "--b--\n"
                               "epilogue without end";

static const char header_of_copy[] = "Received: from a by b;\n\tMon\n"
                                     "From: Shop <shop@example.com>\n"
                                     "To: <ann@example.com>\n"
                                     "Subject:  Hello\n   there\n"
                                     "MIME-Version: 1.0\n"
                                     "Content-Type: multipart/mixed;\n boundary=b\n";

static MrgLayout *
layout(const MrgEnvelope *envelope)
{
    GError *error = NULL;
    MrgLayout *result = mrg_layout_new(envelope, &error);
    g_assert_no_error(error);
    return result;
}

static void
unchanged_parts_keep_every_byte(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read(campaign);
    g_autoptr(MrgLayout) found = layout(envelope);
    g_autofree char *copy = mail_copy(envelope, found, NULL);
    g_autofree char *expected =
        g_strconcat(header_of_copy, strstr(campaign, "\n\n") + 1, NULL);
    g_autofree char *crlf = mail_crlf(expected);
    g_assert_cmpstr(copy, ==, crlf);
}

static void
changed_parts_are_spliced_in(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read(campaign);
    g_autoptr(MrgLayout) found = layout(envelope);
    const char *texts[] = {"Gr\xc3\xbc\xc3\x9f Gott, Ann\n", "zweitens"};
    g_autofree char *copy = mail_copy(envelope, found, texts);
    g_autofree char *expected =
        g_strconcat(header_of_copy,
                    "\npreamble\n--b\n"
                    "Content-Type: text/plain; charset=utf-8\n"
                    "Content-Transfer-Encoding: quoted-printable\n"
                    "\nGr=C3=BC=C3=9F Gott, Ann\n\n"
                    "--b  \n"
                    "Content-Type: text/plain; charset=utf-8\n"
                    "Content-Transfer-Encoding: quoted-printable\n"
                    "Content-Disposition: inline\n"
                    "\nzweitens\n--b\n",
                    strstr(campaign, "Content-Type: application"), NULL);
    g_autofree char *crlf = mail_crlf(expected);
    g_assert_cmpstr(copy, ==, crlf);
}

static void
one_changed_part_leaves_the_others(void)
{
    for (gsize changed = 0; changed < 2; changed++) {
        g_autoptr(MrgEnvelope) envelope = mail_read(campaign);
        g_autoptr(MrgLayout) found = layout(envelope);
        const char *texts[] = {NULL, NULL};
        texts[changed] = "new";
        g_autofree char *copy = mail_copy(envelope, found, texts);
        g_assert_cmpint(changed == 1, ==,
                        strstr(copy, "\r\nGr=FC=DF Gott und guten Tag\r\n") != NULL);
        g_assert_cmpint(changed == 0, ==,
                        strstr(copy, "\r\nContent-Disposition: inline\r\n\r\nsecond\r\n") !=
                            NULL);
    }
}

static void
a_message_that_is_the_text_gets_header_fields(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read(
        "Content-MD5: x\nContent-type: text/html; charset=iso-8859-1\n\nabc \xe4\n");
    g_autoptr(MrgLayout) found = layout(envelope);
    const char *texts[] = {"<p>\xc3\xa4</p>"};
    g_autofree char *copy = mail_copy(envelope, found, texts);
    g_assert_cmpstr(copy, ==,
                    "Content-type: text/html; charset=utf-8\r\n"
                    "To: <ann@example.com>\r\n"
                    "Content-Transfer-Encoding: quoted-printable\r\n"
                    "MIME-Version: 1.0\r\n"
                    "\r\n<p>=C3=A4</p>\r\n");
}

/* Structure x charset x encoding: what goes in must come out, in the copy as well. */
static void
every_combination_comes_back(void)
{
    static const char *const frames[][2] = {
        {"", ""},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b\n", "\n--b--\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n",
         "\n--b\n\nother\n--b--\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
         "multipart/related;"
         " boundary=\"c d\"\n\n--c d\n",
         "\n--c d--\n--b--\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b\n", ""},
    };
    static const char *const fields[][2] = {
        {"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
         "abc def \xc3\xa4"},
        {"Content-Type: text/html; charset=iso-8859-1\n", "abc def \xe4"},
        {"Content-Transfer-Encoding: base64\nContent-Type: text/html; "
         "charset=iso-8859-15\n",
         "YWJjIGRlZiDk"},
        {"Content-Type: text/plain; charset=cp1252\nContent-Transfer-Encoding: "
         "quoted-printable\n",
         "abc=20def =E4"},
        {"X-Only: this\n", "abc def \xc3\xa4"},
    };
    static const char *const results[] = {
        "",
        "\n",
        "x\n\n",
        "\xc3\xb6 {{name}}\n--b\n--c d--\n.\nFrom \n",
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    };
    for (gsize i = 0; i < 5 * 5 * 5; i++) {
        g_autofree char *message =
            g_strconcat(frames[i % 5][0], fields[i / 5 % 5][0], "\n", fields[i / 5 % 5][1],
                        frames[i % 5][1], NULL);
        g_autoptr(MrgEnvelope) envelope = mail_read(message);
        g_autoptr(MrgLayout) found = layout(envelope);
        gsize n = 0, n_again = 0;
        g_assert_cmpstr(mrg_layout_parts(found, &n)->text, ==, "abc def \xc3\xa4");
        const char *texts[2] = {results[i / 25], NULL};
        g_autofree char *copy = mail_copy(envelope, found, texts);
        g_autoptr(MrgEnvelope) again = mail_read(copy);
        g_autoptr(MrgLayout) copied = layout(again);
        const MrgPart *part = mrg_layout_parts(copied, &n_again);
        g_assert_cmpuint(n, ==, n_again);
        /* A whole message ends with a line end, whether the text has one or not. */
        g_autofree char *with_end = g_strconcat(results[i / 25], "\n", NULL);
        if (!part->is_top || strcmp(part->text, with_end) != 0)
            g_assert_cmpstr(part->text, ==, results[i / 25]);
    }
}

/* An empty part shares its only line end with the boundary. */
static void
an_empty_part_can_get_a_text(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n\n--b\n\n\n\n--b--\n");
    g_autoptr(MrgLayout) found = layout(envelope);
    const char *texts[] = {"one", "two\n", "three"};
    g_autofree char *copy = mail_copy(envelope, found, texts);
    g_autoptr(MrgEnvelope) again = mail_read(copy);
    g_autoptr(MrgLayout) copied = layout(again);
    gsize n = 0;
    const MrgPart *parts = mrg_layout_parts(copied, &n);
    g_assert_cmpuint(n, ==, 3);
    for (gsize i = 0; i < n; i++)
        g_assert_cmpstr(parts[i].text, ==, texts[i]);
}

static char *
to_of(const char *address, const char *display)
{
    g_autoptr(MrgEnvelope) envelope = mail_read("To: x\n\n");
    MrgCopy copy;
    mrg_copy_init(&copy, 1000);
    mrg_copy_address(&copy, envelope, address, display);
    g_assert_cmpuint(copy.headers->len, ==, 1);
    const MrgCopyHeader *to = &g_array_index(copy.headers, MrgCopyHeader, 0);
    g_assert_cmpint(to->original, ==, 0);
    g_assert_true(to->is_changed);
    char *value = g_strdup(to->value);
    mrg_copy_clear(&copy);
    return value;
}

static void
to_names_one_person(void)
{
    static const struct {
        const char *address, *display, *value;
    } cases[] = {
        {"a@example.com", NULL, " <a@example.com>"},
        {"a@example.com", "", " <a@example.com>"},
        {"a@example.com", " \r\n ", " <a@example.com>"},
        {"a@example.com", "Ann", " \"Ann\" <a@example.com>"},
        {"a@example.com", "A\" <b@example.com>, \"",
         " \"A\\\" <b@example.com>, \\\"\" <a@example.com>"},
        {"a@example.com", "A\r\nBcc: b", " \"A  Bcc: b\" <a@example.com>"},
        {"a@example.com", "Zo\xc3\xab", " =?utf-8?B?Wm/Dqw==?= <a@example.com>"},
        {"a>\r\nBcc: <b@example.com", NULL, " <aBcc:b@example.com>"},
        {"\"a >\\\"b\"@example.com", NULL, " <\"a >\\\"b\"@example.com>"},
        {"a.long.local.part.of.an.address@a.long.domain.example.com",
         "A Name That Is Long Enough To Fold",
         " \"A Name That Is Long Enough To Fold\"\n "
         "<a.long.local.part.of.an.address@a.long.domain.example.com>"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *value = to_of(cases[i].address, cases[i].display);
        g_assert_cmpstr(value, ==, cases[i].value);
    }
}

static void
a_header_never_lets_a_line_break_out(void)
{
    static const char characters[] = "ab \t\r\n:\"\\<>=?,\x01\x7f\xc3\xa4\xff";
    for (int i = 0; i < 2000; i++) {
        char hostile[400];
        gsize length = (gsize) g_test_rand_int_range(0, sizeof hostile - 1);
        for (gsize j = 0; j < length; j++)
            hostile[j] = characters[g_test_rand_int_range(0, sizeof characters - 1)];
        hostile[length] = '\0';

        g_autoptr(MrgEnvelope) envelope = mail_read("Subject: x\n\n");
        MrgCopy copy;
        mrg_copy_init(&copy, 1000);
        mrg_copy_address(&copy, envelope, hostile, hostile);
        mrg_copy_set_subject(&copy, envelope, &(MrgRendered){TRUE, hostile, length});
        mrg_copy_set_header(&copy, envelope->arena, "X-New", hostile);
        g_autofree char *written = mail_write(&copy, envelope);
        mrg_copy_clear(&copy);
        g_autoptr(MrgEnvelope) again = mail_read(written);
        g_assert_cmpuint(again->headers->len, ==, 3);
        g_assert_cmpuint(again->body->len, ==, 0);
        for (const char *line = written; *line; line = strchr(line, '\n') + 1)
            g_assert_cmpuint(strcspn(line, "\r"), <, 998);
    }
}

static void
headers_are_replaced_and_added(void)
{
    g_autoptr(MrgEnvelope) envelope =
        mail_read("X-A: 1\nX-B: 2\nX-Campaign: c\nx-a: 3\n\n");
    MrgCopy copy;
    mrg_copy_init(&copy, 1000);
    mrg_copy_address(&copy, envelope, "a@example.com", NULL);
    mrg_copy_set_header(&copy, envelope->arena, "X-A", "new");
    mrg_copy_set_header(&copy, envelope->arena, "X-C", "more");
    g_autofree char *written = mail_write(&copy, envelope);
    g_assert_cmpstr(written, ==,
                    "X-A: new\r\nX-B: 2\r\nTo: <a@example.com>\r\nX-C: more\r\n\r\n");
    const MrgCopyHeader *headers = &g_array_index(copy.headers, MrgCopyHeader, 0);
    g_assert_cmpint(headers[0].original, ==, 0);
    g_assert_true(headers[0].is_changed);
    g_assert_cmpint(headers[1].original, ==, 1);
    g_assert_false(headers[1].is_changed);
    g_assert_cmpint(headers[2].original, ==, -1);
    mrg_copy_clear(&copy);
}

static void
subjects_change_only_when_they_do(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read("Subject: =?utf-8?Q?a?=\n\n");
    MrgCopy copy;
    mrg_copy_init(&copy, 1000);
    mrg_copy_address(&copy, envelope, "a@example.com", NULL);
    mrg_copy_set_subject(&copy, envelope, &(MrgRendered){FALSE, NULL, 0});
    const MrgCopyHeader *subject = &g_array_index(copy.headers, MrgCopyHeader, 0);
    g_assert_cmpstr(subject->value, ==, " =?utf-8?Q?a?=");
    mrg_copy_set_subject(&copy, envelope, &(MrgRendered){TRUE, "Hi \xc3\xa4nn, hello", 14});
    g_assert_cmpstr(subject->value, ==, " =?utf-8?Q?Hi_=C3=A4nn=2C_hello?=");
    mrg_copy_clear(&copy);
}

static void
the_body_limit_is_an_error(void)
{
    g_autoptr(MrgEnvelope) envelope = mail_read("Subject: x\n\nhello\n");
    g_autoptr(MrgLayout) found = layout(envelope);
    MrgRendered rendered = {TRUE, "12345678", 8};
    for (gsize limit = 9; limit <= 10; limit++) {
        g_autoptr(GError) error = NULL;
        MrgCopy copy;
        mrg_copy_init(&copy, limit);
        mrg_copy_address(&copy, envelope, "a@example.com", NULL);
        g_assert_cmpint(limit == 10, ==,
                        mrg_copy_set_parts(&copy, envelope, found, &rendered, &error));
        g_assert_true(limit == 10 || g_error_matches(error, MRG_ERROR, MRG_ERROR_DEFECT));
        mrg_copy_clear(&copy);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/copy/unchanged", unchanged_parts_keep_every_byte);
    g_test_add_func("/copy/changed", changed_parts_are_spliced_in);
    g_test_add_func("/copy/one-changed", one_changed_part_leaves_the_others);
    g_test_add_func("/copy/top", a_message_that_is_the_text_gets_header_fields);
    g_test_add_func("/copy/combinations", every_combination_comes_back);
    g_test_add_func("/copy/empty-part", an_empty_part_can_get_a_text);
    g_test_add_func("/copy/to", to_names_one_person);
    g_test_add_func("/copy/no-line-break", a_header_never_lets_a_line_break_out);
    g_test_add_func("/copy/headers", headers_are_replaced_and_added);
    g_test_add_func("/copy/subject", subjects_change_only_when_they_do);
    g_test_add_func("/copy/limit", the_body_limit_is_an_error);
    return g_test_run();
}
