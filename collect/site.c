/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/site.h"

#define KEY_BYTES_MAX 256

gboolean
mrg_equal_secrets(const char *one, const char *other)
{
    gsize length = strlen(one);
    guint8 difference = 0;
    if (strlen(other) != length)
        return FALSE;
    for (gsize i = 0; i < length; i++)
        difference |= (guint8) (one[i] ^ other[i]);
    return difference == 0;
}

const MrgSiteConf *
mrg_site_find(const MrgConf *conf, const char *key)
{
    const MrgSiteConf *found = NULL;
    for (gsize i = 0; i < conf->n_sites; i++)
        if (mrg_equal_secrets(conf->sites[i].key, key))
            found = &conf->sites[i];
    return found;
}

const char *
mrg_site_basic_key(const char *authorization, MrgArena *arena)
{
    if (!authorization || g_ascii_strncasecmp(authorization, "Basic ", 6) != 0 ||
        strlen(authorization) > KEY_BYTES_MAX)
        return NULL;
    gsize n;
    g_autofree guchar *bytes = g_base64_decode(authorization + 6, &n);
    const guchar *colon = memchr(bytes, ':', n);
    return mrg_arena_dup(arena, (const char *) bytes, colon ? (gsize) (colon - bytes) : n);
}

gboolean
mrg_site_allows(const MrgConf *conf, const MrgSiteConf *site, const char *origin)
{
    if (!origin)
        return TRUE;
    for (gsize i = 0; i < conf->n_sites; i++) {
        if (site && site != &conf->sites[i])
            continue;
        for (MrgConfLIST each = conf->sites[i].origins; *each; each++)
            if (g_ascii_strcasecmp(*each, origin) == 0)
                return TRUE;
    }
    return FALSE;
}

const char *
mrg_site_origin(const char *url, MrgArena *arena)
{
    const char *host = url ? strstr(url, "://") : NULL;
    return host ? mrg_arena_dup(arena, url,
                                (gsize) (host + 3 - url) + strcspn(host + 3, "/?#"))
                : NULL;
}
