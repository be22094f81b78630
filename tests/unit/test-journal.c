/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "collect/journal-file.h"

static const MrgJournalOptions roomy = {1 << 30, 1 << 24, G_USEC_PER_SEC};

static char *
new_directory(void)
{
    GError *error = NULL;
    char *directory = g_dir_make_tmp("journal-XXXXXX", &error);
    g_assert_no_error(error);
    return directory;
}

static void
remove_directory(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static MrgJournal *
open_journal(const char *directory, const MrgJournalOptions *options)
{
    GError *error = NULL;
    MrgJournal *journal = mrg_journal_open(directory, options, &error);
    g_assert_no_error(error);
    return journal;
}

static MrgJournalReader *
open_reader(const char *directory)
{
    GError *error = NULL;
    MrgJournalReader *reader = mrg_journal_reader_open(directory, &error);
    g_assert_no_error(error);
    return reader;
}

static void
append_numbers(MrgJournal *journal, guint from, guint to)
{
    for (guint i = from; i < to; i++) {
        char text[64];
        g_snprintf(text, sizeof text, "hit %u", i);
        g_assert_cmpint(mrg_journal_append(journal, text, strlen(text)), ==,
                        MRG_APPEND_DONE);
    }
}

/* The next record is this number, or with G_MAXUINT none is. */
static MrgJournalPosition
expect(MrgJournalReader *reader, guint number)
{
    GError *error = NULL;
    const guint8 *payload;
    gsize length;
    MrgJournalPosition after = {0};
    MrgJournalRead result = mrg_journal_read(reader, &payload, &length, &after, &error);
    g_assert_no_error(error);
    if (number == G_MAXUINT) {
        g_assert_cmpint(result, ==, MRG_JOURNAL_END);
        return after;
    }
    char text[64];
    g_snprintf(text, sizeof text, "hit %u", number);
    g_assert_cmpint(result, ==, MRG_JOURNAL_RECORD);
    g_assert_cmpmem(payload, length, text, strlen(text));
    return after;
}

static char *
segment_path(const char *directory, guint i, guint *n)
{
    char name[MRG_SEGMENT_NAME_BYTES];
    g_autoptr(GArray) segments = mrg_segments_list(directory, NULL, NULL);
    if (n)
        *n = segments->len;
    mrg_segment_name(name, g_array_index(segments, guint64, i));
    return g_build_filename(directory, name, NULL);
}

static void
what_is_appended_is_read_while_it_grows(void)
{
    g_autofree char *directory = new_directory();
    MrgJournal *journal = open_journal(directory, &roomy);
    MrgJournalReader *reader = open_reader(directory);
    expect(reader, G_MAXUINT);
    append_numbers(journal, 0, 3);
    for (guint i = 0; i < 3; i++)
        expect(reader, i);
    expect(reader, G_MAXUINT);
    append_numbers(journal, 3, 4);
    expect(reader, 3);
    MrgJournalState state;
    mrg_journal_state(journal, &state);
    g_assert_cmpuint(state.n_records, ==, 4);
    g_assert_cmpuint(state.n_refused, ==, 0);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

static void
a_position_leads_on_over_restarts_and_segments(void)
{
    g_autofree char *directory = new_directory();
    MrgJournalOptions small = roomy;
    small.segment_bytes = 60; /* three records */
    MrgJournal *journal = open_journal(directory, &small);
    append_numbers(journal, 0, 8);
    mrg_journal_close(journal);
    MrgJournalReader *reader = open_reader(directory);
    g_autofree char *id = g_strdup(mrg_journal_reader_id(reader));
    MrgJournalPosition after = {0};
    for (guint i = 0; i < 5; i++)
        after = expect(reader, i);
    mrg_journal_reader_close(reader);

    journal = open_journal(directory, &small);
    append_numbers(journal, 8, 10);
    reader = open_reader(directory);
    g_assert_cmpstr(mrg_journal_reader_id(reader), ==, id);
    mrg_journal_reader_seek(reader, after);
    for (guint i = 5; i < 10; i++)
        expect(reader, i);
    expect(reader, G_MAXUINT);
    g_assert_cmpuint(mrg_journal_reader_skipped_bytes(reader), ==, 0);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

static void
a_torn_tail_is_waited_for_and_then_skipped(void)
{
    g_autofree char *directory = new_directory();
    MrgJournal *journal = open_journal(directory, &roomy);
    append_numbers(journal, 0, 3);
    mrg_journal_close(journal);
    g_autofree char *path = segment_path(directory, 0, NULL);
    g_assert_cmpint(truncate(path, MRG_SEGMENT_HEAD_BYTES + 3 * 17 - 1), ==, 0);

    MrgJournalReader *reader = open_reader(directory);
    expect(reader, 0);
    expect(reader, 1);
    expect(reader, G_MAXUINT); /* may still be written */
    g_assert_cmpuint(mrg_journal_reader_skipped_bytes(reader), ==, 0);
    journal = open_journal(directory, &roomy);
    append_numbers(journal, 7, 8);
    expect(reader, 7);
    expect(reader, G_MAXUINT);
    g_assert_cmpuint(mrg_journal_reader_skipped_bytes(reader), ==, 16);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

static void
write_at(const char *path, gint64 offset, const void *bytes, gsize n)
{
    int file = g_open(path, O_WRONLY, 0);
    g_assert_cmpint(pwrite(file, bytes, n, offset), ==, (gssize) n);
    close(file);
}

static void
a_damaged_place_costs_what_it_covers(void)
{
    g_autofree char *directory = new_directory();
    MrgJournal *journal = open_journal(directory, &roomy);
    append_numbers(journal, 0, 5);
    mrg_journal_close(journal);
    g_autofree char *path = segment_path(directory, 0, NULL);
    write_at(path, MRG_SEGMENT_HEAD_BYTES + 17 + 3, "\xff", 1); /* a length */
    journal = open_journal(directory, &roomy);
    MrgJournalReader *reader = open_reader(directory);
    expect(reader, 0);
    for (guint i = 2; i < 5; i++)
        expect(reader, i);
    expect(reader, G_MAXUINT);
    g_assert_cmpuint(mrg_journal_reader_skipped_bytes(reader), ==, 17);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

/* A stranger's payload that holds a whole record, made with another id. */
static void
a_payload_cannot_pass_for_a_record(void)
{
    g_autofree char *directory = new_directory();
    guint8 forged[64];
    MrgJournalId other = {{1}, ""};
    mrg_record_write(forged, &other, "hit 666", 7);
    MrgJournal *journal = open_journal(directory, &roomy);
    g_assert_cmpint(mrg_journal_append(journal, forged, 7 + MRG_RECORD_EXTRA_BYTES), ==,
                    MRG_APPEND_DONE);
    append_numbers(journal, 1, 2);
    mrg_journal_close(journal);
    g_autofree char *path = segment_path(directory, 0, NULL);
    write_at(path, MRG_SEGMENT_HEAD_BYTES, "X", 1);
    journal = open_journal(directory, &roomy);
    MrgJournalReader *reader = open_reader(directory);
    expect(reader, 1);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

/* Damage that is longer than what is read at once. */
static void
much_damage_is_passed(void)
{
    g_autofree char *directory = new_directory();
    g_autofree guint8 *junk = g_malloc0(MRG_JOURNAL_PAYLOAD_MAX);
    MrgJournal *journal = open_journal(directory, &roomy);
    for (guint i = 0; i < 12; i++)
        g_assert_cmpint(mrg_journal_append(journal, junk, MRG_JOURNAL_PAYLOAD_MAX), ==,
                        MRG_APPEND_DONE);
    append_numbers(journal, 1, 2);
    mrg_journal_close(journal);
    g_autofree char *path = segment_path(directory, 0, NULL);
    for (guint i = 0; i < 12; i++)
        write_at(path, MRG_SEGMENT_HEAD_BYTES + (gint64) i * MRG_RECORD_BYTES_MAX, "X", 1);
    journal = open_journal(directory, &roomy);
    MrgJournalReader *reader = open_reader(directory);
    expect(reader, 1);
    g_assert_cmpuint(mrg_journal_reader_skipped_bytes(reader), ==,
                     12 * MRG_RECORD_BYTES_MAX);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

static void
a_full_journal_refuses_until_it_is_loaded(void)
{
    g_autofree char *directory = new_directory();
    const MrgJournalOptions tiny = {120, 60, 1000};
    MrgJournal *journal = open_journal(directory, &tiny);
    append_numbers(journal, 0, 6);
    g_assert_cmpint(mrg_journal_append(journal, "hit 6", 5), ==, MRG_APPEND_FULL);
    MrgJournalReader *reader = open_reader(directory);
    MrgJournalPosition after = {0};
    for (guint i = 0; i < 6; i++)
        after = expect(reader, i);
    expect(reader, G_MAXUINT); /* a refused one leaves nothing */
    GError *error = NULL;
    g_assert_true(mrg_journal_remove_loaded(reader, after, &error));
    g_assert_no_error(error);
    guint n;
    g_free(segment_path(directory, 0, &n));
    g_assert_cmpuint(n, ==, 1);
    gint64 until_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    while (mrg_journal_append(journal, "hit 7", 5) != MRG_APPEND_DONE)
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
    expect(reader, 7);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

static void
one_process_writes(void)
{
    g_autofree char *directory = new_directory();
    MrgJournal *journal = open_journal(directory, &roomy);
    GError *error = NULL;
    g_assert_null(mrg_journal_open(directory, &roomy, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN);
    g_clear_error(&error);
    mrg_journal_close(journal);
    remove_directory(directory);
    g_assert_null(mrg_journal_open(directory, &roomy, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_clear_error(&error);
    g_assert_null(mrg_journal_reader_open(directory, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_clear_error(&error);
}

static void
an_append_is_synced_before_the_answer_where_asked(void)
{
    g_autofree char *directory = new_directory();
    MrgJournalOptions synced = roomy;
    synced.sync_us = 0;
    MrgJournal *journal = open_journal(directory, &synced);
    append_numbers(journal, 0, 2);
    MrgJournalReader *reader = open_reader(directory);
    expect(reader, 0);
    expect(reader, 1);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

typedef struct Writer {
    MrgJournal *journal;
    guint number;
} Writer;

#define THREADS 4
#define EACH 2000

static gpointer
write_many(gpointer data)
{
    Writer *writer = data;
    for (guint i = 0; i < EACH; i++) {
        guint pair[2] = {writer->number, i};
        g_assert_cmpint(mrg_journal_append(writer->journal, pair, sizeof pair), ==,
                        MRG_APPEND_DONE);
    }
    return NULL;
}

static void
threads_append_whole_records_in_their_order(void)
{
    g_autofree char *directory = new_directory();
    MrgJournalOptions small = roomy;
    small.segment_bytes = 10000;
    small.sync_us = 1000;
    MrgJournal *journal = open_journal(directory, &small);
    Writer writers[THREADS];
    GThread *threads[THREADS];
    for (guint i = 0; i < THREADS; i++) {
        writers[i] = (Writer){journal, i};
        threads[i] = g_thread_new("writer", write_many, &writers[i]);
    }
    MrgJournalReader *reader = open_reader(directory);
    guint next[THREADS] = {0};
    for (guint n = 0; n < THREADS * EACH;) {
        const guint8 *payload;
        gsize length;
        MrgJournalPosition after;
        if (mrg_journal_read(reader, &payload, &length, &after, NULL) != MRG_JOURNAL_RECORD)
            continue;
        guint pair[2];
        g_assert_cmpuint(length, ==, sizeof pair);
        memcpy(pair, payload, sizeof pair);
        g_assert_cmpuint(next[pair[0]]++, ==, pair[1]);
        n++;
    }
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    mrg_journal_reader_close(reader);
    mrg_journal_close(journal);
    remove_directory(directory);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/journal/grows", what_is_appended_is_read_while_it_grows);
    g_test_add_func("/journal/position", a_position_leads_on_over_restarts_and_segments);
    g_test_add_func("/journal/torn", a_torn_tail_is_waited_for_and_then_skipped);
    g_test_add_func("/journal/damaged", a_damaged_place_costs_what_it_covers);
    g_test_add_func("/journal/forged", a_payload_cannot_pass_for_a_record);
    g_test_add_func("/journal/much-damage", much_damage_is_passed);
    g_test_add_func("/journal/full", a_full_journal_refuses_until_it_is_loaded);
    g_test_add_func("/journal/one-writer", one_process_writes);
    g_test_add_func("/journal/synced", an_append_is_synced_before_the_answer_where_asked);
    g_test_add_func("/journal/threads", threads_append_whole_records_in_their_order);
    return g_test_run();
}
