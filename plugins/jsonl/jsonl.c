/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink-jsonl: appends a line of JSON for every event to a file.
 *
 * A batch is one write() to a file opened with O_APPEND, so that several writers do not
 * mix their lines; the person is the key in hex, and no address is known here.  When the
 * file was moved away (logrotate) the next batch makes a new one.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/merganser-plugin.h"

#define FILE_MODE (S_IRUSR | S_IWUSR | S_IRGRP)

typedef struct Jsonl {
    char *file;
    int fd; /* -1: not open */
} Jsonl;

static gboolean
fail(GError **error, const char *file, const char *what)
{
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE, "%s %s: %s", file,
                what, g_strerror(errno));
    return FALSE;
}

static void
close_file(Jsonl *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

static gboolean
is_in_place(const Jsonl *self)
{
    struct stat opened, named;
    return self->fd >= 0 && fstat(self->fd, &opened) == 0 &&
           stat(self->file, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

static gboolean
open_file(Jsonl *self, GError **error)
{
    if (is_in_place(self))
        return TRUE;
    close_file(self);
    self->fd =
        open(self->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);
    return self->fd >= 0 || fail(error, self->file, "cannot be opened");
}

static const char *
verdict_name(MrgVerdict verdict)
{
    static const char *const names[] = {"deliver", "drop", "reject", "defer", "hold"};
    return (guint) verdict < G_N_ELEMENTS(names) ? names[verdict] : "unknown";
}

static char *
time_text(gint64 at_us)
{
    g_autoptr(GDateTime) whole = g_date_time_new_from_unix_utc(at_us / G_USEC_PER_SEC);
    g_autofree char *seconds =
        whole ? g_date_time_format(whole, "%Y-%m-%dT%H:%M:%S") : NULL;
    if (!seconds)
        return NULL;
    return g_strdup_printf("%s.%06dZ", seconds, (int) ABS(at_us % G_USEC_PER_SEC));
}

#define KEY_TEXT_BYTES (2 * MRG_KEY_BYTES + 1)

static void
print_key(const guint8 *bytes, char text[KEY_TEXT_BYTES])
{
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        g_snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static gboolean
append_event(GString *out, const MrgSinkEvent *event)
{
    char key[KEY_TEXT_BYTES], copy[KEY_TEXT_BYTES];
    print_key(event->person.bytes, key);
    print_key(event->event.message.bytes, copy);
    g_autofree char *at = time_text(event->event.at_us);
    json_t *json =
        json_pack("{s:s?, s:s, s:s, s:s?, s:s?, s:s, s:s?, s:s?}", "at", at, "person", key,
                  "copy", copy, "campaign", event->event.campaign, "class",
                  event->event.class_name, "verdict", verdict_name(event->event.verdict),
                  "reason", event->event.reason, "queue_id", event->queue_id);
    char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!line)
        return FALSE;
    g_string_append(out, line);
    g_string_append_c(out, '\n');
    free(line);
    return TRUE;
}

static gboolean
write_all(const Jsonl *self, const GString *text, GError **error)
{
    for (gsize done = 0; done < text->len;) {
        ssize_t n = write(self->fd, text->str + done, text->len - done);
        if (n < 0 && errno != EINTR)
            return fail(error, self->file, "cannot be written");
        done += n > 0 ? (gsize) n : 0;
    }
    return TRUE;
}

static gboolean
jsonl_write(gpointer sink, const MrgSinkEvent *events, gsize n, GError **error)
{
    Jsonl *self = sink;
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < n; i++) {
        if (!append_event(text, &events[i])) {
            g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                                "an event cannot be written as JSON");
            return FALSE;
        }
    }
    return open_file(self, error) && write_all(self, text, error);
}

static gpointer
jsonl_open(const MrgSetting *settings, gsize n, GError **error)
{
    const char *file = NULL;
    for (gsize i = 0; i < n; i++)
        if (strcmp(settings[i].name, "file") == 0)
            file = settings[i].value;
    if (!file || !g_path_is_absolute(file)) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_SETTING,
                            "setting 'file' must be an absolute path");
        return NULL;
    }
    Jsonl *self = g_new(Jsonl, 1);
    *self = (Jsonl){g_strdup(file), -1};
    return self;
}

static void
jsonl_close(gpointer sink)
{
    Jsonl *self = sink;
    close_file(self);
    g_free(self->file);
    g_free(self);
}

static const MrgSettingInfo settings_known[] = {
    {"file", NULL, "The file that events are appended to; an absolute path."},
    {NULL, NULL, NULL},
};

static const MrgSinkApi api = {.size = sizeof(MrgSinkApi), .write = jsonl_write};

static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
    .name = "sink-jsonl",
    .settings = settings_known,
    .open = jsonl_open,
    .close = jsonl_close,
    .sink = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    return host->major == MRG_ABI_MAJOR ? &plugin : NULL;
}
