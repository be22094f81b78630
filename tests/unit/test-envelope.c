/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "tests/unit/mail.h"

static MrgEnvelope *
new_envelope(void)
{
    return mrg_envelope_new(MRG_ROLE_MERGE, "");
}

static void
add_body(MrgEnvelope *envelope, const char *chunk)
{
    mrg_envelope_add_body(envelope, &mail_limits, (const guint8 *) chunk, strlen(chunk));
}

static const char *
header_value(const MrgEnvelope *envelope, guint i)
{
    return g_array_index(envelope->headers, MrgHeader, i).value;
}

static void
bounds_are_noted_and_nothing_more_is_kept(void)
{
    MrgEnvelopeLimits limits = {2, 20, 10, 1};
    g_autoptr(MrgEnvelope) count = new_envelope();
    mrg_envelope_add_header(count, &limits, "A", "1");
    mrg_envelope_add_header(count, &limits, "B", "1");
    g_assert_cmpint(count->defect, ==, MRG_DEFECT_NONE);
    mrg_envelope_add_header(count, &limits, "C", "1");
    g_assert_cmpint(count->defect, ==, MRG_DEFECT_HEADER_COUNT);
    g_assert_cmpuint(count->headers->len, ==, 2);

    g_autoptr(MrgEnvelope) bytes = new_envelope();
    mrg_envelope_add_header(bytes, &limits, "A", "12345678901234567");
    g_assert_cmpint(bytes->defect, ==, MRG_DEFECT_HEADER_BYTES);

    g_autoptr(MrgEnvelope) body = new_envelope();
    mrg_envelope_add_body(body, &limits, (const guint8 *) "12345678\r\n", 10);
    g_assert_cmpint(body->defect, ==, MRG_DEFECT_NONE);
    mrg_envelope_add_body(body, &limits, (const guint8 *) "1", 1);
    g_assert_cmpint(body->defect, ==, MRG_DEFECT_BODY_BYTES);
    g_assert_cmpuint(body->body->len, ==, 10);

    g_autoptr(MrgEnvelope) recipients = new_envelope();
    mrg_envelope_add_recipient(recipients, &limits, "<a@example.com>");
    mrg_envelope_add_recipient(recipients, &limits, "b@example.com");
    g_assert_cmpint(recipients->defect, ==, MRG_DEFECT_RECIPIENTS);
    g_assert_cmpstr(recipients->recipients->pdata[0], ==, "a@example.com");
}

static void
a_campaign_is_seen_behind_a_defect(void)
{
    MrgEnvelopeLimits limits = {1, 1000, 10, 1};
    g_autoptr(MrgEnvelope) envelope = new_envelope();
    mrg_envelope_add_header(envelope, &limits, "A", "1");
    mrg_envelope_add_header(envelope, &limits, "B", "1");
    g_assert_false(envelope->is_campaign);
    mrg_envelope_add_header(envelope, &limits, "x-campaign", " spring");
    g_assert_true(envelope->is_campaign);
}

static void
a_carriage_return_split_over_chunks_is_no_defect(void)
{
    g_autoptr(MrgEnvelope) whole = new_envelope();
    add_body(whole, "a\r");
    add_body(whole, "\nb\r\n");
    mrg_envelope_end_body(whole);
    g_assert_cmpint(whole->defect, ==, MRG_DEFECT_NONE);
    g_assert_cmpmem(whole->body->data, whole->body->len, "a\r\nb\r\n", 6);

    g_autoptr(MrgEnvelope) bare = new_envelope();
    add_body(bare, "a\r");
    g_assert_cmpint(bare->defect, ==, MRG_DEFECT_NONE);
    add_body(bare, "b");
    g_assert_cmpint(bare->defect, ==, MRG_DEFECT_BARE_CR);

    g_autoptr(MrgEnvelope) twice = new_envelope();
    add_body(twice, "a\r\r\n");
    g_assert_cmpint(twice->defect, ==, MRG_DEFECT_BARE_CR);

    g_autoptr(MrgEnvelope) last = new_envelope();
    add_body(last, "a\r");
    mrg_envelope_end_body(last);
    g_assert_cmpint(last->defect, ==, MRG_DEFECT_BARE_CR);
}

