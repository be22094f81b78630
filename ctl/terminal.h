/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal: what a verb says to somebody who sits in front of it: how far it is, and
 * whether it really shall.
 */
#ifndef MRG_TERMINAL_H
#define MRG_TERMINAL_H

#include <stdio.h>

#include <glib.h>

typedef struct MrgProgress {
    const char *noun;          /* "profiles" */
    guint64 total_bytes;       /* 0: not known */
    guint64 n, n_bytes;        /* so far */
    gint64 begun_us, shown_us; /* monotonic */
    gboolean is_shown;         /* stderr is a terminal */
} MrgProgress;

/* file may be NULL; the size of a regular one is known. */
void mrg_progress_begin(MrgProgress *progress, const char *noun, FILE *file);
/* Shows it a few times a second at most. */
void mrg_progress_step(MrgProgress *progress, guint64 n, guint64 n_bytes);
/* Wipes the line. */
void mrg_progress_end(MrgProgress *progress);

/* "[#####.....]  50%  120000 profiles, 60000/s, 0:02 left" after so many microseconds; the
 * caller frees. */
char *mrg_progress_line(const MrgProgress *progress, gint64 passed_us);

/* Whether to go on: --yes was given, or a person at the terminal types "yes".  EX_OK, or
 * the exit code after saying how to go on without a terminal. */
int mrg_confirm(gboolean is_yes, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
