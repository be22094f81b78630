/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/log-file.h"

#define HEAD_MAX 8192   /* of the first line, that is hashed */
#define WHOLE_MAX 65536 /* without an end: taken for a line, that it may pass */

struct MrgLogFile {
    char *path, *folder, *name;
    FILE *file;
    guint64 id; /* 0: has no first line yet */
    guint64 offset;
    gboolean is_left;   /* for the next one, after another look */
    gboolean is_at_end; /* as was told last */
    char *line;
    size_t size;
    guint n_lost;
};

/* ---- which file is which ----------------------------------------------- */

/* FNV-1a; lines begin with times, so it need not withstand anybody. */
static guint64
hash_head(const char *head, gsize length)
{
    guint64 hash = G_GUINT64_CONSTANT(14695981039346656037);
    for (gsize i = 0; i < length; i++)
        hash = (hash ^ (guint8) head[i]) * G_GUINT64_CONSTANT(1099511628211);
    return MAX(hash >> 1, 1);
}

static guint64
identify(int fd)
{
    char head[HEAD_MAX];
    ssize_t length = pread(fd, head, sizeof head, 0);
    const char *end = length > 0 ? memchr(head, '\n', (size_t) length) : NULL;
    if (!end && length < (ssize_t) sizeof head)
        return 0;
    return hash_head(head, end ? (gsize) (end - head) : sizeof head);
}

/* NAME.1, NAME-20261127, NAME-2026-11-27_03.00. */
static gboolean
is_sibling(const MrgLogFile *self, const char *name)
{
    gsize length = strlen(self->name);
    if (strncmp(name, self->name, length) != 0 || !strchr(".-", name[length]))
        return FALSE;
    return name[length] && strspn(name + length, "0123456789.-_") == strlen(name + length);
}

