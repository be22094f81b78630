/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/request.h"
#include "milter/clock.h"

static const MrgRoute routes[] = {
#define ROUTE(id, name, path, methods, body_max, handler, kind) \
    {MRG_ROUTE_##id,  name,     path,    methods,               \
     sizeof path - 1, body_max, handler, MRG_KIND_##kind},
#include "collect/routes.def"
};

const MrgRoute *
mrg_route_find(const char *path, const char **tail)
{
    for (gsize i = 0; i < G_N_ELEMENTS(routes); i++) {
        const MrgRoute *route = &routes[i];
        if (strncmp(path, route->path, route->path_length) != 0)
            continue;
        *tail = path + route->path_length;
        if ((route->path[route->path_length - 1] == '/') == (**tail != '\0'))
            return route;
    }
    return NULL;
}

gboolean
mrg_route_takes(const MrgRoute *route, MrgMethod method)
{
    char letter = method == MRG_METHOD_GET || method == MRG_METHOD_HEAD ? 'G'
                  : method == MRG_METHOD_POST                           ? 'P'
                  : method == MRG_METHOD_OPTIONS                        ? 'O'
                                                                        : '\0';
    return letter && strchr(route->methods, letter);
}

/* ---- headers */

static gboolean
has_word(const char *text, const char *word)
{
    gsize length = strlen(word);
    for (; *text; text++)
        if (g_ascii_strncasecmp(text, word, length) == 0)
            return TRUE;
    return FALSE;
}

/* Purpose (Chromium once), Sec-Purpose (Fetch Standard), X-Moz (Firefox once),
 * X-Purpose (Safari). */
static void
read_purpose(MrgHeaders *headers, const char *value)
{
    if (has_word(value, "prefetch") || has_word(value, "preview") ||
        has_word(value, "prerender"))
        headers->flags |= MRG_HIT_PREFETCH;
}

/* Global Privacy Control, and Do Not Track before it. */
static void
read_opt_out(MrgHeaders *headers, const char *value)
{
    if (g_str_equal(value, "1"))
        headers->flags |= MRG_HIT_OPT_OUT;
}

typedef struct Header {
    const char *name;
    gsize offset; /* of a text in MrgHeaders, where there is no read */
    void (*read)(MrgHeaders *headers, const char *value);
} Header;

static const Header known[] = {
    {"User-Agent", G_STRUCT_OFFSET(MrgHeaders, agent), NULL},
    {"Accept-Language", G_STRUCT_OFFSET(MrgHeaders, language), NULL},
    {"X-Forwarded-For", G_STRUCT_OFFSET(MrgHeaders, forwarded), NULL},
    {"Referer", G_STRUCT_OFFSET(MrgHeaders, referrer), NULL},
    {"Origin", G_STRUCT_OFFSET(MrgHeaders, origin), NULL},
    {"Content-Type", G_STRUCT_OFFSET(MrgHeaders, content_type), NULL},
    {"Authorization", G_STRUCT_OFFSET(MrgHeaders, authorization), NULL},
    {"X-Signature", G_STRUCT_OFFSET(MrgHeaders, signature), NULL},
    {"Idempotency-Key", G_STRUCT_OFFSET(MrgHeaders, idempotency_key), NULL},
    {"Accept", G_STRUCT_OFFSET(MrgHeaders, accept), NULL},
    {"Purpose", 0, read_purpose},
    {"Sec-Purpose", 0, read_purpose},
    {"X-Purpose", 0, read_purpose},
    {"X-Moz", 0, read_purpose},
    {"Sec-GPC", 0, read_opt_out},
    {"DNT", 0, read_opt_out},
};

static enum MHD_Result
read_header(void *context, enum MHD_ValueKind kind G_GNUC_UNUSED, const char *name,
            const char *value)
{
    MrgHeaders *headers = context;
    if (!value)
        return MHD_YES;
    if (g_ascii_strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        headers->content_length = g_ascii_strtoull(value, NULL, 10);
        return MHD_YES;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (g_ascii_strcasecmp(name, known[i].name) != 0)
            continue;
        if (known[i].read)
            known[i].read(headers, value);
        else
            *(const char **) ((char *) headers + known[i].offset) = value;
        break;
    }
    return MHD_YES;
}

static MrgMethod
parse_method(const char *method)
{
    static const struct {
        const char *name;
        MrgMethod method;
    } methods[] = {{"GET", MRG_METHOD_GET},
                   {"HEAD", MRG_METHOD_HEAD},
                   {"POST", MRG_METHOD_POST},
                   {"OPTIONS", MRG_METHOD_OPTIONS}};
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
        if (g_str_equal(methods[i].name, method))
            return methods[i].method;
    return (MrgMethod) 0;
}

void
mrg_request_read(MrgRequest *request, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    request->at_us = mrg_clock_now_us();
    request->begun_us = g_get_monotonic_time();
    request->method = parse_method(method);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, read_header,
                              &request->headers);
    if (request->method == MRG_METHOD_HEAD)
        request->headers.flags |= MRG_HIT_HEAD;
    mrg_client_from_socket(&request->client, info ? info->client_addr : NULL);
    mrg_client_forwarded(&request->client, request->headers.forwarded,
                         request->collector->proxies);
}

