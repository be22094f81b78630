/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/message/mime.h"
#include "milter/message/report.h"

#define HEAD "MIME-Version: 1.0\nContent-Type: multipart/report; boundary=b\n\n"
#define PART(type) "--b\nContent-Type: " type "\n\n"
#define END "\n--b--\n"
#define STATUS "message/delivery-status"
#define GLOBAL "message/global-delivery-status"
#define FEEDBACK "message/feedback-report"
#define DSN(fields) HEAD PART(STATUS) "Reporting-MTA: dns; mx\n\n" fields END
#define UTF8(fields) HEAD PART(GLOBAL) "Reporting-MTA: dns; mx\n\n" fields END
#define ARF(fields)     \
    HEAD PART(FEEDBACK) \
    fields END
#define FAILED "Action: failed\nStatus: 5.1.1\n"
#define X500 "xxxxxxxxxx" X100 X100 X100 X100 "xxxxxxxxxx" X70 "xxxxxxxxxx"
#define X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" X70
#define X70 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

typedef struct Case {
    const char *name, *mail;
    MrgReportKind kind;
    const char *type;       /* of a complaint */
    const char *recipients; /* "ADDRESS ACTION STATUS, ..." */
    const char *reference, *list_unsubscribe;
} Case;

static const Case kinds[] = {
    {"empty", "", MRG_REPORT_NONE, "", "", "", ""},
    {"header alone", "Subject: x\n", MRG_REPORT_NONE, "", "", "", ""},
    {"text", "Subject: x\n\nFeedback-Type: abuse\n", MRG_REPORT_NONE, "", "", "", ""},
    {"no boundary", "Content-Type: multipart/report\n\n--b\n", MRG_REPORT_NONE, "", "", "",
     ""},
    {"no part of a report", HEAD PART("text/plain") "Action: failed\n" END, MRG_REPORT_NONE,
     "", "", "", ""},
    {"a report that is forwarded is no report",
     HEAD PART("message/rfc822") "Content-Type: message/feedback-report\n\n"
                                 "Feedback-Type: abuse\n" END,
     MRG_REPORT_NONE, "", "", "", ""},
    {"the report alone", "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n",
     MRG_REPORT_FEEDBACK, "abuse", "", "", ""},
    {"an empty part", HEAD PART(FEEDBACK) END, MRG_REPORT_FEEDBACK, "", "", "", ""},
    {"an empty part of deliveries", HEAD PART(STATUS) END, MRG_REPORT_DELIVERY, "", "", "",
     ""},
    {"cut off", HEAD PART(STATUS) "Reporting-MTA: dns; mx\n\nFinal-Recip",
     MRG_REPORT_DELIVERY, "", "", "", ""},
    {"type in capitals", "Content-Type: MESSAGE/Feedback-REPORT\n\nFEEDBACK-TYPE: Abuse\n",
     MRG_REPORT_FEEDBACK, "Abuse", "", "", ""},
};

static const Case complaints[] = {
    {"several fields", ARF("Feedback-Type: abuse\nOriginal-Rcpt-To: <ann@example.com>\n"),
     MRG_REPORT_FEEDBACK, "abuse", "ann@example.com  ", "", ""},
    {"brackets that are none",
     ARF("Original-Rcpt-To: <\nOriginal-Rcpt-To: <>\nOriginal-Rcpt-To: <a@b.c\n"),
     MRG_REPORT_FEEDBACK, "", "<  ,   , <a@b.c  ", "", ""},
    {"several people",
     ARF("Original-Rcpt-To: ann@example.com\nFeedback-Type: abuse\n"
         "Original-Rcpt-To: rfc822; bob@example.com\n"),
     MRG_REPORT_FEEDBACK, "abuse", "ann@example.com  , bob@example.com  ", "", ""},
    {"with a comment", ARF("Feedback-Type: abuse (of a user)\n"), MRG_REPORT_FEEDBACK,
     "abuse", "", "", ""},
    {"folded", ARF("Feedback-Type:\n not-spam\n"), MRG_REPORT_FEEDBACK, "not-spam", "", "",
     ""},
    {"taken back", ARF("Feedback-Type: not-spam\n"), MRG_REPORT_FEEDBACK, "not-spam", "",
     "", ""},
    {"fraud", ARF("Feedback-Type: fraud\r\n"), MRG_REPORT_FEEDBACK, "fraud", "", "", ""},
    {"opt-out", ARF("Feedback-Type: opt-out-list; x\n"), MRG_REPORT_FEEDBACK,
     "opt-out-list", "", "", ""},
    {"no type", ARF("User-Agent: x\nAbuse\n: abuse\n"), MRG_REPORT_FEEDBACK, "", "", "",
     ""},
    {"8-bit type of another charset", ARF("Feedback-Type: abus\xe9\n"), MRG_REPORT_FEEDBACK,
     "", "", "", ""},
    {"in base64",
     HEAD
     "--b\nContent-Type: message/feedback-report\nContent-Transfer-Encoding: base64\n\n"
     "RmVlZGJhY2stVHlwZTogYWJ1c2UK" END,
     MRG_REPORT_FEEDBACK, "abuse", "", "", ""},
};

