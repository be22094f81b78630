/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-report: a mail that came back; whatever it says is bounded text without controls,
 * and says the same when it is read again.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/message/mime.h"
#include "milter/message/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
    g_assert_nonnull(text);
    g_assert_cmpuint(strlen(text), <=, MRG_REPORT_TEXT_MAX);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    for (; *text; text++)
        g_assert_false(g_ascii_iscntrl(*text));
}

static void
check_same(const MrgReport *a, const MrgReport *b)
{
    g_assert_cmpint(a->kind, ==, b->kind);
    g_assert_cmpuint(a->n_recipients, ==, b->n_recipients);
    g_assert_cmpstr(a->reference, ==, b->reference);
    g_assert_cmpstr(a->list_unsubscribe, ==, b->list_unsubscribe);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gboolean is_ready;
    MrgReport report, again;
    if (!is_ready)
        mrg_mime_init();
    is_ready = TRUE;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    mrg_report_read(&report, (const char *) data, size, arena);
    mrg_report_read(&again, (const char *) data, size, arena);
    check_text(report.feedback_type);
    check_text(report.reference);
    check_text(report.list_unsubscribe);
    g_assert_cmpuint(report.n_recipients, <=, MRG_REPORT_RECIPIENTS_MAX);
    for (gsize i = 0; i < report.n_recipients; i++) {
        check_text(report.recipients[i].address);
        check_text(report.recipients[i].action);
        check_text(report.recipients[i].status);
    }
    check_same(&report, &again);
    return 0;
}
