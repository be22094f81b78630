/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/reply.h"

#define NO_STORE "no-store, private, max-age=0"
#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"

/* Transparent, one by one: 43 bytes (GIF89a specification, with a graphic control). */
static const guint8 pixel[] = {0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01,
                               0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
                               0xff, 0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00,
                               0x2c, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
                               0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3b};
G_STATIC_ASSERT(sizeof pixel == 43);

static const struct {
    guint status;
    const char *type;
    const char *text; /* NULL: the pixel */
    const char *name, *value;
} fixed_replies[MRG_N_FIXED] = {
    [MRG_FIXED_PIXEL] = {200, "image/gif", NULL, NULL, NULL},
    [MRG_FIXED_NOTHING] = {204, NULL, "", NULL, NULL},
    [MRG_FIXED_ACCEPTED] = {200, JSON, "{\"success\":true}\n", NULL, NULL},
    [MRG_FIXED_DONE] = {200, TEXT, "Unsubscribed.\n", NULL, NULL},
    [MRG_FIXED_HEALTHY] = {200, TEXT, "ok\n", NULL, NULL},
    [MRG_FIXED_BAD_REQUEST] = {400, TEXT, "Bad request.\n", NULL, NULL},
    [MRG_FIXED_DENIED] = {401, TEXT, "No valid key or signature.\n", NULL, NULL},
    [MRG_FIXED_FORBIDDEN] = {403, TEXT, "Forbidden.\n", NULL, NULL},
    [MRG_FIXED_NOT_FOUND] = {404, TEXT, "Not found.\n", NULL, NULL},
    [MRG_FIXED_METHOD] = {405, TEXT, "Method not allowed.\n", "Allow",
                          "GET, HEAD, POST, OPTIONS"},
    [MRG_FIXED_CONFLICT] = {409, TEXT, "This key was used for something else.\n", NULL,
                            NULL},
    [MRG_FIXED_TOO_LARGE] = {413, TEXT, "Too large.\n", NULL, NULL},
    [MRG_FIXED_TYPE] = {415, TEXT, "Unsupported media type.\n", NULL, NULL},
    [MRG_FIXED_TOO_MANY] = {429, TEXT, "Too many requests.\n", "Retry-After", "60"},
    [MRG_FIXED_UNAVAILABLE] = {503, TEXT, "Please try again in a moment.\n", "Retry-After",
                               "30"},
};

static struct MHD_Response *fixed_responses[MRG_N_FIXED];

static void
add(struct MHD_Response *response, const char *name, const char *value)
{
    if (name && MHD_add_response_header(response, name, value) != MHD_YES)
        g_error("no memory for a response header");
}

static struct MHD_Response *
new_response(const char *type, gconstpointer bytes, gsize n,
             enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n, (gpointer) bytes, mode);
    if (!response)
        g_error("no memory for a response");
    add(response, type ? MHD_HTTP_HEADER_CONTENT_TYPE : NULL, type);
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, NO_STORE);
    add(response, "X-Content-Type-Options", "nosniff");
    return response;
}

void
mrg_replies_init(void)
{
    for (gsize i = 0; i < MRG_N_FIXED; i++) {
        const char *text = fixed_replies[i].text;
        fixed_responses[i] =
            new_response(fixed_replies[i].type, text ? (gconstpointer) text : pixel,
                         text ? strlen(text) : sizeof pixel, MHD_RESPMEM_PERSISTENT);
        add(fixed_responses[i], fixed_replies[i].name, fixed_replies[i].value);
    }
    /* A page of another origin may show the pixel. */
    add(fixed_responses[MRG_FIXED_PIXEL], "Cross-Origin-Resource-Policy", "cross-origin");
}

void
mrg_replies_clear(void)
{
    for (gsize i = 0; i < MRG_N_FIXED; i++)
        g_clear_pointer(&fixed_responses[i], MHD_destroy_response);
}

MrgReply
mrg_reply_fixed(MrgFixed fixed)
{
    return (MrgReply){.status = fixed_replies[fixed].status,
                      .response = fixed_responses[fixed]};
}

static void
destroy(gpointer response)
{
    MHD_destroy_response(response);
}

MrgReply
mrg_reply_response(guint status, struct MHD_Response *response)
{
    return (MrgReply){
        .status = status, .response = response, .release = destroy, .owner = response};
}

MrgReply
mrg_reply_later(MrgReply (*later)(struct MrgRequest *request))
{
    return (MrgReply){.later = later};
}

static void
free_text(gpointer text)
{
    g_free(text);
}

static MrgReply
reply_cached(guint status, const char *type, const char *caching, char *text, gsize length)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(length, text, free_text);
    if (!response)
        g_error("no memory for a response");
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
    add(response, "X-Content-Type-Options", "nosniff");
    return mrg_reply_response(status, response);
}

MrgReply
mrg_reply_text(guint status, const char *type, char *text, gsize length)
{
    return reply_cached(status, type, NO_STORE, text, length);
}

MrgReply
mrg_reply_file(const char *type, char *text, gsize length)
{
    return reply_cached(200, type, "public, max-age=3600", text, length);
}

MrgReply
mrg_reply_page(guint status, char *html, gsize length)
{
    MrgReply reply = mrg_reply_text(status, "text/html; charset=utf-8", html, length);
    add(reply.response, "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'");
    add(reply.response, "Referrer-Policy", "no-referrer");
    add(reply.response, "X-Robots-Tag", "noindex, nofollow");
    add(reply.response, "X-Frame-Options", "DENY");
    return reply;
}

struct MHD_Response *
mrg_redirect_new(const char *target)
{
    struct MHD_Response *response = new_response(NULL, "", 0, MHD_RESPMEM_PERSISTENT);
    add(response, MHD_HTTP_HEADER_LOCATION, target);
    /* The path has the token in it. */
    add(response, "Referrer-Policy", "no-referrer");
    return response;
}

void
mrg_reply_header(MrgReply *reply, const char *name, const char *value)
{
    add(reply->response, name, value);
}

void
mrg_reply_clear(MrgReply *reply)
{
    if (reply->release)
        reply->release(reply->owner);
    *reply = (MrgReply){0};
}
