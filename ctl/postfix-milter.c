/* SPDX-License-Identifier: Apache-2.0 */
/* Where a milter listens, as libmilter and as Postfix write it. */
#include "config.h"

#include <string.h>

#include "ctl/postfix.h"

static gboolean
set_unix(MrgPlace *place, const char *path, const char *below)
{
    if (!*path)
        return FALSE;
    while (below && *path == '/')
        path++;
    place->path = g_canonicalize_filename(path, below ? below : "/");
    return TRUE;
}

gboolean
mrg_place_from_conf(MrgPlace *place, const char *socket)
{
    *place = (MrgPlace){0};
    if (g_str_has_prefix(socket, "unix:") || g_str_has_prefix(socket, "local:"))
        return set_unix(place, strchr(socket, ':') + 1, NULL);
    if (*socket == '/')
        return set_unix(place, socket, NULL);
    if (!g_str_has_prefix(socket, "inet:") && !g_str_has_prefix(socket, "inet6:"))
        return FALSE;
    const char *port = strchr(socket, ':') + 1, *at = strchr(port, '@');
    place->port = at ? g_strndup(port, (gsize) (at - port)) : g_strdup(port);
    place->host = g_strdup(at ? at + 1 : "");
    return TRUE;
}

char *
mrg_milter_address(const char *milter)
{
    if (*milter != '{')
        return g_strdup(milter);
    gsize length = strlen(milter);
    g_autofree char *inner = g_strndup(milter + 1, length - (length > 1 ? 2 : 1));
    g_auto(GStrv) words = mrg_postfix_list(inner);
    return g_strdup(words[0] ? words[0] : "");
}

char *
mrg_milter_attribute(const char *milter, const char *name)
{
    if (*milter != '{')
        return NULL;
    g_autofree char *inner = g_strdup(milter + 1);
    g_strdelimit(inner, "{}", ' ');
    g_auto(GStrv) words = g_strsplit(inner, ",", -1);
    for (char **word = words; *word; word++) {
        char *equals = strchr(*word, '=');
        if (!equals)
            continue;
        *equals = '\0';
        if (g_str_equal(g_strstrip(*word), name))
            return g_strstrip(g_strdup(equals + 1));
    }
    return NULL;
}

gboolean
mrg_place_from_milter(MrgPlace *place, const char *milter, const char *root,
                      gboolean is_chrooted)
{
    *place = (MrgPlace){0};
    g_autofree char *address = mrg_milter_address(milter);
    if (g_str_has_prefix(address, "unix:")) {
        const char *path = address + strlen("unix:");
        /* Daemons work in the queue directory, chrooted or not. */
        return set_unix(place, path, is_chrooted || *path != '/' ? root : NULL);
    }
    if (!g_str_has_prefix(address, "inet:"))
        return FALSE;
    const char *host = address + strlen("inet:"), *colon = strrchr(host, ':');
    place->port = g_strdup(colon ? colon + 1 : host);
    place->host = colon ? g_strndup(host, (gsize) (colon - host)) : g_strdup("");
    g_strdelimit(place->host, "[]", ' ');
    g_strstrip(place->host);
    return TRUE;
}

static gboolean
is_loopback(const char *host)
{
    return !*host || g_str_equal(host, "localhost") || g_str_equal(host, "::1") ||
           g_str_has_prefix(host, "127.") || g_str_equal(host, "0.0.0.0") ||
           g_str_equal(host, "::");
}

gboolean
mrg_place_equal(const MrgPlace *a, const MrgPlace *b)
{
    if (a->path || b->path)
        return g_strcmp0(a->path, b->path) == 0;
    return a->port && b->port && g_str_equal(a->port, b->port) &&
           (g_str_equal(a->host, b->host) ||
            (is_loopback(a->host) && is_loopback(b->host)));
}

char *
mrg_place_print(const MrgPlace *place, const char *root)
{
    if (place->path) {
        gsize n = strlen(root);
        gboolean is_below = g_str_has_prefix(place->path, root) && place->path[n] == '/';
        return g_strconcat("unix:", place->path + (is_below ? n + 1 : 0), NULL);
    }
    gboolean is_any = !*place->host || g_str_equal(place->host, "0.0.0.0");
    gboolean is_six = strchr(place->host, ':') != NULL;
    return g_strdup_printf("inet:%s%s%s:%s", is_six ? "[" : "",
                           is_any ? "127.0.0.1" : place->host, is_six ? "]" : "",
                           place->port);
}

void
mrg_place_clear(MrgPlace *place)
{
    g_clear_pointer(&place->path, g_free);
    g_clear_pointer(&place->host, g_free);
    g_clear_pointer(&place->port, g_free);
}
