/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/error.h"
#include "milter/verdict/apply.h"
#include "milter/verdict/edits.h"
#include "milter/witness/logline.h"
#include "render/render.h"
#include "tests/fake/mta.h"

static const MrgEnvelopeLimits limits = {1000, 1 << 20, 1 << 20, 10};

static MrgEnvelope *
read_message(const char *text)
{
    g_autoptr(GError) error = NULL;
    MrgEnvelope *envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    g_assert_true(mrg_envelope_read(envelope, &limits, text, strlen(text), &error));
    return envelope;
}

static void
check_disposition(GQuark domain, int code)
{
    g_autoptr(GError) error = g_error_new_literal(domain, code, "x");
    const MrgDisposition *disposition = mrg_disposition_of_error(error);
    g_test_message("%s %d", g_quark_to_string(domain), code);
    g_assert_nonnull(disposition->gate);
    if (disposition->verdict == MRG_VERDICT_DROP) {
        g_assert_cmpint(code, ==, MRG_RENDER_ERROR_ABORT);
        g_assert_cmpint(disposition->answer, ==, MRG_ANSWER_DISCARD);
        return;
    }
    g_assert_nonnull(disposition->code);
    g_assert_nonnull(disposition->enhanced);
    g_assert_true(!disposition->is_private || disposition->text);
    if (disposition->verdict == MRG_VERDICT_DEFER) {
        g_assert_cmpint(disposition->answer, ==, MRG_ANSWER_TEMPFAIL);
        g_assert_true(disposition->code[0] == '4' && disposition->enhanced[0] == '4');
    } else {
        g_assert_cmpint(disposition->verdict, ==, MRG_VERDICT_REJECT);
        g_assert_cmpint(disposition->answer, ==, MRG_ANSWER_REJECT);
        g_assert_true(disposition->code[0] == '5' && disposition->enhanced[0] == '5');
    }
}

static void
every_error_has_an_answer(void)
{
    for (int code = 0; code <= MRG_ERROR_LAST; code++)
        check_disposition(MRG_ERROR, code);
    for (int code = 0; code <= MRG_RENDER_ERROR_LAST; code++)
        check_disposition(MRG_RENDER_ERROR, code);
    for (int code = 0; code <= MRG_STORE_ERROR_LAST; code++)
        check_disposition(MRG_STORE_ERROR, code);
}

static void
a_foreign_error_defers(void)
{
    g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, 3, "x");
    g_assert_cmpint(mrg_disposition_of_error(error)->verdict, ==, MRG_VERDICT_DEFER);
    g_autoptr(GError) out_of_range =
        g_error_new_literal(MRG_ERROR, MRG_ERROR_LAST + 1, "x");
    g_assert_cmpint(mrg_disposition_of_error(out_of_range)->verdict, ==, MRG_VERDICT_DEFER);
}

/* A store that is away must never cost mail, whatever the detail. */
static void
store_errors_defer(void)
{
    for (int code = 0; code <= MRG_STORE_ERROR_LAST; code++) {
        g_autoptr(GError) error = g_error_new_literal(MRG_STORE_ERROR, code, "x");
        g_assert_cmpint(mrg_disposition_of_error(error)->answer, ==, MRG_ANSWER_TEMPFAIL);
    }
}

