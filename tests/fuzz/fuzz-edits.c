/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-edits: an MTA that makes the edits ends up with the copy, header by header and byte
 * by byte.
 *
 * Lines up to an empty one say what the copy changes, behind it stands the message:
 *
 *   to ADDRESS NAME       who gets it
 *   subject TEXT
 *   field NAME N TEXT     the Nth header of that name
 *   set NAME TEXT         as stamps do
 *   parts TEXT            every text part
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/verdict/apply.h"
#include "tests/fake/mta.h"

static const MrgEnvelopeLimits limits = {200, 1 << 16, 1 << 20, 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Work {
    MrgEnvelope *envelope;
    MrgLayout *layout;
    MrgCopy copy;
} Work;

/* Takes the next word off the line; "" at its end. */
static const char *
take_word(char **line)
{
    char *word = *line + strspn(*line, " ");
    gsize length = strcspn(word, " ");
    *line = word + length + (word[length] != '\0');
    word[length] = '\0';
    return word;
}

static MrgRendered
rendered(const char *text)
{
    return (MrgRendered){TRUE, text, strlen(text)};
}

/* Header names come from our own table or the message, never from outside. */
static gboolean
is_name(const char *name)
{
    gsize n = 0;
    while (g_ascii_isgraph(name[n]) && name[n] != ':')
        n++;
    return n && !name[n];
}

static void
change_parts(Work *work, const char *text)
{
    gsize n = 0;
    MrgRendered parts[100];
    mrg_layout_parts(work->layout, &n);
    g_assert_cmpuint(n, <=, G_N_ELEMENTS(parts));
    for (gsize i = 0; i < n; i++)
        parts[i] = rendered(text);
    g_assert_true(
        mrg_copy_set_parts(&work->copy, work->envelope, work->layout, parts, NULL));
}

static void
change(Work *work, char *line)
{
    MrgArena *arena = work->envelope->arena;
    const char *what = take_word(&line);
    if (g_str_equal(what, "to")) {
        const char *address = take_word(&line);
        mrg_copy_address(&work->copy, work->envelope, address, line);
    } else if (g_str_equal(what, "subject")) {
        const MrgRendered subject = rendered(line);
        mrg_copy_set_subject(&work->copy, work->envelope, &subject);
    } else if (g_str_equal(what, "field")) {
        const char *name = take_word(&line);
        guint nth = (guint) g_ascii_strtoull(take_word(&line), NULL, 10);
        const MrgRendered field = rendered(line);
        mrg_copy_set_field(&work->copy, work->envelope, name, nth,
                           nth % 2 ? "<news@example.com>" : NULL, &field);
    } else if (g_str_equal(what, "set")) {
        const char *name = take_word(&line);
        if (is_name(name))
            mrg_copy_set_header(&work->copy, arena, name, line);
    } else if (g_str_equal(what, "parts")) {
        change_parts(work, line);
    }
}

/* As the MTA keeps it: index by index, value by value. */
static void
check_headers(const FakeMta *fake, const MrgCopy *copy)
{
    g_assert_cmpuint(fake->names->len, ==, copy->headers->len);
    for (guint i = 0; i < copy->headers->len; i++) {
        const MrgCopyHeader *header = &g_array_index(copy->headers, MrgCopyHeader, i);
        g_assert_cmpstr(g_ptr_array_index(fake->names, i), ==, header->name);
        g_assert_cmpstr(g_ptr_array_index(fake->values, i), ==, header->value);
    }
}

static void
check_edits(Work *work)
{
    g_autoptr(FakeMta) fake = fake_mta_new(work->envelope);
    const MrgMta mta = fake_mta_handle(fake);
    const MrgCopy *copy = &work->copy;
    g_assert_cmpint(mrg_apply(&mta, mrg_disposition_of_verdict(MRG_VERDICT_DELIVER), "",
                              work->envelope, copy),
                    ==, MRG_ANSWER_ACCEPT);
    check_headers(fake, copy);
    const GByteArray *body = work->envelope->body;
    if (copy->is_body_changed)
        g_assert_cmpmem(fake->body->data, fake->body->len, copy->body.data,
                        copy->body.length);
    else
        g_assert_cmpmem(fake->body->data, fake->body->len, body->data, body->len);
}

static void
make_copy(Work *work, char *script)
{
    mrg_copy_init(&work->copy, 1 << 26);
    mrg_copy_address(&work->copy, work->envelope, "ann@example.com", NULL);
    g_auto(GStrv) lines = g_strsplit(script, "\n", 20);
    for (char **line = lines; *line; line++)
        change(work, *line);
    check_edits(work);
    mrg_copy_clear(&work->copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gsize is_started;
    if (g_once_init_enter(&is_started)) {
        mrg_mime_init();
        g_once_init_leave(&is_started, 1);
    }
    const char *text = (const char *) data;
    const char *end = size ? g_strstr_len(text, (gssize) size, "\n\n") : NULL;
    if (!end || size > 1 << 15)
        return 0;
    g_autofree char *script = g_strndup(text, (gsize) (end - text));
    gsize length = size - (gsize) (end + 2 - text);
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    if (!mrg_envelope_read(envelope, &limits, end + 2, length, NULL))
        return 0;
    g_autoptr(MrgLayout) layout = mrg_layout_new(envelope, NULL);
    Work work = {.envelope = envelope, .layout = layout};
    if (layout)
        make_copy(&work, script);
    return 0;
}
