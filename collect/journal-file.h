/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal-file: the form of a journal's files, for its writer and its reader.
 */
#ifndef MRG_JOURNAL_FILE_H
#define MRG_JOURNAL_FILE_H

#include "collect/journal.h"

#define MRG_SEGMENT_HEAD "MRGJ1\n\0\0"
#define MRG_SEGMENT_HEAD_BYTES 8
#define MRG_SEGMENT_NAME_BYTES 32
#define MRG_RECORD_HEAD_BYTES 4
#define MRG_RECORD_EXTRA_BYTES 12 /* head and checksum */
#define MRG_RECORD_BYTES_MAX (MRG_JOURNAL_PAYLOAD_MAX + MRG_RECORD_EXTRA_BYTES)

typedef struct MrgJournalId {
    guint8 key[16];
    char text[MRG_JOURNAL_ID_LENGTH + 1];
} MrgJournalId;

/* The id in the file, which is open. */
gboolean mrg_journal_id_read(MrgJournalId *id, int file, GError **error);

/* Writes the whole record; room is length + MRG_RECORD_EXTRA_BYTES. */
void mrg_record_write(guint8 *room, const MrgJournalId *id, const void *payload,
                      gsize length);

/* The payload's length where a whole record begins at bytes, else 0. */
gsize mrg_record_check(const guint8 *bytes, gsize n, const MrgJournalId *id);

void mrg_segment_name(char name[MRG_SEGMENT_NAME_BYTES], guint64 segment);

/* The numbers of the directory's segments, ascending, and their bytes (may be NULL). */
GArray *mrg_segments_list(const char *directory, guint64 *bytes, GError **error);

/* Sets the error of errno for this file; FALSE. */
gboolean mrg_journal_fail(const char *what, const char *directory, const char *name,
                          GError **error);

#endif
