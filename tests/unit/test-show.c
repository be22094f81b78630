/* SPDX-License-Identifier: Apache-2.0 */
/* What preview and leak-check show of mails: texts, differences, values in wrong places. */
#include "config.h"

#include <string.h>

#include "ctl/diff.h"
#include "ctl/leak.h"
#include "ctl/mail.h"

/* ---- texts ------------------------------------------------------------- */

static void
html_becomes_text(void)
{
    static const char *const cases[][2] = {
        {"<p>a <b>b</b>\n c</p><p>d</p>", "a b c\nd"},
        {"<style>x</style><script>y</script><!-- z --><title>t</title>a", "a"},
        {"&lt;b&gt;&nbsp;&amp;amp; &#8364;&#x20ac; &nosuch; &",
         "<b> &amp; \xe2\x82\xac\xe2\x82\xac &nosuch; &"},
        {"&#0;&#xd800;&#99999999999999999999;a&#;",
         "&#0;&#xd800;&#99999999999999999999;a&#;"},
        {"<div>hi&zwnj;&nbsp;&zwnj;&nbsp;</div><br><br>you", "hi\nyou"},
        {"a<br/>b<td>c", "a\nb\nc"},
        {"", ""},
        {"<", "<"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = mrg_html_to_text(cases[i][0], strlen(cases[i][0]));
        g_assert_cmpstr(text, ==, cases[i][1]);
    }
}

static void
inbox_line_is_read_from_the_bytes(void)
{
    const char *message =
        "From: \"Alder \\\"&\\\" Pine\" <a@example.com>\r\nSubject: =?utf-8?Q?Z=C3=B6e,?= "
        "hi\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n"
        "Content-Transfer-Encoding: "
        "base64\r\n\r\nPGRpdj5wcmVoZWFkZXI8L2Rpdj48cD5ib2R5PC9wPg==\r\n"
        "--b--\r\n";
    MrgMail mail;
    mrg_mail_read(&mail, message, strlen(message));
    g_assert_cmpstr(mail.from, ==, "Alder \"&\" Pine");
    g_assert_cmpstr(mail.subject, ==,
                    "Z\xc3\xb6"
                    "e, hi");
    g_assert_cmpstr(mail.preheader, ==, "preheader body");
    g_assert_cmpuint(mail.n_parts, ==, 2);
    mrg_mail_clear(&mail);
    mrg_mail_read(&mail, "From: a@example.com\n\n", 21);
    g_assert_cmpstr(mail.from, ==, "a@example.com");
    g_assert_cmpstr(mail.subject, ==, "");
    mrg_mail_clear(&mail);
    mrg_mail_read(&mail, "", 0);
    g_assert_cmpstr(mail.preheader, ==, "");
    mrg_mail_clear(&mail);
}

/* ---- differences ------------------------------------------------------- */

/* The text with the marked words in brackets. */
static char *
bracketed(const GArray *words)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < words->len; i++) {
        const MrgWord *word = &g_array_index(words, MrgWord, i);
        g_string_append_printf(text, word->is_other ? "%s[%.*s]" : "%s%.*s", i ? " " : "",
                               (int) word->length, word->text);
    }
    return g_string_free(text, FALSE);
}

static void
words_that_differ_are_marked(void)
{
    static const char *const cases[][4] = {
        {"Hi Ann, good", "Hi Bob, good", "Hi [Ann,] good", "Hi [Bob,] good"},
        {"a b c d", "a x b d", "a b [c] d", "a [x] b d"},
        {"a  b\nc", "a b c", "a b c", "a b c"},
        {"", "a", "", "[a]"},
        {"a a a", "a a", "a a [a]", "a a"},
        {"x y", "p q r", "[x] [y]", "[p] [q] [r]"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) a = mrg_diff_words(cases[i][0]);
        g_autoptr(GArray) b = mrg_diff_words(cases[i][1]);
        mrg_diff_compare(a, b);
        g_autofree char *one = bracketed(a);
        g_autofree char *other = bracketed(b);
        g_assert_cmpstr(one, ==, cases[i][2]);
        g_assert_cmpstr(other, ==, cases[i][3]);
    }
}

