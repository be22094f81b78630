/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/duration.h"
#include "milter/message/campaign.h"

#define TEXT_MARK "; text="

/* "PREFIX" and a name behind it. */
static gboolean
is_of(const char *text, const char *prefix)
{
    return g_str_has_prefix(text, prefix) && mrg_campaign_is_name(text + strlen(prefix));
}

gboolean
mrg_word_is_purpose(const char *text)
{
    static const char *const purposes[] = {"receive", "track_open", "track_click",
                                           "profile", "predict",    NULL};
    return g_strv_contains(purposes, text) || is_of(text, "receive:");
}

gboolean
mrg_word_is_scope(const char *text)
{
    return strcmp(text, "all") == 0 || is_of(text, "class:") || is_of(text, "list:");
}

gboolean
mrg_word_is_reason(const char *text)
{
    static const char *const reasons[] = {"unsubscribed", "complained", "bounced", "manual",
                                          NULL};
    return g_strv_contains(reasons, text);
}

gboolean
mrg_word_is_source(const char *text)
{
    gsize length = strlen(text);
    if (!length || length > MRG_SOURCE_BYTES_MAX ||
        !g_utf8_validate(text, (gssize) length, NULL) || strchr(text, ';'))
        return FALSE;
    for (const char *c = text; *c; c = g_utf8_next_char(c))
        if (!g_unichar_isprint(g_utf8_get_char(c)))
            return FALSE;
    return TRUE;
}

char *
mrg_source_join(const char *source, const char *text_version)
{
    return text_version ? g_strconcat(source, TEXT_MARK, text_version, NULL)
                        : g_strdup(source);
}

void
mrg_source_split(const char *joined, char **source, char **text_version)
{
    const char *mark = g_strrstr(joined, TEXT_MARK);
    *source = mark ? g_strndup(joined, (gsize) (mark - joined)) : g_strdup(joined);
    *text_version = mark ? g_strdup(mark + strlen(TEXT_MARK)) : NULL;
}

gint64
mrg_consent_undated(MrgConsentState state, gint64 now_us)
{
    return state == MRG_CONSENT_GRANTED ? MRG_UNDATED_US : now_us;
}

const char *
mrg_consent_word(MrgConsentState state)
{
    return state == MRG_CONSENT_GRANTED  ? "granted"
           : state == MRG_CONSENT_DENIED ? "denied"
                                         : "unknown";
}

gboolean
mrg_time_parse(const char *text, gint64 *at_us)
{
    g_autofree char *whole =
        strchr(text, 'T') ? g_strdup(text) : g_strconcat(text, "T00:00:00Z", NULL);
    g_autoptr(GDateTime) at = g_date_time_new_from_iso8601(whole, NULL);
    if (!at)
        return FALSE;
    *at_us = g_date_time_to_unix(at) * MRG_SECOND_US + g_date_time_get_microsecond(at);
    return TRUE;
}

char *
mrg_time_exact(gint64 at_us)
{
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(at_us / MRG_SECOND_US);
    if (!at)
        return g_strdup("?");
    g_autofree char *text = g_date_time_format(at, "%Y-%m-%dT%H:%M:%S");
    guint fraction = (guint) (at_us % MRG_SECOND_US);
    return fraction ? g_strdup_printf("%s.%06uZ", text, fraction)
                    : g_strconcat(text, "Z", NULL);
}

gboolean
mrg_until_parse(const char *text, gint64 now_us, gint64 *until_us)
{
    gint64 length_us;
    if (mrg_duration_parse(text, &length_us))
        *until_us = now_us + length_us;
    else if (!mrg_time_parse(text, until_us))
        return FALSE;
    return *until_us > now_us;
}
