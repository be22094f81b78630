/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-mime: a message file; whatever has a layout must give copies that have a layout too,
 * with the same parts and the texts that were put in: hostile ones, and its own.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/message/copy.h"

static const MrgEnvelopeLimits limits = {200, 1 << 16, 1 << 20, 1};
/* Much of it has to be escaped, so that the parts are larger than they were. */
static const MrgEnvelopeLimits copy_limits = {200, 1 << 17, 1 << 24, 1};
static const char hostile[] =
    "x \xc3\xa4 =\n--b\n.\nFrom \nContent-Type: text/html\n\n--b--\n ";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean
see(const MrgFixedText *fixed, gpointer context G_GNUC_UNUSED)
{
    g_assert_nonnull(memchr(fixed->text, '{', fixed->length));
    return TRUE;
}

static MrgLayout *
read_message(MrgEnvelope *envelope, const char *text, gsize length,
             const MrgEnvelopeLimits *bounds, GError **error)
{
    return mrg_envelope_read(envelope, bounds, text, length, error)
               ? mrg_layout_new(envelope, error)
               : NULL;
}

/* A message ends with a line end, whether or not its text did. */
static void
check_text(const MrgPart *part, const MrgRendered *wanted)
{
    gsize length = part->length;
    g_assert_cmpuint(length, >=, wanted->length);
    if (length == wanted->length + 1 && part->text[length - 1] == '\n')
        length--;
    g_assert_cmpmem(part->text, length, wanted->text, wanted->length);
}

static void
check_copy(const MrgBuffer *message, const MrgRendered *texts, gsize n_texts)
{
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    GError *error = NULL;
    g_autoptr(MrgLayout) layout =
        read_message(envelope, message->data, message->length, &copy_limits, &error);
    gsize n = 0;
    g_assert_no_error(error);
    const MrgPart *parts = mrg_layout_parts(layout, &n);
    g_assert_cmpuint(n, ==, n_texts);
    for (gsize i = 0; i < n; i++)
        check_text(&parts[i], &texts[i]);
    g_assert_cmpstr(mrg_layout_subject(layout), ==, "new \xc3\xa4");
}

static void
make_copy(MrgEnvelope *envelope, const MrgLayout *layout, const MrgRendered *texts, gsize n)
{
    const MrgRendered subject = {TRUE, "new \xc3\xa4", 6};
    MrgCopy copy;
    g_auto(MrgBuffer) message;
    mrg_buffer_init(&message, 1 << 23);
    mrg_copy_init(&copy, 1 << 22);
    mrg_copy_address(&copy, envelope, "ann@example.com", "Ann");
    mrg_copy_set_subject(&copy, envelope, &subject);
    g_assert_true(mrg_copy_set_parts(&copy, envelope, layout, texts, NULL));
    mrg_copy_write(&copy, envelope, &message);
    check_copy(&message, texts, n);
    mrg_copy_clear(&copy);
}

static void
make_copies(MrgEnvelope *envelope, const MrgLayout *layout)
{
    gsize n = 0;
    MrgRendered texts[100];
    const MrgPart *parts = mrg_layout_parts(layout, &n);
    g_assert_cmpuint(n, <=, G_N_ELEMENTS(texts));
    for (gsize i = 0; i < n; i++)
        texts[i] = (MrgRendered){TRUE, hostile, sizeof hostile - 1};
    make_copy(envelope, layout, texts, n);
    for (gsize i = 0; i < n; i++)
        texts[i] = (MrgRendered){TRUE, parts[i].text, parts[i].length};
    make_copy(envelope, layout, texts, n);
    g_assert_true(mrg_mime_visit_fixed(envelope, see, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gsize is_started;
    if (g_once_init_enter(&is_started)) {
        mrg_mime_init();
        g_once_init_leave(&is_started, 1);
    }
    if (size > 1 << 15)
        return 0;
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    g_autoptr(MrgLayout) layout =
        read_message(envelope, (const char *) data, size, &limits, NULL);
    if (layout)
        make_copies(envelope, layout);
    return 0;
}