/* Files in the order in which they were written last; of one time, in any that stays. */
static int
compare_age(const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
        return a->st_mtim.tv_sec < b->st_mtim.tv_sec ? -1 : 1;
    if (a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
        return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec ? -1 : 1;
    return (a->st_ino > b->st_ino) - (a->st_ino < b->st_ino);
}

static gboolean
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

typedef gboolean (*IsWanted)(const char *path, const struct stat *file, gpointer context);

/* The oldest sibling that is wanted; the caller frees, NULL for none. */
static char *
find_sibling(const MrgLogFile *self, IsWanted is_wanted, gpointer context)
{
    g_autoptr(GDir) list = g_dir_open(self->folder, 0, NULL);
    struct stat file, oldest = {0};
    char *found = NULL;
    const char *name;
    while (list && (name = g_dir_read_name(list))) {
        if (!is_sibling(self, name))
            continue;
        g_autofree char *path = g_build_filename(self->folder, name, NULL);
        if (stat(path, &file) != 0 || !is_wanted(path, &file, context) ||
            (found && compare_age(&file, &oldest) > 0))
            continue;
        g_free(found);
        found = g_steal_pointer(&path);
        oldest = file;
    }
    return found;
}

static gboolean
has_id(const char *path, const struct stat *file, gpointer context)
{
    const guint64 *id = context;
    FILE *stream = file->st_size ? fopen(path, "rbe") : NULL;
    gboolean is_it = stream && identify(fileno(stream)) == *id;
    if (stream)
        fclose(stream);
    return is_it;
}

static gboolean
is_younger(const char *path G_GNUC_UNUSED, const struct stat *file, gpointer context)
{
    return compare_age(file, context) > 0;
}

/* ---- from one to the next ---------------------------------------------- */

static gboolean
change_to(MrgLogFile *self, const char *path, guint64 offset, GError **error)
{
    FILE *file = fopen(path, "rbe");
    if (!file || fseeko(file, (off_t) offset, SEEK_SET) != 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
        if (file)
            fclose(file);
        return FALSE;
    }
    if (self->file)
        fclose(self->file);
    self->file = file;
    self->id = identify(fileno(file));
    self->offset = offset;
    self->is_left = FALSE;
    return TRUE;
}

/* Emptied by who copied it: what is left to read stands in the copy.  Less than what was
 * read may stand there, since the writer went on while it was made. */
static gboolean
leave_truncated(MrgLogFile *self, gboolean *is_changed, GError **error)
{
    struct stat named, open;
    *is_changed = FALSE;
    if (!self->id || stat(self->path, &named) != 0 ||
        fstat(fileno(self->file), &open) != 0 || !is_same(&named, &open) ||
        ((guint64) open.st_size >= self->offset &&
         identify(fileno(self->file)) == self->id))
        return TRUE;
    g_autofree char *copy = find_sibling(self, has_id, &self->id);
    self->n_lost += !copy;
    *is_changed = TRUE;
    return change_to(self, copy ? copy : self->path, copy ? self->offset : 0, error);
}

/* What is to be read after a file that was renamed; NULL: nothing yet.  The caller frees.
 */
static char *
find_next(const MrgLogFile *self)
{
    struct stat named, open;
    if (stat(self->path, &named) != 0 || fstat(fileno(self->file), &open) != 0 ||
        is_same(&named, &open) || named.st_size == 0)
        return NULL;
    char *younger = find_sibling(self, is_younger, &open);
    return younger ? younger : g_strdup(self->path);
}

static gboolean
leave_renamed(MrgLogFile *self, gboolean *is_changed, GError **error)
{
    g_autofree char *next = find_next(self);
    gboolean was_left = self->is_left;
    *is_changed = next != NULL;
    self->is_left = next != NULL;
    return !next || !was_left || change_to(self, next, 0, error);
}

/* ---- lines ------------------------------------------------------------- */

static gboolean
read_line(MrgLogFile *self, MrgLogPlace *place)
{
    clearerr(self->file);
    ssize_t length = getline(&self->line, &self->size, self->file);
    if (length > 0 && (self->line[length - 1] == '\n' || length > WHOLE_MAX)) {
        if (!self->id)
            self->id = identify(fileno(self->file));
        *place = (MrgLogPlace){self->id, self->offset};
        self->offset += (guint64) length;
        self->line[length - 1] = '\0';
        return TRUE;
    }
    /* Its end is not written yet: from its beginning, the next time. */
    fseeko(self->file, (off_t) self->offset, SEEK_SET);
    return FALSE;
}

MrgLogRead
mrg_log_file_read(MrgLogFile *self, char **line, MrgLogPlace *place, GError **error)
{
    gboolean is_changed;
    /* Before it is read on, lest what was written anew is taken for what follows. */
    if (self->is_at_end && !leave_truncated(self, &is_changed, error))
        return MRG_LOG_READ_ERROR;
    self->is_at_end = FALSE;
    while (!read_line(self, place)) {
        if (!leave_truncated(self, &is_changed, error) ||
            (!is_changed && !leave_renamed(self, &is_changed, error)))
            return MRG_LOG_READ_ERROR;
        if (!is_changed) {
            self->is_at_end = TRUE;
            return MRG_LOG_READ_END;
        }
    }
    *line = self->line;
    return MRG_LOG_READ_LINE;
}

MrgLogPlace
mrg_log_file_place(const MrgLogFile *self)
{
    return (MrgLogPlace){self->id, self->id ? self->offset : 0};
}

guint
mrg_log_file_n_lost(const MrgLogFile *self)
{
    return self->n_lost;
}

/* ---- life -------------------------------------------------------------- */

MrgLogFile *
mrg_log_file_open(const char *path, const MrgLogPlace *from, GError **error)
{
    g_autoptr(MrgLogFile) self = g_new0(MrgLogFile, 1);
    struct stat file;
    MrgLogPlace place = *from;
    self->path = g_strdup(path);
    self->folder = g_path_get_dirname(path);
    self->name = g_path_get_basename(path);
    g_autofree char *found = NULL;
    if (place.file && !(stat(path, &file) == 0 && has_id(path, &file, &place.file))) {
        found = find_sibling(self, has_id, &place.file);
        self->n_lost += !found;
    }
    guint64 offset = place.file && !self->n_lost ? place.offset : 0;
    if (!change_to(self, found ? found : path, offset, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
mrg_log_file_close(MrgLogFile *self)
{
    if (self->file)
        fclose(self->file);
    free(self->line);
    g_free(self->path);
    g_free(self->folder);
    g_free(self->name);
    g_free(self);
}