static void
words_that_not_all_have_are_marked(void)
{
    static const char *const texts[] = {"Hi Ann, vip good", "Hi Ann, good",
                                        "Hi Bob, vip good"};
    static const char *const marked[] = {"Hi [Ann,] [vip] good", "Hi [Ann,] good",
                                         "Hi [Bob,] [vip] good"};
    GArray *words[3];
    for (gsize i = 0; i < 3; i++)
        words[i] = mrg_diff_words(texts[i]);
    mrg_diff_compare_all(words, 3);
    for (gsize i = 0; i < 3; i++) {
        g_autofree char *text = bracketed(words[i]);
        g_assert_cmpstr(text, ==, marked[i]);
    }
    mrg_diff_compare_all(words, 0);
    for (gsize i = 0; i < 3; i++)
        g_array_unref(words[i]);
}

static void
long_texts_are_compared_at_their_ends(void)
{
    g_autoptr(GString) x = g_string_new("same ");
    g_autoptr(GString) y = g_string_new("same ");
    for (guint i = 0; i < 4000; i++) {
        g_string_append_printf(x, "x%u ", i);
        g_string_append_printf(y, "y%u ", i);
    }
    g_string_append(x, "end");
    g_string_append(y, "end");
    g_autoptr(GArray) a = mrg_diff_words(x->str);
    g_autoptr(GArray) b = mrg_diff_words(y->str);
    mrg_diff_compare(a, b);
    g_assert_false(g_array_index(a, MrgWord, 0).is_other);
    g_assert_true(g_array_index(a, MrgWord, 1).is_other);
    g_assert_true(g_array_index(b, MrgWord, 4000).is_other);
    g_assert_false(g_array_index(b, MrgWord, 4001).is_other);
}

/* ---- leaks ------------------------------------------------------------- */

#define ME 3
#define YOU 177
#define NAME 1
#define POINTS 2

static const char *const rendered[] = {"Subject", "From", NULL};

static MrgMarks
marks_new(void)
{
    MrgMarks marks;
    mrg_marks_init(&marks, 200, 10, "", 0);
    return marks;
}

static void
visit(guint person, guint field, gpointer context)
{
    g_string_append_printf(context, "%u.%u ", person, field == MRG_MARK_CUT ? 99 : field);
}

static void
assert_found(const char *text, const char *found)
{
    MrgMarks marks = marks_new();
    g_autoptr(GString) all = g_string_new(NULL);
    mrg_marks_find(&marks, text, strlen(text), visit, all);
    g_assert_cmpstr(all->str, ==, found);
}

static void
marks_are_found_in_disguise(void)
{
    MrgMarks marks = marks_new();
    char mark[MRG_MARK_BYTES], number[MRG_MARK_BYTES + 2];
    mrg_mark_text(&marks, YOU, NAME, mark);
    mrg_mark_number(YOU, POINTS, number);
    g_autofree char *upper = g_ascii_strup(mark, -1);
    g_autofree char *cut = g_strndup(mark, 9);
    g_autofree char *two = g_strconcat(mark, mark, NULL);
    g_autofree char *thousands =
        g_strdup_printf("EUR %.1s,%.3s.%.3s\xe2\x80\xaf%.3s %s.00", number, number + 1,
                        number + 4, number + 7, number + 10);
    g_autofree char *fraction = g_strconcat("0.", number, NULL);
    assert_found(mark, "177.1 ");
    assert_found(upper, "177.1 ");
    assert_found(cut, "177.99 ");
    assert_found(two, "177.1 177.1 ");
    assert_found(number, "177.2 ");
    assert_found(thousands, "177.2 ");
    assert_found(fraction, "177.2 ");
    number[12] = number[12] == '0' ? '1' : '0';
    assert_found(number, "");
    assert_found("2026-11-24 04:20:18 7777777777777777", "");
}

static void
prefix_is_one_that_the_message_does_not_hold(void)
{
    MrgMarks marks;
    mrg_marks_init(&marks, 2, 2, "xx ZQXJ aaaa", 12);
    g_assert_cmpstr(marks.prefix, ==, "aaab");
}

static void
assert_leaks(MrgLeakScan *scan, const char *leaks, guint n_own)
{
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < scan->leaks->len; i++) {
        const MrgLeak *leak = g_ptr_array_index(scan->leaks, i);
        g_string_append_printf(all, "%d:%s:%u:%u ", leak->kind, leak->where, leak->field,
                               leak->count);
    }
    g_assert_cmpstr(all->str, ==, leaks);
    g_assert_cmpuint(scan->n_own, ==, n_own);
    mrg_leak_scan_clear(scan);
}

