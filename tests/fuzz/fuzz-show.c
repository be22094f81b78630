/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-show: any bytes as a mail that is shown, as HTML, and, cut in two at a NUL, as texts
 * that are compared; what is left unmarked of both must be the same words.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "ctl/diff.h"
#include "ctl/leak.h"
#include "ctl/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
show_html(const char *html)
{
    g_autofree char *text = mrg_html_to_text(html, strlen(html));
    g_assert_true(g_utf8_validate(text, -1, NULL));
    for (const char *c = text; *c; c++)
        g_assert_true((guchar) *c >= 0x20 || *c == '\n');
}

static void
show_mail(const uint8_t *data, size_t size)
{
    MrgMail mail;
    mrg_mail_read(&mail, (const char *) data, size);
    g_assert_true(g_utf8_validate(mail.subject, -1, NULL));
    g_assert_true(g_utf8_validate(mail.from, -1, NULL));
    g_assert_cmpint(g_utf8_strlen(mail.preheader, -1), <=, MRG_PREHEADER_CHARACTERS);
    mrg_mail_clear(&mail);
}

/* The next word that both have; NULL at the end. */
static const MrgWord *
next_shared(const GArray *words, guint *i)
{
    while (*i < words->len) {
        const MrgWord *word = &g_array_index(words, MrgWord, *i);
        ++*i;
        if (!word->is_other)
            return word;
    }
    return NULL;
}

static void
compare(const char *a, const char *b)
{
    g_autoptr(GArray) one = mrg_diff_words(a);
    g_autoptr(GArray) other = mrg_diff_words(b);
    guint i = 0, j = 0;
    mrg_diff_compare(one, other);
    for (;;) {
        const MrgWord *x = next_shared(one, &i);
        const MrgWord *y = next_shared(other, &j);
        g_assert_true(!x == !y);
        if (!x)
            return;
        g_assert_cmpmem(x->text, x->length, y->text, y->length);
    }
}

static void
ignore(guint person G_GNUC_UNUSED, guint field G_GNUC_UNUSED,
       gpointer context G_GNUC_UNUSED)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gboolean is_begun;
    if (!is_begun)
        mrg_mime_init();
    is_begun = TRUE;
    MrgMarks marks;
    g_autofree char *text = g_strndup((const char *) data, size);
    gsize length = strlen(text);
    g_autofree char *other =
        length < size ? g_strndup((const char *) data + length + 1, size - length - 1)
                      : g_strdup("");
    g_autofree char *html = g_utf8_make_valid(text, -1);
    show_mail(data, size);
    show_html(html);
    compare(text, other);
    mrg_marks_init(&marks, 9, 9, "", 0);
    mrg_marks_find(&marks, (const char *) data, size, ignore, NULL);
    return 0;
}