static const Case deliveries[] = {
    {"both addresses: as it was sent to",
     DSN("Final-Recipient: rfc822; new@example.com\nOriginal-Recipient: "
         "rfc822;ann@example.com\n" FAILED),
     MRG_REPORT_DELIVERY, "", "ann@example.com failed 5.1.1", "", ""},
    {"the first of an address counts",
     DSN("Final-Recipient: rfc822; ann@example.com\nFinal-Recipient: rfc822; "
         "x@y.z\n" FAILED),
     MRG_REPORT_DELIVERY, "", "ann@example.com failed 5.1.1", "", ""},
    {"several recipients",
     DSN("Final-Recipient: rfc822; a@b.c\n" FAILED "\n\nFinal-Recipient: rfc822; d@e.f\n"
         "Action: delayed\nStatus: 4.2.2 (full)\n"),
     MRG_REPORT_DELIVERY, "", "a@b.c failed 5.1.1, d@e.f delayed 4.2.2", "", ""},
    {"a group in another order",
     DSN("Final-Recipient: rfc822; a@b.c\nAction: delivered\n\n" FAILED
         "Final-Recipient: rfc822; d@e.f\n"),
     MRG_REPORT_DELIVERY, "", "a@b.c delivered , d@e.f failed 5.1.1", "", ""},
    {"a group without an address", DSN(FAILED), MRG_REPORT_DELIVERY, "", " failed 5.1.1",
     "", ""},
    {"folded, with CRLF",
     DSN("Final-Recipient: rfc822;\r\n\tann@example.com\r\nAction:\r\n failed\r\n"
         "Status: 5.1.1\r\n (no such\r\n mailbox)\r\n"),
     MRG_REPORT_DELIVERY, "", "ann@example.com failed 5.1.1", "", ""},
    {"words that are none",
     DSN("Action: failed;x\nStatus: 7.1.1\nFinal-Recipient: a@b.c\n"), MRG_REPORT_DELIVERY,
     "", "a@b.c failed ", "", ""},
    {"a status that is too long", DSN("Action: failed\nStatus: 5.1000.1000\n"),
     MRG_REPORT_DELIVERY, "", " failed ", "", ""},
    {"xtext as it came", DSN("Original-Recipient: rfc822;ann+2Bx+3Dy@example.com\n"),
     MRG_REPORT_DELIVERY, "", "ann+x=y@example.com  ", "", ""},
    {"a plus is one", DSN("Original-Recipient: rfc822;ann+20@example.com\n"),
     MRG_REPORT_DELIVERY, "", "ann+20@example.com  ", "", ""},
    {"a plus and capitals", DSN("Original-Recipient: rfc822;ann+42+2@example.com\n"),
     MRG_REPORT_DELIVERY, "", "ann+42+2@example.com  ", "", ""},
    {"no line by xtext", DSN("Original-Recipient: rfc822;ann+0A+00@example.com\n"),
     MRG_REPORT_DELIVERY, "", "ann+0A+00@example.com  ", "", ""},
    {"embedded characters (RFC 6533)",
     UTF8("Original-Recipient: utf-8;\\x{E4}nn+2B\\x{5C}\\x{1F600}@example.com\n"),
     MRG_REPORT_DELIVERY, "", "änn+2B\\😀@example.com  ", "", ""},
    {"UTF-8 as such", UTF8("Original-Recipient: UTF-8; änn@exämple.com\n" FAILED),
     MRG_REPORT_DELIVERY, "", "änn@exämple.com failed 5.1.1", "", ""},
    {"embedded ones that are none",
     UTF8("Original-Recipient: utf-8;a\\x{D800}\\x{0}\\x{110000}\\x{}\\x{E4@b.c\n"),
     MRG_REPORT_DELIVERY, "", "a\\x{D800}\\x{0}\\x{110000}\\x{}\\x{E4@b.c  ", "", ""},
    {"an embedded line end", UTF8("Original-Recipient: utf-8;a\\x{0A}\\x{7F}@b.c\n"),
     MRG_REPORT_DELIVERY, "", "a@b.c  ", "", ""},
    {"an address in another charset", DSN("Final-Recipient: rfc822; \xe4nn@b.c\n" FAILED),
     MRG_REPORT_DELIVERY, "", " failed 5.1.1", "", ""},
};

