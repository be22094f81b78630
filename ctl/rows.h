/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: lines and CSV rows of a file that somebody else made, each with its line number.
 *
 * What is wrong with a row is told, and the next call reads on behind it: behind the first
 * line of a row whose quotes do not close, so that one of those hides no other fault.
 *
 * OWNERSHIP  a row lives until the next one is read.
 * ERRORS     MRG_ERROR_CONTROL "FILE:LINE:1: what", never with a value in it; G_FILE_ERROR
 *            where reading fails, and then is_over is set.
 * BOUNDS     1 MiB a row, 1000 columns.
 */
#ifndef MRG_ROWS_H
#define MRG_ROWS_H

#include <stdio.h>

#include <glib.h>

#define MRG_ROW_BYTES_MAX (1024 * 1024)

typedef struct MrgRows {
    FILE *file; /* borrowed */
    const char *path;
    guint64 line;      /* the first one of the row read last */
    guint64 n_bytes;   /* read so far */
    gboolean is_over;  /* there is no more, or it cannot be read */
    GString *row;      /* as it stands in the file */
    GPtrArray *cells;  /* CSV: texts */
    guint64 next_line; /* not for callers from here on */
    gsize chunk_at, chunk_end, again_at;
    GString *again, *texts;
    char *chunk;
} MrgRows;

/* Borrows both. */
void mrg_rows_init(MrgRows *rows, FILE *file, const char *path);
void mrg_rows_clear(MrgRows *rows);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgRows, mrg_rows_clear)

/* The next line that is not blank, in row; FALSE at the end, or with error set. */
gboolean mrg_rows_line(MrgRows *rows, GError **error);

/* The next row of comma-separated values (RFC 4180, in UTF-8), in cells. */
gboolean mrg_rows_csv(MrgRows *rows, GError **error);

/* FALSE, and the error at the row's line. */
gboolean mrg_rows_fail(const MrgRows *rows, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

#endif
