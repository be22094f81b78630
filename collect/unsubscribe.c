/* SPDX-License-Identifier: Apache-2.0 */
/* Unsubscription: the page, its button, and the one-click POST of RFC 8058. */
#include "config.h"

#include <string.h>

#include "collect/form.h"
#include "collect/pages.h"
#include "collect/person.h"
#include "collect/request.h"

#define ONE_CLICK "List-Unsubscribe"

/* The class as people know it; NULL where the texts have no title for it. */
static const char *
title_of(const MrgPage *page, const char *class_name)
{
    if (!class_name)
        return NULL;
    const char *key = mrg_arena_printf(page->arena, "class_%s", class_name);
    const char *title = mrg_page_text(page, key);
    return *title ? title : NULL;
}

static void
set_kind(MrgPage *page, const char *class_name)
{
    const char *title = title_of(page, class_name);
    if (title)
        mrg_page_set_text(page, "kind", title);
}

/* Urlencoded or multipart, as RFC 8058 (3.2) has it; a page's form has no such field. */
static gboolean
is_one_click(const MrgRequest *request)
{
    return request->body &&
           memmem(request->body->data, request->body->len, ONE_CLICK, strlen(ONE_CLICK));
}

/* A store that is away only costs the class and the language. */
static void
begin_page(MrgPage *page, MrgRequest *request, const MrgToken *token,
           const char **class_name, MrgArena *arena)
{
    MrgVisitor visitor;
    g_autoptr(GError) error = NULL;
    const char *locale = NULL;
    *class_name = NULL;
    if (mrg_visitor_load(&visitor, request->collector, token, arena, &error) &&
        mrg_visitor_class(request->collector, token, class_name, arena, &error))
        locale = visitor.locale;
    else
        mrg_collector_store_failed(request->collector, error);
    mrg_page_init(page, request->collector->pages, locale, request->headers.language,
                  arena);
}

static MrgReply
show(MrgRequest *request, const MrgToken *token, MrgArena *arena)
{
    MrgPage page;
    const char *class_name;
    MrgHit hit = mrg_request_hit(request, MRG_HIT_UNSUBSCRIBE_VIEW, token);
    if (!mrg_request_record(request, &hit))
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    begin_page(&page, request, token, &class_name, arena);
    set_kind(&page, class_name);
    mrg_page_set_text(&page, "title", mrg_page_text(&page, "unsubscribe_title"));
    mrg_page_set_text(&page, "preferences",
                      mrg_request_seal(request, token, MRG_TOKEN_PREFERENCES, arena));
    return mrg_page_reply(&page, MRG_PAGE_UNSUBSCRIBE, 200);
}

/* In the store before it is answered; where that is away, in the journal, and the loader
 * does the rest.  Without a class, everything: rather too little mail than one too many. */
static gboolean
unsubscribe(MrgRequest *request, const MrgToken *token, const char *class_name,
            MrgHitKind kind, gboolean *is_applied, MrgArena *arena)
{
    MrgCollector *collector = request->collector;
    g_autoptr(GError) error = NULL;
    const char *scope =
        class_name ? mrg_arena_printf(arena, "class:%s", class_name) : "all";
    *is_applied =
        mrg_visitor_suppress(collector, &token->person, scope, request->at_us, 0, &error);
    if (!*is_applied)
        mrg_collector_store_failed(collector, error);
    MrgHit hit = mrg_request_hit(request, kind, token);
    hit.scope = scope;
    hit.flags |= *is_applied ? MRG_HIT_APPLIED : 0;
    gboolean is_recorded = mrg_request_record(request, &hit);
    mrg_collector_count(collector, *is_applied ? MRG_COUNT_applied : MRG_COUNT_noted);
    return *is_applied || is_recorded;
}

static MrgReply
act(MrgRequest *request, const MrgToken *token, MrgArena *arena)
{
    MrgPage page;
    const char *class_name;
    gboolean is_applied, is_click = is_one_click(request);
    begin_page(&page, request, token, &class_name, arena);
    if (!unsubscribe(request, token, class_name,
                     is_click ? MRG_HIT_ONE_CLICK : MRG_HIT_UNSUBSCRIBE, &is_applied,
                     arena))
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    if (!is_applied)
        return mrg_page_notice(&page, "noted", 202);
    if (is_click)
        return mrg_reply_fixed(MRG_FIXED_DONE);
    mrg_page_set_text(&page, "preferences",
                      mrg_request_seal(request, token, MRG_TOKEN_PREFERENCES, arena));
    set_kind(&page, class_name);
    const char *key =
        title_of(&page, class_name) ? "unsubscribed_kind" : "unsubscribed_text";
    mrg_page_set_text(&page, "title", mrg_page_text(&page, "unsubscribed_title"));
    mrg_page_set_text(&page, "text", mrg_page_text(&page, key));
    return mrg_page_reply(&page, MRG_PAGE_NOTICE, 200);
}

MrgReply
mrg_serve_unsubscribe(MrgRequest *request)
{
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    g_autoptr(MrgArena) arena = mrg_arena_new();
    if (!mrg_request_open(request, strlen(request->tail), MRG_TOKEN_UNSUBSCRIBE, &token,
                          target))
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    if (!mrg_request_may(request, &token))
        return mrg_reply_fixed(MRG_FIXED_TOO_MANY);
    return request->method == MRG_METHOD_POST ? act(request, &token, arena)
                                              : show(request, &token, arena);
}
