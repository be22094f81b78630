/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdatomic.h>

#include "milter/counters.h"

static atomic_ullong counts[MRG_N_COUNTERS];

static const char *const names[] = {
#define COUNTER(name, help) #name,
#include "milter/counters.def"
};

void
mrg_count(MrgCounter counter)
{
    atomic_fetch_add_explicit(&counts[counter], 1, memory_order_relaxed);
}

char *
mrg_counters_print(void)
{
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < MRG_N_COUNTERS; i++) {
        unsigned long long n = atomic_load_explicit(&counts[i], memory_order_relaxed);
        if (n)
            g_string_append_printf(text, "%s%s=%llu", text->len ? " " : "", names[i], n);
    }
    return g_string_free(text, FALSE);
}