static void
every_way_to_cut_a_body_gives_the_same(void)
{
    const char *text = "a\r\n\nb\n\r\nc\r\n\n";
    const char *expected = "a\r\n\r\nb\r\n\r\nc\r\n\r\n";
    for (gsize i = 0; i <= strlen(text); i++)
        for (gsize j = i; j <= strlen(text); j++) {
            g_autoptr(MrgEnvelope) envelope = new_envelope();
            const guint8 *bytes = (const guint8 *) text;
            mrg_envelope_add_body(envelope, &mail_limits, bytes, i);
            mrg_envelope_add_body(envelope, &mail_limits, bytes + i, j - i);
            mrg_envelope_add_body(envelope, &mail_limits, bytes + j, strlen(text) - j);
            g_assert_cmpint(envelope->defect, ==, MRG_DEFECT_NONE);
            g_assert_cmpmem(envelope->body->data, envelope->body->len, expected,
                            strlen(expected));
        }
}

static void
nul_is_a_defect(void)
{
    g_autoptr(MrgEnvelope) body = new_envelope();
    mrg_envelope_add_body(body, &mail_limits, (const guint8 *) "a\0b", 3);
    g_assert_cmpint(body->defect, ==, MRG_DEFECT_NUL);

    g_autoptr(GError) error = NULL;
    g_autoptr(MrgEnvelope) header = new_envelope();
    g_assert_false(mrg_envelope_read(header, &mail_limits, "A: b\0c\n\nx", 9, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_DEFECT);
    g_assert_cmpint(header->defect, ==, MRG_DEFECT_NUL);
}

static void
a_value_cannot_end_its_field(void)
{
    g_autoptr(MrgEnvelope) envelope = new_envelope();
    mrg_envelope_add_header(envelope, &mail_limits, "A", " one\r\n\ttwo\nBcc: x\n");
    g_assert_cmpstr(header_value(envelope, 0), ==, " one\n\ttwo\n Bcc: x\n ");
    mrg_envelope_add_header(envelope, &mail_limits, "B", "x\ry");
    g_assert_cmpint(envelope->defect, ==, MRG_DEFECT_BARE_CR);
}

static void
files_are_read(void)
{
    g_autoptr(MrgEnvelope) envelope =
        mail_read("From me Mon\nSubject: one\n two\nTo:x\n\nbody\n\nmore");
    g_assert_cmpuint(envelope->headers->len, ==, 2);
    g_assert_cmpstr(header_value(envelope, 0), ==, " one\n two");
    g_assert_cmpstr(header_value(envelope, 1), ==, "x");
    g_assert_cmpmem(envelope->body->data, envelope->body->len, "body\r\n\r\nmore", 12);
    g_assert_cmpstr(mrg_envelope_header(envelope, "subject"), ==, "one\n two");
    g_assert_null(mrg_envelope_header(envelope, "Cc"));
    g_assert_cmpuint(mrg_envelope_count(envelope, "TO"), ==, 1);

    g_autoptr(GError) error = NULL;
    g_autoptr(MrgEnvelope) bad = new_envelope();
    g_assert_false(mrg_envelope_read(bad, &mail_limits, "A: b\nhello\n", 11, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_STRUCTURE);
    g_assert_cmpstr(error->message, ==, "2:1: not a header field");

    g_autoptr(MrgEnvelope) empty = mail_read("");
    g_assert_cmpuint(empty->headers->len + empty->body->len, ==, 0);
}

static void
control_headers_are_a_family(void)
{
    g_assert_true(mrg_header_is_control("X-Campaign"));
    g_assert_true(mrg_header_is_control("x-campaign-data"));
    g_assert_true(mrg_header_is_control("X-Campaign-Whatever"));
    g_assert_false(mrg_header_is_control("X-Campaigner"));
    g_assert_false(mrg_header_is_control("X-Camp"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/envelope/bounds", bounds_are_noted_and_nothing_more_is_kept);
    g_test_add_func("/envelope/campaign-behind-defect", a_campaign_is_seen_behind_a_defect);
    g_test_add_func("/envelope/split-cr", a_carriage_return_split_over_chunks_is_no_defect);
    g_test_add_func("/envelope/every-cut", every_way_to_cut_a_body_gives_the_same);
    g_test_add_func("/envelope/nul", nul_is_a_defect);
    g_test_add_func("/envelope/value", a_value_cannot_end_its_field);
    g_test_add_func("/envelope/read", files_are_read);
    g_test_add_func("/envelope/control", control_headers_are_a_family);
    return g_test_run();
}
