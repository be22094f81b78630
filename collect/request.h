/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: one request as the handlers see it.
 *
 * OWNERSHIP  the texts are MHD's, and live until the request is answered.
 * THREADS    one at a time.
 */
#ifndef MRG_REQUEST_H
#define MRG_REQUEST_H

#include "collect/collector.h"
#include "collect/form.h"
#include "collect/reply.h"

typedef enum {
    MRG_METHOD_GET = 1,
    MRG_METHOD_HEAD = 2,
    MRG_METHOD_POST = 4,
    MRG_METHOD_OPTIONS = 8
} MrgMethod;

typedef struct MrgHeaders {
    const char *agent, *language, *referrer, *forwarded, *origin, *content_type;
    const char *authorization, *signature, *idempotency_key, *accept;
    guint64 content_length;
    guint flags; /* MrgHitFlags */
} MrgHeaders;

typedef struct MrgRoute MrgRoute;

typedef struct MrgRequest MrgRequest;
typedef MrgReply (*MrgHandler)(MrgRequest *request);

struct MrgRequest {
    MrgCollector *collector;
    struct MHD_Connection *connection;
    const MrgRoute *route; /* NULL: none */
    MrgMethod method;      /* 0: another one */
    const char *tail;      /* what follows the route's path: the token */
    MrgHeaders headers;
    MrgClient client;
    gint64 at_us;
    gint64 begun_us; /* on the monotonic clock */
    GByteArray *body;
    gboolean is_body_too_large;
    MrgHandler handler; /* of the route, or what its reply put off to */
    gboolean is_done;   /* reply is what to answer */
    MrgReply reply;
};

typedef enum { MRG_KIND_QUICK, MRG_KIND_PLAIN, MRG_KIND_SLOW } MrgRouteKind;

struct MrgRoute {
    MrgRouteId id;
    const char *name, *path, *methods;
    gsize path_length;
    gsize body_max;
    MrgHandler handler;
    MrgRouteKind kind;
};

/* The route of the path, and what follows it; NULL: none. */
const MrgRoute *mrg_route_find(const char *path, const char **tail);
gboolean mrg_route_takes(const MrgRoute *route, MrgMethod method);

/* Fills in who asks, how and when. */
void mrg_request_read(MrgRequest *request, const char *method);

/* What follows '?' (form.h). */
gboolean mrg_request_query(const MrgRequest *request, MrgForm *form, MrgArena *arena);

/* Opens the token that the first length bytes of the tail are; token->target is in
 * target. */
gboolean mrg_request_open(const MrgRequest *request, gsize length, MrgTokenPurpose purpose,
                          MrgToken *token, char target[MRG_TARGET_MAX + 1]);

/* A token of the same person and copy for another purpose.  Arena. */
const char *mrg_request_seal(const MrgRequest *request, const MrgToken *token,
                             MrgTokenPurpose purpose, MrgArena *arena);

/* FALSE where this token came too often. */
gboolean mrg_request_may(const MrgRequest *request, const MrgToken *token);

/* A hit of this request; token may be NULL. */
MrgHit mrg_request_hit(const MrgRequest *request, MrgHitKind kind, const MrgToken *token);

/* Into the journal; FALSE where it does not go. */
gboolean mrg_request_record(const MrgRequest *request, const MrgHit *hit);

/* 503, with the error in the log. */
MrgReply mrg_reply_store_failed(MrgCollector *collector, const GError *error);

MrgReply mrg_serve_unseen_link(MrgRequest *request);

#define ROUTE(id, name, path, methods, body_max, handler, kind) \
    MrgReply handler(MrgRequest *request);
#include "collect/routes.def"

#endif
