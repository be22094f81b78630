/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hit: one thing that somebody, or some machine, did to the collector, as the journal has
 * it.
 *
 * A record is version 1, kind 1, flags 2, at_us 8, then fields of tag 1, length 2, bytes,
 * each at most once, in ascending order of their tags, empty ones left out.  Numbers are
 * little-endian; a text is UTF-8 without controls, with a NUL behind it (JSON keeps its
 * escapes, so it has none either).
 *
 * No address, mailbox or full network address gets in here: of the peer there is /24 or
 * /48, of the referrer the host.
 *
 * OWNERSHIP  a hit borrows all its texts; a decoded one from the record.
 */
#ifndef MRG_HIT_H
#define MRG_HIT_H

#include "plugins/merganser-plugin.h"

#define MRG_HIT_BYTES_MAX 40000
#define MRG_HIT_AGENT_MAX 512
#define MRG_HIT_LANGUAGE_MAX 64
#define MRG_HIT_HOST_MAX 253
#define MRG_HIT_TARGET_MAX 2000
#define MRG_HIT_NAME_MAX 255
#define MRG_HIT_DATA_MAX 33000

typedef enum {
    MRG_HIT_OPEN = 1,
    MRG_HIT_CLICK = 2,
    MRG_HIT_UNSUBSCRIBE_VIEW = 3, /* the page was shown; nothing is changed */
    MRG_HIT_UNSUBSCRIBE = 4,      /* by the page; scope says from what */
    MRG_HIT_ONE_CLICK = 5,        /* the same by RFC 8058 */
    MRG_HIT_PREFERENCES_VIEW = 6,
    MRG_HIT_PREFERENCES = 7, /* data says what was chosen */
    MRG_HIT_TRACK = 8,       /* event tags: name and data */
    MRG_HIT_PAGE = 9,
    MRG_HIT_IDENTIFY = 10, /* an anonymous id belongs to the token's person */
    MRG_HIT_ERASE = 11     /* by the preference centre */
} MrgHitKind;
#define MRG_HIT_KIND_LAST MRG_HIT_ERASE

typedef enum {
    MRG_HIT_HEAD = 1 << 0,     /* the method was HEAD */
    MRG_HIT_PREFETCH = 1 << 1, /* Purpose, Sec-Purpose or X-Moz say so */
    MRG_HIT_OPT_OUT = 1 << 2,  /* Sec-GPC: 1 or DNT: 1 */
    MRG_HIT_APPLIED = 1 << 3 /* what was chosen is in the store; else the loader does it */
} MrgHitFlags;

typedef struct MrgHit {
    MrgHitKind kind;
    guint flags; /* MrgHitFlags */
    gint64 at_us;

    /* From the token; has_token FALSE: there was none. */
    gboolean has_token;
    MrgPersonKey person;
    guint32 campaign;
    guint64 message;
    guint32 link; /* 0: target says where to, or there is none */
    guint32 token_at_s;
    guint8 token_key;
    const char *target; /* sealed in the token; "" for none, as all texts below */

    /* From a web page. */
    const char *site;
    const char *anonymous_id;
    const char *event_id; /* the tag's own: the same twice is one event */
    const char *name;

    const char *scope; /* UNSUBSCRIBE, ONE_CLICK: "all", "class:NAME" or "list:NAME" */
    const char *data;  /* JSON: properties of an event, what was chosen */

    /* What classes are made from. */
    const char *agent;
    const char *language;
    const char *referrer_host;
    guint8 network[6];   /* first bytes of the peer's address, in network order */
    guint network_bytes; /* 3: IPv4 /24, 6: IPv6 /48, 0: not known */
} MrgHit;

/* Bytes written to record (MRG_HIT_BYTES_MAX), whatever the texts hold: they are cut at
 * their bounds, and what is no UTF-8 or a control becomes '?'; 0 where data (which cannot
 * be cut) is over its bound. NULL is as good as "". */
gsize mrg_hit_encode(const MrgHit *hit, guint8 *record);

/* FALSE for anything that mrg_hit_encode() does not write.  Texts are never NULL. */
gboolean mrg_hit_decode(MrgHit *hit, const guint8 *record, gsize length);

#endif
