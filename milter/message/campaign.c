/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <gmime/gmime.h>
#include <string.h>

#include "milter/error.h"
#include "milter/json.h"
#include "milter/message/campaign.h"

#define NAME_MAX_BYTES 64
#define DATA_MAX_BYTES 65536
#define TAGS_MAX_BYTES 255
#define SEND_AT_MAX_S G_GINT64_CONSTANT(253402300799) /* the end of the year 9999 */
#define SENDER_MAX_BYTES 255

/* What a control header's field does to the campaign; value is unfolded and trimmed. */
typedef struct Control {
    const char *name;
    gboolean (*read)(MrgCampaign *campaign, const char *value, MrgArena *arena,
                     GError **error);
} Control;

gboolean
mrg_campaign_is_name(const char *name)
{
    gsize n = 0;
    while (g_ascii_isalnum(name[n]) || (name[n] && strchr("._-", name[n])))
        if (++n > NAME_MAX_BYTES)
            return FALSE;
    return n > 0 && name[n] == '\0';
}

static gboolean
fail_control(GError **error, const char *header, const char *what)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "%s: %s", header, what);
    return FALSE;
}

static gboolean
read_name(const char **name, const char *value, const char *header, GError **error)
{
    if (!mrg_campaign_is_name(value)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL,
                    "%s: not a name of 1 to %d letters, digits, '.', '_', '-'", header,
                    NAME_MAX_BYTES);
        return FALSE;
    }
    *name = value;
    return TRUE;
}

static gboolean
read_id(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
        GError **error)
{
    return read_name(&campaign->id, value, "X-Campaign", error);
}

static gboolean
read_class(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
           GError **error)
{
    return read_name(&campaign->class_name, value, "X-Campaign-Class", error);
}

static gboolean
read_syntax(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
            GError **error)
{
    return read_name(&campaign->dialect, value, "X-Campaign-Syntax", error);
}

static gboolean
read_data(MrgCampaign *campaign, const char *value, MrgArena *arena, GError **error)
{
    gsize length = strlen(value);
    if (length > DATA_MAX_BYTES) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "X-Campaign-Data: over %d bytes",
                    DATA_MAX_BYTES);
        return FALSE;
    }
    MrgValue *data = mrg_arena_array(arena, MrgValue, 1);
    if (!mrg_json_read(data, value, length, arena, error)) {
        g_prefix_error(error, "X-Campaign-Data:");
        return FALSE;
    }
    if (data->type != MRG_VALUE_OBJECT) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL,
                    "X-Campaign-Data:1:1: not a JSON object");
        return FALSE;
    }
    campaign->data = data;
    return TRUE;
}

static gboolean
read_track(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
           GError **error)
{
    guint track = 0;
    gboolean is_none = FALSE;
    gboolean is_known = TRUE;
    g_auto(GStrv) words = g_strsplit(value, ",", 5);
    for (char **word = words; *word; word++) {
        g_strstrip(*word);
        if (g_ascii_strcasecmp(*word, "opens") == 0)
            track |= MRG_TRACK_OPENS;
        else if (g_ascii_strcasecmp(*word, "clicks") == 0)
            track |= MRG_TRACK_CLICKS;
        else if (g_ascii_strcasecmp(*word, "text") == 0)
            track |= MRG_TRACK_CLICKS | MRG_TRACK_TEXT;
        else if (g_ascii_strcasecmp(*word, "none") == 0)
            is_none = TRUE;
        else
            is_known = FALSE;
    }
    if (!is_known || is_none == (track != 0)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL,
                    "X-Campaign-Track: neither 'none' nor a list of 'opens', 'clicks', "
                    "'text'");
        return FALSE;
    }
    campaign->track = track;
    return TRUE;
}

static gboolean
read_tags(MrgCampaign *campaign, const char *value, MrgArena *arena, GError **error)
{
    g_autoptr(GString) tags = g_string_new(NULL);
    g_auto(GStrv) words = g_strsplit(value, ",", -1);
    for (char **word = words; *word; word++) {
        g_strstrip(*word);
        if (!mrg_campaign_is_name(*word) || !g_ascii_isalnum(**word))
            return fail_control(error, "X-Campaign-Tags",
                                "not a list of names with commas "
                                "between");
        g_string_append_printf(tags, "%s%s", tags->len ? "," : "", *word);
    }
    if (tags->len > TAGS_MAX_BYTES)
        return fail_control(error, "X-Campaign-Tags", "over 255 bytes");
    campaign->tags = mrg_arena_strdup(arena, tags->str);
    return TRUE;
}

static gboolean
read_list(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
          GError **error)
{
    return read_name(&campaign->list, value, "X-Campaign-List", error);
}

static gint64
decode_date(const char *value)
{
    g_autoptr(GDateTime) time = g_mime_utils_header_decode_date(value);
    return time ? g_date_time_to_unix(time) : 0;
}

