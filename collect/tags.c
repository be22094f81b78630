/* SPDX-License-Identifier: Apache-2.0 */
/* Event tags: the routes below /v1/ that pages and servers send events to. */
#include "config.h"

#include <string.h>

#include "collect/events.h"
#include "collect/site.h"

#define PROPERTY "p_"

typedef struct Sender {
    MrgRequest *request;
    const MrgSiteConf *site;
    MrgArena *arena;
} Sender;

/* A page of an origin that may read the answer. */
static MrgReply
with_origin(const MrgRequest *request, MrgReply reply)
{
    mrg_reply_header(&reply, "Access-Control-Allow-Origin", request->headers.origin);
    mrg_reply_header(&reply, "Vary", "Origin");
    return reply;
}

static MrgReply
accepted(const MrgRequest *request)
{
    if (!request->headers.origin)
        return mrg_reply_fixed(MRG_FIXED_ACCEPTED);
    char *text = g_strdup("{\"success\":true}\n");
    return with_origin(request,
                       mrg_reply_text(200, "application/json", text, strlen(text)));
}

/* What a browser asks before it sends JSON (Fetch Standard, CORS preflight). */
static MrgReply
preflight(const MrgRequest *request)
{
    const char *origin = request->headers.origin;
    if (!origin || !mrg_site_allows(request->collector->conf, NULL, origin))
        return mrg_reply_fixed(MRG_FIXED_FORBIDDEN);
    MrgReply reply =
        with_origin(request, mrg_reply_text(204, "text/plain", g_strdup(""), 0));
    mrg_reply_header(&reply, "Access-Control-Allow-Methods", "POST, OPTIONS");
    mrg_reply_header(&reply, "Access-Control-Allow-Headers", "Content-Type, Authorization");
    mrg_reply_header(&reply, "Access-Control-Max-Age", "86400");
    return reply;
}

/* FALSE where the journal does not take it. */
static gboolean
record(const Sender *sender, const MrgTagEvent *event)
{
    const MrgRequest *request = sender->request;
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    gboolean is_known =
        event->identity &&
        mrg_token_open(request->collector->keyring, event->identity,
                       strlen(event->identity), MRG_TOKEN_IDENTITY, &token, target);
    MrgHit hit = mrg_request_hit(request, event->kind, is_known ? &token : NULL);
    hit.site = sender->site->name;
    hit.name = event->name;
    hit.anonymous_id = event->anonymous_id;
    hit.event_id = event->event_id;
    hit.data = event->data;
    if (!mrg_request_record(request, &hit))
        return FALSE;
    mrg_collector_count(request->collector, MRG_COUNT_events);
    return TRUE;
}

/* All are looked at before the first is recorded: a batch is taken or not. */
static MrgReply
record_all(const Sender *sender, json_t *const *objects, gsize n, const char *type)
{
    MrgTagEvent *events = mrg_arena_array(sender->arena, MrgTagEvent, n);
    for (gsize i = 0; i < n; i++)
        if (!mrg_tag_event_read(&events[i], objects[i], type, sender->arena))
            return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    /* Whoever asks not to be observed is answered and not recorded. */
    if (sender->request->headers.flags & MRG_HIT_OPT_OUT)
        return accepted(sender->request);
    for (gsize i = 0; i < n; i++)
        if (!record(sender, &events[i]))
            return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    return accepted(sender->request);
}

static MrgReply
serve_root(MrgRequest *request, json_t *root, const char *type, MrgArena *arena)
{
    const MrgConf *conf = request->collector->conf;
    const char *key = json_string_value(json_object_get(root, "writeKey"));
    if (!key)
        key = mrg_site_basic_key(request->headers.authorization, arena);
    const Sender sender = {request, key ? mrg_site_find(conf, key) : NULL, arena};
    if (!sender.site)
        return mrg_reply_fixed(MRG_FIXED_DENIED);
    if (!mrg_site_allows(conf, sender.site, request->headers.origin))
        return mrg_reply_fixed(MRG_FIXED_FORBIDDEN);
    if (type)
        return record_all(&sender, &root, 1, type);
    json_t *batch = json_object_get(root, "batch");
    gsize n = json_array_size(batch);
    if (n == 0 || n > MRG_BATCH_EVENTS_MAX)
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    json_t **objects = mrg_arena_array(arena, json_t *, n);
    for (gsize i = 0; i < n; i++)
        objects[i] = json_array_get(batch, i);
    return record_all(&sender, objects, n, NULL);
}

static MrgReply
serve(MrgRequest *request, const char *type)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    if (request->method == MRG_METHOD_OPTIONS)
        return preflight(request);
    json_t *root = request->body ? mrg_events_parse((const char *) request->body->data,
                                                    request->body->len)
                                 : NULL;
    if (!root)
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    MrgReply reply = serve_root(request, root, type, arena);
    json_decref(root);
    return reply;
}

MrgReply
mrg_serve_track(MrgRequest *request)
{
    return serve(request, "track");
}

MrgReply
mrg_serve_page(MrgRequest *request)
{
    return serve(request, "page");
}

MrgReply
mrg_serve_identify(MrgRequest *request)
{
    return serve(request, "identify");
}

MrgReply
mrg_serve_batch(MrgRequest *request)
{
    return serve(request, NULL);
}

/* ---- for pages without scripts */

static MrgReply
record_query(const Sender *sender, const MrgForm *form)
{
    MrgTagEvent event;
    json_t *object = json_object(), *properties = json_object();
    for (gsize i = 0; i < form->n; i++) {
        const char *name = form->fields[i].name;
        gboolean is_property = g_str_has_prefix(name, PROPERTY);
        json_object_set_new(is_property ? properties : object,
                            is_property ? name + strlen(PROPERTY) : name,
                            json_string(form->fields[i].value));
    }
    json_object_set_new(object, "properties", properties);
    gboolean is_good = mrg_tag_event_read(&event, object, "track", sender->arena);
    gboolean is_watched = !(sender->request->headers.flags & MRG_HIT_OPT_OUT);
    MrgFixed fixed = !is_good                                ? MRG_FIXED_BAD_REQUEST
                     : is_watched && !record(sender, &event) ? MRG_FIXED_UNAVAILABLE
                                                             : MRG_FIXED_PIXEL;
    json_decref(object);
    return mrg_reply_fixed(fixed);
}

MrgReply
mrg_serve_event_pixel(MrgRequest *request)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    const MrgConf *conf = request->collector->conf;
    MrgForm form;
    if (!mrg_request_query(request, &form, arena))
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    const char *key = mrg_form_get(&form, "writeKey");
    const Sender sender = {request, key ? mrg_site_find(conf, key) : NULL, arena};
    if (!sender.site)
        return mrg_reply_fixed(MRG_FIXED_DENIED);
    /* An image says where it stands by the referrer alone, where it says it. */
    if (!mrg_site_allows(conf, sender.site,
                         mrg_site_origin(request->headers.referrer, arena)))
        return mrg_reply_fixed(MRG_FIXED_FORBIDDEN);
    return record_query(&sender, &form);
}

MrgReply
mrg_serve_tag(MrgRequest *request)
{
    char *text = g_strdup(mrg_pages_tag(request->collector->pages));
    MrgReply reply = mrg_reply_file("text/javascript; charset=utf-8", text, strlen(text));
    mrg_reply_header(&reply, "Cross-Origin-Resource-Policy", "cross-origin");
    return reply;
}
