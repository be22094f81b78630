/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-journal: a segment of any bytes that is closed.  The reader comes to its end, its
 * positions only grow, and each leads on to the same record.  The first byte says where a
 * real record is put, so that there is one to find behind whatever is before it.
 */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "collect/journal-file.h"

#define NEEDLE "the record"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *directory;
static const MrgJournalId id = {{0}, "00000000000000000000000000000000"};

static void
put_file(const char *name, const void *bytes, gsize n)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    int file = g_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    g_assert_cmpint(write(file, bytes, n), ==, (gssize) n);
    close(file);
}

static void
remove_directory(void)
{
    static const char *const names[] = {"id", "00000000000000000001.journal",
                                        "00000000000000000002.journal"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(directory, names[i], NULL);
        g_unlink(path);
    }
    g_rmdir(directory);
    g_free(directory);
}

static void
make_directory(void)
{
    directory = g_dir_make_tmp("fuzz-journal-XXXXXX", NULL);
    g_assert_nonnull(directory);
    atexit(remove_directory);
    put_file("id", id.text, MRG_JOURNAL_ID_LENGTH);
    put_file("00000000000000000002.journal", MRG_SEGMENT_HEAD, MRG_SEGMENT_HEAD_BYTES);
}

static void
check_seek(MrgJournalPosition from, const guint8 *payload, gsize length)
{
    g_autoptr(MrgJournalReader) reader = mrg_journal_reader_open(directory, NULL);
    const guint8 *again;
    gsize n;
    MrgJournalPosition after;
    mrg_journal_reader_seek(reader, from);
    g_assert_cmpint(mrg_journal_read(reader, &again, &n, &after, NULL), ==,
                    MRG_JOURNAL_RECORD);
    g_assert_cmpmem(again, n, payload, length);
}

static void
check_segment(void)
{
    g_autoptr(MrgJournalReader) reader = mrg_journal_reader_open(directory, NULL);
    MrgJournalPosition before = {0}, after;
    const guint8 *payload;
    gsize length;
    gboolean is_found = FALSE;
    while (mrg_journal_read(reader, &payload, &length, &after, NULL) ==
           MRG_JOURNAL_RECORD) {
        g_assert_cmpuint(after.segment, ==, 1);
        g_assert_cmpuint(after.offset, >, before.offset);
        check_seek(before, payload, length);
        is_found |= length == strlen(NEEDLE) && memcmp(payload, NEEDLE, length) == 0;
        before = after;
    }
    g_assert_true(is_found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (!directory)
        make_directory();
    gsize place = MIN(data[0], size - 1);
    g_autoptr(GByteArray) segment = g_byte_array_new();
    guint8 record[64];
    mrg_record_write(record, &id, NEEDLE, strlen(NEEDLE));
    g_byte_array_append(segment, (const guint8 *) MRG_SEGMENT_HEAD, MRG_SEGMENT_HEAD_BYTES);
    g_byte_array_append(segment, data + 1, (guint) place);
    g_byte_array_append(segment, record, (guint) (strlen(NEEDLE) + MRG_RECORD_EXTRA_BYTES));
    g_byte_array_append(segment, data + 1 + place, (guint) (size - 1 - place));
    put_file("00000000000000000001.journal", segment->data, segment->len);
    check_segment();
    return 0;
}
