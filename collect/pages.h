/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages: what people see in the browser: templates and texts in files, rendered by the
 * language that mails are written in, so that every value is escaped.
 *
 * A file in [collector] pages goes before the installed one; of texts, key by key.
 *
 * OWNERSHIP  values are made in the arena of the request.
 * THREADS    immutable.
 */
#ifndef MRG_PAGES_H
#define MRG_PAGES_H

#include "base/value.h"
#include "collect/reply.h"

typedef struct MrgPages MrgPages;

typedef enum {
    MRG_PAGE_UNSUBSCRIBE,
    MRG_PAGE_NOTICE,
    MRG_PAGE_PREFERENCES,
    MRG_PAGE_DATA,
    MRG_PAGE_ERASE,
    MRG_N_PAGES
} MrgPageId;

/* fallback is the language of who asks for none that there is. */
MrgPages *mrg_pages_load(const char *directory, const char *fallback, GError **error);
void mrg_pages_free(MrgPages *pages);

/* What is the same for all: the stylesheet, and the script for other people's pages. */
const char *mrg_pages_style(const MrgPages *pages);
const char *mrg_pages_tag(const MrgPages *pages);

/* One page with its values. */
typedef struct MrgPage {
    const MrgPages *pages;
    MrgArena *arena;
    gsize language;
    MrgMember members[24];
    gsize n;
} MrgPage;

/* In the language of locale ("de-CH") where there is one, else of Accept-Language (RFC
 * 9110, 12.5.4), either may be NULL. */
void mrg_page_init(MrgPage *page, const MrgPages *pages, const char *locale,
                   const char *accepted, MrgArena *arena);

/* Borrowed; "" for a key that there is not. */
const char *mrg_page_text(const MrgPage *page, const char *key);

/* name is static. */
void mrg_page_set(MrgPage *page, const char *name, MrgValue value);
void mrg_page_set_text(MrgPage *page, const char *name, const char *text);

MrgReply mrg_page_reply(MrgPage *page, MrgPageId id, guint status);

/* The page that says what became of a wish: texts "KEY_title" and "KEY_text". */
MrgReply mrg_page_notice(MrgPage *page, const char *key, guint status);

#endif