static void
every_verdict_has_an_answer(void)
{
    static const struct {
        MrgVerdict verdict;
        MrgAnswer answer;
        const char *name;
    } cases[] = {{MRG_VERDICT_DELIVER, MRG_ANSWER_ACCEPT, "deliver"},
                 {MRG_VERDICT_DROP, MRG_ANSWER_DISCARD, "drop"},
                 {MRG_VERDICT_REJECT, MRG_ANSWER_REJECT, "reject"},
                 {MRG_VERDICT_DEFER, MRG_ANSWER_TEMPFAIL, "defer"},
                 {MRG_VERDICT_HOLD, MRG_ANSWER_ACCEPT, "hold"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(mrg_disposition_of_verdict(cases[i].verdict)->answer, ==,
                        cases[i].answer);
        g_assert_cmpstr(mrg_verdict_name(cases[i].verdict), ==, cases[i].name);
    }
}

#define MESSAGE                                                                         \
    "X-Campaign: a\nFrom: f@example.com\nX-Same: 1\nTo: x@example.com, y@example.com\n" \
    "x-same: 2\nCc: z@example.com\nX-SAME: 3\nTo: second@example.com\n\nbody\n"

/* Keeps From and X-Same 1 and 3, changes To, adds one. */
static void
make_copy(MrgCopy *copy)
{
    static const MrgCopyHeader headers[] = {{"From", " f@example.com", 1, FALSE},
                                            {"X-Same", " 1", 2, FALSE},
                                            {"To", "<x@example.com>", 3, TRUE},
                                            {"X-SAME", " three", 6, TRUE},
                                            {"X-New", "n", -1, FALSE}};
    mrg_copy_init(copy, 1000);
    if (!copy->headers)
        copy->headers = g_array_new(FALSE, FALSE, sizeof(MrgCopyHeader));
    g_array_append_vals(copy->headers, headers, G_N_ELEMENTS(headers));
    mrg_buffer_append(&copy->body, "new\r\n", 5);
    copy->is_body_changed = TRUE;
}

static void
edits_make_the_mta_hold_the_copy(void)
{
    g_autoptr(MrgEnvelope) envelope = read_message(MESSAGE);
    g_autoptr(FakeMta) fake = fake_mta_new(envelope);
    MrgMta mta = fake_mta_handle(fake);
    MrgCopy copy;
    make_copy(&copy);
    MrgAnswer answer = mrg_apply(&mta, mrg_disposition_of_verdict(MRG_VERDICT_DELIVER),
                                 "ok", envelope, &copy);
    g_assert_cmpint(answer, ==, MRG_ANSWER_ACCEPT);
    g_autofree char *headers = fake_mta_headers(fake);
    g_assert_cmpstr(headers, ==,
                    "From: f@example.com\nX-Same: 1\nTo: <x@example.com>\nX-SAME: three\n"
                    "X-New: n\n");
    g_assert_cmpmem(fake->body->data, fake->body->len, "new\r\n", 5);
    g_assert_true(g_str_has_suffix(fake->calls->str, "add|body"));
    mrg_copy_clear(&copy);
}

static void
a_refused_edit_defers_whichever_it_is(void)
{
    g_autoptr(MrgEnvelope) envelope = read_message(MESSAGE);
    MrgCopy copy;
    make_copy(&copy);
    int n_edits = 0;
    for (int fail_at = 0;; fail_at++) {
        g_autoptr(FakeMta) fake = fake_mta_new(envelope);
        MrgMta mta = fake_mta_handle(fake);
        fake->fail_at = fail_at;
        MrgAnswer answer = mrg_apply(&mta, mrg_disposition_of_verdict(MRG_VERDICT_HOLD),
                                     "hold: x", envelope, &copy);
        if (fake->n_calls <= fail_at) {
            g_assert_cmpint(answer, ==, MRG_ANSWER_ACCEPT);
            g_assert_cmpstr(fake->quarantine, ==, "hold: x");
            break;
        }
        g_assert_cmpint(answer, ==, MRG_ANSWER_TEMPFAIL);
        n_edits++;
    }
    g_assert_cmpint(n_edits, ==, 9);
    mrg_copy_clear(&copy);
}

static void
refusals_edit_nothing(void)
{
    g_autoptr(MrgEnvelope) envelope = read_message(MESSAGE);
    g_autoptr(FakeMta) fake = fake_mta_new(envelope);
    MrgMta mta = fake_mta_handle(fake);
    g_autoptr(GError) error =
        g_error_new_literal(MRG_RENDER_ERROR, MRG_RENDER_ERROR_SYNTAX, "subject:1:1: x");
    const MrgDisposition *disposition = mrg_disposition_of_error(error);
    g_assert_cmpint(mrg_apply(&mta, disposition, "subject:1:1: x", envelope, NULL), ==,
                    MRG_ANSWER_REJECT);
    g_assert_cmpstr(fake->calls->str, ==, "reply");
    g_assert_cmpstr(fake->reply, ==, "550 5.6.0 subject:1:1: x");
    g_assert_cmpint(
        mrg_apply(&mta, mrg_disposition_of_verdict(MRG_VERDICT_DROP), "x", envelope, NULL),
        ==, MRG_ANSWER_DISCARD);
    g_assert_cmpstr(fake->calls->str, ==, "reply");
}

static void
a_log_line_stays_one_line(void)
{
    const MrgMessageKey copy = {{0xab, 1, [15] = 0xff}};
    MrgRecord record = {.queue_id = "4XYZ",
                        .campaign = "spring",
                        .class_name = "promo",
                        .pseudonym = "0011223344556677",
                        .copy = &copy,
                        .verdict = MRG_VERDICT_DROP,
                        .reason = "cap: daily\n4ABC: verdict=deliver",
                        .took_us = 42};
    g_autofree char *line = mrg_logline_format(&record);
    g_assert_cmpstr(line, ==,
                    "4XYZ: verdict=drop, campaign=spring, class=promo, "
                    "person=0011223344556677, "
                    "copy=ab0100000000000000000000000000ff, us=42, reason=cap: daily?4ABC: "
                    "verdict=deliver");
    MrgRecord early = {
        .verdict = MRG_VERDICT_REJECT, .reason = "control: x", .kind = MRG_RECORD_CHECKED};
    g_autofree char *short_line = mrg_logline_format(&early);
    g_assert_cmpstr(short_line, ==, "NOQUEUE: check=reject, us=0, reason=control: x");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/verdict/disposition/errors", every_error_has_an_answer);
    g_test_add_func("/verdict/disposition/foreign-error", a_foreign_error_defers);
    g_test_add_func("/verdict/disposition/store-errors-defer", store_errors_defer);
    g_test_add_func("/verdict/disposition/verdicts", every_verdict_has_an_answer);
    g_test_add_func("/verdict/edits/copy", edits_make_the_mta_hold_the_copy);
    g_test_add_func("/verdict/apply/refused-edit", a_refused_edit_defers_whichever_it_is);
    g_test_add_func("/verdict/apply/refusal", refusals_edit_nothing);
    g_test_add_func("/witness/logline", a_log_line_stays_one_line);
    return g_test_run();
}