static const Case reported[] = {
    {"the whole mail",
     ARF("Feedback-Type: abuse\n\n--b\nContent-Type: message/rfc822\n\n"
         "X-Report-Ref: one\nlist-unsubscribe:\n <https://x/u/two>,\n <mailto:x@y>\n\n"
         "X-Report-Ref: three\n"),
     MRG_REPORT_FEEDBACK, "abuse", "", "one", "<https://x/u/two>, <mailto:x@y>"},
    {"its header",
     ARF("\n--b\nContent-Type: text/rfc822-headers\n\nSubject: x\nX-Report-Ref: one\n\n"
         "List-Unsubscribe: two\n"),
     MRG_REPORT_FEEDBACK, "", "", "one", ""},
    {"the first of two counts",
     ARF("\n--b\nContent-Type: text/rfc822-headers\n\nX-Report-Ref: one\n"
         "X-Report-Ref: two\n"),
     MRG_REPORT_FEEDBACK, "", "", "one", ""},
    {"in UTF-8",
     UTF8("\n--b\nContent-Type: message/global\n\nSubject: ä\nX-Report-Ref: one\n"
          "\nList-Unsubscribe: two\n"),
     MRG_REPORT_DELIVERY, "", "", "one", ""},
    {"its header in UTF-8",
     UTF8("\n--b\nContent-Type: message/global-headers\n\nSubject: ä\nX-Report-Ref: one\n"),
     MRG_REPORT_DELIVERY, "", "", "one", ""},
    {"not that of the report itself",
     "X-Report-Ref: one\nList-Unsubscribe: two\n" ARF("X-Report-Ref: three\n"),
     MRG_REPORT_FEEDBACK, "", "", "", ""},
    {"nor of what is in the mail",
     ARF("\n--b\nContent-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n"
         "X-Report-Ref: one\n"),
     MRG_REPORT_FEEDBACK, "", "", "", ""},
    {"as long as a field may be",
     ARF("\n--b\nContent-Type: text/rfc822-headers\n\nX-Report-Ref: one" X500 X500 X500 X500
         "two\nList-Unsubscribe: two\n"),
     MRG_REPORT_FEEDBACK, "", "", NULL, "two"},
};

static void
check_recipients(const MrgReport *report, const char *wanted)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < report->n_recipients; i++)
        g_string_append_printf(text, "%s%s %s %s", i ? ", " : "",
                               report->recipients[i].address, report->recipients[i].action,
                               report->recipients[i].status);
    g_assert_cmpstr(text->str, ==, wanted);
}

static void
check_case(const Case *wanted)
{
    MrgReport report;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_test_message("%s", wanted->name);
    mrg_report_read(&report, wanted->mail, strlen(wanted->mail), arena);
    g_assert_cmpint(report.kind, ==, wanted->kind);
    g_assert_cmpstr(report.feedback_type, ==, wanted->type);
    check_recipients(&report, wanted->recipients);
    if (wanted->reference)
        g_assert_cmpstr(report.reference, ==, wanted->reference);
    else
        g_assert_cmpuint(strlen(report.reference), ==, MRG_REPORT_TEXT_MAX);
    g_assert_cmpstr(report.list_unsubscribe, ==, wanted->list_unsubscribe);
}

#define CHECK(name, table)                              \
    static void name(void)                              \
    {                                                   \
        for (gsize i = 0; i < G_N_ELEMENTS(table); i++) \
            check_case(&table[i]);                      \
    }

