/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disposition: what the MTA hears for each error and each decision.
 *
 * One table; a test walks all codes, so that none is without an answer.
 *
 * THREADS    no state.
 */
#ifndef MRG_DISPOSITION_H
#define MRG_DISPOSITION_H

#include <glib.h>

#include "milter/intake/mta.h"
#include "plugins/merganser-plugin.h"

typedef struct MrgDisposition {
    MrgVerdict verdict;
    MrgAnswer answer;
    const char *code;     /* "550"; NULL where the MTA is told no text */
    const char *enhanced; /* RFC 3463 */
    const char *gate;     /* begins the reason: "template: ..." */
    gboolean is_private;  /* the sender hears text instead of the error's message */
    const char *text;
} MrgDisposition;

const MrgDisposition *mrg_disposition_of_error(const GError *error);
const MrgDisposition *mrg_disposition_of_verdict(MrgVerdict verdict);

/* "deliver", "drop", "reject", "defer", "hold" */
const char *mrg_verdict_name(MrgVerdict verdict);

#endif
