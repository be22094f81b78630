/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "tests/unit/mail.h"

const MrgEnvelopeLimits mail_limits = {1000, 1 << 20, 1 << 24, 100};

MrgEnvelope *
mail_read(const char *text)
{
    GError *error = NULL;
    MrgEnvelope *envelope = mrg_envelope_new(MRG_ROLE_MERGE, "sender@example.com");
    mrg_envelope_read(envelope, &mail_limits, text, strlen(text), &error);
    g_assert_no_error(error);
    return envelope;
}

char *
mail_write(const MrgCopy *copy, const MrgEnvelope *envelope)
{
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 1 << 26);
    mrg_copy_write(copy, envelope, &out);
    g_assert_false(out.is_full);
    return mrg_buffer_dup(&out);
}

char *
mail_crlf(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    return g_strjoinv("\r\n", lines);
}

char *
mail_copy(MrgEnvelope *envelope, const MrgLayout *layout, const char *const *texts)
{
    gsize n = 0;
    GError *error = NULL;
    mrg_layout_parts(layout, &n);
    g_autofree MrgRendered *rendered = g_new0(MrgRendered, n + 1);
    for (gsize i = 0; i < n && texts; i++)
        if (texts[i])
            rendered[i] = (MrgRendered){TRUE, texts[i], strlen(texts[i])};
    MrgCopy copy;
    mrg_copy_init(&copy, 1 << 26);
    mrg_copy_address(&copy, envelope, "ann@example.com", NULL);
    mrg_copy_set_parts(&copy, envelope, layout, rendered, &error);
    g_assert_no_error(error);
    char *text = mail_write(&copy, envelope);
    mrg_copy_clear(&copy);
    return text;
}
