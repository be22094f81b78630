/* SPDX-License-Identifier: Apache-2.0 */
/* Whether it runs, what it did, and what looks the same for all. */
#include "config.h"

#include <string.h>

#include "collect/request.h"

MrgReply
mrg_serve_health(MrgRequest *request G_GNUC_UNUSED)
{
    return mrg_reply_fixed(MRG_FIXED_HEALTHY);
}

/* For who asks the daemon itself: through a server in front there is none. */
MrgReply
mrg_serve_metrics(MrgRequest *request)
{
    if (request->headers.forwarded)
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    char *text = mrg_collector_metrics(request->collector);
    return mrg_reply_text(200, "text/plain; version=0.0.4; charset=utf-8", text,
                          strlen(text));
}

MrgReply
mrg_serve_style(MrgRequest *request)
{
    char *style = g_strdup(mrg_pages_style(request->collector->pages));
    return mrg_reply_file("text/css; charset=utf-8", style, strlen(style));
}