/* RFC 3339 with its offset, or the date of RFC 5322. */
static gboolean
read_send_at(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
             GError **error)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(value, NULL);
    gint64 at_s = time ? g_date_time_to_unix(time) : decode_date(value);
    if (at_s <= 0 || at_s > SEND_AT_MAX_S)
        return fail_control(
            error, "X-Campaign-Send-At",
            "not a time with its offset, such as 2026-11-24T09:00:00+01:00");
    campaign->send_at_us = at_s * G_USEC_PER_SEC;
    return TRUE;
}

static gboolean
read_send_local(MrgCampaign *campaign, const char *value, G_GNUC_UNUSED MrgArena *arena,
                GError **error)
{
    g_autoptr(GTimeZone) wall = g_time_zone_new_utc();
    /* A digit at the end: no offset, which would say an instant. */
    gboolean is_wall =
        strlen(value) >= 16 && strspn(value, "0123456789-T: ") == strlen(value);
    g_autofree char *full =
        is_wall && strlen(value) == 16 ? g_strconcat(value, ":00", NULL) : g_strdup(value);
    g_autoptr(GDateTime) time = is_wall ? g_date_time_new_from_iso8601(full, wall) : NULL;
    gint64 wall_s = time ? g_date_time_to_unix(time) : 0;
    if (wall_s <= 0 || wall_s > SEND_AT_MAX_S)
        return fail_control(error, "X-Campaign-Send-Local",
                            "not a time without an offset, such as 2026-11-24T09:00");
    campaign->send_local_s = wall_s;
    return TRUE;
}

static const Control controls[] = {
    {"X-Campaign", read_id},
    {"X-Campaign-Class", read_class},
    {"X-Campaign-Syntax", read_syntax},
    {"X-Campaign-Data", read_data},
    {"X-Campaign-Track", read_track},
    {"X-Campaign-Tags", read_tags},
    {"X-Campaign-List", read_list},
    {"X-Campaign-Send-At", read_send_at},
    {"X-Campaign-Send-Local", read_send_local},
};

/* RFC 5322, 2.2.3; a tab would not be allowed inside a JSON string. */
static const char *
unfold(const char *value, MrgArena *arena)
{
    char *text = mrg_arena_strdup(arena, value);
    gsize n = 0;
    for (gsize i = 0; text[i]; i++) {
        if (text[i] != '\n')
            text[n++] = text[i];
        else if (text[i + 1] == '\t')
            text[i + 1] = ' ';
    }
    text[n] = '\0';
    return g_strstrip(text);
}

static int
find_control(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++)
        if (g_ascii_strcasecmp(controls[i].name, name) == 0)
            return (int) i;
    return -1;
}

static gboolean
read_control(MrgCampaign *campaign, const MrgHeader *header, guint *seen, MrgArena *arena,
             GError **error)
{
    int i = find_control(header->name);
    if (i < 0) {
        g_autofree char *name = g_strndup(header->name, NAME_MAX_BYTES);
        g_strcanon(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.", '?');
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "unknown control header '%s'",
                    name);
        return FALSE;
    }
    if (*seen & 1u << i) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "%s: stands there twice",
                    controls[i].name);
        return FALSE;
    }
    *seen |= 1u << i;
    return controls[i].read(campaign, unfold(header->value, arena), arena, error);
}

/* The domain behind the last @ of From: enough for caps, which do not trust it. */
static const char *
sender_of(const MrgEnvelope *envelope)
{
    const char *from = mrg_envelope_header(envelope, "From");
    const char *at = from ? strrchr(from, '@') : NULL;
    gsize length = at ? strspn(at + 1, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ".-") : 0;
    if (!length || length > SENDER_MAX_BYTES || at[1] == '-')
        return "";
    char *domain = mrg_arena_dup(envelope->arena, at + 1, length);
    for (gsize i = 0; i < length; i++)
        domain[i] = g_ascii_tolower(domain[i]);
    return domain;
}

gboolean
mrg_campaign_read(MrgCampaign *campaign, const MrgEnvelope *envelope,
                  const char *default_class, GError **error)
{
    MrgCampaign found = {.class_name = default_class,
                         .dialect = "handlebars",
                         .track = MRG_TRACK_OPENS | MRG_TRACK_CLICKS,
                         .tags = "",
                         .sender = sender_of(envelope)};
    guint seen = 0;
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        if (mrg_header_is_control(header->name) &&
            !read_control(&found, header, &seen, envelope->arena, error))
            return FALSE;
    }
    if (!found.id) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL, "there is no X-Campaign header");
        return FALSE;
    }
    if (found.send_at_us && found.send_local_s)
        return fail_control(error, "X-Campaign-Send-At",
                            "X-Campaign-Send-Local stands there, too; say one of them");
    *campaign = found;
    return TRUE;
}
