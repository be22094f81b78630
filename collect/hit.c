/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/hit.h"

#define HIT_VERSION 1
#define HEAD_BYTES 12
#define FLAGS_ALL (MRG_HIT_HEAD | MRG_HIT_PREFETCH | MRG_HIT_OPT_OUT | MRG_HIT_APPLIED)
#define TOKEN_BYTES 37

typedef enum { TAG_TOKEN = 1, TAG_NETWORK = 2, TAG_TEXT = 3 } Tag;

/* The texts in the order of their tags, from TAG_TEXT on. */
static const struct {
    gsize offset;
    gsize max;
    gboolean is_whole; /* never cut */
} texts[] = {
    {G_STRUCT_OFFSET(MrgHit, target), MRG_HIT_TARGET_MAX, TRUE},
    {G_STRUCT_OFFSET(MrgHit, site), MRG_HIT_NAME_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, anonymous_id), MRG_HIT_NAME_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, event_id), MRG_HIT_NAME_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, name), MRG_HIT_NAME_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, scope), MRG_HIT_NAME_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, data), MRG_HIT_DATA_MAX, TRUE},
    {G_STRUCT_OFFSET(MrgHit, agent), MRG_HIT_AGENT_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, language), MRG_HIT_LANGUAGE_MAX, FALSE},
    {G_STRUCT_OFFSET(MrgHit, referrer_host), MRG_HIT_HOST_MAX, FALSE},
};

/* All of them at their bounds fit into a record. */
G_STATIC_ASSERT(HEAD_BYTES + 3 * 12 + TOKEN_BYTES + 6 + MRG_HIT_TARGET_MAX +
                    5 * MRG_HIT_NAME_MAX + MRG_HIT_DATA_MAX + MRG_HIT_AGENT_MAX +
                    MRG_HIT_LANGUAGE_MAX + MRG_HIT_HOST_MAX + 10 <=
                MRG_HIT_BYTES_MAX);

static const char **
text_at(MrgHit *hit, gsize i)
{
    return (const char **) ((char *) hit + texts[i].offset);
}

/* ---- numbers */

static guint8 *
put(guint8 *at, guint64 number, gsize bytes)
{
    for (gsize i = 0; i < bytes; i++)
        at[i] = (guint8) (number >> (8 * i));
    return at + bytes;
}

static guint64
get(const guint8 **at, gsize bytes)
{
    guint64 number = 0;
    for (gsize i = 0; i < bytes; i++)
        number |= (guint64) (*at)[i] << (8 * i);
    *at += bytes;
    return number;
}

/* ---- texts */

static gboolean
is_control(char c)
{
    return (guchar) c < 0x20 || c == 0x7f;
}

