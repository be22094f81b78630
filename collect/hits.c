/* SPDX-License-Identifier: Apache-2.0 */
/* The pixel and the links: what is asked for most, without the store as a rule. */
#include "config.h"

#include <string.h>

#include "collect/request.h"
#include "milter/hits.h"

#define PIXEL_SUFFIX ".gif"
#define IDENTITY_PARAMETER "mrg_id="

/* FALSE where it has to be answered that it was not recorded. */
static gboolean
record(const MrgRequest *request, const MrgToken *token, const MrgHit *hit)
{
    MrgCollector *collector = request->collector;
    guint64 key = token->message ^ (guint64) hit->kind << 56 ^ (guint64) token->link << 32;
    if (mrg_limit_take(collector->lasting->by_token, collector->conf->collector_rate_token,
                       key, request->at_us))
        return mrg_request_record(request, hit);
    mrg_collector_count(collector, MRG_COUNT_hits_over_rate);
    return TRUE;
}

MrgReply
mrg_serve_open(MrgRequest *request)
{
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    gsize length = strlen(request->tail);
    gsize suffix = sizeof PIXEL_SUFFIX - 1;
    if (length < suffix || !g_str_equal(request->tail + length - suffix, PIXEL_SUFFIX) ||
        !mrg_request_open(request, length - suffix, MRG_TOKEN_OPEN, &token, target))
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    MrgHit hit = mrg_request_hit(request, MRG_HIT_OPEN, &token);
    return mrg_reply_fixed(record(request, &token, &hit) ? MRG_FIXED_PIXEL
                                                         : MRG_FIXED_UNAVAILABLE);
}

/* ---- clicks */

/* The target with the sealed id that makes events on its pages the person's: before the
 * fragment, behind whatever parameters there are. */
static char *
add_identity(const MrgRequest *request, const MrgToken *token, const char *target)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    const char *text = mrg_request_seal(request, token, MRG_TOKEN_IDENTITY, arena);
    int length = (int) strcspn(target, "#");
    const char *joint = !memchr(target, '?', (gsize) length) ? "?"
                        : strchr("?&", target[length - 1])   ? ""
                                                             : "&";
    return g_strdup_printf("%.*s%s" IDENTITY_PARAMETER "%s%s", length, target, joint, text,
                           target + length);
}

/* Into a site of ours, by somebody who did not ask to be left alone. */
static gboolean
needs_identity(const MrgRequest *request, const char *target)
{
    const MrgConf *conf = request->collector->conf;
    return !(request->headers.flags & MRG_HIT_OPT_OUT) &&
           mrg_target_site(target, conf->sites, conf->n_sites);
}

static MrgReply
redirect(const MrgRequest *request, const MrgToken *token, const char *target)
{
    if (!needs_identity(request, target))
        return mrg_reply_response(302, mrg_redirect_new(target));
    g_autofree char *whole = add_identity(request, token, target);
    return mrg_reply_response(302, mrg_redirect_new(whole));
}

/* A link of this copy alone, sealed with its target. */
static MrgReply
serve_sealed(MrgRequest *request, const MrgToken *token)
{
    MrgHit hit = mrg_request_hit(request, MRG_HIT_CLICK, token);
    if (!mrg_target_is_good(token->target))
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    if (!record(request, token, &hit))
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    return redirect(request, token, token->target);
}

static void
release_link(gpointer link)
{
    mrg_link_unref(link);
}

/* Takes the link. */
static MrgReply
serve_link(MrgRequest *request, const MrgToken *token, MrgLink *taken)
{
    g_autoptr(MrgLink) link = taken;
    MrgHit hit = mrg_request_hit(request, MRG_HIT_CLICK, token);
    if (!record(request, token, &hit))
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    if (needs_identity(request, link->target))
        return redirect(request, token, link->target);
    struct MHD_Response *response = link->redirect;
    return (MrgReply){.status = 302,
                      .response = response,
                      .release = release_link,
                      .owner = g_steal_pointer(&link)};
}

MrgReply
mrg_serve_click(MrgRequest *request)
{
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    if (!mrg_request_open(request, strlen(request->tail), MRG_TOKEN_CLICK, &token, target))
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    if (token.target)
        return serve_sealed(request, &token);
    MrgLink *link =
        mrg_links_find(request->collector->lasting->links, token.campaign, token.link);
    if (!link)
        return mrg_reply_later(mrg_serve_unseen_link);
    mrg_collector_count(request->collector, MRG_COUNT_link_cache_hits);
    return serve_link(request, &token, link);
}

/* With a thread of its own: the store is asked. */
MrgReply
mrg_serve_unseen_link(MrgRequest *request)
{
    MrgCollector *collector = request->collector;
    MrgToken token;
    const char *target = NULL;
    char sealed[MRG_TARGET_MAX + 1];
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    mrg_collector_count(collector, MRG_COUNT_link_cache_misses);
    if (!mrg_token_open(collector->keyring, request->tail, strlen(request->tail),
                        MRG_TOKEN_CLICK, &token, sealed))
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    MrgFetch fetch =
        mrg_store_link_target(collector->lasting->store, token.campaign, token.link,
                              &target, arena, mrg_collector_deadline(collector), &error);
    if (fetch == MRG_FETCH_ERROR)
        return mrg_reply_store_failed(collector, error);
    MrgLink *link =
        fetch == MRG_FETCH_HIT
            ? mrg_links_add(collector->lasting->links, token.campaign, token.link, target)
            : NULL;
    return link ? serve_link(request, &token, link) : mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
}
