/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "milter/error.h"
#include "milter/ini.h"

#define FILE_BYTES_MAX (1024 * 1024)

gboolean
mrg_ini_fail(const MrgIni *ini, guint line, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:%u:1: %s", ini->path, line, what);
    return FALSE;
}

void
mrg_ini_free(MrgIni *ini)
{
    if (!ini)
        return;
    g_free(ini->path);
    g_free(ini->text);
    g_array_unref(ini->entries);
    g_free(ini);
}

static const MrgIniEntry *
find(const MrgIni *ini, const MrgIniEntry *wanted)
{
    for (guint i = 0; i < ini->entries->len; i++) {
        const MrgIniEntry *entry = &g_array_index(ini->entries, MrgIniEntry, i);
        if (g_str_equal(entry->section, wanted->section) &&
            g_str_equal(entry->name, wanted->name) &&
            g_strcmp0(entry->key, wanted->key) == 0)
            return entry;
    }
    return NULL;
}

static gboolean
add(MrgIni *ini, const MrgIniEntry *entry, GError **error)
{
    const MrgIniEntry *before = find(ini, entry);
    if (before)
        return mrg_ini_fail(ini, entry->line, error, "'%s' stands in line %u already",
                            entry->key ? entry->key : entry->section, before->line);
    g_array_append_val(ini->entries, *entry);
    return TRUE;
}

static gboolean
read_section(MrgIni *ini, char *line, MrgIniEntry *at, GError **error)
{
    gsize length = strlen(line);
    if (line[length - 1] != ']')
        return mrg_ini_fail(ini, at->line, error, "section is not closed by ]");
    line[length - 1] = '\0';
    at->section = g_strstrip(line + 1);
    char *space = strpbrk(line + 1, " \t");
    at->name = "";
    if (space && space > at->section) {
        *space = '\0';
        at->name = g_strstrip(space + 1);
    }
    at->key = NULL;
    at->value = NULL;
    if (!*at->section)
        return mrg_ini_fail(ini, at->line, error, "section without a name");
    return add(ini, at, error);
}

static gboolean
read_setting(MrgIni *ini, char *line, MrgIniEntry *at, GError **error)
{
    char *equals = strchr(line, '=');
    if (!equals || equals == line)
        return mrg_ini_fail(ini, at->line, error, "expected 'key = value'");
    if (!at->section)
        return mrg_ini_fail(ini, at->line, error, "setting before the first [section]");
    *equals = '\0';
    at->key = g_strstrip(line);
    at->value = g_strstrip(equals + 1);
    return add(ini, at, error);
}

MrgIni *
mrg_ini_parse(const char *path, const char *text, GError **error)
{
    g_autoptr(MrgIni) ini = g_new0(MrgIni, 1);
    ini->path = g_strdup(path);
    ini->text = g_strdup(text);
    ini->entries = g_array_new(FALSE, FALSE, sizeof(MrgIniEntry));
    if (!g_utf8_validate(text, -1, NULL)) {
        mrg_ini_fail(ini, 1, error, "not valid UTF-8");
        return NULL;
    }
    MrgIniEntry at = {0};
    for (char *line = ini->text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        at.line++;
        line = g_strstrip(line);
        if (!*line || *line == '#' || *line == ';')
            continue;
        if (*line == '[' ? !read_section(ini, line, &at, error)
                         : !read_setting(ini, line, &at, error))
            return NULL;
    }
    return g_steal_pointer(&ini);
}

MrgIni *
mrg_ini_load(const char *path, GError **error)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:1:1: cannot be read: %s", path,
                    g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(info.st_mode) || info.st_size > FILE_BYTES_MAX) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:1:1: not a file under 1 MiB",
                    path);
        return NULL;
    }
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    if (!g_file_get_contents(path, &text, NULL, &problem)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:1:1: %s", path,
                    problem->message);
        return NULL;
    }
    return mrg_ini_parse(path, text, error);
}
