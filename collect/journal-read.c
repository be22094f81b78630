/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "collect/journal-file.h"

/* Room for a whole record wherever the last read ended. */
#define BUFFER_BYTES (256 * 1024)
G_STATIC_ASSERT(BUFFER_BYTES >= 2 * MRG_RECORD_BYTES_MAX);

struct MrgJournalReader {
    char *directory;
    int directory_file;
    MrgJournalId id;
    MrgJournalPosition position;
    int segment_file;    /* of position.segment; -1: not open */
    guint64 buffer_from; /* offset of the buffer's first byte in the segment */
    gsize buffer_bytes;
    guint64 skipped_bytes;
    guint8 *buffer;
};

MrgJournalReader *
mrg_journal_reader_open(const char *directory, GError **error)
{
    MrgJournalReader *reader = g_new0(MrgJournalReader, 1);
    reader->directory = g_strdup(directory);
    reader->segment_file = -1;
    reader->buffer = g_malloc(BUFFER_BYTES);
    reader->directory_file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int id_file = reader->directory_file < 0
                      ? -1
                      : openat(reader->directory_file, "id", O_RDONLY | O_CLOEXEC);
    gboolean is_open = id_file < 0 ? mrg_journal_fail("open", directory, "id", error)
                                   : mrg_journal_id_read(&reader->id, id_file, error);
    if (id_file >= 0)
        close(id_file);
    if (is_open)
        return reader;
    mrg_journal_reader_close(reader);
    return NULL;
}

static void
leave_segment(MrgJournalReader *reader)
{
    if (reader->segment_file >= 0)
        close(reader->segment_file);
    reader->segment_file = -1;
    reader->buffer_bytes = 0;
}

void
mrg_journal_reader_close(MrgJournalReader *reader)
{
    leave_segment(reader);
    if (reader->directory_file >= 0)
        close(reader->directory_file);
    g_free(reader->buffer);
    g_free(reader->directory);
    g_free(reader);
}

const char *
mrg_journal_reader_id(const MrgJournalReader *reader)
{
    return reader->id.text;
}

guint64
mrg_journal_reader_skipped_bytes(const MrgJournalReader *reader)
{
    return reader->skipped_bytes;
}

void
mrg_journal_reader_seek(MrgJournalReader *reader, MrgJournalPosition position)
{
    if (position.segment != reader->position.segment)
        leave_segment(reader);
    reader->position = position;
}

/* The first segment behind that of the position; 0: none. */
static gboolean
find_next(const MrgJournalReader *reader, guint64 *next, GError **error)
{
    g_autoptr(GArray) segments = mrg_segments_list(reader->directory, NULL, error);
    if (!segments)
        return FALSE;
    *next = 0;
    for (guint i = 0; i < segments->len && !*next; i++)
        if (g_array_index(segments, guint64, i) > reader->position.segment)
            *next = g_array_index(segments, guint64, i);
    return TRUE;
}

/* Opens the position's segment; TRUE with none where it is gone. */
static gboolean
open_segment(MrgJournalReader *reader, GError **error)
{
    char name[MRG_SEGMENT_NAME_BYTES];
    if (reader->segment_file >= 0 || !reader->position.segment)
        return TRUE;
    mrg_segment_name(name, reader->position.segment);
    reader->segment_file = openat(reader->directory_file, name, O_RDONLY | O_CLOEXEC);
    reader->buffer_bytes = 0;
    if (reader->segment_file < 0 && errno != ENOENT)
        return mrg_journal_fail("open", reader->directory, name, error);
    return TRUE;
}

/* What the buffer has at the position. */
static gsize
peek(const MrgJournalReader *reader, const guint8 **bytes)
{
    guint64 offset = reader->position.offset, from = reader->buffer_from;
    if (offset < from || offset > from + reader->buffer_bytes)
        return 0;
    *bytes = reader->buffer + (offset - from);
    return reader->buffer_bytes - (gsize) (offset - from);
}