CHECK(a_report_is_known_by_its_part, kinds)
CHECK(a_complaint_says_what_and_who, complaints)
CHECK(a_delivery_report_has_a_group_for_each, deliveries)
CHECK(the_header_of_the_copy_is_found, reported)

/* ---- hostile ones ------------------------------------------------------ */

static void
read_whole(MrgReport *report, const GString *mail, MrgArena *arena)
{
    mrg_report_read(report, mail->str, mail->len, arena);
}

static void
recipients_have_an_end(void)
{
    MrgReport report;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GString) mail = g_string_new(HEAD PART(STATUS) "Reporting-MTA: dns; mx\n\n");
    for (guint i = 0; i < 50000; i++)
        g_string_append_printf(mail, "Final-Recipient: rfc822; a%u@b.c\n" FAILED "\n", i);
    read_whole(&report, mail, arena);
    g_assert_cmpuint(report.n_recipients, ==, MRG_REPORT_RECIPIENTS_MAX);
    for (gsize i = 0; i < report.n_recipients; i++) {
        g_autofree char *address = g_strdup_printf("a%" G_GSIZE_FORMAT "@b.c", i);
        g_assert_cmpstr(report.recipients[i].address, ==, address);
        g_assert_cmpstr(report.recipients[i].action, ==, "failed");
    }
}

static void
nesting_has_an_end(void)
{
    for (guint depth = 0; depth < 200; depth++) {
        MrgReport report;
        g_autoptr(MrgArena) arena = mrg_arena_new();
        g_autoptr(GString) mail = g_string_new(NULL);
        for (guint i = 0; i < depth; i++)
            g_string_append_printf(
                mail, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
        g_string_append(mail, "Content-Type: " FEEDBACK "\n\nFeedback-Type: abuse\n");
        read_whole(&report, mail, arena);
        g_assert_cmpint(report.kind, ==,
                        depth <= 4 ? MRG_REPORT_FEEDBACK : MRG_REPORT_NONE);
    }
}

static void
parts_have_an_end(void)
{
    MrgReport report;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GString) mail = g_string_new(HEAD);
    for (guint i = 0; i < 20000; i++)
        g_string_append(mail, PART("text/plain") "x\n");
    g_string_append(mail, PART(FEEDBACK) "Feedback-Type: abuse" END);
    read_whole(&report, mail, arena);
    g_assert_cmpint(report.kind, ==, MRG_REPORT_NONE);
}

static void
every_beginning_of_a_report_can_be_read(void)
{
    static const char mail[] =
        DSN("Final-Recipient: utf-8; \\x{E4}+2B@b.c\n" FAILED
            "\n--b\nContent-Type: message/rfc822\n\nX-Report-Ref: one\n\nx\n");
    for (gsize length = 0; length < sizeof mail; length++) {
        MrgReport report;
        g_autoptr(MrgArena) arena = mrg_arena_new();
        g_autofree char *start = g_memdup2(mail, length);
        mrg_report_read(&report, start ? start : "", length, arena);
        g_assert_true(g_str_has_prefix("one", report.reference));
        g_assert_cmpuint(report.n_recipients, <=, 1);
    }
}

static void
no_nul_ends_a_text_early(void)
{
    static const char mail[] =
        ARF("Feedback-Type: ab\0use\nOriginal-Rcpt-To: ann@example.com\n");
    MrgReport report;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    mrg_report_read(&report, mail, sizeof mail - 1, arena);
    g_assert_cmpint(report.kind, ==, MRG_REPORT_FEEDBACK);
    g_assert_cmpstr(report.feedback_type, !=, "abuse");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/report/kinds", a_report_is_known_by_its_part);
    g_test_add_func("/report/complaints", a_complaint_says_what_and_who);
    g_test_add_func("/report/deliveries", a_delivery_report_has_a_group_for_each);
    g_test_add_func("/report/reported", the_header_of_the_copy_is_found);
    g_test_add_func("/report/hostile/recipients", recipients_have_an_end);
    g_test_add_func("/report/hostile/nesting", nesting_has_an_end);
    g_test_add_func("/report/hostile/parts", parts_have_an_end);
    g_test_add_func("/report/hostile/cut", every_beginning_of_a_report_can_be_read);
    g_test_add_func("/report/hostile/nul", no_nul_ends_a_text_early);
    return g_test_run();
}
