/* SPDX-License-Identifier: Apache-2.0 */
/*
 * campaign: what the control headers of a campaign message say.
 *
 *   X-Campaign: ID               [A-Za-z0-9._-]{1,64}
 *   X-Campaign-Class: NAME       the same alphabet; default from the config
 *   X-Campaign-Syntax: DIALECT   handlebars (default), tokens
 *   X-Campaign-Data: {json}      an object; values under data., and for names that a
 *                                profile lacks
 *   X-Campaign-Track: opens, clicks, text | none
 *                                text: clicks, in text/plain too
 *   X-Campaign-Tags: NAME, NAME  the same alphabet, 255 bytes together; for caps
 *   X-Campaign-List: NAME        the list that it goes to, for "list:NAME" suppressions
 *   X-Campaign-Send-At: TIME     not before this instant: 2026-11-24T09:00:00+01:00
 *                                (RFC 3339), or a date as in RFC 5322
 *   X-Campaign-Send-Local: TIME  not before it is this time on the person's wall:
 *                                2026-11-24T09:00
 *
 * OWNERSHIP  arena of the envelope.
 * ERRORS     MRG_ERROR_CONTROL: unknown or doubled control header, malformed value.
 */
#ifndef MRG_CAMPAIGN_H
#define MRG_CAMPAIGN_H

#include "base/value.h"
#include "milter/intake/envelope.h"

typedef enum {
    MRG_TRACK_OPENS = 1 << 0,
    MRG_TRACK_CLICKS = 1 << 1,
    MRG_TRACK_TEXT = 1 << 2
} MrgTrack;

typedef struct MrgCampaign {
    const char *id;
    const char *class_name;
    const char *dialect;  /* by name; render knows which there are */
    const MrgValue *data; /* an object, or NULL */
    guint track;          /* MrgTrack; consent can only narrow it */
    const char *tags;     /* with commas between; "" */
    const char *list;     /* or NULL */
    gint64 send_at_us;    /* 0: not said */
    gint64 send_local_s;  /* wall time, as seconds since 1970; 0: not said */
    const char *sender;   /* domain of From, lower case; "" where it cannot be told */
} MrgCampaign;

gboolean mrg_campaign_read(MrgCampaign *campaign, const MrgEnvelope *envelope,
                           const char *default_class, GError **error);

/* [A-Za-z0-9._-]{1,64} */
gboolean mrg_campaign_is_name(const char *name);

#endif
