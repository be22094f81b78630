/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: hits in files that are only appended to, until the store has them.
 *
 * A journal is a directory: "id" (16 random bytes, in hex), and segments named by a number
 * of 20 digits that only grows, "00001764201600000000.journal":
 *
 *   "MRGJ1\n" and two zero bytes, then records:
 *   'M' 'J' | length 2 | payload | checksum 8          (numbers are little-endian)
 *
 * The checksum is SipHash-2-4 (Aumasson and Bernstein, 2012; by libsodium) keyed with the
 * id, over all that is before it: what a stranger sends cannot pass for a record when a
 * reader looks for the next one behind a damaged place.
 *
 * What mrg_journal_append() has taken is in the kernel: it survives the end of the process,
 * however that comes.  It survives a loss of power once it is synced, sync_us later at
 * most. A writer never appends to the segment of an earlier one, so a torn tail stays where
 * it is and is skipped.  A segment is closed when it is full or ten minutes old; closed
 * ones are removed when they are loaded (mrg_journal_remove_loaded()), the newest never.
 *
 * THREADS    a writer: any; a reader: one at a time.  One process writes (flock), others
 *            read at the same time.
 * ERRORS     GFileError's domain; appending only says what to answer.
 */
#ifndef MRG_JOURNAL_H
#define MRG_JOURNAL_H

#include <glib.h>

#define MRG_JOURNAL_PAYLOAD_MAX 60000
#define MRG_JOURNAL_ID_LENGTH 32

/* ---- writer */

typedef struct MrgJournal MrgJournal;

typedef struct MrgJournalOptions {
    guint64 max_bytes;     /* of all segments together */
    guint64 segment_bytes; /* a segment is closed beyond this */
    gint64 sync_us;        /* 0: synced before mrg_journal_append() returns */
} MrgJournalOptions;

typedef enum {
    MRG_APPEND_DONE,
    MRG_APPEND_FULL,  /* max_bytes are used, or the disk is full */
    MRG_APPEND_FAILED /* the disk does not take it */
} MrgAppend;

typedef struct MrgJournalState {
    guint64 n_records; /* appended since it was opened */
    guint64 n_refused;
    guint64 used_bytes;
    guint64 n_syncs;
} MrgJournalState;

/* Makes the directory's files (mode 0600) where they are missing; the directory must be
 * there.  Another writer's journal is G_FILE_ERROR_AGAIN. */
MrgJournal *mrg_journal_open(const char *directory, const MrgJournalOptions *options,
                             GError **error);

/* length is 1 to MRG_JOURNAL_PAYLOAD_MAX. */
MrgAppend mrg_journal_append(MrgJournal *journal, const void *payload, gsize length);
void mrg_journal_state(MrgJournal *journal, MrgJournalState *state);

/* Syncs what is not, and ends; no append may be under way. */
void mrg_journal_close(MrgJournal *journal);

/* ---- reader */

/* Between two records.  {0, 0} is before the first. */
typedef struct MrgJournalPosition {
    guint64 segment;
    guint64 offset;
} MrgJournalPosition;

typedef struct MrgJournalReader MrgJournalReader;

typedef enum {
    MRG_JOURNAL_ERROR,
    MRG_JOURNAL_END, /* for now; the next call looks again */
    MRG_JOURNAL_RECORD
} MrgJournalRead;

/* Begins before the first record. */
MrgJournalReader *mrg_journal_reader_open(const char *directory, GError **error);
void mrg_journal_reader_close(MrgJournalReader *reader);

/* Which journal this is: a position belongs to this id.  MRG_JOURNAL_ID_LENGTH digits. */
const char *mrg_journal_reader_id(const MrgJournalReader *reader);

/* To a position that a read gave; where its segment is gone, the next one follows. */
void mrg_journal_reader_seek(MrgJournalReader *reader, MrgJournalPosition position);

/* The next record; payload is valid until the next call, *after is where the one behind it
 * is read from.  Damaged places are skipped and counted, but in the segment that is still
 * written to, where what is not whole is the end. */
MrgJournalRead mrg_journal_read(MrgJournalReader *reader, const guint8 **payload,
                                gsize *length, MrgJournalPosition *after, GError **error);
guint64 mrg_journal_reader_skipped_bytes(const MrgJournalReader *reader);

/* Removes the segments before that of position, all of whose records are loaded. */
gboolean mrg_journal_remove_loaded(const MrgJournalReader *reader,
                                   MrgJournalPosition position, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgJournal, mrg_journal_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgJournalReader, mrg_journal_reader_close)

#endif