/* A copy for ME whose headers and text are these. */
static MrgLeakScan
scan_copy(const char *headers, const char *text, gboolean is_base64)
{
    MrgMarks marks = marks_new();
    MrgLeakScan scan;
    g_autofree char *encoded =
        is_base64 ? g_base64_encode((const guchar *) text, strlen(text)) : g_strdup(text);
    g_autofree char *message =
        g_strdup_printf("%sMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: %s\r\n\r\n%s\r\n",
                        headers, is_base64 ? "base64" : "quoted-printable", encoded);
    mrg_leak_scan_init(&scan, &marks);
    mrg_leak_scan_copy(&scan, ME, rendered, message, strlen(message));
    return scan;
}

static void
values_in_the_wrong_place_are_leaks(void)
{
    MrgMarks marks = marks_new();
    char mine[MRG_MARK_BYTES], yours[MRG_MARK_BYTES], address[MRG_MARK_BYTES];
    mrg_mark_text(&marks, ME, NAME, mine);
    mrg_mark_text(&marks, YOU, NAME, yours);
    mrg_mark_text(&marks, ME, MRG_MARK_ADDRESS, address);

    g_autofree char *good = g_strdup_printf("Subject: %s\r\nTo: <%s@x>\r\n", mine, address);
    MrgLeakScan scan = scan_copy(good, mine, FALSE);
    assert_leaks(&scan, "", 3);
    scan = scan_copy(good, yours, TRUE);
    assert_leaks(&scan, "0:part text/html:1:1 ", 2);

    g_autofree char *soft = g_strdup_printf("%.5s=\r\n%s", yours, yours + 5);
    scan = scan_copy("", soft, FALSE);
    assert_leaks(&scan, "0:part text/html:1:1 0:the bytes of the message:1:1 ", 0);

    g_autofree char *word = g_base64_encode((const guchar *) yours, strlen(yours));
    g_autofree char *subject = g_strdup_printf("Subject: =?utf-8?B?%s?=\r\n", word);
    scan = scan_copy(subject, "", FALSE);
    assert_leaks(&scan, "0:header Subject:1:1 ", 0);

    g_autofree char *wrong =
        g_strdup_printf("X-Note: %s\r\nList-Unsubscribe: <mailto:%s@x>\r\n", mine, address);
    scan = scan_copy(wrong, "", FALSE);
    assert_leaks(&scan, "1:header X-Note:1:1 2:header List-Unsubscribe:0:1 ", 0);
}

static void
told_values_are_leaks_whoever_they_belong_to(void)
{
    MrgMarks marks = marks_new();
    MrgLeakScan scan, other;
    char number[MRG_MARK_BYTES + 2];
    mrg_mark_number(ME, POINTS, number);
    mrg_leak_scan_init(&scan, &marks);
    mrg_leak_scan_init(&other, &marks);
    mrg_leak_scan_told(&scan, "log line", "NOQUEUE: verdict=deliver, us=1234567890123");
    mrg_leak_scan_told(&scan, "log line", number);
    mrg_leak_scan_told(&other, "log line", number);
    mrg_leak_scan_take(&scan, &other);
    mrg_leak_scan_clear(&other);
    assert_leaks(&scan, "3:log line:2:2 ", 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    mrg_mime_init();
    g_test_add_func("/show/html-to-text", html_becomes_text);
    g_test_add_func("/show/inbox", inbox_line_is_read_from_the_bytes);
    g_test_add_func("/show/diff", words_that_differ_are_marked);
    g_test_add_func("/show/diff-all", words_that_not_all_have_are_marked);
    g_test_add_func("/show/diff-long", long_texts_are_compared_at_their_ends);
    g_test_add_func("/show/marks", marks_are_found_in_disguise);
    g_test_add_func("/show/marks-prefix", prefix_is_one_that_the_message_does_not_hold);
    g_test_add_func("/show/leaks", values_in_the_wrong_place_are_leaks);
    g_test_add_func("/show/leaks-told", told_values_are_leaks_whoever_they_belong_to);
    return g_test_run();
}