static gboolean
fill(MrgJournalReader *reader, GError **error)
{
    guint64 offset = reader->position.offset;
    gssize got = pread(reader->segment_file, reader->buffer, BUFFER_BYTES,
                       (off_t) MIN(offset, G_MAXINT64));
    reader->buffer_from = offset;
    reader->buffer_bytes = got < 0 ? 0 : (gsize) got;
    return got >= 0 || mrg_journal_fail("read a segment of", reader->directory, "", error);
}

/* Where the next whole record may begin behind a place that is none. */
static void
skip_damage(MrgJournalReader *reader, const guint8 *bytes, gsize n)
{
    gsize i = 1;
    while (i < n && mrg_record_check(bytes + i, n - i, &reader->id) == 0)
        i++;
    /* A record that begins within the last bytes is only seen with what follows. */
    gsize step = i < n || n < BUFFER_BYTES ? MIN(i, n) : n - MRG_RECORD_BYTES_MAX;
    reader->skipped_bytes += step;
    reader->position.offset += step;
}

/* The head of a segment, which the reader gets at once or not at all. */
static gboolean
pass_head(MrgJournalReader *reader)
{
    if (reader->position.offset < MRG_SEGMENT_HEAD_BYTES)
        reader->position.offset = MRG_SEGMENT_HEAD_BYTES;
    return reader->segment_file >= 0;
}

static MrgJournalRead
take(MrgJournalReader *reader, const guint8 *bytes, gsize found, const guint8 **payload,
     gsize *length, MrgJournalPosition *after)
{
    reader->position.offset += found + MRG_RECORD_EXTRA_BYTES;
    *payload = bytes + MRG_RECORD_HEAD_BYTES;
    *length = found;
    *after = reader->position;
    return MRG_JOURNAL_RECORD;
}

/* A record of the segment that the position is in, or END with nothing left of it that is
 * whole; is_closed: then damage is skipped. */
static MrgJournalRead
read_segment(MrgJournalReader *reader, gboolean is_closed, const guint8 **payload,
             gsize *length, MrgJournalPosition *after, GError **error)
{
    if (!open_segment(reader, error))
        return MRG_JOURNAL_ERROR;
    if (!pass_head(reader))
        return MRG_JOURNAL_END;
    for (;;) {
        const guint8 *bytes = NULL;
        gsize n = peek(reader, &bytes), found = mrg_record_check(bytes, n, &reader->id);
        if (found)
            return take(reader, bytes, found, payload, length, after);
        if (!fill(reader, error))
            return MRG_JOURNAL_ERROR;
        n = peek(reader, &bytes);
        found = mrg_record_check(bytes, n, &reader->id);
        if (found)
            return take(reader, bytes, found, payload, length, after);
        if (!is_closed || n == 0)
            return MRG_JOURNAL_END;
        skip_damage(reader, bytes, n);
    }
}

MrgJournalRead
mrg_journal_read(MrgJournalReader *reader, const guint8 **payload, gsize *length,
                 MrgJournalPosition *after, GError **error)
{
    for (;;) {
        MrgJournalRead result = read_segment(reader, FALSE, payload, length, after, error);
        guint64 next;
        if (result != MRG_JOURNAL_END)
            return result;
        if (!find_next(reader, &next, error))
            return MRG_JOURNAL_ERROR;
        if (!next)
            return MRG_JOURNAL_END;
        /* Only now it is sure that nothing more is written here. */
        result = read_segment(reader, TRUE, payload, length, after, error);
        if (result != MRG_JOURNAL_END)
            return result;
        mrg_journal_reader_seek(reader, (MrgJournalPosition){next, 0});
    }
}

gboolean
mrg_journal_remove_loaded(const MrgJournalReader *reader, MrgJournalPosition position,
                          GError **error)
{
    g_autoptr(GArray) segments = mrg_segments_list(reader->directory, NULL, error);
    if (!segments)
        return FALSE;
    for (guint i = 0; i + 1 < segments->len; i++) {
        char name[MRG_SEGMENT_NAME_BYTES];
        guint64 segment = g_array_index(segments, guint64, i);
        if (segment >= position.segment)
            break;
        mrg_segment_name(name, segment);
        if (unlinkat(reader->directory_file, name, 0) != 0 && errno != ENOENT)
            return mrg_journal_fail("remove", reader->directory, name, error);
    }
    return TRUE;
}
