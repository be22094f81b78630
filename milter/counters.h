/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters: how often what happened since the start; counters.def lists them.
 *
 * THREADS    any.
 */
#ifndef MRG_COUNTERS_H
#define MRG_COUNTERS_H

#include <glib.h>

typedef enum {
#define COUNTER(name, help) MRG_COUNTER_##name,
#include "milter/counters.def"
    MRG_N_COUNTERS
} MrgCounter;

void mrg_count(MrgCounter counter);

/* "deliver=3 drop=1 ..." of those above zero; the caller frees. */
char *mrg_counters_print(void);

#endif
