/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-html: any bytes; every byte must be in exactly one token, and a tag's name in it.
 */
#include "config.h"

#include <stdint.h>

#include "milter/stamp/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MrgHtml html;
    MrgHtmlToken token;
    gsize at = 0;
    mrg_html_init(&html, (const char *) data, size);
    while (mrg_html_next(&html, &token)) {
        g_assert_cmpuint(token.start, ==, at);
        g_assert_cmpuint(token.end, >, token.start);
        g_assert_cmpuint(token.name_length, <, token.end - token.start);
        g_assert_false(mrg_html_is_tag(&html, &token, MRG_HTML_END_TAG, ""));
        at = token.end;
    }
    g_assert_cmpuint(at, ==, size);
    return 0;
}
