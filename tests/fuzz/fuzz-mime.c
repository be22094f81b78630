/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-mime: a message file; whatever has a layout must give a copy with every part
 * changed that has a layout too, with the same parts and the texts that were put in.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/message/copy.h"

static const MrgEnvelopeLimits limits = {200, 1 << 16, 1 << 20, 1};
static const char hostile[] =
    "x \xc3\xa4 =\n--b\n.\nFrom \nContent-Type: text/html\n\n--b--\n ";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static MrgLayout *
read_message(MrgEnvelope *envelope, const char *text, gsize length, GError **error)
{
    return mrg_envelope_read(envelope, &limits, text, length, error)
               ? mrg_layout_new(envelope, error)
               : NULL;
}

static void
check_copy(const MrgBuffer *message, const MrgLayout *original)
{
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    GError *error = NULL;
    g_autoptr(MrgLayout) layout =
        read_message(envelope, message->data, message->length, &error);
    gsize n_before = 0, n_after = 0;
    g_assert_no_error(error);
    mrg_layout_parts(original, &n_before);
    const MrgPart *parts = mrg_layout_parts(layout, &n_after);
    g_assert_cmpuint(n_after, ==, n_before);
    for (gsize i = 0; i < n_after; i++)
        g_assert_true(g_str_has_prefix(parts[i].text, hostile));
    g_assert_cmpstr(mrg_layout_subject(layout), ==, "new \xc3\xa4");
}

static void
make_copy(MrgEnvelope *envelope, const MrgLayout *layout)
{
    gsize n = 0;
    MrgRendered texts[100];
    const MrgRendered changed = {TRUE, hostile, sizeof hostile - 1};
    const MrgRendered subject = {TRUE, "new \xc3\xa4", 6};
    mrg_layout_parts(layout, &n);
    g_assert_cmpuint(n, <=, G_N_ELEMENTS(texts));
    for (gsize i = 0; i < n; i++)
        texts[i] = changed;
    MrgCopy copy;
    g_auto(MrgBuffer) message;
    mrg_buffer_init(&message, 1 << 23);
    mrg_copy_init(&copy, 1 << 22);
    mrg_copy_address(&copy, envelope, "ann@example.com", "Ann");
    mrg_copy_set_subject(&copy, envelope, &subject);
    g_assert_true(mrg_copy_set_parts(&copy, envelope, layout, texts, NULL));
    mrg_copy_write(&copy, envelope, &message);
    check_copy(&message, layout);
    mrg_copy_clear(&copy);
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
    g_autoptr(MrgLayout) layout = read_message(envelope, (const char *) data, size, NULL);
    if (layout)
        make_copy(envelope, layout);
    return 0;
}