/* Length of text within max, not cut inside a character. */
static gsize
cut(const char *text, gsize max)
{
    gsize length = strnlen(text, max + 1);
    if (length <= max)
        return length;
    length = max;
    while (length > 0 && ((guchar) text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static guint8 *
put_text(guint8 *at, guint8 tag, const char *text, gsize length)
{
    at = put(at, tag, 1);
    at = put(at, length + 1, 2);
    gboolean is_utf8 = g_utf8_validate_len(text, length, NULL);
    for (gsize i = 0; i < length; i++)
        at[i] = is_control(text[i]) || (!is_utf8 && (guchar) text[i] >= 0x80)
                    ? '?'
                    : (guint8) text[i];
    at[length] = '\0';
    return at + length + 1;
}

static gboolean
is_text(const char *bytes, gsize length, gsize max)
{
    if (length < 2 || length - 1 > max || bytes[length - 1] != '\0' ||
        !g_utf8_validate_len(bytes, length - 1, NULL))
        return FALSE;
    for (gsize i = 0; i < length - 1; i++)
        if (is_control(bytes[i]))
            return FALSE;
    return TRUE;
}

/* ---- token and network */

static guint8 *
put_token(guint8 *at, const MrgHit *hit)
{
    at = put(at, TAG_TOKEN, 1);
    at = put(at, TOKEN_BYTES, 2);
    memcpy(at, hit->person.bytes, MRG_KEY_BYTES);
    at = put(at + MRG_KEY_BYTES, hit->campaign, 4);
    at = put(at, hit->message, 8);
    at = put(at, hit->link, 4);
    at = put(at, hit->token_at_s, 4);
    return put(at, hit->token_key, 1);
}

static gboolean
get_token(MrgHit *hit, const guint8 *at, gsize length)
{
    if (length != TOKEN_BYTES)
        return FALSE;
    hit->has_token = TRUE;
    memcpy(hit->person.bytes, at, MRG_KEY_BYTES);
    at += MRG_KEY_BYTES;
    hit->campaign = (guint32) get(&at, 4);
    hit->message = get(&at, 8);
    hit->link = (guint32) get(&at, 4);
    hit->token_at_s = (guint32) get(&at, 4);
    hit->token_key = (guint8) get(&at, 1);
    return TRUE;
}

static gboolean
get_network(MrgHit *hit, const guint8 *at, gsize length)
{
    if (length != 3 && length != sizeof hit->network)
        return FALSE;
    memcpy(hit->network, at, length);
    hit->network_bytes = (guint) length;
    return TRUE;
}

/* ---- the whole */

gsize
mrg_hit_encode(const MrgHit *hit, guint8 *record)
{
    guint8 *at = put(record, HIT_VERSION, 1);
    at = put(at, hit->kind, 1);
    at = put(at, hit->flags, 2);
    at = put(at, (guint64) hit->at_us, 8);
    if (hit->has_token)
        at = put_token(at, hit);
    if (hit->network_bytes) {
        at = put(at, TAG_NETWORK, 1);
        at = put(at, hit->network_bytes, 2);
        memcpy(at, hit->network, hit->network_bytes);
        at += hit->network_bytes;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *text = *text_at((MrgHit *) hit, i);
        gsize length = text ? cut(text, texts[i].max) : 0;
        if (length && texts[i].is_whole && text[length])
            return 0;
        if (length)
            at = put_text(at, (guint8) (TAG_TEXT + i), text, length);
    }
    return (gsize) (at - record);
}

static gboolean
get_field(MrgHit *hit, guint tag, const guint8 *at, gsize length)
{
    if (tag == TAG_TOKEN)
        return get_token(hit, at, length);
    if (tag == TAG_NETWORK)
        return get_network(hit, at, length);
    gsize i = tag - TAG_TEXT;
    if (tag < TAG_TEXT || i >= G_N_ELEMENTS(texts) ||
        !is_text((const char *) at, length, texts[i].max))
        return FALSE;
    *text_at(hit, i) = (const char *) at;
    return TRUE;
}

static gboolean
get_fields(MrgHit *hit, const guint8 *at, const guint8 *end)
{
    guint last = 0;
    while (at != end) {
        if (end - at < 3)
            return FALSE;
        guint tag = (guint) get(&at, 1);
        gsize length = (gsize) get(&at, 2);
        if (tag <= last || length > (gsize) (end - at) || !get_field(hit, tag, at, length))
            return FALSE;
        last = tag;
        at += length;
    }
    return TRUE;
}

gboolean
mrg_hit_decode(MrgHit *hit, const guint8 *record, gsize length)
{
    MrgHit read = {0};
    const guint8 *at = record;
    if (length < HEAD_BYTES || length > MRG_HIT_BYTES_MAX || get(&at, 1) != HIT_VERSION)
        return FALSE;
    read.kind = (MrgHitKind) get(&at, 1);
    read.flags = (guint) get(&at, 2);
    read.at_us = (gint64) get(&at, 8);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        *text_at(&read, i) = "";
    if (read.kind < MRG_HIT_OPEN || read.kind > MRG_HIT_KIND_LAST ||
        (read.flags & ~(guint) FLAGS_ALL) || read.at_us < 0 ||
        !get_fields(&read, at, record + length))
        return FALSE;
    *hit = read;
    return TRUE;
}
