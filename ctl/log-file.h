/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log-file: a log that is written and rotated meanwhile, as one row of lines.
 *
 * Rotated by rename, or by copying and truncating; to NAME.1, NAME-20261127 and the like.
 * What is compressed is not read.  A file is known by its first line, wherever it goes, so
 * that a place in it outlives this process.
 *
 * A file is left for the next one once that has something in it, and after another look at
 * the end: its writer goes on a moment with the file that was renamed.
 *
 * ERRORS     of G_FILE_ERROR.
 */
#ifndef MRG_LOG_FILE_H
#define MRG_LOG_FILE_H

#include <glib.h>

/* Where a line begins; all 0: at the beginning of what the name stands for. */
typedef struct MrgLogPlace {
    guint64 file; /* hash of its first line, 63 bits */
    guint64 offset;
} MrgLogPlace;

typedef struct MrgLogFile MrgLogFile;

typedef enum {
    MRG_LOG_READ_ERROR,
    MRG_LOG_READ_END, /* for now */
    MRG_LOG_READ_LINE
} MrgLogRead;

/* From the place on; where no file has it any more, from the beginning of that name. */
MrgLogFile *mrg_log_file_open(const char *path, const MrgLogPlace *from, GError **error);
void mrg_log_file_close(MrgLogFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgLogFile, mrg_log_file_close)

/* The next line without its end, valid until the next call, and where it begins. */
MrgLogRead mrg_log_file_read(MrgLogFile *self, char **line, MrgLogPlace *place,
                             GError **error);

/* Where the next line begins. */
MrgLogPlace mrg_log_file_place(const MrgLogFile *self);

/* How often lines went with a file that is not to be found any more. */
guint mrg_log_file_n_lost(const MrgLogFile *self);

#endif
