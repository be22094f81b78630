/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-header: whatever a value holds, what is written for it is one header field. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/message/encode.h"
#include "milter/message/mailbox.h"
#include "milter/message/mime.h"
#include "milter/message/words.h"

#define LINE_BYTES_MAX 998 /* RFC 5322, 2.1.1 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every line but the first begins with white space and holds more than that. */
static void
check_field(const char *value, gboolean may_be_long)
{
    const char *line = value;
    g_assert_true(*value == ' ' || !*value);
    for (const char *at = value; *at; at++) {
        g_assert_true(*at == '\n' || (guchar) *at >= ' ');
        g_assert_cmpint((guchar) *at, <, 0x7f);
        if (*at != '\n')
            continue;
        g_assert_true(at[1] == ' ');
        line = at + 1;
    }
    g_assert_true(may_be_long || strlen(line) < LINE_BYTES_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gsize is_started;
    if (g_once_init_enter(&is_started)) {
        mrg_mime_init();
        g_once_init_leave(&is_started, 1);
    }
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autofree char *valid = g_utf8_make_valid((const char *) data, (gssize) size);
    g_autofree char *decoded = mrg_words_decode(text, NULL);
    const char *name, *address;
    gboolean has_long_word = size >= LINE_BYTES_MAX / 2;
    check_field(mrg_encode_header(arena, 7, valid, strlen(valid)), has_long_word);
    check_field(mrg_encode_phrase(arena, 4, valid, strlen(valid)), has_long_word);
    check_field(mrg_mailbox_value(arena, 4, valid, strlen(valid), "<a@b.example>"),
                has_long_word);
    if (decoded)
        g_assert_null(strpbrk(decoded, "\r\n"));
    if (mrg_mailbox_split(text, arena, &name, &address)) {
        g_assert_true(address[0] == '<' && !strpbrk(address, " {}\""));
        g_assert_null(strpbrk(name, "\r\n"));
    }
    return 0;
}
