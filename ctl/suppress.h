/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suppress: what the verbs that suppress people share.
 */
#ifndef MRG_SUPPRESS_H
#define MRG_SUPPRESS_H

#include "ctl/verb.h"

typedef struct MrgSuppressArgs {
    char *scope, *reason, *until;
} MrgSuppressArgs;

/* Rows for an array of GOptionEntry. */
#define MRG_SUPPRESS_ENTRIES(args)                                                        \
    {"scope",                                                                             \
     0,                                                                                   \
     0,                                                                                   \
     G_OPTION_ARG_STRING,                                                                 \
     &(args)->scope,                                                                      \
     "all (the default), class:NAME or list:NAME",                                        \
     "SCOPE"},                                                                            \
        {"reason",                                                                        \
         0,                                                                               \
         0,                                                                               \
         G_OPTION_ARG_STRING,                                                             \
         &(args)->reason,                                                                 \
         "unsubscribed, complained, bounced or manual (the default)",                     \
         "REASON"},                                                                       \
    {                                                                                     \
        "until", 0, 0, G_OPTION_ARG_STRING, &(args)->until,                               \
            "when it ends: a date, a time, or how long from now (never)", "TIME|DURATION" \
    }

/* EX_OK, or the exit code after the message was printed; borrows the texts. */
int mrg_suppress_read(MrgSuppressArgs *args, gint64 now_us, MrgSuppression *suppression);
void mrg_suppress_clear(MrgSuppressArgs *args);

#endif
