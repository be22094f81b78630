/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <gmodule.h>
#include <sys/stat.h>
#include <unistd.h>

#include "milter/error.h"
#include "milter/plugin.h"

#define ENTRY "mrg_plugin_entry"
#define NAME_MAX_BYTES 64

typedef const MrgPlugin *(*Entry)(const MrgHost *host);

static void
log_for_plugin(GLogLevelFlags level, const char *message)
{
    /* A plugin must not be able to end the program by what it says. */
    g_log("merganser-plugin",
          level & ~(GLogLevelFlags) (G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL), "%s", message);
}

static const MrgHost host = {
    .size = sizeof(MrgHost),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
    .log = log_for_plugin,
};

static gboolean
refuse(GError **error, const char *path, const char *what)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "plugin '%s': %s", path, what);
    return FALSE;
}

static gboolean
check_owner(const char *path, gboolean is_folder, GError **error)
{
    int kind = is_folder ? O_DIRECTORY : O_NONBLOCK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | kind);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        return refuse(error, path, g_strerror(saved));
    }
    close(fd);
    if (!is_folder && !S_ISREG(status.st_mode))
        return refuse(error, path, "is not a regular file");
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return refuse(error, path, "is unsafe: owned by neither root nor this user");
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return refuse(error, path, "is unsafe: its group or others can write it");
    return TRUE;
}

/* Between this look and dlopen() only root or this user could exchange the file, because
 * the folder is theirs. */
static char *
find_safely(const char *directory, const char *name, GError **error)
{
    g_autofree char *file = g_strconcat(name, "." G_MODULE_SUFFIX, NULL);
    g_autofree char *path = g_build_filename(directory, file, NULL);
    char *real = realpath(path, NULL);
    if (!real) {
        refuse(error, path, g_strerror(errno));
        return NULL;
    }
    /* What realpath() gives is for free(), not g_free(): the same in GLib 2.46 and later.
     */
    g_autofree char *folder = g_path_get_dirname(real);
    if (check_owner(folder, TRUE, error) && check_owner(real, FALSE, error))
        return real;
    g_free(real);
    return NULL;
}

static gboolean
is_plugin_name(const char *name)
{
    gsize length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length <= NAME_MAX_BYTES && !name[length];
}

static gboolean
check_plugin(const MrgPlugin *plugin, const char *path, const char *name, GError **error)
{
    if (!plugin)
        return refuse(error, path, "does not work with this version of Merganser");
    if (plugin->major != MRG_ABI_MAJOR) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "plugin '%s' has ABI %u.%u, this version of Merganser has %d.%d", path,
                    plugin->major, plugin->minor, MRG_ABI_MAJOR, MRG_ABI_MINOR);
        return FALSE;
    }
    if (plugin->size < sizeof(MrgPlugin) || !plugin->settings || !plugin->open ||
        !plugin->close)
        return refuse(error, path, "is incomplete");
    if (g_strcmp0(plugin->name, name) != 0)
        return refuse(error, path, "says that it has another name");
    return TRUE;
}

const MrgPlugin *
mrg_plugin_load(const char *directory, const char *name, GError **error)
{
    if (!is_plugin_name(name)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "'%s' is no name of a plugin",
                    name);
        return NULL;
    }
    g_autofree char *path = find_safely(directory, name, error);
    if (!path)
        return NULL;
    GModule *module = g_module_open(path, G_MODULE_BIND_LOCAL);
    if (!module) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "plugin %s", g_module_error());
        return NULL;
    }
    gpointer entry;
    if (!g_module_symbol(module, ENTRY, &entry)) {
        refuse(error, path, "has no " ENTRY "()");
        g_module_close(module);
        return NULL;
    }
    /* Resident from here on: the entry may have left pointers to itself, such as quarks. */
    g_module_make_resident(module);
    const MrgPlugin *plugin = ((Entry) entry)(&host);
    return check_plugin(plugin, path, name, error) ? plugin : NULL;
}
