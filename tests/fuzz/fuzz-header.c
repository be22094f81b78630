/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-header: whatever a value holds, NUL, line ends and broken UTF-8 too, what is written
 * for it is one header field, and says what the value says.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/message/copy.h"
#include "milter/message/encode.h"
#include "milter/message/mailbox.h"
#include "milter/message/words.h"

#define LINE_BYTES_MAX 998 /* RFC 5322, 2.1.1 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every line but the first begins with white space and holds more than that. */
static void
check_field(const char *name, const char *value)
{
    gsize line = strlen(name) + 1;
    g_assert_true(*value == ' ' || !*value);
    for (const char *at = value; *at; at++, line++) {
        g_assert_true(*at == '\n' || (guchar) *at >= ' ');
        g_assert_cmpint((guchar) *at, <, 0x7f);
        if (*at != '\n')
            continue;
        g_assert_true(at[1] == ' ' && at[2] && at[2] != '\n');
        g_assert_cmpuint(line, <, LINE_BYTES_MAX);
        line = 0;
    }
    g_assert_cmpuint(line, <, LINE_BYTES_MAX);
}

/* What a value may say in a header: valid, without controls, trimmed. */
static char *
expected_text(const char *bytes, gsize length)
{
    g_autofree char *copy = g_malloc(length + 1);
    for (gsize i = 0; i < length; i++)
        copy[i] = (guchar) bytes[i] < ' ' || bytes[i] == 127 ? ' ' : bytes[i];
    return g_strstrip(g_utf8_make_valid(copy, (gssize) length));
}

static void
check_text(const char *value, const char *expected)
{
    g_autofree char *decoded = mrg_words_decode(value, NULL);
    g_assert_cmpstr(g_strstrip(decoded), ==, expected);
}

/* By the functions that set a copy's headers. */
static void
check_setters(MrgEnvelope *envelope, const char *bytes, gsize length)
{
    const MrgEnvelopeLimits limits = {100, 1 << 16, 1 << 16, 1};
    const MrgRendered text = {TRUE, bytes, length};
    g_autofree char *cut = g_strndup(bytes, length);
    MrgCopy copy;
    mrg_envelope_add_header(envelope, &limits, "Subject", " a");
    mrg_envelope_add_header(envelope, &limits, "List-Id", " a");
    mrg_envelope_add_header(envelope, &limits, "From", " a <a@example.com>");
    mrg_copy_init(&copy, 1 << 16);
    mrg_copy_address(&copy, envelope, length <= 254 ? cut : "ann@example.com", cut);
    mrg_copy_set_subject(&copy, envelope, &text);
    mrg_copy_set_field(&copy, envelope, "List-Id", 0, NULL, &text);
    mrg_copy_set_field(&copy, envelope, "From", 0, "<a@example.com>", &text);
    mrg_copy_set_header(&copy, envelope->arena, "X-New", cut);
    g_assert_cmpuint(copy.headers->len, ==, 5);
    for (guint i = 0; i < copy.headers->len; i++) {
        const MrgCopyHeader *header = &g_array_index(copy.headers, MrgCopyHeader, i);
        g_assert_true(header->is_changed);
        /* An address may be of the world's letters (RFC 6531). */
        if (!g_str_equal(header->name, "To"))
            check_field(header->name, header->value);
        g_assert_null(strstr(header->value, "\n\n"));
        g_assert_null(strchr(header->value, '\r'));
    }
    mrg_copy_clear(&copy);
}

static void
check_reading(MrgArena *arena, const char *text)
{
    const char *name, *address;
    g_autofree char *decoded = mrg_words_decode(text, NULL);
    if (decoded)
        g_assert_null(strpbrk(decoded, "\r\n"));
    if (mrg_mailbox_split(text, arena, &name, &address)) {
        g_assert_true(address[0] == '<' && !strpbrk(address, " {}\""));
        g_assert_null(strpbrk(name, "\r\n"));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gsize is_started;
    if (g_once_init_enter(&is_started)) {
        mrg_mime_init();
        g_once_init_leave(&is_started, 1);
    }
    const char *bytes = (const char *) data;
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    MrgArena *arena = envelope->arena;
    g_autofree char *text = g_strndup(bytes, size);
    g_autofree char *expected = expected_text(bytes, size);
    const char *value = mrg_encode_header(arena, strlen("Subject"), bytes, size);
    check_field("Subject", value);
    check_text(value, expected);
    value = mrg_encode_phrase(arena, strlen("From"), bytes, size);
    check_field("From", value);
    check_field("From",
                mrg_mailbox_value(arena, strlen("From"), bytes, size, "<a@b.example>"));
    check_setters(envelope, bytes, size);
    check_reading(arena, text);
    return 0;
}
