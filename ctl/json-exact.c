/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib.h>

#include "ctl/json-exact.h"

/* A double has 15 decimal digits for sure, and 17 say it exactly (IEEE 754). */
#define DIGITS_MIN 15
#define DIGITS_MAX 17

char *
mrg_json_exact(const json_t *json, size_t flags)
{
    for (size_t digits = DIGITS_MIN;; digits++) {
        char *text =
            json_dumps(json, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_t *again =
            digits < DIGITS_MAX ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
        gboolean is_same = digits == DIGITS_MAX || json_equal(json, again);
        json_decref(again);
        if (is_same)
            return text;
        g_free(text);
    }
}
