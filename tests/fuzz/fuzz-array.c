/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-array: lists of texts as PostgreSQL sends them; what is found lies within the data.
 */
#include "config.h"

#include <stdint.h>

#include "plugins/pgsql/array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const uint8_t *data, size_t size)
{
    MrgPgsqlArray array;
    const char *text;
    gsize length;
    if (!mrg_pgsql_array_open(&array, data, size))
        return;
    for (guint n = array.n; n && mrg_pgsql_array_next(&array, &text, &length); n--) {
        g_assert_cmpuint(array.n, ==, n - 1);
        const uint8_t *start = (const uint8_t *) text;
        g_assert_true(!text || (start >= data && start + length <= data + size &&
                                !array.n == (n == 1)));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MrgPgsqlArray array;
    gint64 number;
    walk(data, size);
    if (mrg_pgsql_array_open(&array, data, size))
        while (mrg_pgsql_array_next_number(&array, &number))
            ;
    return 0;
}
