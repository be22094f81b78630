/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site: which web site a request comes from, and whether it may.
 */
#ifndef MRG_SITE_H
#define MRG_SITE_H

#include "collect/request.h"

/* The site with this write key; NULL: none.  Takes the same time for every key of one
 * length. */
const MrgSiteConf *mrg_site_find(const MrgConf *conf, const char *key);

/* The key of "Authorization: Basic", whose name it is; NULL: none.  Arena. */
const char *mrg_site_basic_key(const char *authorization, MrgArena *arena);

/* Whether a page of this origin ("https://shop.example.com") may send: of a site, or with
 * NULL of any.  Without an origin it is no page, and may. */
gboolean mrg_site_allows(const MrgConf *conf, const MrgSiteConf *site, const char *origin);

/* The origin of a URL; NULL: it has none.  Arena. */
const char *mrg_site_origin(const char *url, MrgArena *arena);

/* Constant flow over two texts of one length. */
gboolean mrg_equal_secrets(const char *one, const char *other);

#endif