/* ---- query */

typedef struct Query {
    MrgFormField *fields;
    gsize n;
    gboolean is_bad;
    MrgArena *arena;
} Query;

static enum MHD_Result
read_argument(void *context, enum MHD_ValueKind kind G_GNUC_UNUSED, const char *name,
              const char *value)
{
    Query *query = context;
    if (query->n == MRG_FORM_FIELDS_MAX) {
        query->is_bad = TRUE;
        return MHD_NO;
    }
    MrgFormField *field = &query->fields[query->n++];
    field->name = mrg_form_decode(name, strlen(name), query->arena);
    field->value = value ? mrg_form_decode(value, strlen(value), query->arena) : "";
    query->is_bad |= !field->name || !field->value;
    return query->is_bad ? MHD_NO : MHD_YES;
}

gboolean
mrg_request_query(const MrgRequest *request, MrgForm *form, MrgArena *arena)
{
    Query query = {.arena = arena};
    query.fields = mrg_arena_array(arena, MrgFormField, MRG_FORM_FIELDS_MAX);
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, read_argument,
                              &query);
    *form = (MrgForm){query.fields, query.n};
    return !query.is_bad;
}

/* ---- hits */

gboolean
mrg_request_open(const MrgRequest *request, gsize length, MrgTokenPurpose purpose,
                 MrgToken *token, char target[MRG_TARGET_MAX + 1])
{
    MrgCollector *collector = request->collector;
    if (mrg_token_open(collector->keyring, request->tail, length, purpose, token, target))
        return TRUE;
    mrg_collector_count(collector, MRG_COUNT_tokens_refused);
    return FALSE;
}

const char *
mrg_request_seal(const MrgRequest *request, const MrgToken *token, MrgTokenPurpose purpose,
                 MrgArena *arena)
{
    char *text = mrg_arena_alloc(arena, MRG_TOKEN_LENGTH + 1);
    MrgToken other = *token;
    other.purpose = purpose;
    other.target = NULL;
    other.at_s = (guint32) (request->at_us / G_USEC_PER_SEC);
    mrg_token_seal(request->collector->keyring, &other, text);
    return text;
}

gboolean
mrg_request_may(const MrgRequest *request, const MrgToken *token)
{
    guint64 key = token->message ^ (guint64) token->purpose << 56 ^ request->method;
    const MrgCollector *collector = request->collector;
    return mrg_limit_take(collector->lasting->by_token,
                          collector->conf->collector_rate_token, key, request->at_us);
}

/* The host of "https://host:port/path", in host. */
static const char *
referrer_host(const char *referrer, char host[MRG_HIT_HOST_MAX + 1])
{
    const char *start = referrer ? strstr(referrer, "://") : NULL;
    if (!start)
        return NULL;
    start += 3;
    gsize length = strcspn(start, "/?#");
    const char *at = memrchr(start, '@', length);
    if (at) {
        length -= (gsize) (at + 1 - start);
        start = at + 1;
    }
    if (length > MRG_HIT_HOST_MAX)
        return NULL;
    memcpy(host, start, length);
    host[length] = '\0';
    return host;
}

MrgHit
mrg_request_hit(const MrgRequest *request, MrgHitKind kind, const MrgToken *token)
{
    MrgHit hit = {.kind = kind,
                  .flags = request->headers.flags,
                  .at_us = request->at_us,
                  .agent = request->headers.agent,
                  .language = request->headers.language};
    hit.network_bytes = mrg_client_prefix(&request->client, hit.network);
    if (!token)
        return hit;
    hit.has_token = TRUE;
    hit.person = token->person;
    hit.campaign = token->campaign;
    hit.message = token->message;
    hit.link = token->link;
    hit.token_at_s = token->at_s;
    hit.token_key = token->key_id;
    hit.target = token->target;
    return hit;
}

gboolean
mrg_request_record(const MrgRequest *request, const MrgHit *hit)
{
    guint8 record[MRG_HIT_BYTES_MAX];
    char host[MRG_HIT_HOST_MAX + 1];
    MrgHit whole = *hit;
    whole.referrer_host = referrer_host(request->headers.referrer, host);
    gsize length = mrg_hit_encode(&whole, record);
    return length && mrg_journal_append(request->collector->lasting->journal, record,
                                        length) == MRG_APPEND_DONE;
}

MrgReply
mrg_reply_store_failed(MrgCollector *collector, const GError *error)
{
    mrg_collector_store_failed(collector, error);
    return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
}
