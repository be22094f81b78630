/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "collect/journal-file.h"
#include "milter/clock.h"

#define SEGMENT_AGE_US (600 * MRG_SECOND_US)
/* Even where every append is synced, closed segments are counted by this. */
#define TICK_MAX_US MRG_SECOND_US

struct MrgJournal {
    char *directory;
    int directory_file, id_file;
    MrgJournalId id;
    MrgJournalOptions options;
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t wake;
    pthread_t syncer;
    gboolean is_ending;
    int segment_file;
    guint64 segment, segment_bytes;
    gint64 segment_since_us; /* on the monotonic clock */
    guint64 closed_bytes;
    gboolean is_dirty;
    GArray *closed_files; /* of int: not synced yet */
    MrgJournalState counts;
    guint8 record[MRG_RECORD_BYTES_MAX];
};

/* ---- segments */

static gboolean
make_segment(MrgJournal *journal, GError **error)
{
    char name[MRG_SEGMENT_NAME_BYTES];
    /* By the clock, so that a number never comes again, even where all files are gone. */
    guint64 segment = MAX(journal->segment + 1, (guint64) mrg_clock_now_us());
    mrg_segment_name(name, segment);
    int file = openat(journal->directory_file, name,
                      O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return mrg_journal_fail("make", journal->directory, name, error);
    if (write(file, MRG_SEGMENT_HEAD, MRG_SEGMENT_HEAD_BYTES) != MRG_SEGMENT_HEAD_BYTES ||
        fsync(journal->directory_file) != 0) {
        mrg_journal_fail("write", journal->directory, name, error);
        unlinkat(journal->directory_file, name, 0);
        close(file);
        return FALSE;
    }
    journal->segment_file = file;
    journal->segment = segment;
    journal->segment_bytes = MRG_SEGMENT_HEAD_BYTES;
    journal->segment_since_us = g_get_monotonic_time();
    return TRUE;
}

/* Closes the segment; without a next one there is none, and the next append tries again. */
static gboolean
next_segment(MrgJournal *journal)
{
    if (journal->segment_file >= 0) {
        g_array_append_val(journal->closed_files, journal->segment_file);
        journal->closed_bytes += journal->segment_bytes;
        journal->segment_file = -1;
        journal->segment_bytes = 0;
    }
    g_autoptr(GError) error = NULL;
    if (make_segment(journal, &error))
        return TRUE;
    g_warning("journal: %s", error->message);
    return FALSE;
}

/* ---- appending */

/* The whole record or nothing: a part of one is taken back. */
static MrgAppend
write_record(MrgJournal *journal, gsize length)
{
    gssize written;
    do
        written = write(journal->segment_file, journal->record, length);
    while (written < 0 && errno == EINTR);
    if (written == (gssize) length)
        return MRG_APPEND_DONE;
    gboolean is_full = written >= 0 || errno == ENOSPC || errno == EDQUOT;
    /* Where even this fails, what follows goes into another segment. */
    if (written > 0 &&
        ftruncate(journal->segment_file, (off_t) journal->segment_bytes) != 0) {
        journal->segment_bytes += (guint64) written;
        next_segment(journal);
    }
    return is_full ? MRG_APPEND_FULL : MRG_APPEND_FAILED;
}

static MrgAppend
append_locked(MrgJournal *journal, const void *payload, gsize length)
{
    gsize record_bytes = length + MRG_RECORD_EXTRA_BYTES;
    if (journal->closed_bytes + journal->segment_bytes + record_bytes >
        journal->options.max_bytes)
        return MRG_APPEND_FULL;
    if (journal->segment_file < 0 ||
        journal->segment_bytes + record_bytes > journal->options.segment_bytes)
        if (!next_segment(journal))
            return MRG_APPEND_FAILED;
    mrg_record_write(journal->record, &journal->id, payload, length);
    MrgAppend result = write_record(journal, record_bytes);
    if (result != MRG_APPEND_DONE)
        return result;
    journal->segment_bytes += record_bytes;
    journal->is_dirty = TRUE;
    if (journal->options.sync_us > 0)
        return MRG_APPEND_DONE;
    if (fdatasync(journal->segment_file) == 0)
        return MRG_APPEND_DONE;
    /* The record may be there or not; whoever sent it is told that it is not. */
    next_segment(journal);
    return MRG_APPEND_FAILED;
}

MrgAppend
mrg_journal_append(MrgJournal *journal, const void *payload, gsize length)
{
    pthread_mutex_lock(&journal->mutex);
    MrgAppend result = append_locked(journal, payload, length);
    if (result == MRG_APPEND_DONE)
        journal->counts.n_records++;
    else
        journal->counts.n_refused++;
    pthread_mutex_unlock(&journal->mutex);
    return result;
}

void
mrg_journal_state(MrgJournal *journal, MrgJournalState *state)
{
    pthread_mutex_lock(&journal->mutex);
    *state = journal->counts;
    state->used_bytes = journal->closed_bytes + journal->segment_bytes;
    pthread_mutex_unlock(&journal->mutex);
}

/* ---- syncing */

static void
sync_file(int file)
{
    if (fdatasync(file) != 0)
        g_critical("journal: cannot sync, the newest hits may be lost: %s",
                   g_strerror(errno));
}

static void
count_closed(MrgJournal *journal)
{
    guint64 all;
    g_autoptr(GError) error = NULL;
    /* With the lock, so that no segment is closed in between. */
    g_autoptr(GArray) segments = mrg_segments_list(journal->directory, &all, &error);
    if (segments)
        journal->closed_bytes =
            all > journal->segment_bytes ? all - journal->segment_bytes : 0;
    else
        g_warning("journal: %s", error->message);
}

/* Called with the lock; syncs without it. */
static void
sync_all(MrgJournal *journal)
{
    if (journal->segment_bytes > MRG_SEGMENT_HEAD_BYTES &&
        g_get_monotonic_time() - journal->segment_since_us > SEGMENT_AGE_US)
        next_segment(journal);
    GArray *closed = journal->closed_files;
    journal->closed_files = g_array_new(FALSE, FALSE, sizeof(int));
    int file = journal->is_dirty && journal->segment_file >= 0
                   ? fcntl(journal->segment_file, F_DUPFD_CLOEXEC, 0)
                   : -1;
    journal->is_dirty = FALSE;
    journal->counts.n_syncs += closed->len + (file >= 0);
    pthread_mutex_unlock(&journal->mutex);
    for (guint i = 0; i < closed->len; i++) {
        sync_file(g_array_index(closed, int, i));
        close(g_array_index(closed, int, i));
    }
    g_array_unref(closed);
    if (file >= 0) {
        sync_file(file);
        close(file);
    }
    pthread_mutex_lock(&journal->mutex);
    count_closed(journal);
}

static void
wait_for_tick(MrgJournal *journal, gint64 tick_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    gint64 ns = until.tv_nsec + tick_us % MRG_SECOND_US * 1000;
    until.tv_sec += (time_t) (tick_us / MRG_SECOND_US + ns / 1000000000);
    until.tv_nsec = (long) (ns % 1000000000);
    pthread_cond_timedwait(&journal->wake, &journal->mutex, &until);
}

static gpointer
sync_until_end(gpointer data)
{
    MrgJournal *journal = data;
    gint64 tick_us = journal->options.sync_us;
    if (tick_us <= 0 || tick_us > TICK_MAX_US)
        tick_us = TICK_MAX_US;
    pthread_mutex_lock(&journal->mutex);
    while (!journal->is_ending) {
        wait_for_tick(journal, tick_us);
        sync_all(journal);
    }
    pthread_mutex_unlock(&journal->mutex);
    return NULL;
}

/* ---- opening */

/* Written beside and renamed: an id is there whole or not at all. */
static gboolean
make_id(const char *directory, int directory_file, GError **error)
{
    guint8 bytes[16];
    char text[MRG_JOURNAL_ID_LENGTH + 1];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(text, sizeof text, bytes, sizeof bytes);
    int file =
        openat(directory_file, "id.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return mrg_journal_fail("make", directory, "id.new", error);
    gboolean is_done = write(file, text, MRG_JOURNAL_ID_LENGTH) == MRG_JOURNAL_ID_LENGTH &&
                       fsync(file) == 0 &&
                       renameat(directory_file, "id.new", directory_file, "id") == 0 &&
                       fsync(directory_file) == 0;
    if (!is_done)
        mrg_journal_fail("write", directory, "id", error);
    close(file);
    return is_done;
}

static gboolean
open_id(MrgJournal *journal, GError **error)
{
    if (faccessat(journal->directory_file, "id", F_OK, 0) != 0 &&
        !make_id(journal->directory, journal->directory_file, error))
        return FALSE;
    journal->id_file = openat(journal->directory_file, "id", O_RDONLY | O_CLOEXEC);
    if (journal->id_file < 0)
        return mrg_journal_fail("open", journal->directory, "id", error);
    return mrg_journal_id_read(&journal->id, journal->id_file, error);
}

static gboolean
open_directory(MrgJournal *journal, GError **error)
{
    journal->directory_file = open(journal->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory_file < 0)
        return mrg_journal_fail("open", journal->directory, ".", error);
    if (flock(journal->directory_file, LOCK_EX | LOCK_NB) != 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                    "another process writes the journal %s", journal->directory);
        return FALSE;
    }
    return TRUE;
}

static gboolean
begin(MrgJournal *journal, GError **error)
{
    if (!open_directory(journal, error) || !open_id(journal, error))
        return FALSE;
    g_autoptr(GArray) segments =
        mrg_segments_list(journal->directory, &journal->closed_bytes, error);
    if (!segments)
        return FALSE;
    if (segments->len)
        journal->segment = g_array_index(segments, guint64, segments->len - 1);
    return make_segment(journal, error);
}

static void
init_locks(MrgJournal *journal)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&journal->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void
free_journal(MrgJournal *journal)
{
    if (journal->segment_file >= 0)
        close(journal->segment_file);
    if (journal->id_file >= 0)
        close(journal->id_file);
    if (journal->directory_file >= 0)
        close(journal->directory_file);
    g_array_unref(journal->closed_files);
    pthread_cond_destroy(&journal->wake);
    pthread_mutex_destroy(&journal->mutex);
    g_free(journal->directory);
    g_free(journal);
}

MrgJournal *
mrg_journal_open(const char *directory, const MrgJournalOptions *options, GError **error)
{
    MrgJournal *journal = g_new0(MrgJournal, 1);
    journal->directory = g_strdup(directory);
    journal->directory_file = journal->id_file = journal->segment_file = -1;
    journal->options = *options;
    journal->closed_files = g_array_new(FALSE, FALSE, sizeof(int));
    init_locks(journal);
    if (!begin(journal, error)) {
        free_journal(journal);
        return NULL;
    }
    int code = pthread_create(&journal->syncer, NULL, sync_until_end, journal);
    if (code == 0)
        return journal;
    g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(code),
                "cannot start the journal's thread: %s", g_strerror(code));
    free_journal(journal);
    return NULL;
}

void
mrg_journal_close(MrgJournal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->is_ending = TRUE;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->mutex);
    pthread_join(journal->syncer, NULL);
    free_journal(journal);
}
