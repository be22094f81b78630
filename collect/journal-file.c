/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "collect/journal-file.h"

#define CHECKSUM_BYTES crypto_shorthash_BYTES
#define SUFFIX ".journal"
#define DIGITS 20

G_STATIC_ASSERT(CHECKSUM_BYTES + MRG_RECORD_HEAD_BYTES == MRG_RECORD_EXTRA_BYTES);
G_STATIC_ASSERT(crypto_shorthash_KEYBYTES == sizeof(((MrgJournalId *) NULL)->key));
G_STATIC_ASSERT(MRG_JOURNAL_PAYLOAD_MAX <= G_MAXUINT16);

gboolean
mrg_journal_fail(const char *what, const char *directory, const char *name, GError **error)
{
    int code = errno;
    g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(code),
                "cannot %s %s/%s: %s", what, directory, name, g_strerror(code));
    return FALSE;
}

gboolean
mrg_journal_id_read(MrgJournalId *id, int file, GError **error)
{
    gsize n = 0;
    if (pread(file, id->text, MRG_JOURNAL_ID_LENGTH, 0) != MRG_JOURNAL_ID_LENGTH ||
        sodium_hex2bin(id->key, sizeof id->key, id->text, MRG_JOURNAL_ID_LENGTH, NULL, &n,
                       NULL) != 0 ||
        n != sizeof id->key) {
        g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                            "the journal's id is no 32 hexadecimal digits");
        return FALSE;
    }
    id->text[MRG_JOURNAL_ID_LENGTH] = '\0';
    return TRUE;
}

void
mrg_record_write(guint8 *room, const MrgJournalId *id, const void *payload, gsize length)
{
    g_assert(length > 0 && length <= MRG_JOURNAL_PAYLOAD_MAX);
    guint16 little = GUINT16_TO_LE((guint16) length);
    room[0] = 'M';
    room[1] = 'J';
    memcpy(room + 2, &little, sizeof little);
    memcpy(room + MRG_RECORD_HEAD_BYTES, payload, length);
    length += MRG_RECORD_HEAD_BYTES;
    crypto_shorthash(room + length, room, length, id->key);
}

gsize
mrg_record_check(const guint8 *bytes, gsize n, const MrgJournalId *id)
{
    if (n <= MRG_RECORD_EXTRA_BYTES || bytes[0] != 'M' || bytes[1] != 'J')
        return 0;
    gsize length = (gsize) bytes[2] | (gsize) bytes[3] << 8;
    if (length == 0 || length > MRG_JOURNAL_PAYLOAD_MAX ||
        length > n - MRG_RECORD_EXTRA_BYTES)
        return 0;
    guint8 checksum[CHECKSUM_BYTES];
    crypto_shorthash(checksum, bytes, MRG_RECORD_HEAD_BYTES + length, id->key);
    return memcmp(checksum, bytes + MRG_RECORD_HEAD_BYTES + length, sizeof checksum)
               ? 0
               : length;
}

void
mrg_segment_name(char name[MRG_SEGMENT_NAME_BYTES], guint64 segment)
{
    g_snprintf(name, MRG_SEGMENT_NAME_BYTES, "%020" G_GUINT64_FORMAT SUFFIX, segment);
}

/* 0 for a name that is no segment's. */
static guint64
segment_of(const char *name)
{
    if (strspn(name, "0123456789") != DIGITS || !g_str_equal(name + DIGITS, SUFFIX))
        return 0;
    return g_ascii_strtoull(name, NULL, 10);
}

static gint
compare_segments(gconstpointer a, gconstpointer b)
{
    guint64 left = *(const guint64 *) a, right = *(const guint64 *) b;
    return (left > right) - (left < right);
}

GArray *
mrg_segments_list(const char *directory, guint64 *bytes, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, error);
    if (!dir)
        return NULL;
    GArray *segments = g_array_new(FALSE, FALSE, sizeof(guint64));
    guint64 sum = 0;
    for (const char *name; (name = g_dir_read_name(dir));) {
        guint64 segment = segment_of(name);
        g_autofree char *path = segment ? g_build_filename(directory, name, NULL) : NULL;
        GStatBuf status;
        if (!path || g_stat(path, &status) != 0)
            continue;
        g_array_append_val(segments, segment);
        sum += (guint64) status.st_size;
    }
    g_array_sort(segments, compare_segments);
    if (bytes)
        *bytes = sum;
    return segments;
}
